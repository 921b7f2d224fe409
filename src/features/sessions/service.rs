//! Use cases about sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::dto::Tokens;
use super::proving::{self, Claim};
use super::store;
use crate::clock;
use crate::db::Conn;
use crate::domain::lockout;
use crate::domain::permission::{Act, Actor, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::state::{Ctx, State};

fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wrong() -> AppError {
    AppError::new(Code::BadCredentials, "E-mail and password do not belong together, or the account is not active.")
}

fn expiry(state: &State, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::days(state.config.refresh_token_days.into())
}

fn tokens(state: &State, user: Uuid, session: Uuid, refresh_token: String, now: DateTime<Utc>) -> AppResult<Tokens> {
    Ok(Tokens {
        access_token: state.tokens.sign(user, Some(session), None, now, state.access_lifetime())?,
        token_type: "Bearer",
        expires_in: state.config.access_token_seconds,
        refresh_token,
    })
}

/// Where a log-in comes from.
pub struct Origin {
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// The network address.
    pub address: String,
    /// The request, for the event log.
    pub request_id: Option<String>,
}

/// The key under which failures of an account are counted.
#[must_use]
pub fn account_key(email: &str) -> String {
    format!("account:{}", hash(&email.trim().to_lowercase()))
}

/// Logs in. An unknown e-mail takes as long as a wrong password and says the same; so does the wait after many failures.
///
/// # Errors
/// 401; 429 while the account or the address must wait.
pub async fn log_in(state: &State, email: String, password: String, origin: Origin) -> AppResult<Tokens> {
    let ctx = Ctx { request_id: origin.request_id, ..state.system() };
    let claim = Claim { email, password, address: origin.address, failed: "session.failed" };
    let Some(proven) = proving::prove(state, claim, &ctx).await? else { return Err(wrong()) };
    let now = state.clock.now();
    let (user, account) = (proven.user, proven.account.clone());
    let session = clock::new_id(now);
    let token = clock::secret()?;
    let (token_hash, expires) = (hash(&token), expiry(state, now));
    let ctx = Ctx { actor: Actor::User { id: user, grants: Vec::new() }, now, ..ctx };
    state
        .db
        .write(move |conn| {
            store::forget_failures(conn, &account)?;
            store::insert(conn, session, user, origin.agent.as_deref(), expires, now)?;
            store::insert_token(conn, &token_hash, session, now)?;
            events::append(conn, &ctx, vec![NewEvent::new("session.created", "session", session).user(user)])
        })
        .await?;
    drop(proven);
    tokens(state, user, session, token, now)
}

/// What a refresh found.
enum Refreshed {
    New(Uuid, Uuid),
    Reused,
}

/// Exchanges a refresh token for new tokens.
///
/// # Errors
/// 401; a token that was used before also ends its session.
pub async fn refresh(state: &State, token: String) -> AppResult<Tokens> {
    let now = state.clock.now();
    let expires = expiry(state, now);
    let next = clock::secret()?;
    let (old_hash, new_hash) = (hash(&token), hash(&next));
    let system = state.system();
    let outcome = state
        .db
        .write(move |conn| {
            let gone =
                || AppError::new(Code::Unauthenticated, "The refresh token is not valid any more. Log in again.");
            let found = store::find_token(conn, &old_hash)?.ok_or_else(gone)?;
            if found.ended_at.is_some() || found.expires_at <= now || found.user_state != "active" {
                return Err(gone());
            }
            if !store::use_token(conn, &old_hash, now)? {
                store::end(conn, found.session, "refresh_token_reused", now)?;
                events::append(
                    conn,
                    &system,
                    vec![NewEvent::new("session.reuse_detected", "session", found.session).user(found.user)],
                )?;
                return Ok(Refreshed::Reused);
            }
            store::touch(conn, found.session, expires, now)?;
            store::insert_token(conn, &new_hash, found.session, now)?;
            Ok(Refreshed::New(found.user, found.session))
        })
        .await?;
    match outcome {
        Refreshed::New(user, session) => tokens(state, user, session, next, now),
        Refreshed::Reused => Err(AppError::new(
            Code::Unauthenticated,
            "The refresh token was used before, so its session has been ended. Log in again.",
        )),
    }
}

/// Ends the caller's session at once.
///
/// # Errors
/// 403 for clients, who have none; they revoke their tokens. 409 for tokens of an outside issuer.
pub fn end(conn: &mut Conn, ctx: &Ctx) -> AppResult<()> {
    ctx.user()?;
    ctx.require(Act::ManageOwnAccount, &Relation { own: true, ..Relation::default() })?;
    match ctx.session_id {
        Some(session) => {
            store::end(conn, session, "logged_out", ctx.now)?;
            let mut told = NewEvent::new("session.ended", "session", session);
            told.user_id = ctx.actor.user_id();
            events::append(conn, ctx, vec![told])
        }
        None => Err(AppError::new(
            Code::WrongState,
            "The token is of an outside issuer, so there is no session here that could end. Log out there.",
        )),
    }
}

/// Deletes sessions a week after they expired.
///
/// # Errors
/// Database errors.
pub fn forget_expired(state: &State, _: &serde_json::Value) -> AppResult<()> {
    let now = state.clock.now();
    state.db.write_here(move |conn| {
        store::forget_old_failures(conn, now - TimeDelta::hours(lockout::FORGOTTEN_HOURS))?;
        store::delete_expired(conn, now - TimeDelta::days(7)).map(drop)
    })
}
