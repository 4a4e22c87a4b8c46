//! The mapping language, each feature in a small migration of its own.
//!
//! The five applications use the same features together (`applications`).

mod checks;
mod derived;
mod feeds;
mod mistakes;
mod omitted;
mod owners;
mod resumed;
mod target;

use serde_json::Value;

use crate::support::case::Case;
use crate::support::postgres::Database;

/// A case whose source is a script, and whose mapping is given without its head.
fn mapped(source: &str, target: &str, mapping: &str) -> Case {
    let case = Case::with(Database::with(target), &["-m", "m.toml"]);
    case.place.write("source.sql", source);
    remap(&case, mapping);
    case
}

/// Replaces the mapping of a case.
fn remap(case: &Case, mapping: &str) {
    let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.sql\"\nzone = \"UTC\"\n";
    case.place.write("m.toml", format!("{head}{mapping}"));
}

/// The entry of a report's list that has this value under this key.
fn entry<'r>(report: &'r Value, list: &str, key: &str, value: &str) -> &'r Value {
    let found = report[list].as_array().into_iter().flatten().find(|entry| entry[key] == value);
    found.unwrap_or_else(|| panic!("{list} has no {key} = {value}: {}", report[list]))
}
