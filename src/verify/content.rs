//! Checks `content`: the digest of a table's rows, as the server returns them, equals the digest of the rows sent.
//!
//! After the run the rows that the source produces now are compared as well, so that a report can state which side changed.

use std::collections::BTreeMap;

use crate::job::Stop;
use crate::model::digest::{BUCKETS, row_hash};
use crate::model::placement::SHARDS_NUMBER;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::pg::Session;
use crate::pg::inspect::LoadedRows;
use crate::plan::image;

use super::comparison::TableComparison;
use super::differing_rows::{self, DifferingRows};
use super::foreign_rows;
use super::returned;
use super::subject::Subject;
use super::table::VerifiedTable;

/// The checks `content` and `others`; after the run also `source`.
pub(super) fn check(
    subject: &Subject<'_>,
    session: &mut Session,
    tables: &[VerifiedTable<'_>],
    found: &[TableComparison],
) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    let mut source = Vec::new();
    let kept = rows_as_written(subject, session, tables)?;
    for (table, found) in tables.iter().zip(found) {
        checks.extend(columns_left_out(table, &kept));
        checks.extend(altered_columns(table));
        checks.extend(compare(table, found, session)?);
        checks.extend(returned::check(table, found, session)?);
        if subject.later {
            source.extend(source_changed(table, found, session)?);
        }
    }
    if subject.later {
        source.extend(new_in_source(subject));
        checks.extend(with_stamp(subject, source));
    }
    Ok(checks)
}

/// Lists columns that are sent and not part of the digest, each with its reason. After the run, also lists all columns that
/// are not part of the digest if rows were written to since.
fn columns_left_out(table: &VerifiedTable<'_>, kept: &BTreeMap<&str, u64>) -> Option<Check> {
    let catalogued = table.subject.target.tables.get(table.name)?;
    let mut reasons: Vec<String> = Vec::new();
    let columns = table.loads.iter().flat_map(|load| &load.columns);
    let recorded = table.subject.run.judged.returned.get(table.name).map(Vec::as_slice).unwrap_or_default();
    for column in columns.filter(|c| !table.sent_columns.contains(&c.name) && !recorded.contains(&c.name)) {
        let why = image::obstacle(&table.loads, catalogued, &column.name)
            .unwrap_or_else(|| "not recorded by the run".to_owned());
        let reason = format!("column {}: {why}", column.name);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.extend(written_since(table, kept));
    (!reasons.is_empty()).then(|| Check::not_checked(CheckKind::Content, Some(&table.label()), reasons.join("; ")))
}

/// The checks of columns that were changed on the target since the run.
fn altered_columns(table: &VerifiedTable<'_>) -> Vec<Check> {
    let returned = table.subject.run.judged.returned.get(table.name).map(Vec::as_slice).unwrap_or_default();
    table.altered.checks(&table.label(), returned, &table.sent_columns)
}

/// Counts, after the run, the rows that only transactions of the run wrote to, of each table with columns whose values the digest
/// does not show. As long as they are all rows of the run, these columns are as the run left them.
fn rows_as_written<'t>(
    subject: &Subject<'_>,
    session: &mut Session,
    tables: &'t [VerifiedTable<'_>],
) -> Result<BTreeMap<&'t str, u64>, Stop> {
    let is_asked = |table: &&VerifiedTable<'_>| {
        unseen_columns(table).is_some() && may_read_whole(table) && table.numbers_transactions()
    };
    let asked: Vec<&VerifiedTable<'_>> = tables.iter().filter(is_asked).collect();
    let loaded: Vec<LoadedRows<'_>> = asked.iter().map(|table| table.loaded_rows()).collect();
    let counts = session.count_rows_as_written(&subject.plan.schema, subject.run.id, &loaded)?;
    Ok(asked.into_iter().map(|table| table.name).zip(counts).collect())
}

/// The columns of a table whose values the digest does not show. `None` if there are none, or before the end of the run.
fn unseen_columns(table: &VerifiedTable<'_>) -> Option<String> {
    let subject = table.subject;
    let columns = subject.target.tables.get(table.name).into_iter().flat_map(|catalogued| &catalogued.columns);
    let returned = subject.run.judged.returned.get(table.name).map(Vec::as_slice).unwrap_or_default();
    let is_digested = |name: &String| table.sent_columns.contains(name) || returned.contains(name);
    let unseen = columns.filter(|column| !column.generated && !is_digested(&column.name));
    let unseen: Vec<&str> = unseen.map(|column| column.name.as_str()).collect();
    (subject.later && !table.loads.is_empty() && !unseen.is_empty()).then(|| unseen.join(", "))
}

/// Returns true if this role may read the transaction that wrote a row.
fn may_read_whole(table: &VerifiedTable<'_>) -> bool {
    table.subject.target.rights.lack("SELECT", &format!("TABLE {}", table.place())).is_none()
}

/// Explains which columns the digest does not show, and that rows were written to since. `None` if no row was.
fn written_since(table: &VerifiedTable<'_>, kept: &BTreeMap<&str, u64>) -> Option<String> {
    let columns = unseen_columns(table)?;
    if !table.numbers_transactions() {
        return Some(format!("not compared: {columns}; {SHARDS_NUMBER}"));
    }
    let Some(kept) = kept.get(table.name) else {
        return Some(format!("not compared: {columns}; this role may not read which transaction wrote a row"));
    };
    let (written, since) = (table.written(), table.written().saturating_sub(*kept));
    (since > 0).then(|| {
        format!("not compared: {columns}; {since} of {written} rows were deleted or written to since they were loaded")
    })
}

/// Compares the rows of this run with the rows sent, and the other rows of the table with their previous state.
fn compare(table: &VerifiedTable<'_>, found: &TableComparison, session: &mut Session) -> Result<Vec<Check>, Stop> {
    let name = table.label();
    if let Some(why) = found.unknown.as_ref().filter(|_| !table.loads.is_empty()) {
        let why = format!("columns of the table were changed since, and {why}");
        let mut checks = vec![Check::not_checked(CheckKind::Content, Some(&name), why)];
        checks.extend(foreign_rows::check(table, found, found.added));
        return Ok(checks);
    }
    if table.held() && table.before.is_none() && table.altered.fields.is_none() {
        let why = "the table held rows before, and the ledger has no digest of them";
        let mut checks = vec![Check::not_checked(CheckKind::Content, Some(&name), why)];
        checks.extend(foreign_rows::check(table, found, 0));
        return Ok(checks);
    }
    let (mut checks, mut added) = (Vec::new(), found.added);
    let mut differing = found.sent.differing(&found.ours);
    if table.held() && table.before.is_none() {
        // The sums of the target contain the rows that existed before, so each row sent is searched.
        differing = (0..BUCKETS).collect();
    }
    if differing.is_empty() && is_forged(table, found) {
        checks.push(forged(table, found, session)?);
    } else if differing.is_empty() {
        checks.push(Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.ours.short()));
    } else {
        // If the table holds other rows too, their hashes are in the same sums. Only single rows can be judged then.
        let mixed = table.held() || found.rows > table.expected();
        let (check, more) = Differing { table, found, sums: &differing, mixed }.judge(session)?;
        added += more;
        checks.push(check);
    }
    checks.retain(|_| !table.loads.is_empty());
    checks.extend(foreign_rows::check(table, found, added));
    Ok(checks)
}

/// Returns true if rows differ from those of the source although the digests in the ledger agree. A row can be made to have
/// the hash of another one by whoever knows the run's seed, but not under a seed that was drawn just now.
fn is_forged(table: &VerifiedTable<'_>, found: &TableComparison) -> bool {
    let is_comparable = !table.held() && found.rows == table.expected();
    let is_source_same = found.source.as_ref() == Some(&found.sent);
    is_comparable && is_source_same && found.fresh.source != found.fresh.target
}

fn forged(table: &VerifiedTable<'_>, found: &TableComparison, session: &mut Session) -> Result<Check, Stop> {
    let sums = found.fresh.source.differing(&found.fresh.target);
    let rows = differing_rows::find(&table.with_fresh_seed(), session, &sums, found.rows)?;
    let (source, target) = (found.fresh.source.short(), found.fresh.target.short());
    let mut check = Check::compared(CheckKind::Content, Some(&table.label()), source, target);
    let why = "the ledger's digest does not show it: the row was made to have the same hash, or the ledger was changed";
    check.why = Some(format!("{}; {why}", rows.summary()));
    check.differences = rows.listed;
    Ok(check)
}

/// A table whose digest differs from the digest of the rows sent.
struct Differing<'d, 't> {
    table: &'d VerifiedTable<'t>,
    found: &'d TableComparison,
    /// The sums of the digest that differ.
    sums: &'d [usize],
    /// True if the table holds rows of other writers.
    mixed: bool,
}

impl Differing<'_, '_> {
    /// Returns the check and the number of rows that other writers added.
    fn judge(&self, session: &mut Session) -> Result<(Check, u64), Stop> {
        let (table, found, mixed) = (self.table, self.found, self.mixed);
        let name = table.label();
        let obstacle = table.obstacle();
        if let Some(why) = obstacle.as_ref().filter(|_| mixed && table.has_no_key()) {
            return Ok((Check::not_checked(CheckKind::Content, Some(&name), why.clone()), 0));
        }
        let rows = differing_rows::find(table, session, self.sums, found.rows)?;
        let added = rows.added;
        if let Some(why) = table.changed_by_trigger()
            && self.all_keys_match(&rows, session)?
        {
            let mut check = Check::not_checked(CheckKind::Content, Some(&name), why);
            check.differences = rows.listed;
            return Ok((check, added));
        }
        let mut check = Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.ours.short());
        if rows.is_wrong() {
            check.why = Some(format!("{}{}", rows.summary(), found.side_changed()));
            check.differences = rows.listed;
        } else if mixed || added > 0 {
            // All rows of this run were found among the other rows, as far as this can be determined.
            check = match obstacle {
                Some(why) => Check::not_checked(CheckKind::Content, Some(&name), why),
                None => Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.sent.short()),
            };
        } else {
            let why = obstacle.unwrap_or_else(|| "the source produces what the target holds now".to_owned());
            check.why = Some(format!("{} of {BUCKETS} sums differ; {why}", self.sums.len()));
        }
        Ok((check, added))
    }

    /// Returns true if, judged by keys alone, every row is present and no other row is.
    fn all_keys_match(&self, rows: &DifferingRows, session: &mut Session) -> Result<bool, Stop> {
        let table = self.table;
        if table.has_no_key() {
            return Ok(self.mixed || self.found.rows == table.expected());
        }
        if self.mixed {
            return Ok(rows.missing + rows.extra == 0);
        }
        // Some differing rows may not be listed. The sums of the keys' hashes cover all rows.
        let seed = table.subject.run.seed;
        let hash = |image: &[u8]| table.key_of(image).map_or(0, |key| row_hash(&key, seed));
        let (mut sent, mut held) = (0u128, 0u128);
        table.source(session, &mut |_, image, _| sent = sent.wrapping_add(hash(image)))?;
        table.target(session, None, &mut |image, _| held = held.wrapping_add(hash(image)))?;
        Ok(sent == held)
    }
}

/// Compares the rows that the source produces now with the rows sent. `None` if equal.
fn source_changed(
    table: &VerifiedTable<'_>,
    found: &TableComparison,
    session: &mut Session,
) -> Result<Option<Check>, Stop> {
    let name = table.label();
    if table.loads.is_empty() {
        return Ok(None);
    }
    let Some(now) = &found.source else {
        let why = table.obstacle().unwrap_or_else(|| "the source was not read".to_owned());
        return Ok(Some(Check::not_checked(CheckKind::Source, Some(&name), why)));
    };
    if !found.is_source_changed {
        return Ok(None);
    }
    let mut check = Check::compared(CheckKind::Source, Some(&name), table.sent().short(), now.short());
    check.verdict = Verdict::Differs;
    let side = if found.unknown.is_some() {
        "it cannot be computed whether the target holds what was sent"
    } else if found.ours == found.sent {
        "the target holds what was sent"
    } else {
        "the target does not hold what was sent"
    };
    check.why = Some(format!("the source no longer produces the rows that were sent; {side}"));
    check.differences = differing_rows::find(table, session, &now.differing(&found.ours), found.rows)?.listed;
    Ok(Some(check))
}

/// A difference for each table and column that the source has only since the run began.
fn new_in_source(subject: &Subject<'_>) -> impl Iterator<Item = Check> {
    subject.plan.left.iter().filter(|left| left.is_new).map(|left| {
        let name = left.column.as_ref().map_or(left.table.clone(), |column| format!("{}.{column}", left.table));
        let mut check = Check::compared(CheckKind::Source, Some(&name), "absent".to_owned(), "present".to_owned());
        let why = format!("it {}, and no load reads it", left.reason);
        check.why = Some(why);
        check
    })
}

/// Adds a check of the source's stamp if no row of the source differs.
fn with_stamp(subject: &Subject<'_>, mut checks: Vec<Check>) -> Vec<Check> {
    let (then, now) = (subject.run.stamp.clone(), subject.source.stamp());
    if checks.iter().all(|c| c.verdict != Verdict::Differs) {
        let mut check = Check::compared(CheckKind::Source, None, then.clone(), then.clone());
        if then != now {
            let all = if checks.is_empty() { "" } else { ", as far as they were compared" };
            check.why = Some(format!("the file was written to since, and its rows are the same{all}"));
        }
        checks.push(check);
    }
    checks
}

/// The check `source` at the end of a run: no process wrote to the source during the run.
pub(super) fn source_at_end(subject: &Subject<'_>) -> Check {
    let stamp = subject.source.stamp();
    match subject.source.is_as_it_was() {
        Ok(true) => Check::compared(CheckKind::Source, None, stamp.clone(), stamp),
        Ok(false) => {
            let mut check = Check::compared(CheckKind::Source, None, stamp, "written to since".to_owned());
            let why = "the source was written to while it was read; what was written later is not in the target";
            check.why = Some(why.to_owned());
            check
        }
        Err(e) => Check::not_checked(CheckKind::Source, None, e.to_string()),
    }
}
