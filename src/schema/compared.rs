//! An expression of the source and its translation, in a form in which both engines have the same value.

use super::expression::{Translated, ValueSort};
use super::tokens::{SourceToken, sql};
use super::types::column_type;
use crate::model::ident::quoted;
use crate::model::pgtype::{ColumnType, Kind};

/// The two sides of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedSql {
    /// The SQL for SQLite.
    pub source: String,
    /// The SQL for PostgreSQL.
    pub target: String,
    /// The type of a column that holds the value of SQLite.
    pub kind: ColumnType,
}

impl ComparedSql {
    /// A condition, which is true, false or unknown. `columns`: the names that are no texts.
    pub fn condition(tokens: &[SourceToken], found: &Translated, columns: &[String]) -> ComparedSql {
        ComparedSql::truth(&sql(tokens, columns), &found.sql)
    }

    /// A value. `None` if its type has another form in SQLite.
    pub fn value(source: &str, found: &Translated) -> Option<ComparedSql> {
        let own = |kind| Some(ComparedSql::of(source.to_owned(), found.sql.clone(), kind));
        match found.sort {
            ValueSort::Truth => Some(ComparedSql::truth(source, &found.sql)),
            // A sum beyond the bounds of bigint is a double in SQLite, which no column of bigint holds.
            ValueSort::Integer => {
                let (source, target) = (format!("CAST(({source}) AS TEXT)"), format!("({})::text", found.sql));
                Some(ComparedSql::of(source, target, Kind::Text))
            }
            ValueSort::Real => own(Kind::Float8),
            ValueSort::Decimal => own(Kind::Numeric { limit: None }),
            ValueSort::Text => own(Kind::Text),
            ValueSort::Blob => own(Kind::Bytea),
            ValueSort::Null | ValueSort::Moment | ValueSort::Opaque => None,
        }
    }

    /// A text under a collation: SQLite compares it by this value.
    pub fn collated(column: &str, collation: &str, target: &str) -> ComparedSql {
        let source = collated_source(&quoted(column), collation);
        ComparedSql::of(source, target.to_owned(), Kind::Text)
    }

    /// A default of a column.
    pub fn default(source: &str, target: &str, kind: &ColumnType) -> ComparedSql {
        let target = format!("({target})::{}", kind.name);
        ComparedSql { source: format!("({source})"), target, kind: kind.clone() }
    }

    fn truth(source: &str, target: &str) -> ComparedSql {
        let source = format!("CASE WHEN ({source}) THEN 1 WHEN NOT ({source}) THEN 0 END");
        ComparedSql::of(source, target.to_owned(), Kind::Bool)
    }

    fn of(source: String, target: String, kind: Kind) -> ComparedSql {
        ComparedSql { source, target, kind: column_type(kind) }
    }
}

/// Returns the SQL of the text by which SQLite compares a text under a collation.
pub fn collated_source(text: &str, collation: &str) -> String {
    match collation {
        "NOCASE" => format!("lower({text})"),
        "RTRIM" => format!("rtrim({text}, ' ')"),
        _ => text.to_owned(),
    }
}
