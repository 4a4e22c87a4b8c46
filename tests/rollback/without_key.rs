//! Tables without a key: an equal row of another session is recognised by the transaction that wrote it.

use super::{is_refused, there_and_back};
use crate::support::case::Case;

#[test]
fn an_equal_row_of_another_session_is_never_removed_from_a_table_without_a_key() {
    let source = "CREATE TABLE t (w TEXT); INSERT INTO t VALUES ('A'), ('B')";
    // The application inserts a row that equals one of the run, and removes another one of the run.
    let case = Case::new(source, "CREATE TABLE t (w text)", "[load.t]\n");
    there_and_back(&case, 0, &["t"], &[]);
    case.target.run("INSERT INTO t VALUES ('A'); DELETE FROM t WHERE w = 'B'");
    is_refused(&case, &["t"], &["load.t", "1 of its 2 rows", "no key that the run sent identifies a row"]);
    // The table held such a row before the run.
    let target = "CREATE TABLE t (w text); INSERT INTO t VALUES ('A')";
    let case = Case::new(source, target, "[load.t]\nexisting = \"append\"\n");
    there_and_back(&case, 0, &["t"], &[]);
    case.target.run("DELETE FROM t WHERE w = 'B'");
    is_refused(&case, &["t"], &["load.t", "1 of its 2 rows"]);
}

#[test]
fn rows_without_a_key_are_not_removed_from_a_restored_database() {
    let source = "CREATE TABLE t (w TEXT); INSERT INTO t VALUES ('A'), ('B')";
    let case = Case::new(source, "CREATE TABLE t (w text)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    // As `pg_restore --single-transaction` does: every row has the number of the restoring transaction.
    case.target.run("BEGIN; UPDATE t SET w = w; UPDATE migrate.batch SET batch = batch; UPDATE migrate.ledger SET version = version; COMMIT");
    is_refused(
        &case,
        &["t"],
        &["none was written by a transaction of the run", "no key that the run sent identifies a row"],
    );
}
