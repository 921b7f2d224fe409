//! What is known of a learner in a course: the input of the path engine.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::intervals::Intervals;
use super::mastery::Level;
use super::mastery::coverage::Touch;
use super::mastery::reach::Reach;
use super::outline::ModuleIx;

/// An instant in UTC.
pub type Instant = DateTime<Utc>;

fn is_zero(n: &f64) -> bool {
    *n == 0.0
}
fn is_none_left(n: &u32) -> bool {
    *n == 0
}

/// What is known of a learner in one module. Stored as JSON, so names are short and defaults are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleRecord {
    /// First time it was opened, watched or attempted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Instant>,
    /// When it was completed; never taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Instant>,
    /// Seconds of the video that were seen.
    #[serde(skip_serializing_if = "Intervals::is_empty")]
    pub seen: Intervals,
    /// Seconds spent.
    #[serde(skip_serializing_if = "is_zero")]
    pub spent_seconds: f64,
    /// Where the learner was last, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_seconds: Option<f64>,
    /// Time of the newest learning event that is in this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Instant>,
    /// The same by the clocks of those who sent them; read it by [`ModuleRecord::newest_sent`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Instant>,
    /// Quiz attempts finished.
    #[serde(skip_serializing_if = "is_none_left")]
    pub attempts: u32,
    /// Attempts that staff granted beyond the quiz's limit.
    #[serde(skip_serializing_if = "is_none_left")]
    pub extra_attempts: u32,
    /// The attempt in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_attempt: Option<Uuid>,
    /// The counted score in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// First time the quiz was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_at: Option<Instant>,
    /// The last failed attempt, until the quiz is passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Instant>,
    /// When staff or a rule waived it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived_at: Option<Instant>,
    /// When staff unlocked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlocked_at: Option<Instant>,
    /// Taking it again, since a hurdle sent the learner back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redo: Option<Redo>,
}

/// Taking a module again after a failed hurdle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redo {
    /// When the hurdle was failed; only what came later counts.
    pub since: Instant,
    /// Seconds of the video seen since.
    #[serde(skip_serializing_if = "Intervals::is_empty")]
    pub seen: Intervals,
    /// Seconds spent since.
    #[serde(skip_serializing_if = "is_zero")]
    pub spent_seconds: f64,
    /// When it was completed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Instant>,
}

impl Default for Redo {
    fn default() -> Self {
        Self { since: DateTime::UNIX_EPOCH, seen: Intervals::default(), spent_seconds: 0.0, done_at: None }
    }
}

impl Redo {
    /// Taking a module again from this instant on.
    #[must_use]
    pub fn since(since: Instant) -> Self {
        Self { since, ..Self::default() }
    }
}

impl ModuleRecord {
    /// Time of the newest learning event by its sender's clock; records of before both were kept have but one time.
    #[must_use]
    pub fn newest_sent(&self) -> Option<Instant> {
        self.last_sent_at.or(self.last_event_at)
    }

    /// Whether anything was done in it.
    #[must_use]
    pub fn started(&self) -> bool {
        self.started_at.is_some() || self.completed_at.is_some()
    }
}

/// A branch that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenBranch {
    /// The stage.
    pub stage: String,
    /// The branch.
    pub branch: String,
    /// When.
    pub at: Instant,
    /// By the engine and not by the learner.
    pub auto: bool,
}

/// A certificate that the learner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCertificate {
    /// For which course.
    pub course: Uuid,
    /// When it was issued.
    pub issued_at: Instant,
    /// Until when it is valid.
    pub expires_at: Option<Instant>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// An enrollment in some course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseFact {
    /// The course.
    pub course: Uuid,
    /// Whether it was completed.
    pub completed: bool,
}

/// Whether the learner holds a badge that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadgeFact {
    /// The badge.
    pub badge: Uuid,
    /// Whether the learner holds it.
    pub held: bool,
}

/// What the learner has in a game that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameFact {
    /// The game.
    pub game: Uuid,
    /// Points.
    pub points: i64,
    /// Number of the level reached; 0 below the first.
    pub level: u32,
}

/// Whether the learner is in a group that exists; of a unit, all that lies below counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFact {
    /// The group.
    pub group: Uuid,
    /// Whether the learner is in it.
    pub member: bool,
}

/// How far the learner has come in a competency that exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompetencyFact {
    /// The competency.
    pub competency: Uuid,
    /// Mastery, 0 to 1; `None` while nothing can be said.
    pub mastery: Option<f64>,
    /// Its levels.
    pub levels: Vec<Level>,
    /// When which mastery is due, from courses and goals.
    pub dues: Vec<(Instant, f64)>,
    /// What counts for it, when it rolls up.
    pub reach: Option<Reach>,
}

impl CompetencyFact {
    /// Whether what teaches or assesses this helps to reach the mastery that is asked.
    #[must_use]
    pub fn helps(&self, competency: Uuid, touch: Touch, asked: f64) -> bool {
        self.reach.as_ref().map_or(competency == self.competency, |reach| reach.helps(competency, touch, asked))
    }

    /// Whether another counts for it.
    #[must_use]
    pub fn counts(&self, competency: Uuid) -> bool {
        let within = |reach: &Reach| reach.ids().any(|id| id == competency);
        self.reach.as_ref().map_or(competency == self.competency, within)
    }
}

/// What is known of the learner beyond this enrollment; only what the outline's [`super::outline::FactNeeds`] name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LearnerFacts {
    /// Profile attributes.
    pub attributes: Map<String, Value>,
    /// Certificates held.
    pub certificates: Vec<HeldCertificate>,
    /// Enrollments, withdrawn ones left out.
    pub courses: Vec<CourseFact>,
    /// Groups asked about, those that do not exist left out.
    pub groups: Vec<GroupFact>,
    /// Badges asked about, those that do not exist left out.
    pub badges: Vec<BadgeFact>,
    /// Games asked about, those that do not exist left out.
    pub games: Vec<GameFact>,
    /// Competencies asked about, those that do not exist left out.
    pub competencies: Vec<CompetencyFact>,
}

impl LearnerFacts {
    /// How far the learner has come in a competency.
    #[must_use]
    pub fn competency(&self, id: Uuid) -> Option<&CompetencyFact> {
        self.competencies.iter().find(|fact| fact.competency == id)
    }

    /// Puts new values in the place of those that conditions ask about, and of what counts for them.
    pub fn set_mastery(&mut self, changed: impl IntoIterator<Item = (Uuid, Option<f64>)>) {
        for (id, value) in changed {
            for fact in &mut self.competencies {
                if fact.competency == id {
                    fact.mastery = value;
                }
                if let Some(reach) = &mut fact.reach {
                    reach.set(id, value);
                }
            }
        }
    }

    /// What the learner has in a game.
    #[must_use]
    pub fn game(&self, game: Uuid) -> Option<&GameFact> {
        self.games.iter().find(|fact| fact.game == game)
    }
}

/// Everything that the path of one enrollment depends on, besides the outline and the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When the enrollment began.
    pub enrolled_at: Instant,
    /// When the learner's cohort began.
    pub cohort_start_at: Option<Instant>,
    /// Newest learning event.
    pub last_event_at: Option<Instant>,
    /// Records by position of their module; `None` where nothing happened yet.
    pub records: Vec<Option<Arc<ModuleRecord>>>,
    /// Branches chosen, in order of choosing.
    pub choices: Vec<ChosenBranch>,
    /// The learner.
    pub learner: Arc<LearnerFacts>,
    /// Whether the course was completed. That stays, whatever the course or the learner has become since.
    pub achieved: bool,
    /// Set where nothing can be learned: the status of an enrollment that waits, or is over.
    pub closed: Option<&'static str>,
}

impl Facts {
    /// The facts of a new enrollment in an outline of so many modules.
    #[must_use]
    pub fn new(enrolled_at: Instant, modules: usize) -> Self {
        Self {
            enrolled_at,
            cohort_start_at: None,
            last_event_at: None,
            records: vec![None; modules],
            choices: Vec::new(),
            learner: Arc::default(),
            achieved: false,
            closed: None,
        }
    }

    /// The record of a module, if anything happened in it.
    #[must_use]
    pub fn record(&self, ix: ModuleIx) -> Option<&ModuleRecord> {
        self.records.get(ix).and_then(|r| r.as_deref())
    }

    /// When the learner began: the first time in the module begun first.
    #[must_use]
    pub fn started_at(&self) -> Option<Instant> {
        self.records.iter().flatten().filter_map(|record| record.started_at).min()
    }

    /// The record of a module, to change it.
    pub fn record_mut(&mut self, ix: ModuleIx) -> &mut ModuleRecord {
        if self.records.len() <= ix {
            self.records.resize(ix.saturating_add(1), None);
        }
        #[expect(clippy::indexing_slicing, reason = "made long enough above")]
        Arc::make_mut(self.records[ix].get_or_insert_with(Arc::default))
    }

    /// The branches chosen in a stage, in order.
    pub fn chosen<'a>(&'a self, stage: &'a str) -> impl Iterator<Item = &'a ChosenBranch> {
        self.choices.iter().filter(move |choice| choice.stage == stage)
    }
}
