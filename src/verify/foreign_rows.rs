//! Checks `others`: rows of a table that this run did not write are unchanged.

use crate::model::placement::Placement;
use crate::model::record::{Check, CheckKind};

use super::comparison::TableComparison;
use super::subject::Subject;
use super::table::VerifiedTable;

/// The checks `others` of a table that held rows before or to which rows were added. `added`: rows recognised as added since
/// the run.
pub(super) fn check(table: &VerifiedTable<'_>, found: &TableComparison, added: u64) -> Vec<Check> {
    let place = table.place();
    if !table.held() {
        let why = format!("{added} rows were added since the run");
        return if added > 0 { vec![Check::not_checked(CheckKind::Others, Some(&place), why)] } else { Vec::new() };
    }
    let mut checks = vec![untouched(table, found, &place)];
    let catalogued = table.subject.target.tables.get(table.name);
    let unread: Vec<&str> = catalogued
        .into_iter()
        .flat_map(|catalogued| &catalogued.columns)
        .filter(|column| !table.columns.contains(&column.name))
        .map(|column| column.name.as_str())
        .collect();
    if !unread.is_empty() {
        let why = format!("columns that this run does not send are not compared: {}", unread.join(", "));
        checks.push(Check::not_checked(CheckKind::Others, Some(&place), why));
    }
    checks
}

/// One check, not made, for each loaded table that is not local: no snapshot of Citus shows all nodes at one moment.
pub(super) fn of_nodes(subject: &Subject<'_>) -> Vec<Check> {
    let check = |(table, placement): (&String, &Placement)| placement.unseen_at_once(&subject.plan.schema, table);
    subject.plan.distributed.iter().map(check).collect()
}

fn untouched(table: &VerifiedTable<'_>, found: &TableComparison, place: &str) -> Check {
    let rows = table.subject.held_before(table.name).unwrap_or(0);
    let expected = format!("{rows} rows, untouched");
    if table.before.is_none() {
        return Check::not_checked(
            CheckKind::Others,
            Some(place),
            "the ledger has no digest of the rows that existed before the run",
        );
    }
    if found.ours == found.sent {
        return Check::compared(CheckKind::Others, Some(place), expected.clone(), expected);
    }
    let more = found.rows.saturating_sub(table.expected());
    if table.subject.later || more > 0 {
        let why = match more {
            0 => "rows that existed before the run were changed or deleted since it began".to_owned(),
            _ => format!("{more} more rows than expected: the application or another session writes to this table"),
        };
        return Check::not_checked(CheckKind::Others, Some(place), why);
    }
    let mut check = Check::compared(CheckKind::Others, Some(place), expected, "changed".to_owned());
    check.why = Some("rows that existed before the run were changed".to_owned());
    check
}
