//! Counts over the source's values, and warnings about them: conditions that do not stop a run.

use std::sync::PoisonError;

use super::error::{Said, SourceError};
use super::reader::Reader;
use super::source::Source;
use super::utf16::HALF_SURROGATE;
use super::value::raw;
use crate::model::cell::Raw;
use crate::model::column_numbers::ColumnNumbers;
use crate::model::ident::quoted;
use crate::model::record::{Warning, WarningKind};
use crate::model::schema::SourceColumn;

impl Reader {
    /// Counts the numbers in each of these columns of a table. Reads each row.
    pub fn column_numbers(&self, table: &str, columns: &[&str]) -> Result<Vec<ColumnNumbers>, SourceError> {
        let names: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let mut statement =
            self.prepare(&format!("SELECT {} FROM main.{} NOT INDEXED", names.join(", "), quoted(table)))?;
        let mut counts = vec![ColumnNumbers::default(); columns.len()];
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failure(&Said::of(&error)))? {
            counts.iter_mut().enumerate().for_each(|(n, counts)| counts.add(raw(row.get_ref_unwrap(n))));
        }
        Ok(counts)
    }

    /// Returns the expression that is 1 in a row in which the column holds text with half of a surrogate pair, and otherwise 0, for
    /// each of these columns. Empty if the file is not in UTF-16.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn half_surrogate_sql(&self, columns: &[&str]) -> Result<Vec<String>, SourceError> {
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

    /// Returns a warning for each of these columns that holds text with half of a surrogate pair. SQLite reads such text as other
    /// characters, and nothing later can notice that. Reads each row, except for columns whose texts are known.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn half_surrogates(&self, table: &str, columns: &[&SourceColumn]) -> Result<Vec<Warning>, SourceError> {
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
        Ok(found.map(|(column, count)| misread_texts(table, &column.name, count)).collect())
    }

    fn count_half_surrogates(&self, table: &str, columns: &[&str]) -> Result<Vec<u64>, SourceError> {
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

impl Source {
    /// Notes the number of texts of a column with half of a surrogate pair, if they were counted in a reading of all rows.
    pub fn know_half_surrogates(&self, table: &str, column: &str, texts: u64) {
        let mut known = self.shared.counted.half_surrogates.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((table.to_owned(), column.to_owned()), texts);
    }
}

fn misread_texts(table: &str, column: &str, count: u64) -> Warning {
    let values = if count == 1 { "1 text holds".to_owned() } else { format!("{count} texts hold") };
    let message = format!(
        "{values} half of a surrogate pair, which is no character. SQLite reads other characters in its place, and they are what \
         arrives."
    );
    let place = format!("source column `{table}.{column}`");
    Warning { kind: WarningKind::Misread(count), ..Warning::new(place, message) }
}
