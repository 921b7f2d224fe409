//! Postgres: a pool of connections, used from blocking threads.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use diesel::r2d2::{self, ConnectionManager, CustomizeConnection};
use diesel::{Connection, RunQueryDsl, sql_query};

use super::writer::unbroken;
use super::{Conn, blocking, count_statements};
use crate::error::{AppError, AppResult, Code};

/// The pool.
pub type Pool = r2d2::Pool<ConnectionManager<Conn>>;

#[derive(Debug)]
struct Prepare {
    statements: Arc<AtomicU64>,
}

impl CustomizeConnection<Conn, r2d2::Error> for Prepare {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), r2d2::Error> {
        sql_query("SET TIME ZONE 'UTC'").execute(conn).map_err(r2d2::Error::QueryError)?;
        count_statements(conn, &self.statements);
        Ok(())
    }
}

pub(super) fn pool(url: &str, size: u32, statements: &Arc<AtomicU64>) -> AppResult<Pool> {
    // The enum's `establish` tries Postgres first and would make a SQLite file of a URL it cannot reach, so try it here.
    drop(diesel::PgConnection::establish(url).map_err(|e| AppError::internal(format_args!("Postgres: {e}")))?);
    Pool::builder()
        .max_size(size.max(1))
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(Duration::from_secs(5))
        .connection_customizer(Box::new(Prepare { statements: Arc::clone(statements) }))
        .build(ConnectionManager::new(url))
        .map_err(AppError::internal)
}

fn checkout(pool: &Pool) -> AppResult<r2d2::PooledConnection<ConnectionManager<Conn>>> {
    pool.get().map_err(|e| {
        log::error!("no database connection: {e}");
        AppError::new(Code::Unavailable, "The database cannot be reached just now. Try again.")
            .with_header(actix_web::http::header::RETRY_AFTER, "5")
    })
}

pub(super) fn read_here<T>(pool: &Pool, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
    let mut conn = checkout(pool)?;
    unbroken(|| f(&mut conn))
}

pub(super) fn write_here<T>(pool: &Pool, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
    let mut conn = checkout(pool)?;
    let conn: &mut Conn = &mut conn;
    conn.transaction(|conn| unbroken(|| f(conn)))
}

pub(super) async fn read<T, F>(pool: Pool, f: F) -> AppResult<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
{
    blocking(move || read_here(&pool, f)).await
}

pub(super) async fn write<T, F>(pool: Pool, f: F) -> AppResult<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
{
    blocking(move || write_here(&pool, f)).await
}
