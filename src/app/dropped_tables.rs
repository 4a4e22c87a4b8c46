//! Tables of the source that loads of a run read and that were dropped since.

use crate::mapping::RowsFrom;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::sqlite::Source;

use super::session::Migration;

/// Returns a difference for each table that a load of the run reads and the source lacks. If there is one, no plan can be made,
/// so that no contents can be compared. `of_run`: the names of the run's loads. Those that the mapping does not list are of
/// `unlisted_tables = "copy"` and have the names of their tables.
pub fn checks<'r>(m: &Migration<'_>, source: &Source, of_run: impl Iterator<Item = &'r String>) -> Vec<Check> {
    let loads = &m.mapping().loads;
    let listed = loads.iter().filter_map(|load| match &load.from {
        RowsFrom::SameName => Some((&load.name, &load.name)),
        RowsFrom::Table(table) => Some((&load.name, table)),
        RowsFrom::Sql(_) | RowsFrom::Rows(_) => None,
    });
    let copied = of_run.filter(|name| loads.iter().all(|load| load.name != **name)).map(|name| (name, name));
    let dropped = listed.chain(copied).filter(|(_, table)| !source.schema().tables.contains_key(*table));
    let mut checks: Vec<Check> = dropped.map(|(load, table)| difference(load, table)).collect();
    if !checks.is_empty() {
        let why = "the source lacks tables that loads of the run read";
        checks.push(Check::not_checked(CheckKind::Content, None, why));
    }
    checks
}

fn difference(load: &str, table: &str) -> Check {
    let mut check = Check::compared(CheckKind::Source, Some(table), "present".to_owned(), "absent".to_owned());
    check.verdict = Verdict::Differs;
    check.why = Some(format!("it was dropped from the source since the run began, and load.{load} reads it"));
    check
}
