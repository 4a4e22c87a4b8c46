//! Shapes of real applications, each a folder: `source.sql`, `target.sql`, `migrate.toml`, and the rows of the target afterwards
//! in `want.sql`. Every cell is compared. A rollback restores every row and sequence.

use std::collections::BTreeMap;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::{read_repo, repo};

/// Each row of each table of a schema as text, sorted.
fn rows(target: &Database, schema: &str) -> BTreeMap<String, Vec<String>> {
    let tables =
        format!("SELECT relname::text FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'");
    let tables = target.rows(&tables).into_iter().flatten().flatten();
    let of = |table: &str| {
        let sql = format!("SELECT row_of::text FROM {schema}.\"{table}\" AS row_of ORDER BY 1");
        target.rows(&sql).into_iter().flatten().flatten().collect()
    };
    tables.map(|table| (table.clone(), of(&table))).collect()
}

/// The next number of each sequence.
fn next_numbers(target: &Database) -> Vec<String> {
    let names = "SELECT seqrelid::regclass::text, seqincrement::text FROM pg_sequence s JOIN pg_class c ON c.oid = seqrelid \
                 WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
    let next = |row: Vec<Option<String>>| {
        let (name, step) = (row[0].clone().expect("a name"), row[1].clone().expect("a number"));
        let sql = format!("SELECT last_value + CASE WHEN is_called THEN {step} ELSE 0 END FROM {name}");
        format!("{name} {}", target.value(&sql))
    };
    target.rows(names).into_iter().map(next).collect()
}

/// Dry run, cutover and rollback of one folder. Returns the report of the cutover.
#[track_caller]
fn arrives(name: &str, code: i32) -> serde_json::Value {
    let file = |file: &str| read_repo(&format!("tests/cases/{name}/{file}"));
    let case = Case::new(&file("source.sql"), &file("target.sql"), "");
    case.place.write("migrate.toml", file("migrate.toml"));
    let before = (rows(&case.target, "public"), next_numbers(&case.target));
    case.exits(code, &["--dry-run"]);
    assert_eq!((rows(&case.target, "public"), next_numbers(&case.target)), before, "a dry run writes nothing");
    let report = case.exits(code, &["--yes"]);
    let arrived = rows(&case.target, "public");
    let copy = case.target.copy();
    copy.run(&format!("CREATE SCHEMA want; {}", file("want.sql")));
    for (table, wanted) in rows(&copy, "want") {
        assert_eq!(arrived[&table], wanted, "{name}: {table}");
    }
    if repo(&format!("tests/cases/{name}/probe.sql")).exists() {
        let found: Vec<String> =
            copy.rows(&file("probe.sql")).into_iter().flatten().map(|v| v.unwrap_or("-".to_owned())).collect();
        assert_eq!(found.join("|"), file("probe.want").trim(), "{name}");
    }
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    assert_eq!(
        (rows(&case.target, "public"), next_numbers(&case.target)),
        before,
        "{name}: a rollback restores everything"
    );
    report
}

#[test]
fn every_folder_is_run_by_a_test() {
    let tests = read_repo("tests/cases/mod.rs");
    let folders =
        std::fs::read_dir(repo("tests/cases")).expect("a folder").map(|entry| entry.expect("an entry").path());
    for folder in folders.filter(|path| path.is_dir()) {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(tests.contains(&format!("arrives(\"{name}\", ")), "{name}");
    }
}

#[test]
fn sequences_that_no_column_names_continue_after_their_rows() {
    let report = arrives("free_sequences", 0);
    let by: Vec<String> =
        report["sequences"].as_array().expect("sequences").iter().map(|s| s["by"].to_string()).collect();
    assert_eq!(by.join(" "), "\"name\" \"mapping\" \"mapping\" \"mapping\" \"nothing\"", "{report}");
}

#[test]
fn several_forms_of_a_time_in_one_column_arrive() {
    arrives("mixed_dates", 0);
}

#[test]
fn references_by_type_follow_the_shift_of_their_table() {
    arrives("references_by_type", 0);
}
