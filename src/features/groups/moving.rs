//! What follows for courses when a unit moves in the tree, or goes: people who come below an assigned unit are enrolled, and those who
//! are below none any more are withdrawn where the assignment says so.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{flow, store};
use crate::db::Conn;
use crate::db::turns::{self, Memberships};
use crate::error::{AppError, AppResult};
use crate::features::enrollments;
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// People whom one transaction moves.
const PIECE: i64 = 200;
/// The job that goes on with a move of many people.
pub const JOB: &str = "follow_moved_group";

/// Units that a group came below, and those that it was below.
#[derive(Debug, Default)]
pub struct Moved {
    /// Above it now, and not before.
    pub under: Vec<Uuid>,
    /// Above it before, and not now.
    pub from: Vec<Uuid>,
}

/// What a move means for everybody in a group and below it: courses that come, and courses that go.
#[derive(Debug, Serialize, Deserialize)]
struct Follow {
    group: Uuid,
    come: BTreeSet<Uuid>,
    go: BTreeSet<Uuid>,
}

/// Does what follows from a move: for the first people here, and for the rest by the job.
///
/// # Errors
/// Database errors.
pub fn follow(conn: &mut Conn, ctx: &Ctx, group: Uuid, moved: &Moved) -> AppResult<()> {
    if moved.under.is_empty() && moved.from.is_empty() {
        return Ok(());
    }
    let units: Vec<Uuid> = moved.under.iter().chain(&moved.from).copied().collect();
    let (mut come, mut go) = (BTreeSet::new(), BTreeSet::new());
    for (course, unit, withdraws) in store::assigned_at(conn, &units)? {
        if moved.under.contains(&unit) {
            come.insert(course);
        } else if withdraws {
            go.insert(course);
        }
    }
    if come.is_empty() && go.is_empty() {
        return Ok(());
    }
    let follow = Follow { group, come, go };
    if step(conn, ctx, &follow, None)?.is_some() {
        let payload = serde_json::to_value(&follow).map_err(AppError::internal)?;
        queue::enqueue(conn, JOB, None, payload, ctx.now, ctx.now)?;
    }
    Ok(())
}

/// Enrols and withdraws the next people as the tree is now; answers the last of them when there may be more.
fn step(conn: &mut Conn, ctx: &Ctx, follow: &Follow, after: Option<Uuid>) -> AppResult<Option<Uuid>> {
    let people = store::next_people(conn, follow.group, after, PIECE)?;
    let more = i64::try_from(people.len()).unwrap_or(PIECE) == PIECE;
    let have: BTreeSet<(Uuid, Uuid)> = store::assigned_by_user(conn, &people)?.into_iter().collect();
    let come = have.iter().filter(|(_, course)| follow.come.contains(course));
    let wanted: Vec<_> = come.map(|(user, course)| enrollments::Wanted::new(*course, *user)).collect();
    if !wanted.is_empty() {
        enrollments::enroll_many(conn, ctx, &wanted, enrollments::Source::Group)?;
    }
    let gone = people.iter().flat_map(|user| follow.go.iter().map(|course| (*course, *user)));
    let gone = gone.filter(|(course, user)| !have.contains(&(*user, *course))).collect();
    enrollments::withdraw_groups(conn, ctx, &gone)?;
    Ok(people.last().copied().filter(|_| more))
}

/// The job: goes on with a move, a piece in each transaction. What is done already is found done.
///
/// # Errors
/// Database errors.
pub fn follow_move(state: &State, payload: &Value) -> AppResult<()> {
    let mut after = None;
    loop {
        let ctx = state.system();
        let follow: Follow = serde_json::from_value(payload.clone()).map_err(AppError::internal)?;
        after = state.db.write_here(move |conn| {
            turns::memberships(conn, Memberships::Oversee)?;
            step(conn, &ctx, &follow, after)
        })?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Lets the members of a group that is about to be deleted leave it, where a unit above has a course that is left with it.
///
/// # Errors
/// Database errors.
pub fn empty(conn: &mut Conn, ctx: &Ctx, group: Uuid) -> AppResult<()> {
    if store::assigned_to(conn, &[group])?.iter().all(|(.., withdraws)| !withdraws) {
        return Ok(());
    }
    loop {
        let people = store::next_people(conn, group, None, PIECE)?;
        if people.is_empty() {
            return Ok(());
        }
        flow::leave(conn, ctx, &people.into_iter().map(|user| (group, user)).collect::<Vec<_>>())?;
    }
}
