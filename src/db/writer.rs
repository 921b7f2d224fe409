//! SQLite's one writer: group commit.
//!
//! All closures that wait are run inside one `BEGIN IMMEDIATE`, each in its own savepoint, then committed (and synced) once,
//! and only then is each caller answered. So a hundred concurrent writers share one sync, and a closure that fails or
//! panics takes back its own work alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::signal::Signal;
use super::{Conn, control, stopped};
use crate::error::{AppError, AppResult};

/// Closures in one commit at most, so that nobody waits behind an endless batch.
const MAX_BATCH: usize = 256;

/// How long a batch waits to be as large as the one before: those who were answered together come back one after the other, and
/// without this the first of them would get a sync of its own. Less than a sync takes, and only paid while several write.
const COMPANY: Duration = Duration::from_micros(80);

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
        let result = catch_unwind(AssertUnwindSafe(|| closure(conn)))
            .unwrap_or_else(|panic| Err(AppError::internal(format_args!("a write panicked: {}", panic_text(&*panic)))));
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

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

impl Writer {
    /// Starts the thread. `count` goes up with each commit before its writers are answered, `commits` tells of it after.
    pub(super) fn start(mut conn: Conn, count: Arc<AtomicU64>, commits: Arc<Signal>) -> AppResult<Self> {
        let (sender, receiver) = channel::<Box<dyn Job>>();
        let thread = std::thread::Builder::new()
            .name("cairn-writer".into())
            .spawn(move || serve(&mut conn, &receiver, &count, &commits))
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

fn serve(conn: &mut Conn, jobs: &Receiver<Box<dyn Job>>, count: &AtomicU64, commits: &Signal) {
    let mut last = 1;
    while let Ok(first) = jobs.recv() {
        let mut waiting = vec![first];
        let until = (last > 1).then(|| Instant::now() + COMPANY);
        while waiting.len() < MAX_BATCH {
            let next = match until {
                Some(until) if waiting.len() < last => {
                    jobs.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
                }
                _ => jobs.try_recv().ok(),
            };
            let Some(next) = next else { break };
            waiting.push(next);
        }
        last = waiting.len();
        metrics::histogram!("cairn_writer_batch").record(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
        let failure = commit_together(conn, &mut waiting).err();
        if let Some(failure) = &failure {
            log::error!("a commit failed: {failure:?}");
        }
        // Before anybody is answered: whoever reads after that must not be shown an older snapshot.
        count.fetch_add(1, Ordering::Release);
        for job in waiting {
            job.answer(failure.clone());
        }
        commits.notify();
    }
}

fn commit_together(conn: &mut Conn, waiting: &mut [Box<dyn Job>]) -> AppResult<()> {
    let result = (|| {
        control(conn, "BEGIN IMMEDIATE")?;
        if let [only] = waiting {
            // Alone, the transaction itself is the savepoint.
            let end = if only.run(conn) { "COMMIT" } else { "ROLLBACK" };
            return control(conn, end);
        }
        for job in waiting.iter_mut() {
            control(conn, "SAVEPOINT job")?;
            if job.run(conn) {
                control(conn, "RELEASE job")?;
            } else {
                control(conn, "ROLLBACK TO job")?;
                control(conn, "RELEASE job")?;
            }
        }
        control(conn, "COMMIT")
    })();
    if result.is_err() {
        // Some errors (disk full, I/O) end the transaction by themselves; then there is nothing to roll back.
        let _ = control(conn, "ROLLBACK");
    }
    result
}
