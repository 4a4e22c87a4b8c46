//! The conversion of one column: a [`Converter`] is built once and then asked for each value.

use super::prepare::{MappedValue, Prepare, PreparedValue};
use super::reader::TypeReader;
use super::settled::Settled;
use crate::model::cell::{Cell, Raw, RawBuf};
use crate::model::fault::{Loss, LossSet, Reason};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Rules, Value};
use std::fmt;

/// Turns the values of one column into cells.
#[derive(Clone, Debug)]
pub struct Converter {
    pub(super) prepare: Prepare,
    pub(super) reader: TypeReader,
    /// Without any permission to lose something: what constants are read with.
    strict: TypeReader,
    if_bad: Option<Cell<'static>>,
    if_null: Option<Cell<'static>>,
    settled: Settled,
}

/// A constant of a mapping that does not fit its column, or a format that cannot be read: found before any row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The modifier, as a mapping writes it. `value` for a constant that is not a modifier's.
    pub modifier: &'static str,
    /// Why it does not fit.
    pub reason: Reason,
    /// Where exactly: a key of `map`, a variable's name, a letter of a format.
    pub detail: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        write!(f, "{}: the value{at} {}", self.modifier, self.reason.says())
    }
}

impl std::error::Error for RuleError {}

/// What to do about a constant that does not fit its column: of a label the nearest one.
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
    /// Takes the rules of a column apart and converts their constants.
    ///
    /// # Errors
    /// The first constant that does not fit the column as it stands, without rounding or cutting.
    pub fn new(column: &ColumnType, rules: &Rules, settled: &Settled) -> Result<Converter, RuleError> {
        let reader = |rules: &Rules| {
            let mistake = |detail| RuleError { modifier: "format", reason: Reason::BadFormat, detail: Some(detail) };
            TypeReader::new(column, rules).map_err(mistake)
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

    /// Converts one value. Losses that the mapping allowed are added to `losses`; a fault adds none. NULL stays
    /// [`Cell::Null`] unless `if_null` stands for it: whether the column takes NULL is the caller's to check.
    ///
    /// # Errors
    /// Why the value cannot go as it is.
    pub fn convert<'a>(&'a self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        match raw {
            Raw::Null => Ok(self.filled(Cell::Null)),
            raw if self.prepare.is_plain() => self.plain(raw, losses),
            raw => self.prepared(raw, losses),
        }
    }

    /// A constant of the mapping as this column holds it. Nothing is rounded, cut or replaced for it.
    ///
    /// # Errors
    /// Why the constant does not fit; a [`Value::Fault`] is no constant and fits nothing.
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
            Value::Fault => Err(mistake(Reason::IfBadIsFault, None)),
        }
    }

    /// What stands for NULL in this column, if anything does.
    pub fn if_null(&self) -> Option<&Cell<'static>> {
        self.if_null.as_ref()
    }

    /// The type's reading alone; it gives no NULL. One local result, so that a cell is written where the caller wants it.
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

    /// `if_bad` for a value that could not be read; else it is a fault.
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

    /// `if_null` for NULL.
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

/// Text that cannot be read as the type (a blob that the mapping reads as text is text). Not so NaN or an infinity, nor
/// what is out of range, too long, of too many decimals or no label.
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
