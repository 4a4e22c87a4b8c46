//! Sending a batch; and which rows of it the server refuses: halved and tried again under savepoints, until each is pinned.
//!
//! Cumulative: the good half stays while the other is tried, so of two rows that collide the later one is found. Then all of
//! it is undone, and the batch goes as one plain COPY without those rows.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::mapping::OnFault;
use crate::model::fault::Reason;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Sums;
use crate::model::record::FAULTS_LISTED;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::batch::{BatchId, OpenBatch};
use crate::pg::copy::Destination;
use crate::pg::{Blame, ServerError};
use crate::plan::{Feed, LoadPlan};
use crate::sqlite::Reader;

use crate::job::Job;
use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::fingerprint;

/// Where the rows of a batch came from, to gather them once more.
pub struct Origin<'a> {
    pub job: &'a Job<'a>,
    pub id: &'a BatchId<'a>,
    pub reader: &'a Reader,
    pub load: &'a LoadPlan,
    /// The last key before the batch.
    pub before: Option<&'a Key>,
    /// Of the row hashes.
    pub seed: u64,
    /// Constraints that wait for the commit are checked with these rows.
    pub checks: bool,
}

/// Draws the ids that a batch needs, sends its rows and gives its sums and the ids. Rows that the server refuses become
/// faults of the batch: set aside and counted in `counted`, or the end.
///
/// # Errors
/// When a fault may not be borne, when the server refuses for another reason than a row, or the connection is lost.
pub fn send(
    open: &mut OpenBatch<'_>,
    into: &Destination<'_>,
    origin: &Origin<'_>,
    batch: &mut Batch<'_>,
    counted: &mut u64,
) -> Result<(Sums, Vec<i64>), Stop> {
    let check_deferred = origin.checks;
    loop {
        let ids = draw(open, origin.load, batch)?;
        open.set_savepoint()?;
        let copied = open.copy(into, &batch.bytes, batch.rows());
        let kept = copied.and_then(|skipped| open.keep_rows(check_deferred).map(|()| skipped));
        match kept {
            Ok(skipped) => {
                let deviations = batch.deviations(&skipped);
                if !deviations.is_empty() {
                    open.note_deviations(origin.id, &deviations)?;
                }
                return Ok((batch.sums(&skipped, origin.seed), ids));
            }
            Err(refused) if !refused.is_about_rows() => return Err(refused.into()),
            Err(refused) => {
                open.roll_back_to_savepoint()?;
                let most = origin.job.room();
                let mut trial = Trial { open, into, batch, check_deferred, most, found: Vec::new() };
                trial.open.set_savepoint()?;
                trial.pin()?;
                trial.open.roll_back_to_savepoint()?;
                let found = trial.found;
                if found.is_empty() {
                    return Err(refused.into());
                }
                batch.refuse_rows(found);
                gather_again(origin, batch)?;
                while batch.grew() {
                    gather_again(origin, batch)?;
                }
                origin.job.bear(batch, counted)?;
            }
        }
    }
}

fn draw(open: &mut OpenBatch<'_>, load: &LoadPlan, batch: &mut Batch<'_>) -> Result<Vec<i64>, ServerError> {
    let issued = load.issued();
    let mut ids = Vec::new();
    for column in &issued {
        if let Feed::Issued(sequence) = &load.columns[*column].feed {
            ids.push(open.draw_ids(&sequence.name, batch.ids_wanted())?);
        }
    }
    if !issued.is_empty() {
        batch.fill(&issued, &ids).map_err(|id| {
            ServerError::new(
                "drawing ids",
                format!("{id} does not fit the column; its sequence is past the column's range"),
            )
        })?;
    }
    Ok((0..batch.ids_wanted()).flat_map(|row| ids.iter().map(move |column| column[row])).collect())
}

/// Reads the rows of a batch again, now that some of them are condemned.
fn gather_again(origin: &Origin<'_>, batch: &mut Batch<'_>) -> Result<(), Stop> {
    let rows = batch.restart();
    let mut again = Again { batch, rows, load: origin.load, seed: origin.seed };
    origin.reader.scan(&origin.load.select, KeyRange { after: origin.before, until: None }, &mut again)?;
    Ok(())
}

struct Again<'g, 'b> {
    batch: &'g mut Batch<'b>,
    rows: u64,
    load: &'g LoadPlan,
    seed: u64,
}

impl Again<'_, '_> {
    fn go_on(&self) -> ControlFlow<()> {
        if self.batch.read < self.rows { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Sink for Again<'_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        fingerprint::take(self.batch, row, self.load, self.seed);
        self.go_on()
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key, failed);
        self.go_on()
    }
}

impl Job<'_> {
    /// Bears the faults of a batch, or says why not: under abort none, under quarantine no more than `max_faults` over all
    /// resumes. `counted`: rows of this batch that were counted before.
    pub fn bear(&self, batch: &Batch<'_>, counted: &mut u64) -> Result<(), Stop> {
        if batch.refused == 0 {
            return Ok(());
        }
        if self.options.on_fault == OnFault::Abort {
            return Err(Stop::Faults(batch.faults.clone()));
        }
        let more = batch.refused.saturating_sub(std::mem::replace(counted, batch.refused));
        let all = self.quarantined.fetch_add(more, std::sync::atomic::Ordering::SeqCst) + more;
        match self.options.max_faults {
            Some(most) if all > most => Err(Stop::TooManyFaults { most, faults: batch.faults.clone() }),
            _ => Ok(()),
        }
    }

    /// How many refused rows of one batch are worth finding.
    fn room(&self) -> usize {
        match (self.options.on_fault, self.options.max_faults) {
            (OnFault::Abort, _) => FAULTS_LISTED,
            (OnFault::Quarantine, None) => usize::MAX,
            (OnFault::Quarantine, Some(most)) => {
                let so_far = self.quarantined.load(std::sync::atomic::Ordering::SeqCst);
                usize::try_from(most.saturating_sub(so_far)).unwrap_or(usize::MAX).saturating_add(1)
            }
        }
    }
}

/// One batch on trial inside its transaction.
pub struct Trial<'t, 'o, 'b> {
    pub open: &'t mut OpenBatch<'o>,
    pub into: &'t Destination<'t>,
    pub batch: &'t Batch<'b>,
    /// Constraints that wait for the commit are checked row by row.
    pub check_deferred: bool,
    /// Rows that are enough; then the search ends.
    pub most: usize,
    /// Rows that are pinned, by their place among those that can go.
    pub found: Vec<(usize, Blame)>,
}

impl Trial<'_, '_, '_> {
    /// Pins the rows of a batch that was refused as a whole.
    ///
    /// # Errors
    /// When the server refuses for another reason than a row, or the connection is lost.
    pub fn pin(&mut self) -> Result<(), ServerError> {
        let units = self.batch.units();
        if let [_] = units.as_slice() { self.among(&units) } else { self.halves(&units) }
    }

    fn halves(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        let (first, second) = units.split_at(units.len() / 2);
        self.among(first)?;
        self.among(second)
    }

    fn among(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        if units.is_empty() || self.found.len() >= self.most {
            return Ok(());
        }
        self.open.set_savepoint()?;
        let Err(refused) = self.attempt(units) else { return self.open.release_savepoint() };
        if !refused.is_about_rows() {
            return Err(refused);
        }
        self.open.roll_back_to_savepoint()?;
        let [unit] = units else { return self.halves(units) };
        let blame = self.open.blame(self.into, &refused)?;
        for row in unit {
            let mut blame = blame.clone();
            if blame.reason == Reason::Orphan && self.batch.comes_later(*row, refused.constraint.as_deref()) {
                blame.reason = Reason::ParentLater;
            }
            self.found.push((*row, blame));
        }
        Ok(())
    }

    fn attempt(&mut self, units: &[Vec<usize>]) -> Result<(), ServerError> {
        let rows: Vec<usize> = units.concat();
        self.open.copy(self.into, &images(self.batch, &rows), rows.len() as u64)?;
        if self.check_deferred { self.open.check_deferred() } else { Ok(()) }
    }
}

/// The images of these rows in this order.
fn images<'b>(batch: &'b Batch<'_>, rows: &[usize]) -> Cow<'b, [u8]> {
    match rows {
        [first, .., last] if rows.windows(2).all(|two| two[0] + 1 == two[1]) => {
            Cow::Borrowed(batch.images(*first..last + 1))
        }
        rows => Cow::Owned(rows.iter().flat_map(|row| batch.images(*row..row + 1)).copied().collect()),
    }
}
