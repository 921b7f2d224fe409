//! The worker: a thread that claims jobs one after the other, and starts those that recur.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::queue::{self, Claimed};
use crate::error::AppResult;
use crate::state::State;

/// What runs a job of some kind; `Err` says why it should be tried again.
pub type Handler = fn(&State, &serde_json::Value) -> AppResult<()>;

/// A kind of job that this binary knows.
#[derive(Clone, Copy)]
pub struct JobKind {
    /// Its name in the table.
    pub name: &'static str,
    /// Seconds between two runs of a recurring job; `None` for those that are enqueued.
    pub every_seconds: Option<i64>,
    /// What runs it.
    pub run: Handler,
}

/// A running worker thread.
pub struct Worker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(state: State, kinds: Vec<JobKind>) -> AppResult<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("cairn-worker".into())
            .spawn(move || serve(&state, &kinds, &seen))
            .map_err(crate::error::AppError::internal)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Worker {
    /// Lets the job at hand finish, then ends the thread.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                log::error!("the worker thread ended badly");
            }
        }
    }
}

fn serve(state: &State, kinds: &[JobKind], stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match drain(state, kinds) {
            Ok(0) => std::thread::park_timeout(Duration::from_millis(500)),
            Ok(_) => {}
            Err(error) => {
                log::error!("the worker cannot go on just now: {error}");
                std::thread::park_timeout(Duration::from_secs(2));
            }
        }
    }
}

/// Runs everything that is due and answers how many jobs that was. Tests call it instead of waiting.
///
/// # Errors
/// Database errors.
pub fn drain(state: &State, kinds: &[JobKind]) -> AppResult<usize> {
    let mut done: usize = 0;
    schedule(state, kinds)?;
    // Looking is a read; only what is found costs a write.
    while state.db.read_here({
        let now = state.clock.now();
        move |conn| queue::any_due(conn, now)
    })? {
        let now = state.clock.now();
        let Some(job) = state.db.write_here(move |conn| queue::claim(conn, now))? else {
            // Another worker was quicker, or the job was given up.
            done = done.saturating_add(1);
            break;
        };
        let outcome = match kinds.iter().find(|kind| kind.name == job.kind) {
            Some(kind) => held(state, &job, || run(state, kind, &job.payload)),
            None => Err(format!("this version knows no job `{}`", job.kind)),
        };
        if let Err(error) = &outcome {
            log::warn!("job {} ({}), attempt {}: {error}", job.kind, job.id, job.attempts);
        }
        let now = state.clock.now();
        state.db.write_here(move |conn| queue::finish(conn, &job, outcome, now))?;
        done = done.saturating_add(1);
    }
    Ok(done)
}

/// Does the work, and holds the job meanwhile: when this process dies, another takes over soon, however long the work is.
fn held<T>(state: &State, job: &Claimed, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    let (id, attempt) = (job.id, job.attempts);
    std::thread::scope(|scope| {
        let beat = move || {
            // Woken at once when the work is done and its end of the channel is gone.
            while is_done.recv_timeout(Duration::from_secs(queue::RENEW_SECONDS))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                let now = state.clock.now();
                if let Err(error) = state.db.write_here(move |conn| queue::renew(conn, id, attempt, now)) {
                    log::warn!("job {id} cannot be held any longer: {error}");
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("cairn-lease".into()).spawn_scoped(scope, beat) {
            log::warn!("job {id} is not held: {error}");
        }
        let result = work();
        drop(done);
        result
    })
}

fn run(state: &State, kind: &JobKind, payload: &serde_json::Value) -> Result<(), String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (kind.run)(state, payload)))
        .map_err(|panic| format!("panicked: {}", crate::db::panic_text(&*panic)))?
        .map_err(|error| error.to_string())
}

/// Enqueues each recurring job once per period; its period's number is the dedup key, so that several servers agree.
fn schedule(state: &State, kinds: &[JobKind]) -> AppResult<()> {
    let now: DateTime<Utc> = state.clock.now();
    for kind in kinds {
        let Some(every) = kind.every_seconds else { continue };
        let period = now.timestamp().div_euclid(every.max(1));
        let consumer = format!("schedule:{}", kind.name);
        let last = state.db.read_here(|conn| queue::period(conn, &consumer))?;
        if last.is_none_or(|last| last < period) {
            let name = kind.name;
            state.db.write_here(move |conn| {
                queue::enqueue(conn, name, Some(name), json!({}), now, now)?;
                queue::set_period(conn, &consumer, period, now)
            })?;
        }
    }
    Ok(())
}
