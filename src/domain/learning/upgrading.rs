//! What was done under an older revision, judged by what the newer one asks.

use std::collections::{BTreeMap, BTreeSet};

use super::{AttemptResult, Changes, LearningEvent, attempts_changed, by_events, refold, remember, without_events};
use crate::domain::facts::{Facts, Instant};
use crate::domain::outline::{Compiled, ModuleIx};
use crate::domain::quiz;

/// An attempt that is finished: its score, whether it passed when it was graded, and when it was submitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// In percent.
    pub score: f64,
    /// By the pass mark of then.
    pub passed: bool,
    /// When.
    pub at: Instant,
}

/// Judges carried facts anew: the events are folded again by the newer modules, and the attempts counted again by the newer quizzes.
/// What is completed or passed stays so.
pub fn judge_anew(
    outline: &Compiled,
    facts: &mut Facts,
    events: Vec<LearningEvent>,
    attempts: &BTreeMap<ModuleIx, Vec<Taken>>,
    now: Instant,
) -> Changes {
    let before = facts.clone();
    let mut by_module: BTreeMap<ModuleIx, Vec<LearningEvent>> = BTreeMap::new();
    for event in events {
        by_module.entry(event.module).or_default().push(event);
    }
    let mut touched = BTreeSet::new();
    for (ix, mut events) in by_module {
        let Some(known) = before.record(ix) else { continue };
        let mut fresh = refold(known, without_events(known), outline, ix, &mut events);
        // What completed it in another way than the newer module knows stays too.
        fresh.completed_at =
            if by_events(outline, ix) { known.completed_at.or(fresh.completed_at) } else { known.completed_at };
        if fresh != *known {
            *facts.record_mut(ix) = fresh;
            touched.insert(ix);
        }
    }
    for (&ix, taken) in attempts {
        let (Some(content), Some(known)) = (outline.module(ix).quiz(), before.record(ix)) else { continue };
        let mut scores = Vec::with_capacity(taken.len());
        let mut results = Vec::with_capacity(taken.len());
        for one in taken {
            let passed = one.passed || content.passes(one.score);
            scores.push((one.score, passed));
            let Some(counted) = quiz::counted(content.grading_method, content.pass_percent, &scores) else { continue };
            let finished = u32::try_from(scores.len()).unwrap_or(u32::MAX);
            results.push(AttemptResult { passed, counted, finished, at: one.at });
        }
        attempts_changed(outline, facts, ix, &results, known.started_at, known.completed_at, now);
        let record = facts.record_mut(ix);
        record.started_at = known.started_at;
        if known.passed_at.is_some() {
            (record.passed_at, record.failed_at) = (known.passed_at, None);
        }
        if record != known {
            touched.insert(ix);
        }
    }
    remember(outline, &before, facts, touched, now)
}
