//! Use cases about users over SCIM. What follows from a write is done by `users::mass`, as for every other way in.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::access::authorised;
use super::fault::checked;
use super::keeping::{blank, check, fill, manager, returning, save, taken, with_any};
use super::store::users::{self as store, Row};
use super::view::{self, Needs, Shown};
use crate::db::{Conn, LockTable, LockWhole, lock_row, lock_whole};
use crate::domain::permission::{Act, Relation, Role};
use crate::domain::scim::patch::{self, Operation};
use crate::domain::scim::person::{self, Columns};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::{ENTERPRISE, USERS};
use crate::error::{AppError, AppResult, Code};
use crate::features::users::mass::{self, Change, Create};
use crate::features::users::{UserRow, service as people};
use crate::http::{Conditions, Patch};
use crate::state::Ctx;

/// Attributes that people may change of themselves.
const OWN: [&str; 4] = ["locale", "timezone", "preferredLanguage", "nickName"];
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
        tags: true,
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
    check(&columns, None)?;
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
    let (row, columns) = prepare(conn, id, edit.made, &edit.conditions, base)?;
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
    let (row, columns) = prepare(conn, id, edit.made, &edit.conditions, base)?;
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

/// Whether a change may set the manager.
fn names_manager(made: &Made) -> bool {
    match made {
        Made::Replaced(resource) => resource.get(ENTERPRISE).is_some_and(|part| part.get("manager").is_some()),
        Made::Patched(operations) => operations.iter().any(|operation| {
            operation.path.as_ref().is_none_or(|path| matches!(path.at.name.as_str(), "" | "manager"))
        }),
    }
}

/// The user, locked, and what is to become of them.
fn prepare(conn: &mut Conn, id: Uuid, made: Made, conditions: &Conditions, base: &str) -> AppResult<(Row, Columns)> {
    if names_manager(&made) {
        lock_whole(conn, LockWhole::Managers)?;
    }
    lock_row(conn, LockTable::Users, id)?;
    let row = find(conn, id)?;
    conditions.require_tag(|| view::user_tag(conn, &row, base))?;
    let resource = match made {
        Made::Replaced(mut resource) => {
            // A state that is not told stays: nobody comes back by being left out.
            resource.entry("active").or_insert(Value::Bool(row.user.state == "active"));
            resource
        }
        Made::Patched(operations) => checked(patch::apply(&view::written(&row), &operations, &USERS))?,
    };
    let columns = person::take_apart(resource);
    check(&columns, Some(&row.user.email))?;
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
pub fn leave(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions, base: &str) -> AppResult<()> {
    let ctx = &authorised(ctx)?;
    lock_row(conn, LockTable::Users, id)?;
    let row = find(conn, id)?;
    conditions.require_tag(|| view::user_tag(conn, &row, base))?;
    people::forbid_changing_admins(conn, ctx, id)?;
    let before = row.user;
    let row = UserRow { state: "left".into(), ..before.clone() };
    mass::write(conn, ctx, &[], &[Change { before, row, password_hash: None, roles: None, unit: None }])
}
