//! All readers see one commit, whatever a concurrent writer does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::sqlite::ErrorClass;

/// Starts a writer that, with each commit, moves one unit between two rows or adds a row to both tables.
fn hammer(path: &Path, stop: &AtomicBool, commits: &AtomicU64) {
    let writer = Connection::open(path).unwrap();
    writer.busy_timeout(Duration::from_millis(50)).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let done = writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT");
        match done {
            Ok(()) => {
                commits.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(_) if !writer.is_autocommit() => writer.execute_batch("ROLLBACK").unwrap(),
            Err(_) => {}
        }
    }
}

fn under_a_writer(mode: &str, check: impl Fn(&Path)) -> u64 {
    let (_folder, path) = database(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE a(x); CREATE TABLE b(x);"));
    let (stop, commits) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| hammer(&path, &stop, &commits));
        while commits.load(Ordering::Relaxed) < 5 {
            std::thread::yield_now();
        }
        check(&path);
        stop.store(true, Ordering::Relaxed);
    });
    commits.into_inner()
}

#[test]
fn all_readers_see_one_commit_under_a_live_writer() {
    for mode in ["WAL", "DELETE", "PERSIST"] {
        let commits = under_a_writer(mode, |path| {
            for _ in 0..if mode == "WAL" { 10 } else { 3 } {
                let options = SourceOptions { readers: 3, wait: Duration::from_secs(20), ..SourceOptions::default() };
                let source = Source::open(path, &options).unwrap();
                let readers = [source.reader().unwrap(), source.reader().unwrap(), source.reader().unwrap()];
                let mut counts = Vec::new();
                for table in ["a", "b"] {
                    for reader in &readers {
                        std::thread::sleep(Duration::from_millis(2));
                        counts.push(reader.count(table).unwrap());
                    }
                }
                assert!(counts.iter().all(|count| *count == counts[0]), "{mode}: {counts:?}");
            }
        });
        assert!(commits > 5, "{mode}: the writer continued");
    }
}

#[test]
fn a_returned_reader_stays_in_the_snapshot() {
    let (_folder, path) = database("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1);");
    let source = open(&path);
    let first = source.reader().unwrap().count("t").unwrap();
    write(&path, "INSERT INTO t VALUES (2)");
    for _ in 0..3 {
        assert_eq!(source.reader().unwrap().count("t").unwrap(), first);
    }
    assert_eq!(open(&path).reader().unwrap().count("t").unwrap(), 2);
}

#[test]
fn a_late_reader_joins_only_the_same_commit() {
    let (_folder, path) = database("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1);");
    let source = Source::open(&path, &SourceOptions { readers: 1, ..quick() }).unwrap();
    let held = [source.reader().unwrap(), source.reader().unwrap()];
    write(&path, "INSERT INTO t VALUES (2)");
    let error = source.reader().err().unwrap();
    assert_eq!(error.class, ErrorClass::Moved);
    assert!(error.to_string().contains("written to since"), "{error}");
    assert!(held.iter().all(|reader| reader.count("t").unwrap() == 1));
}

#[test]
fn in_rollback_mode_a_commit_waits_for_the_snapshot() {
    let (_folder, path) = database("CREATE TABLE t(x);");
    let writer = Connection::open(&path).unwrap();
    writer.busy_timeout(Duration::ZERO).unwrap();
    let source = open(&path);
    let late = source.reader().unwrap();
    assert!(writer.execute_batch("INSERT INTO t VALUES (1)").is_err());
    drop(source);
    assert!(writer.execute_batch("INSERT INTO t VALUES (1)").is_err(), "a reader holds it too");
    assert_eq!(late.count("t").unwrap(), 0);
    drop(late);
    writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
}

#[test]
fn a_second_source_of_the_same_file_keeps_the_locks_of_the_first() {
    let (_folder, path) = database("CREATE TABLE t(x);");
    let writer = Connection::open(&path).unwrap();
    writer.busy_timeout(Duration::ZERO).unwrap();
    let first = open(&path);
    for _ in 0..3 {
        drop(open(&path));
    }
    // POSIX locks belong to the process, so only another process can notice that they were dropped.
    let status = std::process::Command::new("sqlite3").arg(&path).arg("INSERT INTO t VALUES (1)").output();
    if let Ok(output) = status {
        assert!(!output.status.success(), "the lock of the first source was dropped");
    }
    assert!(writer.execute_batch("INSERT INTO t VALUES (1)").is_err());
    drop(first);
    writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
}

#[test]
fn readers_work_on_threads_of_their_own() {
    let (_folder, path) = database("CREATE TABLE t(x); INSERT INTO t VALUES (1), (2), (3);");
    let source = open(&path);
    let counts = std::thread::scope(|scope| {
        let lanes = [0, 1].map(|_| scope.spawn(|| source.reader().unwrap().count("t").unwrap()));
        lanes.map(|lane| lane.join().unwrap())
    });
    assert_eq!(counts, [3, 3]);
}
