//! The sources of a column's value, and the modifiers of the mapping.

use super::{entry, mapped};

#[test]
fn every_column_source_loads_its_value() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES (1, 'Über', '2025-01-02T03:04:05+02:00');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, renamed text, folded text, found boolean, at timestamp, one int, nothing text, \
        began timestamp, key text, whose text, left_out text DEFAULT 'spoken', unset text DEFAULT 'too');
        CREATE TABLE people (name text PRIMARY KEY);";
    let mapping = "[owner]\ntable = \"people\"\nmatch = { name = \"ada\" }\nkey = \"name\"\ncreate = {}\n[load.t]\nowner = false\n[load.t.columns]\n\
        renamed = { from = \"a\" }\nfolded = { sql = \"casefold(a)\" }\nfound = { sql = \"a REGEXP '^.ber$'\" }\nat = { sql = \"ts(b)\", offset = \"zone\" }\n\
        one = { value = 1 }\nnothing = { value = { null = true } }\nbegan = { value = { now = true } }\nkey = { env = \"API_KEY\" }\n\
        whose = { owner = true }\nleft_out = { omit = true }\nunset = { env = \"NOT_SET\", optional = true }\n";
    let case = mapped(source, target, mapping);
    case.command(&["--json", "--yes"]).env("API_KEY", "k").exits(0);
    let found = case.rows("SELECT a, renamed, folded, found, at, one, nothing, began > now() - interval '1 hour', key, whose, left_out, unset FROM t");
    assert_eq!(found, ["Über Über über t 2025-01-02 01:04:05 1 - t k ada spoken too"]);
    let case = mapped(source, target, mapping);
    case.refused(&["load.t.columns.key", "the variable `API_KEY` is not set", "optional = true"]);
}

#[test]
fn an_omitted_column_gets_its_default_and_null_is_sent() {
    let source = "CREATE TABLE runs (id INTEGER PRIMARY KEY, kind TEXT, made TEXT); INSERT INTO runs VALUES (1, NULL, NULL), (2, 'AUTO', NULL);";
    let target = "CREATE TABLE runs (id int PRIMARY KEY, kind text DEFAULT 'MANUAL', made timestamp NOT NULL DEFAULT '2025-01-01', tries int DEFAULT 3)";
    let omitted = "[leave]\nruns.made = \"never filled\"\n[load.runs]\nowner = false\n[load.runs.columns]\nmade = { omit = true }\n";
    let case = mapped(source, target, omitted);
    let report = case.done();
    assert_eq!(
        case.rows("SELECT * FROM runs ORDER BY id"),
        ["1 - 2025-01-01 00:00:00 3", "2 AUTO 2025-01-01 00:00:00 3"]
    );
    assert_eq!(entry(&report, "left", "column", "made")["rows"], 0);
    // A NULL is no omission: the default does not stand in for it.
    let case = mapped(source, target, "[load.runs]\nowner = false\n");
    let report = case.command(&["--json", "--dry-run"]).exits(3).json();
    assert_eq!((&report["fault_total"], &report["faults"][0]["reason"]), (&2.into(), &"null".into()));
}

const FLAGS: &str = "CREATE TYPE state AS ENUM ('OPEN', 'UNDER_REVIEW', 'CLOSED'); \
    CREATE TABLE t (id int PRIMARY KEY, state state, level text, sure boolean, seen int);";

const VALUES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT, level TEXT, sure BOOLEAN, seen INTEGER); INSERT INTO t VALUES \
    (1, 'OPEN', 'low', 1, 1), (2, 'Under Review', 'high', 0, 0), (3, 'closed', 'odd', NULL, 2), (4, NULL, NULL, 'true', NULL);";

fn labelled(state: &str, level: &str) -> String {
    format!("[load.t]\nowner = false\n[load.t.columns]\nstate = {{ {state} }}\nlevel = {{ {level} }}\n")
}

#[test]
fn a_map_translates_labels_and_passes_others_or_uses_else() {
    let by_map = "map = { \"Under Review\" = \"UNDER_REVIEW\", closed = \"CLOSED\" }";
    let case = mapped(VALUES, FLAGS, &labelled(by_map, "map = { low = 1, high = \"three\" }, else = \"other\""));
    case.done();
    let found = case.rows("SELECT state, level FROM t ORDER BY id");
    assert_eq!(found, ["OPEN 1", "UNDER_REVIEW three", "CLOSED other", "- -"], "NULL is never mapped");
    let case = mapped(
        VALUES,
        FLAGS,
        &labelled(by_map, "map = { low = { null = true } }, else = { null = true }, if_null = \"none\""),
    );
    case.done();
    assert_eq!(case.rows("SELECT DISTINCT level FROM t"), ["none"]);
    let case = mapped(VALUES, FLAGS, &labelled("trim = true", "map = { low = \"l\" }, else = { fault = true }"));
    let report = case.command(&["--json", "--dry-run"]).exits(3).json();
    let fault = |f: &serde_json::Value| format!("{} {} {}", f["rowid"], f["column"], f["reason"]).replace('"', "");
    let mut found: Vec<String> = report["faults"].as_array().expect("faults").iter().map(fault).collect();
    found.sort();
    assert_eq!(found, ["2 level not-in-map", "2 state unknown-label", "3 level not-in-map", "3 state unknown-label"]);
}

#[test]
fn a_flag_takes_the_type_of_the_target_column() {
    let case = mapped(
        VALUES,
        FLAGS,
        &labelled("map = { \"Under Review\" = \"UNDER_REVIEW\", closed = \"CLOSED\" }", "trim = true"),
    );
    case.done();
    assert_eq!(case.rows("SELECT sure, seen FROM t ORDER BY id"), ["t 1", "f 0", "- 2", "t -"]);
}

#[test]
fn settings_of_a_column_override_inherited_ones() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT); INSERT INTO t VALUES (1, ' a ', ' b ', '', NULL), (2, NULL, ' ', ' c', 'd');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c varchar(5), d text)";
    let mapping = "[defaults]\ntrim = true\n[defaults.columns]\nd = { if_null = \"none\" }\n[defaults.types]\nvarchar = { null_if = [\"\"] }\n\
        [load.t]\nowner = false\n[load.t.columns]\nb = { trim = { fault = true } }\n";
    let case = mapped(source, target, mapping);
    case.done();
    assert_eq!(case.rows("SELECT '[' || coalesce(a, '-') || '][' || b || '][' || coalesce(c, '-') || '][' || d || ']' FROM t ORDER BY id"), ["[a][ b ][-][none]", "[-][ ][c][d]"]);
}

#[test]
fn a_load_accepts_every_modifier_of_a_column() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c TEXT); \
        INSERT INTO t VALUES (1, CAST(x'20e9' AS TEXT), 2.675, '2025-03-09 02:30:00'), (2, 'x' || char(0) || 'y', 1, '2025-03-09 02:30:00Z');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, b numeric(8,2), c timestamptz)";
    let wide = "strip_nul = true\nround = true\ncharset = \"windows-1252\"\nzone = \"+05:30\"\ntrim = true\n";
    for mapping in [format!("[load.t]\nowner = false\n{wide}"), format!("[defaults]\n{wide}[load.t]\nowner = false\n")]
    {
        let case = mapped(source, target, &mapping);
        let report = case.done();
        assert_eq!(entry(&report, "losses", "modifier", "round")["count"], 1);
        assert_eq!(entry(&report, "losses", "modifier", "strip_nul")["count"], 1);
        let found = case.rows("SELECT a, b, to_char(c AT TIME ZONE 'UTC', 'DD HH24:MI') FROM t ORDER BY id");
        assert_eq!(found, ["é 2.68 08 21:00", "xy 1.00 09 02:30"], "{mapping}");
    }
    let case = mapped(source, target, "[load.t]\nowner = false\n");
    let report = case.command(&["--json", "--dry-run"]).exits(3).json();
    let reasons = report["faults"].as_array().expect("faults").iter().map(|f| f["reason"].as_str().expect("a reason"));
    assert_eq!(reasons.collect::<Vec<_>>(), ["not-utf8", "excess-scale", "nul-in-text"]);
}

#[test]
fn a_type_that_no_column_has_is_a_warning_and_mathematical_functions_work() {
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL); INSERT INTO t VALUES (1, 2.7), (2, -2.5), (3, NULL);";
    let target = "CREATE TABLE t (id int PRIMARY KEY, x double precision, f int, p double precision)";
    let mapping = "[defaults.types]\njsonb = { null_if = [\"\"] }\n[load.t]\nowner = false\n[load.t.columns]\nf = { sql = \"CAST(floor(x) AS INT)\" }\n\
                   p = { sql = \"pow(x, 2) + ln(x)\" }\n";
    let case = mapped(source, target, mapping);
    let report = case.done();
    let message = entry(&report, "warnings", "place", "defaults.types.jsonb (line 7)")["message"].to_string();
    assert!(message.contains("no column of the target has this type"), "{message}");
    assert_eq!(case.rows("SELECT id, f, round(p::numeric, 4) FROM t ORDER BY id"), ["1 2 8.2833", "2 -3 -", "3 - -"]);
}
