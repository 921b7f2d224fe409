//! Grading.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::item::{Item, Scoring, Tolerance};
use super::{GradingMethod, QuizContent};

/// What an item earned.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct GradedItem {
    /// The item.
    pub key: String,
    /// Points earned, if marks may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<f64>,
    /// Points that could be earned, if marks may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_points: Option<f64>,
    /// `right`, `partly_right`, `wrong` or `blank`, if that may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'static str>,
    /// What the author says to this answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<String>,
}

/// What an attempt earned.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// Points earned.
    pub points: f64,
    /// Points that could be earned.
    pub max_points: f64,
    /// `points / max_points * 100`, to four decimals.
    pub score_percent: f64,
    /// Whether that reaches the pass mark.
    pub passed: bool,
    /// Each item.
    pub items: Vec<GradedItem>,
    /// Share of its points that each item earned, 0 to 1, in the order of the quiz; penalties left out.
    pub shares: Vec<f64>,
}

/// What a person changed of an attempt's grade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// Points of items, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, f64>,
    /// The score of the whole, in percent; stands above the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_percent: Option<f64>,
}

/// The form in which texts are compared: composed by compatibility (NFKC, UAX #15), so that it does not matter how a keyboard makes
/// an é or a full-width letter; typographic apostrophes, quotation marks and hyphens as the plain ones; white space as one space;
/// and, unless case matters, without it (ß as ss).
fn normal(text: &str, case_sensitive: bool) -> String {
    let composed = icu_normalizer::ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let plain: String = composed.chars().map(plain).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let text = words.join(" ");
    // By way of upper case, for what has more letters there; before that the small letter of those that have one.
    if case_sensitive { text } else { text.to_lowercase().to_uppercase().to_lowercase() }
}

fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' | '\u{02BC}' | '\u{2032}' | '`' | '\u{00B4}' => '\'',
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{00AB}' | '\u{00BB}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    }
}

/// Share of its points that an answer earns, 0 to 1; `None` for no answer.
#[must_use]
pub fn share(item: &Item, answer: Option<&Value>) -> Option<f64> {
    let answer = answer.filter(|a| !a.is_null())?;
    let full = |right: bool| if right { 1.0 } else { 0.0 };
    Some(match item {
        Item::SingleChoice(_) | Item::MultipleChoice(_) => {
            let chosen: Vec<&str> = answer.as_array()?.iter().filter_map(Value::as_str).collect();
            if chosen.is_empty() {
                return None;
            }
            let choices = item.choices().unwrap_or_default();
            let count = |right: bool| {
                let n = choices.iter().filter(|c| c.correct == right && chosen.contains(&c.key.as_str())).count();
                f64::from(u32::try_from(n).unwrap_or(u32::MAX))
            };
            let all = f64::from(u32::try_from(choices.iter().filter(|c| c.correct).count()).unwrap_or(u32::MAX));
            let (right, wrong) = (count(true), count(false));
            let partial = matches!(item, Item::MultipleChoice(m) if m.scoring == Scoring::Partial);
            if partial { ((right - wrong) / all).max(0.0) } else { full(right >= all && wrong == 0.0) }
        }
        Item::TrueFalse(item) => full(answer.as_bool()? == item.answer),
        Item::ShortAnswer(item) => {
            let given = normal(answer.as_str()?, item.case_sensitive);
            if given.is_empty() {
                return None;
            }
            full(item.accepted.iter().any(|accepted| normal(accepted, item.case_sensitive) == given))
        }
        Item::Numeric(item) => {
            let allowed = match item.tolerance {
                None => 0.0,
                Some(Tolerance::Absolute(n)) => n,
                Some(Tolerance::Relative(n)) => n * item.answer.abs(),
            };
            // Decimal fractions have no exact binary form: 0.3 and 0.1 + 0.2 must be the same answer.
            let noise = 1e-9 * item.answer.abs().max(1e-300);
            full((answer.as_f64()? - item.answer).abs() <= allowed + noise)
        }
    })
}

pub(super) fn round4(n: f64) -> f64 {
    (n * 10_000.0).round() / 10_000.0
}

/// Grades an attempt; what the quiz's review policy does not allow to be seen is left out.
#[must_use]
pub fn grade(quiz: &QuizContent, answers: &BTreeMap<String, Value>) -> Graded {
    grade_corrected(quiz, answers, None)
}

/// [`grade`], with what a person changed of it.
#[must_use]
pub fn grade_corrected(
    quiz: &QuizContent,
    answers: &BTreeMap<String, Value>,
    correction: Option<&Correction>,
) -> Graded {
    let (mut points, mut max_points) = (0.0, 0.0);
    let mut shares = Vec::with_capacity(quiz.items.len());
    let mut items = Vec::with_capacity(quiz.items.len());
    for item in &quiz.items {
        let common = item.common();
        let answer = answers.get(common.key);
        let by_hand = correction.and_then(|c| c.points.get(common.key)).copied();
        let share = by_hand.map(|p| (p / common.points).clamp(0.0, 1.0)).or_else(|| share(item, answer));
        let penalty = if share == Some(0.0) && by_hand.is_none() { common.penalty } else { 0.0 };
        let earned = (share.unwrap_or(0.0) * common.points - penalty).max(0.0);
        points += earned;
        max_points += common.points;
        shares.push(share.unwrap_or(0.0));
        let result = match share {
            None => "blank",
            Some(s) if s >= 1.0 => "right",
            Some(s) if s > 0.0 => "partly_right",
            Some(_) => "wrong",
        };
        let mut feedback = Vec::new();
        if quiz.review.feedback {
            let said =
                common.feedback.and_then(|f| if result == "right" { f.correct.as_ref() } else { f.incorrect.as_ref() });
            feedback.extend(said.cloned());
            let chosen: Vec<&str> =
                answer.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let of_choices = item.choices().unwrap_or_default().iter().filter(|c| chosen.contains(&c.key.as_str()));
            feedback.extend(of_choices.filter_map(|c| c.feedback.clone()));
        }
        items.push(GradedItem {
            key: common.key.to_owned(),
            points: quiz.review.marks.then(|| round4(earned)),
            max_points: quiz.review.marks.then_some(common.points),
            result: quiz.review.correctness.then_some(result),
            feedback,
        });
    }
    let mut score_percent = if max_points > 0.0 { round4(points / max_points * 100.0) } else { 0.0 };
    if let Some(percent) = correction.and_then(|c| c.score_percent) {
        // Nobody said which items it was, so all of them bear it alike.
        score_percent = percent;
        points = max_points * percent / 100.0;
        shares.fill(percent / 100.0);
    }
    Graded { points: round4(points), max_points, score_percent, passed: quiz.passes(score_percent), items, shares }
}

/// What several attempts at a quiz come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// The score that counts, in percent.
    pub score_percent: f64,
    /// Whether it passes.
    pub passed: bool,
}

/// What counts, of all finished attempts' scores in order of submission, each with whether it passed.
#[must_use]
pub fn counted(method: GradingMethod, pass_percent: f64, attempts: &[(f64, bool)]) -> Option<Counted> {
    let (first, last) = (attempts.first().copied()?, attempts.last().copied()?);
    let (score_percent, passed) = match method {
        GradingMethod::Highest => (
            attempts.iter().map(|(score, _)| *score).fold(first.0, f64::max),
            // Each by the pass mark of then.
            attempts.iter().any(|(_, passed)| *passed),
        ),
        GradingMethod::Latest => last,
        GradingMethod::First => first,
        GradingMethod::Average => {
            let sum: f64 = attempts.iter().map(|(score, _)| score).sum();
            let mean = round4(sum / f64::from(u32::try_from(attempts.len()).unwrap_or(u32::MAX)));
            (mean, mean + 1e-9 >= pass_percent)
        }
    };
    Some(Counted { score_percent, passed })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn quiz(items: Value) -> QuizContent {
        serde_json::from_value(json!({ "items": items })).unwrap()
    }

    fn score(items: &Value, answers: Value) -> f64 {
        grade(&quiz(items.clone()), &serde_json::from_value(answers).unwrap()).score_percent
    }

    fn choices(kind: &str, extra: (&str, Value)) -> Value {
        let mut item = json!({"key": "q", "type": kind, "prompt": "?", "choices": [
            {"key": "a", "text": "A", "correct": true}, {"key": "b", "text": "B", "correct": true},
            {"key": "c", "text": "C"}, {"key": "d", "text": "D"}]});
        item[extra.0] = extra.1;
        json!([item])
    }

    #[test]
    fn texts_are_the_same_however_a_keyboard_makes_them() {
        let same = [
            ("l'été", "l’e\u{301}te\u{301}"),
            ("straße", "STRASSE"),
            ("on-line", "on\u{2010}line"),
            ("abc 1", "  ＡＢＣ\u{a0}１ "),
            ("\"x\"", "“x”"),
        ];
        for (accepted, given) in same {
            assert_eq!(normal(accepted, false), normal(given, false));
        }
        assert_ne!(normal("Rust", true), normal("rust", true));
        assert_eq!(normal("l'été", true), normal("l’e\u{301}te\u{301}", true));
        assert_ne!(normal("resume", false), normal("résumé", false), "accents are part of a word");
    }

    #[test]
    fn multiple_choice_all_or_nothing_and_partial() {
        let whole = choices("multiple_choice", ("scoring", json!("all_or_nothing")));
        let partial = choices("multiple_choice", ("scoring", json!("partial")));
        for (answer, all, part) in [
            (json!(["a", "b"]), 100.0, 100.0),
            (json!(["a"]), 0.0, 50.0),
            (json!(["a", "c"]), 0.0, 0.0),
            (json!(["a", "b", "c"]), 0.0, 50.0),
            (json!(["c", "d"]), 0.0, 0.0),
            (json!([]), 0.0, 0.0),
        ] {
            assert_eq!(score(&whole, json!({"q": answer})), all, "{answer}");
            assert_eq!(score(&partial, json!({"q": answer})), part, "{answer}");
        }
    }

    #[test]
    fn short_answers_are_compared_by_their_words() {
        let item = json!([{"key": "q", "type": "short_answer", "prompt": "?", "accepted": ["Mount Everest"]}]);
        for (answer, percent) in [("  mount   EVEREST ", 100.0), ("Everest", 0.0), ("", 0.0)] {
            assert_eq!(score(&item, json!({"q": answer})), percent, "{answer}");
        }
        let strict =
            json!([{"key": "q", "type": "short_answer", "prompt": "?", "accepted": ["pH"], "case_sensitive": true}]);
        assert_eq!(score(&strict, json!({"q": "PH"})), 0.0);
        assert_eq!(score(&strict, json!({"q": "pH"})), 100.0);
    }

    #[test]
    fn numbers_within_their_tolerance() {
        let item = |tolerance: Value| json!([{"key": "q", "type": "numeric", "prompt": "?", "answer": 0.3, "tolerance": tolerance}]);
        assert_eq!(score(&item(json!({"absolute": 0.0})), json!({"q": 0.1 + 0.2})), 100.0);
        assert_eq!(score(&item(json!({"absolute": 0.05})), json!({"q": 0.35})), 100.0);
        assert_eq!(score(&item(json!({"absolute": 0.05})), json!({"q": 0.36})), 0.0);
        assert_eq!(score(&item(json!({"relative": 0.1})), json!({"q": 0.27})), 100.0);
        assert_eq!(score(&item(json!({"relative": 0.1})), json!({"q": 0.26})), 0.0);
    }

    #[test]
    fn penalties_never_go_below_zero_and_spare_the_silent() {
        let item = json!([{"key": "q", "type": "true_false", "prompt": "?", "answer": true, "points": 2, "penalty": 1},
                          {"key": "r", "type": "true_false", "prompt": "?", "answer": true, "points": 2}]);
        assert_eq!(score(&item, json!({"q": false, "r": true})), 50.0);
        assert_eq!(score(&item, json!({"r": true})), 50.0);
    }

    #[test]
    fn the_counted_score_by_each_method() {
        let scores = [40.0, 90.0, 50.0];
        let attempts: Vec<(f64, bool)> = scores.iter().map(|score| (*score, *score >= 60.0)).collect();
        let of = |method| counted(method, 60.0, &attempts).map(|c| (c.score_percent, c.passed));
        assert_eq!(of(GradingMethod::Highest), Some((90.0, true)));
        assert_eq!(of(GradingMethod::Latest), Some((50.0, false)));
        assert_eq!(of(GradingMethod::First), Some((40.0, false)));
        assert_eq!(of(GradingMethod::Average), Some((60.0, true)));
        assert_eq!(counted(GradingMethod::Average, 60.0, &[]), None);
    }

    #[test]
    fn a_view_tells_no_answer() {
        let all = quiz(json!([
            {"key": "a", "type": "single_choice", "prompt": "?", "feedback": {"correct": "secret"},
             "choices": [{"key": "x", "text": "X", "correct": true, "feedback": "secret"}, {"key": "y", "text": "Y"}]},
            {"key": "b", "type": "short_answer", "prompt": "?", "accepted": ["secret"]},
            {"key": "c", "type": "numeric", "prompt": "?", "answer": 4711.0, "tolerance": {"absolute": 12.5}},
            {"key": "d", "type": "true_false", "prompt": "?", "answer": true}]));
        let text = serde_json::to_string(&all.view(1)).unwrap();
        for told in ["correct", "accepted", "answer\":", "tolerance", "secret", "4711", "12.5"] {
            assert!(!text.contains(told), "{told} in {text}");
        }
    }

    proptest! {
        #[test]
        fn right_answers_earn_everything_whatever_the_seed(points in prop::collection::vec(1u32..10, 1..8), seed: u64) {
            let items: Vec<Value> = points.iter().enumerate().map(|(n, p)| json!({
                "key": format!("q{n}"), "type": "single_choice", "prompt": "?", "points": p,
                "choices": [{"key": "a", "text": "A"}, {"key": "b", "text": "B", "correct": true}, {"key": "c", "text": "C"}]})).collect();
            let mut quiz = quiz(json!(items));
            quiz.shuffle_items = true;
            quiz.shuffle_choices = true;
            prop_assert_eq!(quiz.view(seed), quiz.view(seed));
            prop_assert_eq!(quiz.view(seed).len(), items.len());
            let right: BTreeMap<_, _> = quiz.items.iter().map(|i| (i.common().key.to_owned(), i.right_answer())).collect();
            let graded = grade(&quiz, &right);
            prop_assert!(graded.passed && (graded.score_percent - 100.0).abs() < 1e-9);
        }
    }
}
