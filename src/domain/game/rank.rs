//! Places in a leaderboard: the order of players, and the heights that let a database count without scanning.
//!
//! Players stand by points, most first; of equals, whoever got there first; of those, the one with the lesser id. A
//! [`Key`] is this order as bytes. Each key has a [`height`] that is drawn from its own bytes: one in [`FANOUT`] has at
//! least 1, one in FANOUT² at least 2, and so on. A key of height h divides the counts of levels 1 to h, as in a skip list
//! with widths (Pugh 1990), so the structure depends on the keys alone, never on the order in which they came.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Bytes of a key: points, instant, id.
pub const KEY_BYTES: usize = 32;
/// Keys of one level that one key of the next stands for, on average. So many that each row of counts is shared by many of the
/// moves of a batch, and that a rank, the sum of half of them on each level, still takes far less than a millisecond.
pub const FANOUT: u32 = 1024;
/// Levels of counts above the keys: the topmost grows by one row for each million keys.
pub const LEVELS: u8 = 2;

/// A player's place in the order of a leaderboard, as bytes that sort so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; KEY_BYTES]);

fn ordered(n: i64) -> [u8; 8] {
    let mut bytes = n.to_be_bytes();
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    bytes
}

fn number(bytes: [u8; 8]) -> i64 {
    let mut bytes = bytes;
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    i64::from_be_bytes(bytes)
}

impl Key {
    /// The key of a player.
    #[must_use]
    pub fn new(points: i64, reached_at: DateTime<Utc>, id: Uuid) -> Self {
        let mut bytes = [0; KEY_BYTES];
        let parts = ordered(points).map(|byte| !byte).into_iter().chain(ordered(reached_at.timestamp_micros()));
        for (to, from) in bytes.iter_mut().zip(parts.chain(id.into_bytes())) {
            *to = from;
        }
        Self(bytes)
    }

    /// Reads bytes that were a key.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn part<const N: usize>(&self, from: usize) -> [u8; N] {
        let mut part = [0; N];
        for (to, byte) in part.iter_mut().zip(self.0.iter().skip(from)) {
            *to = *byte;
        }
        part
    }

    /// Points.
    #[must_use]
    pub fn points(&self) -> i64 {
        number(self.part::<8>(0).map(|byte| !byte))
    }

    /// When the player got there.
    #[must_use]
    pub fn reached_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(number(self.part(8))).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The player.
    #[must_use]
    pub fn id(&self) -> Uuid {
        Uuid::from_bytes(self.part(16))
    }

    /// On how many levels the key divides counts.
    #[must_use]
    pub fn height(&self) -> u8 {
        // FNV-1a, then SplitMix64's finaliser, so that the low bits depend on all bytes.
        let hash = self
            .0
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let zeros = (hash ^ (hash >> 31)).trailing_zeros();
        u8::try_from(zeros / FANOUT.trailing_zeros()).unwrap_or(LEVELS).min(LEVELS)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn instant(micros: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros)
    }

    #[test]
    fn ties_go_to_whoever_got_there_first() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let keys = [
            Key::new(11, instant(9), b),
            Key::new(10, instant(1), b),
            Key::new(10, instant(2), a),
            Key::new(10, instant(2), b),
            Key::new(0, instant(0), a),
            Key::new(-5, instant(0), a),
        ];
        assert!(keys.is_sorted());
    }

    #[test]
    fn one_in_a_thousand_divides_the_next_level() {
        let keys = (0..1_000_000_u128).map(|n| Key::new(7, instant(1), Uuid::from_u128(n)));
        let tall = keys.filter(|key| key.height() >= 1).count();
        assert!((850..1_110).contains(&tall), "{tall}");
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_parts_do(a: (i64, i32, u128), b: (i64, i32, u128)) {
            let make = |(points, micros, id): (i64, i32, u128)| Key::new(points, instant(micros.into()), Uuid::from_u128(id));
            let parts = |(points, micros, id): (i64, i32, u128)| (std::cmp::Reverse(points), micros, id);
            prop_assert_eq!(make(a).cmp(&make(b)), parts(a).cmp(&parts(b)));
        }

        #[test]
        fn a_key_holds_its_parts(points: i64, micros in -1_000_000_000_000_000i64..4_000_000_000_000_000, id: u128) {
            let key = Key::new(points, instant(micros), Uuid::from_u128(id));
            prop_assert_eq!((key.points(), key.reached_at(), key.id()), (points, instant(micros), Uuid::from_u128(id)));
            prop_assert_eq!(Key::from_slice(key.as_bytes()), Some(key));
        }
    }
}
