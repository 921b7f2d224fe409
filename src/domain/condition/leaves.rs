//! The leaves of the condition language, but for those about competencies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A module of this course is so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleLeaf {
    /// Which.
    pub key: String,
    /// How.
    pub is: ModuleIs,
}

/// How a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModuleIs {
    /// Something was done in it.
    Started,
    /// It is done or waived.
    Completed,
    /// Its quiz is passed.
    Passed,
    /// Its quiz was failed and not passed since.
    Failed,
}

impl ModuleIs {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// The counted score of a module lies in `[at_least, below)`, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreLeaf {
    /// Which.
    pub module: String,
    /// From here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Up to, but without, this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

/// So many attempts at a module are finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptsLeaf {
    /// Which.
    pub module: String,
    /// How many.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    pub at_least: u32,
}

/// The learner holds a certificate of a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateLeaf {
    /// Which course.
    pub course: Uuid,
    /// Whether it must be unexpired and unrevoked; yes when absent.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub valid: bool,
}

fn yes() -> bool {
    true
}

/// The learner is in, or has completed, a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CourseLeaf {
    /// Which.
    pub id: Uuid,
    /// How.
    pub is: CourseIs,
}

/// How the learner stands to a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CourseIs {
    /// Enrolled, or completed.
    Enrolled,
    /// Completed.
    Completed,
}

/// The learner holds a badge that was not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BadgeLeaf {
    /// Which badge.
    pub id: Uuid,
}

/// The learner is in a group; of a unit, all that lies below it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupLeaf {
    /// Which.
    pub id: Uuid,
}

/// The learner has so many points in a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsLeaf {
    /// Which game.
    pub game: Uuid,
    /// How many.
    pub at_least: i64,
}

/// The learner has reached a level of a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelLeaf {
    /// Which game.
    pub game: Uuid,
    /// The level's number, beginning with 1.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    #[schema(minimum = 1)]
    pub at_least: u32,
}

/// A profile attribute is so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeLeaf {
    /// Which.
    pub name: String,
    /// How it is compared.
    pub op: AttributeOp,
    /// With what; a list for `in`; nothing for `exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttributeOp {
    /// It is this.
    Equals,
    /// It is there and is not this.
    NotEquals,
    /// It is one of these.
    In,
    /// Its text contains this, or its list has it.
    Contains,
    /// Its text begins so.
    StartsWith,
    /// It is there.
    Exists,
}

/// It is the time: `[from, until)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DateLeaf {
    /// From here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Up to, but without, this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// So long has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ElapsedLeaf {
    /// Since when.
    pub since: ElapsedSince,
    /// Seconds.
    #[serde(alias = "at_least", deserialize_with = "crate::domain::bounds::formatted")]
    pub at_least_seconds: u64,
}

/// Since when time is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElapsedSince {
    /// The enrollment.
    Enrolled,
    /// The start of the cohort; the enrollment when there is none.
    CohortStart,
    /// The completion of this module.
    Module(String),
}

/// No learning event came for so many days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InactiveLeaf {
    /// Days of 24 hours.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    pub days: u32,
}
