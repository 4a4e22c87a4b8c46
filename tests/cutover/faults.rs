//! Faults made on purpose, each kind against a real server: its row is located, the good rows arrive, the exit status is right.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::case::{Case, faults};

fn whole(id: i64, reason: &str) -> (String, i64, Option<String>, String) {
    ("t".to_owned(), id, None, reason.to_owned())
}

/// A table `t` of ten rows; `bad` changes some of them in the source.
fn ten_rows(bad: &str) -> String {
    format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER);
         WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 10)
         INSERT INTO t SELECT x, 'a' || x, x FROM i;
         {bad}"
    )
}

/// Under quarantine exactly the rows `bad` are quarantined for `reason`; under abort they are listed and nothing stays; in both
/// ways of loading: batches of three rows, and one transaction in pieces.
#[track_caller]
fn is_pinned(change: &str, target: &str, load: &str, bad: &[i64], reason: &str, detail: &str) {
    let good: Vec<i64> = (1..=10).filter(|id| !bad.contains(id)).collect();
    let expected: Vec<_> = bad.iter().map(|id| whole(*id, reason)).collect();
    for from in ["", "from = { sql = \"SELECT id, a, n FROM t ORDER BY id\" }\n"] {
        let case = || Case::new(&ten_rows(change), target, &format!("[load.t]\n{from}{load}"));
        for batch in ["3", "1000"] {
            let case = case();
            let report = case.exits(
                6,
                &["--yes", "--on-fault", "quarantine", "--batch-rows", batch, "--detach", "never", "--jobs", "1"],
            );
            assert_eq!(faults(&report), expected, "{from} {batch}");
            assert_eq!(case.ids("t"), good);
            assert!(report["faults"][0]["message"].as_str().unwrap().contains(detail), "{report}");
            assert_eq!(report["loads"][0]["faults"], bad.len());
            assert_eq!(report["loads"][0]["written"], good.len());
            assert_eq!(report["state"], "Done");
            let lines = case.lines();
            assert_eq!(lines.iter().map(|l| l["rowid"].as_i64().unwrap()).collect::<Vec<_>>(), bad);
            assert_eq!(lines[0]["row"]["id"], bad[0]);
        }
        let case = case();
        let report = case.exits(4, &["--yes", "--detach", "never", "--skip-preflight"]);
        assert_eq!(faults(&report), expected);
        assert_eq!(case.target.count("t"), 0);
    }
}

/// A dry run finds the same rows, and writes nothing.
#[track_caller]
fn is_foreseen(change: &str, target: &str, load: &str, bad: &[i64], reason: &str) {
    let case = Case::new(&ten_rows(change), target, &format!("[load.t]\n{load}"));
    let before = case.target.inventory();
    let report = case.exits(3, &["--dry-run"]);
    assert_eq!(faults(&report), bad.iter().map(|id| whole(*id, reason)).collect::<Vec<_>>());
    assert_eq!(case.target.inventory(), before);
    assert!(!case.place.path("migrate-faults.ndjson").exists());
    case.exits(6, &["--dry-run", "--on-fault", "quarantine", "--fault-file", "named.ndjson"]);
    assert_eq!(case.place.read("named.ndjson").lines().count(), bad.len());
}

#[test]
fn a_dry_run_finds_duplicates_by_the_equality_of_the_target() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, a timestamp UNIQUE, n numeric(5,2), UNIQUE (n))";
    is_foreseen(
        "UPDATE t SET a = '2025-01-01 08:00:0' || (id - 1); UPDATE t SET a = '2025-01-01T08:00:02' WHERE id = 7;
         UPDATE t SET n = '1.00' WHERE id = 4; UPDATE t SET a = NULL WHERE id IN (9, 10);",
        target,
        "",
        &[4, 7],
        "duplicate",
    );
}

#[test]
fn a_dry_run_evaluates_checks_on_the_server_and_lists_those_it_cannot() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, n int,
        CONSTRAINT short CHECK (a IS NULL OR length(a) < n + 100), CONSTRAINT up CHECK (n > 0),
        CONSTRAINT made CHECK (m > 0), m int DEFAULT 1)";
    is_foreseen(
        "UPDATE t SET n = -n WHERE id = 3; UPDATE t SET n = NULL WHERE id = 4;",
        target,
        "",
        &[3],
        "check-failed",
    );
    let case = Case::new(&ten_rows(""), target, "[load.t]\n");
    let report = case.exits(0, &["--dry-run"]);
    let unchecked: Vec<&str> = report["checks"].as_array().unwrap().iter().filter_map(|c| c["why"].as_str()).collect();
    assert!(unchecked.iter().any(|why| why.starts_with("made: ")), "{unchecked:?}");
}

#[test]
fn a_duplicate_is_the_later_of_the_two_rows() {
    is_pinned(
        "UPDATE t SET a = 'a2' WHERE id IN (5, 9);",
        "CREATE TABLE t (id int PRIMARY KEY, a text CONSTRAINT one_a UNIQUE, n int)",
        "",
        &[5, 9],
        "duplicate",
        "constraint one_a, SQLSTATE 23505",
    );
}

#[test]
fn a_failed_check_is_reported_with_its_row_and_name() {
    is_pinned(
        "UPDATE t SET n = -n WHERE id IN (1, 4, 10);",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int CONSTRAINT up CHECK (n > 0))",
        "",
        &[1, 4, 10],
        "check-failed",
        "constraint up",
    );
}

#[test]
fn a_refusing_domain_is_reported_with_its_row_and_name() {
    is_pinned(
        "UPDATE t SET n = -n WHERE id = 7;",
        "CREATE DOMAIN up AS int CONSTRAINT upwards CHECK (VALUE > 0); CREATE TABLE t (id int PRIMARY KEY, a text, n up)",
        "",
        &[7],
        "check-failed",
        "domain up",
    );
}

#[test]
fn an_exclusion_is_the_later_of_the_two_rows() {
    is_pinned(
        "UPDATE t SET n = 3 WHERE id = 8;",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int, CONSTRAINT apart EXCLUDE USING btree (n WITH =))",
        "",
        &[8],
        "exclusion-failed",
        "constraint apart",
    );
}

#[test]
fn a_row_without_a_partition_is_located() {
    is_pinned(
        "UPDATE t SET n = 1000 WHERE id = 2;",
        "CREATE TABLE t (id int, a text, n int) PARTITION BY RANGE (n); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)",
        "",
        &[2],
        "no-partition",
        "SQLSTATE 23514",
    );
}

#[test]
fn a_too_large_index_row_is_located() {
    is_pinned(
        "UPDATE t SET a = hex(randomblob(20000)) WHERE id = 6;",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int); CREATE INDEX wide ON t (a)",
        "",
        &[6],
        "index-row-too-large",
        "SQLSTATE 54000",
    );
}

#[test]
fn a_row_larger_than_a_page_is_located() {
    let columns: Vec<String> = (1..=1200).map(|n| format!("c{n} bigint DEFAULT {n}")).collect();
    let target = format!(
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int, {});
         CREATE FUNCTION slim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.n <> 6 THEN {} END IF; RETURN NEW; END $$;
         CREATE TRIGGER slim BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slim()",
        columns.join(", "),
        (1..=1200).map(|n| format!("NEW.c{n} := NULL;")).collect::<String>()
    );
    is_pinned("", &target, "triggers = \"fire\"\n", &[6], "row-too-large", "SQLSTATE 54000");
}

#[test]
fn a_row_refused_by_a_trigger_is_located_for_any_sqlstate() {
    for state in ["P0001", "45000", "ZZ123"] {
        let target = format!(
            "CREATE TABLE t (id int PRIMARY KEY, a text, n int);
             CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.n IN (3, 4) THEN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER guard BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION guard()"
        );
        is_pinned("", &target, "triggers = \"fire\"\n", &[3, 4], "trigger-refused", state);
    }
}

#[test]
fn a_row_swallowed_by_a_trigger_is_located() {
    is_pinned(
        "",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int);
         CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.n = 9 THEN RETURN NULL; END IF; RETURN NEW; END $$;
         CREATE TRIGGER guard BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION guard()",
        "triggers = \"fire\"\n",
        &[9],
        "trigger-swallowed",
        "was swallowed",
    );
}

#[test]
fn a_violation_of_a_deferred_key_is_located_before_the_commit() {
    is_pinned(
        "UPDATE t SET n = 1 WHERE id = 10; UPDATE t SET n = 2 WHERE id = 4;",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int CONSTRAINT one_n UNIQUE DEFERRABLE INITIALLY DEFERRED)",
        "",
        &[4, 10],
        "duplicate",
        "constraint one_n",
    );
}

#[test]
fn a_violation_of_a_constraint_trigger_is_located_before_the_commit() {
    is_pinned(
        "",
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int);
         CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.n IN (2, 7) THEN RAISE EXCEPTION 'no'; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER guard AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard()",
        "triggers = \"fire\"\n",
        &[2, 7],
        "trigger-refused",
        "SQLSTATE P0001",
    );
}

#[test]
fn a_violation_of_a_deferred_reference_is_located_before_the_commit() {
    is_pinned(
        "UPDATE t SET n = n + 100 WHERE id IN (3, 8);",
        // A type that the server alone compares: orphans are not found while reading.
        "CREATE TABLE numbers (n real PRIMARY KEY); INSERT INTO numbers SELECT generate_series(1, 10);
         CREATE TABLE t (id int PRIMARY KEY, a text, n real);
         ALTER TABLE t ADD CONSTRAINT known FOREIGN KEY (n) REFERENCES numbers DEFERRABLE INITIALLY DEFERRED",
        "",
        &[3, 8],
        "orphan",
        "constraint known",
    );
}

#[test]
fn a_conflict_load_skips_its_key_and_quarantines_other_collisions() {
    let source = ten_rows("UPDATE t SET a = 'a1' WHERE id = 4; UPDATE t SET n = -1 WHERE id = 6;");
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE, n int CHECK (n > 0))";
    let case = Case::new(&source, target, "[load.t]\nconflict = { skip = [\"a\"] }\n");
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--batch-rows", "3"]);
    assert_eq!(faults(&report), [whole(6, "check-failed")]);
    assert_eq!((&report["loads"][0]["skipped"], &report["loads"][0]["written"]), (&1.into(), &8.into()));
    assert_eq!(case.ids("t"), [1, 2, 3, 5, 7, 8, 9, 10]);
}

#[test]
fn max_faults_counts_over_resumes_and_the_same_command_resumes() {
    let source = ten_rows("UPDATE t SET n = -n WHERE id IN (2, 5, 8);");
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, n int CHECK (n > 0))";
    let case = Case::new(&source, target, "[load.t]\n");
    // One lane: with several, which of the three batches is the one too many is theirs to race for.
    let args = ["--yes", "--on-fault", "quarantine", "--jobs", "1", "--batch-rows", "3", "--max-faults"];
    // Faults that the preflight finds are a refusal, in the dry run too.
    for action in ["--yes", "--dry-run"] {
        let ran = case.run(&[&[action], &args[1..], &["2"]].concat());
        assert_eq!(ran.code, 3, "{}", ran.said());
        ran.says(&["max_faults", "3 rows cannot be loaded as they are, and --max-faults allows 2"]);
        assert_eq!(case.target.inventory(), ["public", "public.t: 0"]);
    }
    for _ in 0..2 {
        let ran = case.run(&[&args[..], &["2", "--skip-preflight"]].concat());
        assert_eq!(ran.code, 4, "{}", ran.said());
        ran.says(&["max_faults", "more than 2 rows"]);
        assert_eq!(case.ids("t"), [1, 3, 4, 6]);
    }
    assert_eq!(case.lines().len(), 2);
    let report = case.exits(6, &[&args[..], &["3"]].concat());
    assert_eq!(report["fault_total"], 3);
    assert_eq!(case.ids("t"), [1, 3, 4, 6, 7, 9, 10]);
    assert_eq!(case.lines().len(), 3);
    assert_eq!(case.exits(6, &args[..3])["fault_total"], 3);
}

#[test]
fn a_fault_file_holds_every_value_and_only_its_owner_may_read_it() {
    let source = "CREATE TABLE t (name TEXT PRIMARY KEY, x ANY, y ANY, z ANY, n INTEGER) WITHOUT ROWID;
                  INSERT INTO t VALUES ('good', 1, 1.0, 'b', 1), ('bad', 1.5, x'00ff', CAST(x'ff41' AS TEXT), 'word')";
    let target = "CREATE TABLE t (name text PRIMARY KEY, n int)";
    let leave = "[leave]\nt.x = \"no\"\nt.y = \"no\"\nt.z = \"no\"\n[load.t]\n";
    let case = Case::new(source, target, leave);
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(report["faults"][0]["key"], Value::Null);
    let path = case.place.path("migrate-faults.ndjson");
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    let line = &case.lines()[0];
    assert_eq!(line["key"], serde_json::json!(["bad"]));
    assert_eq!(
        line["row"],
        serde_json::json!({"name": "bad", "x": 1.5, "y": {"blob": "00ff"}, "z": {"text": "ff41"}, "n": "word"})
    );
    assert_eq!(line["faults"][0]["reason"], "not-a-number");
    assert_eq!(case.exits(6, &["--yes", "--show-values"])["faults"][0]["key"], "bad");
}

#[test]
fn without_a_fault_there_is_no_fault_file() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, n int)";
    let case = Case::new(&ten_rows(""), target, "[load.t]\n");
    case.exits(0, &["--yes", "--on-fault", "quarantine"]);
    assert!(!case.place.path("migrate-faults.ndjson").exists());
}

const FAMILY: &str = "CREATE TABLE p (id int PRIMARY KEY, name varchar(5) NOT NULL UNIQUE);
    CREATE TABLE c (id int PRIMARY KEY, p_id bigint CONSTRAINT c_p REFERENCES p, n int);
    CREATE TABLE g (id int PRIMARY KEY, c_id int NOT NULL CONSTRAINT g_c REFERENCES c)";

/// Parent 2 is refused for its name, parent 9 is not there, child 12 is NULL.
const FAMILY_SOURCE: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER, n INTEGER);
    CREATE TABLE g (id INTEGER PRIMARY KEY, c_id INTEGER);
    INSERT INTO p VALUES (1, 'a'), (2, 'too long'), (3, 'c');
    INSERT INTO c VALUES (10, 1, 0), (11, 2, 0), (12, NULL, 0), (13, 9, 0), (14, 3, 0), (15, 2, 0);
    INSERT INTO g VALUES (20, 10), (21, 11), (22, 13), (23, 12), (24, 77)";

fn child(load: &str, id: i64, column: &str, reason: &str) -> (String, i64, Option<String>, String) {
    (load.to_owned(), id, Some(column.to_owned()), reason.to_owned())
}

/// The findings of every kind of run: orphans as themselves, refused parents with the number of their children.
fn family() -> Vec<(String, i64, Option<String>, String)> {
    vec![child("p", 2, "name", "too-long"), child("c", 13, "p_id", "orphan"), child("g", 24, "c_id", "orphan")]
}

fn by_load(mut found: Vec<(String, i64, Option<String>, String)>) -> Vec<(String, i64, Option<String>, String)> {
    found.sort_by_key(|(load, ..)| ["p", "c", "g"].iter().position(|l| l == load));
    found
}

#[test]
fn orphans_and_children_of_refused_parents_are_found_while_reading() {
    for detach in ["never", "always"] {
        for preflight in [&["--dry-run"][..], &["--yes"]] {
            let case = Case::new(FAMILY_SOURCE, FAMILY, "[load.g]\n[load.c]\n[load.p]\n");
            let report = case.exits(3, &[preflight, &["--detach", detach]].concat());
            assert_eq!(by_load(faults(&report)), family());
            assert_eq!(report["fault_total"], 7);
            assert_eq!(report["faults"][2]["children"].as_u64(), Some(3), "{report}");
            assert_eq!(case.target.count("p"), 0);
        }
        let case = Case::new(FAMILY_SOURCE, FAMILY, "[load.g]\n[load.c]\n[load.p]\n");
        case.exits(6, &["--dry-run", "--on-fault", "quarantine"]);
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", detach]);
        assert_eq!(by_load(faults(&report)), family());
        assert_eq!(report["fault_total"], 7);
        assert_eq!((case.ids("p"), case.ids("c"), case.ids("g")), (vec![1, 3], vec![10, 12, 14], vec![20, 23]));
        let reasons = case.reasons();
        let expected = [
            (2, "too-long"),
            (11, "parent-refused"),
            (13, "orphan"),
            (15, "parent-refused"),
            (21, "parent-refused"),
            (22, "parent-refused"),
            (24, "orphan"),
        ];
        assert_eq!(reasons, expected.map(|(id, reason)| (id, reason.to_owned())));
        let lines = case.lines();
        let parent = &lines.iter().find(|l| l["rowid"] == 15).expect("row 15")["faults"][0]["parent"];
        assert_eq!(*parent, serde_json::json!({"load": "p", "key": [2]}));
    }
}

#[test]
fn if_orphan_replaces_missing_parents_and_is_counted() {
    let mapping = "[load.p]\n[load.c]\n[load.c.columns]\np_id = { if_orphan = { null = true } }\n[load.g]\n";
    let source = FAMILY_SOURCE.replace("(24, 77)", "(24, 14)").replace("'too long'", "'b'");
    let case = Case::new(&source, FAMILY, mapping);
    for args in [&["--dry-run"][..], &["--yes"]] {
        let report = case.exits(0, args);
        let loss = &report["losses"][0];
        assert_eq!(
            (&loss["column"], &loss["modifier"], &loss["keys"]),
            (&"p_id".into(), &"if_orphan".into(), &serde_json::json!(["13"]))
        );
    }
    assert_eq!(case.target.value("SELECT p_id FROM c WHERE id = 13"), "NULL");
    assert_eq!(case.ids("g"), [20, 21, 22, 23, 24]);
}

#[test]
fn existing_rows_of_the_target_count_as_parents() {
    let target = "CREATE TABLE p (name text PRIMARY KEY); INSERT INTO p VALUES ('was here');
        CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p)";
    let source = "CREATE TABLE p (name TEXT PRIMARY KEY); INSERT INTO p VALUES ('comes');
        CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT); INSERT INTO c VALUES (1, 'was here'), (2, 'comes'), (3, 'is not')";
    let case = Case::new(source, target, "[load.p]\nexisting = \"append\"\n[load.c]\n");
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(faults(&report), [child("c", 3, "p", "orphan")]);
    assert_eq!(case.ids("c"), [1, 2]);
}

#[test]
fn a_refused_root_excludes_its_whole_branch() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, up int CONSTRAINT t_up REFERENCES t, name varchar(3))";
    // 5 is under 4, 4 under 9, which is not there; 7 is refused for its name, and 6 is under 7; 2 is read before its parent 8.
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER, name TEXT);
        INSERT INTO t VALUES (1, NULL, 'a'), (2, 8, 'b'), (3, 3, 'c'), (4, 9, 'd'), (5, 4, 'e'), (6, 7, 'f'), (7, 1, 'long'), (8, 1, 'h')";
    for detach in ["never", "always"] {
        let case = Case::new(source, target, "[load.t]\n");
        let expected = [child("t", 4, "up", "orphan"), child("t", 7, "name", "too-long")];
        let report = case.exits(3, &["--dry-run"]);
        assert_eq!(faults(&report), expected);
        assert_eq!((&report["faults"][0]["children"], &report["faults"][1]["children"]), (&1.into(), &1.into()));
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", detach]);
        assert_eq!(faults(&report), expected);
        assert_eq!(case.ids("t"), [1, 2, 3, 8]);
        assert_eq!(report["fault_total"], 4);
    }
}

#[test]
fn children_of_a_parent_refused_by_the_server_are_faults() {
    let target = FAMILY.replace("NOT NULL UNIQUE", "CONSTRAINT no_b CHECK (name <> 'b')");
    let source = FAMILY_SOURCE.replace("(24, 77)", "(24, 14)").replace("'too long'", "'b'").replace("(13, 9", "(13, 1");
    for detach in ["never", "always"] {
        let case = Case::new(&source, &target, "[load.p]\n[load.c]\n[load.g]\n");
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", detach]);
        assert_eq!(faults(&report), [("p".to_owned(), 2, None, "check-failed".to_owned())]);
        assert_eq!(report["faults"][0]["children"], 3);
        assert_eq!((case.ids("c"), case.ids("g")), (vec![10, 12, 13, 14], vec![20, 22, 23, 24]));
    }
}
