//! Loads several small loads in one transaction, because a transaction of its own costs more than the rows of such a load.
//!
//! Only loads whose rows can be written without an answer are taken. If one of them has a fault, or the server refuses anything, the
//! caller loads it by itself.

use std::ops::ControlFlow;

use crate::event::Event;
use crate::job::{Job, PART_ROWS, Stop};
use crate::migrate::rows::batch::Batch;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::{Run, Sums};
use crate::model::select::{CONTINUE, Failed, Row, Sink};
use crate::pg::Session;
use crate::pg::batch::BatchEnd;
use crate::pg::joint_batches::{JointBatch, JointEnd};

use super::direct::DirectWrite;
use super::lane::{StartedLoad, StartedPart};
use super::part;

/// Maximum number of loads that share a transaction.
pub const MOST_LOADS: usize = 32;

/// Maximum number of bytes of their rows, which are all in memory.
const MOST_BYTES: usize = 1 << 20;

/// Returns the maximum number of rows of the loads that share a transaction.
pub fn most_rows(job: &Job<'_>) -> u64 {
    PART_ROWS.min(job.options.batch_rows)
}

/// Returns true if the load may share a transaction: nothing of it is done, it has one part, a table of its own and no
/// reference that is checked here, and no answer of the server is needed to write its rows.
pub fn may_join(job: &Job<'_>, run: &Run, started: &StartedLoad<'_>) -> bool {
    let [part] = &started.parts[..] else { return false };
    let is_new = !part.done && part.next_batch == 1 && part.until.is_none();
    let is_small = job.sizes.get(&started.load.name).is_some_and(|rows| *rows < most_rows(job));
    // Their transactions distinguish the rows of two loads in one table.
    let is_apart =
        started.parents.links.is_empty() && !started.load.is_one_transaction() && part::is_alone(job, started.load);
    let at = StartedPart { job, run, started, guards: &[], part: part.part };
    is_new && is_small && is_apart && DirectWrite::can_be_early(started.load, &at.destination(), at.returned())
}

/// A load whose rows are in memory, ready to be written.
struct ReadLoad<'a> {
    at: StartedPart<'a>,
    batch: Batch<'a>,
    sums: Sums,
}

/// Reads the loads and writes those that can share a transaction. Returns true for each load that is committed.
///
/// # Errors
/// If the source cannot be read, the run was taken over, or the process was asked to stop.
pub fn load<'a>(
    job: &'a Job<'a>,
    session: &mut Session,
    run: &'a Run,
    loads: &[&'a StartedLoad<'a>],
) -> Result<Vec<bool>, Stop> {
    let reader = job.source.reader()?;
    let (mut room, mut read) = (MOST_BYTES, Vec::new());
    for (place, started) in loads.iter().enumerate() {
        let Some(part) = started.parts.first() else { continue };
        let at = StartedPart { job, run, started, guards: &[], part: part.part };
        if !session.can_join(&at.destination()) {
            continue;
        }
        let mut gathered = Gathered { job, batch: at.empty_batch(), room, end: None };
        reader.scan(&started.load.select, KeyRange::ALL, &mut gathered)?;
        match gathered.end {
            Some(GatherEnd::Interrupted) => return Err(Stop::Interrupted),
            Some(GatherEnd::MustBeAlone) => continue,
            None => {}
        }
        room -= gathered.batch.bytes.len();
        let sums = gathered.batch.sums(&[], run.seed);
        read.push((place, ReadLoad { at, batch: gathered.batch, sums }));
    }
    let mut is_committed = vec![false; loads.len()];
    // A load that is alone needs one statement less by itself.
    if read.len() > 1 && write(session, read.iter().map(|(_, load)| load))? {
        read.iter().for_each(|(place, _)| is_committed[*place] = true);
    }
    Ok(is_committed)
}

/// Writes loads in one transaction. Returns false if they must be written one by one.
fn write<'r>(session: &mut Session, read: impl Iterator<Item = &'r ReadLoad<'r>> + Clone) -> Result<bool, Stop> {
    let batch = |ReadLoad { at, batch, sums }: &'r ReadLoad<'r>| JointBatch {
        id: at.batch_id(1),
        into: at.destination(),
        rows: &batch.bytes,
        end: BatchEnd { first: batch.first.as_ref(), last: None, sums, issued: &[], last_of_part: true },
    };
    let batches: Vec<JointBatch<'_>> = read.clone().map(batch).collect();
    match session.write_jointly(&batches) {
        Ok(JointEnd::Committed) => {}
        Ok(JointEnd::Fenced) => return Err(Stop::Fenced),
        // The first of them reports the error, replaces the connection, or finds that the batches are committed.
        Err(_) => return Ok(false),
    }
    for ReadLoad { at, sums, .. } in read {
        at.job.observer.on_event(Event::Rows { load: &at.load().name, rows: sums.read });
    }
    Ok(true)
}

/// The reason for which the rows of a load are not all in memory.
enum GatherEnd {
    Interrupted,
    /// The load has a fault or a row that differs from the source, or is larger than it was thought to be.
    MustBeAlone,
}

/// Gathers all rows of a load.
struct Gathered<'a> {
    job: &'a Job<'a>,
    batch: Batch<'a>,
    /// The bytes that they may have.
    room: usize,
    end: Option<GatherEnd>,
}

impl Gathered<'_> {
    fn next(&mut self) -> ControlFlow<()> {
        let is_plain = self.batch.refused == 0 && self.batch.deviations(&[]).is_empty();
        if !is_plain || self.batch.bytes.len() > self.room || self.batch.is_full(&self.job.options) {
            self.end = Some(GatherEnd::MustBeAlone);
        } else if self.job.is_stop_requested() {
            self.end = Some(GatherEnd::Interrupted);
        }
        if self.end.is_none() { CONTINUE } else { ControlFlow::Break(()) }
    }
}

impl Sink for Gathered<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        self.next()
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key, failed);
        self.next()
    }
}
