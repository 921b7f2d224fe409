//! Who was in which group when a deed was done: told backwards, from who is in it now and who came and went since.

use std::collections::HashMap;

use uuid::Uuid;

/// A person's way into and out of one group.
#[derive(Debug, Clone, Default)]
struct Stay {
    now: bool,
    /// Position in the log, and whether the person came; in order.
    turns: Vec<(i64, bool)>,
}

impl Stay {
    fn at(&self, position: i64) -> bool {
        // What happened next tells how it was before.
        self.turns.iter().find(|(turn, _)| *turn > position).map_or(self.now, |(_, came)| !came)
    }
}

/// Who is in which group, and the turns that led there.
#[derive(Debug, Clone, Default)]
pub struct Stays(HashMap<Uuid, HashMap<Uuid, Stay>>);

impl Stays {
    fn stay(&mut self, group: Uuid, user: Uuid) -> &mut Stay {
        self.0.entry(user).or_default().entry(group).or_default()
    }

    /// Somebody is in a group now.
    pub fn is_in(&mut self, group: Uuid, user: Uuid) {
        self.stay(group, user).now = true;
    }

    /// Somebody came into a group, or left it, at this position of the log. Turns are told in their order.
    pub fn turn(&mut self, group: Uuid, user: Uuid, position: i64, came: bool) {
        self.stay(group, user).turns.push((position, came));
    }

    /// The groups that somebody was in at a position of the log.
    pub fn of(&self, user: Uuid, position: i64) -> impl Iterator<Item = Uuid> + '_ {
        let stays = self.0.get(&user).into_iter().flatten();
        stays.filter(move |(_, stay)| stay.at(position)).map(|(group, _)| *group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_next_tells_how_it_was_before() {
        let (group, ada) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut stays = Stays::default();
        stays.is_in(group, ada);
        // Nothing is known of how she came in: she always was.
        assert_eq!(stays.of(ada, 0).count(), 1);
        for (position, came) in [(10, true), (20, false), (30, true)] {
            stays.turn(group, ada, position, came);
        }
        let was: Vec<usize> = [5, 10, 15, 20, 25, 30, 99].map(|at| stays.of(ada, at).count()).into();
        assert_eq!(was, [0, 1, 1, 0, 0, 1, 1]);
        // Somebody who left and is known by that alone.
        let bob = Uuid::from_u128(3);
        stays.turn(group, bob, 20, false);
        assert_eq!([19, 20].map(|at| stays.of(bob, at).count()), [1, 0]);
    }
}
