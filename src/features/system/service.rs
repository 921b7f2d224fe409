//! Use cases of operation.

use chrono::{DateTime, Utc};

use super::store;
use crate::db::migrations;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::state::{Ctx, State};

/// A hundred years: more would leave what both databases can keep.
const MAX_OFFSET_SECONDS: i64 = 100 * 366 * 86_400;

/// Sets this process's clock to where the sandbox's users have moved it; also run now and then, for other processes.
///
/// # Errors
/// Database errors.
pub fn restore_clock(state: &State) -> AppResult<()> {
    if state.config.sandbox {
        state.clock.set_offset(state.db.read_here(store::clock_offset)?);
    }
    Ok(())
}

/// Sets this process's clock to where the server's users have moved it, for a worker beside the server: its work is due by the time
/// that the server tells, and it has no setting of its own that could contradict.
///
/// # Errors
/// Database errors.
pub fn follow_clock(state: &State) -> AppResult<()> {
    state.clock.set_offset(state.db.read_here(store::clock_offset)?);
    Ok(())
}

/// Moves the clock forward and answers the new time.
///
/// # Errors
/// 404 outside of the sandbox, 403 for all but admins.
pub async fn advance_clock(state: &State, ctx: Ctx, seconds: u64) -> AppResult<DateTime<Utc>> {
    if !state.config.sandbox {
        return Err(AppError::new(
            Code::NotFound,
            "The clock can only be moved in the sandbox: start the server with CAIRN_SANDBOX=1.",
        ));
    }
    ctx.require(Act::MoveClock, &Relation::default())?;
    let new = state
        .db
        .write(move |conn| {
            let new = store::clock_offset(conn)?.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
            if new > MAX_OFFSET_SECONDS {
                return Err(AppError::field(
                    "/advance_seconds",
                    "out_of_range",
                    "The clock cannot be moved further than 100 years.",
                ));
            }
            store::set_clock_offset(conn, new)?;
            Ok(new)
        })
        .await?;
    state.clock.set_offset(new);
    Ok(state.clock.now())
}

/// Names of migrations that the database lacks; an error when it cannot be asked.
///
/// # Errors
/// Database errors.
pub async fn readiness(state: &State) -> AppResult<Vec<String>> {
    state.db.read(migrations::pending).await
}
