//! Practice mode.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::quiz::ItemView;
use crate::http::Input;

/// What is practised.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PracticeQuery {
    /// Only items of this quiz.
    pub module: Option<String>,
    /// Only items that evaluate this competency.
    pub competency_id: Option<Uuid>,
}

/// The item that fits the learner best just now.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "module": "check", "item": {"key": "q1", "type": "true_false", "prompt": "Feedback is best given at once.", "points": 1.0},
    "ability": 0.4, "answers": 6, "chance": 0.72
}))]
pub struct PracticeOut {
    /// Key of the quiz; null when there is nothing to practise.
    #[schema(required)]
    pub module: Option<String>,
    /// The question.
    #[schema(required)]
    pub item: Option<ItemView>,
    /// The learner's estimated ability in this course, in logits; 0 is the average.
    pub ability: f64,
    /// How many answers made the estimate.
    pub answers: u32,
    /// The estimated chance of a right answer: 0.75 is aimed at.
    #[schema(required)]
    pub chance: Option<f64>,
}

/// An answer in practice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"module": "check", "item": "q1", "answer": true}))]
pub struct PracticeIn {
    /// Key of the quiz.
    #[schema(max_length = 100)]
    pub module: String,
    /// Key of the item.
    #[schema(max_length = 100)]
    pub item: String,
    /// The answer, as an attempt takes it.
    pub answer: Value,
}

impl Input for PracticeIn {}

/// What an answer in practice came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "score": 1.0, "result": "right", "feedback": [], "next": {
        "module": "check", "item": {"key": "q2", "type": "true_false", "prompt": "Praise works in public.", "points": 1.0},
        "ability": 0.62, "answers": 7, "chance": 0.74}
}))]
pub struct PracticeResult {
    /// Share of the points, 0 to 1.
    pub score: f64,
    /// `right`, `partly_right`, `wrong` or `blank`.
    pub result: &'static str,
    /// What the author says to this answer.
    pub feedback: Vec<String>,
    /// The next item, chosen by the new estimate.
    pub next: PracticeOut,
}
