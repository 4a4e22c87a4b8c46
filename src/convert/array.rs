//! The reader of arrays: from a JSON array, a PostgreSQL array literal and, if the mapping allows it, comma-separated
//! text.
//!
//! Elements are read as values of the element type, with the column's own rules for times and rounding. An array that
//! is not rectangular is a fault. A fault of one element is a fault of the whole array. `array_text` parses the three
//! spellings.

use super::array_text::{self, ArrayElement, ArrayToken};
use super::decimal::trimmed;
use super::{float, packed, scalar};
use crate::model::cell::{Array, Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{PackedNumbers, Rules};
use std::borrow::Cow;

/// PostgreSQL's maximum number of dimensions.
const MOST_DIMENSIONS: usize = 6;

/// Reads one element of an array or one bound of a range as a value of its own type.
pub(super) trait ElementReader {
    /// Reads a value that is not NULL.
    fn read_element<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason>;
}

/// A column of arrays.
#[derive(Clone, Debug)]
pub(super) struct ArrayReader {
    element_oid: u32,
    /// The element type is a date, a time or an interval. JSON numbers are then read as numbers and not as text.
    of_time: bool,
    /// The element type is JSON. Each element of a JSON array is one value then, even if it is an array.
    of_json: bool,
    /// The element type has a binary encoder. Without one the server parses the array's text.
    binary: bool,
    csv: bool,
    /// A blob is an array of such numbers.
    packed: Option<PackedNumbers>,
    /// The separator of elements in the server's text.
    comma: char,
    trim: bool,
    strip_nul: bool,
}

impl ArrayReader {
    /// Creates the reader of arrays of an element type, under the column's rules.
    pub(super) fn new(element: &ColumnType, rules: &Rules) -> ArrayReader {
        ArrayReader {
            element_oid: element.oid,
            of_time: counts_time(&element.kind),
            of_json: matches!(element.kind, Kind::Json | Kind::Jsonb),
            binary: element.is_binary(),
            csv: rules.array_csv,
            packed: rules.packed,
            // `box` is the only type whose text contains commas outside of brackets.
            comma: if element.name == "box" { ';' } else { ',' },
            trim: rules.trim,
            strip_nul: rules.strip_nul,
        }
    }

    /// Reads a value that is not NULL.
    pub(super) fn read<'a>(
        &'a self,
        raw: Raw<'a>,
        reader: &'a impl ElementReader,
        losses: &mut LossSet,
    ) -> Result<Cell<'a>, Reason> {
        let text = match raw {
            Raw::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?,
            Raw::Blob(bytes) => {
                let packed = self.packed.ok_or(Reason::BlobInValue)?;
                let numbers = packed::numbers(bytes, packed)?;
                let elements = numbers.map(|raw| reader.read_element(raw, losses)).collect::<Result<Vec<_>, _>>()?;
                let dimensions = if elements.is_empty() { Vec::new() } else { vec![elements.len()] };
                return Ok(self.cell(Array { element_oid: self.element_oid, dimensions, elements }));
            }
            _ => return Err(Reason::NotAnArray),
        };
        let mut shape = ArrayShape::default();
        let mut elements = Vec::new();
        let mut take = |token: ArrayToken<'a>| match token {
            ArrayToken::Open => shape.open(),
            ArrayToken::Close => shape.close(),
            ArrayToken::Element(element) => {
                shape.element()?;
                elements.push(self.element(element, reader, losses)?);
                Ok(())
            }
        };
        match trimmed(text.as_bytes()).first() {
            Some(b'[') => array_text::json(text, self.of_json, &mut take)?,
            Some(b'{') => array_text::literal(text, self.comma, &mut take)?,
            _ if self.csv => array_text::csv(text, self.trim, &mut take)?,
            _ => return Err(Reason::NotAnArray),
        }
        Ok(self.cell(Array { element_oid: self.element_oid, dimensions: shape.dimensions(), elements }))
    }

    fn cell<'a>(&self, array: Array<'a>) -> Cell<'a> {
        if self.binary { Cell::Array(array) } else { Cell::Verbatim(Cow::Owned(literal_of(&array, self.comma))) }
    }

    fn element<'a>(
        &self,
        element: ArrayElement<'a>,
        reader: &'a impl ElementReader,
        losses: &mut LossSet,
    ) -> Result<Cell<'a>, Reason> {
        match element {
            ArrayElement::Null => Ok(Cell::Null),
            ArrayElement::Number(text) => self.number(text, reader, losses),
            ArrayElement::Text(Cow::Borrowed(text)) => reader.read_element(Raw::Text(text.as_bytes()), losses),
            ArrayElement::Text(Cow::Owned(mut text)) => {
                // `strip_nul` was applied to the whole text before. Only an escape can produce a NUL after that.
                if self.strip_nul && text.contains('\0') {
                    text.retain(|character| character != '\0');
                    losses.add(Loss::StripNul);
                }
                reader.read_element(Raw::Text(text.as_bytes()), losses).map(Cell::into_owned)
            }
        }
    }

    /// Reads a JSON number. It keeps its digits, except for types that distinguish numbers from text.
    fn number<'a>(
        &self,
        text: &'a str,
        reader: &'a impl ElementReader,
        losses: &mut LossSet,
    ) -> Result<Cell<'a>, Reason> {
        let raw = Raw::Text(text.as_bytes());
        // Digits beyond a double are fractions of a second, or a number beyond every possible time.
        let too_fine = |reason| match reason {
            Reason::ExcessScale if text.contains('.') => Reason::ExcessPrecision,
            Reason::ExcessScale => Reason::OutOfRange,
            other => other,
        };
        if !self.of_time {
            return reader.read_element(raw, losses);
        }
        let number = match scalar::integer(raw, false, losses) {
            Ok(count) => Raw::Integer(count),
            Err(_) => Raw::Real(float::float(raw, false, losses).map_err(too_fine)?),
        };
        reader.read_element(number, losses).map(Cell::into_owned)
    }
}

/// Returns true for dates, times and intervals. The server parses `time with time zone` as text.
fn counts_time(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Date
            | Kind::Time { .. }
            | Kind::Timestamp { .. }
            | Kind::Timestamptz { .. }
            | Kind::Interval { .. }
            | Kind::IntervalOf { .. }
    )
}

/// The dimensions of an array, found while its brackets open and close.
#[derive(Default)]
struct ArrayShape {
    /// Number of elements so far, for each open bracket.
    open: Vec<usize>,
    /// Length of each dimension, known once a bracket of it was closed.
    lengths: Vec<Option<usize>>,
    /// Depth at which the elements are.
    depth: Option<usize>,
}

impl ArrayShape {
    fn open(&mut self) -> Result<(), Reason> {
        if self.depth.is_some_and(|depth| self.open.len() >= depth) {
            return Err(Reason::RaggedArray);
        }
        if self.open.len() == MOST_DIMENSIONS {
            return Err(Reason::NotAnArray);
        }
        if let Some(count) = self.open.last_mut() {
            *count += 1;
        }
        self.open.push(0);
        if self.lengths.len() < self.open.len() {
            self.lengths.push(None);
        }
        Ok(())
    }

    fn element(&mut self) -> Result<(), Reason> {
        if *self.depth.get_or_insert(self.open.len()) != self.open.len() {
            return Err(Reason::RaggedArray);
        }
        if let Some(count) = self.open.last_mut() {
            *count += 1;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Reason> {
        let count = self.open.pop().unwrap_or(0);
        let level = self.open.len();
        let same = self.lengths.get_mut(level).is_some_and(|length| *length.get_or_insert(count) == count);
        // An empty array inside another one has no place in a rectangle of elements.
        if same && (count > 0 || level == 0) { Ok(()) } else { Err(Reason::RaggedArray) }
    }

    fn dimensions(&self) -> Vec<usize> {
        let lengths: Vec<usize> = self.lengths.iter().flatten().copied().collect();
        if self.depth.is_some() { lengths } else { Vec::new() }
    }
}

/// Returns the array in the server's text form, with every element quoted.
fn literal_of(array: &Array<'_>, comma: char) -> String {
    if array.elements.is_empty() {
        return "{}".to_string();
    }
    let mut out = String::new();
    for (at, cell) in array.elements.iter().enumerate() {
        if at > 0 {
            out.push(comma);
        }
        let (mut opens, mut closes, mut size) = (0, 0, 1);
        for length in array.dimensions.iter().rev() {
            size *= length;
            opens += usize::from(at % size == 0);
            closes += usize::from((at + 1) % size == 0);
        }
        out.extend(std::iter::repeat_n('{', opens));
        match cell {
            Cell::Verbatim(text) => push_quoted(&mut out, text),
            _ => out.push_str("NULL"),
        }
        out.extend(std::iter::repeat_n('}', closes));
    }
    out
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}
