//! Text with half of a surrogate pair, which only a file in UTF-16 can hold. SQLite reads it as other characters, and nothing later
//! can notice that.

use std::sync::PoisonError;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::error::{Said, SourceError};
use super::reader::Reader;
use super::source::Source;
use super::value::raw;
use crate::model::cell::Raw;
use crate::model::ident::quoted;
use crate::model::record::{Warning, WarningKind};
use crate::model::schema::SourceColumn;

/// The function of a text's bytes, and of 1 if they are big-endian: 1 if the text has half of a surrogate pair, else 0.
const HALF_SURROGATE: &str = "migrate_half_surrogate";

/// Registers the function on a connection.
pub(super) fn register(conn: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function(HALF_SURROGATE, 2, flags, |context| {
        let ValueRef::Blob(bytes) = context.get_raw(0) else { return Ok(false) };
        let unit: fn([u8; 2]) -> u16 = match context.get_raw(1) {
            ValueRef::Integer(1) => u16::from_be_bytes,
            _ => u16::from_le_bytes,
        };
        Ok(has_half_surrogate(bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]))))
    })
}

fn has_half_surrogate(units: impl Iterator<Item = u16>) -> bool {
    char::decode_utf16(units).any(|unit| unit.is_err())
}

impl Source {
    /// Notes the number of texts of a column with half of a surrogate pair, if they were counted in a reading of all rows.
    pub fn know_half_surrogates(&self, table: &str, column: &str, texts: u64) {
        let mut known = self.shared.counted.half_surrogates.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((table.to_owned(), column.to_owned()), texts);
    }
}

impl Reader {
    /// Returns the expression that is 1 in a row in which the column holds text with half of a surrogate pair, and otherwise 0, for
    /// each of these columns. Empty if the file is not in UTF-16.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn half_surrogate_sql(&self, columns: &[&str]) -> std::result::Result<Vec<String>, SourceError> {
        if !self.shared.utf16 || columns.is_empty() {
            return Ok(Vec::new());
        }
        let mut encoding = self.prepare("PRAGMA encoding")?;
        let name =
            encoding.query_row([], |row| row.get::<_, String>(0)).map_err(|error| self.failure(&Said::of(&error)))?;
        let is_big_endian = u8::from(name.ends_with("be"));
        let test = |column: &&str| {
            let column = quoted(column);
            format!(
                "CASE typeof({column}) WHEN 'text' THEN {HALF_SURROGATE}(CAST({column} AS BLOB), {is_big_endian}) ELSE 0 END"
            )
        };
        Ok(columns.iter().map(test).collect())
    }

    /// Returns a warning for each of these columns that holds text with half of a surrogate pair. Reads each row, except for
    /// columns whose texts are known.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn half_surrogates(
        &self,
        table: &str,
        columns: &[&SourceColumn],
    ) -> std::result::Result<Vec<Warning>, SourceError> {
        if !self.shared.utf16 {
            return Ok(Vec::new());
        }
        let known = |column: &&SourceColumn| {
            let known = self.shared.counted.half_surrogates.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&(table.to_owned(), column.name.clone())).copied()
        };
        let counts: Vec<Option<u64>> = columns.iter().map(known).collect();
        let unknown = columns.iter().zip(&counts).filter(|(_, count)| count.is_none());
        let unknown: Vec<&str> = unknown.map(|(column, _)| column.name.as_str()).collect();
        let mut counted = self.count_half_surrogates(table, &unknown)?.into_iter();
        let counts = counts.into_iter().map(|count| count.or_else(|| counted.next()).unwrap_or(0));
        let found = columns.iter().zip(counts).filter(|(_, count)| *count > 0);
        Ok(found.map(|(column, count)| warning(table, &column.name, count)).collect())
    }

    fn count_half_surrogates(&self, table: &str, columns: &[&str]) -> std::result::Result<Vec<u64>, SourceError> {
        let tests = self.half_surrogate_sql(columns)?;
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement =
            self.prepare(&format!("SELECT {} FROM main.{} NOT INDEXED", tests.join(", "), quoted(table)))?;
        let mut counts = vec![0; columns.len()];
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failure(&Said::of(&error)))? {
            for (n, count) in counts.iter_mut().enumerate() {
                *count += u64::from(raw(row.get_ref_unwrap(n)) == Raw::Integer(1));
            }
        }
        Ok(counts)
    }
}

fn warning(table: &str, column: &str, count: u64) -> Warning {
    let values = if count == 1 { "1 text holds".to_owned() } else { format!("{count} texts hold") };
    let message = format!(
        "{values} half of a surrogate pair, which is no character. SQLite reads other characters in its place, and they are what \
         arrives."
    );
    let place = format!("source column `{table}.{column}`");
    Warning { kind: WarningKind::Misread(count), ..Warning::new(place, message) }
}
