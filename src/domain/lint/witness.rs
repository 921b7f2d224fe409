//! Can anybody complete the course? The linter lets the real path engine decide: hypothetical learners walk through it. So "the
//! linter passed" means "some learner can complete it" by construction.
//!
//! Learners of a few kinds come first. Where none of them gets through, the conditions at which they were stuck are solved for facts
//! that open them, and learners of whom those are so walk, the most promising first, within a budget.

use std::collections::{BTreeMap, BTreeSet};

use super::learner::{Kind, Learner, kinds};
use super::reach::{self, routes, routing, wanted};
use super::search::{Question, Search};
use super::subjects::{Assignment, Fact, Subject};
use super::walk::{Deed, Walked, walk};
use super::{LintReport, Placed};
use crate::domain::condition::Env;
use crate::domain::facts::{Instant, LearnerFacts};
use crate::domain::outline::{Compiled, ModuleIx, Role, StageShape};
use crate::domain::path::State;

/// How many ways out of each obstacle are tried.
const WAYS: usize = 6;

/// A learner who completes a course.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// What they bring along.
    pub learner: LearnerFacts,
    /// What they do, and when.
    pub deeds: Vec<(Instant, Deed)>,
}

/// A learner who completes the course, if one was found who begins now.
#[must_use]
pub fn completed_by(outline: &Compiled, now: Instant) -> Option<Witness> {
    witness(&reach::explore(outline, now, false)).ok()
}

/// Walks begin now and jump to the course's own dates; what only the past could open nobody can open any more.
pub(super) fn check(outline: &Compiled, modules: &[Placed<'_>], now: Instant, report: &mut LintReport) {
    let search = reach::explore(outline, now, false);
    let name = |ix: &ModuleIx| modules.get(*ix).map(|placed| placed.module.key.clone()).unwrap_or_default();
    if let Err(stuck) = witness(&search) {
        let names: Vec<String> = stuck.iter().take(5).map(name).collect();
        let detail = format!("No learner could complete this course; it ends at {}.", names.join(", "));
        report.error("/stages", "not_completable", detail);
    }
    let closed = |search: &Search<'_>| -> BTreeSet<ModuleIx> {
        search.open.iter().enumerate().filter(|(_, open)| !**open).map(|(ix, _)| ix).collect()
    };
    let unreachable = closed(&search);
    if unreachable.is_empty() {
        return;
    }
    let even_excused = closed(&reach::explore(outline, now, true));
    for placed in modules.iter().filter(|placed| unreachable.contains(&placed.order)) {
        let key = &placed.module.key;
        if even_excused.contains(&placed.order) {
            report.error(&placed.at, "unreachable_module", format!("No learner could ever open `{key}`."));
        } else {
            let detail = format!("Only learners whom staff excuse from a module before it could open `{key}`.");
            report.warn(&placed.at, "reached_by_excuse_only", detail);
        }
    }
}

/// Someone who was looked at and did not get through.
struct Tried {
    assignment: Assignment,
    kind: Kind,
    walked: Walked,
    opened_up: bool,
}

/// A learner who completes the course, or where the best of them is stuck.
fn witness(search: &Search<'_>) -> Result<Witness, Vec<ModuleIx>> {
    let outline = search.subjects.outline;
    let mut tried: Vec<Tried> = Vec::new();
    let mut first_stuck = Vec::new();
    for kind in kinds(outline) {
        let learner = Learner { kind, facts: Assignment::new() };
        let walked = walk(&search.subjects, &learner);
        if walked.standing.complete {
            return Ok(Witness { learner: learner.brings(&search.subjects), deeds: walked.deeds });
        }
        if first_stuck.is_empty() {
            first_stuck = stuck(outline, &walked);
        }
        tried.push(Tried { assignment: learner.facts, kind, walked, opened_up: false });
    }
    // The best of them are where the search begins.
    tried.sort_by_key(|one| std::cmp::Reverse(one.walked.done()));
    tried.truncate(4);
    let mut budget = 4_000_usize.checked_div(outline.module_count()).unwrap_or(0).clamp(16, 160);
    while let Some(best) = best(&mut tried) {
        let (kind, ways) = (best.kind, ways_on(search, &best.assignment, &best.walked));
        for assignment in ways {
            if tried.iter().any(|one| one.kind == kind && one.assignment == assignment) {
                continue;
            }
            if budget == 0 {
                return Err(first_stuck);
            }
            budget = budget.saturating_sub(1);
            let learner = Learner { kind, facts: assignment };
            let walked = walk(&search.subjects, &learner);
            if walked.standing.complete {
                return Ok(Witness { learner: learner.brings(&search.subjects), deeds: walked.deeds });
            }
            tried.push(Tried { assignment: learner.facts, kind, walked, opened_up: false });
        }
    }
    Err(first_stuck)
}

/// Whoever came furthest of those whose obstacles were not looked at yet.
fn best(tried: &mut [Tried]) -> Option<&Tried> {
    let best = tried.iter_mut().rev().filter(|one| !one.opened_up).max_by_key(|one| one.walked.done())?;
    best.opened_up = true;
    Some(best)
}

fn stuck(outline: &Compiled, walked: &Walked) -> Vec<ModuleIx> {
    let waiting = |ix: &ModuleIx| {
        matches!(walked.standing.of(*ix), State::Locked | State::Failed | State::Available | State::InProgress)
    };
    (0..outline.module_count()).filter(waiting).collect()
}

/// What could be so instead of what is, such that one more condition is as the learner needs it.
fn ways_on(search: &Search<'_>, known: &Assignment, walked: &Walked) -> Vec<Assignment> {
    let outline = search.subjects.outline;
    let none = BTreeSet::new();
    let mut ways: Vec<Assignment> = Vec::new();
    let mut ask = |question: &Question<'_>| {
        // Rather something more than something else.
        let more = search.solve(question, known, WAYS).found;
        let other = search.solve(question, &Assignment::new(), WAYS).found;
        for found in more.into_iter().chain(other) {
            let mut way = known.clone();
            way.extend(found);
            if way != *known && !ways.contains(&way) {
                ways.push(way);
            }
        }
    };
    let wished = |ix: ModuleIx| known.contains_key(&Subject::Module(ix));
    for ix in 0..outline.module_count() {
        let module = outline.module(ix);
        let closed = matches!(walked.standing.of(ix), State::Locked | State::Hidden);
        let matters = module.role != Role::Optional || wished(ix);
        if let Some(when) = module.when.as_ref().filter(|_| closed && matters) {
            let test = |env: Env<'_>| when.met(env);
            ask(&Question { conditions: vec![when], test: &test, done: &none });
        }
    }
    for (s, stage) in outline.stages.iter().enumerate() {
        let StageShape::Choice { choose, route, branches, .. } = &stage.shape else { continue };
        if walked.standing.stages.get(s) == Some(&State::Locked) {
            continue;
        }
        for b in 0..branches.len() {
            let test = |env: Env<'_>| routes(*route, wanted(*choose, branches), branches, b, env);
            ask(&Question { conditions: routing(*route, branches, b), test: &test, done: &none });
        }
    }
    let chosen: BTreeMap<usize, usize> = walked.chosen.clone();
    for (stage, options) in &walked.options {
        for b in options.iter().filter(|b| chosen.get(stage) != Some(*b)) {
            let mut way = known.clone();
            way.insert(Subject::Stage(*stage), Fact::Branch(*b));
            ways.push(way);
        }
    }
    ways
}
