//! Tells threads of this process that something was committed, so that what follows from it need not wait for a poll.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts commits.
#[derive(Debug, Default)]
pub struct Signal {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// Commits so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everyone who waits.
    pub fn notify(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Waits until the count is not `seen` any more, or the time is up.
    pub fn wait(&self, seen: u64, at_most: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, at_most, |count| *count == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
