//! SQLite: moves what the write-ahead log holds into the database file, beside the writer instead of in its time.
//!
//! SQLite itself does this on the connection that commits, which then holds up everybody who waits to write: a fifth of the writer's
//! time when entries go to pages all over a large file. A connection of its own may do it while the writer goes on. Only to let the
//! log begin anew, all of it must have been moved with nothing written since, so the writer is told when little is left of a log
//! that has become long ([`Last`]), and moves that between two transactions. A log that grows faster than that is moved by the
//! writer at [`LONGEST`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};

use super::signal::Signal;
use super::{Conn, batch, sqlite};
use crate::error::{AppError, AppResult};

/// Pages in the log (of 4 KiB) at which the writer itself moves what is left.
pub(super) const LONGEST: u32 = 32_000;
/// Pages that are worth moving.
const WORTH: i64 = 2_000;
/// Pages of a log that should begin anew.
const LONG: i64 = 6_000;
/// Pages that the writer may move in its own time.
const LITTLE: i64 = 1_000;
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Time after which a thread that waits for commits looks whether it is to end.
const IDLE: Duration = Duration::from_secs(1);

/// What the log holds.
#[derive(Debug, Clone, Copy, QueryableByName)]
struct Log {
    /// Its pages.
    #[diesel(sql_type = sql_types::BigInt)]
    log: i64,
    /// Those of them that are in the database file already.
    #[diesel(sql_type = sql_types::BigInt)]
    checkpointed: i64,
}

impl Log {
    fn left(self) -> i64 {
        self.log.saturating_sub(self.checkpointed)
    }
}

fn look(conn: &mut SqliteConnection) -> AppResult<Log> {
    Ok(sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(conn)?)
}

fn move_pages(conn: &mut SqliteConnection) -> AppResult<Log> {
    Ok(sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?)
}

/// Tells the writer that it should move the last pages.
#[derive(Debug, Clone, Default)]
pub(super) struct Last(Arc<AtomicBool>);

impl Last {
    /// Moves the last pages if it is time to and there are few. For the writer, between two transactions.
    pub(super) fn if_due(&self, conn: &mut Conn) {
        let Conn::Sqlite(c) = conn else { return };
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            let moved = look(c).and_then(|log| if log.left() <= LITTLE { move_pages(c).map(drop) } else { Ok(()) });
            if let Err(error) = moved {
                log::warn!("the write-ahead log cannot be moved just now: {error}");
            }
        }
    }
}

/// The thread that does it.
pub(super) struct Checkpointer {
    stop: Arc<AtomicBool>,
    commits: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; `commits` tells it that there may be something to do.
    pub(super) fn start(path: &Path, commits: &Arc<Signal>, last: Last) -> AppResult<Self> {
        let mut conn = sqlite::establish(path)?;
        // Synced as the writer's: a page must be in the file for good before its place in the log is used again.
        batch(&mut conn, "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA cache_size = -256;")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, signal) = (Arc::clone(&stop), Arc::clone(commits));
        let thread = std::thread::Builder::new()
            .name("cairn-checkpoint".into())
            .spawn(move || serve(&mut conn, &signal, &last, &seen))
            .map_err(AppError::internal)?;
        Ok(Self { stop, commits: Arc::clone(commits), thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.commits.notify();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the checkpoint thread ended badly");
        }
    }
}

fn serve(conn: &mut Conn, commits: &Signal, last: &Last, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let seen = commits.count();
        match step(conn, last) {
            Ok(()) => commits.wait(seen, IDLE),
            // Not lost: what is not moved now is moved later, by the writer at the latest.
            Err(error) => {
                log::warn!("the write-ahead log cannot be moved just now: {error}");
                commits.wait(commits.count(), IDLE);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Moves what is there, if it is worth it.
fn step(conn: &mut Conn, last: &Last) -> AppResult<()> {
    let Conn::Sqlite(c) = conn else { return Ok(()) };
    let mut held = look(c)?;
    if held.left() >= WORTH {
        held = move_pages(c)?;
    }
    // With nothing left, the next transaction begins the log anew by itself.
    last.0.store(held.log >= LONG && (1..=LITTLE).contains(&held.left()), Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The writer of this test never moves anything itself, so that what is moved was moved beside it.
    #[test]
    fn the_log_is_moved_beside_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let mut writer = sqlite::establish(&path).unwrap();
        let pages = LONG.saturating_mul(2);
        batch(
            &mut writer,
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE large (id INTEGER PRIMARY KEY, page BLOB)",
        )
        .unwrap();
        let commits = Arc::new(Signal::default());
        let last = Last::default();
        let checkpointer = Checkpointer::start(&path, &commits, last.clone()).unwrap();
        batch(
            &mut writer,
            &format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {pages}) \
                 INSERT INTO large SELECT i, randomblob(4000) FROM n"
            ),
        )
        .unwrap();
        commits.notify();
        let Conn::Sqlite(c) = &mut writer else { panic!() };
        assert!(look(c).unwrap().log >= pages);
        while look(c).unwrap().left() > 0 {
            std::thread::sleep(PAUSE);
        }
        // Nothing is left to be moved, so the next commit writes to the beginning of the log.
        batch(&mut writer, "DELETE FROM large WHERE id = 1").unwrap();
        let Conn::Sqlite(c) = &mut writer else { panic!() };
        assert!(look(c).unwrap().log < pages);
        drop(checkpointer);
        last.0.store(false, Ordering::Relaxed);

        // What was written meanwhile is moved by the writer, once it is told to.
        let left = look(c).unwrap().left();
        assert!(left > 0 && left <= LITTLE);
        last.if_due(&mut writer);
        last.0.store(true, Ordering::Relaxed);
        let Conn::Sqlite(c) = &mut writer else { panic!() };
        assert_eq!(look(c).unwrap().left(), left);
        last.if_due(&mut writer);
        let Conn::Sqlite(c) = &mut writer else { panic!() };
        assert_eq!(look(c).unwrap().left(), 0);
    }
}
