//! The SQL functions of mappings in addition to SQLite's own: `regexp`, `casefold`, those in [`SourceOptions`], and those in `math` and `utf16`.
//!
//! Except those of the two files, they may be called only by the mapping's SQL. A view or a generated column of the source that uses the application's
//! own `regexp` must fail by name and not run this one.
//!
//! [`SourceOptions`]: super::SourceOptions

use std::borrow::Cow;
use std::sync::Arc;

use regex::bytes::Regex;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};

use super::math;
use super::utf16;
use super::value::{FunctionResult, raw};
use crate::model::cell::{Raw, RawBuf};

/// A function of one argument. An `Err` fails the row for which it was called; its text must not contain a value.
pub type ScalarFunction = Arc<dyn Fn(Raw<'_>) -> std::result::Result<RawBuf, String> + Send + Sync>;

/// Registers all functions on a connection.
pub(super) fn register(conn: &Connection, scalars: &[(&'static str, ScalarFunction)]) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    math::register(conn)?;
    utf16::register(conn)?;
    conn.create_scalar_function("regexp", 2, flags, regexp)?;
    conn.create_scalar_function("casefold", 1, flags, |context| match text(context.get_raw(0), "casefold")? {
        None => Ok(None),
        Some(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(casefold(text))),
            Err(_) => Err(failed("casefold: the text is not UTF-8")),
        },
    })?;
    for (name, scalar) in scalars {
        let scalar = Arc::clone(scalar);
        conn.create_scalar_function(*name, 1, flags, move |context| {
            scalar(raw(context.get_raw(0))).map(FunctionResult).map_err(|words| failed(&words))
        })?;
    }
    Ok(())
}

/// Converts to lower case character by character, as PostgreSQL's `lower` does, so that texts that differ only in case
/// become equal.
///
/// Full folding is not done (`ß` does not become `ss`), because keeping two people's names apart is safer than merging
/// them.
pub fn casefold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Evaluates `X REGEXP Y`, which calls `regexp(Y, X)`. NULL if either is NULL. A constant pattern is compiled once per
/// statement.
fn regexp(context: &Context<'_>) -> Result<Option<bool>> {
    let pattern = context.get_or_create_aux(0, |value| -> std::result::Result<Option<Regex>, FunctionError> {
        match value {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                let pattern =
                    std::str::from_utf8(bytes).map_err(|_| FunctionError("regexp: the pattern is not UTF-8".into()))?;
                Regex::new(pattern).map(Some).map_err(|error| FunctionError(format!("regexp: {error}")))
            }
            _ => Err(FunctionError("regexp: the pattern is not text".into())),
        }
    })?;
    let subject = text(context.get_raw(1), "regexp")?;
    Ok(pattern.as_ref().as_ref().zip(subject).map(|(pattern, subject)| pattern.is_match(&subject)))
}

/// Returns the bytes of a text or a blob, or the digits of an integer. The text of a real depends on the version of
/// SQLite.
fn text<'a>(value: ValueRef<'a>, function: &str) -> Result<Option<Cow<'a, [u8]>>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(i) => Ok(Some(Cow::Owned(i.to_string().into_bytes()))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(Cow::Borrowed(bytes))),
        ValueRef::Real(_) => Err(failed(&format!("{function}: a real has no text; write CAST(... AS TEXT)"))),
    }
}

/// An error of a function, as a message only.
#[derive(Debug)]
struct FunctionError(String);

impl std::fmt::Display for FunctionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FunctionError {}

fn failed(words: &str) -> Error {
    Error::UserFunctionError(Box::new(FunctionError(words.to_owned())))
}
