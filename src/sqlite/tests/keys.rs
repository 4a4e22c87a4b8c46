//! Rows are read in the order of their keys, and a scan can resume after any of them.

use super::*;
use crate::model::key::KeyRange;

/// Checks that stopping and resuming anywhere yields the rows of one scan, and that every split covers each row once.
fn resumed_after_each_row(source: &Source, select: &Select) -> Vec<Vec<String>> {
    let reader = source.reader().unwrap();
    let whole = range(&reader, select, None, None).unwrap();
    for stop in 0..whole.keys.len() {
        let after = Key::read(&whole.keys[stop].written()).unwrap();
        let rest = range(&reader, select, Some(&after), None).unwrap();
        assert_eq!(rest.keys, whole.keys[stop + 1..], "after {after}");
        let first = range(&reader, select, None, Some(&after)).unwrap();
        assert_eq!(first.keys, whole.keys[..=stop], "until {after}");
        let mut kept = Kept { cells: select.exprs.len(), most: Some(stop + 1), ..Kept::default() };
        assert_eq!(reader.scan(select, KeyRange::ALL, &mut kept).unwrap(), Finished::Stopped);
        assert_eq!(kept.keys, whole.keys[..=stop]);
    }
    for parts in 1..5 {
        let cuts = reader.split(select, parts).unwrap();
        assert!(cuts.len() < parts);
        let mut seen = Vec::new();
        for n in 0..=cuts.len() {
            let after = n.checked_sub(1).map(|n| &cuts[n]);
            seen.extend(range(&reader, select, after, cuts.get(n)).unwrap().keys);
        }
        assert_eq!(seen, whole.keys, "{parts} parts");
    }
    whole.rows
}

#[test]
fn rowids_may_be_negative_and_huge_with_gaps() {
    let (_folder, path) = database(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a);
         INSERT INTO t VALUES (9223372036854775807, 'top'), (4611686018427387904, 'big'), (-5, 'minus'), (7, 'seven'),
                              (-9223372036854775808, 'bottom');",
    );
    let source = open(&path);
    let rows = resumed_after_each_row(&source, &select(&source, "t", &["a"]));
    assert_eq!(rows.concat(), ["'bottom'", "'minus'", "'seven'", "'big'", "'top'"]);
}

#[test]
fn rows_without_a_key_are_a_multiset() {
    let (_folder, path) = database("CREATE TABLE t(a); INSERT INTO t VALUES (1), (1), (1);");
    let source = open(&path);
    assert_eq!(resumed_after_each_row(&source, &select(&source, "t", &["a"])).concat(), ["1", "1", "1"]);
}

#[test]
fn a_composite_key_without_rowid_resumes_after_any_row() {
    let (_folder, path) = database(
        "CREATE TABLE t(a TEXT, b INT, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO t SELECT x.column1, y.column1, x.column1 || y.column1
         FROM (VALUES ('x'), ('y'), ('z')) x, (VALUES (-1), (2), (10)) y;",
    );
    let source = open(&path);
    let rows = resumed_after_each_row(&source, &select(&source, "t", &["v"]));
    assert_eq!(rows.concat(), ["'x-1'", "'x2'", "'x10'", "'y-1'", "'y2'", "'y10'", "'z-1'", "'z2'", "'z10'"]);
}

#[test]
fn a_key_of_mixed_directions_resumes_after_any_row() {
    let (_folder, path) = database(
        "CREATE TABLE t(a INT, b TEXT COLLATE NOCASE, c, PRIMARY KEY (a DESC, b, c DESC)) WITHOUT ROWID;
         INSERT INTO t VALUES (1, 'a', 1), (1, 'A', 2), (1, 'b', 1), (2, 'B', 1), (2, 'c', 'x'), (2, 'C', x'00'), (3, 'q', 1.5);
         CREATE TABLE d(a INT, b INT, PRIMARY KEY (a DESC, b DESC)) WITHOUT ROWID;
         INSERT INTO d VALUES (1, 1), (1, 2), (2, 1), (2, 2), (3, 1);",
    );
    let source = open(&path);
    let rows = resumed_after_each_row(&source, &select(&source, "t", &["a", "b", "c"]));
    assert_eq!(rows[0], ["3", "'q'", "1.5"]);
    assert_eq!(rows[2], ["2", "'C'", "x'00'"]);
    assert_eq!(rows.len(), 7);
    let rows = resumed_after_each_row(&source, &select(&source, "d", &["a", "b"]));
    assert_eq!(rows.concat().concat(), "3122211211");
}

#[test]
fn the_collation_of_the_key_decides_and_not_the_columns() {
    let (_folder, path) = database(
        "CREATE TABLE n(a TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID;
         INSERT INTO n VALUES ('b'), ('A'), ('c'), ('D'), ('É'), ('é');
         CREATE TABLE m(a TEXT COLLATE NOCASE, PRIMARY KEY (a COLLATE BINARY)) WITHOUT ROWID;
         INSERT INTO m VALUES ('b'), ('A'), ('B'), ('a');
         CREATE TABLE r(a TEXT COLLATE RTRIM PRIMARY KEY) WITHOUT ROWID;
         INSERT INTO r VALUES ('x  '), ('y'), ('w ');",
    );
    let source = open(&path);
    let rows = resumed_after_each_row(&source, &select(&source, "n", &["a"]));
    assert_eq!(rows.concat(), ["'A'", "'b'", "'c'", "'D'", "'É'", "'é'"]);
    let rows = resumed_after_each_row(&source, &select(&source, "m", &["a"]));
    assert_eq!(rows.concat(), ["'A'", "'B'", "'a'", "'b'"]);
    let rows = resumed_after_each_row(&source, &select(&source, "r", &["a"]));
    assert_eq!(rows.concat(), ["'w '", "'x  '", "'y'"]);
}

#[test]
fn typeless_keys_are_walked_by_storage_class() {
    let (_folder, path) = database(
        "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID;
         INSERT INTO t VALUES ('1', 1), (1, 2), (x'31', 3), (1.5, 4), ('', 5), (x'', 6), (cast(x'ff00fe' AS TEXT), 7),
                              (-9223372036854775808, 8), (9e999, 9);",
    );
    let source = open(&path);
    let rows = resumed_after_each_row(&source, &select(&source, "t", &["k"]));
    let order = ["-9223372036854775808", "1", "1.5", "inf", "''", "'1'", "t'ff00fe'", "x''", "x'31'"];
    assert_eq!(rows.concat(), order);
}

#[test]
fn a_table_that_hides_its_rowid_is_addressed_by_ordinal() {
    let (_folder, path) = database(
        "CREATE TABLE h(rowid TEXT, _ROWID_, oid);
         INSERT INTO h VALUES ('a', 1, 1), ('b', 1, 1), ('a', 1, 1);
         CREATE TABLE i(rowid TEXT, _rowid_, oid, id INTEGER PRIMARY KEY);
         INSERT INTO i VALUES ('late', 1, 1, 9), ('early', 1, 1, -9);
         CREATE TABLE j(rowid TEXT, a); INSERT INTO j VALUES ('x', 1), ('w', 2);",
    );
    let source = open(&path);
    let schema = source.schema();
    assert_eq!(schema.tables["h"].address, Address::Ordinal);
    assert_eq!(schema.tables["i"].address, Address::Rowid("id".to_owned()));
    assert_eq!(schema.tables["j"].address, Address::Rowid("_rowid_".to_owned()));
    let rows = resumed_after_each_row(&source, &select(&source, "h", &["rowid"]));
    assert_eq!(rows.concat(), ["'a'", "'b'", "'a'"]);
    assert_eq!(all(&source, &select(&source, "h", &[])).keys, [Key::rowid(1), Key::rowid(2), Key::rowid(3)]);
    let rows = resumed_after_each_row(&source, &select(&source, "i", &["rowid"]));
    assert_eq!(rows.concat(), ["'early'", "'late'"]);
    assert_eq!(rows_of_j(&source), ["'x'", "'w'"]);
}

fn rows_of_j(source: &Source) -> Vec<String> {
    resumed_after_each_row(source, &select(source, "j", &["rowid"])).concat()
}

#[test]
fn keys_are_walked_without_sorting_and_found_by_seeking() {
    let (_folder, path) = database(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, x); CREATE INDEX a_x ON a(x);
         CREATE TABLE b(k TEXT, l TEXT COLLATE NOCASE, PRIMARY KEY (k, l)) WITHOUT ROWID;
         CREATE TABLE c(k TEXT, l TEXT, PRIMARY KEY (k DESC, l)) WITHOUT ROWID;",
    );
    let source = open(&path);
    let reader = source.reader().unwrap();
    for (table, seek) in [
        ("a", "SEARCH main.a USING INTEGER PRIMARY KEY (rowid>?"),
        ("b", "SEARCH main.b USING PRIMARY KEY ((k,l)>(?,?)"),
        ("c", "SEARCH main.c USING PRIMARY KEY (k<?"),
    ] {
        let select = select(&source, table, &[]);
        let walk = reader.walk(&select);
        let key = Key(vec![RawBuf::Null; walk.width()]);
        let range = super::super::statement::StatementRange { after: Some(&key), ..Default::default() };
        let sql = super::super::statement::sql(&select, &walk, &[], range);
        let conn = Connection::open(&path).unwrap();
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).map(Result::unwrap).collect();
        assert!(steps[0].starts_with(seek), "{steps:?}");
        assert_eq!(steps.len(), 1, "{steps:?}");
    }
}

#[test]
fn a_key_of_another_table_is_refused() {
    let (_folder, path) =
        database("CREATE TABLE t(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO t VALUES (1, 2);");
    let source = open(&path);
    let reader = source.reader().unwrap();
    let select = select(&source, "t", &["a"]);
    for key in [Key::rowid(1), Key(vec![RawBuf::Null, RawBuf::Integer(1)]), text_key(&["a", "b", "c"])] {
        let error = range(&reader, &select, Some(&key), None).err().unwrap();
        assert!(error.to_string().contains("cannot be used to resume"), "{error}");
    }
}

#[test]
fn parts_are_of_about_equal_rows_whatever_the_ids() {
    let (_folder, path) = database(
        "CREATE TABLE t(id INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO t SELECT CASE WHEN i < 900 THEN i ELSE i * 9000000000000000 END FROM n;",
    );
    let source = open(&path);
    let reader = source.reader().unwrap();
    let select = select(&source, "t", &[]);
    let cuts = reader.split(&select, 4).unwrap();
    assert_eq!(cuts.iter().map(|key| key.as_rowid().unwrap()).collect::<Vec<_>>(), [250, 500, 750]);
    assert_eq!(reader.split(&select, 1).unwrap(), []);
    assert_eq!(reader.split(&select, 5000).unwrap(), []);
    let (_folder, path) = database("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let source = open(&path);
    let reader = source.reader().unwrap();
    assert_eq!((reader.about("t", &select).unwrap(), reader.split(&select, 4).unwrap()), (0, Vec::new()));
}

#[test]
fn a_large_table_is_sampled_if_its_rowids_are_even_and_scanned_otherwise() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO t";
    // A multiplicative hash over the whole range of a rowid; modulo 2^64, by way of two halves.
    let scattered = "(i * 2654435769 % 4294967296 - 2147483648) * 4294967296 + i";
    let cases = [
        ("i", 0.0, "one after the other"),
        ("i * 7 - 5000000000000000000", 0.02, "with gaps, below zero"),
        (scattered, 0.2, "scattered"),
        ("CASE WHEN i <= 30000 THEN i ELSE i * 9000000000 END", 0.0, "dense, then far apart"),
        ("CASE WHEN i <= 20000 THEN i - 9223372036854775807 ELSE 9223372036854735807 + i END", 0.0, "at both ends"),
    ];
    for (id, off, what) in cases {
        let (_folder, path) = database(&format!("CREATE TABLE t(id INTEGER PRIMARY KEY); {rows} SELECT {id} FROM n;"));
        let source = open(&path);
        let reader = source.reader().unwrap();
        let select = select(&source, "t", &[]);
        let about = reader.about("t", &select).unwrap() as f64;
        assert!((about - 40_000.0).abs() <= 40_000.0 * off, "{what}: about {about} rows");
        let cuts = reader.split(&select, 4).unwrap();
        assert_eq!(cuts.len(), 3, "{what}");
        let starts = std::iter::once(None).chain(cuts.iter().map(Some));
        let ends = cuts.iter().map(Some).chain(std::iter::once(None));
        let parts: Vec<usize> =
            starts.zip(ends).map(|(after, until)| range(&reader, &select, after, until).unwrap().keys.len()).collect();
        assert_eq!(parts.iter().sum::<usize>(), 40_000, "{what}");
        assert!(parts.iter().all(|rows| (8_000..12_000).contains(rows)), "{what}: {parts:?}");
    }
}
