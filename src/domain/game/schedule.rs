//! Who meets whom: round-robin and knock-out.

use uuid::Uuid;

/// One meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairing {
    /// Round, beginning with 1.
    pub round: u32,
    /// Position in its round, beginning with 0. In a knock-out the winner of (round, slot) goes to (round + 1, slot / 2).
    pub slot: u32,
    /// One team; unknown until the round before is over.
    pub home: Option<Uuid>,
    /// The other; `None` in the first round of a knock-out means that `home` goes on without playing.
    pub away: Option<Uuid>,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Everyone meets everyone once, by the circle method; with an odd number, one team rests in each round.
#[must_use]
pub fn round_robin(teams: &[Uuid]) -> Vec<Pairing> {
    let mut circle: Vec<Option<Uuid>> = teams.iter().copied().map(Some).collect();
    if circle.len() % 2 == 1 {
        circle.push(None);
    }
    let count = circle.len();
    let mut all = Vec::new();
    for round in 1..count {
        let mut slot = 0;
        for n in 0..count / 2 {
            let one = circle.get(n).copied().flatten();
            let two = circle.get(count.saturating_sub(1).saturating_sub(n)).copied().flatten();
            // The fixed team is home and away in turn.
            let (home, away) = if n == 0 && round % 2 == 0 { (two, one) } else { (one, two) };
            if home.is_some() && away.is_some() {
                all.push(Pairing { round: small(round), slot, home, away });
                slot = slot.saturating_add(1);
            }
        }
        if let Some(moving) = circle.get_mut(1..) {
            moving.rotate_right(1);
        }
    }
    all
}

/// The places of a bracket in which the best meet as late as possible: for 4 teams 1-4, 2-3.
fn bracket(size: usize) -> Vec<usize> {
    let mut order = vec![0];
    while order.len() < size {
        let last = order.len().saturating_mul(2).saturating_sub(1);
        order = order.iter().flat_map(|seed| [*seed, last.saturating_sub(*seed)]).collect();
    }
    order
}

/// A knock-out, best-seeded team first in `teams`. Without a power of two, the best go on without playing in the first round.
#[must_use]
pub fn knock_out(teams: &[Uuid]) -> Vec<Pairing> {
    if teams.len() < 2 {
        return Vec::new();
    }
    let size = teams.len().next_power_of_two();
    let order = bracket(size);
    let mut all = Vec::new();
    let mut next: Vec<Option<Uuid>> = Vec::new();
    for (slot, pair) in order.chunks(2).enumerate() {
        let team = |n: usize| pair.get(n).and_then(|seed| teams.get(*seed)).copied();
        let (home, away) = (team(0), team(1));
        all.push(Pairing { round: 1, slot: small(slot), home, away });
        next.push(if away.is_none() { home } else { None });
    }
    let mut round = 2_u32;
    while next.len() > 1 {
        let mut after = Vec::new();
        for (slot, pair) in next.chunks(2).enumerate() {
            let team = |n: usize| pair.get(n).copied().flatten();
            all.push(Pairing { round, slot: small(slot), home: team(0), away: team(1) });
            after.push(None);
        }
        next = after;
        round = round.saturating_add(1);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn teams(n: u128) -> Vec<Uuid> {
        (1..=n).map(Uuid::from_u128).collect()
    }

    #[test]
    fn the_best_meet_last() {
        let first: Vec<(u128, Option<u128>)> = knock_out(&teams(6))
            .iter()
            .filter(|p| p.round == 1)
            .map(|p| (p.home.unwrap().as_u128(), p.away.map(|id| id.as_u128())))
            .collect();
        assert_eq!(first, [(1, None), (4, Some(5)), (2, None), (3, Some(6))]);
        let semi: Vec<Pairing> = knock_out(&teams(6)).into_iter().filter(|p| p.round == 2).collect();
        assert_eq!(semi[0].home, Some(Uuid::from_u128(1)));
        assert_eq!(semi[1].home, Some(Uuid::from_u128(2)));
        assert_eq!(knock_out(&teams(6)).iter().filter(|p| p.round == 3).count(), 1);
    }

    #[test]
    fn one_team_has_nobody_to_meet() {
        assert!(knock_out(&teams(1)).is_empty() && round_robin(&teams(1)).is_empty() && round_robin(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn everyone_meets_everyone_once(n in 2u128..30) {
            let all = round_robin(&teams(n));
            let met: HashSet<(Uuid, Uuid)> = all.iter().map(|p| {
                let (a, b) = (p.home.unwrap(), p.away.unwrap());
                (a.min(b), a.max(b))
            }).collect();
            prop_assert_eq!(met.len(), all.len());
            prop_assert_eq!(all.len(), usize::try_from(n * (n - 1) / 2).unwrap());
            for round in 1..=all.iter().map(|p| p.round).max().unwrap() {
                let playing: Vec<Uuid> = all.iter().filter(|p| p.round == round).flat_map(|p| [p.home.unwrap(), p.away.unwrap()]).collect();
                prop_assert_eq!(playing.iter().collect::<HashSet<_>>().len(), playing.len());
            }
        }

        #[test]
        fn a_knock_out_has_one_winner(n in 2u128..70) {
            let all = knock_out(&teams(n));
            let played = all.iter().filter(|p| p.round > 1 || p.away.is_some()).count();
            prop_assert_eq!(played, usize::try_from(n - 1).unwrap());
        }
    }
}
