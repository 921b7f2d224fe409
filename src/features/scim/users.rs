//! Use cases about users over SCIM. What follows from a write is done by `users::mass`, as for every other way in.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::access::authorised;
use super::fault::{checked, fault};
use super::store::users::{self as store, Row};
use super::view::{self, Needs, Shown};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::permission::{Act, Relation, Role};
use crate::domain::scim::ErrorType;
use crate::domain::scim::patch::{self, Operation};
use crate::domain::scim::person::{self, Columns};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::USERS;
use crate::error::{AppError, AppResult, Code, Faults, is_unique_violation};
use crate::features::users::mass::{self, Change, Create};
use crate::features::users::{UserRow, service as people};
use crate::http::shapes::{Email, ExternalId, Password, Shape};
use crate::http::{Conditions, Patch};
use crate::state::Ctx;

/// Attributes that people may change of themselves.
const OWN: [&str; 4] = ["locale", "timezone", "preferredLanguage", "nickName"];
/// Most characters of a `userName`.
const MAX_NAME: usize = 254;
/// Most bytes of what SCIM alone knows of a user, so that a page of users stays a page.
const MAX_DOCUMENT: usize = 64 * 1024;

/// What a change makes of the resource.
pub enum Made {
    /// This in its place.
    Replaced(Map<String, Value>),
    /// What these operations make of it.
    Patched(Vec<Operation>),
}

/// A change of a user.
pub struct Edit {
    /// What it makes of the resource.
    pub made: Made,
    /// The hash of a new password, or that there is to be none.
    pub hash: Patch<String>,
    /// If what.
    pub conditions: Conditions,
}

fn shown(conn: &mut Conn, row: Row, projection: &Projection, base: &str) -> AppResult<Shown> {
    let needs = needs(projection);
    let mut shown = view::users(conn, &[row], needs, base)?.pop().ok_or_else(|| AppError::internal("no user"))?;
    projection.apply(&mut shown.resource, &USERS);
    Ok(shown)
}

/// What a projection needs to be loaded.
pub fn needs(projection: &Projection) -> Needs {
    Needs {
        groups: projection.wants("groups"),
        members: projection.wants("members"),
        manager_names: projection.asks("manager", "displayName"),
    }
}

fn find(conn: &mut Conn, id: Uuid) -> AppResult<Row> {
    store::find(conn, id)?.filter(|row| row.user.state != "left").ok_or_else(|| AppError::not_found("user"))
}

/// One user.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid, projection: &Projection, base: &str) -> AppResult<Shown> {
    authorised(ctx)?;
    let row = find(conn, id)?;
    shown(conn, row, projection, base)
}

/// The caller.
///
/// # Errors
/// 403 for clients.
pub fn me(conn: &mut Conn, ctx: &Ctx, projection: &Projection, base: &str) -> AppResult<Shown> {
    let id = ctx.user()?;
    super::access::widened(ctx).require(Act::ReadUser, &Relation { own: true, ..Relation::default() })?;
    let row = find(conn, id)?;
    shown(conn, row, projection, base)
}

/// Refuses values that Cairn cannot keep.
fn check(columns: &Columns) -> AppResult<()> {
    let mut faults = Faults::new();
    let length = columns.user_name.chars().count();
    faults.ensure((1..=MAX_NAME).contains(&length), "userName", "length", "This has 1 to 254 characters.");
    Email::check_option(columns.email.as_ref(), "emails", &mut faults);
    ExternalId::check_option(columns.external_id.as_ref(), "externalId", &mut faults);
    ExternalId::check_option(columns.employee_number.as_ref(), "employeeNumber", &mut faults);
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
fn taken(found: &[Row], of: Uuid, columns: &Columns, email: &str) -> AppResult<()> {
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

fn with_any(conn: &mut Conn, columns: &Columns, email: &str) -> AppResult<Vec<Row>> {
    let (name, email) = (columns.user_name.to_lowercase(), email.to_lowercase());
    let (external, number) = (columns.external_id.as_deref(), columns.employee_number.as_deref());
    store::with_any(conn, &name, Some(&email), external, number)
}

/// Who left and comes back: by external id, else by name when the external ids do not speak against it.
fn returning<'a>(found: &'a [Row], columns: &Columns) -> Option<&'a Row> {
    let name = columns.user_name.to_lowercase();
    let left = || found.iter().filter(|row| row.user.state == "left");
    let same = |row: &&Row| row.user.external_id.is_some() && row.user.external_id == columns.external_id;
    let free = |row: &&Row| row.user.external_id.is_none() || columns.external_id.is_none();
    left().find(same).or_else(|| left().find(|row| row.name_key() == name && free(row)))
}

fn fill(row: &mut UserRow, columns: &Columns, email: String, manager: Option<Uuid>) {
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

fn manager(conn: &mut Conn, ctx: &Ctx, of: Uuid, before: Option<Uuid>, columns: &Columns) -> AppResult<Option<Uuid>> {
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

fn save(conn: &mut Conn, id: Uuid, columns: &Columns) -> AppResult<()> {
    store::save(conn, id, &columns.user_name, &columns.document, &columns.other_emails).map_err(|error| {
        if is_unique_violation(&error) {
            fault(ErrorType::Uniqueness, "Another user has this userName.")
        } else {
            error.into()
        }
    })
}

/// Makes a user. Whoever left and has the same external id, or the same name, is the same person and comes back with all history.
///
/// # Errors
/// 400, 403, 409.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    mut resource: Map<String, Value>,
    hash: Option<String>,
    projection: &Projection,
    base: &str,
) -> AppResult<Shown> {
    let ctx = &authorised(ctx)?;
    resource.entry("active").or_insert(Value::Bool(true));
    let columns = person::take_apart(resource);
    check(&columns)?;
    let new = ctx.new_id();
    let found = with_any(conn, &columns, &columns.email.clone().unwrap_or_else(|| person::no_email(new)))?;
    let back = returning(&found, &columns);
    let id = back.map_or(new, |row| row.user.id);
    let email = columns.email.clone().unwrap_or_else(|| person::no_email(id));
    taken(&found, id, &columns, &email)?;
    match back {
        Some(row) => {
            people::forbid_changing_admins(conn, ctx, id)?;
            let manager = manager(conn, ctx, id, None, &columns)?;
            let before = row.user.clone();
            let mut row = before.clone();
            fill(&mut row, &columns, email, manager);
            mass::write(conn, ctx, &[], &[Change { before, row, password_hash: hash, roles: None, unit: None }])?;
        }
        None => {
            let manager = manager(conn, ctx, id, None, &columns)?;
            let mut row = blank(id, ctx);
            fill(&mut row, &columns, email, manager);
            mass::write(
                conn,
                ctx,
                &[Create { row, password_hash: hash, roles: vec![Role::Learner], unit: None }],
                &[],
            )?;
        }
    }
    save(conn, id, &columns)?;
    let row = find(conn, id)?;
    shown(conn, row, projection, base)
}

fn blank(id: Uuid, ctx: &Ctx) -> UserRow {
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

/// Changes a user.
///
/// # Errors
/// 400, 403, 404, 409, 412.
pub fn change(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    edit: Edit,
    projection: &Projection,
    base: &str,
) -> AppResult<Shown> {
    let ctx = &authorised(ctx)?;
    let (row, columns) = prepare(conn, id, edit.made, &edit.conditions)?;
    people::forbid_changing_admins(conn, ctx, id)?;
    write(conn, ctx, row, columns, edit.hash, projection, base)
}

/// Changes the caller: admins may change all of themselves, others what is theirs to choose.
///
/// # Errors
/// As [`change`].
pub fn change_me(conn: &mut Conn, ctx: &Ctx, edit: Edit, projection: &Projection, base: &str) -> AppResult<Shown> {
    let id = ctx.user()?;
    if ctx.may(Act::Provision, &Relation::default()) {
        return change(conn, ctx, id, edit, projection, base);
    }
    ctx.require(Act::WriteOwnProfile, &Relation { own: true, ..Relation::default() })?;
    if edit.hash != Patch::Absent {
        return Err(AppError::new(Code::Forbidden, "PATCH /v1/me changes the password; it asks for the present one."));
    }
    let row = find(conn, id)?;
    let before = view::written(&row);
    let (row, columns) = prepare(conn, id, edit.made, &edit.conditions)?;
    let mut after = Row { user_name: Some(columns.user_name.clone()), ..row.clone() };
    let email = columns.email.clone().unwrap_or_else(|| person::no_email(id));
    let manager = manager(conn, ctx, id, row.user.manager_id, &columns)?;
    fill(&mut after.user, &columns, email, manager);
    after.scim_document = Some(Value::Object(columns.document.clone()));
    let after = view::written(&after);
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let other: Vec<&str> =
        names.filter(|n| before.get(*n) != after.get(*n) && !OWN.contains(&n.as_str())).map(String::as_str).collect();
    if !other.is_empty() {
        let what = format!("You may change {} of yourself, and not {}.", OWN.join(", "), other.join(", "));
        return Err(AppError::new(Code::Forbidden, what));
    }
    write(conn, ctx, row, columns, Patch::Absent, projection, base)
}

/// The user, locked, and what is to become of them.
fn prepare(conn: &mut Conn, id: Uuid, made: Made, conditions: &Conditions) -> AppResult<(Row, Columns)> {
    lock_row(conn, LockTable::Users, id)?;
    let row = find(conn, id)?;
    conditions.require_tag(&view::user_tag(&row))?;
    let resource = match made {
        Made::Replaced(mut resource) => {
            // A state that is not told stays: nobody comes back by being left out.
            resource.entry("active").or_insert(Value::Bool(row.user.state == "active"));
            resource
        }
        Made::Patched(operations) => checked(patch::apply(&view::written(&row), &operations, &USERS))?,
    };
    let columns = person::take_apart(resource);
    check(&columns)?;
    Ok((row, columns))
}

fn write(
    conn: &mut Conn,
    ctx: &Ctx,
    before: Row,
    columns: Columns,
    hash: Patch<String>,
    projection: &Projection,
    base: &str,
) -> AppResult<Shown> {
    let id = before.user.id;
    let email = columns.email.clone().unwrap_or_else(|| person::no_email(id));
    let found = with_any(conn, &columns, &email)?;
    taken(&found, id, &columns, &email)?;
    let manager = manager(conn, ctx, id, before.user.manager_id, &columns)?;
    let mut row = before.user.clone();
    fill(&mut row, &columns, email, manager);
    let same = row == before.user
        && before.user_name.as_ref() == Some(&columns.user_name)
        && before.document() == Some(&columns.document);
    if same && hash == Patch::Absent {
        return shown(conn, before, projection, base);
    }
    let change = Change { before: before.user, row, password_hash: hash.value().cloned(), roles: None, unit: None };
    mass::write(conn, ctx, &[], &[change])?;
    if hash == Patch::Null {
        people::remove_password(conn, ctx, id)?;
    }
    save(conn, id, &columns)?;
    let row = find(conn, id)?;
    shown(conn, row, projection, base)
}

/// A user leaves. They are not there any more, and their history stays.
///
/// # Errors
/// 403, 404, 412.
pub fn leave(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let ctx = &authorised(ctx)?;
    lock_row(conn, LockTable::Users, id)?;
    let row = find(conn, id)?;
    conditions.require_tag(&view::user_tag(&row))?;
    people::forbid_changing_admins(conn, ctx, id)?;
    let before = row.user;
    let row = UserRow { state: "left".into(), ..before.clone() };
    mass::write(conn, ctx, &[], &[Change { before, row, password_hash: None, roles: None, unit: None }])
}
