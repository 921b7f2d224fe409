//! What stands of what a rule gives for an event when people corrected it by hand. Whatever happened in between, and in which
//! order, it follows from two numbers alone: what the rules of now give, and what the corrections come to. So the live game and a
//! replay cannot come to different ends.

use std::cmp::Ordering;
use std::collections::HashMap;

use uuid::Uuid;

use super::ledger::Due;

/// What stands of points that are due, with the corrections that people made of them. Of nothing, nothing can be corrected; and a
/// correction never turns what was given into a loss, or what was taken into a gain.
#[must_use]
pub fn stands(due: i64, by_hand: i64) -> i64 {
    let sum = due.saturating_add(by_hand);
    match due.cmp(&0) {
        Ordering::Greater => sum.max(0),
        Ordering::Equal => 0,
        Ordering::Less => sum.min(0),
    }
}

/// Who made an entry of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The rules: an entry of theirs, of a replay, or what follows by itself from either.
    Rules,
    /// Somebody who corrected it.
    Hand,
    /// Somebody who said of a flag that the cause is worth less than was given for it.
    Review,
    /// Somebody who took back what was left of an entry.
    Taken,
}

/// What the ledger has of a cause: what a rule gave a player for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// All of it.
    pub net: i64,
    hand: i64,
    review: i64,
}

impl Sum {
    /// Adds an entry, in their order. When nothing is left after somebody took back what was, all before is closed: what people
    /// corrected of that corrects nothing any more.
    pub fn add(&mut self, points: i64, by: By) {
        self.net = self.net.saturating_add(points);
        match by {
            By::Taken if self.net == 0 => *self = Self::default(),
            By::Rules | By::Taken => {}
            By::Hand => self.hand = self.hand.saturating_add(points),
            By::Review => self.review = self.review.saturating_add(points),
        }
    }

    /// What people corrected of it. A reviewer only says what the cause is worth: that is a correction where what is due is the best
    /// that the cause ever was (`keeps`), and not where it is what the cause is now.
    #[must_use]
    pub fn by_hand(&self, keeps: bool) -> i64 {
        if keeps { self.hand.saturating_add(self.review) } else { self.hand }
    }

    /// What rules gave and nobody took back: corrections make no room under a cap, nor use any up.
    #[must_use]
    pub fn by_rules(&self) -> i64 {
        self.net.saturating_sub(self.by_hand(true))
    }

    /// What follows by itself from a further correction of so many points, given what is due: nothing, unless it corrects what does
    /// not stand. Where rules were changed and not replayed, or what was given is settled (then nothing is known to be due), what
    /// is there only never falls below nothing.
    #[must_use]
    pub fn settles(&self, due: Option<i64>, keeps: bool, points: i64) -> i64 {
        let hand = self.by_hand(keeps);
        let then = self.net.saturating_add(points);
        match due.filter(|due| stands(*due, hand) == self.net) {
            Some(due) => stands(due, hand.saturating_add(points)).saturating_sub(then),
            None => then.min(0).saturating_neg(),
        }
    }
}

/// A cause: the event, the rule, the player.
pub type Key = (Option<Uuid>, Option<String>, Uuid);

/// What stands of all that is due, with the corrections that people made, by cause.
#[must_use]
pub fn standing(due: &[Due], by_hand: &HashMap<Key, i64>) -> Vec<Due> {
    let mut all = due.to_vec();
    if by_hand.is_empty() {
        return all;
    }
    for one in &mut all {
        // A rule gives once for an event.
        let key = (one.event, one.rule.clone(), one.entry.user);
        one.entry.points = stands(one.entry.points, by_hand.get(&key).copied().unwrap_or(0));
    }
    all
}

/// The entry that each entry corrects in the end; of one that corrects none, itself. They come in order of their ids, which follow
/// the clock.
#[must_use]
pub fn roots(entries: impl IntoIterator<Item = (Uuid, Option<Uuid>)>) -> HashMap<Uuid, Uuid> {
    let mut all: HashMap<Uuid, Uuid> = HashMap::new();
    for (id, corrects) in entries {
        let root = corrects.map_or(id, |other| all.get(&other).copied().unwrap_or(other));
        all.insert(id, root);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_follows_from_what_is_due_and_what_was_corrected() {
        for (due, hand, then) in [
            (100, 0, 100),
            (100, -80, 20),
            (50, -80, 0),
            (50, -30, 20),
            (50, 30, 80),
            (0, 30, 0),
            (0, -30, 0),
            (4, -8, 0),
            (-25, 10, -15),
            (-25, 40, 0),
        ] {
            assert_eq!(stands(due, hand), then, "{due} {hand}");
        }
    }

    #[test]
    fn a_correction_of_what_does_not_stand_is_settled_at_once() {
        let sum = |parts: &[(i64, By)]| {
            let mut sum = Sum::default();
            parts.iter().for_each(|(points, by)| sum.add(*points, *by));
            sum
        };
        let clamped = sum(&[(100, By::Rules), (-80, By::Hand), (-20, By::Rules)]);
        assert_eq!((clamped.net, clamped.by_hand(true), clamped.by_rules()), (0, -80, 80));
        // 50 are due now: 30 of the 80 that are taken have nothing to be taken from.
        assert_eq!(clamped.settles(Some(50), false, 80), -30);
        assert_eq!(clamped.settles(Some(50), false, 30), -30);
        assert_eq!(clamped.settles(Some(50), false, 40), -30);
        // Undone: nothing stands.
        assert_eq!(clamped.settles(Some(0), false, 80), -80);
        let plain = sum(&[(12, By::Rules), (-8, By::Hand)]);
        assert_eq!([3, -4, 8].map(|points| plain.settles(Some(12), false, points)), [0; 3]);
        // Rules were changed, or it is settled: as it is said, though never below nothing.
        assert_eq!([3, -4, -7].map(|points| plain.settles(Some(4), false, points)), [0, 0, 3]);
        assert_eq!([3, -4, -7].map(|points| plain.settles(None, false, points)), [0, 0, 3]);
        // What was taken whole is closed: nothing of it is the rules' any more.
        let taken = sum(&[(7, By::Rules), (-2, By::Hand), (-5, By::Taken), (1, By::Hand)]);
        assert_eq!((taken.net, taken.by_hand(false), taken.by_rules()), (1, 1, 0));
        // What a reviewer took counts where the best that the cause was is due.
        let reviewed = sum(&[(100, By::Rules), (-50, By::Review)]);
        assert_eq!((reviewed.by_hand(true), reviewed.by_hand(false), reviewed.by_rules()), (-50, 0, 100));
    }

    #[test]
    fn a_correction_of_a_correction_belongs_to_what_the_first_one_corrects() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        let all = roots([(a, None), (b, Some(a)), (c, Some(b)), (d, None)]);
        assert_eq!([a, b, c, d].map(|id| all[&id]), [a, a, a, d]);
    }

    proptest! {
        #[test]
        fn corrections_never_turn_the_sign_and_come_in_any_order(
            due in -100i64..100, mut hands in proptest::collection::vec(-150i64..150, 0..8),
        ) {
            let come_to = |hands: &[i64]| {
                let mut sum = Sum::default();
                sum.add(due, By::Rules);
                for points in hands {
                    let follows = sum.settles(Some(due), false, *points);
                    sum.add(*points, By::Hand);
                    sum.add(follows, By::Rules);
                    prop_assert_eq!(sum.net, stands(due, sum.by_hand(false)));
                    prop_assert!(sum.net == 0 || sum.net.signum() == due.signum());
                }
                Ok(sum.net)
            };
            let first = come_to(&hands)?;
            hands.reverse();
            prop_assert_eq!(come_to(&hands)?, first);
        }
    }
}
