//! Finds the rows of a batch that the server refuses: the batch is halved, and each half is tried under a savepoint.
//!
//! The search is cumulative: a good half stays while the other one is tried. So the later of two rows that collide is found.
//! Afterwards everything is rolled back, and the caller sends the batch without the refused rows.

use std::borrow::Cow;

use crate::migrate::rows::batch::Batch;
use crate::model::fault::Reason;
use crate::pg::batch::OpenBatch;
use crate::pg::copy::Destination;
use crate::pg::{Blame, ServerError};

/// The search in one batch, inside its transaction.
pub struct Bisection<'t, 'o, 'b> {
    /// The batch's transaction.
    pub open: &'t mut OpenBatch<'o>,
    /// The destination of the rows.
    pub destination: &'t Destination<'t>,
    /// The batch that was refused as a whole.
    pub batch: &'t Batch<'b>,
    /// True if deferred constraints are checked with each try.
    pub check_deferred: bool,
    /// Number of refused rows at which the search ends.
    pub most: usize,
    /// The refused rows found so far, by their index among the batch's images.
    pub found: Vec<(usize, Blame)>,
}

impl Bisection<'_, '_, '_> {
    /// Returns the refused rows, by their index among the batch's images.
    ///
    /// # Errors
    /// If the server refuses for another reason than a row, or the connection is lost.
    pub fn run(mut self) -> Result<Vec<(usize, Blame)>, ServerError> {
        self.open.set_savepoint()?;
        let units = self.batch.units();
        if let [_] = units.as_slice() { self.search(&units) } else { self.search_halves(&units) }?;
        self.open.roll_back_to_savepoint()?;
        Ok(self.found)
    }

    fn search_halves(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        let (first, second) = units.split_at(units.len() / 2);
        self.search(first)?;
        self.search(second)
    }

    fn search(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        if units.is_empty() || self.found.len() >= self.most {
            return Ok(());
        }
        self.open.set_savepoint()?;
        let Err(refusal) = self.try_rows(units) else { return self.open.release_savepoint() };
        if !refusal.is_about_rows() {
            return Err(refusal);
        }
        self.open.roll_back_to_savepoint()?;
        let [unit] = units else { return self.search_halves(units) };
        let blame = self.open.blame(self.destination, &refusal)?;
        for row in unit {
            let mut blame = blame.clone();
            if blame.reason == Reason::Orphan && self.batch.comes_later(*row, refusal.constraint.as_deref()) {
                blame.reason = Reason::ParentLater;
            }
            self.found.push((*row, blame));
        }
        Ok(())
    }

    fn try_rows(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        let rows: Vec<usize> = units.concat();
        self.open.copy(self.destination, &images(self.batch, &rows), rows.len() as u64)?;
        if self.check_deferred { self.open.check_deferred() } else { Ok(()) }
    }
}

/// Returns the images of these rows in this order.
fn images<'b>(batch: &'b Batch<'_>, rows: &[usize]) -> Cow<'b, [u8]> {
    match rows {
        [first, .., last] if rows.windows(2).all(|two| two[0] + 1 == two[1]) => {
            Cow::Borrowed(batch.images(*first..last + 1))
        }
        rows => Cow::Owned(rows.iter().flat_map(|row| batch.images(*row..row + 1)).copied().collect()),
    }
}
