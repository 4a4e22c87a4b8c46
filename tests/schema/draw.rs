//! Numbers and choices from a seed, which a failing test prints.

/// Draws numbers from a seed.
pub struct Draw(u64);

/// The seed of a test: that of the environment, or a fixed one.
pub fn seed() -> u64 {
    std::env::var("MIGRATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_130)
}

impl Draw {
    /// Begins with a seed, which is not 0.
    pub fn new(seed: u64) -> Draw {
        Draw(seed.max(1))
    }

    /// A number below another one.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % n as u64).expect("a small number")
    }

    /// One of several texts.
    pub fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}
