//! The current row of a statement, as the rest of the program sees it.

use super::value::raw;
use crate::model::cell::Raw;
use crate::model::key::Key;
use crate::model::select::Row;

/// The current row of the statement.
pub(super) struct Current<'a> {
    pub row: &'a rusqlite::Row<'a>,
    /// Number of key columns before the cells.
    pub width: usize,
    /// Counted from 1; used if there are no key columns.
    pub ordinal: u64,
}

impl Row for Current<'_> {
    fn cell(&self, n: usize) -> Raw<'_> {
        raw(self.row.get_ref_unwrap(self.width + n))
    }

    fn key(&self) -> Key {
        if self.width == 0 {
            return key_of(self.ordinal);
        }
        Key((0..self.width).map(|n| raw(self.row.get_ref_unwrap(n)).to_buf()).collect())
    }
}

/// Returns the key of the row with this ordinal, counted from 1.
pub(super) fn key_of(n: u64) -> Key {
    Key::rowid(i64::try_from(n).unwrap_or(i64::MAX))
}
