//! Files that cannot be a source are recognised, explained, left unchanged, and never created.

use crate::model::key::KeyRange;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::sqlite::ErrorClass;

/// Returns all files in a folder, by name, with their bytes.
fn content(folder: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap_or_default())).collect()
}

#[test]
fn a_missing_file_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["none.db", "file:none.db?mode=rwc", ":memory:", "none.sql", "a/b.db"] {
        let (class, message) = refusal(&folder.path().join(name));
        assert_eq!(class, ErrorClass::Missing, "{message}");
    }
    assert_eq!(refusal(Path::new("")).0, ErrorClass::Missing);
    assert_eq!(refusal(Path::new(":memory:")).0, ErrorClass::Missing);
    assert!(content(folder.path()).is_empty());
}

#[test]
fn folders_devices_and_dangling_links_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).1.contains("it is a folder"));
    assert!(refusal(Path::new("/dev/null")).1.contains("device"));
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink("nowhere.db", &link).unwrap();
    let (class, message) = refusal(&link);
    assert_eq!(class, ErrorClass::Missing);
    assert!(message.contains("symbolic link does not exist"), "{message}");
}

#[test]
fn odd_characters_in_a_path_are_accepted() {
    let names: [&[u8]; 7] =
        [b"a b", b"a?mode=ro", b"a#b", b"a%20b", b"\xff\xfe", "\u{e9}'\"\n".as_bytes(), b"file:a b?c#d"];
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made.db");
        write(&made, "CREATE TABLE t(a); INSERT INTO t VALUES (1);");
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::rename(made, &path).unwrap();
        let before = content(folder.path());
        assert_eq!(rows(&open(&path), "t", &["a"]).concat(), ["1"], "{path:?}");
        assert_eq!(content(folder.path()), before, "{path:?}");
    }
}

#[test]
fn a_symbolic_link_is_followed_to_the_file_and_its_log() {
    let (folder, path) = database("PRAGMA journal_mode = WAL; CREATE TABLE t(a);");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("INSERT INTO t VALUES ('in the log')").unwrap();
    let links = folder.path().join("links");
    std::fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink("../source.db", links.join("link.db")).unwrap();
    let source = open(&links.join("link.db"));
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["'in the log'"]);
    assert_eq!(content(&links).len(), 1, "nothing is created next to the link");
}

#[test]
fn an_empty_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    let (class, message) = refusal(&path);
    assert_eq!(class, ErrorClass::Empty);
    assert!(message.contains("is empty (0 bytes)"), "{message}");
}

#[test]
fn other_files_are_reported_by_their_format() {
    let noise: Vec<u8> =
        (0..8192_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) >> 32) as u8).collect();
    let cases: [(&[u8], ErrorClass, &str); 7] = [
        (b"hello", ErrorClass::NotSqlite, "does not begin"),
        (b"\x1f\x8b\x08rest", ErrorClass::NotSqlite, "gzip"),
        (b"BEGIN TRANSACTION;\nCREATE TABLE t(a);", ErrorClass::NotSqlite, "ends in .sql"),
        (b"** This file contains an SQLite 2.1 database **", ErrorClass::NotSqlite, "SQLite 2"),
        (b"PGDMP...", ErrorClass::NotSqlite, "pg_dump"),
        (b"SQLite format 3\0short", ErrorClass::Damaged, "within its own header"),
        (&noise, ErrorClass::Encrypted, "SQLCipher"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    for (bytes, class, says) in cases {
        std::fs::write(&path, bytes).unwrap();
        let (found, message) = refusal(&path);
        assert!(found == class && message.contains(says), "{message}");
        assert_eq!(content(folder.path()).len(), 1);
    }
}

#[test]
fn a_valid_start_with_an_invalid_header_is_reported_as_damage() {
    // An invalid page size, an unknown version of the format, and noise after the header.
    let changes: [(usize, &[u8]); 3] = [(16, &[0, 3]), (18, &[9, 9]), (100, &[0x5a; 4000])];
    for (at, bytes) in changes {
        let (folder, path) = database("CREATE TABLE t(a); INSERT INTO t VALUES (1);");
        let mut file = std::fs::read(&path).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&path, &file).unwrap();
        let (class, message) = refusal(&path);
        assert_eq!(class, ErrorClass::Damaged, "{message}");
        assert!(message.contains("Copy it again"), "{message}");
        assert_eq!(content(folder.path()).len(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), file);
    }
}

/// Creates a database of about a hundred pages.
fn large(mode: &str) -> (tempfile::TempDir, PathBuf) {
    database(&format!(
        "PRAGMA journal_mode = {mode}; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO t SELECT i, hex(randomblob(40)), i % 7 FROM n; CREATE INDEX t_b ON t(b);"
    ))
}

#[test]
fn a_truncated_file_is_reported_as_truncated() {
    let (_folder, path) = large("DELETE");
    let bytes = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(bytes / 2 / 4096 * 4096).unwrap();
    let (class, message) = refusal(&path);
    assert_eq!(class, ErrorClass::Damaged);
    assert!(message.contains(&format!("its header says {bytes} bytes")), "{message}");
}

#[test]
fn damage_within_a_table_is_an_error_and_not_its_end() {
    let (_folder, path) = large("DELETE");
    let mut bytes = std::fs::read(&path).unwrap();
    // A leaf page in the middle of the table: its cell pointers are destroyed.
    let page = (1..bytes.len() / 4096).filter(|n| bytes[n * 4096] == 13).nth(20).unwrap();
    bytes[page * 4096 + 8..page * 4096 + 200].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let source = open(&path);
    for select in [select(&source, "t", &["a"]), select_sql(&source, "t", &["a"])] {
        let reader = source.reader().unwrap();
        let mut kept = Kept { cells: 1, ..Kept::default() };
        let error = reader.scan(&select, KeyRange::ALL, &mut kept).unwrap_err();
        assert_eq!(error.class, ErrorClass::Damaged, "{error}");
        assert!(kept.rows.len() > 10 && kept.rows.len() < 5000 && kept.failed.is_empty());
        // SQLite checks a page when it reads it from the file, and would accept the bad page from its cache.
        let again = reader.scan(&select, KeyRange::ALL, &mut kept).unwrap_err();
        assert!(again.to_string().contains("lost its snapshot"), "{again}");
    }
}

#[test]
fn a_stale_index_is_not_counted_and_not_read() {
    let (_folder, path) = database(
        "CREATE TABLE t(a INT NOT NULL, b TEXT DEFAULT 'wider than the index'); CREATE INDEX t_a ON t(a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t(a) SELECT i FROM n;",
    );
    let conn = Connection::open(&path).unwrap();
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    conn.execute_batch(
        "PRAGMA writable_schema = ON;
         CREATE TABLE keep AS SELECT * FROM sqlite_schema WHERE name = 't_a';
         DELETE FROM sqlite_schema WHERE name = 't_a';",
    )
    .unwrap();
    drop(conn);
    write(&path, "INSERT INTO t(a) VALUES (101), (102), (103), (104), (105)");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM keep; PRAGMA writable_schema = RESET;",
    )
    .unwrap();
    let stale: i64 = conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(stale, 100, "the index is stale");
    drop(conn);
    let source = open(&path);
    let reader = source.reader().unwrap();
    assert_eq!(reader.count("t").unwrap(), 105);
    assert_eq!(reader.count_not_null("t", "a").unwrap(), 105);
    assert_eq!(reader.max_integer("t", "a").unwrap(), Some(105));
    assert_eq!(rows(&source, "t", &["a"]).len(), 105);
}

#[test]
fn a_wal_next_to_the_file_is_read_and_a_missing_one_is_warned_of() {
    let (folder, path) = database("PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES ('old');");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES ('new')").unwrap();
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["'old'", "'new'"]);
    assert_eq!(source.warnings(), []);
    assert!(source.facts().wal.is_some());

    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    let lonely = open(&copy);
    assert_eq!(rows(&lonely, "t", &["a"]).concat(), ["'old'"]);
    assert_eq!(lonely.warnings().len(), 1);
    assert!(lonely.warnings()[0].message.contains("copy.db-wal holds nothing"), "{:?}", lonely.warnings());
    drop(lonely);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    // The files that SQLite creates next to the copy do not hide that the log is missing.
    assert_eq!(open(&copy).warnings().len(), 1);
}

#[test]
fn a_torn_log_yields_only_whole_commits() {
    let (folder, path) = database("PRAGMA journal_mode = WAL; CREATE TABLE t(a);");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let log = std::fs::read(path.with_extension("db-wal")).unwrap();
    std::fs::write(copy.with_extension("db-wal"), &log[..log.len() - 100]).unwrap();
    assert_eq!(rows(&open(&copy), "t", &["a"]).concat(), ["1"]);
}

#[test]
fn damage_in_a_file_without_its_log_is_blamed_on_the_log() {
    let (folder, path) = large("WAL");
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let bytes = std::fs::metadata(&copy).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&copy).unwrap().set_len(bytes / 2 / 4096 * 4096).unwrap();
    let (class, message) = refusal(&copy);
    assert_eq!(class, ErrorClass::WalMissing, "{message}");
    assert!(message.contains("no -wal with content"), "{message}");
}

#[test]
fn a_hot_journal_is_refused_and_left_alone() {
    let (folder, path) = large("DELETE");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET a = 'half'").unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(folder.path().join("source.db-journal"), folder.path().join("copy.db-journal")).unwrap();
    let before = (std::fs::read(&copy).unwrap(), std::fs::read(folder.path().join("copy.db-journal")).unwrap());
    let (class, message) = refusal(&copy);
    assert_eq!(class, ErrorClass::HotJournal, "{message}");
    assert!(message.contains("copy.db-journal") && message.contains("do not delete"), "{message}");
    let after = (std::fs::read(&copy).unwrap(), std::fs::read(folder.path().join("copy.db-journal")).unwrap());
    assert!(before == after);
    // The remedy that the message suggests.
    Connection::open(&copy).unwrap().query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())).unwrap();
    assert_eq!(open(&copy).reader().unwrap().count("t").unwrap(), 5000);
}

#[test]
fn a_locked_file_is_reported_with_the_wait() {
    let (_folder, path) = database("CREATE TABLE t(a);");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let begun = std::time::Instant::now();
    let (class, message) = refusal(&path);
    assert_eq!(class, ErrorClass::Busy, "{message}");
    assert!(message.contains("not released within 200.0ms"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_schema_of_a_newer_sqlite_is_reported_with_its_version() {
    let (_folder, path) = database("CREATE TABLE t(a);");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[47] = 9; // schema format 9
    bytes[96..100].copy_from_slice(&4_001_002_u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let (class, message) = refusal(&path);
    assert_eq!(class, ErrorClass::TooNew, "{message}");
    assert!(message.contains("last written by 4.1.2"), "{message}");

    for (written_by, class) in [(9_001_002_u32, ErrorClass::TooNew), (3_008_000, ErrorClass::Damaged)] {
        let (_folder, path) = database("CREATE TABLE t(a);");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a) FROM THE FUTURE'",
        )
        .unwrap();
        drop(conn);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[96..100].copy_from_slice(&written_by.to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let (found, message) = refusal(&path);
        assert_eq!(found, class, "{message}");
        assert!(message.contains("malformed database schema"), "{message}");
    }
}

#[test]
fn reading_does_not_change_the_file_or_its_folder() {
    let (folder, path) = large("DELETE");
    let before = content(folder.path());
    let source = open(&path);
    assert_eq!(rows(&source, "t", &["a"]).len(), 5000);
    numbers(&source, "t");
    assert_eq!(content(folder.path()), before);
    drop(source);
    assert_eq!(content(folder.path()), before);
}

#[test]
fn the_stamp_changes_with_each_commit_only() {
    for mode in ["DELETE", "WAL"] {
        let (_folder, path) = database(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t(a);"));
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("PRAGMA wal_autocheckpoint = 3").unwrap();
        let mut seen = vec![open(&path).stamp()];
        for n in 0..12 {
            assert_eq!(open(&path).stamp(), *seen.last().unwrap(), "{mode}");
            writer.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
            let stamp = open(&path).stamp();
            assert!(!seen.contains(&stamp), "{mode}: {stamp}");
            seen.push(stamp);
        }
    }
}

#[test]
fn a_replaced_file_is_still_read_and_the_replacement_is_noticed() {
    let (folder, path) = database("CREATE TABLE t(a); INSERT INTO t VALUES ('first');");
    let source = open(&path);
    assert!(source.is_in_place());
    let other = folder.path().join("other.db");
    write(&other, "CREATE TABLE t(a); INSERT INTO t VALUES ('second');");
    std::fs::rename(&other, &path).unwrap();
    assert!(!source.is_in_place());
    assert_eq!(rows(&source, "t", &["a"]).concat(), ["'first'"]);
}
