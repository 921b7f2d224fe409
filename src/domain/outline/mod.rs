//! The outline of a course: ordered stages of modules, one model for all five styles.

mod compiled;
mod content;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::compiled::{Compiled, CompiledBranch, CompiledStage, FactNeeds, ModuleIx, StageShape};
pub use self::content::{Completion, Content, MAX_KEY, ModuleKind, valid_key};
use super::condition::Condition;
use super::mastery::coverage::{Alignment, Touch};

/// The shape and behaviour of a course's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// A playlist: each module starts by itself after the one before.
    LinearAutoplay,
    /// Linear, with quizzes that must be passed to go on.
    LinearHurdles,
    /// Any order; complete when the final is passed.
    RandomAccess,
    /// All branches, one after the other, in an order that the learner picks.
    StaticBranching,
    /// Real alternatives, or modules that adapt to the learner.
    DynamicBranching,
}

/// How a course is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Sessions at a place.
    InPerson,
    /// Sessions at a join URL.
    RemoteLive,
    /// Self-paced modules, released to a cohort, plus periodic live sessions.
    Hybrid,
    /// No live sessions; everyone at their own pace.
    SelfPaced,
}

macro_rules! names {
    ($type:ident: $($variant:ident = $name:literal),+) => {
        impl $type {
            /// The stable name.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $name,)+ } }
        }
    };
}

names!(Style: LinearAutoplay = "linear_autoplay", LinearHurdles = "linear_hurdles", RandomAccess = "random_access",
    StaticBranching = "static_branching", DynamicBranching = "dynamic_branching");
names!(DeliveryMode: InPerson = "in_person", RemoteLive = "remote_live", Hybrid = "hybrid", SelfPaced = "self_paced");

/// A course's outline as an author writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stages": [{"kind": "sequence", "key": "start", "order": "linear", "modules": [
    {"key": "welcome", "title": "Welcome", "kind": "video", "role": "core",
     "content": {"url": "https://media.example.org/welcome.mp4", "duration_seconds": 300}, "completion": {"watched_percent": 90}},
    {"key": "check", "title": "Check", "kind": "quiz", "role": "hurdle",
     "content": {"pass_percent": 70, "max_attempts": 3, "remediation": ["welcome"], "items": [
        {"key": "q1", "type": "single_choice", "prompt": "Which mode needs no common time?", "points": 1,
         "choices": [{"key": "a", "text": "Self-paced", "correct": true}, {"key": "b", "text": "In person", "correct": false}]}]}}]}]}))]
pub struct Outline {
    /// Stages in the order in which they open.
    pub stages: Vec<Stage>,
    /// For `random_access`: what completes the course; `final` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_when: Option<CompleteWhen>,
}

/// What completes a `random_access` course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompleteWhen {
    /// The final is passed.
    Final,
    /// The final is passed and all core modules are done.
    FinalAndCore,
}

/// A part of a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stage {
    /// Modules one after the other, or in any order.
    Sequence(Sequence),
    /// Branches to choose from.
    Choice(Choice),
}

impl Stage {
    /// The stage's key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Sequence(s) => &s.key,
            Self::Choice(c) => &c.key,
        }
    }
}

/// Modules one after the other, or in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SequenceStage)]
pub struct Sequence {
    /// Unique in the course.
    pub key: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `linear` when absent.
    #[serde(default)]
    pub order: Order,
    /// The modules.
    pub modules: Vec<Module>,
}

/// The order in which a sequence's modules open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Each waits for the one before.
    #[default]
    Linear,
    /// All are open.
    Any,
}

/// Branches to choose from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChoiceStage)]
pub struct Choice {
    /// Unique in the course.
    pub key: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many branches must be done.
    pub choose: Choose,
    /// Who picks; the learner when absent.
    #[serde(default)]
    pub route: Route,
    /// Whether a branch must be finished before another is entered.
    #[serde(default)]
    pub exclusive: bool,
    /// The branches.
    pub branches: Vec<Branch>,
}

/// How many branches must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// Every one.
    All,
    /// Exactly one.
    One,
    /// At least so many.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    AtLeast(u32),
}

/// Who picks a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The learner.
    #[default]
    Learner,
    /// The engine: the first branch whose `when` holds, from what the learner has shown.
    Auto,
}

/// One branch of a choice; its modules are taken in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Unique in the course.
    pub key: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who may, or is routed to, take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The modules.
    pub modules: Vec<Module>,
}

/// What part a module plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ModuleRole)]
pub enum Role {
    /// Belongs to the course.
    #[default]
    Core,
    /// A quiz that must be passed to go on.
    Hurdle,
    /// The quiz that ends the course.
    Final,
    /// For those who struggle.
    Remedial,
    /// For those who have proved mastery.
    Advanced,
    /// Never blocks and never counts.
    Optional,
}

names!(Role: Core = "core", Hurdle = "hurdle", Final = "final", Remedial = "remedial", Advanced = "advanced", Optional = "optional");

/// What happens to a module while its `when` does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmet {
    /// It is shown, locked.
    #[default]
    Lock,
    /// It is as if absent.
    Hide,
}

/// When a module opens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// From when the days are counted.
    pub since: ReleaseSince,
    /// Days after that.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    pub after_days: u32,
}

/// From when a release is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseSince {
    /// The enrollment.
    Enrolled,
    /// The start of the learner's cohort; the enrollment when there is none.
    CohortStart,
}

/// A module: the unit that a learner takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "RawModule", deny_unknown_fields)]
pub struct Module {
    /// Chosen by the author, unique in the course, survives re-publishing. 1 to 100 of letters, digits, `.`, `_`, `-`.
    pub key: String,
    /// For people.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What it is.
    pub kind: ModuleKind,
    /// What part it plays; `core` when absent.
    #[serde(default)]
    pub role: Role,
    /// What the learner gets; its shape follows from `kind`.
    pub content: Content,
    /// What completes it; follows from `kind` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Completion>,
    /// It opens only when this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Locked or hidden while `when` does not hold; `lock` when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unmet: Unmet,
    /// It is tested out when this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waive_when: Option<Condition>,
    /// Its share of the progress; 1 when absent.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schema(default = 1.0)]
    pub weight: f64,
    /// When it opens by itself at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// How long it takes, for people.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted", skip_serializing_if = "Option::is_none")]
    pub estimated_seconds: Option<u64>,
    /// Competencies that it teaches or assesses. The items of a quiz may name theirs beside; what they say of a competency goes
    /// before what is said here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub competencies: Vec<ModuleCompetency>,
}

/// A competency that a module is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "0199c0de-0000-7000-8000-0000000000c1", "weight": 1.0, "touch": "teaches"}))]
pub struct ModuleCompetency {
    /// The competency.
    pub id: uuid::Uuid,
    /// How much the module is about it; more than 0, 1 when absent.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    pub weight: f64,
    /// When absent, quizzes and assignments assess and everything else teaches. Completing a module that assesses and is no quiz
    /// leaves evidence of a full score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touch: Option<Touch>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
fn one() -> f64 {
    1.0
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(weight: &f64) -> bool {
    (*weight - 1.0).abs() < f64::EPSILON
}

/// A module before its content is read by its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModule {
    key: String,
    title: String,
    #[serde(default)]
    summary: Option<String>,
    kind: ModuleKind,
    #[serde(default)]
    role: Role,
    content: serde_json::Value,
    #[serde(default)]
    completion: Option<Completion>,
    #[serde(default)]
    when: Option<Condition>,
    #[serde(default)]
    unmet: Unmet,
    #[serde(default)]
    waive_when: Option<Condition>,
    #[serde(default = "one")]
    weight: f64,
    #[serde(default)]
    release: Option<Release>,
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted")]
    estimated_seconds: Option<u64>,
    #[serde(default)]
    competencies: Vec<ModuleCompetency>,
}

impl TryFrom<RawModule> for Module {
    type Error = String;
    fn try_from(raw: RawModule) -> Result<Self, String> {
        let content =
            Content::parse(raw.kind, raw.content).map_err(|e| format!("content of module `{}`: {e}", raw.key))?;
        Ok(Self {
            key: raw.key,
            title: raw.title,
            summary: raw.summary,
            kind: raw.kind,
            role: raw.role,
            content,
            completion: raw.completion,
            when: raw.when,
            unmet: raw.unmet,
            waive_when: raw.waive_when,
            weight: raw.weight,
            release: raw.release,
            estimated_seconds: raw.estimated_seconds,
            competencies: raw.competencies,
        })
    }
}

impl Module {
    /// What completes it, with the default of its kind.
    #[must_use]
    pub fn completion(&self) -> Completion {
        self.completion.unwrap_or(match self.kind {
            ModuleKind::Video => Completion::WatchedPercent(90.0),
            ModuleKind::Quiz => Completion::Passed(true),
            ModuleKind::Assignment => Completion::Submitted(true),
            ModuleKind::Discussion => Completion::Posted(true),
            ModuleKind::LiveSession => Completion::Attended(true),
            _ => Completion::Viewed(true),
        })
    }

    /// How a link of its own touches the competency.
    #[must_use]
    pub fn touch(&self, link: &ModuleCompetency) -> Touch {
        link.touch.unwrap_or(match self.kind {
            ModuleKind::Quiz | ModuleKind::Assignment => Touch::Assesses,
            _ => Touch::Teaches,
        })
    }

    /// How it touches competencies: by itself, and by the items of its quiz, whose weights add up.
    #[must_use]
    pub fn alignments(&self) -> Vec<Alignment> {
        let mut all: Vec<Alignment> = Vec::new();
        let mut add = |competency, weight, touch| match all
            .iter_mut()
            .find(|a: &&mut Alignment| a.competency == competency && a.touch == touch)
        {
            Some(known) => known.weight += weight,
            None => all.push(Alignment { module: self.key.clone(), competency, weight, touch }),
        };
        let items = self.quiz().map(|quiz| quiz.items.as_slice()).unwrap_or_default();
        for link in items.iter().flat_map(|item| item.common().competencies) {
            add(link.id, link.weight, Touch::Assesses);
        }
        let by_item: Vec<uuid::Uuid> =
            items.iter().flat_map(|item| item.common().competencies).map(|link| link.id).collect();
        for link in &self.competencies {
            let touch = self.touch(link);
            if touch == Touch::Teaches || !by_item.contains(&link.id) {
                add(link.id, link.weight, touch);
            }
        }
        all
    }

    /// The quiz, if it is one.
    #[must_use]
    pub fn quiz(&self) -> Option<&super::quiz::QuizContent> {
        match &self.content {
            Content::Quiz(quiz) => Some(quiz),
            _ => None,
        }
    }
}

impl Outline {
    /// All modules in order.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.stages.iter().flat_map(|stage| -> Box<dyn Iterator<Item = &Module>> {
            match stage {
                Stage::Sequence(s) => Box::new(s.modules.iter()),
                Stage::Choice(c) => Box::new(c.branches.iter().flat_map(|b| &b.modules)),
            }
        })
    }

    /// The module with this key.
    #[must_use]
    pub fn find_module(&self, key: &str) -> Option<&Module> {
        self.modules().find(|module| module.key == key)
    }

    /// The module with this key, to change it.
    pub fn find_module_mut(&mut self, key: &str) -> Option<&mut Module> {
        self.stages
            .iter_mut()
            .flat_map(|stage| -> Box<dyn Iterator<Item = &mut Module>> {
                match stage {
                    Stage::Sequence(s) => Box::new(s.modules.iter_mut()),
                    Stage::Choice(c) => Box::new(c.branches.iter_mut().flat_map(|b| &mut b.modules)),
                }
            })
            .find(|module| module.key == key)
    }
}
