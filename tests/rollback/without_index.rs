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

/// The foreign key of `c`: its definition, whether it is valid, and its comment.
const KEY: &str =
    "SELECT concat_ws('|', pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint'))
                     FROM pg_constraint WHERE conrelid = 'c'::regclass AND contype = 'f'";
const IDENTITY: &str = "SELECT oid FROM pg_constraint WHERE conrelid = 'c'::regclass AND contype = 'f'";

#[test]
fn a_foreign_key_to_many_removed_rows_is_reattached_as_it_is_now() {
    for (rows, is_detached) in [(12_000, true), (50, false)] {
        let source = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO p SELECT i FROM n;
             INSERT INTO c SELECT id, id FROM p"
        );
        let target = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p)";
        let case = Case::new(&source, target, "[load.p]\n[load.c]\n");
        case.exits(0, &["--yes"]);
        case.target.run(
            "ALTER TABLE c DROP CONSTRAINT c_p_id_fkey;
             ALTER TABLE c ADD CONSTRAINT c_p_id_fkey FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE DEFERRABLE;
             COMMENT ON CONSTRAINT c_p_id_fkey ON c IS 'it''s later'; INSERT INTO c VALUES (0, 1)",
        );
        let (before, identity) = (case.target.value(KEY), case.target.value(IDENTITY));
        let refused = rollback(&case, 3);
        assert!(refused.to_string().contains("rows of public.c that this run did not write refer to rows of it"));
        assert_eq!((case.target.count("c"), case.target.value(IDENTITY)), (rows + 1, identity.clone()));
        case.target.run("DELETE FROM c WHERE id = 0");
        rollback(&case, 0);
        assert_eq!((case.target.count("p"), case.target.count("c")), (0, 0));
        assert_eq!(case.target.value(KEY), before);
        assert_eq!(case.target.value(IDENTITY) != identity, is_detached, "{rows} rows");
    }
}
