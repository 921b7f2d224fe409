//! Places in a leaderboard: the order of players, as bytes.
//!
//! Players stand by points, most first; of equals, whoever got there first; of those, the one with the lesser id. A
//! [`Key`] is this order as bytes; [`super::order`] finds ranks in it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Bytes of a key: points, instant, id.
pub const KEY_BYTES: usize = 32;
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
