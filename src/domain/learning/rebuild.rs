//! The facts as they were at a past instant, folded again from what happened until then.

use uuid::Uuid;

use super::{AttemptResult, Exception, LearningEvent, attempt_finished, branch_range, fold, grant};
use crate::domain::facts::{ChosenBranch, Facts, Instant, ModuleRecord};
use crate::domain::outline::{Choose, Compiled, ModuleIx, StageShape};
use crate::domain::path::{self, State};

/// What of a learner's facts is known at a past instant: for `?as_of=`. Events and attempts come from the caller, already cut.
#[must_use]
pub fn rebuild(
    outline: &Compiled,
    enrolled_at: Instant,
    cohort_start_at: Option<Instant>,
    mut events: Vec<LearningEvent>,
    mut later: Vec<Past>,
) -> Facts {
    let mut facts = Facts::new(enrolled_at, outline.module_count());
    facts.cohort_start_at = cohort_start_at;
    events.sort_by_key(LearningEvent::order);
    later.sort_by_key(Past::at);
    let mut events = events.into_iter().peekable();
    for past in later {
        while let Some(event) = events.next_if(|event| event.at <= past.at()) {
            fold_past(outline, &mut facts, &event);
        }
        match past {
            Past::Attempt(ix, result) => drop(attempt_finished(outline, &mut facts, ix, result)),
            Past::AttemptStarted(ix, attempt, at) => {
                let record = facts.record_mut(ix);
                record.started_at = record.started_at.or(Some(at));
                record.open_attempt = Some(attempt);
            }
            Past::Exception(ix, exception, at) => drop(grant(outline, &mut facts, ix, exception, at)),
            Past::Choice(choice) => {
                replace_choice(outline, &mut facts, &choice);
                facts.choices.push(choice);
            }
        }
    }
    for event in events {
        fold_past(outline, &mut facts, &event);
    }
    facts
}

/// Where one branch is taken at a time, a choice takes back those before it in whose branch nothing was begun and that are not done
/// with, as [`choose`](super::choose) does.
fn replace_choice(outline: &Compiled, facts: &mut Facts, choice: &ChosenBranch) {
    let stage = outline.stages.iter().find(|stage| stage.key == choice.stage).map(|stage| &stage.shape);
    let Some(StageShape::Choice { choose, exclusive, .. }) = stage else { return };
    if *choose != Choose::One && !exclusive {
        return;
    }
    let standing = path::standing(outline, facts, choice.at);
    let done = |key: &str| {
        let stages = outline.stages.iter().zip(&standing.branches).find(|(stage, _)| stage.key == choice.stage);
        stages.is_some_and(|(stage, states)| match &stage.shape {
            StageShape::Choice { branches, .. } => {
                branches.iter().zip(states).any(|(b, state)| b.key == key && *state == State::Completed)
            }
            StageShape::Sequence(_) => false,
        })
    };
    let kept: Vec<bool> = facts
        .choices
        .iter()
        .map(|c| {
            let begun = |mut range: std::ops::Range<ModuleIx>| {
                range.any(|ix| facts.record(ix).is_some_and(ModuleRecord::started))
            };
            c.stage != choice.stage || done(&c.branch) || branch_range(outline, &c.stage, &c.branch).is_some_and(begun)
        })
        .collect();
    let mut kept = kept.into_iter();
    facts.choices.retain(|_| kept.next().unwrap_or(true));
}

fn fold_past(outline: &Compiled, facts: &mut Facts, event: &LearningEvent) {
    fold(facts.record_mut(event.module), outline, event);
    facts.last_event_at = Some(facts.last_event_at.map_or(event.at, |last| last.max(event.at)));
}

/// Something of the past besides learning events.
#[derive(Debug, Clone)]
pub enum Past {
    /// An attempt began.
    AttemptStarted(ModuleIx, Uuid, Instant),
    /// An attempt ended.
    Attempt(ModuleIx, AttemptResult),
    /// Staff granted something.
    Exception(ModuleIx, Exception, Instant),
    /// A branch was chosen.
    Choice(ChosenBranch),
}

impl Past {
    fn at(&self) -> Instant {
        match self {
            Self::AttemptStarted(_, _, at) | Self::Exception(_, _, at) => *at,
            Self::Attempt(_, result) => result.at,
            Self::Choice(choice) => choice.at,
        }
    }
}
