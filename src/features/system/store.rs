//! SQL about the installation's own settings.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use crate::db::Conn;
use crate::db::schema::settings;
use crate::error::{AppError, AppResult};
use crate::per_backend;

const OFFSET: &str = "sandbox_clock_offset_seconds";

/// Seconds by which the sandbox's users have moved the clock.
pub fn clock_offset(conn: &mut Conn) -> AppResult<i64> {
    let text: Option<String> = settings::table.find(OFFSET).select(settings::value).first(conn).optional()?;
    text.map_or(Ok(0), |text| text.parse().map_err(AppError::internal))
}

pub fn set_clock_offset(conn: &mut Conn, seconds: i64) -> AppResult<()> {
    let row = (settings::key.eq(OFFSET), settings::value.eq(seconds.to_string()));
    per_backend!(conn, |c| diesel::insert_into(settings::table)
        .values(row)
        .on_conflict(settings::key)
        .do_update()
        .set(settings::value.eq(seconds.to_string()))
        .execute(c))?;
    Ok(())
}
