//! Problems that can be known in advance: the plan refuses them, and nothing is written.

use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two')";

/// Refused at once, in the dry run too, for this reason; nothing is written.
#[track_caller]
fn refused(case: &Case, reason: &str) {
    for how in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[how]);
        assert!(report["refusals"].to_string().contains(reason), "{reason}: {report}");
        assert_eq!(case.target.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'migrate'"), "0");
    }
}

#[test]
fn a_deferrable_key_cannot_skip_rows_and_is_refused() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE DEFERRABLE)";
    refused(&Case::new(SOURCE, target, "[load.t]\nconflict = { skip = [\"name\"] }\n"), "DEFERRABLE");
    // A key elsewhere does not help.
    let target = "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE, UNIQUE (name) DEFERRABLE)";
    refused(&Case::new(SOURCE, target, "[load.t]\nconflict = { skip = [\"name\"] }\n"), "DEFERRABLE");
}

#[test]
fn columns_may_have_names_that_the_tool_uses_itself() {
    let source = "CREATE TABLE t (migrate_place INTEGER PRIMARY KEY, nth INTEGER);
        INSERT INTO t VALUES (1, 10), (2, 10), (3, 20), (4, 40)";
    let target = "CREATE TABLE t (migrate_place int PRIMARY KEY CHECK (migrate_place < 4), nth int UNIQUE);
        INSERT INTO t VALUES (0, 20)";
    let case = Case::new(source, target, "[load.t]\nconflict = { skip = [\"nth\"] }\n");
    let dry = case.exits(3, &["--dry-run"]);
    assert_eq!(dry["faults"][0]["reason"], "check-failed", "{dry}");
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(report["loads"][0]["skipped"], 2, "{report}");
    assert_eq!(case.target.value("SELECT string_agg(migrate_place || ':' || nth, ' ' ORDER BY 1) FROM t"), "0:20 1:10");
}

#[test]
fn sql_that_is_not_deterministic_is_refused() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, name text)";
    for sql in [
        "hex(randomblob(4))",
        "name || random()",
        "CURRENT_TIMESTAMP",
        "datetime('Now', '-1 day')",
        "date ( )",
        "strftime('%s')",
        "lower(unixepoch(/* now */ 'now'))",
        "(SELECT name FROM t ORDER BY random() LIMIT 1)",
    ] {
        let case = Case::new(SOURCE, target, &format!("[load.t.columns]\nname = {{ sql = \"{sql}\" }}\n"));
        refused(&case, "another value each time");
    }
    let by_query = "[load.t]\nfrom = { sql = \"SELECT id, date('now') AS name FROM t\" }\n";
    refused(&Case::new(SOURCE, target, by_query), "another value each time");
    for sql in
        ["CASE name WHEN 'now' THEN date(0, 'unixepoch') END", "strftime('%s', name, 'unixepoch')", "name || 'date()'"]
    {
        let case = Case::new(SOURCE, target, &format!("[load.t.columns]\nname = {{ sql = \"{sql}\" }}\n"));
        case.exits(0, &["--yes"]);
    }
}

#[test]
fn an_unlogged_table_is_refused() {
    refused(&Case::new(SOURCE, "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, name text)", "[load.t]\n"), "UNLOGGED");
    let parts = "CREATE TABLE t (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
        CREATE UNLOGGED TABLE t_all PARTITION OF t DEFAULT";
    refused(&Case::new(SOURCE, parts, "[load.t]\n"), "UNLOGGED");
}

#[test]
fn a_table_with_inheriting_tables_is_refused() {
    let heir = "CREATE TABLE t (id int PRIMARY KEY, name text); CREATE TABLE heir (more int) INHERITS (t)";
    refused(&Case::new(SOURCE, heir, "[load.t]\n"), "inherit");
    // The heir itself holds its own rows alone.
    let case = Case::new(SOURCE, heir, "[load.heir]\nfrom = \"t\"\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT count(*) FROM ONLY heir"), "2");
}

#[test]
fn a_session_that_uses_a_loaded_table_is_named_and_refused() {
    let case =
        Case::new(SOURCE, "CREATE TABLE t (id int PRIMARY KEY, name text); CREATE TABLE other (id int)", "[load.t]\n");
    for held in ["INSERT INTO t VALUES (7, 'not committed')", "SELECT FROM t"] {
        let mut other = case.target.client();
        let mut open = other.transaction().expect("a transaction");
        open.batch_execute(held).expect("a lock");
        let pid: i32 = open.query_one("SELECT pg_backend_pid()", &[]).expect("a process").get(0);
        let report = case.exits(3, &["--yes"]);
        assert!(report["refusals"].to_string().contains(&format!("server process {pid}")), "{report}");
        // A dry run writes nothing, so it only says so.
        let dry = case.exits(0, &["--dry-run"]);
        assert!(dry["warnings"].to_string().contains(&format!("server process {pid}")), "{dry}");
    }
    let mut other = case.target.client();
    let mut open = other.transaction().expect("a transaction");
    open.batch_execute("INSERT INTO other VALUES (1)").expect("a lock");
    case.exits(0, &["--yes"]);
}

#[test]
fn sql_that_changes_with_time_or_chance_inside_a_view_is_refused() {
    let views = "CREATE VIEW timed AS SELECT id, name || datetime('now') AS name FROM t;
        CREATE VIEW mixed AS SELECT id, name FROM t ORDER BY random();
        CREATE VIEW Nested AS SELECT * FROM timed;
        CREATE VIEW plain AS SELECT id, name || date(0, 'unixepoch') AS name FROM t;";
    let target = "CREATE TABLE t (id int PRIMARY KEY, name text)";
    let source = format!("{SOURCE}; {views}");
    for (sql, view) in
        [("SELECT id, name FROM timed", "timed"), ("SELECT * FROM mixed", "mixed"), ("SELECT * FROM nested", "timed")]
    {
        let case = Case::new(&source, target, &format!("[load.t]\nfrom = {{ sql = \"{sql}\" }}\n"));
        refused(&case, &format!("the source's view `{view}`, which it reads, uses"));
    }
    let by_column = "[load.t.columns]\nname = { sql = \"(SELECT v.name FROM nested v WHERE v.id = t.id)\" }\n";
    refused(&Case::new(&source, target, by_column), "the source's view `timed`");
    Case::new(&source, target, "[load.t]\nfrom = { sql = \"SELECT * FROM plain\" }\n").exits(0, &["--yes"]);
}

#[test]
fn sql_that_depends_on_the_time_zone_of_the_process_is_refused() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, name text)";
    let view = format!("{SOURCE}; CREATE VIEW v AS SELECT id, datetime(id, 'unixepoch', 'localtime') AS name FROM t");
    for (source, mapping) in [
        (SOURCE, "[load.t.columns]\nname = { sql = \"datetime(id, 'unixepoch', 'localtime')\" }\n"),
        (SOURCE, "[load.t.columns]\nname = { sql = \"strftime('%H', id, 'UTC')\" }\n"),
        (&view, "[load.t]\nfrom = { sql = \"SELECT * FROM v\" }\n"),
    ] {
        refused(&Case::new(source, target, mapping), "with the time zone of this process");
    }
}
