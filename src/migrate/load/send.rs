//! Sends one batch inside its open transaction, with COPY. Rows that the server refuses become faults of the batch, which is
//! then read and sent again without them.

use std::ops::ControlFlow;

use crate::job::{Job, Stop};
use crate::migrate::rows::batch::Batch;
use crate::model::digest::{Digest, row_hash};
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::batch::{BatchId, OpenBatch};
use crate::pg::copy::{Copied, Destination};
use crate::pg::{Blame, ReturnedRows, ServerError};
use crate::plan::{Feed, LoadPlan};
use crate::sqlite::Reader;

use super::bisect::Bisection;
use super::fault_policy;
use super::skipped::SkippedBatch;

/// The origin of a batch's rows, to read them again.
pub struct Origin<'a> {
    /// The run.
    pub job: &'a Job<'a>,
    /// The key of the batch in the ledger.
    pub id: &'a BatchId<'a>,
    /// The reader of the source.
    pub reader: &'a Reader,
    /// The load.
    pub load: &'a LoadPlan,
    /// The last key before the batch.
    pub before: Option<&'a Key>,
    /// The seed of the row hashes.
    pub seed: u64,
    /// The columns that are read back in the server's own form. Empty if there are none.
    pub returned: &'a [String],
    /// True if deferred constraints are checked with these rows.
    pub check_deferred: bool,
    /// True if the server has refused rows of the batch already.
    pub is_refused: bool,
}

/// Draws the ids that a batch needs and sends its rows. Returns the sums of the batch and the ids. Rows that the server
/// refuses become faults of the batch and are counted in `counted`.
///
/// # Errors
/// If the policy does not allow the faults, if the server refuses for another reason than a row, or if the connection is
/// lost.
pub fn send(
    open: &mut OpenBatch<'_>,
    destination: &Destination<'_>,
    origin: &Origin<'_>,
    batch: &mut Batch<'_>,
    counted: &mut u64,
) -> Result<(Sums, Vec<i64>), Stop> {
    let mut is_refused = origin.is_refused;
    loop {
        // The ids of a batch that the server has refused already are in its rows.
        let ids =
            if is_refused { Vec::new() } else { fill_ids(batch, |sequences, count| open.draw_ids(sequences, count))? };
        if std::mem::take(&mut is_refused) {
            // Without a refused row the refusal was that of another moment, and the rows are sent once more.
            if find_refused(open, destination, origin, batch)? {
                fault_policy::check(origin.job, batch, counted)?;
            }
            continue;
        }
        let reads_back = !origin.returned.is_empty() && origin.job.target.placement(destination.table).is_local();
        let end = if reads_back { open.heap_blocks(destination)? } else { 0 };
        let copied = open.copy_after_savepoint(destination, &batch.bytes, batch.rows(), origin.check_deferred);
        let compared = copied.and_then(|Copied { skipped, is_checked }| {
            let compared = SkippedBatch::compare(open, destination, origin.id, skipped)?;
            compared.keep(open, origin.check_deferred && !is_checked)
        });
        match compared {
            Ok(compared) if compared.faults.is_empty() => {
                let deviations = batch.deviations(&compared.skipped);
                if !deviations.is_empty() {
                    open.note_deviations(origin.id, &deviations)?;
                }
                let mut sums = batch.sums(&compared.skipped, origin.seed);
                compared.add_losses(destination, batch, &mut sums);
                if reads_back && sums.written > 0 {
                    read_returned(open, destination, origin, end, &mut sums)?;
                }
                return Ok((sums, ids));
            }
            Ok(compared) => {
                open.roll_back_to_savepoint()?;
                read_without(origin, batch, compared.faults)?;
                fault_policy::check(origin.job, batch, counted)?;
            }
            Err(refusal) if !refusal.is_about_rows() => return Err(refusal.into()),
            Err(refusal) => {
                open.roll_back_to_savepoint()?;
                if !find_refused(open, destination, origin, batch)? {
                    return Err(refusal.into());
                }
                fault_policy::check(origin.job, batch, counted)?;
            }
        }
    }
}

/// Finds the rows of the batch that the server refuses, and fills the batch without them. Returns false if it refuses none.
fn find_refused(
    open: &mut OpenBatch<'_>,
    destination: &Destination<'_>,
    origin: &Origin<'_>,
    batch: &mut Batch<'_>,
) -> Result<bool, Stop> {
    let most = fault_policy::worth_finding(origin.job, &batch.load.name);
    let check_deferred = origin.check_deferred;
    let refused = Bisection { open, destination, batch, check_deferred, most, found: Vec::new() }.run()?;
    if refused.is_empty() {
        return Ok(false);
    }
    read_without(origin, batch, refused)?;
    Ok(true)
}

/// Reads the batch again without refused rows.
fn read_without(origin: &Origin<'_>, batch: &mut Batch<'_>, refused: Vec<(usize, Blame)>) -> Result<(), Stop> {
    batch.refuse_rows(refused);
    read_again(origin, batch)?;
    while batch.refused_parents() {
        read_again(origin, batch)?;
    }
    Ok(())
}

/// Reads the rows back that were written since the last savepoint, and adds their digest in the server's own form to `sums`.
/// `end`: the number of blocks before these rows were written. If earlier blocks had free space, all blocks are read.
fn read_returned(
    open: &mut OpenBatch<'_>,
    destination: &Destination<'_>,
    origin: &Origin<'_>,
    end: i64,
    sums: &mut Sums,
) -> Result<(), ServerError> {
    let Destination { schema, table, .. } = destination;
    let rows = ReturnedRows { schema, table, keys: &[], columns: origin.returned, only: None };
    for from in [end, 0] {
        let mut digest = Digest::default();
        let found =
            open.read_returned(origin.id, &rows, from, &mut |image| digest.add(row_hash(image, origin.seed)))?;
        if found == sums.written {
            (sums.returned, sums.unreturned) = (digest, 0);
            return Ok(());
        }
    }
    // A trigger of the application wrote or removed rows. They stay unread, and a verification says so.
    Ok(())
}

/// Writes an id into each row for each column that a sequence feeds. `draw` gets the sequences and the number of ids to draw from
/// each. Returns the ids in the order of the rows.
///
/// # Errors
/// The error of `draw`, or that of an id that does not fit its column.
pub fn fill_ids(
    batch: &mut Batch<'_>,
    draw: impl FnOnce(&[&str], usize) -> Result<Vec<Vec<i64>>, ServerError>,
) -> Result<Vec<i64>, ServerError> {
    let issued = batch.load.issued();
    if issued.is_empty() || batch.ids_wanted() == 0 {
        return Ok(Vec::new());
    }
    let sequence = |column: &usize| match &batch.load.columns[*column].feed {
        Feed::Issued(sequence) => Some(sequence.name.as_str()),
        _ => None,
    };
    let sequences: Vec<&str> = issued.iter().filter_map(sequence).collect();
    let ids = draw(&sequences, batch.ids_wanted())?;
    batch.fill(&issued, &ids).map_err(past_the_range)?;
    Ok(by_row(&ids, batch.ids_wanted()))
}

/// Reads the rows of a batch again, without those that the server refused.
fn read_again(origin: &Origin<'_>, batch: &mut Batch<'_>) -> Result<(), Stop> {
    let rows = batch.restart();
    let range = KeyRange { after: origin.before, until: None };
    origin.reader.scan(&origin.load.select, range, &mut Refill { batch, rows })?;
    Ok(())
}

/// Fills a batch with a number of rows.
struct Refill<'g, 'b> {
    batch: &'g mut Batch<'b>,
    rows: u64,
}

impl Refill<'_, '_> {
    fn next(&self) -> ControlFlow<()> {
        if self.batch.read < self.rows { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Sink for Refill<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.batch.row(row);
        self.next()
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key, failed);
        self.next()
    }
}

/// The drawn ids in the order of the rows, from one list per column.
fn by_row(ids: &[Vec<i64>], rows: usize) -> Vec<i64> {
    (0..rows).flat_map(|row| ids.iter().filter_map(move |column| column.get(row).copied())).collect()
}

/// The error for an id that does not fit its column.
fn past_the_range(id: i64) -> ServerError {
    ServerError::new("drawing ids", format!("{id} does not fit the column; its sequence is past the column's range"))
}
