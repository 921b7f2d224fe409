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
        let (place, of) = bytes.split_at_mut(16);
        let (most_first, earliest_first) = place.split_at_mut(8);
        most_first.copy_from_slice(&ordered(points).map(|byte| !byte));
        earliest_first.copy_from_slice(&ordered(reached_at.timestamp_micros()));
        of.copy_from_slice(id.as_bytes());
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

    /// What comes before all who have these points since this instant.
    #[must_use]
    pub fn first_of_its_equals(&self) -> Self {
        let mut bytes = self.0;
        bytes.iter_mut().skip(16).for_each(|byte| *byte = 0);
        Self(bytes)
    }
}

/// Bytes of a place: points, instant, count.
const PLACE_BYTES: usize = 20;

/// Where a page of a leaderboard ended: the points and the instant of the last who was shown, and how many who have just these were
/// shown with them. It goes to whoever turns the page, so it says nothing of who that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Comes before all who have these points since this instant.
    start: Key,
    shown: u32,
}

impl Place {
    /// After a key and `shown` of its equals in points and instant, itself among them.
    #[must_use]
    pub fn after(key: &Key, shown: usize) -> Self {
        Self { start: key.first_of_its_equals(), shown: u32::try_from(shown).unwrap_or(u32::MAX) }
    }

    /// The key before all who have these points since this instant.
    #[must_use]
    pub fn start(&self) -> &Key {
        &self.start
    }

    /// The key after all who have these points since this instant.
    #[must_use]
    pub fn end(&self) -> Key {
        let mut bytes = self.start.0;
        bytes.iter_mut().skip(16).for_each(|byte| *byte = u8::MAX);
        Key(bytes)
    }

    /// How many of `keys`, which follow [`Place::start`], were shown before.
    #[must_use]
    pub fn shown_of<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> usize {
        let shown = usize::try_from(self.shown).unwrap_or(usize::MAX);
        keys.into_iter().take(shown).take_while(|key| key.first_of_its_equals() == self.start).count()
    }

    /// How many keys after [`Place::start`] may have been shown at most.
    #[must_use]
    pub fn most_shown(&self) -> usize {
        usize::try_from(self.shown).unwrap_or(usize::MAX)
    }

    /// As bytes, for a cursor.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.start.as_bytes().iter().take(16).copied().chain(self.shown.to_be_bytes()).collect()
    }

    /// Reads bytes that were a place.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PLACE_BYTES] = bytes.try_into().ok()?;
        let (start, shown) = bytes.split_first_chunk::<16>()?;
        let mut key = [0; KEY_BYTES];
        for (to, from) in key.iter_mut().zip(start) {
            *to = *from;
        }
        Some(Self { start: Key(key), shown: u32::from_be_bytes(shown.try_into().ok()?) })
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
    fn a_place_says_where_and_not_who() {
        let key = |points, micros, id| Key::new(points, instant(micros), Uuid::from_u128(id));
        let keys = [key(9, 1, 5), key(9, 1, 6), key(9, 1, 7), key(9, 2, 1), key(3, 0, 4)];
        for (at, shown) in [(0, 1), (1, 2), (2, 3), (3, 1), (4, 1)] {
            let place = Place::after(&keys[at], shown);
            assert_eq!(Place::from_slice(&place.to_bytes()), Some(place));
            assert_eq!(place.to_bytes().len(), PLACE_BYTES);
            let rest: Vec<Key> = keys.iter().filter(|key| *key > place.start()).copied().collect();
            assert_eq!(rest.get(place.shown_of(&rest)), keys.get(at + 1), "{at}");
            assert_eq!(
                keys.iter().filter(|key| *key > place.start() && **key < place.end()).count(),
                if at < 3 { 3 } else { 1 }
            );
        }
        let other = Place::after(&key(9, 1, 8), 2);
        assert_eq!(other, Place::after(&keys[0], 2), "whoever it was");
        // Who was shown and is gone since takes nobody along.
        assert_eq!(Place::after(&key(9, 1, 8), 3).shown_of(&[key(9, 2, 1), key(3, 0, 4)]), 0);
        assert_eq!(Place::from_slice(&[0; 32]), None);
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
