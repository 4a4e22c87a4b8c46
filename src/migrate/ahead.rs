//! Reading ahead: every row is read and converted inside the same snapshot before anything is written, so that a fault is
//! known while nothing has happened yet.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::convert::Settled;
use crate::convert::row::{Maps, RowEncoder};
use crate::event::{Event, Watch};
use crate::model::fault::Fault;
use crate::model::key::Key;
use crate::model::record::{FAULTS_LISTED, Refusal};
use crate::model::select::{Row, Sink};
use crate::plan::{LoadPlan, Plan};
use crate::source::Source;
use crate::target::ledger::Sums;

use super::batch::{Batch, GO_ON};
use super::{Stop, lanes};

/// Rows between two words to the watch, and between two clearings of the scratch memory.
const PACE: u64 = 4_096;

/// Bytes after which the scratch memory is cleared, whatever the number of rows.
const SCRATCH: usize = 1 << 20;

/// What reading ahead found in one load.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The load.
    pub load: String,
    /// Counts and losses; the digest stays empty.
    pub sums: Sums,
    /// Faults, up to the number that a report lists.
    pub faults: Vec<Fault>,
    /// How many there were.
    pub fault_total: u64,
}

/// Prepares every load's encoder once, so that a constant that does not fit is a refusal before anything is read.
///
/// # Errors
/// All refusals.
pub fn prepare(plan: &Plan, settled: &Settled) -> Result<(), Vec<Refusal>> {
    let refused: Vec<Refusal> =
        plan.loads.iter().filter_map(|load| RowEncoder::new(load, settled, &Maps::new()).err()).flatten().collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Reads and converts the rows of the loads that `wanted` names, in `jobs` lanes. `maps` holds, by load, the lookups that
/// are known already; the others are passed over.
///
/// # Errors
/// When the source cannot be read, or the process was asked to stop.
pub fn read_ahead(
    plan: &Plan,
    source: &Source,
    settled: &Settled,
    (watch, asked, jobs): (&dyn Watch, &AtomicBool, usize),
    wanted: &dyn Fn(&LoadPlan) -> bool,
    maps: &BTreeMap<String, Maps>,
) -> Result<Vec<Found>, Stop> {
    watch.hear(Event::Step("read ahead"));
    let none = Maps::new();
    let loads: Vec<Reading<'_>> = plan
        .loads
        .iter()
        .filter(|load| wanted(load))
        .map(|load| {
            Ok(Reading {
                load,
                encoder: RowEncoder::new(load, settled, maps.get(&load.name).unwrap_or(&none))
                    .map_err(Stop::Refused)?,
            })
        })
        .collect::<Result<_, Stop>>()?;
    let mut ranges = Vec::new();
    for (n, reading) in loads.iter().enumerate() {
        let cuts = if jobs > 1 { source.reader()?.split(&reading.load.select, 2 * jobs)? } else { Vec::new() };
        let starts = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
        ranges.extend(starts.zip(ends).map(|(after, until)| (n, after, until)));
    }
    let parts = lanes::each(jobs, &ranges, |(n, after, until)| {
        let reading = &loads[*n];
        watch.hear(Event::Began { load: &reading.load.name, rows: None });
        let found = Found { load: reading.load.name.clone(), ..Found::default() };
        let batch = Batch::new(reading.load, &reading.encoder);
        let mut sink = Ahead { batch, found, watch, asked };
        source.reader()?.scan(&reading.load.select, after.as_ref(), until.as_ref(), &mut sink)?;
        sink.gather();
        if asked.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok(sink.found) }
    })?;
    let mut all: Vec<Found> = loads.iter().map(|r| Found { load: r.load.name.clone(), ..Found::default() }).collect();
    for ((n, _, _), found) in ranges.iter().zip(parts) {
        all[*n].merge(found);
    }
    // Of a lookup that could not be made nothing is known.
    let is_known = |load: &str, column: &str| maps.get(load).is_some_and(|maps| maps.contains_key(column));
    all.iter_mut().for_each(|found| found.sums.lookups.retain(|sum| is_known(&found.load, &sum.column)));
    loads.iter().for_each(|reading| watch.hear(Event::Ended { load: &reading.load.name }));
    Ok(all)
}

/// A load as it is read ahead.
struct Reading<'a> {
    load: &'a LoadPlan,
    encoder: RowEncoder,
}

impl Found {
    /// Adds what was found in a later part of the same load.
    fn merge(&mut self, part: Found) {
        self.sums.merge(&part.sums);
        let room = FAULTS_LISTED.saturating_sub(self.faults.len());
        self.faults.extend(part.faults.into_iter().take(room));
        self.fault_total += part.fault_total;
    }
}

struct Ahead<'a> {
    batch: Batch<'a>,
    found: Found,
    watch: &'a dyn Watch,
    asked: &'a AtomicBool,
}

impl Ahead<'_> {
    fn gather(&mut self) {
        let room = FAULTS_LISTED.saturating_sub(self.found.faults.len());
        self.found.fault_total += self.batch.faults.len() as u64;
        self.found.faults.extend(self.batch.faults.drain(..).take(room));
        self.watch.hear(Event::Rows { load: &self.found.load, rows: self.batch.read });
        self.found.sums.merge(&self.batch.counts());
        self.batch.clear();
    }
}

impl Sink for Ahead<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        if self.batch.read >= PACE || self.batch.bytes.len() >= SCRATCH {
            self.gather();
            if self.asked.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
        }
        GO_ON
    }

    fn failed(&mut self, key: Key, expr: Option<usize>) -> ControlFlow<()> {
        self.batch.failed(key, expr);
        GO_ON
    }
}
