//! Losses that happened in the source before this run: numbers in columns that are text by name and NUMERIC by affinity,
//! numbers in text columns, decimals that became doubles. They are warnings; nothing can bring the lost digits back.

use crate::model::column_numbers::ColumnNumbers;
use crate::model::record::Warning;
use crate::model::schema::{Affinity, SourceColumn, SourceSchema};

use super::source_numbers::SourceNumbers;

/// Type names that people use for text and to which SQLite gives NUMERIC affinity, so that it converts text that looks
/// like a number.
const TEXT_IN_NAME: &[&str] =
    &["STRING", "UUID", "GUID", "JSON", "JSONB", "INET", "CIDR", "MACADDR", "BYTEA", "XML", "ENUM", "HSTORE"];

/// Type names that promise decimal digits. SQLite stores a large number or one with decimals as a double.
const DECIMAL_IN_NAME: &[&str] = &["DECIMAL", "NUMERIC", "NUMBER", "DEC", "MONEY", "CURRENCY"];

/// A loss that values of a column may have suffered when they were stored.
#[derive(Clone, Copy, PartialEq)]
enum Suspect {
    /// Text by affinity: numbers were stored in spite of it.
    Text,
    /// Text by name and NUMERIC by affinity: text that looked like a number became one.
    Word,
    /// Decimals by name: numbers with many digits became doubles.
    Decimal,
}

/// Returns true if values of a column may have lost something when they were stored.
pub fn is_suspect(column: &SourceColumn) -> bool {
    Suspect::of(column).is_some()
}

/// Returns a warning for each column of the source with values that lost something.
pub fn warnings(source: &SourceSchema, numbers: &SourceNumbers) -> Vec<Warning> {
    let mut found = Vec::new();
    for (name, table) in &source.tables {
        for column in &table.columns {
            let (Some(suspect), Some(numbers)) = (Suspect::of(column), numbers.of(name, &column.name)) else {
                continue;
            };
            let count = suspect.lost(numbers);
            if count > 0 {
                let place = format!("source column `{name}.{}`", column.name);
                found.push(Warning::new(place, suspect.says(&column.declared, count)));
            }
        }
    }
    found
}

impl Suspect {
    fn of(column: &SourceColumn) -> Option<Suspect> {
        let is_one_of = |names: &[&str]| {
            let word = column.declared.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            names.iter().any(|name| name.eq_ignore_ascii_case(word))
        };
        match column.affinity() {
            Affinity::Text => Some(Suspect::Text),
            _ if is_one_of(TEXT_IN_NAME) => Some(Suspect::Word),
            Affinity::Numeric if is_one_of(DECIMAL_IN_NAME) => Some(Suspect::Decimal),
            _ => None,
        }
    }

    /// Returns the number of values that lost something.
    fn lost(self, numbers: &ColumnNumbers) -> u64 {
        match self {
            Suspect::Text | Suspect::Word => numbers.all,
            Suspect::Decimal => numbers.inexact,
        }
    }

    fn says(self, declared: &str, count: u64) -> String {
        let of = |one: &str, many: &str| {
            if count == 1 { format!("1 value is {one}") } else { format!("{count} values are {many}") }
        };
        match self {
            Suspect::Text => format!(
                "declared {declared}, and {}: they were stored in spite of the column's affinity.",
                of("a number", "numbers")
            ),
            Suspect::Word => format!(
                "declared {declared}, which SQLite gives NUMERIC affinity, and {}: text that looked like a number lost \
                 its leading zeros, sign, digits or form when it was stored.",
                of("a number", "numbers")
            ),
            Suspect::Decimal => format!(
                "declared {declared}, and {} of 2^53 or more: SQLite keeps about 16 digits of such a number, and the \
                 digits after them were lost when it was stored.",
                of("a double", "doubles")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(declared: &str, numbers: ColumnNumbers) -> Option<String> {
        let column = SourceColumn { declared: declared.to_owned(), ..SourceColumn::default() };
        let suspect = Suspect::of(&column)?;
        let count = suspect.lost(&numbers);
        (count > 0).then(|| suspect.says(declared, count))
    }

    #[test]
    fn the_declared_type_decides_which_numbers_lost_something() {
        let numbers = ColumnNumbers { all: 2, inexact: 1, ..ColumnNumbers::default() };
        for (declared, says) in [
            ("STRING", "declared STRING, which SQLite gives NUMERIC affinity, and 2 values are numbers"),
            ("uuid", "declared uuid, which SQLite"),
            ("JSON", "declared JSON, which SQLite"),
            ("VARCHAR(9)", "declared VARCHAR(9), and 2 values are numbers: they were stored in spite"),
            ("DECIMAL(10,2)", "declared DECIMAL(10,2), and 1 value is a double of 2^53 or more"),
        ] {
            let said = said(declared, numbers).unwrap_or_default();
            assert!(said.contains(says), "{said}");
        }
        for declared in ["DATE", "INTEGER", "REAL", "BLOB", ""] {
            assert_eq!(said(declared, numbers), None, "{declared}");
        }
        assert_eq!(said("STRING", ColumnNumbers::default()), None);
        assert_eq!(said("NUMERIC", ColumnNumbers { all: 5, ..ColumnNumbers::default() }), None);
    }
}
