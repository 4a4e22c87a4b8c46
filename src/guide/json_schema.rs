//! The JSON schema of mappings, for editors that complete and check the keys of TOML files.
//!
//! Keys come from the reader of mappings, their descriptions from the comments of the reference file. So neither can become
//! stale. Values have no types here: most keys accept several forms, and the reader explains a wrong one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::REFERENCE;
use crate::mapping;

/// Sections whose keys are names of the two databases, by path, with the path of the values.
const NAMED: [(&str, &str); 6] = [
    ("load", "load.*"),
    ("load.*.columns", "load.*.columns.*"),
    ("defaults.columns", "defaults.columns.*"),
    ("defaults.types", "defaults.columns.*"),
    ("leave", ""),
    ("sequences", ""),
];

/// Sections with keys of the language that are tables.
const TABLES: [&str; 5] = ["source", "target", "owner", "defaults", "load.*.columns.*.lookup"];

/// Returns the schema.
///
/// # Errors
/// If it has a form that JSON lacks, which only a mistake in this program can cause.
pub fn json_schema() -> anyhow::Result<String> {
    let comments = comments();
    let mut schema = object("", &comments);
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("A mapping of migrate"));
    schema.insert("required".to_owned(), json!(["format", "name"]));
    Ok(serde_json::to_string_pretty(&Value::Object(schema))? + "\n")
}

/// The schema of a table with keys of the language.
fn object(path: &str, comments: &BTreeMap<String, String>) -> Map<String, Value> {
    let keys = mapping::keys_at(path).into_iter().map(|key| {
        let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        (key.to_owned(), property(&place, comments))
    });
    // An open question may be in the place of a section.
    let mut properties: Map<String, Value> = keys.collect();
    if !path.is_empty() {
        properties.insert(mapping::QUESTION_KEY.to_owned(), json!({ "description": "an open question" }));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn property(place: &str, comments: &BTreeMap<String, String>) -> Value {
    let mut schema = if let Some((_, values)) = NAMED.iter().find(|(path, _)| *path == place) {
        let mut named = Map::new();
        named.insert("type".to_owned(), json!("object"));
        match *values {
            "" => {}
            // A column may be the name of a source column alone.
            "load.*.columns.*" => {
                let written = Value::Object(object(values, comments));
                named.insert("additionalProperties".to_owned(), json!({ "anyOf": [{ "type": "string" }, written] }));
            }
            values => {
                named.insert("additionalProperties".to_owned(), Value::Object(object(values, comments)));
            }
        }
        named
    } else if TABLES.contains(&place) {
        object(place, comments)
    } else {
        Map::new()
    };
    let shared = place.replace("defaults.columns.*", "load.*.columns.*");
    if let Some(comment) = comments.get(&shared) {
        schema.insert("description".to_owned(), json!(comment));
    }
    Value::Object(schema)
}

/// The first comment of each key of the reference file, by the key's path.
fn comments() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut section = String::new();
    for line in REFERENCE.lines() {
        let (code, comment) = line.split_once(" # ").map_or((line, ""), |(code, comment)| (code, comment.trim()));
        let code = code.trim();
        if let Some(name) = code.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = path(name);
            note(&mut found, &section, comment);
        } else if let Some((key, value)) = code.split_once('=') {
            let key = key.trim();
            let place = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            note(&mut found, &place, comment);
            // A column shows its keys in braces: its comment is that of the last one.
            if section == "load.*.columns" {
                let keys =
                    value.trim().trim_start_matches('{').split(['{', ',']).filter_map(|part| part.split_once('='));
                keys.for_each(|(key, _)| note(&mut found, &format!("load.*.columns.*.{}", key.trim()), comment));
            }
        }
    }
    found
}

/// Returns the path of a section with `*` in place of the names of a load and a column.
fn path(section: &str) -> String {
    let parts: Vec<&str> = section.split('.').collect();
    let star = |(n, part): (usize, &&str)| match (parts.first(), n) {
        (Some(&"load"), 1 | 3) => "*".to_owned(),
        _ => (*part).to_owned(),
    };
    parts.iter().enumerate().map(star).collect::<Vec<_>>().join(".")
}

fn note(found: &mut BTreeMap<String, String>, place: &str, comment: &str) {
    if !comment.is_empty() {
        found.entry(place.to_owned()).or_insert_with(|| comment.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_every_key_of_the_language_and_describes_most() {
        let schema: Value = serde_json::from_str(&json_schema().expect("a schema")).expect("JSON");
        let mut described = 0;
        let keys = mapping::keys_of_the_language();
        for key in &keys {
            let mut at = &schema;
            for part in key.split('.') {
                at = match part {
                    "*" => {
                        let named = &at["additionalProperties"];
                        named["anyOf"].get(1).unwrap_or(named)
                    }
                    part => &at["properties"][part],
                };
                if key.contains(".steps.") {
                    break;
                }
            }
            assert!(at.is_object(), "{key} is missing");
            described += usize::from(at["description"].is_string());
        }
        assert!(described * 10 >= keys.len() * 8, "{described} of {} keys are described", keys.len());
    }

    #[test]
    fn an_unknown_key_is_not_allowed_and_an_open_question_is() {
        let schema: Value = serde_json::from_str(&json_schema().expect("a schema")).expect("JSON");
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["properties"]["owner"]["properties"]["?"].is_object());
    }
}
