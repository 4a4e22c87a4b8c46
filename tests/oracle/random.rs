//! Random values from a printed seed: the same seed draws the same values on every machine.

/// SplitMix64: the same seed draws the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    pub fn one(&mut self, mut of: Vec<String>) -> String {
        let n = self.below(of.len() as u64) as usize;
        of.swap_remove(n)
    }

    /// Any size, small ones often.
    pub fn integer(&mut self, bits: u32) -> i64 {
        let shift = 64 - bits + self.below(u64::from(bits)) as u32;
        (self.next() as i64) >> shift
    }
}
