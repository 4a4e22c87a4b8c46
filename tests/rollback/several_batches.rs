//! A load in one transaction with several batches: each batch is a subtransaction of its own, and its rows are recognised
//! by the number of that subtransaction.

use super::{is_refused, rollback, state};
use crate::support::case::Case;

/// 50 rows of a query, which are loaded in one transaction. Only the server knows that it refuses the 25th.
fn case() -> Case {
    let source = "CREATE TABLE s (n INTEGER);
                  WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 50) INSERT INTO s SELECT i FROM i";
    let target = "CREATE TABLE t (n int CHECK (n <> 25), price money, made timestamptz DEFAULT clock_timestamp())";
    Case::new(
        source,
        target,
        "[leave]\ns = \"read by a query\"\n[load.t]\n\
         from = { sql = \"SELECT n, n || '.50' AS price FROM s ORDER BY n\" }\n\
         [load.t.columns]\nmade = { omit = true }\n",
    )
}

const IN_BATCHES: [&str; 6] = ["--yes", "--batch-rows", "10", "--skip-preflight", "--on-fault", "quarantine"];

#[test]
fn rows_of_several_batches_in_one_transaction_are_verified_and_removed() {
    let case = case();
    let before = state(&case, &["t"], &[]);
    case.exits(6, &IN_BATCHES);
    assert_eq!(case.target.value("SELECT count(*) || ' ' || count(DISTINCT xmin::text) FROM t"), "49 5");
    assert_eq!(
        case.target.value("SELECT sum(read) || ' ' || sum(written) || ' ' || sum(faults) FROM migrate.batch"),
        "50 49 1"
    );
    let verified = case.command(&["verify", "--json"]).exits(6).json();
    let checks = verified["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["verdict"] == "Same"), "{checks:?}");
    rollback(&case, 0);
    assert_eq!(state(&case, &["t"], &[]), before);
}

#[test]
fn a_change_in_any_of_several_batches_of_one_transaction_is_found() {
    for n in [3, 27, 50] {
        let case = case();
        case.exits(6, &IN_BATCHES);
        case.target.run(&format!("UPDATE t SET made = '2001-01-01' WHERE n = {n}"));
        let verified = case.command(&["verify", "--json"]).exits(6).json();
        assert!(verified["checks"].to_string().contains("made"), "{}", verified["checks"]);
        is_refused(&case, &["t"], &["1 of its 49 rows", "made"]);
    }
}
