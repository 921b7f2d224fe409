//! Hands the event log to its consumers: in order, in batches, each event exactly once.
//!
//! A consumer's effects and its cursor move in one transaction: when a server dies between, neither happened, and the events
//! come again. Several servers may run dispatchers: on Postgres whoever holds the lock of the cursor's row works, the others
//! pass on; SQLite has one writer. A dispatcher wakes on each commit of its own process and looks every quarter of a second
//! for those of others, so that what follows from an event is there **within a second**.
//!
//! A batch that fails is tried again event by event. The one event that fails is tried [`MAX_ATTEMPTS`] times, then passed
//! over and kept in `event_failures`, so that one bad event does not stop all that come after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::http::header;
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::Event;
use crate::db::Conn;
use crate::db::schema::{event_cursors as cursors, event_failures as failures, events};
use crate::db::types::At;
use crate::error::{AppError, AppResult, Code};
use crate::per_backend;
use crate::state::{Ctx, State};

/// What does a consumer's work with a batch, in the transaction that moves its cursor. It must load and store for the whole
/// batch at once.
pub type Handler = fn(&mut Conn, &Ctx, &[Event]) -> AppResult<()>;

/// A reader of the event log.
#[derive(Clone, Copy)]
pub struct Consumer {
    /// Names its cursor; never change it.
    pub name: &'static str,
    /// What it does.
    pub handle: Handler,
}

/// Events in one transaction, at first and of a use case that catches up.
const BATCH: i64 = 500;
/// Events in one transaction at most, when there is a backlog and transactions are short all the same.
const MOST: i64 = 4_000;
/// A transaction that takes longer is followed by a smaller one, so that other writers do not wait.
const LONG: Duration = Duration::from_millis(200);
/// Attempts after which an event is passed over.
const MAX_ATTEMPTS: i32 = 5;
/// Time for which commits are gathered into one batch.
const GATHER: Duration = Duration::from_millis(25);
/// Longest time between two looks at what other processes committed.
const IDLE: Duration = Duration::from_millis(250);

/// A running dispatcher thread.
pub struct Dispatcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dispatcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(state: State, consumers: Vec<Consumer>) -> AppResult<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("cairn-dispatch".into())
            .spawn(move || serve(&state, &consumers, &seen))
            .map_err(AppError::internal)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Dispatcher {
    /// Lets the batch at hand finish, then ends the thread.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the dispatcher thread ended badly");
        }
    }
}

/// How many events a consumer gets in one transaction. With a backlog, more at once cost less each: they share pages and
/// syncs. But no transaction should hold up other writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace(i64);

impl Pace {
    fn filled(self, done: usize) -> bool {
        i64::try_from(done).is_ok_and(|done| done >= self.0)
    }

    /// What to do after a batch of `done` events that took so long.
    fn after(self, done: usize, took: Duration) -> Self {
        if took > LONG {
            Self((self.0 / 2).max(BATCH / 8))
        } else if self.filled(done) && took < LONG / 3 {
            Self(self.0.saturating_mul(2).min(MOST))
        } else {
            self
        }
    }
}

fn serve(state: &State, consumers: &[Consumer], stop: &AtomicBool) {
    let commits = state.db.commits();
    let mut paces = paces(consumers);
    while !stop.load(Ordering::Relaxed) {
        let seen = commits.count();
        match round(state, &mut paces) {
            // A full batch has more behind it; anything less waits for company, since a transaction for each event that comes
            // in would cost those who write as much again.
            Ok(done) if done.full => {}
            Ok(done) => {
                if done.events == 0 {
                    commits.wait(seen, IDLE);
                }
                std::thread::sleep(GATHER);
            }
            Err(error) => {
                log::error!("the dispatcher cannot go on just now: {error}");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

type Paces<'a> = Vec<(&'a Consumer, Pace)>;

fn paces(consumers: &[Consumer]) -> Paces<'_> {
    consumers.iter().map(|consumer| (consumer, Pace(BATCH))).collect()
}

/// What one batch for each consumer came to.
#[derive(Debug, Default)]
struct Round {
    events: usize,
    /// Whether a consumer had as many as it may, so that more may wait.
    full: bool,
}

fn round(state: &State, paces: &mut Paces<'_>) -> AppResult<Round> {
    let mut done = Round::default();
    let mut failure = None;
    for (consumer, pace) in paces {
        let begin = Instant::now();
        match step_of(state, consumer, pace.0) {
            Ok(n) => {
                done.full |= pace.filled(n);
                done.events = done.events.saturating_add(n);
                *pace = pace.after(n, begin.elapsed());
            }
            // One consumer that cannot go on does not hold up the others.
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if done.events == 0 => Err(error),
        _ => Ok(done),
    }
}

/// Hands out all that is there, also what consumers append while at it. Answers how many events that was. Tests call it
/// instead of waiting.
///
/// # Errors
/// When the database is away, or an event failed that is to be tried again.
pub fn drain(state: &State, consumers: &[Consumer]) -> AppResult<usize> {
    let mut paces = paces(consumers);
    let mut done: usize = 0;
    loop {
        match round(state, &mut paces)?.events {
            0 => return Ok(done),
            n => done = done.saturating_add(n),
        }
    }
}

/// Hands one batch to one consumer. Answers how many events it had.
///
/// # Errors
/// As [`drain`].
pub fn step(state: &State, consumer: &Consumer) -> AppResult<usize> {
    step_of(state, consumer, BATCH)
}

fn step_of(state: &State, consumer: &Consumer, limit: i64) -> AppResult<usize> {
    let one = *consumer;
    // Looking is a read; only what is found costs a write.
    if !state.db.read_here(move |conn| behind(conn, one.name))? {
        return Ok(0);
    }
    let ctx = state.system();
    let outcome = guarded(|| state.db.write_here(move |conn| batch(conn, &ctx, &one, limit, Lock::Skip)));
    match outcome {
        Ok(n) => Ok(n),
        Err(error) if error.code() == Code::Unavailable => Err(error),
        Err(error) => {
            log::warn!("{}: a batch failed, trying its events one by one: {error}", consumer.name);
            one_by_one(state, one, limit)
        }
    }
}

/// A handler that panics on Postgres, outside of the writer that catches it on SQLite, is an error too.
fn guarded(run: impl FnOnce() -> AppResult<usize>) -> AppResult<usize> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(AppError::internal(format_args!("panicked: {}", crate::db::panic_text(&*panic)))))
}

fn one_by_one(state: &State, consumer: Consumer, limit: i64) -> AppResult<usize> {
    let mut done: usize = 0;
    for _ in 0..limit {
        let ctx = state.system();
        let outcome = guarded(|| state.db.write_here(move |conn| batch(conn, &ctx, &consumer, 1, Lock::Skip)));
        match outcome {
            Ok(0) => break,
            Ok(n) => done = done.saturating_add(n),
            Err(error) if error.code() == Code::Unavailable => return Err(error),
            Err(error) => {
                let (now, text) = (state.clock.now(), error.to_string());
                let skipped = state.db.write_here(move |conn| failed(conn, consumer.name, &text, now))?;
                if !skipped {
                    return Err(error);
                }
                done = done.saturating_add(1);
            }
        }
    }
    Ok(done)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// Leave the work to whoever has the lock.
    Skip,
    /// Wait for it.
    Wait,
}

/// Longest time for which somebody waits until what is committed can be read in order.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time between two looks meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// The newest event that is committed, once no transaction that still runs could precede it, or patience is at an end; for
/// [`catch_up`], in a transaction of its own after this one. What is committed later is not waited for, so that a busy log is no
/// reason to wait on.
///
/// # Errors
/// Database errors.
pub async fn settled(state: &State) -> AppResult<i64> {
    let newest = state.db.read(newest).await?;
    let begin = Instant::now();
    while !state.db.read(move |conn| readable(conn, newest)).await? && begin.elapsed() < PATIENCE {
        actix_web::rt::time::sleep(LOOK).await;
    }
    Ok(newest)
}

/// As [`settled`], for threads that may block.
///
/// # Errors
/// Database errors.
pub fn settled_here(state: &State) -> AppResult<i64> {
    let newest = state.db.read_here(newest)?;
    let begin = Instant::now();
    while !state.db.read_here(move |conn| readable(conn, newest))? && begin.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
    }
    Ok(newest)
}

fn newest(conn: &mut Conn) -> AppResult<i64> {
    Ok(events::table.select(diesel::dsl::max(events::seq)).first::<Option<i64>>(conn)?.unwrap_or(0))
}

/// Does all that waits for a consumer inside of the caller's transaction: for use cases that must not overlook an event that
/// is committed already, such as the end of a game. `until` comes from [`settled`].
///
/// # Errors
/// What the consumer answers; 503 when a transaction that is still running holds back events up to there.
pub fn catch_up(conn: &mut Conn, ctx: &Ctx, consumer: &Consumer, until: i64) -> AppResult<()> {
    while batch(conn, ctx, consumer, BATCH, Lock::Wait)? > 0 {}
    if held_back(conn, consumer.name, until)? {
        let detail = "What happened just now is still being written down. Try again in a moment.";
        return Err(AppError::new(Code::Unavailable, detail).with_header(header::RETRY_AFTER, "1"));
    }
    Ok(())
}

fn batch(conn: &mut Conn, ctx: &Ctx, consumer: &Consumer, limit: i64, lock: Lock) -> AppResult<usize> {
    let Some(from) = locked_cursor(conn, consumer.name, lock, ctx.now)? else { return Ok(0) };
    let found = super::after(conn, from, limit)?;
    let Some(last) = found.last() else { return Ok(0) };
    (consumer.handle)(conn, ctx, &found)?;
    move_to(conn, consumer.name, last.seq, ctx.now)?;
    Ok(found.len())
}

fn behind(conn: &mut Conn, consumer: &str) -> AppResult<bool> {
    let cursor: i64 = cursors::table.find(consumer).select(cursors::seq).get_result(conn).optional()?.unwrap_or(0);
    Ok(events::table.filter(events::seq.gt(cursor)).select(events::seq).first::<i64>(conn).optional()?.is_some())
}

/// Whether all events up to a position can be read in order.
fn readable(conn: &mut Conn, until: i64) -> AppResult<bool> {
    let Conn::Pg(c) = conn else { return Ok(true) };
    let settled: i64 = diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>("events_settled()")).first(c)?;
    Ok(settled >= until)
}

/// Whether others' events up to a position are committed that cannot be read in order yet. What the consumer itself appended in
/// this transaction is of the time after.
fn held_back(conn: &mut Conn, consumer: &str, until: i64) -> AppResult<bool> {
    let Conn::Pg(c) = conn else { return Ok(false) };
    let cursor: i64 = cursors::table.find(consumer).select(cursors::seq).get_result(c).optional()?.unwrap_or(0);
    let others = diesel::dsl::sql::<diesel::sql_types::Bool>("tx <> pg_current_xact_id()");
    let first = events::table
        .filter(events::seq.gt(cursor))
        .filter(events::seq.le(until))
        .filter(others)
        .select(events::seq)
        .first::<i64>(c);
    Ok(first.optional()?.is_some())
}

fn locked_cursor(conn: &mut Conn, consumer: &str, lock: Lock, now: DateTime<Utc>) -> AppResult<Option<i64>> {
    let row = (cursors::consumer.eq(consumer), cursors::seq.eq(0_i64), cursors::updated_at.eq(At(now)));
    let this = cursors::table.find(consumer).select(cursors::seq);
    let found: Option<i64> = match conn {
        Conn::Pg(c) => {
            // Only ever inserts once; reading first keeps the common case to one statement.
            if this.first::<i64>(c).optional()?.is_none() {
                diesel::insert_into(cursors::table).values(row).on_conflict_do_nothing().execute(c)?;
            }
            match lock {
                Lock::Skip => this.for_update().skip_locked().first(c).optional()?,
                Lock::Wait => this.for_update().first(c).optional()?,
            }
        }
        Conn::Sqlite(c) => this.get_result(c).optional()?.or(Some(0)),
    };
    Ok(found)
}

fn move_to(conn: &mut Conn, consumer: &str, seq: i64, now: DateTime<Utc>) -> AppResult<()> {
    let row = (cursors::consumer.eq(consumer), cursors::seq.eq(seq), cursors::updated_at.eq(At(now)));
    per_backend!(conn, |c| diesel::insert_into(cursors::table)
        .values(row)
        .on_conflict(cursors::consumer)
        .do_update()
        .set((cursors::seq.eq(seq), cursors::updated_at.eq(At(now))))
        .execute(c))?;
    Ok(())
}

/// Counts a failure of the event after the cursor; true when it was passed over.
fn failed(conn: &mut Conn, consumer: &str, error: &str, now: DateTime<Utc>) -> AppResult<bool> {
    let Some(from) = locked_cursor(conn, consumer, Lock::Wait, now)? else { return Ok(false) };
    let Some(event) = super::after(conn, from, 1)?.into_iter().next() else { return Ok(true) };
    let known: Option<i32> =
        failures::table.find((consumer, event.seq)).select(failures::attempts).get_result(conn).optional()?;
    let attempts = known.unwrap_or(0).saturating_add(1);
    let skip = attempts >= MAX_ATTEMPTS;
    let row = (
        failures::consumer.eq(consumer),
        failures::seq.eq(event.seq),
        failures::attempts.eq(attempts),
        failures::last_error.eq(error),
        failures::skipped_at.eq(skip.then_some(At(now))),
        failures::updated_at.eq(At(now)),
    );
    let change = (
        failures::attempts.eq(attempts),
        failures::last_error.eq(error),
        failures::skipped_at.eq(skip.then_some(At(now))),
        failures::updated_at.eq(At(now)),
    );
    per_backend!(conn, |c| diesel::insert_into(failures::table)
        .values(row)
        .on_conflict((failures::consumer, failures::seq))
        .do_update()
        .set(change)
        .execute(c))?;
    if skip {
        log::error!("{consumer}: passes over event {} ({}) after {attempts} attempts: {error}", event.seq, event.kind);
        move_to(conn, consumer, event.seq, now)?;
    }
    Ok(skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_with_a_backlog_and_shrink_when_they_take_long() {
        let ms = Duration::from_millis;
        let table = [
            (500, 500, 20, 1_000),
            (500, 499, 20, 500),
            (500, 500, 100, 500),
            (4_000, 4_000, 20, 4_000),
            (4_000, 4_000, 250, 2_000),
            (100, 3, 250, 62),
        ];
        for (had, done, took, next) in table {
            assert_eq!(Pace(had).after(done, ms(took)), Pace(next), "{had} {done} {took}");
        }
    }
}
