//! Foreign keys without an index on their columns: the rollback creates one for its duration.

use super::rollback;
use crate::support::case::Case;

/// Scans of whole tables since the database was made, once the statistics of all sessions have arrived.
fn whole_scans(case: &Case, table: &str) -> u64 {
    let seen = format!(
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname = '{table}'"
    );
    let mut scans = case.target.value(&seen);
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        scans = case.target.value(&seen);
    }
    scans.parse().expect("a count")
}

#[test]
fn rolling_back_parents_without_an_index_on_their_children_takes_linear_time() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
    let source = format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, w TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER);
         CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER);
         {rows} INSERT INTO p SELECT i, 'w' FROM n; INSERT INTO c SELECT id, id FROM p;
         INSERT INTO tree SELECT id, nullif(id / 2, 0) FROM p"
    );
    let later = "DEFERRABLE INITIALLY DEFERRED";
    for (more, deferred) in [("", ""), ("CREATE PUBLICATION news FOR ALL TABLES;", later)] {
        let target = format!(
            "CREATE TABLE p (id int PRIMARY KEY, w text);
             CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p {deferred});
             CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree {deferred});
             CREATE TABLE below (c_id int REFERENCES c); {more}"
        );
        let case = Case::new(&source, &target, "[load.p]\n[load.c]\n[load.tree]\n");
        let indexes = "SELECT string_agg(indexdef, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'";
        let before = case.target.value(indexes);
        case.exits(0, &["--yes"]);
        rollback(&case, 0);
        assert_eq!((case.target.count("p"), case.target.count("c"), case.target.count("tree")), (0, 0, 0));
        assert_eq!(case.target.value(indexes), before);
        for table in ["c", "tree"] {
            // One scan for each of 3,000 rows is what takes quadratic time.
            let scans = whole_scans(&case, table);
            assert!(scans < 100, "{scans} scans of {table} {deferred}");
        }
    }
}
