//! Rows of a query whose expressions fail: the others keep their values, and each costs the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// A database and a query whose columns have every affinity and two collations, with values that these change in
/// comparisons; every second row fails.
fn failing_rows(rows: u32) -> (tempfile::TempDir, PathBuf, Select) {
    let (folder, path) = database(&format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b BLOB, n NUMERIC, r REAL, x);
         WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {rows})
         INSERT INTO t SELECT i, CASE WHEN i % 3 THEN 'Ab' ELSE 'aB' END, CAST('5' AS BLOB), i, i / 2.0, CAST(i AS TEXT) FROM i;"
    ));
    let query = "SELECT id, a, b, n, r, x, CAST(x AS INTEGER) AS c, upper(a) || '' AS e, t.a COLLATE RTRIM AS rt, \
                 CASE WHEN id % 4 = 1 THEN 7 ELSE x END AS mixed FROM t ORDER BY id DESC";
    let exprs = [
        sql("CASE WHEN id % 2 THEN abs(-9223372036854775807 - 1) ELSE id END"),
        sql("a = 'ab'"),
        sql("b = '5'"),
        sql("(n = '2') || (n < '10') || typeof(n)"),
        sql("(r = '1.0') || (r IN ('1', '2')) || typeof(r)"),
        sql("(x = 4) || (x < 30) || typeof(x)"),
        sql("(c = '4') || (c = x)"),
        sql("(e = 'ab') || (e = a) || (a = e)"),
        sql("rt = 'ab '"),
        sql("(mixed = 7) || (mixed = '8') || typeof(mixed) || (mixed = c)"),
        sql("(SELECT count(*) FROM t AS o WHERE o.x = relation.n)"),
        sql("max(relation.a, 'AB', 'b') || :owner_name"),
        column("b"),
        column("r"),
    ];
    let mut select = derived(Relation::Sql(query.to_owned()), &exprs);
    select.params.insert("owner_name".to_owned(), RawBuf::text("o"));
    (folder, path, select)
}

#[test]
fn rows_after_failed_rows_have_the_values_that_the_query_gives_them() {
    let (_folder, path, select) = failing_rows(60);
    let source = open(&path);
    source.reader().unwrap().check(&select).unwrap();
    let kept = all(&source, &select);
    // The same rows without one that fails, which SQLite computes in one statement.
    let mut whole = select.clone();
    whole.exprs[0] = column("id");
    let expected: Vec<Vec<String>> =
        all(&source, &whole).rows.into_iter().filter(|row| row[0].parse::<i64>().unwrap() % 2 == 0).collect();
    assert_eq!(kept.rows.len(), 30);
    assert_eq!(kept.rows, expected);
    assert_eq!(kept.keys, (1..=30).map(|n| Key::rowid(2 * n - 1)).collect::<Vec<_>>());
    assert_eq!(kept.failed, (1..=30).map(|n| (Key::rowid(2 * n), Some(0))).collect::<Vec<_>>());
    // Within bounds.
    let reader = source.reader().unwrap();
    let kept = range(&reader, &select, Some(&Key::rowid(10)), Some(&Key::rowid(31))).unwrap();
    assert_eq!((kept.rows.as_slice(), kept.failed.len()), (&expected[5..16], 10));
}

#[test]
fn a_query_that_fails_after_several_rows_is_an_error() {
    let (_folder, path, mut select) = failing_rows(60);
    let source = open(&path);
    select.relation = Relation::Sql("SELECT id, json(iif(id = 40, 'bad', '[]')) AS j FROM t".to_owned());
    select.exprs = vec![select.exprs[0].clone(), column("j")];
    let mut kept = Kept { cells: 2, ..Kept::default() };
    let error = source.reader().unwrap().scan(&select, KeyRange::ALL, &mut kept).unwrap_err();
    assert!(error.to_string().starts_with("source query: cannot be read; SQLite says"), "{error}");
    assert_eq!(kept.rows.len(), 19);
}

#[test]
fn failed_rows_of_a_query_cost_the_same_each() {
    let steps = |rows: u32| {
        let (_folder, path, select) = failing_rows(rows);
        let checks = Arc::new(AtomicU64::new(0));
        let source = open(&path);
        let mut reader = source.reader().unwrap();
        let seen = Arc::clone(&checks);
        let count = move || {
            seen.fetch_add(1, Ordering::Relaxed);
            false
        };
        reader.lane.as_mut().unwrap().conn.progress_handler(100, Some(count)).unwrap();
        let select = Select { exprs: vec![select.exprs[0].clone()], ..select };
        assert_eq!(range(&reader, &select, None, None).unwrap().failed.len(), rows as usize / 2);
        checks.load(Ordering::Relaxed)
    };
    let (some, many) = (steps(500), steps(4_000));
    assert!(many < 10 * some, "{some} and {many} hundreds of steps for 500 and 4,000 rows");
}
