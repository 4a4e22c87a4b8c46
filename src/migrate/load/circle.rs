//! Loads the members of a circle in one transaction, batch by batch, each with its ledger row.
//!
//! That is necessary if a foreign key of the circle is deferred. It is also done under quarantine: if the server refuses a row,
//! rows that refer to it may be written already. Then everything is rolled back and written again without them, until the
//! server refuses no further row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::convert::Settled;
use crate::event::Event;
use crate::job::{Job, Stop, Tries};
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::guard::Guard;
use crate::migrate::rows::quarantine::{RefusedPlaces, place_hash};
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::{PartDone, Run};
use crate::pg::Session;
use crate::pg::batch::{BatchEnd, BatchStart, OpenBatch};
use crate::plan::{Circle, CircleKey};
use crate::sqlite::Reader;

use super::fault_policy;
use super::lane::{StartedLoad, StartedPart, ledger_faults};
use super::loader::{BatchWriter, Loader};
use super::part::{self, PartedLoad};
use super::send::{self, Origin};

/// The loads of a circle that are written in one transaction.
pub struct WholeCircle<'a> {
    /// The loads, in the order of writing, each with its only part.
    pub loads: Vec<PartedLoad<'a>>,
    /// The foreign keys whose checks are deferred.
    deferred: &'a [CircleKey],
}

/// Returns the loads of a circle with their parts. `None` if their batches are committed one by one, or some are committed
/// already.
pub fn whole<'a>(
    job: &Job<'a>,
    circle: &'a Circle,
    parts: &BTreeMap<String, Vec<PartDone>>,
) -> Option<WholeCircle<'a>> {
    if !circle.is_one_transaction(job.options.on_fault) {
        return None;
    }
    let mut loads = Vec::new();
    for member in &circle.members {
        let load = &job.plan.loads[*member];
        // A load that is not wanted has no parts.
        let Some(parts) = parts.get(&load.name) else { continue };
        let [PartDone { done: false, next_batch: 1, .. }] = parts.as_slice() else { return None };
        loads.push(PartedLoad { load, parts: parts.clone(), refused: Arc::default() });
    }
    (loads.len() > 1).then_some(WholeCircle { loads, deferred: &circle.deferred })
}

/// Writes the loads of a circle.
///
/// # Errors
/// The reason for the stop. Nothing of the loads is written then, unless the answer to the commit was lost.
pub fn load(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    settled: &Settled,
    circle: &WholeCircle<'_>,
) -> Result<(), Stop> {
    circle.loads.iter().for_each(|parted| part::announce(job, parted));
    let mut refused = RefusedPlaces::new();
    loop {
        let known = Arc::new(refused.clone());
        let mut started: Vec<StartedLoad<'_>> = Vec::new();
        for parted in &circle.loads {
            let parted = PartedLoad { refused: Arc::clone(&known), ..parted.clone() };
            started.push(part::start(job, session, run, settled, parted)?);
        }
        let guards: Vec<Vec<Guard<'_>>> = started.iter().map(part::guards).collect::<Result<_, _>>()?;
        let mut members = Vec::new();
        for (started, guards) in started.iter().zip(&guards) {
            let part = started.parts.first().map_or(1, |part| part.part);
            members.push(StartedPart { job, run, started, guards, part });
        }
        let more = Members { parts: &members, deferred: circle.deferred, known: &known }.write(session)?;
        if more.is_empty() {
            started.iter().for_each(|started| started.report_end(job));
            return Ok(());
        }
        for (load, places) in more {
            refused.entry(load).or_default().extend(places);
        }
    }
}

/// The members of a circle, ready to be written.
struct Members<'p> {
    parts: &'p [StartedPart<'p>],
    deferred: &'p [CircleKey],
    /// Rows that the server refused in earlier attempts.
    known: &'p RefusedPlaces,
}

/// The outcome of an attempt.
enum Attempt {
    Committed,
    AlreadyCommitted,
    /// The server refused these further rows, so nothing is written.
    Refused(RefusedPlaces),
}

/// The counts of an attempt, which are withdrawn with it.
#[derive(Default)]
struct AttemptCounts {
    quarantined: u64,
    /// Rows by load.
    rows: BTreeMap<String, u64>,
    /// Rows that were refused only while they were written.
    refused: RefusedPlaces,
}

impl Members<'_> {
    /// Writes the members, again from the start after a lost connection. Returns further rows that the server refused.
    fn write(&self, session: &mut Session) -> Result<RefusedPlaces, Stop> {
        let Some(first) = self.parts.first() else { return Ok(RefusedPlaces::new()) };
        let mut tries = Tries::default();
        loop {
            let mut progress = AttemptCounts::default();
            let done = self.attempt(session, &mut progress);
            if !matches!(done, Ok(Attempt::Committed)) {
                progress.withdraw(first.job);
            }
            match done {
                Ok(Attempt::Committed) => return Ok(RefusedPlaces::new()),
                Ok(Attempt::Refused(more)) => return Ok(more),
                Ok(Attempt::AlreadyCommitted) => {
                    self.count_committed(session)?;
                    return Ok(RefusedPlaces::new());
                }
                Err(Stop::Target(e)) if e.retry_may_help() => first.reconnect(session, &mut tries, e)?,
                Err(stop) => return Err(stop),
            }
        }
    }

    fn attempt(&self, session: &mut Session, progress: &mut AttemptCounts) -> Result<Attempt, Stop> {
        let mut transaction: Option<OpenBatch<'_>> = None;
        let mut session = Some(session);
        for part in self.parts {
            let (reader, load) = (part.job.source.reader()?, part.load());
            let open = match (transaction.take(), session.take()) {
                (Some(open), _) => open,
                (None, Some(session)) => match session.begin_batch(&part.batch_id(1), true)? {
                    BatchStart::Fenced => return Err(Stop::Fenced),
                    BatchStart::AlreadyCommitted => return Ok(Attempt::AlreadyCommitted),
                    BatchStart::Open(mut open) => {
                        open.defer(&part.job.plan.schema, self.deferred)?;
                        open
                    }
                },
                (None, None) => break,
            };
            let is_begun = load.name == self.parts[0].load().name;
            let is_checked = self.deferred.is_empty();
            let writer =
                MemberWriter { part, open, reader: &reader, before: None, number: 1, is_begun, is_checked, progress };
            let mut loader = Loader::new(part.empty_batch(), writer);
            reader.scan(&load.select, KeyRange::ALL, &mut loader).map_err(|e| Stop::reading(load, e))?;
            let (writer, stop) = loader.finish();
            if let Some(stop) = stop {
                return Err(stop);
            }
            transaction = Some(writer.open);
        }
        let is_new = |load: &String, place: &u64| !self.known.get(load).is_some_and(|known| known.contains(place));
        for (load, places) in &mut progress.refused {
            places.retain(|place| is_new(load, place));
        }
        progress.refused.retain(|_, places| !places.is_empty());
        if !progress.refused.is_empty() {
            return Ok(Attempt::Refused(std::mem::take(&mut progress.refused)));
        }
        let Some(mut open) = transaction else { return Ok(Attempt::Committed) };
        open.check_deferred()?;
        open.commit_batches()?;
        Ok(Attempt::Committed)
    }

    /// Counts the quarantined rows of loads that are in the ledger already, because only the answer to their commit was lost.
    fn count_committed(&self, session: &mut Session) -> Result<(), Stop> {
        for part in self.parts {
            let (job, load) = (part.job, &part.load().name);
            let done = job.retrying(session, |session| Ok(session.load_done(part.run.id, load)?))?;
            for sums in done.iter().flat_map(|done| &done.parts).map(|part| &part.sums) {
                job.quarantined.fetch_add(sums.faults, Ordering::SeqCst);
                job.observer.on_event(Event::Rows { load, rows: sums.read });
            }
        }
        Ok(())
    }
}

impl AttemptCounts {
    /// Withdraws the counts of an attempt that was rolled back.
    fn withdraw(&self, job: &Job<'_>) {
        job.quarantined.fetch_sub(self.quarantined, Ordering::SeqCst);
        for (load, rows) in &self.rows {
            job.observer.on_event(Event::RowsLost { load, rows: *rows });
        }
    }
}

/// Writes the batches of one member into the transaction of the circle.
struct MemberWriter<'p, 'o> {
    part: &'p StartedPart<'p>,
    open: OpenBatch<'o>,
    reader: &'p Reader,
    /// The last key before the batch.
    before: Option<Key>,
    /// The number of the batch.
    number: i32,
    /// True if the batch's ledger row is in the transaction.
    is_begun: bool,
    /// True if deferred constraints are checked with each batch.
    is_checked: bool,
    progress: &'p mut AttemptCounts,
}

impl MemberWriter<'_, '_> {
    fn send(&mut self, batch: &mut Batch<'_>, last: Option<&Key>, counted: &mut u64) -> Result<(), Stop> {
        let StartedPart { job, run, .. } = *self.part;
        fault_policy::check(job, batch, counted)?;
        let id = self.part.batch_id(self.number);
        if !std::mem::take(&mut self.is_begun) {
            self.open.begin_next(&id)?;
        }
        let (load, returned, before) = (self.part.load(), self.part.returned(), self.before.as_ref());
        let origin = Origin {
            job,
            id: &id,
            reader: self.reader,
            load,
            before,
            seed: run.seed,
            returned,
            check_deferred: self.is_checked,
            is_refused: false,
        };
        let (sums, issued) = send::send(&mut self.open, &self.part.destination(), &origin, batch, counted)?;
        let faults = ledger_faults(job, batch, load);
        if !faults.is_empty() {
            self.open.write_faults(&id, &faults)?;
        }
        let (first, last_of_part) = (batch.first.as_ref(), last.is_none());
        Ok(self.open.complete(&id, &BatchEnd { first, last, sums: &sums, issued: &issued, last_of_part })?)
    }
}

impl BatchWriter for MemberWriter<'_, '_> {
    type End = Stop;

    fn interruption(&self, batch: &Batch<'_>) -> Option<Stop> {
        if self.part.job.is_stop_requested() {
            return Some(Stop::Interrupted);
        }
        (batch.read == 0 && self.part.job.halted.load(Ordering::Relaxed)).then_some(Stop::Halted)
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        batch.is_full(&self.part.job.options)
    }

    fn write(&mut self, batch: &mut Batch<'_>, last: Option<Key>) -> Result<(), Stop> {
        let mut counted = 0;
        let done = self.send(batch, last.as_ref(), &mut counted);
        self.progress.quarantined += counted;
        done?;
        let load = &self.part.load().name;
        if !batch.unforeseen.is_empty() {
            let places = batch.unforeseen.iter().map(place_hash);
            self.progress.refused.entry(load.clone()).or_default().extend(places);
        }
        self.part.job.observer.on_event(Event::Rows { load, rows: batch.read });
        *self.progress.rows.entry(load.clone()).or_default() += batch.read;
        batch.clear();
        self.before = last;
        self.number += 1;
        Ok(())
    }
}
