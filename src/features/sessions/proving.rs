//! Checks passwords, for a log-in and for a change of one's own: each attempt counts as failed before the password is looked at, and
//! is given back when it was right. So of many guesses at once no more are evaluated than one after the other, and whoever comes
//! while the account waits is told so, whatever the password.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::service::account_key;
use super::store;
use crate::db::Conn;
use crate::domain::lockout;
use crate::error::{AppError, AppResult, Code, RETRY_AFTER};
use crate::events::{self, NewEvent};
use crate::state::{Ctx, State};

/// Whose password somebody says to know, and from where.
pub struct Claim {
    /// The account.
    pub email: String,
    /// The password.
    pub password: String,
    /// The network address.
    pub address: String,
    /// The event that tells of a wrong one.
    pub failed: &'static str,
}

/// A right password. While this is held, the next attempt at the account waits: forget the failures first.
pub struct Proven<'a> {
    /// Whose it is.
    pub user: Uuid,
    /// The key under which the account's failures are counted.
    pub account: String,
    queue: MutexGuard<'a, ()>,
}

impl Proven<'_> {
    /// Gives the attempt back.
    ///
    /// # Errors
    /// Database errors.
    pub async fn forget(self, state: &State) -> AppResult<()> {
        let Self { account, queue, .. } = self;
        let forgotten = state.db.write(move |conn| store::forget_failures(conn, &account)).await;
        drop(queue);
        forgotten
    }
}

/// Failures without a wait for an address, unless configured otherwise; none when addresses never wait.
fn address_policy(state: &State) -> Option<lockout::Policy> {
    match state.config.access.login_failures_per_address {
        None => Some(lockout::ADDRESS),
        Some(0) => None,
        Some(free) => Some(lockout::Policy { free: i32::try_from(free).unwrap_or(i32::MAX), ..lockout::ADDRESS }),
    }
}

fn check_wait(conn: &mut Conn, keys: &[&str], now: DateTime<Utc>) -> AppResult<()> {
    let failures = store::failures(conn, keys)?;
    let Some(wait) = failures.iter().filter_map(|(_, f)| f.wait_seconds(now)).max() else { return Ok(()) };
    Err(AppError::new(Code::TooMany, format!("Too many log-ins failed. Try again in {wait} s."))
        .with_header(RETRY_AFTER, wait.to_string()))
}

/// One more failure under a key that is locked.
fn count(conn: &mut Conn, key: &str, policy: lockout::Policy, now: DateTime<Utc>) -> AppResult<()> {
    let before = store::failures(conn, &[key])?.pop().map(|(_, failures)| failures).filter(|f| f.count > 0);
    store::set_failures(conn, key, policy.fail(before, now))
}

/// Checks a password; `None` when it is wrong, when there is no such account, or when that is not active. All of these take as long.
///
/// # Errors
/// 429 while the account or the address must wait.
pub async fn prove<'a>(state: &'a State, claim: Claim, ctx: &Ctx) -> AppResult<Option<Proven<'a>>> {
    let Claim { email, password, address, failed } = claim;
    let (account, place) = (account_key(&email), format!("address:{address}"));
    let policy = address_policy(state);
    let watched = policy.map(|_| place.clone());
    let keys =
        move |account: &str| [Some(account.to_owned()), watched.clone()].into_iter().flatten().collect::<Vec<_>>();
    let refuse = move |conn: &mut Conn, keys: &[String], now: DateTime<Utc>| {
        check_wait(conn, &keys.iter().map(String::as_str).collect::<Vec<_>>(), now)
    };
    // First without a turn and without writing: a flood of guesses at an account that waits costs a read each.
    let (asked, now) = (keys(&account), state.clock.now());
    state.db.read(move |conn| refuse(conn, &asked, now)).await?;
    let queue = state.passwords.queue(&account).await?;
    // Those of one address are counted when they have failed, so at most as many slip by as passwords are checked at once.
    let turn = state.passwords.turn().await?;
    let (asked, key, now) = (keys(&account), account.clone(), state.clock.now());
    let found = state
        .db
        .write(move |conn| {
            store::lock_failures(conn, &[&key], now)?;
            refuse(conn, &asked, now)?;
            count(conn, &key, lockout::ACCOUNT, now)?;
            store::find_login(conn, email.trim())
        })
        .await?;
    let known = found.as_ref().and_then(|(_, hash, _)| hash.clone());
    let right = state.passwords.verify_in(&turn, password, known).await?;
    let who = found.as_ref().map(|(user, ..)| *user);
    if let Some((user, ..)) = found.filter(|(_, _, user_state)| right && user_state == "active") {
        return Ok(Some(Proven { user, account, queue }));
    }
    let ctx = ctx.clone();
    state
        .db
        .write(move |conn| {
            if let Some(policy) = policy {
                store::lock_failures(conn, &[&place], now)?;
                count(conn, &place, policy, now)?;
            }
            let event = NewEvent::new(failed, "account", who.unwrap_or_else(Uuid::nil));
            let event = NewEvent { user_id: who, ..event }.data(json!({"address": address}));
            events::append(conn, &ctx, vec![event])
        })
        .await?;
    drop(turn);
    Ok(None)
}
