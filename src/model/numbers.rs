//! Counts of the numbers in one column of the source, for warnings about values that were stored as numbers.

use super::cell::Raw;

/// From this number on, neighbouring doubles differ by more than one.
pub const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// From March 1973 to February 2103, in seconds, milliseconds, microseconds and nanoseconds since 1970. No number is within two
/// of them. The second bound is excluded.
pub const PLAUSIBLE_TIMES: [(f64, f64); 4] = [(1e8, 4.2e9), (1e11, 4.2e12), (1e14, 4.2e15), (1e17, 4.2e18)];

/// The numbers in one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnNumbers {
    /// All numbers.
    pub all: u64,
    /// Doubles of [`FIRST_INEXACT`] or more, regardless of sign.
    pub inexact: u64,
    /// Numbers other than 0.
    pub nonzero: u64,
    /// Numbers that are a plausible time, by unit, regardless of sign.
    pub plausible: [u64; 4],
}

impl ColumnNumbers {
    /// Counts a value if it is a number.
    pub fn add(&mut self, value: Raw<'_>) {
        let (size, is_double) = match value {
            // As a double, because the smallest integer has no absolute value.
            Raw::Integer(number) => ((number as f64).abs(), false),
            Raw::Real(number) => (number.abs(), true),
            _ => return,
        };
        self.all += 1;
        self.inexact += u64::from(is_double && size >= FIRST_INEXACT);
        self.nonzero += u64::from(size > 0.0);
        for ((from, to), count) in PLAUSIBLE_TIMES.iter().zip(&mut self.plausible) {
            *count += u64::from(size >= *from && size < *to);
        }
    }

    /// Adds the counts of other rows.
    pub fn merge(&mut self, other: &ColumnNumbers) {
        self.all += other.all;
        self.inexact += other.inexact;
        self.nonzero += other.nonzero;
        self.plausible.iter_mut().zip(other.plausible).for_each(|(count, more)| *count += more);
    }
}
