//! Writes one batch without a question between its beginning and its commit. If the server refuses a row, nothing of the
//! batch is written, and `send` finds the row.

use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::model::key::Key;
use crate::model::ledger::Sums;
use crate::pg::batch::{BatchEnd, BatchId};
use crate::pg::copy::Destination;
use crate::pg::direct_batch::{DirectStart, Draw};
use crate::pg::{ServerError, Session};
use crate::plan::{Feed, LoadPlan};

/// A batch to write.
pub struct DirectWrite<'a> {
    /// The key of the batch in the ledger.
    pub id: &'a BatchId<'a>,
    /// The destination of the rows.
    pub destination: &'a Destination<'a>,
    /// The load.
    pub load: &'a LoadPlan,
    /// The first and the last key, as the ledger records them.
    pub keys: (Option<Key>, Option<Key>),
    /// Nothing of the part remains.
    pub last_of_part: bool,
    /// The batch's faults for the ledger.
    pub faults: &'a [String],
    /// The seed of the row hashes.
    pub seed: u64,
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
    /// Returns true if the rows of the load need no question. A row whose key exists is looked for on the server.
    pub fn is_possible(destination: &Destination<'_>) -> bool {
        destination.skipped.is_none()
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// If the run was taken over, if the server refuses for another reason than a row, or if the connection is lost.
    pub fn run(&self, session: &mut Session, batch: &mut Batch<'_>) -> Result<DirectEnd, Stop> {
        let issued = self.load.issued();
        let draws = self.draws(&issued, batch.ids_wanted());
        let mut open = match session.begin_direct(self.id, self.last_of_part, self.destination, &draws)? {
            DirectStart::Open(open) => open,
            DirectStart::AlreadyCommitted => return Ok(DirectEnd::AlreadyCommitted),
            DirectStart::MaySwallow => return Ok(DirectEnd::NeedsCount),
            DirectStart::Fenced => return Err(Stop::Fenced),
        };
        let ids = std::mem::take(&mut open.ids);
        if !issued.is_empty() {
            batch.fill(&issued, &ids).map_err(past_the_range)?;
        }
        open.send(&batch.bytes)?;
        // The server works on the rows meanwhile.
        let sums = batch.sums(&[], self.seed);
        let (first, last) = (self.keys.0.as_ref(), self.keys.1.as_ref());
        let issued = by_row(&ids, batch.ids_wanted());
        let end = BatchEnd { first, last, sums: &sums, issued: &issued, last_of_part: self.last_of_part };
        match open.commit(self.id, &end, &batch.deviations(&[]), self.faults) {
            Ok(()) => Ok(DirectEnd::Committed(sums)),
            Err(refusal) if refusal.is_about_rows() => Ok(DirectEnd::Refused),
            Err(e) => Err(e.into()),
        }
    }

    fn draws(&self, issued: &[usize], rows: usize) -> Vec<Draw<'_>> {
        let feeds = issued.iter().map(|column| &self.load.columns[*column].feed);
        let sequences = feeds.filter_map(|feed| match feed {
            Feed::Issued(sequence) => Some(&sequence.name),
            _ => None,
        });
        sequences.map(|sequence| Draw { sequence, count: rows as i64 }).collect()
    }
}

/// The drawn ids in the order of the rows, from one list per column.
pub fn by_row(ids: &[Vec<i64>], rows: usize) -> Vec<i64> {
    (0..rows).flat_map(|row| ids.iter().filter_map(move |column| column.get(row).copied())).collect()
}

/// The error for an id that does not fit its column.
pub fn past_the_range(id: i64) -> ServerError {
    ServerError::new("drawing ids", format!("{id} does not fit the column; its sequence is past the column's range"))
}
