//! The learner's choice of a branch.

use super::{Changes, Refusal, branch_range};
use crate::domain::condition::Env;
use crate::domain::facts::{ChosenBranch, Facts, Instant, ModuleRecord};
use crate::domain::outline::{Choose, Compiled, Route, StageShape};
use crate::domain::path::{self, State};

/// Chooses a branch. For `one`, choosing again replaces the choice until something in its branch was begun.
///
/// # Errors
/// Why it may not be chosen now.
pub fn choose(
    outline: &Compiled,
    facts: &mut Facts,
    stage_key: &str,
    branch_key: &str,
    now: Instant,
) -> Result<Changes, Refusal> {
    let position = outline.stages.iter().position(|stage| stage.key == stage_key);
    let Some((s, stage)) = position.and_then(|s| outline.stages.get(s).map(|stage| (s, stage))) else {
        return Err(Refusal::new("unknown_stage", format!("There is no stage `{stage_key}`.")));
    };
    let StageShape::Choice { choose, route, exclusive, branches } = &stage.shape else {
        return Err(Refusal::new("not_a_choice", format!("The stage `{stage_key}` has no branches.")));
    };
    let Some(branch) = branches.iter().find(|branch| branch.key == branch_key) else {
        return Err(Refusal::new("unknown_branch", format!("The stage `{stage_key}` has no branch `{branch_key}`.")));
    };
    if *route == Route::Auto {
        return Err(Refusal::new(
            "routed_automatically",
            format!("The branch of `{stage_key}` follows from the results so far."),
        ));
    }
    if *choose == Choose::All && !exclusive {
        return Err(Refusal::new(
            "nothing_to_choose",
            format!("All branches of `{stage_key}` are open; none need be chosen."),
        ));
    }
    let standing = path::standing(outline, facts, now);
    let first = branch.modules.start;
    let closed = |code, detail: String| {
        let mut access = path::access(outline, facts, now, first);
        // The very choice that is refused is no way out of it.
        access.actions.retain(|action| action.stage.as_deref() != Some(stage_key));
        Refusal { code, detail, access: Some(Box::new(access)), faults: Vec::new() }
    };
    if standing.stages.get(s) == Some(&State::Locked) {
        return Err(closed("stage_locked", format!("The stage `{stage_key}` is not open yet.")));
    }
    let env = Env::new(outline, facts, now);
    if branch.when.as_ref().is_some_and(|when| !when.met(env)) {
        return Err(closed("branch_locked", format!("The condition of the branch `{branch_key}` does not hold.")));
    }
    let chosen: Vec<String> = facts.chosen(stage_key).map(|c| c.branch.clone()).collect();
    if chosen.iter().any(|key| key == branch_key) {
        return Ok(Changes::default());
    }
    let begun = |key: &str| {
        branch_range(outline, stage_key, key)
            .is_some_and(|mut r| r.any(|ix| facts.record(ix).is_some_and(ModuleRecord::started)))
    };
    let state_of = |key: &str| {
        let b = branches.iter().position(|b| b.key == key)?;
        standing.branches.get(s)?.get(b).copied()
    };
    let unfinished: Vec<&String> = chosen.iter().filter(|key| state_of(key) != Some(State::Completed)).collect();
    if let Some(key) = unfinished.iter().find(|key| begun(key)) {
        if *choose == Choose::One {
            return Err(closed(
                "choice_begun",
                format!("The branch `{key}` was begun, so the choice cannot be changed any more."),
            ));
        }
        if *exclusive {
            return Err(closed("branch_unfinished", format!("Finish the branch `{key}` first.")));
        }
    }
    if *choose == Choose::One && chosen.iter().any(|key| begun(key)) {
        return Err(closed("choice_begun", "The choice was made and cannot be changed any more.".to_owned()));
    }
    let mut changes = Changes::default();
    // What was chosen but not begun gives way where only one branch can be taken at a time.
    if *choose == Choose::One || *exclusive {
        changes.unchosen = unfinished.into_iter().map(|key| (stage_key.to_owned(), key.clone())).collect();
        facts
            .choices
            .retain(|c| c.stage != stage_key || !changes.unchosen.iter().any(|(_, branch)| *branch == c.branch));
    }
    let choice = ChosenBranch { stage: stage_key.to_owned(), branch: branch_key.to_owned(), at: now, auto: false };
    facts.choices.push(choice.clone());
    changes.chosen.push(choice);
    Ok(changes)
}
