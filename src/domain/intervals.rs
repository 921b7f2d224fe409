//! Sets of seconds of a video: what was really seen, so that skipping ahead earns nothing.

use serde::{Deserialize, Serialize};

/// Disjoint, ascending intervals `[from, to)` in seconds. Merging is commutative, so the order of arrival does not matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intervals(Vec<(f64, f64)>);

impl Intervals {
    /// True when nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an interval; those that touch become one.
    pub fn add(&mut self, from: f64, to: f64) {
        if from.partial_cmp(&to) != Some(std::cmp::Ordering::Less) {
            return;
        }
        let first = self.0.partition_point(|(_, end)| *end < from);
        let last = self.0.partition_point(|(begin, _)| *begin <= to);
        let (mut from, mut to) = (from, to);
        for (begin, end) in self.0.drain(first..last.max(first)) {
            from = from.min(begin);
            to = to.max(end);
        }
        self.0.insert(first, (from, to));
    }

    /// Distinct seconds in the set.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|(from, to)| to - from).fold(0.0, std::ops::Add::add)
    }

    /// Share of a length that the set covers, 0 to 100.
    #[must_use]
    pub fn percent_of(&self, length: f64) -> f64 {
        if length <= 0.0 { 0.0 } else { (self.seconds() / length * 100.0).min(100.0) }
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn overlaps_and_neighbours_become_one() {
        let mut seen = Intervals::default();
        seen.add(10.0, 20.0);
        seen.add(30.0, 40.0);
        seen.add(20.0, 25.0);
        assert_eq!(seen, Intervals(vec![(10.0, 25.0), (30.0, 40.0)]));
        seen.add(0.0, 50.0);
        assert_eq!(seen, Intervals(vec![(0.0, 50.0)]));
        seen.add(5.0, 5.0);
        assert!((seen.seconds() - 50.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn equals_a_bitmap_and_ignores_the_order(pairs in prop::collection::vec((0u32..200, 1u32..40), 0..30)) {
            let (mut forward, mut backward) = (Intervals::default(), Intervals::default());
            let mut bitmap = [false; 300];
            for (from, length) in &pairs {
                forward.add(f64::from(*from), f64::from(from + length));
                bitmap[*from as usize..(from + length) as usize].fill(true);
            }
            for (from, length) in pairs.iter().rev() {
                backward.add(f64::from(*from), f64::from(from + length));
            }
            prop_assert_eq!(&forward, &backward);
            prop_assert!((forward.seconds() - bitmap.iter().filter(|b| **b).count() as f64).abs() < 1e-6);
        }
    }
}
