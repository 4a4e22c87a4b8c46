//! The modifiers that are applied before the value's type is considered: `charset`, `blob`, `strip_nul`, `trim`,
//! `null_if` and `map`, in this order.
//!
//! The keys of `null_if` and `map` are compared byte for byte with the value's text. Text is compared after the
//! modifiers before it. Integers are compared in decimal, doubles in the form of `number_text` (`2.5`, `42.0`). A blob
//! that is not read as text has no text.

use super::decimal::{Ascii, integer_text, real_text, trimmed};
use super::text;
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Charset, Rules};
use std::borrow::Cow;

/// The result for a value that `map` lists or that its `else` covers.
#[derive(Clone, Debug)]
pub(super) enum MappedValue {
    /// The value becomes this cell.
    Cell(Cell<'static>),
    /// The value is a fault.
    Fault,
}

/// The modifiers that precede the conversion, in a form that is fast to apply.
#[derive(Clone, Debug, Default)]
pub(super) struct Prepare {
    charset: Option<Charset>,
    blob_as_text: bool,
    /// The column is a UUID: a blob of sixteen bytes is not read as text.
    uuid: bool,
    strip_nul: bool,
    trim: bool,
    null_if: Vec<Vec<u8>>,
    /// Sorted by key.
    map: Vec<(Vec<u8>, MappedValue)>,
    map_else: Option<MappedValue>,
    plain: bool,
}

/// A value after these modifiers.
pub(super) enum PreparedValue<'a> {
    /// A value that is still to be converted.
    Raw(Raw<'a>),
    /// A value that is still to be converted and whose text was changed.
    Text(Vec<u8>),
    /// A value that `null_if` or `map` has replaced.
    Cell(&'a Cell<'static>),
}

impl Prepare {
    /// Creates the stage from the rules and the converted constants of `map`. A modifier that the type cannot use is
    /// off. `bytea` keeps its bytes, and NULs are only removed from text and JSON.
    pub(super) fn new(
        column: &ColumnType,
        rules: &Rules,
        mut map: Vec<(Vec<u8>, MappedValue)>,
        map_else: Option<MappedValue>,
    ) -> Prepare {
        let bytea = column.kind == Kind::Bytea;
        map.sort_by(|a, b| a.0.cmp(&b.0));
        let mut prepare = Prepare {
            charset: if bytea { None } else { rules.charset },
            blob_as_text: rules.blob_as_text && !bytea,
            uuid: column.kind == Kind::Uuid,
            strip_nul: rules.strip_nul && holds_text(&column.kind),
            trim: rules.trim,
            null_if: rules.null_if.iter().map(|text| text.clone().into_bytes()).collect(),
            map,
            map_else,
            plain: false,
        };
        let names = !prepare.null_if.is_empty() || !prepare.map.is_empty() || prepare.map_else.is_some();
        let changes = prepare.charset.is_some() || prepare.blob_as_text || prepare.strip_nul || prepare.trim;
        prepare.plain = !names && !changes;
        prepare
    }

    /// Returns true if no modifier applies to any value.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Applies the modifiers to a value that is not NULL.
    pub(super) fn apply<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<PreparedValue<'a>, Reason> {
        let text = match raw {
            Raw::Text(bytes) => self.text(bytes, losses)?,
            Raw::Blob(bytes) if self.blob_as_text && !(self.uuid && bytes.len() == 16) => self.text(bytes, losses)?,
            Raw::Integer(value) => return self.number(raw, integer_text(value)),
            Raw::Real(value) => return self.number(raw, real_text(value)),
            Raw::Null | Raw::Blob(_) => return Ok(PreparedValue::Raw(raw)),
        };
        if let Some(settled) = self.named(&text)? {
            return Ok(PreparedValue::Cell(settled));
        }
        // A blob that the mapping reads as text must be UTF-8. Other text is checked by the reader of its type.
        if matches!(raw, Raw::Blob(_)) && std::str::from_utf8(&text).is_err() {
            return Err(Reason::NotUtf8);
        }
        Ok(match text {
            Cow::Borrowed(bytes) => PreparedValue::Raw(Raw::Text(bytes)),
            Cow::Owned(bytes) => PreparedValue::Text(bytes),
        })
    }

    fn number<'a>(&'a self, raw: Raw<'a>, text: Ascii<32>) -> Result<PreparedValue<'a>, Reason> {
        let settled = self.named(text.as_bytes())?;
        Ok(settled.map_or(PreparedValue::Raw(raw), PreparedValue::Cell))
    }

    fn text<'a>(&self, bytes: &'a [u8], losses: &mut LossSet) -> Result<Cow<'a, [u8]>, Reason> {
        let mut text = Cow::Borrowed(bytes);
        if let Some(charset) = self.charset
            && std::str::from_utf8(bytes).is_err()
        {
            text = Cow::Owned(text::decoded(bytes, charset).ok_or(Reason::NotUtf8)?.into_bytes());
        }
        if self.strip_nul && text.contains(&0) {
            text.to_mut().retain(|byte| *byte != 0);
            losses.add(Loss::StripNul);
        }
        if self.trim {
            text = match text {
                Cow::Borrowed(bytes) => Cow::Borrowed(trimmed(bytes)),
                Cow::Owned(bytes) => Cow::Owned(trimmed(&bytes).to_vec()),
            };
        }
        Ok(text)
    }

    fn named(&self, text: &[u8]) -> Result<Option<&Cell<'static>>, Reason> {
        if self.null_if.iter().any(|key| key == text) {
            return Ok(Some(&Cell::Null));
        }
        let found = self.map.binary_search_by(|(key, _)| key.as_slice().cmp(text));
        match found.ok().and_then(|at| self.map.get(at)).map(|(_, outcome)| outcome).or(self.map_else.as_ref()) {
            Some(MappedValue::Cell(cell)) => Ok(Some(cell)),
            Some(MappedValue::Fault) => Err(Reason::NotInMap),
            None => Ok(None),
        }
    }
}

fn holds_text(kind: &Kind) -> bool {
    match kind {
        Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext => true,
        Kind::Json | Kind::Jsonb | Kind::Enum { .. } => true,
        Kind::Hstore | Kind::Tsvector | Kind::Other => true,
        Kind::Array(element) => holds_text(&element.kind),
        _ => false,
    }
}
