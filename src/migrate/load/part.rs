//! One load, part by part, batch by batch, from wherever the ledger says that it stands.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use crate::convert::Settled;
use crate::convert::row::RowEncoder;
use crate::event::Event;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::{PartDone, Run};
use crate::model::quarantine::QuarantinedRow;
use crate::model::select::{Failed, Relation, Row, Sink};
use crate::pg::batch::{BatchEnd, BatchId, BatchStart};
use crate::pg::copy::Destination;
use crate::pg::{ServerError, Session};
use crate::plan::sequences::SequenceColumn;
use crate::plan::{Feed, LoadPlan, Node};
use crate::sqlite::Reader;

use crate::job::Stop;
use crate::job::Tries;
use crate::job::{Job, PARTS_PER_LANE};
use crate::migrate::load::send;
use crate::migrate::load::send::Origin;
use crate::migrate::load::single_transaction;
use crate::migrate::lookup_maps;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::fingerprint;
use crate::migrate::rows::guard::Guard;
use crate::migrate::rows::parents;
use crate::migrate::rows::parents::Parents;
use crate::migrate::rows::self_references::SelfReferences;
use crate::migrate::sequences::past_rows;
use crate::model::select::CONTINUE;

/// Rows that a part has at least: below, the lanes' own transactions cost more than they win.
const PART_ROWS: u64 = 10_000;

/// What a lane needs of one load.
pub struct Lane<'a> {
    pub job: &'a Job<'a>,
    pub session: &'a mut Session,
    pub run: &'a Run,
    opened: &'a Opened<'a>,
    pub load: &'a LoadPlan,
    pub encoder: &'a RowEncoder,
    pub guards: &'a [Guard<'a>],
    /// Names of the columns that are sent, in order.
    pub columns: &'a [String],
    pub part: i32,
    pub tries: Tries,
}

/// A load whose turn has come, for all lanes that work on it.
pub struct Opened<'a> {
    load: &'a LoadPlan,
    encoder: RowEncoder,
    columns: Vec<String>,
    /// What its rows refer to, with the keys that are there.
    parents: Parents,
    settled: Settled,
    parts: Vec<PartDone>,
}

impl Opened<'_> {
    /// The parts that are not done.
    pub fn left(&self) -> impl Iterator<Item = &PartDone> {
        self.parts.iter().filter(|part| !part.done)
    }

    /// All its parts are done.
    pub fn ended(&self, job: &Job<'_>) {
        job.observer.on_event(Event::Ended { load: &self.load.name });
    }
}

/// Opens a load: prepares what its rows are encoded with, and looks up what they refer to.
pub fn open<'a>(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    load: &'a LoadPlan,
    settled: &Settled,
    parts: Vec<PartDone>,
) -> Result<Opened<'a>, Stop> {
    for column in &load.columns {
        if let Feed::Issued(sequence) = &column.feed {
            let column = SequenceColumn { table: &load.table, column: &column.name, sequence };
            job.retrying(session, |session| past_rows(job, session, run, column))?;
        }
    }
    let maps = job.retrying(session, |session| lookup_maps::read(job, session, run, load, settled))?;
    let image = run.judged.images.get(&load.table);
    let twin = load.as_text.then(|| LoadPlan { as_text: false, ..load.clone() });
    let twin = match &twin {
        Some(binary) => {
            Some((binary, job.retrying(session, |session| lookup_maps::read(job, session, run, binary, settled))?))
        }
        None => None,
    };
    let encoder = RowEncoder::new(load, settled, &maps)
        .and_then(|encoder| encoder.proving(load, settled, twin.as_ref().map(|(load, maps)| (*load, maps)), image))
        .map_err(Stop::Refused)?;
    let columns: Vec<String> = load.columns.iter().map(|c| c.name.clone()).collect();
    job.observer.on_event(Event::Began { load: &load.name, rows: job.sizes.get(&load.name).copied() });
    let done: u64 = parts.iter().map(|part| part.sums.read).sum();
    if done > 0 {
        job.observer.on_event(Event::Rows { load: &load.name, rows: done });
    }
    let left = parts.iter().any(|part| !part.done);
    let parents = if left {
        job.retrying(session, |session| parents::of_load(job, session, run, load, (&encoder, settled)))?
    } else {
        Parents::default()
    };
    Ok(Opened { load, encoder, columns, parents, settled: settled.clone(), parts })
}

/// Reads and writes what remains of one part.
pub fn part(job: &Job<'_>, session: &mut Session, run: &Run, opened: &Opened<'_>, part: PartDone) -> Result<(), Stop> {
    let (load, encoder, columns) = (opened.load, &opened.encoder, opened.columns.as_slice());
    let links = opened.parents.links.iter().map(|(link, keys)| (link, keys.as_ref()));
    let guards = parents::guards(load, links, &opened.settled)?;
    let (guards, tries) = (guards.as_slice(), Tries::default());
    let mut lane = Lane { job, session, run, opened, load, encoder, guards, columns, part: part.part, tries };
    if load.is_one_transaction() { single_transaction::run(&mut lane) } else { lane.run(part) }
}

/// Cuts every load of the run into parts that the ledger does not know cut yet, and notes them all before the first of
/// them begins: one commit, however many loads there are. Gives the parts of each load that is wanted.
pub fn parts(job: &Job<'_>, session: &mut Session, run: &Run) -> Result<BTreeMap<String, Vec<PartDone>>, Stop> {
    let known = |session: &mut Session| Ok(session.loads_done(run.id)?);
    let mut done = job.retrying(session, known)?;
    let mut new = Vec::new();
    for (place, node) in job.plan.order.iter().enumerate() {
        let Node::Load(n) = node else { continue };
        let load = &job.plan.loads[*n];
        let is_wanted = !(load.when_empty && run.judged.holding.contains_key(&load.table));
        if is_wanted && done.get(&load.name).is_none_or(|done| done.parts.is_empty()) {
            // A load that refers to itself must keep its order.
            let whole = job.plan.after[place].contains(&place);
            new.push((load.name.as_str(), cuts(job, load, whole)?));
        }
    }
    if !new.is_empty() {
        if !job.retrying(session, |session| Ok(session.note_parts(run, &new)?))? {
            return Err(Stop::Fenced);
        }
        done = job.retrying(session, known)?;
    }
    Ok(done.into_iter().map(|(load, done)| (load, done.parts)).filter(|(_, parts)| !parts.is_empty()).collect())
}

/// Where a load is cut into parts: keys of rows, each the last of its part.
fn cuts(job: &Job<'_>, load: &LoadPlan, whole: bool) -> Result<Vec<Key>, Stop> {
    // Two rows of one load with the same conflict key are told apart by their order, which parts do not have.
    if job.options.jobs == 1 || whole || load.conflict.is_some() || load.is_one_transaction() {
        return Ok(Vec::new());
    }
    let Relation::Table(table) = &load.select.relation else { return Ok(Vec::new()) };
    let reader = job.source.reader()?;
    let rows = match job.sizes.get(&load.name) {
        Some(rows) => *rows,
        None => reader.about(table, &load.select)?,
    };
    let least = PART_ROWS.min(job.options.batch_rows);
    let parts = (PARTS_PER_LANE * job.options.jobs).min(usize::try_from(rows / least).unwrap_or(usize::MAX));
    if parts < 2 { Ok(Vec::new()) } else { Ok(reader.split(&load.select, parts)?) }
}

impl<'a> Lane<'a> {
    /// Reads and writes one part until nothing of it remains.
    fn run(&mut self, mut part: PartDone) -> Result<(), Stop> {
        let reader = self.job.source.reader()?;
        loop {
            let (after, next) = (part.last.clone().or_else(|| part.after.clone()), part.next_batch);
            let batch = self.batch();
            let before = after.clone();
            let mut sending =
                Sending { lane: self, reader: &reader, batch, before, number: next, counted: 0, borne: 0, end: None };
            let range = KeyRange { after: after.as_ref(), until: part.until.as_ref() };
            reader.scan(&sending.lane.load.select, range, &mut sending)?;
            if sending.end.is_none() {
                sending.end = sending.flush(None, true).err();
            }
            let counted = part.sums.faults + sending.borne + sending.counted;
            match sending.end {
                None => return Ok(()),
                Some(End::Stop(stop)) => return Err(stop),
                Some(End::Behind) => {
                    part = self.part_again()?;
                    // What is not in the ledger is read again, and then counted again.
                    self.job.quarantined.fetch_sub(counted.saturating_sub(part.sums.faults), Ordering::SeqCst);
                }
            }
            if part.done {
                return Ok(());
            }
        }
    }

    /// An empty batch of the part.
    pub fn batch(&self) -> Batch<'a> {
        let kin = SelfReferences::of(self.load, &self.opened.parents.own, &self.opened.settled);
        Batch::new(self.load, self.encoder, self.guards).among(kin)
    }

    /// What the ledger says of this part now.
    fn part_again(&mut self) -> Result<PartDone, Stop> {
        let (run, load) = (self.run.id, &self.load.name);
        let known = self.job.retrying(self.session, |session| Ok(session.load_done(run, load)?))?;
        let found = known.into_iter().flat_map(|done| done.parts).find(|p| p.part == self.part);
        found.ok_or_else(|| {
            Stop::Target(ServerError::new("reading the ledger", "a part of this run is not there any more"))
        })
    }

    pub fn id(&self, batch: i32) -> BatchId<'_> {
        BatchId { run: self.run.id, epoch: self.run.epoch, load: &self.load.name, part: self.part, batch }
    }

    /// After an error: makes the connection again where trying again may help.
    pub fn again(&mut self, mut failed: ServerError) -> Result<(), Stop> {
        loop {
            self.tries.again(&self.job.reconnect(), self.session, failed)?;
            match self.session.note_backend(self.run.id, self.run.epoch) {
                Ok(()) => return Ok(()),
                Err(e) if e.retry_may_help() => failed = e,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// The faults of a batch as the ledger keeps them: where and why.
pub fn ledgered(job: &Job<'_>, load: &LoadPlan, batch: &Batch<'_>) -> Vec<String> {
    let table = format!("{}.{}", job.plan.schema, load.table);
    let aside = batch.faults.iter().map(|fault| QuarantinedRow::of(fault, &table));
    aside.filter_map(|fault| serde_json::to_string(&fault).ok()).collect()
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
    reader: &'l Reader,
    batch: Batch<'b>,
    /// The last key before the batch.
    before: Option<Key>,
    number: i32,
    /// Rows of this batch that are counted as set aside already.
    counted: u64,
    /// Rows of the batches sent before it that were set aside.
    borne: u64,
    end: Option<End>,
}

impl Sending<'_, '_, '_> {
    /// Why no further row is taken: the process was asked to stop, or another lane did and this row would begin a batch.
    fn stop(&self) -> Option<Stop> {
        if self.lane.job.is_asked() {
            return Some(Stop::Interrupted);
        }
        (self.batch.read == 0 && self.lane.job.halted.load(Ordering::Relaxed)).then_some(Stop::Halted)
    }

    /// Sends what gathered as one transaction. `done`: nothing of the part remains behind it.
    fn flush(&mut self, last: Option<Key>, done: bool) -> Result<(), End> {
        self.lane.job.bear(&self.batch, &mut self.counted)?;
        loop {
            match self.attempt(last.as_ref(), done) {
                Ok(()) => break,
                Err(End::Stop(Stop::Target(e))) if e.retry_may_help() => {
                    self.lane.again(e)?;
                    // An acknowledged commit may be gone with the server that acknowledged it.
                    if self.lane.part_again()?.next_batch < self.number {
                        return Err(End::Behind);
                    }
                }
                Err(end) => return Err(end),
            }
        }
        self.lane.tries = Tries::default();
        self.lane.job.observer.on_event(Event::Rows { load: &self.lane.load.name, rows: self.batch.read });
        self.batch.clear();
        self.before = last;
        self.borne += std::mem::take(&mut self.counted);
        self.number += 1;
        Ok(())
    }

    /// Sends what gathered up to the row `last`, and says whether to go on.
    fn flushed(&mut self, last: Key) -> ControlFlow<()> {
        self.end = self.flush(Some(last), false).err();
        if self.end.is_none() { CONTINUE } else { ControlFlow::Break(()) }
    }

    fn attempt(&mut self, last: Option<&Key>, done: bool) -> Result<(), End> {
        let lane = &mut *self.lane;
        let (run, load, part) = (lane.run, lane.load, lane.part);
        let id = BatchId { run: run.id, epoch: run.epoch, load: &load.name, part, batch: self.number };
        let into = Destination {
            schema: &lane.job.plan.schema,
            table: &load.table,
            columns: lane.columns,
            as_text: load.as_text,
            conflict: load.conflict.as_deref(),
        };
        match lane.session.begin_batch(&id, done)? {
            BatchStart::Fenced => return Err(End::Stop(Stop::Fenced)),
            BatchStart::AlreadyCommitted => {}
            BatchStart::Open(mut open) => {
                let (reader, before) = (self.reader, self.before.as_ref());
                let origin = Origin { job: lane.job, id: &id, reader, load, before, seed: run.seed, checks: true };
                let (sums, issued) = send::send(&mut open, &into, &origin, &mut self.batch, &mut self.counted)?;
                let aside = ledgered(lane.job, load, &self.batch);
                if !aside.is_empty() {
                    open.write_faults(&id, &aside)?;
                }
                let first = self.batch.first.as_ref();
                open.commit(&id, &BatchEnd { first, last, sums: &sums, issued: &issued, last_of_part: done })?;
                return Ok(());
            }
        }
        self.compare(last)
    }

    /// A batch of this number is there: ours, by a commit whose answer was lost, or another one.
    fn compare(&mut self, last: Option<&Key>) -> Result<(), End> {
        let id = self.lane.id(self.number);
        let Some((until, sums)) = self.lane.session.committed_batch(&BatchId { load: &self.lane.load.name, ..id })?
        else {
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
        if let Some(stop) = self.stop() {
            self.end = Some(End::Stop(stop));
            return ControlFlow::Break(());
        }
        fingerprint::take(&mut self.batch, row, self.lane.load, self.lane.run.seed);
        if self.batch.is_full(&self.lane.job.options) { self.flushed(row.key()) } else { CONTINUE }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        if let Some(stop) = self.stop() {
            self.end = Some(End::Stop(stop));
            return ControlFlow::Break(());
        }
        self.batch.failed(key.clone(), failed);
        if self.batch.is_full(&self.lane.job.options) { self.flushed(key) } else { CONTINUE }
    }
}
