//! Places in line, taken in many courses by one statement: what is told of each course is bound as one JSON document.

use std::collections::HashMap;

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::types::{Json, SqlId, SqlJson};
use crate::error::AppResult;

fn told(of_courses: &[(Uuid, i64)]) -> Json {
    Json(Value::Array(of_courses.iter().map(|(id, n)| json!({"id": id, "n": n})).collect()))
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
