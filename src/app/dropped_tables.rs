//! Tables of the source that loads of a run read and that were dropped since.

use crate::mapping::RowsFrom;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::sqlite::Source;

use super::session::Migration;

/// Returns a difference for each table that a load of the mapping reads and the source lacks. If there is one, no plan can be
/// made, so that no contents can be compared.
pub fn checks(m: &Migration<'_>, source: &Source) -> Vec<Check> {
    let mut checks = Vec::new();
    for load in &m.mapping().loads {
        let table = match &load.from {
            RowsFrom::SameName => &load.name,
            RowsFrom::Table(table) => table,
            RowsFrom::Sql(_) | RowsFrom::Rows(_) => continue,
        };
        if source.schema().tables.contains_key(table) {
            continue;
        }
        let mut check = Check::compared(CheckKind::Source, Some(table), "present".to_owned(), "absent".to_owned());
        check.verdict = Verdict::Differs;
        let why = format!("it was dropped from the source since the run began, and load.{} reads it", load.name);
        check.why = Some(why);
        checks.push(check);
    }
    if !checks.is_empty() {
        let why = "the source lacks tables that loads of the run read";
        checks.push(Check::not_checked(CheckKind::Content, None, why));
    }
    checks
}
