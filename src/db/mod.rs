//! One code path over SQLite and Postgres: [`Db::read`], [`Db::read_slow`], [`Db::write`].
//!
//! * SQLite: reads run where they stand, on a read-only connection of their thread; all writes go to the one writer thread,
//!   which commits everything that waits in one transaction and only then answers (`writer`).
//! * Postgres: a pool, used through `web::block`.
//!
//! Services never know which it is.

pub mod blocks;
pub mod bulk;
mod checkpoint;
#[expect(missing_docs, reason = "the derive makes items that nobody can document")]
mod conn;
pub mod fixed;
pub mod migrations;
pub mod page;
pub mod personal;
mod postgres;
pub mod probe;
pub mod schema;
mod seen;
pub mod signal;
mod sqlite;
pub mod tree;
pub mod turns;
pub mod types;
pub mod units;
mod writer;
pub(crate) use self::writer::panic_text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, RunQueryDsl, sql_query};

use self::checkpoint::{Checkpointer, Last};
pub use self::conn::{Conn, MultiBackend};
pub use self::postgres::Pool;
use self::seen::Seen;
pub use self::seen::access_version;
use self::signal::Signal;
use self::writer::Writer;
use crate::config::DatabaseUrl;
use crate::error::{AppError, AppResult, Code};

/// Handle to the database; cheap to clone, shared by all threads.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    kind: Kind,
    statements: Arc<AtomicU64>,
    commits: Arc<Signal>,
}

enum Kind {
    Sqlite { reader: sqlite::Reader, writer: Writer, seen: Arc<Seen>, _checkpointer: Checkpointer },
    Postgres { pool: Pool },
}

impl Db {
    /// Opens the database without migrating it; see [`migrations::migrate`].
    ///
    /// # Errors
    /// When the file or the server cannot be reached.
    pub fn open(url: &DatabaseUrl, pool_size: u32) -> AppResult<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let commits = Arc::new(Signal::default());
        let kind = match url {
            DatabaseUrl::Sqlite(path) => {
                let seen = Arc::new(Seen::default());
                let last = Last::default();
                let conn = sqlite::open_writer(path, &statements)?;
                let writer = Writer::start(conn, Arc::clone(&seen), Arc::clone(&commits), last.clone())?;
                let reader = sqlite::Reader::new(path.clone(), Arc::clone(&statements), Arc::clone(&seen));
                let _checkpointer = Checkpointer::start(path, &commits, last)?;
                Kind::Sqlite { reader, writer, seen, _checkpointer }
            }
            DatabaseUrl::Postgres(url) => Kind::Postgres { pool: postgres::pool(url, pool_size, &statements)? },
        };
        Ok(Self(Arc::new(Inner { url: url.clone(), kind, statements, commits })))
    }

    /// Where the data is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// How many statements (transaction control apart) have been executed, for the tests' budgets.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// Runs a short read in one snapshot.
    ///
    /// # Errors
    /// Whatever the closure answers, or that the database is away.
    pub async fn read<T, F>(&self, f: F) -> AppResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        match &self.0.kind {
            Kind::Sqlite { reader, .. } => reader.run_shared(f),
            Kind::Postgres { pool } => postgres::read(pool.clone(), f).await,
        }
    }

    /// [`Db::read`] for a single statement, which sees one state without a transaction around it.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_one<T, F>(&self, f: F) -> AppResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        match &self.0.kind {
            Kind::Sqlite { reader, .. } => reader.run_one(f),
            Kind::Postgres { pool } => postgres::read(pool.clone(), f).await,
        }
    }

    /// Runs a long read (report, export) away from the HTTP threads.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_slow<T, F>(&self, f: F) -> AppResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        match &self.0.kind {
            Kind::Sqlite { .. } => {
                let db = self.clone();
                blocking(move || db.read_here(f)).await
            }
            Kind::Postgres { pool } => postgres::read(pool.clone(), f).await,
        }
    }

    /// Runs a write in one transaction and answers when it is durable. A closure that fails changes nothing.
    ///
    /// # Errors
    /// Whatever the closure answers, or that the commit failed.
    pub async fn write<T, F>(&self, f: F) -> AppResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        match &self.0.kind {
            Kind::Sqlite { writer, .. } => writer.submit(f)?.await.unwrap_or_else(|_| Err(stopped())),
            Kind::Postgres { pool } => self.told(postgres::write(pool.clone(), f).await),
        }
    }

    /// [`Db::read`] for threads that may block: start-up, commands, the worker.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub fn read_here<T>(&self, f: impl FnOnce(&mut Conn) -> AppResult<T>) -> AppResult<T> {
        match &self.0.kind {
            Kind::Sqlite { reader, .. } => reader.run(f),
            Kind::Postgres { pool } => postgres::read_here(pool, f),
        }
    }

    /// [`Db::write`] for threads that may block: start-up, commands, the worker.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_here<T, F>(&self, f: F) -> AppResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        match &self.0.kind {
            Kind::Sqlite { writer, .. } => writer.submit(f)?.blocking_recv().unwrap_or_else(|_| Err(stopped())),
            Kind::Postgres { pool } => self.told(postgres::write_here(pool, f)),
        }
    }

    /// The version of access as of the last commit of this process, if that was a moment ago. What another process writes is seen
    /// that moment later. Never on Postgres.
    #[must_use]
    pub fn recent_access_version(&self) -> Option<i64> {
        match &self.0.kind {
            Kind::Sqlite { seen, .. } => seen.access(),
            Kind::Postgres { .. } => None,
        }
    }

    /// Signals each commit of this process.
    #[must_use]
    pub fn commits(&self) -> Arc<Signal> {
        Arc::clone(&self.0.commits)
    }

    /// Signals the commit of a write that succeeded.
    fn told<T>(&self, result: AppResult<T>) -> AppResult<T> {
        if result.is_ok() {
            self.0.commits.notify();
        }
        result
    }

    /// Ends the writer after what it has accepted is durable.
    pub fn close(&self) {
        if let Kind::Sqlite { writer, .. } = &self.0.kind {
            writer.stop();
        }
    }

    /// Copies the whole database into a new SQLite file while others write (`VACUUM INTO`).
    ///
    /// # Errors
    /// On Postgres, where `pg_dump` is the tool, and when the file exists.
    pub fn backup(&self, to: &std::path::Path) -> AppResult<()> {
        match &self.0.kind {
            Kind::Sqlite { reader, .. } => reader.backup(to),
            Kind::Postgres { .. } => {
                Err(AppError::new(Code::WrongState, "Use pg_dump to back up a Postgres database."))
            }
        }
    }
}

/// Runs blocking work on actix's blocking pool.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> AppResult<T> + Send + 'static) -> AppResult<T> {
    actix_web::web::block(f).await.unwrap_or_else(|_| Err(stopped()))
}

fn stopped() -> AppError {
    AppError::new(Code::Unavailable, "The server is stopping; try again.")
}

/// Locks one row until the transaction ends on Postgres; nothing on SQLite, whose writer is alone. As an update does, it lets others
/// refer to the row meanwhile: two who have both inserted something that belongs to a course, and then both lock the course, would
/// wait for each other for ever otherwise.
///
/// # Errors
/// Database errors.
pub fn lock_row(conn: &mut Conn, table: LockTable, id: uuid::Uuid) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        let sql = match table {
            LockTable::Enrollments => "SELECT 1 FROM enrollments WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Courses => "SELECT 1 FROM courses WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Clients => "SELECT 1 FROM clients WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Users => "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Attempts => "SELECT 1 FROM attempts WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Games => "SELECT 1 FROM games WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::SyncPlans => "SELECT 1 FROM sync_plans WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Groups => "SELECT 1 FROM groups WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Frameworks => "SELECT 1 FROM frameworks WHERE id = $1 FOR NO KEY UPDATE",
            LockTable::Goals => "SELECT 1 FROM goals WHERE id = $1 FOR NO KEY UPDATE",
        };
        sql_query(sql).bind::<types::SqlId, _>(types::Id(id)).execute(pg)?;
    }
    Ok(())
}

/// Queues up behind whoever else holds this lock until the transaction ends on Postgres; nothing on SQLite, whose writer is alone.
///
/// # Errors
/// Database errors.
pub fn lock_whole(conn: &mut Conn, what: LockWhole) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        let key = match what {
            LockWhole::UnitTree => 0x0075_6e69_7473_i64,
            LockWhole::Admins => 0x6164_6d69_6e73_i64,
            LockWhole::Managers => 0x6d67_7273_i64,
            LockWhole::Imports => 0x696d_7073_i64,
        };
        sql_query("SELECT pg_advisory_xact_lock($1)").bind::<diesel::sql_types::BigInt, _>(key).execute(pg)?;
    }
    Ok(())
}

/// Queues up behind whoever reckons this person's mastery until the transaction ends on Postgres: the value is made of all evidence,
/// also of what another transaction is just writing. Nothing on SQLite, whose writer is alone.
///
/// # Errors
/// Database errors.
pub fn lock_mastery(conn: &mut Conn, user: uuid::Uuid) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))")
            .bind::<diesel::sql_types::Text, _>(user.to_string())
            .execute(pg)?;
    }
    Ok(())
}

/// Structures that span many rows and are changed by one at a time.
#[derive(Debug, Clone, Copy)]
pub enum LockWhole {
    /// The tree of organisational units.
    UnitTree,
    /// Who administers the site.
    Admins,
    /// Who reports to whom; before the people themselves are locked.
    Managers,
    /// Which frameworks came from elsewhere, under which source and title.
    Imports,
}

/// The aggregates whose rows are locked before a decision depends on them.
#[derive(Debug, Clone, Copy)]
pub enum LockTable {
    /// One enrollment with its records, attempts and choices.
    Enrollments,
    /// One course with its seats.
    Courses,
    /// One user.
    Users,
    /// One machine client with its secrets.
    Clients,
    /// One quiz attempt.
    Attempts,
    /// One game with its ledger and all that is summed from it.
    Games,
    /// One plan of the HR sync with its rows.
    SyncPlans,
    /// One group with its condition.
    Groups,
    /// One framework with its competencies.
    Frameworks,
    /// One goal with its requirements.
    Goals,
}

/// True for statements that open, close or name a transaction, which no budget counts.
fn is_transaction_control(sql: &str) -> bool {
    let word = sql.trim_start().split([' ', ';']).next().unwrap_or_default();
    ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

/// Makes the connection count what it executes.
fn count_statements(conn: &mut Conn, counter: &Arc<AtomicU64>) {
    let counter = Arc::clone(counter);
    conn.set_instrumentation(move |event: diesel::connection::InstrumentationEvent<'_>| {
        if let diesel::connection::InstrumentationEvent::StartQuery { query, .. } = event
            && !bulk::is_counted_already()
            && (cfg!(debug_assertions) || log::log_enabled!(target: "cairn::sql", log::Level::Trace))
        {
            let sql = query.to_string();
            if !is_transaction_control(&sql) {
                counter.fetch_add(1, Ordering::Relaxed);
                log::trace!(target: "cairn::sql", "{sql}");
            }
        }
    });
}

/// Runs one statement of transaction control, which stays prepared.
fn control(conn: &mut Conn, sql: &'static str) -> AppResult<()> {
    fixed::Fixed::new(sql, []).run(conn)?;
    Ok(())
}

/// Runs a batch of plain SQL.
fn batch(conn: &mut Conn, sql: &str) -> AppResult<()> {
    conn.batch_execute(sql).map_err(AppError::from)
}
