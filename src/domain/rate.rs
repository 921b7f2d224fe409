//! A token bucket as one number: the instant at which the bucket would be full again (the generic cell rate algorithm).

/// So many requests in a minute, all of which may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests in a minute; at least 1.
    pub per_minute: u32,
}

/// What a request found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub allowed: bool,
    /// When the bucket is full again, µs; to be stored when the request passes.
    pub full_at: i64,
    /// Requests left just now.
    pub remaining: u32,
    /// Whole seconds until the bucket is full, or, when refused, until one more may pass.
    pub wait_seconds: i64,
}

const MINUTE: i64 = 60_000_000;

impl Limit {
    /// Takes one from a bucket that would be full at `full_at`; both in µs.
    #[must_use]
    pub fn take(self, full_at: i64, now: i64) -> Verdict {
        let each = MINUTE / i64::from(self.per_minute.max(1));
        let capacity = each.saturating_mul(i64::from(self.per_minute.max(1)));
        let after = full_at.max(now).saturating_add(each);
        let used = after.saturating_sub(now);
        let seconds = |micros: i64| micros.saturating_add(999_999) / 1_000_000;
        if used > capacity {
            let wait = seconds(used.saturating_sub(capacity)).max(1);
            return Verdict { allowed: false, full_at, remaining: 0, wait_seconds: wait };
        }
        let remaining = u32::try_from(capacity.saturating_sub(used) / each.max(1)).unwrap_or(0);
        Verdict { allowed: true, full_at: after, remaining, wait_seconds: seconds(used) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_empties_and_fills_again() {
        let limit = Limit { per_minute: 3 };
        let mut full_at = 0;
        for left in [2, 1, 0] {
            let verdict = limit.take(full_at, 1_000);
            assert_eq!((verdict.allowed, verdict.remaining), (true, left));
            full_at = verdict.full_at;
        }
        let refused = limit.take(full_at, 1_000);
        assert_eq!((refused.allowed, refused.wait_seconds), (false, 20));
        assert!(limit.take(full_at, 20_001_000).allowed);
    }

    proptest::proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(per_minute in 1_u32..1000, gaps in proptest::collection::vec(0_i64..2_000_000, 1..200)) {
            let limit = Limit { per_minute };
            let (mut now, mut full_at, mut passed) = (0_i64, 0_i64, 0_i64);
            for gap in gaps {
                now += gap;
                let verdict = limit.take(full_at, now);
                if verdict.allowed {
                    passed += 1;
                    full_at = verdict.full_at;
                }
            }
            let each = MINUTE / i64::from(per_minute);
            proptest::prop_assert!(passed <= i64::from(per_minute) + now / each + 1);
        }
    }
}
