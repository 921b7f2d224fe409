//! What SQLite's writer saw last, so that others need not ask the database for it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::{QueryDsl, RunQueryDsl};

use super::Conn;
use super::schema::access_version;
use crate::error::AppResult;

/// How long what was seen is taken for true: another process may have written since.
pub(super) const TRUSTED_FOR: Duration = Duration::from_millis(2);

/// Shared by the writer, which tells, and all who read.
pub(super) struct Seen {
    started: Instant,
    commits: AtomicU64,
    access: AtomicI64,
    /// Microseconds from the start to when `access` was seen; 0 for never.
    at: AtomicU64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { started: Instant::now(), commits: AtomicU64::new(0), access: AtomicI64::new(0), at: AtomicU64::new(0) }
    }
}

impl Seen {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A commit was made, or not, in which access had this version. Told before any of its writers is answered: whoever reads after
    /// that must not be shown an older state.
    pub(super) fn tell(&self, access: Option<i64>) {
        match access {
            Some(version) => {
                self.access.store(version, Ordering::Relaxed);
                self.at.store(self.now(), Ordering::Release);
            }
            None => self.at.store(0, Ordering::Release),
        }
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// How many commits there were.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// The version of access as of the last commit, if that was a moment ago.
    pub(super) fn access(&self) -> Option<i64> {
        let at = self.at.load(Ordering::Acquire);
        let trusted = u64::try_from(TRUSTED_FOR.as_micros()).unwrap_or_default();
        (at > 0 && self.now().saturating_sub(at) < trusted).then(|| self.access.load(Ordering::Acquire))
    }
}

/// The number that every change of what a token may do raises, in its transaction. On Postgres there is none.
///
/// # Errors
/// Database errors.
pub fn access_version(conn: &mut Conn) -> AppResult<Option<i64>> {
    match conn {
        // `first` would add a LIMIT, for whose value SQLite prepares the statement anew each time.
        Conn::Sqlite(c) => Ok(Some(access_version::table.find(1).select(access_version::version).get_result(c)?)),
        Conn::Pg(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_trusted_for_a_moment() {
        let seen = Seen::default();
        assert_eq!((seen.access(), seen.commits()), (None, 0));
        std::thread::sleep(Duration::from_micros(10));
        seen.tell(Some(7));
        assert_eq!(seen.commits(), 1);
        assert!(seen.access().is_none_or(|version| version == 7));
        std::thread::sleep(TRUSTED_FOR);
        assert_eq!(seen.access(), None);
        seen.tell(None);
        assert_eq!((seen.access(), seen.commits()), (None, 2));
    }
}
