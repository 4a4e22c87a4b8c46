//! `if_orphan = { drop = true }`: a row that refers to a missing row is left out, and with it the rows that refer to it.

use crate::support::case::{Case, faults};

/// People, orders of people, lines of orders. Order 12 refers to no person; line 102 to order 12, line 104 to no order.
const SOURCE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'ann'), (2, 'bob');
    CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER); INSERT INTO orders VALUES (11, 1), (12, 9), (13, NULL);
    CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER); INSERT INTO lines VALUES (101, 11), (102, 12), (103, 13)";

const TARGET: &str = "CREATE TABLE people (id int PRIMARY KEY, name varchar(5) NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people);
    CREATE TABLE lines (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders)";

const MAPPING: &str = "[load.people]\n[load.orders.columns]\nperson = { if_orphan = { drop = true } }\n[load.lines]\n";

fn reasons(report: &serde_json::Value) -> Vec<String> {
    faults(report).into_iter().map(|(load, row, _, reason)| format!("{load} {row} {reason}")).collect()
}

fn ids(case: &Case) -> Vec<Vec<i64>> {
    ["people", "orders", "lines"].map(|table| case.ids(table)).to_vec()
}

#[test]
fn an_orphan_is_left_out_with_the_rows_that_refer_to_it() {
    for detach in ["never", "always"] {
        let case = Case::new(SOURCE, TARGET, MAPPING);
        for args in [&["--dry-run"][..], &["--yes", "--detach", detach]] {
            let report = case.exits(6, args);
            let loss = serde_json::json!([{"load": "orders", "column": "person", "modifier": "drop", "count": 1, "keys": ["12"]}]);
            assert_eq!(report["losses"], loss);
            assert_eq!(reasons(&report), ["orders 12 orphan-dropped"]);
            assert_eq!((&report["faults"][0]["children"], &report["fault_total"]), (&1.into(), &2.into()));
        }
        assert_eq!(ids(&case), [vec![1, 2], vec![11, 13], vec![101, 103]]);
        assert_eq!(case.reasons(), [(12, "orphan-dropped".to_owned()), (102, "parent-refused".to_owned())]);
        case.command(&["verify"]).exits(6).says(&["Losses that the mapping allows", "drop"]);
        // The same command verifies the finished run.
        case.exits(6, &["--yes"]);
        case.command(&["rollback", "--yes"]).exits(0);
        assert_eq!(ids(&case), [vec![], vec![], Vec::<i64>::new()]);
    }
}

#[test]
fn a_page_of_the_report_lists_the_rows_that_were_left_out() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.command(&["--yes", "--report", "out.html", "--report", "out.md"]).exits(6);
    for page in ["out.html", "out.md"] {
        let text = case.place.read(page);
        assert!(text.contains("drop") && text.contains("orphan-dropped"), "{page}: {text}");
    }
    case.command(&["plan"]).exits(0).says(&["if_orphan drop"]);
}

#[test]
fn every_other_fault_still_stops_the_run_before_it_writes() {
    let source = SOURCE.replace("'bob'", "'a name that is too long'").replace("(11, 1)", "(11, 2)");
    let case = Case::new(&source, TARGET, MAPPING);
    case.refused(&["too-long"]);
    // The preflight cannot be skipped: the children of a faulty row are no orphans of the source.
    case.exits(3, &["--yes", "--skip-preflight"]);
    let case = Case::new(&SOURCE.replace("(103, 13)", "(103, 13), (104, 99)"), TARGET, MAPPING);
    case.refused(&["orphan"]);
    assert_eq!(reasons(&case.exits(3, &["--dry-run"])), ["orders 12 orphan-dropped", "lines 104 orphan"]);
}

#[test]
fn children_of_a_quarantined_row_need_a_permission_of_their_own() {
    let source = SOURCE.replace("'bob'", "'a name that is too long'").replace("(13, NULL)", "(13, 2)");
    let mapping = MAPPING.replace("[load.people]\n", "[load.people]\non_fault = \"quarantine\"\n");
    let case = Case::new(&source, TARGET, &mapping);
    // Lines do not say that they may be left out.
    case.refused(&["too-long", "orphan-dropped"]);
    let permitted = format!("{mapping}[load.lines.columns]\norder_id = {{ if_orphan = {{ drop = true }} }}\n");
    let case = Case::new(&source, TARGET, &permitted.replace("[load.lines]\n", ""));
    let report = case.exits(6, &["--yes"]);
    assert_eq!(ids(&case), [vec![1], vec![11], vec![101]]);
    let counts: Vec<(&str, u64)> = report["losses"]
        .as_array()
        .expect("losses")
        .iter()
        .map(|loss| (loss["column"].as_str().expect("a column"), loss["count"].as_u64().expect("a count")))
        .collect();
    assert_eq!(counts, [("person", 2), ("order_id", 2)]);
}

#[test]
fn orphans_of_circles_and_of_their_own_table_are_left_out_to_the_fixed_point() {
    // 4 is under 9, which is missing; 5 under 4; 6 under 5; 2 is read before its parent 8.
    let target = "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t)";
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER);
        INSERT INTO t VALUES (1, NULL), (2, 8), (3, 3), (4, 9), (5, 4), (6, 5), (8, 1)";
    for (detach, preflight) in [("never", "--batch-rows=2"), ("always", "--skip-preflight")] {
        let case = Case::new(source, target, "[load.t.columns]\nup = { if_orphan = { drop = true } }\n");
        let report = case.exits(6, &["--yes", "--detach", detach, preflight]);
        assert_eq!((case.ids("t"), &report["losses"][0]["count"]), (vec![1, 2, 3, 8], &3.into()));
        case.command(&["rollback", "--yes"]).exits(0);
        assert_eq!(case.target.count("t"), 0);
    }
    let source =
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER);
        INSERT INTO a VALUES (1, 10), (2, 99), (3, 30); INSERT INTO b VALUES (10, 1), (20, 2), (30, 3)";
    let target = "CREATE TABLE a (id int PRIMARY KEY, b_id int); CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b";
    let case = Case::new(source, target, "[load.a.columns]\nb_id = { if_orphan = { drop = true } }\n[load.b]\n");
    case.exits(6, &["--dry-run"]);
    case.exits(6, &["--yes"]);
    assert_eq!((case.ids("a"), case.ids("b")), (vec![1, 3], vec![10, 30]));
    case.command(&["verify"]).exits(6);
    case.command(&["rollback", "--yes"]).exits(0);
}

#[test]
fn references_that_follow_matched_rows_are_left_out_too() {
    let source =
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO kinds VALUES (5, 'big'), (6, 'new');
        CREATE TABLE things (id INTEGER PRIMARY KEY, kind INTEGER); INSERT INTO things VALUES (1, 5), (2, 7), (3, 6)";
    let target = "CREATE TABLE kinds (id serial PRIMARY KEY, name text NOT NULL UNIQUE); INSERT INTO kinds (name) VALUES ('big');
        CREATE TABLE things (id int PRIMARY KEY, kind int NOT NULL REFERENCES kinds)";
    let mapping = "[load.kinds]\nexisting = \"match\"\n[load.things.columns]\nkind = { if_orphan = { drop = true } }\n";
    let case = Case::new(source, target, mapping);
    case.exits(6, &["--dry-run"]);
    let report = case.exits(6, &["--yes"]);
    assert_eq!(reasons(&report), ["things 2 orphan-dropped"]);
    assert_eq!(case.rows("SELECT t.id, name FROM things t JOIN kinds k ON k.id = kind ORDER BY 1"), ["1 big", "3 new"]);
}

#[test]
fn a_stopped_run_keeps_the_rows_that_it_left_out() {
    let source = format!(
        "{SOURCE}; WITH RECURSIVE n (n) AS (SELECT 200 UNION ALL SELECT n + 1 FROM n WHERE n < 260)
         INSERT INTO orders SELECT n, CASE n % 3 WHEN 0 THEN 77 ELSE 1 END FROM n;
         INSERT INTO lines SELECT 1000 + id, id FROM orders; INSERT INTO lines VALUES (5000, 11)"
    );
    let refusing = format!(
        "{TARGET}; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF new.id = 5000 THEN RAISE EXCEPTION 'not now'; END IF; RETURN new; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON lines FOR EACH ROW EXECUTE FUNCTION refuse();"
    );
    let case = Case::new(&source, &refusing, &MAPPING.replace("[load.lines]", "[load.lines]\ntriggers = \"fire\""));
    let args = ["--yes", "--jobs=1", "--batch-rows=7"];
    case.exits(4, &args);
    assert!(case.target.count("lines") > 0);
    case.target.run("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'");
    let report = case.exits(6, &args);
    // Order 12 and 20 of the numbers from 200 to 260 that 3 divides.
    assert_eq!(report["losses"][0]["count"], 21);
    let orders = "SELECT count(*) || ' ' || count(*) FILTER (WHERE id % 3 = 0 AND id >= 200) FROM orders";
    assert_eq!(case.target.value(orders), "43 0");
    assert_eq!(case.target.count("lines"), 46);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(ids(&case), [vec![], vec![], Vec::<i64>::new()]);
}
