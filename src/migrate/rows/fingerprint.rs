//! What a row that is set aside held when it was read: a hash, kept with its faults in the ledger, by which a later reading
//! knows whether the row was mended since.

use std::collections::HashMap;
use std::ops::ControlFlow;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::model::cell::Raw;
use crate::model::fault::Reason;
use crate::model::key::{Key, KeyRange, RunId};
use crate::model::ledger::PartDone;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::Session;
use crate::plan::LoadPlan;
use crate::sqlite::Source;

use crate::job::Stop;
use crate::migrate::rows::batch::Batch;
use crate::model::select::CONTINUE;

/// Takes a row of a load into a batch; faults that are found in it bear what it held.
pub fn take(batch: &mut Batch<'_>, row: &dyn Row, load: &LoadPlan, seed: u64) {
    let before = batch.faults.len();
    batch.row(row);
    if batch.faults.len() > before {
        let seen = hash(row, load.select.exprs.len(), seed);
        batch.faults[before..].iter_mut().for_each(|fault| fault.seen = Some(seen));
    }
}

fn hash(row: &dyn Row, cells: usize, seed: u64) -> u64 {
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

/// The rows of a load that were set aside and are others in the source now: their places, in its order.
///
/// # Errors
/// When the source cannot be read, or the target refuses or is gone.
pub fn mended(
    source: &Source,
    session: &mut Session,
    (load, parts): (&LoadPlan, &[PartDone]),
    run: RunId,
) -> Result<Vec<Key>, Stop> {
    let mut then = HashMap::new();
    session.faults::<Stop>(run.id, &load.name, &mut |some| {
        then.extend(some.iter().filter_map(|fault| {
            let held = match (fault.seen, fault.record.reason) {
                (Some(seen), _) => Held::Row(seen),
                (None, Reason::SqlFailed) => Held::Failed,
                // An older ledger does not say.
                (None, _) => return None,
            };
            Some((xxh3_64(fault.at.as_bytes()), held))
        }));
        Ok(())
    })?;
    let mut again = Again { then, cells: load.select.exprs.len(), seed: run.seed, mended: Vec::new() };
    if again.then.is_empty() {
        return Ok(Vec::new());
    }
    for part in parts.iter().filter(|part| part.next_batch > 1) {
        let until = if part.done { part.until.as_ref() } else { part.last.as_ref() };
        source.reader()?.scan(&load.select, KeyRange { after: part.after.as_ref(), until }, &mut again)?;
    }
    Ok(again.mended)
}

/// What a row was when it was set aside.
enum Held {
    /// A row with these contents.
    Row(u64),
    /// One that SQLite could not compute.
    Failed,
}

struct Again {
    /// By hash of its place.
    then: HashMap<u64, Held>,
    cells: usize,
    seed: u64,
    mended: Vec<Key>,
}

impl Sink for Again {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let key = row.key();
        match self.then.get(&xxh3_64(key.written().as_bytes())) {
            Some(Held::Row(seen)) if *seen == hash(row, self.cells, self.seed) => {}
            Some(_) => self.mended.push(key),
            None => {}
        }
        CONTINUE
    }

    fn failed(&mut self, key: Key, _: Failed) -> ControlFlow<()> {
        if let Some(Held::Row(_)) = self.then.get(&xxh3_64(key.written().as_bytes())) {
            self.mended.push(key);
        }
        CONTINUE
    }
}
