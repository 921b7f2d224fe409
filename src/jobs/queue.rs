//! The queue: enqueue in the transaction that wants the work, claim by lease, finish or retry with growing delay.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::clock;
use crate::db::Conn;
use crate::db::schema::jobs;
use crate::db::types::{At, Id, Json};
use crate::error::AppResult;
use crate::per_backend;

/// Seconds for which a worker holds a job before another may take it over; it says now and then that it still works on it.
const LEASE_SECONDS: i64 = 15;
/// Seconds after which a worker holds its job anew.
pub const RENEW_SECONDS: u64 = 5;
/// Attempts after which a job is given up, and kept for people to look at.
const MAX_ATTEMPTS: i32 = 10;

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its id.
    pub id: Uuid,
    /// What to do.
    pub kind: String,
    /// Of jobs with the same key only one waits.
    pub dedup_key: Option<String>,
    /// With what.
    pub payload: Value,
    /// How often it was tried, this time included.
    pub attempts: i32,
}

/// Adds a job. With a `dedup_key`, nothing happens when a job of this key waits already.
///
/// # Errors
/// Database errors.
pub fn enqueue(
    conn: &mut Conn,
    kind: &str,
    dedup_key: Option<&str>,
    payload: Value,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> AppResult<()> {
    let row = (
        jobs::id.eq(Id(clock::new_id(now))),
        jobs::kind.eq(kind),
        jobs::dedup_key.eq(dedup_key),
        jobs::payload.eq(Json(payload)),
        jobs::state.eq("queued"),
        jobs::run_at.eq(At(run_at)),
        jobs::attempts.eq(0),
        jobs::created_at.eq(At(now)),
        jobs::updated_at.eq(At(now)),
    );
    per_backend!(conn, |c| diesel::insert_into(jobs::table)
        .values(row)
        .on_conflict(jobs::dedup_key)
        .do_nothing()
        .execute(c))?;
    Ok(())
}

/// Claims the job that has been due longest, if there is one; a job that ended every worker so far is given up instead. Commit
/// before working on it.
///
/// # Errors
/// Database errors.
pub fn claim(conn: &mut Conn, now: DateTime<Utc>) -> AppResult<Option<Claimed>> {
    let due = jobs::state
        .eq("queued")
        .or(jobs::state.eq("leased").and(jobs::lease_until.lt(At(now))))
        .and(jobs::run_at.le(At(now)));
    let columns = (jobs::id, jobs::kind, jobs::dedup_key, jobs::payload, jobs::attempts);
    type Row = (Uuid, String, Option<String>, Value, i32);
    let found: Option<Row> = match conn {
        Conn::Pg(pg) => jobs::table
            .filter(due)
            .order(jobs::run_at)
            .select(columns)
            .for_update()
            .skip_locked()
            .first(pg)
            .optional()?,
        Conn::Sqlite(lite) => jobs::table.filter(due).order(jobs::run_at).select(columns).first(lite).optional()?,
    };
    let Some((id, kind, dedup_key, payload, attempts)) = found else { return Ok(None) };
    if attempts >= MAX_ATTEMPTS {
        // Each attempt took its process with it, or it would have been given up at its end.
        let job = Claimed { id, kind, dedup_key, payload, attempts };
        finish(conn, &job, Err("the worker died, or was too slow, at every attempt".into()), now)?;
        return Ok(None);
    }
    let attempts = attempts.saturating_add(1);
    diesel::update(jobs::table.filter(jobs::id.eq(Id(id))))
        .set((
            jobs::state.eq("leased"),
            jobs::lease_until.eq(At(now + TimeDelta::seconds(LEASE_SECONDS))),
            jobs::attempts.eq(attempts),
            jobs::updated_at.eq(At(now)),
        ))
        .execute(conn)?;
    Ok(Some(Claimed { id, kind, dedup_key, payload, attempts }))
}

/// Holds a job for longer, unless another worker has taken it over.
///
/// # Errors
/// Database errors.
pub fn renew(conn: &mut Conn, job: Uuid, attempt: i32, now: DateTime<Utc>) -> AppResult<()> {
    let mine = jobs::table.filter(jobs::id.eq(Id(job))).filter(jobs::attempts.eq(attempt));
    diesel::update(mine.filter(jobs::state.eq("leased")))
        .set((jobs::lease_until.eq(At(now + TimeDelta::seconds(LEASE_SECONDS))), jobs::updated_at.eq(At(now))))
        .execute(conn)?;
    Ok(())
}

/// Ends a job: done with, or to be tried again later, or given up. Nothing happens when another worker has taken it over.
///
/// # Errors
/// Database errors.
pub fn finish(conn: &mut Conn, job: &Claimed, outcome: Result<(), String>, now: DateTime<Utc>) -> AppResult<()> {
    let this = jobs::table.filter(jobs::id.eq(Id(job.id))).filter(jobs::attempts.eq(job.attempts));
    match outcome {
        Ok(()) => {
            diesel::delete(this).execute(conn)?;
        }
        Err(error) => {
            let give_up = job.attempts >= MAX_ATTEMPTS;
            let delay = TimeDelta::seconds(2_i64.saturating_pow(u32::try_from(job.attempts).unwrap_or(0).min(12)));
            diesel::update(this)
                .set((
                    jobs::state.eq(if give_up { "failed" } else { "queued" }),
                    jobs::run_at.eq(At(now + delay)),
                    jobs::lease_until.eq(None::<At>),
                    // Who is given up makes room, or what recurs would never run again.
                    jobs::dedup_key.eq(job.dedup_key.as_deref().filter(|_| !give_up)),
                    jobs::last_error.eq(error),
                    jobs::updated_at.eq(At(now)),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// Whether anything is due.
///
/// # Errors
/// Database errors.
pub fn any_due(conn: &mut Conn, now: DateTime<Utc>) -> AppResult<bool> {
    let due = jobs::state
        .eq("queued")
        .or(jobs::state.eq("leased").and(jobs::lease_until.lt(At(now))))
        .and(jobs::run_at.le(At(now)));
    Ok(jobs::table.filter(due).select(jobs::id).first::<Uuid>(conn).optional()?.is_some())
}

/// Whether a job with this key waits or is under way. One that was given up has none.
///
/// # Errors
/// Database errors.
pub fn any_with_key(conn: &mut Conn, key: &str) -> AppResult<bool> {
    Ok(jobs::table.filter(jobs::dedup_key.eq(key)).select(jobs::id).first::<Uuid>(conn).optional()?.is_some())
}

/// The last period for which a recurring job was enqueued.
///
/// # Errors
/// Database errors.
pub fn period(conn: &mut Conn, consumer: &str) -> AppResult<Option<i64>> {
    use crate::db::schema::event_cursors as cursors;
    Ok(cursors::table.find(consumer).select(cursors::seq).get_result(conn).optional()?)
}

/// Remembers for which period a recurring job was enqueued.
///
/// # Errors
/// Database errors.
pub fn set_period(conn: &mut Conn, consumer: &str, period: i64, now: DateTime<Utc>) -> AppResult<()> {
    use crate::db::schema::event_cursors as cursors;
    let row = (cursors::consumer.eq(consumer), cursors::seq.eq(period), cursors::updated_at.eq(At(now)));
    per_backend!(conn, |c| diesel::insert_into(cursors::table)
        .values(row)
        .on_conflict(cursors::consumer)
        .do_update()
        .set((cursors::seq.eq(period), cursors::updated_at.eq(At(now))))
        .execute(c))?;
    Ok(())
}
