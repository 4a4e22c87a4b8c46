//! Content: every row that was sent is read back as the server's own bytes, and the digests are compared.

use std::collections::BTreeMap;

use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::Check;
use crate::plan::LoadPlan;
use crate::target::{ReadBack, ServerError, Session};
use crate::wire::digest::{Digest, row_hash};

use super::{Subject, rows};

/// A check for each table that loads went to.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Check>, ServerError> {
    let mut tables: BTreeMap<&str, Vec<&LoadPlan>> = BTreeMap::new();
    for load in &subject.plan.loads {
        tables.entry(&load.table).or_default().push(load);
    }
    let mut checks = Vec::new();
    for (table, loads) in tables {
        let names: Vec<&str> = loads.iter().map(|l| l.name.as_str()).collect();
        let name = names.join(", ");
        match obstacle(subject, table, &loads) {
            Some(why) => checks.push(Check::not_checked("content", Some(&name), why)),
            None => checks.push(compare(subject, session, table, &loads, &name)?),
        }
    }
    Ok(checks)
}

/// Why the rows of a table cannot be compared with what was sent.
fn obstacle(subject: &Subject<'_>, table: &str, loads: &[&LoadPlan]) -> Option<String> {
    if subject.run.judged.holding.contains_key(table) {
        return Some("the table held rows before, and theirs cannot be told from ours: not yet".to_owned());
    }
    if subject.plan.owner.as_ref().is_some_and(|o| o.table == table) && subject.owner_made {
        return Some("the table holds the owner's row beside the loads': not yet".to_owned());
    }
    let columns = |load: &LoadPlan| load.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    if loads.iter().any(|load| columns(load) != columns(loads[0])) {
        return Some("its loads send different columns: not yet".to_owned());
    }
    if loads.iter().any(|load| load.as_text) {
        return Some("a column's type has no binary form here: not yet".to_owned());
    }
    let normalised = loads[0].columns.iter().find(|c| is_normalised(&c.kind));
    if let Some(column) = normalised {
        return Some(format!("the server rewrites {} (column {}): not yet", column.kind.shown(), column.name));
    }
    let was_off = |name: &str| subject.detached.iter().any(|d| d.table == table && d.object == name);
    let triggers = subject.target.tables.get(table).map(|t| &t.triggers)?;
    let fired = triggers.iter().find(|(name, _)| !was_off(name))?;
    Some(format!("the trigger {} fired and may have changed rows", fired.0))
}

/// Types whose values come back in another form than they were sent.
fn is_normalised(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Jsonb | Kind::Other => true,
        Kind::Array(element) => is_normalised(element),
        _ => false,
    }
}

fn compare(
    subject: &Subject<'_>,
    session: &mut Session,
    table: &str,
    loads: &[&LoadPlan],
    name: &str,
) -> Result<Check, ServerError> {
    let mut sent = Digest::default();
    for load in loads {
        sent.merge(&rows::sums(subject, &load.name).digest);
    }
    let columns: Vec<String> = loads[0].columns.iter().map(|c| c.name.clone()).collect();
    let what = ReadBack { schema: &subject.plan.schema, table, columns: &columns, only: None };
    let mut found = Digest::default();
    session.read_back(&what, &mut |image| found.add(row_hash(image, subject.run.seed)))?;
    let mut check = Check::compared("content", Some(name), sent.short(), found.short());
    let differing = sent.differing(&found).len();
    if differing > 0 {
        check.why = Some(format!("{differing} of {} sums differ", crate::wire::digest::BUCKETS));
    }
    Ok(check)
}
