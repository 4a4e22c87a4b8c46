//! Orphans: rows that refer to a row that is not there. Found while reading, against the parents' keys; where the mapping
//! says `if_orphan`, its value stands in and is counted.
//!
//! What this does not follow (types that bytes do not compare) stays the server's foreign key to refuse.

use crate::convert::{Converter, Settled};
use crate::model::cell::Cell;
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::key::Key;
use crate::model::record::Refusal;
use crate::plan::{ColumnPlan, Comparison, Feed, LoadPlan, Reference, references};
use crate::wire::binary;

use crate::convert::row::{Maps, Notes, RowEncoder};
use crate::model::schema::TargetSchema;
use crate::model::select::Row;

use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::keyset::field;
use crate::migrate::rows::keyset::key;

/// A key that children refer to: the parent's table and columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferencedKey {
    pub table: String,
    pub columns: Vec<String>,
    pub compared: Vec<Comparison>,
}

impl ReferencedKey {
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
    /// For each of its columns, the wire bytes that stand in for an orphan.
    instead: Vec<Option<StandIn>>,
}

struct StandIn {
    bytes: Vec<u8>,
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

/// What stands for orphans in the columns of a load, to compute rows again as they were sent.
pub struct StandIns(Vec<Option<StandIn>>);

impl StandIns {
    /// Prepares them.
    ///
    /// # Errors
    /// A refusal for an `if_orphan` that does not fit its column.
    pub fn of(load: &LoadPlan, settled: &Settled) -> Result<StandIns, Vec<Refusal>> {
        load.columns.iter().map(|column| StandIn::of(load, column, settled)).collect::<Result<_, _>>().map(StandIns)
    }

    /// Puts what stands in the column at this place into the row that these bytes are.
    pub fn put(&self, place: usize, bytes: &mut Vec<u8>, notes: &mut Notes) {
        if let Some(instead) = self.0.get(place).and_then(Option::as_ref) {
            replace(bytes, 0, place, &instead.bytes, notes);
        }
    }
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingParent {
    /// The column; none where several are the reference.
    pub column: Option<usize>,
    pub reason: Reason,
    /// The constraint.
    pub link: String,
    /// Load and place of the refused parent.
    pub parent: Option<(String, Key)>,
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
        let instead = link.columns.iter().map(|place| StandIn::of(load, &load.columns[*place], settled));
        let instead = instead.collect::<Result<_, _>>()?;
        Ok(Guard { link, keys, instead })
    }

    /// Judges the row whose image begins at `start`; puts in what stands for an orphan.
    pub fn judge(&self, bytes: &mut Vec<u8>, start: usize, notes: &mut Notes) -> Option<MissingParent> {
        let missing = self.missing(&bytes[start..])?;
        if missing.reason == Reason::ParentRefused || self.instead.iter().all(Option::is_none) {
            return Some(missing);
        }
        for (place, instead) in self.link.columns.iter().zip(&self.instead) {
            let Some(instead) = instead else { continue };
            if instead.not_null {
                return Some(MissingParent { reason: Reason::NullInNotNull, ..missing });
            }
            replace(bytes, start, *place, &instead.bytes, notes);
            let mut loss = LossSet::default();
            loss.add(Loss::IfOrphan);
            notes.losses.push((*place, loss));
        }
        self.missing(&bytes[start..])
    }

    fn missing(&self, image: &[u8]) -> Option<MissingParent> {
        if self.keys.unknown {
            return None;
        }
        let key = self.key(image)?;
        if self.keys.present.contains(key) {
            return None;
        }
        let reason = if self.keys.is_refused(key) { Reason::ParentRefused } else { Reason::Orphan };
        Some(self.because(reason, self.keys.place(key)))
    }

    /// Says that what it refers to is missing.
    pub fn because(&self, reason: Reason, parent: Option<(String, Key)>) -> MissingParent {
        let column = if let [only] = self.link.columns.as_slice() { Some(*only) } else { None };
        MissingParent { column, reason, link: self.link.name.clone(), parent }
    }

    /// What the row refers to.
    pub fn key(&self, image: &[u8]) -> Option<u64> {
        key(image, &self.link.columns, &self.link.compared)
    }

    /// The constraint.
    pub fn name(&self) -> &str {
        &self.link.name
    }

    /// Whether its rows refer to rows of the table `table`, by this key.
    pub fn ends_at(&self, referred: &ReferencedKey) -> bool {
        ReferencedKey::by(&self.link) == *referred
    }

    /// Whether what this key says is there, or will be.
    pub fn expects(&self, key: u64) -> bool {
        self.keys.present.contains(key)
    }
}

/// Puts other bytes in place of a field; places of issued ids behind it move along.
fn replace(bytes: &mut Vec<u8>, start: usize, n: usize, with: &[u8], notes: &mut Notes) {
    let Some((at, length)) = field(&bytes[start..], n) else { return };
    let (from, to) = (start + at - 4, start + at + length.unwrap_or(0));
    bytes.splice(from..to, with.iter().copied());
    for slot in notes.slots.iter_mut().filter(|slot| **slot >= to) {
        *slot = *slot + with.len() - (to - from);
    }
}

/// Takes the keys of a load's own rows: of those that go, and of those that were refused.
pub struct OwnKeys {
    pub referred: ReferencedKey,
    /// Places of the key's columns in the load; none where the server makes one of them.
    columns: Option<Vec<usize>>,
    /// Encodes the key's columns alone, for rows that are refused for another one's sake.
    encoder: Option<RowEncoder>,
}

impl OwnKeys {
    /// The keys of this load that other loads, or its own rows, refer to.
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
            RowEncoder::new(&LoadPlan { columns, ..load.clone() }, settled, &Maps::new()).ok()
        });
        OwnKeys { referred: referred.clone(), columns, encoder }
    }

    /// Whether the keys of this load's rows are known while reading.
    pub fn is_known(&self) -> bool {
        self.columns.is_some()
    }

    /// The key of a row that goes.
    pub fn of_image(&self, image: &[u8]) -> Option<u64> {
        key(image, self.columns.as_ref()?, &self.referred.compared)
    }

    /// The key of a row that was refused.
    pub fn of_row(&self, row: &dyn Row, scratch: &mut Vec<u8>, notes: &mut Notes) -> Option<u64> {
        scratch.clear();
        if !self.encoder.as_ref()?.encode(row, scratch, notes) {
            return None;
        }
        let places: Vec<usize> = (0..self.referred.columns.len()).collect();
        key(scratch, &places, &self.referred.compared)
    }
}

/// Everything that any of these loads refers to.
pub fn referenced_keys(loads: &[&LoadPlan], target: &TargetSchema) -> Vec<ReferencedKey> {
    let mut all: Vec<ReferencedKey> =
        loads.iter().flat_map(|load| references(load, target)).map(|l| ReferencedKey::by(&l)).collect();
    all.sort();
    all.dedup();
    all
}
