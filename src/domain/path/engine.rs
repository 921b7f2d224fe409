//! The rules that decide every state. One pass over the modules; all else reads what it found.

use chrono::TimeDelta;

use super::{NextReason, NextStep, Progress, State};
use crate::domain::condition::{Condition, Env, later};
use crate::domain::facts::{CompetencyFact, Facts, Instant, ModuleRecord};
use crate::domain::mastery::reaches;
use crate::domain::outline::{
    Choose, Compiled, CompiledBranch, CompiledStage, CompleteWhen, Completion, ModuleIx, Order, ReleaseSince, Role,
    Route, StageShape, Style, Unmet,
};
use crate::domain::quiz::GradingMethod;

/// A branch that the engine picks and the server must remember once something in it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoChoice {
    /// The stage.
    pub stage: String,
    /// The branch.
    pub branch: String,
}

/// Where a learner stands, without the reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// State of each module.
    pub modules: Vec<State>,
    /// Whether each module counts for the progress.
    pub counts: Vec<bool>,
    /// State of each stage.
    pub stages: Vec<State>,
    /// State of each stage's branches; empty for sequences.
    pub branches: Vec<Vec<State>>,
    /// The weighted share that is done.
    pub progress: Progress,
    /// Whether all that the course asks for is done; a completion that was reached before stays without it.
    pub complete: bool,
    /// What to do next, in order; empty once the course is complete, also when something optional was begun.
    pub next: Vec<NextStep>,
    /// Branches that the engine picked.
    pub auto_choices: Vec<AutoChoice>,
}

impl Standing {
    /// The state of a module.
    #[must_use]
    pub fn of(&self, ix: ModuleIx) -> State {
        self.modules.get(ix).copied().unwrap_or(State::Hidden)
    }
}

/// Computes where a learner stands.
#[must_use]
pub fn standing(outline: &Compiled, facts: &Facts, now: Instant) -> Standing {
    let mut engine = Engine::new(Env::new(outline, facts, now));
    engine.run();
    engine.finish()
}

/// The next instant at which what counts may be different because time has passed: modules that appear or are tested out, branches
/// that the engine picks.
#[must_use]
pub fn turns_at(outline: &Compiled, facts: &Facts, now: Instant) -> Option<Instant> {
    if !outline.time_sensitive {
        return None;
    }
    let mut turns = Vec::new();
    outline.each_condition(|condition| condition.turns(Env::new(outline, facts, now), &mut turns));
    turns.into_iter().min()
}

pub(super) struct Engine<'a> {
    pub(super) env: Env<'a>,
    pub(super) states: Vec<State>,
    counts: Vec<bool>,
    stages: Vec<State>,
    branches: Vec<Vec<State>>,
    /// Weight of undecided choices that the denominator needs though no module stands for it yet.
    pending_weight: f64,
    all_stages_done: bool,
    pub(super) next: Vec<NextStep>,
    auto_choices: Vec<AutoChoice>,
}

/// How many attempts at a quiz can lead anywhere; `None` for as many as one likes. Of a hurdle or final whose first attempt counts
/// that is the first alone: no later one could get the learner past it.
pub(super) fn attempt_limit(outline: &Compiled, ix: ModuleIx, record: &ModuleRecord) -> Option<u32> {
    let module = outline.module(ix);
    let quiz = module.quiz()?;
    let decides = quiz.grading_method == GradingMethod::First && matches!(module.role, Role::Hurdle | Role::Final);
    let limit = match quiz.max_attempts {
        _ if decides => 1,
        0 => return None,
        n => n,
    };
    Some(limit.saturating_add(record.extra_attempts))
}

/// Whether the attempts at a quiz are used up without passing.
pub(super) fn exhausted(outline: &Compiled, ix: ModuleIx, record: &ModuleRecord) -> bool {
    record.passed_at.is_none()
        && record.completed_at.is_none()
        && record.open_attempt.is_none()
        && attempt_limit(outline, ix, record).is_some_and(|limit| record.attempts >= limit)
}

/// What a failed quiz asks for before the next attempt.
pub(super) struct Review {
    /// Remedial modules not yet taken again.
    pub(super) missing: Vec<ModuleIx>,
    /// When waiting suffices.
    pub(super) until: Option<Instant>,
}

/// The review that stands between the learner and the next attempt, if there is one. `states` are those known so far: a remedial
/// module that the learner can neither take nor has taken, such as one in a branch that was not chosen, is not asked for.
pub(super) fn review(env: Env<'_>, states: &[State], ix: ModuleIx) -> Option<Review> {
    let quiz = env.outline.module(ix).quiz()?;
    let record = env.facts.record(ix)?;
    let failed = record.failed_at.filter(|_| record.passed_at.is_none() && record.open_attempt.is_none())?;
    let until = quiz
        .cooldown_seconds
        .map(|s| later(failed, TimeDelta::try_seconds(i64::try_from(s).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX)));
    if until.is_some_and(|until| until <= env.now) {
        return None;
    }
    let takeable = |m: &ModuleIx| {
        env.facts.record(*m).is_some_and(ModuleRecord::started) || states.get(*m).is_some_and(|s| s.open())
    };
    let remedials: Vec<ModuleIx> = env.outline.remediation_of(ix).iter().copied().filter(takeable).collect();
    let again = |m: &ModuleIx| {
        env.facts.record(*m).and_then(|r| r.redo.as_ref()).is_some_and(|r| r.since >= failed && r.done_at.is_some())
    };
    let missing: Vec<ModuleIx> = remedials.iter().copied().filter(|m| !again(m)).collect();
    let by_work = !remedials.is_empty() && missing.is_empty();
    if by_work || (remedials.is_empty() && until.is_none()) { None } else { Some(Review { missing, until }) }
}

/// When a module's release lets it open.
pub(super) fn release_at(env: Env<'_>, ix: ModuleIx) -> Option<Instant> {
    env.outline.release(ix).map(|release| {
        let begin = match release.since {
            ReleaseSince::Enrolled => env.facts.enrolled_at,
            ReleaseSince::CohortStart => env.facts.cohort_start_at.unwrap_or(env.facts.enrolled_at),
        };
        later(begin, TimeDelta::days(release.after_days.into()))
    })
}

impl<'a> Engine<'a> {
    pub(super) fn new(env: Env<'a>) -> Self {
        let n = env.outline.module_count();
        Self {
            env,
            states: vec![State::Hidden; n],
            counts: vec![false; n],
            stages: Vec::with_capacity(env.outline.stages.len()),
            branches: Vec::with_capacity(env.outline.stages.len()),
            pending_weight: 0.0,
            all_stages_done: true,
            next: Vec::new(),
            auto_choices: Vec::new(),
        }
    }

    fn random_access(&self) -> bool {
        self.env.outline.style == Style::RandomAccess
    }

    fn set(&mut self, ix: ModuleIx, state: State, counts: bool) {
        if let Some(slot) = self.states.get_mut(ix) {
            *slot = state;
        }
        let counts = counts && state != State::Hidden && self.env.outline.module(ix).role != Role::Optional;
        if let Some(slot) = self.counts.get_mut(ix) {
            *slot = counts;
        }
    }

    pub(super) fn run(&mut self) {
        let outline = self.env.outline;
        let mut open = true;
        for stage in &outline.stages {
            let (state, done) = match &stage.shape {
                StageShape::Sequence(order) => self.sequence(stage, *order, open),
                StageShape::Choice { choose, route, exclusive, branches } => {
                    self.choice(stage, *choose, *route, *exclusive, branches, open)
                }
            };
            self.stages.push(state);
            self.all_stages_done &= done;
            open = self.random_access() || (open && done);
        }
    }

    /// The state of a module by itself, given whether what stands before it lets it open.
    fn module(&mut self, ix: ModuleIx, reachable: bool, counts: bool) -> State {
        let state = self.module_state(ix, reachable);
        self.set(ix, state, counts);
        state
    }

    fn module_state(&self, ix: ModuleIx, reachable: bool) -> State {
        let module = self.env.outline.module(ix);
        let record = self.env.facts.record(ix);
        if record.is_some_and(|r| r.completed_at.is_some()) {
            return State::Completed;
        }
        let waived = record.is_some_and(|r| r.waived_at.is_some())
            || module.waive_when.as_ref().is_some_and(|c| c.met(self.env));
        if waived {
            return State::Waived;
        }
        let unlocked = record.is_some_and(|r| r.unlocked_at.is_some());
        let when = unlocked || module.when.as_ref().is_none_or(|c| c.met(self.env));
        if !when && module.unmet == Unmet::Hide {
            return State::Hidden;
        }
        if record.is_some_and(|r| exhausted(self.env.outline, ix, r)) {
            return State::Failed;
        }
        let released = unlocked || release_at(self.env, ix).is_none_or(|at| at <= self.env.now);
        if !(reachable || unlocked) || !when || !released || review(self.env, &self.states, ix).is_some() {
            return State::Locked;
        }
        if record.is_some_and(ModuleRecord::started) { State::InProgress } else { State::Available }
    }

    /// Modules one after the other; answers whether all that must be done are.
    fn linear(&mut self, modules: std::ops::Range<ModuleIx>, open: bool, counts: bool) -> bool {
        let mut reachable = open;
        let mut done = true;
        for ix in modules {
            let state = self.module(ix, reachable, counts);
            let blocks = state != State::Hidden && self.env.outline.module(ix).role != Role::Optional && !state.done();
            if blocks {
                if reachable {
                    self.step(ix, state);
                }
                reachable = false;
                done = false;
            }
        }
        done
    }

    fn any_order(&mut self, modules: std::ops::Range<ModuleIx>, open: bool) -> bool {
        let mut done = true;
        let first = self.next.len();
        for ix in modules {
            let state = self.module(ix, open, true);
            let blocks = state != State::Hidden && self.env.outline.module(ix).role != Role::Optional && !state.done();
            if blocks {
                done = false;
                if open {
                    self.step(ix, state);
                }
            }
        }
        // Where the order is free, what is due goes first.
        let due = |step: &NextStep| matches!(step, NextStep::Module { reason: NextReason::Due, .. });
        self.next.get_mut(first..).unwrap_or_default().sort_by_key(|step| !due(step));
        done
    }

    fn sequence(&mut self, stage: &CompiledStage, order: Order, open: bool) -> (State, bool) {
        let done = match order {
            Order::Linear => self.linear(stage.modules.clone(), open, true),
            Order::Any => self.any_order(stage.modules.clone(), open),
        };
        self.branches.push(Vec::new());
        (self.summary(stage.modules.clone(), open, done), done)
    }

    /// The state of a stage or branch from those of its modules.
    fn summary(&self, modules: std::ops::Range<ModuleIx>, open: bool, done: bool) -> State {
        let states = self.states.get(modules.clone()).unwrap_or_default();
        if done && (open || states.iter().any(|s| s.done())) {
            return State::Completed;
        }
        let failed = |ix: ModuleIx| self.states.get(ix) == Some(&State::Failed) && self.counts.get(ix) == Some(&true);
        if !self.random_access() && modules.clone().any(failed) {
            return State::Failed;
        }
        let started = modules.into_iter().any(|ix| self.env.facts.record(ix).is_some_and(ModuleRecord::started));
        match (open, started) {
            (true, true) => State::InProgress,
            (true, false) => State::Available,
            (false, _) => State::Locked,
        }
    }

    /// Whether it is part of the path because the learner is behind.
    fn opened_by_delay(&self, ix: ModuleIx) -> bool {
        let mut behind = false;
        if let Some(when) = &self.env.outline.module(ix).when {
            when.each_signed_leaf(false, &mut |leaf, negated| {
                behind |= !negated && matches!(leaf, Condition::Behind(_)) && leaf.met(self.env);
            });
        }
        behind
    }

    /// Whether it is about a competency that is due and does not reach what it must, or about what counts for one.
    fn overdue(&self, ix: ModuleIx) -> bool {
        let known = &self.env.facts.learner.competencies;
        if known.iter().all(|fact| fact.dues.is_empty()) {
            return false;
        }
        let about = self.env.outline.module(ix).alignments();
        let helps = |fact: &CompetencyFact, asked: f64| about.iter().any(|a| fact.helps(a.competency, a.touch, asked));
        let late = |fact: &CompetencyFact| {
            fact.dues.iter().any(|(due, at_least)| {
                *due <= self.env.now
                    && !fact.mastery.is_some_and(|mastery| reaches(mastery, *at_least))
                    && helps(fact, *at_least)
            })
        };
        known.iter().any(late)
    }

    /// Adds what the learner can do about an unfinished module.
    fn step(&mut self, ix: ModuleIx, state: State) {
        let module = self.env.outline.module(ix);
        if state == State::Locked
            && let Some(review) = review(self.env, &self.states, ix)
        {
            for remedial in review.missing {
                let key = self.env.outline.module(remedial).key.clone();
                let known =
                    self.next.iter().any(|step| matches!(step, NextStep::Module { module, .. } if *module == key));
                if !known {
                    self.next.push(NextStep::Module { module: key, reason: NextReason::Remedial, autoplay: false });
                }
            }
            return;
        }
        if !matches!(state, State::Available | State::InProgress) {
            return;
        }
        // A playlist goes on past what need not be done.
        let needed = |before: &ModuleIx| {
            self.states.get(*before) != Some(&State::Hidden) && self.env.outline.module(*before).role != Role::Optional
        };
        let before = (0..ix).rev().find(needed);
        let follows = before.is_some_and(|before| self.states.get(before).is_some_and(|s| s.done()));
        let autoplay = self.env.outline.style == Style::LinearAutoplay && follows && self.next.is_empty();
        let reason = match module.role {
            Role::Hurdle => NextReason::Hurdle,
            Role::Final => NextReason::Final,
            _ if self.opened_by_delay(ix) => NextReason::Due,
            Role::Remedial => NextReason::Remedial,
            _ if self.overdue(ix) => NextReason::Due,
            _ if autoplay => NextReason::Autoplay,
            _ => NextReason::Continue,
        };
        self.next.push(NextStep::Module { module: module.key.clone(), reason, autoplay });
    }

    fn choice(
        &mut self,
        stage: &CompiledStage,
        choose: Choose,
        route: Route,
        exclusive: bool,
        branches: &[CompiledBranch],
        open: bool,
    ) -> (State, bool) {
        let wanted = match choose {
            Choose::All => branches.len(),
            Choose::One => 1,
            Choose::AtLeast(n) => usize::try_from(n).unwrap_or(usize::MAX).min(branches.len()),
        };
        let chosen = if choose == Choose::All && !exclusive {
            (0..branches.len()).collect()
        } else {
            self.chosen(stage, route, branches, open, wanted)
        };
        let mut states = vec![State::Locked; branches.len()];
        let mut finished: usize = 0;
        let mut current = None;
        // Branches are looked at in order of choosing, so that an exclusive one knows whether those before it are done.
        for &b in &chosen {
            let Some(branch) = branches.get(b) else { continue };
            let enter = open && !(exclusive && current.is_some());
            let done = self.linear(branch.modules.clone(), enter, true);
            let state = self.summary(branch.modules.clone(), enter, done);
            if let Some(slot) = states.get_mut(b) {
                *slot = state;
            }
            if done && open {
                finished = finished.saturating_add(1);
            } else if current.is_none() {
                current = Some(b);
            }
        }
        let done = open && finished >= wanted;
        let decided = choose != Choose::All && chosen.len() >= wanted;
        for (b, branch) in branches.iter().enumerate().filter(|(b, _)| !chosen.contains(b)) {
            let counts = choose == Choose::All;
            for ix in branch.modules.clone() {
                let own = self.module_state(ix, false);
                let state = if decided && !own.done() && own != State::Hidden { State::NotChosen } else { own };
                self.set(ix, state, counts);
            }
            let selectable =
                open && route == Route::Learner && self.choosable(branch) && !(exclusive && current.is_some());
            let state = match () {
                () if decided => State::NotChosen,
                () if selectable => State::Available,
                () => State::Locked,
            };
            if let Some(slot) = states.get_mut(b) {
                *slot = state;
            }
        }
        self.weigh(&chosen, branches, choose, wanted, done);
        let waiting = chosen.len() < wanted;
        if open && waiting && route == Route::Learner && !(exclusive && current.is_some()) {
            let options =
                branches.iter().enumerate().filter(|(b, branch)| !chosen.contains(b) && self.choosable(branch));
            let options: Vec<String> = options.map(|(_, branch)| branch.key.clone()).collect();
            if !options.is_empty() {
                self.next.push(NextStep::Choice {
                    stage: stage.key.clone(),
                    branches: options,
                    reason: NextReason::ChooseBranch,
                });
            }
        }
        let begun = chosen.iter().any(|b| branches.get(*b).is_some_and(|branch| self.begun(branch)));
        let stuck = states.contains(&State::Failed) && current.is_some_and(|b| states.get(b) == Some(&State::Failed));
        self.branches.push(states);
        let state = match (open, done, stuck, begun) {
            (_, true, ..) => State::Completed,
            (false, ..) => State::Locked,
            (_, _, true, _) => State::Failed,
            (_, _, _, true) => State::InProgress,
            _ => State::Available,
        };
        (state, done)
    }

    fn begun(&self, branch: &CompiledBranch) -> bool {
        branch.modules.clone().any(|ix| self.env.facts.record(ix).is_some_and(ModuleRecord::started))
    }

    fn choosable(&self, branch: &CompiledBranch) -> bool {
        branch.when.as_ref().is_none_or(|when| when.met(self.env))
    }

    /// Which branches are taken: those chosen, then those the engine picks; all of them when there is nothing to choose.
    fn chosen(
        &mut self,
        stage: &CompiledStage,
        route: Route,
        branches: &[CompiledBranch],
        open: bool,
        wanted: usize,
    ) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        for choice in self.env.facts.chosen(&stage.key) {
            if let Some(b) = branches.iter().position(|branch| branch.key == choice.branch)
                && !chosen.contains(&b)
            {
                chosen.push(b);
            }
        }
        if route == Route::Auto && open {
            for (b, branch) in branches.iter().enumerate() {
                if chosen.len() >= wanted {
                    break;
                }
                if !chosen.contains(&b) && self.choosable(branch) {
                    chosen.push(b);
                    self.auto_choices.push(AutoChoice { stage: stage.key.clone(), branch: branch.key.clone() });
                }
            }
        }
        chosen
    }

    fn branch_weight(&self, branch: &CompiledBranch) -> f64 {
        branch
            .modules
            .clone()
            .filter(|ix| self.states.get(*ix) != Some(&State::Hidden))
            .map(|ix| self.env.outline.module(ix))
            .filter(|module| module.role != Role::Optional)
            .map(|module| module.weight)
            .fold(0.0, std::ops::Add::add)
    }

    /// Makes the denominator fit the choice: branches beyond what is needed do not count, and those not yet chosen are stood
    /// for by the lightest ones.
    fn weigh(&mut self, chosen: &[usize], branches: &[CompiledBranch], choose: Choose, wanted: usize, done: bool) {
        if choose == Choose::All {
            return;
        }
        if done {
            for b in chosen {
                let Some(branch) = branches.get(*b) else { continue };
                for ix in branch.modules.clone() {
                    if !self.states.get(ix).is_some_and(|s| s.done())
                        && let Some(slot) = self.counts.get_mut(ix)
                    {
                        *slot = false;
                    }
                }
            }
            return;
        }
        let missing = wanted.saturating_sub(chosen.len());
        let mut weights: Vec<f64> = branches
            .iter()
            .enumerate()
            .filter(|(b, _)| !chosen.contains(b))
            .map(|(_, branch)| self.branch_weight(branch))
            .collect();
        weights.sort_by(f64::total_cmp);
        self.pending_weight += weights.iter().take(missing).fold(0.0, std::ops::Add::add);
    }

    /// Whether the course is complete; in `random_access` the final decides. For whom nothing counts, nothing is complete: all is
    /// hidden from them.
    fn complete(&self) -> bool {
        if !self.counts.contains(&true) {
            return false;
        }
        if !self.random_access() {
            return self.all_stages_done;
        }
        let outline = self.env.outline;
        let done = |ix: ModuleIx| self.states.get(ix).is_some_and(|s| s.done());
        let visible = |ix: ModuleIx| self.states.get(ix) != Some(&State::Hidden);
        let of_role = |role: Role| (0..outline.module_count()).filter(move |ix| outline.module(*ix).role == role);
        let mut finals = of_role(Role::Final).filter(|ix| visible(*ix)).peekable();
        let finals_done = finals.peek().is_some() && finals.all(done);
        match outline.complete_when {
            CompleteWhen::Final => finals_done,
            CompleteWhen::FinalAndCore => finals_done && of_role(Role::Core).filter(|ix| visible(*ix)).all(done),
        }
    }

    /// In an enrollment that waits or is over, what would be open is locked.
    fn close(&mut self) {
        let all = self.states.iter_mut().chain(&mut self.stages).chain(self.branches.iter_mut().flatten());
        for state in all.filter(|state| matches!(state, State::Available | State::InProgress)) {
            *state = State::Locked;
        }
        self.next.clear();
        self.auto_choices.clear();
    }

    fn finish(mut self) -> Standing {
        let complete = self.complete();
        if self.env.facts.closed.is_some() {
            self.close();
        }
        // What is over, or has not begun, comes to no completion, whatever was done.
        let whole = self.env.facts.achieved || (complete && self.env.facts.closed.is_none());
        if whole {
            // What is left undone was not needed, so it is no part of the whole; nor is what came to a course after its completion,
            // which is there to be taken but presses nobody.
            for (counts, state) in self.counts.iter_mut().zip(&self.states) {
                *counts &= state.done();
            }
            self.pending_weight = 0.0;
            self.next.clear();
        } else if self.random_access() {
            // The final comes last, whichever stage it stands in.
            let outline = self.env.outline;
            self.next.sort_by_key(|step| matches!(step, NextStep::Module { module, .. } if outline.ix(module).is_some_and(|ix| outline.module(ix).role == Role::Final)));
        }
        let weight = |(ix, _): (usize, &bool)| self.env.outline.module(ix).weight;
        // A sum of nothing would be -0.
        let sum = |weights: &mut dyn Iterator<Item = f64>| weights.fold(0.0, std::ops::Add::add);
        let counting = || self.counts.iter().enumerate().filter(|(_, counts)| **counts);
        let total = sum(&mut counting().map(weight)) + self.pending_weight;
        let done = sum(&mut counting().filter(|(ix, _)| self.states.get(*ix).is_some_and(|s| s.done())).map(weight));
        let percent = match (whole, total > 0.0) {
            (true, _) => 100.0,
            (false, false) => 0.0,
            // A share that only rounds to 100 is not complete.
            (false, true) => ((done / total * 10_000.0).round() / 100.0).min(99.99),
        };
        let mut standing = Standing {
            modules: self.states,
            counts: self.counts,
            stages: self.stages,
            branches: self.branches,
            progress: Progress { percent, done_weight: done, total_weight: total },
            complete,
            next: self.next,
            auto_choices: self.auto_choices,
        };
        if !whole && standing.next.is_empty() && self.env.facts.closed.is_none() {
            let again = |module| NextStep::Module { module, reason: NextReason::Remedial, autoplay: false };
            standing.next = super::reasons::again(self.env, &standing).into_iter().map(again).collect();
        }
        standing
    }
}

/// Whether a record fulfils a completion by what the learner did; quizzes are judged where attempts are.
#[must_use]
pub fn fulfilled(completion: Completion, record: &ModuleRecord, duration: Option<f64>) -> bool {
    match completion {
        Completion::WatchedPercent(percent) => {
            let length = duration.unwrap_or(0.0);
            // Players report in steps; a hundredth of a second must not decide.
            record.seen.seconds() + 0.01 >= length * percent / 100.0 && !record.seen.is_empty()
        }
        Completion::TimeSpentSeconds(seconds) => {
            let needed = f64::from(u32::try_from(seconds).unwrap_or(u32::MAX));
            record.spent_seconds + 1e-6 >= needed
        }
        Completion::ScoreAtLeast(percent) => record.score.is_some_and(|score| score + 1e-9 >= percent),
        Completion::Passed(_) => record.passed_at.is_some(),
        Completion::Submitted(_) => record.attempts > 0,
        _ => false,
    }
}
