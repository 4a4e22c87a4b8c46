//! Recomputes the rows that a run sent, from the source and the ledger.
//!
//! The ledger supplies everything that the source cannot: the ids drawn for a row, the rows that were quarantined or skipped,
//! and the values that replaced orphaned references. Only lookup answers are read from the target as it is now.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::StandIns;
use crate::model::digest::{Digest, row_hash};
use crate::model::fault::Loss;
use crate::model::key::Key;
use crate::model::ledger::{LossSum, PartDone};
use crate::model::select::{Failed, Row, Sink};
use crate::pg::Session;
use crate::plan::LoadPlan;
use crate::wire::widen::{Widening, widen};

use super::table::VerifiedTable;

/// The outcome of recomputing rows.
#[derive(Clone, Debug, Default)]
pub struct Recomputed {
    /// The number of rows read, including rows that were never sent.
    pub read: u64,
    /// The digest of the rows as they were sent. Empty unless columns of the table were changed since.
    pub as_sent: Digest,
}

impl Recomputed {
    fn merge(&mut self, other: &Recomputed) {
        self.read += other.read;
        self.as_sent.merge(&other.as_sent);
    }
}

/// Receives each recomputed row: its cells, its image in the form of the columns now, and the image's hash.
pub type EachRow<'f> = dyn FnMut(&dyn Row, &[u8], u128) + 'f;

impl VerifiedTable<'_> {
    /// Recomputes every row that was sent to the table.
    pub fn source(&self, session: &mut Session, row: &mut EachRow<'_>) -> Result<Recomputed, Stop> {
        let mut all = Recomputed::default();
        for load in &self.loads {
            all.merge(&self.load(load, None, session, row)?);
        }
        Ok(all)
    }

    /// The parts of a load that can be recomputed independently. Empty if the parts must be recomputed in order, since ids
    /// were drawn for the rows.
    pub fn parts(&self, load: &LoadPlan) -> &[PartDone] {
        if load.issued().is_empty() { self.all_parts(load) } else { &[] }
    }

    fn all_parts(&self, load: &LoadPlan) -> &[PartDone] {
        self.subject.done.get(&load.name).map(|done| done.parts.as_slice()).unwrap_or_default()
    }

    /// Recomputes the committed rows of a load, or of one part of it.
    pub fn load(
        &self,
        load: &LoadPlan,
        part: Option<&PartDone>,
        session: &mut Session,
        row: &mut EachRow<'_>,
    ) -> Result<Recomputed, Stop> {
        let subject = self.subject;
        let binary = LoadPlan { as_text: false, ..load.clone() };
        let maps = subject.maps.of(session, load)?;
        let encoder = RowEncoder::new(&binary, subject.settled, &maps)
            .and_then(|encoder| encoder.proving(&binary, subject.settled, None, Some(&self.sent_columns)))
            .map_err(Stop::Refused)?;
        let issued = load.issued();
        let ids = if issued.is_empty() {
            Vec::new()
        } else {
            session.issued_rows(subject.run.id, &load.name, None, issued.len())?
        };
        let reader = subject.source.reader()?;
        let mut sent = SentRows {
            encoder,
            stand_ins: StandIns::of(&binary, subject.settled).map_err(Stop::Refused)?,
            issued,
            ids,
            next_ids: 0,
            recomputed: Recomputed::default(),
            fields: self.altered.fields.as_deref(),
            run_seed: subject.run.seed,
            deviations: self.deviations(load, part, session)?,
            seed: self.seed,
            bytes: Vec::new(),
            scratch: Vec::new(),
            widened: Vec::new(),
            notes: Notes::default(),
            row,
        };
        let parts = part.map_or(self.all_parts(load), std::slice::from_ref);
        for committed in parts.iter().filter_map(PartDone::committed) {
            reader.scan(&load.select, committed, &mut sent)?;
        }
        Ok(sent.recomputed)
    }
}

impl VerifiedTable<'_> {
    /// The deviations of a load. The ledger is asked only if the sums of the load's batches contain any.
    fn deviations(&self, load: &LoadPlan, part: Option<&PartDone>, session: &mut Session) -> Result<Deviations, Stop> {
        let sums = self.subject.sums(&load.name);
        let replaced = |loss: &LossSum| loss.modifier == Loss::IfOrphan.word();
        if sums.faults + sums.skipped == 0 && !sums.losses.iter().any(replaced) {
            return Ok(Deviations::default());
        }
        Deviations::read(load, part, session, self.subject.run.id)
    }
}

/// Rows that were not sent as the source alone determines, by hashes of their keys, about 16 bytes per row.
/// A collision of two hashes causes a reported difference. It never hides one.
#[derive(Default)]
struct Deviations {
    quarantined: HashSet<u64>,
    skipped: HashSet<u64>,
    /// The columns, by index in the load, in which a value replaced an orphaned reference.
    orphans: HashMap<u64, Vec<usize>>,
}

impl Deviations {
    fn read(load: &LoadPlan, part: Option<&PartDone>, session: &mut Session, run: i64) -> Result<Deviations, Stop> {
        let hash = |at: &str| xxh3_64(at.as_bytes());
        let quarantined = session.quarantined_rows(run, &load.name)?.iter().map(|at| hash(at)).collect();
        let mut deviations = Deviations { quarantined, ..Deviations::default() };
        session.deviations(run, &load.name, part.map(|p| p.part), &mut |row| match &row.orphan {
            None => {
                deviations.skipped.insert(hash(&row.at));
            }
            Some(orphan) => {
                let column = load.columns.iter().position(|c| c.name == *orphan);
                deviations.orphans.entry(hash(&row.at)).or_default().extend(column);
            }
        })?;
        Ok(deviations)
    }

    fn is_empty(&self) -> bool {
        self.quarantined.is_empty() && self.skipped.is_empty() && self.orphans.is_empty()
    }
}

/// Encodes rows as they were sent.
struct SentRows<'r> {
    encoder: RowEncoder,
    stand_ins: StandIns,
    issued: Vec<usize>,
    /// The ids of each row for which ids were drawn, in the order of the rows.
    ids: Vec<Vec<i64>>,
    /// The index in `ids` of the next row.
    next_ids: usize,
    recomputed: Recomputed,
    /// The fields that are compared, if columns of the table were changed since.
    fields: Option<&'r [(usize, Widening)]>,
    run_seed: u64,
    deviations: Deviations,
    seed: u64,
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    widened: Vec<u8>,
    notes: Notes,
    row: &'r mut EachRow<'r>,
}

impl SentRows<'_> {
    /// Applies the deviations and the drawn ids to the encoded row. Returns true if the row was sent.
    fn complete(&mut self, row: &dyn Row) -> bool {
        let mut skipped = false;
        if !self.deviations.is_empty() {
            let at = xxh3_64(row.key().written().as_bytes());
            if self.deviations.quarantined.contains(&at) {
                return false;
            }
            skipped = self.deviations.skipped.contains(&at);
            for column in self.deviations.orphans.get(&at).into_iter().flatten() {
                self.stand_ins.put(*column, 0, &mut self.bytes, &mut self.notes);
            }
        }
        // Ids were drawn for skipped rows as well.
        if let Some(ids) = self.ids.get(self.next_ids) {
            for (n, at) in self.notes.slots.iter().enumerate() {
                if let Some(id) = ids.get(n) {
                    // The id fitted into its column when it was drawn.
                    let _ = self.encoder.fill(self.issued[n], *id, *at, &mut self.bytes);
                }
            }
            self.next_ids += 1;
        }
        !skipped
    }
}

impl Sink for SentRows<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.recomputed.read += 1;
        self.bytes.clear();
        if self.encoder.encode(row, &mut self.bytes, &mut self.notes) && self.complete(row) {
            let mut image = self.encoder.image(&self.bytes, &mut self.scratch);
            if let Some(fields) = self.fields {
                self.recomputed.as_sent.add(row_hash(image, self.run_seed));
                self.widened.clear();
                widen(image, fields, &mut self.widened);
                image = &self.widened;
            }
            (self.row)(row, image, row_hash(image, self.seed));
        }
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        self.recomputed.read += 1;
        ControlFlow::Continue(())
    }
}
