//! The classes of values, and an expression as PostgreSQL writes it.

use crate::init::TimeForm;
use crate::model::pgtype::Kind;

/// The reason for which an expression is not translated.
pub type Refused = String;

/// The difference that arithmetic has in PostgreSQL.
pub const OVERFLOW: &str = "arithmetic that leaves the range of its type is an error";

/// The reason why no expression computes with an id.
pub const SHIFTED: &str = "the ids of another owner's file are shifted; `--keys owned` keeps them";

/// The class that all values of an expression have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueSort {
    /// A boolean of PostgreSQL, which is 0 or 1 in SQLite.
    Truth,
    /// bigint
    Integer,
    /// double precision
    Real,
    /// numeric
    Decimal,
    /// text
    Text,
    /// bytea
    Blob,
    /// NULL as a literal
    Null,
    /// A time whose texts in SQLite all have one form, or a date.
    Moment,
    /// Any other type: its values have another form in SQLite, and can only be compared with NULL.
    #[default]
    Opaque,
}

impl ValueSort {
    /// The class of the values of a type. `None`: they have another form in SQLite.
    pub fn of(kind: &Kind) -> Option<ValueSort> {
        match kind {
            Kind::Bool => Some(ValueSort::Truth),
            Kind::Int8 => Some(ValueSort::Integer),
            Kind::Float8 => Some(ValueSort::Real),
            Kind::Numeric { .. } => Some(ValueSort::Decimal),
            Kind::Text => Some(ValueSort::Text),
            Kind::Bytea => Some(ValueSort::Blob),
            _ => None,
        }
    }

    /// Returns the type that a column of such values has. `None`: it depends on the column.
    pub fn kind(self) -> Option<Kind> {
        match self {
            ValueSort::Truth => Some(Kind::Bool),
            ValueSort::Integer => Some(Kind::Int8),
            ValueSort::Real => Some(Kind::Float8),
            ValueSort::Decimal => Some(Kind::Numeric { limit: None }),
            ValueSort::Text | ValueSort::Null => Some(Kind::Text),
            ValueSort::Blob => Some(Kind::Bytea),
            ValueSort::Moment | ValueSort::Opaque => None,
        }
    }

    /// Returns the class in words.
    pub fn words(self) -> &'static str {
        match self {
            ValueSort::Truth => "a boolean",
            ValueSort::Integer => "an integer",
            ValueSort::Real => "a double",
            ValueSort::Decimal => "a decimal number",
            ValueSort::Text => "a text",
            ValueSort::Blob => "a blob",
            ValueSort::Null => "NULL",
            ValueSort::Moment => "a time",
            ValueSort::Opaque => "a value of another form",
        }
    }
}

/// The type of times, and the form that their texts have in SQLite.
#[derive(Clone, Debug, PartialEq)]
pub struct UniformTime {
    /// `date`, `timestamp` without an offset in SQLite, or `timestamptz` with a `Z` in SQLite.
    pub kind: Kind,
    /// The form of the texts.
    pub form: TimeForm,
}

/// An expression as PostgreSQL writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Translated {
    /// The SQL.
    pub sql: String,
    /// The class of its values.
    pub sort: ValueSort,
    /// True if the SQL needs no brackets as an operand.
    pub is_atom: bool,
    /// The collation that a comparison uses, unless its left operand has one. Empty: it has none.
    pub collation: String,
    /// True if COLLATE is written in it.
    pub is_collated: bool,
    /// True if PostgreSQL takes it for an integer of four bytes.
    pub is_narrow: bool,
    /// The literal number that it is, as a decimal number.
    pub number: Option<String>,
    /// True if arithmetic in it ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
    /// The type of the times, if the values are times.
    pub moment: Option<UniformTime>,
    /// For a text of digits alone, the SQL of the number.
    pub digits: Option<String>,
    /// The table that issues the values, if they are ids that a mapping shifts.
    pub ids_of: Option<String>,
}

impl Translated {
    /// An expression that is an operand without brackets.
    pub fn atom(sql: impl Into<String>, sort: ValueSort) -> Translated {
        let collation = String::new();
        let (is_atom, is_collated, is_narrow, can_overflow) = (true, false, false, false);
        let (number, moment, digits, ids_of, sql) = (None, None, None, None, sql.into());
        Translated {
            sql,
            sort,
            is_atom,
            collation,
            is_collated,
            is_narrow,
            number,
            can_overflow,
            moment,
            digits,
            ids_of,
        }
    }

    /// An expression that needs brackets as an operand.
    pub fn wide(sql: impl Into<String>, sort: ValueSort) -> Translated {
        Translated { is_atom: false, ..Translated::atom(sql, sort) }
    }

    /// The same, with the warnings of its parts.
    pub fn of(mut self, parts: &[&Translated]) -> Translated {
        self.can_overflow |= parts.iter().any(|part| part.can_overflow);
        self
    }

    /// Requires that the value is no id that a mapping shifts.
    pub fn require_no_id(&self) -> Result<(), Refused> {
        if self.ids_of.is_some() { Err(SHIFTED.to_owned()) } else { Ok(()) }
    }

    /// The SQL as an operand.
    pub fn operand(&self) -> String {
        if self.is_atom { self.sql.clone() } else { format!("({})", self.sql) }
    }

    /// The value, compared by a collation.
    pub fn collated(self, collation: &str) -> Result<Translated, Refused> {
        if !["BINARY", "NOCASE", "RTRIM"].contains(&collation) {
            return Err(format!("the collation {collation} belongs to the application"));
        }
        Ok(Translated { collation: collation.to_owned(), is_collated: true, ..self })
    }

    /// Returns true if it is compared by another collation than the bytes.
    pub fn has_other_collation(&self) -> bool {
        self.sort == ValueSort::Text && !["", "BINARY"].contains(&self.collation.as_str())
    }

    /// The value as an integer, if it is one or a boolean.
    pub fn integer(&self) -> Result<Translated, Refused> {
        match self.sort {
            ValueSort::Integer => Ok(self.clone()),
            ValueSort::Truth => {
                let narrow = Translated::atom(format!("{}::int", self.operand()), ValueSort::Integer);
                Ok(Translated { is_narrow: true, ..narrow }.of(&[self]))
            }
            other => Err(format!("{} is no integer", other.words())),
        }
    }

    /// The condition that the value is neither 0 nor NULL.
    pub fn truth(&self) -> Result<Translated, Refused> {
        self.require_no_id()?;
        match self.sort {
            ValueSort::Truth => Ok(self.clone()),
            ValueSort::Null => Ok(Translated::atom("NULL::boolean", ValueSort::Truth)),
            ValueSort::Integer | ValueSort::Real | ValueSort::Decimal => {
                Ok(Translated::wide(format!("{} <> 0", self.operand()), ValueSort::Truth).of(&[self]))
            }
            other => Err(format!("{} as a condition depends on its digits", other.words())),
        }
    }
}

/// Returns a value as the text that SQLite makes of it.
pub fn as_text(value: &Translated) -> Result<String, Refused> {
    match value.sort {
        ValueSort::Text => Ok(value.operand()),
        ValueSort::Integer | ValueSort::Truth => Ok(format!("{}::text", value.integer()?.operand())),
        ValueSort::Null => Ok("NULL::text".to_owned()),
        other => Err(format!("the text of {} has another form", other.words())),
    }
}

/// Returns the table that issues all of the values. `None`: none of them is an id that a mapping shifts.
///
/// # Errors
/// If some are ids of one table, and others are not.
pub fn common_ids<'a>(values: impl IntoIterator<Item = &'a Translated>) -> Result<Option<String>, Refused> {
    let mut all = values.into_iter().filter(|value| value.sort != ValueSort::Null).map(|value| &value.ids_of);
    let Some(first) = all.next() else { return Ok(None) };
    if all.all(|other| other == first) { Ok(first.clone()) } else { Err(SHIFTED.to_owned()) }
}

/// Returns values of one class: integers if some are booleans.
pub fn unified(values: Vec<Translated>) -> Result<(ValueSort, Vec<Translated>), Refused> {
    let mut sorts: Vec<ValueSort> =
        values.iter().map(|value| value.sort).filter(|sort| *sort != ValueSort::Null).collect();
    sorts.dedup();
    match sorts.as_slice() {
        [] => Ok((ValueSort::Null, values)),
        [ValueSort::Opaque | ValueSort::Moment] => Err("its values have another form in SQLite".to_owned()),
        [one] => Ok((*one, values)),
        all if all.iter().all(|sort| matches!(sort, ValueSort::Integer | ValueSort::Truth)) => {
            let whole = |value: Translated| if value.sort == ValueSort::Truth { value.integer() } else { Ok(value) };
            let values = values.into_iter().map(whole).collect::<Result<_, _>>()?;
            Ok((ValueSort::Integer, values))
        }
        [first, second, ..] => Err(format!("its value is {} or {}", first.words(), second.words())),
    }
}
