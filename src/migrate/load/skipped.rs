//! The rows of a batch that were skipped because the target has their keys: equal rows, rows that the target keeps, rows that
//! are written over, and faults.

use crate::migrate::rows::batch::Batch;
use crate::model::fault::{Loss, Reason};
use crate::model::ledger::Sums;
use crate::model::rules::Differ;
use crate::pg::batch::{BatchId, OpenBatch};
use crate::pg::copy::Destination;
use crate::pg::skipped::SkippedDifference;
use crate::pg::{Blame, ServerError};
use crate::plan::SkippedRows;

/// The skipped rows of a batch, compared with the rows that are there.
pub struct SkippedBatch {
    /// The positions of all skipped rows.
    pub skipped: Vec<usize>,
    /// Rows that are neither equal nor allowed to differ.
    pub faults: Vec<(usize, Blame)>,
    differences: Vec<SkippedDifference>,
}

impl SkippedBatch {
    /// Compares the skipped rows of a batch, and writes over the rows that are there if the mapping says so.
    pub fn compare(
        open: &mut OpenBatch<'_>,
        destination: &Destination<'_>,
        id: &BatchId<'_>,
        skipped: Vec<usize>,
    ) -> Result<SkippedBatch, ServerError> {
        let Some(rows) = destination.skipped.filter(|_| !skipped.is_empty()) else {
            return Ok(SkippedBatch { skipped, faults: Vec::new(), differences: Vec::new() });
        };
        let differences = open.compare_skipped(destination, rows, &skipped)?;
        let faults: Vec<(usize, Blame)> =
            differences.iter().filter_map(|found| Some((found.row, blame(rows, found)?))).collect();
        if faults.is_empty() && rows.differ == Some(Differ::Source) && !differences.is_empty() {
            let over: Vec<usize> = differences.iter().map(|found| found.row).collect();
            open.write_over(destination, rows, id, &over)?;
        }
        Ok(SkippedBatch { skipped, faults, differences })
    }

    /// Keeps the rows of the batch, unless it has faults.
    pub fn keep(self, open: &mut OpenBatch<'_>, check_deferred: bool) -> Result<SkippedBatch, ServerError> {
        if self.faults.is_empty() {
            open.keep_rows(check_deferred)?;
        }
        Ok(self)
    }

    /// Adds the differing rows to the losses, by column and for the whole rows.
    pub fn add_losses(&self, destination: &Destination<'_>, batch: &Batch<'_>, sums: &mut Sums) {
        let Some(rows) = destination.skipped else { return };
        let loss = if rows.differ == Some(Differ::Source) { Loss::WrittenOver } else { Loss::Kept };
        for found in &self.differences {
            let key = batch.shown_key(found.row);
            for column in names(rows, found).into_iter().chain([""]) {
                sums.add_loss(column, loss.word(), key.clone());
            }
        }
    }
}

/// The names of the columns in which a row differs.
fn names<'r>(rows: &'r SkippedRows, found: &SkippedDifference) -> Vec<&'r str> {
    let columns: Vec<&String> = rows.columns().collect();
    found.columns.iter().filter_map(|n| columns.get(*n)).map(|name| name.as_str()).collect()
}

/// Returns the reason why a row that differs is a fault. `None` if the mapping allows the difference.
fn blame(rows: &SkippedRows, found: &SkippedDifference) -> Option<Blame> {
    let names = names(rows, found);
    let reason = match (found.is_other_owner, rows.differ) {
        (true, _) => Reason::OtherOwner,
        (false, None) => Reason::Differs,
        (false, Some(_)) => return None,
    };
    let detail =
        if names.is_empty() || found.is_other_owner { String::new() } else { format!("in {}", names.join(", ")) };
    Some(Blame { reason, column: None, detail, constraint: None })
}
