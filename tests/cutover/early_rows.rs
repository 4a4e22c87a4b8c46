//! Batches whose rows are sent before the batch is full: their round trips, their commits, and rows that are refused in them.

use crate::support::case::Case;
use crate::support::postgres::Server;
use crate::support::relay::{COUNTING, Relay};

/// A case with so many rows of 300 kB, each more than is sent at once. `check`: a condition of the target's column `id`.
fn large(rows: u32, check: &str) -> Case {
    Case::new(&source(rows), &target(check), "[load.t]\n")
}

fn source(rows: u32) -> String {
    format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT, said TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO t SELECT i, i, printf('%.300000c', 'x') FROM n;"
    )
}

fn target(check: &str) -> String {
    format!("CREATE TABLE t (id int PRIMARY KEY {check}, n int, said text)")
}

const CUTOVER: &[&str] = &["--yes", "--jobs", "1", "--batch-rows", "2"];

/// The ids that arrived, and the rows of each batch in the ledger.
fn arrived(case: &Case) -> [String; 2] {
    let ids = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t WHERE n = id AND length(said) = 300000";
    [ids, "SELECT string_agg(written::text, ' ' ORDER BY batch) FROM migrate.batch"].map(|sql| case.target.value(sql))
}

/// A statement may be closed now or later.
const SLACK: u64 = 2;

#[test]
fn a_large_batch_begins_with_the_commit_of_the_one_before() {
    let trips = |rows| {
        let (case, relay) = (large(rows, ""), Relay::with(COUNTING));
        case.place.migrate(CUTOVER).args(["-t", &relay.url(case.target.name())]).exits(0);
        assert_eq!(case.target.count("t"), u64::from(rows));
        relay.trips()
    };
    let (few, many) = (trips(5), trips(25));
    assert!((many - few).abs_diff(10) <= SLACK, "{} for ten batches more", many - few);
}

#[test]
fn only_the_last_commit_of_a_part_with_large_batches_waits_for_the_disk() {
    let (server, case) = (Server::logging(), large(7, ""));
    server.connect("postgres").batch_execute(&target("")).expect("the table");
    case.place.migrate(CUTOVER).args(["-t", &server.url_of("postgres", "postgres")]).exits(0);
    let log = std::fs::read(format!("{}/log", server.socket)).expect("the server's log");
    let log = String::from_utf8_lossy(&log);
    let statements = log.split("@@@").filter(|entry| entry.contains("@migrate"));
    let of_batches: Vec<&str> = statements
        .filter_map(|entry| {
            ["COPY \"public\".\"t\" (", "SET LOCAL synchronous_commit = off", "COMMIT"]
                .into_iter()
                .find(|statement| entry.contains(statement) && entry.contains("LOG:  "))
        })
        .skip_while(|statement| !statement.starts_with("COPY"))
        .collect();
    let [copy, lazily, commit] = ["COPY \"public\".\"t\" (", "SET LOCAL synchronous_commit = off", "COMMIT"];
    let mut expected = [copy, lazily, commit].repeat(3);
    expected.extend([copy, commit]);
    assert_eq!(of_batches.get(..expected.len()), Some(&expected[..]));
    assert!(!log.contains("'synchronous_commit', 'off'"), "{log}");
}

#[test]
fn a_row_that_the_server_refuses_in_a_large_batch_is_found() {
    let case = large(9, "CHECK (id NOT IN (5, 8))");
    let ran = case.command(CUTOVER).args(["--skip-preflight", "--on-fault", "quarantine"]).ran();
    assert_eq!(ran.code, 6, "{}", ran.said());
    assert_eq!(arrived(&case), ["1 2 3 4 6 7 9", "2 2 1 1 1"]);
    let refused: Vec<i64> = case.reasons().into_iter().map(|(id, _)| id).collect();
    assert_eq!(refused, [5, 8]);
}

#[test]
fn a_fault_in_a_large_batch_rolls_back_what_was_sent_of_it() {
    let case = large(9, "");
    let source = case.place.path("source.db");
    let change =
        |sql: &str| rusqlite::Connection::open(&source).expect("the source").execute(sql, []).expect("a change");
    change("UPDATE t SET n = 'six' WHERE id = 6");
    assert_eq!(case.command(CUTOVER).args(["--skip-preflight"]).ran().code, 4);
    assert_eq!(arrived(&case), ["1 2 3 4", "2 2"]);
    change("UPDATE t SET n = '6' WHERE id = 6");
    case.command(CUTOVER).args(["--skip-preflight"]).exits(0);
    assert_eq!(arrived(&case), ["1 2 3 4 5 6 7 8 9", "2 2 2 2 1"]);
}

#[test]
fn a_refusal_that_arrives_while_rows_are_sent_loses_no_connection() {
    let case = large(80, "CHECK (id NOT IN (1, 41))");
    let args = ["--yes", "--jobs", "1", "--batch-rows", "40", "--skip-preflight", "--on-fault", "quarantine", "--json"];
    let ran = case.command(&args).exits(6);
    assert_eq!(ran.json()["retries"], serde_json::json!([]), "{}", ran.said());
    assert_eq!(case.target.value("SELECT count(*) FROM t"), "78");
}
