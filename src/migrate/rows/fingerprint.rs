//! The fingerprint of a row's content in the source. The ledger stores it with each quarantined row, so that a later reading
//! detects rows that were fixed since.

use std::collections::HashMap;
use std::ops::ControlFlow;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::job::Stop;
use crate::model::cell::Raw;
use crate::model::fault::Reason;
use crate::model::key::{Key, KeyRange, RunId};
use crate::model::ledger::PartDone;
use crate::model::select::{CONTINUE, Failed, Row, Sink};
use crate::pg::Session;
use crate::plan::LoadPlan;
use crate::sqlite::Source;

/// Returns the fingerprint of a row with this number of cells.
pub fn fingerprint(row: &dyn Row, cells: usize, seed: u64) -> u64 {
    let mut hash = Xxh3::with_seed(seed);
    for cell in (0..cells).map(|n| row.cell(n)) {
        hash.update(&[cell.class() as u8]);
        hash.update(&(cell.bytes() as u64).to_be_bytes());
        match cell {
            Raw::Null => {}
            Raw::Integer(i) => hash.update(&i.to_be_bytes()),
            Raw::Real(r) => hash.update(&r.to_bits().to_be_bytes()),
            Raw::Text(bytes) | Raw::Blob(bytes) => hash.update(bytes),
        }
    }
    hash.digest()
}

/// Returns the places of a load's quarantined rows that have another content in the source now, in its order.
///
/// # Errors
/// If the source cannot be read, the target refuses, or the connection is lost.
pub fn fixed_rows(
    source: &Source,
    session: &mut Session,
    load: &LoadPlan,
    parts: &[PartDone],
    run: RunId,
) -> Result<Vec<Key>, Stop> {
    let mut quarantined = HashMap::new();
    session.faults::<Stop>(run.id, &load.name, &mut |some| {
        quarantined.extend(some.iter().filter_map(|fault| {
            let content = match (fault.seen, fault.record.reason) {
                (Some(fingerprint), _) => Content::Row(fingerprint),
                (None, Reason::SqlFailed) => Content::Failed,
                // Ledgers of earlier versions have no fingerprint.
                (None, _) => return None,
            };
            Some((xxh3_64(fault.at.as_bytes()), content))
        }));
        Ok(())
    })?;
    let cells = load.select.exprs.len();
    let mut reading = FixedRows { quarantined, cells, seed: run.seed, fixed: Vec::new() };
    if reading.quarantined.is_empty() {
        return Ok(Vec::new());
    }
    for part in parts.iter().filter(|part| part.next_batch > 1) {
        let until = if part.done { part.until.as_ref() } else { part.last.as_ref() };
        source.reader()?.scan(&load.select, KeyRange { after: part.after.as_ref(), until }, &mut reading)?;
    }
    Ok(reading.fixed)
}

/// The content of a row when it was quarantined.
enum Content {
    /// A row with this fingerprint.
    Row(u64),
    /// A row that SQLite could not compute.
    Failed,
}

/// Compares quarantined rows with the source.
struct FixedRows {
    /// By the hash of the row's place.
    quarantined: HashMap<u64, Content>,
    cells: usize,
    seed: u64,
    fixed: Vec<Key>,
}

impl Sink for FixedRows {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let key = row.key();
        match self.quarantined.get(&xxh3_64(key.written().as_bytes())) {
            Some(Content::Row(then)) if *then == fingerprint(row, self.cells, self.seed) => {}
            Some(_) => self.fixed.push(key),
            None => {}
        }
        CONTINUE
    }

    fn failed(&mut self, key: Key, _: Failed) -> ControlFlow<()> {
        if let Some(Content::Row(_)) = self.quarantined.get(&xxh3_64(key.written().as_bytes())) {
            self.fixed.push(key);
        }
        CONTINUE
    }
}
