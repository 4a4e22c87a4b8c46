//! Loads rows that have no key of their own: one pass over the source, one transaction, several batches.
//!
//! Rows that fit one batch are written directly. Otherwise each batch completes its own ledger row in the subtransaction of
//! its rows, because only that row tells later which subtransactions wrote rows of the run. After a lost connection the load is
//! read again from its start.

use std::sync::atomic::Ordering;

use crate::event::Event;
use crate::job::{Job, Options, Stop};
use crate::migrate::rows::batch::Batch;
use crate::model::fault::Fault;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::record::FAULTS_LISTED;
use crate::pg::Session;
use crate::pg::batch::{BatchEnd, BatchId, BatchStart, OpenBatch};
use crate::pg::copy::Destination;
use crate::plan::LoadPlan;
use crate::sqlite::Reader;

use super::direct::{DirectEnd, DirectWrite, EarlyBatch};
use super::fault_policy;
use super::lane::{Lane, ledger_faults};
use super::loader::{BatchWriter, Loader};
use super::send::{self, Origin};

/// Number of faults that are sent to the ledger at once.
const FAULTS_AT_ONCE: usize = 10_000;

/// Factor on a batch's bytes if deferred constraints are checked after each batch: one row may wait for a later one.
const PATIENCE: usize = 4;

/// Reads and writes the load, again from its start after a lost connection. If a deferred constraint fails at the commit,
/// the rows are not known any more: the load is read once more, and constraints are checked after each batch.
pub fn load(lane: &mut Lane<'_>) -> Result<(), Stop> {
    let mut check_deferred = false;
    loop {
        match attempt(lane, check_deferred) {
            Err(Stop::Target(e)) if e.retry_may_help() => lane.reconnect(e)?,
            Err(Stop::Target(e)) if e.is_about_rows() && !check_deferred => check_deferred = true,
            Ok(true) => return Ok(()),
            Ok(false) => return count_committed(lane),
            Err(stop) => return Err(stop),
        }
    }
}

/// Returns false if the load is in the ledger already.
fn attempt(lane: &mut Lane<'_>, check_deferred: bool) -> Result<bool, Stop> {
    let reader = lane.at.job.source.reader()?;
    let (job, seed, load, returned) = (lane.at.job, lane.at.run.seed, lane.at.load(), lane.at.returned());
    let (id, destination, batch) = (lane.at.batch_id(1), lane.at.destination(), lane.at.empty_batch());
    let writer = TransactionWriter {
        job,
        id,
        progress: TransactionStage::NotBegun(lane.session),
        destination,
        reader: &reader,
        load,
        seed,
        returned,
        check_deferred,
        before: None,
        sums: Sums::default(),
        last: LastBatch::default(),
        ledger_faults: Vec::new(),
        faults: Vec::new(),
    };
    let mut loader = Loader::new(batch, writer);
    reader.scan(&load.select, KeyRange::ALL, &mut loader).map_err(|e| Stop::reading(load, e))?;
    let (writer, end) = loader.finish();
    let sums = writer.sums.clone();
    let end = match end {
        Some(end) => Err(end),
        None => writer.commit().map_err(TransactionEnd::Stop),
    };
    match &end {
        Ok(()) => job.observer.on_event(Event::Rows { load: &load.name, rows: sums.read }),
        // The count of quarantined rows is rolled back with the transaction. If the commit arrived, the ledger has it.
        Err(_) => drop(job.quarantined.fetch_sub(sums.faults, Ordering::SeqCst)),
    }
    match end {
        Ok(()) => Ok(true),
        Err(TransactionEnd::AlreadyCommitted) => Ok(false),
        Err(TransactionEnd::Stop(stop)) => Err(stop),
    }
}

/// The reason for which the writing of a load ended before its commit.
enum TransactionEnd {
    Stop(Stop),
    /// The load is in the ledger already.
    AlreadyCommitted,
}

impl<E: Into<Stop>> From<E> for TransactionEnd {
    fn from(e: E) -> TransactionEnd {
        TransactionEnd::Stop(e.into())
    }
}

/// The progress of the transaction. It begins with the first rows.
enum TransactionStage<'o> {
    NotBegun(&'o mut Session),
    Open(OpenBatch<'o>),
    /// Committed, or given up.
    Ended,
}

/// Counts the quarantined rows of a load that is in the ledger already, because only the answer to its commit was lost.
fn count_committed(lane: &mut Lane<'_>) -> Result<(), Stop> {
    let sums = lane.read_part()?.sums;
    lane.at.job.quarantined.fetch_add(sums.faults, Ordering::SeqCst);
    lane.at.job.observer.on_event(Event::Rows { load: &lane.at.load().name, rows: sums.read });
    Ok(())
}

/// The last batch of a load, which the commit completes.
#[derive(Default)]
struct LastBatch {
    sums: Sums,
    issued: Vec<i64>,
}

/// Writes batches into one transaction.
struct TransactionWriter<'p, 'o> {
    job: &'p Job<'p>,
    /// The key of the batch at work.
    id: BatchId<'p>,
    progress: TransactionStage<'o>,
    destination: Destination<'p>,
    reader: &'p Reader,
    load: &'p LoadPlan,
    seed: u64,
    /// The columns that are read back in the server's own form.
    returned: &'p [String],
    /// True if deferred constraints are checked after each batch.
    check_deferred: bool,
    /// The last row before the batch.
    before: Option<Key>,
    /// The sums over all batches.
    sums: Sums,
    last: LastBatch,
    /// Faults for the ledger.
    ledger_faults: Vec<String>,
    /// Under `abort`: the faults so far. The first one dooms the transaction; reading continues to list the others.
    faults: Vec<Fault>,
}

impl TransactionWriter<'_, '_> {
    /// Sends a batch. `is_last`: no other follows.
    fn send(&mut self, batch: &mut Batch<'_>, is_last: bool, counted: &mut u64) -> Result<(), TransactionEnd> {
        fault_policy::check(self.job, batch, counted)?;
        if !self.faults.is_empty() {
            return Ok(());
        }
        let mut is_refused = false;
        if is_last && !self.check_deferred {
            match self.write_directly(batch)? {
                None => {}
                Some(DirectEnd::Committed(sums)) => {
                    self.sums.merge(&sums);
                    self.progress = TransactionStage::Ended;
                    return Ok(());
                }
                Some(DirectEnd::AlreadyCommitted) => return Err(TransactionEnd::AlreadyCommitted),
                Some(DirectEnd::Refused) => is_refused = true,
                Some(DirectEnd::NeedsCount) => {}
            }
        }
        self.begin()?;
        let TransactionStage::Open(open) = &mut self.progress else { return Ok(()) };
        let origin = Origin {
            job: self.job,
            id: &self.id,
            reader: self.reader,
            load: self.load,
            before: self.before.as_ref(),
            seed: self.seed,
            returned: self.returned,
            check_deferred: self.check_deferred,
            is_refused,
        };
        let (sums, issued) = send::send(open, &self.destination, &origin, batch, counted)?;
        if !is_last {
            let end = BatchEnd { first: None, last: None, sums: &sums, issued: &issued, last_of_part: false };
            open.complete(&self.id, &end)?;
            self.id.batch = self.id.batch.saturating_add(1);
            open.begin_next(&self.id)?;
        }
        self.sums.merge(&sums);
        self.last = LastBatch { sums, issued };
        self.ledger_faults.extend(ledger_faults(self.job, batch, self.load));
        Ok(())
    }

    /// Writes the batch in one go if it holds all rows of the load. `None` if this is not possible.
    fn write_directly(&mut self, batch: &mut Batch<'_>) -> Result<Option<DirectEnd>, Stop> {
        let faults = ledger_faults(self.job, batch, self.load);
        let TransactionStage::NotBegun(session) = &mut self.progress else { return Ok(None) };
        if !DirectWrite::is_possible(&self.destination, self.returned) || faults.len() > FAULTS_AT_ONCE {
            return Ok(None);
        }
        let write = DirectWrite {
            id: &self.id,
            destination: &self.destination,
            keys: (None, None),
            last_of_part: true,
            faults: &faults,
            seed: self.seed,
            next: None,
        };
        write.run(session, batch, &mut EarlyBatch::default()).map(Some)
    }

    /// Begins the transaction unless it is open.
    fn begin(&mut self) -> Result<(), TransactionEnd> {
        if let TransactionStage::NotBegun(_) = self.progress
            && let TransactionStage::NotBegun(session) = std::mem::replace(&mut self.progress, TransactionStage::Ended)
        {
            match session.begin_batch(&self.id, true)? {
                BatchStart::Fenced => return Err(Stop::Fenced.into()),
                BatchStart::AlreadyCommitted => return Err(TransactionEnd::AlreadyCommitted),
                BatchStart::Open(open) => self.progress = TransactionStage::Open(open),
            }
        }
        Ok(())
    }

    /// Checks deferred constraints while the server still names the constraint that fails, and commits.
    fn commit(self) -> Result<(), Stop> {
        if !self.faults.is_empty() {
            return Err(Stop::Faults(self.faults));
        }
        let TransactionStage::Open(mut open) = self.progress else { return Ok(()) };
        open.check_deferred()?;
        for faults in self.ledger_faults.chunks(FAULTS_AT_ONCE) {
            open.write_faults(&self.id, faults)?;
        }
        let LastBatch { sums, issued } = &self.last;
        let end = BatchEnd { first: None, last: None, sums, issued, last_of_part: true };
        Ok(open.commit(&self.id, &end)?)
    }
}

impl BatchWriter for TransactionWriter<'_, '_> {
    type End = TransactionEnd;

    fn interruption(&self, _: &Batch<'_>) -> Option<TransactionEnd> {
        self.job.is_stop_requested().then_some(TransactionEnd::Stop(Stop::Interrupted))
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        let Options { batch_bytes, batch_rows, .. } = self.job.options;
        let patience = if self.check_deferred { PATIENCE } else { 1 };
        let batch_rows = if self.check_deferred { u64::MAX } else { batch_rows };
        let options = Options { batch_bytes: batch_bytes.saturating_mul(patience), batch_rows, ..self.job.options };
        batch.is_full(&options)
    }

    fn write(&mut self, batch: &mut Batch<'_>, last: Option<Key>) -> Result<(), TransactionEnd> {
        let mut counted = 0;
        match self.send(batch, last.is_none(), &mut counted) {
            Ok(()) => {}
            Err(TransactionEnd::Stop(Stop::Faults(faults))) => {
                let room = FAULTS_LISTED.saturating_sub(self.faults.len());
                self.faults.extend(faults.into_iter().take(room));
            }
            Err(end) => {
                self.sums.faults += counted;
                return Err(end);
            }
        }
        batch.clear();
        self.before = last;
        Ok(())
    }
}
