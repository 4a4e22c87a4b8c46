//! `tests/reference.toml` shows every key of the mapping's language, each with a comment, and the README points at it.

use std::collections::BTreeSet;

use migrate::mapping;
use toml::Value;

use super::support::read_repo;

/// The keys of a mapping file with their places, as `keys_of_the_language` names them.
fn keys(file: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(file, "", &mut found);
    found
}

fn walk(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    let Some(table) = value.as_table() else { return };
    for (key, value) in table {
        // Below these stand names of somebody's tables and columns.
        let named = ["load", "load.*.columns"].contains(&place);
        let path = match (named, place) {
            (true, _) => format!("{place}.*"),
            (false, "") => key.clone(),
            (false, _) => format!("{place}.{key}"),
        };
        if !named && path != "load.*.columns.*" {
            found.insert(path.clone());
        }
        match path.as_str() {
            "load.*.columns.*.lookup.steps" => {
                value.as_array().into_iter().flatten().for_each(|step| walk(step, &format!("{path}.*"), found));
            }
            "source"
            | "target"
            | "owner"
            | "defaults"
            | "load"
            | "load.*"
            | "load.*.columns"
            | "load.*.columns.*"
            | "load.*.columns.*.lookup" => walk(value, &path, found),
            _ => {}
        }
    }
}

#[test]
fn the_reference_shows_every_key_and_no_other() {
    let text = read_repo("tests/reference.toml");
    let shown = keys(&text.parse::<toml::Table>().map(Value::Table).expect("TOML"));
    let known: BTreeSet<String> = mapping::keys_of_the_language().into_iter().collect();
    let unshown: Vec<_> = known.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unshown.is_empty() && unknown.is_empty(), "not shown: {unshown:?}; not known: {unknown:?}");
}

#[test]
fn the_reference_is_a_mapping() {
    let problems = mapping::read(&read_repo("tests/reference.toml")).err().unwrap_or_default();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_key_of_the_reference_has_its_comment() {
    for (number, line) in read_repo("tests/reference.toml").lines().enumerate() {
        let code = line.split(" #").next().unwrap_or("").trim();
        let speaks = line.contains(" # ") || line.starts_with('#') || line.trim_start().starts_with("# ");
        assert!(code.is_empty() || code == "]" || speaks, "line {}: {line}", number + 1);
    }
}

#[test]
fn the_readme_shows_the_reference_as_it_is() {
    let readme = read_repo("README.md");
    assert!(readme.contains(&format!("```toml\n{}```", read_repo("tests/reference.toml"))), "copy it into the README");
}
