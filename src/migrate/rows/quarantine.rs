//! Quarantined rows of a run, read again from the source by their places in the ledger.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use crate::job::{Job, Stop};
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Run;
use crate::model::select::{CONTINUE, Row};
use crate::pg::Session;
use crate::plan::LoadPlan;

/// The quarantine of a run.
pub struct Quarantine<'a> {
    /// The context of the run.
    pub job: &'a Job<'a>,
    /// The run in the ledger.
    pub run: &'a Run,
    /// Rows that the server refused in an attempt that was rolled back. They count as quarantined.
    pub refused: &'a RefusedPlaces,
}

/// Hashes of the places of refused rows, 8 bytes each, by load.
pub type RefusedPlaces = BTreeMap<String, HashSet<u64>>;

/// Returns the hash of a row's place.
pub fn place_hash(at: &Key) -> u64 {
    xxh3_64(at.written().as_bytes())
}

impl Quarantine<'_> {
    /// Returns true if no row was quarantined so far.
    pub fn is_empty(&self) -> bool {
        self.job.quarantined.load(Ordering::SeqCst) == 0 && self.refused.is_empty()
    }

    /// Calls `on_row` with each quarantined row of a load that SQLite can compute.
    ///
    /// # Errors
    /// If the source cannot be read, the target refuses, or the connection is lost.
    pub fn each(
        &self,
        session: &mut Session,
        load: &LoadPlan,
        mut on_row: impl FnMut(&dyn Row, Key),
    ) -> Result<(), Stop> {
        if self.is_empty() {
            return Ok(());
        }
        // Hashes of the rows' places, 8 bytes each.
        let mut places = self.refused.get(&load.name).cloned().unwrap_or_default();
        session.faults::<Stop>(self.run.id, &load.name, &mut |some| {
            places.extend(some.iter().map(|fault| xxh3_64(fault.at.as_bytes())));
            Ok(())
        })?;
        if places.is_empty() {
            return Ok(());
        }
        self.job.source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            let key = row.key();
            if places.remove(&place_hash(&key)) {
                on_row(row, key);
            }
            if places.is_empty() { ControlFlow::Break(()) } else { CONTINUE }
        })?;
        Ok(())
    }
}
