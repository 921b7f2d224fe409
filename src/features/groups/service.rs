//! Use cases about groups themselves and the tree of units.

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{GroupIn, GroupKind, GroupOut, GroupPatch, GroupQuery, Membership};
use super::dynamic;
use super::moving::{self, Moved};
use super::store::{self, GroupRow};
use crate::db::page::{PageRequest, Rows};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, LockWhole, lock_row, lock_whole};
use crate::domain::organisation::{self, MAX_DEPTH, Misplaced};
use crate::domain::permission::{Act, Relation, Role};
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

pub(super) fn kind(row: &GroupRow) -> AppResult<GroupKind> {
    serde_json::from_value(Value::String(row.kind.clone())).map_err(AppError::internal)
}

pub(super) fn out(row: GroupRow) -> AppResult<GroupOut> {
    Ok(GroupOut {
        kind: kind(&row)?,
        id: row.id,
        name: row.name,
        external_id: row.external_id,
        parent_id: row.parent_id,
        depth: row.depth,
        condition: row.condition,
        membership: if row.evaluating { Membership::Evaluating } else { Membership::Current },
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

/// The roles that the actor holds over what lies below these units.
pub(super) fn roles_over(ctx: &Ctx, units: &[Uuid]) -> Relation {
    let roles = ctx.actor.unit_grants().filter(|(unit, _)| units.contains(unit)).map(|(_, role)| role).collect();
    Relation { unit_roles: roles, ..Relation::default() }
}

/// How the actor stands to a group; asks for the units above only when the actor holds a role for some unit.
///
/// # Errors
/// Database errors.
pub fn relation(conn: &mut Conn, ctx: &Ctx, group: Uuid) -> AppResult<Relation> {
    if ctx.actor.unit_grants().next().is_none() {
        return Ok(Relation::default());
    }
    let above: Vec<Uuid> = store::above(conn, group)?.into_iter().map(|(id, _)| id).collect();
    Ok(roles_over(ctx, &above))
}

/// The id of the group that is meant, if there is one.
///
/// # Errors
/// Database errors.
pub fn id_of(conn: &mut Conn, which: &Ref) -> AppResult<Option<Uuid>> {
    Ok(store::find(conn, which)?.map(|row| row.id))
}

/// Finds a group without asking who may see it; for other areas.
///
/// # Errors
/// 404.
pub fn find(conn: &mut Conn, which: &Ref) -> AppResult<GroupRow> {
    store::find(conn, which)?.ok_or_else(|| AppError::not_found("group"))
}

/// Finds a group to which the actor may do this; out of sight looks like not found.
///
/// # Errors
/// 404; 403 when it may be seen but not treated so.
pub fn find_for(conn: &mut Conn, ctx: &Ctx, which: &Ref, act: Act) -> AppResult<GroupRow> {
    let row = find(conn, which)?;
    let relation = relation(conn, ctx, row.id)?;
    if ctx.may(act, &relation) {
        return Ok(row);
    }
    if !ctx.may(Act::ReadGroup, &relation) && ctx.actor.kind() == "user" {
        return Err(AppError::not_found("group"));
    }
    ctx.require(act, &relation)?;
    Ok(row)
}

/// The units to which the actor's sight is limited for this act; none when it sees everything.
///
/// # Errors
/// 403 for those who see nothing.
pub fn sight(ctx: &Ctx, act: Act) -> AppResult<Option<Vec<Uuid>>> {
    if ctx.may(act, &Relation::default()) {
        return Ok(None);
    }
    let units = ctx.actor.units_for(act);
    if units.is_empty() {
        ctx.require(act, &Relation::default())?;
    }
    Ok(Some(units))
}

/// One group.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<GroupOut> {
    out(find_for(conn, ctx, which, Act::ReadGroup)?)
}

/// A page of groups: all, or for those with a role for a unit those within it.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, mut filter: GroupQuery, page: &PageRequest) -> AppResult<Rows<GroupOut>> {
    let below = sight(ctx, Act::ReadGroup)?;
    Ref::settle(&mut filter.parent_id, |which| id_of(conn, which))?;
    let rows = store::list(conn, &filter, below.as_deref(), page)?;
    let items = rows.items.into_iter().map(out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

pub(super) fn taken(error: diesel::result::Error) -> AppError {
    if is_unique_violation(&error) {
        return external_id_taken();
    }
    error.into()
}

pub(super) fn external_id_taken() -> AppError {
    let fault = AppError::field("/external_id", "taken", "Another group has this external id.");
    AppError::new(Code::Conflict, "Another group has this external id.").with_errors(fault.errors().to_vec())
}

pub(super) fn unknown_parent() -> AppError {
    AppError::field("/parent_id", "unknown_group", "There is no such unit, or you may not see it.")
}

/// The unit that is to be the parent, with the chain of units above it, itself included; the actor must be allowed to write there.
fn parent(conn: &mut Conn, ctx: &Ctx, text: &str) -> AppResult<(GroupRow, Vec<Uuid>)> {
    let which = Ref::parse(text).ok_or_else(unknown_parent)?;
    let row = store::find(conn, &which)?.ok_or_else(unknown_parent)?;
    let above: Vec<Uuid> = store::above(conn, row.id)?.into_iter().map(|(id, _)| id).collect();
    check_parent(ctx, &row, &above)?;
    Ok((row, above))
}

pub(super) fn check_parent(ctx: &Ctx, row: &GroupRow, above: &[Uuid]) -> AppResult<()> {
    let relation = roles_over(ctx, above);
    if !ctx.may(Act::WriteGroup, &relation) {
        return Err(unknown_parent());
    }
    if row.kind != GroupKind::Unit.as_str() {
        return Err(AppError::field("/parent_id", "not_a_unit", "Only a unit can have groups below it."));
    }
    Ok(())
}

pub(super) fn misplaced(why: Misplaced) -> AppError {
    match why {
        Misplaced::Cycle => AppError::field("/parent_id", "cycle", "The unit would lie below itself."),
        Misplaced::TooDeep => {
            AppError::field("/parent_id", "too_deep", format!("The tree may be {MAX_DEPTH} levels deep."))
        }
    }
}

/// Who may write a dynamic group: its condition reaches everybody, so a role for a unit is not enough.
pub(super) fn require_for_kind(ctx: &Ctx, kind: GroupKind) -> AppResult<()> {
    if kind == GroupKind::Dynamic { ctx.require(Act::WriteAnyGroup, &Relation::default()) } else { Ok(()) }
}

/// A step from a group up to one that it lies in: the group, that one, how far.
pub(super) type Step = (Uuid, Uuid, i32);

/// A new row with its paths.
pub(super) fn new_row(ctx: &Ctx, input: GroupIn, parent: Option<(Uuid, &[Uuid])>) -> AppResult<(GroupRow, Vec<Step>)> {
    let id = ctx.new_id();
    let above: &[Uuid] = parent.map_or(&[], |(_, above)| above);
    let depth = organisation::place(id, 1, above).map_err(misplaced)?;
    let mut paths = vec![(id, id, 0)];
    paths.extend((1..).zip(above).map(|(distance, above)| (id, *above, distance)));
    let condition = input.condition.map(|c| serde_json::to_value(c).map_err(AppError::internal)).transpose()?;
    let row = GroupRow {
        id,
        external_id: input.external_id,
        name: input.name.trim().to_owned(),
        kind: input.kind.as_str().to_owned(),
        parent_id: parent.map(|(id, _)| id),
        depth,
        evaluating: condition.is_some(),
        condition,
        evaluated_until: None,
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    Ok((row, paths))
}

pub(super) fn created(row: &GroupRow) -> NewEvent {
    NewEvent::new("group.created", "group", row.id).data(json!({"kind": row.kind, "name": row.name}))
}

/// Makes a group. A dynamic one has its members at once when there are few users; else a job finds them.
///
/// # Errors
/// 403; 409 when the external id is taken; 422 for a parent that cannot be one.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: GroupIn) -> AppResult<GroupOut> {
    require_for_kind(ctx, input.kind)?;
    let above = match &input.parent_id {
        Some(text) => {
            lock_whole(conn, LockWhole::UnitTree)?;
            Some(parent(conn, ctx, text)?)
        }
        None => {
            ctx.require(Act::WriteAnyGroup, &Relation::default())?;
            None
        }
    };
    if input.kind == GroupKind::Dynamic {
        turns::memberships(conn, Memberships::Oversee)?;
    }
    let (row, paths) = new_row(ctx, input, above.as_ref().map(|(row, chain)| (row.id, chain.as_slice())))?;
    store::insert(conn, std::slice::from_ref(&row), &paths).map_err(taken)?;
    events::append(conn, ctx, vec![created(&row)])?;
    let row = if row.evaluating { dynamic::begin(conn, ctx, row)? } else { row };
    out(row)
}

/// Changes a group; a unit moves with all below it.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    patch: GroupPatch,
    conditions: &Conditions,
) -> AppResult<GroupOut> {
    if patch.parent_id != Patch::Absent {
        lock_whole(conn, LockWhole::UnitTree)?;
    }
    if !matches!((&patch.parent_id, &patch.condition), (Patch::Absent, Patch::Absent)) {
        turns::memberships(conn, Memberships::Oversee)?;
    }
    let found = find_for(conn, ctx, which, Act::WriteGroup)?;
    lock_row(conn, LockTable::Groups, found.id)?;
    let mut row = find(conn, &Ref::Id(found.id))?;
    conditions.require(row.version)?;
    require_for_kind(ctx, kind(&row)?)?;
    if let Patch::Value(name) = patch.name {
        row.name = name.trim().to_owned();
    }
    row.external_id = patch.external_id.over(row.external_id.take());
    let (mut begins, mut moved) = (false, Moved::default());
    if let Patch::Value(condition) = patch.condition {
        if row.condition.is_none() {
            return Err(AppError::field("/condition", "not_allowed", "Only a dynamic group has a condition."));
        }
        let new = Some(serde_json::to_value(condition).map_err(AppError::internal)?);
        begins = new != row.condition;
        row.condition = new;
    }
    match patch.parent_id {
        Patch::Absent => {}
        Patch::Null => {
            ctx.require(Act::WriteAnyGroup, &Relation::default())?;
            moved = move_below(conn, &mut row, None)?;
        }
        Patch::Value(text) => {
            // Whoever administers a unit only may move what lies below it, not the unit itself.
            let is_own = ctx.actor.units_for(Act::WriteGroup).contains(&row.id);
            if is_own {
                ctx.require(Act::WriteAnyGroup, &Relation::default())?;
            }
            let parent = parent(conn, ctx, &text)?;
            moved = move_below(conn, &mut row, Some(&parent))?;
        }
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row).map_err(taken)?;
    events::append(conn, ctx, vec![NewEvent::new("group.updated", "group", row.id)])?;
    moving::follow(conn, ctx, row.id, &moved)?;
    let row = if begins { dynamic::begin(conn, ctx, row)? } else { row };
    out(row)
}

/// Puts a group with all below it elsewhere in the tree; answers which units lie above now and did not, and the other way round.
fn move_below(conn: &mut Conn, row: &mut GroupRow, parent: Option<&(GroupRow, Vec<Uuid>)>) -> AppResult<Moved> {
    let above: &[Uuid] = parent.map_or(&[], |(_, above)| above.as_slice());
    let before: Vec<Uuid> =
        store::above(conn, row.id)?.into_iter().map(|(id, _)| id).filter(|id| *id != row.id).collect();
    let subtree = store::below(conn, row.id)?;
    let height = subtree.iter().map(|(_, distance)| distance.saturating_add(1)).max().unwrap_or(1);
    let depth = organisation::place(row.id, height, above).map_err(misplaced)?;
    let mut paths = Vec::with_capacity(subtree.len().saturating_mul(above.len()));
    for (member, distance) in &subtree {
        paths.extend((1..).zip(above).map(|(up, above)| (*member, *above, distance.saturating_add(up))));
    }
    store::move_subtree(conn, &subtree, &paths, depth.saturating_sub(row.depth))?;
    row.depth = depth;
    row.parent_id = parent.map(|(parent, _)| parent.id);
    let without = |of: &[Uuid], these: &[Uuid]| of.iter().filter(|id| !these.contains(id)).copied().collect();
    Ok(Moved { under: without(above, &before), from: without(&before, above) })
}

/// Waits until nobody else changes the tree or who is in which group.
///
/// # Errors
/// Database errors.
pub fn await_turn_to_delete(conn: &mut Conn) -> AppResult<()> {
    lock_whole(conn, LockWhole::UnitTree)?;
    Ok(turns::memberships(conn, Memberships::Oversee)?)
}

/// Deletes a group that has nothing below it and no course assigned.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, which: &Ref, conditions: &Conditions) -> AppResult<()> {
    await_turn_to_delete(conn)?;
    let found = find_for(conn, ctx, which, Act::WriteGroup)?;
    lock_row(conn, LockTable::Groups, found.id)?;
    let row = find(conn, &Ref::Id(found.id))?;
    conditions.require(row.version)?;
    require_for_kind(ctx, kind(&row)?)?;
    if ctx.actor.unit_grants().any(|(unit, role)| unit == row.id && role == Role::Admin) {
        ctx.require(Act::WriteAnyGroup, &Relation::default())?;
    }
    if store::has_children(conn, row.id)? {
        return Err(AppError::new(Code::WrongState, "There are groups below this unit. Move or delete them first."));
    }
    if store::has_assignments(conn, row.id)? {
        return Err(AppError::new(
            Code::WrongState,
            "Courses are assigned to this group. End those assignments first.",
        ));
    }
    moving::empty(conn, ctx, row.id)?;
    store::delete(conn, row.id)?;
    events::append(conn, ctx, vec![NewEvent::new("group.deleted", "group", row.id).data(json!({"name": row.name}))])
}
