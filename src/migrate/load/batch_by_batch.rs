//! Loads one part batch by batch, each in a transaction of its own together with its ledger row.

use std::sync::atomic::Ordering;

use crate::event::Event;
use crate::job::{Stop, Tries};
use crate::migrate::rows::batch::Batch;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::PartDone;
use crate::pg::batch::{BatchEnd, BatchStart};
use crate::sqlite::Reader;

use super::direct::{DirectEnd, DirectWrite, EarlyBatch, EarlyStart};
use super::fault_policy;
use super::lane::{Lane, ledger_faults};
use super::loader::{BatchWriter, Loader};
use super::send::{self, Origin};

/// Reads and writes a part until nothing of it remains, from where the ledger says that it stopped.
pub fn load(lane: &mut Lane<'_>, mut part: PartDone) -> Result<(), Stop> {
    let reader = lane.at.job.source.reader()?;
    loop {
        let after = part.last.clone().or_else(|| part.after.clone());
        let (batch, load) = (lane.at.empty_batch(), lane.at.load());
        let writer = PartWriter {
            lane,
            reader: &reader,
            before: after.clone(),
            number: part.next_batch,
            counted: 0,
            counted_before: 0,
            reported: 0,
            early: EarlyBatch::default(),
        };
        let mut loader = Loader::new(batch, writer);
        let range = KeyRange { after: after.as_ref(), until: part.until.as_ref() };
        reader.scan(&load.select, range, &mut loader)?;
        let (writer, end) = loader.finish();
        let counted = part.sums.faults + writer.counted_before + writer.counted;
        let reported = part.sums.read + writer.reported;
        drop(writer);
        match end {
            None => return Ok(()),
            Some(PartEnd::Stop(stop)) => return Err(stop),
            Some(PartEnd::LedgerDiffers) => {
                part = lane.read_part()?;
                // Batches that are not in the ledger are read again, and their faults are counted again.
                lane.at.job.quarantined.fetch_sub(counted.saturating_sub(part.sums.faults), Ordering::SeqCst);
                let rows = reported.saturating_sub(part.sums.read);
                if rows > 0 {
                    lane.at.job.observer.on_event(Event::RowsLost { load: &load.name, rows });
                }
            }
        }
        if part.done {
            return Ok(());
        }
    }
}

/// The reason for which the writing of a part ended before its last row.
enum PartEnd {
    Stop(Stop),
    /// The ledger does not match the progress of this lane: the part must be read again from the ledger's progress.
    LedgerDiffers,
}

impl<E: Into<Stop>> From<E> for PartEnd {
    fn from(e: E) -> PartEnd {
        PartEnd::Stop(e.into())
    }
}

/// Writes the batches of a part.
struct PartWriter<'l, 'a> {
    lane: &'l mut Lane<'a>,
    reader: &'l Reader,
    /// The last key before the batch.
    before: Option<Key>,
    /// The number of the batch.
    number: i32,
    /// Rows of this batch that are counted as quarantined already.
    counted: u64,
    /// Quarantined rows of the batches before it.
    counted_before: u64,
    /// Rows of these batches, which were reported as committed.
    reported: u64,
    /// The transaction of the batch, if rows are sent before it is full.
    early: EarlyBatch,
}

impl Drop for PartWriter<'_, '_> {
    /// Rolls back the batch that is not full.
    fn drop(&mut self) {
        self.early.abandon(self.lane.session);
    }
}

impl PartWriter<'_, '_> {
    /// Writes the batch in one transaction. `last` is `None` if it ends the part.
    fn attempt(&mut self, batch: &mut Batch<'_>, last: Option<&Key>) -> Result<(), PartEnd> {
        let lane = &mut *self.lane;
        let (id, destination, load, returned) =
            (lane.at.batch_id(self.number), lane.at.destination(), lane.at.load(), lane.at.returned());
        let mut is_refused = false;
        if DirectWrite::is_possible(&destination, returned) {
            let next = lane.at.batch_id(self.number + 1);
            let write = DirectWrite {
                id: &id,
                destination: &destination,
                keys: (batch.first.clone(), last.cloned()),
                last_of_part: last.is_none(),
                faults: &ledger_faults(lane.at.job, batch, load),
                seed: lane.at.run.seed,
                // The next batch will most likely fill a slice, too.
                next: (self.early.sent() > 0 && last.is_some()).then_some(&next),
            };
            match write.run(lane.session, batch, &mut self.early)? {
                DirectEnd::Committed(_) => return Ok(()),
                DirectEnd::AlreadyCommitted => return self.compare(batch, last),
                DirectEnd::Refused => is_refused = true,
                DirectEnd::NeedsCount => {}
            }
        }
        match lane.session.begin_batch(&id, last.is_none())? {
            BatchStart::Fenced => return Err(PartEnd::Stop(Stop::Fenced)),
            BatchStart::AlreadyCommitted => {}
            BatchStart::Open(mut open) => {
                let (job, reader, before, seed) = (lane.at.job, self.reader, self.before.as_ref(), lane.at.run.seed);
                let origin =
                    Origin { job, id: &id, reader, load, before, seed, returned, check_deferred: true, is_refused };
                let (sums, issued) = send::send(&mut open, &destination, &origin, batch, &mut self.counted)?;
                let faults = ledger_faults(job, batch, load);
                if !faults.is_empty() {
                    open.write_faults(&id, &faults)?;
                }
                let (first, last_of_part) = (batch.first.as_ref(), last.is_none());
                let end = BatchEnd { first, last, sums: &sums, issued: &issued, last_of_part };
                open.commit(&id, &end)?;
                return Ok(());
            }
        }
        self.compare(batch, last)
    }

    /// Compares the batch with the committed batch of its number: it is the same one if only the answer to the commit was
    /// lost.
    fn compare(&mut self, batch: &Batch<'_>, last: Option<&Key>) -> Result<(), PartEnd> {
        let id = self.lane.at.batch_id(self.number);
        let Some((until, sums)) = self.lane.session.committed_batch(&id)? else {
            return Err(PartEnd::LedgerDiffers);
        };
        let ours = batch.sums(&[], self.lane.at.run.seed);
        // Issued ids differ from one attempt to the next, and only the server knows which rows it skipped.
        let load = self.lane.at.load();
        let is_exact = load.issued().is_empty() && load.conflict.is_none();
        let same = until.as_ref() == last && sums.read == ours.read && (!is_exact || sums.digest == ours.digest);
        if same { Ok(()) } else { Err(PartEnd::LedgerDiffers) }
    }
}

impl BatchWriter for PartWriter<'_, '_> {
    type End = PartEnd;

    /// A request to stop interrupts at once; another lane's stop only before the first row of a batch.
    fn interruption(&self, batch: &Batch<'_>) -> Option<PartEnd> {
        if self.lane.at.job.is_stop_requested() {
            return Some(PartEnd::Stop(Stop::Interrupted));
        }
        (batch.read == 0 && self.lane.at.job.halted.load(Ordering::Relaxed)).then_some(PartEnd::Stop(Stop::Halted))
    }

    fn is_full(&self, batch: &Batch<'_>) -> bool {
        batch.is_full(&self.lane.at.job.options)
    }

    fn add(&mut self, batch: &Batch<'_>) -> Result<(), PartEnd> {
        if !self.early.has_slice(&batch.bytes) {
            return Ok(());
        }
        let lane = &mut *self.lane;
        let destination = lane.at.destination();
        let is_possible = DirectWrite::can_be_early(lane.at.load(), &destination, lane.at.returned());
        if !is_possible || fault_policy::ends_the_load(lane.at.job, batch) {
            self.early.give_up();
        } else {
            let begin = EarlyStart { id: &lane.at.batch_id(self.number), destination: &destination };
            self.early.send(lane.session, &begin, &batch.bytes);
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut Batch<'_>, last: Option<Key>) -> Result<(), PartEnd> {
        fault_policy::check(self.lane.at.job, batch, &mut self.counted)?;
        loop {
            match self.attempt(batch, last.as_ref()) {
                Ok(()) => break,
                Err(PartEnd::Stop(Stop::Target(e))) if e.retry_may_help() => {
                    self.lane.reconnect(e)?;
                    // A server that crashed may have lost commits that it had acknowledged.
                    if self.lane.read_part()?.next_batch < self.number {
                        return Err(PartEnd::LedgerDiffers);
                    }
                }
                Err(end) => return Err(end),
            }
        }
        self.lane.tries = Tries::default();
        self.lane.at.job.observer.on_event(Event::Rows { load: &self.lane.at.load().name, rows: batch.read });
        self.reported += batch.read;
        batch.clear();
        self.before = last;
        self.counted_before += std::mem::take(&mut self.counted);
        self.number += 1;
        Ok(())
    }
}
