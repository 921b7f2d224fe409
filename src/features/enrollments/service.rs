//! Use cases about an enrollment's life: enrolment, approval, withdrawal.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dto::{EnrollIn, EnrollmentOut, EnrollmentQuery, Status};
use super::seats::promote_waiting;
use super::settling::settle;
use super::state::{self, find_locked};
use super::store::{self, EnrollmentRow, Sight};
use crate::clock;
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::facts::Facts;
use crate::domain::path;
use crate::domain::permission::{Act, Actor, Reach, Relation, Role};
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::courses::{self, CourseRow};
use crate::features::users;
use crate::http::conditional::{shown_tag, version_tag};
use crate::http::{Conditions, Ref};
use crate::state::Ctx;

pub(super) fn out(row: EnrollmentRow) -> AppResult<EnrollmentOut> {
    Ok(EnrollmentOut {
        status: state::status(&row)?,
        progress: state::progress(&row),
        id: row.id,
        course_id: row.course_id,
        user_id: row.user_id,
        revision: row.revision,
        generation: row.generation,
        source: row.source,
        enrolled_by: row.enrolled_by,
        waitlist_position: None,
        cohort_start_at: row.cohort_start_at,
        enrolled_at: row.enrolled_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
        ended_at: row.ended_at,
        expires_at: row.expires_at,
        last_activity_at: row.last_event_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

fn with_position(conn: &mut Conn, row: EnrollmentRow) -> AppResult<EnrollmentOut> {
    let position = match row.waitlist_seq {
        Some(seq) => Some(store::position(conn, row.course_id, seq)?),
        None => None,
    };
    Ok(EnrollmentOut { waitlist_position: position, ..out(row)? })
}

/// The ETag of an enrollment. The place in line moves when somebody else leaves it, without a new version.
#[must_use]
pub fn tag(out: &EnrollmentOut) -> String {
    match out.waitlist_position {
        Some(position) => shown_tag(out.version, &position),
        None => version_tag(out.version),
    }
}

/// Refuses a change when `If-Match` names another state.
fn require(conn: &mut Conn, row: &EnrollmentRow, conditions: &Conditions) -> AppResult<()> {
    conditions.require_tag(|| Ok(tag(&with_position(conn, row.clone())?)))
}

fn closed(why: &str) -> AppError {
    AppError::new(Code::EnrollmentClosed, why)
}

/// Whether staff enrol somebody, or a learner enrols by the course's policy, and into which status.
fn admit(
    conn: &mut Conn,
    ctx: &Ctx,
    course: &CourseRow,
    user: Uuid,
    input: &EnrollIn,
) -> AppResult<(Status, &'static str)> {
    let own = ctx.actor.user_id() == Some(user);
    let mut relation = Relation { own, course: Some(course.id), ..Relation::default() };
    if !own && !ctx.may(Act::EnrollOthers, &relation) {
        users::relate(conn, ctx, user, &mut relation)?;
    }
    // Staff who enrol themselves in a course that they teach need no code or approval either.
    let staff = ctx.may(Act::EnrollOthers, &relation);
    if !own || (staff && course.enrollment_policy != "open") {
        ctx.require(Act::EnrollOthers, &relation)?;
        return Ok((Status::Active, if own { "self" } else { "assigned" }));
    }
    ctx.require(Act::EnrollSelf, &relation)?;
    if !staff && (input.cohort_start_at.is_some() || input.expires_at.is_some()) {
        return Err(AppError::new(Code::Forbidden, "Only staff may set cohort_start_at and expires_at."));
    }
    match course.enrollment_policy.as_str() {
        "open" => Ok((Status::Active, "self")),
        "access_code" => {
            use subtle::ConstantTimeEq;
            let (given, right) =
                (input.access_code.as_deref().unwrap_or_default(), course.access_code.as_deref().unwrap_or_default());
            if !right.is_empty() && bool::from(given.as_bytes().ct_eq(right.as_bytes())) {
                return Ok((Status::Active, "self"));
            }
            Err(AppError::new(Code::AccessCodeWrong, "This course needs its access code."))
        }
        "approval" => Ok((Status::Pending, "self")),
        _ => Err(closed("Learners are assigned to this course; they cannot enrol themselves.")),
    }
}

/// Enrols somebody: the caller, or another when staff ask.
///
/// # Errors
/// 403 by the course's policy; 404; 409 when a live enrollment exists or the course was never published.
pub fn enroll(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    input: &EnrollIn,
    now: &dyn Fn() -> DateTime<Utc>,
) -> AppResult<EnrollmentOut> {
    let course = courses::find(conn, ctx, which, Act::EnrollOthers)?;
    let user = match input.user_id.as_deref() {
        None => ctx
            .actor
            .user_id()
            .ok_or_else(|| AppError::field("/user_id", "required", "A client must say whom to enrol."))?,
        Some(text) => {
            let who = Ref::parse(text).ok_or_else(|| {
                AppError::field("/user_id", "wrong_format", "This is neither an id nor ext:<external_id>.")
            })?;
            let unknown = || AppError::field("/user_id", "unknown_user", "There is no such user.");
            let found = users::find(conn, &who).map_err(|e| e.when_missing(unknown))?;
            if found.state != "active" {
                return Err(AppError::new(Code::WrongState, "The user is not active."));
            }
            found.id
        }
    };
    let (mut status, source) = admit(conn, ctx, &course, user, input)?;
    if input.expires_at.is_some_and(|at| at <= ctx.now) {
        return Err(AppError::field("/expires_at", "in_past", "An enrollment cannot end before it begins."));
    }
    match course.status.as_str() {
        "published" => {}
        "archived" => return Err(closed("The course is archived and takes no new enrollments.")),
        _ => return Err(AppError::new(Code::WrongState, "The course has not been published yet.")),
    }
    let mut ctx = ctx.clone();
    if course.seats.is_some() {
        lock_row(conn, LockTable::Courses, course.id)?;
        // Who waits for the lock is told the time of their turn, so that times and ids are in the order of the line.
        ctx.now = now().max(ctx.now);
    }
    let ctx = &ctx;
    let newest = store::newest(conn, course.id, user)?;
    if let Some((id, live, _)) =
        newest.as_ref().filter(|(_, status, _)| matches!(status.as_str(), "active" | "pending" | "waitlisted"))
    {
        return Err(exists(*id, live));
    }
    let mut waitlist_seq = None;
    if status == Status::Active
        && let Some(seats) = course.seats
        && store::count_active(conn, course.id)? >= i64::from(seats)
    {
        status = Status::Waitlisted;
        waitlist_seq = Some(store::next_in_line(conn, course.id)?);
    }
    let revision =
        store::revision_id(conn, course.id, course.latest_revision)?.ok_or_else(|| AppError::not_found("revision"))?;
    let outline = state::outline(conn, revision)?;
    let mut facts = Facts::new(ctx.now, outline.module_count());
    facts.cohort_start_at = input.cohort_start_at;
    if outline.needs.beyond_enrollment() {
        facts.learner = state::load_learner(conn, user, &outline.needs)?;
    }
    let start = path::standing(&outline, &facts, ctx.now);
    let row = EnrollmentRow {
        id: ctx.new_id(),
        course_id: course.id,
        user_id: user,
        revision_id: Some(revision),
        revision: course.latest_revision,
        generation: newest.map_or(1, |(.., generation)| generation.saturating_add(1)),
        status: status.as_str().to_owned(),
        source: source.to_owned(),
        enrolled_by: ctx.actor.id().filter(|_| source != "self"),
        waitlist_seq,
        cohort_start_at: input.cohort_start_at,
        enrolled_at: ctx.now,
        started_at: None,
        completed_at: None,
        ended_at: None,
        expires_at: input.expires_at,
        percent: start.progress.percent,
        done_weight: start.progress.done_weight,
        total_weight: start.progress.total_weight,
        last_event_at: None,
        facts_tag: clock::random_number()?,
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
        updated_hour: store::hour_of(ctx.now),
    };
    store::insert_many(conn, std::slice::from_ref(&row)).map_err(|error| {
        if is_unique_violation(&error) {
            AppError::new(Code::Conflict, "The learner is enrolled in this course already.")
        } else {
            error.into()
        }
    })?;
    let event = NewEvent::new("enrollment.created", "enrollment", row.id).course(course.id).user(user);
    let data = serde_json::json!({"status": row.status, "source": source, "generation": row.generation, "revision": row.revision});
    events::append(conn, ctx, vec![event.data(data)])?;
    if status == Status::Active
        && let Some(at) = path::turns_at(&outline, &facts, ctx.now)
    {
        store::set_turns(conn, &[(row.id, at)])?;
    }
    if status == Status::Active && start.complete {
        // Whoever has tested out of everything is through before they begin.
        let settled = settle(conn, ctx, vec![row.clone()])?.pop();
        return with_position(conn, settled.unwrap_or(row));
    }
    with_position(conn, row)
}

fn exists(id: Uuid, status: &str) -> AppError {
    AppError::new(
        Code::Conflict,
        format!("The learner is enrolled in this course already; that enrollment is {status}."),
    )
    .with("enrollment_id", id)
}

/// One enrollment.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<EnrollmentOut> {
    let row = state::find(conn, ctx, id, Act::ReadEnrollment)?;
    with_position(conn, row)
}

/// A page of enrollments: all for site staff and clients; for others their own, those of courses they teach and of their reports.
///
/// # Errors
/// Database errors.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    mut filter: EnrollmentQuery,
    page: &PageRequest,
) -> AppResult<Rows<EnrollmentOut>> {
    Ref::settle(&mut filter.user_id, |who| users::id_of(conn, who))?;
    Ref::settle(&mut filter.course_id, |which| courses::id_of(conn, which))?;
    let sight = match &ctx.actor {
        Actor::User { id, grants } if !ctx.may(Act::ReadEnrollment, &Relation::default()) => Sight::Own {
            user: *id,
            courses: grants
                .iter()
                .filter_map(|grant| match grant.reach {
                    Reach::Course(course) if grant.role == Role::Instructor => Some(course),
                    _ => None,
                })
                .collect(),
            units: ctx.actor.units_for(Act::ReadEnrollment),
        },
        _ => Sight::All,
    };
    let rows = store::list(conn, &filter, &sight, page)?;
    let items = rows.items.into_iter().map(|row| out(state::lapsed(row, ctx))).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// A page of a course's enrollments that the caller may see.
///
/// # Errors
/// 404.
pub fn list_of_course(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    mut filter: EnrollmentQuery,
    page: &PageRequest,
) -> AppResult<Rows<EnrollmentOut>> {
    filter.course_id = Some(Ref::Id(courses::find(conn, ctx, which, Act::ReadEnrollment)?.id));
    list(conn, ctx, filter, page)
}

fn wrong_state(row: &EnrollmentRow, wanted: &str) -> AppError {
    AppError::new(Code::WrongState, format!("The enrollment is {}; this needs one that is {wanted}.", row.status))
        .with("enrollment_status", &row.status)
}

/// Writes a changed row with its event.
fn store_change(conn: &mut Conn, ctx: &Ctx, row: &mut EnrollmentRow, event: &'static str) -> AppResult<()> {
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, row)?;
    let event = NewEvent::new(event, "enrollment", row.id).course(row.course_id).user(row.user_id);
    events::append(conn, ctx, vec![event.data(serde_json::json!({"status": row.status}))])
}

/// Approves a pending enrollment; without a free seat it goes to the waitlist.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn approve(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<EnrollmentOut> {
    let mut row = find_locked(conn, ctx, id, Act::EnrollOthers)?;
    require(conn, &row, conditions)?;
    if row.status != Status::Pending.as_str() {
        return Err(wrong_state(&row, "pending"));
    }
    if store::active_users(conn, &[row.user_id])?.is_empty() {
        return Err(AppError::new(Code::WrongState, "The user is not active."));
    }
    lock_row(conn, LockTable::Courses, row.course_id)?;
    let course = courses::row(conn, row.course_id)?.ok_or_else(|| AppError::not_found("course"))?;
    let full = match course.seats {
        Some(seats) => store::count_active(conn, row.course_id)? >= i64::from(seats),
        None => false,
    };
    if full {
        row.status = Status::Waitlisted.as_str().to_owned();
        row.waitlist_seq = Some(store::next_in_line(conn, row.course_id)?);
    } else {
        row.status = Status::Active.as_str().to_owned();
        row.enrolled_at = ctx.now;
    }
    row.facts_tag = clock::random_number()?;
    store_change(conn, ctx, &mut row, "enrollment.approved")?;
    let settled = settle(conn, ctx, vec![row.clone()])?.pop();
    with_position(conn, settled.unwrap_or(row))
}

/// Refuses a pending enrollment.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn reject(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<EnrollmentOut> {
    let mut row = find_locked(conn, ctx, id, Act::EnrollOthers)?;
    require(conn, &row, conditions)?;
    if row.status != Status::Pending.as_str() {
        return Err(wrong_state(&row, "pending"));
    }
    row.status = Status::Withdrawn.as_str().to_owned();
    row.ended_at = Some(ctx.now);
    store_change(conn, ctx, &mut row, "enrollment.rejected")?;
    out(row)
}

/// Ends an enrollment; its seat goes to the first in line. History stays.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn withdraw(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<EnrollmentOut> {
    let mut row = find_locked(conn, ctx, id, Act::LeaveOrUpgrade)?;
    require(conn, &row, conditions)?;
    if !matches!(row.status.as_str(), "active" | "pending" | "waitlisted") {
        return Err(wrong_state(&row, "active, pending or waitlisted"));
    }
    row.status = Status::Withdrawn.as_str().to_owned();
    row.ended_at = Some(ctx.now);
    row.waitlist_seq = None;
    store_change(conn, ctx, &mut row, "enrollment.withdrawn")?;
    // Also by who only waited: a seat that was just freed was perhaps theirs, and passes on.
    promote_waiting(conn, ctx, &[row.course_id])?;
    out(row)
}
