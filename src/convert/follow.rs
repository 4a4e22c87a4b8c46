//! Ids that change with the rows to which they refer: the shift of their table is added to them.

use std::borrow::Cow;

use crate::model::cell::{Cell, Raw};
use crate::model::fault::Reason;
use crate::model::pgtype::Kind;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, StatedReference};

use super::settled::Settled;
use super::text::number_text;

/// The change of the ids in one column.
pub(super) struct IdFollower {
    rule: FollowRule,
    /// The most characters of a text; `None` without a limit.
    most: Option<usize>,
}

enum FollowRule {
    /// The same number for every row.
    By(i64),
    /// The number of the type that another cell of the row contains.
    ByType { by: usize, shifts: Vec<(Vec<u8>, i64)> },
}

impl IdFollower {
    /// Returns the change of a column's ids. `None` if they are loaded as they are.
    pub(super) fn of(column: &ColumnPlan, settled: &Settled) -> Option<Box<IdFollower>> {
        let shift_of = |table: &String| settled.shifts.get(table).copied().unwrap_or(0);
        let rule = match (&column.refers, &column.shift) {
            (Some(StatedReference::ByType { by, tables }), _) => {
                let shift = |(name, table): &(String, Option<String>)| {
                    (name.clone().into_bytes(), table.as_ref().map_or(0, shift_of))
                };
                FollowRule::ByType { by: *by, shifts: tables.iter().map(shift).collect() }
            }
            (_, Some(table)) if shift_of(table) != 0 => FollowRule::By(shift_of(table)),
            _ => return None,
        };
        let most = match column.kind.kind {
            Kind::Varchar { limit } => limit.map(|limit| limit as usize),
            _ => None,
        };
        Some(Box::new(IdFollower { rule, most }))
    }

    /// Returns the id as the target has it.
    pub(super) fn follow<'a>(&self, cell: Cell<'a>, row: &dyn Row) -> Result<Cell<'a>, Reason> {
        if matches!(cell, Cell::Null) {
            return Ok(cell);
        }
        match &self.rule {
            FollowRule::By(shift) => self.shifted(cell, *shift),
            FollowRule::ByType { by, shifts } => {
                let name = match row.cell(*by) {
                    Raw::Text(text) => Cow::Borrowed(text),
                    raw => Cow::Owned(number_text(raw).into_bytes()),
                };
                let found = shifts.iter().find(|(known, _)| *known == *name).ok_or(Reason::UnknownType)?;
                if found.1 == 0 { Ok(cell) } else { self.shifted(cell, found.1) }
            }
        }
    }

    fn shifted<'a>(&self, cell: Cell<'a>, by: i64) -> Result<Cell<'a>, Reason> {
        let sum = |id: i64| id.checked_add(by).ok_or(Reason::OutOfRange);
        match cell {
            Cell::Int2(id) => Ok(Cell::Int2(sum(id.into())?.try_into().map_err(|_| Reason::OutOfRange)?)),
            Cell::Int4(id) => Ok(Cell::Int4(sum(id.into())?.try_into().map_err(|_| Reason::OutOfRange)?)),
            Cell::Int8(id) => Ok(Cell::Int8(sum(id)?)),
            Cell::Text(text) => {
                // Another spelling of the number, such as 007, is not the text of an id.
                let id: i64 = text.parse().ok().filter(|id: &i64| id.to_string() == *text).ok_or(Reason::NotAnId)?;
                let changed = sum(id)?.to_string();
                if self.most.is_some_and(|most| changed.len() > most) {
                    return Err(Reason::TooLong);
                }
                Ok(Cell::Text(Cow::Owned(changed)))
            }
            other => Ok(other),
        }
    }
}
