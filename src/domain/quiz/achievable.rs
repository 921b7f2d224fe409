//! Which scores a quiz can give at all.

use super::QuizContent;
use super::grade::round4;
use super::item::{Item, Scoring};

/// Most different sums that are told apart; a quiz with more counts as one that can give any score.
const MAX_SUMS: usize = 4_000;

/// The scores in percent that one attempt can come to, in order; `None` when they are too many to tell.
#[must_use]
pub fn achievable_scores(quiz: &QuizContent) -> Option<Vec<f64>> {
    let mut sums = vec![0.0_f64];
    let mut most = 0.0;
    for item in &quiz.items {
        let points = item.common().points;
        let earned: Vec<f64> = shares(item).into_iter().map(|share| share * points).collect();
        sums = sums.iter().flat_map(|sum| earned.iter().map(move |more| sum + more)).collect();
        sums.sort_by(f64::total_cmp);
        sums.dedup_by(|a, b| (*a - *b).abs() <= 1e-9 * b.abs());
        if sums.len() > MAX_SUMS {
            return None;
        }
        most += points;
    }
    if most <= 0.0 {
        return Some(vec![0.0]);
    }
    let mut scores: Vec<f64> = sums.into_iter().map(|sum| round4(sum / most * 100.0)).collect();
    scores.dedup();
    Some(scores)
}

/// The shares of its points that an item can earn.
fn shares(item: &Item) -> Vec<f64> {
    match item {
        Item::MultipleChoice(choice) if choice.scoring == Scoring::Partial => {
            let right = u32::try_from(choice.choices.iter().filter(|c| c.correct).count()).unwrap_or(u32::MAX).max(1);
            (0..=right).map(|n| f64::from(n) / f64::from(right)).collect()
        }
        _ => vec![0.0, 1.0],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scores(items: Value) -> Option<Vec<f64>> {
        achievable_scores(&serde_json::from_value(json!({ "items": items })).unwrap())
    }

    fn yes_no(key: usize, points: f64) -> Value {
        json!({"key": format!("q{key}"), "type": "true_false", "prompt": "?", "answer": true, "points": points})
    }

    #[test]
    fn scores_follow_from_the_items_and_what_they_are_worth() {
        let one_each = |n: usize| Value::Array((0..n).map(|k| yes_no(k, 1.0)).collect());
        assert_eq!(scores(one_each(1)).unwrap(), [0.0, 100.0]);
        assert_eq!(scores(one_each(3)).unwrap(), [0.0, 33.3333, 66.6667, 100.0]);
        assert_eq!(scores(one_each(4)).unwrap(), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(scores(json!([yes_no(0, 1.0), yes_no(1, 3.0)])).unwrap(), [0.0, 25.0, 75.0, 100.0]);
        let partial = json!([{"key": "q", "type": "multiple_choice", "prompt": "?", "scoring": "partial", "choices": [
            {"key": "a", "text": "A", "correct": true}, {"key": "b", "text": "B", "correct": true}, {"key": "c", "text": "C"}]}]);
        assert_eq!(scores(partial).unwrap(), [0.0, 50.0, 100.0]);
        assert_eq!(scores(one_each(200)).unwrap().len(), 201);
        let odd = Value::Array((0..20).map(|k| yes_no(k, 2_f64.powi(i32::try_from(k).unwrap()))).collect());
        assert_eq!(scores(odd), None, "too many to tell");
    }
}
