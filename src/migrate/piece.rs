//! A load whose rows have no key of their own: read in one go and written in one transaction, piece by piece.
//!
//! Its ledger row is completed before the commit; after a lost connection it is read again from its start.

use std::ops::ControlFlow;

use crate::event::Event;
use crate::model::fault::Fault;
use crate::model::key::Key;
use crate::model::record::FAULTS_LISTED;
use crate::model::select::{Row, Sink};
use crate::source::Reader;
use crate::target::batch::{BatchId, Begun, Into, Open};
use crate::target::ledger::Sums;

use super::batch::{Batch, GO_ON};
use super::bisect::{self, Origin};
use super::load::{Lane, ledgered};
use super::retry::Tries;
use super::{Job, Stop};

/// Reads and writes the load, again from its start when the connection is lost.
pub(super) fn run(lane: &mut Lane<'_>) -> Result<(), Stop> {
    loop {
        match attempt(lane) {
            Err(Stop::Target(e)) if Tries::may_help(&e) => lane.again(e)?,
            other => return other,
        }
    }
}

fn attempt(lane: &mut Lane<'_>) -> Result<(), Stop> {
    let reader = lane.job.source.reader()?;
    let (job, run, load, part) = (lane.job, lane.run, lane.load, lane.part);
    let id = BatchId { run: run.id, epoch: run.epoch, load: &load.name, part, batch: 1 };
    let into = Into {
        schema: &job.plan.schema,
        table: &load.table,
        columns: lane.columns,
        as_text: load.as_text,
        conflict: load.conflict.as_deref(),
    };
    let batch = Batch::new(load, lane.encoder, lane.guards);
    let open = match lane.session.begin_batch(&id, true)? {
        Begun::Fenced => return Err(Stop::Fenced),
        Begun::Taken => return Ok(()),
        Begun::Open(open) => open,
    };
    let (sums, issued) = (Sums::default(), Vec::new());
    let (aside, faults) = (Vec::new(), Vec::new());
    let mut pieces = Pieces {
        job,
        open,
        into,
        reader: &reader,
        load,
        seed: run.seed,
        batch,
        before: None,
        sums,
        issued,
        aside,
        faults,
        stop: None,
    };
    reader.scan(&load.select, None, None, &mut pieces)?;
    if pieces.stop.is_none() {
        pieces.stop = pieces.send(None).err();
    }
    let Pieces { mut open, sums, issued, aside, faults, stop, .. } = pieces;
    match stop {
        Some(stop) => {
            // What was counted as set aside goes with the transaction.
            job.aside.fetch_sub(sums.faults, std::sync::atomic::Ordering::SeqCst);
            return Err(stop);
        }
        None if !faults.is_empty() => return Err(Stop::Faults(faults)),
        None => {}
    }
    if !aside.is_empty() {
        open.set_aside(&id, &aside)?;
    }
    open.commit(&id, (None, None), &sums, &issued, true)?;
    job.watch.hear(Event::Rows { load: &load.name, rows: sums.read });
    Ok(())
}

/// Sends pieces of about a batch's bytes inside one transaction.
struct Pieces<'p, 'o, 'b> {
    job: &'p Job<'p>,
    open: Open<'o>,
    into: Into<'p>,
    reader: &'p Reader,
    load: &'p crate::plan::LoadPlan,
    seed: u64,
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

    fn attempt(&mut self, counted: &mut u64) -> Result<(), Stop> {
        self.job.bear(&self.batch, counted)?;
        if !self.faults.is_empty() {
            return Ok(());
        }
        let origin = Origin {
            job: self.job,
            reader: self.reader,
            load: self.load,
            before: self.before.as_ref(),
            seed: self.seed,
        };
        let (sums, issued) = bisect::send(&mut self.open, &self.into, &origin, &mut self.batch, counted)?;
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
        self.batch.row(row);
        if !self.batch.is_full(&self.job.options) {
            return GO_ON;
        }
        match self.send(Some(row.key())) {
            Ok(()) => GO_ON,
            Err(stop) => {
                self.stop = Some(stop);
                ControlFlow::Break(())
            }
        }
    }

    fn failed(&mut self, key: Key, expr: Option<usize>) -> ControlFlow<()> {
        self.batch.failed(key, expr);
        GO_ON
    }
}
