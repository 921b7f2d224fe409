//! SQL about sessions and refresh tokens.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::{login_failures, refresh_tokens, sessions, users};
use crate::db::types::{At, Id};
use crate::domain::lockout::Failures;
use crate::error::AppResult;
use crate::per_backend;

/// What a log-in needs to know: id, password's hash, state.
pub fn find_login(conn: &mut Conn, email: &str) -> AppResult<Option<(Uuid, Option<String>, String)>> {
    Ok(users::table
        .filter(users::email_key.eq(email.to_lowercase()))
        .select((users::id, users::password_hash, users::state))
        .first(conn)
        .optional()?)
}

pub fn insert(
    conn: &mut Conn,
    id: Uuid,
    user: Uuid,
    agent: Option<&str>,
    expires: DateTime<Utc>,
    now: DateTime<Utc>,
) -> AppResult<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(Id(id)),
            sessions::user_id.eq(Id(user)),
            sessions::user_agent.eq(agent),
            sessions::created_at.eq(At(now)),
            sessions::refreshed_at.eq(At(now)),
            sessions::expires_at.eq(At(expires)),
        ))
        .execute(conn)?;
    diesel::update(users::table.filter(users::id.eq(Id(user)))).set(users::last_login_at.eq(At(now))).execute(conn)?;
    Ok(())
}

pub fn insert_token(conn: &mut Conn, hash: &str, session: Uuid, now: DateTime<Utc>) -> AppResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(hash),
            refresh_tokens::session_id.eq(Id(session)),
            refresh_tokens::created_at.eq(At(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// A refresh token with its session and user.
#[derive(diesel::Queryable)]
pub struct Found {
    pub session: Uuid,
    pub user: Uuid,
    pub ended_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub user_state: String,
}

pub fn find_token(conn: &mut Conn, hash: &str) -> AppResult<Option<Found>> {
    Ok(refresh_tokens::table
        .inner_join(sessions::table.inner_join(users::table))
        .filter(refresh_tokens::hash.eq(hash))
        .select((sessions::id, users::id, sessions::ended_at, sessions::expires_at, users::state))
        .first(conn)
        .optional()?)
}

/// Uses the token up; false when it was used before, also by someone at this very moment.
pub fn use_token(conn: &mut Conn, hash: &str, now: DateTime<Utc>) -> AppResult<bool> {
    let unused = refresh_tokens::table.filter(refresh_tokens::hash.eq(hash)).filter(refresh_tokens::used_at.is_null());
    Ok(diesel::update(unused).set(refresh_tokens::used_at.eq(At(now))).execute(conn)? == 1)
}

pub fn touch(conn: &mut Conn, session: Uuid, expires: DateTime<Utc>, now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(sessions::table.filter(sessions::id.eq(Id(session))))
        .set((sessions::refreshed_at.eq(At(now)), sessions::expires_at.eq(At(expires))))
        .execute(conn)?;
    Ok(())
}

pub fn end(conn: &mut Conn, session: Uuid, reason: &str, now: DateTime<Utc>) -> AppResult<()> {
    let live = sessions::table.filter(sessions::id.eq(Id(session))).filter(sessions::ended_at.is_null());
    diesel::update(live).set((sessions::ended_at.eq(At(now)), sessions::end_reason.eq(reason))).execute(conn)?;
    Ok(())
}

/// What is remembered of failed log-ins under these keys.
pub fn failures(conn: &mut Conn, keys: &[&str]) -> AppResult<Vec<(String, Failures)>> {
    type Row = (String, i32, DateTime<Utc>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = login_failures::table
        .filter(login_failures::key.eq_any(keys.to_vec()))
        .select((login_failures::key, login_failures::failures, login_failures::last_at, login_failures::blocked_until))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(key, count, last_at, blocked_until)| (key, Failures { count, last_at, blocked_until }))
        .collect())
}

/// Makes the rows where they are not there, and holds them until the transaction ends, always in the same order.
pub fn lock_failures(conn: &mut Conn, keys: &[&str], now: DateTime<Utc>) -> AppResult<()> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    let rows: Vec<_> = keys
        .iter()
        .map(|key| (login_failures::key.eq(*key), login_failures::failures.eq(0), login_failures::last_at.eq(At(now))))
        .collect();
    per_backend!(conn, |c| diesel::insert_into(login_failures::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .execute(c))?;
    if let Conn::Pg(pg) = conn {
        login_failures::table
            .filter(login_failures::key.eq_any(keys))
            .order(login_failures::key)
            .select(login_failures::key)
            .for_update()
            .load::<String>(pg)?;
    }
    Ok(())
}

pub fn set_failures(conn: &mut Conn, key: &str, failures: Failures) -> AppResult<()> {
    diesel::update(login_failures::table.filter(login_failures::key.eq(key)))
        .set((
            login_failures::failures.eq(failures.count),
            login_failures::last_at.eq(At(failures.last_at)),
            login_failures::blocked_until.eq(failures.blocked_until.map(At)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Forgets the failures under a key.
///
/// # Errors
/// Database errors.
pub fn forget_failures(conn: &mut Conn, key: &str) -> AppResult<()> {
    diesel::delete(login_failures::table.filter(login_failures::key.eq(key))).execute(conn)?;
    Ok(())
}

pub fn forget_old_failures(conn: &mut Conn, before: DateTime<Utc>) -> AppResult<()> {
    diesel::delete(login_failures::table.filter(login_failures::last_at.lt(At(before)))).execute(conn)?;
    Ok(())
}

/// Deletes sessions that expired before this instant, with their tokens.
pub fn delete_expired(conn: &mut Conn, before: DateTime<Utc>) -> AppResult<usize> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.lt(At(before)))).execute(conn)?)
}
