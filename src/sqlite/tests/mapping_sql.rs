//! SQL of the mapping runs as intended, row by row, and can only read.

use crate::model::key::KeyRange;
use std::sync::Arc;

use super::*;
use crate::sqlite::ErrorClass;

fn people() -> (tempfile::TempDir, PathBuf) {
    database(
        "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT, data TEXT, born);
         INSERT INTO people VALUES (1, 'Ada', '{\"n\":1}', 10), (2, 'Émile', 'bad', 20), (3, NULL, '{\"n\":3}', 30),
                                   (4, 'ada', 'worse', 40), (5, 'Eve', '{\"n\":5}', NULL);
         CREATE TABLE keyed(a TEXT, b INT, data, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO keyed VALUES ('x', 1, 'bad'), ('x', 2, '[]'), ('y', 1, 'bad'), ('y', 2, 'bad');
         CREATE TABLE hidden(rowid, _rowid_, oid); INSERT INTO hidden VALUES ('1', 1, 1), ('bad', 1, 1), ('3', 1, 1);
         CREATE VIEW names AS SELECT name AS n FROM people;",
    )
}

fn failures(kept: &Kept) -> Vec<(String, Option<usize>)> {
    kept.failed.iter().map(|(key, expr)| (key.to_string(), *expr)).collect()
}

#[test]
fn an_expression_is_computed_for_each_row() {
    let (_folder, path) = people();
    let source = open(&path);
    let select = select_sql(
        &source,
        "people",
        &["upper(name) -- a comment", "people.born / 10", "(SELECT count(*) FROM keyed)"],
    );
    let rows = all(&source, &select).rows;
    assert_eq!(rows[0], ["'ADA'", "1", "4"]);
    assert_eq!(rows[2], ["NULL", "3", "4"]);
    assert_eq!(source.reader().unwrap().check(&select).unwrap(), ["id", "name", "data", "born"]);
}

#[test]
fn a_row_whose_expression_fails_is_reported_and_the_rest_is_read() {
    let (_folder, path) = people();
    let source = open(&path);
    let mut select = select_sql(&source, "people", &["json_extract(data, '$.n')"]);
    select.exprs.insert(0, column("name"));
    let kept = all(&source, &select);
    assert_eq!(kept.rows, [["'Ada'", "1"], ["NULL", "3"], ["'Eve'", "5"]]);
    assert_eq!(kept.keys, [Key::rowid(1), Key::rowid(3), Key::rowid(5)]);
    assert_eq!(failures(&kept), [("2".to_owned(), Some(1)), ("4".to_owned(), Some(1))]);
    // The same within bounds, and after a row that failed.
    let reader = source.reader().unwrap();
    let kept = range(&reader, &select, Some(&Key::rowid(2)), Some(&Key::rowid(4))).unwrap();
    assert_eq!((kept.keys.as_slice(), kept.failed.len()), ([Key::rowid(3)].as_slice(), 1));

    let select = select_sql(&source, "keyed", &["1", "json(data)"]);
    let kept = all(&source, &select);
    assert_eq!(kept.rows, [["1", "'[]'"]]);
    assert_eq!(
        failures(&kept),
        [("x, 1".to_owned(), Some(1)), ("y, 1".to_owned(), Some(1)), ("y, 2".to_owned(), Some(1))]
    );

    let select = select_sql(&source, "hidden", &["json(rowid)"]);
    let kept = all(&source, &select);
    assert_eq!(kept.rows.concat(), ["'1'", "'3'"]);
    assert_eq!(kept.keys, [Key::rowid(1), Key::rowid(3)]);
    assert_eq!(failures(&kept), [("2".to_owned(), Some(0))]);
}

#[test]
fn an_expression_that_always_fails_blames_each_row() {
    let (_folder, path) = people();
    let source = open(&path);
    let kept = all(&source, &select_sql(&source, "people", &["json('bad')"]));
    assert_eq!((kept.rows.len(), kept.failed.len()), (0, 5));
    let select = derived(Relation::Sql("SELECT name FROM people".to_owned()), &[sql("json('bad')")]);
    assert_eq!(all(&source, &select).failed.len(), 5);
}

#[test]
fn a_sink_may_stop_at_a_failed_row() {
    struct StopsAtFailure(usize);
    impl Sink for StopsAtFailure {
        fn row(&mut self, _: &dyn Row) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Continue(())
        }
        fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    let (_folder, path) = people();
    let source = open(&path);
    let mut sink = StopsAtFailure(0);
    let select = select_sql(&source, "people", &["json(data)"]);
    assert_eq!(source.reader().unwrap().scan(&select, KeyRange::ALL, &mut sink).unwrap(), Finished::Stopped);
    assert_eq!(sink.0, 1);
}

#[test]
fn rows_of_a_query_are_counted_in_its_order() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let relation = Relation::Sql(
        "SELECT DISTINCT name AS n, data FROM people WHERE name > '' ORDER BY name COLLATE NOCASE, id; ".to_owned(),
    );
    let select = derived(relation, &[column("n"), sql("relation.n || '!'"), sql("json(data) -- may fail")]);
    assert_eq!(reader.check(&select).unwrap(), ["n", "data"]);
    let kept = range(&reader, &select, None, None).unwrap();
    assert_eq!(kept.rows.concat(), ["'Ada'", "'Ada!'", "'{\"n\":1}'", "'Eve'", "'Eve!'", "'{\"n\":5}'"]);
    assert_eq!(kept.keys, [Key::rowid(1), Key::rowid(3)]);
    assert_eq!(failures(&kept), [("2".to_owned(), Some(2)), ("4".to_owned(), Some(2))]);
    let kept = range(&reader, &select, Some(&Key::rowid(1)), Some(&Key::rowid(3))).unwrap();
    assert_eq!((kept.keys, kept.failed.len()), (vec![Key::rowid(3)], 1));
    assert_eq!(reader.split(&select, 4).unwrap(), []);
}

#[test]
fn a_query_that_fails_is_an_error_and_blames_no_row() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    for text in [
        "SELECT json(data) AS j FROM people",
        "SELECT json(data) AS j FROM people ORDER BY 1",
        "SELECT abs(-9223372036854775808) AS j",
    ] {
        let select = derived(Relation::Sql(text.to_owned()), &[column("j"), sql("j || 'x'")]);
        let mut kept = Kept { cells: 2, ..Kept::default() };
        let error = reader.scan(&select, KeyRange::ALL, &mut kept).unwrap_err();
        assert_eq!(error.class, ErrorClass::Sql);
        assert!(error.to_string().starts_with("source query: cannot be read; SQLite says"), "{error}");
        assert!(kept.failed.is_empty());
    }
}

#[test]
fn the_order_of_a_query_does_not_depend_on_what_is_read_of_it() {
    let (_folder, path) = database(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE INDEX t_a ON t(a); CREATE INDEX t_b ON t(b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         INSERT INTO t SELECT i, i * 7 % 50, i * 11 % 50 FROM n; ANALYZE;",
    );
    let source = open(&path);
    for text in ["SELECT a, b, id FROM t", "SELECT * FROM (SELECT a, b, id FROM t)", "SELECT DISTINCT a, b, id FROM t"]
    {
        let of = |expr: Expr| all(&source, &derived(Relation::Sql(text.to_owned()), &[expr])).rows.concat();
        let (a, b) = (of(column("a")), of(column("b")));
        let both = of(sql("a || ',' || b"));
        for n in 0..50 {
            assert_eq!(both[n], format!("'{},{}'", a[n], b[n]), "{text}");
        }
    }
}

#[test]
fn rows_of_the_mapping_are_a_relation_too() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let rows = vec![
        vec![RawBuf::text("Groceries"), RawBuf::Integer(0)],
        vec![RawBuf::Text(vec![0xff, 0]), RawBuf::Real(0.1)],
        vec![RawBuf::Null, RawBuf::Blob(vec![1])],
    ];
    let relation = Relation::Rows { columns: vec!["cat\"egory".to_owned(), "n".to_owned()], rows };
    let mut select = derived(relation, &[column("cat\"egory"), sql("n + 1"), sql(":owner_name || relation.n")]);
    select.params.insert("owner_name".to_owned(), RawBuf::text("o"));
    assert_eq!(reader.check(&select).unwrap(), ["cat\"egory", "n"]);
    let kept = range(&reader, &select, None, None).unwrap();
    let expected = [["'Groceries'", "1", "'o0'"], ["t'ff00'", "1.1", "'o0.1'"], ["NULL", "1", "'o\u{1}'"]];
    assert_eq!(kept.rows, expected);
    let kept = range(&reader, &select, Some(&Key::rowid(1)), Some(&Key::rowid(2))).unwrap();
    assert_eq!((kept.rows.len(), kept.keys), (1, vec![Key::rowid(2)]));

    let none = derived(Relation::Rows { columns: vec!["a".to_owned()], rows: Vec::new() }, &[column("a")]);
    assert_eq!(range(&reader, &none, None, None).unwrap().rows.len(), 0);
    let bare = derived(Relation::Rows { columns: Vec::new(), rows: vec![Vec::new(), Vec::new()] }, &[sql("7")]);
    assert_eq!(range(&reader, &bare, None, None).unwrap().rows.concat(), ["7", "7"]);
}

#[test]
fn more_mapping_rows_than_one_statement_can_bind_are_read_in_order() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let rows = (0..40_000).map(|n| vec![RawBuf::Integer(n), RawBuf::text(if n % 17_000 == 5 { "bad" } else { "[]" })]);
    let relation = Relation::Rows { columns: vec!["n".to_owned(), "j".to_owned()], rows: rows.collect() };
    let select = derived(relation, &[column("n"), sql("json(j)")]);
    let kept = range(&reader, &select, None, None).unwrap();
    assert_eq!(kept.rows.len(), 39_997);
    assert_eq!(
        failures(&kept),
        [("6".to_owned(), Some(1)), ("17006".to_owned(), Some(1)), ("34006".to_owned(), Some(1))]
    );
    assert!(kept.rows.iter().zip(&kept.keys).all(|(row, key)| row[0] == (key.as_rowid().unwrap() - 1).to_string()));
    let kept = range(&reader, &select, Some(&Key::rowid(20_000)), Some(&Key::rowid(30_001))).unwrap();
    assert_eq!((kept.rows.len(), kept.rows[0][0].as_str()), (10_001, "20000"));
}

#[test]
fn a_misspelt_name_is_an_error_and_never_a_text() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let error = reader.check(&select(&source, "people", &["id", "naem"])).unwrap_err();
    assert_eq!(error.expr, Some(1));
    assert!(error.to_string().contains("`naem`: does not exist. Did you mean `name`?"), "{error}");
    let error = reader.check(&select_sql(&source, "people", &["\"naem\" || 'x'"])).unwrap_err();
    assert!(
        error.to_string().contains("no such column: naem") || error.to_string().contains("no such column: \"naem\""),
        "{error}"
    );
    let missing = derived(Relation::Sql("SELECT \"naem\" FROM people".to_owned()), &[]);
    assert_eq!(reader.check(&missing).unwrap_err().class, ErrorClass::Sql);
}

#[test]
fn an_expression_is_one_value_of_one_row() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    for text in [
        "sum(born)",
        "count(*) OVER ()",
        "(SELECT sum(people.born))",
        "name, born",
        "name) AS x, (born",
        "*",
        "",
        "1; SELECT 2",
        ":nothing",
        "?",
        "?1",
        "$skip",
        "$after0",
        "@a",
    ] {
        let outcome = reader.check(&select_sql(&source, "people", &["1", text]));
        let error = outcome.err().unwrap_or_else(|| panic!("{text} was let through"));
        assert_eq!((error.class, error.expr), (ErrorClass::Sql, Some(1)), "{text}: {error}");
    }
    let relation = Relation::Rows { columns: vec!["a".to_owned()], rows: vec![vec![RawBuf::Integer(1)]] };
    for text in ["sum(a)", "?1", "a, a"] {
        assert!(reader.check(&derived(relation.clone(), &[sql(text)])).is_err(), "{text}");
    }
    reader
        .check(&select_sql(&source, "people", &["(SELECT sum(born) FROM people AS p WHERE p.name = people.name)"]))
        .unwrap();
}

#[test]
fn sql_of_a_mapping_can_only_read() {
    let (folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let other = folder.path().join("other.db");
    let relations = [
        format!("ATTACH '{}' AS o", other.display()),
        "DETACH main".to_owned(),
        "DELETE FROM people".to_owned(),
        "INSERT INTO people(id) VALUES (9) RETURNING id".to_owned(),
        "WITH x AS (SELECT 1) DELETE FROM people".to_owned(),
        "/* c */ -- d\n PRAGMA user_version = 3".to_owned(),
        "CREATE TEMP TABLE x(a)".to_owned(),
        "VACUUM".to_owned(),
        "SELECT 1 AS a; DELETE FROM people".to_owned(),
        "SELECT 1) AS x, (SELECT 2".to_owned(),
        "SELECT * FROM pragma_user_version(3)".to_owned(),
        "SELECT * FROM pragma_journal_mode".to_owned(),
        "SELECT * FROM pragma_wal_checkpoint".to_owned(),
        "SELECT load_extension('x') AS a".to_owned(),
        "SELECT 1 AS a, 2 AS A".to_owned(),
    ];
    for text in relations {
        let select = derived(Relation::Sql(text.clone()), &[]);
        // SQLite checks a pragma that is used as a table only when the query runs.
        let outcome = if text.contains("pragma_") { None } else { reader.check(&select).err() };
        let run = reader.scan(&select, KeyRange::ALL, &mut Kept::default()).err();
        let error = outcome.or(run).unwrap_or_else(|| panic!("{text} was let through"));
        assert_eq!(error.class, ErrorClass::Sql, "{text}: {error}");
    }
    let error = reader.check(&derived(Relation::Sql("\nDELETE FROM people".to_owned()), &[])).unwrap_err();
    assert!(error.to_string().contains("begins with DELETE"), "{error}");
    let error = reader.check(&select_sql(&source, "people", &["load_extension('x')"])).unwrap_err();
    assert!(error.to_string().contains("the function load_extension"), "{error}");
    reader
        .check(&derived(Relation::Sql("SELECT name AS a FROM pragma_table_info('people')".to_owned()), &[column("a")]))
        .unwrap();
    assert!(!other.exists());
}

#[test]
fn what_a_mapping_reads_is_known_by_table_and_column() {
    let (_folder, path) = people();
    let source = open(&path);
    let reader = source.reader().unwrap();
    let read = |select: &Select| -> Vec<String> {
        reader.columns_read(select).unwrap().into_iter().map(|(table, column)| format!("{table}.{column}")).collect()
    };
    assert_eq!(
        read(&select(&source, "keyed", &["data"])),
        ["keyed.data"],
        "a key that is only an address is not taken"
    );
    assert_eq!(read(&select(&source, "people", &["ID"])), ["people.id"]);
    assert_eq!(
        read(&select_sql(&source, "people", &["coalesce(name, 'x')", "(SELECT max(b) FROM keyed WHERE a = name)"])),
        ["keyed.a", "keyed.b", "people.name"]
    );
    let distinct = derived(
        Relation::Sql("SELECT DISTINCT name AS n FROM people WHERE born > 1 ORDER BY n".to_owned()),
        &[column("n")],
    );
    assert_eq!(read(&distinct), ["people.born", "people.name"]);
    let counted = derived(Relation::Sql("SELECT count(*) AS n FROM people".to_owned()), &[column("n")]);
    assert_eq!(read(&counted), [""; 0]);
    let view =
        derived(Relation::Sql("SELECT n FROM names".to_owned()), &[column("n"), sql("(SELECT data FROM keyed)")]);
    assert_eq!(read(&view), ["keyed.data", "names.n", "people.name"]);
}

#[test]
fn regexp_casefold_and_registered_functions_work() {
    let (_folder, path) = people();
    let scalar: crate::sqlite::ScalarFunction = Arc::new(|value| match value {
        Raw::Integer(n) if n >= 40 => Err("too large".to_owned()),
        Raw::Integer(n) => Ok(RawBuf::Text(vec![b'n', n as u8, 0xff])),
        _ => Ok(RawBuf::Null),
    });
    let source = Source::open(&path, &SourceOptions { functions: vec![("ts", scalar)], ..quick() }).unwrap();
    let select =
        select_sql(&source, "people", &["name REGEXP '(?i)^a.a$'", "casefold(name)", "ts(born)", "id REGEXP '^[12]$'"]);
    let kept = all(&source, &select);
    assert_eq!(
        kept.rows,
        [
            ["1", "'ada'", "t'6e0aff'", "1"],
            ["0", "'émile'", "t'6e14ff'", "1"],
            ["NULL", "NULL", "t'6e1eff'", "0"],
            ["0", "'eve'", "NULL", "0"]
        ]
    );
    assert_eq!(failures(&kept), [("4".to_owned(), Some(2))]);
    let wrong = select_sql(&source, "people", &["name REGEXP '('"]);
    assert_eq!(all(&source, &wrong).failed.len(), 5);
    let error = source.reader().unwrap().check(&wrong).unwrap_err();
    assert!(error.to_string().contains("regex parse error"), "{error}");
    source.reader().unwrap().check(&select_sql(&source, "people", &["name REGEXP data"])).unwrap();
}

#[test]
fn the_functions_of_mappings_do_not_run_from_the_source_schema() {
    let (_folder, path) = database("CREATE TABLE t(a); INSERT INTO t VALUES ('x');");
    write(&path, "CREATE VIEW v AS SELECT a REGEXP 'x' AS r FROM t");
    let source = open(&path);
    let error = source.reader().unwrap().check(&derived(Relation::Sql("SELECT r FROM v".to_owned()), &[])).unwrap_err();
    assert!(error.to_string().contains("unsafe use of REGEXP"), "{error}");
}

#[test]
fn a_virtual_table_of_an_unknown_module_is_an_error_and_others_are_read() {
    let (folder, path) = database(
        "CREATE VIRTUAL TABLE f5 USING fts5(body); INSERT INTO f5 VALUES ('five');
         CREATE VIRTUAL TABLE f4 USING fts4(body); INSERT INTO f4 VALUES ('four');
         CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (7, 1, 2);
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING spatialite(a)');",
    );
    let before = std::fs::read(&path).unwrap();
    // Each reader is a connection of its own; the last one joins later.
    let source = open(&path);
    let readers = [(); 3].map(|()| source.reader().unwrap());
    for reader in &readers {
        for (sql, row) in [
            ("SELECT body AS a FROM f5", "'five'"),
            ("SELECT body AS a FROM f4 WHERE f4 MATCH 'four'", "'four'"),
            ("SELECT id AS a FROM r WHERE x0 < 3", "7"),
        ] {
            let select = derived(Relation::Sql(sql.to_owned()), &[column("a")]);
            reader.check(&select).unwrap_or_else(|e| panic!("{sql}: {e}"));
            assert_eq!(range(reader, &select, None, None).unwrap().rows.concat(), [row], "{sql}");
        }
        let unknown = derived(Relation::Sql("SELECT a FROM x".to_owned()), &[column("a")]);
        let error = reader.check(&unknown).unwrap_err();
        assert!(error.to_string().contains("no such module: spatialite"), "{error}");
    }
    assert_eq!((std::fs::read(&path).unwrap(), std::fs::read_dir(folder.path()).unwrap().count()), (before, 1));
}
