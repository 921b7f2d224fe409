//! What comes in and goes out about sync plans.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::sync::dates::DateStyle;
use crate::domain::sync::{Action, Guard, Options, Profile, RowFault};
use crate::error::Faults;
use crate::http::Input;

/// One employee. What is left out stays as it is; null removes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"external_id": "hr-17", "employee_number": "1017", "email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "department": "Sales", "manager_external_id": "hr-3", "active": true, "attributes": {"site": "Lyon"}}))]
pub struct EmployeeIn {
    /// The HR system's id; the first by which users are matched.
    pub external_id: Option<String>,
    /// The company's number; the second by which users are matched.
    pub employee_number: Option<String>,
    /// E-mail; the third by which users are matched.
    pub email: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Kept as the attribute `department`.
    pub department: Option<String>,
    /// External id of the manager, who may stand anywhere in the list or be known already.
    pub manager_external_id: Option<String>,
    /// Whether the person works here; true when absent. In CSV also yes, no, 1, 0, active, inactive, left.
    pub active: Option<bool>,
    /// Attributes: texts, numbers, booleans, lists of texts.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Map<String, Value>>,
}

/// The whole list of employees.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"employees": [{"external_id": "hr-17", "email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "department": "Sales", "manager_external_id": null, "active": true}], "options": {"deactivate_missing": true, "max_deactivate_percent": 10}}))]
pub struct SyncIn {
    /// Everybody.
    pub employees: Vec<EmployeeIn>,
    /// How the plan is made.
    pub options: Option<Options>,
}

/// How a CSV or NDJSON list is to be read; JSON says it in `options`.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SyncQuery {
    /// CSV: which column is which field, as `field:column` separated by commas, such as `external_id:ID,email:Mail,attributes.site:Location`. Without it the header names the fields.
    pub mapping: Option<String>,
    /// CSV: one character, or `tab`; `,` when absent.
    pub delimiter: Option<String>,
    /// CSV and NDJSON: label of the encoding, such as `windows-1252`, `iso-8859-1` or `utf-16le`; when absent the `charset` of the Content-Type, which it must not contradict, else UTF-8. A byte order mark wins.
    pub encoding: Option<String>,
    /// See `options`; true when absent.
    pub deactivate_missing: Option<bool>,
    /// See `options`; 10 when absent.
    pub max_deactivate_percent: Option<f64>,
    /// See `options`; 10 when absent.
    pub max_error_percent: Option<f64>,
    /// See `options`; `iso` when absent.
    #[param(inline)]
    pub date_style: Option<DateStyle>,
    /// See `options`: names separated by commas.
    pub date_attributes: Option<String>,
}

/// Where a plan is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// May be applied.
    Ready,
    /// A guard objects; it may be applied with `override_guards` only.
    Blocked,
    /// Is being applied.
    Applying,
    /// Was applied; rows tell how each fared.
    Applied,
    /// Could not be applied to its end; `failure` says why, rows tell which were applied. Send the list again.
    Failed,
    /// Was not applied in time; send the list again.
    Expired,
}

/// A plan.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000b1", "state": "ready",
    "counts": {"create": 3, "update": 12, "deactivate": 1, "reactivate": 0, "unchanged": 9984, "error": 0}, "guards": [], "failure": null,
    "options": {"deactivate_missing": true, "max_deactivate_percent": 10.0, "max_error_percent": 10.0, "date_style": "iso", "date_attributes": []},
    "progress": {"total": 16, "done": 0, "conflicts": 0}, "expires_at": "2026-11-24T09:00:00Z", "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z"
}))]
pub struct PlanOut {
    /// Its id.
    pub id: Uuid,
    /// Where it is in its life.
    pub state: PlanState,
    /// How many rows do what.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: BTreeMap<Action, u64>,
    /// Why it is blocked.
    pub guards: Vec<Guard>,
    /// Why it failed.
    #[schema(required)]
    pub failure: Option<String>,
    /// How it was made.
    pub options: Options,
    /// How far the application is.
    pub progress: PlanProgress,
    /// When it can no longer be applied.
    pub expires_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// How far the application of a plan is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlanProgress {
    /// Rows to apply.
    pub total: i32,
    /// Rows dealt with, conflicts among them.
    pub done: i32,
    /// Rows that are not applied, because the user may not be changed or has changed since.
    pub conflicts: i32,
}

/// How a row of a plan fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// Not applied yet.
    Pending,
    /// Applied.
    Applied,
    /// Not applied: the user may not be changed by whoever sent the list, has changed since the plan was made, or what the row needs was taken.
    Conflict,
    /// At fault from the start; never applied.
    Error,
    /// Not applied: the plan failed before its turn.
    Skipped,
}

/// A row of a plan.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"row": 17, "action": "update", "state": "pending", "user_id": "0199c0de-0000-7000-8000-000000000001", "before": null, "after": null, "errors": []}))]
pub struct PlanRowOut {
    /// Its number in the list, for CSV and NDJSON the line of the file; null for somebody who is not in the list.
    #[schema(required)]
    pub row: Option<i64>,
    /// What it does.
    pub action: Action,
    /// How it fares.
    pub state: RowState,
    /// Whom it is about; for `create` the id that the user gets.
    #[schema(required)]
    pub user_id: Option<Uuid>,
    /// As it is.
    #[schema(required)]
    pub before: Option<Profile>,
    /// As it will be.
    #[schema(required)]
    pub after: Option<Profile>,
    /// What is wrong with it.
    pub errors: Vec<RowFault>,
}

/// Which rows of a plan.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RowQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only rows that do this.
    #[param(inline)]
    pub action: Option<Action>,
    /// Only rows in this state.
    #[param(inline)]
    pub state: Option<RowState>,
}

/// How to apply a plan.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"override_guards": false}))]
pub struct ApplyIn {
    /// Whether a blocked plan is applied all the same.
    #[serde(default)]
    pub override_guards: bool,
}

impl Input for ApplyIn {}

/// How strict the guards are for a client.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"max_deactivate_percent": 5.0, "max_error_percent": 10.0}))]
pub struct SyncSettings {
    /// Upper bound of the option of the same name.
    pub max_deactivate_percent: f64,
    /// Upper bound of the option of the same name.
    pub max_error_percent: f64,
}

impl Input for SyncSettings {
    fn check(&self, faults: &mut Faults) {
        for (value, at) in
            [(self.max_deactivate_percent, "/max_deactivate_percent"), (self.max_error_percent, "/max_error_percent")]
        {
            faults.ensure((0.0..=100.0).contains(&value), at, "out_of_range", "A percentage is between 0 and 100.");
        }
    }
}
