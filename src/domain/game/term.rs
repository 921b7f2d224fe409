//! The time of a game: what counts, and until when anything can be changed.

use chrono::{DateTime, Utc};

/// When a game begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// From here on it counts.
    pub starts_at: DateTime<Utc>,
    /// From here on it does not count any more; none for a game that is closed by hand.
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether its standings are final already.
    pub closed: bool,
}

impl Term {
    /// Whether the game is over. It is so from `ends_at` on, though its standings are made final a moment later: what happened
    /// before may still have to be counted.
    #[must_use]
    pub fn over(&self, now: DateTime<Utc>) -> bool {
        self.closed || self.ends_at.is_some_and(|end| end <= now)
    }

    /// Whether what happens at an instant counts: not before the start, not at the end or later, and not in a closed game.
    #[must_use]
    pub fn counts(&self, at: DateTime<Utc>) -> bool {
        self.starts_at <= at && !self.over(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_counts_from_its_start_to_the_instant_before_its_end() {
        let at = |text: &str| -> DateTime<Utc> { format!("2026-11-24T{text}Z").parse().unwrap() };
        let term = |ends_at, closed| Term { starts_at: at("10:00:00"), ends_at, closed };
        let (ends, forever, closed) =
            (term(Some(at("11:00:00")), false), term(None, false), term(Some(at("11:00:00")), true));
        for (term, now, counts, over) in [
            (ends, "09:59:59", false, false),
            (ends, "10:00:00", true, false),
            (ends, "10:59:59.999999", true, false),
            (ends, "11:00:00", false, true),
            (ends, "12:00:00", false, true),
            (forever, "12:00:00", true, false),
            (closed, "10:30:00", false, true),
        ] {
            assert_eq!((term.counts(at(now)), term.over(at(now))), (counts, over), "{term:?} {now}");
        }
    }
}
