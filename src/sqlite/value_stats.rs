//! Warnings about the source's values: conditions that do not stop a run, and losses that happened in the source.
//!
//! Opening only examines what costs nothing. Checks that read every row are separate methods.

use std::path::Path;

use rusqlite::Connection;

use super::diagnose;
use super::error::{Said, SourceError, shown};
use super::reader::Reader;
use super::stamp::SourceFacts;
use super::value::raw;
use crate::model::cell::Raw;
use crate::model::ident::quoted;
use crate::model::record::Warning;
use crate::model::schema::{Affinity, SourceColumn, SourceSchema};

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

    /// Returns SQL that is true for a value that lost something. From 2^53 on, neighbouring doubles differ by more than
    /// one.
    fn is_met(self, column: &str) -> String {
        let column = quoted(column);
        match self {
            Suspect::Text | Suspect::Word => format!("typeof({column}) IN ('integer', 'real')"),
            Suspect::Decimal => format!("typeof({column}) = 'real' AND abs({column} * 1.0) >= 9007199254740992.0"),
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

/// The warnings about data that opening has read anyway.
pub(super) struct OpeningWarnings {
    pub found: Vec<Warning>,
    /// False if the connection found damage and must not be used again.
    pub is_sound: bool,
}

/// Returns the warnings about data that opening has read anyway. A table that cannot be read is a warning here: only a
/// load of it is an error.
pub(super) fn warnings(
    path: &Path,
    real: &Path,
    facts: &SourceFacts,
    schema: &SourceSchema,
    conn: &Connection,
) -> OpeningWarnings {
    let mut warnings = OpeningWarnings { found: Vec::new(), is_sound: true };
    if facts.header.as_ref().is_some_and(|header| header.wal) && facts.wal.is_none() {
        warnings.found.push(without_wal(path, real));
    }
    for (name, table) in &schema.tables {
        let Some(counter) = table.counter else { continue };
        let Some(id) = table.columns.iter().find(|column| column.is_rowid) else { continue };
        let sql = format!("SELECT max({}) FROM main.{} NOT INDEXED", quoted(&id.name), quoted(name));
        let message = match conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)) {
            Ok(Some(max)) if max > counter => {
                format!("sqlite_sequence says {counter} and the largest {} is {max}; the larger one counts.", id.name)
            }
            Ok(_) => continue,
            Err(error) => {
                warnings.is_sound = false;
                format!("its largest {} is unknown; SQLite says \"{}\".", id.name, Said::of(&error).discreet())
            }
        };
        warnings.found.push(Warning::new(format!("source table `{name}`"), message));
    }
    warnings
}

/// Warns about a file in WAL mode without its log. A cleanly stopped application leaves such a file, but so does a copy
/// that omitted the log.
fn without_wal(path: &Path, real: &Path) -> Warning {
    let log = diagnose::next_to(real, "-wal");
    let message = format!(
        "the file is in WAL mode and its log {} holds nothing. That is right if the application was stopped \
         first; if this is a copy of a file in use, copy the -wal too: the latest commits are in it.",
        shown(Path::new(log.file_name().unwrap_or_default()))
    );
    Warning::new(shown(path), message)
}

impl Reader {
    /// Returns the losses that happened in the source to values of these columns: numbers in columns that are text by name
    /// and NUMERIC by affinity, numbers in text columns, decimals that became doubles. Reads each row of the table if a
    /// column may have them.
    pub fn losses(&self, table: &str, columns: &[&SourceColumn]) -> Result<Vec<Warning>, SourceError> {
        let suspects =
            columns.iter().copied().filter_map(|column| Suspect::of(column).map(|suspect| (column, suspect)));
        let suspects: Vec<(&SourceColumn, Suspect)> = suspects.collect();
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        let met = suspects.iter().map(|(column, suspect)| format!("total({})", suspect.is_met(&column.name)));
        let met: Vec<String> = met.collect();
        let counts =
            self.totals(&format!("SELECT {} FROM main.{} NOT INDEXED", met.join(", "), quoted(table)), met.len())?;
        let found = suspects.into_iter().zip(counts).filter(|(_, count)| *count > 0);
        let warning = |((column, suspect), count): ((&SourceColumn, Suspect), u64)| {
            Warning::new(format!("source column `{table}.{}`", column.name), suspect.says(&column.declared, count))
        };
        Ok(found.map(warning).collect())
    }

    /// Returns a warning for each of these columns that holds text with half of a surrogate pair. Only a file in UTF-16 can
    /// hold such text. SQLite reads it as other characters, and nothing later can notice that.
    pub fn half_surrogates(&self, table: &str, columns: &[&SourceColumn]) -> Result<Vec<Warning>, SourceError> {
        if !self.shared.utf16 || columns.is_empty() {
            return Ok(Vec::new());
        }
        let mut encoding = self.prepare("PRAGMA encoding")?;
        let name =
            encoding.query_row([], |row| row.get::<_, String>(0)).map_err(|error| self.failure(&Said::of(&error)))?;
        let unit: fn([u8; 2]) -> u16 = if name.ends_with("be") { u16::from_be_bytes } else { u16::from_le_bytes };
        let bytes = |column: &&SourceColumn| {
            let column = quoted(&column.name);
            format!("CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END")
        };
        let bytes: Vec<String> = columns.iter().map(bytes).collect();
        let mut statement =
            self.prepare(&format!("SELECT {} FROM main.{} NOT INDEXED", bytes.join(", "), quoted(table)))?;
        let mut counts = vec![0u64; columns.len()];
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failure(&Said::of(&error)))? {
            for (n, count) in counts.iter_mut().enumerate() {
                if let Raw::Blob(bytes) = raw(row.get_ref_unwrap(n)) {
                    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
                    *count += u64::from(char::decode_utf16(units).any(|unit| unit.is_err()));
                }
            }
        }
        let found = columns.iter().zip(counts).filter(|(_, count)| *count > 0);
        let warning = |(column, count): (&&SourceColumn, u64)| {
            let values = if count == 1 { "1 text holds".to_owned() } else { format!("{count} texts hold") };
            let message = format!(
                "{values} half of a surrogate pair, which is no character. SQLite reads other characters in its place, and \
                 they are what arrives."
            );
            Warning::new(format!("source column `{table}.{}`", column.name), message)
        };
        Ok(found.map(warning).collect())
    }

    /// For each column of a table, counts the numbers other than 0, and those in each band, regardless of sign. A band
    /// excludes its second bound.
    pub fn magnitudes(
        &self,
        table: &str,
        columns: &[&str],
        bands: &[(f64, f64)],
    ) -> Result<Vec<(u64, Vec<u64>)>, SourceError> {
        let counts: Vec<String> = columns
            .iter()
            .flat_map(|column| {
                let column = quoted(column);
                // As a double, because the smallest integer has no absolute value.
                let size = format!("abs(CASE WHEN typeof({column}) IN ('integer', 'real') THEN {column} * 1.0 END)");
                let within = bands.iter().map(|(from, to)| format!("total({size} >= {from:?} AND {size} < {to:?})"));
                std::iter::once(format!("total({size} > 0.0)")).chain(within.collect::<Vec<_>>())
            })
            .collect();
        let sql = format!("SELECT {} FROM main.{} NOT INDEXED", counts.join(", "), quoted(table));
        let counts = self.totals(&sql, counts.len())?;
        let each = counts.chunks(bands.len() + 1);
        Ok(each.filter_map(|c| c.split_first().map(|(all, within)| (*all, within.to_vec()))).collect())
    }

    /// Returns the single row of a query of `columns` totals.
    fn totals(&self, sql: &str, columns: usize) -> Result<Vec<u64>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let counts = statement.query_row([], |row| {
            (0..columns).map(|n| row.get::<_, f64>(n).map(|count| count as u64)).collect::<rusqlite::Result<_>>()
        });
        counts.map_err(|error| self.failure(&Said::of(&error)))
    }
}
