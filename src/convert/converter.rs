//! The conversion of one column. A [`Converter`] is built once and then converts each value.

use super::prepare::{MappedValue, Prepare, PreparedValue};
use super::reader::TypeReader;
use super::settled::Settled;
use crate::model::cell::{Cell, Raw, RawBuf};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Rules, Value};
use std::fmt;

/// Converts the values of one column to cells.
#[derive(Clone, Debug)]
pub struct Converter {
    pub(super) prepare: Prepare,
    pub(super) reader: TypeReader,
    /// The reader of the mapping's constants. It permits no loss.
    strict: TypeReader,
    if_bad: Option<Cell<'static>>,
    if_null: Option<Cell<'static>>,
    settled: Settled,
}

/// An error in the rules of a column: a constant that does not fit the column, or a format that cannot be parsed. It is
/// found before any row is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The modifier as the mapping spells it. `value` for a constant that belongs to no modifier.
    pub modifier: &'static str,
    /// The reason why the constant does not fit.
    pub reason: Reason,
    /// The exact place: a key of `map`, the name of a variable, a letter of a format.
    pub detail: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        write!(f, "{}: the value{at} {}", self.modifier, self.reason.says())
    }
}

impl std::error::Error for RuleError {}

/// Returns the advice for a constant that does not fit its column. For an enum it suggests the nearest label.
pub fn constant_advice(column: &ColumnType, value: &Value) -> String {
    let hint = match (&column.kind, value) {
        (Kind::Enum { labels }, Value::Literal(RawBuf::Text(text))) => {
            did_you_mean(&String::from_utf8_lossy(text), labels.iter().map(String::as_str))
        }
        _ => String::new(),
    };
    format!("{hint}Write a value that fits the column.")
}

impl Converter {
    /// Separates the rules of a column by stage and converts their constants.
    ///
    /// # Errors
    /// The first constant that does not fit the column without rounding or truncation.
    pub fn new(column: &ColumnType, rules: &Rules, settled: &Settled) -> Result<Converter, RuleError> {
        let reader = |rules: &Rules| {
            let mistake = |detail| RuleError { modifier: "format", reason: Reason::BadFormat, detail: Some(detail) };
            Ok(TypeReader::new(column, rules).map_err(mistake)?.doubting(settled))
        };
        let strict = Rules { strip_nul: false, round: false, truncate: false, ..rules.clone() };
        let mut converter = Converter {
            prepare: Prepare::default(),
            reader: reader(rules)?,
            strict: reader(&strict)?,
            if_bad: None,
            if_null: None,
            settled: settled.clone(),
        };
        let named = |modifier| move |mistake: RuleError| RuleError { modifier, ..mistake };
        let mut map = Vec::with_capacity(rules.map.len());
        for (key, value) in &rules.map {
            let outcome = converter.outcome(value).map_err(|mistake| RuleError {
                modifier: "map",
                detail: Some(format!("of \"{key}\"")),
                ..mistake
            })?;
            map.push((key.clone().into_bytes(), outcome));
        }
        let map_else =
            rules.map_else.as_ref().map(|value| converter.outcome(value)).transpose().map_err(named("else"))?;
        converter.prepare = Prepare::new(column, rules, map, map_else);
        converter.if_bad = converter.default(&rules.if_bad).map_err(named("if_bad"))?;
        converter.if_null = converter.default(&rules.if_null).map_err(named("if_null"))?;
        if let Some(value) = &rules.if_orphan {
            converter.default(&Some(value.clone())).map_err(named("if_orphan"))?;
        }
        Ok(converter)
    }

    /// Converts one value. Adds the losses that the mapping allowed to `losses`; a fault adds none.
    ///
    /// NULL stays [`Cell::Null`] unless `if_null` replaces it. The caller checks if the column accepts NULL.
    ///
    /// # Errors
    /// The reason why the value cannot be loaded as it is.
    pub fn convert<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        match raw {
            Raw::Null => Ok(self.filled(Cell::Null)),
            raw if self.prepare.is_plain() => self.plain(raw, losses),
            raw => self.prepared(raw, losses),
        }
    }

    /// Returns a constant of the mapping as a cell of this column. The constant is never rounded, truncated or
    /// replaced.
    ///
    /// # Errors
    /// The reason why the constant does not fit. [`Value::Fault`] and [`Value::Member`] are no constants and fit no column.
    pub fn constant(&self, value: &Value) -> Result<Cell<'static>, RuleError> {
        let mistake = |reason, detail| RuleError { modifier: "value", reason, detail };
        let read = |raw: Raw<'_>| match raw {
            Raw::Null => Ok(Cell::Null),
            raw => self
                .strict
                .read(raw, &mut LossSet::default())
                .map(Cell::into_owned)
                .map_err(|reason| mistake(reason, None)),
        };
        match value {
            Value::Literal(literal) => read(literal.as_raw()),
            Value::Null => Ok(Cell::Null),
            Value::Now => self.strict.now(self.settled.now).map_err(|reason| mistake(reason, None)),
            Value::Owner => self.settled.owner.as_ref().map_or(Ok(Cell::Null), |owner| read(owner.as_raw())),
            Value::Env(name) => match self.settled.env.get(name) {
                Some(text) => read(Raw::Text(text.as_bytes())),
                None => Err(mistake(Reason::NoVariable, Some(name.clone()))),
            },
            Value::Fault | Value::Member => Err(mistake(Reason::IfBadIsFault, None)),
        }
    }

    /// The cell that replaces NULL in this column. `None` if NULL is not replaced.
    pub fn if_null(&self) -> Option<&Cell<'static>> {
        self.if_null.as_ref()
    }

    /// Reads a value without any preparation; never returns NULL. There is one local result, so that the cell is built
    /// in the caller's place.
    fn plain<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        let before = *losses;
        let mut found = self.reader.read(raw, losses);
        if let Err(reason) = found {
            *losses = before;
            found = self.instead(raw, reason, losses);
        }
        found
    }

    #[inline(never)]
    fn prepared<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        let before = *losses;
        let found = match self.prepare.apply(raw, losses) {
            Ok(PreparedValue::Raw(raw)) => self.reader.read(raw, losses),
            Ok(PreparedValue::Text(text)) => self.reader.read(Raw::Text(&text), losses).map(Cell::into_owned),
            Ok(PreparedValue::Cell(cell)) => Ok(self.filled(cell.reborrow())),
            Err(reason) => Err(reason),
        };
        match found {
            Err(reason) => {
                *losses = before;
                self.instead(raw, reason, losses)
            }
            found => found,
        }
    }

    /// Returns `if_bad` for a value that could not be read. Any other fault stays a fault.
    #[cold]
    fn instead(&self, raw: Raw<'_>, reason: Reason, losses: &mut LossSet) -> Result<Cell<'_>, Reason> {
        match &self.if_bad {
            Some(cell) if is_unreadable(raw, reason) => {
                losses.add(Loss::IfBad);
                Ok(self.filled(cell.reborrow()))
            }
            _ => Err(reason),
        }
    }

    /// Replaces NULL by `if_null`.
    fn filled<'a>(&'a self, cell: Cell<'a>) -> Cell<'a> {
        match (&cell, &self.if_null) {
            (Cell::Null, Some(instead)) => instead.reborrow(),
            _ => cell,
        }
    }

    fn default(&self, value: &Option<Value>) -> Result<Option<Cell<'static>>, RuleError> {
        match value {
            None | Some(Value::Fault) => Ok(None),
            Some(value) => self.constant(value).map(Some),
        }
    }

    fn outcome(&self, value: &Value) -> Result<MappedValue, RuleError> {
        match value {
            Value::Fault => Ok(MappedValue::Fault),
            value => self.constant(value).map(MappedValue::Cell),
        }
    }
}

/// Returns true for text that cannot be read as the type. A blob that the mapping reads as text counts as text.
///
/// NaN, infinities and values that are out of range, too long, too precise or an unknown label are readable.
fn is_unreadable(raw: Raw<'_>, reason: Reason) -> bool {
    use Reason::*;
    let unreadable = matches!(
        reason,
        NotANumber
            | NotABoolean
            | NotADate
            | NotATime
            | NoSuchDate
            | NotAnInterval
            | NotAUuid
            | InvalidJson
            | NotAnInet
            | NotAnArray
            | NotARange
            | NotAnHstore
            | NotATsvector
            | EmptyString
    );
    unreadable && matches!(raw, Raw::Text(_) | Raw::Blob(_))
}
