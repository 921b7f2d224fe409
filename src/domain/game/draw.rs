//! Teams drawn evenly from a seed: sizes differ by at most one; by points, strength differs by as
//! little as is found by swapping two players at a time.

use uuid::Uuid;

use crate::domain::quiz::shuffle::shuffle;

/// Somebody to be put into a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Player {
    /// Who.
    pub id: Uuid,
    /// Points so far, or any other measure of strength.
    pub points: i64,
}

/// Swaps tried at most, so that a draw always ends soon.
const MAX_SWAPS: usize = 20_000;
/// Fixed-point scale of a mean.
const SCALE: i128 = 1_000_000;

/// A seed as the generator takes it.
fn bits(seed: i64) -> u64 {
    u64::from_be_bytes(seed.to_be_bytes())
}

/// The team of each seat, in the order in which seats are filled: always those that have fewest, so that sizes are as even as
/// those who stay allow. A snake goes through every other round backwards.
fn seats(held: &[Vec<Player>], count: usize, snake: bool) -> Vec<usize> {
    let mut sizes: Vec<usize> = held.iter().map(Vec::len).collect();
    let mut seats = Vec::with_capacity(count);
    let mut backwards = false;
    while seats.len() < count {
        let Some(least) = sizes.iter().min().copied() else { break };
        let mut round: Vec<usize> = (0..sizes.len()).filter(|team| sizes.get(*team) == Some(&least)).collect();
        if backwards {
            round.reverse();
        }
        round.truncate(count.saturating_sub(seats.len()));
        for team in &round {
            if let Some(size) = sizes.get_mut(*team) {
                *size = size.saturating_add(1);
            }
        }
        seats.extend(round);
        backwards = snake && !backwards;
    }
    seats
}

fn deal(players: Vec<Player>, held: &[Vec<Player>], snake: bool) -> Vec<Vec<Player>> {
    let mut drawn = vec![Vec::new(); held.len()];
    for (team, player) in seats(held, players.len(), snake).into_iter().zip(players) {
        if let Some(team) = drawn.get_mut(team) {
            team.push(player);
        }
    }
    drawn
}

/// Deals players out to teams by chance alone. `held` has a list for each team of those who are in it and stay; the answer has
/// one of those who are new.
#[must_use]
pub fn by_size(mut players: Vec<Player>, held: &[Vec<Player>], seed: i64) -> Vec<Vec<Player>> {
    // In order of id first, so that the order in which they were loaded does not matter.
    players.sort_unstable_by_key(|player| player.id);
    shuffle(&mut players, bits(seed));
    deal(players, held, false)
}

/// As [`by_size`], so that teams are equally strong: strongest first in a snake, then swaps between the strongest team and
/// others for as long as they bring the means closer together.
#[must_use]
pub fn by_points(mut players: Vec<Player>, held: &[Vec<Player>], seed: i64) -> Vec<Vec<Player>> {
    players.sort_unstable_by_key(|player| player.id);
    shuffle(&mut players, bits(seed));
    players.sort_by_key(|player| std::cmp::Reverse(player.points));
    let mut drawn = deal(players, held, true);
    improve(&mut drawn, held);
    // Which team is which is left to chance too, so that another seed is another draw though no two have equal points.
    let mut free: Vec<&mut Vec<Player>> =
        drawn.iter_mut().zip(held).filter(|(_, held)| held.is_empty()).map(|(team, _)| team).collect();
    let mut taken: Vec<Vec<Player>> = free.iter_mut().map(|team| std::mem::take(*team)).collect();
    shuffle(&mut taken, bits(seed).rotate_left(32));
    for (slot, team) in free.into_iter().zip(taken) {
        *slot = team;
    }
    drawn
}

/// What those who stay add to a team: points, heads.
type Base = (i128, i128);

fn base(held: &[Player]) -> Base {
    (held.iter().map(|player| i128::from(player.points)).sum(), i128::try_from(held.len()).unwrap_or(0))
}

/// Heads of a team; a team of nobody is divided by as if by one.
fn heads(team: &[Player], base: Base) -> i128 {
    i128::try_from(team.len()).unwrap_or(1).saturating_add(base.1).max(1)
}

/// The mean of a team, times [`SCALE`].
fn strength(team: &[Player], base: Base) -> i128 {
    let sum: i128 = team.iter().map(|player| i128::from(player.points)).sum();
    sum.saturating_add(base.0).saturating_mul(SCALE) / heads(team, base)
}

/// The greatest mean minus the least, in millionths of a point.
#[must_use]
pub fn spread(teams: &[Vec<Player>]) -> i128 {
    let means = teams.iter().filter(|team| !team.is_empty()).map(|team| strength(team, (0, 0)));
    means.clone().max().unwrap_or(0).saturating_sub(means.min().unwrap_or(0))
}

fn improve(teams: &mut [Vec<Player>], held: &[Vec<Player>]) {
    let bases: Vec<Base> = held.iter().map(|team| base(team)).collect();
    let base_of = |team: usize| bases.get(team).copied().unwrap_or_default();
    for team in teams.iter_mut() {
        team.sort_by_key(|player| (player.points, player.id));
    }
    let mut means: Vec<i128> = teams.iter().zip(&bases).map(|(team, base)| strength(team, *base)).collect();
    for _ in 0..MAX_SWAPS {
        let peopled = |t: &usize| base_of(*t).1 > 0 || teams.get(*t).is_some_and(|team| !team.is_empty());
        let mut order: Vec<usize> = (0..teams.len()).filter(peopled).collect();
        order.sort_by_key(|t| (means.get(*t).copied(), *t));
        // The extremes decide the spread: move either of them towards any team at the other side.
        let (Some(low), Some(high)) = (order.first().copied(), order.last().copied()) else { return };
        let pairs = order.iter().map(|t| (high, *t)).chain(order.iter().rev().map(|t| (*t, low)));
        let swap = pairs.filter(|(strong, weak)| means.get(*strong) > means.get(*weak)).find_map(|(strong, weak)| {
            let gap = means.get(strong)?.saturating_sub(*means.get(weak)?);
            let sides = [(teams.get(strong)?, base_of(strong)), (teams.get(weak)?, base_of(weak))];
            best_swap(sides, gap).map(|(i, j)| (strong, i, weak, j))
        });
        let Some((strong, i, weak, j)) = swap else { return };
        exchange(teams, (strong, i), (weak, j));
        for t in [strong, weak] {
            if let (Some(team), Some(mean)) = (teams.get_mut(t), means.get_mut(t)) {
                team.sort_by_key(|player| (player.points, player.id));
                *mean = strength(team, base_of(t));
            }
        }
    }
}

fn exchange(teams: &mut [Vec<Player>], a: (usize, usize), b: (usize, usize)) {
    let at = |teams: &[Vec<Player>], (team, n): (usize, usize)| teams.get(team).and_then(|t| t.get(n)).copied();
    let (Some(one), Some(two)) = (at(teams, a), at(teams, b)) else { return };
    for ((team, n), player) in [(a, two), (b, one)] {
        if let Some(slot) = teams.get_mut(team).and_then(|t| t.get_mut(n)) {
            *slot = player;
        }
    }
}

/// The swap between a strong and a weak team that brings their means, which are a gap apart, closest together, if any brings
/// them closer. Both are sorted by points.
fn best_swap([(a, base_a), (b, base_b)]: [(&Vec<Player>, Base); 2], gap: i128) -> Option<(usize, usize)> {
    // A swap of a difference d lowers one mean by d/|a| and raises the other by d/|b|.
    let effect = |d: i128| d.saturating_mul(SCALE) / heads(a, base_a) + d.saturating_mul(SCALE) / heads(b, base_b);
    let mut best: Option<(i128, usize, usize)> = None;
    let mut j = 0_usize;
    for (i, player) in a.iter().enumerate() {
        // As `player` grows, so does the partner that fits best.
        while let Some(other) = b.get(j) {
            let d = i128::from(player.points).saturating_sub(other.points.into());
            if d > 0 {
                let left = gap.saturating_sub(effect(d)).abs();
                if left < gap && best.is_none_or(|(least, ..)| left < least) {
                    best = Some((left, i, j));
                }
            }
            // Give away less when this would overshoot, else try the next player with the same partner.
            if d > 0 && effect(d) > gap && j.saturating_add(1) < b.len() { j = j.saturating_add(1) } else { break }
        }
        if let Some(before) = j.checked_sub(1).and_then(|n| b.get(n).map(|other| (n, other))) {
            let d = i128::from(player.points).saturating_sub(before.1.points.into());
            let left = gap.saturating_sub(effect(d)).abs();
            if d > 0 && left < gap && best.is_none_or(|(least, ..)| left < least) {
                best = Some((left, i, before.0));
            }
        }
    }
    best.map(|(_, i, j)| (i, j))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::quiz::shuffle::SplitMix64;

    fn crowd(n: u64, seed: u64) -> Vec<Player> {
        let mut random = SplitMix64(seed);
        (0..n)
            .map(|id| Player {
                id: Uuid::from_u128(id.into()),
                // Few have many points, as in life.
                points: i64::try_from((random.next() % 1000) * (random.next() % 1000) / 1000).unwrap(),
            })
            .collect()
    }

    fn sizes(teams: &[Vec<Player>]) -> (usize, usize) {
        let len = teams.iter().map(Vec::len);
        (len.clone().min().unwrap(), len.max().unwrap())
    }

    fn nobody(teams: usize) -> Vec<Vec<Player>> {
        vec![Vec::new(); teams]
    }

    /// Teams with those who stay and those who are new.
    fn whole(held: &[Vec<Player>], drawn: &[Vec<Player>]) -> Vec<Vec<Player>> {
        held.iter().zip(drawn).map(|(held, new)| [held.as_slice(), new.as_slice()].concat()).collect()
    }

    #[test]
    fn those_who_stay_count() {
        let mut players = crowd(12, 4);
        let stay = players.split_off(9);
        let held = vec![stay, Vec::new(), Vec::new()];
        for draw in [by_size, by_points] {
            let drawn = draw(players.clone(), &held, 3);
            assert_eq!(whole(&held, &drawn).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
        }
        // One team is full beyond what is even: it gets nobody, and the others share.
        let held = vec![crowd(6, 4), Vec::new(), crowd(1, 8)];
        let new = by_size(crowd(5, 9), &held, 3);
        assert_eq!(new.iter().map(Vec::len).collect::<Vec<_>>(), [0, 3, 2]);
    }

    #[test]
    fn strength_of_those_who_stay_is_made_up_for() {
        let player = |id: u128, points| Player { id: Uuid::from_u128(id), points };
        let held = vec![vec![player(1, 100)], vec![player(2, 0)]];
        let drawn = by_points(vec![player(3, 90), player(4, 10)], &held, 1);
        assert_eq!(drawn, [[player(4, 10)], [player(3, 90)]]);
    }

    #[test]
    fn ten_thousand_into_a_hundred() {
        let players = crowd(10_000, 1);
        let teams = by_points(players.clone(), &nobody(100), 7);
        assert_eq!(sizes(&teams), (100, 100));
        let snake_alone = 1_000_000;
        // All means lie within a hundredth of a point of each other, where single players differ by up to 998.
        assert!(spread(&teams) <= 10_000, "{}", spread(&teams));
        assert!(spread(&by_size(players, &nobody(100), 7)) > snake_alone);
    }

    #[test]
    fn uneven_numbers_and_too_few_players() {
        assert_eq!(sizes(&by_points(crowd(1003, 3), &nobody(100), 1)), (10, 11));
        assert_eq!(sizes(&by_size(crowd(3, 3), &nobody(5), 1)), (0, 1));
        assert_eq!(by_points(Vec::new(), &nobody(4), 1).len(), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_seed_gives_the_same_even_teams(n in 0u64..400, teams in 1usize..20, seed: i64, order: u64) {
            let players = crowd(n, 5);
            let mut mixed = players.clone();
            shuffle(&mut mixed, order);
            for draw in [by_size, by_points] {
                let drawn = draw(players.clone(), &nobody(teams), seed);
                prop_assert_eq!(&draw(mixed.clone(), &nobody(teams), seed), &drawn);
                let (least, most) = sizes(&drawn);
                prop_assert!(most - least <= 1);
                let mut all: Vec<Uuid> = drawn.iter().flatten().map(|p| p.id).collect();
                all.sort_unstable();
                prop_assert_eq!(all, players.iter().map(|p| p.id).collect::<Vec<_>>());
            }
        }

        #[test]
        fn swapping_never_makes_teams_less_even(n in 2u64..300, teams in 2usize..12, seed: i64) {
            let players = crowd(n, 9);
            let drawn = by_points(players.clone(), &nobody(teams), seed);
            let mut snake: Vec<Player> = players;
            snake.sort_unstable_by_key(|p| p.id);
            shuffle(&mut snake, bits(seed));
            snake.sort_by_key(|p| std::cmp::Reverse(p.points));
            let mut plain = vec![Vec::new(); teams];
            for (n, player) in snake.into_iter().enumerate() {
                let at = if (n / teams) % 2 == 0 { n % teams } else { teams - 1 - n % teams };
                plain[at].push(player);
            }
            prop_assert!(spread(&drawn) <= spread(&plain));
        }
    }
}
