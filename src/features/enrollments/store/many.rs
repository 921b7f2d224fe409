//! SQL about many enrollments at once, 500 rows in one statement.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper};
use uuid::Uuid;

use super::EnrollmentRow;
use crate::db::Conn;
use crate::db::fixed::{Bind, FixedRows};
use crate::db::schema::{courses, enrollments};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// The first `n` of the line in each of these courses, in order and locked, whoever left or is suspended passed over, and the courses whose line holds somebody whom another
/// transaction is busy with. Nobody behind such a one is among them, and nobody is waited for: who holds an enrollment may wait for its
/// course.
pub fn first_waiting(conn: &mut Conn, of: &[Uuid], n: usize) -> AppResult<(Vec<EnrollmentRow>, BTreeSet<Uuid>)> {
    use diesel::dsl::sql;
    use diesel::sql_types::Bool;
    if of.is_empty() {
        return Ok(Default::default());
    }
    // Ids are written out: a list of any length cannot be bound within a fragment.
    let list: Vec<String> = of.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    let first = sql::<Bool>(&format!(
        "enrollments.id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY course_id ORDER BY waitlist_seq) AS place \
         FROM enrollments WHERE status = 'waitlisted' AND course_id IN ({}) \
         AND EXISTS (SELECT 1 FROM users WHERE users.id = enrollments.user_id AND users.state = 'active')) AS line WHERE place <= {n})",
        list.join(", ")
    ));
    let line = enrollments::table.filter(first).order((enrollments::course_id, enrollments::waitlist_seq));
    let mut busy = BTreeSet::new();
    let rows = match conn {
        Conn::Sqlite(c) => line.select(EnrollmentRow::as_select()).load(c)?,
        Conn::Pg(c) => {
            let seen: Vec<(Uuid, Uuid)> = line.select((enrollments::id, enrollments::course_id)).load(c)?;
            let ids: Vec<Uuid> = seen.iter().map(|(id, _)| *id).collect();
            // As they are now: whoever has left since then waits no more.
            let free = lock_free(conn, &ids)?.into_iter().filter(|row| row.status == "waitlisted");
            let mut free: HashMap<Uuid, EnrollmentRow> = free.map(|row| (row.id, row)).collect();
            let mut rows = Vec::new();
            for (id, course) in seen {
                match free.remove(&id) {
                    Some(row) if !busy.contains(&course) => rows.push(row),
                    Some(_) => {}
                    None => drop(busy.insert(course)),
                }
            }
            rows
        }
    };
    Ok((rows, busy))
}

pub fn find_many(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<EnrollmentRow>> {
    let rows = enrollments::table.filter(enrollments::id.eq_any(ids.iter().map(|id| Id(*id))));
    Ok(rows.select(EnrollmentRow::as_select()).load(conn)?)
}

/// Finds these and locks them in order of id; SQLite's one writer needs no lock.
pub fn find_many_locked(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<EnrollmentRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = enrollments::table.filter(enrollments::id.eq_any(ids.iter().map(|id| Id(*id)))).order(enrollments::id);
    Ok(match conn {
        Conn::Pg(c) => rows.select(EnrollmentRow::as_select()).for_update().load(c)?,
        Conn::Sqlite(c) => rows.select(EnrollmentRow::as_select()).load(c)?,
    })
}

/// As [`find_many_locked`], without those that another transaction holds.
pub fn lock_free(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<EnrollmentRow>> {
    let rows = enrollments::table.filter(enrollments::id.eq_any(ids.iter().map(|id| Id(*id)))).order(enrollments::id);
    Ok(match conn {
        Conn::Pg(c) => rows.select(EnrollmentRow::as_select()).for_update().skip_locked().load(c)?,
        Conn::Sqlite(c) => rows.select(EnrollmentRow::as_select()).load(c)?,
    })
}

/// Writes all changeable fields of many, 500 in one statement.
pub fn update_many(conn: &mut Conn, rows: &[EnrollmentRow]) -> AppResult<()> {
    const HEAD: &str = "UPDATE enrollments SET revision_id = v.column2, revision = v.column3, status = v.column4, \
                        waitlist_seq = v.column5, enrolled_at = v.column6, completed_at = v.column7, \
                        ended_at = v.column8, percent = v.column9, done_weight = v.column10, \
                        total_weight = v.column11, facts_tag = v.column12, version = v.column13, \
                        updated_at = v.column14, updated_hour = v.column15 FROM (VALUES ";
    const TAIL: &str = ") AS v WHERE enrollments.id = v.column1";
    for piece in rows.chunks(500) {
        let values = piece.iter().map(|row| {
            vec![
                row.id.into(),
                Bind::MaybeId(row.revision_id.map(Id)),
                Bind::Whole(row.revision.into()),
                row.status.as_str().into(),
                Bind::MaybeWhole(row.waitlist_seq),
                row.enrolled_at.into(),
                row.completed_at.into(),
                row.ended_at.into(),
                row.percent.into(),
                row.done_weight.into(),
                row.total_weight.into(),
                row.facts_tag.into(),
                row.version.into(),
                row.updated_at.into(),
                super::hour_of(row.updated_at).into(),
            ]
        });
        FixedRows::new(HEAD, values.collect(), TAIL).run(conn)?;
    }
    Ok(())
}

/// An enrollment in short: user, course, id, status, generation.
pub type Short = (Uuid, Uuid, Uuid, String, i32);

/// Enrollments of these people in these courses.
pub fn newest_of(conn: &mut Conn, people: &[Uuid], of_courses: &[Uuid]) -> AppResult<Vec<Short>> {
    Ok(enrollments::table
        .filter(enrollments::user_id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(enrollments::course_id.eq_any(of_courses.iter().map(|id| Id(*id))))
        .select((
            enrollments::user_id,
            enrollments::course_id,
            enrollments::id,
            enrollments::status,
            enrollments::generation,
        ))
        .load(conn)?)
}

/// The active enrollments of these people, with their revisions.
pub fn active_of(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    use diesel::NullableExpressionMethods;
    if people.is_empty() {
        return Ok(Vec::new());
    }
    Ok(enrollments::table
        .filter(enrollments::user_id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(enrollments::status.eq("active"))
        .filter(enrollments::revision_id.is_not_null())
        .order(enrollments::id)
        .select((enrollments::id, enrollments::revision_id.assume_not_null()))
        .load(conn)?)
}

/// Courses in whose lines these people are.
pub fn waited_for(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<Uuid>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    Ok(enrollments::table
        .filter(enrollments::user_id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(enrollments::status.eq("waitlisted"))
        .order(enrollments::course_id)
        .distinct()
        .select(enrollments::course_id)
        .load(conn)?)
}

/// How many are active in each of these courses.
pub fn count_active_of(conn: &mut Conn, of_courses: &[Uuid]) -> AppResult<Vec<(Uuid, i64)>> {
    Ok(enrollments::table
        .filter(enrollments::course_id.eq_any(of_courses.iter().map(|id| Id(*id))))
        .filter(enrollments::status.eq("active"))
        .group_by(enrollments::course_id)
        .select((enrollments::course_id, diesel::dsl::count_star()))
        .load(conn)?)
}

/// The newest revision of each of these courses: course, revision.
pub fn latest_revisions(conn: &mut Conn, of_courses: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    use crate::db::schema::course_revisions as revisions;
    use diesel::{BoolExpressionMethods, JoinOnDsl};
    let newest = revisions::course_id.eq(courses::id).and(revisions::number.eq(courses::latest_revision));
    Ok(courses::table
        .inner_join(revisions::table.on(newest))
        .filter(courses::id.eq_any(of_courses.iter().map(|id| Id(*id))))
        .select((courses::id, revisions::id))
        .load(conn)?)
}

/// Writes new enrollments.
pub fn insert_many(conn: &mut Conn, rows: &[EnrollmentRow]) -> diesel::QueryResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    (
                        enrollments::id.eq(Id(row.id)),
                        enrollments::course_id.eq(Id(row.course_id)),
                        enrollments::user_id.eq(Id(row.user_id)),
                        enrollments::revision_id.eq(row.revision_id.map(Id)),
                        enrollments::revision.eq(row.revision),
                        enrollments::generation.eq(row.generation),
                        enrollments::status.eq(row.status.clone()),
                        enrollments::source.eq(row.source.clone()),
                        enrollments::enrolled_by.eq(row.enrolled_by.map(Id)),
                        enrollments::waitlist_seq.eq(row.waitlist_seq),
                        enrollments::cohort_start_at.eq(row.cohort_start_at.map(At)),
                        enrollments::enrolled_at.eq(At(row.enrolled_at)),
                    ),
                    (
                        enrollments::expires_at.eq(row.expires_at.map(At)),
                        enrollments::percent.eq(row.percent),
                        enrollments::done_weight.eq(row.done_weight),
                        enrollments::total_weight.eq(row.total_weight),
                        enrollments::facts_tag.eq(row.facts_tag),
                        enrollments::version.eq(row.version),
                        enrollments::created_at.eq(At(row.created_at)),
                        enrollments::updated_at.eq(At(row.updated_at)),
                        enrollments::updated_hour.eq(super::hour_of(row.updated_at)),
                    ),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(enrollments::table).values(&values).execute(c))?;
    }
    Ok(())
}

/// A live enrollment in short: id, course, user, status.
pub type Live = (Uuid, Uuid, Uuid, String);

/// Live enrollments of these people in these courses that came from this source.
pub fn live_by_source(conn: &mut Conn, of_courses: &[Uuid], people: &[Uuid], source: &str) -> AppResult<Vec<Live>> {
    Ok(enrollments::table
        .filter(enrollments::course_id.eq_any(of_courses.iter().map(|id| Id(*id))))
        .filter(enrollments::user_id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(enrollments::source.eq(source))
        .filter(enrollments::status.eq_any(["active", "pending", "waitlisted"]))
        .order(enrollments::id)
        .select((enrollments::id, enrollments::course_id, enrollments::user_id, enrollments::status))
        .load(conn)?)
}

/// Ends these enrollments, all at once.
pub fn withdraw_many(conn: &mut Conn, ids: &[Uuid], now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(enrollments::table.filter(enrollments::id.eq_any(ids.iter().map(|id| Id(*id)))))
        .set((
            enrollments::status.eq("withdrawn"),
            enrollments::waitlist_seq.eq(None::<i64>),
            enrollments::ended_at.eq(At(now)),
            enrollments::version.eq(enrollments::version + 1),
            enrollments::updated_at.eq(At(now)),
            enrollments::updated_hour.eq(super::hour_of(now)),
        ))
        .execute(conn)?;
    Ok(())
}
