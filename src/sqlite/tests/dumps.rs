//! A `.sql` dump becomes a source with the same rows, or an error that contains its line and none of its values.

use super::*;
use crate::sqlite::ErrorClass;

/// Creates a folder with this text as `dump.sql`.
fn dump(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn a_dump_becomes_a_source() {
    let (_folder, path) = dump(
        "PRAGMA foreign_keys=OFF;
         BEGIN TRANSACTION;
         CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b);
         INSERT INTO t VALUES(1,'semi;colon ''quoted'' -- no comment',x'00ff');
         INSERT INTO t VALUES(5,replace('two\\nlines','\\n',char(10)),-1.5e300);
         DELETE FROM sqlite_sequence;
         INSERT INTO sqlite_sequence VALUES('t',9);
         CREATE INDEX t_a ON t(a);
         CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = CASE WHEN 1 THEN 2 END; DELETE FROM t; END;
         CREATE VIEW v AS SELECT ';' FROM t;
         COMMIT;",
    );
    let source = open(&path);
    let expected = [["1", "'semi;colon 'quoted' -- no comment'", "x'00ff'"], ["5", "'two\nlines'", "-1.5e300"]];
    assert_eq!(rows(&source, "t", &["id", "a", "b"]), expected);
    assert_eq!(source.schema().tables["t"].counter, Some(9));
    assert!(source.stamp().starts_with("sql sha256:"), "{}", source.stamp());
    assert_eq!(source.facts().path, path);
    assert_eq!(source.facts().bytes, std::fs::metadata(&path).unwrap().len());
}

#[test]
fn the_stamp_of_a_dump_is_its_texts_hash() {
    let text = "CREATE TABLE t(a);\n-- the end; of it";
    let (_folder, path) = dump(text);
    let expected = "sql sha256:".to_owned() + &hex(&<sha2::Sha256 as sha2::Digest>::digest(text));
    assert_eq!(open(&path).stamp(), expected);
    std::fs::write(&path, "CREATE TABLE t(a);\n-- the End; of it").unwrap();
    assert_ne!(open(&path).stamp(), expected);
}

#[test]
fn a_dump_cannot_access_other_files() {
    let (folder, path) = dump("");
    let other = folder.path().join("other.db");
    let name = other.to_str().unwrap();
    let refused = [
        format!("ATTACH '{name}' AS o; CREATE TABLE o.t(a);"),
        format!("VACUUM INTO '{name}';"),
        "VACUUM;".to_owned(),
        format!("PRAGMA temp_store_directory = '{name}';"),
        format!("PRAGMA data_store_directory = '{name}';"),
        format!("SELECT load_extension('{name}');"),
        "CREATE VIRTUAL TABLE x USING dbstat(main);".to_owned(),
        "DETACH main;".to_owned(),
    ];
    for statement in refused {
        std::fs::write(&path, format!("CREATE TABLE t(a);\n\n-- a comment; with a semicolon\n{statement}\n")).unwrap();
        let (class, message) = refusal(&path);
        assert_eq!(class, ErrorClass::Sql, "{message}");
        assert!(message.contains("dump.sql line 4: ") && message.contains("not allowed"), "{statement}: {message}");
        assert!(!other.exists(), "{statement}");
    }
}

#[test]
fn pragmas_about_the_application_are_skipped() {
    let (_folder, path) = dump(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA user_version = 7; PRAGMA encoding = 'UTF-16le';
         CREATE TABLE t(a); INSERT INTO t VALUES ('é');",
    );
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["'é'"]);
    assert!(!source.shared.header.wal);
    assert!(source.shared.utf16);
}

#[test]
fn an_error_names_the_line_and_no_value() {
    let cases = [
        (
            "CREATE TABLE t(a UNIQUE);\nINSERT INTO t\n  VALUES ('secret'),\n ('secret');",
            2,
            "UNIQUE constraint failed: t.a",
        ),
        ("CREATE TABLE t(a);\n\nINSERT INTO t VALUES ('O' 'secret');", 3, "syntax error"),
        ("CREATE TABLE t(a);\nINSERT INTO u VALUES ('secret');", 2, "no such table"),
        ("CREATE TABLE t(a);\nINSERT INTO t VALUES (secret);", 2, "no such column"),
        (
            "CREATE TABLE t(a INT) STRICT;\nINSERT INTO t VALUES ('secret');",
            2,
            "cannot store TEXT value in INT column t.a",
        ),
        ("CREATE TABLE t(a);\nINSERT INTO t VALUES (json('secret'));", 2, "malformed JSON"),
        ("/* one\n two */ CREATE TABLE t(a);\n.open secret\n", 3, "shell"),
    ];
    for (text, line, says) in cases {
        let (_folder, path) = dump(text);
        let (class, message) = refusal(&path);
        assert_eq!(class, ErrorClass::Sql, "{message}");
        assert!(message.contains(&format!("dump.sql line {line}: ")) && message.contains(says), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn a_truncated_dump_is_refused() {
    let cases = [
        ("BEGIN;\nCREATE TABLE t(a);\nINSERT INTO t VALUES (1);\n", "does not commit"),
        ("BEGIN;\nCREATE TABLE t(a);\nINSERT INTO t VALUES ('half", "does not end"),
        ("CREATE TABLE t(a);\nINSERT INTO t VALUES (1", "does not end"),
        ("BEGIN;\nCREATE TABLE t(a);\nROLLBACK; -- due to errors\n", "rolls itself back"),
    ];
    for (text, says) in cases {
        let (_folder, path) = dump(text);
        let (class, message) = refusal(&path);
        assert_eq!(class, ErrorClass::Damaged, "{message}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_dump_with_the_comment_of_an_error_is_refused_and_a_text_like_it_is_not() {
    for comment in ["/****** CORRUPTION ERROR *******/\n/****** malformed ******/", "/****** ERROR: x ******/"] {
        let (_folder, path) = dump(format!("BEGIN;\nCREATE TABLE t (a);\n{comment}\nCOMMIT;\n"));
        let (class, message) = refusal(&path);
        assert_eq!(class, ErrorClass::Damaged, "{message}");
        assert!(message.contains("reports an error before it") && message.contains(".recover"), "{message}");
        let (_folder, path) = dump(format!("CREATE TABLE t (a); INSERT INTO t VALUES ('\n{comment}\n');"));
        assert_eq!(rows(&open(&path), "t", &["a"]).len(), 1);
    }
}

#[test]
fn a_dump_without_content_is_refused() {
    for (text, class) in [("", ErrorClass::Empty), ("-- nothing\n;;\n", ErrorClass::Empty)] {
        let (_folder, path) = dump(text);
        assert_eq!(refusal(&path).0, class, "{text:?}");
    }
    assert_eq!(refusal(Path::new("/nowhere/dump.sql")).0, ErrorClass::Missing);
}

#[test]
fn a_dump_in_another_encoding_is_refused_and_a_byte_order_mark_is_skipped() {
    let (_folder, path) = dump(b"\xff\xfeC\0R\0");
    assert!(refusal(&path).1.contains("UTF-16"));
    let (_folder, path) = dump(b"\xef\xbb\xbfCREATE TABLE t(a);");
    assert_eq!(rows(&open(&path), "t", &["a"]), [[""; 0]; 0]);
    let (_folder, path) = database("CREATE TABLE t(a);");
    let renamed = path.with_extension("sql");
    std::fs::rename(&path, &renamed).unwrap();
    assert!(refusal(&renamed).1.contains("SQLite database file"));
}

#[test]
fn bytes_that_are_not_utf8_survive_a_dump() {
    let (_folder, path) = dump(b"CREATE TABLE t(a, b);\nINSERT INTO t VALUES ('\xff''\x00A', 'ok'' -- '); -- \xfe\n");
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a", "b"]), [["t'ff270041'", "'ok' -- '"]]);
    let (_folder, path) = dump(b"CREATE TABLE t(\xff);");
    assert!(refusal(&path).1.contains("line 1: cannot be read as text"));
}

#[test]
fn rows_that_violate_a_check_survive_a_dump() {
    let (_folder, path) = dump("CREATE TABLE t(a CHECK (a > 0)); INSERT INTO t VALUES (-1);");
    assert_eq!(rows(&open(&path), "t", &["a"]).concat(), ["-1"]);
}

#[test]
fn the_private_copy_has_no_name_once_its_readers_are_open() {
    let (_folder, path) = dump("CREATE TABLE t(a); INSERT INTO t VALUES (1);");
    let source = open(&path);
    let copy = source.shared.real.clone();
    assert!(!copy.exists() && !copy.parent().unwrap().exists() && !copy.starts_with(path.parent().unwrap()));
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["1"]);
    let readers: Vec<Reader> = std::iter::from_fn(|| source.reader().ok()).take(1000).collect();
    assert_eq!(readers.len(), quick().readers + 4);
    assert!(source.reader().err().unwrap().to_string().contains("has no further reader"));
    drop(readers);
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["1"]);
}

#[test]
fn a_dump_with_virtual_tables_loads() {
    let (_folder, path) = database(
        "CREATE TABLE t(a); INSERT INTO t VALUES (1);
         CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('words'); ANALYZE;",
    );
    let text = std::process::Command::new("sqlite3").arg(&path).arg(".dump").output();
    let Ok(text) = text else { return };
    let (_other, path) = dump(text.stdout);
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["1"]);
    assert!(source.schema().others.iter().any(|(name, _)| name == "f"));
    assert_eq!(source.schema().tables.len(), 1);
}
