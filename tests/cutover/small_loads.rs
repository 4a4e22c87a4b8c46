//! Small loads that share a transaction: their rows, their ledger rows, and what is refused in one of them.

use crate::support::case::Case;

/// Five small tables of three rows, the third of them with this constraint in the target.
fn small(constraint: &str) -> Case {
    let (mut source, mut target, mut mapping) = (String::new(), String::new(), String::new());
    for n in 1..=5 {
        let constraint = if n == 3 { constraint } else { "" };
        source += &format!(
            "CREATE TABLE t{n} (id INTEGER PRIMARY KEY, said TEXT); INSERT INTO t{n} VALUES (1, 'a'), (2, 'b'), (3, 'b');"
        );
        target += &format!("CREATE TABLE t{n} (id int PRIMARY KEY, said text {constraint});");
        mapping += &format!("[load.t{n}]\n");
    }
    Case::new(&source, &target, &mapping)
}

const CUTOVER: &[&str] = &["--yes", "--jobs", "1", "--skip-preflight"];

/// The number of rows of each table, and the number of transactions that wrote rows.
fn arrived(case: &Case) -> [String; 2] {
    let all = |what: &str| {
        (1..=5).map(|n| format!("SELECT {n} AS n, {what} FROM t{n}")).collect::<Vec<_>>().join(" UNION ALL ")
    };
    let counts = format!("SELECT string_agg(c::text, ' ' ORDER BY n) FROM ({}) AS t", all("count(*) AS c"));
    let transactions = format!("SELECT count(DISTINCT x) FROM ({}) AS t", all("xmin::text AS x"));
    [counts, transactions].map(|sql| case.target.value(&sql))
}

#[test]
fn small_loads_share_a_transaction_with_their_ledger_rows() {
    let case = small("");
    case.exits(0, CUTOVER);
    assert_eq!(arrived(&case), ["3 3 3 3 3", "1"]);
    let ledger = "SELECT count(*), count(DISTINCT b.xmin::text), bool_and(b.xmin = t.xmin), sum(b.read), sum(b.written), \
                  bool_and(p.done) FROM migrate.batch AS b JOIN migrate.part AS p USING (run, load, part), t1 AS t WHERE t.id = 1";
    assert_eq!(case.rows(ledger), ["5 1 t 15 15 t"]);
    case.command(&["verify"]).exits(0);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(arrived(&case)[0], "0 0 0 0 0");
}

#[test]
fn small_loads_of_two_lanes_arrive_once() {
    let case = small("");
    case.exits(0, &["--yes", "--jobs", "2"]);
    assert_eq!(arrived(&case)[0], "3 3 3 3 3");
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.batch"), "5");
    case.command(&["verify"]).exits(0);
}

#[test]
fn a_row_that_the_server_refuses_in_a_small_load_is_found() {
    let case = small("CHECK (said <> 'a')");
    let report = case.exits(6, &[CUTOVER, &["--on-fault", "quarantine"]].concat());
    assert_eq!(arrived(&case)[0], "3 3 2 3 3");
    assert_eq!(case.reasons().len(), 1);
    assert_eq!((case.reasons()[0].0, report["faults"][0]["load"].as_str()), (1, Some("t3")));
    assert_eq!(report["retries"], serde_json::json!([]));
}

#[test]
fn a_duplicate_key_in_a_small_load_is_refused_with_its_row() {
    let case = small("UNIQUE");
    let report = case.exits(4, CUTOVER);
    let fault = &report["faults"][0];
    assert_eq!((fault["load"].as_str(), fault["rowid"].as_i64()), (Some("t3"), Some(3)));
    assert_eq!(case.target.count("t3"), 0);
}

#[test]
fn a_small_load_with_a_fault_is_loaded_by_itself() {
    let case = small("");
    let change = |sql: &str| {
        let source = rusqlite::Connection::open(case.place.path("source.db")).expect("the source");
        source.execute(sql, []).expect("a change");
    };
    change("UPDATE t3 SET said = CAST(x'61ff' AS TEXT) WHERE id = 2");
    case.exits(4, CUTOVER);
    assert_eq!(case.target.count("t3"), 0);
    change("UPDATE t3 SET said = 'b' WHERE id = 2");
    case.exits(0, CUTOVER);
    assert_eq!(arrived(&case)[0], "3 3 3 3 3");
    case.command(&["verify"]).exits(0);
}

#[test]
fn a_row_that_a_trigger_swallows_in_a_small_load_is_found() {
    let case = small("");
    let mapping = case.place.read("migrate.toml").replace("[load.t3]", "[load.t3]\ntriggers = \"fire\"");
    case.place.write("migrate.toml", mapping);
    case.target.run(
        "CREATE FUNCTION most() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.id <> 2 THEN NEW END; END';
         CREATE TRIGGER most BEFORE INSERT ON t3 FOR EACH ROW EXECUTE FUNCTION most()",
    );
    case.exits(6, &[CUTOVER, &["--on-fault", "quarantine"]].concat());
    assert_eq!(arrived(&case)[0], "3 3 2 3 3");
    assert_eq!(case.reasons(), [(2, "trigger-swallowed".to_owned())]);
}
