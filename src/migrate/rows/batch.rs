//! The rows of a batch in memory: their images, their faults, their losses.
//!
//! A batch knows no database. It can be sent, sent again, or dropped. Rows that only the server can refuse are noted by
//! their index among the rows read, and the batch is filled once more without them.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::convert::row::{Notes, RowEncoder};
use crate::job::Options;
use crate::mapping::OnFault;
use crate::migrate::rows::counts::BatchCounts;
use crate::migrate::rows::fingerprint::fingerprint;
use crate::migrate::rows::guard::{Guard, MissingParent};
use crate::migrate::rows::left_out::LeftOut;
use crate::migrate::rows::recorded_orphans::RecordedOrphans;
use crate::migrate::rows::self_references::SelfReferences;
use crate::model::digest::{Digest, row_hash};
use crate::model::fault::{ColumnFacts, Fault, Reason};
use crate::model::key::Key;
use crate::model::ledger::{Deviation, Sums};
use crate::model::pgtype::ColumnType;
use crate::model::record::FAULTS_LISTED;
use crate::model::select::{Failed, Row};
use crate::pg::Blame;
use crate::plan::{ColumnPlan, Feed, LoadPlan};

/// Memory of a fault until it is in the ledger, its line there included.
const FAULT_BYTES: usize = 1_024;

/// Factor on the bytes of a batch whose rows wait for later rows of the same table.
const PATIENCE: usize = 4;

/// Rows in memory.
pub struct Batch<'a> {
    /// The load of its rows.
    pub load: &'a LoadPlan,
    encoder: &'a RowEncoder,
    /// The guards of references.
    guards: &'a [Guard<'a>],
    /// References to rows of the same load. `None` if there are none.
    self_references: Option<SelfReferences>,
    /// The replaced references of rows that were written before. `None` if the guards decide.
    pub recorded: Option<&'a RecordedOrphans>,
    /// The seed of the fingerprints that faults get. `None` if they get none.
    fingerprint_seed: Option<u64>,
    notes: Notes,
    /// The images of the accepted rows, one after the other.
    pub bytes: Vec<u8>,
    /// The end of each image.
    ends: Vec<usize>,
    /// The index of each image's row among the rows read.
    places: Vec<u32>,
    /// Rows that the server refused, by the same index.
    refused_by_server: BTreeMap<u32, Blame>,
    /// Offsets of issued ids, row by row.
    slots: Vec<usize>,
    /// The key of the first row.
    pub first: Option<Key>,
    /// Number of rows read, including those at fault.
    pub read: u64,
    /// Number of refused rows.
    pub refused: u64,
    /// The faults of refused rows.
    pub faults: Vec<Fault>,
    /// The number of those that the mapping permits.
    pub left_out: LeftOut,
    /// Rows that were refused only while they were written: by the server, or because of a parent that it refused.
    pub unforeseen: Vec<Key>,
    counts: BatchCounts,
    /// Keys of the accepted rows, in a load that may skip some.
    keys: Vec<Key>,
    /// Rows with a value of `if_orphan`.
    orphans: Vec<Deviation>,
    /// Binary images of rows that are sent as text.
    images: ExtraImages,
}

/// Images in addition to the rows that are sent, their ends, and the offsets of issued ids.
#[derive(Default)]
struct ExtraImages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    notes: Notes,
    slots: Vec<usize>,
}

impl<'a> Batch<'a> {
    /// An empty batch of a load.
    pub fn new(load: &'a LoadPlan, encoder: &'a RowEncoder, guards: &'a [Guard<'a>]) -> Batch<'a> {
        Batch {
            load,
            encoder,
            guards,
            self_references: None,
            recorded: None,
            fingerprint_seed: None,
            notes: Notes::default(),
            bytes: Vec::new(),
            ends: Vec::new(),
            places: Vec::new(),
            refused_by_server: BTreeMap::new(),
            slots: Vec::new(),
            first: None,
            read: 0,
            refused: 0,
            faults: Vec::new(),
            left_out: LeftOut::default(),
            unforeseen: Vec::new(),
            counts: BatchCounts::new(load),
            keys: Vec::new(),
            orphans: Vec::new(),
            images: ExtraImages::default(),
        }
    }

    /// Tracks references to rows of the same load.
    pub fn with_self_references(self, self_references: Option<SelfReferences>) -> Batch<'a> {
        Batch { self_references, ..self }
    }

    /// Adds the fingerprint of the row to each fault.
    pub fn with_fingerprints(self, seed: u64) -> Batch<'a> {
        Batch { fingerprint_seed: Some(seed), ..self }
    }

    /// Adds one row. Its faults, if any, get its fingerprint.
    pub fn row(&mut self, row: &dyn Row) {
        let before = self.faults.len();
        self.encode(row);
        if let Some(seed) = self.fingerprint_seed.filter(|_| self.faults.len() > before) {
            let seen = fingerprint(row, self.load.select.exprs.len(), seed);
            self.faults[before..].iter_mut().for_each(|fault| fault.seen = Some(seen));
        }
    }

    fn encode(&mut self, row: &dyn Row) {
        let place = u32::try_from(self.read).unwrap_or(u32::MAX);
        self.read += 1;
        if self.first.is_none() {
            self.first = Some(row.key());
        }
        let start = self.bytes.len();
        if !self.encoder.encode(row, &mut self.bytes, &mut self.notes) {
            self.counts.add_lookups(self.load, &self.notes, false);
            return self.refuse(&row.key());
        }
        let notes = &mut self.notes;
        RecordedOrphans::put(self.recorded, row, start, &mut self.bytes, notes);
        let mut missing: Vec<MissingParent> =
            self.guards.iter().filter_map(|guard| guard.check(&mut self.bytes, start, notes)).collect();
        let blame = self.refused_by_server.get(&place).cloned();
        if let Some(self_references) = &mut self.self_references {
            if missing.is_empty() {
                missing = self_references.missing(self.guards, &self.bytes[start..]);
                self.unforeseen.extend((!missing.is_empty()).then(|| row.key()));
            }
            match missing.is_empty() && blame.is_none() {
                true => self_references.add_loaded(self.guards, &self.bytes[start..]),
                false => self_references.add_refused(&self.bytes[start..], &row.key()),
            }
        }
        if !missing.is_empty() {
            self.bytes.truncate(start);
            return self.refuse_orphan(row, missing);
        }
        if let Some(blame) = blame {
            self.bytes.truncate(start);
            self.unforeseen.push(row.key());
            return self.refuse_by_server(&row.key(), blame);
        }
        self.counts.add_lookups(self.load, &self.notes, true);
        self.ends.push(self.bytes.len());
        self.places.push(place);
        if self.load.conflict.is_some() {
            self.keys.push(row.key());
        }
        self.slots.extend_from_slice(&self.notes.slots);
        if let Some(encoder) = self.encoder.images() {
            encoder.encode(row, &mut self.images.bytes, &mut self.images.notes);
            self.images.ends.push(self.images.bytes.len());
            self.images.slots.extend_from_slice(&self.images.notes.slots);
        }
        if !self.notes.losses.is_empty() {
            self.counts.add_losses(self.load, &self.notes, &row.key(), &mut self.orphans);
        }
    }

    /// Returns the images of some rows, one after the other.
    pub fn images(&self, rows: Range<usize>) -> &[u8] {
        let start = rows.start.checked_sub(1).map_or(0, |n| self.ends[n]);
        let end = rows.end.checked_sub(1).map_or(0, |n| self.ends[n]);
        &self.bytes[start..end.max(start)]
    }

    /// Returns the index of a row among the rows read, which stays the same if the batch is filled again.
    pub fn place(&self, row: usize) -> u32 {
        self.places[row]
    }

    /// Returns the rows in an order in which they can be written one after the other, as units that cannot be split.
    pub fn units(&self) -> Vec<Vec<usize>> {
        let rows = 0..self.ends.len();
        match &self.self_references {
            None => rows.map(|row| vec![row]).collect(),
            Some(self_references) => {
                self_references.units(self.guards, &rows.map(|row| self.images(row..row + 1)).collect::<Vec<_>>())
            }
        }
    }

    /// Returns true if the row's parent under this constraint is a later row of the load that was not refused.
    pub fn comes_later(&self, row: usize, constraint: Option<&str>) -> bool {
        let image = self.images(row..row + 1);
        let expected = |guard: &&Guard<'_>| guard.key(image).is_some_and(|key| guard.expects(key));
        let mut meant = self.guards.iter().filter(|guard| Some(guard.name()) == constraint);
        self.self_references.is_some() && self.load.conflict.is_none() && meant.any(|guard| expected(&guard))
    }

    /// Returns true if, since the last call, a row was refused whose children may already have been read.
    pub fn refused_parents(&mut self) -> bool {
        self.self_references.as_mut().is_some_and(SelfReferences::refused_parents)
    }

    /// Notes that the server refused these rows, by their index among the images. Takes effect when the batch is filled
    /// again.
    pub fn refuse_rows(&mut self, rows: Vec<(usize, Blame)>) {
        for (row, blame) in rows {
            self.refused_by_server.insert(self.places[row], blame);
        }
    }

    /// Clears everything except the rows that the server refused. Returns the number of rows to read again.
    pub fn restart(&mut self) -> u64 {
        let (read, refused_by_server) = (self.read, std::mem::take(&mut self.refused_by_server));
        self.clear();
        self.refused_by_server = refused_by_server;
        read
    }

    /// Adds a row that SQLite could not compute.
    pub fn failed(&mut self, key: Key, failed: Failed) {
        self.read += 1;
        self.refused += 1;
        self.first.get_or_insert_with(|| key.clone());
        let reason = if failed.too_large { Reason::TooLarge } else { Reason::SqlFailed };
        let column = failed.expr.and_then(|n| self.load.columns.iter().find(|c| c.feed == Feed::Cell(n)));
        self.faults.push(Fault { column: column.map(|c| c.name.clone()), ..self.fault(&key, reason) });
    }

    /// Returns true if the batch is as large as it may be.
    pub fn is_full(&self, options: &Options) -> bool {
        let bytes = self.bytes.len() + self.faults.len() * FAULT_BYTES;
        let bears = match options.on_fault {
            OnFault::Abort => FAULTS_LISTED as u64,
            OnFault::Quarantine => options.max_faults.unwrap_or(u64::MAX),
        };
        let waits = self.self_references.as_ref().is_some_and(SelfReferences::waits)
            && bytes < options.batch_bytes.saturating_mul(PATIENCE);
        let is_large = bytes >= options.batch_bytes || self.read >= options.batch_rows;
        self.refused > bears || (is_large && !waits)
    }

    /// Returns the number of accepted rows.
    pub fn rows(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Returns the number of ids to draw for each issued column.
    pub fn ids_wanted(&self) -> usize {
        self.ends.len()
    }

    /// Writes drawn ids into the images: `ids[c][r]` is for the c-th issued column and the r-th row.
    ///
    /// # Errors
    /// The first id that does not fit its column.
    pub fn fill(&mut self, issued: &[usize], ids: &[Vec<i64>]) -> Result<(), i64> {
        for (n, at) in self.slots.iter().enumerate() {
            let (column, row) = (n % issued.len(), n / issued.len());
            self.encoder.fill(issued[column], ids[column][row], *at, &mut self.bytes)?;
        }
        if let Some(encoder) = self.encoder.images() {
            for (n, at) in self.images.slots.iter().enumerate() {
                let (column, row) = (n % issued.len(), n / issued.len());
                encoder.fill(issued[column], ids[column][row], *at, &mut self.images.bytes)?;
            }
        }
        Ok(())
    }

    /// Returns the sums of this batch without the skipped rows, which are given by index.
    pub fn sums(&self, skipped: &[usize], seed: u64) -> Sums {
        let mut digest = Digest::default();
        let (bytes, ends) = match self.encoder.images() {
            Some(_) => (&self.images.bytes, &self.images.ends),
            None => (&self.bytes, &self.ends),
        };
        let mut scratch = Vec::new();
        let mut start = 0;
        let mut skipping = skipped.iter().peekable();
        for (n, end) in ends.iter().enumerate() {
            if skipping.next_if(|s| **s == n).is_none() {
                digest.add(row_hash(self.encoder.image(&bytes[start..*end], &mut scratch), seed));
            }
            start = *end;
        }
        let written = self.rows() - skipped.len() as u64;
        Sums {
            read: self.read,
            written,
            skipped: skipped.len() as u64,
            faults: self.refused,
            digest,
            unreturned: written,
            losses: self.counts.losses.clone(),
            lookups: self.counts.lookups.clone(),
            ..Sums::default()
        }
    }

    /// The key of a row as reports show it. `None` if it is a value of the row.
    pub fn shown_key(&self, row: usize) -> Option<String> {
        self.keys.get(row).and_then(Key::as_rowid).map(|id| id.to_string())
    }

    /// Returns the rows whose target differs from the source: skipped rows, given by index, and values of `if_orphan`.
    pub fn deviations(&self, skipped: &[usize]) -> Vec<Deviation> {
        let skipped = skipped.iter().filter_map(|n| self.keys.get(*n));
        let skipped = skipped.map(|key| Deviation { at: key.written(), orphan: None });
        self.orphans.iter().cloned().chain(skipped).collect()
    }

    /// Returns counts and losses without a digest, for the preflight.
    pub fn counts(&self) -> Sums {
        Sums {
            read: self.read,
            written: self.rows(),
            faults: self.refused,
            losses: self.counts.losses.clone(),
            lookups: self.counts.lookups.clone(),
            ..Sums::default()
        }
    }

    /// Clears the images and keeps counts, faults and losses.
    pub fn forget_rows(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.places.clear();
        self.keys.clear();
        self.orphans.clear();
        self.slots.clear();
        self.images.bytes.clear();
        self.images.ends.clear();
        self.images.slots.clear();
    }

    /// Clears the batch and keeps its allocated memory.
    pub fn clear(&mut self) {
        self.forget_rows();
        self.self_references.iter_mut().for_each(SelfReferences::clear);
        self.refused_by_server.clear();
        self.first = None;
        self.read = 0;
        self.refused = 0;
        self.faults.clear();
        self.left_out = LeftOut::default();
        self.unforeseen.clear();
        self.counts.clear();
    }

    fn refuse(&mut self, key: &Key) {
        self.refused += 1;
        let first = self.faults.len();
        for n in 0..self.notes.faults.len() {
            let cell = self.notes.faults[n];
            let column = &self.load.columns[cell.column];
            let is_dropped = column.rules.drop_orphan && matches!(cell.reason, Reason::Orphan | Reason::ParentRefused);
            let reason = if is_dropped { Reason::OrphanDropped } else { cell.reason };
            let looked_up = self.notes.lookups.iter().find(|(column, _)| *column == cell.column);
            let fault = Fault {
                parent: looked_up.and_then(|(column, outcome)| self.encoder.parent(*column, *outcome)),
                column: Some(column.name.clone()),
                declared: column.declared.clone(),
                class: Some(cell.class),
                bytes: Some(cell.bytes),
                target_type: Some(shown(&column.kind)),
                detail: cell.detail(&column.kind),
                facts: facts(column),
                ..self.fault(key, reason)
            };
            self.faults.push(fault);
        }
        if self.left_out.add(&self.faults[first..])
            && let Some(column) = &self.faults[first].column
        {
            self.counts.add_dropped(column, key);
        }
    }

    /// Adds the faults of a row whose parents are missing.
    fn refuse_orphan(&mut self, row: &dyn Row, missing: Vec<MissingParent>) {
        self.refused += 1;
        let (key, first) = (row.key(), self.faults.len());
        let reference = missing[0].link.clone();
        for one in missing {
            let partly = if one.is_partly_null { ", MATCH FULL: some of its columns are NULL" } else { "" };
            let detail = Some(format!("constraint {}{partly}", one.link));
            let mut fault = Fault { detail, parent: one.parent, ..self.fault(&key, one.reason) };
            if let Some(column) = one.column.map(|n| &self.load.columns[n]) {
                fault.column = Some(column.name.clone());
                fault.declared = column.declared.clone();
                fault.target_type = Some(shown(&column.kind));
                fault.facts = facts(column);
                if let Feed::Cell(n) = column.feed {
                    fault.class = Some(row.cell(n).class());
                    fault.bytes = Some(row.cell(n).bytes());
                }
            }
            self.faults.push(fault);
        }
        if self.left_out.add(&self.faults[first..]) {
            let column = self.faults[first].column.as_deref();
            self.counts.add_dropped(column.unwrap_or(&reference), &key);
        }
    }

    /// Adds the fault of a row that the server refused.
    fn refuse_by_server(&mut self, key: &Key, blame: Blame) {
        self.refused += 1;
        let Blame { reason, column, detail, constraint } = blame;
        let sent = self.load.columns.iter().find(|sent| column.as_ref() == Some(&sent.name));
        let facts = sent.map_or(ColumnFacts { is_of_server: true, ..ColumnFacts::default() }, facts);
        let detail = Some(detail).filter(|detail| !detail.is_empty());
        self.faults.push(Fault { column, detail, constraint, facts, ..self.fault(key, reason) });
    }

    fn fault(&self, key: &Key, reason: Reason) -> Fault {
        Fault::of(&self.load.name, key, reason)
    }
}

fn shown(kind: &ColumnType) -> String {
    kind.shown().to_owned()
}

fn facts(column: &ColumnPlan) -> ColumnFacts {
    ColumnFacts { not_null: column.not_null, ..ColumnFacts::default() }
}
