//! What Cairn keeps of a user that is written over SCIM: which values it can keep, whose they are, and where they go.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::fault::fault;
use super::store::users::{self as store, Row};
use crate::db::Conn;
use crate::domain::organisation::{RESERVED_EMAIL, is_erased, is_reserved_email};
use crate::domain::scim::ErrorType;
use crate::domain::scim::patch::{self, Operation};
use crate::domain::scim::person::{self, Columns};
use crate::error::{AppError, AppResult, Faults, is_unique_violation};
use crate::features::users::{UserRow, service as people};
use crate::http::Patch;
use crate::http::shapes::{Email, ExternalId, Password, Shape};
use crate::state::Ctx;

/// Most characters of a `userName`.
const MAX_NAME: usize = 254;
/// Most bytes of what SCIM alone knows of a user, so that a page of users stays a page.
const MAX_DOCUMENT: usize = 64 * 1024;

/// Refuses values that Cairn cannot keep, and an address that only Cairn gives, unless the user has it.
pub fn check(columns: &Columns, kept: Option<&str>) -> AppResult<()> {
    let mut faults = Faults::new();
    let length = columns.user_name.chars().count();
    faults.ensure((1..=MAX_NAME).contains(&length), "userName", "length", "This has 1 to 254 characters.");
    Email::check_option(columns.email.as_ref(), "emails", &mut faults);
    let takes = |email: &String| is_reserved_email(email) && kept.is_none_or(|kept| !kept.eq_ignore_ascii_case(email));
    faults.ensure(!columns.email.as_ref().is_some_and(takes), "emails", "reserved", RESERVED_EMAIL);
    ExternalId::check_option(columns.external_id.as_ref(), "externalId", &mut faults);
    ExternalId::check_option(columns.employee_number.as_ref(), "employeeNumber", &mut faults);
    for name in person::unprintable(columns) {
        faults.add(name, "control_character", "Text must not contain control characters.");
    }
    // A `locale` or `timezone` that Cairn cannot use is no fault: directories send all sorts of text there. SCIM shows it as it came,
    // the rest of the API shows none.
    let size = serde_json::to_string(&columns.document).map_err(AppError::internal)?.len();
    faults.ensure(size <= MAX_DOCUMENT, "", "length", "A user has at most 64 KiB.");
    faults.finish()
}

/// Takes the password out of a canonical resource.
///
/// # Errors
/// 400 for one that is too short or too long.
pub fn take_password(resource: &mut Map<String, Value>) -> AppResult<Patch<String>> {
    match resource.remove("password") {
        Some(Value::String(password)) => {
            check_password(&password)?;
            Ok(Patch::Value(password))
        }
        _ => Ok(Patch::Absent),
    }
}

/// What the operations of a PATCH do with the password.
///
/// # Errors
/// As [`take_password`].
pub fn patched_password(operations: &[Operation]) -> AppResult<Patch<String>> {
    let named = |o: &&Operation| o.path.as_ref().is_some_and(|p| p.at.extension.is_none() && p.at.name == "password");
    match operations.iter().rfind(named) {
        None => Ok(Patch::Absent),
        Some(Operation { verb: patch::Verb::Remove, .. }) => Ok(Patch::Null),
        Some(Operation { value: Value::String(password), .. }) => {
            check_password(password)?;
            Ok(Patch::Value(password.clone()))
        }
        // What is no text, the operation itself is refused for.
        Some(_) => Ok(Patch::Absent),
    }
}

fn check_password(password: &str) -> AppResult<()> {
    let mut faults = Faults::new();
    Password::check(password, "password", &mut faults);
    faults.finish()
}

/// Refuses what another user has.
pub fn taken(found: &[Row], of: Uuid, columns: &Columns, email: &str) -> AppResult<()> {
    let others = || found.iter().filter(|row| row.user.id != of);
    let mut told = Vec::new();
    let mut tell = |taken: bool, what: &str| {
        if taken {
            told.push(format!("Another user has this {what}."));
        }
    };
    let name = columns.user_name.to_lowercase();
    tell(others().any(|row| row.name_key() == name), "userName");
    tell(others().any(|row| row.user.email.to_lowercase() == email.to_lowercase()), "e-mail address");
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    tell(others().any(|row| same(&row.user.external_id, &columns.external_id)), "externalId");
    tell(others().any(|row| same(&row.user.employee_number, &columns.employee_number)), "employeeNumber");
    if told.is_empty() {
        return Ok(());
    }
    if others().any(|row| row.user.state == "left") {
        told.push("One who left keeps theirs; they come back by their own externalId or userName.".into());
    }
    Err(fault(ErrorType::Uniqueness, told.join(" ")))
}

/// Everybody who has one of the user's keys, also those who left.
pub fn with_any(conn: &mut Conn, columns: &Columns, email: &str) -> AppResult<Vec<Row>> {
    let (name, email) = (columns.user_name.to_lowercase(), email.to_lowercase());
    let (external, number) = (columns.external_id.as_deref(), columns.employee_number.as_deref());
    store::with_any(conn, &name, Some(&email), external, number)
}

/// Who left and comes back: by external id, else by name when the external ids do not speak against it.
pub fn returning<'a>(found: &'a [Row], columns: &Columns) -> Option<&'a Row> {
    let name = columns.user_name.to_lowercase();
    let left = || found.iter().filter(|row| row.user.state == "left" && !is_erased(row.user.id, &row.user.email));
    let same = |row: &&Row| row.user.external_id.is_some() && row.user.external_id == columns.external_id;
    let free = |row: &&Row| row.user.external_id.is_none() || columns.external_id.is_none();
    left().find(same).or_else(|| left().find(|row| row.name_key() == name && free(row)))
}

/// Puts into a row what the resource says.
pub fn fill(row: &mut UserRow, columns: &Columns, email: String, manager: Option<Uuid>) {
    row.email = email;
    row.given_name.clone_from(&columns.given_name);
    row.family_name.clone_from(&columns.family_name);
    row.external_id.clone_from(&columns.external_id);
    row.employee_number.clone_from(&columns.employee_number);
    row.manager_id = manager;
    row.locale.clone_from(&columns.locale);
    row.time_zone.clone_from(&columns.time_zone);
    if let Some(active) = columns.active {
        row.state = if active { "active" } else { "suspended" }.to_owned();
    }
    if !row.attributes.is_object() {
        row.attributes = Value::Object(Map::new());
    }
    if let Some(attributes) = row.attributes.as_object_mut() {
        for (name, value) in &columns.profile {
            match value {
                Some(value) => attributes.insert((*name).to_owned(), Value::from(value.as_str())),
                // A list that another way in has put there, SCIM does not see and does not take away.
                None if attributes.get(*name).is_some_and(Value::is_array) => None,
                None => attributes.remove(*name),
            };
        }
    }
}

/// The manager that the resource names.
pub fn manager(
    conn: &mut Conn,
    ctx: &Ctx,
    of: Uuid,
    before: Option<Uuid>,
    columns: &Columns,
) -> AppResult<Option<Uuid>> {
    let Some(text) = &columns.manager else { return Ok(None) };
    let id = Uuid::try_parse(text).map_err(|_| unknown_manager())?;
    if Some(id) != before {
        people::check_manager(conn, ctx, of, Some(id))?;
    }
    Ok(Some(id))
}

fn unknown_manager() -> AppError {
    fault(ErrorType::InvalidValue, "manager: its value is the id of a user.")
}

/// Keeps what SCIM alone knows.
pub fn save(conn: &mut Conn, id: Uuid, columns: &Columns) -> AppResult<()> {
    store::save(conn, id, &columns.user_name, &columns.document, &columns.other_emails).map_err(|error| {
        if is_unique_violation(&error) {
            fault(ErrorType::Uniqueness, "Another user has this userName.")
        } else {
            error.into()
        }
    })
}

/// A new user, to be filled.
pub fn blank(id: Uuid, ctx: &Ctx) -> UserRow {
    UserRow {
        id,
        email: String::new(),
        given_name: String::new(),
        family_name: String::new(),
        external_id: None,
        employee_number: None,
        state: "active".into(),
        attributes: Value::Object(Map::new()),
        manager_id: None,
        locale: None,
        time_zone: None,
        version: 1,
        last_login_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
    }
}
