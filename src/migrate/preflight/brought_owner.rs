//! An owner that the run itself brings: a load writes the table of owners, and the target does not have the owner yet.

use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::owner;
use crate::model::key::KeyRange;
use crate::plan::{ColumnPlan, Feed, OwnerPlan, Plan};
use crate::sqlite::Source;
use crate::wire::binary;

/// Refuses an owner whom neither the target nor a row of the source has.
///
/// # Errors
/// A refusal, if no row of the loads into the table of owners has the natural key. If the source cannot be read.
pub fn require(plan: &Plan, owner: &OwnerPlan, source: &Source, settled: &Settled) -> Result<(), Stop> {
    let natural = OwnerPlan { create: None, ..owner.clone() };
    let cells = owner::cells(&natural, settled).map_err(Stop::Refused)?;
    let mut expected = (cells.len() as u16).to_be_bytes().to_vec();
    cells.iter().for_each(|value| binary::field(&value.cell, &mut expected));
    for load in plan.loads.iter().filter(|load| load.table == owner.table) {
        let find = |name: &str| load.columns.iter().find(|column| column.name == name).cloned();
        let columns: Option<Vec<ColumnPlan>> = cells.iter().map(|value| find(value.name)).collect();
        let is_known = |columns: &Vec<ColumnPlan>| columns.iter().all(|column| matches!(column.feed, Feed::Cell(_)));
        // A lookup finds its value only when the rows are written.
        let Some(columns) = columns.filter(is_known) else { return Ok(()) };
        let encoder = RowEncoder::project(load, columns, settled).map_err(Stop::Refused)?;
        let (mut image, mut notes, mut is_found) = (Vec::new(), Notes::default(), false);
        source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            image.clear();
            is_found = encoder.encode(row, &mut image, &mut notes) && image == expected;
            if is_found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if is_found {
            return Ok(());
        }
    }
    Err(owner::absent(owner))
}
