//! The ways out of a fault are chosen for the column at hand, and rows are counted as rows.

use serde_json::Value;

use crate::support::case::Case;
use crate::support::sqlite;

/// The message of the first fault of a column.
fn message(report: &Value, column: &str) -> String {
    let faults = report["faults"].as_array().expect("faults");
    let found = faults.iter().find(|fault| fault["column"] == column).unwrap_or_else(|| panic!("{column}: {report}"));
    found["message"].as_str().expect("a message").to_owned()
}

#[test]
fn a_row_with_several_faults_is_one_row() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT); INSERT INTO t VALUES (1, 'x', 'y', 'z'), (2, '1', '2', '3'), (3, '1', 'y', '3')";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int)";
    let case = Case::new(source, target, "[load.t]\n");
    for way in ["--dry-run", "--yes"] {
        case.command(&[way]).exits(3).says(&["2 rows cannot be loaded as they are; nothing was written"]);
        assert_eq!(case.exits(3, &[way])["fault_total"], 4);
    }
    case.command(&["--dry-run", "--on-fault", "quarantine"]).exits(6).says(&["2 rows of 3 would be quarantined"]);
    case.command(&["--yes", "--on-fault", "quarantine"]).exits(6).says(&["2 rows quarantined"]);
}

#[test]
fn no_way_out_replaces_every_value_of_a_column() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, lone TEXT, whole TEXT, day TEXT); \
        INSERT INTO t VALUES (1, 'x', 'x', 'first'), (2, '1', 'y', 'second'), (3, '2', 'z', 'third')";
    let target = "CREATE TABLE t (id int PRIMARY KEY, lone int, whole int, day date)";
    let case = Case::new(source, target, "[load.t]\n");
    let report = case.exits(3, &["--dry-run"]);
    assert!(message(&report, "lone").contains("if_bad"), "{report}");
    for column in ["whole", "day"] {
        let message = message(&report, column);
        assert!(message.contains("no value fits") && !message.contains("if_bad"), "{message}");
    }
}

#[test]
fn no_way_out_writes_null_to_a_column_that_is_not_null() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, free INTEGER, bound INTEGER, word TEXT); \
        INSERT INTO t VALUES (1, 7, 1, '5'), (2, 1, 7, '5'), (3, 1, 1, ''); CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1)";
    let target = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, free int REFERENCES p, \
        bound int NOT NULL REFERENCES p, word int NOT NULL)";
    let case = Case::new(source, target, "[load.p]\n[load.t]\n");
    let report = case.exits(3, &["--dry-run"]);
    assert!(message(&report, "free").contains("if_orphan = { null = true }"), "{report}");
    for (column, advice) in [("bound", "if_orphan = { drop = true }"), ("word", "map = { \"\" = ... }")] {
        let message = message(&report, column);
        assert!(message.contains(advice) && !message.contains("null"), "{message}");
    }
    // Each of them works as it is written.
    let taken = "[load.p]\n[load.t.columns]\nfree = { if_orphan = { null = true } }\nbound = { if_orphan = { drop = true } }\n\
                 word = { map = { \"\" = 0 } }\n";
    let case = Case::new(source, target, taken);
    case.exits(6, &["--yes"]);
    assert_eq!(case.rows("SELECT * FROM t ORDER BY 1"), ["1 - 1 5", "3 1 1 0"]);
}

#[test]
fn the_way_out_of_a_duplicate_loses_no_row() {
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, n TEXT); INSERT INTO t VALUES (1, 'a', 'x'), (2, 'a', 'y')";
    let target = "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, n text)";
    let case = Case::new(source, target, "[load.t]\n");
    let report = case.exits(3, &["--dry-run"]);
    let message = report["faults"][0]["message"].as_str().expect("a message");
    assert!(!message.contains("conflict") && message.contains("The row that has it: 1"), "{message}");
    let case = Case::new(source, target, "[load.t.columns]\ncode = { sql = \"code || '-' || id\" }\n");
    case.done();
    assert_eq!(case.target.count("t"), 2);
}

#[test]
fn the_fault_file_is_mentioned_only_where_it_was_written() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, '2')";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, a int)", "[load.t]\n");
    for args in [&["--dry-run"][..], &["--yes"], &["--dry-run", "--on-fault", "quarantine"]] {
        let ran = case.command(args).ran();
        assert!(!ran.said().contains("ndjson") && !ran.said().contains("fault file"), "{}", ran.said());
        assert!(!case.place.files().contains("migrate-faults.ndjson"), "{args:?}");
    }
    case.command(&["--yes", "--on-fault", "quarantine"]).exits(6).says(&["migrate-faults.ndjson"]);
    assert!(case.place.files().contains("migrate-faults.ndjson"));
}

#[test]
fn the_same_command_resumes_only_where_it_can() {
    let source = "CREATE TABLE s (id INTEGER PRIMARY KEY); INSERT INTO s VALUES (1); \
        CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, s INTEGER); INSERT INTO t VALUES (1, 'x', 1), (2, '2', 1)";
    let target = "CREATE TABLE s (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, s int REFERENCES s)";
    let case = Case::new(source, target, "[load.s]\n[load.t]\n");
    let args = ["--yes", "--skip-preflight", "--jobs=1"];
    let ran = case.command(&args).exits(4);
    ran.says(&["Once the faulty rows are", "Fix the rows that are listed"]);
    assert!(!ran.said().contains("complete. The same command resumes the run."), "{}", ran.said());
    sqlite::file(&case.place, "source.db", "UPDATE t SET a = '1' WHERE id = 1");
    case.command(&args).exits(0);
}

#[test]
fn a_row_that_the_server_refuses_has_the_name_of_the_state_and_the_column() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 0), (2, 3)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF new.n = 0 THEN RAISE EXCEPTION 'not so' USING ERRCODE = '22003', COLUMN = 'n', TABLE = 't'; END IF; RETURN new; END $$; \
        CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()";
    let case = Case::new(source, target, "[load.t]\ntriggers = \"fire\"\n");
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    let message = message(&report, "n");
    assert!(message.contains("SQLSTATE 22003 numeric_value_out_of_range"), "{message}");
}

#[test]
fn a_value_that_only_the_server_knows_has_no_entry_of_the_mapping_as_way_out() {
    let parents = "CREATE TABLE p (id int PRIMARY KEY, r real UNIQUE); INSERT INTO p VALUES (1, 1)";
    for table in [
        "CREATE TABLE t (id int PRIMARY KEY, n int, g int DEFAULT 9 REFERENCES p)",
        "CREATE TABLE t (id int PRIMARY KEY, n real REFERENCES p (r))",
    ] {
        let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 5)";
        let case = Case::new(source, &format!("{parents}; {table}"), "[load.t]\n");
        let report = case.exits(4, &["--yes"]);
        let said = report["faults"][0]["message"].as_str().expect("a message");
        assert!(said.contains("refers to a row that does not exist") && !said.contains("if_orphan = {"), "{said}");
    }
    // A generated column takes no `if_null`.
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, NULL)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n + 1) STORED NOT NULL)";
    let report = Case::new(source, target, "[load.t]\n").exits(3, &["--dry-run"]);
    let said = report["faults"][0]["message"].as_str().expect("a message");
    assert!(said.contains("NOT NULL") && !said.contains("if_null"), "{said}");
}
