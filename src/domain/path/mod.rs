//! Where a learner stands: `path(outline, facts, now)`, pure and deterministic.
//!
//! [`Standing`] is the cheap answer (states, progress, next steps); [`evaluate`] adds what people read: reasons, actions,
//! `opens_at`. Both come from the same rules in `engine`.

mod engine;
mod reasons;
#[cfg(test)]
mod tests;
mod view;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::engine::{AutoChoice, Standing, fulfilled, standing, turns_at};
pub use self::reasons::{Access, Action, access, suggestions};
pub use self::view::{BranchPath, ModulePath, Path, StagePath, evaluate};

/// How a stage, branch or module stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PathState)]
pub enum State {
    /// As if absent.
    Hidden,
    /// Not open; `reasons` say why.
    Locked,
    /// Open, nothing done yet.
    Available,
    /// Begun.
    InProgress,
    /// Done.
    Completed,
    /// No attempts left.
    Failed,
    /// Tested out, or excused by staff.
    Waived,
    /// Another branch was chosen.
    NotChosen,
}

impl State {
    /// Whether it is done with.
    #[must_use]
    pub fn done(self) -> bool {
        matches!(self, Self::Completed | Self::Waived)
    }

    /// Whether its content may be seen.
    #[must_use]
    pub fn open(self) -> bool {
        matches!(self, Self::Available | Self::InProgress | Self::Completed | Self::Failed | Self::Waived)
    }

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Locked => "locked",
            Self::Available => "available",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Waived => "waived",
            Self::NotChosen => "not_chosen",
        }
    }
}

/// A weighted share of the modules that count: `optional`, hidden and not chosen ones do not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
#[schema(example = json!({"percent": 42.86, "done_weight": 3.0, "total_weight": 7.0}))]
pub struct Progress {
    /// `done_weight / total_weight * 100`, to two decimals; 100 exactly when the course is complete. A completed course stays at 100,
    /// with no next steps, when a newer revision or a change of the learner brings modules: they are open, and do not count.
    /// From the completion on the whole is what is done: what was left undone was not needed and leaves both weights, and
    /// comes back into both once it is done after all. In an enrollment that is over without a completion it is below 100.
    pub percent: f64,
    /// Weight of those that are done or waived.
    pub done_weight: f64,
    /// Weight of all that count. Before a choice is made, its lightest branches stand for those to come.
    pub total_weight: f64,
}

/// Why a step is the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextReason {
    /// It is what follows.
    Continue,
    /// It starts by itself.
    Autoplay,
    /// To be taken again after a failed quiz, or because it helps those who struggle.
    Remedial,
    /// A quiz that must be passed to go on.
    Hurdle,
    /// A branch must be chosen.
    ChooseBranch,
    /// A due date asks for it: it is there because the learner is behind, or it is about a competency that is due. Known in courses
    /// whose conditions ask who is behind.
    Due,
    /// The final quiz.
    Final,
}

/// A step to take: a module, or a choice to make.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NextStep {
    /// A module.
    Module {
        /// Its key.
        module: String,
        /// Why.
        reason: NextReason,
        /// Whether the player should start it by itself.
        autoplay: bool,
    },
    /// A choice.
    Choice {
        /// The stage.
        stage: String,
        /// The branches that may be chosen.
        branches: Vec<String>,
        /// Always `choose_branch`.
        reason: NextReason,
    },
}
