//! What `cairn doctor` asks a database, beyond what the server itself asks.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, QueryableByName, RunQueryDsl, sql_query, sql_types,
};

use super::schema::{jobs, role_grants, signing_keys, users};
use super::types::At;
use super::{Conn, Db};
use crate::error::AppResult;

/// Work that nobody took up for so long means that no worker runs.
const WORKER_PATIENCE_SECONDS: i64 = 600;

/// What a database says of itself.
#[derive(Debug)]
pub enum Engine {
    /// SQLite.
    Sqlite {
        /// `wal`, unless the file system cannot do it.
        journal_mode: String,
        /// `ok`, or the first damage found.
        integrity: String,
    },
    /// Postgres.
    Postgres {
        /// The server's version, such as 150004.
        version: i32,
        /// Encoding of the database.
        encoding: String,
    },
}

/// What is in a migrated database.
#[derive(Debug)]
pub struct Contents {
    /// Keys that sign.
    pub signing_keys: i64,
    /// Active admins of the site.
    pub admins: i64,
    /// Users.
    pub users: i64,
    /// Jobs that were given up.
    pub failed_jobs: i64,
    /// Jobs that have been due for long and that nobody works on.
    pub waiting_jobs: i64,
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Text)]
    value: String,
}

fn text(conn: &mut Conn, sql: &str) -> AppResult<String> {
    Ok(sql_query(sql).get_result::<Text>(conn)?.value)
}

impl Db {
    /// Asks the database about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn engine(&self) -> AppResult<Engine> {
        self.read_here(|conn| match conn {
            Conn::Sqlite(_) => Ok(Engine::Sqlite {
                journal_mode: text(conn, "SELECT journal_mode AS value FROM pragma_journal_mode")?,
                integrity: text(conn, "SELECT quick_check AS value FROM pragma_quick_check LIMIT 1")?,
            }),
            Conn::Pg(_) => Ok(Engine::Postgres {
                version: text(conn, "SELECT current_setting('server_version_num') AS value")?.parse().unwrap_or(0),
                encoding: text(conn, "SELECT current_setting('server_encoding') AS value")?,
            }),
        })
    }

    /// Whether there is any user, in a schema of whatever age.
    ///
    /// # Errors
    /// Database errors, such as that there is no such table yet.
    pub fn any_user(&self) -> AppResult<bool> {
        self.read_here(|conn| Ok(users::table.count().get_result::<i64>(conn)? > 0))
    }

    /// Counts what a server needs. The schema must be current.
    ///
    /// # Errors
    /// Database errors.
    pub fn contents(&self, now: DateTime<Utc>) -> AppResult<Contents> {
        self.read_here(|conn| {
            let long_ago = now - TimeDelta::seconds(WORKER_PATIENCE_SECONDS);
            let waiting = jobs::state
                .eq("queued")
                .and(jobs::run_at.lt(At(long_ago)))
                .or(jobs::state.eq("leased").and(jobs::lease_until.lt(At(long_ago))));
            Ok(Contents {
                signing_keys: signing_keys::table
                    .filter(signing_keys::retired_at.is_null())
                    .count()
                    .get_result(conn)?,
                admins: role_grants::table
                    .inner_join(users::table.on(users::id.eq(role_grants::user_id)))
                    .filter(role_grants::role.eq("admin"))
                    .filter(role_grants::reach.eq("site"))
                    .filter(users::state.eq("active"))
                    .count()
                    .get_result(conn)?,
                users: users::table.count().get_result(conn)?,
                failed_jobs: jobs::table.filter(jobs::state.eq("failed")).count().get_result(conn)?,
                waiting_jobs: jobs::table.filter(waiting).count().get_result(conn)?,
            })
        })
    }
}
