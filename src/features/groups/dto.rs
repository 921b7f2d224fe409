//! What comes in and goes out about groups.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::condition::Condition;
use crate::domain::organisation;
use crate::error::Faults;
pub use crate::features::users::dto::Depth;
use crate::http::{Input, Patch, Ref};

/// How members come into a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Members are put in and out.
    Static,
    /// Members follow from the condition.
    Dynamic,
    /// An organisational unit: a department, client or partner. Members are put in and out; other groups may lie below it.
    Unit,
}

impl GroupKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
            Self::Unit => "unit",
        }
    }
}

/// A new group.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sales", "kind": "dynamic", "condition": {"attribute": {"name": "department", "op": "equals", "value": "Sales"}}}))]
pub struct GroupIn {
    /// What people call it.
    pub name: String,
    /// How members come in.
    pub kind: GroupKind,
    /// The id that an outside system owns; unique. Paths take it as `ext:<external_id>`.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Id or `ext:<external_id>` of the unit that it lies below; at the top when absent. Its members count as that unit's.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Who belongs to a dynamic group: a condition over profile attributes.
    #[serde(default)]
    pub condition: Option<Condition>,
}

/// A merge patch of a group.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sales and marketing"}))]
pub struct GroupPatch {
    /// New name.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// New external id, or null.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub external_id: Patch<String>,
    /// Another unit to lie below (id or `ext:<external_id>`), or null for the top. All below moves along.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub parent_id: Patch<String>,
    /// New condition of a dynamic group.
    #[serde(default)]
    #[schema(value_type = Option<Condition>)]
    pub condition: Patch<Condition>,
}

/// A group.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000f1", "name": "Sales", "kind": "dynamic", "external_id": null, "parent_id": null, "depth": 1,
    "condition": {"attribute": {"name": "department", "op": "equals", "value": "Sales"}}, "membership": "current",
    "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z"
}))]
pub struct GroupOut {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// How members come in.
    pub kind: GroupKind,
    /// The outside system's id.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The unit above.
    #[schema(required)]
    pub parent_id: Option<Uuid>,
    /// Its level in the tree; 1 at the top.
    pub depth: i32,
    /// Who belongs to a dynamic group.
    #[schema(value_type = Option<Condition>, required)]
    pub condition: Option<Value>,
    /// Whether the members are those that the condition names; `evaluating` while a new condition is applied to all users.
    pub membership: Membership,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Whether a group's members are up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// They are.
    Current,
    /// A new condition is being applied.
    Evaluating,
}

/// Filters of the list of groups.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only groups of this kind.
    pub kind: Option<GroupKind>,
    /// Only those directly below this unit: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub parent_id: Option<Ref>,
    /// Only those of this name, whatever its case.
    pub name: Option<String>,
    /// Only the one with this external id.
    pub external_id: Option<String>,
    /// Only groups changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// A page of something without filters.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}

/// Which members of a group.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemberQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// `direct` (when absent): the group's own. `all`: also those of everything below it, each person once.
    #[param(inline)]
    pub depth: Option<Depth>,
}

/// A member of a group.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "joined_at": "2026-11-23T09:00:00Z"}))]
pub struct MemberOut {
    /// The user.
    pub user_id: Uuid,
    /// E-mail.
    pub email: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// A group that a user is in.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"group_id": "0199c0de-0000-7000-8000-0000000000f1", "name": "Sales", "kind": "unit", "joined_at": "2026-11-23T09:00:00Z"}))]
pub struct UserGroupOut {
    /// The group.
    pub group_id: Uuid,
    /// What people call it.
    pub name: String,
    /// How members come in.
    pub kind: GroupKind,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// How a course is assigned to a group.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"withdraw_on_leave": true}))]
pub struct AssignmentIn {
    /// Whether those who leave the group are withdrawn from the course, unless they have completed it.
    #[serde(default)]
    pub withdraw_on_leave: bool,
}

impl Input for AssignmentIn {}

/// A course that is assigned to a group.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "course_id": "0199c0de-0000-7000-8000-0000000000a1", "group_id": "0199c0de-0000-7000-8000-0000000000f1", "withdraw_on_leave": true,
    "state": "current", "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z"
}))]
pub struct AssignmentOut {
    /// The course.
    pub course_id: Uuid,
    /// The group.
    pub group_id: Uuid,
    /// Whether those who leave are withdrawn.
    pub withdraw_on_leave: bool,
    /// `enrolling` while those who were in the group already are enrolled, then `current`; `ending` while an ended assignment's
    /// learners are withdrawn.
    pub state: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// How an assignment ends.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnassignQuery {
    /// `true` also withdraws those whom the assignment enrolled and who have not completed the course.
    pub withdraw: Option<bool>,
}

/// Many groups at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"groups": [{"name": "Acme", "kind": "unit", "external_id": "acme"}, {"name": "Acme Lyon", "kind": "unit", "external_id": "acme-lyon", "parent_id": "ext:acme"}], "mode": "upsert"}))]
pub struct GroupBulkIn {
    /// At most 1,000. A parent may stand earlier in the list.
    #[schema(value_type = Vec<GroupIn>)]
    pub groups: Vec<Value>,
    /// Whether a group with the same `external_id` is changed or refused; `create` when absent.
    #[serde(default)]
    pub mode: crate::http::bulk::Mode,
}

impl Input for GroupBulkIn {
    fn check(&self, faults: &mut Faults) {
        crate::http::bulk::check_count(self.groups.len(), "/groups", faults);
    }
}

fn check_name(name: &str, faults: &mut Faults) {
    let good = !name.trim().is_empty() && name.chars().count() <= 200;
    faults.ensure(good, "/name", "length", "A name has 1 to 200 characters.");
}

fn check_external_id(id: &str, faults: &mut Faults) {
    faults.ensure(!id.is_empty() && id.len() <= 200, "/external_id", "length", "An external id has 1 to 200 bytes.");
}

fn check_parent(text: &str, faults: &mut Faults) {
    faults.ensure(
        Ref::parse(text).is_some(),
        "/parent_id",
        "wrong_format",
        "This is neither an id nor ext:<external_id>.",
    );
}

fn check_condition(condition: &Condition, faults: &mut Faults) {
    for (code, detail) in organisation::condition_faults(condition) {
        faults.add("/condition", code, detail);
    }
}

impl Input for GroupIn {
    fn check(&self, faults: &mut Faults) {
        check_name(&self.name, faults);
        if let Some(id) = &self.external_id {
            check_external_id(id, faults);
        }
        if let Some(parent) = &self.parent_id {
            check_parent(parent, faults);
        }
        match (&self.condition, self.kind) {
            (Some(condition), GroupKind::Dynamic) => check_condition(condition, faults),
            (None, GroupKind::Dynamic) => {
                faults.add("/condition", "required", "A dynamic group needs a condition.");
            }
            (Some(_), _) => {
                faults.add("/condition", "not_allowed", "Only a dynamic group has a condition.");
            }
            (None, _) => {}
        }
    }
}

impl Input for GroupPatch {
    fn check(&self, faults: &mut Faults) {
        faults.ensure(self.name != Patch::Null, "/name", "required", "This cannot be removed.");
        faults.ensure(self.condition != Patch::Null, "/condition", "required", "This cannot be removed.");
        if let Some(name) = self.name.value() {
            check_name(name, faults);
        }
        if let Some(id) = self.external_id.value() {
            check_external_id(id, faults);
        }
        if let Some(parent) = self.parent_id.value() {
            check_parent(parent, faults);
        }
        if let Some(condition) = self.condition.value() {
            check_condition(condition, faults);
        }
    }
}
