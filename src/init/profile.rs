//! The profile of the source: every value of every paired column, in one pass over each table.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::equal_values::EqualValues;
use super::pairs::TablePair;
use super::probe::{ColumnProfile, Probe};
use crate::event::{Event, Observer};
use crate::job::{self, Stop};
use crate::model::cell::Raw;
use crate::model::key::{Key, KeyRange};
use crate::model::pgtype::ColumnType;
use crate::model::schema::{Address, TargetSchema};
use crate::model::select::{Expr, Relation, Row, Select};
use crate::sqlite::{Reader, Source};

/// Rows from which a table is read in several ranges at once.
const LARGE: u64 = 200_000;

/// Rows between two events.
const ROWS_AT_ONCE: u64 = 4_096;

/// The context in which the source is profiled.
pub struct ProfileContext<'a> {
    /// The source.
    pub source: &'a Source,
    /// The catalogue of the target.
    pub target: &'a TargetSchema,
    /// The first rows of each table that are read. `None`: all.
    pub sample: Option<u64>,
    /// Readers that work at once.
    pub jobs: usize,
    /// Receives progress.
    pub observer: &'a dyn Observer,
    /// Set from outside when the process is asked to stop.
    pub asked: &'a AtomicBool,
}

/// The profile of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableProfile {
    /// Rows that were read.
    pub rows: u64,
    /// True if the table has further rows that were not read.
    pub is_sample: bool,
    /// The columns that feed a column, by the target's name.
    pub columns: BTreeMap<String, ColumnProfile>,
    /// The values of each column that feeds none, without NULLs.
    pub unpaired: BTreeMap<String, u64>,
}

impl TableProfile {
    fn merge(&mut self, other: TableProfile) {
        self.rows += other.rows;
        self.is_sample |= other.is_sample;
        for (name, profile) in other.columns {
            match self.columns.get_mut(&name) {
                Some(mine) => mine.merge(profile),
                None => {
                    self.columns.insert(name, profile);
                }
            }
        }
        other.unpaired.into_iter().for_each(|(name, values)| *self.unpaired.entry(name).or_default() += values);
    }
}

/// Rows of one pair that one reader reads.
struct ProfileRange<'p> {
    pair: &'p TablePair,
    after: Option<Key>,
    until: Option<Key>,
}

impl ProfileContext<'_> {
    /// Reads the rows of every pair. Returns the profiles by the target's table.
    ///
    /// # Errors
    /// If the source cannot be read, or the process was asked to stop.
    pub fn read(&self, pairs: &[TablePair]) -> Result<BTreeMap<String, TableProfile>, Stop> {
        let mut ranges = Vec::new();
        let reader = self.source.reader()?;
        for pair in pairs {
            ranges.extend(self.ranges(pair, &reader)?);
        }
        drop(reader);
        let profiles = job::each(self.jobs, &ranges, |range| self.read_range(range))?;
        let mut found: BTreeMap<String, TableProfile> = BTreeMap::new();
        for (range, profile) in ranges.iter().zip(profiles) {
            found.entry(range.pair.names.target.clone()).or_default().merge(profile);
        }
        Ok(found)
    }

    /// Returns true if two values of a column that differ in the source are equal in a type, or may be.
    ///
    /// # Errors
    /// If the source cannot be read, or the process was asked to stop.
    pub fn has_equal_values(&self, table: &str, column: &str, kind: &ColumnType) -> Result<bool, Stop> {
        let Some(mut values) = EqualValues::new(kind) else { return Ok(false) };
        let address = self.source.schema().tables.get(table).map_or(Address::Ordinal, |table| table.address.clone());
        let exprs = vec![Expr::Column(column.to_owned())];
        let select = Select { relation: Relation::Table(table.to_owned()), address, exprs, params: BTreeMap::new() };
        let mut rows = 0_u64;
        self.source.reader()?.each(&select, KeyRange::ALL, |row: &dyn Row| {
            values.read(row.cell(0));
            rows += 1;
            let is_asked = rows.is_multiple_of(ROWS_AT_ONCE) && self.asked.load(Ordering::Relaxed);
            if is_asked || values.found() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if self.asked.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok(values.found()) }
    }

    fn ranges<'p>(&self, pair: &'p TablePair, reader: &Reader) -> Result<Vec<ProfileRange<'p>>, Stop> {
        let (select, _) = self.select(pair);
        let is_large = self.sample.is_none() && self.jobs > 1 && reader.about(&pair.names.source, &select)? >= LARGE;
        let cuts = if is_large { reader.split(&select, self.jobs * 4)? } else { Vec::new() };
        let mut after = None;
        let mut ranges = Vec::new();
        for cut in cuts {
            ranges.push(ProfileRange { pair, after: after.replace(cut.clone()), until: Some(cut) });
        }
        ranges.push(ProfileRange { pair, after, until: None });
        Ok(ranges)
    }

    /// Returns the reading of a pair, and the probe of each of its cells by the target's column.
    fn select(&self, pair: &TablePair) -> (Select, Vec<(String, Probe)>) {
        let facts = self.target.tables.get(&pair.names.target);
        let (mut exprs, mut probes) = (Vec::new(), Vec::new());
        for column in &pair.columns {
            let kind = facts.and_then(|table| table.column(&column.target)).filter(|c| !c.generated).map(|c| &c.kind);
            if let Some(probe) = kind.and_then(Probe::new) {
                exprs.push(Expr::Column(column.source.clone()));
                probes.push((column.target.clone(), probe));
            }
        }
        let table = self.source.schema().tables.get(&pair.names.source);
        exprs.extend(pair.source_only.iter().map(|name| Expr::Column(name.clone())));
        if exprs.is_empty() {
            // The rows are counted all the same.
            exprs.extend(table.and_then(|table| table.columns.first()).map(|first| Expr::Column(first.name.clone())));
        }
        let address = table.map_or(Address::Ordinal, |table| table.address.clone());
        let relation = Relation::Table(pair.names.source.clone());
        (Select { relation, address, exprs, params: BTreeMap::new() }, probes)
    }

    fn read_range(&self, range: &ProfileRange<'_>) -> Result<TableProfile, Stop> {
        let (select, mut probes) = self.select(range.pair);
        let reader = self.source.reader()?;
        let name = range.pair.names.target.as_str();
        self.observer.on_event(Event::Began { load: name, rows: None });
        let most = self.sample.unwrap_or(u64::MAX);
        let (mut rows, mut is_sample) = (0, false);
        let mut unpaired = vec![0_u64; range.pair.source_only.len()];
        let keys = KeyRange { after: range.after.as_ref(), until: range.until.as_ref() };
        reader.each(&select, keys, |row: &dyn Row| {
            if rows == most {
                is_sample = true;
                return ControlFlow::Break(());
            }
            rows += 1;
            probes.iter_mut().enumerate().for_each(|(n, (_, probe))| probe.read(row.cell(n)));
            let held = unpaired.iter_mut().enumerate();
            held.for_each(|(n, values)| *values += u64::from(row.cell(probes.len() + n) != Raw::Null));
            if rows.is_multiple_of(ROWS_AT_ONCE) {
                self.observer.on_event(Event::Rows { load: name, rows: ROWS_AT_ONCE });
                if self.asked.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        self.observer.on_event(Event::Rows { load: name, rows: rows % ROWS_AT_ONCE });
        if self.asked.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        let columns = probes.into_iter().map(|(name, probe)| (name, probe.profile())).collect();
        let unpaired = range.pair.source_only.iter().cloned().zip(unpaired).collect();
        Ok(TableProfile { rows, is_sample, columns, unpaired })
    }
}
