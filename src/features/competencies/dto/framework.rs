//! Frameworks and their import.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::competency::{CompetencySettings, check_settings};
use crate::domain::framework::{Draft, DraftCompetency, Gaps};
use crate::domain::mastery::rollup::Rollup;
use crate::domain::mastery::{Level, Params};
use crate::error::Faults;
use crate::http::shapes::{Shape, Summary, Title};
use crate::http::{Input, Patch};

/// Competencies that one call may bring; larger frameworks are imported.
pub const MAX_COMPETENCIES: usize = 1000;

/// A new framework.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Customer care", "competencies": [
    {"key": "listen", "title": "Listen actively", "method": "decaying_average", "params": {"rate": 0.65}, "levels": [{"name": "mastered", "at_least": 0.8}]},
    {"key": "ask", "title": "Ask open questions", "parent": "listen"}]}))]
pub struct FrameworkIn {
    /// 1 to 200 characters.
    #[schema(value_type = Title)]
    pub title: String,
    /// What it is for; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Option<String>,
    /// Up to 1,000, in the order in which they are shown.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub competencies: Vec<FrameworkCompetency>,
}

/// A competency of a new framework.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameworkCompetency {
    /// Unique in the framework; 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub key: String,
    /// 1 to 1,000 characters.
    #[schema(min_length = 1, max_length = 1000)]
    pub title: String,
    /// Key of the competency above it.
    #[serde(default)]
    pub parent: Option<String>,
    /// More about it; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Option<String>,
    /// The code by which people know it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub code: Option<String>,
    /// What kind of entry it is, such as skill or knowledge.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub kind: Option<String>,
    /// `highest`, `latest`, `average`, `n_mastery`, `weighted_average` or `decaying_average`; the last when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Numbers of the method.
    #[serde(default)]
    pub params: Option<Params>,
    /// Named thresholds, rising, at least one; one called `mastered` from 0.8 on when absent. Who reaches `mastered`, or the highest when there is
    /// none of this name, has mastered the competency.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 20)]
    pub levels: Option<Vec<Level>>,
    /// How its mastery follows from the competencies below it; from evidence of its own when absent.
    #[serde(default)]
    pub rollup: Option<Rollup>,
    /// Whether the competency above it requires it; yes when absent.
    #[serde(default)]
    pub required: Option<bool>,
    /// What it gives to the competency above it when it is mastered; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 0.0)]
    pub points: Option<f64>,
}

impl FrameworkCompetency {
    /// How mastery is reckoned.
    #[must_use]
    pub fn settings(&self) -> CompetencySettings {
        CompetencySettings {
            method: self.method.clone(),
            params: self.params,
            levels: self.levels.clone(),
            rollup: self.rollup,
            required: self.required,
            points: self.points,
        }
    }
}

impl Input for FrameworkIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.title, "/title", faults);
        Summary::check_option(self.description.as_ref(), "/description", faults);
        faults.ensure(
            self.competencies.len() <= MAX_COMPETENCIES,
            "/competencies",
            "too_many",
            "A call brings up to 1,000 competencies; import larger frameworks.",
        );
        for (n, competency) in self.competencies.iter().enumerate() {
            let at = format!("/competencies/{n}");
            super::competency::check_texts(
                &at,
                Some(&competency.key),
                Some(&competency.title),
                competency.description.as_ref(),
                [competency.code.as_ref(), competency.kind.as_ref()],
                faults,
            );
            check_settings(&competency.settings(), &at, faults);
        }
        let known: Vec<String> = faults.pointers().map(str::to_owned).collect();
        let draft = self.draft();
        let tree =
            draft.check("/competencies", &Gaps::default()).into_iter().filter(|fault| !known.contains(&fault.pointer));
        for fault in tree.take(100) {
            faults.add(fault.pointer, "invalid_tree", fault.detail);
        }
    }
}

impl FrameworkIn {
    /// The framework as a draft to be merged.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let competencies = self.competencies.iter().map(|c| DraftCompetency {
            key: c.key.clone(),
            title: c.title.clone(),
            parent: c.parent.clone(),
            code: c.code.clone(),
            kind: c.kind.clone(),
            description: c.description.clone(),
        });
        Draft { title: self.title.clone(), competencies: competencies.collect(), ..Draft::default() }
    }
}

/// A merge patch of a framework.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Customer care, second edition"}))]
pub struct FrameworkPatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = Title)]
    pub title: Patch<String>,
    /// New description; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Patch<String>,
}

impl Input for FrameworkPatch {
    fn check(&self, faults: &mut Faults) {
        match &self.title {
            Patch::Null => faults.add("/title", "required", "A framework needs a title."),
            Patch::Value(title) => Title::check(title, "/title", faults),
            Patch::Absent => {}
        }
        Summary::check_option(self.description.value(), "/description", faults);
    }
}

/// A framework of competencies.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000f1", "title": "Customer care", "description": "", "source": null, "creator": null,
    "source_version": null, "edition": 1, "competency_count": 2, "created_by": null,
    "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct FrameworkOut {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Its identifier where it comes from.
    #[schema(required)]
    pub source: Option<String>,
    /// Who made it there.
    #[schema(required)]
    pub creator: Option<String>,
    /// Its version there.
    #[schema(required)]
    pub source_version: Option<String>,
    /// How many versions there were: the first is 1, each import of a newer one adds 1.
    pub edition: i32,
    /// Competencies that are not retired.
    pub competency_count: i32,
    /// Who made it here.
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

/// A version of a framework: what an import changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000f2", "number": 2, "label": "2027", "added": 3, "changed": 1, "retired": 0, "made_by": null,
    "made_at": "2026-11-24T09:00:00Z"
}))]
pub struct FrameworkVersionOut {
    /// Its id.
    pub id: Uuid,
    /// The edition that it made.
    pub number: i32,
    /// What the publisher calls it.
    #[schema(required)]
    pub label: Option<String>,
    /// Competencies that were new.
    pub added: i32,
    /// Competencies whose text or place changed.
    pub changed: i32,
    /// Competencies that were not in it any more.
    pub retired: i32,
    /// Who brought it.
    #[schema(required)]
    pub made_by: Option<Uuid>,
    /// When.
    pub made_at: DateTime<Utc>,
}

/// Filters of the list of frameworks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FrameworkQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only frameworks changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// How a framework is imported.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The framework that this is a newer version of. When absent, a CASE package that was imported before is known by its
    /// document's identifier and title, and one that was exported here, by the identifier alone: it is the framework's id.
    pub framework_id: Option<Uuid>,
    /// What the framework is called; needed for CSV, whose rows do not say, unless `framework_id` names one that has a title.
    pub title: Option<String>,
    /// The mastery method of competencies that are new; `decaying_average` when absent.
    pub method: Option<String>,
    /// `true` answers the same and writes nothing.
    pub dry_run: Option<bool>,
}

/// A CASE package as it is sent: whatever else the standard lets senders add is passed over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "CFDocument": {"identifier": "a33fc64e-5c40-11e7-82c4-3d54268aa9ee", "uri": "https://case.example/CFDocuments/a33fc64e", "creator": "A school board", "title": "Mathematics"},
    "CFItems": [{"identifier": "3d8cdec5-83d6-49b4-9300-91a824c59758", "uri": "https://case.example/CFItems/3d8cdec5", "fullStatement": "Counts to 20"}],
    "CFAssociations": []}))]
pub struct CasePackageIn {
    /// The framework.
    #[serde(rename = "CFDocument")]
    #[schema(value_type = Object)]
    pub document: serde_json::Value,
    /// Its competencies.
    #[serde(rename = "CFItems")]
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<serde_json::Value>,
    /// How they hang together.
    #[serde(rename = "CFAssociations")]
    #[schema(value_type = Vec<Object>)]
    pub associations: Vec<serde_json::Value>,
}

/// What an import did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "framework": {"id": "0199c0de-0000-7000-8000-0000000000f1", "title": "Mathematics", "description": "", "source": "a33fc64e-5c40-11e7-82c4-3d54268aa9ee",
        "creator": "A school board", "source_version": "2", "edition": 2, "competency_count": 28, "created_by": null,
        "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"},
    "added": 1, "changed": 2, "unchanged": 25, "retired": 0, "left_out": ["1 associations of type precedes"], "dry_run": false
}))]
pub struct ImportOut {
    /// The framework as it is now; with `dry_run` as it would be.
    pub framework: FrameworkOut,
    /// Competencies that are new.
    pub added: i32,
    /// Competencies whose text or place changed.
    pub changed: i32,
    /// Competencies that were so already.
    pub unchanged: i32,
    /// Competencies that are not in it any more: kept for what refers to them, out of the lists.
    pub retired: i32,
    /// What the format says and Cairn does not keep. What Cairn writes anew when the framework leaves it is not named: addresses (`uri`),
    /// dates of change, and the identifiers of associations.
    pub left_out: Vec<String>,
    /// Whether nothing was written because only the answer was asked for.
    pub dry_run: bool,
}

/// Which edition of CASE is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum CaseVersion {
    /// CASE 1.0.
    #[default]
    #[serde(rename = "1.0")]
    V1_0,
    /// CASE 1.1.
    #[serde(rename = "1.1")]
    V1_1,
}

/// How a framework is exported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `1.0` when absent, or `1.1`.
    #[param(inline)]
    pub case_version: Option<CaseVersion>,
}

/// A CASE package (1EdTech Competencies and Academic Standards Exchange).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "CFDocument": {"identifier": "a33fc64e-5c40-11e7-82c4-3d54268aa9ee", "uri": "https://lms.example/ims/case/v1p0/CFDocuments/a33fc64e-5c40-11e7-82c4-3d54268aa9ee", "title": "Mathematics"},
    "CFItems": [{"identifier": "3d8cdec5-83d6-49b4-9300-91a824c59758", "uri": "https://lms.example/ims/case/v1p0/CFItems/3d8cdec5-83d6-49b4-9300-91a824c59758", "fullStatement": "Counts to 20"}],
    "CFAssociations": []
}))]
pub struct CasePackageOut {
    /// The framework.
    #[serde(rename = "CFDocument")]
    #[schema(value_type = Object)]
    pub document: serde_json::Value,
    /// Its competencies.
    #[serde(rename = "CFItems")]
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<serde_json::Value>,
    /// How they hang together.
    #[serde(rename = "CFAssociations")]
    #[schema(value_type = Vec<Object>)]
    pub associations: Vec<serde_json::Value>,
}
