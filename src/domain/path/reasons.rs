//! Why a module is locked, what opens it, and when it opens by itself.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::engine::{Standing, attempt_limit, release_at, review, standing};
use super::{NextStep, State};
use crate::domain::condition::to_the_minute;
use crate::domain::condition::{
    BehindLeaf, CertificateLeaf, CompetencyLeaf, Condition, CourseIs, CourseLeaf, Env, LeafReason, LevelLeaf, ModuleIs,
    PointsLeaf, Reason, Required,
};
use crate::domain::facts::{CompetencyFact, Facts, Instant, ModuleRecord};
use crate::domain::mastery::behind::behind_days;
use crate::domain::mastery::coverage::{Touch, suggest};
use crate::domain::mastery::reach::Reach;
use crate::domain::outline::{
    Choose, Compiled, CompiledBranch, CompiledStage, ModuleIx, Order, Role, Route, StageShape, Style,
};

/// Something that opens what is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"do": "complete_module", "module": "welcome"}))]
pub struct Action {
    /// `complete_module`, `pass_module`, `retake_module`, `choose_branch`, `enroll`, `complete_course`, `earn_badge`, `earn_points`,
    /// `join_group`, `wait` or `ask_instructor`.
    pub r#do: &'static str,
    /// The module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The stage with the choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The branches to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<String>>,
    /// The course, badge, game or group, for what lies outside of this course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Until when to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Action {
    fn new(what: &'static str) -> Self {
        Self { r#do: what, module: None, stage: None, branches: None, id: None, until: None }
    }

    fn about(what: &'static str, id: Uuid) -> Self {
        Self { id: Some(id), ..Self::new(what) }
    }

    fn on(what: &'static str, module: &str) -> Self {
        Self { module: Some(module.to_owned()), ..Self::new(what) }
    }
}

/// How a module stands, and when it is not open, why.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Access {
    /// How it stands.
    pub state: State,
    /// What is required and what is so; empty when it is open. Of a module that is waived, why it need not be done: its `waive_when`,
    /// or a leaf `waived` when staff excused the learner.
    #[schema(no_recursion)]
    pub reasons: Vec<Reason>,
    /// What the learner can do about it.
    pub actions: Vec<Action>,
    /// When it opens by itself at the earliest; null when time alone does not open it.
    #[schema(required)]
    pub opens_at: Option<DateTime<Utc>>,
}

/// Explains one module.
#[must_use]
pub fn access(outline: &Compiled, facts: &Facts, now: Instant, ix: ModuleIx) -> Access {
    let standing = standing(outline, facts, now);
    explain(Env::new(outline, facts, now), &standing, ix)
}

struct Collected {
    reasons: Vec<Reason>,
    actions: Vec<Action>,
    /// Earliest opening by itself; `None` once something needs more than time.
    opens_at: Option<Instant>,
    /// Whether it lies in a branch that cannot be taken any more: then nothing opens it.
    shut: bool,
}

impl Collected {
    fn never(&mut self) {
        self.opens_at = None;
    }

    fn not_before(&mut self, at: Option<Instant>) {
        self.opens_at = match (self.opens_at, at) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
    }

    fn act(&mut self, action: Action) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
    }
}

fn leaf(leaf: &'static str, key: &str, required: Value, actual: Value) -> Reason {
    Reason::Leaf(LeafReason { leaf, key: Some(key.to_owned()), required, actual, met: false })
}

/// How a module is called as the cause of another's lock.
fn actual_of(env: Env<'_>, standing: &Standing, ix: ModuleIx) -> Value {
    match standing.of(ix) {
        State::Locked if review(env, &standing.modules, ix).is_some() => json!("failed_hurdle_review"),
        state => json!(state.as_str()),
    }
}

fn verb(env: Env<'_>, ix: ModuleIx) -> &'static str {
    if env.outline.module(ix).quiz().is_some() { "pass_module" } else { "complete_module" }
}

/// What gets a module done: what its own state asks for, not more than a learner can do.
fn toward(env: Env<'_>, standing: &Standing, ix: ModuleIx, found: &mut Collected) {
    let asks = standing.of(ix) == State::Failed
        || (standing.of(ix) == State::Locked && review(env, &standing.modules, ix).is_some());
    if asks {
        // Modules only ever wait for those before them here, so this ends.
        explain(env, standing, ix).actions.into_iter().for_each(|action| found.act(action));
    } else {
        found.act(Action::on(verb(env, ix), &env.outline.module(ix).key));
    }
}

/// Whether no attempts at a quiz are left.
fn used_up(env: Env<'_>, ix: ModuleIx) -> bool {
    let used =
        |record: &ModuleRecord| attempt_limit(env.outline, ix, record).is_some_and(|limit| record.attempts >= limit);
    env.facts.record(ix).is_some_and(used)
}

/// Another attempt at a quiz, or its first; whoever has none left can only ask.
fn attempt(env: Env<'_>, key: &str, first: &'static str, found: &mut Collected) {
    let record = env.outline.ix(key).and_then(|ix| env.facts.record(ix).map(|record| (ix, record)));
    found.act(match record {
        Some((ix, _)) if used_up(env, ix) => Action::on("ask_instructor", key),
        Some((_, record)) if record.attempts > 0 => Action::on("retake_module", key),
        _ => Action::on(first, key),
    });
}

/// Why a module need not be done: staff excused the learner from it, or its condition holds.
fn excused(env: Env<'_>, ix: ModuleIx) -> Vec<Reason> {
    let module = env.outline.module(ix);
    if let Some(at) = env.facts.record(ix).and_then(|record| record.waived_at) {
        let (key, required, actual) = (Some(module.key.clone()), json!("by_staff"), json!(to_the_minute(at)));
        return vec![Reason::Leaf(LeafReason { leaf: "waived", key, required, actual, met: true })];
    }
    module.waive_when.iter().map(|when| when.explain(env)).collect()
}

/// Explains one module when the standing is known already.
pub(super) fn explain(env: Env<'_>, standing: &Standing, ix: ModuleIx) -> Access {
    let state = standing.of(ix);
    if state == State::Waived {
        return Access { state, reasons: excused(env, ix), actions: Vec::new(), opens_at: None };
    }
    if state.open() && state != State::Failed {
        return Access { state, reasons: Vec::new(), actions: Vec::new(), opens_at: None };
    }
    let mut found = Collected { reasons: Vec::new(), actions: Vec::new(), opens_at: Some(env.now), shut: false };
    let module = env.outline.module(ix);
    if state == State::Failed {
        found.reasons.push(leaf("attempts_left", &module.key, json!({"at_least": 1}), json!(0)));
        found.act(Action::on("ask_instructor", &module.key));
        return Access { state, reasons: found.reasons, actions: found.actions, opens_at: None };
    }
    if let Some(status) = env.facts.closed {
        let (required, actual) = (json!("active"), json!(status));
        found.reasons.push(Reason::Leaf(LeafReason { leaf: "enrollment", key: None, required, actual, met: false }));
        return Access { state, reasons: found.reasons, actions: found.actions, opens_at: None };
    }
    around(env, standing, ix, &mut found);
    if let Some(when) = module.when.as_ref().filter(|when| !when.met(env)) {
        found.reasons.push(when.explain(env));
        when_actions(Asked { env, standing, waiting: ix..ix.saturating_add(1) }, when, &mut found);
        found.not_before(when.opens_at(env));
    }
    if let Some(at) = release_at(env, ix).filter(|at| *at > env.now) {
        found.reasons.push(leaf("release", &module.key, json!(at), json!(to_the_minute(env.now))));
        found.act(Action { until: Some(at), ..Action::new("wait") });
        found.not_before(Some(at));
    }
    if let Some(review) = review(env, &standing.modules, ix) {
        let mut work = Vec::new();
        for remedial in &review.missing {
            let key = &env.outline.module(*remedial).key;
            work.push(leaf("module", key, json!("completed"), json!("failed_hurdle_review")));
            found.act(Action::on("complete_module", key));
        }
        match review.until {
            Some(until) => {
                let wait = leaf("cooldown", &module.key, json!(until), json!(to_the_minute(env.now)));
                found.act(Action { until: Some(until), ..Action::new("wait") });
                if work.is_empty() {
                    found.reasons.push(wait);
                } else {
                    let work = if work.len() == 1 { work.remove(0) } else { Reason::All { all: work, met: false } };
                    found.reasons.push(Reason::Any { any: vec![work, wait], met: false });
                }
                found.not_before(Some(until));
            }
            None => {
                found.reasons.append(&mut work);
                found.never();
            }
        }
    }
    if found.shut {
        found.actions.clear();
    }
    let opens_at = found.opens_at.filter(|at| *at > env.now && !found.reasons.is_empty());
    Access { state, reasons: found.reasons, actions: found.actions, opens_at }
}

/// What can be done now, though it was done before, to open what the course waits for: of use when nothing else is left to do.
pub(super) fn again(env: Env<'_>, standing: &Standing) -> Vec<String> {
    let undecided: Vec<Range<ModuleIx>> = undecided(env, standing);
    let waits = |ix: &ModuleIx| {
        let counts = standing.counts.get(*ix) == Some(&true) || undecided.iter().any(|branch| branch.contains(ix));
        counts && standing.of(*ix) == State::Locked
    };
    let mut keys: Vec<String> = Vec::new();
    for action in (0..env.outline.module_count()).filter(waits).flat_map(|ix| explain(env, standing, ix).actions) {
        let open = |key: &String| env.outline.ix(key).is_some_and(|ix| standing.of(ix).open());
        if let Some(key) = action.module.filter(open)
            && matches!(action.r#do, "retake_module" | "pass_module" | "complete_module")
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// Branches of the choices that are to be made now, and whose conditions do not let the learner in; they do not count until they are
/// taken.
fn undecided(env: Env<'_>, standing: &Standing) -> Vec<Range<ModuleIx>> {
    let stages = env.outline.stages.iter().zip(&standing.stages).zip(&standing.branches);
    let begun = stages.filter(|((_, state), _)| matches!(state, State::Available | State::InProgress));
    begun
        .filter_map(|((stage, _), states)| match &stage.shape {
            StageShape::Choice { branches, .. } => Some(branches.iter().zip(states)),
            StageShape::Sequence(_) => None,
        })
        .flatten()
        .filter(|(_, state)| **state == State::Locked)
        .map(|(branch, _)| branch.modules.clone())
        .collect()
}

/// Modules that would help a learner to reach the mastery that is asked of a competency and that they can take or could come to: not what is hidden from them, lies in
/// a branch not chosen, has no attempts left, or opens by this competency alone.
#[must_use]
pub fn suggestions(outline: &Compiled, facts: &Facts, now: Instant, reach: &Reach, asked: f64) -> Vec<String> {
    let env = Env::new(outline, facts, now);
    let standing = standing(outline, facts, now);
    let done = |ix: &ModuleIx| facts.record(*ix).is_some_and(|record| record.completed_at.is_some());
    let completed: BTreeSet<String> =
        (0..outline.module_count()).filter(done).map(|ix| outline.module(ix).key.clone()).collect();
    let takeable = |key: &&str| {
        let Some(ix) = outline.ix(key) else { return false };
        match standing.of(ix) {
            State::Hidden | State::NotChosen | State::Failed => false,
            State::Locked => !waits_for(env, ix, reach, asked),
            _ => !used_up(env, ix),
        }
    };
    suggest(reach, asked, &outline.alignments, &completed).into_iter().filter(takeable).map(str::to_owned).collect()
}

/// Whether a module is locked until this competency is proved, or what it would help with.
fn waits_for(env: Env<'_>, ix: ModuleIx, reach: &Reach, asked: f64) -> bool {
    let mut waits = false;
    let key = &env.outline.module(ix).key;
    let helped = || {
        let own = env.outline.alignments.iter().filter(|a| a.module == *key);
        own.filter(|a| reach.helps(a.competency, a.touch, asked)).map(|a| a.competency)
    };
    let about = |id: Uuid| {
        let fact = env.facts.learner.competency(id);
        id == reach.competency() || helped().any(|own| fact.map_or(own == id, |fact| fact.counts(own)))
    };
    if let Some(when) = env.outline.module(ix).when.as_ref().filter(|when| !when.met(env)) {
        when.each_signed_leaf(false, &mut |leaf, negated| {
            let asks = matches!(leaf, Condition::Competency(leaf) if about(leaf.id));
            waits |= !negated && asks && !leaf.met(env);
        });
    }
    waits
}

/// Reasons that lie before the module: its stage, its branch, its predecessor.
fn around(env: Env<'_>, standing: &Standing, ix: ModuleIx, found: &mut Collected) {
    let outline = env.outline;
    let Some(s) = outline.stages.iter().position(|stage| stage.modules.contains(&ix)) else { return };
    let Some(stage) = outline.stages.get(s) else { return };
    let random = outline.style == Style::RandomAccess;
    let before = |s: usize| standing.stages.get(s).copied().unwrap_or(State::Locked);
    let range = match &stage.shape {
        StageShape::Sequence(Order::Linear) => Some(stage.modules.clone()),
        StageShape::Sequence(Order::Any) => None,
        StageShape::Choice { branches, .. } => {
            branches.iter().map(|b| b.modules.clone()).find(|range| range.contains(&ix))
        }
    };
    let predecessor = range.and_then(|range| {
        (range.start..ix).rev().find(|p| {
            let state = standing.of(*p);
            state != State::Hidden && outline.module(*p).role != Role::Optional && !state.done()
        })
    });
    if let Some(p) = predecessor {
        found.reasons.push(leaf("module", &outline.module(p).key, json!("completed"), actual_of(env, standing, p)));
        toward(env, standing, p, found);
        found.never();
    } else if !random
        && let Some(p) = (0..s).rev().find(|p| before(*p) != State::Completed)
        && let Some(earlier) = outline.stages.get(p)
    {
        found.reasons.push(leaf("stage", &earlier.key, json!("completed"), json!(before(p).as_str())));
        match standing.next.first() {
            Some(step) => first_step(env, standing, step, found),
            // Nothing can be done but what the stage before waits for: a date, or an instructor.
            None => {
                let holds_up = |m: &ModuleIx| {
                    let state = standing.of(*m);
                    !state.done()
                        && !matches!(state, State::Hidden | State::NotChosen)
                        && outline.module(*m).role != Role::Optional
                };
                if let Some(m) = earlier.modules.clone().find(holds_up) {
                    explain(env, standing, m).actions.into_iter().for_each(|action| found.act(action));
                }
            }
        }
        found.never();
    }
    if let StageShape::Choice { choose, route, exclusive, branches } = &stage.shape {
        branch_reasons(env, standing, s, stage, *choose, *route, *exclusive, branches, ix, found);
    }
}

/// What can be done now, as an action.
fn first_step(env: Env<'_>, standing: &Standing, step: &NextStep, found: &mut Collected) {
    match step {
        // A quiz that is done is there to be taken again.
        NextStep::Module { module, .. }
            if env
                .outline
                .ix(module)
                .is_some_and(|ix| standing.of(ix).done() && env.outline.module(ix).quiz().is_some()) =>
        {
            attempt(env, module, "pass_module", found);
        }
        NextStep::Module { module, .. } => found.act(Action::on("complete_module", module)),
        NextStep::Choice { stage, branches, .. } => found.act(Action {
            stage: Some(stage.clone()),
            branches: Some(branches.clone()),
            ..Action::new("choose_branch")
        }),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one stage")]
fn branch_reasons(
    env: Env<'_>,
    standing: &Standing,
    s: usize,
    stage: &CompiledStage,
    choose: Choose,
    route: Route,
    exclusive: bool,
    branches: &[CompiledBranch],
    ix: ModuleIx,
    found: &mut Collected,
) {
    if choose == Choose::All && !exclusive {
        return;
    }
    let Some(own) = branches.iter().find(|branch| branch.modules.contains(&ix)) else { return };
    let mut chosen: Vec<&str> = env.facts.chosen(&stage.key).map(|c| c.branch.as_str()).collect();
    chosen.extend(standing.auto_choices.iter().filter(|a| a.stage == stage.key).map(|a| a.branch.as_str()));
    let states = standing.branches.get(s).map(Vec::as_slice).unwrap_or_default();
    let unfinished = branches.iter().zip(states).find(|(branch, state)| {
        branch.key != own.key
            && chosen.contains(&branch.key.as_str())
            && !matches!(state, State::Completed | State::Waived)
    });
    if exclusive && let Some((branch, state)) = unfinished {
        found.reasons.push(leaf("branch", &branch.key, json!("completed"), json!(state.as_str())));
        let open = branch.modules.clone().find(|m| !standing.of(*m).done() && standing.of(*m) != State::Hidden);
        if let Some(m) = open {
            toward(env, standing, m, found);
        }
        found.never();
    }
    if chosen.contains(&own.key.as_str()) {
        return;
    }
    found.reasons.push(leaf("choice", &stage.key, json!(own.key), json!(chosen)));
    found.never();
    found.shut = shut(env, stage, choose, route, branches, own, &chosen);
    if let Some(when) = own.when.as_ref().filter(|when| !when.met(env)) {
        found.reasons.push(when.explain(env));
        when_actions(Asked { env, standing, waiting: own.modules.clone() }, when, found);
    }
    if route == Route::Learner {
        let branches = Some(vec![own.key.clone()]);
        found.act(Action { stage: Some(stage.key.clone()), branches, ..Action::new("choose_branch") });
    }
}

/// Whether a branch that was not chosen cannot be taken any more: where one branch is taken and begun, the choice is made; and what
/// the engine picks in the order of branches, it does not give up for a later one.
fn shut(
    env: Env<'_>,
    stage: &CompiledStage,
    choose: Choose,
    route: Route,
    branches: &[CompiledBranch],
    own: &CompiledBranch,
    chosen: &[&str],
) -> bool {
    let begun = |branch: &CompiledBranch| {
        branch.modules.clone().any(|m| env.facts.record(m).is_some_and(ModuleRecord::started))
    };
    if route == Route::Learner {
        return choose == Choose::One && branches.iter().any(|b| chosen.contains(&b.key.as_str()) && begun(b));
    }
    let wanted = match choose {
        Choose::All => branches.len(),
        Choose::One => 1,
        Choose::AtLeast(n) => usize::try_from(n).unwrap_or(usize::MAX).min(branches.len()),
    };
    let kept = |key: &&str| env.facts.chosen(&stage.key).any(|choice| choice.branch == *key);
    let place = |key: &str| branches.iter().position(|branch| branch.key == key);
    let gives_way = |key: &&str| !kept(key) && place(key) > place(&own.key);
    chosen.len() >= wanted && !chosen.iter().any(gives_way)
}

/// A condition that does not hold, with what waits for it.
#[derive(Clone)]
struct Asked<'a> {
    env: Env<'a>,
    standing: &'a Standing,
    /// The module, or those of the branch.
    waiting: Range<ModuleIx>,
}

impl Asked<'_> {
    /// Whether the learner can take a module, or comes to it without passing through what waits.
    fn within_reach(&self, ix: ModuleIx) -> bool {
        let free = |when: &Condition| when.met(self.env);
        // What is hidden holds nothing up.
        let before = ix < self.waiting.start || self.waiting.clone().all(|m| self.standing.of(m) == State::Hidden);
        match self.standing.of(ix) {
            _ if self.waiting.contains(&ix) => false,
            State::Hidden | State::NotChosen => false,
            State::Locked => before && self.env.outline.module(ix).when.as_ref().is_none_or(free),
            _ => true,
        }
    }

    /// What proves a competency, or what counts for it: graded work within reach that is not done or can be taken again. Whoever has
    /// used up all attempts can only ask.
    fn prove(&self, leaf: &CompetencyLeaf, found: &mut Collected) {
        let (env, outline) = (self.env, self.env.outline);
        let fact = env.facts.learner.competency(leaf.id);
        let proves = |competency: Uuid| {
            let helps = |fact: &CompetencyFact| {
                let asked = leaf.at_least.threshold(&fact.levels);
                fact.helps(competency, Touch::Assesses, asked.unwrap_or(1.0))
            };
            fact.map_or(competency == leaf.id, helps)
        };
        let assesses = |ix: &ModuleIx| {
            let mut all = outline.alignments.iter().filter(|a| a.touch == Touch::Assesses && proves(a.competency));
            all.any(|a| outline.ix(&a.module) == Some(*ix))
        };
        let mut spent = Vec::new();
        for ix in (0..outline.module_count()).filter(|ix| self.within_reach(*ix)).filter(assesses) {
            let key = &outline.module(ix).key;
            match (outline.module(ix).quiz().is_some(), self.standing.of(ix)) {
                (true, _) if used_up(env, ix) => spent.push(key),
                (_, State::Locked) => toward(env, self.standing, ix, found),
                (true, _) => attempt(env, key, "pass_module", found),
                (false, state) if !state.done() => found.act(Action::on("complete_module", key)),
                (false, _) => {}
            }
        }
        if found.actions.is_empty() {
            spent.into_iter().for_each(|key| found.act(Action::on("ask_instructor", key)));
        }
    }
}

impl Asked<'_> {
    /// What ends a delay: to reach the highest mastery that is due for as many days.
    fn catch_up(&self, leaf: &BehindLeaf, found: &mut Collected) {
        let Some(fact) = self.env.facts.learner.competency(leaf.competency) else { return };
        let late = |(due, at_least): &&(Instant, f64)| {
            behind_days(fact.mastery, *at_least, *due, self.env.now).is_some_and(|days| days >= i64::from(leaf.days))
        };
        if let Some(needed) = fact.dues.iter().filter(late).map(|(_, at_least)| *at_least).max_by(f64::total_cmp) {
            self.prove(&CompetencyLeaf { id: leaf.competency, at_least: Required::Mastery(needed) }, found);
        }
    }
}

/// What a learner can do about a condition that does not hold.
fn when_actions(asked: Asked<'_>, when: &Condition, found: &mut Collected) {
    let env = asked.env;
    match when {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().filter(|part| !part.met(env)).for_each(|part| when_actions(asked.clone(), part, found));
        }
        Condition::Module(leaf) => match leaf.is {
            ModuleIs::Started | ModuleIs::Completed => found.act(Action::on("complete_module", &leaf.key)),
            ModuleIs::Passed => attempt(env, &leaf.key, "pass_module", found),
            ModuleIs::Failed => {}
        },
        Condition::Score(leaf) => {
            let score = env.outline.ix(&leaf.module).and_then(|ix| env.facts.record(ix)).and_then(|r| r.score);
            // A score that is too high already is not lowered by trying again.
            if leaf.at_least.is_some_and(|least| score.is_none_or(|score| score < least)) {
                attempt(env, &leaf.module, "pass_module", found);
            }
        }
        Condition::Attempts(leaf) => attempt(env, &leaf.module, "pass_module", found),
        Condition::Course(leaf) if leaf.is == CourseIs::Enrolled => found.act(Action::about("enroll", leaf.id)),
        Condition::Course(CourseLeaf { id: course, .. }) | Condition::Certificate(CertificateLeaf { course, .. }) => {
            found.act(Action::about("complete_course", *course));
        }
        Condition::Badge(leaf) => found.act(Action::about("earn_badge", leaf.id)),
        Condition::Points(PointsLeaf { game, .. }) | Condition::Level(LevelLeaf { game, .. }) => {
            found.act(Action::about("earn_points", *game));
        }
        Condition::Group(leaf) => found.act(Action::about("join_group", leaf.id)),
        Condition::Elapsed(leaf) if leaf.waits_for(env).is_some() => {
            leaf.waits_for(env).into_iter().for_each(|key| found.act(Action::on("complete_module", key)));
        }
        Condition::Competency(leaf) => asked.prove(leaf, found),
        Condition::Not(part) if matches!(part.as_ref(), Condition::Behind(_)) => {
            if let Condition::Behind(leaf) = part.as_ref() {
                asked.catch_up(leaf, found);
            }
        }
        Condition::Date(_) | Condition::Elapsed(_) | Condition::Inactive(_) | Condition::Not(_) => {
            if let Some(until) = when.opens_at(env) {
                found.act(Action { until: Some(until), ..Action::new("wait") });
            }
        }
        _ => {}
    }
}
