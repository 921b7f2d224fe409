//! Names for those who do not want to be known: the same for a player within a game, another in the next game.

use uuid::Uuid;

const FIRST: [&str; 32] = [
    "Amber", "Azure", "Bold", "Brave", "Bright", "Calm", "Clever", "Coral", "Crimson", "Daring", "Eager", "Fair",
    "Gentle", "Golden", "Happy", "Indigo", "Ivory", "Jade", "Keen", "Lucky", "Merry", "Noble", "Olive", "Pearl",
    "Proud", "Quick", "Quiet", "Ruby", "Silver", "Swift", "Violet", "Wise",
];
const SECOND: [&str; 32] = [
    "Badger", "Bear", "Beaver", "Bison", "Crane", "Deer", "Dolphin", "Eagle", "Falcon", "Finch", "Fox", "Hare", "Hawk",
    "Heron", "Ibex", "Jay", "Koala", "Lark", "Lion", "Lynx", "Marten", "Otter", "Owl", "Panda", "Puma", "Raven",
    "Robin", "Seal", "Stork", "Tiger", "Whale", "Wolf",
];

/// The pseudonym of a player in a game. `seed` is the game's and is told to nobody, so that nobody can compute who it is.
#[must_use]
pub fn pseudonym(seed: i64, player: Uuid) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.to_be_bytes().into_iter().chain(player.into_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = hash ^ (hash >> 31);
    let pick = |list: &[&'static str; 32], n: u64| {
        usize::try_from(n % 32).ok().and_then(|n| list.get(n).copied()).unwrap_or_default()
    };
    format!("{} {} {:04}", pick(&FIRST, hash >> 20), pick(&SECOND, hash >> 40), hash % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_same_within_a_game_only() {
        let ada = Uuid::from_u128(7);
        assert_eq!(pseudonym(1, ada), pseudonym(1, ada));
        assert_ne!(pseudonym(1, ada), pseudonym(2, ada));
        assert_ne!(pseudonym(1, ada), pseudonym(1, Uuid::from_u128(8)));
    }
}
