//! Reads the rows that a run committed and writes them to the staging table of a rollback.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::job::{Job, Stop};
use crate::migrate::rows::batch::Batch;
use crate::model::key::Key;
use crate::model::select::{CONTINUE, Failed, Row, Sink};
use crate::pg::ServerError;
use crate::pg::rollback::OpenRollback;
use crate::wire::widen::{Widening, widen};

/// Writes rows to the staging table, about one batch at a time.
pub(super) struct Staging<'l, 't, 'b> {
    pub job: &'l Job<'l>,
    pub tx: &'l mut OpenRollback<'t>,
    pub not_written: &'l HashSet<String>,
    /// The change of each field of a row, if the types of columns were changed since the run.
    pub widened: Option<&'l [(usize, Widening)]>,
    pub issued: Vec<usize>,
    pub ids: &'l [Vec<i64>],
    pub batch: Batch<'b>,
    pub stop: Option<Stop>,
}

impl Staging<'_, '_, '_> {
    /// Writes the rows of the batch, completed with the ids that were drawn for them.
    pub fn flush(&mut self) -> Result<(), Stop> {
        if !self.issued.is_empty() {
            let wanted = self.batch.ids_wanted();
            let enough = self.ids.len() >= wanted;
            let (now, later) = self.ids.split_at(if enough { wanted } else { 0 });
            let columns: Vec<Vec<i64>> =
                (0..self.issued.len()).map(|c| now.iter().filter_map(|row| row.get(c).copied()).collect()).collect();
            let filled = enough && self.batch.fill(&self.issued, &columns).is_ok();
            if !filled {
                let what = "the ledger contains fewer issued ids than there are rows";
                return Err(Stop::Target(ServerError::new("removing rows", what)));
            }
            self.ids = later;
        }
        match self.widened {
            None => self.tx.stage(&self.batch.bytes, self.batch.rows())?,
            Some(fields) => {
                let mut widened = Vec::with_capacity(self.batch.bytes.len());
                for row in 0..self.batch.ids_wanted() {
                    widen(self.batch.images(row..row + 1), fields, &mut widened);
                }
                self.tx.stage(&widened, self.batch.rows())?;
            }
        }
        self.batch.clear();
        Ok(())
    }
}

impl Sink for Staging<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if !self.not_written.is_empty() && self.not_written.contains(&row.key().written()) {
            return CONTINUE;
        }
        self.batch.row(row);
        let stop = if self.job.is_stop_requested() {
            Some(Stop::Interrupted)
        } else if self.batch.is_full(&self.job.options) {
            self.flush().err()
        } else {
            None
        };
        match stop {
            None => CONTINUE,
            Some(stop) => {
                self.stop = Some(stop);
                ControlFlow::Break(())
            }
        }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key, failed);
        CONTINUE
    }
}
