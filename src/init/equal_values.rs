//! Values of a column that differ in the source and are equal in a type of PostgreSQL, such as two spellings of one UUID, or one time
//! in two zones. A unique key of the source would not be one of the target.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_128;

use super::probe::Probe;
use crate::model::cell::{Cell, Raw};
use crate::model::pgtype::{ColumnType, Kind};

/// Distinct values of a column that are kept: 64 MiB.
const VALUES_KEPT: usize = 1 << 20;

/// Watches the values of one column.
pub struct EqualValues {
    probe: Probe,
    hasher: RandomState,
    /// The hash of the source's value, by the value of the type.
    seen: HashMap<u128, u64>,
    found: bool,
}

impl EqualValues {
    /// Begins to watch. `None`: the type has no equal values that differ in the source.
    pub fn new(kind: &ColumnType) -> Option<EqualValues> {
        let merges = matches!(
            kind.kind,
            Kind::Bool
                | Kind::Uuid
                | Kind::Date
                | Kind::Time { .. }
                | Kind::Timestamp { .. }
                | Kind::Timestamptz { .. }
                | Kind::Jsonb
                | Kind::Text
        );
        let probe = Probe::new(kind).filter(|_| merges)?;
        Some(EqualValues { probe, hasher: RandomState::new(), seen: HashMap::new(), found: false })
    }

    /// Reads a value.
    pub fn read(&mut self, raw: Raw<'_>) {
        let Some(value) = self.probe.converted(raw).and_then(|cell| number(&cell)) else { return };
        let own = match raw {
            Raw::Null => return,
            Raw::Integer(number) => self.hasher.hash_one((0, number)),
            Raw::Real(number) => self.hasher.hash_one((1, number.to_bits())),
            Raw::Text(bytes) => self.hasher.hash_one((2, bytes)),
            Raw::Blob(bytes) => self.hasher.hash_one((3, bytes)),
        };
        self.found |= *self.seen.entry(value).or_insert(own) != own || self.seen.len() > VALUES_KEPT;
    }

    /// True if two values that differ in the source are equal, or may be.
    pub fn found(&self) -> bool {
        self.found
    }
}

/// Returns a number that differs for values that PostgreSQL tells apart: of a text its hash. PostgreSQL compares JSON by its contents,
/// so that any two may be equal.
fn number(cell: &Cell<'_>) -> Option<u128> {
    match cell {
        Cell::Bool(value) => Some(u128::from(*value)),
        Cell::Uuid(bytes) => Some(u128::from_be_bytes(*bytes)),
        Cell::Date(days) => Some(u128::from(days.cast_unsigned())),
        Cell::Time(micros) | Cell::Timestamp(micros) => Some(u128::from(micros.cast_unsigned())),
        Cell::Jsonb(_) => Some(0),
        Cell::Text(text) => Some(xxh3_128(text.as_bytes())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_equal(kind: Kind, values: &[Raw<'_>]) -> bool {
        let mut watched = EqualValues::new(&ColumnType::new(kind, 0, "test")).expect("a type with equal values");
        values.iter().for_each(|raw| watched.read(*raw));
        watched.found()
    }

    #[test]
    fn values_that_differ_in_the_source_can_be_equal_in_the_target() {
        let upper = Raw::Text(b"0E37DF36-F698-11E6-8DD4-CB9CED3DF976");
        let lower = Raw::Text(b"0e37df36-f698-11e6-8dd4-cb9ced3df976");
        let other = Raw::Text(b"1e37df36-f698-11e6-8dd4-cb9ced3df976");
        assert!(has_equal(Kind::Uuid, &[other, upper, lower]));
        assert!(!has_equal(Kind::Uuid, &[lower, lower, other, Raw::Null]));
        assert!(has_equal(Kind::Bool, &[Raw::Integer(1), Raw::Text(b"true")]));
        assert!(!has_equal(Kind::Bool, &[Raw::Integer(1), Raw::Integer(0)]));
        let zoned = || Kind::Timestamptz { precision: 6 };
        let (utc, east) = (Raw::Text(b"2020-01-01 10:00:00Z"), Raw::Text(b"2020-01-01 12:00:00+02:00"));
        assert!(has_equal(zoned(), &[utc, east]));
        assert!(!has_equal(zoned(), &[utc, Raw::Text(b"2020-01-01 12:00:00+03:00")]));
        // Numbers and texts of times are read with the modifiers that a mapping would have.
        let second = Raw::Integer(1_600_000_000);
        assert!(has_equal(Kind::Timestamp { precision: 6 }, &[second, Raw::Text(b"2020-09-13 12:26:40")]));
        assert!(has_equal(Kind::Time { precision: 6 }, &[Raw::Text(b"10:00"), Raw::Text(b"10:00:00")]));
        assert!(has_equal(Kind::Jsonb, &[Raw::Text(b"1.0"), Raw::Text(b"[2]")]));
        assert!(has_equal(Kind::Text, &[Raw::Integer(1), Raw::Text(b"1")]));
        assert!(!has_equal(Kind::Text, &[Raw::Integer(1), Raw::Text(b"2"), Raw::Text(b"2")]));
        assert!(EqualValues::new(&ColumnType::new(Kind::Int8, 0, "test")).is_none());
    }
}
