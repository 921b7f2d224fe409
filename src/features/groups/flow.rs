//! What follows when people come into groups or leave them, in the same transaction: the events, and enrolment in (or withdrawal
//! from) the courses that are assigned to the group or to a unit above it. Whoever calls has taken the turn with memberships, and then
//! locked the users, unless the turn is theirs alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::db::Conn;
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::enrollments;
use crate::state::Ctx;

/// Puts users into groups: pairs of group and user, none of which is so yet.
///
/// # Errors
/// Database errors.
pub fn join(conn: &mut Conn, ctx: &Ctx, pairs: &[(Uuid, Uuid)]) -> AppResult<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    store::insert_members(conn, pairs, ctx.now)?;
    tell(conn, ctx, "group.joined", pairs)?;
    let groups: BTreeSet<Uuid> = pairs.iter().map(|(group, _)| *group).collect();
    let assigned = store::assigned_to(conn, &groups.into_iter().collect::<Vec<_>>())?;
    let mut by_course: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for (group, course, _, _) in assigned {
        let people = pairs.iter().filter(|(joined, _)| *joined == group).map(|(_, user)| *user);
        by_course.entry(course).or_default().extend(people);
    }
    enroll(conn, ctx, by_course)
}

/// Puts users into groups: pairs of group and user, some of which may be so already.
///
/// # Errors
/// Database errors.
pub fn join_new(conn: &mut Conn, ctx: &Ctx, pairs: &[(Uuid, Uuid)]) -> AppResult<()> {
    let split = |pick: fn(&(Uuid, Uuid)) -> Uuid| -> Vec<Uuid> {
        pairs.iter().map(pick).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let known: BTreeSet<(Uuid, Uuid)> =
        store::memberships(conn, &split(|pair| pair.0), &split(|pair| pair.1))?.into_iter().collect();
    let new: Vec<(Uuid, Uuid)> = pairs.iter().filter(|pair| !known.contains(pair)).copied().collect();
    join(conn, ctx, &new)
}

/// Takes users out of groups: pairs of group and user, all of which are so.
///
/// # Errors
/// Database errors.
pub fn leave(conn: &mut Conn, ctx: &Ctx, pairs: &[(Uuid, Uuid)]) -> AppResult<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut by_group: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (group, user) in pairs {
        by_group.entry(*group).or_default().push(*user);
    }
    store::delete_memberships(conn, pairs)?;
    tell(conn, ctx, "group.left", pairs)?;
    let groups: Vec<Uuid> = by_group.keys().copied().collect();
    let assigned = store::assigned_to(conn, &groups)?;
    if assigned.iter().all(|(.., withdraws)| !withdraws) {
        return Ok(());
    }
    let users: Vec<Uuid> = pairs.iter().map(|(_, user)| *user).collect::<BTreeSet<_>>().into_iter().collect();
    // Whoever is still in another group that has the course stays in it.
    let still: BTreeSet<(Uuid, Uuid)> = store::assigned_by_user(conn, &users)?.into_iter().collect();
    let mut gone: BTreeSet<(Uuid, Uuid)> = BTreeSet::new();
    for (group, course, _, _) in assigned.into_iter().filter(|(.., withdraws)| *withdraws) {
        let people = by_group.get(&group).into_iter().flatten();
        gone.extend(people.filter(|user| !still.contains(&(**user, course))).map(|user| (course, *user)));
    }
    enrollments::withdraw_groups(conn, ctx, &gone)
}

/// Enrols users again in what their groups are assigned, for those who come back.
///
/// # Errors
/// Database errors.
pub fn come_back(conn: &mut Conn, ctx: &Ctx, users: &[Uuid]) -> AppResult<()> {
    if users.is_empty() {
        return Ok(());
    }
    let mut by_course: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for (user, course) in store::assigned_by_user(conn, users)? {
        by_course.entry(course).or_default().insert(user);
    }
    enroll(conn, ctx, by_course)
}

/// Enrols people in courses as their group's assignment asks.
fn enroll(conn: &mut Conn, ctx: &Ctx, by_course: BTreeMap<Uuid, BTreeSet<Uuid>>) -> AppResult<()> {
    let wanted: Vec<enrollments::Wanted> = by_course
        .into_iter()
        .flat_map(|(course, people)| people.into_iter().map(move |user| enrollments::Wanted::new(course, user)))
        .collect();
    if !wanted.is_empty() {
        enrollments::enroll_many(conn, ctx, &wanted, enrollments::Source::Group)?;
    }
    Ok(())
}

fn tell(conn: &mut Conn, ctx: &Ctx, kind: &'static str, pairs: &[(Uuid, Uuid)]) -> AppResult<()> {
    let log = pairs
        .iter()
        .map(|(group, user)| NewEvent::new(kind, "group", *group).user(*user).data(json!({"user_id": user})))
        .collect();
    events::append(conn, ctx, log)
}
