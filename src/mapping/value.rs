//! A value as a mapping writes it: a constant, or one of the words in braces.

use serde::Deserialize;

use crate::model::cell::RawBuf;
use crate::model::rules::Value;

/// A value of the mapping: `0`, `"text"`, `true`, `{ null = true }`, `{ now = true }`, `{ owner = true }`,
/// `{ env = "NAME" }` or, for a modifier, `{ fault = true }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct WrittenValue(pub Value);

impl TryFrom<toml::Value> for WrittenValue {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<WrittenValue, String> {
        let constant = |raw| Ok(WrittenValue(Value::Literal(raw)));
        match value {
            toml::Value::String(text) => constant(RawBuf::text(text)),
            toml::Value::Integer(i) => constant(RawBuf::Integer(i)),
            toml::Value::Float(r) => constant(RawBuf::Real(r)),
            toml::Value::Boolean(b) => constant(RawBuf::Integer(i64::from(b))),
            toml::Value::Datetime(at) => constant(RawBuf::text(at.to_string())),
            toml::Value::Array(_) => Err("a list is not a value here; write it as text, such as \"[1,2]\"".to_owned()),
            toml::Value::Table(table) => word(&table).map(WrittenValue),
        }
    }
}

/// A value of the owner's row: one of [`WrittenValue`], or `{ member = true }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct OwnerValue(pub Value);

impl TryFrom<toml::Value> for OwnerValue {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<OwnerValue, String> {
        let is_member =
            |table: &toml::Table| table.len() == 1 && table.get("member") == Some(&toml::Value::Boolean(true));
        match &value {
            toml::Value::Table(table) if is_member(table) => Ok(OwnerValue(Value::Member)),
            _ => WrittenValue::try_from(value).map(|written| OwnerValue(written.0)),
        }
    }
}

/// The treatment of a row whose reference has no row: a value that replaces the reference, or `{ drop = true }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum OrphanRule {
    /// The row is left out, and so are the rows that refer to it.
    Drop,
    /// The value replaces the reference.
    Replace(WrittenValue),
}

impl TryFrom<toml::Value> for OrphanRule {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<OrphanRule, String> {
        let drops = |table: &toml::Table| table.len() == 1 && table.get("drop") == Some(&toml::Value::Boolean(true));
        match &value {
            toml::Value::Table(table) if drops(table) => Ok(OrphanRule::Drop),
            _ => WrittenValue::try_from(value).map(OrphanRule::Replace),
        }
    }
}

fn word(table: &toml::Table) -> Result<Value, String> {
    const WORDS: &str = "a value in braces is { null = true }, { now = true }, { owner = true }, { env = \"NAME\" } or { fault = true }";
    let mut entries = table.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(WORDS.to_owned());
    };
    match (key.as_str(), value) {
        ("null", toml::Value::Boolean(true)) => Ok(Value::Null),
        ("now", toml::Value::Boolean(true)) => Ok(Value::Now),
        ("owner", toml::Value::Boolean(true)) => Ok(Value::Owner),
        ("fault", toml::Value::Boolean(true)) => Ok(Value::Fault),
        ("env", toml::Value::String(name)) => Ok(Value::Env(name.clone())),
        _ => Err(WORDS.to_owned()),
    }
}
