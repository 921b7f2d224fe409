//! The players of a leaderboard in order, counted: a rank, a page and a move cost the logarithm of how many there are.
//!
//! Keys stand in runs of at most [`MOST`], runs in order, and a Fenwick tree (Fenwick 1994) over the lengths of the runs
//! says how many keys stand before each. A move touches one run and the logarithm of the tree; a run that grows too long is cut in two,
//! a short one joined with another, and only then the tree is made anew.

use super::rank::Key;

/// Keys in one run at most.
const MOST: usize = 512;
/// A run with fewer keys is joined with one beside it, if there is room.
const FEWEST: usize = 64;

/// Keys in order.
#[derive(Debug, Clone, Default)]
pub struct Order {
    runs: Vec<Vec<Key>>,
    /// Fenwick tree: place `i` holds the lengths of the runs `(i & (i + 1))..=i`.
    tree: Vec<usize>,
    len: usize,
}

impl Order {
    /// An order of these keys, each of which is there once.
    #[must_use]
    pub fn new(mut keys: Vec<Key>) -> Self {
        keys.sort_unstable();
        // Room in each run for those to come.
        let runs = keys.chunks(MOST * 3 / 4).map(<[Key]>::to_vec).collect();
        let mut order = Self { runs, tree: Vec::new(), len: keys.len() };
        order.plant();
        order
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the tree anew.
    fn plant(&mut self) {
        self.tree = self.runs.iter().map(Vec::len).collect();
        for i in 0..self.tree.len() {
            let (next, sum) = (i | (i + 1), self.tree.get(i).copied().unwrap_or(0));
            if let Some(parent) = self.tree.get_mut(next) {
                *parent += sum;
            }
        }
    }

    /// The length of a run changed by one.
    fn grew(&mut self, run: usize, by: isize) {
        let mut i = run;
        while let Some(sum) = self.tree.get_mut(i) {
            *sum = sum.saturating_add_signed(by);
            i |= i + 1;
        }
        self.len = self.len.saturating_add_signed(by);
    }

    /// How many keys stand in the runs before one.
    fn before_run(&self, run: usize) -> usize {
        let (mut end, mut sum) = (run, 0);
        while end > 0 {
            sum += self.tree.get(end - 1).copied().unwrap_or(0);
            end &= end - 1;
        }
        sum
    }

    /// The run that a key belongs to: the last that does not begin after it.
    fn run_of(&self, key: &Key) -> usize {
        self.runs.partition_point(|run| run.first().is_some_and(|first| first <= key)).saturating_sub(1)
    }

    /// Run and place in it of the first key that is not before this one.
    fn seek(&self, key: &Key) -> (usize, usize) {
        let run = self.run_of(key);
        let place = self.runs.get(run).map_or(0, |keys| keys.partition_point(|k| k < key));
        (run, place)
    }

    /// Adds a key; false when it was there.
    pub fn insert(&mut self, key: Key) -> bool {
        let (r, place) = self.seek(&key);
        let Some(run) = self.runs.get_mut(r) else {
            self.runs.push(vec![key]);
            self.len = 1;
            self.plant();
            return true;
        };
        if run.get(place) == Some(&key) {
            return false;
        }
        run.insert(place, key);
        if run.len() > MOST {
            // Who reaches a sum now stands behind all who did before, so runs fill at their ends: the cut leaves room there.
            let rest = run.split_off(MOST * 3 / 4);
            self.runs.insert(r + 1, rest);
            self.len += 1;
            self.plant();
        } else {
            self.grew(r, 1);
        }
        true
    }

    /// Takes a key away; false when it was not there.
    pub fn remove(&mut self, key: &Key) -> bool {
        let (r, place) = self.seek(key);
        let Some(run) = self.runs.get_mut(r).filter(|run| run.get(place) == Some(key)) else { return false };
        run.remove(place);
        if run.len() < FEWEST {
            self.join(r);
        } else {
            self.grew(r, -1);
        }
        true
    }

    /// Joins a run that has become short with one beside it that has room.
    fn join(&mut self, r: usize) {
        let length = |run: Option<&Vec<Key>>| run.map_or(usize::MAX, Vec::len);
        let short = length(self.runs.get(r));
        let beside = [r.checked_sub(1), Some(r + 1)].into_iter().flatten();
        let with = beside
            .min_by_key(|other| length(self.runs.get(*other)))
            .filter(|other| length(self.runs.get(*other)).saturating_add(short) <= MOST * 3 / 4);
        match with.filter(|_| short > 0) {
            Some(other) => {
                let (first, second) = (other.min(r), other.max(r));
                let rest = self.runs.remove(second);
                self.runs.get_mut(first).into_iter().for_each(|run| run.extend(&rest));
            }
            None if short == 0 => drop(self.runs.remove(r)),
            None => return self.grew(r, -1),
        }
        self.len -= 1;
        self.plant();
    }

    /// How many stand before a key, which need not be there.
    #[must_use]
    pub fn before(&self, key: &Key) -> usize {
        let (run, place) = self.seek(key);
        self.before_run(run) + place
    }

    /// Whether a key is there.
    #[must_use]
    pub fn holds(&self, key: &Key) -> bool {
        let (run, place) = self.seek(key);
        self.runs.get(run).and_then(|keys| keys.get(place)) == Some(key)
    }

    /// The first keys after one, or of all.
    #[must_use]
    pub fn after(&self, key: Option<&Key>, limit: usize) -> Vec<Key> {
        let (run, place) = match key {
            Some(key) => {
                let (run, place) = self.seek(key);
                (run, place + usize::from(self.holds(key)))
            }
            None => (0, 0),
        };
        self.runs.iter().skip(run).flatten().skip(place).take(limit).copied().collect()
    }

    /// The last keys before one, in order.
    #[must_use]
    pub fn just_before(&self, key: &Key, limit: usize) -> Vec<Key> {
        let (run, place) = self.seek(key);
        let own = self.runs.get(run).into_iter().flat_map(|keys| keys.iter().take(place).rev());
        let earlier = self.runs.iter().take(run).rev().flat_map(|keys| keys.iter().rev());
        let mut found: Vec<Key> = own.chain(earlier).take(limit).copied().collect();
        found.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn key(n: u32) -> Key {
        Key::new(i64::from(n / 7), DateTime::UNIX_EPOCH, Uuid::from_u128(u128::from(n)))
    }

    fn agree(order: &Order, plain: &BTreeSet<Key>, asked: u32) {
        let sorted: Vec<Key> = plain.iter().copied().collect();
        assert_eq!(order.len(), sorted.len());
        assert_eq!(order.is_empty(), sorted.is_empty());
        let asked = key(asked);
        let place = sorted.partition_point(|k| *k < asked);
        assert_eq!(order.before(&asked), place);
        assert_eq!(order.holds(&asked), plain.contains(&asked));
        let after: Vec<Key> = sorted.iter().copied().filter(|k| *k > asked).take(5).collect();
        assert_eq!(order.after(Some(&asked), 5), after);
        assert_eq!(order.after(None, 3), sorted.iter().copied().take(3).collect::<Vec<_>>());
        assert_eq!(order.just_before(&asked, 5), sorted.get(place.saturating_sub(5)..place).unwrap());
    }

    proptest! {
        #[test]
        fn an_order_agrees_with_a_plain_sort(start in prop::collection::btree_set(0_u32..9_000, 0..4_000), moves in prop::collection::vec((0_u32..9_000, any::<bool>(), 0_u32..9_000), 0..3_000)) {
            let mut plain: BTreeSet<Key> = start.iter().map(|n| key(*n)).collect();
            let mut order = Order::new(plain.iter().rev().copied().collect());
            for (n, (moved, comes, asked)) in moves.into_iter().enumerate() {
                let moved = key(moved);
                if comes {
                    prop_assert_eq!(order.insert(moved), plain.insert(moved));
                } else {
                    prop_assert_eq!(order.remove(&moved), plain.remove(&moved));
                }
                if n % 50 == 0 {
                    agree(&order, &plain, asked);
                }
            }
            agree(&order, &plain, 4_500);
        }
    }

    #[test]
    fn an_order_fills_and_empties() {
        let mut order = Order::default();
        let mut plain = BTreeSet::new();
        for n in 0..20_000_u32 {
            let n = n.wrapping_mul(2_654_435_761) % 100_003;
            assert_eq!(order.insert(key(n)), plain.insert(key(n)));
        }
        assert!(order.runs.iter().all(|run| run.len() <= MOST));
        for asked in (0..100_003).step_by(997) {
            agree(&order, &plain, asked);
        }
        for gone in plain.clone() {
            assert!(order.remove(&gone));
            plain.remove(&gone);
        }
        assert!(order.is_empty() && order.runs.is_empty());
        agree(&order, &plain, 0);
    }
}
