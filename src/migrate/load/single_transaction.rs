//! A load whose rows have no key of their own: read in one go and written in one transaction, piece by piece.
//!
//! Its ledger row is completed before the commit; after a lost connection it is read again from its start.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use crate::event::Event;
use crate::model::fault::Fault;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::record::FAULTS_LISTED;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::batch::{BatchEnd, BatchId, BatchStart, OpenBatch};
use crate::pg::copy::Destination;
use crate::sqlite::Reader;

use crate::job::Job;
use crate::job::Options;
use crate::job::Stop;
use crate::migrate::load::part::Lane;
use crate::migrate::load::part::ledgered;
use crate::migrate::load::send;
use crate::migrate::load::send::Origin;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::fingerprint;
use crate::model::select::CONTINUE;

/// Faults that go to the ledger at once.
const ASIDE: usize = 10_000;

/// How many times a batch's bytes a piece may have whose rows have to be told apart.
const PATIENCE: usize = 4;

/// Reads and writes the load, again from its start when the connection is lost; and once more, with every piece checked,
/// when a constraint that waits for the commit fails: by then the rows are no longer known.
pub fn run(lane: &mut Lane<'_>) -> Result<(), Stop> {
    let mut checks = false;
    loop {
        match attempt(lane, checks) {
            Err(Stop::Target(e)) if e.retry_may_help() => lane.again(e)?,
            Err(Stop::Target(e)) if e.is_about_rows() && !checks => checks = true,
            Ok(true) => return Ok(()),
            Ok(false) => return taken(lane),
            Err(stop) => return Err(stop),
        }
    }
}

/// `false`: the load is in the ledger already.
fn attempt(lane: &mut Lane<'_>, checks: bool) -> Result<bool, Stop> {
    let reader = lane.job.source.reader()?;
    let (job, run, load, part) = (lane.job, lane.run, lane.load, lane.part);
    let id = BatchId { run: run.id, epoch: run.epoch, load: &load.name, part, batch: 1 };
    let into = Destination {
        schema: &job.plan.schema,
        table: &load.table,
        columns: lane.columns,
        as_text: load.as_text,
        conflict: load.conflict.as_deref(),
    };
    let batch = lane.batch();
    let open = match lane.session.begin_batch(&id, true)? {
        BatchStart::Fenced => return Err(Stop::Fenced),
        BatchStart::AlreadyCommitted => return Ok(false),
        BatchStart::Open(open) => open,
    };
    let (sums, issued) = (Sums::default(), Vec::new());
    let (aside, faults) = (Vec::new(), Vec::new());
    let mut pieces = Pieces {
        job,
        id: &id,
        open,
        into,
        reader: &reader,
        load,
        seed: run.seed,
        checks,
        batch,
        before: None,
        sums,
        issued,
        aside,
        faults,
        stop: None,
    };
    reader.scan(&load.select, KeyRange::ALL, &mut pieces).map_err(|e| Stop::reading(load, e))?;
    if pieces.stop.is_none() {
        pieces.stop = pieces.send(None).err();
    }
    let Pieces { open, sums, issued, aside, faults, stop, .. } = pieces;
    let done = match stop {
        Some(stop) => Err(stop),
        None if !faults.is_empty() => Err(Stop::Faults(faults)),
        None => end(open, &id, &sums, (&aside, &issued)),
    };
    match &done {
        Ok(()) => job.observer.on_event(Event::Rows { load: &load.name, rows: sums.read }),
        // What was counted as set aside goes with the transaction; where its commit arrived after all, the ledger says so.
        Err(_) => drop(job.quarantined.fetch_sub(sums.faults, Ordering::SeqCst)),
    }
    done.map(|()| true)
}

/// Checks what waits for the commit, while the server still says which constraint it was, and commits.
fn end(
    mut open: OpenBatch<'_>,
    id: &BatchId<'_>,
    sums: &Sums,
    (aside, issued): (&[String], &[i64]),
) -> Result<(), Stop> {
    open.check_deferred()?;
    for some in aside.chunks(ASIDE) {
        open.write_faults(id, some)?;
    }
    Ok(open.commit(id, &BatchEnd { first: None, last: None, sums, issued, last_of_part: true })?)
}

/// The load is in the ledger already, by a commit whose answer was lost: its rows that were set aside count.
fn taken(lane: &mut Lane<'_>) -> Result<(), Stop> {
    let id = BatchId { run: lane.run.id, epoch: lane.run.epoch, load: &lane.load.name, part: lane.part, batch: 1 };
    let committed = lane.job.retrying(lane.session, |session| Ok(session.committed_batch(&id)?))?;
    if let Some((_, sums)) = committed {
        lane.job.quarantined.fetch_add(sums.faults, Ordering::SeqCst);
        lane.job.observer.on_event(Event::Rows { load: &lane.load.name, rows: sums.read });
    }
    Ok(())
}

/// Sends pieces of about a batch's bytes inside one transaction.
struct Pieces<'p, 'o, 'b> {
    job: &'p Job<'p>,
    id: &'p BatchId<'p>,
    open: OpenBatch<'o>,
    into: Destination<'p>,
    reader: &'p Reader,
    load: &'p crate::plan::LoadPlan,
    seed: u64,
    /// Constraints that wait for the commit are checked after each piece.
    checks: bool,
    batch: Batch<'b>,
    /// The last row before the piece.
    before: Option<Key>,
    sums: Sums,
    issued: Vec<i64>,
    /// Faults for the ledger.
    aside: Vec<String>,
    /// Under abort: faults, of which the first dooms the transaction; reading goes on to list the others.
    faults: Vec<Fault>,
    stop: Option<Stop>,
}

impl Pieces<'_, '_, '_> {
    /// Sends what gathered, up to the row `last`.
    fn send(&mut self, last: Option<Key>) -> Result<(), Stop> {
        let mut counted = 0;
        match self.attempt(&mut counted) {
            Ok(()) => {}
            Err(Stop::Faults(faults)) => {
                let room = FAULTS_LISTED.saturating_sub(self.faults.len());
                self.faults.extend(faults.into_iter().take(room));
            }
            Err(stop) => {
                self.sums.faults += counted;
                return Err(stop);
            }
        }
        self.batch.clear();
        self.before = last;
        Ok(())
    }

    /// Whether the piece is as large as it may be. One that is checked is larger: what waits for the commit may wait for rows.
    fn is_full(&self) -> bool {
        let Options { batch_bytes, batch_rows, .. } = self.job.options;
        let patience = if self.checks { PATIENCE } else { 1 };
        let batch_rows = if self.checks { u64::MAX } else { batch_rows };
        let options = Options { batch_bytes: batch_bytes.saturating_mul(patience), batch_rows, ..self.job.options };
        self.batch.is_full(&options)
    }

    /// Sends what gathered up to the row `last`, and says whether to go on.
    fn sent(&mut self, last: Key) -> ControlFlow<()> {
        self.stop = self.send(Some(last)).err();
        if self.stop.is_none() { CONTINUE } else { ControlFlow::Break(()) }
    }

    fn attempt(&mut self, counted: &mut u64) -> Result<(), Stop> {
        self.job.bear(&self.batch, counted)?;
        if !self.faults.is_empty() {
            return Ok(());
        }
        let origin = Origin {
            job: self.job,
            id: self.id,
            reader: self.reader,
            load: self.load,
            before: self.before.as_ref(),
            seed: self.seed,
            checks: self.checks,
        };
        let (sums, issued) = send::send(&mut self.open, &self.into, &origin, &mut self.batch, counted)?;
        self.sums.merge(&sums);
        self.issued.extend(issued);
        self.aside.extend(ledgered(self.job, self.load, &self.batch));
        Ok(())
    }
}

impl Sink for Pieces<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if self.job.is_asked() {
            self.stop = Some(Stop::Interrupted);
            return ControlFlow::Break(());
        }
        fingerprint::take(&mut self.batch, row, self.load, self.seed);
        if self.is_full() { self.sent(row.key()) } else { CONTINUE }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key.clone(), failed);
        if self.job.is_asked() {
            self.stop = Some(Stop::Interrupted);
            return ControlFlow::Break(());
        }
        if self.is_full() { self.sent(key) } else { CONTINUE }
    }
}
