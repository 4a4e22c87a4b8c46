//! The one row of a query, as texts by the names of its columns.

use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use super::value::raw;
use crate::model::cell::Raw;

impl Reader {
    /// Returns the values of a query that returns one row: integers and texts as texts, NULL as `None`.
    ///
    /// # Errors
    /// If the query is wrong, returns no row or several, or a value is neither an integer nor a text.
    pub fn one_row(&self, sql: &str) -> Result<Vec<(String, Option<String>)>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let other = |because: String| {
            Err(SourceError::new(ErrorClass::Sql, &self.shared.place, "the query does not tell the owner of this file")
                .because(because)
                .advise("Write a query that returns one row, with a text or an integer for each name."))
        };
        let mut rows = statement.raw_query();
        let failed = |error: rusqlite::Error| self.failure(&Said::of(&error));
        let Some(row) = rows.next().map_err(failed)? else { return other("it returns no row".to_owned()) };
        let mut values = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let value = match raw(row.get_ref_unwrap(at)) {
                Raw::Null => None,
                Raw::Integer(value) => Some(value.to_string()),
                Raw::Text(text) => match std::str::from_utf8(text) {
                    Ok(text) => Some(text.to_owned()),
                    Err(_) => return other(format!("`{name}` is not UTF-8")),
                },
                Raw::Real(_) => return other(format!("`{name}` is a floating-point number")),
                Raw::Blob(_) => return other(format!("`{name}` is a blob")),
            };
            values.push((name, value));
        }
        match rows.next().map_err(failed)? {
            Some(_) => other("it returns more than one row".to_owned()),
            None => Ok(values),
        }
    }
}
