//! What children say about their parent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::method::reaches;

/// How a parent rolls up from its children.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rollup {
    /// Mastered when all required children are: the value is that of the weakest of them.
    AllRequired,
    /// Children that reach their own threshold give their points; the value is the share of the points needed.
    Points {
        /// Points that make the parent mastered; more than 0.
        needed: f64,
    },
}

/// A child, as its parent sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Child {
    /// Its own mastery.
    pub mastery: Option<f64>,
    /// Whether the parent requires it.
    pub required: bool,
    /// What it gives when it reaches its threshold.
    pub points: f64,
    /// The mastery from which it counts as reached.
    pub at_least: f64,
}

impl Rollup {
    /// The parent's mastery; `None` while nothing can be said.
    #[must_use]
    pub fn mastery(self, children: &[Child]) -> Option<f64> {
        match self {
            Self::AllRequired => {
                // One required child without evidence leaves the parent unknown, however good the others are.
                let values: Option<Vec<f64>> = children.iter().filter(|c| c.required).map(|c| c.mastery).collect();
                values?.into_iter().reduce(f64::min)
            }
            Self::Points { needed } => {
                if needed <= 0.0 || children.iter().all(|c| c.mastery.is_none()) {
                    return None;
                }
                let reached = children.iter().filter(|c| c.mastery.is_some_and(|m| reaches(m, c.at_least)));
                Some((reached.map(|c| c.points).sum::<f64>() / needed).clamp(0.0, 1.0))
            }
        }
    }

    /// The formula, for whoever asks how a value came about.
    #[must_use]
    pub fn formula(self) -> String {
        match self {
            Self::AllRequired => "min(mastery of the required children); null while one has none".to_owned(),
            Self::Points { needed } => format!("min(1, points of the children that reach their threshold / {needed})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(mastery: Option<f64>, required: bool, points: f64) -> Child {
        Child { mastery, required, points, at_least: 0.8 }
    }

    #[test]
    fn the_weakest_required_child_decides() {
        let all = |children: &[Child]| Rollup::AllRequired.mastery(children);
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(Some(0.6), true, 0.0)]), Some(0.6));
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(None, true, 0.0)]), None);
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(Some(0.1), false, 0.0)]), Some(0.9));
        assert_eq!(all(&[child(Some(0.9), false, 0.0)]), None);
    }

    #[test]
    fn points_add_up_to_what_is_needed() {
        let of = |children: &[Child]| Rollup::Points { needed: 4.0 }.mastery(children);
        assert_eq!(of(&[child(None, true, 4.0)]), None);
        assert_eq!(of(&[child(Some(0.79), true, 4.0)]), Some(0.0));
        assert_eq!(of(&[child(Some(0.8), true, 3.0), child(None, false, 1.0)]), Some(0.75));
        assert_eq!(of(&[child(Some(0.8), true, 3.0), child(Some(1.0), false, 3.0)]), Some(1.0));
    }
}
