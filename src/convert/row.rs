//! Encodes one row of a load: converts its raw cells to its wire image, or collects the faults that prevent this.
//!
//! Preflight, loading and verification all use this encoder, so they cannot disagree about a row.

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
use super::follow::IdFollower;
use super::json;
use super::lookup::{LookupMap, LookupOutcome, RowLookup};
use super::settled::Settled;

/// Width of the slot for an issued id in a text row: a sign and nineteen digits. The server accepts leading zeros.
const TEXT_SLOT: usize = 20;

/// The largest row that the server can assemble: its largest allocation, 1 GiB, less some room for headers. A larger
/// row ends the statement with an internal error, or is stored and can never be read again.
const MOST_ROW: usize = 0x3fff_0000;

/// The number of enum labels that a fault lists. A label has at most 63 bytes.
const LABELS: usize = 8;

/// Encodes the rows of one load.
pub struct RowEncoder {
    columns: Vec<EncodedColumn>,
    as_text: bool,
    /// Encodes the binary images of rows that are sent as text. Digests are computed over images only.
    images: Option<Box<RowEncoder>>,
    /// For each column of the table's image, its index among this load's columns. `None` if the order is identical.
    places: Option<Vec<Option<usize>>>,
}

struct EncodedColumn {
    /// The index among the load's columns.
    index: usize,
    not_null: bool,
    /// The change of the column's ids. `None` if they are loaded as they are.
    follow: Option<Box<IdFollower>>,
    feed: ColumnBytes,
}

enum ColumnBytes {
    /// The n-th cell of the row, converted.
    Cell(CellFeed),
    /// The same bytes in every row.
    Fixed(Vec<u8>),
    /// A slot for an id that is issued later, with its width in bytes.
    Slot(usize),
    /// A value found in the target. Without a map, which is not known yet, the field is NULL and no result is recorded.
    Lookup(LookupFeed),
}

/// A cell of the row and the conversion of its values.
struct CellFeed {
    at: usize,
    converter: Box<Converter>,
}

/// A lookup and its map, which may not be known yet.
struct LookupFeed {
    lookup: Box<RowLookup>,
    map: Option<Arc<LookupMap>>,
}

/// The maps of a load's lookups, by column.
pub type Maps = BTreeMap<String, Arc<LookupMap>>;

/// A cell that cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellFault {
    /// The index among the load's columns.
    pub column: usize,
    /// The reason.
    pub reason: Reason,
    /// The storage class of the value.
    pub class: StorageClass,
    /// The length of the value.
    pub bytes: usize,
    /// The first byte at which a text is wrong. `None` if there is no such place.
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

    /// Describes the place of the error in the text, or the labels of the column. Never contains the value.
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

/// The observations about one row. Cleared before each row.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Cells that cannot be loaded. The row is not encoded if there is one.
    pub faults: Vec<CellFault>,
    /// Losses, by index of the column.
    pub losses: Vec<(usize, LossSet)>,
    /// Offsets of the slots for issued ids in the output.
    pub slots: Vec<usize>,
    /// Results of lookups, by index of the column.
    pub lookups: Vec<(usize, LookupOutcome)>,
    /// Buffer in which the key of a lookup is assembled.
    key: Vec<u8>,
}

impl RowEncoder {
    /// Prepares the columns of a load and converts their constants once.
    ///
    /// # Errors
    /// A refusal for every constant of the mapping that does not fit its column.
    pub fn new(load: &LoadPlan, settled: &Settled, maps: &Maps) -> Result<RowEncoder, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut columns = Vec::new();
        for (index, column) in load.columns.iter().enumerate() {
            match prepare(column, settled, load.as_text, maps) {
                Ok(feed) => {
                    let follow = IdFollower::of(column, settled);
                    columns.push(EncodedColumn { index, not_null: column.not_null, follow, feed });
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

    /// Prepares an encoder of some columns only, for binary images and without lookup maps.
    ///
    /// # Errors
    /// A refusal for every constant of the mapping that does not fit its column.
    pub fn project(load: &LoadPlan, columns: Vec<ColumnPlan>, settled: &Settled) -> Result<RowEncoder, Vec<Refusal>> {
        RowEncoder::new(&LoadPlan { columns, as_text: false, ..load.clone() }, settled, &Maps::new())
    }

    /// Prepares the encoder to produce the table's image of these columns. `binary` is the same load with its maps in
    /// binary form; it is required if the rows are sent as text.
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

    /// The encoder of the binary images. `None` if the rows themselves are binary.
    pub fn images(&self) -> Option<&RowEncoder> {
        self.images.as_deref()
    }

    /// Returns load and key of the quarantined row that a lookup would have found.
    pub fn parent(&self, column: usize, outcome: LookupOutcome) -> Option<(String, Key)> {
        match (&self.columns.get(column)?.feed, outcome) {
            (ColumnBytes::Lookup(LookupFeed { map: Some(map), .. }), LookupOutcome::Quarantined(n)) => map.parent(n),
            _ => None,
        }
    }

    /// Returns a row of this load as the table's image. Uses `scratch` if the image differs from the row.
    pub fn image<'i>(&self, row: &'i [u8], scratch: &'i mut Vec<u8>) -> &'i [u8] {
        let Some(places) = &self.places else { return row };
        scratch.clear();
        if binary::project(row, places, scratch) { scratch } else { row }
    }

    /// Appends the row's image to `out`. Returns false, and leaves `out` as it was, if a cell is at fault.
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
                ColumnBytes::Lookup(feed) => self.lookup(column, feed, row, out, notes),
                ColumnBytes::Cell(feed) => self.cell(column, feed, row, out, notes),
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

    /// Returns a fault for the largest cell of a row that is too large.
    #[cold]
    fn largest(&self, row: &dyn Row) -> Option<CellFault> {
        let cells = self.columns.iter().enumerate().filter_map(|(n, column)| match &column.feed {
            ColumnBytes::Cell(feed) => Some((n, row.cell(feed.at))),
            _ => None,
        });
        let (column, raw) = cells.max_by_key(|(_, raw)| raw.bytes())?;
        Some(CellFault::of(column, Reason::TooLarge, raw))
    }

    fn cell(&self, column: &EncodedColumn, feed: &CellFeed, row: &dyn Row, out: &mut Vec<u8>, notes: &mut Notes) {
        let raw = row.cell(feed.at);
        if !self.as_text && column.follow.is_none() && feed.converter.fast_path(&raw, out) {
            return;
        }
        let mut losses = LossSet::default();
        let converted = feed.converter.convert(raw, &mut losses);
        let converted = match &column.follow {
            None => converted,
            Some(follower) => converted.and_then(|cell| follower.follow(cell, row)),
        };
        let fault = match converted {
            Ok(Cell::Null) if column.not_null => Reason::NullInNotNull,
            Ok(cell) => {
                if self.as_text {
                    text::field(&cell, out);
                } else {
                    binary::field(&cell, out);
                }
                if !losses.is_empty() {
                    notes.losses.push((column.index, losses));
                }
                return;
            }
            Err(reason) => reason,
        };
        notes.faults.push(CellFault::of(column.index, fault, raw));
    }

    fn lookup(&self, column: &EncodedColumn, feed: &LookupFeed, row: &dyn Row, out: &mut Vec<u8>, notes: &mut Notes) {
        let Some(map) = feed.map.as_deref() else {
            if let Some(at) = feed.lookup.orphan(row) {
                notes.faults.push(CellFault::of(column.index, Reason::Orphan, row.cell(at)));
            }
            return if self.as_text { text::field(&Cell::Null, out) } else { binary::field(&Cell::Null, out) };
        };
        let found = feed.lookup.find(map, row, &mut notes.key);
        notes.lookups.push((column.index, found.outcome));
        match found.field {
            Ok(field) => out.extend_from_slice(field),
            Err(reason) => {
                notes.faults.push(CellFault::of(column.index, reason, row.cell(found.about)));
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

    /// Writes an issued id into its slot.
    ///
    /// # Errors
    /// The id, if the column is too narrow for it.
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

/// Prepares the feed of a column, or returns the problem with its constant and the advice.
fn prepare(column: &ColumnPlan, settled: &Settled, as_text: bool, maps: &Maps) -> Result<ColumnBytes, Refusal> {
    let refusal = |mistake: &RuleError, advice: String| {
        let modifier = Some(mistake.modifier);
        Refusal { modifier, ..Refusal::new("", mistake.to_string(), advice) }
    };
    let wrong = |mistake: RuleError| refusal(&mistake, "Write a value that fits the column.".to_owned());
    let converter = Converter::new(&column.kind, &column.rules, settled).map_err(wrong)?;
    let constant = match &column.feed {
        Feed::Cell(n) => return Ok(ColumnBytes::Cell(CellFeed { at: *n, converter: Box::new(converter) })),
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
            let lookup = RowLookup::new(column, lookup, as_text, settled).map_err(wrong)?;
            return Ok(ColumnBytes::Lookup(LookupFeed {
                lookup: Box::new(lookup),
                map: maps.get(&column.name).cloned(),
            }));
        }
        Feed::Constant(value) => value.clone(),
        Feed::Owner => Value::Owner,
    };
    let is_owner = constant == Value::Owner;
    let cell =
        converter.constant(&constant).map_err(|mistake| refusal(&mistake, constant_advice(&column.kind, &constant)))?;
    // The owner is NULL until it is settled. No row is sent before that.
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
