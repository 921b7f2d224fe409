//! Simulation: a hypothetical learner walks through an outline, step by step, and nothing is written.

mod check;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::bounds::Within;
use super::facts::{CompetencyFact, Facts, Instant, LearnerFacts};
use super::learning::{self, AttemptResult, Exception, Refusal};
use super::mastery::behind::Due;
use super::mastery::book::{Book, Entry, Rule};
use super::mastery::proof::{self, Proof};
use super::mastery::reach::Tree;
use super::mastery::{Level, Method};
use super::outline::{Compiled, Completion, ModuleIx};
use super::path::{self, NextStep, Progress, Standing, State};
use super::quiz::{self, Counted};

pub use self::check::check;

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The learner completes this module, as its kind asks; a quiz is passed with full marks.
    Complete(String),
    /// The learner passes this quiz.
    Pass(QuizResult),
    /// The learner fails this quiz.
    Fail(QuizResult),
    /// The learner chooses a branch.
    Choose(ChooseStep),
    /// Staff waive this module.
    Waive(String),
    /// A result from elsewhere says something about a competency.
    Prove(ProveStep),
    /// Time passes; up to 100 years at once.
    AdvanceSeconds(#[schema(inline)] AdvanceSeconds),
}

/// Seconds that pass at once: up to 100 years.
pub type AdvanceSeconds = Within<0, 3_153_600_000>;

/// Steps that a script has at most.
pub const MAX_STEPS: usize = 1000;

/// Shares by competency, as they were sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    /// 0 to 1 by competency.
    of: BTreeMap<Uuid, f64>,
    /// What stands under a key that is no id, so that it is named with all other faults of the script.
    strange: BTreeMap<String, f64>,
}

impl Deref for Shares {
    type Target = BTreeMap<Uuid, f64>;
    fn deref(&self) -> &Self::Target {
        &self.of
    }
}

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut shares = Self::default();
        for (key, share) in BTreeMap::<String, f64>::deserialize(deserializer)? {
            match Uuid::parse_str(&key) {
                Ok(id) => drop(shares.of.insert(id, share)),
                Err(_) => drop(shares.strange.insert(key, share)),
            }
        }
        Ok(shares)
    }
}

impl PartialSchema for Shares {
    fn schema() -> RefOr<Schema> {
        let share = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).maximum(Some(1.0));
        let id =
            ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Shares, 0 to 1, by the id of the competency."))
            .property_names(Some(id))
            .additional_properties(Some(RefOr::T(Schema::from(share))))
            .into()
    }
}

impl ToSchema for Shares {
    fn name() -> Cow<'static, str> {
        "SharesByCompetency".into()
    }
}

/// A result of a quiz.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuizResult {
    /// The quiz.
    pub module: String,
    /// The score in percent; 100 for passed and 0 for failed when absent. One that passes must reach the pass mark, one that fails must not.
    #[serde(default)]
    #[schema(minimum = 0.0, maximum = 100.0)]
    pub score_percent: Option<f64>,
    /// What it proves of competencies that the quiz assesses, 0 to 1 by id; the score for those that are absent.
    #[serde(default)]
    pub proves: Shares,
}

/// Evidence from elsewhere.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveStep {
    /// The competency.
    pub competency: Uuid,
    /// 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub score: f64,
    /// How much it counts, 0.001 to 1,000; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 0.001, maximum = 1000.0)]
    pub weight: Option<f64>,
}

/// A branch to choose.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseStep {
    /// The stage.
    pub stage: String,
    /// The branch.
    pub branch: String,
}

/// A script with its hypothetical learner.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"learner": {"attributes": {"department": "Sales"}}, "steps": [{"complete": "welcome"}, {"fail": {"module": "check"}}, {"advance_seconds": 3600}]}))]
pub struct Script {
    /// Which revision; the draft when absent.
    #[serde(default)]
    pub revision: Option<i32>,
    /// The learner.
    #[serde(default)]
    pub learner: HypotheticalLearner,
    /// The steps, at most 1,000.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub steps: Vec<Step>,
}

/// The learner of a script.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HypotheticalLearner {
    /// Profile attributes.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// What they master already, 0 to 1 by competency. Said of one that rolls up, it holds for those below it of whom nothing is said.
    #[serde(default)]
    pub mastery: Shares,
}

/// A competency as the simulation knows it: one that the outline or the script names, or that one of those rolls up from.
#[derive(Debug, Clone)]
pub struct KnownCompetency {
    /// Where its value comes from.
    pub entry: Entry,
    /// Its levels.
    pub levels: Vec<Level>,
    /// When which mastery is due in the course.
    pub dues: Vec<(Due, f64)>,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StepOutcome {
    /// Position in the script.
    pub step: usize,
    /// Why it was refused; nothing changed then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedStep>,
    /// Modules that opened.
    pub opened: Vec<String>,
    /// Modules that closed.
    pub closed: Vec<String>,
    /// Modules that were completed or waived.
    pub completed: Vec<String>,
    /// Mastery that it changed, by competency.
    #[schema(value_type = BTreeMap<Uuid, f64>)]
    pub mastery: BTreeMap<Uuid, f64>,
    /// Progress after it.
    pub progress: Progress,
    /// What is next after it.
    pub next: Vec<NextStep>,
}

/// Why a step was refused.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RefusedStep {
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Why the module is locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<path::Access>,
}

/// What a script came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Simulation {
    /// Each step.
    pub steps: Vec<StepOutcome>,
    /// State of each module in the end.
    #[schema(value_type = Object)]
    pub states: BTreeMap<String, State>,
    /// Progress in the end.
    pub progress: Progress,
    /// Whether the course was completed.
    pub complete: bool,
    /// What would be next.
    pub next: Vec<NextStep>,
}

/// A hypothetical learner on the way.
pub struct Walker<'a> {
    outline: &'a Compiled,
    /// What is known of them.
    pub facts: Facts,
    /// Their time.
    pub now: Instant,
    book: Book,
    pieces: u128,
}

fn unknown(key: &str) -> Refusal {
    Refusal { code: "unknown_module", detail: format!("There is no module `{key}`."), access: None, faults: Vec::new() }
}

impl<'a> Walker<'a> {
    /// Someone who enrolls now.
    #[must_use]
    pub fn new(outline: &'a Compiled, learner: LearnerFacts, now: Instant) -> Self {
        let mut facts = Facts::new(now, outline.module_count());
        facts.learner = Arc::new(learner);
        Self { outline, facts, now, book: Book::default(), pieces: 0 }
    }

    /// Someone of whose competencies more is known; `mastery` is what they master already.
    #[must_use]
    pub fn with_competencies(mut self, known: &[KnownCompetency], mastery: &BTreeMap<Uuid, f64>) -> Self {
        for competency in known {
            self.book.add(competency.entry, None);
        }
        // What is said of a competency goes before what is said of one above it.
        let own = |id: &Uuid| known.iter().any(|c| c.entry.id == *id && matches!(c.entry.rule, Rule::Own(_)));
        let (leaves, parents): (Vec<_>, Vec<_>) = mastery.iter().partition(|(id, _)| own(id));
        for (id, value) in leaves.into_iter().chain(parents) {
            self.book.assume(*id, *value);
        }
        let rolls =
            |c: &&KnownCompetency| matches!(c.entry.rule, Rule::Below(_)) && self.book.value(c.entry.id).is_none();
        let unsaid: Vec<Uuid> = known.iter().filter(rolls).map(|c| c.entry.id).collect();
        self.book.reckon(&unsaid);
        let now = self.now;
        let tree: Tree = known.iter().map(|competency| competency.entry.into()).collect();
        let facts = known.iter().map(|competency| CompetencyFact {
            competency: competency.entry.id,
            mastery: self.book.value(competency.entry.id),
            levels: competency.levels.clone(),
            dues: competency.dues.iter().map(|(due, at_least)| (due.instant(now), *at_least)).collect(),
            reach: matches!(competency.entry.rule, Rule::Below(_))
                .then(|| tree.reach(competency.entry.id).of(|id| self.book.value(id))),
        });
        Arc::make_mut(&mut self.facts.learner).competencies.extend(facts);
        self
    }

    /// Adds evidence; what was mastered before counts as the first piece. Of a competency of which nothing is known, the best result
    /// counts.
    pub fn prove(&mut self, proof: Proof) {
        if !self.book.knows(proof.competency) {
            self.book.add(Entry::alone(proof.competency, Method::Highest), None);
            if let Some(before) = self.facts.learner.competency(proof.competency).and_then(|fact| fact.mastery) {
                self.book.assume(proof.competency, before);
            }
        }
        self.pieces = self.pieces.saturating_add(1);
        let changed = self.book.prove(&[proof], Uuid::from_u128(self.pieces), self.now);
        Arc::make_mut(&mut self.facts.learner).set_mastery(changed);
    }

    fn masteries(&self) -> BTreeMap<Uuid, f64> {
        let all = self.facts.learner.competencies.iter();
        all.filter_map(|fact| fact.mastery.map(|value| (fact.competency, value))).collect()
    }

    /// Where they stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        path::standing(self.outline, &self.facts, self.now)
    }

    /// Where they stand; a course that is complete stays so from now on, as an enrollment does.
    fn settle(&mut self) -> Standing {
        let standing = self.standing();
        self.facts.achieved |= standing.complete;
        standing
    }

    fn ix(&self, key: &str) -> Result<ModuleIx, Refusal> {
        self.outline.ix(key).ok_or_else(|| unknown(key))
    }

    /// Completes an open module in the way its kind asks.
    ///
    /// # Errors
    /// When it is not open.
    pub fn complete(&mut self, ix: ModuleIx) -> Result<(), Refusal> {
        let by_attempts = matches!(
            self.outline.module(ix).completion(),
            Completion::Passed(_) | Completion::ScoreAtLeast(_) | Completion::Submitted(_)
        );
        if self.outline.module(ix).quiz().is_some() && by_attempts {
            return self.attempt(ix, 100.0);
        }
        let access = path::access(self.outline, &self.facts, self.now, ix);
        if !access.state.open() {
            return Err(learning::refuse(self.outline, ix, access));
        }
        learning::grant(self.outline, &mut self.facts, ix, Exception::Complete, self.now);
        self.facts.last_event_at = Some(self.now);
        proof::of_completion(self.outline.module(ix)).into_iter().for_each(|proof| self.prove(proof));
        Ok(())
    }

    /// Takes a quiz with this score.
    ///
    /// # Errors
    /// When it may not be attempted.
    pub fn attempt(&mut self, ix: ModuleIx, score: f64) -> Result<(), Refusal> {
        self.attempt_proving(ix, score, &BTreeMap::new())
    }

    fn attempt_proving(&mut self, ix: ModuleIx, score: f64, proves: &BTreeMap<Uuid, f64>) -> Result<(), Refusal> {
        learning::may_attempt(self.outline, &self.facts, ix, self.now)?;
        let quiz = self.outline.module(ix).quiz();
        let passed = quiz.is_some_and(|quiz| score + 1e-9 >= quiz.pass_percent);
        let before = self.facts.record(ix);
        let method = quiz.map(|quiz| quiz.grading_method).unwrap_or_default();
        // The record keeps what counted so far, which stands for the attempts that made it.
        let mut so_far = Vec::new();
        if let Some(record) = before.filter(|record| record.attempts > 0) {
            let times = usize::try_from(record.attempts).unwrap_or(1).min(100);
            so_far.resize(times, (record.score.unwrap_or(0.0), record.passed_at.is_some()));
        }
        so_far.push((score, passed));
        let counted = quiz::counted(method, quiz.map_or(0.0, |quiz| quiz.pass_percent), &so_far);
        let counted = counted.unwrap_or(Counted { score_percent: score, passed });
        let finished = before.map_or(0, |r| r.attempts).saturating_add(1);
        learning::attempt_finished(
            self.outline,
            &mut self.facts,
            ix,
            AttemptResult { passed, counted, finished, at: self.now },
        );
        let module = self.outline.module(ix);
        let shares = vec![score / 100.0; quiz.map_or(0, |quiz| quiz.items.len())];
        for mut proof in proof::of_attempt(module, &shares, score) {
            proof.score = proves.get(&proof.competency).copied().unwrap_or(proof.score).clamp(0.0, 1.0);
            self.prove(proof);
        }
        Ok(())
    }

    /// Chooses a branch.
    ///
    /// # Errors
    /// When it may not be chosen.
    pub fn choose(&mut self, stage: &str, branch: &str) -> Result<(), Refusal> {
        learning::choose(self.outline, &mut self.facts, stage, branch, self.now).map(drop)
    }

    /// Lets time pass; a little more than nothing after every step, since facts are ordered by time.
    pub fn wait(&mut self, time: TimeDelta) {
        self.now = super::condition::later(self.now, time);
    }

    fn play(&mut self, step: &Step) -> Result<(), Refusal> {
        match step {
            Step::Complete(key) => self.complete(self.ix(key)?),
            Step::Pass(result) => {
                let score = result.score_percent.unwrap_or(100.0);
                self.attempt_proving(self.ix(&result.module)?, score, &result.proves)
            }
            Step::Fail(result) => {
                let score = result.score_percent.unwrap_or(0.0);
                self.attempt_proving(self.ix(&result.module)?, score, &result.proves)
            }
            Step::Prove(step) => {
                let weight = step.weight.unwrap_or(1.0);
                self.prove(Proof { competency: step.competency, score: step.score.clamp(0.0, 1.0), weight });
                Ok(())
            }
            Step::Choose(choose) => self.choose(&choose.stage, &choose.branch),
            Step::Waive(key) => {
                let ix = self.ix(key)?;
                learning::grant(self.outline, &mut self.facts, ix, Exception::Waive, self.now);
                Ok(())
            }
            Step::AdvanceSeconds(seconds) => {
                self.wait(
                    TimeDelta::try_seconds(i64::try_from(seconds.0).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::zero()),
                );
                Ok(())
            }
        }
    }
}

/// Competencies that a script names.
#[must_use]
pub fn named_competencies(script: &Script) -> Vec<Uuid> {
    let proved = script.steps.iter().filter_map(|step| match step {
        Step::Prove(step) => Some(step.competency),
        _ => None,
    });
    proved.chain(script.learner.mastery.keys().copied()).collect()
}

/// Plays a script; `known` are the competencies that the outline and the script name.
#[must_use]
pub fn play(outline: &Compiled, script: &Script, known: &[KnownCompetency], now: Instant) -> Simulation {
    let learner = LearnerFacts { attributes: script.learner.attributes.clone(), ..LearnerFacts::default() };
    let mut walker = Walker::new(outline, learner, now).with_competencies(known, &script.learner.mastery);
    let keys = |list: Vec<ModuleIx>| list.into_iter().map(|ix| outline.module(ix).key.clone()).collect::<Vec<_>>();
    let mut before = walker.settle();
    let mut steps = Vec::new();
    for (n, step) in script.steps.iter().enumerate() {
        let mastered = walker.masteries();
        let refused = walker.play(step).err().map(|r| RefusedStep {
            code: r.code,
            detail: r.detail,
            access: r.access.map(|a| *a),
        });
        walker.wait(TimeDelta::milliseconds(1));
        let after = walker.settle();
        let all = 0..outline.module_count();
        let changed = |wanted: fn(State, State) -> bool| {
            keys(all.clone().filter(|ix| wanted(before.of(*ix), after.of(*ix))).collect())
        };
        steps.push(StepOutcome {
            step: n,
            refused,
            opened: changed(|was, is| !was.open() && is.open()),
            closed: changed(|was, is| was.open() && !is.open()),
            completed: changed(|was, is| !was.done() && is.done()),
            mastery: walker.masteries().into_iter().filter(|(id, value)| mastered.get(id) != Some(value)).collect(),
            progress: after.progress,
            next: after.next.clone(),
        });
        before = after;
    }
    let states =
        outline.modules.iter().zip(&before.modules).map(|(module, state)| (module.key.clone(), *state)).collect();
    Simulation { steps, states, progress: before.progress, complete: walker.facts.achieved, next: before.next }
}
