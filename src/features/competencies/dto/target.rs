//! What a course requires, by when, and who is behind.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::bounds::MAX_DAYS;
use crate::domain::condition::Required;
use crate::error::Faults;
use crate::http::Input;

/// A mastery that is required, and by when: at an instant, or so many days after the enrollment (of a goal: after it was assigned).
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"at_least": 0.8, "due_days": 14, "behind_days": 7}))]
pub struct TargetIn {
    /// Mastery from 0 to 1, or the name of a level.
    pub at_least: Required,
    /// When it is due (RFC 3339).
    #[serde(default)]
    pub due_at: Option<DateTime<Utc>>,
    /// Or so many days of 24 hours after the enrollment.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    pub due_days: Option<i32>,
    /// The event `competency.behind` is told when somebody is so many days behind; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    pub behind_days: Option<i32>,
}

/// Adds every fault of a target.
pub fn check_target(target: &TargetIn, at: &str, faults: &mut Faults) {
    if let Required::Mastery(n) = target.at_least
        && !(n > 0.0 && n <= 1.0)
    {
        faults.add(format!("{at}/at_least"), "out_of_range", "A mastery lies above 0 and up to 1.");
    }
    for (name, days) in [("due_days", target.due_days), ("behind_days", target.behind_days)] {
        if days.is_some_and(|days| u32::try_from(days).map_or(true, |days| days > MAX_DAYS)) {
            faults.add(format!("{at}/{name}"), "out_of_range", "0 to 36,500 days.");
        }
    }
    if target.due_at.is_some() && target.due_days.is_some() {
        faults.add(format!("{at}/due_days"), "contradiction", "Say due_at or due_days, not both.");
    }
}

impl Input for TargetIn {
    fn check(&self, faults: &mut Faults) {
        check_target(self, "", faults);
    }
}

/// What a course requires of a competency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": 0.8, "level": null, "due_at": null, "due_days": 14, "behind_days": 7,
    "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct TargetOut {
    /// The competency.
    pub competency_id: Uuid,
    /// The mastery that is required.
    pub at_least: f64,
    /// The level by whose name it was given.
    #[schema(required)]
    pub level: Option<String>,
    /// When it is due for everyone.
    #[schema(required)]
    pub due_at: Option<DateTime<Utc>>,
    /// Or how many days after the enrollment, of a goal after it was assigned.
    #[schema(required)]
    pub due_days: Option<i32>,
    /// When falling behind is told, in days.
    pub behind_days: i32,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// The targets of a course.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [
    {"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": 0.8, "level": null, "due_at": null, "due_days": 14, "behind_days": 7,
     "updated_at": "2026-11-24T09:00:00Z"}]}))]
pub struct TargetList {
    /// Each of them, by competency; a course has at most 200.
    pub items: Vec<TargetOut>,
}

/// What a course requires of its learner, and how far that is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrollmentTargetOut {
    /// The competency.
    pub competency_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// The mastery that is required.
    pub at_least: f64,
    /// The level by whose name it was given.
    #[schema(required)]
    pub level: Option<String>,
    /// How far the learner has come.
    #[schema(required)]
    pub mastery: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
    /// When it is due for this learner.
    #[schema(required)]
    pub due_at: Option<DateTime<Utc>>,
    /// Whole days since, while it is unmet.
    #[schema(required)]
    pub behind_days: Option<i64>,
    /// Modules that would help, the most useful first; none when it is met.
    pub suggested_modules: Vec<String>,
}

/// What a course requires of its learner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [
    {"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "key": "listen", "title": "Listen actively", "at_least": 0.8, "level": null,
     "mastery": 0.4, "met": false, "due_at": "2026-12-08T09:00:00Z", "behind_days": null, "suggested_modules": ["listening", "practice"]}]}))]
pub struct EnrollmentTargets {
    /// Each target, by competency.
    pub items: Vec<EnrollmentTargetOut>,
}

/// Filters of those who are behind.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BehindQuery {
    /// Items on a page, 1 to 200; 50 when absent. All of one learner stand on one page.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only this competency.
    pub competency_id: Option<Uuid>,
}

/// Somebody who is behind.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "user_id": "0199c0de-0000-7000-8000-000000000001", "enrollment_id": "0199c0de-0000-7000-8000-0000000000e1",
    "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": 0.8, "due_at": "2026-11-24T09:00:00Z", "behind_days": 9,
    "mastery": 0.4, "suggested_modules": ["listening", "practice"]
}))]
pub struct BehindOut {
    /// The learner.
    pub user_id: Uuid,
    /// Their enrollment.
    pub enrollment_id: Uuid,
    /// The competency.
    pub competency_id: Uuid,
    /// The mastery that is required.
    pub at_least: f64,
    /// When it was due for them.
    pub due_at: DateTime<Utc>,
    /// Whole days since.
    pub behind_days: i64,
    /// How far they have come.
    #[schema(required)]
    pub mastery: Option<f64>,
    /// Modules that would help, the most useful first.
    pub suggested_modules: Vec<String>,
}
