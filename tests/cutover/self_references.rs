//! Rows that refer to rows of their own table, before or after them, with the foreign key on: they arrive, whatever the
//! size of a batch, and a refused row is located exactly.

use crate::support::case::{Case, faults};

/// Some are under a row that comes later, three are a circle, one is its own parent.
const ROWS: &str = "(1, NULL, 'root'), (2, 9, 'later'), (3, 3, 'itself'), (4, 5, 'circle'), (5, 6, 'circle'), (6, 4, 'circle'),
    (7, 1, 'before'), (8, 10, 'a chain'), (9, 12, 'a chain'), (10, 11, 'a chain'), (11, 9, 'a chain'), (12, NULL, 'root')";

fn case(rows: &str, target: &str, mapping: &str) -> Case {
    let source = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER, name TEXT); INSERT INTO t VALUES {rows}");
    Case::new(&source, target, mapping)
}

const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, up int CONSTRAINT t_up REFERENCES t, name text NOT NULL)";

fn is_there(case: &Case) {
    let rows = case.target.rows("SELECT id, up FROM t WHERE id < 100 ORDER BY id");
    let found: Vec<String> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|v| v.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(found, ["1 -", "2 9", "3 3", "4 5", "5 6", "6 4", "7 1", "8 10", "9 12", "10 11", "11 9", "12 -"]);
    assert_eq!(case.target.value("SELECT count(*) FROM pg_constraint WHERE conname = 't_up' AND convalidated"), "1");
}

#[test]
fn a_row_before_its_parent_is_loaded_for_any_batch_size() {
    let held = format!("{TARGET}; INSERT INTO t VALUES (100, NULL, 'was here')");
    let by_sql = "from = { sql = \"SELECT id, up, name FROM t ORDER BY id\" }\n";
    for (target, mapping) in [
        (TARGET, "[load.t]\n".to_owned()),
        (&held, "[load.t]\nexisting = \"append\"\n".to_owned()),
        (&held, format!("[load.t]\nexisting = \"append\"\n{by_sql}")),
    ] {
        for how in
            [&["--detach", "auto"][..], &["--detach", "never", "--on-fault", "quarantine"], &["--skip-preflight"]]
        {
            for size in ["1", "2", "5", "1000"] {
                let case = case(ROWS, target, &mapping);
                let args = [&["--yes", "--batch-rows", size], how].concat();
                assert_eq!(case.exits(0, &args)["fault_total"], 0, "{args:?}");
                is_there(&case);
            }
        }
    }
}

#[test]
fn a_refused_row_excludes_its_children_and_no_others() {
    // Row 12 fails, with it 9 that came before it, 2 before that, and 11, 10 and 8; of the circle, one row fails.
    let check = "; ALTER TABLE t ADD CONSTRAINT named CHECK (name <> 'bad')";
    let rows = ROWS.replace("(12, NULL, 'root')", "(12, NULL, 'bad')").replace("(5, 6, 'circle')", "(5, 6, 'bad')");
    for (held, existing) in [("", ""), ("; INSERT INTO t VALUES (100, NULL, 'was here')", "existing = \"append\"\n")] {
        for size in ["2", "1000"] {
            let case = case(&rows, &format!("{TARGET}{held}{check}"), &format!("[load.t]\n{existing}"));
            let args = ["--yes", "--on-fault", "quarantine", "--batch-rows", size, "--detach", "never"];
            let report = case.exits(6, &args);
            assert_eq!(report["fault_total"], 9, "{report}");
            let reasons = case.reasons();
            let refused = |id| (id, "parent-refused".to_owned());
            assert_eq!(reasons.iter().find(|r| r.0 == 12), Some(&(12, "check-failed".to_owned())));
            for id in [2, 8, 9, 10, 11] {
                assert!(reasons.contains(&refused(id)), "{reasons:?}");
            }
            let lines = case.lines();
            let parent = &lines.iter().find(|l| l["rowid"] == 9).unwrap()["faults"][0]["parent"];
            assert_eq!(*parent, serde_json::json!({"load": "t", "key": [12]}));
            assert_eq!(case.target.rows("SELECT id FROM t WHERE id < 100 ORDER BY id").len(), 3);
        }
    }
}

#[test]
fn a_too_late_parent_is_reported_as_such_and_loads_with_larger_batches() {
    let rows: Vec<String> = (1..=200).map(|n| format!("({n}, {}, 'a')", if n == 1 { "200" } else { "NULL" })).collect();
    let held = format!("{TARGET}; INSERT INTO t VALUES (1000, NULL, 'was here')");
    let mapping = "[load.t]\nexisting = \"append\"\n";
    let case = case(&rows.join(", "), &held, mapping);
    let few = ["--yes", "--batch-bytes", "500", "--skip-preflight"];
    let report = case.exits(4, &few);
    let one = ("t".to_owned(), 1, None, "parent-later".to_owned());
    assert_eq!(faults(&report), [one]);
    assert!(report["faults"][0]["message"].as_str().unwrap().contains("--batch-bytes larger"), "{report}");
    case.exits(0, &["--yes", "--batch-bytes", "50000"]);
    assert_eq!(case.target.count("t"), 201);
    assert_eq!(case.target.value("SELECT up FROM t WHERE id = 1"), "200");
}

#[test]
fn rows_wait_for_text_keys_too() {
    let source = "CREATE TABLE t (id TEXT PRIMARY KEY, up TEXT) WITHOUT ROWID;
        INSERT INTO t VALUES ('a', 'z'), ('b', 'a'), ('y', 'b'), ('z', NULL)";
    let target =
        "CREATE TABLE t (id text PRIMARY KEY, up varchar(9) REFERENCES t); INSERT INTO t VALUES ('held', NULL)";
    let case = Case::new(source, target, "[load.t]\nexisting = \"append\"\n");
    case.exits(0, &["--yes", "--batch-rows", "1"]);
    assert_eq!(case.target.count("t"), 5);
}

#[test]
fn a_chain_without_an_end_costs_a_few_reads_for_any_length_and_order() {
    // A reading for each row would be ten minutes.
    let began = std::time::Instant::now();
    let rows = 20_000;
    for (id, up) in [("n", "n - 1"), ("n", "n + 1"), ("n * 7919 % 20011", "(n + 1) * 7919 % 20011")] {
        let source = format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER, name TEXT);
             WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) INSERT INTO t SELECT {id}, {up}, '' FROM c"
        );
        let report = Case::new(&source, TARGET, "[load.t]\n").exits(3, &["--dry-run"]);
        assert_eq!(report["fault_total"], rows, "{id}");
        let reasons: Vec<String> = faults(&report).into_iter().map(|fault| fault.3).collect();
        assert!(reasons.iter().filter(|reason| *reason == "orphan").count() <= 1, "{id}");
    }
    assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
}
