//! SQL about when enrollments are to be looked at again, because time has passed.

use chrono::{DateTime, Utc};
use diesel::upsert::excluded;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::enrollment_turns as turns;
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// Writes down when each of these is to be looked at next.
pub fn set_turns(conn: &mut Conn, next: &[(Uuid, DateTime<Utc>)]) -> AppResult<()> {
    for piece in next.chunks(500) {
        let rows: Vec<_> =
            piece.iter().map(|(id, at)| (turns::enrollment_id.eq(Id(*id)), turns::at.eq(At(*at)))).collect();
        per_backend!(conn, |c| diesel::insert_into(turns::table)
            .values(&rows)
            .on_conflict(turns::enrollment_id)
            .do_update()
            .set(turns::at.eq(excluded(turns::at)))
            .execute(c))?;
    }
    Ok(())
}

/// Enrollments that are to be looked at, those first that have waited longest.
pub fn due_turns(conn: &mut Conn, now: DateTime<Utc>, n: usize) -> AppResult<Vec<Uuid>> {
    Ok(turns::table
        .filter(turns::at.le(At(now)))
        .order((turns::at, turns::enrollment_id))
        .limit(i64::try_from(n).unwrap_or(i64::MAX))
        .select(turns::enrollment_id)
        .load(conn)?)
}

/// Forgets when these are to be looked at.
pub fn forget_turns(conn: &mut Conn, of: &[Uuid]) -> AppResult<()> {
    if !of.is_empty() {
        diesel::delete(turns::table.filter(turns::enrollment_id.eq_any(of.iter().map(|id| Id(*id))))).execute(conn)?;
    }
    Ok(())
}
