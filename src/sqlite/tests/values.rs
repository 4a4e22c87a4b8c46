//! Cells are read by storage class and bytes, regardless of declared types and of the file's encoding.

use super::*;
use crate::model::key::KeyRange;

#[test]
fn every_storage_class_is_read_unchanged() {
    let (_folder, path) = database(
        "CREATE TABLE t(a);
         INSERT INTO t VALUES (NULL), (0), (-1), (9223372036854775807), (-9223372036854775808), (0.1 + 0.2), (9e999), (-9e999),
                              (-0.0), (5e-324), (''), (x''), ('1'), (1), (1.0), (x'00ff'), (cast(x'610062' AS TEXT)),
                              (cast(x'ff41c3' AS TEXT)), (cast(x'eda080' AS TEXT));",
    );
    let expected = [
        "NULL",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "0.30000000000000004",
        "inf",
        "-inf",
        "-0.0",
        "5e-324",
        "''",
        "x''",
        "'1'",
        "1",
        "1.0",
        "x'00ff'",
        "'a\0b'",
        "t'ff41c3'",
        "t'eda080'",
    ];
    assert_eq!(rows(&open(&path), "t", &["a"]).concat(), expected);
}

#[test]
fn no_affinity_is_applied_beyond_that_of_sqlite() {
    let (_folder, path) = database(
        "CREATE TABLE t(i INTEGER, t TEXT, b, s STRING, u UUID, r REAL);
         INSERT INTO t VALUES ('abc', 1.5, '1.0', '00420', '00000000000000000000000000001234', 1);
         INSERT INTO t VALUES ('', 42, 42, '+4917', 'a1b2', '1e3');
         INSERT INTO t VALUES ('1e3', x'c3a9', x'', '1e5', '1e2000', -0.0);",
    );
    let expected = [
        ["'abc'", "'1.5'", "'1.0'", "420", "1234", "1.0"],
        ["''", "'42'", "42", "4917", "'a1b2'", "1000.0"],
        ["1000", "x'c3a9'", "x''", "100000", "inf", "0.0"],
    ];
    assert_eq!(rows(&open(&path), "t", &["i", "t", "b", "s", "u", "r"]), expected);
}

#[test]
fn utf16_text_is_read_as_utf8() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let (_folder, path) = database(&format!(
            "PRAGMA encoding = '{encoding}';
             CREATE TABLE \"tä\"(\"k😀\" TEXT PRIMARY KEY, v) WITHOUT ROWID;
             INSERT INTO \"tä\" VALUES ('é😀', x'ff00'), ('a' || char(0) || 'b', 1), ('', 'ÿ');",
        ));
        let source = open(&path);
        let select = select(&source, "tä", &["k😀", "v"]);
        let kept = all(&source, &select);
        assert_eq!(kept.rows, [["''", "'ÿ'"], ["'a\0b'", "1"], ["'é😀'", "x'ff00'"]]);
        let reader = source.reader().unwrap();
        for (n, key) in kept.keys.iter().enumerate() {
            assert_eq!(range(&reader, &select, Some(key), None).unwrap().keys, kept.keys[n + 1..], "{encoding}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_in_a_utf16_key_cannot_be_resumed_from() {
    let (_folder, path) = database(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID;
         INSERT INTO t VALUES (cast(x'00d8' AS TEXT)), ('a');",
    );
    let source = open(&path);
    let select = select(&source, "t", &["k"]);
    let kept = all(&source, &select);
    assert_eq!(kept.rows, [["t'eda080'"], ["'a'"]]);
    let error = range(&source.reader().unwrap(), &select, Some(&kept.keys[0]), None).err().unwrap();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[test]
fn a_column_that_was_added_later_has_its_default_in_old_rows() {
    let (_folder, path) = database(
        "CREATE TABLE t(a); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b DEFAULT 7; INSERT INTO t(a) VALUES (2);",
    );
    assert_eq!(rows(&open(&path), "t", &["a", "b"]), [["1", "7"], ["2", "7"]]);
}

#[test]
fn rows_that_violate_constraints_are_read() {
    let (_folder, path) = database(
        "CREATE TABLE t(a NOT NULL, b CHECK (b > 0)); CREATE TABLE k(a INT PRIMARY KEY, b);
         INSERT INTO t VALUES (1, NULL), (2, 'x'); INSERT INTO k VALUES (NULL, 1), (NULL, 2), ('x', 3);
         PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (3, -1);
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, b)' WHERE name = 't';",
    );
    write(&path, "INSERT INTO t VALUES (NULL, 1)");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a NOT NULL, b CHECK (b > 0))' WHERE name = 't'").unwrap();
    drop(conn);
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a", "b"]), [["1", "NULL"], ["2", "'x'"], ["3", "-1"], ["NULL", "1"]]);
    assert!(source.schema().tables["t"].columns[0].not_null);
    assert_eq!(rows(&source, "k", &["a"]).concat(), ["NULL", "NULL", "'x'"]);
    assert_eq!(source.schema().tables["k"].address, Address::Rowid("rowid".to_owned()));
    assert_eq!(source.reader().unwrap().count_not_null("t", "a").unwrap(), 3);
}

#[test]
fn generated_columns_are_read_and_one_that_fails_is_a_failed_row() {
    let (_folder, path) = database(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x, v AS (x * 2), s TEXT GENERATED ALWAYS AS (x || '!') STORED);
         INSERT INTO t(x) VALUES ('3'), (''), ('bad json'), ('4');
         ALTER TABLE t ADD COLUMN j AS (json_extract(x, '$'));",
    );
    let source = open(&path);
    let names: Vec<&str> = source.schema().tables["t"].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "x", "v", "s", "j"]);
    assert_eq!(rows(&source, "t", &["v", "s"]), [["6", "'3!'"], ["0", "'!'"], ["0", "'bad json!'"], ["8", "'4!'"]]);
    let kept = all(&source, &select(&source, "t", &["x", "j"]));
    assert_eq!(kept.rows, [["'3'", "3"], ["'4'", "4"]]);
    assert_eq!(kept.failed, [(Key::rowid(2), Some(1)), (Key::rowid(3), Some(1))]);
}

#[test]
fn strict_tables_are_read_like_any() {
    let (_folder, path) = database(
        "CREATE TABLE t(i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
         INSERT INTO t VALUES (1, 2, 3, x'04', '01'), (NULL, NULL, NULL, NULL, 1);",
    );
    let expected = [["1", "2.0", "'3'", "x'04'", "'01'"], ["NULL", "NULL", "NULL", "NULL", "1"]];
    assert_eq!(rows(&open(&path), "t", &["i", "r", "t", "b", "a"]), expected);
}

#[test]
fn a_large_value_is_read_completely() {
    let (_folder, path) =
        database("CREATE TABLE t(a, b); INSERT INTO t VALUES (zeroblob(20000000), hex(zeroblob(1000000)));");
    let source = open(&path);
    struct Lengths(usize, usize);
    impl Sink for Lengths {
        fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
            *self = Lengths(row.cell(0).bytes(), row.cell(1).bytes());
            ControlFlow::Continue(())
        }
        fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    let mut lengths = Lengths(0, 0);
    source.reader().unwrap().scan(&select(&source, "t", &["a", "b"]), KeyRange::ALL, &mut lengths).unwrap();
    assert_eq!((lengths.0, lengths.1), (20_000_000, 2_000_000));
}

#[test]
fn numbers_that_sqlite_made_of_texts_are_counted() {
    let (_folder, path) = database(
        "CREATE TABLE t(phone STRING, id UUID, data JSON, name VARCHAR(9), day DATE);
         INSERT INTO t VALUES ('00420', 'a-b', '{}', 'x', 5), ('x', '1234', '1.0', 'y', 6), ('+49', '1e2000', NULL, 7, 8);
         CREATE TABLE q(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO q VALUES (9);
         UPDATE sqlite_sequence SET seq = 5;
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'VARCHAR(9)', 'BLOB') WHERE name = 't';",
    );
    write(&path, "INSERT INTO t(name) VALUES (8)");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'BLOB', 'VARCHAR(9)') WHERE name = 't'").unwrap();
    drop(conn);
    let source = open(&path);
    assert_eq!(numbers(&source, "t"), [2, 2, 1, 1, 3]);
    assert_eq!(source.warnings().len(), 1);
    assert!(source.warnings()[0].message.contains("sqlite_sequence says 5 and the largest id is 9"));
}
