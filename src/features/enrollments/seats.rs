//! Seats: who gets those that are free, and enrollments whose time is up. As many statements for one as for five hundred.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::Status;
use super::settling::{self, PIECE};
use super::store::{self, EnrollmentRow};
use crate::clock;
use crate::db::Conn;
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::courses;
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// Waiting learners of one course who get seats at a time, where seats are not limited any more.
const MOST: usize = 1000;

/// Gives free seats in these courses to those who have waited longest, with the newest revision. What they master counts at once;
/// whoever is through with it frees the seat again.
///
/// # Errors
/// Database errors.
pub fn promote_waiting(conn: &mut Conn, ctx: &Ctx, of: &[Uuid]) -> AppResult<()> {
    let mut free = of.to_vec();
    // Each turn is for the seats that the learners of the one before do not need.
    while !free.is_empty() {
        let mut rows = seat(conn, ctx, &free)?;
        free.clear();
        while !rows.is_empty() {
            let piece: Vec<EnrollmentRow> = rows.drain(..rows.len().min(PIECE)).collect();
            free.extend(settling::settle_piece(conn, ctx, piece)?.1);
        }
        free.sort_unstable();
        free.dedup();
    }
    Ok(())
}

/// The job that goes on where somebody in the line was busy.
pub const JOB: &str = "seat_waiting";

/// Seats whoever waits for a seat of a course that is free.
///
/// # Errors
/// Database errors.
pub fn seat_waiting(state: &State, payload: &Value) -> AppResult<()> {
    let course = payload.get("course_id").and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let ctx = state.system();
    state.db.write_here(move |conn| promote_waiting(conn, &ctx, course.as_slice()))
}

/// Seats whoever can be seated; answers their enrollments.
fn seat(conn: &mut Conn, ctx: &Ctx, of: &[Uuid]) -> AppResult<Vec<EnrollmentRow>> {
    store::lock_courses(conn, of)?;
    let mut known = courses::rows(conn, of)?;
    // Most courses have no line.
    known.retain(|course| course.waitlist_counter > 0);
    let ids: Vec<Uuid> = known.iter().map(|course| course.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let taken: HashMap<Uuid, i64> = store::count_active_of(conn, &ids)?.into_iter().collect();
    let mut left: HashMap<Uuid, usize> = HashMap::new();
    for course in &known {
        let free = match course.seats {
            Some(seats) => i64::from(seats).saturating_sub(taken.get(&course.id).copied().unwrap_or(0)),
            None => i64::try_from(MOST).unwrap_or(i64::MAX),
        };
        let free = usize::try_from(free).unwrap_or(0).min(MOST);
        if free > 0 {
            left.insert(course.id, free);
        }
    }
    let with_seats: Vec<Uuid> = left.keys().copied().collect();
    let most = left.values().copied().max().unwrap_or(0);
    let (mut lucky, busy) = store::first_waiting(conn, &with_seats, most)?;
    for course in busy {
        // Whoever leaves the line seats the next; a moment later it is seen whether that happened.
        let key = format!("{JOB}:{course}");
        queue::enqueue(conn, JOB, Some(&key), json!({"course_id": course}), ctx.now, ctx.now)?;
    }
    lucky.retain(|row| match left.get_mut(&row.course_id) {
        Some(free) if *free > 0 => {
            *free = free.saturating_sub(1);
            true
        }
        _ => false,
    });
    if lucky.is_empty() {
        return Ok(lucky);
    }
    let newest: HashMap<Uuid, Uuid> = store::latest_revisions(conn, &with_seats)?.into_iter().collect();
    let numbers: HashMap<Uuid, i32> = known.iter().map(|course| (course.id, course.latest_revision)).collect();
    for row in &mut lucky {
        row.status = Status::Active.as_str().to_owned();
        row.waitlist_seq = None;
        row.revision_id = newest.get(&row.course_id).copied().or(row.revision_id);
        row.revision = numbers.get(&row.course_id).copied().unwrap_or(row.revision);
        row.enrolled_at = ctx.now;
        row.facts_tag = clock::random_number()?;
        row.version = row.version.saturating_add(1);
        row.updated_at = ctx.now;
    }
    store::update_many(conn, &lucky)?;
    let event = |row: &EnrollmentRow| {
        NewEvent::new("enrollment.promoted", "enrollment", row.id).course(row.course_id).user(row.user_id)
    };
    events::append(conn, ctx, lucky.iter().map(event).collect())?;
    Ok(lucky)
}

/// Ends enrollments whose time is up; run every minute, a piece at a time.
///
/// # Errors
/// Database errors.
pub fn expire_due(state: &State, _: &Value) -> AppResult<()> {
    loop {
        let ctx = state.system();
        let more = state.db.write_here(move |conn| {
            let due = store::due_to_expire(conn, ctx.now, PIECE)?;
            Ok(expire(conn, &ctx, &due)? == PIECE)
        })?;
        if !more {
            return Ok(());
        }
    }
}

/// Ends those of these that nobody else is busy with; answers how many. The others are ended next time: whoever holds one may wait for
/// its course.
fn expire(conn: &mut Conn, ctx: &Ctx, due: &[(Uuid, Uuid)]) -> AppResult<usize> {
    if due.is_empty() {
        return Ok(0);
    }
    let courses: BTreeSet<Uuid> = due.iter().map(|(_, course)| *course).collect();
    store::lock_courses(conn, &courses.into_iter().collect::<Vec<_>>())?;
    let ids: Vec<Uuid> = due.iter().map(|(id, _)| *id).collect();
    let mut rows = store::lock_free(conn, &ids)?;
    // Under the lock, it may have been completed or prolonged meanwhile.
    let live = |row: &EnrollmentRow| matches!(row.status.as_str(), "active" | "pending" | "waitlisted");
    rows.retain(|row| live(row) && row.expires_at.is_some_and(|at| at <= ctx.now));
    let freed: BTreeSet<Uuid> = rows.iter().filter(|row| row.status == "active").map(|row| row.course_id).collect();
    for row in &mut rows {
        row.status = Status::Expired.as_str().to_owned();
        // Whenever that is noticed.
        row.ended_at = row.expires_at;
        row.waitlist_seq = None;
        row.version = row.version.saturating_add(1);
        row.updated_at = ctx.now;
    }
    store::update_many(conn, &rows)?;
    let event = |row: &EnrollmentRow| {
        let event = NewEvent::new("enrollment.expired", "enrollment", row.id).course(row.course_id).user(row.user_id);
        event.data(json!({"status": row.status}))
    };
    events::append(conn, ctx, rows.iter().map(event).collect())?;
    promote_waiting(conn, ctx, &freed.into_iter().collect::<Vec<_>>())?;
    Ok(rows.len())
}
