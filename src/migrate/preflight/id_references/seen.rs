//! The ids and the values that the rows of one load have, collected while they are read.

use std::collections::BTreeMap;

use crate::model::cell::Raw;
use crate::model::select::Row;

use super::members::integers;
use super::numbers::{IdNumbers, integer_text};
use super::watch::{LoadWatch, WatchedColumn};

/// Memory of the ids of one table: 11 million that are neighbours, a hundred thousand that are not.
const MOST_IDS: usize = 4 << 20;

/// Memory of the values of one column or member: 40,000 that are neighbours, 700 that are not.
const MOST_VALUES: usize = 16 << 10;

/// Different members of JSON that are watched in one column.
const MOST_MEMBERS: usize = 32;

/// The doubles below this number have every integer among them.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The ids and values seen in the rows of one load.
#[derive(Clone, Debug, Default)]
pub struct SeenIds {
    /// The ids of its rows.
    pub ids: IdNumbers,
    /// In the order of the watched columns.
    pub columns: Vec<SeenColumn>,
}

/// The values of one column.
#[derive(Clone, Debug, Default)]
pub struct SeenColumn {
    /// The integers, as numbers or as text.
    pub values: IdNumbers,
    /// True if a row has a value that is no integer.
    pub has_others: bool,
    /// The integers inside JSON, by member.
    pub members: BTreeMap<String, IdNumbers>,
}

impl SeenIds {
    /// Nothing seen yet.
    pub fn of(watch: &LoadWatch) -> SeenIds {
        let column = |_: &WatchedColumn| SeenColumn { values: IdNumbers::within(MOST_VALUES), ..SeenColumn::default() };
        SeenIds { ids: IdNumbers::within(MOST_IDS), columns: watch.columns.iter().map(column).collect() }
    }

    /// Notes the ids and values of a row.
    pub fn row(&mut self, watch: &LoadWatch, row: &dyn Row) {
        if let Some((_, cell)) = watch.ids
            && let Some(id) = integer(row.cell(cell))
        {
            self.ids.add(id);
        }
        for (seen, column) in self.columns.iter_mut().zip(&watch.columns) {
            seen.value(row.cell(column.cell), &column.name);
        }
    }

    /// Adds what another range of the same load has.
    pub fn merge(&mut self, other: &SeenIds) {
        self.ids.merge(&other.ids);
        if self.columns.is_empty() {
            self.columns.clone_from(&other.columns);
            return;
        }
        for (mine, other) in self.columns.iter_mut().zip(&other.columns) {
            mine.values.merge(&other.values);
            mine.has_others |= other.has_others;
            for (name, values) in &other.members {
                mine.members.entry(name.clone()).or_default().merge(values);
            }
        }
    }
}

impl SeenColumn {
    fn value(&mut self, raw: Raw<'_>, column: &str) {
        match (raw, integer(raw)) {
            (Raw::Null, _) => {}
            (_, Some(value)) => self.values.add(value),
            (Raw::Text(text), None) if matches!(text.trim_ascii_start(), [b'{' | b'[', ..]) => {
                self.has_others = true;
                integers(text, column, &mut |name, value| self.members_value(name, value));
            }
            (_, None) => self.has_others = true,
        }
    }

    fn members_value(&mut self, name: &str, value: i64) {
        if let Some(known) = self.members.get_mut(name) {
            known.add(value);
        } else if self.members.len() < MOST_MEMBERS {
            let mut values = IdNumbers::within(MOST_VALUES);
            values.add(value);
            self.members.insert(name.to_owned(), values);
        }
    }
}

/// The integer that a value is, as a number or as text.
fn integer(raw: Raw<'_>) -> Option<i64> {
    match raw {
        Raw::Integer(value) => Some(value),
        Raw::Real(value) if value.fract() == 0.0 && value.abs() < EXACT => Some(value as i64),
        Raw::Text(text) => integer_text(text),
        Raw::Real(_) | Raw::Null | Raw::Blob(_) => None,
    }
}
