//! SQLite's one writer: group commit.
//!
//! All closures that wait are run inside one `BEGIN IMMEDIATE`, each in its own savepoint, then committed (and synced) once,
//! and only then is each caller answered. So a hundred concurrent writers share one sync, and a closure that fails or
//! panics takes back its own work alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::checkpoint::Last;
use super::seen::{self, Seen};
use super::signal::Signal;
use super::{Conn, control, stopped};
use crate::error::{AppError, AppResult};

/// Closures in one commit at most, so that nobody waits behind an endless batch.
const MAX_BATCH: usize = 256;

pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

type Answer<T> = tokio::sync::oneshot::Sender<AppResult<T>>;

trait Job: Send {
    /// Runs the closure; true when it succeeded.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Tells the caller, after the commit (`None`) or its failure.
    fn answer(self: Box<Self>, failure: Option<AppError>);
}

struct Typed<T, F> {
    closure: Option<F>,
    result: Option<AppResult<T>>,
    to: Answer<T>,
}

impl<T: Send, F: FnOnce(&mut Conn) -> AppResult<T> + Send> Job for Typed<T, F> {
    fn run(&mut self, conn: &mut Conn) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let result = unbroken(|| closure(conn));
        let ok = result.is_ok();
        self.result = Some(result);
        ok
    }

    fn answer(self: Box<Self>, failure: Option<AppError>) {
        let result = match (self.result, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(result), None) => result,
            (None, None) => Err(AppError::internal("a write was never run")),
        };
        // The caller may have gone; what it asked for is durable all the same.
        let _ = self.to.send(result);
    }
}

/// A closure that breaks off is an error like any other, whichever database it is on: rolled back, logged, and told as what it is.
pub(super) fn unbroken<T>(f: impl FnOnce() -> AppResult<T>) -> AppResult<T> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|panic| Err(AppError::internal(format_args!("a closure panicked: {}", panic_text(&*panic)))))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

impl Writer {
    /// Starts the thread. `last` says when it should move pages of the log. `seen` is told of each commit before its writers are
    /// answered, `commits` after.
    pub(super) fn start(mut conn: Conn, seen: Arc<Seen>, commits: Arc<Signal>, last: Last) -> AppResult<Self> {
        let (sender, receiver) = channel::<Box<dyn Job>>();
        let thread = std::thread::Builder::new()
            .name("cairn-writer".into())
            .spawn(move || serve(&mut conn, &receiver, &seen, &commits, &last))
            .map_err(AppError::internal)?;
        Ok(Self { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn submit<T, F>(&self, f: F) -> AppResult<tokio::sync::oneshot::Receiver<AppResult<T>>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        let (to, from) = tokio::sync::oneshot::channel();
        let job = Box::new(Typed { closure: Some(f), result: None, to });
        let jobs = self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        Ok(from)
    }

    /// Lets the thread finish what it has, then ends it.
    pub(super) fn stop(&self) {
        drop(self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the writer thread ended badly");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(conn: &mut Conn, jobs: &Receiver<Box<dyn Job>>, seen: &Seen, commits: &Signal, last: &Last) {
    while let Ok(first) = jobs.recv() {
        let mut waiting = vec![first];
        waiting.extend(jobs.try_iter().take(MAX_BATCH.saturating_sub(1)));
        metrics::histogram!("cairn_writer_batch").record(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
        let result = commit_together(conn, &mut waiting);
        seen.tell(result.as_ref().ok().copied().flatten());
        let failure = result.err();
        if let Some(failure) = &failure {
            log::error!("a commit failed: {failure:?}");
        }
        for job in waiting {
            job.answer(failure.clone());
        }
        commits.notify();
        last.if_due(conn);
    }
}

/// Answers the version of access that was committed, where that is known.
fn commit_together(conn: &mut Conn, waiting: &mut [Box<dyn Job>]) -> AppResult<Option<i64>> {
    let result = (|| {
        control(conn, "BEGIN IMMEDIATE")?;
        if let Some((first, others)) = waiting.split_first_mut() {
            // As long as nothing else is in it, the transaction itself is the savepoint.
            if !first.run(conn) {
                control(conn, "ROLLBACK")?;
                if others.is_empty() {
                    return Ok(None);
                }
                control(conn, "BEGIN IMMEDIATE")?;
            }
            for job in others {
                control(conn, "SAVEPOINT job")?;
                if job.run(conn) {
                    control(conn, "RELEASE job")?;
                } else {
                    control(conn, "ROLLBACK TO job")?;
                    control(conn, "RELEASE job")?;
                }
            }
        }
        // Worth a statement only where many come. Before the first migration there is no such table.
        let access = if waiting.len() > 1 { seen::access_version(conn).ok().flatten() } else { None };
        control(conn, "COMMIT").map(|()| access)
    })();
    if result.is_err() {
        // Some errors (disk full, I/O) end the transaction by themselves; then there is nothing to roll back.
        let _ = control(conn, "ROLLBACK");
    }
    result
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use diesel::connection::SimpleConnection;
    use diesel::{Connection, QueryDsl, RunQueryDsl, SqliteConnection};

    use super::*;
    use crate::db::schema::settings;

    fn insert(key: &'static str) -> impl FnOnce(&mut Conn) -> AppResult<()> + Send {
        move |conn| Ok(conn.batch_execute(&format!("INSERT INTO settings VALUES ('{key}', '')"))?)
    }

    #[test]
    fn what_breaks_off_is_an_internal_error() {
        let broken = unbroken(|| -> AppResult<()> { panic!("on purpose") });
        assert!(matches!(broken, Err(error) if error.code() == crate::error::Code::Internal));
        assert!(matches!(unbroken(|| Ok(5)), Ok(5)));
    }

    /// Whichever place in the commit a closure has, its failure takes back its own work and nobody else's.
    #[test]
    fn a_closure_that_fails_takes_back_its_own_work_alone() {
        let mut sqlite = SqliteConnection::establish(":memory:").unwrap();
        sqlite.batch_execute("CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)").unwrap();
        let writer = Writer::start(Conn::Sqlite(sqlite), Arc::default(), Arc::default(), Last::default()).unwrap();
        let fails = |key: &'static str| {
            move |conn: &mut Conn| {
                insert(key)(conn)?;
                Err::<(), _>(stopped())
            }
        };
        // While the first sleeps, the others come together.
        let company = |first: Option<&'static str>| {
            let nap = writer.submit(|_| {
                std::thread::sleep(Duration::from_millis(50));
                Ok(())
            });
            let begins = match first {
                Some(key) => writer.submit(fails(key)),
                None => writer.submit(|_| panic!("on purpose")),
            };
            (nap.unwrap(), begins.unwrap())
        };
        for (first, second, third) in [(Some("a"), "b", "c"), (None, "d", "e")] {
            let (nap, begins) = company(first);
            let middle = writer.submit(insert(second)).unwrap();
            let bad = writer.submit(fails("x")).unwrap();
            let last = writer.submit(insert(third)).unwrap();
            nap.blocking_recv().unwrap().unwrap();
            assert!(begins.blocking_recv().unwrap().is_err());
            middle.blocking_recv().unwrap().unwrap();
            assert!(bad.blocking_recv().unwrap().is_err());
            last.blocking_recv().unwrap().unwrap();
        }
        let read = |conn: &mut Conn| {
            let mut keys: Vec<String> = settings::table.select(settings::key).load(conn)?;
            keys.sort();
            Ok(keys)
        };
        assert_eq!(writer.submit(read).unwrap().blocking_recv().unwrap().unwrap(), ["b", "c", "d", "e"]);
    }
}
