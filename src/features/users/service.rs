//! Use cases about users.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::dto::{CourseRole, MePatch, UnitRole, UserIn, UserOut, UserPatch, UserQuery, UserState};
use super::store::{self, GrantRow, NewUser, Sight, UserRow};
use crate::auth::passwords;
use crate::clock;
use crate::db::page::{PageRequest, Rows};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, LockWhole, lock_row, lock_whole};
use crate::domain::organisation::{
    RESERVED_EMAIL, Ties, is_erased, is_reserved_email, leading, may_be_changed_by_unit_admin,
};
use crate::domain::permission::{Act, Grant, Reach, Relation, Role};
use crate::error::{AppError, AppResult, Code, Faults, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::groups;
use crate::features::sessions;
use crate::http::{Conditions, Patch, Ref};
use crate::state::{Ctx, State};

fn out(row: UserRow, grants: &[GrantRow]) -> AppResult<UserOut> {
    let mut roles = Vec::new();
    let (mut course_roles, mut unit_roles) = (Vec::new(), Vec::new());
    for (_, role, reach, reach_id) in grants.iter().filter(|grant| grant.0 == row.id) {
        let role: Role = role.parse().map_err(AppError::internal)?;
        match reach.as_str() {
            "course" => course_roles.push(CourseRole { course_id: *reach_id, role }),
            "unit" => unit_roles.push(UnitRole { unit_id: *reach_id, role }),
            _ => roles.push(role),
        }
    }
    roles.sort_unstable();
    Ok(UserOut {
        id: row.id,
        email: row.email,
        given_name: row.given_name,
        family_name: row.family_name,
        external_id: row.external_id,
        employee_number: row.employee_number,
        state: serde_json::from_value(Value::String(row.state)).map_err(AppError::internal)?,
        roles,
        course_roles,
        unit_roles,
        attributes: row.attributes,
        manager_id: row.manager_id,
        locale: row.locale,
        time_zone: row.time_zone,
        last_login_at: row.last_login_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

fn with_roles(conn: &mut Conn, row: UserRow) -> AppResult<UserOut> {
    let grants = store::grants(conn, &[row.id])?;
    out(row, &grants)
}

/// The id of whoever is meant, if anybody is.
///
/// # Errors
/// Database errors.
pub fn id_of(conn: &mut Conn, who: &Ref) -> AppResult<Option<Uuid>> {
    Ok(store::find(conn, who)?.map(|row| row.id))
}

/// Finds a user without asking who may see them; for other areas.
///
/// # Errors
/// 404.
pub fn find(conn: &mut Conn, who: &Ref) -> AppResult<UserRow> {
    store::find(conn, who)?.ok_or_else(|| AppError::not_found("user"))
}

/// Given and family names of users.
///
/// # Errors
/// Database errors.
pub fn names(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<(Uuid, String, String)>> {
    store::names(conn, ids)
}

/// Whether the user is below the actor in the tree of managers.
///
/// # Errors
/// Database errors.
pub fn is_below(conn: &mut Conn, ctx: &Ctx, user: Uuid) -> AppResult<bool> {
    match ctx.actor.user_id() {
        Some(actor) if actor != user => store::is_below(conn, user, actor),
        _ => Ok(false),
    }
}

/// Whether anybody reports to this user.
///
/// # Errors
/// Database errors.
pub fn has_reports(conn: &mut Conn, manager: Uuid) -> AppResult<bool> {
    store::has_reports(conn, manager)
}

/// Fills in how the actor stands to a user: as a manager somewhere above, and by roles for units that the user belongs to.
///
/// # Errors
/// Database errors.
pub fn relate(conn: &mut Conn, ctx: &Ctx, user: Uuid, relation: &mut Relation) -> AppResult<()> {
    relation.managed = is_below(conn, ctx, user)?;
    let units: Vec<Uuid> = ctx.actor.unit_grants().map(|(unit, _)| unit).collect();
    if !units.is_empty() {
        let around = store::units_around(conn, user, &units)?;
        relation.unit_roles =
            ctx.actor.unit_grants().filter(|(unit, _)| around.contains(unit)).map(|(_, role)| role).collect();
    }
    Ok(())
}

/// Those of these people over whom the actor may do this by a role for a unit, or as a manager above them.
///
/// # Errors
/// Database errors.
pub fn reach_for(conn: &mut Conn, ctx: &Ctx, act: Act, people: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    let mut reached = HashSet::new();
    let units = ctx.actor.units_for(act);
    if !units.is_empty() {
        reached.extend(store::in_units_among(conn, &units, people)?);
    }
    if let Some(actor) = ctx.actor.user_id().filter(|_| act.rule().manager) {
        reached.extend(store::below_among(conn, actor, people)?);
    }
    Ok(reached)
}

/// Finds a user to whom the actor may do this; out of sight looks like not found.
///
/// # Errors
/// 404; 403 when the user may be seen but not treated so.
pub fn find_for(conn: &mut Conn, ctx: &Ctx, who: &Ref, act: Act) -> AppResult<UserRow> {
    let row = find(conn, who)?;
    let mut relation = Relation { own: ctx.actor.user_id() == Some(row.id), ..Relation::default() };
    if ctx.may(act, &relation) {
        return Ok(row);
    }
    relate(conn, ctx, row.id, &mut relation)?;
    if ctx.may(act, &relation) {
        return Ok(row);
    }
    if !ctx.may(Act::ReadUser, &relation) && ctx.actor.kind() == "user" {
        return Err(AppError::not_found("user"));
    }
    ctx.require(act, &relation)?;
    Ok(row)
}

/// One user, if the caller may see them.
///
/// # Errors
/// 404 also for users out of the caller's sight.
pub fn get(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<UserOut> {
    let row = find_for(conn, ctx, who, Act::ReadUser)?;
    with_roles(conn, row)
}

/// Finds a user whom the actor may change. Those who administer a unit only may not change anybody who holds more than they do.
pub(super) fn find_to_change(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<UserRow> {
    let row = find_for(conn, ctx, who, Act::WriteUser)?;
    if !ctx.may(Act::WriteUser, &Relation::default()) {
        let administered = store::units_below(conn, &ctx.actor.units_for(Act::WriteUser))?.into_iter().collect();
        let ties = ties(conn, ctx, &[row.id], &administered)?.remove(&row.id).unwrap_or_default();
        if !may_be_changed_by_unit_admin(&ties, &administered) {
            return Err(AppError::new(
                Code::Forbidden,
                "The user has roles, memberships or reports beyond your unit; only an admin of the site can change them.",
            )
            .with("missing", json!({"roles": ["admin"]})));
        }
    }
    Ok(row)
}

/// What ties these people to the organisation beyond the units that the actor administers. Of the actor themself only the roles count:
/// what else they reach they reach already.
pub(super) fn ties(
    conn: &mut Conn,
    ctx: &Ctx,
    people: &[Uuid],
    administered: &HashSet<Uuid>,
) -> AppResult<HashMap<Uuid, Ties>> {
    let mut ties: HashMap<Uuid, Ties> = HashMap::new();
    for (user, role, reach, reach_id) in store::grants(conn, people)? {
        let role = role.parse().map_err(AppError::internal)?;
        ties.entry(user).or_default().held.push(Grant { role, reach: Reach::from_row(&reach, reach_id) });
    }
    let others: Vec<Uuid> = people.iter().copied().filter(|user| ctx.actor.user_id() != Some(*user)).collect();
    for (unit, user) in store::units_of(conn, &others)? {
        ties.entry(user).or_default().units.push(unit);
    }
    let below: HashMap<Uuid, Uuid> = store::edges_below(conn, &others)?.into_iter().collect();
    if !below.is_empty() {
        let units: Vec<Uuid> = administered.iter().copied().collect();
        let reports: Vec<Uuid> = below.keys().copied().collect();
        let inside: HashSet<Uuid> = store::in_units_among(conn, &units, &reports)?.into_iter().collect();
        let beyond = |user: &Uuid| !inside.contains(user) && ctx.actor.user_id() != Some(*user);
        let leading = leading(&below, reports.into_iter().filter(beyond));
        for user in others.into_iter().filter(|user| leading.contains(user)) {
            ties.entry(user).or_default().leads_beyond = true;
        }
    }
    Ok(ties)
}

/// The caller.
///
/// # Errors
/// 403 for clients.
pub fn me(conn: &mut Conn, ctx: &Ctx) -> AppResult<UserOut> {
    let row = find(conn, &Ref::Id(ctx.user()?))?;
    with_roles(conn, row)
}

/// A page of users: all for admins and clients, everybody below for managers, a unit's people for those with a role for it.
///
/// # Errors
/// 403 for everyone else.
pub fn list(conn: &mut Conn, ctx: &Ctx, mut filter: UserQuery, page: &PageRequest) -> AppResult<Rows<UserOut>> {
    let sight = match ctx.actor.user_id() {
        Some(id) if !ctx.actor.has_site_role(Role::Admin) => {
            let units = ctx.actor.units_for(Act::ReadUser);
            // Whoever somebody reports to is a manager, with or without the role.
            if units.is_empty() && !store::has_reports(conn, id)? {
                ctx.require(Act::ListUsers, &Relation::default())?;
            }
            Sight::Some { below: id, units }
        }
        _ => {
            ctx.require(Act::ListUsers, &Relation::default())?;
            Sight::All
        }
    };
    Ref::settle(&mut filter.manager_id, |who| id_of(conn, who))?;
    Ref::settle(&mut filter.unit_id, |which| groups::id_of(conn, which))?;
    let rows = store::list(conn, &filter, &sight, page)?;
    outs(conn, rows)
}

/// Rows of a page as they go out, with their roles.
pub(super) fn outs(conn: &mut Conn, rows: Rows<UserRow>) -> AppResult<Rows<UserOut>> {
    let ids: Vec<Uuid> = rows.items.iter().map(|row| row.id).collect();
    let grants = store::grants(conn, &ids)?;
    let items = rows.items.into_iter().map(|row| out(row, &grants)).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Refuses an address that only Cairn gives, unless the user has it already.
///
/// # Errors
/// 422.
pub(super) fn forbid_reserved(email: &str, before: Option<&str>) -> AppResult<()> {
    let kept = before.is_some_and(|before| before.eq_ignore_ascii_case(email));
    if is_reserved_email(email) && !kept {
        return Err(AppError::field("/email", "reserved", RESERVED_EMAIL));
    }
    Ok(())
}

fn check_unique(
    conn: &mut Conn,
    email: &str,
    external_id: Option<&str>,
    number: Option<&str>,
    except: Uuid,
) -> AppResult<()> {
    let key = email.to_lowercase();
    let list = |text: Option<&str>| text.map(str::to_owned).into_iter().collect::<Vec<_>>();
    let mut others = store::with_any(conn, vec![key.clone()], list(external_id), list(number))?;
    others.retain(|(id, ..)| *id != except);
    taken(&others, &key, external_id, number)
}

/// Refuses values that one of these other users has, naming each.
pub(super) fn taken(
    others: &[store::Identity],
    email_key: &str,
    external_id: Option<&str>,
    number: Option<&str>,
) -> AppResult<()> {
    let any = |has: &dyn Fn(&store::Identity) -> bool| others.iter().any(has);
    let mut faults = Faults::new();
    faults.ensure(!any(&|(_, key, ..)| key == email_key), "/email", "taken", "Another user has this e-mail.");
    let external_taken = external_id.is_some() && any(&|(_, _, id, _)| id.as_deref() == external_id);
    faults.ensure(!external_taken, "/external_id", "taken", "Another user has this external id.");
    let number_taken = number.is_some() && any(&|(.., taken)| taken.as_deref() == number);
    faults.ensure(!number_taken, "/employee_number", "taken", "Another user has this employee number.");
    if faults.is_empty() {
        return Ok(());
    }
    Err(AppError::new(Code::Conflict, "Another user has this e-mail, external id or employee number.")
        .with_errors(faults.into_vec()))
}

/// Refuses a manager whom the actor does not see or whose data was erased, and circles. Whoever locks the user first must have locked
/// [`LockWhole::Managers`] before.
///
/// # Errors
/// 422.
pub fn check_manager(conn: &mut Conn, ctx: &Ctx, user: Uuid, manager: Option<Uuid>) -> AppResult<()> {
    let Some(manager) = manager else { return Ok(()) };
    lock_whole(conn, LockWhole::Managers)?;
    let seen = match find_for(conn, ctx, &Ref::Id(manager), Act::ReadUser) {
        Ok(row) => Ok(row),
        Err(_) => find_for(conn, ctx, &Ref::Id(manager), Act::WriteUser),
    };
    if !seen.is_ok_and(|row| !is_erased(row.id, &row.email)) {
        return Err(AppError::field("/manager_id", "unknown_user", "There is no such user."));
    }
    if manager == user || store::is_below(conn, manager, user)? {
        return Err(AppError::field("/manager_id", "cycle", "This would make the user their own manager."));
    }
    Ok(())
}

/// Two requests may pass [`check_unique`] at once; the unique key decides.
pub(super) fn taken_meanwhile(error: diesel::result::Error) -> AppError {
    if is_unique_violation(&error) {
        AppError::new(Code::Conflict, "Another user has this e-mail, external id or employee number.")
    } else {
        error.into()
    }
}

/// Makes a user.
///
/// # Errors
/// 409 naming each value that another user has; 422 for an unknown manager.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: UserIn, password_hash: Option<String>) -> AppResult<UserOut> {
    turns::memberships(conn, Memberships::Change)?;
    let unit = match input.unit_id.as_deref().and_then(Ref::parse) {
        Some(which) => Some(groups::id_of(conn, &which)?.unwrap_or_default()),
        None => None,
    };
    let unit = unit_to_join(conn, ctx, unit)?;
    let manager_id = manager_named(conn, input.manager_id.as_deref())?;
    let id = ctx.new_id();
    let roles = input.roles.unwrap_or_else(|| vec![Role::Learner]);
    forbid_granting(ctx, &roles)?;
    forbid_reserved(&input.email, None)?;
    check_unique(conn, &input.email, input.external_id.as_deref(), input.employee_number.as_deref(), id)?;
    check_manager(conn, ctx, id, manager_id)?;
    let new = NewUser {
        id,
        email: &input.email,
        given_name: input.given_name.trim(),
        family_name: input.family_name.trim(),
        external_id: input.external_id.as_deref(),
        employee_number: input.employee_number.as_deref(),
        password_hash: password_hash.as_deref(),
        attributes: Value::Object(
            input.attributes.unwrap_or_default().into_iter().filter(|(_, v)| !v.is_null()).collect(),
        ),
        manager_id,
        locale: input.locale.as_deref(),
        time_zone: input.time_zone.as_deref(),
        now: ctx.now,
    };
    store::insert(conn, &new).map_err(taken_meanwhile)?;
    let data = json!({"roles": roles});
    set_roles(conn, ctx, id, roles)?;
    events::append(conn, ctx, vec![NewEvent::new("user.created", "user", id).user(id).data(data)])?;
    let row = find(conn, &Ref::Id(id))?;
    if let Some(unit) = unit {
        groups::flow::join(conn, ctx, &[(unit, id)])?;
    }
    groups::refresh(conn, ctx, &[(id, &row.attributes)])?;
    with_roles(conn, row)
}

/// The manager whom a body names; the nil id, which nobody has, when there is none such.
fn manager_named(conn: &mut Conn, text: Option<&str>) -> AppResult<Option<Uuid>> {
    match text.and_then(Ref::parse) {
        None => Ok(None),
        Some(Ref::Id(id)) => Ok(Some(id)),
        Some(external) => Ok(Some(id_of(conn, &external)?.unwrap_or_default())),
    }
}

/// The unit that a new user joins, after asking whether the actor may make users there, or at all.
pub(super) fn unit_to_join(conn: &mut Conn, ctx: &Ctx, unit: Option<Uuid>) -> AppResult<Option<Uuid>> {
    let Some(id) = unit else {
        if !ctx.actor.units_for(Act::WriteUser).is_empty() && !ctx.may(Act::WriteUser, &Relation::default()) {
            return Err(AppError::field("/unit_id", "required", "Name the unit of yours that the user joins."));
        }
        ctx.require(Act::WriteUser, &Relation::default())?;
        return Ok(None);
    };
    let unknown = || AppError::field("/unit_id", "unknown_group", "There is no such unit, or you may not see it.");
    let Ok(row) = groups::find(conn, &Ref::Id(id)) else {
        ctx.require(Act::WriteUser, &Relation::default())?;
        return Err(unknown());
    };
    let relation = groups::service::relation(conn, ctx, id)?;
    if row.kind != "unit" || (!ctx.may(Act::WriteUser, &relation) && !ctx.actor.units_for(Act::WriteUser).is_empty()) {
        return Err(unknown());
    }
    ctx.require(Act::WriteUser, &relation)?;
    Ok(Some(id))
}

/// A client with `users:write` syncs people; it may not make itself an admin through one.
pub(super) fn forbid_granting(ctx: &Ctx, roles: &[Role]) -> AppResult<()> {
    if roles.contains(&Role::Admin) && ctx.actor.kind() == "client" {
        return Err(AppError::new(Code::Forbidden, "Only an admin can grant the role admin.")
            .with("missing", json!({"roles": ["admin"]})));
    }
    // Who administers a unit only gives nobody more than the right to learn.
    if roles.iter().any(|role| *role != Role::Learner) {
        ctx.require(Act::GrantSiteRole, &Relation::default())?;
    }
    Ok(())
}

/// Nor may it change one: whoever sets an admin's password or e-mail is one soon.
///
/// # Errors
/// 403.
pub fn forbid_changing_admins(conn: &mut Conn, ctx: &Ctx, user: Uuid) -> AppResult<()> {
    let admin = |grant: &GrantRow| grant.1 == Role::Admin.as_str();
    if ctx.actor.kind() == "client" && store::grants(conn, &[user])?.iter().any(admin) {
        return Err(AppError::new(Code::Forbidden, "Only an admin can change an admin.")
            .with("missing", json!({"roles": ["admin"]})));
    }
    Ok(())
}

/// Nothing brings back who was erased.
///
/// # Errors
/// 409.
pub fn forbid_changing_erased(user: Uuid, email: &str) -> AppResult<()> {
    if is_erased(user, email) {
        return Err(AppError::new(
            Code::WrongState,
            "This person's data was erased; the user cannot be changed any more.",
        )
        .with("reason", "erased"));
    }
    Ok(())
}

fn set_roles(conn: &mut Conn, ctx: &Ctx, id: Uuid, mut roles: Vec<Role>) -> AppResult<()> {
    roles.sort_unstable();
    roles.dedup();
    store::replace_site_roles(conn, id, &roles, || ctx.new_id(), ctx.now)
}

/// Merges RFC 7396: null removes, a value replaces.
pub(super) fn merge(target: &mut Value, patch: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(target) = target.as_object_mut() {
        for (name, value) in patch {
            if value.is_null() {
                target.remove(&name);
            } else {
                target.insert(name, value);
            }
        }
    }
}

/// Changes a user.
///
/// # Errors
/// 404, 409, 412, 422.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    who: &Ref,
    patch: UserPatch,
    password_hash: Patch<String>,
    conditions: &Conditions,
) -> AppResult<UserOut> {
    // Groups, and the courses of groups, follow from both.
    if patch.attributes != Patch::Absent || patch.state != Patch::Absent {
        turns::memberships(conn, Memberships::Change)?;
    }
    let found = find_to_change(conn, ctx, who)?;
    if patch.manager_id.value().is_some() {
        lock_whole(conn, LockWhole::Managers)?;
    }
    lock_row(conn, LockTable::Users, found.id)?;
    forbid_changing_admins(conn, ctx, found.id)?;
    let mut row = find(conn, &Ref::Id(found.id))?;
    forbid_changing_erased(row.id, &row.email)?;
    conditions.require_tag(|| Ok(with_roles(conn, row.clone())?.tag()))?;
    let before = row.state.clone();
    if let Patch::Value(email) = patch.email {
        forbid_reserved(&email, Some(&row.email))?;
        row.email = email;
    }
    if let Patch::Value(name) = patch.given_name {
        row.given_name = name.trim().to_owned();
    }
    if let Patch::Value(name) = patch.family_name {
        row.family_name = name.trim().to_owned();
    }
    row.external_id = patch.external_id.over(row.external_id.take());
    row.employee_number = patch.employee_number.over(row.employee_number.take());
    let attributes_change = patch.attributes != Patch::Absent;
    match patch.attributes {
        Patch::Absent => {}
        Patch::Null => row.attributes = json!({}),
        Patch::Value(attributes) => merge(&mut row.attributes, attributes),
    }
    if patch.manager_id != Patch::Absent {
        row.manager_id = manager_named(conn, patch.manager_id.value().map(String::as_str))?;
        check_manager(conn, ctx, row.id, row.manager_id)?;
    }
    row.locale = patch.locale.over(row.locale.take());
    row.time_zone = patch.time_zone.over(row.time_zone.take());
    if let Patch::Value(state) = patch.state {
        row.state = state.as_str().to_owned();
    }
    check_unique(conn, &row.email, row.external_id.as_deref(), row.employee_number.as_deref(), row.id)?;
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row).map_err(taken_meanwhile)?;
    let mut log = vec![NewEvent::new("user.updated", "user", row.id).user(row.id)];
    let mut own = Ok(());
    let demotes = row.state != before || matches!(patch.roles, Patch::Value(_));
    if let Patch::Value(roles) = patch.roles {
        forbid_granting(ctx, &roles)?;
        own = super::roles::keep_own_admin_role(ctx, row.id, &roles);
        log.push(NewEvent::new("user.roles_changed", "user", row.id).user(row.id).data(json!({"roles": roles})));
        set_roles(conn, ctx, row.id, roles)?;
    }
    if demotes {
        super::roles::keep_an_admin(conn)?;
        own?;
    }
    if password_hash != Patch::Absent {
        store::set_password(conn, row.id, password_hash.value().map(String::as_str))?;
        store::end_sessions(conn, row.id, ctx.session_id, "password_changed", ctx.now)?;
    }
    if row.state != UserState::Active.as_str() {
        store::end_sessions(conn, row.id, None, "account_not_active", ctx.now)?;
    }
    if row.state != before {
        log.push(
            NewEvent::new("user.state_changed", "user", row.id)
                .user(row.id)
                .data(json!({"from": before, "to": row.state})),
        );
    }
    events::append(conn, ctx, log)?;
    if attributes_change {
        groups::refresh(conn, ctx, &[(row.id, &row.attributes)])?;
    }
    if row.state != before && row.state == UserState::Active.as_str() {
        groups::flow::come_back(conn, ctx, &[row.id])?;
    }
    with_roles(conn, row)
}

/// Takes a user's password away and ends their sessions. That the actor may change the user must have been asked.
///
/// # Errors
/// Database errors.
pub fn remove_password(conn: &mut Conn, ctx: &Ctx, user: Uuid) -> AppResult<()> {
    store::set_password(conn, user, None)?;
    store::end_sessions(conn, user, None, "password_changed", ctx.now)
}

/// The e-mail by which the caller logs in, once they may change how.
///
/// # Errors
/// 403 for clients, also in somebody's name.
pub fn own_email(conn: &mut Conn, ctx: &Ctx) -> AppResult<String> {
    ctx.require(Act::WriteOwnProfile, &Relation { own: true, ..Relation::default() })?;
    Ok(find(conn, &Ref::Id(ctx.user()?))?.email)
}

/// Changes one's own profile.
///
/// # Errors
/// 403 for clients, 412.
pub fn update_me(
    conn: &mut Conn,
    ctx: &Ctx,
    patch: MePatch,
    new_hash: Option<String>,
    conditions: &Conditions,
) -> AppResult<UserOut> {
    let id = ctx.user()?;
    ctx.require(Act::WriteOwnProfile, &Relation { own: true, ..Relation::default() })?;
    lock_row(conn, LockTable::Users, id)?;
    let mut row = find(conn, &Ref::Id(id))?;
    conditions.require_tag(|| Ok(with_roles(conn, row.clone())?.tag()))?;
    row.locale = patch.locale.over(row.locale.take());
    row.time_zone = patch.time_zone.over(row.time_zone.take());
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row)?;
    if let Some(hash) = &new_hash {
        store::set_password(conn, id, Some(hash))?;
        store::end_sessions(conn, id, ctx.session_id, "password_changed", ctx.now)?;
    }
    events::append(conn, ctx, vec![NewEvent::new("user.updated", "user", id).user(id)])?;
    with_roles(conn, row)
}

/// Lets a user who failed to log in too often try again at once.
///
/// # Errors
/// 403, 404.
pub fn unlock(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<()> {
    ctx.require(Act::UnlockUser, &Relation::default())?;
    let row = find(conn, who)?;
    sessions::forget_failures(conn, &sessions::account_key(&row.email))?;
    events::append(conn, ctx, vec![NewEvent::new("user.unlocked", "user", row.id).user(row.id)])
}

/// Whether there is anybody besides one user, who is the first admin.
///
/// # Errors
/// Database errors.
pub fn any_but_one(conn: &mut Conn) -> AppResult<bool> {
    Ok(store::one_or_two(conn)? > 1)
}

/// The first admin as the settings describe them.
///
/// # Errors
/// What no user could have, one sentence for each setting that asks for it.
pub fn first_admin(email: &str, password: &str) -> Result<UserIn, Vec<String>> {
    let input = UserIn {
        email: email.to_owned(),
        given_name: "First".into(),
        family_name: "Admin".into(),
        password: Some(password.to_owned()),
        external_id: None,
        employee_number: None,
        unit_id: None,
        roles: Some(vec![Role::Admin]),
        attributes: None,
        manager_id: None,
        locale: None,
        time_zone: None,
    };
    let mut faults = Faults::new();
    crate::http::Input::check(&input, &mut faults);
    let said = |fault: crate::error::Fault| {
        let setting = if fault.pointer == "/password" { "CAIRN_ADMIN_PASSWORD" } else { "CAIRN_ADMIN_EMAIL" };
        format!("{setting}: {}", fault.detail)
    };
    if faults.is_empty() { Ok(input) } else { Err(faults.into_vec().into_iter().map(said).collect()) }
}

/// Makes the first admin on an empty database. A generated password is printed once and kept nowhere.
///
/// # Errors
/// Database errors; a configured e-mail or password that no user could have.
pub fn ensure_admin(state: &State) -> AppResult<()> {
    if state.db.read_here(store::any)? {
        return Ok(());
    }
    let given = state.config.admin_password.clone();
    let password = match &given {
        Some(password) => password.clone(),
        None => clock::secret()?.chars().take(20).collect(),
    };
    let input =
        first_admin(&state.config.admin_email, &password).map_err(|faults| AppError::internal(faults.join("; ")))?;
    let hash = passwords::hash_here(&password)?;
    let ctx = state.system();
    let email = input.email.clone();
    let made = state.db.write_here(move |conn| {
        // Servers that start together on an empty database take turns.
        lock_whole(conn, LockWhole::Admins)?;
        if store::any(conn)? { Ok(false) } else { create(conn, &ctx, input, Some(hash)).map(|_| true) }
    })?;
    if made && given.is_none() {
        announce_password(&email, &password, &state.public_url);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the password is for the person who starts the server, not for the log")]
fn announce_password(email: &str, password: &str, base: &str) {
    println!(
        "\n  First admin   {email}\n  Password      {password}\n\n  Shown this once and kept nowhere. Log in at {base}/docs/ with the Authorize button.\n"
    );
}
