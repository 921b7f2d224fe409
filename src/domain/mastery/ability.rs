//! Practice mode: the learner's ability, estimated answer by answer, and the item that fits it.
//!
//! The model is the Elo rating system as it is used in adaptive practice: R. Pelánek, "Applications of the Elo rating system in
//! adaptive educational systems", Computers & Education 98 (2016), 169–179, doi:10.1016/j.compedu.2016.03.017. The chance of a right answer is that of the Rasch
//! model, `σ(ability − difficulty)`, with the guessing of a choice of k options as `1/k + (1 − 1/k)·σ`. After an answer,
//! `ability += U(n)·(score − chance)` and the difficulty moves the other way, where `U(n) = a / (1 + b·n)` shrinks with the number
//! of answers already seen.

use uuid::Uuid;

/// How far the first answer moves an estimate.
const STEP: f64 = 1.0;
/// How fast the steps shrink.
const SHRINK: f64 = 0.05;
/// Estimates stay within this many logits of 0, so that no run of luck makes an item or a learner unreachable.
const LIMIT: f64 = 6.0;
/// Chance of a right answer at which practice is neither dull nor hopeless.
pub const TARGET_CHANCE: f64 = 0.75;

/// An estimate in logits, and the number of answers that made it. 0 is the average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// The value.
    pub logit: f64,
    /// How many answers made it.
    pub answers: u32,
}

impl Estimate {
    fn moved(self, by: f64) -> Self {
        let step = STEP / (1.0 + SHRINK * f64::from(self.answers));
        Self { logit: (self.logit + step * by).clamp(-LIMIT, LIMIT), answers: self.answers.saturating_add(1) }
    }
}

/// An item that may be practised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PracticeItem {
    /// Which.
    pub id: Uuid,
    /// How hard it is.
    pub difficulty: Estimate,
    /// Number of options of a single choice; `None` when guessing does not help.
    pub options: Option<u32>,
    /// How often this learner answered it in this practice.
    pub seen: u32,
}

/// Chance of a right answer.
#[must_use]
pub fn chance(ability: f64, difficulty: f64, options: Option<u32>) -> f64 {
    let knows = 1.0 / (1.0 + (difficulty - ability).exp());
    let guess = options.filter(|k| *k > 0).map_or(0.0, |k| 1.0 / f64::from(k));
    guess + (1.0 - guess) * knows
}

/// Both estimates after an answer with this score, 0 to 1.
#[must_use]
pub fn answered(ability: Estimate, difficulty: Estimate, options: Option<u32>, score: f64) -> (Estimate, Estimate) {
    let surprise = score.clamp(0.0, 1.0) - chance(ability.logit, difficulty.logit, options);
    (ability.moved(surprise), difficulty.moved(-surprise))
}

/// The item to serve next: among those seen least, the one whose chance of a right answer is nearest to [`TARGET_CHANCE`]; ties by
/// id.
#[must_use]
pub fn next(ability: Estimate, items: &[PracticeItem]) -> Option<&PracticeItem> {
    let distance =
        |item: &PracticeItem| (chance(ability.logit, item.difficulty.logit, item.options) - TARGET_CHANCE).abs();
    items.iter().min_by(|a, b| a.seen.cmp(&b.seen).then(distance(a).total_cmp(&distance(b))).then(a.id.cmp(&b.id)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(id: u128, logit: f64, seen: u32) -> PracticeItem {
        PracticeItem { id: Uuid::from_u128(id), difficulty: Estimate { logit, answers: 0 }, options: None, seen }
    }

    #[test]
    fn the_chance_and_the_steps_equal_their_formulas() {
        assert!((chance(0.0, 0.0, None) - 0.5).abs() < 1e-12);
        assert!((chance(3.0_f64.ln(), 0.0, None) - 0.75).abs() < 1e-12);
        assert!((chance(0.0, 0.0, Some(4)) - 0.625).abs() < 1e-12);
        let (ability, difficulty) = answered(Estimate::default(), Estimate::default(), None, 1.0);
        assert_eq!((ability.logit, difficulty.logit), (0.5, -0.5));
        let seen = Estimate { logit: 0.0, answers: 20 };
        assert_eq!(answered(seen, Estimate::default(), None, 0.0).0, Estimate { logit: -0.25, answers: 21 });
    }

    #[test]
    fn harder_items_go_to_abler_learners_and_unseen_ones_first() {
        let items = [item(1, -2.0, 0), item(2, 0.0, 0), item(3, 2.0, 0), item(4, 0.9, 1)];
        let id = |logit| next(Estimate { logit, answers: 5 }, &items).map(|i| i.id.as_u128());
        assert_eq!(id(-1.0), Some(1));
        assert_eq!(id(1.1), Some(2));
        assert_eq!(id(3.1), Some(3));
        assert!(next(Estimate::default(), &[]).is_none());
    }

    proptest! {
        #[test]
        fn estimates_stay_finite_and_move_with_the_answer(
            start in -6.0f64..6.0,
            answers in prop::collection::vec((0.0f64..=1.0, -6.0f64..6.0), 1..60),
        ) {
            let mut ability = Estimate { logit: start, answers: 0 };
            for (score, logit) in answers {
                let before = ability;
                let expected = chance(before.logit, logit, None);
                ability = answered(before, Estimate { logit, answers: 0 }, None, score).0;
                prop_assert!(ability.logit.abs() <= LIMIT);
                let moved = ability.logit - before.logit;
                prop_assert!((score - expected) * moved >= 0.0);
            }
        }

        #[test]
        fn an_able_learner_is_told_from_a_struggling_one(rounds in 30u32..80) {
            let run = |score: f64| (0..rounds).fold(Estimate::default(), |ability, _| {
                answered(ability, Estimate::default(), None, score).0
            });
            prop_assert!(run(0.9).logit > 1.0 && run(0.1).logit < -1.0);
        }
    }
}
