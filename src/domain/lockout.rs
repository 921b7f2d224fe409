//! How long a log-in must wait after so many failed ones: nothing at first, then twice as long each time, up to a bound.

use chrono::{DateTime, TimeDelta, Utc};

/// When waiting begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures without a wait.
    pub free: i32,
    /// Seconds to wait after the first failure that is not free.
    pub first_seconds: i64,
    /// Longest wait.
    pub most_seconds: i64,
}

/// For one account: slow for whoever guesses, a coffee break for whoever mistypes.
pub const ACCOUNT: Policy = Policy { free: 5, first_seconds: 2, most_seconds: 900 };
/// For one address, behind which a whole company may sit.
pub const ADDRESS: Policy = Policy { free: 50, first_seconds: 2, most_seconds: 900 };
/// Hours after the last failure when all are forgotten.
pub const FORGOTTEN_HOURS: i64 = 24;

/// Failures that are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i32,
    /// The last one.
    pub last_at: DateTime<Utc>,
    /// No log-in before.
    pub blocked_until: Option<DateTime<Utc>>,
}

impl Failures {
    /// Whole seconds until the next log-in may be tried; `None` when it may now.
    #[must_use]
    pub fn wait_seconds(&self, now: DateTime<Utc>) -> Option<i64> {
        let left = self.blocked_until?.signed_duration_since(now);
        (left > TimeDelta::zero()).then(|| left.num_seconds().saturating_add(1))
    }
}

impl Policy {
    /// What is remembered after one more failure.
    #[must_use]
    pub fn fail(&self, before: Option<Failures>, now: DateTime<Utc>) -> Failures {
        let remembered = before.filter(|f| now.signed_duration_since(f.last_at) < TimeDelta::hours(FORGOTTEN_HOURS));
        let count = remembered.map_or(0, |f| f.count).saturating_add(1);
        Failures { count, last_at: now, blocked_until: self.wait(count).map(|wait| now + wait) }
    }

    fn wait(&self, count: i32) -> Option<TimeDelta> {
        let beyond = u32::try_from(count.saturating_sub(self.free)).ok().filter(|n| *n > 0)?;
        let doubled = 1_i64.checked_shl(beyond.saturating_sub(1).min(40)).unwrap_or(i64::MAX);
        Some(TimeDelta::seconds(self.first_seconds.saturating_mul(doubled).min(self.most_seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn waits_double_up_to_the_bound() {
        let mut failures = None;
        let mut waits = Vec::new();
        for _ in 0..17 {
            let next = ACCOUNT.fail(failures, at(0));
            waits.push(next.blocked_until.map_or(0, |t| (t - at(0)).num_seconds()));
            failures = Some(next);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn a_wait_ends_and_a_day_forgets() {
        let failures = Failures { count: 9, last_at: at(0), blocked_until: Some(at(16)) };
        assert_eq!(failures.wait_seconds(at(0)), Some(17));
        assert_eq!(failures.wait_seconds(at(16)), None);
        assert_eq!(ACCOUNT.fail(Some(failures), at(FORGOTTEN_HOURS * 3600)).count, 1);
        assert_eq!(ACCOUNT.fail(Some(failures), at(60)).count, 10);
    }

    proptest::proptest! {
        #[test]
        fn more_failures_never_wait_less(count in 0_i32..i32::MAX - 1) {
            proptest::prop_assert!(ACCOUNT.wait(count) <= ACCOUNT.wait(count + 1));
            proptest::prop_assert!(ACCOUNT.wait(count).is_none_or(|w| w.num_seconds() <= ACCOUNT.most_seconds));
        }
    }
}
