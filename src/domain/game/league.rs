//! Leagues: in each period players meet others like them; the best of each group rise a tier, the last fall one.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::settings::LeagueRules;
use crate::domain::quiz::shuffle::SplitMix64;

/// Where a player is in the period that ends, or was last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The player.
    pub user: Uuid,
    /// The tier, 0 for the lowest.
    pub tier: u32,
    /// The group within all tiers.
    pub group: u32,
    /// Points of the period.
    pub points: i64,
}

/// What becomes of a place when the period ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Rises a tier.
    Promote,
    /// Stays.
    Stay,
    /// Falls a tier.
    Relegate,
}

impl Zone {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Stay => "stay",
            Self::Relegate => "relegate",
        }
    }
}

/// The zone of a rank (beginning with 1) in a group of so many, whose first has `best` points. Nobody rises without points, or
/// without anybody to leave behind, and nobody falls who has as many points as the first; the top tier has no way up and the lowest
/// none down.
#[must_use]
pub fn zone(rules: &LeagueRules, tier: u32, rank: usize, size: usize, points: i64, best: i64) -> Zone {
    if size < 2 {
        return Zone::Stay;
    }
    let top = u32::try_from(rules.tiers.len()).unwrap_or(1).saturating_sub(1);
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    if tier < top && points > 0 && rank <= count(rules.promote) {
        return Zone::Promote;
    }
    // A group that is smaller than planned must not send up and down the same player.
    if tier > 0 && points < best && rank > count(rules.promote) && rank > size.saturating_sub(count(rules.relegate)) {
        return Zone::Relegate;
    }
    Zone::Stay
}

/// A number that belongs to a player and a seed, to order equals by.
fn lot(seed: i64, user: Uuid) -> u64 {
    let (high, low) = user.as_u64_pair();
    SplitMix64(u64::from_be_bytes(seed.to_be_bytes()) ^ high.rotate_left(17) ^ low).next()
}

/// Draws the groups of the next period. `before` are the places of the last one, in their ranks within each group;
/// `newcomers` enter the lowest tier. Players of a tier are grouped with those whose points were similar.
#[must_use]
pub fn next_period(rules: &LeagueRules, before: &[Place], newcomers: &[(Uuid, i64)], seed: i64) -> Vec<Place> {
    let mut groups: BTreeMap<u32, Vec<&Place>> = BTreeMap::new();
    for place in before {
        groups.entry(place.group).or_default().push(place);
    }
    let mut tiers: BTreeMap<u32, Vec<(Uuid, i64)>> = BTreeMap::new();
    for group in groups.values() {
        let best = group.first().map_or(0, |place| place.points);
        for (n, place) in group.iter().enumerate() {
            let tier = match zone(rules, place.tier, n.saturating_add(1), group.len(), place.points, best) {
                Zone::Promote => place.tier.saturating_add(1),
                Zone::Relegate => place.tier.saturating_sub(1),
                Zone::Stay => place.tier,
            };
            tiers.entry(tier).or_default().push((place.user, place.points));
        }
    }
    tiers.entry(0).or_default().extend(newcomers);
    let mut drawn = Vec::new();
    let mut group = 0_u32;
    let size = usize::try_from(rules.group_size).unwrap_or(usize::MAX).max(2);
    for (tier, mut players) in tiers {
        players.sort_by_key(|(user, points)| (std::cmp::Reverse(*points), lot(seed, *user), *user));
        // Rather a group of one too many than somebody alone.
        let count = players.len().div_ceil(size).min((players.len() / 2).max(1));
        let mut rest = players.as_slice();
        for n in 0..count {
            // Even groups: the last one is not left with the few who remain.
            let take = rest.len().div_ceil(count.saturating_sub(n).max(1));
            let (now, later) = rest.split_at(take.min(rest.len()));
            drawn.extend(now.iter().map(|(user, _)| Place { user: *user, tier, group, points: 0 }));
            rest = later;
            group = group.saturating_add(1);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::game::period::Period;

    fn rules() -> LeagueRules {
        LeagueRules {
            period: Period::Week,
            tiers: vec!["Bronze".into(), "Silver".into(), "Gold".into()],
            group_size: 4,
            promote: 1,
            relegate: 1,
        }
    }

    #[test]
    fn the_top_rises_and_the_bottom_falls() {
        let place = |user, tier, group, points| Place { user: Uuid::from_u128(user), tier, group, points };
        let before = [place(1, 1, 0, 90), place(2, 1, 0, 50), place(3, 1, 0, 10), place(4, 0, 1, 8), place(5, 0, 1, 0)];
        let after = next_period(&rules(), &before, &[(Uuid::from_u128(6), 0)], 1);
        let tier = |user| after.iter().find(|p| p.user == Uuid::from_u128(user)).unwrap().tier;
        assert_eq!([1, 2, 3, 4, 5, 6].map(tier), [2, 1, 0, 1, 0, 0]);
    }

    #[test]
    fn nobody_rises_without_points() {
        assert_eq!(zone(&rules(), 0, 1, 4, 0, 0), Zone::Stay);
        assert_eq!(zone(&rules(), 2, 1, 4, 9, 9), Zone::Stay);
        assert_eq!(zone(&rules(), 1, 1, 2, 9, 9), Zone::Promote);
        assert_eq!(zone(&rules(), 1, 4, 4, 9, 12), Zone::Relegate);
        assert_eq!(zone(&rules(), 0, 4, 4, 9, 12), Zone::Stay);
    }

    #[test]
    fn nobody_rises_alone_or_falls_among_equals() {
        assert_eq!(zone(&rules(), 1, 1, 1, 9, 9), Zone::Stay);
        let place = |user| Place { user: Uuid::from_u128(user), tier: 1, group: 0, points: 0 };
        let after = next_period(&rules(), &[place(1), place(2), place(3)], &[], 1);
        assert!(after.iter().all(|place| place.tier == 1), "{after:?}");
    }

    proptest! {
        #[test]
        fn a_draw_keeps_everyone_in_even_groups(points in proptest::collection::vec(0i64..50, 0..200), seed: i64, size in 2u32..5) {
            let rules = LeagueRules { group_size: size, ..rules() };
            let newcomers: Vec<(Uuid, i64)> = points.iter().enumerate().map(|(n, p)| (Uuid::from_u128(u128::try_from(n).unwrap()), *p)).collect();
            let drawn = next_period(&rules, &[], &newcomers, seed);
            prop_assert_eq!(&drawn, &next_period(&rules, &[], &newcomers, seed));
            prop_assert_eq!(drawn.len(), newcomers.len());
            let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
            for place in &drawn {
                *sizes.entry(place.group).or_default() += 1;
            }
            if let (Some(least), Some(most)) = (sizes.values().min(), sizes.values().max()) {
                // Two and two, and a third where one would be alone.
                prop_assert!(most - least <= 1 && *most <= usize::try_from(size).unwrap().max(3));
                prop_assert!(*least > 1 || newcomers.len() == 1);
            }
        }
    }
}
