//! A load whose rows have no key of their own: read in one go and written in one transaction, piece by piece.
//!
//! Its ledger row is completed before the commit; after a lost connection it is read again from its start.

use std::ops::ControlFlow;

use crate::event::Event;
use crate::model::key::Key;
use crate::model::select::{Row, Sink};
use crate::target::batch::{BatchId, Begun, Into, Open};
use crate::target::ledger::Sums;

use super::batch::{Batch, GO_ON};
use super::load::{Lane, ledgered, send};
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
    let (job, run, load, encoder, part) = (lane.job, lane.run, lane.load, lane.encoder, lane.part);
    let aside = |batch: &Batch<'_>, lane: &Lane<'_>| ledgered(lane, batch);
    let id = BatchId { run: run.id, epoch: run.epoch, load: &load.name, part, batch: 1 };
    let into = Into {
        schema: &job.plan.schema,
        table: &load.table,
        columns: lane.columns,
        as_text: load.as_text,
        conflict: load.conflict.as_deref(),
    };
    // A first reading finds the faults, so that none is met with the transaction open.
    let mut faults = Batch::new(load, encoder);
    let mut looking = Looking { batch: &mut faults };
    reader.scan(&load.select, None, None, &mut looking)?;
    lane.stop_at_faults(&faults)?;
    let aside = aside(&faults, lane);
    let mut open = match lane.session.begin_batch(&id)? {
        Begun::Fenced => return Err(Stop::Fenced),
        Begun::Taken => return Ok(()),
        Begun::Open(open) => open,
    };
    let batch = Batch::new(load, encoder);
    let mut pieces = Pieces {
        job,
        open: &mut open,
        into,
        batch,
        sums: Sums::default(),
        issued: Vec::new(),
        seed: run.seed,
        load,
        stop: None,
    };
    reader.scan(&load.select, None, None, &mut pieces)?;
    if pieces.stop.is_none() {
        pieces.stop = pieces.send().err();
    }
    let (sums, issued) = match pieces.stop {
        Some(stop) => return Err(stop),
        None => (pieces.sums, pieces.issued),
    };
    if !aside.is_empty() {
        open.set_aside(&id, &aside)?;
    }
    open.commit(&id, (None, None), &sums, &issued, true)?;
    job.watch.hear(Event::Rows { load: &load.name, rows: sums.read });
    Ok(())
}

/// Keeps the faults of a reading and nothing else.
struct Looking<'l, 'b> {
    batch: &'l mut Batch<'b>,
}

impl Sink for Looking<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        self.batch.forget_rows();
        GO_ON
    }

    fn failed(&mut self, key: Key, expr: Option<usize>) -> ControlFlow<()> {
        self.batch.failed(key, expr);
        GO_ON
    }
}

/// Sends pieces of about a batch's bytes inside one transaction.
struct Pieces<'p, 'o, 'b> {
    job: &'p Job<'p>,
    open: &'p mut Open<'o>,
    into: Into<'p>,
    batch: Batch<'b>,
    sums: Sums,
    issued: Vec<i64>,
    seed: u64,
    load: &'p crate::plan::LoadPlan,
    stop: Option<Stop>,
}

impl Pieces<'_, '_, '_> {
    fn send(&mut self) -> Result<(), Stop> {
        let (sums, issued) = send(self.open, &self.into, self.load, &mut self.batch, self.seed)?;
        self.sums.merge(&sums);
        self.issued.extend(issued);
        self.batch.clear();
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
        match self.send() {
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
