//! The rows that loaded tables held before the run, and the treatment of these rows.

use crate::model::record::{HeldRecord, Report};
use crate::report::section::{CellKind, Line, Section, Shown};
use crate::text::grouped;

/// One line for each loaded table that held rows.
pub fn existing(report: &Report) -> Option<Section> {
    if report.existing.is_empty() {
        return None;
    }
    let compares = report.existing.iter().any(|held| held.equal.is_some());
    let counted = |number: Option<u64>| Shown::from(number.map_or_else(|| "-".to_owned(), grouped));
    let line = |held: &HeldRecord| {
        let mut cells = vec![held.table.as_str().into(), held.rows.into(), held.treatment.as_str().into()];
        if compares {
            cells.extend([counted(held.equal), counted(held.kept), counted(held.written_over)]);
        }
        Line { cells, ..Line::default() }
    };
    let mut columns = vec![("table", CellKind::Name), ("rows", CellKind::Number), ("existing", CellKind::Word)];
    if compares {
        columns.extend([("equal", CellKind::Number), ("kept", CellKind::Number), ("written over", CellKind::Number)]);
    }
    let lines = report.existing.iter().map(line).collect();
    let removed: u64 = report.existing.iter().filter(|held| held.treatment == "replace").map(|held| held.rows).sum();
    let tail = (removed > 0).then(|| {
        "Replaced rows are removed before the load, and the ledger keeps them: a rollback restores them.".to_owned()
    });
    Some(Section::table("existing", "Rows that the target held", &columns, lines).with_tail(tail))
}
