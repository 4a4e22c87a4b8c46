//! One load, part by part, batch by batch, from wherever the ledger says that it stands.

use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::event::Event;
use crate::mapping::OnFault;
use crate::model::key::Key;
use crate::model::record::FaultRecord;
use crate::model::select::{Row, Sink};
use crate::plan::LoadPlan;
use crate::target::batch::{BatchId, Begun, Into, Open};
use crate::target::ledger::{PartDone, Run, Sums};
use crate::target::{ServerError, Session};

use super::batch::{Batch, GO_ON};
use super::{Job, Stop, piece};

/// How often a lost connection is made again before a run gives up; the waits between double from [`FIRST_WAIT`].
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: std::time::Duration = std::time::Duration::from_millis(250);

/// What a lane needs of one load.
pub(super) struct Lane<'a> {
    pub job: &'a Job<'a>,
    pub session: &'a mut Session,
    pub run: &'a Run,
    pub load: &'a LoadPlan,
    pub encoder: &'a RowEncoder,
    /// Names of the columns that are sent, in order.
    pub columns: &'a [String],
    pub part: i32,
}

/// Carries one load out; what the ledger says is done is not done again.
pub(super) fn load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &LoadPlan,
    settled: &Settled,
) -> Result<(), Stop> {
    if load.when_empty && run.judged.holding.contains_key(&load.table) {
        return Ok(());
    }
    let encoder = RowEncoder::new(load, settled).map_err(Stop::Refused)?;
    let columns: Vec<String> = load.columns.iter().map(|c| c.name.clone()).collect();
    job.watch.hear(Event::Began { load: &load.name, rows: None });
    session.note_parts(run.id, &load.name, &[])?;
    for part in parts(session, run, load)? {
        if part.done {
            job.watch.hear(Event::Rows { load: &load.name, rows: part.sums.read });
            continue;
        }
        let mut lane = Lane { job, session, run, load, encoder: &encoder, columns: &columns, part: part.part };
        if load.is_one_transaction() { piece::run(&mut lane)? } else { lane.run(part)? }
    }
    job.watch.hear(Event::Ended { load: &load.name });
    Ok(())
}

fn parts(session: &mut Session, run: &Run, load: &LoadPlan) -> Result<Vec<PartDone>, ServerError> {
    Ok(session.loads_done(run.id)?.remove(&load.name).map(|done| done.parts).unwrap_or_default())
}

impl Lane<'_> {
    /// Reads and writes one part until nothing of it remains.
    fn run(&mut self, mut part: PartDone) -> Result<(), Stop> {
        let reader = self.job.source.reader()?;
        loop {
            let (after, next) = (part.last.clone().or_else(|| part.after.clone()), part.next_batch);
            let batch = Batch::new(self.load, self.encoder);
            let mut sending = Sending { lane: self, batch, number: next, end: None };
            reader.scan(&sending.lane.load.select, after.as_ref(), part.until.as_ref(), &mut sending)?;
            if sending.end.is_none() {
                sending.end = sending.flush(None, true).err();
            }
            match sending.end {
                None => return Ok(()),
                Some(End::Stop(stop)) => return Err(stop),
                Some(End::Behind) => part = self.part_again()?,
            }
            if part.done {
                return Ok(());
            }
        }
    }

    /// What the ledger says of this part now.
    fn part_again(&mut self) -> Result<PartDone, Stop> {
        let found = parts(self.session, self.run, self.load)?.into_iter().find(|p| p.part == self.part);
        found.ok_or_else(|| {
            Stop::Target(ServerError::said("reading the ledger", "a part of this run is not there any more"))
        })
    }

    pub fn id(&self, batch: i32) -> BatchId<'_> {
        BatchId { run: self.run.id, epoch: self.run.epoch, load: &self.load.name, part: self.part, batch }
    }

    /// Makes the connection again, a few times with growing waits.
    pub fn reconnect(&mut self, lost: &ServerError) -> Result<(), Stop> {
        let why = lost.state.clone().unwrap_or_else(|| "connection lost".to_owned());
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS {
            self.job.watch.hear(Event::Retry { attempt, why: &why });
            std::thread::sleep(wait);
            match (self.job.reconnect)() {
                Ok(session) => {
                    *self.session = session;
                    return Ok(());
                }
                Err(e) if e.retry_may_help() && attempt < ATTEMPTS => wait *= 2,
                Err(e) => return Err(Stop::Connect(e)),
            }
        }
        Err(Stop::Fenced)
    }

    /// Under `abort`, faults end the run before anything of their batch is written.
    pub fn stop_at_faults(&self, batch: &Batch<'_>) -> Result<(), Stop> {
        if self.job.options.on_fault == OnFault::Abort && !batch.faults.is_empty() {
            return Err(Stop::Faults(batch.faults.clone()));
        }
        Ok(())
    }
}

/// Draws the ids that a batch needs, sends its rows and gives its sums and the ids.
pub(super) fn send(
    open: &mut Open<'_>,
    into: &Into<'_>,
    load: &LoadPlan,
    batch: &mut Batch<'_>,
    seed: u64,
) -> Result<(Sums, Vec<i64>), ServerError> {
    let issued = load.issued();
    let mut ids = Vec::new();
    for column in &issued {
        if let crate::plan::Feed::Issued(sequence) = &load.columns[*column].feed {
            ids.push(open.draw(&sequence.name, batch.ids_wanted())?);
        }
    }
    if !issued.is_empty() {
        batch.fill(&issued, &ids).map_err(|id| {
            ServerError::said(
                "drawing ids",
                format!("{id} does not fit the column; its sequence is past the column's range"),
            )
        })?;
    }
    let skipped = open.copy(into, &batch.bytes, batch.rows())?;
    Ok((batch.sums(&skipped, seed), ids.concat()))
}

/// The faults of a batch as the ledger keeps them: where and why, never a value.
pub(super) fn ledgered(lane: &Lane<'_>, batch: &Batch<'_>) -> Vec<String> {
    let table = format!("{}.{}", lane.job.plan.schema, lane.load.table);
    let records = batch.faults.iter().map(|fault| FaultRecord::of(fault, &table, 0, false));
    records.filter_map(|record| serde_json::to_string(&record).ok()).collect()
}

/// Why sending ended before its part did.
enum End {
    Stop(Stop),
    /// The ledger is not where this lane thought: go on from there.
    Behind,
}

impl<E: std::convert::Into<Stop>> From<E> for End {
    fn from(e: E) -> End {
        End::Stop(e.into())
    }
}

/// Gathers rows and sends them batch by batch.
struct Sending<'l, 'a, 'b> {
    lane: &'l mut Lane<'a>,
    batch: Batch<'b>,
    number: i32,
    end: Option<End>,
}

impl Sending<'_, '_, '_> {
    /// Sends what gathered as one transaction. `done`: nothing of the part remains behind it.
    fn flush(&mut self, last: Option<Key>, done: bool) -> Result<(), End> {
        self.lane.stop_at_faults(&self.batch)?;
        loop {
            match self.attempt(last.as_ref(), done) {
                Ok(()) => break,
                Err(End::Stop(Stop::Target(e))) if e.lost => {
                    self.lane.reconnect(&e)?;
                    // An acknowledged commit may be gone with the server that acknowledged it.
                    if self.lane.part_again()?.next_batch < self.number {
                        return Err(End::Behind);
                    }
                }
                Err(end) => return Err(end),
            }
        }
        self.lane.job.watch.hear(Event::Rows { load: &self.lane.load.name, rows: self.batch.read });
        self.batch.clear();
        self.number += 1;
        Ok(())
    }

    fn attempt(&mut self, last: Option<&Key>, done: bool) -> Result<(), End> {
        let lane = &mut *self.lane;
        let (run, load, part) = (lane.run, lane.load, lane.part);
        let id = BatchId { run: run.id, epoch: run.epoch, load: &load.name, part, batch: self.number };
        let aside = ledgered(lane, &self.batch);
        let into = Into {
            schema: &lane.job.plan.schema,
            table: &load.table,
            columns: lane.columns,
            as_text: load.as_text,
            conflict: load.conflict.as_deref(),
        };
        match lane.session.begin_batch(&id)? {
            Begun::Fenced => return Err(End::Stop(Stop::Fenced)),
            Begun::Taken => {}
            Begun::Open(mut open) => {
                let (sums, issued) = send(&mut open, &into, load, &mut self.batch, run.seed)?;
                if !aside.is_empty() {
                    open.set_aside(&id, &aside)?;
                }
                open.commit(&id, (self.batch.first.as_ref(), last), &sums, &issued, done)?;
                return Ok(());
            }
        }
        self.compare(last)
    }

    /// A batch of this number is there: ours, by a commit whose answer was lost, or another one.
    fn compare(&mut self, last: Option<&Key>) -> Result<(), End> {
        let id = self.lane.id(self.number);
        let Some((until, sums)) = self.lane.session.committed(&BatchId { load: &self.lane.load.name, ..id })? else {
            return Err(End::Behind);
        };
        let ours = self.batch.sums(&[], self.lane.run.seed);
        // Issued ids differ from one attempt to the next, and skipped rows are known to the server alone.
        let is_exact = self.lane.load.issued().is_empty() && self.lane.load.conflict.is_none();
        let same = until.as_ref() == last && sums.read == ours.read && (!is_exact || sums.digest == ours.digest);
        if same { Ok(()) } else { Err(End::Behind) }
    }
}

impl Sink for Sending<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        if !self.batch.is_full(&self.lane.job.options) {
            return GO_ON;
        }
        match self.flush(Some(row.key()), false) {
            Ok(()) => GO_ON,
            Err(end) => {
                self.end = Some(end);
                ControlFlow::Break(())
            }
        }
    }

    fn failed(&mut self, key: Key, expr: Option<usize>) -> ControlFlow<()> {
        self.batch.failed(key, expr);
        GO_ON
    }
}
