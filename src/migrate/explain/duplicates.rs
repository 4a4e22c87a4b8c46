//! Finds the earlier row that holds the key of each duplicate.
//!
//! The answer is derived from the source when a report is made and is not stored. Keys that only the server can compare,
//! rows that the target held before, and rows whose place is a value have no answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::rows::keyset::unique_hash;
use crate::model::key::KeyRange;
use crate::model::schema::TargetUnique;
use crate::model::select::CONTINUE;
use crate::plan::{LoadPlan, Plan, compared_key};
use crate::sqlite::Source;

/// A row of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRow {
    /// Its load.
    pub load: String,
    /// Its rowid, or its ordinal in a derived relation.
    pub at: i64,
}

/// Rows of the source, by load.
pub type RowsByLoad = BTreeMap<String, HashSet<i64>>;

/// The duplicates of one unique key.
pub struct Duplicates<'a> {
    /// The source of the rows.
    pub source: &'a Source,
    /// The plan.
    pub plan: &'a Plan,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
    /// The target's table.
    pub table: &'a str,
    /// The unique key.
    pub key: &'a TargetUnique,
    /// Rows refused as duplicates of this key.
    pub duplicates: &'a RowsByLoad,
    /// All refused rows. Such a row holds no key.
    pub refused: &'a RowsByLoad,
}

impl Duplicates<'_> {
    /// Returns the earlier row of each duplicate for which one is found.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn earlier_rows(&self) -> Result<BTreeMap<SourceRow, SourceRow>, Stop> {
        let contains =
            |rows: &RowsByLoad, load: &LoadPlan, at: i64| rows.get(&load.name).is_some_and(|rows| rows.contains(&at));
        let loads = || self.plan.loads.iter().filter(|load| load.table == self.table);
        let mut wanted: HashMap<u128, Vec<SourceRow>> = HashMap::new();
        for load in loads().filter(|load| self.duplicates.contains_key(&load.name)) {
            self.each_key(load, &mut |at, hash| {
                if contains(self.duplicates, load, at) {
                    wanted.entry(hash).or_default().push(SourceRow { load: load.name.clone(), at });
                }
                CONTINUE
            })?;
        }
        let mut found = BTreeMap::new();
        for load in loads() {
            self.each_key(load, &mut |at, hash| {
                if !contains(self.refused, load, at)
                    && let Some(duplicates) = wanted.remove(&hash)
                {
                    let earlier = SourceRow { load: load.name.clone(), at };
                    found.extend(duplicates.into_iter().map(|duplicate| (duplicate, earlier.clone())));
                }
                if wanted.is_empty() { ControlFlow::Break(()) } else { CONTINUE }
            })?;
        }
        Ok(found)
    }

    /// Reads the rows of a load: for each row whose place may be shown, its place and the hash of its key.
    fn each_key(&self, load: &LoadPlan, row: &mut dyn FnMut(i64, u128) -> ControlFlow<()>) -> Result<(), Stop> {
        // Only the columns of the key are encoded, and a compared key has a binary form.
        let load = &LoadPlan { as_text: false, ..load.clone() };
        let Ok(Some(mut key)) = compared_key(load, &self.plan.loads, self.key) else { return Ok(()) };
        let columns = key.columns.iter().map(|n| load.columns[*n].clone()).collect();
        let encoder = RowEncoder::project(load, columns, self.settled).map_err(Stop::Refused)?;
        key.columns = (0..key.columns.len()).collect();
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        self.source.reader()?.each(&load.select, KeyRange::ALL, |cells| {
            image.clear();
            if !encoder.encode(cells, &mut image, &mut notes) {
                return CONTINUE;
            }
            match (cells.key().as_rowid(), unique_hash(&image, &key)) {
                (Some(at), Some(hash)) => row(at, hash),
                _ => CONTINUE,
            }
        })?;
        Ok(())
    }
}
