//! Columns whose bytes only the server knows: each batch reads them back, and a later change of one value is found.

use crate::support::case::Case;
use serde_json::Value;

/// A type, two values of it, and the extension that it needs.
const TYPES: [(&str, &str, &str, &str); 29] = [
    ("money", "1.20", "1.21", ""),
    ("cidr", "10.0.0.0/8", "10.0.0.0/9", ""),
    ("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04", ""),
    ("bit(4)", "1010", "1011", ""),
    ("varbit", "101", "0101", ""),
    ("timetz", "10:00:00+01", "09:00:00+00", ""),
    ("point", "(1,2)", "(1,2.0000000000000004)", ""),
    ("lseg", "[(1,2),(3,4)]", "[(3,4),(1,2)]", ""),
    ("box", "(3,4),(1,2)", "(3,5),(1,2)", ""),
    ("path", "((1,2),(3,4))", "[(1,2),(3,4)]", ""),
    ("polygon", "((1,2),(3,4),(5,6))", "((3,4),(5,6),(1,2))", ""),
    ("circle", "<(1,2),3>", "<(1,2),4>", ""),
    ("int4range", "[1,5)", "[1,6)", ""),
    ("int8range", "(,5)", "(,)", ""),
    ("numrange", "(1.5,2.50]", "(1.5,2.5]", ""),
    ("daterange", "[2024-01-01,)", "empty", ""),
    ("tsrange", "[2024-01-01 10:00:00,)", "(2024-01-01 10:00:00,)", ""),
    ("tstzrange", "(,2024-01-01 10:00:00+00]", "(,2024-01-01 10:00:00.000001+00]", ""),
    ("tsvector", "'a':1A 'fat':2", "'a':1B 'fat':2", ""),
    ("tsquery", "'a' & 'b'", "'a' | 'b'", ""),
    ("xml", "<a b=\"c\">e</a>", "<a b='c'>e</a>", ""),
    ("jsonpath", "$.\"a\"[*]", "$.\"a\"[0]", ""),
    ("pg_lsn", "16/B374D848", "16/B374D849", ""),
    ("hstore", "\"a\"=>NULL", "\"a\"=>\"NULL\"", "hstore"),
    ("ltree", "a.b", "a.c", "ltree"),
    ("money[]", "{1.20}", "[0:0]={1.20}", ""),
    ("varbit[]", "{1}", "{01}", ""),
    ("hstore[]", "{\"a=>1\"}", "{\"a=>2\"}", "hstore"),
    ("cidr", "::/0", "::/1", ""),
];

fn verified(case: &Case, code: i32) -> Value {
    let ran = case.place.migrate(["verify", "--json", "-t", &case.target.url()]).ran();
    assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    ran.json()
}

/// The checks of the content with this verdict: load and reason.
fn content(report: &Value, verdict: &str) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().expect("checks").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = checks.filter(|c| c["check"] == "content" && c["verdict"] == verdict);
    found.map(|c| (text(&c["load"]), text(&c["why"]))).collect()
}

#[test]
fn a_change_in_a_value_of_any_type_that_only_the_server_prints_is_found() {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let columns: Vec<String> = (0..TYPES.len()).map(|n| format!("c{n}")).collect();
    let values: Vec<String> = TYPES.iter().map(|of| quoted(of.1)).collect();
    let typed: Vec<String> = TYPES.iter().zip(&columns).map(|(of, column)| format!("{column} {}", of.0)).collect();
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {}); INSERT INTO t VALUES (1, {1}), (2, {1})",
        columns.join(", "),
        values.join(", ")
    );
    let target = format!(
        "CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE TABLE t (id int PRIMARY KEY, {})",
        typed.join(", ")
    );
    let case = Case::new(&source, &target, "[load.t]\n");
    assert_eq!(content(&case.done(), "NotChecked"), []);
    for (of, column) in TYPES.iter().zip(&columns) {
        let set = |value: &str| {
            case.target.run(&format!("UPDATE t SET {column} = {} WHERE id = 2", quoted(value)));
        };
        set(of.2);
        let differs = content(&verified(&case, 5), "Differs");
        assert!(differs.len() == 1 && differs[0].0 == "t", "{}: {differs:?}", of.0);
        assert!(differs[0].1.contains(column.as_str()), "{}: {differs:?}", of.0);
        set(of.1);
    }
    assert_eq!(content(&verified(&case, 0), "NotChecked"), []);
}

/// 100 rows of `money`, of which two have equal values.
fn prices() -> (String, String) {
    let rows: Vec<String> = (1..=100).map(|n| format!("({n}, '{}.20')", n / 2)).collect();
    let source = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, m TEXT); INSERT INTO t VALUES {}", rows.join(", "));
    (source, "CREATE TABLE t (id int PRIMARY KEY, m money)".to_owned())
}

#[test]
fn one_cent_is_found_however_the_rows_were_batched() {
    let (source, target) = prices();
    let by_sql = "[load.t]\nfrom = { sql = \"SELECT id, m FROM t ORDER BY id\" }\n";
    for (mapping, args) in [
        ("[load.t]\n", &["--yes"][..]),
        ("[load.t]\n", &["--yes", "--batch-rows", "7", "--jobs", "3"]),
        (by_sql, &["--yes", "--batch-rows", "7"]),
    ] {
        let case = Case::new(&source, &target, mapping);
        assert_eq!(content(&case.exits(0, args), "NotChecked"), [], "{args:?}");
        verified(&case, 0);
        // Another value, and the same values in other rows.
        for (change, undo) in [
            ("m = '35.21' WHERE id = 70", "m = '35.20' WHERE id = 70"),
            (
                "m = CASE id WHEN 1 THEN '1.20'::money ELSE '0.20' END WHERE id < 3",
                "m = CASE id WHEN 1 THEN '0.20'::money ELSE '1.20' END WHERE id < 3",
            ),
        ] {
            case.target.run(&format!("UPDATE t SET {change}"));
            let differs = content(&verified(&case, 5), "Differs");
            assert!(differs.len() == 1 && differs[0].1.starts_with("column m: "), "{args:?} {change}: {differs:?}");
            case.target.run(&format!("UPDATE t SET {undo}"));
            verified(&case, 0);
        }
    }
}

#[test]
fn values_swapped_between_rows_without_a_key_are_found() {
    let (source, _) = prices();
    let case = Case::new(&source, "CREATE TABLE t (id int, m money)", "[load.t]\n");
    case.done();
    verified(&case, 0);
    case.target.run("UPDATE t SET m = CASE id WHEN 10 THEN '20.20'::money ELSE '5.20' END WHERE id IN (10, 40)");
    assert_eq!(content(&verified(&case, 5), "Differs").len(), 1);
}

#[test]
fn rows_of_a_batch_with_refused_rows_are_compared_too() {
    let (source, target) = prices();
    let source = format!("{source}; UPDATE t SET m = '1e400' WHERE id IN (3, 50)");
    for batch_rows in ["1000", "8"] {
        let case = Case::new(&source, &format!("{target}; ALTER TABLE t ADD CHECK (m <> '7.20')"), "[load.t]\n");
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--batch-rows", batch_rows]);
        assert_eq!(content(&report, "NotChecked"), []);
        assert_eq!(case.ids("t").len(), 96);
        case.target.run("UPDATE t SET m = '1.21' WHERE id = 2");
        assert_eq!(content(&verified(&case, 5), "Differs").len(), 1);
    }
}

#[test]
fn rows_of_other_writers_neither_hide_a_change_nor_cause_an_alarm() {
    let (source, target) = prices();
    let held = "INSERT INTO t SELECT n, '9.99' FROM generate_series(1001, 1040) AS n";
    let case = Case::new(&source, &format!("{target}; {held}"), "[load.t]\nexisting = \"append\"\n");
    assert_eq!(content(&case.done(), "NotChecked"), []);
    // A row that the run did not write, one that came later, and a change of a row of the run that changes no value.
    case.target
        .run("UPDATE t SET m = '1' WHERE id = 1001; INSERT INTO t VALUES (5000, '3'); UPDATE t SET m = m WHERE id = 7");
    assert_eq!(content(&verified(&case, 0), "Differs"), []);
    assert_eq!(content(&verified(&case, 0), "NotChecked"), []);
    case.target.run("UPDATE t SET m = '3.21' WHERE id = 7");
    assert_eq!(content(&verified(&case, 5), "Differs").len(), 1);
}

#[test]
fn rows_copied_into_free_space_of_earlier_blocks_are_read_back() {
    let (source, target) = prices();
    let case = Case::new(&source, &target, "[load.t]\nexisting = \"append\"\n");
    case.target.run("INSERT INTO t SELECT n, '9.99' FROM generate_series(1001, 9000) AS n");
    case.target.run("DELETE FROM t WHERE id > 1001");
    case.target.run("INSERT INTO t VALUES (9001, '1')");
    case.target.run("VACUUM t");
    assert_eq!(content(&case.exits(0, &["--yes", "--batch-rows", "9"]), "NotChecked"), []);
    case.target.run("UPDATE t SET m = '3.21' WHERE id = 7");
    assert_eq!(content(&verified(&case, 5), "Differs").len(), 1);
}

#[test]
fn a_column_that_only_one_of_two_loads_sends_is_compared_in_the_rows_of_both() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (3);
        CREATE TABLE u (id INTEGER PRIMARY KEY, d INTEGER); INSERT INTO u VALUES (2, 9)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, d int DEFAULT 7)";
    let mapping = "[load.t.columns]\nd = { omit = true }\n[load.u]\nto = \"t\"\n";
    for id in [2, 3] {
        let case = Case::new(source, target, mapping);
        assert_eq!(content(&case.done(), "NotChecked"), []);
        verified(&case, 0);
        case.target.run(&format!("UPDATE t SET d = 8 WHERE id = {id}"));
        assert_eq!(content(&verified(&case, 5), "Differs").len(), 1, "{id}");
    }
}

#[test]
fn a_role_with_rights_on_columns_only_sees_what_is_not_compared() {
    let (source, target) = prices();
    let case = Case::new(&source, &target, "[load.t]\n");
    let role = format!("reader_{}", case.target.name());
    case.target.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT USAGE ON SCHEMA public TO {role};
         GRANT INSERT, SELECT (id, m) ON t TO {role}",
        case.target.name()
    ));
    let url = case.target.url_of(&role);
    let ran = case.place.migrate(["--yes", "--json", "-t", &url]).exits(0);
    let left = content(&ran.json(), "NotChecked");
    assert!(left.len() == 1 && left[0].1.contains("column m: the server rewrites money"), "{left:?}");
    case.target.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn rows_next_to_skipped_rows_are_compared() {
    let (source, target) = prices();
    let held = "INSERT INTO t VALUES (7, '3.20'), (8, '4.20')";
    let case = Case::new(&source, &format!("{target}; {held}"), "[load.t]\nconflict = { skip = [\"id\"] }\n");
    let report = case.exits(0, &["--yes", "--batch-rows", "6"]);
    assert_eq!((content(&report, "NotChecked"), case.target.count("t")), (Vec::new(), 100));
    case.target.run("UPDATE t SET m = '4.21' WHERE id = 8");
    verified(&case, 0);
    case.target.run("UPDATE t SET m = '4.21' WHERE id = 9");
    assert_eq!(content(&verified(&case, 5), "Differs").len(), 1);
}
