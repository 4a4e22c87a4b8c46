//! Guards against orphans, which are rows that refer to a missing row. A guard compares each row with the keys of the
//! parents while reading. If the mapping has `if_orphan`, its value replaces the reference and is counted.
//!
//! References in types that are not compared by their bytes have no guard: the server's foreign key refuses those orphans.

use crate::convert::row::{Notes, RowEncoder};
use crate::convert::{Converter, Settled};
use crate::job::Stop;
use crate::migrate::rows::keyset::{KeySet, field, key};
use crate::model::cell::Cell;
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::key::Key;
use crate::model::ledger::IdRange;
use crate::model::record::Refusal;
use crate::model::schema::TargetSchema;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, Comparison, Feed, LoadPlan, Reference, references};
use crate::wire::binary;

/// A load, and what its rows are encoded with.
#[derive(Clone, Copy)]
pub struct EncodedLoad<'a> {
    /// The load.
    pub load: &'a LoadPlan,
    /// The encoder of its rows.
    pub encoder: &'a RowEncoder,
    /// Values that are the same for every row.
    pub settled: &'a Settled,
}

/// A key that rows refer to: the parent's table and columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferencedKey {
    /// The parent's table.
    pub table: String,
    /// The columns of the key.
    pub columns: Vec<String>,
    /// The comparison of each column.
    pub compared: Vec<Comparison>,
}

impl ReferencedKey {
    /// Returns the key that a reference ends at.
    pub fn by(link: &Reference) -> ReferencedKey {
        ReferencedKey {
            table: link.parent.clone(),
            columns: link.parent_columns.clone(),
            compared: link.compared.clone(),
        }
    }
}

/// One reference of a load, with the keys that it may end at.
pub struct Guard<'k> {
    link: Reference,
    keys: &'k KeySet,
    /// For each of its columns, the wire bytes that replace the reference of an orphan.
    stand_in: Vec<Option<StandIn>>,
    /// True if the mapping leaves out a row whose parent is missing.
    drops: bool,
}

/// The value of `if_orphan`.
struct StandIn {
    bytes: Vec<u8>,
    /// True if the value is NULL and the column does not allow it.
    not_null: bool,
}

impl StandIn {
    fn of(load: &LoadPlan, column: &ColumnPlan, settled: &Settled) -> Result<Option<StandIn>, Vec<Refusal>> {
        let Some(value) = column.rules.if_orphan.as_ref().filter(|_| matches!(column.feed, Feed::Cell(_))) else {
            return Ok(None);
        };
        let cell = Converter::new(&column.kind, &column.rules, settled).and_then(|c| c.constant(value));
        let cell = cell.map_err(|mistake| {
            let place = format!("load.{}.columns.{}", load.name, column.name);
            vec![Refusal::new(place, format!("if_orphan: {mistake}"), "Write a value that fits the column.")]
        })?;
        let mut bytes = Vec::new();
        binary::field(&cell, &mut bytes);
        Ok(Some(StandIn { bytes, not_null: column.not_null && matches!(cell, Cell::Null) }))
    }
}

/// The values of `if_orphan` by column of a load, to compute rows again as they were sent.
pub struct StandIns(Vec<Option<StandIn>>);

impl StandIns {
    /// Prepares the values of a load.
    ///
    /// # Errors
    /// A refusal for an `if_orphan` that does not fit its column.
    pub fn of(load: &LoadPlan, settled: &Settled) -> Result<StandIns, Vec<Refusal>> {
        load.columns.iter().map(|column| StandIn::of(load, column, settled)).collect::<Result<_, _>>().map(StandIns)
    }

    /// Replaces a column of the row whose image begins at `start` by the column's value of `if_orphan`.
    pub fn put(&self, place: usize, start: usize, bytes: &mut Vec<u8>, notes: &mut Notes) {
        if let Some(stand_in) = self.0.get(place).and_then(Option::as_ref) {
            replace(bytes, start, place, &stand_in.bytes, notes);
        }
    }
}

/// A reference that does not end at a row.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingParent {
    /// The index of its column. `None` if it has several.
    pub column: Option<usize>,
    /// The reason.
    pub reason: Reason,
    /// The name of the constraint.
    pub link: String,
    /// The load and key of the refused parent, if known.
    pub parent: Option<(String, Key)>,
    /// True if only some columns of a `MATCH FULL` key are NULL.
    pub is_partly_null: bool,
}

impl<'k> Guard<'k> {
    /// Prepares one reference.
    ///
    /// # Errors
    /// A refusal for an `if_orphan` that does not fit its column.
    pub fn new(
        load: &LoadPlan,
        link: Reference,
        keys: &'k KeySet,
        settled: &Settled,
    ) -> Result<Guard<'k>, Vec<Refusal>> {
        let stand_in = link.columns.iter().map(|place| StandIn::of(load, &load.columns[*place], settled));
        let stand_in = stand_in.collect::<Result<_, _>>()?;
        let drops = link.columns.iter().any(|place| load.columns[*place].rules.drop_orphan);
        Ok(Guard { link, keys, stand_in, drops })
    }

    /// Checks the row whose image begins at `start`, and replaces the reference of an orphan by the value of `if_orphan`.
    /// Returns `None` if the row can be loaded.
    pub fn check(&self, bytes: &mut Vec<u8>, start: usize, notes: &mut Notes) -> Option<MissingParent> {
        let missing = self.missing(&bytes[start..])?;
        if missing.reason != Reason::Orphan || self.stand_in.iter().all(Option::is_none) {
            return Some(missing);
        }
        for (place, stand_in) in self.link.columns.iter().zip(&self.stand_in) {
            let Some(stand_in) = stand_in else { continue };
            if stand_in.not_null {
                return Some(MissingParent { reason: Reason::NullInNotNull, ..missing });
            }
            replace(bytes, start, *place, &stand_in.bytes, notes);
            let mut loss = LossSet::default();
            loss.add(Loss::IfOrphan);
            notes.losses.push((*place, loss));
        }
        self.missing(&bytes[start..])
    }

    fn missing(&self, image: &[u8]) -> Option<MissingParent> {
        if self.link.match_full && self.is_partly_null(image) {
            // No parent is missing: the mapping leaves out orphans, not half a reference.
            return Some(MissingParent {
                is_partly_null: true,
                reason: Reason::Orphan,
                ..self.because(Reason::Orphan, None)
            });
        }
        if self.keys.unknown {
            let IdRange { first, last } = self.keys.range?;
            let key = self.key(image)?.cast_signed();
            return (key < first || key > last).then(|| self.because(Reason::Orphan, None));
        }
        let key = self.key(image)?;
        if self.keys.present.contains(key) {
            return None;
        }
        let reason = if self.keys.is_refused(key) { Reason::ParentRefused } else { Reason::Orphan };
        Some(self.because(reason, self.keys.place(key)))
    }

    /// Returns the missing parent of a row, with the reason. If the mapping leaves such rows out, the reason is this one.
    pub fn because(&self, reason: Reason, parent: Option<(String, Key)>) -> MissingParent {
        let reason = if self.drops { Reason::OrphanDropped } else { reason };
        let column = if let [only] = self.link.columns.as_slice() { Some(*only) } else { None };
        MissingParent { column, reason, link: self.link.name.clone(), parent, is_partly_null: false }
    }

    /// Returns true if some columns of the reference are NULL and others are not.
    fn is_partly_null(&self, image: &[u8]) -> bool {
        let is_null = |column: &usize| field(image, *column).is_none_or(|(_, length)| length.is_none());
        let nulls = self.link.columns.iter().filter(|column| is_null(column)).count();
        (1..self.link.columns.len()).contains(&nulls)
    }

    /// Returns the key that a row refers to.
    pub fn key(&self, image: &[u8]) -> Option<u64> {
        key(image, &self.link.columns, &self.link.compared)
    }

    /// Returns the name of the constraint.
    pub fn name(&self) -> &str {
        &self.link.name
    }

    /// Returns true if `if_orphan` replaces the reference of an orphan.
    pub fn replaces_orphans(&self) -> bool {
        self.stand_in.iter().any(Option::is_some) && !self.stand_in.iter().flatten().any(|stand_in| stand_in.not_null)
    }

    /// Returns true if the reference ends at this key.
    pub fn ends_at(&self, referred: &ReferencedKey) -> bool {
        ReferencedKey::by(&self.link) == *referred
    }

    /// Returns true if a row with this key exists on the target or will be loaded.
    pub fn expects(&self, key: u64) -> bool {
        self.keys.present.contains(key)
    }
}

/// Returns guards for references with their keys.
///
/// # Errors
/// A refusal for each value of `if_orphan` that does not fit its column.
pub fn guards<'k>(
    load: &LoadPlan,
    links: impl Iterator<Item = (&'k Reference, &'k KeySet)>,
    settled: &Settled,
) -> Result<Vec<Guard<'k>>, Stop> {
    links.map(|(link, keys)| Guard::new(load, link.clone(), keys, settled).map_err(Stop::Refused)).collect()
}

/// Replaces the n-th field of the image that begins at `start`, and moves the places of issued ids after it.
fn replace(bytes: &mut Vec<u8>, start: usize, n: usize, with: &[u8], notes: &mut Notes) {
    let Some((at, length)) = field(&bytes[start..], n) else { return };
    let (from, to) = (start + at - 4, start + at + length.unwrap_or(0));
    bytes.splice(from..to, with.iter().copied());
    for slot in notes.slots.iter_mut().filter(|slot| **slot >= to) {
        *slot = *slot + with.len() - (to - from);
    }
}

/// Reads one key of a load's own rows, of loaded rows and of refused rows.
pub struct OwnKeys {
    /// The key.
    pub referenced: ReferencedKey,
    /// The indexes of the key's columns among the load's columns. `None` if the server makes one of them.
    columns: Option<Vec<usize>>,
    /// The encoder of the key's columns alone, for refused rows whose key can be read.
    encoder: Option<RowEncoder>,
}

impl OwnKeys {
    /// Returns readers of the keys of this load's table that other loads, or its own rows, refer to.
    pub fn of(load: &LoadPlan, referred: &[ReferencedKey], settled: &Settled) -> Vec<OwnKeys> {
        referred.iter().filter(|r| r.table == load.table).map(|r| OwnKeys::one(load, r, settled)).collect()
    }

    fn one(load: &LoadPlan, referred: &ReferencedKey, settled: &Settled) -> OwnKeys {
        let place = |name: &String| {
            let found = load.columns.iter().position(|c| c.name == *name)?;
            matches!(load.columns[found].feed, Feed::Cell(_) | Feed::Constant(_)).then_some(found)
        };
        let columns: Option<Vec<usize>> =
            if load.as_text { None } else { referred.columns.iter().map(place).collect() };
        let encoder = columns.as_ref().and_then(|places| {
            let columns = places.iter().map(|n| load.columns[*n].clone()).collect();
            RowEncoder::project(load, columns, settled).ok()
        });
        OwnKeys { referenced: referred.clone(), columns, encoder }
    }

    /// Returns true if the keys of this load's rows are known while reading.
    pub fn is_known(&self) -> bool {
        self.columns.is_some()
    }

    /// Returns the key of a loaded row.
    pub fn of_image(&self, image: &[u8]) -> Option<u64> {
        key(image, self.columns.as_ref()?, &self.referenced.compared)
    }

    /// Returns the key of a refused row.
    pub fn of_row(&self, row: &dyn Row, scratch: &mut Vec<u8>, notes: &mut Notes) -> Option<u64> {
        scratch.clear();
        if !self.encoder.as_ref()?.encode(row, scratch, notes) {
            return None;
        }
        let places: Vec<usize> = (0..self.referenced.columns.len()).collect();
        key(scratch, &places, &self.referenced.compared)
    }
}

/// Returns all keys that these loads refer to.
pub fn referenced_keys(loads: &[&LoadPlan], target: &TargetSchema) -> Vec<ReferencedKey> {
    let mut all: Vec<ReferencedKey> =
        loads.iter().flat_map(|load| references(load, target)).map(|l| ReferencedKey::by(&l)).collect();
    all.sort();
    all.dedup();
    all
}
