//! The functions that the mapping's SQL has beyond SQLite's own: `regexp`, `casefold`, and those that [`SourceOptions`] brings.
//!
//! They may be called from the mapping alone: a view or a generated column of the source that uses the
//! application's own `regexp` must fail by name, not run with ours.
//!
//! [`SourceOptions`]: super::Options

use std::borrow::Cow;
use std::sync::Arc;

use regex::bytes::Regex;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};

use super::value::{FunctionResult, raw};
use crate::model::cell::{Raw, RawBuf};

/// A function of one argument. An `Err` fails the row that it was called for; its text must hold no value.
pub type ScalarFunction = Arc<dyn Fn(Raw<'_>) -> std::result::Result<RawBuf, String> + Send + Sync>;

/// Registers all of them on a connection.
pub(super) fn register(conn: &Connection, scalars: &[(&'static str, ScalarFunction)]) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
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

/// Lower case character by character, as PostgreSQL's `lower` has it: what differs in case alone becomes equal.
/// Full folding is not done (`ß` is not `ss`): two people's names are rather kept apart than made one.
pub fn casefold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// `X REGEXP Y` calls `regexp(Y, X)`. NULL where either is; a constant pattern is compiled once a statement.
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

/// The bytes of a text, a blob, or an integer's digits. A real has no text that all versions agree on.
fn text<'a>(value: ValueRef<'a>, function: &str) -> Result<Option<Cow<'a, [u8]>>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(i) => Ok(Some(Cow::Owned(i.to_string().into_bytes()))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(Cow::Borrowed(bytes))),
        ValueRef::Real(_) => Err(failed(&format!("{function}: a real has no text; write CAST(... AS TEXT)"))),
    }
}

/// An error of a function, as words alone.
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
