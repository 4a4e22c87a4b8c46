//! Counts: rows per load and table, sequences, rows per owner.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::migrate;
use crate::model::pgtype::Kind;
use crate::model::record::{Check, CheckKind, NumberedBy, OwnerRows, SequenceRecord, Verdict};
use crate::model::schema::TargetColumn;
use crate::pg::owner::OwnedRows;
use crate::pg::state::{StateRequest, TargetState};
use crate::pg::{ServerError, Session};
use crate::plan::sequences::{PlannedSequence, SequenceState, planned_sequences};
use crate::plan::{AssignedSequence, LoadPlan, OwnerPath, TableClass};

use super::subject::Subject;

/// Checks `rows`: one per load (rows read equal rows written, faulty and skipped) and one per table (rows on the target
/// equal rows held before plus rows written).
///
/// `counted`: rows of tables that were read in full, without the owner's row that the run made.
pub(super) fn rows(
    subject: &Subject<'_>,
    session: &mut Session,
    counted: &BTreeMap<&str, u64>,
) -> Result<Vec<Check>, ServerError> {
    let mut checks = Vec::new();
    let mut written: BTreeMap<&str, u64> = BTreeMap::new();
    for load in &subject.plan.loads {
        let sums = subject.sums(&load.name);
        *written.entry(&load.table).or_default() += sums.written;
        let accounted = sums.written + sums.faults + sums.skipped;
        checks.push(Check::compared(CheckKind::Rows, Some(&load.name), sums.read.to_string(), accounted.to_string()));
    }
    let made = |table: &str| u64::from(subject.made_owner_in(table).is_some());
    let uncounted: Vec<&str> =
        written.keys().copied().filter(|table| made(table) > 0 || !counted.contains_key(table)).collect();
    let found = session.count_rows(&subject.plan.schema, &uncounted)?;
    let mut all: BTreeMap<&str, u64> = counted.clone();
    all.extend(uncounted.into_iter().zip(found));
    for (table, written) in written {
        let (made, found) = (made(table), all.get(table).copied().unwrap_or(0));
        let held = subject.held_before(table);
        let name = format!("{}.{table}", subject.plan.schema);
        let expected = held.unwrap_or(0) + written + made;
        if (held.is_some() || subject.later) && found > expected {
            // The application may keep writing to a table in use. Its rows are no difference of this run.
            let why = format!("{found} rows, {expected} were expected: another session or the application added rows");
            checks.push(Check::not_checked(CheckKind::Rows, Some(&name), why));
        } else {
            let mut check = Check::compared(CheckKind::Rows, Some(&name), expected.to_string(), found.to_string());
            check.why = (found > expected).then(|| triggers_of_owner(subject)).flatten();
            checks.push(check);
        }
    }
    Ok(checks)
}

/// Names the triggers that ran when the run made the owner's row: they may have added rows. `None` if there are none.
fn triggers_of_owner(subject: &Subject<'_>) -> Option<String> {
    let owner = subject.plan.owner.as_ref().filter(|_| subject.owner.made)?;
    let is_quiet = |load: &LoadPlan| load.table == owner.table && !load.triggers_fire;
    let triggers = &subject.target.tables.get(&owner.table)?.inserting;
    let ran = !triggers.is_empty() && !subject.plan.loads.iter().any(is_quiet);
    ran.then(|| {
        let names = triggers.join(", ");
        format!("{names} of {} ran when the run made the owner's row, and may have added rows", owner.table)
    })
}

/// Reads the state of the sequences, of the owners and of the owner's row that the run made, the number of rows of the `counted`
/// tables, and the state of the objects of the tables of `objects_of`.
pub(super) fn read_state(
    subject: &Subject<'_>,
    session: &mut Session,
    counted: &[&str],
    objects_of: &[String],
) -> Result<(Vec<PlannedSequence>, TargetState), ServerError> {
    let shifts = &subject.run.judged.shifts;
    let planned = planned_sequences(subject.plan, subject.source.schema(), subject.target, shifts);
    let stamped = stamped_columns(subject);
    let paths: Vec<(&str, &OwnerPath)> = stamped.iter().map(|(table, path)| (*table, path)).collect();
    let (schema, owner) = (&subject.plan.schema, subject.plan.owner.as_ref());
    let owner_row = match subject.owner.key.filter(|_| subject.owner.made) {
        Some(key) => migrate::owner::row_query(session, subject.plan, subject.settled, key)?,
        None => None,
    };
    let owner_row = owner_row.as_ref();
    let request = StateRequest { schema, sequences: &planned, owner, paths: &paths, counted, objects_of, owner_row };
    let state = session.target_state(&request)?;
    Ok((planned, state))
}

/// The sequences as a verification found them.
pub(super) struct FoundSequences<'a> {
    pub planned: &'a [PlannedSequence],
    pub states: &'a [SequenceState],
    /// The highest id that other runs, which have not ended, may write, by table.
    pub theirs: &'a BTreeMap<String, i64>,
}

impl FoundSequences<'_> {
    /// Returns the verdict on a sequence. It need not be past an id that another run writes, which moves it when it ends.
    fn verdict(&self, planned: &PlannedSequence, state: SequenceState) -> Verdict {
        let is_theirs =
            |table: &String| self.theirs.get(table).is_some_and(|last| state.max.is_some_and(|max| max <= *last));
        match planned.is_past(state) {
            true => Verdict::Same,
            false if planned.columns.iter().any(|column| is_theirs(&column.table)) => Verdict::NotChecked,
            false => Verdict::Differs,
        }
    }
}

/// Returns the highest id that other runs which have not ended may write, by table. Such a run and its rows are seen in the
/// same snapshot. Asks only if a sequence is not past its column.
pub(super) fn theirs(
    subject: &Subject<'_>,
    session: &mut Session,
    planned: &[PlannedSequence],
    states: &[SequenceState],
) -> Result<BTreeMap<String, i64>, ServerError> {
    let tables: Vec<&str> = subject.run.judged.reserved.keys().map(String::as_str).collect();
    if tables.is_empty() || planned.iter().zip(states).all(|(planned, state)| planned.is_past(*state)) {
        return Ok(BTreeMap::new());
    }
    session.reserved_ids(&subject.plan.schema, &tables, subject.run.id)
}

/// The state of every sequence, one check over all, and one check per key whose numbering is unknown. Each sequence's next
/// value must exceed every value in its column and the source's own counter.
pub(super) fn sequences(subject: &Subject<'_>, found: &FoundSequences<'_>) -> (Vec<SequenceRecord>, Vec<Check>) {
    let FoundSequences { planned, states, .. } = *found;
    let record = |(planned, state): (&PlannedSequence, &SequenceState)| SequenceRecord {
        sequence: planned.sequence.name.clone(),
        column: planned.shown(),
        by: planned.by,
        max: state.max,
        next: state.next,
        verdict: found.verdict(planned, *state),
    };
    let mut records: Vec<SequenceRecord> = planned.iter().zip(states).map(record).collect();
    let unmoved = subject.plan.sequences.iter().filter(|assigned| assigned.columns.is_empty());
    records.extend(unmoved.map(|assigned| SequenceRecord {
        sequence: assigned.sequence.name.clone(),
        column: String::new(),
        by: NumberedBy::Nothing,
        max: None,
        next: None,
        verdict: Verdict::NotChecked,
    }));
    let wrong: Vec<&str> =
        records.iter().filter(|r| r.verdict == Verdict::Differs).map(|r| r.sequence.as_str()).collect();
    let seen = if wrong.is_empty() { "all past".to_owned() } else { format!("not past: {}", wrong.join(", ")) };
    let mut checks = vec![Check::compared(CheckKind::Sequences, None, "all past".to_owned(), seen)];
    let is_awaited = |record: &&SequenceRecord| record.verdict == Verdict::NotChecked && !record.column.is_empty();
    checks.extend(records.iter().filter(is_awaited).map(|record| {
        let why = "another run, which has not ended, writes ids past its next number, and moves it at its end";
        Check::not_checked(CheckKind::Sequences, Some(&record.sequence), why)
    }));
    checks.extend(unknown_numbering(subject));
    (records, checks)
}

/// One check, not made, for each key that is fed and that the target may number in a way that the catalogue does not show: the
/// next number may be one that a row has already. A key of integers has any default or trigger; any other key has a default
/// that draws from a sequence, such as `'T' || nextval('numbers')`.
fn unknown_numbering(subject: &Subject<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (table, facts) in subject.target.tables.iter().filter(|(table, _)| is_loaded(subject, table)) {
        let is_key = |column: &TargetColumn| {
            let mut keys = facts.unique.iter().map(|key| &key.columns).filter(|columns| columns.contains(&column.name));
            keys.any(|columns| columns.len() == 1 || column.draws.is_some())
        };
        let is_fed = |column: &TargetColumn| {
            let loads = subject.plan.loads.iter().filter(|load| load.table == *table);
            loads.flat_map(|load| &load.columns).any(|planned| planned.name == column.name)
        };
        let counts = |column: &TargetColumn| {
            let is_number = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. });
            is_number || column.draws.is_some()
        };
        let by_partition = |column: &TargetColumn| draws_in_partition_alone(subject, table, column);
        let is_numbered = |column: &TargetColumn| {
            !by_partition(column) && (column.sequence.is_some() || is_assigned(subject, table, column, None))
        };
        let keys = facts.columns.iter().filter(|c| !is_numbered(c) && counts(c) && is_key(c) && is_fed(c));
        for column in keys {
            let name = format!("{}.{table}.{}", subject.plan.schema, column.name);
            let numbered_by = match facts.bending.first() {
                _ if by_partition(column) => "the default of a partition".to_owned(),
                _ if column.has_default => "its default".to_owned(),
                Some(trigger) => format!("trigger {trigger}"),
                None => continue,
            };
            let why = format!("{numbered_by} may number new rows, and the catalogue does not show from which number");
            checks.push(Check::not_checked(CheckKind::Sequences, Some(&name), why));
        }
    }
    checks
}

/// Returns true if a partition of the table has a default of its own, and neither the table nor the mapping names the sequence
/// that it draws from.
fn draws_in_partition_alone(subject: &Subject<'_>, table: &str, column: &TargetColumn) -> bool {
    let is_own = |name: &String| column.sequence.as_ref().is_some_and(|own| own.name == *name);
    column.drawn_in_partitions.iter().any(|name| !is_own(name) && !is_assigned(subject, table, column, Some(name)))
}

/// Returns true if the plan sets a sequence, this one if one is given, past the values of the column.
fn is_assigned(subject: &Subject<'_>, table: &str, column: &TargetColumn, sequence: Option<&str>) -> bool {
    let is_it = |assigned: &&AssignedSequence| sequence.is_none_or(|name| assigned.sequence.name == name);
    let assigned = subject.plan.sequences.iter().filter(is_it).flat_map(|assigned| &assigned.columns);
    assigned.into_iter().any(|counted| counted.table == table && counted.column == column.name)
}

/// Owners that a report lists. The owners with the most rows come first; the others are summed.
const OWNERS_LISTED: usize = 100;

/// The rows per owner.
#[derive(Default)]
pub(super) struct OwnerCounts {
    /// Rows per owner over all tables whose rows have owners, owners without rows and rows without an owner included.
    pub owners: Vec<OwnerRows>,
    /// Checks `owners`: the rows of this run belong to its owner.
    pub checks: Vec<Check>,
    /// Tables and columns in which every value is the key of an owner's row.
    pub without_orphans: Vec<(String, String)>,
}

/// Counts the rows of each owner in all tables whose rows have owners.
pub(super) fn owners(subject: &Subject<'_>, owned: OwnedRows) -> OwnerCounts {
    let mut found = OwnerCounts::default();
    if subject.plan.owner.is_none() {
        return found;
    }
    let stamped = stamped_columns(subject);
    let OwnedRows { names, counts } = owned;
    let names: BTreeMap<String, String> = names.into_iter().collect();
    let mut by_owner: BTreeMap<Option<String>, BTreeMap<String, u64>> =
        names.keys().map(|key| (Some(key.clone()), BTreeMap::new())).collect();
    for ((table, path), counts) in stamped.iter().zip(counts) {
        found.add(subject, &names, &CountedTable { table, path, counts: &counts });
        if subject.plan.paths.get(*table) == Some(path) {
            for (key, rows) in counts {
                by_owner.entry(key).or_default().insert((*table).to_owned(), rows);
            }
        }
    }
    found.owners = listed(by_owner, &names);
    found
}

/// The path to the owner of each loaded table, and after it each further column that is stamped with the owner's key.
fn stamped_columns<'s>(subject: &'s Subject<'_>) -> Vec<(&'s str, OwnerPath)> {
    let mut found = Vec::new();
    for (table, path) in subject.plan.paths.iter().filter(|(table, _)| is_loaded(subject, table)) {
        found.push((table.as_str(), path.clone()));
        let class = subject.plan.classes.get(table).filter(|_| subject.owner.key.is_some());
        if let Some(TableClass::Stamped(columns)) = class {
            let path = |column: &String| OwnerPath { hops: Vec::new(), column: column.clone(), stamped: true };
            found.extend(columns.iter().skip(1).map(|column| (table.as_str(), path(column))));
        }
    }
    found
}

/// The rows of a table per key of their owner.
struct CountedTable<'c> {
    table: &'c str,
    path: &'c OwnerPath,
    counts: &'c [(Option<String>, u64)],
}

impl OwnerCounts {
    fn add(&mut self, subject: &Subject<'_>, names: &BTreeMap<String, String>, counted: &CountedTable<'_>) {
        let CountedTable { table, path, counts } = counted;
        if path.stamped {
            self.checks.extend(owner_check(subject, table, path, counts));
        }
        let have_owners = counts.iter().filter_map(|(key, _)| key.as_ref()).all(|key| names.contains_key(key));
        if path.hops.is_empty() && have_owners {
            self.without_orphans.push(((*table).to_owned(), path.column.clone()));
        }
    }
}

fn is_loaded(subject: &Subject<'_>, table: &str) -> bool {
    subject.plan.loads.iter().any(|load| load.table == table)
}

/// The owners with the most rows first. Owners after the first [`OWNERS_LISTED`] become one entry.
fn listed(
    by_owner: BTreeMap<Option<String>, BTreeMap<String, u64>>,
    names: &BTreeMap<String, String>,
) -> Vec<OwnerRows> {
    let mut owners: Vec<OwnerRows> = by_owner
        .into_iter()
        .map(|(key, rows)| OwnerRows { owner: key.map(|k| names.get(&k).cloned().unwrap_or(k)), rows })
        .collect();
    owners.sort_by_key(|o| Reverse(o.rows.values().sum::<u64>()));
    let others = owners.split_off(owners.len().min(OWNERS_LISTED));
    if !others.is_empty() {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for (table, rows) in others.iter().flat_map(|owner| &owner.rows) {
            *sums.entry(table.clone()).or_default() += rows;
        }
        owners.push(OwnerRows { owner: Some(format!("{} others together", others.len())), rows: sums });
    }
    owners
}

/// Compares the owner's rows in a table with the rows written. If the table and its path to the owner were empty, the
/// counts are equal; otherwise the owner has at least the rows written. Rows without a parent have no owner.
/// `None` without an owner.
fn owner_check(
    subject: &Subject<'_>,
    table: &str,
    path: &OwnerPath,
    counts: &[(Option<String>, u64)],
) -> Option<Check> {
    let key = subject.owner.key?;
    let tables = std::iter::once(table).chain(path.hops.iter().map(|hop| hop.parent.as_str()));
    let held: Vec<&str> = tables.filter(|table| subject.held_before(table).is_some()).collect();
    let loads = subject.plan.loads.iter().filter(|l| l.table == table);
    let written: u64 = loads.map(|l| subject.sums(&l.name).written).sum();
    let count = |key: Option<&str>| counts.iter().find(|(k, _)| k.as_deref() == key).map_or(0, |(_, n)| *n);
    let without_owner = if path.hops.is_empty() { 0 } else { count(None) };
    let name = format!("{}.{table}", subject.plan.schema);
    let found = count(Some(key)) + without_owner;
    // An owner that the run made had no rows before.
    let are_ours = subject.owner.made && found == written;
    if !held.is_empty() && found >= written && !are_ours {
        let why = format!("{} held rows before; the owner's rows there may not be this run's", held.join(", "));
        return Some(Check::not_checked(CheckKind::Owners, Some(&name), why));
    }
    if subject.later && found > written {
        let why = format!("{found} rows of the owner, {written} were written: more were added since");
        return Some(Check::not_checked(CheckKind::Owners, Some(&name), why));
    }
    Some(Check::compared(CheckKind::Owners, Some(&name), written.to_string(), found.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_after_the_first_hundred_are_summed_in_one_entry() {
        let rows = |n: u64| BTreeMap::from([("t".to_owned(), n)]);
        let mut by_owner: BTreeMap<_, _> = (0..150_u64).map(|n| (Some(n.to_string()), rows(n))).collect();
        by_owner.insert(None, rows(1_000));
        let listed = listed(by_owner, &BTreeMap::from([("149".to_owned(), "suricata".to_owned())]));
        assert_eq!(listed.len(), OWNERS_LISTED + 1);
        assert_eq!((listed[0].owner.as_deref(), listed[1].owner.as_deref()), (None, Some("suricata")));
        let last = listed.last().unwrap();
        assert_eq!(last.owner.as_deref(), Some("51 others together"));
        assert_eq!(last.rows["t"], (0..51).sum::<u64>());
    }
}
