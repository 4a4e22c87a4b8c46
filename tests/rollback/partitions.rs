//! Partitioned tables: foreign keys may refer to a single partition, and a partition may have keys of its own.

use super::{rollback, state, there_and_back};
use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, up INTEGER);
    INSERT INTO p VALUES (1, NULL), (2, 1), (101, 2)";

/// Each partition has a key of its own only, so that both may have the same ids.
const TARGET: &str = "CREATE TABLE p (id int, up int) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF p (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (100);
    CREATE TABLE high PARTITION OF p (PRIMARY KEY (id)) FOR VALUES FROM (100) TO (200);
    CREATE TABLE x (id int PRIMARY KEY, p_id int);";

#[test]
fn a_row_that_refers_to_a_partition_is_neither_removed_nor_changed_with_its_parent() {
    for action in ["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"] {
        let key = format!("ALTER TABLE x ADD FOREIGN KEY (p_id) REFERENCES low ON DELETE {action}");
        let case = Case::new(SOURCE, &format!("{TARGET} {key}"), "[load.p]\n");
        case.exits(0, &["--yes"]);
        case.target.run("INSERT INTO x VALUES (1, 1)");
        let before = state(&case, &["p", "x"], &[]);
        let refused = rollback(&case, 3).to_string();
        assert!(refused.contains("rows of public.x that this run did not write refer to rows of it"), "{refused}");
        assert_eq!(state(&case, &["p", "x"], &[]), before, "{action}");
        // A reference to nothing of the partition does not keep the rows.
        case.target.run("UPDATE x SET p_id = NULL");
        rollback(&case, 0);
        assert_eq!(state(&case, &["p", "x"], &[]), ["-", "(1,)"]);
    }
}

#[test]
fn a_partition_that_refers_to_itself_is_rolled_back() {
    let key = "ALTER TABLE low ADD FOREIGN KEY (up) REFERENCES low";
    let case = Case::new(SOURCE, &format!("{TARGET} {key}"), "[load.p]\n");
    there_and_back(&case, 0, &["p"], &[]);
}
