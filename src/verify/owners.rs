//! Owners: how many rows belong to whom, users with none and rows of nobody included.

use std::collections::BTreeMap;

use crate::model::record::{Check, CheckKind, OwnerRows};
use crate::pg::{ServerError, Session};
use crate::plan::{OwnerPath, TableClass};

use super::{Subject, rows};

/// How many owners a report names; of more, those with the most rows, and the sums of the others.
const NAMED: usize = 100;

/// Rows per owner over all tables whose rows have owners, and a check a table: ours are there.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session) -> Result<(Vec<OwnerRows>, Vec<Check>), ServerError> {
    let Some(owner) = &subject.plan.owner else { return Ok((Vec::new(), Vec::new())) };
    let schema = &subject.plan.schema;
    let names: BTreeMap<String, String> =
        session.names(schema, &owner.table, &owner.key, &owner.show)?.into_iter().collect();
    let mut by_owner: BTreeMap<Option<String>, BTreeMap<String, u64>> =
        names.keys().map(|key| (Some(key.clone()), BTreeMap::new())).collect();
    let mut checks = Vec::new();
    for (table, path) in subject.plan.paths.iter().filter(|(table, _)| is_loaded(subject, table)) {
        let counts = session.count_by_owner(schema, table, path)?;
        if let Some(key) = subject.owner.filter(|_| path.stamped) {
            checks.push(ours(subject, table, (key, path), &counts));
        }
        if let (Some(key), Some(TableClass::Stamped(columns))) = (subject.owner, subject.plan.classes.get(table)) {
            for column in columns.iter().skip(1) {
                let other = OwnerPath { hops: Vec::new(), column: column.clone(), stamped: true };
                let counts = session.count_by_owner(schema, table, &other)?;
                checks.push(ours(subject, table, (key, &other), &counts));
            }
        }
        for (key, rows) in counts {
            by_owner.entry(key).or_default().insert(table.clone(), rows);
        }
    }
    Ok((shown(by_owner, &names), checks))
}

fn is_loaded(subject: &Subject<'_>, table: &str) -> bool {
    subject.plan.loads.iter().any(|load| load.table == table)
}

/// Those with the most rows first; those beyond the number that a report names as one.
fn shown(
    by_owner: BTreeMap<Option<String>, BTreeMap<String, u64>>,
    names: &BTreeMap<String, String>,
) -> Vec<OwnerRows> {
    let mut owners: Vec<OwnerRows> = by_owner
        .into_iter()
        .map(|(key, rows)| OwnerRows { owner: key.map(|k| names.get(&k).cloned().unwrap_or(k)), rows })
        .collect();
    owners.sort_by_key(|o| std::cmp::Reverse(o.rows.values().sum::<u64>()));
    let others = owners.split_off(owners.len().min(NAMED));
    if !others.is_empty() {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for (table, rows) in others.iter().flat_map(|owner| &owner.rows) {
            *sums.entry(table.clone()).or_default() += rows;
        }
        owners.push(OwnerRows { owner: Some(format!("{} others together", others.len())), rows: sums });
    }
    owners
}

/// The rows of a table are the owner's: where the table was empty, all of its rows and no more; where it or a table on the
/// way to the owner held rows, as many at least. Rows without a parent are nobody's.
fn ours(
    subject: &Subject<'_>,
    table: &str,
    (key, path): (&str, &OwnerPath),
    counts: &[(Option<String>, u64)],
) -> Check {
    let tables = std::iter::once(table).chain(path.hops.iter().map(|hop| hop.parent.as_str()));
    let held: Vec<&str> = tables.filter(|table| subject.run.judged.holding.contains_key(*table)).collect();
    let loads = subject.plan.loads.iter().filter(|l| l.table == table);
    let written: u64 = loads.map(|l| rows::sums(subject, &l.name).written).sum();
    let of = |key: Option<&str>| counts.iter().find(|(k, _)| k.as_deref() == key).map_or(0, |(_, n)| *n);
    let nobody = if path.hops.is_empty() { 0 } else { of(None) };
    let name = format!("{}.{table}", subject.plan.schema);
    let found = of(Some(key)) + nobody;
    if !held.is_empty() && found >= written {
        let why = format!("{} held rows before: rows that the owner has there may be others' doing", held.join(", "));
        return Check::not_checked(CheckKind::Owners, Some(&name), why);
    }
    if subject.later && found > written {
        let why = format!("{found} rows of the owner, {written} were written: more were added since");
        return Check::not_checked(CheckKind::Owners, Some(&name), why);
    }
    Check::compared(CheckKind::Owners, Some(&name), written.to_string(), found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_hundred_owners_the_others_stand_as_one() {
        let rows = |n: u64| BTreeMap::from([("t".to_owned(), n)]);
        let mut by_owner: BTreeMap<_, _> = (0..150_u64).map(|n| (Some(n.to_string()), rows(n))).collect();
        by_owner.insert(None, rows(1_000));
        let shown = shown(by_owner, &BTreeMap::from([("149".to_owned(), "suricata".to_owned())]));
        assert_eq!(shown.len(), NAMED + 1);
        assert_eq!((shown[0].owner.as_deref(), shown[1].owner.as_deref()), (None, Some("suricata")));
        let last = shown.last().unwrap();
        assert_eq!(last.owner.as_deref(), Some("51 others together"));
        assert_eq!(last.rows["t"], (0..51).sum::<u64>());
    }
}
