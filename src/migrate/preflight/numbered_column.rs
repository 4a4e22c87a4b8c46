//! A column whose ids a sequence continues, and the furthest ids that were read.

use crate::migrate::rows::keyset::field;
use crate::model::pgtype::Kind;
use crate::model::schema::TargetSchema;
use crate::plan::{CountedColumn, Feed, LoadPlan, Plan};
use crate::wire::image::integer;

/// A column of a load that has a sequence, and the furthest values that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedColumn {
    /// The column.
    pub name: String,
    /// Its index among the load's columns.
    place: usize,
    lowest: i64,
    highest: i64,
}

impl NumberedColumn {
    /// Returns the integer columns of a load that the source feeds and that a sequence numbers.
    pub fn of(load: &LoadPlan, plan: &Plan, target: &TargetSchema) -> Vec<NumberedColumn> {
        let Some(table) = target.tables.get(&load.table) else { return Vec::new() };
        let assigned: Vec<&CountedColumn> =
            plan.sequences.iter().flat_map(|s| &s.columns).filter(|c| c.table == load.table).collect();
        let is_numbered = |name: &str| {
            table.column(name).is_some_and(|column| column.sequence.is_some())
                || assigned.iter().any(|assigned| assigned.column == name)
        };
        let columns = load.columns.iter().enumerate();
        let fed = columns.filter(|(_, column)| matches!(column.feed, Feed::Cell(_)) && is_numbered(&column.name));
        fed.filter(|(_, column)| largest(&column.kind.kind).is_some())
            .map(|(place, column)| NumberedColumn {
                name: column.name.clone(),
                place,
                lowest: i64::MAX,
                highest: i64::MIN,
            })
            .collect()
    }

    /// Notes the value in a row.
    pub fn read(&mut self, image: &[u8]) {
        let value = field(image, self.place).and_then(|(at, length)| integer(image.get(at..at + length?)?));
        if let Some(value) = value {
            (self.lowest, self.highest) = (self.lowest.min(value), self.highest.max(value));
        }
    }

    /// Adds the values of another range.
    pub fn merge(&mut self, other: &NumberedColumn) {
        (self.lowest, self.highest) = (self.lowest.min(other.lowest), self.highest.max(other.highest));
    }

    /// Returns the value that is furthest in the direction of a sequence. `None` if no value was read.
    pub fn furthest(&self, increment: i64) -> Option<i64> {
        (self.lowest <= self.highest).then_some(if increment < 0 { self.lowest } else { self.highest })
    }
}

/// The largest value of an integer type.
pub fn largest(kind: &Kind) -> Option<i64> {
    match kind {
        Kind::Int2 => Some(i16::MAX.into()),
        Kind::Int4 => Some(i32::MAX.into()),
        Kind::Int8 => Some(i64::MAX),
        _ => None,
    }
}
