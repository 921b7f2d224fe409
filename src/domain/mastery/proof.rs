//! What a piece of graded work proves, and what a new value of mastery changes.

use uuid::Uuid;

use super::coverage::Touch;
use super::method::reaches;
use crate::domain::outline::Module;

/// What one piece of work says about one competency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proof {
    /// The competency.
    pub competency: Uuid,
    /// 0 to 1.
    pub score: f64,
    /// How much it counts; more than 0.
    pub weight: f64,
}

/// What a quiz attempt proves: of each competency that its items evaluate, the mean of their shares by weight, with the sum of the
/// weights; of those that only the module names, the score of the whole. `shares` are in the order of the items.
#[must_use]
pub fn of_attempt(module: &Module, shares: &[f64], score_percent: f64) -> Vec<Proof> {
    let Some(quiz) = module.quiz() else { return Vec::new() };
    let mut sums: Vec<(Uuid, f64, f64)> = Vec::new();
    for (item, share) in quiz.items.iter().zip(shares) {
        for link in item.common().competencies {
            match sums.iter_mut().find(|(id, ..)| *id == link.id) {
                Some((_, sum, weights)) => {
                    *sum += link.weight * share;
                    *weights += link.weight;
                }
                None => sums.push((link.id, link.weight * share, link.weight)),
            }
        }
    }
    let by_item: Vec<Uuid> = sums.iter().map(|(id, ..)| *id).collect();
    let whole = module.alignments().into_iter().filter(|a| a.touch == Touch::Assesses);
    let whole = whole.filter(|a| !by_item.contains(&a.competency)).map(|a| Proof {
        competency: a.competency,
        score: (score_percent / 100.0).clamp(0.0, 1.0),
        weight: a.weight,
    });
    let items = sums.iter().filter(|(.., weights)| *weights > 0.0).map(|(id, sum, weights)| Proof {
        competency: *id,
        score: (sum / weights).clamp(0.0, 1.0),
        weight: *weights,
    });
    items.chain(whole).collect()
}

/// What completing a module proves that is no quiz: a full score of whatever it assesses.
#[must_use]
pub fn of_completion(module: &Module) -> Vec<Proof> {
    if module.quiz().is_some() {
        return Vec::new();
    }
    let assessed = module.alignments().into_iter().filter(|a| a.touch == Touch::Assesses);
    assessed.map(|a| Proof { competency: a.competency, score: 1.0, weight: a.weight }).collect()
}

/// What a new value means for whoever waits for mastery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The threshold is reached and was not before.
    Mastered,
    /// It was reached and is not any more.
    Lost,
    /// Neither.
    Neither,
}

/// Compares what was mastered, by the threshold of then, with the mastery and the threshold of now.
#[must_use]
pub fn turn(mastered: bool, after: Option<f64>, threshold: f64) -> Turn {
    match (mastered, after.is_some_and(|value| reaches(value, threshold))) {
        (false, true) => Turn::Mastered,
        (true, false) => Turn::Lost,
        _ => Turn::Neither,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const C: Uuid = Uuid::from_u128(3);

    fn quiz() -> Module {
        let item = |key: &str, links: serde_json::Value| json!({"key": key, "type": "true_false", "prompt": "?", "answer": true, "competencies": links});
        serde_json::from_value(json!({"key": "q", "title": "Q", "kind": "quiz", "content": {"items": [
            item("one", json!([{"id": A}, {"id": B, "weight": 3}])), item("two", json!([{"id": A, "weight": 3}])), item("three", json!([]))]},
            "competencies": [{"id": A, "weight": 9}, {"id": C, "weight": 2}]}))
        .unwrap()
    }

    #[test]
    fn items_weigh_in_by_competency_and_the_module_speaks_for_the_rest() {
        let proofs = of_attempt(&quiz(), &[1.0, 0.5, 0.0], 50.0);
        let proof = |competency, score, weight| Proof { competency, score, weight };
        assert_eq!(proofs, [proof(A, (1.0 + 1.5) / 4.0, 4.0), proof(B, 1.0, 3.0), proof(C, 0.5, 2.0)]);
        assert!(of_completion(&quiz()).is_empty());
    }

    #[test]
    fn only_what_assesses_proves_anything_by_being_completed() {
        let module = |touch: &str| -> Module {
            serde_json::from_value(json!({"key": "m", "title": "M", "kind": "article", "content": {},
                "competencies": [{"id": A, "weight": 2, "touch": touch}]}))
            .unwrap()
        };
        assert_eq!(of_completion(&module("assesses")), [Proof { competency: A, score: 1.0, weight: 2.0 }]);
        assert!(of_completion(&module("teaches")).is_empty());
    }

    proptest! {
        /// A proof lies between the worst and the best item, and weighs as much as they do together.
        #[test]
        fn proofs_lie_within_their_items(items in prop::collection::vec((0.0f64..=1.0, 0.01f64..10.0), 1..12)) {
            let list: Vec<_> = items.iter().enumerate().map(|(n, (_, weight))| json!({"key": format!("q{n}"), "type": "true_false",
                "prompt": "?", "answer": true, "competencies": [{"id": A, "weight": weight}]})).collect();
            let module: Module = serde_json::from_value(json!({"key": "q", "title": "Q", "kind": "quiz", "content": {"items": list}})).unwrap();
            let shares: Vec<f64> = items.iter().map(|(share, _)| *share).collect();
            let proofs = of_attempt(&module, &shares, 0.0);
            prop_assert_eq!(proofs.len(), 1);
            let (low, high) = shares.iter().fold((1.0_f64, 0.0_f64), |(l, h), s| (l.min(*s), h.max(*s)));
            prop_assert!(proofs[0].score >= low - 1e-9 && proofs[0].score <= high + 1e-9);
            prop_assert!((proofs[0].weight - items.iter().map(|(_, w)| w).sum::<f64>()).abs() < 1e-9);
        }
    }

    #[test]
    fn only_crossing_the_threshold_is_a_turn() {
        assert_eq!(turn(false, Some(0.8), 0.8), Turn::Mastered);
        assert_eq!(turn(true, Some(0.8), 0.8), Turn::Neither);
        assert_eq!(turn(true, Some(0.8), 0.9), Turn::Lost, "the threshold was raised");
        assert_eq!(turn(true, None, 0.8), Turn::Lost);
        assert_eq!(turn(false, Some(0.1), 0.8), Turn::Neither);
    }
}
