//! `existing`: the treatment of rows that a table of the target holds before the run, as the mapping writes it.

use serde::Deserialize;

use crate::model::rules::{Differ, Existing};

/// `"append"`, `"replace"`, `"match"`, or `{ match = ["column"], differ = "source" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(super) struct ExistingKey(pub Existing);

impl TryFrom<toml::Value> for ExistingKey {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<ExistingKey, String> {
        let existing = match &value {
            toml::Value::String(word) => match word.as_str() {
                "append" => Some(Existing::Append),
                "replace" => Some(Existing::Replace),
                "match" => Some(Existing::Match { key: None, differ: None }),
                _ => None,
            },
            toml::Value::Table(table) => matched(table),
            _ => None,
        };
        existing.map(ExistingKey).ok_or_else(|| {
            "existing is \"append\", \"replace\", \"match\" or { match = [\"column\"], differ = \"source\" or \"target\" }"
                .to_owned()
        })
    }
}

fn matched(table: &toml::Table) -> Option<Existing> {
    if table.is_empty() || table.keys().any(|key| key != "match" && key != "differ") {
        return None;
    }
    let key = match table.get("match") {
        None => None,
        Some(toml::Value::Array(columns)) if !columns.is_empty() => {
            Some(columns.iter().map(|column| column.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()?)
        }
        Some(_) => return None,
    };
    let differ = match table.get("differ").map(|differ| differ.as_str()) {
        None => None,
        Some(Some("source")) => Some(Differ::Source),
        Some(Some("target")) => Some(Differ::Target),
        Some(_) => return None,
    };
    Some(Existing::Match { key, differ })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Existing, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        ExistingKey::try_from(table["existing"].clone()).map(|key| key.0)
    }

    #[test]
    fn every_form_of_existing_is_read_and_no_other() {
        let key = |columns: &[&str]| Some(columns.iter().map(|c| (*c).to_owned()).collect());
        let forms = [
            ("'append'", Existing::Append),
            ("'replace'", Existing::Replace),
            ("'match'", Existing::Match { key: None, differ: None }),
            ("{ match = ['a', 'b'] }", Existing::Match { key: key(&["a", "b"]), differ: None }),
            (
                "{ match = ['a'], differ = 'source' }",
                Existing::Match { key: key(&["a"]), differ: Some(Differ::Source) },
            ),
            ("{ differ = 'target' }", Existing::Match { key: None, differ: Some(Differ::Target) }),
        ];
        for (text, existing) in forms {
            assert_eq!(read(&format!("existing = {text}")), Ok(existing), "{text}");
        }
        for text in
            ["'keep'", "{}", "{ match = [] }", "{ match = 'a' }", "{ match = [1] }", "{ differ = 'both' }", "true"]
        {
            assert!(read(&format!("existing = {text}")).is_err(), "{text}");
        }
        assert!(read("existing = { match = ['a'], difer = 'source' }").is_err());
    }
}
