//! Counts of the numbers in one column of the source, for warnings about values that were stored as numbers.

use super::cell::Raw;

/// From this number on, neighbouring doubles differ by more than one: 2^53.
pub const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// The numbers between March 1973 and February 2103, in seconds, milliseconds, microseconds and nanoseconds since 1970. No
/// number is within two of these ranges. The second bound is excluded.
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
    /// Numbers in each of [`PLAUSIBLE_TIMES`], regardless of sign.
    pub plausible: [u64; 4],
}

impl ColumnNumbers {
    /// Counts a value if it is a number.
    #[inline]
    pub fn add(&mut self, value: Raw<'_>) {
        match value {
            // As a double, because the smallest integer has no absolute value.
            Raw::Integer(number) => self.add_size((number as f64).abs(), false),
            Raw::Real(number) => self.add_size(number.abs(), true),
            Raw::Null | Raw::Text(_) | Raw::Blob(_) => {}
        }
    }

    fn add_size(&mut self, size: f64, is_double: bool) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_counted_and_by_their_size() {
        let values = [
            Raw::Null,
            Raw::Text(b"5"),
            Raw::Blob(b"5"),
            Raw::Integer(0),
            Raw::Integer(i64::MIN),
            Raw::Integer(-1_700_000_000),
            Raw::Real(1.7e12),
            Raw::Real(9_007_199_254_740_992.0),
            Raw::Real(f64::INFINITY),
        ];
        let mut counted = [ColumnNumbers::default(); 2];
        values.iter().enumerate().for_each(|(n, value)| counted[n % 2].add(*value));
        let [mut all, other] = counted;
        all.merge(&other);
        assert_eq!(all, ColumnNumbers { all: 6, inexact: 2, nonzero: 5, plausible: [1, 1, 0, 0] });
    }
}
