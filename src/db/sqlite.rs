//! SQLite: how its connections are opened, and reads on a connection of the calling thread.
//!
//! To begin and to end a read transaction takes a lock that all connections of the process share, and four system calls: more than
//! most reads themselves. HTTP threads therefore keep a snapshot open for whoever reads next ([`SHARED_FOR`]), as long as nothing is
//! committed: every commit of this process makes the next read begin anew, so what was acknowledged is always seen. What another
//! process writes (a command that an operator runs) is seen when the snapshot is let go.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt;
use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query, sql_types};

use super::checkpoint::LONGEST;
use super::seen::Seen;
use super::{Conn, batch, control, count_statements};
use crate::error::{AppError, AppResult};

/// How long a snapshot is kept open for others, about.
const SHARED_FOR: Duration = super::seen::TRUSTED_FOR;

/// Of each so many milliseconds …
const ROUND: u128 = 200;
/// … in the first so many nothing is kept open, so that a checkpoint finds no reader in its way and the log can begin anew.
const FREE: u128 = 20;

/// A connection that only one thread uses.
struct Own {
    conn: Conn,
    /// The count of commits that the open snapshot has seen, while there is one.
    snapshot: Option<u64>,
    /// A task that will let go of the snapshot is under way.
    ending: bool,
}

thread_local! {
    /// This thread's read-only connections, by the number of their [`Reader`].
    static CONNECTIONS: RefCell<HashMap<u64, Own>> = RefCell::new(HashMap::new());
}

static NEXT_READER: AtomicU64 = AtomicU64::new(0);

pub(super) fn establish(path: &Path) -> AppResult<Conn> {
    let path = path.to_str().ok_or_else(|| AppError::internal("the database's file name is not UTF-8"))?;
    Ok(Conn::Sqlite(SqliteConnection::establish(path).map_err(AppError::internal)?))
}

/// Opens the one connection that writes: write-ahead log, every commit synced to disk, foreign keys enforced.
pub(super) fn open_writer(path: &Path, statements: &Arc<AtomicU64>) -> AppResult<Conn> {
    let mut conn = establish(path)?;
    batch(
        &mut conn,
        &format!(
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = {LONGEST}; \
             PRAGMA journal_size_limit = 67108864;"
        ),
    )?;
    count_statements(&mut conn, statements);
    Ok(conn)
}

/// Reads on a read-only connection of whichever thread asks, opened on first use.
pub(super) struct Reader {
    number: u64,
    path: PathBuf,
    statements: Arc<AtomicU64>,
    /// Commits of this process so far.
    seen: Arc<Seen>,
    started: Instant,
}

impl Reader {
    pub(super) fn new(path: PathBuf, statements: Arc<AtomicU64>, seen: Arc<Seen>) -> Self {
        let number = NEXT_READER.fetch_add(1, Ordering::Relaxed);
        Self { number, path, statements, seen, started: Instant::now() }
    }

    fn open(&self) -> AppResult<Own> {
        let mut conn = establish(&self.path)?;
        batch(
            &mut conn,
            "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -8192; PRAGMA mmap_size = 0;",
        )?;
        count_statements(&mut conn, &self.statements);
        Ok(Own { conn, snapshot: None, ending: false })
    }

    /// Lends this thread's connection.
    fn with<T>(&self, f: impl FnOnce(&mut Own) -> AppResult<T>) -> AppResult<T> {
        let taken = CONNECTIONS.with(|all| all.borrow_mut().remove(&self.number));
        let mut own = match taken {
            Some(own) => own,
            None => self.open()?,
        };
        let result = f(&mut own);
        CONNECTIONS.with(|all| all.borrow_mut().insert(self.number, own));
        result
    }

    /// Runs the closure in one read transaction, so that all its statements see the same state.
    pub(super) fn run<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        self.with(|own| {
            own.end()?;
            control(&mut own.conn, "BEGIN")?;
            own.snapshot = Some(0);
            let result = f(&mut own.conn);
            // It only read, so this ends the snapshot, whatever came of it.
            own.end()?;
            result
        })
    }

    /// [`Reader::run`] on an HTTP thread, in a snapshot that the reads of the next moment may use too.
    pub(super) fn run_shared<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        if self.started.elapsed().as_millis() % ROUND < FREE || rt::System::try_current().is_none() {
            return self.run(f);
        }
        self.with(|own| {
            // Counted before the snapshot is taken: it may have seen more than this, never less.
            let commits = self.seen.commits();
            if own.snapshot != Some(commits) {
                own.end()?;
                control(&mut own.conn, "BEGIN")?;
                own.snapshot = Some(commits);
            }
            if !own.ending {
                own.ending = true;
                rt::spawn(let_go(self.number));
            }
            f(&mut own.conn)
        })
    }

    /// Runs the closure, whose one statement sees one state by itself.
    pub(super) fn run_one<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        if rt::System::try_current().is_some() {
            return self.run_shared(f);
        }
        self.with(|own| f(&mut own.conn))
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

impl Own {
    /// Lets go of the snapshot, if there is one.
    fn end(&mut self) -> AppResult<()> {
        if self.snapshot.take().is_none() {
            return Ok(());
        }
        control(&mut self.conn, "COMMIT").inspect_err(|_| {
            // The connection is used again, and must not be left inside of a transaction.
            let _ = control(&mut self.conn, "ROLLBACK");
        })
    }
}

/// Lets go of this thread's snapshot after a while.
async fn let_go(reader: u64) {
    rt::time::sleep(SHARED_FOR).await;
    let ended = CONNECTIONS.with(|all| {
        all.borrow_mut().get_mut(&reader).map(|own| {
            own.ending = false;
            own.end()
        })
    });
    if let Some(Err(error)) = ended {
        log::error!("a snapshot could not be ended: {error}");
    }
}
