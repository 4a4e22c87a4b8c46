//! Rows that are not of this run: as they were, or others write to the table.

use crate::model::record::{Check, CheckKind};

use super::content::Found;
use super::table::Table;

/// The checks `others` of a table, where rows of others are to be told of. `added`: rows that were told apart as added since.
pub(super) fn check(table: &Table<'_>, found: &Found, added: u64) -> Vec<Check> {
    let place = table.place();
    if !table.held() {
        let why = format!("{added} rows were added since the run");
        return if added > 0 { vec![Check::not_checked(CheckKind::Others, Some(&place), why)] } else { Vec::new() };
    }
    let mut checks = vec![untouched(table, found, &place)];
    let facts = table.subject.target.tables.get(table.name);
    let unread: Vec<&str> = facts
        .into_iter()
        .flat_map(|facts| &facts.columns)
        .filter(|column| !table.columns.contains(&column.name))
        .map(|column| column.name.as_str())
        .collect();
    if !unread.is_empty() {
        let why = format!("columns that this run does not send are not compared: {}", unread.join(", "));
        checks.push(Check::not_checked(CheckKind::Others, Some(&place), why));
    }
    checks
}

fn untouched(table: &Table<'_>, found: &Found, place: &str) -> Check {
    let rows = table.subject.run.judged.holding.get(table.name).copied().unwrap_or(0);
    let expected = format!("{rows} rows, untouched");
    if table.before.is_none() {
        return Check::not_checked(
            CheckKind::Others,
            Some(place),
            "this run noted no digest of the rows that were there",
        );
    }
    if found.ours == found.sent {
        return Check::compared(CheckKind::Others, Some(place), expected.clone(), expected);
    }
    let more = found.rows.saturating_sub(table.expected());
    if table.subject.later || more > 0 {
        let why = match more {
            0 => "rows that were there before were changed or removed since the run began".to_owned(),
            _ => format!("{more} rows more than there were: others write to this table"),
        };
        return Check::not_checked(CheckKind::Others, Some(place), why);
    }
    let mut check = Check::compared(CheckKind::Others, Some(place), expected, "changed".to_owned());
    check.why = Some("rows that were there before are not what they were".to_owned());
    check
}
