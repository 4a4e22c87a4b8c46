//! The zones of the tz database: their names, and their offsets from UTC until the end of 2099.
//!
//! The tables are compiled in, so that no machine's own copy decides. Each line of `zones.txt` has the name of a zone, the
//! number of its first period in `zones.bin`, and the number of its periods. A period is 8 bytes in little-endian order: the
//! second of its beginning in the upper 44 bits, and the offset, plus 524,288, in the lower 20.
//!
//! A test writes both files from the tables of the crate chrono-tz, and compares every zone with them.

use std::fmt;

const NAMES: &str = include_str!("zones.txt");
const PERIODS: &[u8] = include_bytes!("zones.bin");

/// The bits of the offset in a period.
const BITS: u32 = 20;
/// The offset 0 as a period has it.
const ZERO: i64 = 1 << (BITS - 1);
/// Seconds that no offset reaches, east or west of UTC.
const BEYOND: i64 = 86_400;

/// A zone of the tz database.
#[derive(Clone, Copy)]
pub struct NamedZone {
    name: &'static str,
    /// The periods of one offset, from the first one, which has no beginning.
    periods: &'static [[u8; 8]],
}

impl NamedZone {
    /// The zone of a name such as `Europe/Berlin`; `None` for any other text.
    pub fn find(name: &str) -> Option<NamedZone> {
        NAMES.lines().find_map(|line| {
            let (name, place) = line.split_once(' ').filter(|(own, _)| *own == name)?;
            let (first, count) = place.split_once(' ')?;
            let periods = PERIODS.as_chunks::<8>().0.get(first.parse().ok()?..)?.get(..count.parse().ok()?)?;
            Some(NamedZone { name, periods })
        })
    }

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.lines().filter_map(|line| line.split(' ').next())
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The seconds that the zone is east of UTC at an instant, in seconds since 1970-01-01 UTC.
    pub fn offset_at(self, instant: i64) -> i64 {
        self.offset(self.period_at(instant))
    }

    /// The offsets at which a local time exists, in seconds since 1970-01-01: none if the clocks skipped it, two if they were
    /// turned back.
    pub fn offsets_at_local(self, local: i64) -> impl Iterator<Item = i64> {
        let nearby = self.period_at(local - BEYOND)..=self.period_at(local + BEYOND);
        let has = move |n: &usize| {
            let instant = local - self.offset(*n);
            (*n == 0 || self.start(*n) <= instant) && (n + 1 >= self.periods.len() || instant < self.start(n + 1))
        };
        nearby.filter(has).map(move |n| self.offset(n))
    }

    /// The period that an instant is in.
    fn period_at(self, instant: i64) -> usize {
        self.periods.partition_point(|period| i64::from_le_bytes(*period) >> BITS <= instant).saturating_sub(1)
    }

    fn start(self, period: usize) -> i64 {
        i64::from_le_bytes(self.periods[period]) >> BITS
    }

    fn offset(self, period: usize) -> i64 {
        (i64::from_le_bytes(self.periods[period]) & ((1 << BITS) - 1)) - ZERO
    }
}

impl PartialEq for NamedZone {
    fn eq(&self, other: &NamedZone) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for NamedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_has_periods_in_order_and_a_name_of_its_own() {
        let names: Vec<&str> = NamedZone::names().collect();
        assert!(names.len() > 500 && names.is_sorted_by(|a, b| a < b), "{}", names.len());
        for name in names {
            let zone = NamedZone::find(name).unwrap_or_else(|| panic!("{name}"));
            assert!(!zone.periods.is_empty() && (1..zone.periods.len()).all(|n| zone.start(n - 1) < zone.start(n)));
            assert!((0..zone.periods.len()).all(|n| zone.offset(n).abs() < BEYOND), "{name}");
        }
    }

    #[test]
    fn a_text_that_is_no_name_finds_no_zone() {
        for text in ["", "europe/berlin", "Europe/Berlin ", "Europe", "Europe/Berlin 0", "Mars/Olympus"] {
            assert_eq!(NamedZone::find(text), None, "{text}");
        }
    }
}
