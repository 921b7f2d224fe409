//! Through what a competency is learnt and proved: by itself, and of one that rolls up, by those below it that count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::book::{Entry, Rule};
use super::coverage::Touch;
use super::method::reaches;
use super::rollup::Rollup;

/// A competency in its tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Which.
    pub id: Uuid,
    /// The one above it.
    pub parent: Option<Uuid>,
    /// How it rolls up from those below it; `None` when its own evidence makes its value.
    pub rollup: Option<Rollup>,
    /// Whether it is out of use; then it says nothing about its parent.
    pub retired: bool,
    /// Whether its parent requires it.
    pub required: bool,
    /// What it gives its parent when it reaches its threshold.
    pub points: f64,
    /// The mastery from which it counts as reached.
    pub at_least: f64,
}

impl From<Entry> for Node {
    fn from(entry: Entry) -> Self {
        let Entry { id, parent, rule, retired, required, points, at_least } = entry;
        let rollup = match rule {
            Rule::Below(rollup) => Some(rollup),
            Rule::Own(_) => None,
        };
        Self { id, parent, rollup, retired, required, points, at_least }
    }
}

/// A competency that counts for another.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    id: Uuid,
    /// Where the one above it stands; `None` for the first, which is the competency itself.
    above: Option<usize>,
    /// Whether its own evidence makes its value: what rolls up is not proved by itself.
    proves: bool,
    at_least: f64,
}

/// A competency with all that counts for it, and how far one learner has come in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    // Learners share the tree; of each, only what is known of them is kept.
    parts: Arc<Vec<Part>>,
    mastery: BTreeMap<Uuid, f64>,
}

impl Reach {
    /// One that stands for itself.
    #[must_use]
    pub fn alone(id: Uuid) -> Self {
        let part = Part { id, above: None, proves: true, at_least: 1.0 };
        Self { parts: Arc::new(vec![part]), mastery: BTreeMap::new() }
    }

    /// The same of another learner.
    #[must_use]
    pub fn of(&self, mastery: impl Fn(Uuid) -> Option<f64>) -> Self {
        let known = self.ids().filter_map(|id| Some((id, mastery(id)?))).collect();
        Self { parts: Arc::clone(&self.parts), mastery: known }
    }

    /// The competency.
    #[must_use]
    pub fn competency(&self) -> Uuid {
        self.parts.first().map_or_else(Uuid::nil, |part| part.id)
    }

    /// The competency and all that counts for it.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.parts.iter().map(|part| part.id)
    }

    /// Puts a new value in the place of one that counts.
    pub fn set(&mut self, id: Uuid, value: Option<f64>) {
        match value {
            Some(value) if self.ids().any(|part| part == id) => self.mastery.insert(id, value),
            _ => self.mastery.remove(&id),
        };
    }

    /// Whether what teaches or assesses this helps to reach the mastery that is asked of the competency: neither evidence of what
    /// rolls up, nor what is reached already, or stands below what is.
    #[must_use]
    pub fn helps(&self, id: Uuid, touch: Touch, asked: f64) -> bool {
        let Some((n, part)) = self.parts.iter().enumerate().find(|(_, part)| part.id == id) else { return false };
        let whole = self.parts.first().is_some_and(|top| asked <= top.at_least);
        let enough = |part: &Part| {
            // Who is asked for more than the threshold must go on where the threshold is reached.
            let needed = if whole { part.at_least } else { 1.0 };
            self.mastery.get(&part.id).is_some_and(|mastery| reaches(*mastery, needed))
        };
        let up = |n: &usize| self.parts.get(*n).and_then(|part| part.above);
        let mut below_the_top = std::iter::successors(Some(n), up).filter_map(|n| self.parts.get(n));
        (touch == Touch::Teaches || part.proves) && !below_the_top.any(|part| part.above.is_some() && enough(part))
    }
}

/// Competencies with those below them.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: HashMap<Uuid, Node>,
    below: HashMap<Uuid, Vec<Uuid>>,
}

impl FromIterator<Node> for Tree {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        let mut tree = Self::default();
        for node in nodes {
            if let Some(parent) = node.parent.filter(|_| !node.retired) {
                tree.below.entry(parent).or_default().push(node.id);
            }
            tree.nodes.insert(node.id, node);
        }
        tree
    }
}

impl Tree {
    /// Those directly below one that rolls up and count for it.
    fn children(&self, id: Uuid) -> impl Iterator<Item = &Node> {
        let rollup = self.nodes.get(&id).and_then(|node| node.rollup);
        let below = rollup.and_then(|_| self.below.get(&id)).map(Vec::as_slice).unwrap_or_default();
        below.iter().filter_map(|id| self.nodes.get(id)).filter(move |child| match rollup {
            Some(Rollup::AllRequired) => child.required,
            Some(Rollup::Points { .. }) => child.points > 0.0,
            None => false,
        })
    }

    /// A competency with all that counts for it; parents stand before their children.
    #[must_use]
    pub fn reach(&self, id: Uuid) -> Reach {
        let mut parts: Vec<Part> = Vec::new();
        // A tree has no cycles, yet none may hold this up.
        let mut seen = HashSet::from([id]);
        let mut open = vec![(id, None)];
        while let Some((id, above)) = open.pop() {
            let node = self.nodes.get(&id);
            let place = parts.len();
            let proves = node.is_none_or(|node| node.rollup.is_none());
            parts.push(Part { id, above, proves, at_least: node.map_or(1.0, |node| node.at_least) });
            open.extend(self.children(id).filter(|child| seen.insert(child.id)).map(|child| (child.id, Some(place))));
        }
        Reach { parts: Arc::new(parts), mastery: BTreeMap::new() }
    }

    /// Whether what teaches or assesses these suffices for a competency: of one that rolls up, for all required children, or for so
    /// many that they give the points; one is taught as well by what teaches it as a whole.
    #[must_use]
    pub fn suffices(&self, reach: &Reach, touch: Touch, these: &BTreeSet<Uuid>) -> bool {
        let mut done: HashSet<Uuid> = HashSet::new();
        for part in reach.parts.iter().rev() {
            let own = these.contains(&part.id) && (touch == Touch::Teaches || part.proves);
            let mut children = self.children(part.id).peekable();
            let by_parts = match self.nodes.get(&part.id).and_then(|node| node.rollup) {
                Some(Rollup::AllRequired) => children.peek().is_some() && children.all(|c| done.contains(&c.id)),
                Some(Rollup::Points { needed }) => {
                    let points: f64 = children.filter(|c| done.contains(&c.id)).map(|c| c.points).sum();
                    needed > 0.0 && reaches(points / needed, 1.0)
                }
                None => false,
            };
            if own || by_parts {
                done.insert(part.id);
            }
        }
        done.contains(&reach.competency())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn node(n: u128, parent: u128, rollup: Option<Rollup>) -> Node {
        let parent = (parent > 0).then(|| id(parent));
        Node { id: id(n), parent, rollup, retired: false, required: true, points: 1.0, at_least: 0.8 }
    }

    /// 1 requires 2 and 3 and not 6; 2 rolls up by points from 4 and 5.
    fn tree() -> Tree {
        let optional = Node { required: false, ..node(6, 1, None) };
        let retired = Node { retired: true, ..node(7, 1, None) };
        let all = [
            node(1, 0, Some(Rollup::AllRequired)),
            node(2, 1, Some(Rollup::Points { needed: 1.0 })),
            node(3, 1, None),
            node(4, 2, None),
            node(5, 2, None),
            node(8, 3, None),
        ];
        all.into_iter().chain([optional, retired]).collect()
    }

    #[test]
    fn what_counts_goes_down_through_the_roll_ups() {
        let ids: BTreeSet<Uuid> = tree().reach(id(1)).ids().collect();
        assert_eq!(
            ids,
            [1, 2, 3, 4, 5].map(id).into(),
            "neither optional nor retired nor below what stands for itself"
        );
        assert_eq!(tree().reach(id(3)).ids().collect::<Vec<_>>(), [id(3)]);
        assert_eq!(tree().reach(id(9)).ids().collect::<Vec<_>>(), [id(9)]);
        let cycle: Tree =
            [node(1, 2, Some(Rollup::AllRequired)), node(2, 1, Some(Rollup::AllRequired))].into_iter().collect();
        assert_eq!(cycle.reach(id(1)).ids().count(), 2);
    }

    #[test]
    fn what_is_reached_needs_no_help_and_what_rolls_up_is_not_proved_by_itself() {
        let mut reach = tree().reach(id(1));
        let helps = |reach: &Reach, touch, asked| -> Vec<u128> {
            (1..9).filter(|n| reach.helps(id(*n), touch, asked)).collect()
        };
        assert_eq!(helps(&reach, Touch::Teaches, 0.8), [1, 2, 3, 4, 5]);
        assert_eq!(helps(&reach, Touch::Assesses, 0.8), [3, 4, 5]);
        reach.set(id(3), Some(0.8));
        assert_eq!(helps(&reach, Touch::Assesses, 0.8), [4, 5]);
        assert_eq!(helps(&reach, Touch::Assesses, 0.9), [3, 4, 5], "more is asked than the threshold");
        reach.set(id(4), Some(0.9));
        reach.set(id(2), Some(1.0));
        assert!(helps(&reach, Touch::Assesses, 0.8).is_empty(), "5 gives points that are not needed");
        reach.set(id(3), None);
        assert_eq!(helps(&reach, Touch::Assesses, 0.8), [3]);
        assert!(Reach::alone(id(1)).helps(id(1), Touch::Assesses, 0.5));
    }

    #[test]
    fn a_whole_is_covered_when_enough_of_its_parts_are() {
        let tree = tree();
        let reach = tree.reach(id(1));
        let covers = |touch, these: &[u128]| tree.suffices(&reach, touch, &these.iter().map(|n| id(*n)).collect());
        assert!(!covers(Touch::Assesses, &[3]));
        assert!(!covers(Touch::Assesses, &[1, 2, 3]), "what rolls up is not proved by itself");
        assert!(covers(Touch::Assesses, &[3, 5]), "one point is enough");
        assert!(covers(Touch::Teaches, &[1]) && covers(Touch::Teaches, &[2, 3]) && !covers(Touch::Teaches, &[2]));
    }
}
