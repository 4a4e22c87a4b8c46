//! The ids that a file needs: those that its rows bring and that are shifted, and those that are issued for its rows.
//!
//! Both are taken from one range for each column, which the ledger keeps. So no two files get the same id, and all ids of a file
//! lie in a range in which no row of another one is.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate::preflight::id_offset;
use crate::model::fleet::{MemberIds, MemberPosition};
use crate::model::key::KeyRange;
use crate::model::ledger::IdRange;
use crate::model::record::Refusal;
use crate::model::select::CONTINUE;
use crate::plan::{Feed, LoadPlan, Plan, Shifted};
use crate::sqlite::Source;

use super::shared;

/// A column whose ids are reserved, and the ids that a file needs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedIds {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The number of ids.
    pub count: i64,
    /// The id in the file that becomes the first reserved one. `None`: the ids are issued row by row.
    pub lowest: Option<i64>,
}

impl WantedIds {
    /// The name of the range in the ledger.
    pub fn range(&self) -> String {
        range_name(&self.table, &self.column)
    }

    /// The reserved ids, if the first one is known.
    pub fn reserved(&self, first: i64) -> IdRange {
        IdRange { first, last: first.saturating_add(self.count - 1) }
    }
}

/// The name of the range of a column in the ledger.
pub fn range_name(table: &str, column: &str) -> String {
    format!("{table}.{column}")
}

/// The columns whose ids are reserved.
pub fn columns(plan: &Plan) -> Vec<Shifted> {
    let issued = plan.loads.iter().flat_map(|load| issued(load).map(|column| (load.table.clone(), column)));
    let issued = issued.map(|(table, column)| Shifted { table, column });
    let mut all: Vec<Shifted> = plan.shifts.iter().cloned().chain(issued).collect();
    all.sort_by(|a, b| (&a.table, &a.column).cmp(&(&b.table, &b.column)));
    all.dedup();
    all
}

/// The columns of a load whose ids are issued. A table that all owners share gets no row.
fn issued(load: &LoadPlan) -> impl Iterator<Item = String> {
    let columns = if shared::is_shared(load) { &[] } else { load.columns.as_slice() };
    columns.iter().filter(|column| matches!(column.feed, Feed::Issued(_))).map(|column| column.name.clone())
}

/// Returns the ids that a file needs. Columns without rows are left out.
///
/// # Errors
/// If the source cannot be read.
pub fn wanted(plan: &Plan, source: &Source, settled: &Settled) -> Result<Vec<WantedIds>, Stop> {
    let mut all = Vec::new();
    for Shifted { table, column } in columns(plan) {
        let shifted = plan.shifts.iter().find(|shifted| shifted.table == table && shifted.column == column);
        let (count, lowest) = match shifted {
            Some(shifted) => match id_offset::source_ids(plan, source, settled, shifted)? {
                None => (0, None),
                Some(IdRange { first, last }) => {
                    let too_wide = || Stop::Refused(vec![too_far_apart(&table, &column)]);
                    let count = last.checked_sub(first).and_then(|n| n.checked_add(1)).ok_or_else(too_wide)?;
                    (count, Some(first))
                }
            },
            None => (rows(plan, source, &table)?, None),
        };
        if count > 0 {
            all.push(WantedIds { table, column, count, lowest });
        }
    }
    Ok(all)
}

fn too_far_apart(table: &str, column: &str) -> Refusal {
    Refusal::new(
        format!("{table}.{column}"),
        "the lowest and the highest id of the file are further apart than 64 bits can count",
        "Correct the outlying id in the file.",
    )
}

/// The number of rows that the loads into a table read whose ids are issued.
fn rows(plan: &Plan, source: &Source, table: &str) -> Result<i64, Stop> {
    let mut rows = 0;
    for load in plan.loads.iter().filter(|load| load.table == table && issued(load).next().is_some()) {
        source.reader()?.each(&load.select, KeyRange::ALL, |_| {
            rows += 1;
            CONTINUE
        })?;
    }
    Ok(rows)
}

/// The reserved ids of a file, by column, from which its rows take theirs.
#[derive(Clone, Debug, Default)]
pub struct ReservedIds {
    ranges: BTreeMap<String, IdRange>,
    /// The next id to issue, for each column whose ids are issued.
    next: BTreeMap<String, i64>,
    /// The number that is added to the ids of each shifted table.
    pub shifts: BTreeMap<String, i64>,
}

impl ReservedIds {
    /// The ids of a file whose reserved ranges begin with `first`, by the name of the range.
    pub fn new(wanted: &[WantedIds], first: &BTreeMap<String, i64>) -> ReservedIds {
        let mut ids = ReservedIds::default();
        for want in wanted {
            let Some(first) = first.get(&want.range()) else { continue };
            ids.ranges.insert(want.range(), want.reserved(*first));
            match want.lowest {
                Some(lowest) => _ = ids.shifts.insert(want.table.clone(), first.saturating_sub(lowest)),
                None => _ = ids.next.insert(want.range(), *first),
            }
        }
        ids
    }

    /// The ids of a file of which some batches are in the target.
    pub fn resumed(wanted: &[WantedIds], position: &MemberPosition) -> ReservedIds {
        let mut ids = ReservedIds::new(wanted, &position.first);
        ids.next.extend(position.next.clone());
        ids
    }

    /// Returns the first id of each range.
    pub fn first(&self) -> BTreeMap<String, i64> {
        self.ranges.iter().map(|(name, range)| (name.clone(), range.first)).collect()
    }

    /// Returns the next id of each range whose ids are issued row by row.
    pub fn next(&self) -> BTreeMap<String, i64> {
        self.next.clone()
    }

    /// The range of a column.
    pub fn range(&self, Shifted { table, column }: &Shifted) -> Option<MemberIds> {
        let IdRange { first, last } = self.ranges.get(&range_name(table, column)).copied()?;
        Some(MemberIds { column: column.clone(), first, last })
    }

    /// Issues the next ids of a column.
    pub fn issue(&mut self, table: &str, column: &str, count: usize) -> Vec<i64> {
        let Some(next) = self.next.get_mut(&range_name(table, column)) else { return Vec::new() };
        let first = *next;
        *next = first.saturating_add(count as i64);
        (first..*next).collect()
    }
}
