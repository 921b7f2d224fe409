//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the first answer is stored in the transaction of the write that
//! it tells of, and given again to a retry. Only successes are stored: an error changed nothing, so a retry may try again.

use std::future::{Ready, ready};
use std::sync::PoisonError;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, TextExpressionMethods,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Answer;
use crate::db::Conn;
use crate::db::schema::idempotency_keys as keys;
use crate::db::types::At;
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::per_backend;
use crate::state::{Ctx, State};

/// Hours for which an answer is kept.
pub const KEPT_HOURS: i64 = 24;

/// What a request says about retries: its key, and what makes it the same request.
#[derive(Debug, Clone)]
pub struct Retry {
    key: Option<String>,
    target: String,
}

impl Retry {
    /// One of the writes of a request that makes many, each in a transaction of its own.
    #[must_use]
    pub fn part(&self, n: usize) -> Self {
        let key = self.key.as_ref().map(|key| format!("{n}:{key}"));
        Self { key, target: format!("{} {n}", self.target) }
    }
}

impl FromRequest for Retry {
    type Error = AppError;
    type Future = Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = match request.headers().get("idempotency-key") {
            None => None,
            Some(value) => match value.to_str() {
                Ok(text) if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
                    Some(text.to_owned())
                }
                _ => {
                    return ready(Err(AppError::new(
                        Code::Malformed,
                        "Idempotency-Key must be 1 to 255 visible ASCII characters.",
                    )));
                }
            },
        };
        let target = if key.is_some() { format!("{} {}", request.method(), request.uri()) } else { String::new() };
        ready(Ok(Self { key, target }))
    }
}

/// Holds the key while its request runs, in this process.
struct Running {
    state: State,
    name: (String, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.running_keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Runs a write in one transaction and answers when it is durable; a request with a known Idempotency-Key gets the first answer.
///
/// # Errors
/// What the write answers; 409 while the first request with this key runs; 422 when the key was used for another request.
pub async fn commit<F>(state: &State, ctx: &Ctx, retry: Retry, body: &web::Bytes, write: F) -> AppResult<Answer>
where
    F: FnOnce(&mut Conn, &Ctx) -> AppResult<Answer> + Send + 'static,
{
    let ctx = ctx.clone();
    let Some(key) = retry.key else { return state.db.write(move |conn| write(conn, &ctx)).await };
    let caller = ctx.actor.id().map_or_else(|| "system".to_owned(), |id| id.to_string());
    let _running = begin(state, (caller.clone(), key.clone()))?;
    let fingerprint = fingerprint(&retry.target, body);
    state
        .db
        .write(move |conn| {
            if let Some(answer) = find(conn, &caller, &key, &fingerprint)? {
                return Ok(answer);
            }
            let answer = write(conn, &ctx)?;
            store(conn, &caller, &key, &fingerprint, &answer, &ctx)?;
            Ok(answer)
        })
        .await
}

fn begin(state: &State, name: (String, String)) -> AppResult<Running> {
    let fresh = state.running_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    if fresh { Ok(Running { state: state.clone(), name }) } else { Err(still_running()) }
}

fn still_running() -> AppError {
    AppError::new(
        Code::StillRunning,
        "The first request with this Idempotency-Key is still running. Ask again in a moment.",
    )
}

fn fingerprint(target: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(target.as_bytes());
    hash.update([0]);
    hash.update(body);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of a key whose answer was about somebody who has been erased: nothing of theirs is left in it. No key has a space.
fn erased_name(caller: &str, key: &str) -> String {
    format!("erased {}", fingerprint(caller, key.as_bytes()))
}

fn find(conn: &mut Conn, caller: &str, key: &str, fingerprint: &str) -> AppResult<Option<Answer>> {
    let row: Option<(String, i32, String, String, String)> = keys::table
        .filter(keys::caller.eq(caller))
        .filter(keys::key.eq_any([key.to_owned(), erased_name(caller, key)]))
        .select((keys::fingerprint, keys::status, keys::headers, keys::body, keys::key))
        .first(conn)
        .optional()?;
    let Some((known, status, headers, body, name)) = row else { return Ok(None) };
    if name != key {
        return Err(AppError::new(
            Code::WrongState,
            "The first answer to this Idempotency-Key was about somebody whose data was erased since. Nothing was done again.",
        )
        .with("reason", "erased"));
    }
    if known != fingerprint {
        return Err(AppError::new(
            Code::KeyReused,
            "This Idempotency-Key was used for another request. Use a new key.",
        ));
    }
    let headers = serde_json::from_str(&headers).map_err(AppError::internal)?;
    let status = u16::try_from(status).map_err(AppError::internal)?;
    Ok(Some(Answer { status, headers, body: body.into_bytes() }.header("idempotency-replayed", "true")))
}

fn store(conn: &mut Conn, caller: &str, key: &str, fingerprint: &str, answer: &Answer, ctx: &Ctx) -> AppResult<()> {
    let headers = serde_json::to_string(&answer.headers).map_err(AppError::internal)?;
    let body = String::from_utf8(answer.body.clone()).map_err(AppError::internal)?;
    diesel::insert_into(keys::table)
        .values((
            keys::caller.eq(caller),
            keys::key.eq(key),
            keys::fingerprint.eq(fingerprint),
            keys::status.eq(i32::from(answer.status)),
            keys::headers.eq(headers),
            keys::body.eq(body),
            keys::created_at.eq(At(ctx.now)),
        ))
        .execute(conn)
        .map_err(|error| if is_unique_violation(&error) { still_running() } else { error.into() })?;
    Ok(())
}

/// Forgets all answers about a person who is erased, by whomever they were asked; a retry with such a key is refused as long as the
/// answer would have been kept, so that it does not make the person anew.
///
/// # Errors
/// Database errors.
pub fn forget_person(conn: &mut Conn, user: Uuid) -> AppResult<()> {
    let own = user.to_string();
    let about = || keys::body.like(format!("%{user}%")).or(keys::caller.eq(own.clone()));
    let known: Vec<(String, String, DateTime<Utc>)> =
        keys::table.filter(about()).select((keys::caller, keys::key, keys::created_at)).load(conn)?;
    diesel::delete(keys::table.filter(about())).execute(conn)?;
    // The person themself asks nothing any more.
    let others: Vec<_> = known
        .into_iter()
        .filter(|(caller, key, _)| *caller != own && !key.contains(' '))
        .map(|(caller, key, at)| {
            let name = erased_name(&caller, &key);
            (
                keys::caller.eq(caller),
                keys::key.eq(name),
                keys::fingerprint.eq(""),
                keys::status.eq(0),
                keys::headers.eq(""),
                keys::body.eq(""),
                keys::created_at.eq(At(at)),
            )
        })
        .collect();
    for piece in others.chunks(500) {
        per_backend!(conn, |c| diesel::insert_into(keys::table).values(piece).execute(c))?;
    }
    Ok(())
}

/// Forgets answers older than [`KEPT_HOURS`], a piece at a time. Answers how many went.
///
/// # Errors
/// Database errors.
pub fn forget_old(conn: &mut Conn, now: DateTime<Utc>) -> AppResult<usize> {
    let before = now - chrono::TimeDelta::hours(KEPT_HOURS);
    Ok(diesel::delete(keys::table.filter(keys::created_at.lt(At(before)))).execute(conn)?)
}
