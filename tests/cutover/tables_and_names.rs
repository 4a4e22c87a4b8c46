//! Targets and names of every kind: an object that is not a table is refused, and hostile names work.

use crate::support::case::{Case, faults};

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)";

#[test]
fn an_object_that_is_not_a_table_is_refused_by_its_kind() {
    for (target, says) in [
        ("CREATE VIEW t AS SELECT 1 AS id, 1 AS n", "is a view or a foreign table"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1 AS id, 1 AS n", "is a view or a foreign table"),
        (
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE t (id int, n int) SERVER s",
            "is a view or a foreign table",
        ),
        (
            "CREATE TABLE p (id int, n int) PARTITION BY LIST (id); CREATE TABLE t PARTITION OF p DEFAULT",
            "has no table `t`",
        ),
        ("CREATE SEQUENCE t", "has no table `t`"),
        ("CREATE TYPE t AS (id int, n int)", "has no table `t`"),
    ] {
        let case = Case::new(SOURCE, target, "[load.t]\n");
        for how in ["--dry-run", "--yes"] {
            let refusals = case.exits(3, &[how])["refusals"].to_string();
            assert!(refusals.contains(says) && !refusals.contains("Did you mean `public`"), "{target}: {refusals}");
        }
    }
}

#[test]
fn a_column_without_a_source_needs_a_default_or_is_refused() {
    let filled = "CREATE TABLE t (n int, missing text NOT NULL, id int PRIMARY KEY)";
    let case = Case::new(SOURCE, filled, "[load.t]\n");
    for how in ["--dry-run", "--yes"] {
        let refusals = case.exits(3, &[how])["refusals"].to_string();
        assert!(
            refusals.contains("load.t.columns.missing") && refusals.contains("NOT NULL without a default"),
            "{refusals}"
        );
    }
    assert_eq!(case.target.count("t"), 0);
    // The order of columns is each side's own.
    let target = "CREATE TABLE t (n int, made text NOT NULL DEFAULT 'new', id int PRIMARY KEY, none text, by int GENERATED ALWAYS AS (n + 1) STORED)";
    let case = Case::new(SOURCE, target, "[load.t]\n");
    case.place.migrate(["plan", "-t", &case.target.url()]).exits(0).says(&["left to the target: made, none, by"]);
    case.exits(0, &["--yes"]);
    assert_eq!(
        case.target.value("SELECT string_agg(t::text, ' ' ORDER BY id) FROM t"),
        "(10,new,1,,11) (20,new,2,,21)"
    );
}

/// Names that break where they are not quoted, each as a text.
const NAMES: [&str; 10] =
    ["a\"b; DROP TABLE t; --", "tab\tnew\nline", "select", "ünï✓", "a.b", "%s$1", "\\x", "it's", "NULL", "  "];

#[test]
fn hostile_names_of_tables_columns_keys_and_sequences_work() {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let longest = "x".repeat(63);
    let names: Vec<String> = NAMES.into_iter().chain([longest.as_str()]).map(quoted).collect();
    let columns: String = names.iter().map(|name| format!(", {name} text")).collect();
    let values: String = (0..names.len()).map(|n| format!(", 'v{n}'")).collect();
    let (parent, child) = (quoted("T \"x\" é"), quoted("c;d 'e'"));
    let source = format!(
        "CREATE TABLE {parent} (id INTEGER PRIMARY KEY{columns}); INSERT INTO {parent} VALUES (1{values}), (2{values});
         CREATE TABLE {child} (id INTEGER PRIMARY KEY, \"p \"\"q\" INTEGER); INSERT INTO {child} VALUES (1, 1), (2, 99)"
    );
    let target = format!(
        "CREATE TABLE {parent} (id serial CONSTRAINT \"k \"\"y\" PRIMARY KEY{columns});
         CREATE INDEX \"i \"\"z;\" ON {parent} ({});
         CREATE TABLE {child} (id int PRIMARY KEY CONSTRAINT \"up \"\"x\" CHECK (id > 0), \"p \"\"q\" int CONSTRAINT \"f \"\"k\" REFERENCES {parent});
         DO $$ BEGIN EXECUTE format('ALTER SEQUENCE %s RENAME TO %I', pg_get_serial_sequence('{}', 'id'), 's \"q; é'); END $$",
        names[0],
        parent.replace('\'', "''")
    );
    let mapping = "[load.'T \"x\" é']\n[load.\"c;d 'e'\"]\n";
    for detach in ["never", "always"] {
        let case = Case::new(&source, &target, mapping);
        let orphan = [("c;d 'e'".to_owned(), 2, Some("p \"q".to_owned()), "orphan".to_owned())];
        assert_eq!(faults(&case.exits(3, &["--dry-run"])), orphan);
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", detach]);
        assert_eq!(faults(&report), orphan);
        let columns = names.join(" || ");
        let all: String = (0..names.len()).map(|n| format!("v{n}")).collect();
        assert_eq!(
            case.target.value(&format!("SELECT string_agg({columns}, ' ') FROM {parent}")),
            format!("{all} {all}")
        );
        assert_eq!(case.target.value(&format!("INSERT INTO {parent} DEFAULT VALUES RETURNING id")), "3");
        assert_eq!(case.target.count(&child), 1);
        let left = "SELECT count(*) FROM pg_constraint WHERE conname IN ('k \"y', 'f \"k', 'up \"x') AND convalidated";
        assert_eq!(case.target.value(left), "3");
    }
}

#[test]
fn non_ascii_names_that_differ_only_in_case_match_once_or_not_at_all() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, É TEXT); INSERT INTO t VALUES (1, 'x')";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, \"é\" text)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT \"é\" FROM t"), "x");
    // Two of the source, of which one is meant exactly: the other has no match and is refused.
    let both = "CREATE TABLE t (id INTEGER PRIMARY KEY, É TEXT, é TEXT); INSERT INTO t VALUES (1, 'x', 'y')";
    let report =
        Case::new(both, "CREATE TABLE t (id int PRIMARY KEY, \"é\" text)", "[load.t]\n").exits(3, &["--dry-run"]);
    assert!(report["refusals"].to_string().contains("source.t.É"), "{report}");
    // Names that are equal once PostgreSQL has cut them have no match until the mapping decides.
    let (long, cut) = ("n".repeat(64), "n".repeat(63));
    let two = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {long}a TEXT, {long}b TEXT)");
    let report = Case::new(&two, &format!("CREATE TABLE t (id int PRIMARY KEY, {cut} text)"), "[load.t]\n")
        .exits(3, &["--dry-run"]);
    let refusals = report["refusals"].to_string();
    assert!(refusals.contains(&format!("{long}a")) && refusals.contains(&format!("{long}b")), "{refusals}");
}

#[test]
fn a_table_and_a_column_with_empty_names_can_be_mapped() {
    let source = "CREATE TABLE \"\" (id INTEGER PRIMARY KEY, \"\" TEXT); INSERT INTO \"\" VALUES (1, 'x')";
    let mapping = "[load.t]\nfrom = \"\"\n[load.t.columns]\na = \"\"\n";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, a text)", mapping);
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT a FROM t"), "x");
}
