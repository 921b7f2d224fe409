//! Use cases of operation.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use crate::db::schema::settings;
use crate::db::{Conn, migrations};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::per_backend;
use crate::state::{Ctx, State};

const OFFSET: &str = "sandbox_clock_offset_seconds";
/// A hundred years: more would leave what both databases can keep.
const MAX_OFFSET_SECONDS: i64 = 100 * 366 * 86_400;

fn offset(conn: &mut Conn) -> AppResult<i64> {
    let text: Option<String> = settings::table.find(OFFSET).select(settings::value).first(conn).optional()?;
    text.map_or(Ok(0), |text| text.parse().map_err(AppError::internal))
}

/// Sets this process's clock to where the sandbox's users have moved it; also run now and then, for other processes.
///
/// # Errors
/// Database errors.
pub fn restore_clock(state: &State) -> AppResult<()> {
    if state.config.sandbox {
        state.clock.set_offset(state.db.read_here(offset)?);
    }
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
            let new = offset(conn)?.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
            if new > MAX_OFFSET_SECONDS {
                return Err(AppError::field(
                    "/advance_seconds",
                    "out_of_range",
                    "The clock cannot be moved further than 100 years.",
                ));
            }
            let row = (settings::key.eq(OFFSET), settings::value.eq(new.to_string()));
            per_backend!(conn, |c| diesel::insert_into(settings::table)
                .values(row)
                .on_conflict(settings::key)
                .do_update()
                .set(settings::value.eq(new.to_string()))
                .execute(c))?;
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
