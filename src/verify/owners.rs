//! Owners: how many rows belong to whom, users with none and rows of nobody included.

use std::collections::BTreeMap;

use crate::model::record::{Check, OwnerRows};
use crate::plan::Class;
use crate::target::{ServerError, Session};

use super::{Subject, rows};

/// How many owners a report names; of more, those with the most rows.
const NAMED: usize = 100;

/// Rows per owner over all stamped and carried tables, and a check a table: ours are there.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session) -> Result<(Vec<OwnerRows>, Vec<Check>), ServerError> {
    let Some(owner) = &subject.plan.owner else { return Ok((Vec::new(), Vec::new())) };
    let schema = &subject.plan.schema;
    let names: BTreeMap<String, String> =
        session.names(schema, &owner.table, &owner.key, &owner.show)?.into_iter().collect();
    let mut by_owner: BTreeMap<Option<String>, BTreeMap<String, u64>> =
        names.keys().map(|key| (Some(key.clone()), BTreeMap::new())).collect();
    let mut checks = Vec::new();
    for (table, class) in &subject.plan.classes {
        let column = match class {
            Class::Stamped(columns) => columns.first(),
            Class::Carried(column) => Some(column),
            _ => None,
        };
        let Some(column) = column else { continue };
        let counts = session.count_by(schema, table, column)?;
        if let (Class::Stamped(_), Some(key)) = (class, subject.owner) {
            checks.extend(ours(subject, table, key, &counts));
        }
        for (key, rows) in counts {
            by_owner.entry(key).or_default().insert(table.clone(), rows);
        }
    }
    let mut owners: Vec<OwnerRows> = by_owner
        .into_iter()
        .map(|(key, rows)| OwnerRows { owner: key.map(|k| names.get(&k).cloned().unwrap_or(k)), rows })
        .collect();
    owners.sort_by_key(|o| std::cmp::Reverse(o.rows.values().sum::<u64>()));
    owners.truncate(NAMED);
    Ok((owners, checks))
}

/// The stamped rows of a table are the owner's: where the table was empty, all of its rows and no more.
fn ours(subject: &Subject<'_>, table: &str, key: &str, counts: &[(Option<String>, u64)]) -> Option<Check> {
    if subject.run.judged.holding.contains_key(table) {
        return None;
    }
    let loads = subject.plan.loads.iter().filter(|l| l.table == table);
    let written: u64 = loads.map(|l| rows::sums(subject, &l.name).written).sum();
    let found = counts.iter().find(|(k, _)| k.as_deref() == Some(key)).map_or(0, |(_, n)| *n);
    let name = format!("{}.{table}", subject.plan.schema);
    if subject.later && found > written {
        let why = format!("{found} rows of the owner, {written} were written: more were added since");
        return Some(Check::not_checked("owners", Some(&name), why));
    }
    Some(Check::compared("owners", Some(&name), written.to_string(), found.to_string()))
}
