//! The tables that a run loads, and those that other runs may load at the same time.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ledger::{LoadedTable, Run};

use super::Plan;

/// The tables of the plan, and whether other runs may load each at the same time. A run keeps what it decided when it began.
pub fn loaded_tables(plan: &Plan, run: Option<&Run>) -> Vec<LoadedTable> {
    let mut tables: BTreeMap<&str, bool> = BTreeMap::new();
    for load in &plan.loads {
        *tables.entry(&load.table).or_insert(true) &= load.only_adds();
    }
    let is_shared = |table: &str, adds: bool| match run {
        Some(run) => run.judged.shared.contains(table),
        None => adds && plan.detach.off.iter().all(|object| object.table != table),
    };
    let table = |(table, adds): (&str, bool)| LoadedTable { table: table.to_owned(), shared: is_shared(table, adds) };
    tables.into_iter().map(table).collect()
}

/// The tables that other runs may load at the same time as a new run of the plan.
pub fn shared_tables(plan: &Plan) -> BTreeSet<String> {
    loaded_tables(plan, None).into_iter().filter(|table| table.shared).map(|table| table.table).collect()
}
