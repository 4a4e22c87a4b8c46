//! A line of NDJSON that names a file: `{"path": "...", "owner": {"username": "..."}}`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::member::MemberFile;

/// The whole line. A key that is unknown or repeated is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberLine {
    path: String,
    #[serde(default)]
    owner: JsonValues,
}

/// Values by name, without those that are `null`.
#[derive(Default)]
struct JsonValues(Vec<JsonValue>);

struct JsonValue {
    name: String,
    text: String,
}

impl<'de> Deserialize<'de> for JsonValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonValues, D::Error> {
        deserializer.deserialize_map(OwnerVisitor)
    }
}

struct OwnerVisitor;

impl<'de> Visitor<'de> for OwnerVisitor {
    type Value = JsonValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values by name")
    }

    /// Reads the entries one by one, because a map would keep the last of two with one name.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonValues, A::Error> {
        let mut names = Vec::new();
        let mut found = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("duplicate value `{name}`")));
            }
            let text = text(&value).map_err(|kind| {
                A::Error::custom(format!("the value `{name}` is {kind}, and a text or a whole number is expected"))
            })?;
            found.extend(text.map(|text| JsonValue { name: name.clone(), text }));
            names.push(name);
        }
        Ok(JsonValues(found))
    }
}

/// The value as text, `None` for `null`. A whole number is the text of its digits.
fn text(value: &Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => {
            let text = number.to_string();
            let is_whole = text.strip_prefix('-').unwrap_or(&text).bytes().all(|byte| byte.is_ascii_digit());
            if is_whole { Ok(Some(text)) } else { Err("a number with a fraction or an exponent") }
        }
        Value::Bool(_) => Err("a truth value"),
        Value::Array(_) => Err("an array"),
        Value::Object(_) => Err("an object"),
    }
}

/// Parses a line.
///
/// # Errors
/// The mistake in words, with its column.
pub(super) fn member(line: &[u8]) -> Result<MemberFile, String> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("no object begins here".to_owned());
    }
    let parsed: MemberLine = serde_json::from_slice(line).map_err(|e| {
        let text = e.to_string();
        // The line is the only one that this text has.
        let reason = text.strip_suffix(&format!(" at line {} column {}", e.line(), e.column())).unwrap_or(&text);
        format!("{reason}, column {}", e.column())
    })?;
    let mut member = MemberFile::new(parsed.path);
    parsed.owner.0.iter().for_each(|value| member.put(&value.name, &value.text));
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_names_a_file_and_the_values_of_its_owner() {
        let read =
            member(br#"{"owner": {"username": "\u00e9va", "id": -42, "none": null, "empty": ""}, "path": "a/b"}"#);
        let mut expected = MemberFile::new("a/b");
        expected.put("username", "éva");
        expected.put("id", "-42");
        assert_eq!(read, Ok(expected));
        assert_eq!(member(br#" {"path": "a"} "#), Ok(MemberFile::new("a")));
        let large = member(br#"{"path": "a", "owner": {"id": 123456789012345678901234567890}}"#).unwrap();
        assert_eq!(large.values["id"], "123456789012345678901234567890");
    }

    #[test]
    fn a_line_of_another_form_is_refused_with_its_column() {
        for (line, expected) in [
            (r#"{"path": "a", "user": "b"}"#, "unknown field `user`, expected `path` or `owner`, column 20"),
            (r#"{"path": "a", "path": "b"}"#, "duplicate field `path`, column 20"),
            (r#"{"owner": {}}"#, "missing field `path`, column 13"),
            (r#"{"path": "a", "owner": {"id": 1, "id": 2}}"#, "duplicate value `id`, column 41"),
            (r#"{"path": "a", "owner": {"id": 1.5}}"#, "a number with a fraction"),
            (r#"{"path": "a", "owner": {"id": true}}"#, "`id` is a truth value"),
            (r#"{"path": "a", "owner": {"id": ["b"]}}"#, "`id` is an array"),
            (r#"{"path": "a", "owner": "b"}"#, "expected an object of values by name"),
            (r#"{"path": 7}"#, "expected a string"),
            (r#"{"path": "a"} {"path": "b"}"#, "trailing characters, column 15"),
            (r#"{"path": "a""#, "EOF while parsing an object, column 12"),
            (r#"["a", {}]"#, "no object begins here"),
            (r#""a""#, "no object begins here"),
        ] {
            let refused = member(line.as_bytes()).unwrap_err();
            assert!(refused.contains(expected), "{line}: {refused}");
        }
        assert!(member(b"{\"path\": \"\xff\"}").unwrap_err().contains("invalid unicode"));
    }
}
