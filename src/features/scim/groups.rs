//! Use cases about groups over SCIM. What follows from a membership is done by `groups::members`, as for every other way in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::access::authorised;
use super::fault::{checked, fault};
use super::store::groups as store;
use super::view::{self, Shown};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::permission::Act;
use crate::domain::scim::ErrorType;
use crate::domain::scim::patch::{GroupChange, Operation, group_changes, is_nested, nested};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::GROUPS;
use crate::error::{AppError, AppResult, Faults};
use crate::features::groups::dto::{GroupIn, GroupKind, GroupPatch};
use crate::features::groups::{GroupRow, find_for, members, service};
use crate::http::{Conditions, Input, Patch, Ref};
use crate::state::Ctx;

/// What is to become of a group's members.
#[derive(Debug, Default)]
struct Members {
    /// Whether those who are in and not among `add` go.
    replace: bool,
    add: BTreeSet<Uuid>,
    remove: BTreeSet<Uuid>,
}

impl Members {
    fn add(&mut self, ids: BTreeSet<Uuid>) {
        self.remove.retain(|id| !ids.contains(id));
        self.add.extend(ids);
    }

    fn remove(&mut self, ids: BTreeSet<Uuid>) {
        self.add.retain(|id| !ids.contains(id));
        self.remove.extend(ids);
    }

    fn replace(&mut self, ids: BTreeSet<Uuid>) {
        *self = Self { replace: true, add: ids, remove: BTreeSet::new() };
    }

    fn is_nothing(&self) -> bool {
        !self.replace && self.add.is_empty() && self.remove.is_empty()
    }
}

/// What is to become of a group.
#[derive(Debug, Default)]
pub struct GroupChanges {
    patch: GroupPatch,
    members: Members,
}

fn ids(texts: &[String]) -> AppResult<BTreeSet<Uuid>> {
    texts.iter().map(|text| Uuid::try_parse(text).map_err(|_| unknown_members(std::slice::from_ref(text)))).collect()
}

fn unknown_members<T: std::fmt::Display>(who: &[T]) -> AppError {
    let some: Vec<String> = who.iter().take(5).map(T::to_string).collect();
    fault(ErrorType::InvalidValue, format!("members: there is no such user: {}.", some.join(", ")))
}

/// The members that a canonical resource lists.
fn listed(resource: &Map<String, Value>) -> AppResult<BTreeSet<Uuid>> {
    let mut all = BTreeSet::new();
    for member in resource.get("members").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| member.get(name).and_then(Value::as_str);
        if is_nested(member) {
            return checked(Err(nested()));
        }
        let named = text("value").or_else(|| text("$ref").and_then(|uri| uri.rsplit('/').next()));
        let id = named.ok_or_else(|| fault(ErrorType::InvalidValue, "members: every member needs a value."))?;
        all.extend(ids(&[id.to_owned()])?);
    }
    Ok(all)
}

impl GroupChanges {
    /// The group as a canonical resource says.
    ///
    /// # Errors
    /// 400 for members that are no ids.
    pub fn replaced(resource: &Map<String, Value>) -> AppResult<Self> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut changes = Self::default();
        changes.patch.name = text("displayName").map_or(Patch::Absent, Patch::Value);
        changes.patch.external_id = text("externalId").map_or(Patch::Null, Patch::Value);
        changes.members.replace(listed(resource)?);
        Ok(changes)
    }

    /// What the operations of a PATCH come to.
    ///
    /// # Errors
    /// 400.
    pub fn patched(operations: &[Operation]) -> AppResult<Self> {
        let mut changes = Self::default();
        for change in checked(group_changes(operations, &GROUPS))? {
            match change {
                GroupChange::Name(name) => changes.patch.name = Patch::Value(name),
                GroupChange::ExternalId(Some(id)) => changes.patch.external_id = Patch::Value(id),
                GroupChange::ExternalId(None) => changes.patch.external_id = Patch::Null,
                GroupChange::Add(who) => changes.members.add(ids(&who)?),
                GroupChange::Remove(who) => {
                    changes.members.remove(who.iter().filter_map(|text| Uuid::try_parse(text).ok()).collect());
                }
                GroupChange::ReplaceAll(who) => changes.members.replace(ids(&who)?),
            }
        }
        Ok(changes)
    }
}

fn check(input: &impl Input) -> AppResult<()> {
    let mut faults = Faults::new();
    input.check(&mut faults);
    faults.finish()
}

fn shown(conn: &mut Conn, row: GroupRow, projection: &Projection, base: &str) -> AppResult<Shown> {
    let needs = super::users::needs(projection);
    let mut shown = view::groups(conn, &[row], needs, base)?.pop().ok_or_else(|| AppError::internal("no group"))?;
    projection.apply(&mut shown.resource, &GROUPS);
    Ok(shown)
}

/// One group.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid, projection: &Projection, base: &str) -> AppResult<Shown> {
    let ctx = &authorised(ctx)?;
    let row = find_for(conn, ctx, &Ref::Id(id), Act::ReadGroup)?;
    shown(conn, row, projection, base)
}

/// Makes a static group with its members.
///
/// # Errors
/// 400, 403, 409.
pub fn create(
    conn: &mut Conn,
    ctx: &Ctx,
    resource: &Map<String, Value>,
    projection: &Projection,
    base: &str,
) -> AppResult<Shown> {
    let ctx = &authorised(ctx)?;
    let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
    let input = GroupIn {
        name: text("displayName").unwrap_or_default(),
        kind: GroupKind::Static,
        external_id: text("externalId"),
        parent_id: None,
        condition: None,
    };
    check(&input)?;
    let add: Vec<Uuid> = listed(resource)?.into_iter().collect();
    require_present(conn, &add)?;
    let made = service::create(conn, ctx, input)?;
    let row = find_for(conn, ctx, &Ref::Id(made.id), Act::WriteGroup)?;
    members::change(conn, ctx, &row, &add, &[])?;
    shown(conn, row, projection, base)
}

fn require_present(conn: &mut Conn, people: &[Uuid]) -> AppResult<()> {
    let there: BTreeSet<Uuid> = store::present(conn, people)?.into_iter().collect();
    let unknown: Vec<Uuid> = people.iter().filter(|id| !there.contains(id)).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let some = unknown.get(..unknown.len().min(100)).unwrap_or_default();
    if store::by_ids(conn, some)?.is_empty() { Err(unknown_members(&unknown)) } else { checked(Err(nested())) }
}

fn to_change(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<GroupRow> {
    let found = find_for(conn, ctx, &Ref::Id(id), Act::WriteGroup)?;
    lock_row(conn, LockTable::Groups, found.id)?;
    let row = find_for(conn, ctx, &Ref::Id(id), Act::WriteGroup)?;
    let size = view::sizes(conn, &[id])?.remove(&id).unwrap_or_default();
    conditions.require_tag(|| Ok(view::group_tag(&row, size)))?;
    Ok(row)
}

/// Changes a group and its members. Those of a dynamic group follow from its condition, and nobody lists them.
///
/// # Errors
/// 400, 403, 404, 409, 412.
pub fn change(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    changes: GroupChanges,
    conditions: &Conditions,
    projection: &Projection,
    base: &str,
) -> AppResult<Shown> {
    let ctx = &authorised(ctx)?;
    let mut row = to_change(conn, ctx, id, conditions)?;
    let GroupChanges { mut patch, members } = changes;
    if patch.name.value().is_some_and(|name| name.trim() == row.name) {
        patch.name = Patch::Absent;
    }
    let same_id = match &patch.external_id {
        Patch::Absent => true,
        Patch::Null => row.external_id.is_none(),
        Patch::Value(new) => row.external_id.as_ref() == Some(new),
    };
    if !same_id || patch.name != Patch::Absent {
        check(&patch)?;
        service::update(conn, ctx, &Ref::Id(id), patch, &Conditions::default())?;
        row = find_for(conn, ctx, &Ref::Id(id), Act::WriteGroup)?;
    }
    if !members.is_nothing() {
        settle(conn, ctx, &row, members)?;
    }
    shown(conn, row, projection, base)
}

fn settle(conn: &mut Conn, ctx: &Ctx, row: &GroupRow, wanted: Members) -> AppResult<()> {
    let mut remove: Vec<Uuid> = wanted.remove.into_iter().collect();
    let mut add: Vec<Uuid> = wanted.add.into_iter().collect();
    if wanted.replace {
        // Those who left are not seen, and stay for when they come back.
        let are: BTreeSet<Uuid> = store::member_ids(conn, row.id)?.into_iter().collect();
        let wanted: BTreeSet<Uuid> = add.iter().copied().collect();
        remove = are.difference(&wanted).copied().collect();
        add = wanted.difference(&are).copied().collect();
    }
    if row.kind == GroupKind::Dynamic.as_str() {
        return match (add.is_empty(), remove.is_empty(), wanted.replace) {
            (true, true, true) => Ok(()),
            _ => Err(fault(
                ErrorType::Mutability,
                "The members of a dynamic group follow from its condition and cannot be listed.",
            )),
        };
    }
    require_present(conn, &add)?;
    members::change(conn, ctx, row, &add, &remove)
}

/// Deletes a group.
///
/// # Errors
/// 403, 404, 412; 409 for a unit with groups below it, and for a group with courses.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let ctx = &authorised(ctx)?;
    service::await_turn_to_delete(conn)?;
    to_change(conn, ctx, id, conditions)?;
    service::delete(conn, ctx, &Ref::Id(id), &Conditions::default())
}
