//! Finds the rows of differing sums: recomputes them from the source, reads them from the target, and reports each as
//! missing, extra or changed, by key and column.
//!
//! Memory is bounded: one pass searches as many sums as contain about [`ROWS_AT_ONCE`] rows. The search ends once
//! [`ROWS_LISTED`] rows are found. Each pass reads both sides in full.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::job::Stop;
use crate::model::digest::{BUCKETS, bucket};
use crate::model::record::{Difference, DifferingRow};
use crate::model::select::Row;
use crate::pg::Session;
use crate::wire::binary;

use super::table::VerifiedTable;

/// Rows whose hashes are in memory at once, about 50 bytes each.
const ROWS_AT_ONCE: u64 = 250_000;

/// Most rows that are listed.
const ROWS_LISTED: usize = 100;

/// Rows that the summary lists per kind.
const ROWS_IN_SUMMARY: usize = 5;

/// A row of the target without a key, or whose key may not be shown.
const UNNAMED: &str = "a row of the target";

/// The rows found in differing sums.
#[derive(Debug, Default)]
pub(super) struct DifferingRows {
    /// The first rows.
    pub listed: Vec<DifferingRow>,
    /// Rows that the target lacks.
    pub missing: u64,
    /// Rows with another value.
    pub changed: u64,
    /// Rows that the target should not have.
    pub extra: u64,
    /// Rows that other writers added since.
    pub added: u64,
    /// Sums that were not searched, since enough rows were found.
    pub unsearched: usize,
}

impl DifferingRows {
    /// Returns true if a row of this run differs.
    pub fn is_wrong(&self) -> bool {
        self.missing + self.changed + self.extra > 0
    }

    /// `1 row missing: id=12; 2 rows changed: id=4 (amount), id=7 (note)`
    pub fn summary(&self) -> String {
        let kinds = [
            (self.missing, Difference::Missing, "missing"),
            (self.changed, Difference::Changed, "changed"),
            (self.extra, Difference::Extra, "extra"),
        ];
        let least = if self.unsearched > 0 { "at least " } else { "" };
        let kinds = kinds.into_iter().filter(|kind| kind.0 > 0).map(|(count, which, word)| {
            let rows = if count == 1 { "row" } else { "rows" };
            format!("{least}{count} {rows} {word}: {}", self.first_keys(which))
        });
        kinds.collect::<Vec<_>>().join("; ")
    }

    /// The keys of the first rows with this difference.
    fn first_keys(&self, which: Difference) -> String {
        let rows = self.listed.iter().filter(|row| row.difference == which);
        let mut keys: Vec<String> = rows
            .map(|row| match &row.column {
                Some(column) => format!("{} ({column})", row.key),
                None => row.key.clone(),
            })
            .collect();
        if keys.len() > ROWS_IN_SUMMARY {
            keys.truncate(ROWS_IN_SUMMARY);
            keys.push("...".to_owned());
        }
        keys.join(", ")
    }

    fn list(&mut self, difference: Difference, key: String) {
        if self.listed.len() < ROWS_LISTED {
            self.listed.push(DifferingRow { difference, key, column: None, expected: None, found: None });
        }
    }
}

/// Hash and image of each row, by key.
type ByKey = HashMap<Vec<u8>, (u128, Vec<u8>)>;

/// Occurrences of one row's hash.
#[derive(Clone, Copy, Default)]
struct Occurrences {
    sent: u32,
    found: u32,
}

type ByHash = HashMap<u128, Occurrences>;

/// A row of the source that the target lacks.
struct MissingRow {
    image: Vec<u8>,
    key: Option<Vec<u8>>,
    source: String,
}

/// Rows of the target.
#[derive(Default)]
struct TargetRows {
    /// Rows whose hash was found more often than sent.
    extra: BTreeMap<u128, Vec<u8>>,
    /// Rows with the key of a missing row.
    by_key: ByKey,
}

/// Finds the rows of these sums. `rows`: the number of rows in the table.
pub(super) fn find(
    table: &VerifiedTable<'_>,
    session: &mut Session,
    differing: &[usize],
    rows: u64,
) -> Result<DifferingRows, Stop> {
    // If the table held rows before, only hashes that the source produces are kept.
    let kept = if table.held() { table.written() } else { rows.max(table.written()) };
    let per_sum = kept / BUCKETS as u64 + 1;
    let at_once = usize::try_from(ROWS_AT_ONCE / per_sum).unwrap_or(1).clamp(1, BUCKETS);
    let mut search = Search { table, session, rows: DifferingRows::default(), reported: HashSet::new() };
    let mut rest = differing;
    while !rest.is_empty() && search.rows.listed.len() < ROWS_LISTED {
        let (now, later) = rest.split_at(at_once.min(rest.len()));
        search.pass(now)?;
        rest = later;
    }
    let mut rows = search.rows;
    rows.unsearched = rest.len();
    // Rows were found in the order of their hashes, which differs per run. A shorter number is a smaller number.
    rows.listed.sort_by(|a, b| (a.key.len(), &a.key, &a.column).cmp(&(b.key.len(), &b.key, &b.column)));
    Ok(rows)
}

/// The search of one table.
struct Search<'o, 't> {
    table: &'o VerifiedTable<'t>,
    session: &'o mut Session,
    rows: DifferingRows,
    /// Hashes of rows that are reported already, from either side.
    reported: HashSet<u128>,
}

impl Search<'_, '_> {
    /// Searches some sums.
    fn pass(&mut self, sums: &[usize]) -> Result<(), Stop> {
        let mut wanted = [false; BUCKETS];
        sums.iter().for_each(|n| wanted[*n] = true);
        let (counts, highest) = self.counts(&wanted)?;
        let missing = self.missing(&counts)?;
        let on_target = self.on_target(&counts, &missing, highest)?;
        let counterparts = self.counterparts(&on_target)?;
        self.report_missing(&counts, missing, &on_target);
        self.report_extra(&counts, on_target, &counterparts);
        Ok(())
    }

    /// Returns the hashes in these sums that were not found as often as sent, and the highest id among all rows sent.
    fn counts(&mut self, wanted: &[bool; BUCKETS]) -> Result<(ByHash, Option<i64>), Stop> {
        let table = self.table;
        let (mut counts, mut highest) = (ByHash::new(), None);
        table.source(self.session, &mut |_, image, hash| {
            highest = highest.max(table.number(image));
            if wanted[bucket(hash)] {
                counts.entry(hash).or_default().sent += 1;
            }
        })?;
        let held = table.held();
        table.target(self.session, None, &mut |_, hash| {
            if wanted[bucket(hash)] && (!held || counts.contains_key(&hash)) {
                counts.entry(hash).or_default().found += 1;
            }
        })?;
        counts.retain(|hash, n| n.sent != n.found && !self.reported.contains(hash));
        Ok((counts, highest))
    }

    /// Returns the rows whose hashes were sent more often than found.
    fn missing(&mut self, counts: &ByHash) -> Result<BTreeMap<u128, MissingRow>, Stop> {
        let table = self.table;
        let mut missing = BTreeMap::new();
        if counts.values().all(|n| n.sent <= n.found) {
            return Ok(missing);
        }
        table.source(self.session, &mut |row, image, hash| {
            if missing.len() < ROWS_LISTED && counts.get(&hash).is_some_and(|n| n.sent > n.found) {
                missing.entry(hash).or_insert_with(|| MissingRow {
                    image: image.to_vec(),
                    key: table.key_of(image),
                    source: source_row(table, row),
                });
            }
        })?;
        Ok(missing)
    }

    /// Returns the rows of the target that may correspond to missing rows or should not exist. Rows that were added since
    /// are only counted. `highest`: the highest id that was sent.
    fn on_target(
        &mut self,
        counts: &ByHash,
        missing: &BTreeMap<u128, MissingRow>,
        highest: Option<i64>,
    ) -> Result<TargetRows, Stop> {
        let (table, rows) = (self.table, &mut self.rows);
        let keys: HashSet<&[u8]> = missing.values().filter_map(|m| m.key.as_deref()).collect();
        let mut found = TargetRows::default();
        table.target(self.session, None, &mut |image, hash| {
            if !keys.is_empty()
                && let Some(key) = table.key_of(image)
                && keys.contains(key.as_slice())
            {
                found.by_key.insert(key, (hash, image.to_vec()));
            }
            let Some(n) = counts.get(&hash).filter(|n| n.found > n.sent) else { return };
            // After the run, a row counts as added if its id is higher than all ids sent, or if the table has no ids.
            let higher = table.scope.is_none() && table.number(image).is_none_or(|n| highest.is_none_or(|h| n > h));
            if table.subject.later && n.sent == 0 && higher {
                rows.added += 1;
            } else if found.extra.len() < ROWS_LISTED {
                found.extra.insert(hash, image.to_vec());
            }
        })?;
        Ok(found)
    }

    /// Returns the rows of the source that have the keys of extra rows.
    fn counterparts(&mut self, on_target: &TargetRows) -> Result<ByKey, Stop> {
        let table = self.table;
        let mut found = ByKey::new();
        let keys: HashSet<Vec<u8>> = on_target.extra.values().filter_map(|image| table.key_of(image)).collect();
        if keys.is_empty() {
            return Ok(found);
        }
        table.source(self.session, &mut |_, image, hash| {
            if let Some(key) = table.key_of(image)
                && keys.contains(&key)
            {
                found.entry(key).or_insert_with(|| (hash, image.to_vec()));
            }
        })?;
        Ok(found)
    }

    /// Reports each missing row. The row is changed if the target has a row with its key.
    fn report_missing(&mut self, counts: &ByHash, missing: BTreeMap<u128, MissingRow>, on_target: &TargetRows) {
        for (hash, row) in missing {
            let key = self.table.shown_key(&row.image).unwrap_or(row.source);
            match row.key.and_then(|key| on_target.by_key.get(&key)) {
                Some((found, image)) => {
                    if self.table.subject.later && self.table.number(image).is_none() {
                        // The changed row was counted as added.
                        self.rows.added = self.rows.added.saturating_sub(1);
                    }
                    self.report_changed(&row.image, image, &key);
                    self.reported.insert(*found);
                }
                None => {
                    let n = counts.get(&hash).copied().unwrap_or(Occurrences { sent: 1, found: 0 });
                    self.rows.missing += u64::from(n.sent.saturating_sub(n.found));
                    self.rows.list(Difference::Missing, key);
                }
            }
            self.reported.insert(hash);
        }
    }

    /// Reports each row that should not exist. The row is changed if the source has a row with its key.
    fn report_extra(&mut self, counts: &ByHash, on_target: TargetRows, counterparts: &ByKey) {
        for (hash, image) in on_target.extra {
            if self.reported.contains(&hash) {
                continue;
            }
            let shown = |image: &[u8]| self.table.shown_key(image).unwrap_or_else(|| UNNAMED.to_owned());
            if let Some((sent, source)) = self.table.key_of(&image).and_then(|key| counterparts.get(&key)) {
                let key = shown(source);
                self.report_changed(source, &image, &key);
                self.reported.insert(*sent);
            } else {
                let key = shown(&image);
                let n = counts.get(&hash).copied().unwrap_or(Occurrences { sent: 0, found: 1 });
                self.rows.extra += u64::from(n.found.saturating_sub(n.sent));
                self.rows.list(Difference::Extra, key);
            }
            self.reported.insert(hash);
        }
    }

    /// Lists the columns in which the images of a sent row and a found row differ.
    fn report_changed(&mut self, sent: &[u8], found: &[u8], key: &str) {
        let table = self.table;
        let (Some(sent), Some(found)) = (binary::fields(sent), binary::fields(found)) else { return };
        let mut differing: Vec<usize> =
            (0..table.columns.len()).filter(|n| field(&sent, *n) != field(&found, *n)).collect();
        // The ledger does not record the answers of lookups.
        differing.retain(|n| !table.looked_up.contains(&table.columns[*n]));
        self.rows.changed += u64::from(!differing.is_empty());
        let value = |fields: &[Option<&[u8]>], column: usize| {
            table.subject.show_values.then(|| table.value(column, field(fields, column)))
        };
        let room = ROWS_LISTED.saturating_sub(self.rows.listed.len());
        self.rows.listed.extend(differing.into_iter().take(room).map(|column| DifferingRow {
            difference: Difference::Changed,
            key: key.to_owned(),
            column: Some(table.columns[column].clone()),
            expected: value(&sent, column),
            found: value(&found, column),
        }));
    }
}

/// The row of the source as a report shows it.
fn source_row(table: &VerifiedTable<'_>, row: &dyn Row) -> String {
    match row.key().as_rowid() {
        Some(id) => format!("source row {id}"),
        None if table.subject.show_values => format!("source row {}", row.key()),
        None => "source row with a key that is not a number".to_owned(),
    }
}

fn field<'f>(fields: &[Option<&'f [u8]>], column: usize) -> Option<&'f [u8]> {
    fields.get(column).copied().flatten()
}
