//! Entries of the ledger by what they belong to. What was taken back whole counts neither as a day nor for when a sum was reached:
//! it is as if it had never been given.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// An entry, as far as it matters here.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// The team held when it was earned.
    pub team: Option<Uuid>,
    /// The event that caused it.
    pub event: Option<Uuid>,
    /// The rule that gave it.
    pub rule: Option<String>,
    /// The entry that it takes back or corrects.
    pub corrects: Option<Uuid>,
    /// How many.
    pub points: i64,
    /// The instant that it counts for.
    pub at: DateTime<Utc>,
    /// Whether it was earned, not given by hand.
    pub earned: bool,
}

/// What is left of entries that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Whose.
    pub user: Uuid,
    /// The team held when it was earned.
    pub team: Option<Uuid>,
    /// What is left.
    pub points: i64,
    /// The instant that it counts for.
    pub at: DateTime<Utc>,
    /// Whether it was earned, not given by hand.
    pub earned: bool,
}

/// Puts together what a rule gave for an event, and what corrects an entry with that entry. Lines come in order of their ids.
#[must_use]
pub fn causes(lines: impl IntoIterator<Item = Line>) -> Vec<Cause> {
    type Key = (Uuid, Option<Uuid>, Result<(Uuid, String), Uuid>);
    // A correction of a correction belongs to what the first one corrects; ids follow the clock.
    let mut first: HashMap<Uuid, Uuid> = HashMap::new();
    let mut all: HashMap<Key, Cause> = HashMap::new();
    for line in lines {
        let root = line.corrects.map_or(line.id, |other| first.get(&other).copied().unwrap_or(other));
        first.insert(line.id, root);
        let key = (line.user, line.team, line.event.zip(line.rule).ok_or(root));
        let fresh = Cause { user: line.user, team: line.team, points: 0, at: line.at, earned: false };
        let cause = all.entry(key).or_insert(fresh);
        cause.points = cause.points.saturating_add(line.points);
        cause.at = cause.at.max(line.at);
        cause.earned |= line.earned;
    }
    all.into_values().collect()
}

/// The days on which something was earned of which something is left.
#[must_use]
pub fn days(causes: &[Cause]) -> BTreeSet<NaiveDate> {
    causes.iter().filter(|cause| cause.earned && cause.points > 0).map(|cause| cause.at.date_naive()).collect()
}

/// When the sums of one player were reached, by bucket, of the whole (without a team) and of what was earned for each team: at the
/// newest of which anything is left. Buckets of which nothing is left are missing.
#[must_use]
pub fn reached(
    causes: &[Cause],
    buckets: impl Fn(DateTime<Utc>) -> Vec<String>,
) -> HashMap<(Option<Uuid>, String), DateTime<Utc>> {
    let mut all: HashMap<(Option<Uuid>, String), DateTime<Utc>> = HashMap::new();
    for cause in causes.iter().filter(|cause| cause.points != 0) {
        for bucket in buckets(cause.at) {
            for team in std::iter::once(None).chain(cause.team.map(Some)) {
                let at = all.entry((team, bucket.clone())).or_insert(cause.at);
                *at = (*at).max(cause.at);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour)
    }

    fn line(id: u128, of: Option<u128>, corrects: Option<u128>, points: i64, hour: i64) -> Line {
        Line {
            id: Uuid::from_u128(id),
            user: Uuid::nil(),
            team: None,
            event: of.map(Uuid::from_u128),
            rule: of.map(|_| "r".to_owned()),
            corrects: corrects.map(Uuid::from_u128),
            points,
            at: at(hour),
            earned: of.is_some(),
        }
    }

    #[test]
    fn what_was_taken_back_whole_was_never_reached() {
        let mut lines = vec![line(1, Some(1), None, 10, 1), line(2, Some(2), None, 10, 30), line(3, None, None, 5, 60)];
        let then = |lines: &[Line]| {
            let all = causes(lines.to_vec());
            (reached(&all, |_| vec!["all".to_owned()]).get(&(None, "all".to_owned())).copied(), days(&all).len())
        };
        assert_eq!(then(&lines), (Some(at(60)), 2));
        lines.push(line(4, None, Some(3), -5, 60));
        assert_eq!(then(&lines), (Some(at(30)), 2));
        // In part it still stands; the rest of it is taken back by another entry than the one that gave it.
        lines.push(line(5, Some(2), Some(2), -4, 30));
        assert_eq!(then(&lines), (Some(at(30)), 2));
        lines.push(line(6, Some(2), None, -6, 30));
        assert_eq!(then(&lines), (Some(at(1)), 1));
        // A correction of a correction.
        lines.push(line(7, None, Some(4), 5, 60));
        assert_eq!(then(&lines), (Some(at(60)), 1));
    }
}
