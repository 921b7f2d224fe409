//! A person's competencies with the evidence of each: the one way in which values are reckoned and roll up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::method::{Evidence, Method};
use super::proof::Proof;
use super::rollup::{Child, Rollup};
use crate::domain::facts::Instant;

/// Where the value of a competency comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// From its own evidence.
    Own(Method),
    /// From those directly below it.
    Below(Rollup),
}

/// A competency of a book.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Which.
    pub id: Uuid,
    /// The one above it.
    pub parent: Option<Uuid>,
    /// Where its value comes from.
    pub rule: Rule,
    /// Whether it is out of use; then it says nothing about its parent.
    pub retired: bool,
    /// Whether its parent requires it.
    pub required: bool,
    /// What it gives its parent when it reaches its threshold.
    pub points: f64,
    /// The mastery from which it counts as reached.
    pub at_least: f64,
}

impl Entry {
    /// One that stands for itself.
    #[must_use]
    pub fn alone(id: Uuid, method: Method) -> Self {
        let rule = Rule::Own(method);
        Self { id, parent: None, rule, retired: false, required: true, points: 1.0, at_least: 1.0 }
    }
}

/// Competencies of one person, with as much of the tree as is needed.
#[derive(Debug, Clone, Default)]
pub struct Book {
    entries: BTreeMap<Uuid, Entry>,
    evidence: HashMap<Uuid, Vec<Evidence>>,
    values: HashMap<Uuid, f64>,
}

impl Book {
    /// Adds a competency with its value; one that is known already stays as it is.
    pub fn add(&mut self, entry: Entry, value: Option<f64>) {
        if !self.knows(entry.id) {
            self.entries.insert(entry.id, entry);
            self.set(entry.id, value);
        }
    }

    /// Whether it is in the book.
    #[must_use]
    pub fn knows(&self, id: Uuid) -> bool {
        self.entries.contains_key(&id)
    }

    /// Adds evidence; values follow when they are reckoned.
    pub fn note(&mut self, competency: Uuid, evidence: Evidence) {
        self.evidence.entry(competency).or_default().push(evidence);
    }

    /// The mastery of a competency.
    #[must_use]
    pub fn value(&self, id: Uuid) -> Option<f64> {
        self.values.get(&id).copied()
    }

    /// The evidence of a competency.
    #[must_use]
    pub fn evidence(&self, id: Uuid) -> &[Evidence] {
        self.evidence.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Its competencies.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Takes a value for granted, as if one piece of work had shown it before all others. Said of a parent, it holds for those below
    /// of whom nothing is said.
    pub fn assume(&mut self, id: Uuid, value: f64) {
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop().filter(|id| seen.insert(*id)) {
            self.set(id, Some(value));
            let rule = self.entries.get(&id).map(|entry| entry.rule);
            if matches!(rule, Some(Rule::Below(_))) {
                open.extend(self.below(id).filter(|child| self.value(child.id).is_none()).map(|child| child.id));
            } else {
                let first = Evidence { id: Uuid::nil(), score: value, weight: 1.0, at: Instant::UNIX_EPOCH };
                self.note(id, first);
            }
        }
    }

    /// Adds what a piece of work proves and reckons what follows; answers the competencies whose value that changed. Those that are
    /// not in the book are left out.
    pub fn prove(&mut self, proofs: &[Proof], piece: Uuid, at: Instant) -> Vec<(Uuid, Option<f64>)> {
        let mut touched = Vec::new();
        for proof in proofs.iter().filter(|proof| self.entries.contains_key(&proof.competency)) {
            let evidence = Evidence { id: piece, score: proof.score, weight: proof.weight, at };
            self.evidence.entry(proof.competency).or_default().push(evidence);
            touched.push(proof.competency);
        }
        let before = self.values.clone();
        let reckoned = self.reckon(&touched).into_iter();
        reckoned.map(|id| (id, self.value(id))).filter(|(id, value)| before.get(id) != value.as_ref()).collect()
    }

    /// Reckons these anew, and all above them that roll up; answers which those are, each after those below it.
    pub fn reckon(&mut self, touched: &[Uuid]) -> Vec<Uuid> {
        let mut reckoned = Vec::new();
        let mut parents: BTreeSet<Uuid> = BTreeSet::new();
        for id in touched {
            match self.entries.get(id).map(|entry| entry.rule) {
                Some(Rule::Own(method)) if !reckoned.contains(id) => {
                    let value = method.mastery(self.evidence(*id));
                    self.set(*id, value);
                    reckoned.push(*id);
                }
                Some(Rule::Below(_)) => {
                    parents.insert(*id);
                }
                _ => {}
            }
            let above = self.above(*id);
            parents.extend(above.filter(|entry| matches!(entry.rule, Rule::Below(_))).map(|entry| entry.id));
        }
        let mut parents: Vec<Uuid> = parents.into_iter().collect();
        parents.sort_by_cached_key(|id| std::cmp::Reverse(self.above(*id).count()));
        for id in parents {
            let entry = self.entries.get(&id).map(|entry| (entry.rule, entry.at_least));
            if let Some((Rule::Below(rollup), at_least)) = entry {
                let children: Vec<Child> = self
                    .below(id)
                    .map(|child| Child {
                        mastery: self.value(child.id),
                        required: child.required,
                        points: child.points,
                        at_least: child.at_least,
                    })
                    .collect();
                self.set(id, rollup.mastery(&children, at_least));
                reckoned.push(id);
            }
        }
        reckoned
    }

    fn set(&mut self, id: Uuid, value: Option<f64>) {
        match value {
            Some(value) => self.values.insert(id, value),
            None => self.values.remove(&id),
        };
    }

    /// Those above, from the nearest on. A tree has no cycles, yet none may hold this up.
    fn above(&self, id: Uuid) -> impl Iterator<Item = &Entry> {
        let parent = |entry: &Entry| self.entries.get(&entry.parent?);
        std::iter::successors(self.entries.get(&id).and_then(parent), move |entry| parent(entry))
            .take(self.entries.len())
    }

    fn below(&self, id: Uuid) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| entry.parent == Some(id) && !entry.retired)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn entry(n: u128, parent: u128, rule: Rule) -> Entry {
        Entry { parent: Some(id(parent)), rule, at_least: 0.8, ..Entry::alone(id(n), Method::Highest) }
    }

    /// 1 rolls up from 2 and 3, 2 by points from 4 and 5.
    fn tree() -> Book {
        let mut book = Book::default();
        let own = Rule::Own(Method::Highest);
        book.add(entry(1, 0, Rule::Below(Rollup::AllRequired)), None);
        book.add(entry(2, 1, Rule::Below(Rollup::Points { needed: 2.0 })), None);
        for (n, parent) in [(3, 1), (4, 2), (5, 2)] {
            book.add(entry(n, parent, own), None);
        }
        book
    }

    fn prove(book: &mut Book, n: u128, score: f64) -> Vec<(Uuid, Option<f64>)> {
        let proof = Proof { competency: id(n), score, weight: 1.0 };
        book.prove(&[proof], Uuid::max(), Instant::UNIX_EPOCH)
    }

    #[test]
    fn what_is_proved_below_is_reckoned_to_the_top() {
        let mut book = tree();
        assert_eq!(prove(&mut book, 4, 0.9), [(id(4), Some(0.9)), (id(2), Some(0.4))]);
        assert_eq!(prove(&mut book, 3, 0.85), [(id(3), Some(0.85)), (id(1), Some(0.4))]);
        assert_eq!(prove(&mut book, 5, 0.8), [(id(5), Some(0.8)), (id(2), Some(1.0)), (id(1), Some(0.85))]);
        assert_eq!(prove(&mut book, 5, 0.1), [], "nothing changed");
        assert_eq!(prove(&mut book, 9, 1.0), [], "not in the book");
    }

    #[test]
    fn one_out_of_use_says_nothing_about_its_parent() {
        let mut book = Book::default();
        book.add(entry(1, 0, Rule::Below(Rollup::AllRequired)), None);
        book.add(entry(2, 1, Rule::Own(Method::Highest)), None);
        book.add(Entry { retired: true, ..entry(3, 1, Rule::Own(Method::Highest)) }, None);
        assert_eq!(prove(&mut book, 2, 0.7), [(id(2), Some(0.7)), (id(1), Some(0.7))]);
    }

    #[test]
    fn what_is_assumed_of_a_parent_holds_for_those_below() {
        let mut book = tree();
        book.assume(id(3), 0.3);
        book.assume(id(1), 0.9);
        assert_eq!([1, 2, 3, 4, 5].map(|n| book.value(id(n))), [0.9, 0.9, 0.3, 0.9, 0.9].map(Some));
        // The next result makes the parents be reckoned from what is below them.
        prove(&mut book, 4, 0.95);
        assert_eq!((book.value(id(2)), book.value(id(1))), (Some(1.0), Some(0.3)));
    }

    proptest! {
        #[test]
        fn the_order_of_proofs_does_not_matter_for_the_best_result(scores in prop::collection::vec((3_u128..6, 0.0..1.0_f64), 0..12)) {
            let (mut one, mut other) = (tree(), tree());
            for (n, score) in &scores {
                prove(&mut one, *n, *score);
            }
            for (n, score) in scores.iter().rev() {
                prove(&mut other, *n, *score);
            }
            for n in 1..6 {
                prop_assert_eq!(one.value(id(n)), other.value(id(n)));
            }
        }

        #[test]
        fn a_tree_in_a_circle_ends(a in 0_u128..4, b in 0_u128..4, c in 0_u128..4) {
            let mut book = Book::default();
            for (n, parent) in [(1, a), (2, b), (3, c)] {
                book.add(entry(n, parent, Rule::Below(Rollup::AllRequired)), Some(0.5));
            }
            book.reckon(&[id(1), id(2), id(3)]);
            book.assume(id(1), 0.2);
        }
    }
}
