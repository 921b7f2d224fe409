//! The whole list of employees against the users that are known: what would change, what is wrong, and whether it looks safe. Pure.

pub mod cells;
pub mod dates;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::plan::{plan, whole};

/// What a list says about one field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Given<T> {
    /// Nothing: keep what is there.
    #[default]
    Absent,
    /// That there is none: remove what is there.
    Empty,
    /// This.
    Value(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// One fault of a row: the column, which fault, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct RowFault {
    /// The column (or field) at fault.
    pub column: String,
    /// Stable name.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl RowFault {
    /// A fault.
    #[must_use]
    pub fn new(column: &str, code: &str, detail: impl Into<String>) -> Self {
        Self { column: column.to_owned(), code: code.to_owned(), detail: detail.into() }
    }
}

/// One row of the list, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Employee {
    /// Its number in the source, from 1; for CSV the line.
    pub row: i64,
    /// The HR system's id.
    pub external_id: Given<String>,
    /// The company's number.
    pub employee_number: Given<String>,
    /// E-mail.
    pub email: Given<String>,
    /// Given name.
    pub given_name: Given<String>,
    /// Family name.
    pub family_name: Given<String>,
    /// External id of the manager.
    pub manager: Given<String>,
    /// Whether the person works here; yes when absent.
    pub active: Option<bool>,
    /// Attributes, the department among them.
    pub attributes: Vec<(String, Given<Value>)>,
    /// What is wrong with it.
    pub faults: Vec<RowFault>,
    /// Whether the row as such cannot be read. What it lacks is then no fault of its own, and what could be read of it tells only whom
    /// it may be about.
    pub unreadable: bool,
}

impl Employee {
    /// A row that cannot be read, and why.
    #[must_use]
    pub fn unreadable(row: i64, fault: RowFault) -> Self {
        Self { row, faults: vec![fault], unreadable: true, ..Self::default() }
    }

    /// The same row when only its keys can be believed, for this one reason.
    #[must_use]
    pub fn only_keys(self, fault: RowFault) -> Self {
        Self {
            external_id: self.external_id,
            employee_number: self.employee_number,
            email: self.email,
            ..Self::unreadable(self.row, fault)
        }
    }
}

/// What a plan may change of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// The HR system's id.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The company's number.
    #[schema(required)]
    pub employee_number: Option<String>,
    /// E-mail.
    pub email: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Attributes.
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// The manager.
    #[schema(required)]
    pub manager_id: Option<Uuid>,
    /// `active`, `suspended` or `left`.
    pub state: String,
}

/// A user that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Whose.
    pub id: Uuid,
    /// Version at the time of planning.
    pub version: i64,
    /// What there is.
    pub profile: Profile,
    /// The name over SCIM in lower case, which nobody else may have as e-mail.
    pub user_name: Option<String>,
    /// Whether they administer the site.
    pub administers: bool,
    /// Why the list cannot change them, if so.
    pub locked: Option<Lock>,
}

/// Why a list cannot change somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// They administer, and a machine sends the list.
    Admin,
    /// They were erased.
    Erased,
    /// Nobody would be left who administers the site.
    LastAdmin,
}

impl Lock {
    /// The reason, for people.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Admin => "Only an admin can change an admin.",
            Self::Erased => "This person's data was erased; nothing brings them back.",
            Self::LastAdmin => "This would leave nobody who administers the site.",
        }
    }
}

/// What a row of a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SyncAction)]
pub enum Action {
    /// A new user.
    Create,
    /// Changed fields.
    Update,
    /// Somebody who left comes back.
    Reactivate,
    /// Somebody leaves.
    Deactivate,
    /// Nothing changes; counted, not listed.
    Unchanged,
    /// The row cannot be applied.
    Error,
}

impl Action {
    /// All, in the order in which they are applied.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Update, Self::Reactivate, Self::Deactivate, Self::Unchanged, Self::Error];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Reactivate => "reactivate",
            Self::Deactivate => "deactivate",
            Self::Unchanged => "unchanged",
            Self::Error => "error",
        }
    }
}

/// How a plan is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether active users with an external id who are not in the list leave. Suspended ones stay suspended.
    pub deactivate_missing: bool,
    /// Above this share of active users the plan is blocked, in percent; 10 when absent.
    pub max_deactivate_percent: f64,
    /// Above this share of rows at fault the plan is blocked, in percent; 10 when absent.
    pub max_error_percent: f64,
    /// How dates are written: `iso`, `day_first` or `month_first`.
    pub date_style: dates::DateStyle,
    /// Attributes that hold dates; they are kept as YYYY-MM-DD.
    pub date_attributes: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deactivate_missing: true,
            max_deactivate_percent: 10.0,
            max_error_percent: 10.0,
            date_style: dates::DateStyle::Iso,
            date_attributes: Vec::new(),
        }
    }
}

/// One row of a plan as it is kept while the whole plan is thought over: where to find what it is about, and not a copy of that. A
/// hundred thousand of these cost little beside the list itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number in the source; none for somebody who is not in the list.
    pub row: Option<i64>,
    /// What it does.
    pub action: Action,
    /// Whom it is about.
    pub user: Option<Uuid>,
    /// Rows of one piece are applied in one transaction, pieces in their order.
    pub piece: i32,
    /// Why it cannot be applied.
    pub faults: Vec<RowFault>,
    /// The position of the employee.
    employee: Option<usize>,
    /// The position of the person who is known.
    person: Option<usize>,
    /// The manager that the employee names.
    manager: Given<Uuid>,
    /// The e-mail of somebody whose own goes to another.
    email: Option<String>,
}

impl Step {
    /// Whether it is known already that it will not be applied, though the row itself is in order.
    #[must_use]
    pub fn conflicts(&self) -> bool {
        self.action != Action::Error && !self.faults.is_empty()
    }
}

/// One row of a plan, with all that there is to see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRow {
    /// Its number in the source; none for somebody who is not in the list.
    pub row: Option<i64>,
    /// What it does.
    pub action: Action,
    /// Whom it is about.
    pub user: Option<Uuid>,
    /// Their version at the time of planning.
    pub version: Option<i64>,
    /// As it is.
    pub before: Option<Profile>,
    /// As it will be.
    pub after: Option<Profile>,
    /// Rows of one piece are applied in one transaction, pieces in their order.
    pub piece: i32,
    /// Why it cannot be applied.
    pub faults: Vec<RowFault>,
}

/// Why a plan is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SyncGuard)]
pub struct Guard {
    /// Stable name.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The rows that do something, in the order in which they are applied, and those at fault.
    pub steps: Vec<Step>,
    /// How many of each.
    pub counts: BTreeMap<Action, u64>,
    /// Why it should not be applied without a look.
    pub guards: Vec<Guard>,
}
