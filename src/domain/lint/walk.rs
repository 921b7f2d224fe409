//! One hypothetical learner's way through a course, as the path engine allows it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::learner::{Learner, Talent};
use super::records::by_attempts;
use super::subjects::{Fact, Subject, Subjects};
use crate::domain::bounds::{LAST, later};
use crate::domain::facts::{Instant, ModuleRecord};
use crate::domain::outline::{Completion, ModuleIx, Role};
use crate::domain::path::{self, NextStep, Standing, State};
use crate::domain::quiz::{GradingMethod, QuizContent};
use crate::domain::simulate::Walker;

/// Most attempts at one quiz that a walk takes because a condition counts them.
const MAX_ATTEMPTS: u32 = 60;

/// Something that a learner does.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Does what completes the module at this position.
    Complete(ModuleIx),
    /// Takes the quiz at this position, with this score.
    Attempt(ModuleIx, f64),
    /// Chooses in a stage a branch.
    Choose(String, String),
}

/// What a walk came to.
pub(super) struct Walked {
    /// What was done, and when.
    pub(super) deeds: Vec<(Instant, Deed)>,
    /// Where it ended.
    pub(super) standing: Standing,
    /// Branches that were chosen last, by stage.
    pub(super) chosen: BTreeMap<usize, usize>,
    /// Branches that could be chosen, by stage.
    pub(super) options: BTreeMap<usize, BTreeSet<usize>>,
}

impl Walked {
    /// How many modules are done.
    pub(super) fn done(&self) -> usize {
        self.standing.modules.iter().filter(|state| state.done()).count()
    }
}

struct Walk<'w, 'a> {
    subjects: &'w Subjects<'a>,
    learner: &'w Learner,
    walker: Walker<'a>,
    deeds: Vec<(Instant, Deed)>,
    failed: BTreeSet<ModuleIx>,
    chosen: BTreeMap<usize, usize>,
    options: BTreeMap<usize, BTreeSet<usize>>,
}

/// Walks until the course is complete or nothing can be done any more.
pub(super) fn walk(subjects: &Subjects<'_>, learner: &Learner) -> Walked {
    let outline = subjects.outline;
    let mut walker = Walker::new(outline, learner.brings(subjects), subjects.now);
    if let Some(fact) = learner.facts.get(&Subject::Cohort) {
        let mut now = subjects.now;
        subjects.apply(&Subject::Cohort, fact, &mut walker.facts, &mut now);
    }
    let (failed, chosen, options) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    let mut walk = Walk { subjects, learner, walker, deeds: Vec::new(), failed, chosen, options };
    let attempts = |fact: &Fact| match fact {
        Fact::Record(Some(record)) => usize::try_from(record.attempts.min(MAX_ATTEMPTS)).unwrap_or(0),
        _ => 0,
    };
    let wished: usize = learner.facts.values().map(attempts).fold(0, usize::saturating_add);
    // Each round does at least one thing; a module is done at most a few times.
    for _ in 0..outline.module_count().saturating_mul(6).saturating_add(64).saturating_add(wished) {
        walk.walker.wait(TimeDelta::milliseconds(1));
        let standing = walk.walker.standing();
        if standing.complete || !walk.round(&standing) {
            break;
        }
    }
    Walked { standing: walk.walker.standing(), deeds: walk.deeds, chosen: walk.chosen, options: walk.options }
}

impl Walk<'_, '_> {
    /// Tries a deed; whether it was allowed.
    fn act(&mut self, deed: Deed) -> bool {
        let allowed = match &deed {
            Deed::Complete(ix) => self.walker.complete(*ix),
            Deed::Attempt(ix, score) => self.walker.attempt(*ix, *score),
            Deed::Choose(stage, branch) => self.walker.choose(stage, branch),
        };
        let allowed = allowed.is_ok();
        self.deeds.extend(allowed.then_some((self.walker.now, deed)));
        allowed
    }

    /// Does one thing; `false` when there is nothing to do.
    fn round(&mut self, standing: &Standing) -> bool {
        let outline = self.subjects.outline;
        let open = |ix: &ModuleIx| matches!(standing.of(*ix), State::Available | State::InProgress | State::Completed);
        let takeable = |ix: &ModuleIx| matches!(standing.of(*ix), State::Available | State::InProgress);
        let all = || 0..outline.module_count();
        // What the learner sets out to do comes first.
        if all().filter(open).any(|ix| self.fulfil(ix)) {
            return true;
        }
        for step in &standing.next {
            let acted = match step {
                NextStep::Choice { stage, branches, .. } => self.choose(stage, branches),
                NextStep::Module { module, .. } => {
                    outline.ix(module).is_some_and(|ix| self.wish(ix).is_none() && self.take(ix))
                }
            };
            if acted {
                return true;
            }
        }
        // Whoever has nothing else to do looks at what is open beside, then gives up what they set out for.
        let beside =
            |ix: &ModuleIx| takeable(ix) && (outline.module(*ix).role == Role::Optional || standing.next.is_empty());
        all().filter(beside).any(|ix| self.wish(ix).is_none() && self.take(ix))
            || self.jump(standing)
            || all().filter(takeable).any(|ix| self.wish(ix).is_some() && self.take(ix))
    }

    /// How the learner wants to leave a module.
    fn wish(&self, ix: ModuleIx) -> Option<&ModuleRecord> {
        match self.learner.facts.get(&Subject::Module(ix)) {
            Some(Fact::Record(Some(record))) if record.attempts <= MAX_ATTEMPTS && record.waived_at.is_none() => {
                Some(record)
            }
            _ => None,
        }
    }

    /// Goes on with a module until it is as wished.
    fn fulfil(&mut self, ix: ModuleIx) -> bool {
        let Some(wish) = self.wish(ix).cloned() else { return false };
        let (attempts, score, done) = self
            .walker
            .facts
            .record(ix)
            .map_or((0, None, false), |record| (record.attempts, record.score, record.completed_at.is_some()));
        let Some(quiz) = self.subjects.outline.module(ix).quiz() else {
            return wish.completed_at.is_some() && !done && self.act(Deed::Complete(ix));
        };
        if attempts < wish.attempts {
            let next = next_score(quiz, self.subjects.scores(ix), &wish, attempts, score);
            return self.act(Deed::Attempt(ix, next));
        }
        let otherwise = !by_attempts(self.subjects.outline.module(ix).completion());
        wish.completed_at.is_some() && !done && otherwise && self.act(Deed::Complete(ix))
    }

    fn choose(&mut self, stage: &str, branches: &[String]) -> bool {
        let outline = self.subjects.outline;
        let Some(s) = outline.stages.iter().position(|other| other.key == stage) else { return false };
        let position = |key: &String| match &outline.stages.get(s)?.shape {
            crate::domain::outline::StageShape::Choice { branches, .. } => branches.iter().position(|b| b.key == *key),
            crate::domain::outline::StageShape::Sequence(_) => None,
        };
        self.options.entry(s).or_default().extend(branches.iter().filter_map(position));
        let wished = match self.learner.facts.get(&Subject::Stage(s)) {
            Some(Fact::Branch(b)) => branches.iter().find(|key| position(key) == Some(*b)),
            _ => None,
        };
        let preferred = branches.get(self.learner.kind.branch.min(branches.len().saturating_sub(1)));
        let Some(branch) = wished.or(preferred) else { return false };
        self.chosen.extend(position(branch).map(|b| (s, b)));
        self.act(Deed::Choose(stage.to_owned(), branch.clone()))
    }

    /// Takes one module as this kind of learner does. A course's walk ends with it done, or with one failure more.
    fn take(&mut self, ix: ModuleIx) -> bool {
        let module = self.subjects.outline.module(ix);
        let record = self.walker.facts.record(ix);
        let Some(quiz) = module.quiz() else {
            let undone = |r: &ModuleRecord| {
                r.completed_at.is_none() || r.redo.as_ref().is_some_and(|redo| redo.done_at.is_none())
            };
            return record.is_none_or(undone) && self.act(Deed::Complete(ix));
        };
        if !by_attempts(module.completion()) && record.is_some_and(|r| r.attempts > 0 && r.completed_at.is_none()) {
            return self.act(Deed::Complete(ix));
        }
        let needed = match module.completion() {
            Completion::ScoreAtLeast(percent) => percent.max(quiz.pass_percent),
            _ => quiz.pass_percent,
        };
        let scores = self.subjects.scores(ix);
        let just = || match scores {
            Some(scores) => scores.iter().copied().find(|score| score + 1e-9 >= needed).unwrap_or(100.0),
            None => needed,
        };
        let below = || match scores {
            Some(scores) => scores.iter().copied().rev().find(|score| score + 1e-9 < needed).unwrap_or(0.0),
            None => (needed - 1.0).max(0.0),
        };
        let may_fail = quiz.max_attempts != 1 && self.failed.insert(ix);
        let score = match self.learner.kind.talent {
            _ if self.wish(ix).is_some() => 100.0,
            Talent::Expert => 100.0,
            Talent::Average => just(),
            Talent::Struggling if may_fail => 0.0,
            Talent::Struggling => 100.0,
            Talent::Weak if may_fail => below(),
            Talent::Weak => just(),
        };
        self.act(Deed::Attempt(ix, score))
    }

    /// Jumps to the next instant at which something can change by itself.
    fn jump(&mut self, standing: &Standing) -> bool {
        let (outline, now) = (self.subjects.outline, self.walker.now);
        let locked = (0..outline.module_count()).filter(|ix| standing.of(*ix) == State::Locked);
        let mut instants: BTreeSet<Instant> =
            locked.filter_map(|ix| path::access(outline, &self.walker.facts, now, ix).opens_at).collect();
        let facts = &self.walker.facts;
        let mut timed = |subject: &Subject, begin: Option<Instant>| {
            let Some(known) = self.subjects.constants(subject) else { return };
            instants.extend(&known.instants);
            let spans = known.seconds.iter().filter_map(|n| TimeDelta::try_seconds(i64::try_from(*n).ok()?));
            instants.extend(begin.into_iter().flat_map(|begin| spans.clone().map(move |span| later(begin, span))));
        };
        timed(&Subject::Clock, None);
        timed(&Subject::Enrolled, Some(facts.enrolled_at));
        timed(&Subject::Cohort, Some(facts.cohort_start_at.unwrap_or(facts.enrolled_at)));
        timed(&Subject::Idle, Some(facts.last_event_at.unwrap_or(facts.enrolled_at)));
        for ix in 0..outline.module_count() {
            timed(&Subject::Since(ix), facts.record(ix).and_then(|record| record.completed_at));
        }
        let next = instants.into_iter().find(|at| *at > now && *at < LAST);
        if let Some(at) = next {
            self.walker.now = at;
        }
        next.is_some()
    }
}

/// The score of the next attempt, on the way to a counted score after so many of them.
fn next_score(
    quiz: &QuizContent,
    scores: Option<&[f64]>,
    wish: &ModuleRecord,
    attempts: u32,
    counted: Option<f64>,
) -> f64 {
    let target = wish.score.unwrap_or(100.0);
    let last = attempts.saturating_add(1) >= wish.attempts;
    let passes_besides = wish.passed_at.is_some() && target + 1e-9 < quiz.pass_percent;
    match quiz.grading_method {
        GradingMethod::Highest if last => target,
        GradingMethod::Highest => 0.0,
        GradingMethod::Latest if last => target,
        GradingMethod::Latest if passes_besides => 100.0,
        GradingMethod::First if attempts == 0 => target,
        GradingMethod::First if last && passes_besides => 100.0,
        GradingMethod::Latest | GradingMethod::First => 0.0,
        GradingMethod::Average => {
            // Each attempt brings the mean as near to the target as it can.
            let wanted = target * f64::from(attempts.saturating_add(1)) - counted.unwrap_or(0.0) * f64::from(attempts);
            let far = |score: &f64| (score - wanted).abs();
            let nearest = scores.and_then(|all| all.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b))));
            nearest.unwrap_or_else(|| wanted.clamp(0.0, 100.0))
        }
    }
}
