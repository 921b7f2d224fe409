//! Single competencies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::framework::{MAX_KEY, MAX_SHORT, MAX_TITLE};
use crate::domain::mastery::method::check_levels;
use crate::domain::mastery::rollup::Rollup;
use crate::domain::mastery::{Level, Method, Params};
use crate::error::Faults;
use crate::http::shapes::{Shape, Summary};
use crate::http::{Input, Patch};

/// Levels that a competency may have.
const MAX_LEVELS: usize = 20;

/// How mastery of a competency is reckoned; what is absent has its default.
#[derive(Debug, Clone, Default)]
pub struct CompetencySettings {
    /// Name of the method.
    pub method: Option<String>,
    /// Its numbers.
    pub params: Option<Params>,
    /// Named thresholds.
    pub levels: Option<Vec<Level>>,
    /// From those below.
    pub rollup: Option<Rollup>,
    /// By the one above.
    pub required: Option<bool>,
    /// To the one above.
    pub points: Option<f64>,
}

pub(super) fn check_texts(
    at: &str,
    key: Option<&String>,
    title: Option<&String>,
    description: Option<&String>,
    short: [Option<&String>; 2],
    faults: &mut Faults,
) {
    let within = |text: &String, most: usize| (1..=most).contains(&text.chars().count()) && !text.trim().is_empty();
    if key.is_some_and(|key| !within(key, MAX_KEY)) {
        faults.add(format!("{at}/key"), "length", "A key has 1 to 500 characters.");
    }
    if title.is_some_and(|title| !within(title, MAX_TITLE)) {
        faults.add(format!("{at}/title"), "length", "A title has 1 to 1,000 characters.");
    }
    Summary::check_option(description, &format!("{at}/description"), faults);
    for (name, text) in ["code", "kind"].iter().zip(short) {
        if text.is_some_and(|text| text.chars().count() > MAX_SHORT) {
            faults.add(format!("{at}/{name}"), "length", "This has up to 200 characters.");
        }
    }
}

/// Adds every fault of the settings.
pub(super) fn check_settings(settings: &CompetencySettings, at: &str, faults: &mut Faults) {
    let method = settings.method.as_deref().unwrap_or("decaying_average");
    if let Err(found) = Method::new(method, &settings.params.unwrap_or_default()) {
        for fault in found {
            faults.add(format!("{at}{}", fault.pointer), "invalid_method", fault.detail);
        }
    }
    if let Some(levels) = &settings.levels {
        check_level_list(levels, at, faults);
    }
    check_rollup(settings.rollup, at, faults);
    if settings.points.is_some_and(|points| !(0.0..=1_000_000.0).contains(&points)) {
        faults.add(format!("{at}/points"), "out_of_range", "Points lie between 0 and 1,000,000.");
    }
}

fn check_level_list(levels: &[Level], at: &str, faults: &mut Faults) {
    for fault in check_levels(levels) {
        faults.add(format!("{at}{}", fault.pointer), "invalid_level", fault.detail);
    }
    if levels.len() > MAX_LEVELS {
        faults.add(format!("{at}/levels"), "too_many", "A competency has up to 20 levels.");
    }
    if levels.iter().any(|level| level.name.chars().count() > 100) {
        faults.add(format!("{at}/levels"), "length", "A level's name has up to 100 characters.");
    }
}

fn check_rollup(rollup: Option<Rollup>, at: &str, faults: &mut Faults) {
    if let Some(Rollup::Points { needed }) = rollup
        && !(needed > 0.0 && needed <= 1_000_000.0)
    {
        faults.add(format!("{at}/rollup/points/needed"), "out_of_range", "More than 0 and up to 1,000,000 are needed.");
    }
}

/// A new competency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"framework_id": "0199c0de-0000-7000-8000-0000000000f1", "key": "listen", "title": "Listen actively",
    "method": "n_mastery", "params": {"n": 3, "threshold": 0.8}, "levels": [{"name": "begun", "at_least": 0.4}, {"name": "mastered", "at_least": 0.8}]}))]
pub struct CompetencyIn {
    /// The framework that it belongs to.
    pub framework_id: Uuid,
    /// Unique in the framework; 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub key: String,
    /// 1 to 1,000 characters.
    #[schema(min_length = 1, max_length = 1000)]
    pub title: String,
    /// The competency above it, of the same framework.
    #[serde(default)]
    pub parent_id: Option<Uuid>,
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

impl CompetencyIn {
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

impl Input for CompetencyIn {
    fn check(&self, faults: &mut Faults) {
        let short = [self.code.as_ref(), self.kind.as_ref()];
        check_texts("", Some(&self.key), Some(&self.title), self.description.as_ref(), short, faults);
        check_settings(&self.settings(), "", faults);
    }
}

/// A merge patch of a competency. Changing how mastery is reckoned reckons everybody's again, in the background.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"method": "latest", "levels": [{"name": "mastered", "at_least": 0.9}]}))]
pub struct CompetencyPatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    pub title: Patch<String>,
    /// Another competency above it, of the same framework; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Patch<Uuid>,
    /// New description; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Patch<String>,
    /// New code; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub code: Patch<String>,
    /// New kind; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub kind: Patch<String>,
    /// Another method; its numbers begin with their defaults unless `params` says others. The same one keeps its numbers.
    #[serde(default)]
    #[schema(value_type = String)]
    pub method: Patch<String>,
    /// Numbers of the method, all of them.
    #[serde(default)]
    #[schema(value_type = Option<Params>)]
    pub params: Patch<Params>,
    /// Named thresholds, all of them; at least one. A level that a published course or a target names may come lower, not go or rise.
    #[serde(default)]
    #[schema(value_type = Vec<Level>, min_items = 1, max_items = 20)]
    pub levels: Patch<Vec<Level>>,
    /// How its mastery follows from those below it; null for evidence of its own.
    #[serde(default)]
    #[schema(value_type = Option<Rollup>)]
    pub rollup: Patch<Rollup>,
    /// Whether the competency above it requires it.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub required: Patch<bool>,
    /// What it gives to the competency above it.
    #[serde(default)]
    #[schema(value_type = f64, minimum = 0.0)]
    pub points: Patch<f64>,
    /// Whether it is out of use: it stays for what refers to it, out of the lists.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub retired: Patch<bool>,
}

impl Input for CompetencyPatch {}

impl CompetencyPatch {
    /// Adds every fault of the fields; named together with what does not fit the competency as it is.
    pub fn find_faults(&self, faults: &mut Faults) {
        for (name, null) in [
            ("title", self.title == Patch::Null),
            ("method", self.method == Patch::Null),
            ("levels", self.levels == Patch::Null),
            ("required", self.required == Patch::Null),
            ("points", self.points == Patch::Null),
            ("retired", self.retired == Patch::Null),
        ] {
            faults.ensure(!null, &format!("/{name}"), "required", "This cannot be taken away.");
        }
        let short = [self.code.value(), self.kind.value()];
        check_texts("", None, self.title.value(), self.description.value(), short, faults);
        let settings = CompetencySettings {
            method: None,
            params: None,
            levels: self.levels.value().cloned(),
            rollup: self.rollup.value().copied(),
            required: None,
            points: self.points.value().copied(),
        };
        check_settings(&settings, "", faults);
    }
}

/// A competency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000c1", "framework_id": "0199c0de-0000-7000-8000-0000000000f1", "parent_id": null, "key": "listen",
    "title": "Listen actively", "description": null, "code": null, "kind": "skill", "position": 1, "method": "decaying_average",
    "params": {"rate": 0.65}, "formula": "d0 = s0; di = d(i−1)·(1 − 0.65) + si·0.65; one result is itself; weights do not count",
    "levels": [{"name": "mastered", "at_least": 0.8}], "mastered_at_least": 0.8, "rollup": null, "required": true, "points": 1.0,
    "retired": false, "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct CompetencyOut {
    /// Its id.
    pub id: Uuid,
    /// Its framework.
    pub framework_id: Uuid,
    /// The competency above it.
    #[schema(required)]
    pub parent_id: Option<Uuid>,
    /// Unique in the framework.
    pub key: String,
    /// What it says.
    pub title: String,
    /// More about it.
    #[schema(required)]
    pub description: Option<String>,
    /// The code by which people know it.
    #[schema(required)]
    pub code: Option<String>,
    /// What kind of entry it is.
    #[schema(required)]
    pub kind: Option<String>,
    /// Its place among all of the framework.
    pub position: i32,
    /// How results combine.
    pub method: String,
    /// Numbers of the method that are not at their defaults.
    pub params: Params,
    /// The formula with its numbers.
    pub formula: String,
    /// Named thresholds, rising.
    pub levels: Vec<Level>,
    /// From this mastery on it counts as mastered.
    pub mastered_at_least: f64,
    /// How its mastery follows from those below it.
    #[schema(required)]
    pub rollup: Option<Rollup>,
    /// Whether the competency above it requires it.
    pub required: bool,
    /// What it gives to the competency above it.
    pub points: f64,
    /// Whether it is out of use.
    pub retired: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Filters of the list of competencies.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CompetencyQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only those of this framework.
    pub framework_id: Option<Uuid>,
    /// Only those directly below this one.
    pub parent_id: Option<Uuid>,
    /// `true` for those at the top of their tree only.
    pub top: Option<bool>,
    /// Only those whose title contains this, in any case.
    pub q: Option<String>,
    /// Only the one with this key (of each framework).
    pub key: Option<String>,
    /// `true` for retired ones too.
    pub include_retired: Option<bool>,
    /// Only competencies changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}
