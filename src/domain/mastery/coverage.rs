//! What a course teaches and assesses of a competency, and which modules would close a gap.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// Keys of the modules that teach it.
    pub taught_by: BTreeSet<String>,
    /// Keys of the modules that assess it.
    pub assessed_by: BTreeSet<String>,
}

impl Coverage {
    /// The verdict.
    #[must_use]
    pub fn status(&self) -> CoverageStatus {
        match (self.taught_by.is_empty(), self.assessed_by.is_empty()) {
            (true, true) => CoverageStatus::None,
            (false, true) => CoverageStatus::TaughtOnly,
            (true, false) => CoverageStatus::AssessedOnly,
            (false, false) => CoverageStatus::Covered,
        }
    }
}

/// Coverage of every competency that the course aims at or touches, by id.
#[must_use]
pub fn coverage(aims: &[Uuid], alignments: &[Alignment]) -> Vec<Coverage> {
    let empty = |competency| Coverage { competency, taught_by: BTreeSet::new(), assessed_by: BTreeSet::new() };
    let mut all: BTreeMap<Uuid, Coverage> = aims.iter().map(|id| (*id, empty(*id))).collect();
    for alignment in alignments {
        let entry = all.entry(alignment.competency).or_insert_with(|| empty(alignment.competency));
        let side = match alignment.touch {
            Touch::Teaches => &mut entry.taught_by,
            Touch::Assesses => &mut entry.assessed_by,
        };
        side.insert(alignment.module.clone());
    }
    all.into_values().collect()
}

/// Modules that would help a learner with this competency: those not completed come first, then those that teach before those
/// that only assess, then by weight, then by key.
#[must_use]
pub fn suggest<'a>(competency: Uuid, alignments: &'a [Alignment], completed: &BTreeSet<String>) -> Vec<&'a str> {
    let mut best: BTreeMap<&str, (bool, bool, f64)> = BTreeMap::new();
    for alignment in alignments.iter().filter(|a| a.competency == competency) {
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
        let status = |alignments: &[Alignment]| coverage(&[A], alignments)[0].status();
        let (teaches, assesses) = (aligned("text", A, 1.0, Touch::Teaches), aligned("quiz", A, 1.0, Touch::Assesses));
        assert_eq!(status(&[]), CoverageStatus::None);
        assert_eq!(status(std::slice::from_ref(&teaches)), CoverageStatus::TaughtOnly);
        assert_eq!(status(std::slice::from_ref(&assesses)), CoverageStatus::AssessedOnly);
        assert_eq!(status(&[teaches, assesses]), CoverageStatus::Covered);
    }

    #[test]
    fn what_a_course_touches_beside_its_aims_is_listed_too() {
        let all = coverage(&[A], &[aligned("text", B, 1.0, Touch::Teaches)]);
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
        assert_eq!(suggest(A, &all, &completed), ["heavy", "light", "quiz", "done"]);
    }
}
