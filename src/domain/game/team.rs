//! What a team's score is, and which team stands before which.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::settings::TeamScore;

/// A team with what counts for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The team.
    pub team: Uuid,
    /// Sum of the points that were earned for it.
    pub sum: i64,
    /// Heads that the mean is taken over: members now, and those who left but earned for it.
    pub heads: i64,
    /// Points of the k best who earned for it, for [`TeamScore::TopK`].
    pub top: i64,
    /// When it got to its sum.
    pub reached_at: Option<DateTime<Utc>>,
}

/// A score as a fraction, so that teams are compared exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    points: i64,
    over: i64,
}

impl Score {
    /// The score as a number, to four decimals.
    #[must_use]
    pub fn value(self) -> f64 {
        let tens = i128::from(self.points).saturating_mul(20_000).saturating_add(i128::from(self.over));
        let rounded = tens.div_euclid(i128::from(self.over).saturating_mul(2).max(1));
        // Whole and broken part each fit what f64 can hold exactly for any score that a game can reach.
        let whole = i64::try_from(rounded.div_euclid(10_000)).unwrap_or(i64::MAX);
        let part = i32::try_from(rounded.rem_euclid(10_000)).unwrap_or(0);
        let high = i32::try_from(whole.div_euclid(1 << 30)).unwrap_or(i32::MAX);
        let low = i32::try_from(whole.rem_euclid(1 << 30)).unwrap_or(0);
        f64::from(high) * f64::from(1_i32 << 30) + f64::from(low) + f64::from(part) / 10_000.0
    }
}

/// Millionths of a point as a number, to four decimals.
#[must_use]
pub fn from_millionths(n: i64) -> f64 {
    Score { points: n, over: 1_000_000 }.value()
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = i128::from(self.points).saturating_mul(i128::from(other.over));
        left.cmp(&i128::from(other.points).saturating_mul(i128::from(self.over)))
    }
}

impl Standing {
    /// The score by the game's rule.
    #[must_use]
    pub fn score(&self, rule: TeamScore) -> Score {
        match rule {
            TeamScore::Sum => Score { points: self.sum, over: 1 },
            TeamScore::Mean => Score { points: self.sum, over: self.heads.max(1) },
            TeamScore::TopK(_) => Score { points: self.top, over: 1 },
        }
    }
}

/// Puts teams in order: by score, then who got there first, then by id. The position is the rank.
pub fn rank(teams: &mut [Standing], rule: TeamScore) {
    teams.sort_by(|a, b| {
        let first = |team: &Standing| team.reached_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        b.score(rule).cmp(&a.score(rule)).then_with(|| first(a).cmp(&first(b))).then_with(|| a.team.cmp(&b.team))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bounds::Within;

    fn team(n: u128, sum: i64, heads: i64, top: i64, second: i64) -> Standing {
        let reached_at = DateTime::from_timestamp(second, 0);
        Standing { team: Uuid::from_u128(n), sum, heads, top, reached_at }
    }

    #[test]
    fn each_rule_has_its_own_winner() {
        // A big team, a small one, and one with two stars.
        let teams = [team(1, 100, 10, 40, 1), team(2, 30, 2, 30, 2), team(3, 60, 6, 55, 3)];
        for (rule, order) in
            [(TeamScore::Sum, [1, 3, 2]), (TeamScore::Mean, [2, 1, 3]), (TeamScore::TopK(Within(2)), [3, 1, 2])]
        {
            let mut list = teams.to_vec();
            rank(&mut list, rule);
            assert_eq!(list.iter().map(|t| t.team.as_u128()).collect::<Vec<_>>(), order, "{rule:?}");
        }
    }

    #[test]
    fn means_are_compared_exactly_and_ties_go_to_the_earlier() {
        let mut list = [team(1, 2, 6, 0, 9), team(2, 1, 3, 0, 5), team(3, 333_333, 1_000_000, 0, 1)];
        rank(&mut list, TeamScore::Mean);
        assert_eq!(list.iter().map(|t| t.team.as_u128()).collect::<Vec<_>>(), [2, 1, 3]);
    }

    #[test]
    fn scores_are_shown_rounded() {
        let value = |points, over| Score { points, over }.value();
        for (shown, wanted) in [
            (value(2, 3), 0.6667),
            (value(-2, 3), -0.6667),
            (value(10, 1), 10.0),
            (value(5_000_000_000_001, 2), 2_500_000_000_000.5),
        ] {
            assert!((shown - wanted).abs() < 1e-9, "{shown} {wanted}");
        }
    }

    #[test]
    fn nobody_stands_below_an_empty_team_without_cause() {
        let mut list = [team(1, 0, 0, 0, 0), team(2, -5, 1, -5, 0)];
        rank(&mut list, TeamScore::Mean);
        assert_eq!(list[0].team, Uuid::from_u128(1));
    }
}
