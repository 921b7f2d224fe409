//! What comes in and goes out about attempts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::path::NextStep;
use crate::domain::quiz::{Correction, GradedItem, ItemView};
use crate::error::Faults;
use crate::features::enrollments::dto::EnrollmentBrief;
use crate::http::Input;
use crate::http::shapes::{NeededRemark, Shape};

/// Nothing needs to be said to begin an attempt.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct AttemptIn {}

impl Input for AttemptIn {}

/// An answer: a list of choice keys, a boolean, a text or a number, as the item's type asks; null takes it back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"answer": ["a"]}))]
pub struct AnswerIn {
    /// The answer.
    pub answer: Value,
}

impl Input for AnswerIn {}

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Takes answers.
    InProgress,
    /// Done.
    Graded,
}

/// An attempt. While it is in progress it shows the questions and the answers given; when graded, what the quiz's review allows.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000b1", "enrollment_id": "0199c0de-0000-7000-8000-0000000000e1", "module": "check",
    "number": 1, "state": "in_progress", "started_at": "2026-11-23T09:30:00Z", "deadline": null, "submitted_at": null,
    "items": [{"key": "q1", "type": "single_choice", "prompt": "Which mode needs no common time?", "points": 1.0,
               "choices": [{"key": "b", "text": "In person"}, {"key": "a", "text": "Self-paced"}]}],
    "answers": {}, "points": null, "max_points": null, "score_percent": null, "passed": null, "results": [], "correction": null
}))]
pub struct AttemptOut {
    /// Its id.
    pub id: Uuid,
    /// The enrollment.
    pub enrollment_id: Uuid,
    /// Key of the quiz.
    pub module: String,
    /// 1 for the first, 2 for the second, …
    pub number: i32,
    /// Where it is.
    pub state: AttemptState,
    /// When it was begun.
    pub started_at: DateTime<Utc>,
    /// When the server submits it by itself; null without a time limit.
    #[schema(required)]
    pub deadline: Option<DateTime<Utc>>,
    /// When it was submitted.
    #[schema(required)]
    pub submitted_at: Option<DateTime<Utc>>,
    /// The questions, in this attempt's order.
    pub items: Vec<ItemView>,
    /// The answers given, by item key.
    #[schema(value_type = Object)]
    pub answers: BTreeMap<String, Value>,
    /// Points earned.
    #[schema(required)]
    pub points: Option<f64>,
    /// Points that could be earned.
    #[schema(required)]
    pub max_points: Option<f64>,
    /// `points / max_points * 100`.
    #[schema(required)]
    pub score_percent: Option<f64>,
    /// Whether the pass mark was reached.
    #[schema(required)]
    pub passed: Option<bool>,
    /// What each item earned, as far as the review policy shows it; empty until graded.
    pub results: Vec<GradedItem>,
    /// What a person changed of the grade.
    #[schema(required)]
    pub correction: Option<AttemptCorrection>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What a person changed of a grade, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptCorrection {
    /// Points of items, by key; none for the learner where the review hides marks.
    #[serde(default)]
    pub points: BTreeMap<String, f64>,
    /// The score of the whole, in percent.
    #[serde(default)]
    #[schema(required)]
    pub score_percent: Option<f64>,
    /// Why.
    pub reason: String,
    /// The user or client who did it.
    #[schema(required)]
    pub corrected_by: Option<Uuid>,
    /// When.
    pub corrected_at: DateTime<Utc>,
}

impl AttemptCorrection {
    /// What it does to the grade.
    #[must_use]
    pub fn grade(&self) -> Correction {
        Correction { points: self.points.clone(), score_percent: self.score_percent }
    }
}

/// A corrected grade: points of items, or the score of the whole. It stands in place of an earlier correction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"points": {"q1": 1}, "reason": "The wording of the question was wrong."}))]
pub struct CorrectIn {
    /// Points of items, by key: 0 to what the item is worth.
    #[serde(default)]
    pub points: Option<BTreeMap<String, f64>>,
    /// Or the score of the whole, 0 to 100 percent; what items prove is then this score for each of them.
    #[serde(default)]
    #[schema(minimum = 0.0, maximum = 100.0)]
    pub score_percent: Option<f64>,
    /// Why; 1 to 1,000 characters.
    #[schema(value_type = NeededRemark)]
    pub reason: String,
}

impl Input for CorrectIn {}

impl CorrectIn {
    /// Adds every fault of the fields; named together with what does not fit the quiz.
    pub fn find_faults(&self, faults: &mut Faults) {
        NeededRemark::check(&self.reason, "/reason", faults);
        let percent = self.score_percent.is_none_or(|n| (0.0..=100.0).contains(&n));
        faults.ensure(percent, "/score_percent", "out_of_range", "A score lies between 0 and 100 percent.");
        let items = self.points.as_ref().is_some_and(|points| !points.is_empty());
        let one = items != self.score_percent.is_some();
        faults.ensure(one, "/points", "contradiction", "Say either points or score_percent.");
    }
}

/// A graded attempt and what it brought about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubmitOut {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptOut,
    /// How the enrollment stands now.
    pub enrollment: EnrollmentBrief,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// The certificate that a completed enrollment holds, whichever call completed it; null where there is none.
    #[schema(required)]
    pub certificate_id: Option<Uuid>,
}

/// A page of attempts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttemptQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}
