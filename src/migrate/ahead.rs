//! Reading ahead: every row is read and converted inside the same snapshot before anything is written, so that a fault is
//! known while nothing has happened yet.

use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::event::{Event, Watch};
use crate::model::fault::Fault;
use crate::model::key::Key;
use crate::model::record::{FAULTS_LISTED, Refusal};
use crate::model::select::{Row, Sink};
use crate::plan::{LoadPlan, Plan};
use crate::source::{Reader, Source};
use crate::target::ledger::Sums;

use super::Stop;
use super::batch::{Batch, GO_ON};

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
        plan.loads.iter().filter_map(|load| RowEncoder::new(load, settled).err()).flatten().collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Reads and converts the rows of the loads that `wanted` names.
///
/// # Errors
/// When the source cannot be read.
pub fn read_ahead(
    plan: &Plan,
    source: &Source,
    settled: &Settled,
    watch: &dyn Watch,
    wanted: &dyn Fn(&LoadPlan) -> bool,
) -> Result<Vec<Found>, Stop> {
    watch.hear(Event::Step("read ahead"));
    let reader = source.reader()?;
    plan.loads.iter().filter(|load| wanted(load)).map(|load| one(load, &reader, settled, watch)).collect()
}

fn one(load: &LoadPlan, reader: &Reader, settled: &Settled, watch: &dyn Watch) -> Result<Found, Stop> {
    let encoder = RowEncoder::new(load, settled).map_err(Stop::Refused)?;
    watch.hear(Event::Began { load: &load.name, rows: None });
    let found = Found { load: load.name.clone(), ..Found::default() };
    let mut sink = Ahead { batch: Batch::new(load, &encoder), found, watch };
    reader.scan(&load.select, None, None, &mut sink)?;
    sink.gather();
    watch.hear(Event::Ended { load: &load.name });
    Ok(sink.found)
}

struct Ahead<'a> {
    batch: Batch<'a>,
    found: Found,
    watch: &'a dyn Watch,
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
        }
        GO_ON
    }

    fn failed(&mut self, key: Key, expr: Option<usize>) -> ControlFlow<()> {
        self.batch.failed(key, expr);
        GO_ON
    }
}
