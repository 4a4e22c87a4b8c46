//! Writes one batch without waiting for an answer between its first row and its commit. If the server refuses a row, nothing of
//! the batch is written, and `send` finds the row.
//!
//! The first rows of a large batch are sent while the rest is read: see [`EarlyBatch`].

use std::collections::BTreeMap;

use crate::job::{Job, Stop};
use crate::migrate::lookup_maps;
use crate::migrate::rows::batch::Batch;
use crate::model::key::Key;
use crate::model::ledger::{PartDone, Sums};
use crate::pg::Session;
use crate::pg::batch::{BatchEnd, BatchId};
use crate::pg::copy::{Destination, SLICE};
use crate::pg::direct_batch::{DirectBatch, DirectCommit, DirectStart, PausedBatch};
use crate::pg::lookup_rows::LookupRows;
use crate::plan::{LoadPlan, LookupPlan};

use super::send::fill_ids;

/// A batch to write.
pub struct DirectWrite<'a> {
    /// The key of the batch in the ledger.
    pub id: &'a BatchId<'a>,
    /// The destination of the rows.
    pub destination: &'a Destination<'a>,
    /// The first and the last key, as the ledger records them.
    pub keys: (Option<Key>, Option<Key>),
    /// Nothing of the part remains.
    pub last_of_part: bool,
    /// The batch's faults for the ledger.
    pub faults: &'a [String],
    /// The seed of the row hashes.
    pub seed: u64,
    /// The batch after this one. `None` if it must not begin before this one is committed.
    pub next: Option<&'a BatchId<'a>>,
}

/// A batch whose rows are sent before it is full. Its transaction begins when there is a slice of rows to send, or with the
/// commit of the batch before. [`EarlyBatch::abandon`] must run before the session is used for anything else.
#[derive(Default)]
pub struct EarlyBatch {
    /// The open transaction, and the number of bytes that were sent in it.
    open: Option<(PausedBatch, usize)>,
    /// True if the rows of the batch are not sent before it is full: its load does not allow that, a row will end the load, or its
    /// transaction could not be begun or was lost.
    is_given_up: bool,
}

impl EarlyBatch {
    /// Returns true if the rows of the batch that were not sent yet fill a slice.
    pub fn has_slice(&self, bytes: &[u8]) -> bool {
        !self.is_given_up && bytes.len() >= self.sent() + SLICE
    }

    /// Sends the rows of the batch that were not sent yet. A failure is no error: the rows are sent again when the batch is full, and what fails then is reported.
    pub fn send(&mut self, session: &mut Session, begin: &EarlyStart<'_>, bytes: &[u8]) {
        let sent = self.sent();
        let open = match self.open.take() {
            Some((paused, _)) => Some(session.resume_direct(paused)),
            None => begin.run(session),
        };
        self.is_given_up = true;
        if let Some(mut open) = open
            && open.send(&bytes[sent..]).is_ok()
        {
            self.open = Some((open.pause(), bytes.len()));
            self.is_given_up = false;
        }
    }

    /// Lets the rows wait until the batch is full.
    pub fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Rolls the batch back.
    pub fn abandon(&mut self, session: &mut Session) {
        if let Some((paused, _)) = self.open.take() {
            drop(session.resume_direct(paused));
        }
    }

    /// Returns the number of bytes that were sent.
    pub fn sent(&self) -> usize {
        self.open.as_ref().map_or(0, |(_, sent)| *sent)
    }
}

/// The beginning of a batch that is not full yet.
pub struct EarlyStart<'a> {
    /// The key of the batch in the ledger.
    pub id: &'a BatchId<'a>,
    /// The destination of the rows.
    pub destination: &'a Destination<'a>,
}

impl EarlyStart<'_> {
    /// Begins the batch. `None` if it cannot be begun now.
    fn run<'s>(&self, session: &'s mut Session) -> Option<DirectBatch<'s>> {
        if session.must_count(self.destination) {
            return None;
        }
        // It is not known yet whether the batch ends its part. Its commit decides whether to wait for the disk.
        match session.begin_direct(self.id, true, self.destination) {
            Ok(DirectStart::Open(open)) => Some(open),
            _ => None,
        }
    }
}

/// Loads whose COPY is prepared before their first batch, and lookups whose COPY is prepared before they are read.
pub struct PreparedLoads<'a> {
    schema: &'a str,
    /// Each with the columns that are sent.
    loads: Vec<(&'a LoadPlan, Vec<String>)>,
    lookups: Vec<&'a LookupPlan>,
}

impl<'a> PreparedLoads<'a> {
    /// Those of the job's loads that are `wanted`, and their lookups. Rows that may be skipped are copied into a staging table.
    pub fn of(job: &Job<'a>, wanted: impl Fn(&LoadPlan) -> bool) -> PreparedLoads<'a> {
        let wanted: Vec<&LoadPlan> = job.plan.loads.iter().filter(|load| wanted(load)).collect();
        let lookups = wanted.iter().flat_map(|load| load.lookups()).map(|(_, lookup)| lookup).collect();
        let direct = wanted.iter().filter(|load| job.plan.skipped_rows(load).is_none());
        PreparedLoads {
            schema: &job.plan.schema,
            loads: direct.map(|load| (*load, load.sent_columns())).collect(),
            lookups,
        }
    }

    /// The rows that the lookups read.
    pub fn lookups(&self) -> Vec<LookupRows<'a>> {
        self.lookups.iter().map(|lookup| lookup_maps::rows_of(self.schema, lookup)).collect()
    }

    /// The destinations of their rows.
    pub fn destinations(&self) -> Vec<Destination<'_>> {
        let into = self.loads.iter().map(|(load, columns)| Destination {
            schema: self.schema,
            table: &load.table,
            columns,
            as_text: load.as_text,
            skipped: None,
            nulls_equal: false,
        });
        into.collect()
    }
}

/// Prepares, in one round trip, the COPY of each load of which something remains, and those of its lookups.
///
/// # Errors
/// If the connection is lost.
pub fn prepare(job: &Job<'_>, session: &mut Session, parts: &BTreeMap<String, Vec<PartDone>>) -> Result<(), Stop> {
    let remains = |load: &LoadPlan| parts.get(&load.name).is_some_and(|parts| parts.iter().any(|part| !part.done));
    let loads = PreparedLoads::of(job, remains);
    Ok(session.prepare_copies(&loads.destinations(), &loads.lookups())?)
}

/// The outcome of writing a batch directly.
pub enum DirectEnd {
    /// The batch is committed.
    Committed(Sums),
    /// A batch of this number was committed before.
    AlreadyCommitted,
    /// The server refused rows, or may have refused them; nothing was written.
    Refused,
    /// Nothing was written, because the server's count of the rows must be compared before the commit.
    NeedsCount,
}

impl DirectWrite<'_> {
    /// Returns true if a batch of the load can be committed without an answer of the server in between. Such a load skips no
    /// row and reads no column back.
    pub fn is_possible(destination: &Destination<'_>, returned: &[String]) -> bool {
        destination.skipped.is_none() && returned.is_empty()
    }

    /// Returns true if rows of the load can be sent before their batch is full. Ids are drawn for all rows of a batch at once.
    pub fn can_be_early(load: &LoadPlan, destination: &Destination<'_>, returned: &[String]) -> bool {
        DirectWrite::is_possible(destination, returned) && load.issued().is_empty()
    }

    /// Writes the batch, or what remains of it. Ids are drawn before its transaction begins; those of a batch that is not
    /// written stay a gap.
    ///
    /// # Errors
    /// If the run was taken over, if the server refuses for another reason than a row, or if the connection is lost.
    pub fn run(&self, session: &mut Session, batch: &mut Batch<'_>, early: &mut EarlyBatch) -> Result<DirectEnd, Stop> {
        let (mut open, sent, issued) = match early.open.take() {
            Some((paused, sent)) => (session.resume_direct(paused), sent, Vec::new()),
            None => {
                if session.must_count(self.destination) {
                    return Ok(DirectEnd::NeedsCount);
                }
                let issued = fill_ids(batch, |sequences, count| session.draw_ids(sequences, count))?;
                match session.begin_direct(self.id, self.last_of_part, self.destination)? {
                    DirectStart::Open(open) => (open, 0, issued),
                    DirectStart::AlreadyCommitted => return Ok(DirectEnd::AlreadyCommitted),
                    DirectStart::MaySwallow => return Ok(DirectEnd::NeedsCount),
                    DirectStart::Fenced => return Err(Stop::Fenced),
                }
            }
        };
        open.send(&batch.bytes[sent..])?;
        let sums = batch.sums(&[], self.seed);
        let (first, last) = (self.keys.0.as_ref(), self.keys.1.as_ref());
        let end = BatchEnd { first, last, sums: &sums, issued: &issued, last_of_part: self.last_of_part };
        let (deviations, next) = (batch.deviations(&[]), self.next);
        let commit = DirectCommit { id: self.id, end: &end, deviations: &deviations, faults: self.faults, next };
        match open.commit(&commit) {
            Ok(next) => {
                *early = EarlyBatch { open: next.map(|next| (next, 0)), is_given_up: false };
                Ok(DirectEnd::Committed(sums))
            }
            Err(refusal) if refusal.is_about_rows() => Ok(DirectEnd::Refused),
            Err(e) => Err(e.into()),
        }
    }
}
