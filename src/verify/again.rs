//! Rows of the source as they were sent: encoded again with the ids that were drawn for them, without those that were set
//! aside or skipped, and with what stood in for orphans.
//!
//! All that the source alone does not say is the ledger's; only what a lookup finds is read from the target as it is now.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::row::{Notes, RowEncoder};
use crate::migrate::{StandIns, Stop, lookup};
use crate::model::key::{Key, KeyRange};
use crate::model::select::{Failed, Row, Sink};
use crate::pg::Session;
use crate::pg::ledger::PartDone;
use crate::plan::LoadPlan;
use crate::wire::digest::row_hash;

use super::table::Table;

/// Hears of each row: its cells, its image, its hash.
pub type EachRow<'f> = dyn FnMut(&dyn Row, &[u8], u128) + 'f;

impl Table<'_> {
    /// Every row that the source makes now: its image, its hash and its key in the source. Gives the number of rows that
    /// were read, those that were never sent among them.
    pub fn source(&self, session: &mut Session, row: &mut EachRow<'_>) -> Result<u64, Stop> {
        let mut read = 0;
        for load in &self.loads {
            read += self.load(load, None, session, row)?;
        }
        Ok(read)
    }

    /// The parts of a load that can be computed again each on its own; none where it takes all of them in turn.
    pub fn parts(&self, load: &LoadPlan) -> &[PartDone] {
        let parts = self.subject.done.get(&load.name).map(|d| d.parts.as_slice()).unwrap_or_default();
        if load.issued().is_empty() { parts } else { &[] }
    }

    /// The rows of one load, or of one part of it, as far as they were committed. Gives the number of rows that were read.
    pub fn load(
        &self,
        load: &LoadPlan,
        part: Option<&PartDone>,
        session: &mut Session,
        row: &mut EachRow<'_>,
    ) -> Result<u64, Stop> {
        let subject = self.subject;
        let binary = LoadPlan { as_text: false, ..load.clone() };
        let maps = lookup::again(session, subject.plan, &binary, subject.settled, subject.run.seed)?;
        let encoder = RowEncoder::new(&binary, subject.settled, &maps)
            .and_then(|encoder| encoder.proving(&binary, subject.settled, None, Some(&self.columns)))
            .map_err(Stop::Refused)?;
        let issued = load.issued();
        let ids = if issued.is_empty() {
            Vec::new()
        } else {
            session.issued_rows(subject.run.id, &load.name, None, issued.len())?
        };
        let reader = subject.source.reader()?;
        let mut again = Again {
            encoder,
            instead: StandIns::of(&binary, subject.settled).map_err(Stop::Refused)?,
            issued,
            ids,
            at: 0,
            read: 0,
            apart: Apart::of(load, part, session, subject.run.id)?,
            seed: subject.run.seed,
            bytes: Vec::new(),
            scratch: Vec::new(),
            notes: Notes::default(),
            row,
        };
        let all = subject.done.get(&load.name).map(|d| d.parts.as_slice()).unwrap_or_default();
        for part in part.map_or(all, std::slice::from_ref).iter().filter(|part| part.next_batch > 1) {
            let until = if part.done { part.until.as_ref() } else { part.last.as_ref() };
            reader.scan(&load.select, KeyRange { after: part.after.as_ref(), until }, &mut again)?;
        }
        Ok(again.read)
    }
}

/// Rows that are not on the target as the source alone says, by hashes of their places in the source: some 16 bytes a row.
/// Two places of one hash would show as a difference, never hide one.
#[derive(Default)]
struct Apart {
    set_aside: HashSet<u64>,
    skipped: HashSet<u64>,
    /// The columns, by place in the load, in which something stands for an orphan.
    orphans: HashMap<u64, Vec<usize>>,
}

impl Apart {
    fn of(load: &LoadPlan, part: Option<&PartDone>, session: &mut Session, run: i64) -> Result<Apart, Stop> {
        let hash = |at: &str| xxh3_64(at.as_bytes());
        let set_aside = session.set_aside_rows(run, &load.name)?.iter().map(|at| hash(at)).collect();
        let mut apart = Apart { set_aside, ..Apart::default() };
        session.deviations(run, (&load.name, part.map(|p| p.part)), &mut |row| match &row.orphan {
            None => {
                apart.skipped.insert(hash(&row.at));
            }
            Some(orphan) => {
                let place = load.columns.iter().position(|c| c.name == *orphan);
                apart.orphans.entry(hash(&row.at)).or_default().extend(place);
            }
        })?;
        Ok(apart)
    }

    fn is_empty(&self) -> bool {
        self.set_aside.is_empty() && self.skipped.is_empty() && self.orphans.is_empty()
    }
}

/// Encodes rows again as they were sent.
struct Again<'r> {
    encoder: RowEncoder,
    instead: StandIns,
    issued: Vec<usize>,
    /// The ids of each row for which some were drawn, in order.
    ids: Vec<Vec<i64>>,
    at: usize,
    read: u64,
    apart: Apart,
    seed: u64,
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    notes: Notes,
    row: &'r mut EachRow<'r>,
}

impl Again<'_> {
    /// Whether the row was sent, the places in it that ids were drawn for filled.
    fn was_sent(&mut self, row: &dyn Row) -> bool {
        let mut skipped = false;
        if !self.apart.is_empty() {
            let at = xxh3_64(row.key().written().as_bytes());
            if self.apart.set_aside.contains(&at) {
                return false;
            }
            skipped = self.apart.skipped.contains(&at);
            for place in self.apart.orphans.get(&at).into_iter().flatten() {
                self.instead.put(*place, &mut self.bytes, &mut self.notes);
            }
        }
        // Ids were drawn for rows that were skipped as well.
        if let Some(ids) = self.ids.get(self.at) {
            for (n, at) in self.notes.slots.iter().enumerate() {
                if let Some(id) = ids.get(n) {
                    // An id went into its column once; it does again.
                    let _ = self.encoder.fill(self.issued[n], *id, *at, &mut self.bytes);
                }
            }
            self.at += 1;
        }
        !skipped
    }
}

impl Sink for Again<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.read += 1;
        self.bytes.clear();
        if self.encoder.encode(row, &mut self.bytes, &mut self.notes) && self.was_sent(row) {
            let image = self.encoder.image(&self.bytes, &mut self.scratch);
            let hash = row_hash(image, self.seed);
            (self.row)(row, image, hash);
        }
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        self.read += 1;
        ControlFlow::Continue(())
    }
}
