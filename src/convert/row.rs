//! One row of a load: its raw cells become its wire image, or the faults that say why not.
//!
//! Reading ahead, loading and verifying all come through here, so they cannot disagree about a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::cell::{Cell, Raw, StorageClass};
use crate::model::fault::{LossSet, Reason};
use crate::model::key::Key;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::Refusal;
use crate::model::rules::Value;
use crate::model::select::Row;
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::wire::{binary, text};

use super::converter::{Converter, RuleError, constant_advice};
use super::json;
use super::lookup::{LookupMap, LookupOutcome, RowLookup};
use super::settled::Settled;

/// Width of an issued id's place in a text row: a sign and nineteen digits, which the server reads with leading zeros.
const TEXT_SLOT: usize = 20;

/// ColumnBytes of a row that the server can put together: its largest piece of memory, 1 GiB, less some room for headers. It would
/// end the statement with an internal error, or take the row in and not be able to give it back.
const MOST_ROW: usize = 0x3fff_0000;

/// Labels of an enum that a fault names; a label has at most 63 bytes.
const LABELS: usize = 8;

/// Encodes the rows of one load.
pub struct RowEncoder {
    columns: Vec<EncodedColumn>,
    as_text: bool,
    /// Makes the binary images of rows that go as text: digests are taken over images alone.
    images: Option<Box<RowEncoder>>,
    /// Of the table's image, the place of each column among this load's; none where they are the same.
    places: Option<Vec<Option<usize>>>,
}

struct EncodedColumn {
    not_null: bool,
    /// Added to its integers.
    shift: i64,
    feed: ColumnBytes,
}

enum ColumnBytes {
    /// The n-th cell of the row, converted.
    Cell(usize, Box<Converter>),
    /// The same bytes in every row.
    Fixed(Vec<u8>),
    /// A place for an id that is drawn later: its width in bytes.
    Slot(usize),
    /// Found in the target. Without a map, which is not known yet, its place is NULL and nothing is said.
    Lookup(Box<RowLookup>, Option<Arc<LookupMap>>),
}

/// The maps of a load's lookups, by column.
pub type Maps = BTreeMap<String, Arc<LookupMap>>;

/// One cell that cannot go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellFault {
    /// Its place among the load's columns.
    pub column: usize,
    /// Why.
    pub reason: Reason,
    /// Storage class of what was there.
    pub class: StorageClass,
    /// Its length.
    pub bytes: usize,
    /// The byte of a text from which on it is not what it must be, where there is one.
    pub place: Option<usize>,
}

impl CellFault {
    #[cold]
    fn of(column: usize, reason: Reason, raw: Raw<'_>) -> CellFault {
        let place = match (raw, reason) {
            (Raw::Text(text) | Raw::Blob(text), Reason::NotUtf8) => {
                std::str::from_utf8(text).err().map(|error| error.valid_up_to())
            }
            (Raw::Text(text), Reason::NulInText) => text.iter().position(|byte| *byte == 0),
            (
                Raw::Text(text) | Raw::Blob(text),
                Reason::InvalidJson | Reason::NulInJson | Reason::LoneSurrogate | Reason::JsonNumber,
            ) => json::check(text, true).err().filter(|flaw| flaw.reason == reason).map(|flaw| flaw.position),
            _ => None,
        };
        CellFault { column, reason, class: raw.class(), bytes: raw.bytes(), place }
    }

    /// Where a text goes wrong, or which labels its column has; nothing of the value.
    pub fn detail(&self, kind: &ColumnType) -> Option<String> {
        match &kind.kind {
            Kind::Array(element) => self.detail(element),
            Kind::Enum { labels } if self.reason == Reason::UnknownLabel => {
                let (first, rest) = labels.split_at(labels.len().min(LABELS));
                let more = if rest.is_empty() { "" } else { ", ..." };
                Some(format!("its labels are {}{more}", first.join(", ")))
            }
            _ => self.place.map(|byte| format!("at byte {byte}")),
        }
    }
}

/// What was noticed in one row. Cleared before each.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Cells that cannot go; the row is not encoded when there is one.
    pub faults: Vec<CellFault>,
    /// Losses by place of the column.
    pub losses: Vec<(usize, LossSet)>,
    /// Where in the output issued ids have their places.
    pub slots: Vec<usize>,
    /// What became of lookups, by place of the column.
    pub lookups: Vec<(usize, LookupOutcome)>,
    /// The key of a lookup while it is put together.
    key: Vec<u8>,
}

impl RowEncoder {
    /// Prepares the columns of a load. Constants are converted once, here.
    ///
    /// # Errors
    /// A refusal for every constant of the mapping that does not fit its column.
    pub fn new(load: &LoadPlan, settled: &Settled, maps: &Maps) -> Result<RowEncoder, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut columns = Vec::new();
        for column in &load.columns {
            match prepare(column, settled, load.as_text, maps) {
                Ok(feed) => {
                    let shift = column.shift.as_ref().and_then(|table| settled.shifts.get(table));
                    columns.push(EncodedColumn { not_null: column.not_null, shift: shift.copied().unwrap_or(0), feed });
                }
                Err(refusal) => {
                    let place = format!("load.{}.columns.{}", load.name, column.name);
                    refusals.push(Refusal { place, ..refusal });
                }
            }
        }
        let encoder = RowEncoder { columns, as_text: load.as_text, images: None, places: None };
        if refusals.is_empty() { Ok(encoder) } else { Err(refusals) }
    }

    /// Prepares an encoder of some columns alone: binary images, no lookup maps.
    ///
    /// # Errors
    /// A refusal for every constant of the mapping that does not fit its column.
    pub fn project(load: &LoadPlan, columns: Vec<ColumnPlan>, settled: &Settled) -> Result<RowEncoder, Vec<Refusal>> {
        RowEncoder::new(&LoadPlan { columns, as_text: false, ..load.clone() }, settled, &Maps::new())
    }

    /// The same encoder, ready to make the table's image of these columns. `binary`: the same load and its maps in binary,
    /// where its rows go as text.
    ///
    /// # Errors
    /// As [`RowEncoder::new`].
    pub fn proving(
        mut self,
        load: &LoadPlan,
        settled: &Settled,
        binary: Option<(&LoadPlan, &Maps)>,
        image: Option<&Vec<String>>,
    ) -> Result<RowEncoder, Vec<Refusal>> {
        if let Some((binary, maps)) = binary {
            self.images = Some(Box::new(RowEncoder::new(binary, settled, maps)?));
        }
        let image = image.filter(|image| !load.columns.iter().map(|c| &c.name).eq(image.iter()));
        let place = |name: &String| load.columns.iter().position(|c| c.name == *name);
        self.places = image.map(|image| image.iter().map(place).collect());
        Ok(self)
    }

    /// The encoder of the binary images, where rows go as text.
    pub fn images(&self) -> Option<&RowEncoder> {
        self.images.as_deref()
    }

    /// Load and place of the row that was set aside and that a lookup would have found.
    pub fn parent(&self, column: usize, outcome: LookupOutcome) -> Option<(String, Key)> {
        match (&self.columns.get(column)?.feed, outcome) {
            (ColumnBytes::Lookup(_, Some(map)), LookupOutcome::Quarantined(n)) => map.parent(n),
            _ => None,
        }
    }

    /// A row of this load as the table's image. `scratch` holds it where it is another one than the row's own.
    pub fn image<'i>(&self, row: &'i [u8], scratch: &'i mut Vec<u8>) -> &'i [u8] {
        let Some(places) = &self.places else { return row };
        scratch.clear();
        if binary::project(row, places, scratch) { scratch } else { row }
    }

    /// Appends the row's image to `out`. False: a cell is at fault, and `out` is as it was.
    pub fn encode(&self, row: &dyn Row, out: &mut Vec<u8>, notes: &mut Notes) -> bool {
        notes.faults.clear();
        notes.losses.clear();
        notes.slots.clear();
        notes.lookups.clear();
        let start = out.len();
        if !self.as_text {
            out.extend_from_slice(&(self.columns.len() as u16).to_be_bytes());
        }
        for (n, column) in self.columns.iter().enumerate() {
            if self.as_text && n > 0 {
                out.push(b'\t');
            }
            match &column.feed {
                ColumnBytes::Fixed(bytes) => out.extend_from_slice(bytes),
                ColumnBytes::Slot(width) => self.slot(*width, out, notes),
                ColumnBytes::Lookup(looker, map) => self.looked_up(n, looker, map.as_deref(), row, out, notes),
                ColumnBytes::Cell(at, converter) => self.cell(n, column, row, *at, converter, out, notes),
            }
        }
        if self.as_text {
            out.push(b'\n');
        }
        if out.len() - start > MOST_ROW {
            notes.faults.extend(self.largest(row));
        }
        if !notes.faults.is_empty() {
            out.truncate(start);
        }
        notes.faults.is_empty()
    }

    /// The cell that makes a row too large.
    #[cold]
    fn largest(&self, row: &dyn Row) -> Option<CellFault> {
        let cells = self.columns.iter().enumerate().filter_map(|(n, column)| match &column.feed {
            ColumnBytes::Cell(at, _) => Some((n, row.cell(*at))),
            _ => None,
        });
        let (column, raw) = cells.max_by_key(|(_, raw)| raw.bytes())?;
        Some(CellFault::of(column, Reason::TooLarge, raw))
    }

    #[expect(clippy::too_many_arguments, reason = "the inside of the hot loop; a struct would be built per cell")]
    fn cell(
        &self,
        n: usize,
        column: &EncodedColumn,
        row: &dyn Row,
        at: usize,
        converter: &Converter,
        out: &mut Vec<u8>,
        notes: &mut Notes,
    ) {
        let raw = row.cell(at);
        if !self.as_text && column.shift == 0 && converter.fast_path(&raw, out) {
            return;
        }
        let mut losses = LossSet::default();
        let converted = converter.convert(raw, &mut losses);
        let converted = if column.shift == 0 { converted } else { converted.and_then(|c| shifted(c, column.shift)) };
        let fault = match converted {
            Ok(Cell::Null) if column.not_null => Reason::NullInNotNull,
            Ok(cell) => {
                if self.as_text {
                    text::field(&cell, out);
                } else {
                    binary::field(&cell, out);
                }
                if !losses.is_empty() {
                    notes.losses.push((n, losses));
                }
                return;
            }
            Err(reason) => reason,
        };
        notes.faults.push(CellFault::of(n, fault, raw));
    }

    fn looked_up(
        &self,
        n: usize,
        looker: &RowLookup,
        map: Option<&LookupMap>,
        row: &dyn Row,
        out: &mut Vec<u8>,
        notes: &mut Notes,
    ) {
        let Some(map) = map else {
            return if self.as_text { text::field(&Cell::Null, out) } else { binary::field(&Cell::Null, out) };
        };
        let looked = looker.look(map, row, &mut notes.key);
        notes.lookups.push((n, looked.outcome));
        match looked.field {
            Ok(field) => out.extend_from_slice(field),
            Err(reason) => {
                notes.faults.push(CellFault::of(n, reason, row.cell(looked.about)));
            }
        }
    }

    fn slot(&self, width: usize, out: &mut Vec<u8>, notes: &mut Notes) {
        if !self.as_text {
            out.extend_from_slice(&(width as i32).to_be_bytes());
        }
        notes.slots.push(out.len());
        out.resize(out.len() + width, 0);
    }

    /// Writes an id that was drawn into its place.
    ///
    /// # Errors
    /// The id, when the column is too narrow for it.
    pub fn fill(&self, column: usize, id: i64, at: usize, out: &mut [u8]) -> Result<(), i64> {
        let Some(ColumnBytes::Slot(width)) = self.columns.get(column).map(|c| &c.feed) else { return Err(id) };
        let bytes = match (self.as_text, width) {
            (true, _) => format!("{id:+020}").into_bytes(),
            (false, 2) => i16::try_from(id).map_err(|_| id)?.to_be_bytes().to_vec(),
            (false, 4) => i32::try_from(id).map_err(|_| id)?.to_be_bytes().to_vec(),
            (false, _) => id.to_be_bytes().to_vec(),
        };
        out.get_mut(at..at + bytes.len()).ok_or(id)?.copy_from_slice(&bytes);
        Ok(())
    }
}

/// An integer with the shift of its table added.
fn shifted(cell: Cell<'_>, by: i64) -> Result<Cell<'_>, Reason> {
    let sum = |id: i64| id.checked_add(by).ok_or(Reason::OutOfRange);
    match cell {
        Cell::Int2(id) => Ok(Cell::Int2(sum(id.into())?.try_into().map_err(|_| Reason::OutOfRange)?)),
        Cell::Int4(id) => Ok(Cell::Int4(sum(id.into())?.try_into().map_err(|_| Reason::OutOfRange)?)),
        Cell::Int8(id) => Ok(Cell::Int8(sum(id)?)),
        other => Ok(other),
    }
}

/// The bytes of a column's feed, or what is wrong with its constant and what to do.
fn prepare(column: &ColumnPlan, settled: &Settled, as_text: bool, maps: &Maps) -> Result<ColumnBytes, Refusal> {
    let refusal = |mistake: &RuleError, advice: String| {
        let modifier = Some(mistake.modifier);
        Refusal { modifier, ..Refusal::new("", mistake.to_string(), advice) }
    };
    let wrong = |mistake: RuleError| refusal(&mistake, "Write a value that fits the column.".to_owned());
    let converter = Converter::new(&column.kind, &column.rules, settled).map_err(wrong)?;
    let constant = match &column.feed {
        Feed::Cell(n) => return Ok(ColumnBytes::Cell(*n, Box::new(converter))),
        Feed::Issued(_) if as_text => return Ok(ColumnBytes::Slot(TEXT_SLOT)),
        Feed::Issued(_) => {
            return match column.kind.kind {
                Kind::Int2 => Ok(ColumnBytes::Slot(2)),
                Kind::Int4 => Ok(ColumnBytes::Slot(4)),
                Kind::Int8 => Ok(ColumnBytes::Slot(8)),
                _ => Err(Refusal::new(
                    "",
                    format!("its ids are drawn from a sequence and its type is {}", column.kind.shown()),
                    "Write a feed for it.",
                )),
            };
        }
        Feed::Lookup(lookup) => {
            let looker = RowLookup::new(column, lookup, as_text, settled).map_err(wrong)?;
            return Ok(ColumnBytes::Lookup(Box::new(looker), maps.get(&column.name).cloned()));
        }
        Feed::Constant(value) => value.clone(),
        Feed::Owner => Value::Owner,
    };
    let is_owner = constant == Value::Owner;
    let cell =
        converter.constant(&constant).map_err(|mistake| refusal(&mistake, constant_advice(&column.kind, &constant)))?;
    // Before the owner is settled its place is NULL; nothing is sent then.
    if matches!(cell, Cell::Null) && column.not_null && !(is_owner && settled.owner.is_none()) {
        return Err(Refusal::new("", "is NULL in every row and the column is NOT NULL", "Write another value."));
    }
    let mut bytes = Vec::new();
    if as_text {
        text::field(&cell, &mut bytes);
    } else {
        binary::field(&cell, &mut bytes);
    }
    Ok(ColumnBytes::Fixed(bytes))
}
