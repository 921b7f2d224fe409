//! Quizzes: items, what a learner sees of them, how answers are read and graded.

mod achievable;
mod check;
mod grade;
mod item;
pub(crate) mod shuffle;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::achievable::achievable_scores;
pub use self::check::{AnswerFault, check_answer};
pub use self::grade::{Correction, Counted, Graded, GradedItem, counted, grade, grade_corrected, share};
pub use self::item::{Choice, ChoiceView, CompetencyLink, Feedback, Item, ItemView, Scoring, Tolerance};
use super::bounds::MAX_SECONDS;
use super::outline::valid_key;

/// A quiz as an author writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuizContent {
    /// The items.
    pub items: Vec<Item>,
    /// The pass mark, 0 to 100; 60 when absent. A draft may have any, which the linter refuses.
    #[serde(default = "sixty")]
    #[schema(default = 60.0)]
    pub pass_percent: f64,
    /// How many attempts there are; 0, the default, for as many as one likes.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted")]
    pub max_attempts: u32,
    /// Keys of modules that must be taken again after a failed attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remediation: Vec<String>,
    /// Seconds to wait after a failed attempt; together with `remediation`, either suffices.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted", skip_serializing_if = "Option::is_none")]
    pub cooldown_seconds: Option<u64>,
    /// Which score counts; `highest` when absent. The quiz is passed when the grade that counts reaches the pass mark; once passed it
    /// stays so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grading_method: GradingMethod,
    /// Seconds for an attempt; the server keeps the time.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted", skip_serializing_if = "Option::is_none")]
    pub time_limit_seconds: Option<u64>,
    /// Whether items come in a random order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shuffle_items: bool,
    /// Whether choices come in a random order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shuffle_choices: bool,
    /// What may be seen after submitting.
    #[serde(default, skip_serializing_if = "is_default")]
    pub review: Review,
    /// Whether learners may practise its items one by one, chosen by their estimated ability.
    #[serde(default, skip_serializing_if = "is_default")]
    pub practice: bool,
}

fn sixty() -> f64 {
    60.0
}
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which of several attempts counts: its score is the module's, and whether it passed is whether the module is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradingMethod {
    /// The highest.
    #[default]
    Highest,
    /// The last.
    Latest,
    /// The first. Later attempts are for practice: whoever fails the first cannot pass any more, but by an exception. A hurdle or
    /// final is then failed, and gives no further attempts.
    First,
    /// The mean of all, which passes when it reaches the pass mark.
    Average,
}

/// What may be seen after submitting. What may not be seen is not in the answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// Points of each item.
    pub marks: bool,
    /// Whether each item was right.
    pub correctness: bool,
    /// Feedback that the author wrote.
    pub feedback: bool,
}

impl Default for Review {
    fn default() -> Self {
        Self { marks: true, correctness: true, feedback: true }
    }
}

/// Points of one item at most.
const MAX_POINTS: f64 = 1_000_000.0;

/// A fault of a quiz; the pointer is relative to the quiz's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuizFault {
    /// RFC 6901.
    pub pointer: String,
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl QuizContent {
    /// Whether a score reaches the pass mark.
    #[must_use]
    pub fn passes(&self, score_percent: f64) -> bool {
        score_percent + 1e-9 >= self.pass_percent
    }

    /// The item with this key.
    #[must_use]
    pub fn item(&self, key: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.common().key == key)
    }

    /// What a learner sees, shuffled by the attempt's seed: nothing of it tells an answer.
    #[must_use]
    pub fn view(&self, seed: u64) -> Vec<ItemView> {
        let mut order: Vec<&Item> = self.items.iter().collect();
        if self.shuffle_items {
            shuffle::shuffle(&mut order, seed);
        }
        order.into_iter().map(|item| item.view(self.shuffle_choices.then_some(seed))).collect()
    }

    /// Everything that makes it unfit for learners.
    #[must_use]
    pub fn lint(&self) -> Vec<QuizFault> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, code: &'static str, detail: &str| {
            faults.push(QuizFault { pointer, code, detail: detail.to_owned() });
        };
        if self.items.is_empty() {
            add("/items".into(), "quiz_without_items", "A quiz needs at least one item.");
        }
        if !(0.0..=100.0).contains(&self.pass_percent) {
            add("/pass_percent".into(), "impossible_pass_mark", "The pass mark must lie between 0 and 100.");
        }
        if self.time_limit_seconds == Some(0) {
            add("/time_limit_seconds".into(), "out_of_range", "A time limit of 0 seconds lets nobody answer.");
        }
        for (name, span) in [("time_limit", self.time_limit_seconds), ("cooldown", self.cooldown_seconds)] {
            if span.is_some_and(|seconds| seconds > MAX_SECONDS) {
                add(format!("/{name}_seconds"), "out_of_range", "Up to 3,153,600,000 seconds, which are 36,500 days.");
            }
        }
        let mut keys = std::collections::HashSet::new();
        for (n, item) in self.items.iter().enumerate() {
            let at = format!("/items/{n}");
            let common = item.common();
            if !valid_key(common.key) {
                add(format!("{at}/key"), "invalid_key", "A key has 1 to 100 letters, digits, `.`, `_` or `-`.");
            }
            if !keys.insert(common.key) {
                add(format!("{at}/key"), "duplicate_key", "Another item of this quiz has this key.");
            }
            // Bounded, so that sums of them stay numbers.
            if !(common.points > 0.0 && common.points <= MAX_POINTS) {
                add(format!("{at}/points"), "out_of_range", "An item has more than 0 points, and up to 1,000,000.");
            }
            if !(0.0..=MAX_POINTS).contains(&common.penalty) {
                add(format!("{at}/penalty"), "out_of_range", "A penalty lies between 0 and 1,000,000 points.");
            }
            let mut evaluated = std::collections::HashSet::new();
            for (c, link) in common.competencies.iter().enumerate() {
                if !(link.weight > 0.0 && link.weight <= 1000.0) {
                    add(
                        format!("{at}/competencies/{c}/weight"),
                        "out_of_range",
                        "A weight lies above 0 and up to 1,000.",
                    );
                }
                if !evaluated.insert(link.id) {
                    add(format!("{at}/competencies/{c}/id"), "duplicate_competency", "This competency is named twice.");
                }
            }
            for (pointer, code, detail) in item.faults() {
                add(format!("{at}{pointer}"), code, detail);
            }
        }
        faults
    }
}
