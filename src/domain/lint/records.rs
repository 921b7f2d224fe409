//! What a learner can have done in a module.

use std::sync::Arc;

use std::collections::BTreeSet;

use super::subjects::{Constants, Fact};
use crate::domain::facts::{Instant, ModuleRecord};
use crate::domain::outline::{Completion, Module};
use crate::domain::quiz::{GradingMethod, QuizContent};

/// The records that a module can have, as far as conditions tell them apart. Excused learners are those whom staff let off a module
/// that they never tried.
pub(super) fn of(
    module: &Module,
    scores: Option<&[f64]>,
    known: &Constants,
    open: bool,
    excused: bool,
    at: Instant,
) -> Vec<Fact> {
    let mut all = Vec::new();
    if open {
        match module.quiz() {
            Some(quiz) => attempted(module, quiz, scores, known, at, &mut all),
            None => all.push(ModuleRecord { started_at: Some(at), completed_at: Some(at), ..ModuleRecord::default() }),
        }
        all.push(ModuleRecord { started_at: Some(at), ..ModuleRecord::default() });
        if module.quiz().is_some() && !by_attempts(module.completion()) {
            all.push(ModuleRecord { started_at: Some(at), completed_at: Some(at), ..ModuleRecord::default() });
        }
    }
    if excused {
        all.push(ModuleRecord { waived_at: Some(at), ..ModuleRecord::default() });
    }
    all.into_iter().map(|record| Some(Arc::new(record))).chain([None]).map(Fact::Record).collect()
}

/// Whether attempts at the quiz complete the module, and not something else.
pub(super) fn by_attempts(completion: Completion) -> bool {
    matches!(completion, Completion::Passed(_) | Completion::ScoreAtLeast(_) | Completion::Submitted(_))
}

/// The best score, and of the scores that can count those just below and from each threshold on.
pub(super) fn telling(scores: Option<&[f64]>, thresholds: &[f64]) -> Vec<f64> {
    let mut telling = vec![100.0, 0.0];
    for threshold in thresholds.iter().filter(|t| t.is_finite()) {
        match scores {
            Some(scores) => {
                telling.extend(scores.iter().copied().find(|score| score + 1e-9 >= *threshold));
                telling.extend(scores.iter().copied().rev().find(|score| score + 1e-9 < *threshold));
            }
            None => telling.extend([*threshold, threshold - 0.0001].map(|score| score.clamp(0.0, 100.0))),
        }
    }
    telling.sort_by(|a, b| b.total_cmp(a));
    telling.dedup();
    telling
}

fn attempted(
    module: &Module,
    quiz: &QuizContent,
    scores: Option<&[f64]>,
    known: &Constants,
    at: Instant,
    all: &mut Vec<ModuleRecord>,
) {
    let completion = module.completion();
    let mut thresholds = known.scores.clone();
    thresholds.push(quiz.pass_percent);
    thresholds.extend(match completion {
        Completion::ScoreAtLeast(percent) => Some(percent),
        _ => None,
    });
    let highest = quiz.grading_method == GradingMethod::Highest;
    let mut counts: BTreeSet<u32> = known.attempts.iter().flat_map(|n| [n.saturating_sub(1), *n]).collect();
    counts.insert(1);
    // Where a later attempt can count for less than an earlier one, two attempts tell more than one.
    counts.extend((!highest).then_some(2));
    counts.retain(|n| *n > 0 && (quiz.max_attempts == 0 || *n <= quiz.max_attempts));
    for attempts in counts {
        let free = attempts > 1 && !highest;
        // A mean of several can be anything.
        let possible = scores.filter(|_| !(free && quiz.grading_method == GradingMethod::Average));
        for score in telling(possible, &thresholds) {
            let reaches = |mark: f64| score + 1e-9 >= mark;
            for passed in either(reaches(quiz.pass_percent), free) {
                let completed = match completion {
                    Completion::Passed(_) => vec![passed],
                    Completion::ScoreAtLeast(percent) => either(reaches(percent), free),
                    Completion::Submitted(_) => vec![true],
                    _ => vec![true, false],
                };
                all.extend(completed.into_iter().map(|completed| ModuleRecord {
                    started_at: Some(at),
                    completed_at: completed.then_some(at),
                    attempts,
                    score: Some(score),
                    passed_at: passed.then_some(at),
                    failed_at: (!passed).then_some(at),
                    ..ModuleRecord::default()
                }));
            }
        }
    }
}

/// What is so by this attempt; what is not may be so by an earlier one.
fn either(so: bool, by_earlier: bool) -> Vec<bool> {
    if so || !by_earlier { vec![so] } else { vec![false, true] }
}
