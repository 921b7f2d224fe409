//! The path as people read it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::engine::standing;
use super::reasons::{Action, explain};
use super::{NextStep, Progress, State};
use crate::domain::condition::{Env, Reason};
use crate::domain::facts::{Facts, Instant};
use crate::domain::outline::{Compiled, ModuleIx, ModuleKind, Role, StageShape, Style};

/// Where a learner stands, with the reasons.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Path<'a> {
    /// The course's style.
    pub style: Style,
    /// The weighted share that is done.
    pub progress: Progress,
    /// The stages.
    pub stages: Vec<StagePath<'a>>,
    /// What to do next, in order; empty once the course is complete, also when something optional was begun.
    pub next: Vec<NextStep>,
}

/// A stage: a `sequence` has `modules`, a `choice` has `branches`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StagePath<'a> {
    /// Its key.
    pub key: &'a str,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// `sequence` or `choice`.
    pub kind: &'static str,
    /// How it stands.
    pub state: State,
    /// The modules of a sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<ModulePath<'a>>>,
    /// The branches of a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<BranchPath<'a>>>,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BranchPath<'a> {
    /// Its key.
    pub key: &'a str,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// How it stands.
    pub state: State,
    /// Why the learner may not choose it, when its condition does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub reasons: Vec<Reason>,
    /// Its modules.
    pub modules: Vec<ModulePath<'a>>,
}

/// A module. Hidden ones show their key and state only.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModulePath<'a> {
    /// Its key.
    pub key: &'a str,
    /// How it stands.
    pub state: State,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ModuleKind>,
    /// What part it plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether it counts for the progress.
    pub counts: bool,
    /// Its weight in the progress.
    pub weight: f64,
    /// Where the learner was last in a video.
    pub resume_at_seconds: Option<f64>,
    /// The counted score.
    pub score_percent: Option<f64>,
    /// Quiz attempts that are left; absent when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<u32>,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it is locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub reasons: Option<Vec<Reason>>,
    /// What opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
    /// When it opens by itself; present, perhaps null, when it is locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub opens_at: Option<Option<DateTime<Utc>>>,
}

/// Quiz attempts that are left; `None` when there is no limit or no quiz.
#[must_use]
pub fn attempts_left(outline: &Compiled, facts: &Facts, ix: ModuleIx) -> Option<u32> {
    let quiz = outline.module(ix).quiz().filter(|quiz| quiz.max_attempts > 0)?;
    let (used, extra) = facts
        .record(ix)
        .map_or((0, 0), |r| (r.attempts.saturating_add(u32::from(r.open_attempt.is_some())), r.extra_attempts));
    Some(quiz.max_attempts.saturating_add(extra).saturating_sub(used))
}

/// Computes the whole path, with reasons.
#[must_use]
pub fn evaluate<'a>(outline: &'a Compiled, facts: &Facts, now: Instant) -> Path<'a> {
    let standing = standing(outline, facts, now);
    let env = Env::new(outline, facts, now);
    let module = |ix: ModuleIx| -> ModulePath<'a> {
        let module = outline.module(ix);
        let state = standing.of(ix);
        let shown = state != State::Hidden;
        let record = facts.record(ix);
        let closed = matches!(state, State::Locked | State::NotChosen | State::Failed);
        let access = closed.then(|| explain(env, &standing, ix));
        ModulePath {
            key: &module.key,
            state,
            title: shown.then_some(module.title.as_str()),
            kind: shown.then_some(module.kind),
            role: shown.then_some(module.role),
            counts: standing.counts.get(ix).copied().unwrap_or(false),
            weight: module.weight,
            resume_at_seconds: record.and_then(|r| r.position_seconds),
            score_percent: record.and_then(|r| r.score),
            attempts_left: attempts_left(outline, facts, ix).filter(|_| shown),
            started_at: record.and_then(|r| r.started_at),
            completed_at: record.and_then(|r| r.completed_at),
            opens_at: access.as_ref().map(|a| a.opens_at),
            reasons: access.as_ref().map(|a| a.reasons.clone()),
            actions: access.map(|a| a.actions),
        }
    };
    let stages = outline
        .stages
        .iter()
        .enumerate()
        .map(|(s, stage)| {
            let state = standing.stages.get(s).copied().unwrap_or(State::Locked);
            let title = stage.title.as_deref();
            match &stage.shape {
                StageShape::Sequence(_) => StagePath {
                    key: &stage.key,
                    title,
                    kind: "sequence",
                    state,
                    modules: Some(stage.modules.clone().map(module).collect()),
                    branches: None,
                },
                StageShape::Choice { branches, .. } => {
                    let states = standing.branches.get(s).map(Vec::as_slice).unwrap_or_default();
                    let branches = branches
                        .iter()
                        .zip(states)
                        .map(|(branch, state)| BranchPath {
                            key: &branch.key,
                            title: branch.title.as_deref(),
                            state: *state,
                            reasons: branch
                                .when
                                .iter()
                                .filter(|w| *state == State::Locked && !w.met(env))
                                .map(|w| w.explain(env))
                                .collect(),
                            modules: branch.modules.clone().map(module).collect(),
                        })
                        .collect();
                    StagePath { key: &stage.key, title, kind: "choice", state, modules: None, branches: Some(branches) }
                }
            }
        })
        .collect();
    Path { style: outline.style, progress: standing.progress, stages, next: standing.next }
}
