//! SQLite: how its connections are opened, and reads on a connection of the calling thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query, sql_types};

use super::{Conn, batch, control, count_statements};
use crate::error::{AppError, AppResult};

thread_local! {
    /// This thread's read-only connections, by the number of their [`Reader`].
    static CONNECTIONS: RefCell<HashMap<u64, Conn>> = RefCell::new(HashMap::new());
}

static NEXT_READER: AtomicU64 = AtomicU64::new(0);

fn establish(path: &Path) -> AppResult<Conn> {
    let path = path.to_str().ok_or_else(|| AppError::internal("the database's file name is not UTF-8"))?;
    Ok(Conn::Sqlite(SqliteConnection::establish(path).map_err(AppError::internal)?))
}

/// Opens the one connection that writes: write-ahead log, every commit synced to disk, foreign keys enforced.
pub(super) fn open_writer(path: &Path, statements: &Arc<AtomicU64>) -> AppResult<Conn> {
    let mut conn = establish(path)?;
    batch(
        &mut conn,
        "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000; \
         PRAGMA journal_size_limit = 67108864;",
    )?;
    count_statements(&mut conn, statements);
    Ok(conn)
}

/// Reads on a read-only connection of whichever thread asks, opened on first use.
pub(super) struct Reader {
    number: u64,
    path: PathBuf,
    statements: Arc<AtomicU64>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, statements: Arc<AtomicU64>) -> Self {
        Self { number: NEXT_READER.fetch_add(1, Ordering::Relaxed), path, statements }
    }

    fn open(&self) -> AppResult<Conn> {
        let mut conn = establish(&self.path)?;
        batch(
            &mut conn,
            "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -8192; PRAGMA mmap_size = 0;",
        )?;
        count_statements(&mut conn, &self.statements);
        Ok(conn)
    }

    /// Runs the closure in one read transaction, so that all its statements see the same state.
    pub(super) fn run<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        self.run_one(|conn| {
            control(conn, "BEGIN")?;
            let result = f(conn);
            // It only read, so this ends the snapshot, whatever came of it.
            if let Err(error) = control(conn, "COMMIT") {
                // The connection is used again, and must not be left inside of a transaction.
                let _ = control(conn, "ROLLBACK");
                return Err(error);
            }
            result
        })
    }

    /// Runs the closure, whose one statement sees one state by itself.
    pub(super) fn run_one<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        let taken = CONNECTIONS.with(|all| all.borrow_mut().remove(&self.number));
        let mut conn = match taken {
            Some(conn) => conn,
            None => self.open()?,
        };
        let result = f(&mut conn);
        CONNECTIONS.with(|all| all.borrow_mut().insert(self.number, conn));
        result
    }

    pub(super) fn backup(&self, to: &Path) -> AppResult<()> {
        let to = to.to_str().ok_or_else(|| AppError::internal("the file name is not UTF-8"))?;
        let mut conn = establish(&self.path)?;
        if let Conn::Sqlite(conn) = &mut conn {
            sql_query("VACUUM INTO ?").bind::<sql_types::Text, _>(to).execute(conn)?;
        }
        Ok(())
    }
}
