//! Who is behind: a required level that was due and is not reached, told once per crossing.

use chrono::TimeDelta;

use super::method::reaches;
use crate::domain::condition::later;
use crate::domain::facts::Instant;

/// When a competency is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At this instant for everyone.
    At(Instant),
    /// So many days of 24 hours after the enrollment.
    DaysAfterEnrollment(u32),
}

impl Due {
    /// When it is due for a learner.
    #[must_use]
    pub fn instant(self, enrolled_at: Instant) -> Instant {
        match self {
            Self::At(at) => at,
            Self::DaysAfterEnrollment(days) => later(enrolled_at, TimeDelta::days(days.into())),
        }
    }
}

/// Whole days by which a learner is behind; `None` when the level is reached or nothing is due yet.
#[must_use]
pub fn behind_days(mastery: Option<f64>, at_least: f64, due: Instant, now: Instant) -> Option<i64> {
    if now < due || mastery.is_some_and(|m| reaches(m, at_least)) {
        return None;
    }
    Some(now.signed_duration_since(due).num_days())
}

/// What to do with the mark that says that a crossing was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// Tell it and set the mark.
    Fire,
    /// The learner caught up: take the mark away, so that the next crossing is told again.
    Rearm,
    /// Leave all as it is.
    Stay,
}

/// Decides about a crossing of `days` days: `told` is whether the mark is set.
#[must_use]
pub fn crossing(behind: Option<i64>, days: u32, told: bool) -> Crossing {
    match (behind, told) {
        (Some(behind), false) if behind >= i64::from(days) => Crossing::Fire,
        (None, true) => Crossing::Rearm,
        _ => Crossing::Stay,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Instant {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn days_are_whole_and_begin_at_the_due_time() {
        let due = Due::DaysAfterEnrollment(14).instant(at(0));
        assert_eq!(due, at(14 * DAY));
        assert_eq!(Due::At(at(5)).instant(at(0)), at(5));
        let of = |mastery, now| behind_days(mastery, 0.8, due, at(now));
        assert_eq!(of(None, 14 * DAY - 1), None);
        assert_eq!(of(None, 14 * DAY), Some(0));
        assert_eq!(of(Some(0.79), 15 * DAY - 1), Some(0));
        assert_eq!(of(Some(0.79), 21 * DAY), Some(7));
        assert_eq!(of(Some(0.8), 21 * DAY), None);
    }

    #[test]
    fn a_crossing_is_told_once_and_again_after_catching_up() {
        let mut told = false;
        let mut fired = 0;
        for behind in [None, Some(6), Some(7), Some(8), None, Some(3), Some(7), Some(30)] {
            match crossing(behind, 7, told) {
                Crossing::Fire => (told, fired) = (true, fired + 1),
                Crossing::Rearm => told = false,
                Crossing::Stay => {}
            }
        }
        assert_eq!(fired, 2);
    }

    proptest! {
        #[test]
        fn whoever_mastered_early_is_never_told(now in 0i64..100, mastery in 0.8f64..=1.0, days in 0u32..30) {
            let behind = behind_days(Some(mastery), 0.8, at(10 * DAY), at(now * DAY));
            prop_assert_eq!(crossing(behind, days, false), Crossing::Stay);
        }
    }
}
