//! SQL about waiting lists, for many courses in one statement: what is told of each course is bound as one JSON document.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::types::{At, Json, SqlId, SqlInstant, SqlJson};
use crate::error::AppResult;

fn told(of_courses: &[(Uuid, i64)]) -> Json {
    Json(Value::Array(of_courses.iter().map(|(id, n)| json!({"id": id, "n": n})).collect()))
}

/// Somebody who waits.
#[derive(Debug, Clone, QueryableByName)]
pub struct Waiting {
    #[diesel(sql_type = SqlId)]
    pub id: Uuid,
    #[diesel(sql_type = SqlId)]
    pub course_id: Uuid,
    #[diesel(sql_type = SqlId)]
    pub user_id: Uuid,
}

/// Those who have waited longest, for each course as many as there are seats.
pub fn first_waiting(conn: &mut Conn, free: &[(Uuid, i64)]) -> AppResult<Vec<Waiting>> {
    const START: &str = "SELECT w.id, w.course_id, w.user_id FROM (SELECT e.id, e.course_id, e.user_id, f.n, \
         row_number() OVER (PARTITION BY e.course_id ORDER BY e.waitlist_seq, e.id) AS place FROM ";
    const END: &str = " CROSS JOIN enrollments e WHERE e.course_id = f.id AND e.status = 'waitlisted') w \
         WHERE w.place <= w.n ORDER BY w.course_id, w.place";
    Ok(match conn {
        Conn::Pg(c) => sql_query(format!("{START} jsonb_to_recordset($1) AS f (id uuid, n bigint) {END}"))
            .bind::<SqlJson, _>(told(free))
            .load(c)?,
        // SQLite keeps the order of a CROSS JOIN, so it reads the waiting lists of these courses alone.
        Conn::Sqlite(c) => {
            sql_query(format!("{START} (SELECT value ->> 'id' AS id, value ->> 'n' AS n FROM json_each(?1)) f {END}"))
                .bind::<SqlJson, _>(told(free))
                .load(c)?
        }
    })
}

/// Gives seats to these, with the newest revision of their course.
pub fn activate(conn: &mut Conn, ids: &[Uuid], tag: i64, now: DateTime<Utc>) -> AppResult<()> {
    const START: &str =
        "UPDATE enrollments SET status = 'active', waitlist_seq = NULL, revision_id = r.id, revision = r.number, ";
    const END: &str = "version = enrollments.version + 1 FROM courses c \
         JOIN course_revisions r ON r.course_id = c.id AND r.number = c.latest_revision \
         WHERE c.id = enrollments.course_id AND enrollments.id IN ";
    for piece in ids.chunks(500) {
        let these = Json(json!(piece));
        match conn {
            Conn::Pg(c) => sql_query(format!(
                "{START} enrolled_at = $2, updated_at = $2, facts_tag = $3, {END} \
                 (SELECT value::uuid FROM jsonb_array_elements_text($1) AS t (value))"
            ))
            .bind::<SqlJson, _>(these)
            .bind::<SqlInstant, _>(At(now))
            .bind::<sql_types::BigInt, _>(tag)
            .execute(c)?,
            Conn::Sqlite(c) => sql_query(format!(
                "{START} enrolled_at = ?2, updated_at = ?2, facts_tag = ?3, {END} (SELECT value FROM json_each(?1))"
            ))
            .bind::<SqlJson, _>(these)
            .bind::<SqlInstant, _>(At(now))
            .bind::<sql_types::BigInt, _>(tag)
            .execute(c)?,
        };
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = SqlId)]
    id: Uuid,
    #[diesel(sql_type = sql_types::BigInt)]
    waitlist_counter: i64,
}

/// Takes so many numbers in each course's line; answers the first of each.
pub fn take_places_in_line(conn: &mut Conn, wanted: &[(Uuid, i64)]) -> AppResult<HashMap<Uuid, i64>> {
    const START: &str = "UPDATE courses SET waitlist_counter = waitlist_counter + w.n FROM ";
    const END: &str = " WHERE courses.id = w.id RETURNING courses.id, waitlist_counter";
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let last: Vec<Counter> = match conn {
        Conn::Pg(c) => sql_query(format!("{START} jsonb_to_recordset($1) AS w (id uuid, n bigint) {END}"))
            .bind::<SqlJson, _>(told(wanted))
            .load(c)?,
        Conn::Sqlite(c) => {
            sql_query(format!("{START} (SELECT value ->> 'id' AS id, value ->> 'n' AS n FROM json_each(?1)) w {END}"))
                .bind::<SqlJson, _>(told(wanted))
                .load(c)?
        }
    };
    let taken: HashMap<Uuid, i64> = wanted.iter().copied().collect();
    let first = |row: Counter| {
        let n = taken.get(&row.id).copied().unwrap_or(0);
        (row.id, row.waitlist_counter.saturating_sub(n).saturating_add(1))
    };
    Ok(last.into_iter().map(first).collect())
}
