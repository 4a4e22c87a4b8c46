//! Reports about values: losses counted, the row that has a key already, what the source lost, what was not compared.

use serde_json::{Value, json};

use crate::support::case::{Case, faults};

const QUARANTINE: &[&str] = &["--yes", "--on-fault", "quarantine"];

/// The warnings at a place of the mapping or the source.
fn warned(report: &Value, place: &str) -> Vec<String> {
    let all = report["warnings"].as_array().expect("warnings").iter();
    let at = all.filter(|w| w["place"].as_str().is_some_and(|p| p.split(" (line").next() == Some(place)));
    at.map(|w| w["message"].as_str().expect("a message").to_owned()).collect()
}

/// The row that each duplicate reports as the holder of its key.
fn others(report: &Value) -> Vec<(String, i64, Option<String>)> {
    let listed = report["faults"].as_array().expect("faults").iter();
    let one = |f: &Value| {
        let other = f["message"].as_str().expect("a message").split("The row that has it: ").nth(1);
        let other = other.map(|rest| rest.trim_end_matches('.').to_owned());
        (f["load"].as_str().expect("a load").to_owned(), f["rowid"].as_i64().expect("a rowid"), other)
    };
    listed.filter(|f| f["reason"] == "duplicate").map(one).collect()
}

#[test]
fn every_loss_and_every_change_without_one_is_counted_with_its_rows() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE t (id INTEGER PRIMARY KEY, strip, bad, whole, cut, p, noise, single, day, doc);
        INSERT INTO t VALUES (1, 'a', 5, 1, 'abc', 1, 0.25, 0.5, '2024-01-01', '{\"a\":1}'),
            (2, 'a' || char(0), 'lots', 1.5, 'abcd', 99, 0.1 + 0.2, 0.1, '2024-01-01 24:00:00', '{\"a\":1,\"a\":2}'),
            (3, 'b' || char(0), 7, 2.5, NULL, 1, 1.1 + 2.2, 2, '2024-01-02', '{}')";
    let target = "CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE t (id int PRIMARY KEY, strip text, bad int, whole int, cut varchar(3), p int REFERENCES p, noise numeric(6,2),
            single real, day timestamp, doc jsonb)";
    let mapping = "[load.p]\n[load.t]\n[load.t.columns]\nstrip = { strip_nul = true }\nbad = { if_bad = 0 }\nwhole = { round = true }\n\
        cut = { truncate = true }\np = { if_orphan = { null = true } }\n";
    let expected = json!({
        "strip strip_nul": [2, "2", "3"], "bad if_bad": [1, "2"], "whole round": [2, "2", "3"], "cut truncate": [1, "2"],
        "p if_orphan": [1, "2"], "noise float-noise": [2, "2", "3"], "single double-as-real": [1, "2"],
        "day 24:00:00": [1, "2"], "doc duplicate-json-keys": [1, "2"]
    });
    let case = Case::new(source, target, mapping);
    for how in ["--dry-run", "--yes"] {
        let report = case.exits(6, &[how]);
        let mut counted = serde_json::Map::new();
        for loss in report["losses"].as_array().expect("losses") {
            let what = format!("{} {}", loss["column"].as_str().unwrap(), loss["modifier"].as_str().unwrap());
            let keys = loss["keys"].as_array().expect("keys").iter().cloned();
            counted.insert(what, std::iter::once(loss["count"].clone()).chain(keys).collect());
        }
        assert_eq!(Value::Object(counted), expected, "{how}");
    }
    let row = "SELECT concat_ws('|', strip, bad, whole, cut, p, noise, single, day, doc) FROM t WHERE id = 2";
    assert_eq!(case.target.value(row), "a|0|2|abc|0.30|0.1|2024-01-02 00:00:00|{\"a\": 2}");
}

#[test]
fn a_duplicate_is_reported_with_the_row_that_has_its_key() {
    // 2 is refused for another reason: the key is 4's, and 5 and 6 are its duplicates.
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, n);
        INSERT INTO t VALUES (1, 1, 1), (2, 'x', 'lots'), (3, '1', 1), (4, 'x', 1), (5, 'x', 1), (6, x'78', 1), (7, NULL, 1)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE, n int)";
    let of = |row: &str| Some(row.to_owned());
    let expected = [("t".to_owned(), 3, of("1")), ("t".to_owned(), 5, of("4")), ("t".to_owned(), 6, of("4"))];
    let mapping = "[load.t.columns]\na = { blob = \"utf8\" }\n";
    let case = Case::new(source, target, mapping);
    assert_eq!(others(&case.exits(3, &["--dry-run"])), expected);
    assert_eq!(others(&case.exits(6, QUARANTINE)), expected);
    // Under abort the cutover says the same before it writes, and the server as much.
    let good = source.replace("'lots'", "1").replace("(2, 'x'", "(2, 'y'");
    let case = Case::new(&good, target, mapping);
    assert_eq!(others(&case.exits(3, &["--yes"])), expected);
    assert_eq!(others(&case.exits(4, &["--yes", "--skip-preflight"])), expected);
}

#[test]
fn a_duplicate_of_another_load_is_reported_with_it_and_of_an_existing_row_without() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'y');
        CREATE TABLE b (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO b VALUES (11, 'y'), (12, 'z'), (13, 'held')";
    let target = "CREATE TABLE t (code text, kind text, UNIQUE (code, kind)); INSERT INTO t VALUES ('held', 'A')";
    let load = |name: &str, kind: &str| {
        format!("[load.{name}]\nto = \"t\"\nexisting = \"append\"\ncolumns = {{ kind = {{ value = \"{kind}\" }} }}\n")
    };
    let leave = "[leave]\na.id = \"none there\"\nb.id = \"none there\"\n";
    let case = Case::new(source, target, &format!("{leave}{}{}", load("a", "A"), load("b", "A")));
    let of_a = ("b".to_owned(), 11, Some("2 of load.a".to_owned()));
    let both = [of_a, ("b".to_owned(), 13, None)];
    assert_eq!(others(&case.exits(3, &["--dry-run"])), both);
    assert_eq!(others(&case.exits(6, QUARANTINE)), both);
    // A constant of its own tells a load's rows from another's, and NULL from everything.
    let target = target.replace("; INSERT INTO t VALUES ('held', 'A')", "");
    let case = Case::new(source, &target, &format!("{leave}{}{}", load("a", "A"), load("b", "B")));
    case.exits(0, &["--dry-run"]);
    case.exits(0, &["--yes"]);
    let null = load("b", "").replace("\"\"", "{ null = true }");
    let doubled = source.replace("'z'", "'y'");
    let case = Case::new(&doubled, &target, &format!("{leave}{}{null}", load("a", "A")));
    case.exits(0, &["--dry-run"]);
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.count("t"), 5);
}

#[test]
fn losses_of_the_source_are_warned_of_with_column_and_count() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, phone STRING, no UUID, doc JSON, price DECIMAL(10,2), fine NUMERIC);
        INSERT INTO t VALUES (1, '00420', '00000000000000000000000000001234', '1.0', '12345678901234567890.12', '1234567.89'),
            (2, '+4917012345', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{}', 0.1, 1)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, phone text, no text, doc jsonb, price numeric, fine numeric)";
    let case = Case::new(source, target, "[load.t]\n");
    let report = case.exits(0, &["--dry-run"]);
    for (column, says) in [
        ("phone", "declared STRING, which SQLite gives NUMERIC affinity, and 2 values are numbers"),
        ("no", "declared UUID, which SQLite gives NUMERIC affinity, and 1 value is a number"),
        ("doc", "declared JSON, which SQLite gives NUMERIC affinity, and 1 value is a number"),
        ("price", "declared DECIMAL(10,2), and 1 value is a double of 2^53 or more"),
    ] {
        let said = warned(&report, &format!("source column `t.{column}`"));
        assert!(said.len() == 1 && said[0].starts_with(says), "{column}: {said:?}");
    }
    assert_eq!(warned(&report, "source column `t.fine`"), [""; 0]);
}

#[test]
fn a_computed_column_is_compared_with_the_source_and_reported_separately() {
    // SQLite makes 0 of twice an empty text, the target NULL; where the target's expression fails, the row is named.
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, Twice GENERATED ALWAYS AS (x * 2), plain TEXT);
        INSERT INTO t VALUES (1, '3', 'p3'), (2, '', 'p'), (3, '4', 'p5')";
    let target = |sql: &str| {
        format!(
            "CREATE TABLE t (id int PRIMARY KEY, x text, twice int GENERATED ALWAYS AS ({sql} * 2) STORED,
                plain text GENERATED ALWAYS AS ('p' || x) STORED)"
        )
    };
    let computed = |report: &Value| {
        let found = report["checks"].as_array().expect("checks").iter().find(|c| c["check"] == "computed");
        let found = found.unwrap_or_else(|| panic!("{report}"));
        (found["verdict"].as_str().expect("a verdict").to_owned(), found["why"].as_str().unwrap_or_default().to_owned())
    };
    let case = Case::new(source, &target("nullif(x, '')::int"), "[load.t]\n");
    let run = case.exits(0, &["--yes"]);
    let verified = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(0).json();
    let why = "column twice, plain: the server computes it; compared with the source: 2 rows changed: id=2 (twice), id=3 (plain)";
    for report in [run, verified] {
        assert_eq!(computed(&report), ("NotChecked".to_owned(), why.to_owned()));
    }
    let case = Case::new(source, &target("x::int"), "[load.t]\n");
    let report = case.exits(6, QUARANTINE);
    assert_eq!(faults(&report), [("t".to_owned(), 2, None, "server-refused".to_owned())]);
    assert_eq!(computed(&report).1, why.replace("2 rows changed: id=2 (twice), ", "1 row changed: "));
    let same = source.replace("'p5'", "'p4'").replace("(2, '', 'p'), ", "");
    let case = Case::new(&same, &target("x::int"), "[load.t]\n");
    assert_eq!(computed(&case.exits(0, &["--yes"])), ("Same".to_owned(), String::new()));
    let held = target("x::int") + "; INSERT INTO t VALUES (9, '9')";
    let case = Case::new(&same, &held, "[load.t]\nexisting = \"append\"\n");
    assert!(computed(&case.exits(0, &["--yes"])).1.contains("held rows before"));
}

#[test]
fn a_zero_without_its_sign_is_another_value() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, -0.0), (2, 0.0)";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, v float8)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("UPDATE t SET v = 0 WHERE id = 1");
    let report = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(5).json();
    let content = report["checks"].as_array().expect("checks").iter().find(|c| c["check"] == "content").expect("it");
    assert_eq!((&content["verdict"], &content["differences"][0]["key"]), (&"Differs".into(), &"id=1".into()));
}

#[test]
fn a_key_lost_from_a_json_object_is_listed_as_a_loss_and_not_exit_0() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT); INSERT INTO t VALUES (1, '{\"a\":1,\"a\":2}')";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, j jsonb)", "[load.t]\n");
    let foreseen = case.command(&["--dry-run"]).exits(6);
    foreseen.says(&["ready, with values that change"]);
    let ran = case.command(&["--yes"]).exits(6);
    ran.says(&["Done and verified; 1 value changed", "\nLosses\n", "duplicate-json-keys"]);
    assert!(!ran.said().contains("mapping allows"), "{}", ran.said());
    assert!(!ran.said().contains("changed without loss"), "{}", ran.said());
}

#[test]
fn json_that_the_server_reads_only_as_json_and_rewritten_numbers_are_counted() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT, b TEXT); INSERT INTO t VALUES (1, '{\"a\":\"x\\u0000\"}', '[1]'), \
                  (2, '\"\\ud800\"', '-0.0'), (3, '[-0.0, 1e300]', '{\"n\": 1e20}'), (4, '\"\\ud83d\\ude00\"', '[0, -0.5, 1e2]')";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, j json, b jsonb)", "[load.t]\n");
    for args in [&["--dry-run"][..], &["--yes"]] {
        let losses = case.exits(0, args)["losses"].clone();
        let counted = serde_json::json!([
            {"load": "t", "column": "j", "modifier": "not-for-jsonb", "count": 2, "keys": ["1", "2"]},
            {"load": "t", "column": "b", "modifier": "json-digits", "count": 2, "keys": ["2", "3"]},
        ]);
        assert_eq!(losses, counted);
    }
    let shown = case.rows("SELECT j::text, b::text FROM t WHERE id IN (2, 3) ORDER BY id");
    assert_eq!(shown, ["\"\\ud800\" 0.0", "[-0.0, 1e300] {\"n\": 100000000000000000000}"]);
}
