//! Lists the distinct values that no step of a lookup matched: their number, and the first of them.
//!
//! The list is derived from the source when a report is made and is not stored. The ledger counts rows and holds no value.

use std::collections::{BTreeMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::Settled;
use crate::convert::lookup::LookupOutcome;
use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::job::Stop;
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::Reason;
use crate::model::key::{Key, KeyRange};
use crate::model::select::{CONTINUE, Row};
use crate::plan::{ColumnPlan, LoadPlan, LookupPlan};
use crate::sqlite::Source;

/// Values of one column that are listed.
pub const VALUES_LISTED: usize = 100;

/// Most distinct values of one column that are counted, 16 bytes each.
pub const VALUES_COUNTED: usize = 500_000;

/// Values that no step of one column's lookup matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LookupMisses {
    /// The number of distinct values. [`VALUES_COUNTED`] means this number or more.
    pub different: u64,
    /// The first [`VALUES_LISTED`] values in the order of the source. Commas separate the parts of a key of several columns.
    pub first: Vec<String>,
}

/// Rows that were refused, by hashes of their keys, 8 bytes each.
#[derive(Default)]
pub struct RefusedRows {
    rows: HashSet<u64>,
    /// Rows, with the column, that a lookup without a match refused.
    missing: HashSet<u64>,
}

impl RefusedRows {
    /// Adds one fault: its row's key as [`Key::written`] writes it, the column, and the reason.
    pub fn add(&mut self, at: &str, column: Option<&str>, reason: Reason) {
        self.rows.insert(xxh3_64(at.as_bytes()));
        if let (Some(column), Reason::LookupMissing) = (column, reason) {
            self.missing.insert(cell_hash(at, column));
        }
    }

    /// Returns true if the outcome of this row's lookup was counted.
    fn counts(&self, at: &str, column: &str) -> bool {
        !self.rows.contains(&xxh3_64(at.as_bytes())) || self.missing.contains(&cell_hash(at, column))
    }
}

fn cell_hash(at: &str, column: &str) -> u64 {
    xxh3_64(format!("{at}\n{column}").as_bytes())
}

/// Reads a load and repeats its lookups. Returns the misses by column. Lookups without a map are skipped.
///
/// # Errors
/// If the source cannot be read.
pub fn find(
    source: &Source,
    load: &LoadPlan,
    settled: &Settled,
    maps: &Maps,
    refused: &RefusedRows,
) -> Result<BTreeMap<String, LookupMisses>, Stop> {
    let wanted = |(column, _): &(&ColumnPlan, &LookupPlan)| maps.contains_key(&column.name);
    let mut columns: Vec<LookupColumn<'_>> =
        load.lookups().filter(wanted).map(|(column, lookup)| LookupColumn::new(&column.name, lookup)).collect();
    let only = load.columns.iter().filter(|c| columns.iter().any(|column| column.name == c.name)).cloned().collect();
    let encoder = RowEncoder::new(&LoadPlan { columns: only, ..load.clone() }, settled, maps).map_err(Stop::Refused)?;
    let (mut image, mut notes) = (Vec::new(), Notes::default());
    source.reader()?.each(&load.select, KeyRange::ALL, |row| {
        image.clear();
        encoder.encode(row, &mut image, &mut notes);
        for (n, _) in notes.lookups.iter().filter(|(_, outcome)| *outcome == LookupOutcome::Missing) {
            columns[*n].add(row, refused);
        }
        CONTINUE
    })?;
    Ok(columns.into_iter().map(|column| (column.name.to_owned(), column.misses())).collect())
}

/// The values of one column that no step matched.
struct LookupColumn<'a> {
    name: &'a str,
    lookup: &'a LookupPlan,
    /// Hashes of the distinct values.
    hashes: HashSet<u64>,
    first: Vec<String>,
}

impl<'a> LookupColumn<'a> {
    fn new(name: &'a str, lookup: &'a LookupPlan) -> LookupColumn<'a> {
        LookupColumn { name, lookup, hashes: HashSet::new(), first: Vec::new() }
    }

    /// Adds the value of a row that no step matched.
    fn add(&mut self, row: &dyn Row, refused: &RefusedRows) {
        if self.hashes.len() >= VALUES_COUNTED || !refused.counts(&row.key().written(), self.name) {
            return;
        }
        let value = looked_up(self.lookup, row);
        if self.hashes.insert(xxh3_64(value.written().as_bytes())) && self.first.len() < VALUES_LISTED {
            self.first.push(value.to_string());
        }
    }

    fn misses(self) -> LookupMisses {
        LookupMisses { different: self.hashes.len() as u64, first: self.first }
    }
}

/// The key that was looked up: that of the first step whose key contains no NULL.
fn looked_up(lookup: &LookupPlan, row: &dyn Row) -> Key {
    let key = |source: &Vec<usize>| Key(source.iter().map(|cell| row.cell(*cell).to_buf()).collect());
    let mut keys = lookup.steps.iter().map(|step| key(&step.source));
    let complete = keys.find(|key| key.0.iter().all(|part| !matches!(part.as_raw(), Raw::Null)));
    complete.unwrap_or(Key(vec![RawBuf::Null]))
}
