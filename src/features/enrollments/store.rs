//! SQL about enrollments, seats, records, learning events, choices and overrides.

mod facts;
mod many;
mod turns;
mod waiting;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use uuid::Uuid;

use super::dto::EnrollmentQuery;
use crate::db::Conn;
use crate::db::fixed::Fixed;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{courses, enrollments, users};
use crate::db::tree;
use crate::db::types::{At, Id};
use crate::db::units::people_of;
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

pub use self::facts::*;
pub use self::many::*;
pub use self::turns::*;
pub use self::waiting::*;

/// A row of `enrollments`.
#[expect(missing_docs, reason = "the columns of the table")]
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = enrollments)]
pub struct EnrollmentRow {
    pub id: Uuid,
    pub course_id: Uuid,
    pub user_id: Uuid,
    pub revision_id: Option<Uuid>,
    pub revision: i32,
    pub generation: i32,
    pub status: String,
    pub source: String,
    pub enrolled_by: Option<Uuid>,
    pub waitlist_seq: Option<i64>,
    pub cohort_start_at: Option<DateTime<Utc>>,
    pub enrolled_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub percent: f64,
    pub done_weight: f64,
    pub total_weight: f64,
    pub last_event_at: Option<DateTime<Utc>>,
    pub facts_tag: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub updated_hour: i64,
}

/// The hour of an instant, counted from 1970. The index that `updated_since` uses holds this instead of the instant, so that what a
/// learner does within the hour leaves it alone.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3_600)
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<EnrollmentRow>> {
    // Not `first`: with a LIMIT, diesel prepares the statement anew every time.
    let row = enrollments::table.filter(enrollments::id.eq(Id(id)));
    Ok(per_backend!(conn, |c| row.select(EnrollmentRow::as_select()).get_result(c)).optional()?)
}

/// Finds and locks; SQLite's one writer needs no lock.
pub fn find_locked(conn: &mut Conn, id: Uuid) -> AppResult<Option<EnrollmentRow>> {
    let row = enrollments::table.filter(enrollments::id.eq(Id(id)));
    Ok(match conn {
        Conn::Pg(c) => row.select(EnrollmentRow::as_select()).for_update().get_result(c).optional()?,
        Conn::Sqlite(c) => row.select(EnrollmentRow::as_select()).get_result(c).optional()?,
    })
}

/// Status and generation of the learner's newest enrollment in a course.
pub fn newest(conn: &mut Conn, course: Uuid, user: Uuid) -> AppResult<Option<(Uuid, String, i32)>> {
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(Id(user)))
        .filter(enrollments::course_id.eq(Id(course)))
        .order(enrollments::generation.desc())
        .select((enrollments::id, enrollments::status, enrollments::generation))
        .first(conn)
        .optional()?)
}

pub fn count_active(conn: &mut Conn, course: Uuid) -> AppResult<i64> {
    Ok(enrollments::table
        .filter(enrollments::course_id.eq(Id(course)))
        .filter(enrollments::status.eq("active"))
        .count()
        .get_result(conn)?)
}

/// Takes the next number in line.
pub fn next_in_line(conn: &mut Conn, course: Uuid) -> AppResult<i64> {
    let this = courses::table.filter(courses::id.eq(Id(course)));
    diesel::update(this).set(courses::waitlist_counter.eq(courses::waitlist_counter + 1)).execute(conn)?;
    Ok(courses::table.filter(courses::id.eq(Id(course))).select(courses::waitlist_counter).get_result(conn)?)
}

/// How many stand in line up to this number.
pub fn position(conn: &mut Conn, course: Uuid, seq: i64) -> AppResult<i64> {
    Ok(enrollments::table
        .filter(enrollments::course_id.eq(Id(course)))
        .filter(enrollments::status.eq("waitlisted"))
        .filter(enrollments::waitlist_seq.le(seq))
        .count()
        .get_result(conn)?)
}

/// The id of a course's revision.
pub fn revision_id(conn: &mut Conn, course: Uuid, number: i32) -> AppResult<Option<Uuid>> {
    use crate::db::schema::course_revisions as revisions;
    Ok(revisions::table
        .filter(revisions::course_id.eq(Id(course)))
        .filter(revisions::number.eq(number))
        .select(revisions::id)
        .get_result(conn)
        .optional()?)
}

/// Which enrollments a list shows.
pub enum Sight {
    /// All.
    All,
    /// One's own, those of these courses, of the people of these units, and of everybody below.
    Own {
        /// The caller.
        user: Uuid,
        /// Courses that the caller teaches.
        courses: Vec<Uuid>,
        /// Units whose people the caller looks after.
        units: Vec<Uuid>,
    },
}

pub fn list(
    conn: &mut Conn,
    filter: &EnrollmentQuery,
    sight: &Sight,
    page: &PageRequest,
) -> AppResult<Rows<EnrollmentRow>> {
    use diesel::BoolExpressionMethods;
    let mut query =
        enrollments::table.select(EnrollmentRow::as_select()).order(enrollments::id).limit(page.fetch()).into_boxed();
    if let Sight::Own { user, courses, units } = sight {
        let below = tree::is_below("enrollments.user_id", *user);
        let taught: Vec<Id> = courses.iter().map(|id| Id(*id)).collect();
        let own = enrollments::user_id.eq(Id(*user)).or(enrollments::user_id.eq_any(people_of(units)));
        query = query.filter(own.or(enrollments::course_id.eq_any(taught)).or(below));
    }
    if let Some(after) = page.after {
        query = query.filter(enrollments::id.gt(Id(after)));
    }
    if let Some(user) = filter.user_id.as_ref().and_then(Ref::id) {
        query = query.filter(enrollments::user_id.eq(Id(user)));
    }
    if let Some(course) = filter.course_id.as_ref().and_then(Ref::id) {
        query = query.filter(enrollments::course_id.eq(Id(course)));
    }
    if let Some(status) = filter.status {
        query = query.filter(enrollments::status.eq(status.as_str()));
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(enrollments::updated_hour.ge(hour_of(since)));
        query = query.filter(enrollments::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Locks courses whose seats are counted, in order of id, so that two of these never wait for each other.
pub fn lock_courses(conn: &mut Conn, ids: &[Uuid]) -> AppResult<()> {
    if let Conn::Pg(c) = conn
        && !ids.is_empty()
    {
        let these = courses::table.filter(courses::id.eq_any(ids.iter().map(|id| Id(*id)))).order(courses::id);
        these.select(courses::id).for_no_key_update().load::<Uuid>(c)?;
    }
    Ok(())
}

/// Users by id or external id.
pub fn users_named(conn: &mut Conn, ids: &[Uuid], externals: &[String]) -> AppResult<Vec<(Uuid, Option<String>)>> {
    use diesel::{BoolExpressionMethods, NullableExpressionMethods};
    Ok(users::table
        .filter(
            users::id
                .eq_any(ids.iter().map(|id| Id(*id)))
                .or(users::external_id.eq_any(externals.to_vec()).assume_not_null()),
        )
        .select((users::id, users::external_id))
        .load(conn)?)
}

/// Which of these users are active.
pub fn active_users(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(users::table
        .filter(users::id.eq_any(ids.iter().map(|id| Id(*id))))
        .filter(users::state.eq("active"))
        .select(users::id)
        .load(conn)?)
}

/// Writes all changeable fields.
pub fn update(conn: &mut Conn, row: &EnrollmentRow) -> AppResult<()> {
    diesel::update(enrollments::table.filter(enrollments::id.eq(Id(row.id))))
        .set((
            (
                enrollments::revision_id.eq(row.revision_id.map(Id)),
                enrollments::revision.eq(row.revision),
                enrollments::status.eq(&row.status),
                enrollments::waitlist_seq.eq(row.waitlist_seq),
                enrollments::enrolled_at.eq(At(row.enrolled_at)),
                enrollments::started_at.eq(row.started_at.map(At)),
                enrollments::completed_at.eq(row.completed_at.map(At)),
                enrollments::ended_at.eq(row.ended_at.map(At)),
            ),
            (
                enrollments::percent.eq(row.percent),
                enrollments::done_weight.eq(row.done_weight),
                enrollments::total_weight.eq(row.total_weight),
                enrollments::last_event_at.eq(row.last_event_at.map(At)),
                enrollments::facts_tag.eq(row.facts_tag),
                enrollments::version.eq(row.version),
                enrollments::updated_at.eq(At(row.updated_at)),
                enrollments::updated_hour.eq(hour_of(row.updated_at)),
            ),
        ))
        .execute(conn)?;
    Ok(())
}

/// Pins an enrollment to another revision.
pub fn move_to_revision(conn: &mut Conn, id: Uuid, revision: (Uuid, i32)) -> AppResult<()> {
    diesel::update(enrollments::table.filter(enrollments::id.eq(Id(id))))
        .set((enrollments::revision_id.eq(Id(revision.0)), enrollments::revision.eq(revision.1)))
        .execute(conn)?;
    Ok(())
}

/// Writes where the learner stands, and nothing else. It names no column that an index needs, so SQLite leaves the indexes alone and
/// Postgres writes none of their entries anew (HOT); save once an hour.
pub fn update_progress(conn: &mut Conn, row: &EnrollmentRow) -> AppResult<()> {
    const SQL: &str = "UPDATE enrollments SET started_at = ?, percent = ?, done_weight = ?, total_weight = ?, \
                       last_event_at = ?, facts_tag = ?, version = ?, updated_at = ? WHERE id = ?";
    if row.updated_hour != hour_of(row.updated_at) {
        return update(conn, row);
    }
    let binds = [
        row.started_at.into(),
        row.percent.into(),
        row.done_weight.into(),
        row.total_weight.into(),
        row.last_event_at.into(),
        row.facts_tag.into(),
        row.version.into(),
        row.updated_at.into(),
        row.id.into(),
    ];
    Fixed::new(SQL, binds).run(conn)?;
    Ok(())
}

/// Enrollments whose time is up: id, course.
pub fn due_to_expire(conn: &mut Conn, now: DateTime<Utc>, n: usize) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(enrollments::table
        .filter(enrollments::expires_at.le(At(now)))
        .filter(enrollments::status.eq_any(["active", "pending", "waitlisted"]))
        .limit(i64::try_from(n).unwrap_or(i64::MAX))
        .select((enrollments::id, enrollments::course_id))
        .load(conn)?)
}
