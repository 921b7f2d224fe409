//! Days in a row on which a player earned something.

use std::collections::BTreeSet;

use chrono::NaiveDate;

/// A run of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    /// Days of the present run.
    pub days: i64,
    /// Days of the longest run ever.
    pub longest: i64,
    /// The last day of the present run.
    pub last: Option<NaiveDate>,
}

impl Streak {
    /// Counts a day. Answers whether it was a new one. A day before the last one changes nothing.
    pub fn count(&mut self, day: NaiveDate) -> bool {
        match self.last {
            Some(last) if day <= last => return false,
            Some(last) if last.succ_opt() == Some(day) => self.days = self.days.saturating_add(1),
            _ => self.days = 1,
        }
        self.last = Some(day);
        self.longest = self.longest.max(self.days);
        true
    }

    /// The runs of these days, whatever their order.
    #[must_use]
    pub fn of(days: BTreeSet<NaiveDate>) -> Self {
        let mut streak = Self::default();
        for day in days {
            streak.count(day);
        }
        streak
    }

    /// Days of the run as of a day: a run that missed yesterday is over.
    #[must_use]
    pub fn as_of(&self, today: NaiveDate) -> i64 {
        match self.last {
            Some(last) if last >= today || last.succ_opt() == Some(today) => self.days,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_taken_away_breaks_the_run() {
        let days = |of: &[u32]| of.iter().map(|n| NaiveDate::from_ymd_opt(2026, 11, *n).unwrap()).collect();
        let of = |list: &[u32]| (Streak::of(days(list)).days, Streak::of(days(list)).longest);
        assert_eq!((of(&[3, 1, 2]), of(&[1, 3]), of(&[])), ((3, 3), (1, 1), (0, 0)));
    }

    #[test]
    fn a_missed_day_begins_a_new_run() {
        let day = |n| NaiveDate::from_ymd_opt(2026, 11, n).unwrap();
        let mut streak = Streak::default();
        for (n, days, new) in
            [(1, 1, true), (1, 1, false), (2, 2, true), (3, 3, true), (5, 1, true), (4, 1, false), (6, 2, true)]
        {
            assert_eq!((streak.count(day(n)), streak.days), (new, days), "day {n}");
        }
        assert_eq!(streak.longest, 3);
        assert_eq!([6, 7, 8].map(|n| streak.as_of(day(n))), [2, 2, 0]);
    }
}
