//! Lookups in memory: the map from keys to answers, and the search for the key of a row.
//!
//! Keys are compared as the bytes of binary COPY, on both sides. The caller supplies the rows of the map.

use std::collections::HashMap;
use std::sync::Arc;

use super::converter::{Converter, RuleError};
use super::settled::Settled;
use crate::model::cell::{Cell, Raw, RawBuf};
use crate::model::digest::{Digest, row_hash};
use crate::model::fault::{LossSet, Reason};
use crate::model::key::Key;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::Value;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, LookupPlan, PlannedStep};
use crate::wire::{binary, image, text};

/// The limit of memory for the keys and answers of one lookup.
pub const MOST_BYTES: usize = 64 << 20;

/// The number of quarantined rows that a lookup remembers, about 200 bytes each. Children of further quarantined rows
/// count as missing.
const MOST_PARENTS: usize = 50_000;

/// The memory that an entry needs in addition to its bytes: the box, the answer and the slack of the table.
const ENTRY: usize = 64;

/// Keys and answers of one lookup, read from the target once.
pub struct LookupMap {
    steps: Vec<HashMap<Box<[u8]>, Answer>>,
    answers: Vec<Result<Box<[u8]>, Reason>>,
    /// For each step, the keys of quarantined rows, with their index in `parents`.
    refused: Vec<HashMap<Box<[u8]>, u32>>,
    parents: Vec<(Arc<str>, Key)>,
    /// Digest of every row that was read, for all steps. A later reading is compared with it.
    pub digest: Digest,
}

#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// The index of the only answer.
    One(u32),
    /// Several distinct answers.
    Several,
}

/// Builds a [`LookupMap`] from rows of binary COPY: the fields of the key, then the value that is taken.
pub struct MapBuilder<'a> {
    plan: &'a LookupPlan,
    converter: Converter,
    as_text: bool,
    known: HashMap<Box<[u8]>, u32>,
    map: LookupMap,
    /// Memory that all rows need. Counting continues beyond the limit, so that the refusal can state the total.
    pub bytes: usize,
    /// Rows read.
    pub rows: u64,
}

impl<'a> MapBuilder<'a> {
    /// Creates an empty map. `as_text` is true if the load uses text COPY.
    ///
    /// # Errors
    /// A constant of the column's modifiers that does not fit.
    pub fn new(
        column: &ColumnPlan,
        plan: &'a LookupPlan,
        as_text: bool,
        settled: &Settled,
    ) -> Result<MapBuilder<'a>, RuleError> {
        Ok(MapBuilder {
            plan,
            converter: Converter::new(&column.kind, &column.rules, settled)?,
            as_text,
            known: HashMap::new(),
            map: LookupMap {
                steps: plan.steps.iter().map(|_| HashMap::new()).collect(),
                answers: Vec::new(),
                refused: plan.steps.iter().map(|_| HashMap::new()).collect(),
                parents: Vec::new(),
                digest: Digest::default(),
            },
            bytes: 0,
            rows: 0,
        })
    }

    /// Adds a row of the n-th step. A row with a NULL in its key or answer is ignored.
    pub fn push(&mut self, n: usize, image: &[u8], seed: u64) {
        self.rows += 1;
        let (Some(step), Some(fields)) = (self.plan.steps.get(n), binary::fields(image)) else { return };
        let (Some(Some(taken)), true) = (fields.last(), fields.iter().all(Option::is_some)) else { return };
        let key = joined(step, &fields);
        let mut whole = vec![n as u8];
        whole.extend_from_slice(&key);
        whole.extend_from_slice(taken);
        self.map.digest.add(row_hash(&whole, seed));
        self.bytes += key.len() + ENTRY;
        if self.bytes > MOST_BYTES {
            return;
        }
        let answer = Answer::One(self.answer(taken));
        let found = self.map.steps[n].entry(key.into_boxed_slice()).or_insert(answer);
        if *found != answer {
            *found = Answer::Several;
        }
    }

    /// Records a quarantined row that the n-th step would have found by this key: its load and its own key.
    pub fn add_quarantined(&mut self, n: usize, key: &[u8], load: &Arc<str>, at: &Key) {
        let (Some(step), Some(fields)) = (self.plan.steps.get(n), binary::fields(key)) else { return };
        if self.map.parents.len() >= MOST_PARENTS || !fields.iter().all(Option::is_some) {
            return;
        }
        let place = self.map.parents.len() as u32;
        self.map.parents.push((Arc::clone(load), at.clone()));
        self.map.refused[n].insert(joined(step, &fields).into_boxed_slice(), place);
    }

    /// Returns the finished map.
    ///
    /// # Errors
    /// The memory that would be needed, if the map is too large.
    pub fn finish(self) -> Result<LookupMap, usize> {
        if self.bytes > MOST_BYTES { Err(self.bytes) } else { Ok(self.map) }
    }

    fn answer(&mut self, taken: &[u8]) -> u32 {
        if let Some(known) = self.known.get(taken) {
            return *known;
        }
        let at = self.map.answers.len() as u32;
        let raw = raw(&self.plan.take_kind, taken);
        let cell = self.converter.convert(raw.as_raw(), &mut LossSet::default());
        let field = cell.map(|cell| field(&cell, self.as_text));
        self.bytes += taken.len() * 2 + field.as_ref().map_or(0, |f| f.len()) + ENTRY;
        self.map.answers.push(field);
        self.known.insert(taken.into(), at);
        at
    }
}

impl LookupMap {
    /// Returns load and key of the n-th quarantined row.
    pub fn parent(&self, n: u32) -> Option<(String, Key)> {
        self.parents.get(n as usize).map(|(load, at)| (load.to_string(), at.clone()))
    }
}

/// Returns the concatenated fields of a key.
fn joined(step: &PlannedStep, fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut key = Vec::new();
    for (field, (_, kind)) in fields.iter().flatten().zip(&step.target) {
        key.extend_from_slice(&(field.len() as i32).to_be_bytes());
        let from = key.len();
        key.extend_from_slice(field);
        fold(step, kind, &mut key[from..]);
    }
    key
}

/// Returns a value of the server in the form that the source would store.
fn raw(kind: &ColumnType, bytes: &[u8]) -> RawBuf {
    let integer = |value: Option<i64>| value.map_or(RawBuf::Null, RawBuf::Integer);
    match kind.kind {
        Kind::Bool => integer(bytes.first().map(|b| i64::from(*b))),
        Kind::Int2 | Kind::Int4 | Kind::Int8 => integer(image::integer(bytes)),
        Kind::Uuid => bytes.try_into().map_or(RawBuf::Null, |b| RawBuf::text(text::literal(&Cell::Uuid(b)))),
        _ => RawBuf::Text(bytes.to_vec()),
    }
}

fn fold(step: &PlannedStep, kind: &ColumnType, bytes: &mut [u8]) {
    if step.nocase || kind.kind == Kind::Citext {
        bytes.make_ascii_lowercase();
    }
}

fn field(cell: &Cell<'_>, as_text: bool) -> Box<[u8]> {
    let mut out = Vec::new();
    if as_text {
        text::field(cell, &mut out);
    } else {
        binary::field(cell, &mut out);
    }
    out.into_boxed_slice()
}

/// The result of one row's lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupOutcome {
    /// The n-th step found an answer.
    Hit(usize),
    /// No step found an answer.
    Missing,
    /// Some step found several answers, and no step found a single one.
    Ambiguous,
    /// No step found an answer, and the key is that of the n-th quarantined row ([`LookupMap::parent`]).
    Quarantined(u32),
    /// The key was NULL, or the map is not known yet.
    Nothing,
}

/// The source side of a lookup: finds the answer for a row.
pub(super) struct RowLookup {
    steps: Vec<Vec<LookupKeyPart>>,
    ambiguous_is_fault: bool,
    /// The field that is sent if nothing was found. `None` makes it a fault.
    missing: Option<Box<[u8]>>,
    /// The field that is sent if the key is NULL.
    null: Result<Box<[u8]>, Reason>,
    /// The expression of the reference that a derived lookup follows.
    reference: Option<usize>,
}

struct LookupKeyPart {
    cell: usize,
    converter: Converter,
    nocase: bool,
}

/// The field that is sent for a row, or the reason why it cannot be; and the result to count.
pub(super) struct LookupAnswer<'m> {
    pub field: Result<&'m [u8], Reason>,
    pub outcome: LookupOutcome,
    /// The cell to which a fault refers.
    pub about: usize,
}

impl RowLookup {
    /// Prepares the converters of the keys and the field that is sent if nothing is found.
    pub(super) fn new(
        column: &ColumnPlan,
        plan: &LookupPlan,
        as_text: bool,
        settled: &Settled,
    ) -> Result<RowLookup, RuleError> {
        let own = Converter::new(&column.kind, &column.rules, settled)?;
        let part = |cell: usize, kind: &ColumnType, nocase: bool| {
            let converter = Converter::new(kind, &plan.rules, settled)?;
            Ok(LookupKeyPart { cell, converter, nocase: nocase || kind.kind == Kind::Citext })
        };
        let step = |step: &PlannedStep| {
            step.source.iter().zip(&step.target).map(|(cell, (_, kind))| part(*cell, kind, step.nocase)).collect()
        };
        let null = own.convert(Raw::Null, &mut LossSet::default());
        let null = match null {
            Ok(Cell::Null) if column.not_null => Err(Reason::NullInNotNull),
            cell => cell.map(|cell| field(&cell, as_text)),
        };
        let missing = match &plan.missing {
            Value::Fault => None,
            Value::Null => null.clone().ok(),
            value => Some(field(&own.constant(value)?, as_text)),
        };
        Ok(RowLookup {
            steps: plan.steps.iter().map(step).collect::<Result<_, RuleError>>()?,
            ambiguous_is_fault: plan.ambiguous_is_fault,
            missing,
            null,
            reference: plan.reference,
        })
    }

    /// Tries the steps in order. A step with a NULL in its key is skipped. If all steps are skipped, the answer is
    /// NULL.
    pub(super) fn find<'m>(&'m self, map: &'m LookupMap, row: &dyn Row, key: &mut Vec<u8>) -> LookupAnswer<'m> {
        let (mut tried, mut several, mut refused) = (None, false, None);
        for (n, step) in self.steps.iter().enumerate() {
            match self.key(step, row, key) {
                // The source has no row to which the value refers.
                RowKey::Null if self.refers(row) => tried = tried.or(step.first()),
                RowKey::Null => continue,
                RowKey::Unfit => tried = tried.or(step.first()),
                RowKey::Known => {
                    tried = tried.or(step.first());
                    match map.steps[n].get(key.as_slice()) {
                        Some(Answer::One(at)) => {
                            let answer = &map.answers[*at as usize];
                            let field = answer.as_ref().map(|f| f.as_ref()).map_err(|reason| *reason);
                            return LookupAnswer { field, outcome: LookupOutcome::Hit(n), about: step[0].cell };
                        }
                        Some(Answer::Several) if self.ambiguous_is_fault => {
                            let field = Err(Reason::LookupAmbiguous);
                            return LookupAnswer { field, outcome: LookupOutcome::Ambiguous, about: step[0].cell };
                        }
                        Some(Answer::Several) => several = true,
                        None => {
                            let found = map.refused[n].get(key.as_slice());
                            refused = refused.or(found.map(|at| (*at, step[0].cell)));
                        }
                    }
                }
            }
        }
        let Some(first) = tried else {
            let field = self.null.as_ref().map(|f| f.as_ref()).map_err(|reason| *reason);
            return LookupAnswer { field, outcome: LookupOutcome::Nothing, about: 0 };
        };
        // This takes precedence over the value for missing keys: the parent is known, and it was not loaded.
        if let Some((at, about)) = refused {
            return LookupAnswer { field: Err(Reason::ParentRefused), outcome: LookupOutcome::Quarantined(at), about };
        }
        let reason = match (several, self.reference) {
            (true, _) => Reason::LookupAmbiguous,
            (false, Some(_)) => Reason::Orphan,
            (false, None) => Reason::LookupMissing,
        };
        let outcome = if several { LookupOutcome::Ambiguous } else { LookupOutcome::Missing };
        LookupAnswer { field: self.missing.as_deref().ok_or(reason), outcome, about: first.cell }
    }

    /// Returns true if the row refers to a row.
    fn refers(&self, row: &dyn Row) -> bool {
        self.reference.is_some_and(|at| !matches!(row.cell(at), Raw::Null))
    }

    /// Returns the expression of a reference to a row that the source does not have, before the map is known. `None` if the
    /// mapping has a value for it.
    pub(super) fn orphan(&self, row: &dyn Row) -> Option<usize> {
        let at = self.reference.filter(|_| self.missing.is_none() && self.refers(row))?;
        let is_missing = |step: &Vec<LookupKeyPart>| step.iter().any(|part| matches!(row.cell(part.cell), Raw::Null));
        self.steps.iter().all(is_missing).then_some(at)
    }

    fn key(&self, step: &[LookupKeyPart], row: &dyn Row, key: &mut Vec<u8>) -> RowKey {
        key.clear();
        let mut keyed = RowKey::Known;
        for part in step {
            let raw = row.cell(part.cell);
            if matches!(raw, Raw::Null) {
                return RowKey::Null;
            }
            match part.converter.convert(raw, &mut LossSet::default()) {
                Ok(cell) => {
                    let from = key.len() + 4;
                    binary::field(&cell, key);
                    if part.nocase {
                        key[from..].make_ascii_lowercase();
                    }
                }
                Err(_) => keyed = RowKey::Unfit,
            }
        }
        keyed
    }
}

enum RowKey {
    /// The key is in the buffer.
    Known,
    /// A part of the key is NULL.
    Null,
    /// The target's type cannot represent the key.
    Unfit,
}

#[cfg(test)]
mod tests;
