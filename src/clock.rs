//! The only place that reads the machine's clock and randomness. Everyone else gets time, ids and secrets as arguments.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

use crate::error::{AppError, AppResult};

/// The server's notion of time: the machine's clock plus what the sandbox clock was advanced by.
#[derive(Debug, Default)]
pub struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// Now, in UTC, to the microsecond (what both databases keep).
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else must use")]
    pub fn now(&self) -> DateTime<Utc> {
        let now = Utc::now() + TimeDelta::seconds(self.offset_seconds.load(Ordering::Relaxed));
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }

    /// Sets how far this clock is ahead of the machine's.
    pub fn set_offset(&self, seconds: i64) {
        self.offset_seconds.fetch_max(seconds, Ordering::Relaxed);
    }

    /// How far this clock is ahead of the machine's, in seconds.
    #[must_use]
    pub fn offset_seconds(&self) -> i64 {
        self.offset_seconds.load(Ordering::Relaxed)
    }
}

/// Makes ids, each greater than the one before.
struct Ids {
    context: ContextV7,
    /// Seconds and nanoseconds of the newest instant that an id was made of.
    newest: (u64, u32),
}

impl Ids {
    const fn new() -> Self {
        Self { context: ContextV7::new(), newest: (0, 0) }
    }

    /// Requests come with instants that others have overtaken. Of an earlier one `ContextV7` would keep the second that it has come to
    /// and take the later fraction of both: up to a second ahead of time, and so would be all that follow.
    fn next(&mut self, now: DateTime<Utc>) -> Uuid {
        let now = (u64::try_from(now.timestamp()).unwrap_or_default(), now.timestamp_subsec_nanos());
        self.newest = self.newest.max(now);
        let (seconds, nanos) = self.newest;
        Uuid::new_v7(Timestamp::from_unix(&self.context, seconds, nanos))
    }
}

static IDS: Mutex<Option<Ids>> = Mutex::new(None);

/// A new UUIDv7 (RFC 9562) of this instant. Ids made in one process ascend, so that lists in order of id are in order of making.
#[must_use]
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    IDS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert_with(Ids::new).next(now)
}

/// Fills an array from the operating system's source of randomness.
///
/// # Errors
/// When the operating system has none.
pub fn random<const N: usize>() -> AppResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(AppError::internal)?;
    Ok(bytes)
}

/// A random number for seeds and tags.
///
/// # Errors
/// As [`random`].
pub fn random_number() -> AppResult<i64> {
    Ok(i64::from_le_bytes(random()?))
}

/// An unguessable text of 256 bits, for tokens and secrets.
///
/// # Errors
/// As [`random`].
pub fn secret() -> AppResult<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_instants_out_of_order_ascend_and_are_not_ahead_of_time() {
        let start = DateTime::from_timestamp(1_800_000_000, 990_000_000).unwrap();
        let mut ids = Ids::new();
        let (mut last, mut newest) = (Uuid::nil(), start);
        for millis in [0, 5, 12, 3, 11, 9, 20, 1, 1_015, 8, 1_016] {
            let now = start + TimeDelta::milliseconds(millis);
            newest = newest.max(now);
            let id = ids.next(now);
            assert!(id > last, "{millis}");
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            let said = DateTime::from_timestamp(seconds.try_into().unwrap(), nanos).unwrap();
            assert!((said - newest).num_milliseconds() <= 0, "{millis}: {said}, and it is {newest}");
            last = id;
        }
    }
}
