//! Goals: job roles and what they require.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::target::{TargetIn, TargetOut, check_target};
use crate::domain::condition::Required;
use crate::error::Faults;
use crate::http::shapes::{Shape, Summary, Title};
use crate::http::{Input, Patch};

/// Requirements that a goal may have.
pub const MAX_REQUIREMENTS: usize = 200;

/// A competency that a goal requires.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementIn {
    /// The competency.
    pub competency_id: Uuid,
    /// Mastery from 0 to 1, or the name of a level.
    pub at_least: Required,
    /// When it is due (RFC 3339).
    #[serde(default)]
    pub due_at: Option<DateTime<Utc>>,
    /// Or so many days of 24 hours after the goal was assigned.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    pub due_days: Option<i32>,
    /// The event `competency.behind` is told when somebody is so many days behind; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 36_500)]
    pub behind_days: Option<i32>,
}

impl RequirementIn {
    /// The same without its competency.
    #[must_use]
    pub fn target(&self) -> TargetIn {
        TargetIn {
            at_least: self.at_least.clone(),
            due_at: self.due_at,
            due_days: self.due_days,
            behind_days: self.behind_days,
        }
    }
}

fn check_requirements(list: &[RequirementIn], faults: &mut Faults) {
    faults.ensure(
        (1..=MAX_REQUIREMENTS).contains(&list.len()),
        "/requirements",
        "length",
        "A goal has 1 to 200 requirements.",
    );
    let mut seen = HashSet::new();
    for (n, requirement) in list.iter().enumerate() {
        let at = format!("/requirements/{n}");
        check_target(&requirement.target(), &at, faults);
        if !seen.insert(requirement.competency_id) {
            faults.add(format!("{at}/competency_id"), "duplicate", "This competency is named twice.");
        }
    }
}

/// A new goal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Team lead", "requirements": [{"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": "mastered", "due_days": 90}]}))]
pub struct GoalIn {
    /// 1 to 200 characters.
    #[schema(value_type = Title)]
    pub title: String,
    /// What it is about; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Option<String>,
    /// 1 to 200 competencies.
    #[schema(min_items = 1, max_items = 200)]
    pub requirements: Vec<RequirementIn>,
}

impl Input for GoalIn {}

impl GoalIn {
    /// Adds every fault of the fields; named together with requirements of what does not exist.
    pub fn find_faults(&self, faults: &mut Faults) {
        Title::check(&self.title, "/title", faults);
        Summary::check_option(self.description.as_ref(), "/description", faults);
        check_requirements(&self.requirements, faults);
    }
}

/// A merge patch of a goal.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Team lead, retail"}))]
pub struct GoalPatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = Title)]
    pub title: Patch<String>,
    /// New description; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Patch<String>,
    /// New requirements, all of them.
    #[serde(default)]
    #[schema(value_type = Vec<RequirementIn>, min_items = 1, max_items = 200)]
    pub requirements: Patch<Vec<RequirementIn>>,
}

impl Input for GoalPatch {}

impl GoalPatch {
    /// Adds every fault of the fields; named together with requirements of what does not exist.
    pub fn find_faults(&self, faults: &mut Faults) {
        match &self.title {
            Patch::Null => faults.add("/title", "required", "A goal needs a title."),
            Patch::Value(title) => Title::check(title, "/title", faults),
            Patch::Absent => {}
        }
        Summary::check_option(self.description.value(), "/description", faults);
        match &self.requirements {
            Patch::Null => faults.add("/requirements", "required", "A goal needs requirements."),
            Patch::Value(list) => check_requirements(list, faults),
            Patch::Absent => {}
        }
    }
}

/// A goal.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000aa", "title": "Team lead", "description": "", "requirements": [
        {"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": 0.8, "level": "mastered", "due_at": null, "due_days": 90, "behind_days": 1, "updated_at": "2026-11-24T09:00:00Z"}],
    "created_by": null, "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct GoalOut {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// What it requires, by competency.
    pub requirements: Vec<TargetOut>,
    /// Who made it.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Somebody who has a goal.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "given_name": "Ada", "family_name": "Lovelace", "assigned_at": "2026-11-24T09:00:00Z"}))]
pub struct GoalLearnerOut {
    /// The learner.
    pub user_id: Uuid,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Since when.
    pub assigned_at: DateTime<Utc>,
}

/// A course that helps with a competency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HelpfulCourse {
    /// The course.
    pub course_id: Uuid,
    /// What it is called.
    pub title: String,
    /// Whether it explains the competency.
    pub teaches: bool,
    /// Whether its graded work proves it.
    pub assesses: bool,
}

/// How far somebody is from a requirement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GapOut {
    /// The competency.
    pub competency_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// The mastery that is required.
    pub at_least: f64,
    /// How far the learner has come.
    #[schema(required)]
    pub mastery: Option<f64>,
    /// What is missing; 0 when the requirement is met.
    pub gap: f64,
    /// Whether it is met.
    pub met: bool,
    /// When it is due for this learner.
    #[schema(required)]
    pub due_at: Option<DateTime<Utc>>,
    /// Whole days since, while it is unmet.
    #[schema(required)]
    pub behind_days: Option<i64>,
    /// Published courses that close the gap, at most 10, the most useful first; none when it is met.
    pub courses: Vec<HelpfulCourse>,
}

/// A learner's goal with the gap.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "goal_id": "0199c0de-0000-7000-8000-0000000000aa", "title": "Team lead", "assigned_at": "2026-11-24T09:00:00Z", "met_percent": 0.0, "requirements": [
        {"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "key": "listen", "title": "Listen actively", "at_least": 0.8, "mastery": 0.5, "gap": 0.3,
         "met": false, "due_at": null, "behind_days": null, "courses": [
            {"course_id": "0199c0de-0000-7000-8000-0000000000a1", "title": "Customer care", "teaches": true, "assesses": true}]}]
}))]
pub struct UserGoalOut {
    /// The goal.
    pub goal_id: Uuid,
    /// What it is called.
    pub title: String,
    /// Since when the learner has it.
    pub assigned_at: DateTime<Utc>,
    /// How many requirements are met, in percent.
    pub met_percent: f64,
    /// Each requirement.
    pub requirements: Vec<GapOut>,
}
