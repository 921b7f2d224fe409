//! Keeps dynamic groups current: for one user in the transaction that changes the profile, for a new condition in pieces.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::flow;
use super::store::{self, GroupRow};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::condition::Condition;
use crate::error::{AppError, AppResult};
use crate::http::Ref;
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// Users that one transaction judges.
const PIECE: i64 = 500;
/// The job that applies a new condition to all users.
pub const JOB: &str = "evaluate_group";

fn parse(condition: Option<Value>) -> AppResult<Option<Condition>> {
    condition.map(|value| serde_json::from_value(value).map_err(AppError::internal)).transpose()
}

fn attributes(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Makes these users members of exactly those dynamic groups whose conditions hold for their attributes; set-based. The turn with
/// memberships must have been taken before the users were locked.
///
/// # Errors
/// Database errors.
pub fn refresh(conn: &mut Conn, ctx: &Ctx, users: &[(Uuid, &Value)]) -> AppResult<()> {
    let mut rules = Vec::new();
    for (group, condition) in store::conditions(conn)? {
        if let Some(condition) = parse(condition)? {
            rules.push((group, condition));
        }
    }
    if rules.is_empty() || users.is_empty() {
        return Ok(());
    }
    settle(conn, ctx, &rules, users.iter().map(|(id, value)| (*id, attributes(value))))
}

fn settle(
    conn: &mut Conn,
    ctx: &Ctx,
    rules: &[(Uuid, Condition)],
    users: impl Iterator<Item = (Uuid, Map<String, Value>)>,
) -> AppResult<()> {
    let users: Vec<(Uuid, Map<String, Value>)> = users.collect();
    let groups: Vec<Uuid> = rules.iter().map(|(group, _)| *group).collect();
    let people: Vec<Uuid> = users.iter().map(|(user, _)| *user).collect();
    let is_in: HashSet<(Uuid, Uuid)> = store::memberships(conn, &groups, &people)?.into_iter().collect();
    let (mut joins, mut leaves) = (Vec::new(), Vec::new());
    for (user, attributes) in &users {
        for (group, condition) in rules {
            let pair = (*group, *user);
            match (condition.met_by_attributes(attributes), is_in.contains(&pair)) {
                (true, false) => joins.push(pair),
                (false, true) => leaves.push(pair),
                _ => {}
            }
        }
    }
    flow::leave(conn, ctx, &leaves)?;
    flow::join(conn, ctx, &joins)
}

/// Begins to apply a new condition. The first piece is done here, so that a small installation sees the members at once; the rest
/// is a job.
pub(super) fn begin(conn: &mut Conn, ctx: &Ctx, mut row: GroupRow) -> AppResult<GroupRow> {
    row.evaluating = true;
    row.evaluated_until = None;
    step(conn, ctx, &mut row)?;
    if row.evaluating {
        queue::enqueue(conn, JOB, Some(&format!("{JOB}:{}", row.id)), json!({"group_id": row.id}), ctx.now, ctx.now)?;
    }
    Ok(row)
}

/// Leaves all of it to the job, for many groups at once.
pub(super) fn begin_later(conn: &mut Conn, ctx: &Ctx, groups: &[Uuid]) -> AppResult<()> {
    if groups.is_empty() {
        return Ok(());
    }
    queue::enqueue(conn, JOB, None, json!({"group_ids": groups}), ctx.now, ctx.now)
}

/// Judges the next piece of users and remembers how far it came.
fn step(conn: &mut Conn, ctx: &Ctx, row: &mut GroupRow) -> AppResult<()> {
    let users = store::next_users(conn, row.evaluated_until, PIECE)?;
    if let (Some(condition), Some((last, _))) = (parse(row.condition.clone())?, users.last()) {
        row.evaluated_until = Some(*last);
        settle(conn, ctx, &[(row.id, condition)], users.iter().map(|(id, value)| (*id, attributes(value))))?;
    }
    row.evaluating = i64::try_from(users.len()).unwrap_or(PIECE) == PIECE;
    if !row.evaluating {
        row.evaluated_until = None;
    }
    store::update(conn, row)?;
    Ok(())
}

/// The job: applies a new condition to all users, a piece in each transaction; it goes on where a crash stopped it.
///
/// # Errors
/// Database errors.
pub fn evaluate_group(state: &State, payload: &Value) -> AppResult<()> {
    let one = payload.get("group_id").into_iter();
    let many = payload.get("group_ids").and_then(Value::as_array).into_iter().flatten();
    for id in one.chain(many).filter_map(Value::as_str).filter_map(|text| Uuid::try_parse(text).ok()) {
        evaluate_one(state, id)?;
    }
    Ok(())
}

fn evaluate_one(state: &State, id: Uuid) -> AppResult<()> {
    loop {
        let ctx = state.system();
        let more = state.db.write_here(move |conn| {
            turns::memberships(conn, Memberships::Oversee)?;
            lock_row(conn, LockTable::Groups, id)?;
            let Some(mut row) = store::find(conn, &Ref::Id(id))? else { return Ok(false) };
            if row.evaluating {
                step(conn, &ctx, &mut row)?;
            }
            Ok(row.evaluating)
        })?;
        if !more {
            return Ok(());
        }
    }
}
