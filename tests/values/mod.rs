//! The catalogue of values between SQLite and PostgreSQL, one line a case: what SQLite holds, what the column is, what the
//! mapping says, and what PostgreSQL prints afterwards or why the row was refused.
//!
//! A whole table of cases goes through the real binary into a real server in one run: each case is a row of its own, in a
//! table that it shares with those of the same declared type, target type and modifiers.

mod by_server;
mod encodings;
mod huge_values;
mod json;
mod keys;
mod lost_by_other_tools;
mod numbers;
mod reported_changes;
mod tables;
mod texts;
mod times;
mod types;
mod zone_tables;
mod zones;

use std::collections::BTreeMap;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// The outcome of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes<'a> {
    /// PostgreSQL holds it and prints it so, in UTC.
    Is(&'a str),
    /// It is NULL there.
    Null,
    /// Its row is quarantined for this reason.
    Bad(&'a str),
}

use Becomes::{Bad, Is, Null};

/// The source column's declared type, the value in SQLite's own SQL, the target column's type, the modifiers as the mapping
/// writes them, and what becomes of it.
type Sample<'a> = (&'a str, &'a str, &'a str, &'a str, Becomes<'a>);

/// Types that the cases name.
const TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN short AS varchar(3);
    CREATE EXTENSION citext;
    CREATE EXTENSION hstore;";

/// Runs every case; all that differ are named together.
#[track_caller]
fn hold(cases: &[Sample<'_>]) {
    hold_next_to(cases, "", "");
}

/// The same with more types on the target, and with a column of the given type next to each value, whose value is 1.
#[track_caller]
fn hold_next_to(cases: &[Sample<'_>], types: &str, neighbour: &str) {
    let (column, one) = if neighbour.is_empty() { (String::new(), "") } else { (format!(", w {neighbour}"), ", '1'") };
    let mut groups: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    for (n, (declared, _, target, modifiers, _)) in cases.iter().enumerate() {
        groups.entry((*declared, *target, *modifiers)).or_default().push(n);
    }
    let (mut source, mut target, mut mapping) = (String::new(), format!("{TYPES}{types}"), String::new());
    for (g, ((declared, wanted, modifiers), members)) in groups.iter().enumerate() {
        source += &format!("CREATE TABLE g{g} (id INTEGER PRIMARY KEY, v {declared}{column});\n");
        target += &format!("CREATE TABLE g{g} (id int PRIMARY KEY, v {wanted}{column});\n");
        mapping += &format!("[load.g{g}]\n");
        if !modifiers.is_empty() {
            mapping += &format!("[load.g{g}.columns]\nv = {{ {modifiers} }}\n");
        }
        for n in members {
            source += &format!("INSERT INTO g{g} VALUES ({n}, {}{one});\n", cases[*n].1);
        }
    }
    let place = Place::new();
    sqlite::file(&place, "source.db", &source);
    place.write(
        "migrate.toml",
        format!("format = 1\nname = \"values\"\n[source]\npath = \"source.db\"\nzone = \"UTC\"\n{mapping}"),
    );
    let database = Database::with(&target);
    let args = ["--yes", "--on-fault", "quarantine", "--json", "-t", &database.url()];
    let ran = place.migrate(args).ran();
    let bad = cases.iter().any(|case| matches!(case.4, Bad(_)));
    assert_eq!(ran.code, if bad { 6 } else { 0 }, "{}", ran.said());
    let found = found(&ran.json(), &database, groups.len());
    let mut differ = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        let expected = match case.4 {
            Is(text) => format!("Is({text:?})"),
            Null => "Null".to_owned(),
            Bad(reason) => format!("Bad({reason:?})"),
        };
        let found = found.get(&n).map_or("nothing, neither row nor fault", String::as_str);
        if found != expected {
            differ.push(format!("{case:?}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(differ.is_empty(), "{} of {} cases differ:\n{}", differ.len(), cases.len(), differ.join("\n"));
}

/// The outcome of each case, in the words of the expectation; both where a case arrived and was refused too.
fn found(report: &serde_json::Value, database: &Database, groups: usize) -> BTreeMap<usize, String> {
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    let mut add = |n: usize, text: String| {
        found.entry(n).and_modify(|held| *held = format!("{held} and {text}")).or_insert(text);
    };
    for g in 0..groups {
        let sql = format!("SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SELECT id, v::text FROM g{g} ORDER BY id");
        for row in database.rows(&sql) {
            let n = row[0].as_deref().expect("an id").parse().expect("an id");
            add(n, row[1].as_deref().map_or("Null".to_owned(), |text| format!("Is({text:?})")));
        }
    }
    let faults = report["faults"].as_array().expect("faults");
    assert_eq!(report["fault_total"].as_u64(), Some(faults.len() as u64), "more faults than the report lists");
    for fault in faults {
        // The server names no column where it could not read a text.
        let by_server = fault["reason"] == "server-refused" && fault["column"].is_null();
        assert!(by_server || fault["column"] == "v", "{fault}");
        let n = fault["rowid"].as_u64().expect("a rowid") as usize;
        add(n, format!("Bad({:?})", fault["reason"].as_str().expect("a reason")));
    }
    found
}
