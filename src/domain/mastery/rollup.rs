//! What children say about their parent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::method::reaches;

/// How a parent rolls up from its children.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rollup {
    /// Mastered when all required children are: the value is that of the weakest of them, each seen on the scale of its parent, so
    /// that to reach the child's own threshold is to reach the parent's.
    AllRequired,
    /// Children that reach their own threshold give their points. Mastered, with the value 1, when they give all the points needed;
    /// until then the value is as far below the parent's threshold as points are missing.
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

impl Child {
    /// Its mastery on the scale of a parent that counts as reached from `at_least` on: below and above the thresholds as far as here.
    fn seen_from(&self, at_least: f64) -> Option<f64> {
        let (mastery, own) = (self.mastery?, self.at_least);
        Some(if (own - at_least).abs() < f64::EPSILON {
            mastery
        } else if !reaches(mastery, own) {
            mastery / own * at_least
        } else if own >= 1.0 {
            1.0
        } else {
            at_least + (mastery - own).max(0.0) / (1.0 - own) * (1.0 - at_least)
        })
    }
}

impl Rollup {
    /// The mastery of a parent that counts as reached from `at_least` on; `None` while nothing can be said.
    #[must_use]
    pub fn mastery(self, children: &[Child], at_least: f64) -> Option<f64> {
        match self {
            Self::AllRequired => {
                // One required child without evidence leaves the parent unknown, however good the others are.
                let required = children.iter().filter(|c| c.required);
                let values: Option<Vec<f64>> = required.map(|c| c.seen_from(at_least)).collect();
                values?.into_iter().reduce(f64::min)
            }
            Self::Points { needed } => {
                if needed <= 0.0 || children.iter().all(|c| c.mastery.is_none()) {
                    return None;
                }
                let reached = children.iter().filter(|c| c.mastery.is_some_and(|m| reaches(m, c.at_least)));
                let share = reached.map(|c| c.points).sum::<f64>() / needed;
                Some(if reaches(share, 1.0) { 1.0 } else { share.max(0.0) * at_least })
            }
        }
    }

    /// The formula of a parent that counts as reached from `at_least` on, for whoever asks how a value came about.
    #[must_use]
    pub fn formula(self, at_least: f64) -> String {
        match self {
            Self::AllRequired => format!(
                "min(mastery of the required children, each stretched so that its own threshold falls on {at_least}); null while one \
                 has none"
            ),
            Self::Points { needed } => format!(
                "1 when the children that reach their threshold give {needed} points, else their points / {needed} · {at_least}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn child(mastery: Option<f64>, required: bool, points: f64) -> Child {
        Child { mastery, required, points, at_least: 0.8 }
    }

    #[test]
    fn the_weakest_required_child_decides() {
        let all = |children: &[Child]| Rollup::AllRequired.mastery(children, 0.8);
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(Some(0.6), true, 0.0)]), Some(0.6));
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(None, true, 0.0)]), None);
        assert_eq!(all(&[child(Some(0.9), true, 0.0), child(Some(0.1), false, 0.0)]), Some(0.9));
        assert_eq!(all(&[child(Some(0.9), false, 0.0)]), None);
    }

    #[test]
    fn children_count_by_their_own_thresholds() {
        let mastered = |a: f64, b: f64| {
            let child = |mastery, at_least| Child { mastery: Some(mastery), required: true, points: 1.0, at_least };
            let value = Rollup::AllRequired.mastery(&[child(a, 0.5), child(b, 0.9)], 0.8);
            value.is_some_and(|value| reaches(value, 0.8))
        };
        assert!(mastered(0.6, 0.95), "both reach their own");
        assert!(!mastered(0.85, 0.85), "the second does not");
        assert!(mastered(0.5, 0.9), "just so");
    }

    #[test]
    fn points_add_up_to_what_is_needed() {
        let of = |children: &[Child]| Rollup::Points { needed: 4.0 }.mastery(children, 0.8);
        let short = of(&[child(Some(0.8), true, 3.0), child(None, false, 1.0)]);
        assert!(
            short.is_some_and(|value| (value - 0.6).abs() < 1e-9 && !reaches(value, 0.8)),
            "three quarters of the way"
        );
        assert_eq!(of(&[child(None, true, 4.0)]), None);
        assert_eq!(of(&[child(Some(0.79), true, 4.0)]), Some(0.0));
        assert_eq!(of(&[child(Some(0.8), true, 3.0), child(Some(1.0), false, 3.0)]), Some(1.0));
    }

    proptest! {
        /// A parent is mastered exactly when what it rolls up from is, whatever the thresholds.
        #[test]
        fn a_parent_is_mastered_when_its_children_are(
            children in prop::collection::vec((0.0..=1.0_f64, 0.05..=1.0_f64, 1_u32..5), 1..6), at_least in 0.05..=1.0_f64, needed in 1_u32..12,
        ) {
            let children: Vec<Child> = children.into_iter()
                .map(|(mastery, own, points)| Child { mastery: Some(mastery), required: true, points: points.into(), at_least: own })
                .collect();
            let reached = |c: &&Child| c.mastery.is_some_and(|mastery| reaches(mastery, c.at_least));
            let is = |rollup: Rollup| rollup.mastery(&children, at_least).is_some_and(|value| (0.0..=1.0).contains(&value) && reaches(value, at_least));
            prop_assert_eq!(is(Rollup::AllRequired), children.iter().all(|c| reached(&c)));
            let points: f64 = children.iter().filter(reached).map(|c| c.points).sum();
            prop_assert_eq!(is(Rollup::Points { needed: needed.into() }), points >= f64::from(needed));
        }
    }
}
