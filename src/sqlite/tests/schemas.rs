//! The schema is read as SQLite interprets it, not by the words in its text.

use super::*;
use crate::model::schema::{OtherKind, SourceTable, SourceUnique};

fn table(sql: &str) -> SourceTable {
    let (_folder, path) = database(sql);
    open(&path).schema().tables["t"].clone()
}

fn unique(columns: &[&str], plain: bool) -> SourceUnique {
    SourceUnique { columns: columns.iter().map(|column| (*column).to_owned()).collect(), plain }
}

#[test]
fn only_integer_primary_key_is_the_rowid() {
    for (declared, is_rowid) in [
        ("id INTEGER PRIMARY KEY", true),
        ("id integer PRIMARY KEY ASC", true),
        ("id INTEGER, PRIMARY KEY (id)", true),
        ("id INTEGER, PRIMARY KEY (id DESC)", true),
        ("id INTEGER PRIMARY KEY DESC", false),
        ("id INT PRIMARY KEY", false),
        ("id BIGINT PRIMARY KEY", false),
        ("id INTEGER UNIQUE", false),
        ("id INTEGER, b, PRIMARY KEY (id, b)", false),
    ] {
        let table = table(&format!("CREATE TABLE t({declared})"));
        assert_eq!(table.columns[0].is_rowid, is_rowid, "{declared}");
        assert_eq!(table.address, Address::Rowid("rowid".to_owned()));
    }
    let table = table("CREATE TABLE t(id INTEGER PRIMARY KEY) WITHOUT ROWID");
    assert!(!table.columns[0].is_rowid);
    assert_eq!(table.address, Address::Key(vec!["id".to_owned()]));
}

#[test]
fn unique_keys_are_marked_plain_or_not() {
    let found = table(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT COLLATE NOCASE UNIQUE, c, d, UNIQUE (c, d));
         CREATE UNIQUE INDEX p ON t(a) WHERE c > 1; CREATE UNIQUE INDEX e ON t(a, lower(b)); CREATE INDEX n ON t(d);",
    );
    assert_eq!(found.unique[0], unique(&["id"], true));
    let mut rest = found.unique[1..].to_vec();
    rest.sort_by(|x, y| (&x.columns, x.plain).cmp(&(&y.columns, y.plain)));
    let expected = [
        unique(&["a"], false),
        unique(&["a"], false),
        unique(&["a"], true),
        unique(&["b"], false),
        unique(&["c", "d"], true),
    ];
    assert_eq!(rest, expected);
    let found = table("CREATE TABLE t(a UNIQUE, b INT PRIMARY KEY)");
    assert_eq!(found.unique, [unique(&["b"], true), unique(&["a"], true)]);
}

#[test]
fn columns_are_read_as_declared() {
    let found = table("CREATE TABLE t(a, b VARCHAR(10) NOT NULL, \"c d\" \"FLOATING POINT\", [e\"f] x)");
    let said: Vec<_> = found.columns.iter().map(|c| (c.name.as_str(), c.declared.as_str(), c.not_null)).collect();
    assert_eq!(
        said,
        [("a", "", false), ("b", "VARCHAR(10)", true), ("c d", "FLOATING POINT", false), ("e\"f", "x", false)]
    );
}

#[test]
fn hostile_names_are_read_and_quoted() {
    let (_folder, path) = database(
        "CREATE TABLE \"a\"\"b; DROP TABLE t; --\"(\"\" , \"x\"\"y\", \"select\", \"tab\tnew\nline\", \"rowid\");
         INSERT INTO \"a\"\"b; DROP TABLE t; --\" VALUES (1, 2, 3, 4, 5);
         CREATE TABLE \"main\"(a); INSERT INTO \"main\" VALUES (1); CREATE TABLE \"SQLITES\"(a); CREATE TABLE \"\"(a);",
    );
    let source = open(&path);
    let names: Vec<&str> = source.schema().tables.keys().map(String::as_str).collect();
    assert_eq!(names, ["", "SQLITES", "a\"b; DROP TABLE t; --", "main"]);
    let columns = ["", "x\"y", "select", "tab\tnew\nline", "rowid"];
    assert_eq!(rows(&source, "a\"b; DROP TABLE t; --", &columns), [["1", "2", "3", "4", "5"]]);
    assert_eq!(rows(&source, "main", &["a"]).concat(), ["1"]);
    assert_eq!(rows(&source, "", &["a"]).len(), 0);
}

#[test]
fn a_name_that_is_not_utf8_is_refused_by_name() {
    let (_folder, path) = database("CREATE TABLE tXt(a);");
    let bytes = std::fs::read(&path).unwrap();
    let bytes: Vec<u8> = bytes.iter().map(|byte| if *byte == b'X' { 0xff } else { *byte }).collect();
    std::fs::write(&path, bytes).unwrap();
    let message = refusal(&path).1;
    assert!(message.contains("t\u{fffd}t") && message.contains("not UTF-8"), "{message}");
}

#[test]
fn objects_that_are_no_tables_are_listed_separately() {
    let (_folder, path) = database(
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t(a) VALUES (1); CREATE INDEX i ON t(a);
         CREATE VIEW v AS SELECT nothing_there() FROM t; CREATE VIRTUAL TABLE f USING fts5(body);
         CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); CREATE VIRTUAL TABLE c USING fts5(body, content='');
         ANALYZE; CREATE TEMP TABLE dropped(a);",
    );
    let schema = open(&path).schema().clone();
    assert_eq!(schema.tables.keys().collect::<Vec<_>>(), ["t"]);
    let of =
        |kind| schema.others.iter().filter(|other| other.1 == kind).map(|other| other.0.as_str()).collect::<Vec<_>>();
    assert_eq!(of(OtherKind::View), ["v"]);
    assert_eq!(of(OtherKind::Virtual), ["c", "f", "r"]);
    assert!(of(OtherKind::Shadow).contains(&"f_data") && of(OtherKind::Shadow).contains(&"r_node"));
}

#[test]
fn a_virtual_table_of_an_unknown_module_does_not_stop_the_rest() {
    let (_folder, path) = database(
        "CREATE TABLE t(a); PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING spatialite(a)');",
    );
    let schema = open(&path).schema().clone();
    assert_eq!(schema.others, [("x".to_owned(), OtherKind::Virtual)]);
    assert!(schema.tables.contains_key("t"));
}

#[test]
fn counters_are_those_of_autoincrement_and_only_integers() {
    let (_folder, path) = database(
        "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a VALUES (5), (6); DELETE FROM a;
         CREATE TABLE b(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE c(id INTEGER PRIMARY KEY);
         INSERT INTO c VALUES (9); CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT);
         INSERT INTO sqlite_sequence VALUES ('d', 'many'), ('a', 4), ('dropped', 7), (NULL, NULL);",
    );
    let schema = open(&path).schema().clone();
    let counters: Vec<_> = schema.tables.values().map(|table| table.counter).collect();
    assert_eq!(counters, [Some(6), None, None, None]);
}

#[test]
fn the_schema_hash_ignores_only_pages_and_analyze() {
    let (_folder, path) = database("CREATE TABLE t(a); CREATE TABLE u(b); INSERT INTO t VALUES (1); DROP TABLE u;");
    let hash = |path: &Path| open(path).facts().schema.clone();
    let first = hash(&path);
    write(&path, "ANALYZE; VACUUM; INSERT INTO t VALUES (2)");
    assert_eq!(hash(&path), first);
    write(&path, "ALTER TABLE t ADD COLUMN b");
    assert_ne!(hash(&path), first);
}
