//! Reads one range of a load during the preflight: converts its rows, checks them, and collects the keys of its rows.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::event::{Event, Observer};
use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::{self, OwnKeys, ReferencedKey};
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::left_out::LeftOut;
use crate::model::column_numbers::ColumnNumbers;
use crate::model::fault::Fault;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::record::Check;
use crate::model::select::{CONTINUE, Failed, Row, Sink};
use crate::plan::{LoadPlan, Reference};
use crate::sqlite::{Reader, Source};

use super::checked_load::RowVerdicts;
use super::constraints::ConstraintChecks;
use super::id_references::{LoadWatch, SeenIds};
use super::numbered_column::NumberedColumn;
use super::shared_checks::SharedChecks;
use super::uuid_bytes::UuidColumn;

/// Rows between two events, and between two clearings of the scratch memory.
const ROWS_AT_ONCE: u64 = 4_096;

/// Bytes after which the scratch memory is cleared, regardless of the number of rows.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Faults that are kept per load, about 500 bytes each. Further faults are only counted.
pub const FAULTS_KEPT: usize = 10_000;

/// The result of the preflight for one load.
#[derive(Clone, Debug, Default)]
pub struct LoadPreflight {
    /// The load.
    pub load: String,
    /// Counts and losses. The digest is empty.
    pub sums: Sums,
    /// The bytes of the images of its rows.
    pub bytes: u64,
    /// The first [`FAULTS_KEPT`] faults.
    pub faults: Vec<Fault>,
    /// The number of faults.
    pub fault_total: u64,
    /// The number of those that the mapping permits.
    pub left_out: LeftOut,
    /// Constraints that could not be checked, and why.
    pub unchecked: Vec<Check>,
    /// The furthest values of its columns that have a sequence.
    pub numbered: Vec<NumberedColumn>,
    /// The ids of its rows, and the values that may refer to ids that change.
    pub ids: SeenIds,
    /// Its columns of UUIDs whose byte order is not stated.
    pub uuids: Vec<UuidColumn>,
    /// The numbers in the columns that are watched for warnings.
    pub numbers: Vec<ColumnNumbers>,
    /// True if SQLite could not compute a row, which `numbers` then lack.
    pub lacks_rows: bool,
    /// True if each row of the target that differs is listed: see [`Sums::kept`].
    pub lists_kept: bool,
}

impl LoadPreflight {
    pub fn new(load: &LoadPlan) -> LoadPreflight {
        LoadPreflight { load: load.name.clone(), uuids: UuidColumn::of(load), ..LoadPreflight::default() }
    }

    /// Adds the result of a later range of the same load.
    pub fn merge(&mut self, range: LoadPreflight) {
        self.sums.merge(&range.sums);
        self.bytes += range.bytes;
        let room = FAULTS_KEPT.saturating_sub(self.faults.len());
        self.faults.extend(range.faults.into_iter().take(room));
        self.fault_total += range.fault_total;
        self.left_out.merge(range.left_out);
        self.ids.merge(&range.ids);
        self.uuids.iter_mut().zip(&range.uuids).for_each(|(all, range)| all.merge(range));
        self.lacks_rows |= range.lacks_rows;
        self.numbers.resize(range.numbers.len(), ColumnNumbers::default());
        self.numbers.iter_mut().zip(&range.numbers).for_each(|(all, range)| all.merge(range));
    }

    /// Returns the columns that are at fault in every row: in all that were read, or in all whose faults were kept.
    pub fn lost_columns(&self) -> HashSet<&str> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let columns = self.faults.iter().filter_map(|fault| fault.column.as_deref());
        columns.for_each(|column| *counts.entry(column).or_default() += 1);
        let kept = self.faults.len() as u64;
        let is_lost =
            |faults: u64| faults > 1 && (faults == self.sums.read || (faults == kept && kept < self.fault_total));
        counts.into_iter().filter(|(_, faults)| is_lost(*faults)).map(|(column, _)| column).collect()
    }
}

/// Keys that rows refer to, as far as they were read.
pub type KeySets = BTreeMap<ReferencedKey, KeySet>;

/// A range of one load's rows.
pub struct LoadRange {
    /// The load's index among those read together.
    pub load: usize,
    pub after: Option<Key>,
    pub until: Option<Key>,
}

/// The result of reading one range.
pub struct RangePreflight {
    pub load: usize,
    pub found: LoadPreflight,
}

/// A load that is being read.
pub struct Reading<'a> {
    pub load: &'a LoadPlan,
    pub encoder: RowEncoder,
    pub links: Vec<Reference>,
    pub own: Vec<OwnKeys>,
    /// The keys of its rows, for each of its own keys. Each range adds its keys when it ends.
    pub keys: Mutex<Vec<KeySet>>,
    /// Columns with a sequence, and the furthest value of each that was read.
    pub numbered: Mutex<Vec<NumberedColumn>>,
    /// Faults found in all its ranges.
    pub kept: AtomicUsize,
    pub checks: ConstraintChecks,
    /// The watch for references without a foreign key. `None` if no ids change.
    pub watch: Option<&'a LoadWatch>,
    /// The cells whose numbers are counted for warnings.
    pub numbers: Vec<usize>,
}

/// The context in which ranges are read.
pub struct RangeContext<'a> {
    pub source: &'a Source,
    pub settled: &'a Settled,
    pub observer: &'a dyn Observer,
    /// Set from outside when the process is asked to stop.
    pub asked: &'a AtomicBool,
    /// The keys that rows refer to.
    pub keys: &'a KeySets,
}

impl Reading<'_> {
    /// Returns true if the rows must be read in their order.
    pub fn needs_order(&self) -> bool {
        self.checks.needs_order()
    }

    /// Reads one range.
    ///
    /// # Errors
    /// If the source cannot be read, the connection is lost, or the process was asked to stop.
    pub fn read(
        &self,
        context: &RangeContext<'_>,
        range: &LoadRange,
        shared: &Mutex<SharedChecks<'_>>,
    ) -> Result<RangePreflight, Stop> {
        let load = self.load;
        context.observer.on_event(Event::Began { load: &load.name, rows: None });
        let links = self.links.iter().filter_map(|link| Some((link, context.keys.get(&ReferencedKey::by(link))?)));
        let guards = guard::guards(load, links, context.settled)?;
        let reader = context.source.reader()?;
        let mut sink = RangeSink {
            reading: self,
            reader: &reader,
            shared,
            before: range.after.clone(),
            batch: Batch::new(load, &self.encoder, &guards),
            name: load.name.as_str().into(),
            found: LoadPreflight {
                ids: self.watch.map(SeenIds::of).unwrap_or_default(),
                numbers: vec![ColumnNumbers::default(); self.numbers.len()],
                ..LoadPreflight::new(load)
            },
            keys: lock(&self.keys).iter().map(KeySet::sibling).collect(),
            numbered: lock(&self.numbered).clone(),
            skipped: HashSet::new(),
            scratch: Vec::new(),
            notes: Notes::default(),
            observer: context.observer,
            asked: context.asked,
            stop: None,
        };
        let keys = KeyRange { after: range.after.as_ref(), until: range.until.as_ref() };
        reader.scan(&load.select, keys, &mut sink).map_err(|e| Stop::reading(load, e))?;
        sink.gather(None)?;
        if let Some(stop) = sink.stop {
            return Err(stop);
        }
        if context.asked.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        let RangeSink { found, keys, numbered, .. } = sink;
        lock(&self.keys).iter_mut().zip(keys).for_each(|(all, keys)| all.merge(keys));
        lock(&self.numbered).iter_mut().zip(&numbered).for_each(|(all, range)| all.merge(range));
        Ok(RangePreflight { load: range.load, found })
    }
}

/// Reads one range of a load.
struct RangeSink<'a, 's> {
    reading: &'a Reading<'a>,
    reader: &'a Reader,
    shared: &'a Mutex<SharedChecks<'s>>,
    /// The last key before the rows in the batch.
    before: Option<Key>,
    batch: Batch<'a>,
    /// The load's name.
    name: Arc<str>,
    found: LoadPreflight,
    /// The keys of its rows, for each of the load's own keys.
    keys: Vec<KeySet>,
    numbered: Vec<NumberedColumn>,
    /// The rows of the batch that the load skips, by their indexes among the rows read.
    skipped: HashSet<u32>,
    scratch: Vec<u8>,
    notes: Notes,
    observer: &'a dyn Observer,
    asked: &'a AtomicBool,
    stop: Option<Stop>,
}

impl RangeSink<'_, '_> {
    /// Counts the rows in the batch, up to the row `last`, and clears the batch.
    fn gather(&mut self, last: Option<Key>) -> Result<(), Stop> {
        self.check_constraints()?;
        let is_read = !self.keys.is_empty() || !self.numbered.is_empty();
        for row in 0..if is_read { self.batch.rows() as usize } else { 0 } {
            // Its key is that of another row, or no row has it.
            if self.skipped.contains(&self.batch.place(row)) {
                continue;
            }
            let image = self.batch.images(row..row + 1);
            self.numbered.iter_mut().for_each(|column| column.read(image));
            for (own, keys) in self.reading.own.iter().zip(&mut self.keys) {
                keys.add(own.of_image(image));
            }
        }
        self.found.fault_total += self.batch.faults.len() as u64;
        self.found.left_out.merge(self.batch.left_out);
        let kept = self.reading.kept.fetch_add(self.batch.faults.len(), Ordering::Relaxed);
        self.found.faults.extend(self.batch.faults.drain(..).take(FAULTS_KEPT.saturating_sub(kept)));
        self.observer.on_event(Event::Rows { load: &self.found.load, rows: self.batch.read });
        self.found.sums.merge(&self.batch.counts());
        self.found.bytes += self.batch.bytes.len() as u64;
        self.batch.clear();
        self.before = last;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.batch.read >= ROWS_AT_ONCE || self.batch.bytes.len() >= BYTES_AT_ONCE
    }

    /// Clears the batch after the row `last` if it is full.
    fn pause(&mut self, last: Key) -> ControlFlow<()> {
        if self.is_full() {
            self.stop = self.gather(Some(last)).err();
        }
        if self.stop.is_some() || self.asked.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { CONTINUE }
    }

    /// Marks the rows that the target would refuse as faulty, and gathers the batch again without them.
    fn check_constraints(&mut self) -> Result<(), Stop> {
        let load = self.reading.load;
        let RowVerdicts { refused, skipped } = self.reading.checks.judge(load, &self.batch, self.shared);
        self.skipped = skipped.into_iter().map(|row| self.batch.place(row)).collect();
        if refused.is_empty() {
            return Ok(());
        }
        self.batch.refuse_rows(refused);
        let rows = self.batch.restart();
        let (reader, before) = (self.reader, self.before.clone());
        let mut second = SecondReading { sink: self, rows };
        reader.scan(&load.select, KeyRange { after: before.as_ref(), until: None }, &mut second)?;
        Ok(())
    }

    /// Adds a row to the batch. If the row is refused, its keys are recorded as refused.
    fn add(&mut self, row: &dyn Row) {
        let refused = self.batch.refused;
        self.batch.row(row);
        if self.batch.refused == refused {
            return;
        }
        for (own, keys) in self.reading.own.iter().zip(&mut self.keys) {
            if let Some(key) = own.of_row(row, &mut self.scratch, &mut self.notes) {
                keys.refuse(key, &self.name, row.key());
            }
        }
    }
}

impl Sink for RangeSink<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if let Some(watch) = self.reading.watch {
            self.found.ids.row(watch, row);
        }
        self.found.uuids.iter_mut().for_each(|column| column.row(row));
        for (cell, numbers) in self.reading.numbers.iter().zip(&mut self.found.numbers) {
            numbers.add(row.cell(*cell));
        }
        self.add(row);
        if self.is_full() { self.pause(row.key()) } else { CONTINUE }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.found.lacks_rows = true;
        self.batch.failed(key.clone(), failed);
        self.pause(key)
    }
}

/// Reads the rows of a batch again after some of them were refused.
struct SecondReading<'g, 'a, 's> {
    sink: &'g mut RangeSink<'a, 's>,
    rows: u64,
}

impl SecondReading<'_, '_, '_> {
    fn next(&self) -> ControlFlow<()> {
        if self.sink.batch.read < self.rows { CONTINUE } else { ControlFlow::Break(()) }
    }
}

impl Sink for SecondReading<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.sink.add(row);
        self.next()
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.sink.batch.failed(key, failed);
        self.next()
    }
}

/// Locks a mutex. A lane that panicked leaves a valid value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
