//! A shuffle that can be rebuilt from its seed: SplitMix64 (Steele, Lea, Flood 2014) drives a Fisher–Yates shuffle.

pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, by widening multiplication (Lemire 2019); the bias is below 2⁻³² for the few items of a quiz.
    fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * u128::try_from(n).unwrap_or(0);
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Shuffles in place; the same seed gives the same order on every machine.
pub(crate) fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut random = SplitMix64(seed);
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last + 1));
    }
}

/// FNV-1a, to give each item its own order from one seed.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_permutation() {
        let mut a: Vec<u32> = (0..20).collect();
        let mut b = a.clone();
        shuffle(&mut a, 7);
        shuffle(&mut b, 7);
        assert_eq!(a, b);
        assert_ne!(a, (0..20).collect::<Vec<_>>());
        b.sort_unstable();
        assert_eq!(b, (0..20).collect::<Vec<_>>());
    }
}
