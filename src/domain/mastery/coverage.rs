//! What a course teaches and assesses of a competency, and which modules would close a gap.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::reach::{Reach, Tree};

/// How a module touches a competency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// It explains it.
    Teaches,
    /// Its graded work leaves evidence of it.
    Assesses,
}

impl Touch {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Teaches => "teaches",
            Self::Assesses => "assesses",
        }
    }
}

/// A module is aligned to a competency.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// The module.
    pub module: String,
    /// The competency.
    pub competency: Uuid,
    /// How much the module is about it; more than 0.
    pub weight: f64,
    /// How.
    pub touch: Touch,
}

/// Whether a course both teaches and assesses a competency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoverageStatus {
    /// Neither.
    None,
    /// Nothing shows whether it was learnt.
    TaughtOnly,
    /// It is asked for and nowhere explained.
    AssessedOnly,
    /// Both.
    Covered,
}

/// What a course does for a competency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The competency.
    pub competency: Uuid,
    /// Keys of the modules that teach it, or what counts for it.
    pub taught_by: BTreeSet<String>,
    /// Keys of the modules that assess it; of one that rolls up, what counts for it.
    pub assessed_by: BTreeSet<String>,
    /// Whether that teaches it as a whole.
    pub taught: bool,
    /// Whether that assesses it as a whole.
    pub assessed: bool,
}

impl Coverage {
    /// The verdict.
    #[must_use]
    pub fn status(&self) -> CoverageStatus {
        match (self.taught, self.assessed) {
            (false, false) => CoverageStatus::None,
            (true, false) => CoverageStatus::TaughtOnly,
            (false, true) => CoverageStatus::AssessedOnly,
            (true, true) => CoverageStatus::Covered,
        }
    }
}

/// Coverage of every competency that the course aims at or touches, by id; those that roll up are covered by what counts for them.
#[must_use]
pub fn coverage(aims: &[Uuid], alignments: &[Alignment], tree: &Tree) -> Vec<Coverage> {
    let mut by: HashMap<(Uuid, Touch), BTreeSet<&str>> = HashMap::new();
    for alignment in alignments {
        by.entry((alignment.competency, alignment.touch)).or_default().insert(&alignment.module);
    }
    let touched = |touch| by.keys().filter(move |key| key.1 == touch).map(|key| key.0);
    let (taught, assessed): (BTreeSet<Uuid>, BTreeSet<Uuid>) =
        (touched(Touch::Teaches).collect(), touched(Touch::Assesses).collect());
    let all: BTreeSet<Uuid> = aims.iter().chain(&taught).chain(&assessed).copied().collect();
    let of = |competency: Uuid| {
        let reach = tree.reach(competency);
        let modules = |touch| -> BTreeSet<String> {
            // What is asked for is without end here, so that nothing is too much.
            let parts = reach.ids().filter(|id| reach.helps(*id, touch, f64::INFINITY));
            parts.filter_map(|id| by.get(&(id, touch))).flatten().map(|key| (*key).to_owned()).collect()
        };
        Coverage {
            competency,
            taught_by: modules(Touch::Teaches),
            assessed_by: modules(Touch::Assesses),
            taught: tree.suffices(&reach, Touch::Teaches, &taught),
            assessed: tree.suffices(&reach, Touch::Assesses, &assessed),
        }
    };
    all.into_iter().map(of).collect()
}

/// Modules that would help a learner to reach the mastery that is asked of a competency: those not completed come first, then those
/// that teach before those that only assess, then by weight, then by key.
#[must_use]
pub fn suggest<'a>(
    reach: &Reach,
    asked: f64,
    alignments: &'a [Alignment],
    completed: &BTreeSet<String>,
) -> Vec<&'a str> {
    let mut best: BTreeMap<&str, (bool, bool, f64)> = BTreeMap::new();
    for alignment in alignments.iter().filter(|a| reach.helps(a.competency, a.touch, asked)) {
        let done = completed.contains(&alignment.module);
        let only_assesses = alignment.touch == Touch::Assesses;
        let entry = best.entry(&alignment.module).or_insert((done, only_assesses, 0.0));
        entry.1 &= only_assesses;
        entry.2 = entry.2.max(alignment.weight);
    }
    let mut ranked: Vec<_> = best.into_iter().collect();
    ranked
        .sort_by(|(a_key, a), (b_key, b)| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)).then(a_key.cmp(b_key)));
    ranked.into_iter().map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn aligned(module: &str, competency: Uuid, weight: f64, touch: Touch) -> Alignment {
        Alignment { module: module.to_owned(), competency, weight, touch }
    }

    #[test]
    fn a_competency_is_covered_when_it_is_taught_and_assessed() {
        let status = |alignments: &[Alignment]| coverage(&[A], alignments, &Tree::default())[0].status();
        let (teaches, assesses) = (aligned("text", A, 1.0, Touch::Teaches), aligned("quiz", A, 1.0, Touch::Assesses));
        assert_eq!(status(&[]), CoverageStatus::None);
        assert_eq!(status(std::slice::from_ref(&teaches)), CoverageStatus::TaughtOnly);
        assert_eq!(status(std::slice::from_ref(&assesses)), CoverageStatus::AssessedOnly);
        assert_eq!(status(&[teaches, assesses]), CoverageStatus::Covered);
    }

    #[test]
    fn what_a_course_touches_beside_its_aims_is_listed_too() {
        let all = coverage(&[A], &[aligned("text", B, 1.0, Touch::Teaches)], &Tree::default());
        assert_eq!(all.iter().map(|c| c.competency).collect::<Vec<_>>(), [A, B]);
    }

    #[test]
    fn open_lessons_come_before_quizzes_and_before_what_is_done() {
        let all = [
            aligned("quiz", A, 9.0, Touch::Assesses),
            aligned("light", A, 1.0, Touch::Teaches),
            aligned("done", A, 5.0, Touch::Teaches),
            aligned("heavy", A, 2.0, Touch::Teaches),
            aligned("other", B, 9.0, Touch::Teaches),
        ];
        let completed = BTreeSet::from(["done".to_owned()]);
        assert_eq!(suggest(&Reach::alone(A), 0.8, &all, &completed), ["heavy", "light", "quiz", "done"]);
    }

    #[test]
    fn what_rolls_up_is_covered_by_what_counts_for_it() {
        use super::super::reach::Node;
        use super::super::rollup::Rollup;
        const C: Uuid = Uuid::from_u128(3);
        let node = |id, parent, rollup| Node {
            id,
            parent,
            rollup,
            retired: false,
            required: true,
            points: 1.0,
            at_least: 0.8,
        };
        let tree: Tree = [node(A, None, Some(Rollup::AllRequired)), node(B, Some(A), None), node(C, Some(A), None)]
            .into_iter()
            .collect();
        let mut all = vec![aligned("text", B, 1.0, Touch::Teaches), aligned("quiz", B, 1.0, Touch::Assesses)];
        let half = coverage(&[A], &all, &tree).remove(0);
        assert_eq!(
            (half.taught_by.len(), half.assessed_by.len(), half.status()),
            (1, 1, CoverageStatus::None),
            "half of it"
        );
        all.extend([aligned("lesson", A, 1.0, Touch::Teaches), aligned("exam", C, 1.0, Touch::Assesses)]);
        let whole = coverage(&[A], &all, &tree).remove(0);
        assert_eq!(whole.taught_by, ["lesson".to_owned(), "text".to_owned()].into());
        assert_eq!(whole.assessed_by, ["exam".to_owned(), "quiz".to_owned()].into());
        assert_eq!(whole.status(), CoverageStatus::Covered);
        assert_eq!(suggest(&tree.reach(A), 0.8, &all, &BTreeSet::new()), ["lesson", "text", "exam", "quiz"]);
    }
}
