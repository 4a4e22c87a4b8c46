//! Tables that another session alters between the reading of the catalogue and the reading of the rows: a difference of their
//! content is explained by it.

use std::collections::BTreeSet;

use crate::job::Stop;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::pg::{ColumnNow, Session};

use super::subject::Subject;

/// Adds to each difference in the content of a table the columns that another session altered meanwhile. The catalogue is
/// read again only if there is a difference.
pub(super) fn explain(subject: &Subject<'_>, session: &mut Session, checks: &mut [Check]) -> Result<(), Stop> {
    let differing: Vec<&mut Check> = checks
        .iter_mut()
        .filter(|check| check.check == CheckKind::Content && check.verdict == Verdict::Differs)
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    let tables: BTreeSet<&str> = subject.plan.loads.iter().map(|load| load.table.as_str()).collect();
    let now = session.column_types(&subject.plan.schema, &tables.iter().copied().collect::<Vec<_>>())?;
    for check in differing {
        let of_check = |load: &str| check.load.as_deref().unwrap_or_default().split(", ").any(|name| name == load);
        let load = subject.plan.loads.iter().find(|load| of_check(&load.name));
        let altered = load.map(|load| altered(subject, &load.table, &now)).unwrap_or_default();
        if !altered.is_empty() {
            let why = format!("another session altered {} while this verification read the table", altered.join(", "));
            let advice = "verify again to compare the values";
            check.why = Some(match &check.why {
                Some(known) => format!("{why}, {advice}; {known}"),
                None => format!("{why}, {advice}"),
            });
        }
    }
    Ok(())
}

/// The columns of a table that are not what they were when this process read the catalogue.
fn altered(subject: &Subject<'_>, table: &str, now: &[ColumnNow]) -> Vec<String> {
    let Some(known) = subject.target.tables.get(table) else { return Vec::new() };
    let is_same = |name: &str, shown: &str| {
        now.iter().any(|column| column.table == table && column.column == name && column.type_name == shown)
    };
    let columns = known.present_columns().iter().filter(|column| !is_same(&column.name, column.kind.shown()));
    columns.map(|column| column.name.clone()).collect()
}
