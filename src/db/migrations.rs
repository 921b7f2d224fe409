//! Migrations of both databases, embedded in the binary.

use diesel::{RunQueryDsl, sql_query, sql_types};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, Db, Kind, sqlite};
use crate::error::{AppError, AppResult};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any constant of our own; servers that start together on one Postgres queue behind it.
const ADVISORY_LOCK: i64 = 0x0063_6169_726e;

/// Brings the database to this binary's schema and tells how many migrations ran. Postgres runs them under an advisory lock.
///
/// # Errors
/// When a migration fails; those before it stay.
pub fn migrate(db: &Db) -> AppResult<usize> {
    match &db.0.kind {
        Kind::Sqlite { .. } => {
            let crate::config::DatabaseUrl::Sqlite(path) = db.url() else { return Ok(0) };
            let Conn::Sqlite(mut conn) = sqlite::open_writer(path, &std::sync::Arc::default())? else { return Ok(0) };
            // Two processes that start on one new file: the second waits here and then finds nothing to do.
            conn.exclusive_transaction(|conn| run(conn, SQLITE))
        }
        Kind::Postgres { pool } => {
            let mut pooled = pool.get().map_err(AppError::internal)?;
            let Conn::Pg(conn) = &mut *pooled else { return Ok(0) };
            sql_query("SELECT pg_advisory_lock($1)").bind::<sql_types::BigInt, _>(ADVISORY_LOCK).execute(conn)?;
            let done = run(conn, POSTGRES);
            sql_query("SELECT pg_advisory_unlock($1)").bind::<sql_types::BigInt, _>(ADVISORY_LOCK).execute(conn)?;
            done
        }
    }
}

fn run<DB, C>(conn: &mut C, source: EmbeddedMigrations) -> AppResult<usize>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
{
    conn.run_pending_migrations(source).map(|done| done.len()).map_err(AppError::internal)
}

/// Names of the migrations that this binary has and the database lacks.
///
/// # Errors
/// When the database cannot be asked.
pub fn pending(conn: &mut Conn) -> AppResult<Vec<String>> {
    let names =
        |list: Vec<Box<dyn diesel::migration::Migration<_>>>| list.iter().map(|m| m.name().to_string()).collect();
    match conn {
        Conn::Sqlite(conn) => conn.pending_migrations(SQLITE).map(|l| l.iter().map(|m| m.name().to_string()).collect()),
        Conn::Pg(conn) => conn.pending_migrations(POSTGRES).map(names),
    }
    .map_err(AppError::internal)
}

/// Undoes every migration and runs them again, to prove that each `down` truly reverts its `up`. For tests.
///
/// # Errors
/// When one of them fails.
pub fn redo_all(conn: &mut Conn) -> AppResult<()> {
    match conn {
        Conn::Sqlite(conn) => {
            conn.revert_all_migrations(SQLITE).map_err(AppError::internal)?;
            conn.run_pending_migrations(SQLITE).map(drop).map_err(AppError::internal)
        }
        Conn::Pg(conn) => {
            conn.revert_all_migrations(POSTGRES).map_err(AppError::internal)?;
            conn.run_pending_migrations(POSTGRES).map(drop).map_err(AppError::internal)
        }
    }
}
