//! The classes of values, the columns that an expression can name, and an expression as PostgreSQL writes it.

use crate::model::pgtype::Kind;

/// The reason for which an expression is not translated.
pub type Refused = String;

/// The class that all values of an expression have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Any other type: its values have another form in SQLite, and can only be compared with NULL.
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
            ValueSort::Opaque => "a value of another form",
        }
    }
}

/// A column that expressions can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeColumn {
    /// Its name.
    pub name: String,
    /// The class of its values.
    pub sort: ValueSort,
    /// Its collation, in capitals.
    pub collation: String,
    /// True if it is jsonb, whose values are all valid.
    pub is_json: bool,
    /// The reason why no expression may name it.
    pub unusable: Option<String>,
}

/// The columns that expressions can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The columns of the table.
    pub columns: Vec<ScopeColumn>,
    /// The column that is the rowid.
    pub rowid: Option<String>,
}

impl Scope {
    /// Returns the column of a name, or that of a name of the rowid.
    pub fn column(&self, name: &str) -> Option<&ScopeColumn> {
        let find = |name: &str| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        let is_rowid = ["rowid", "_rowid_", "oid"].iter().any(|rowid| name.eq_ignore_ascii_case(rowid));
        find(name).or_else(|| self.rowid.as_ref().filter(|_| is_rowid).and_then(|rowid| find(rowid)))
    }
}

/// An expression as PostgreSQL writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl Translated {
    /// An expression that is an operand without brackets.
    pub fn atom(sql: impl Into<String>, sort: ValueSort) -> Translated {
        let collation = String::new();
        let (is_atom, is_collated, is_narrow, number, can_overflow) = (true, false, false, None, false);
        Translated { sql: sql.into(), sort, is_atom, collation, is_collated, is_narrow, number, can_overflow }
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

    /// The SQL as an operand.
    pub fn operand(&self) -> String {
        if self.is_atom { self.sql.clone() } else { format!("({})", self.sql) }
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

/// Returns values of one class: integers if some are booleans.
pub fn unified(values: Vec<Translated>) -> Result<(ValueSort, Vec<Translated>), Refused> {
    let mut sorts: Vec<ValueSort> =
        values.iter().map(|value| value.sort).filter(|sort| *sort != ValueSort::Null).collect();
    sorts.dedup();
    match sorts.as_slice() {
        [] => Ok((ValueSort::Null, values)),
        [ValueSort::Opaque] => Err("its values have another form in SQLite".to_owned()),
        [one] => Ok((*one, values)),
        all if all.iter().all(|sort| matches!(sort, ValueSort::Integer | ValueSort::Truth)) => {
            let whole = |value: Translated| if value.sort == ValueSort::Truth { value.integer() } else { Ok(value) };
            let values = values.into_iter().map(whole).collect::<Result<_, _>>()?;
            Ok((ValueSort::Integer, values))
        }
        [first, second, ..] => Err(format!("its value is {} or {}", first.words(), second.words())),
    }
}
