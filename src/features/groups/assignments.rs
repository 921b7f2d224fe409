//! Use cases about courses assigned to groups: everybody in the group, or below the unit, is enrolled, also those who join later.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{AssignmentIn, AssignmentOut};
use super::service::{find_for, relation, sight};
use super::store::{self, AssignmentRow};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::turns::{self, Memberships};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::{courses, enrollments};
use crate::http::{Conditions, Ref};
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// People whom one transaction enrols.
const PIECE: i64 = 200;
/// The job that enrols, or lets go, those who are in a group already.
pub const JOB: &str = "enroll_group_members";

fn out(row: AssignmentRow) -> AssignmentOut {
    AssignmentOut {
        course_id: row.course_id,
        group_id: row.group_id,
        withdraw_on_leave: row.withdraw_on_leave,
        state: row.state,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// The course and the group, if the actor may assign the one to the other: staff of the course or of the site, or administrators of
/// a unit that the group lies in.
fn both(conn: &mut Conn, ctx: &Ctx, course: &Ref, group: &Ref, act: Act) -> AppResult<(courses::CourseRow, Uuid)> {
    let course = courses::find(conn, ctx, course, act)?;
    let group = find_for(conn, ctx, group, Act::ReadGroup)?;
    let relation = Relation { course: Some(course.id), ..relation(conn, ctx, group.id)? };
    ctx.require(act, &relation)?;
    Ok((course, group.id))
}

/// Assigns a course to a group. Those in it are enrolled at once when they are few, else by a job.
///
/// # Errors
/// 403, 404; 409 for a course that was never published; 412.
pub fn assign(
    conn: &mut Conn,
    ctx: &Ctx,
    course: &Ref,
    group: &Ref,
    input: &AssignmentIn,
    conditions: &Conditions,
) -> AppResult<AssignmentOut> {
    turns::memberships(conn, Memberships::Oversee)?;
    let (course, group) = both(conn, ctx, course, group, Act::AssignGroup)?;
    if course.status != "published" {
        return Err(AppError::new(Code::WrongState, "Only a published course can be assigned to a group."));
    }
    let mut row = match store::assignment(conn, course.id, group)? {
        Some(known) => {
            conditions.require(known.version)?;
            // Everybody is looked at anew: whoever is missing, for whatever reason, is enrolled.
            AssignmentRow {
                withdraw_on_leave: input.withdraw_on_leave,
                state: "enrolling".into(),
                done_until: None,
                version: known.version.saturating_add(1),
                updated_at: ctx.now,
                ..known
            }
        }
        None => AssignmentRow {
            course_id: course.id,
            group_id: group,
            withdraw_on_leave: input.withdraw_on_leave,
            state: "enrolling".into(),
            done_until: None,
            made_by: ctx.actor.id(),
            version: 1,
            created_at: ctx.now,
            updated_at: ctx.now,
        },
    };
    store::save_assignment(conn, &row)?;
    let event = NewEvent::new("group.course_assigned", "group", group).course(course.id);
    events::append(conn, ctx, vec![event.data(json!({"withdraw_on_leave": row.withdraw_on_leave}))])?;
    proceed(conn, ctx, &mut row)?;
    Ok(out(row))
}

/// Does the first piece here, and leaves the rest to the job.
fn proceed(conn: &mut Conn, ctx: &Ctx, row: &mut AssignmentRow) -> AppResult<()> {
    if row.state != "current" && step(conn, ctx, row, false)? {
        let key = format!("{JOB}:{}:{}", row.course_id, row.group_id);
        let payload = json!({"course_id": row.course_id, "group_id": row.group_id});
        queue::enqueue(conn, JOB, Some(&key), payload, ctx.now, ctx.now)?;
    }
    Ok(())
}

/// Goes through everybody in the groups that a course is assigned to, for a course that is restored: nobody was enrolled who joined while
/// it was archived. The turn with memberships must have been taken, to oversee them.
///
/// # Errors
/// Database errors.
pub fn catch_up(conn: &mut Conn, ctx: &Ctx, course: Uuid) -> AppResult<()> {
    if store::renew_assignments(conn, course, ctx.now)? > 0 {
        // Without a key: a job that is just ending would swallow it.
        queue::enqueue(conn, JOB, None, json!({"course_id": course}), ctx.now, ctx.now)?;
    }
    Ok(())
}

/// Enrols, or lets go, the next piece of people; answers whether there may be more. To catch up is to enrol who never was: whoever has left
/// the course stays out.
fn step(conn: &mut Conn, ctx: &Ctx, row: &mut AssignmentRow, catch_up: bool) -> AppResult<bool> {
    let people = store::next_people(conn, row.group_id, row.done_until, PIECE)?;
    let more = i64::try_from(people.len()).unwrap_or(PIECE) == PIECE;
    if row.state == "ending" {
        let still: std::collections::BTreeSet<(Uuid, Uuid)> =
            store::assigned_by_user(conn, &people)?.into_iter().collect();
        let gone = people.iter().filter(|user| !still.contains(&(**user, row.course_id)));
        enrollments::withdraw_groups(conn, ctx, &gone.map(|user| (row.course_id, *user)).collect())?;
    } else {
        let known = if catch_up { enrollments::ever_enrolled(conn, row.course_id, &people)? } else { HashSet::new() };
        let new = people.iter().filter(|user| !known.contains(user));
        let wanted: Vec<_> = new.map(|user| enrollments::Wanted::new(row.course_id, *user)).collect();
        enrollments::enroll_many(conn, ctx, &wanted, enrollments::Source::Group)?;
    }
    row.done_until = people.last().copied().filter(|_| more);
    if !more && row.state == "ending" {
        store::delete_assignment(conn, row.course_id, row.group_id)?;
        return Ok(false);
    }
    if !more {
        row.state = "current".into();
    }
    store::save_assignment(conn, row)?;
    Ok(more)
}

/// One assignment.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, course: &Ref, group: &Ref) -> AppResult<AssignmentOut> {
    let (course, group) = both(conn, ctx, course, group, Act::ReadAssignment)?;
    store::assignment(conn, course.id, group)?.map(out).ok_or_else(|| AppError::not_found("assignment"))
}

/// A page of a course's assignments.
///
/// # Errors
/// 403, 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, course: &Ref, page: &PageRequest) -> AppResult<Rows<AssignmentOut>> {
    let course = courses::find(conn, ctx, course, Act::ReadAssignment)?;
    let seen = ctx.may(Act::ReadAssignment, &courses::relation(course.id));
    let only = if seen { None } else { sight(ctx, Act::ReadAssignment)? };
    Ok(store::list_assignments(conn, course.id, only.as_deref(), page)?.map(out))
}

/// Ends an assignment; those enrolled stay in the course unless they are to be withdrawn.
///
/// # Errors
/// 403, 404, 412.
pub fn unassign(
    conn: &mut Conn,
    ctx: &Ctx,
    course: &Ref,
    group: &Ref,
    withdraw: bool,
    conditions: &Conditions,
) -> AppResult<()> {
    turns::memberships(conn, Memberships::Oversee)?;
    let (course, group) = both(conn, ctx, course, group, Act::AssignGroup)?;
    let mut row = store::assignment(conn, course.id, group)?.ok_or_else(|| AppError::not_found("assignment"))?;
    conditions.require(row.version)?;
    let event = NewEvent::new("group.course_unassigned", "group", group).course(course.id);
    events::append(conn, ctx, vec![event.data(json!({"withdraw": withdraw}))])?;
    if !withdraw {
        return store::delete_assignment(conn, course.id, group);
    }
    row.state = "ending".into();
    row.done_until = None;
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::save_assignment(conn, &row)?;
    proceed(conn, ctx, &mut row)
}

/// The job: goes on with an assignment that is being applied or ended, or with all of a course, a piece in each transaction.
///
/// # Errors
/// Database errors.
pub fn enroll_members(state: &State, payload: &Value) -> AppResult<()> {
    let id = |name: &str| payload.get(name).and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let course = id("course_id").ok_or_else(|| AppError::internal("the job names no course"))?;
    let group = id("group_id");
    loop {
        let ctx = state.system();
        let more = state.db.write_here(move |conn| {
            turns::memberships(conn, Memberships::Oversee)?;
            let next = match group {
                Some(group) => Some(group),
                None => store::unfinished_assignment(conn, course)?,
            };
            let Some(next) = next else { return Ok(false) };
            match store::assignment(conn, course, next)? {
                Some(mut row) if row.state != "current" => {
                    Ok(step(conn, &ctx, &mut row, group.is_none())? || group.is_none())
                }
                _ => Ok(false),
            }
        })?;
        if !more {
            return Ok(());
        }
    }
}
