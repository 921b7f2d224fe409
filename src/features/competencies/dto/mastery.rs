//! Mastery and its evidence, coverage, the matrix of a class.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::mastery::Params;
use crate::domain::mastery::coverage::CoverageStatus;
use crate::domain::mastery::rollup::Rollup;
use crate::error::Faults;
use crate::http::Input;
use crate::http::shapes::{Remark, Shape};

/// How far somebody has come in a competency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "framework_id": "0199c0de-0000-7000-8000-0000000000f1", "key": "listen",
    "title": "Listen actively", "mastery": 0.83, "level": "mastered", "mastered": true, "mastered_at": "2026-11-24T09:00:00Z",
    "evidence_count": 3, "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct MasteryOut {
    /// The competency.
    pub competency_id: Uuid,
    /// Its framework.
    pub framework_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// 0 to 1; null while nothing can be said.
    #[schema(required)]
    pub mastery: Option<f64>,
    /// The highest level reached.
    #[schema(required)]
    pub level: Option<String>,
    /// Whether it counts as mastered.
    pub mastered: bool,
    /// Since when it does.
    #[schema(required)]
    pub mastered_at: Option<DateTime<Utc>>,
    /// Pieces of evidence about it.
    pub evidence_count: i32,
    /// When it was last reckoned; null when there was never anything to reckon.
    #[schema(required)]
    pub updated_at: Option<DateTime<Utc>>,
}

/// Mastery with its provenance: everything that made the value.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "framework_id": "0199c0de-0000-7000-8000-0000000000f1", "key": "listen",
    "title": "Listen actively", "mastery": 0.5, "level": null, "mastered": false, "mastered_at": null, "evidence_count": 1,
    "updated_at": "2026-11-24T09:00:00Z", "method": "average", "params": {}, "formula": "sum(w·s) / sum(w)", "order_by": "submitted_at",
    "mastered_at_least": 0.8, "rollup": null, "children": [], "evidence": [
        {"id": "0199c0de-0000-7000-8000-0000000000d1", "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "score": 0.5, "weight": 4.0,
         "at": "2026-11-24T09:00:00Z", "recorded_at": "2026-11-24T09:00:00Z", "note": null,
         "source": {"kind": "attempt", "id": "0199c0de-0000-7000-8000-0000000000b1", "course_id": "0199c0de-0000-7000-8000-0000000000a1",
                    "enrollment_id": "0199c0de-0000-7000-8000-0000000000e1", "module": "check"}}]
}))]
pub struct MasteryDetail {
    /// The value.
    #[serde(flatten)]
    pub mastery: MasteryOut,
    /// How results combine.
    pub method: String,
    /// Numbers of the method.
    pub params: Params,
    /// The formula with its numbers: of the method, or of the roll-up from those below.
    pub formula: String,
    /// Results are ordered by when the work was submitted, whenever it was graded: always `submitted_at`.
    pub order_by: &'static str,
    /// From this mastery on it counts as mastered.
    pub mastered_at_least: f64,
    /// How the value follows from those below, if it does.
    #[schema(required)]
    pub rollup: Option<Rollup>,
    /// The newest 500 pieces of evidence, oldest first; with `course_id` only those from this course.
    pub evidence: Vec<EvidenceOut>,
    /// Those directly below, for a value that rolls up.
    pub children: Vec<ChildOut>,
}

/// A competency as the one above it sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChildOut {
    /// The competency.
    pub competency_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// Its mastery.
    #[schema(required)]
    pub mastery: Option<f64>,
    /// Whether it is required.
    pub required: bool,
    /// What it gives when it is mastered.
    pub points: f64,
    /// From this mastery on it counts as mastered.
    pub at_least: f64,
}

/// Where evidence comes from.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EvidenceSource {
    /// `attempt`, `module` (its completion) or `person`.
    pub kind: String,
    /// The attempt, the enrollment, or the user or client who judged.
    pub id: Uuid,
    /// The course.
    #[schema(required)]
    pub course_id: Option<Uuid>,
    /// The enrollment.
    #[schema(required)]
    pub enrollment_id: Option<Uuid>,
    /// Key of the module.
    #[schema(required)]
    pub module: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000d1", "competency_id": "0199c0de-0000-7000-8000-0000000000c1", "score": 0.75, "weight": 4.0,
    "at": "2026-11-24T09:00:00Z", "recorded_at": "2026-11-24T09:00:00Z", "note": null,
    "source": {"kind": "attempt", "id": "0199c0de-0000-7000-8000-0000000000b1", "course_id": "0199c0de-0000-7000-8000-0000000000a1",
               "enrollment_id": "0199c0de-0000-7000-8000-0000000000e1", "module": "check"}
}))]
pub struct EvidenceOut {
    /// Its id.
    pub id: Uuid,
    /// The competency.
    pub competency_id: Uuid,
    /// 0 to 1. Of a whole quiz, its `score_percent`, as it was rounded to hundredths, by 100.
    pub score: f64,
    /// How much it counts in means.
    pub weight: f64,
    /// When the work was submitted.
    pub at: DateTime<Utc>,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
    /// What a person said about it.
    #[schema(required)]
    pub note: Option<String>,
    /// Where it comes from.
    pub source: EvidenceSource,
}

/// Evidence by a person's judgement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "score": 0.9, "weight": 2, "note": "Observed on the shop floor."}))]
pub struct EvidenceIn {
    /// The competency.
    pub competency_id: Uuid,
    /// 0 to 1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub score: f64,
    /// How much it counts in means; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 0.001, maximum = 1000.0)]
    pub weight: Option<f64>,
    /// When the work was done (RFC 3339); now when absent.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
    /// Why; up to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Remark>)]
    pub note: Option<String>,
    /// The course in which it was seen: an instructor of one course must name it.
    #[serde(default)]
    pub course_id: Option<Uuid>,
}

impl Input for EvidenceIn {
    fn check(&self, faults: &mut Faults) {
        faults.ensure((0.0..=1.0).contains(&self.score), "/score", "out_of_range", "A score lies between 0 and 1.");
        let weight = self.weight.is_none_or(|weight| (0.001..=1000.0).contains(&weight));
        faults.ensure(weight, "/weight", "out_of_range", "A weight lies between 0.001 and 1,000.");
        Remark::check_option(self.note.as_ref(), "/note", faults);
    }
}

/// Filters of a person's evidence.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EvidenceQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only about this competency.
    pub competency_id: Option<Uuid>,
    /// Only from this course; an instructor of one course must name it.
    pub course_id: Option<Uuid>,
}

/// Filters of a person's mastery.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MasteryQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only competencies of this framework.
    pub framework_id: Option<Uuid>,
    /// Only competencies that this course is about; an instructor of one course must name it.
    pub course_id: Option<Uuid>,
}

/// In which course somebody's mastery is looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InCourse {
    /// An instructor of one course must name it. Only evidence from this course is shown then; the value and `evidence_count` rest on
    /// that of all.
    pub course_id: Option<Uuid>,
}

/// Which revision is looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CoverageQuery {
    /// Number of the revision; the draft when absent.
    pub revision: Option<i32>,
}

/// What a course does for a competency.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageItem {
    /// The competency.
    pub competency_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// Keys of the modules that teach it, or of one that rolls up any of what counts for it: they need not teach it as a whole.
    pub taught_by: Vec<String>,
    /// Keys of the modules that assess it; of one that rolls up, any of what counts for it: they need not assess it as a whole.
    pub assessed_by: Vec<String>,
    /// Whether it is both taught and assessed. One that rolls up is taught when all required children are, or so many that they give the
    /// points, and assessed likewise: `assessed_only` may be partly taught.
    pub status: CoverageStatus,
    /// Whether it is a target of the course.
    pub target: bool,
}

/// Which competencies a course teaches and assesses, and where it has gaps.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "course_id": "0199c0de-0000-7000-8000-0000000000a1", "revision": null, "covered_percent": 50.0,
    "items": [{"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "key": "listen", "title": "Listen actively", "taught_by": ["welcome"],
               "assessed_by": ["check"], "status": "covered", "target": true}]
}))]
pub struct CoverageOut {
    /// The course.
    pub course_id: Uuid,
    /// The revision; null for the draft.
    #[schema(required)]
    pub revision: Option<i32>,
    /// Share of the competencies that are covered; null when there is none.
    #[schema(required)]
    pub covered_percent: Option<f64>,
    /// Each competency, by id.
    pub items: Vec<CoverageItem>,
}

/// What part of a class's matrix is wanted.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MatrixQuery {
    /// Learners on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only learners of this group; of a unit, all that lies below counts.
    pub group_id: Option<Uuid>,
    /// Only competencies of this framework.
    pub framework_id: Option<Uuid>,
}

/// What part of a group's matrix is wanted.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupMatrixQuery {
    /// People on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// The competencies of this framework, the first 200 in its order; those of the courses that are assigned to the group when absent.
    pub framework_id: Option<Uuid>,
}

/// A column of the matrix.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatrixColumn {
    /// The competency.
    pub competency_id: Uuid,
    /// Its key.
    pub key: String,
    /// What it says.
    pub title: String,
    /// From this mastery on it counts as mastered.
    pub mastered_at_least: f64,
}

/// A row of the matrix.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatrixRow {
    /// The learner.
    pub user_id: Uuid,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Mastery for each column, 0 to 1; null where nothing can be said.
    pub mastery: Vec<Option<f64>>,
    /// Level for each column.
    pub levels: Vec<Option<String>>,
}

/// A page of the mastery of a class or group: learners × competencies.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "competencies": [{"competency_id": "0199c0de-0000-7000-8000-0000000000c1", "key": "listen", "title": "Listen actively", "mastered_at_least": 0.8}],
    "items": [{"user_id": "0199c0de-0000-7000-8000-000000000001", "given_name": "Ada", "family_name": "Lovelace", "mastery": [0.83], "levels": ["mastered"]}],
    "next": null
}))]
pub struct MatrixOut {
    /// The columns: what the courses teach, assess, ask about or aim at, by id; or a framework in its order. At most 200.
    pub competencies: Vec<MatrixColumn>,
    /// The learners, by id.
    pub items: Vec<MatrixRow>,
    /// Pass this as `after` to get the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}
