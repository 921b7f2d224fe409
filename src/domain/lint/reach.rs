//! Which modules can be opened by some learner at some time.
//!
//! This errs on the side of the author: what stands before a module, the choice of its branch and its own condition are looked at
//! one after the other, each with the facts that suit it best, so a module that is called unreachable is certainly so. Where
//! there are too many facts to try them all, nothing is called unreachable.

use std::collections::BTreeSet;

use super::search::{Question, Search};
use super::subjects::{Assignment, Subjects};
use crate::domain::condition::{Condition, Env};
use crate::domain::facts::Instant;
use crate::domain::outline::{
    Choose, Compiled, CompiledBranch, CompiledStage, ModuleIx, Order, Role, Route, StageShape, Style, Unmet,
};

/// Finds which modules can be opened, and answers a search that knows it.
pub(super) fn explore(outline: &Compiled, now: Instant, excused: bool) -> Search<'_> {
    let mut search = Search::new(Subjects::new(outline, now), excused);
    // What opens can open more; nothing ever closes again, so this ends.
    while round(outline, &mut search) {}
    search
}

fn hides(outline: &Compiled, ix: ModuleIx) -> bool {
    let module = outline.module(ix);
    module.unmet == Unmet::Hide && module.when.is_some()
}

/// Whether a module must be done before what follows it opens, as long as it is there.
fn needed(outline: &Compiled, ix: ModuleIx) -> bool {
    outline.module(ix).role != Role::Optional && !hides(outline, ix)
}

fn passable(search: &Search<'_>, ix: ModuleIx) -> bool {
    !needed(search.subjects.outline, ix) || search.excused || search.open.get(ix).copied().unwrap_or(false)
}

/// How many branches of a choice must be done.
pub(super) fn wanted(choose: Choose, branches: &[CompiledBranch]) -> usize {
    match choose {
        Choose::All => branches.len(),
        Choose::One => 1,
        Choose::AtLeast(n) => usize::try_from(n).unwrap_or(usize::MAX).min(branches.len()),
    }
}

/// Whether a branch is taken when these conditions are so: the engine takes the first ones that fit.
pub(super) fn routes(route: Route, wanted: usize, branches: &[CompiledBranch], b: usize, env: Env<'_>) -> bool {
    let fits = |branch: &CompiledBranch| branch.when.as_ref().is_none_or(|when| when.met(env));
    let before = || branches.iter().take(b).filter(|branch| fits(branch)).count();
    branches.get(b).is_some_and(fits) && (route == Route::Learner || before() < wanted)
}

/// The conditions that decide whether a branch is taken.
pub(super) fn routing(route: Route, branches: &[CompiledBranch], b: usize) -> Vec<&Condition> {
    let from = if route == Route::Auto { 0 } else { b };
    branches.iter().take(b.saturating_add(1)).skip(from).filter_map(|branch| branch.when.as_ref()).collect()
}

/// Looks at each module once; whether more of them open than before.
fn round(outline: &Compiled, search: &mut Search<'_>) -> bool {
    let random = outline.style == Style::RandomAccess;
    let mut more = false;
    let mut entered = true;
    let mut done: BTreeSet<ModuleIx> = BTreeSet::new();
    for stage in &outline.stages {
        let (ends, news) = match &stage.shape {
            StageShape::Sequence(order) => sequence(outline, search, stage, *order, entered, &mut done),
            StageShape::Choice { choose, route, exclusive, branches } => {
                let told = *choose != Choose::All || *exclusive;
                let before = done.clone();
                let mut finished: usize = 0;
                let mut news = false;
                for (b, branch) in branches.iter().enumerate() {
                    let all = wanted(*choose, branches);
                    let test = |env: Env<'_>| routes(*route, all, branches, b, env);
                    let question = Question { conditions: routing(*route, branches, b), test: &test, done: &before };
                    let taken = entered && (!told || search.solve(&question, &Assignment::new(), 1).possible());
                    let mut within = before.clone();
                    let (ends, new) = linear(outline, search, branch.modules.clone(), taken, &mut within);
                    finished = finished.saturating_add(usize::from(taken && ends));
                    news |= new;
                    if *choose == Choose::All {
                        done.extend(within);
                    }
                }
                (finished >= wanted(*choose, branches), news)
            }
        };
        more |= news;
        entered = random || (entered && ends);
        if random {
            done.clear();
        }
    }
    more
}

fn sequence(
    outline: &Compiled,
    search: &mut Search<'_>,
    stage: &CompiledStage,
    order: Order,
    entered: bool,
    done: &mut BTreeSet<ModuleIx>,
) -> (bool, bool) {
    if order == Order::Linear {
        return linear(outline, search, stage.modules.clone(), entered, done);
    }
    let (mut ends, mut news) = (true, false);
    for ix in stage.modules.clone() {
        news |= look(outline, search, ix, entered, done);
        ends &= passable(search, ix);
    }
    done.extend(stage.modules.clone().filter(|ix| needed(outline, *ix)));
    (ends, news)
}

/// Modules one after the other: whether all of them can be done, and whether one is newly open.
fn linear(
    outline: &Compiled,
    search: &mut Search<'_>,
    modules: std::ops::Range<ModuleIx>,
    entered: bool,
    done: &mut BTreeSet<ModuleIx>,
) -> (bool, bool) {
    let (mut reachable, mut news) = (entered, false);
    for ix in modules {
        news |= look(outline, search, ix, reachable, done);
        reachable &= passable(search, ix);
        if needed(outline, ix) {
            done.insert(ix);
        }
    }
    (reachable, news)
}

/// Whether a module is newly open: its turn comes and its condition can hold then, or it can be tested out.
fn look(outline: &Compiled, search: &mut Search<'_>, ix: ModuleIx, reachable: bool, done: &BTreeSet<ModuleIx>) -> bool {
    if search.open.get(ix).copied().unwrap_or(true) {
        return false;
    }
    let holds = |when: &Condition, done: &BTreeSet<ModuleIx>| {
        let test = |env: Env<'_>| when.met(env);
        let question = Question { conditions: vec![when], test: &test, done };
        search.solve(&question, &Assignment::new(), 1).possible()
    };
    let module = outline.module(ix);
    let opens = (reachable && module.when.as_ref().is_none_or(|when| holds(when, done)))
        || module.waive_when.as_ref().is_some_and(|when| holds(when, &BTreeSet::new()));
    if let Some(slot) = search.open.get_mut(ix).filter(|_| opens) {
        *slot = true;
    }
    opens
}
