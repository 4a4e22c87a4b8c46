//! Tables as applications leave them: keys that are none, rows that differ in class alone, names that only one side has.

use crate::support::case::{Case, faults};
use crate::support::postgres::version;

const QUARANTINE: &[&str] = &["--yes", "--on-fault", "quarantine"];

/// The rowids at fault in load `t`, each with its reason.
fn named(report: &serde_json::Value) -> Vec<(i64, String)> {
    faults(report).into_iter().map(|(_, id, _, reason)| (id, reason)).collect()
}

/// These rowids, all for one reason.
fn all(ids: &[i64], reason: &str) -> Vec<(i64, String)> {
    ids.iter().map(|id| (*id, reason.to_owned())).collect()
}

#[test]
fn nulls_in_a_key_that_is_not_the_rowid_are_reported() {
    let source =
        "CREATE TABLE t (k INT PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (NULL, 1), (NULL, 2), (3, 3), ('four', 4);
                  CREATE TABLE u (k INTEGER PRIMARY KEY DESC, n INTEGER); INSERT INTO u VALUES (NULL, 1), (2, 2);";
    let target = "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE u (k int UNIQUE, n int)";
    let case = Case::new(source, target, "[load.t]\n[load.u]\n");
    let expected = [all(&[1, 2], "null"), all(&[4], "not-a-number")].concat();
    assert_eq!(named(&case.exits(3, &["--dry-run"])), expected);
    assert_eq!(named(&case.exits(6, QUARANTINE)), expected);
    assert_eq!(case.target.value("SELECT (SELECT sum(n) FROM t) || ' ' || (SELECT sum(n) FROM u)"), "3 3");
}

#[test]
fn values_that_differ_only_in_class_are_duplicates_in_a_dry_run_too() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE);
                  INSERT INTO t VALUES (1, 1), (2, '1'), (3, 'abc'), (4, x'616263'), (5, NULL), (6, NULL), (7, 'ABC');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE)";
    let case = Case::new(source, target, "[load.t.columns]\na = { blob = \"utf8\" }\n");
    assert_eq!(named(&case.exits(3, &["--dry-run"])), all(&[2, 4], "duplicate"));
    assert_eq!(named(&case.exits(6, QUARANTINE)), all(&[2, 4], "duplicate"));
    assert_eq!(case.ids("t"), [1, 3, 5, 6, 7]);
}

#[test]
fn a_second_null_is_a_duplicate_with_nulls_not_distinct() {
    if version() < 150_000 {
        // Before PostgreSQL 15 no key says so.
        return;
    }
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE); INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 'x');";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE NULLS NOT DISTINCT)", "[load.t]\n");
    assert_eq!(named(&case.exits(3, &["--dry-run"])), all(&[2], "duplicate"));
    assert_eq!(named(&case.exits(6, QUARANTINE)), all(&[2], "duplicate"));
    assert_eq!(case.ids("t"), [1, 3]);
}

#[test]
fn equal_rows_without_a_key_all_arrive() {
    let source = "CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT, xmin INTEGER);
                  INSERT INTO t VALUES ('a', 'b', 'c', 1), ('a', 'b', 'c', 1), ('a', 'b', 'c', 1), ('d', '', NULL, 2);
                  CREATE TABLE u (a TEXT); INSERT INTO u VALUES ('x'), ('x'), ('y');";
    let target =
        "CREATE TABLE t (rowid text, _rowid_ text, oid text, x_min int); CREATE TABLE u (a text); CREATE TABLE none ()";
    // No column of a target can have the name of one of the system's: what feeds another is to be said.
    let report = Case::new(source, target, "[load.t]\n[load.u]\n").exits(3, &["--dry-run"]);
    assert_eq!(report["refusals"][0]["place"], "source.t.xmin", "{report}");
    let case = Case::new(source, target, "[load.t.columns]\nx_min = \"xmin\"\n[load.u]\n");
    case.exits(0, &["--dry-run"]);
    case.exits(0, &["--yes", "--batch-rows", "1"]);
    assert_eq!(case.target.value("SELECT count(*) || ' ' || sum(x_min) FROM t WHERE rowid IN ('a', 'd')"), "4 5");
    assert_eq!(case.target.value("SELECT string_agg(a, '' ORDER BY a) FROM u"), "xxy");
}

#[test]
fn rowids_of_any_size_arrive_and_an_exhausted_sequence_is_reported() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
                  INSERT INTO t VALUES (-5, 'low'), (0, 'zero'), (4611686018427387904, 'high'), (9223372036854775807, 'last');";
    let target = "CREATE TABLE t (id bigint PRIMARY KEY, a text); CREATE TABLE u (id bigserial PRIMARY KEY, a text)";
    let case = Case::new(source, target, "[load.t]\n");
    case.exits(0, &["--yes", "--batch-rows", "1", "--jobs", "2"]);
    assert_eq!(case.target.value("SELECT string_agg(a, ' ' ORDER BY id) FROM t"), "low zero high last");
    let case = Case::new(source, target, "[load.u]\nfrom = \"t\"\n");
    let foreseen = case.exits(3, &["--yes"])["refusals"].to_string();
    assert!(foreseen.contains("after the run the application could insert no row"), "{foreseen}");
    let report = case.exits(5, &["--yes", "--skip-preflight"]);
    assert_eq!(report["sequences"][0]["verdict"], "Differs", "{report}");
    assert_eq!(case.target.value("SELECT max(id) FROM u"), "9223372036854775807");
    // As in SQLite, the next row is refused and none gets an id that is taken.
    assert_eq!(case.target.value("SELECT last_value FROM u_id_seq"), "9223372036854775807");
    let next = case.target.client().execute("INSERT INTO u (a) VALUES ('next')", &[]);
    assert_eq!(next.expect_err("the last id is taken").code().map(|code| code.code()), Some("2200H"));
}

#[test]
fn an_empty_table_never_reissues_numbers_of_the_source() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT); INSERT INTO t VALUES (6, 'deleted'); DELETE FROM t;
                  CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);";
    let target = "CREATE TABLE t (id serial PRIMARY KEY, a text); CREATE TABLE u (id int GENERATED BY DEFAULT AS IDENTITY (START 5) PRIMARY KEY, a text)";
    let case = Case::new(source, target, "[load.t]\n[load.u]\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("INSERT INTO t (a) VALUES ('next') RETURNING id"), "7");
    assert_eq!(case.target.value("INSERT INTO u (a) VALUES ('first') RETURNING id"), "5");
}

#[test]
fn a_too_wide_table_is_refused_and_a_row_wider_than_a_page_is_reported() {
    let columns = |count: usize, of: &str| (1..=count).map(|n| format!("c{n} {of}")).collect::<Vec<_>>().join(", ");
    let full = vec!["7"; 1601].join(", ");
    // Nothing but NULL in all columns but two takes no room.
    let source = format!(
        "CREATE TABLE t ({}); INSERT INTO t (c1, c1601) VALUES (1, 2); INSERT INTO t VALUES ({full});",
        columns(1601, "INTEGER")
    );
    let target = format!("CREATE TABLE t ({})", columns(1600, "bigint"));
    let report = Case::new(&source, &target, "[load.t]\n").exits(3, &["--dry-run"]);
    assert_eq!(report["refusals"][0]["place"], "source.t.c1601", "{report}");
    let case = Case::new(&source, &target, "[leave]\nt.c1601 = \"one too many\"\n[load.t]\n");
    assert_eq!(named(&case.exits(6, QUARANTINE)), all(&[2], "row-too-large"));
    assert_eq!(case.target.value("SELECT count(*) || ' ' || sum(c1) FROM t"), "1 1");
}

#[test]
fn a_table_without_columns_receives_nothing_and_stops_nothing() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE none (a); INSERT INTO none VALUES (1);";
    let target = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE none ()";
    let report = Case::new(source, target, "[load.t]\n[load.none]\n").exits(3, &["--yes"]);
    assert!(report["refusals"].to_string().contains("source.none"), "{report}");
    let case = Case::new(source, target, "[leave]\nnone = \"no columns there\"\n[load.t]\n");
    case.exits(0, &["--yes"]);
    assert_eq!((case.target.count("t"), case.target.count("none")), (1, 0));
}

#[test]
fn the_values_of_a_generated_column_load_into_a_plain_one() {
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, v GENERATED ALWAYS AS (x * 2), s INT AS (x || '1') STORED);
                  INSERT INTO t (id, x) VALUES (1, '3'), (2, '');";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, x text, v int, s int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    assert_eq!(
        case.target.value("SELECT string_agg(concat_ws('|', id, x, v, s), ' ' ORDER BY id) FROM t"),
        "1|3|6|31 2||0|1"
    );
}

#[test]
fn changes_without_loss_are_counted() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT, n REAL, r REAL, s TEXT);
                  INSERT INTO t VALUES (1, '{\"a\":1,\"a\":2}', 0.1 + 0.2, 0.1, '2024-01-01 24:00:00'), (2, '{}', 0.5, 0.5, '2024-01-01');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, j jsonb, n numeric(10,2), r real, s timestamp)";
    let case = Case::new(source, target, "[load.t]\n");
    for how in ["--dry-run", "--yes"] {
        let report = case.exits(6, &[how]);
        let counted = report["losses"].as_array().expect("losses").iter();
        let mut counted: Vec<String> =
            counted.map(|l| format!("{} {} {} {}", l["column"], l["modifier"], l["count"], l["keys"])).collect();
        counted.sort();
        let one = |column: &str, what: &str| format!("\"{column}\" \"{what}\" 1 [\"1\"]");
        let (keys, noise) = (one("j", "duplicate-json-keys"), one("n", "float-noise"));
        assert_eq!(counted, [keys, noise, one("r", "double-as-real"), one("s", "24:00:00")]);
    }
}

#[test]
fn a_fault_reports_the_byte_of_an_error_and_the_valid_labels() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, j TEXT, m TEXT);
                  INSERT INTO t VALUES (1, 'ab' || char(0), NULL, NULL), (2, CAST(x'616263ff' AS TEXT), NULL, NULL),
                      (3, NULL, '[1,]', NULL), (4, NULL, '\"x\\ud800\"', NULL), (5, NULL, NULL, 'Sad');";
    let target = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int PRIMARY KEY, v text, j jsonb, m mood)";
    let report = Case::new(source, target, "[load.t]\n").exits(3, &["--dry-run"]);
    let said = ["(at byte 2)", "(at byte 3)", "(at byte 3)", "(at byte 2)", "(its labels are sad, ok)"];
    for (fault, says) in report["faults"].as_array().expect("faults").iter().zip(said) {
        assert!(fault["message"].as_str().is_some_and(|message| message.contains(says)), "{says}: {fault}");
    }
    assert_eq!(report["fault_total"], said.len());
}

#[test]
fn a_dry_run_proposes_the_time_unit_that_fits_a_column_and_doubts_another() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, s DATETIME, ms DATETIME, us DATETIME, ns DATETIME, mixed DATETIME, said DATETIME, text DATETIME);
        INSERT INTO t VALUES (1, 1700000000, 1700000000123, 1700000000123456, 1700000000123456000, 1700000000, 1700000000, '2024-01-01'),
            (2, 0, 1.7e12, 0, 0, 1700000000123, 1700000000123, '2024-01-01'), (3, '2024-01-01', NULL, NULL, NULL, 5, 5, NULL);";
    let columns =
        "s timestamptz, ms timestamp, us date, ns timestamptz, mixed timestamp, said timestamp, text timestamp";
    let target = format!("CREATE TABLE t (id int PRIMARY KEY, {columns})");
    let case = Case::new(source, &target, "zone = \"UTC\"\n[load.t.columns]\nsaid = { epoch = \"s\" }\n");
    let report = case.exits(3, &["--dry-run"]);
    let warnings = report["warnings"].as_array().expect("warnings");
    let said = |column: &str| {
        let place = format!("load.t.columns.{column} ");
        let found = warnings.iter().find(|warning| warning["place"].as_str().is_some_and(|at| at.starts_with(&place)));
        found.map_or("", |warning| warning["message"].as_str().expect("a message"))
    };
    for (column, unit, numbers) in [("s", "s", 1), ("ms", "ms", 2), ("us", "us", 1), ("ns", "ns", 1)] {
        let says = [format!("holds {numbers} numbers other than 0"), format!("write epoch = \"{unit}\"")];
        assert!(says.iter().all(|part| said(column).contains(part)), "{column}: {report}");
    }
    assert_eq!((said("mixed"), said("text")), ("", ""));
    assert!(said("said").starts_with("2 of its 3 numbers"), "{report}");
}

#[test]
fn a_parent_equal_only_by_source_rules_is_an_orphan() {
    let source = "PRAGMA foreign_keys = OFF; CREATE TABLE p (code TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO p VALUES ('Abc'), ('7');
                  CREATE TABLE r (code TEXT COLLATE RTRIM PRIMARY KEY); INSERT INTO r VALUES ('x');
                  CREATE TABLE s (id INTEGER PRIMARY KEY, code TEXT REFERENCES r (code)); INSERT INTO s VALUES (1, 'x'), (2, 'x  ');
                  CREATE TABLE t (id INTEGER PRIMARY KEY, code REFERENCES p (code), n INT REFERENCES nowhere (id));
                  INSERT INTO t VALUES (1, 'Abc', 1), (2, 'aBC', 1), (3, 7, 1), (4, NULL, 1), (5, '99', 1);";
    let target = "CREATE TABLE p (code text PRIMARY KEY);
                  CREATE TABLE t (id int PRIMARY KEY, code text CONSTRAINT of_p REFERENCES p, n int);
                  CREATE TABLE r (code text PRIMARY KEY); CREATE TABLE s (id int PRIMARY KEY, code text REFERENCES r)";
    let case = Case::new(source, target, "[load.p]\n[load.r]\n[load.s]\n[load.t]\n");
    let orphans = [("s", 2), ("t", 2), ("t", 5)]
        .map(|(load, id)| (load.to_owned(), id, Some("code".to_owned()), "orphan".to_owned()));
    for (code, args) in [(3, &["--dry-run"][..]), (6, QUARANTINE)] {
        let report = case.exits(code, args);
        assert!(report["faults"].to_string().contains("(constraint of_p)"), "{report}");
        let mut found = faults(&report);
        found.sort();
        assert_eq!(found, orphans);
    }
    assert!(case.lines().iter().any(|line| line["row"]["code"] == "99"));
    assert_eq!((case.ids("t"), case.ids("s")), (vec![1, 3, 4], vec![1]));
}

#[test]
fn rows_that_violate_constraints_of_the_source_are_reported() {
    let source = "PRAGMA ignore_check_constraints = ON; CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER CHECK (a > 0), b TEXT);
                  INSERT INTO t VALUES (1, -1, 'x'), (2, 5, NULL), (3, 5, 'x');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT up CHECK (a > 0), b text NOT NULL)";
    let case = Case::new(source, target, "[load.t]\n");
    let both = vec![(1, "check-failed".to_owned()), (2, "null".to_owned())];
    for (code, args) in [(3, &["--dry-run"][..]), (6, QUARANTINE)] {
        let report = case.exits(code, args);
        assert!(report["faults"].to_string().contains("constraint up"), "{report}");
        let mut found = named(&report);
        found.sort();
        assert_eq!(found, both);
    }
    assert_eq!(case.ids("t"), [3]);
}

#[test]
fn losses_already_in_the_source_are_warned_of_by_a_dry_run() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, phone STRING, n TEXT); INSERT INTO t VALUES (1, '00420', 'x'), (2, '+49', 'y');";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, phone text, n text)", "[load.t]\n");
    let warnings = case.exits(0, &["--dry-run"])["warnings"].to_string();
    assert!(warnings.contains("t.phone") && warnings.contains("NUMERIC affinity"), "{warnings}");
}

#[test]
fn names_match_whole_or_ignoring_case_and_are_never_truncated() {
    let long = "n".repeat(70);
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, \"{long}\" TEXT, \"\" TEXT); INSERT INTO t VALUES (1, 'long', 'none');"
    );
    let target = format!("CREATE TABLE t (id int PRIMARY KEY, \"{}\" text)", &long[..63]);
    let case = Case::new(&source, &target, "[load.t]\n");
    let report = case.exits(3, &["--dry-run"]);
    assert!(report["refusals"].to_string().contains(&long), "{report}");
    let mapping =
        format!("[load.t.columns]\n{} = \"{long}\"\n[leave]\nt = {{ \"\" = \"it has no name\" }}\n", &long[..63]);
    let case = Case::new(&source, &target, &mapping);
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value(&format!("SELECT \"{}\" FROM t", &long[..63])), "long");
}

#[test]
fn a_name_that_fits_two_target_columns_is_refused_until_mapped() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, NaMe TEXT); INSERT INTO t VALUES (1, 'x');";
    for other in ["NAME", "NaMe"] {
        let target = format!("CREATE TABLE t (id int PRIMARY KEY, \"{other}\" text, name text)");
        let report = Case::new(source, &target, "[load.t]\n").exits(3, &["--dry-run"]);
        assert!(report["refusals"].to_string().contains("differ in case alone"), "{report}");
        let said = format!("[load.t.columns]\n\"{other}\" = \"NaMe\"\nname = {{ omit = true }}\n");
        let case = Case::new(source, &target, &said);
        case.exits(0, &["--yes"]);
        assert_eq!(case.target.rows(&format!("SELECT \"{other}\", name FROM t")), [[Some("x".to_owned()), None]]);
    }
}

#[test]
fn a_view_a_virtual_table_and_its_shadows_are_listed_and_never_loaded() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT nothing_there() FROM t;
                  CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('words'); ANALYZE;";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW w AS SELECT 1 AS id", "[load.t]\n");
    let report = case.exits(0, &["--yes"]);
    let listed = report["not_tables"].to_string();
    assert!(["\"v\"", "\"f\"", "\"f_data\""].iter().all(|name| listed.contains(name)), "{listed}");
    // What they show can be asked for; a contentless one shows NULL.
    let shown = "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('words'), ('more');
                 CREATE VIEW v AS SELECT rowid AS id, body FROM f;
                 CREATE VIRTUAL TABLE c USING fts5(body, content=''); INSERT INTO c (rowid, body) VALUES (3, 'deleted');
                 CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (4, 0, 1);";
    let ask = |load: &str, sql: &str| format!("[load.{load}]\nto = \"t\"\nfrom = {{ sql = \"{sql}\" }}\n");
    let ask = ask("f", "SELECT rowid AS id, body FROM f") + &ask("c", "SELECT rowid AS id, body FROM c");
    let case = Case::new(shown, "CREATE TABLE t (id int, body text)", &ask);
    case.exits(0, &["--yes"]);
    assert_eq!(
        case.target.value("SELECT string_agg(id || coalesce(body, '-'), ' ' ORDER BY id) FROM t"),
        "1words 2more 3-"
    );
    let case = Case::new(
        shown,
        "CREATE TABLE t (id int, body text)",
        "[load.t]\nfrom = { sql = \"SELECT id, body FROM v\" }\n",
    );
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT string_agg(body, ' ' ORDER BY id) FROM t"), "words more");
    let case = Case::new(source, "CREATE VIEW t AS SELECT 1 AS id", "[load.t]\n");
    assert!(case.exits(3, &["--yes"])["refusals"].to_string().contains("view"));
}

#[test]
fn a_fault_reports_everything_known_of_its_cell_and_the_key_on_request() {
    let source = "CREATE TABLE t (a TEXT, b INTEGER, v DECIMAL(10,2), w VARCHAR(9), PRIMARY KEY (a, b)) WITHOUT ROWID;
        INSERT INTO t VALUES ('x', 1, 'lots', 'abc'), ('y', 2, 1.5, 'much too long'), ('z', 3, x'00ff', NULL), ('é', 4, 1e15, 'a');
        CREATE TABLE u (id INTEGER PRIMARY KEY, w); INSERT INTO u VALUES (-7, 1.25);";
    let target = "CREATE TABLE t (a text, b int, v numeric(10,2), w varchar(3), PRIMARY KEY (a, b)); CREATE TABLE u (id int PRIMARY KEY, w int)";
    let case = Case::new(source, target, "[load.t]\n[load.u]\n");
    let listed = |report: &serde_json::Value| -> Vec<String> {
        let all = ["load", "table", "rowid", "key", "column", "declared", "class", "bytes", "target_type", "reason"];
        let one = |fault: &serde_json::Value| all.map(|name| fault[name].to_string()).join(" ").replace('"', "");
        report["faults"].as_array().expect("faults").iter().map(one).collect()
    };
    let wanted = |keys: [&str; 4]| {
        [
            format!("t public.t null {} v DECIMAL(10,2) text 4 numeric(10,2) not-a-number", keys[0]),
            format!("t public.t null {} w VARCHAR(9) text 13 character varying(3) too-long", keys[1]),
            format!("t public.t null {} v DECIMAL(10,2) blob 2 numeric(10,2) blob", keys[2]),
            format!("t public.t null {} v DECIMAL(10,2) integer 8 numeric(10,2) precision-overflow", keys[3]),
            "u public.u -7 null w  real 8 integer not-integral".to_owned(),
        ]
    };
    assert_eq!(listed(&case.exits(3, &["--dry-run"])), wanted(["null"; 4]));
    // The same through the ledger, where the report comes from after a run.
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--show-values"]);
    assert_eq!(listed(&report), wanted(["x, 1", "y, 2", "z, 3", "é, 4"]));
    let ways = [
        ("columns.v", "if_bad = "),
        ("columns.w", "truncate = true"),
        ("columns.v", "sql = "),
        ("columns.v", "a wider column"),
    ];
    for (fault, (place, way)) in report["faults"].as_array().expect("faults").iter().zip(ways) {
        let message = fault["message"].as_str().expect("words");
        assert!(message.starts_with(&format!("load.t.{place}: ")) && message.contains(way), "{message}");
    }
}
