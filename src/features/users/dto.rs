//! What comes in and goes out about users.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::organisation::MAX_ATTRIBUTES;
use crate::domain::permission::Role;
use crate::error::Faults;
use crate::http::Ref;
use crate::http::shapes::{Attributes, Email, ExternalId, LanguageTag, Password, PersonName, Shape, TimeZone, UserRef};
use crate::http::{Input, Patch};

/// Whether a person works here and may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// May log in and learn.
    Active,
    /// May not log in for now.
    Suspended,
    /// Left the company; the history stays.
    Left,
}

impl UserState {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Left => "left",
        }
    }
}

/// A new user.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "external_id": "hr-17", "roles": ["learner"],
    "attributes": {"department": "Sales", "site": "Lyon"}, "locale": "fr", "time_zone": "Europe/Paris"
}))]
pub struct UserIn {
    /// Unique, whatever its case.
    #[schema(value_type = Email)]
    pub email: String,
    /// Given name.
    #[schema(value_type = PersonName)]
    pub given_name: String,
    /// Family name.
    #[schema(value_type = PersonName)]
    pub family_name: String,
    /// For log-in with `POST /v1/sessions`; without one the user cannot log in that way. 8 to 256 characters.
    #[serde(default)]
    #[schema(value_type = Option<Password>)]
    pub password: Option<String>,
    /// The id that the HR system owns; unique. Paths take it as `ext:<external_id>`.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Option<String>,
    /// The number that the company gives to its employees; unique.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub employee_number: Option<String>,
    /// Roles for the whole site; `learner` when absent.
    #[serde(default)]
    pub roles: Option<Vec<Role>>,
    /// Profile attributes that conditions may ask about.
    #[serde(default)]
    #[schema(value_type = Option<Attributes>)]
    pub attributes: Option<Map<String, Value>>,
    /// The user's manager: an id or `ext:<external_id>`.
    #[serde(default)]
    pub manager_id: Option<String>,
    /// The unit that the user joins: an id or `ext:<external_id>`; those who administer a unit only must name one of theirs.
    #[serde(default)]
    pub unit_id: Option<String>,
    /// BCP 47 language tag.
    #[serde(default)]
    #[schema(value_type = Option<LanguageTag>)]
    pub locale: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    #[schema(value_type = Option<TimeZone>)]
    pub time_zone: Option<String>,
}

/// A merge patch of a user.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"attributes": {"department": "Marketing", "site": null}, "state": "suspended"}))]
pub struct UserPatch {
    /// New e-mail.
    #[serde(default)]
    #[schema(value_type = Email, required = false)]
    pub email: Patch<String>,
    /// New given name.
    #[serde(default)]
    #[schema(value_type = PersonName, required = false)]
    pub given_name: Patch<String>,
    /// New family name.
    #[serde(default)]
    #[schema(value_type = PersonName, required = false)]
    pub family_name: Patch<String>,
    /// New password, or null to remove it. Ends all sessions of the user.
    #[serde(default)]
    #[schema(value_type = Option<Password>)]
    pub password: Patch<String>,
    /// New external id, or null.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<String>,
    /// New employee number, or null.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub employee_number: Patch<String>,
    /// The roles for the whole site, replacing those held.
    #[serde(default)]
    #[schema(value_type = Vec<Role>, required = false)]
    pub roles: Patch<Vec<Role>>,
    /// Merged into the attributes: null removes one.
    #[serde(default)]
    #[schema(value_type = Option<Attributes>)]
    pub attributes: Patch<Map<String, Value>>,
    /// New manager, an id or `ext:<external_id>`, or null.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub manager_id: Patch<String>,
    /// New language, or null.
    #[serde(default)]
    #[schema(value_type = Option<LanguageTag>)]
    pub locale: Patch<String>,
    /// New time zone, or null.
    #[serde(default)]
    #[schema(value_type = Option<TimeZone>)]
    pub time_zone: Patch<String>,
    /// New state; anything but `active` ends all sessions.
    #[serde(default)]
    #[schema(value_type = UserState, required = false)]
    pub state: Patch<UserState>,
}

/// A merge patch of one's own profile.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"locale": "fr", "time_zone": "Europe/Paris"}))]
pub struct MePatch {
    /// New language, or null.
    #[serde(default)]
    #[schema(value_type = Option<LanguageTag>)]
    pub locale: Patch<String>,
    /// New time zone, or null.
    #[serde(default)]
    #[schema(value_type = Option<TimeZone>)]
    pub time_zone: Patch<String>,
    /// New password; needs `current_password`, and ends all other sessions.
    #[serde(default)]
    #[schema(value_type = Password, required = false)]
    pub password: Patch<String>,
    /// The password until now.
    #[serde(default)]
    pub current_password: Option<String>,
}

/// A role in one course.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CourseRole {
    /// The course.
    pub course_id: Uuid,
    /// The role held in it.
    pub role: Role,
}

/// A role over the people of a unit and of all units below it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UnitRole {
    /// The unit.
    pub unit_id: Uuid,
    /// The role held for it.
    pub role: Role,
}

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-000000000001", "email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace",
    "external_id": "hr-17", "employee_number": "1017", "state": "active", "roles": ["learner"], "course_roles": [], "unit_roles": [], "attributes": {"department": "Sales"},
    "manager_id": null, "locale": "fr", "time_zone": "Europe/Paris", "last_login_at": null,
    "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z"
}))]
pub struct UserOut {
    /// Its id.
    pub id: Uuid,
    /// E-mail as it was given.
    pub email: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// The HR system's id.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The company's number for its employee.
    #[schema(required)]
    pub employee_number: Option<String>,
    /// Whether the person may log in.
    pub state: UserState,
    /// Roles held for the whole site.
    pub roles: Vec<Role>,
    /// Roles held in single courses.
    pub course_roles: Vec<CourseRole>,
    /// Roles held over the people of units.
    pub unit_roles: Vec<UnitRole>,
    /// Profile attributes.
    #[schema(value_type = Object)]
    pub attributes: Value,
    /// The manager.
    #[schema(required)]
    pub manager_id: Option<Uuid>,
    /// BCP 47 language tag.
    #[schema(required)]
    pub locale: Option<String>,
    /// IANA time zone.
    #[schema(required)]
    pub time_zone: Option<String>,
    /// Last log-in with a password.
    #[schema(required)]
    pub last_login_at: Option<DateTime<Utc>>,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// When the user was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Filters of the list of users.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only users in this state.
    pub state: Option<UserState>,
    /// Only users who hold this role for the whole site.
    pub role: Option<Role>,
    /// Only the user with this e-mail, whatever its case.
    pub email: Option<String>,
    /// Only the user with this external id.
    pub external_id: Option<String>,
    /// Only the user with this employee number.
    pub employee_number: Option<String>,
    /// Only people of this unit, or of one below it: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub unit_id: Option<Ref>,
    /// Only the direct reports of this user: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub manager_id: Option<Ref>,
    /// Only users changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// How many levels down to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// One level.
    #[default]
    Direct,
    /// All levels.
    All,
}

/// Which reports of a user.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// `direct` (when absent) or `all`.
    #[param(inline)]
    pub depth: Option<Depth>,
}

/// A page of roles.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RolePage {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}

/// Where a role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RoleScopeKind)]
pub enum ScopeKind {
    /// Everywhere.
    Site,
    /// Over the people of a unit, with all units below.
    Unit,
    /// In one course.
    Course,
}

/// Where a role is held, with the id of the unit or course.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoleScope {
    /// What it is.
    pub kind: ScopeKind,
    /// The unit or course; nothing for the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

impl UserOut {
    /// The ETag: roles and log-ins are shown, and come and go without a new version.
    #[must_use]
    pub fn tag(&self) -> String {
        crate::http::conditional::shown_tag(self.version, self)
    }
}

/// Where a role is to be held.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleScopeIn {
    /// What it is.
    pub kind: ScopeKind,
    /// The unit or course, by id or `ext:<external_id>`; nothing for the site.
    #[serde(default)]
    #[schema(value_type = Option<UserRef>)]
    pub id: Option<String>,
}

/// A role to grant.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "admin", "scope": {"kind": "unit", "id": "0199c0de-0000-7000-8000-0000000000f1"}}))]
pub struct RoleIn {
    /// Which.
    pub role: Role,
    /// Where.
    pub scope: RoleScopeIn,
}

impl Input for RoleIn {
    fn check(&self, faults: &mut Faults) {
        let site = self.scope.kind == ScopeKind::Site;
        faults.ensure(!site || self.scope.id.is_none(), "/scope/id", "not_allowed", "The site has no id.");
        faults.ensure(site || self.scope.id.is_some(), "/scope/id", "required", "This scope needs an id.");
        UserRef::check_option(self.scope.id.as_ref(), "/scope/id", faults);
        let fits = match self.scope.kind {
            ScopeKind::Site => true,
            ScopeKind::Unit => matches!(self.role, Role::Admin | Role::Instructor | Role::Manager),
            ScopeKind::Course => matches!(self.role, Role::Author | Role::Instructor),
        };
        faults.ensure(
            fits,
            "/role",
            "unknown_value",
            "For a unit a role is admin, instructor or manager; in a course, author or instructor.",
        );
    }
}

/// A role that a user holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"id": "0199c0de-0000-7000-8000-00000000aa01", "role": "admin", "scope": {"kind": "unit", "id": "0199c0de-0000-7000-8000-0000000000f1"}, "created_at": "2026-11-23T09:00:00Z"}))]
pub struct RoleOut {
    /// Id of the grant, to take it away.
    pub id: Uuid,
    /// Which role.
    pub role: Role,
    /// Where it is held.
    pub scope: RoleScope,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Many users.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"users": [{"email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "external_id": "hr-17"}], "mode": "upsert"}))]
pub struct UserBulkIn {
    /// At most 1,000; at most 100 of them with a password.
    #[schema(value_type = Vec<UserIn>)]
    pub users: Vec<Value>,
    /// Whether a user who exists already (by external id, then employee number, then e-mail) is changed or refused; `create` when absent.
    #[serde(default)]
    pub mode: crate::http::bulk::Mode,
}

/// Users of a bulk call that may carry a password: each costs a slow hash.
pub const MAX_PASSWORDS: usize = 100;

impl Input for UserBulkIn {
    fn check(&self, faults: &mut Faults) {
        crate::http::bulk::check_count(self.users.len(), "/users", faults);
        let passwords = self.users.iter().filter(|user| user.get("password").is_some_and(Value::is_string)).count();
        faults.ensure(
            passwords <= MAX_PASSWORDS,
            "/users",
            "too_many_passwords",
            "At most 100 users of a call may carry a password.",
        );
    }
}

fn check_attributes(attributes: &Map<String, Value>, faults: &mut Faults) {
    faults.ensure(
        attributes.len() <= MAX_ATTRIBUTES,
        "/attributes",
        "too_many",
        "There may be at most 100 attributes.",
    );
    for (name, value) in attributes {
        let at = format!("/attributes/{}", crate::http::schema::escape(name));
        faults.ensure(
            (1..=100).contains(&name.chars().count()),
            &at,
            "length",
            "An attribute's name has 1 to 100 characters.",
        );
        let simple = |v: &Value| match v {
            Value::String(text) => text.chars().count() <= 2000,
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            _ => false,
        };
        let good =
            simple(value) || value.as_array().is_some_and(|items| items.len() <= 100 && items.iter().all(simple));
        faults.ensure(
            good,
            &at,
            "wrong_type",
            "An attribute is a text of at most 2,000 characters, a number, a boolean, or a list of those.",
        );
    }
}

fn check_ref(text: Option<&String>, at: &str, faults: &mut Faults) {
    let good = text.is_none_or(|text| text.len() <= 300 && Ref::parse(text).is_some());
    faults.ensure(good, at, "invalid", "This must be an id or ext:<external_id>.");
}

impl Input for UserIn {
    fn check(&self, faults: &mut Faults) {
        check_ref(self.manager_id.as_ref(), "/manager_id", faults);
        check_ref(self.unit_id.as_ref(), "/unit_id", faults);
        Email::check(&self.email, "/email", faults);
        PersonName::check(&self.given_name, "/given_name", faults);
        PersonName::check(&self.family_name, "/family_name", faults);
        Password::check_option(self.password.as_ref(), "/password", faults);
        ExternalId::check_option(self.external_id.as_ref(), "/external_id", faults);
        ExternalId::check_option(self.employee_number.as_ref(), "/employee_number", faults);
        if let Some(attributes) = &self.attributes {
            check_attributes(attributes, faults);
        }
        LanguageTag::check_option(self.locale.as_ref(), "/locale", faults);
        TimeZone::check_option(self.time_zone.as_ref(), "/time_zone", faults);
    }
}

impl Input for UserPatch {
    fn check(&self, faults: &mut Faults) {
        check_ref(self.manager_id.value(), "/manager_id", faults);
        let needed = [
            (self.email == Patch::Null, "/email"),
            (self.given_name == Patch::Null, "/given_name"),
            (self.family_name == Patch::Null, "/family_name"),
            (self.roles == Patch::Null, "/roles"),
            (self.state == Patch::Null, "/state"),
        ];
        for (_, at) in needed.into_iter().filter(|(null, _)| *null) {
            faults.add(at, "required", "This cannot be removed.");
        }
        Email::check_option(self.email.value(), "/email", faults);
        PersonName::check_option(self.given_name.value(), "/given_name", faults);
        PersonName::check_option(self.family_name.value(), "/family_name", faults);
        Password::check_option(self.password.value(), "/password", faults);
        ExternalId::check_option(self.external_id.value(), "/external_id", faults);
        ExternalId::check_option(self.employee_number.value(), "/employee_number", faults);
        if let Some(attributes) = self.attributes.value() {
            check_attributes(attributes, faults);
        }
        LanguageTag::check_option(self.locale.value(), "/locale", faults);
        TimeZone::check_option(self.time_zone.value(), "/time_zone", faults);
    }
}

impl Input for MePatch {
    fn check(&self, faults: &mut Faults) {
        faults.ensure(self.password != Patch::Null, "/password", "required", "This cannot be removed.");
        Password::check_option(self.password.value(), "/password", faults);
        LanguageTag::check_option(self.locale.value(), "/locale", faults);
        TimeZone::check_option(self.time_zone.value(), "/time_zone", faults);
    }
}
