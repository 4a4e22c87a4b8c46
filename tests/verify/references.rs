//! References that only the server compares are asked of the server: its triggers may have been off.

use crate::support::case::Case;

/// Whatever a verification says of constraints: verdict and finding.
fn constraints(report: &serde_json::Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().expect("checks").iter().filter(|c| c["check"] == "constraints");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    checks.map(|c| (text(&c["verdict"]), text(&c["found"]))).collect()
}

const OFF: &str = "ALTER TABLE c DISABLE TRIGGER ALL";

#[test]
fn an_orphan_under_a_disabled_foreign_key_of_any_type_is_found() {
    let loose = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";
    let types = [
        ("", "real", "1.5", "9.5"),
        ("", "double precision", "1.5", "9.5"),
        ("CREATE EXTENSION citext;", "citext", "'aaa'", "'zzz'"),
        (loose, "text COLLATE loose", "'aaa'", "'zzz'"),
        ("", "interval", "'1 day'", "'9 days'"),
        ("", "inet", "'10.0.0.1'", "'10.0.0.9'"),
    ];
    for (first, kind, there, missing) in types {
        let source = format!(
            "CREATE TABLE p (k PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, k);
             INSERT INTO p VALUES ({there}); INSERT INTO c VALUES (1, {there}), (2, {missing}), (3, NULL)"
        );
        let target = format!(
            "{first} CREATE TABLE p (k {kind} PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, k {kind} REFERENCES p); {OFF}"
        );
        let case = Case::new(&source, &target, "[load.p]\n[load.c]\n");
        let found = constraints(&case.exits(5, &["--yes"]));
        assert_eq!(found, [("Differs".to_owned(), "1 rows whose k is not in p".to_owned())], "{kind}");
    }
}

const HALF: &str = "CREATE TABLE p (a INTEGER, b INTEGER, PRIMARY KEY (a, b));
    CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
    INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL)";
const FULL: &str = "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE c (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL);";

#[test]
fn half_a_reference_under_match_full_is_an_orphan() {
    let mapping = "[load.p]\n[load.c]\n";
    // Whether the server would look or not: the row is found before anything is written.
    for target in [format!("{FULL}{OFF}"), FULL.to_owned()] {
        let case = Case::new(HALF, &target, mapping);
        for how in ["--dry-run", "--yes"] {
            let fault = &case.exits(3, &[how])["faults"][0];
            assert_eq!((&fault["rowid"], &fault["reason"]), (&2.into(), &"orphan".into()), "{how}: {fault}");
        }
    }
    // Under quarantine the other rows go, and the server's refusal is traced to the row.
    let case = Case::new(HALF, FULL, mapping);
    case.exits(6, &["--yes", "--detach", "always", "--on-fault", "quarantine"]);
    assert_eq!(case.ids("c"), [1, 3]);
}

#[test]
fn a_vanished_owner_under_a_disabled_key_is_found() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
    let target = "CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE); INSERT INTO users VALUES (7, 'ada');
        CREATE TABLE t (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users)";
    let mapping = "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(source, target, mapping);
    let found = constraints(&case.exits(0, &["--yes"]));
    assert_eq!(found, [("Same".to_owned(), "all valid".to_owned())]);
    case.target.run("SET session_replication_role = replica; UPDATE users SET id = 8");
    let report = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).exits(5).json();
    assert!(
        constraints(&report).contains(&("Differs".to_owned(), "2 rows whose user_id is not in users".to_owned())),
        "{report}"
    );
}

#[test]
fn an_orphan_under_a_disabled_foreign_key_of_a_partition_is_found() {
    let source = "CREATE TABLE p (id TEXT PRIMARY KEY); INSERT INTO p VALUES ('a');
        CREATE TABLE c (id INTEGER PRIMARY KEY, p_id TEXT); INSERT INTO c VALUES (1, 'a'), (2, 'b')";
    for (parent, code) in [("p", 5), ("p2", 0)] {
        let target = format!(
            "CREATE TABLE p (id text PRIMARY KEY); CREATE TABLE p2 (id text PRIMARY KEY); INSERT INTO p2 VALUES ('a'), ('b');
             CREATE TABLE c (id int, p_id text) PARTITION BY RANGE (id); CREATE SCHEMA parts;
             CREATE TABLE parts.c1 PARTITION OF c FOR VALUES FROM (0) TO (100);
             ALTER TABLE parts.c1 ADD CONSTRAINT own FOREIGN KEY (p_id) REFERENCES {parent};
             ALTER TABLE parts.c1 DISABLE TRIGGER ALL"
        );
        let case = Case::new(source, &target, "[load.p]\n[load.c]\n");
        let report = case.exits(code, &["--yes"]);
        let checks = report["checks"].as_array().expect("checks");
        let differs = checks.iter().filter(|check| check["verdict"] == "Differs").map(|check| &check["load"]);
        assert_eq!(differs.collect::<Vec<_>>(), if code == 5 { vec!["parts.c1.own"] } else { vec![] });
    }
}
