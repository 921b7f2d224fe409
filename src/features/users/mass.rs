//! Many users written at once, with all that follows from it in the same transaction: roles, ended sessions, events, dynamic groups,
//! courses of groups. As many statements for one as for a thousand, apart from the rows written. The bulk endpoint and the sync share it.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::store::{self, UserRow};
use crate::db::Conn;
use crate::domain::permission::Role;
use crate::domain::sync::Profile;
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::groups;
use crate::state::Ctx;

/// The users with these ids, and whoever has the e-mail, external id or employee number of one of these profiles; locked on Postgres.
///
/// # Errors
/// Database errors.
pub fn find_for_sync(conn: &mut Conn, wanted: &[(Uuid, &Profile)]) -> AppResult<Vec<UserRow>> {
    store::find_by_id_or_key(
        conn,
        &wanted.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        wanted.iter().map(|(_, profile)| profile.email.to_lowercase()).collect(),
        wanted.iter().filter_map(|(_, profile)| profile.external_id.clone()).collect(),
        wanted.iter().filter_map(|(_, profile)| profile.employee_number.clone()).collect(),
    )
}

/// The users with these external ids, by those.
///
/// # Errors
/// Database errors.
pub fn named(conn: &mut Conn, externals: &[String]) -> AppResult<HashMap<String, Uuid>> {
    Ok(store::named(conn, externals)?.into_iter().collect())
}

/// Which of these users exist.
///
/// # Errors
/// Database errors.
pub fn existing(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    store::existing(conn, ids)
}

/// Who goes by one of these names (in lower case) over SCIM: by name, the user and their e-mail in lower case.
///
/// # Errors
/// Database errors.
pub fn names_over_scim(conn: &mut Conn, names: &[String]) -> AppResult<HashMap<String, (Uuid, String)>> {
    Ok(store::named_over_scim(conn, names)?.into_iter().map(|(name, id, email)| (name, (id, email))).collect())
}

/// Which of these users are admins, of the site or of a unit.
///
/// # Errors
/// Database errors.
pub fn admins(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    let grants = store::grants(conn, ids)?;
    Ok(grants.into_iter().filter(|grant| grant.1 == Role::Admin.as_str()).map(|grant| grant.0).collect())
}

/// Who administers the site, and whether they can log in.
///
/// # Errors
/// Database errors.
pub fn site_admins(conn: &mut Conn) -> AppResult<HashMap<Uuid, bool>> {
    Ok(store::site_admins(conn)?.into_iter().collect())
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct Create {
    /// The user.
    pub row: UserRow,
    /// The hash of the password, if there is one.
    pub password_hash: Option<String>,
    /// Roles for the site.
    pub roles: Vec<Role>,
    /// The unit to join.
    pub unit: Option<Uuid>,
}

/// A user to be changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// As it was.
    pub before: UserRow,
    /// As it is to be; version and time of change are raised here.
    pub row: UserRow,
    /// The hash of a new password.
    pub password_hash: Option<String>,
    /// New roles for the site.
    pub roles: Option<Vec<Role>>,
    /// The unit to join.
    pub unit: Option<Uuid>,
}

/// Writes them; those among them who swap unique keys may. Other unique keys, managers and rights must have been checked, the turn with
/// memberships taken, and the users locked; of the managers, those made here must come first.
///
/// # Errors
/// Database errors; a unique violation when somebody took a key meanwhile.
pub fn write(conn: &mut Conn, ctx: &Ctx, creates: &[Create], changes: &[Change]) -> AppResult<()> {
    store::release_keys(conn, &handed_on(creates, changes))?;
    store::insert_many(conn, creates).map_err(super::service::taken_meanwhile)?;
    store::update_many(conn, changes, ctx.now).map_err(super::service::taken_meanwhile)?;
    write_roles(conn, ctx, creates, changes)?;
    if changes.iter().any(|change| change.roles.is_some() || change.row.state != change.before.state) {
        super::roles::keep_an_admin(conn)?;
    }
    let ids = |keep: &dyn Fn(&Change) -> bool| -> Vec<Uuid> {
        changes.iter().filter(|change| keep(change)).map(|change| change.row.id).collect()
    };
    let locked_out = ids(&|c| c.row.state != "active" && c.before.state == "active");
    store::end_sessions_of(conn, &locked_out, "account_not_active", ctx.now)?;
    store::end_sessions_of(conn, &ids(&|c| c.password_hash.is_some()), "password_changed", ctx.now)?;
    let mut log: Vec<NewEvent> = Vec::with_capacity(creates.len().saturating_add(changes.len()));
    log.extend(creates.iter().map(|c| NewEvent::new("user.created", "user", c.row.id).user(c.row.id)));
    for change in changes {
        log.push(NewEvent::new("user.updated", "user", change.row.id).user(change.row.id));
        if change.row.state != change.before.state {
            let data = json!({"from": change.before.state, "to": change.row.state});
            log.push(NewEvent::new("user.state_changed", "user", change.row.id).user(change.row.id).data(data));
        }
    }
    events::append(conn, ctx, log)?;
    let created = creates.iter().filter_map(|c| c.unit.map(|unit| (unit, c.row.id)));
    let changed = changes.iter().filter_map(|c| c.unit.map(|unit| (unit, c.row.id)));
    let joins: BTreeSet<(Uuid, Uuid)> = created.chain(changed).collect();
    if !joins.is_empty() {
        groups::flow::join_new(conn, ctx, &joins.into_iter().collect::<Vec<_>>())?;
    }
    let mut profiles: Vec<(Uuid, &serde_json::Value)> = creates.iter().map(|c| (c.row.id, &c.row.attributes)).collect();
    let reprofiled = changes.iter().filter(|c| c.row.attributes != c.before.attributes);
    profiles.extend(reprofiled.map(|c| (c.row.id, &c.row.attributes)));
    groups::refresh(conn, ctx, &profiles)?;
    groups::flow::come_back(conn, ctx, &ids(&|c| c.row.state == "active" && c.before.state != "active"))
}

/// Those whose e-mail, external id or employee number somebody else gets in the same write: they let go of theirs first, since the
/// databases compare row by row.
fn handed_on(creates: &[Create], changes: &[Change]) -> Vec<Uuid> {
    fn keys(row: &UserRow) -> impl Iterator<Item = (u8, String)> + use<> {
        let external = row.external_id.clone().map(|id| (1, id));
        let number = row.employee_number.clone().map(|number| (2, number));
        [Some((0, row.email.to_lowercase())), external, number].into_iter().flatten()
    }
    let holders: HashMap<(u8, String), Uuid> =
        changes.iter().flat_map(|change| keys(&change.before).map(|key| (key, change.row.id))).collect();
    let wanted = creates.iter().map(|create| &create.row).chain(changes.iter().map(|change| &change.row));
    let given: BTreeSet<Uuid> = wanted
        .flat_map(|row| keys(row).map(|key| (key, row.id)))
        .filter_map(|(key, id)| holders.get(&key).copied().filter(|holder| *holder != id))
        .collect();
    given.into_iter().collect()
}

fn write_roles(conn: &mut Conn, ctx: &Ctx, creates: &[Create], changes: &[Change]) -> AppResult<()> {
    let replaced: Vec<Uuid> = changes.iter().filter(|c| c.roles.is_some()).map(|c| c.row.id).collect();
    store::delete_site_roles(conn, &replaced)?;
    let created = creates.iter().map(|c| (c.row.id, c.roles.as_slice()));
    let changed = changes.iter().filter_map(|c| c.roles.as_deref().map(|roles| (c.row.id, roles)));
    let mut rows = Vec::new();
    for (user, roles) in created.chain(changed) {
        let once: BTreeSet<Role> = roles.iter().copied().collect();
        rows.extend(once.into_iter().map(|role| (ctx.new_id(), user, role)));
    }
    store::insert_site_roles(conn, &rows, ctx.now)
}
