//! Memory is bounded by the batches, for any number of rows, parents or faults. A large value costs twice its size.
//!
//! `tests/memory.sh` runs these very tests with 2,000,000 rows, 1,000,000 faults, a value as large as any and an optimised
//! binary.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

/// The promise: without the embedded server, which has a memory of its own and is not at work here.
const MOST_KIB: u64 = 64 * 1024;

/// Pages of the program file that count at most: more than an optimised binary has (18 MiB). Those of an unoptimised one with
/// the embedded server (28 MiB) say nothing about the promise.
const MOST_FILE_KIB: u64 = 20 * 1024;

/// Their images, some 120 bytes each, are more than all batches hold at once.
const ROWS: u64 = 300_000;

/// Rows of each test; `MIGRATE_MEMORY_ROWS` says another number.
fn rows() -> u64 {
    std::env::var("MIGRATE_MEMORY_ROWS").map_or(ROWS, |n| n.parse().expect("a number of rows"))
}

/// Rows that fail; `MIGRATE_MEMORY_FAULTS` says another number. In full size it is 1,000,000.
fn failing() -> u64 {
    std::env::var("MIGRATE_MEMORY_FAULTS").map_or(5_000, |n| n.parse().expect("a number of rows"))
}

/// Bytes of the large value; `MIGRATE_MEMORY_VALUE` says another number.
fn large() -> u64 {
    std::env::var("MIGRATE_MEMORY_VALUE").map_or(32 * 1024 * 1024, |n| n.parse().expect("a number of bytes"))
}

/// A SQLite file of these statements, in which {rows} is the number of rows.
fn source(place: &Place, sql: &str) {
    sqlite::file(place, "big.db", &sql.replace("{rows}", &rows().to_string()));
}

/// Runs the tool to this exit status; its memory stays within the promise.
#[track_caller]
fn stays_small(place: &Place, target: &Database, args: &[&str], exit: i32) -> Ran {
    stays_below(MOST_KIB, place, target, args, exit)
}

/// Runs the tool to this exit status; its memory stays below so many KiB.
#[track_caller]
fn stays_below(most: u64, place: &Place, target: &Database, args: &[&str], exit: i32) -> Ran {
    let run = place.migrate(["-m", "big.toml", "-s", "big.db", "-t", &target.url(), "--yes", "--json"]);
    let child = run.args(args).spawn();
    let status = format!("/proc/{}/status", child.id());
    let (ended, ends) = channel();
    let waiting = std::thread::spawn(move || {
        let ran = Ran::of_child(child);
        // The receiver stays until this was sent.
        ended.send(()).expect("a receiver");
        ran
    });
    let mut peak = 0;
    // The kernel's own high-water mark: a peak between two looks is in the next one.
    while ends.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
        peak = peak.max(high_water(&status).unwrap_or(0));
    }
    let ran = waiting.join().expect("the end of the run");
    assert_eq!(ran.code, exit, "{}", ran.said());
    println!("{args:?}: at most {peak} KiB");
    assert!(peak > 1024, "the high-water mark was never read");
    assert!(peak <= most, "{peak} KiB");
    ran
}

#[test]
fn a_load_of_any_size_stays_below_64_mib() {
    let place = Place::new();
    source(
        &place,
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, day TEXT, amount REAL, ok INTEGER, note TEXT, seen_at TEXT);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})
         INSERT INTO entries SELECT n, date(1700000000 + n * 60, 'unixepoch'), n / 8.0, n % 2,
             'a note of some length, as people write them, number ' || n, datetime(1700000000 + n, 'unixepoch') FROM n",
    );
    place.write("big.toml", "format = 1\nname = \"big\"\n[load.entries]\nowner = false\n");
    let target = Database::with(
        "CREATE TABLE entries (id bigserial PRIMARY KEY, day date, amount numeric(12,3), ok boolean, note text, \
         seen_at timestamp); CREATE INDEX ON entries (day)",
    );
    stays_small(&place, &target, &[], 0);
    assert_eq!(target.count("entries"), rows());
}

#[test]
fn as_many_parents_as_children_stay_below_64_mib_whatever_their_keys() {
    let place = Place::new();
    source(
        &place,
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER, code TEXT, up INTEGER);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})
         INSERT INTO p SELECT n, printf('%08x-0000-4000-8000-%012x', n * 2654435761 % 4294967296, n) FROM n;
         INSERT INTO c SELECT id, {rows} + 1 - id, code, CASE WHEN id > 1 THEN id / 2 END FROM p",
    );
    place.write("big.toml", "format = 1\nname = \"big\"\n[load.p]\n[load.c]\n");
    let target = Database::with(
        "CREATE TABLE p (id bigint PRIMARY KEY, code uuid UNIQUE); CREATE TABLE c (id bigint PRIMARY KEY, \
         p_id bigint REFERENCES p, code uuid REFERENCES p (code), up bigint REFERENCES c)",
    );
    for how in [&["--on-fault", "quarantine"][..], &[]] {
        let ran = stays_small(&place, &target, how, 0);
        assert_eq!(ran.json()["fault_total"], 0);
        assert_eq!((target.count("p"), target.count("c")), (rows(), rows()));
        target.run("TRUNCATE c, p; DROP SCHEMA migrate CASCADE");
    }
}

#[test]
fn a_large_value_costs_twice_its_size_and_three_times_if_quarantined() {
    let (place, bytes) = (Place::new(), large());
    let sql = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB, n INTEGER);
         INSERT INTO t VALUES (1, x'01', 1), (2, zeroblob({bytes}), 2), (3, x'03', 3)"
    );
    let file = sqlite::file(&place, "big.db", &sql);
    place.write("big.toml", "format = 1\nname = \"big\"\n[load.t]\nowner = false\n");
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v bytea, n int)");
    stays_below(MOST_KIB + 2 * bytes / 1024, &place, &target, &["--jobs", "1"], 0);
    assert_eq!(target.value("SELECT string_agg(length(v)::text, ' ' ORDER BY id) FROM t"), format!("1 {bytes} 1"));
    target.run("TRUNCATE t; DROP SCHEMA migrate CASCADE");
    rusqlite::Connection::open(&file)
        .and_then(|db| db.execute("UPDATE t SET n = 'x' WHERE id = 2", []))
        .expect("a row");
    stays_below(MOST_KIB + 3 * bytes / 1024, &place, &target, &["--jobs", "1", "--on-fault", "quarantine"], 6);
    let lines = std::fs::metadata(place.path("migrate-faults.ndjson")).expect("the fault file").len();
    assert_eq!((target.count("t"), lines / 2 / bytes), (2, 1), "the row is there, whole");
}

#[test]
fn a_fault_in_every_row_stays_below_64_mib_and_max_faults_stops_early() {
    let place = Place::new();
    let rows = failing();
    source(
        &place,
        &format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})
             INSERT INTO t SELECT n, 'this is no JSON' FROM n"
        ),
    );
    let mapping = "format = 1\nname = \"big\"\n[load.t.columns]\na = { sql = \"json(a)\" }\n";
    place.write("big.toml", mapping);
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, a text)");
    let ran = stays_small(
        &place,
        &target,
        &["--on-fault", "quarantine", "--skip-preflight", "--max-faults", "100", "--jobs", "1"],
        4,
    );
    ran.says(&["more than 100 rows cannot be loaded"]);
    assert_eq!(ran.json()["faults"].as_array().map(Vec::len), Some(101), "it ends with the first fault too many");
    let ran = stays_small(&place, &target, &["--on-fault", "quarantine", "--batch-bytes", "1000000"], 6);
    assert_eq!(ran.json()["fault_total"], rows);
    // A batch ends by what its faults weigh, though not one of its rows can go.
    assert!(target.count("migrate.batch") >= rows / 1_000, "{}", target.count("migrate.batch"));
    let file = std::fs::File::open(place.path("migrate-faults.ndjson")).expect("the fault file");
    let lines = BufReader::new(file).lines().map(|line| line.expect("a line"));
    let good = lines.filter(|line| line.contains("sql-failed") && line.contains("this is no JSON")).count();
    assert_eq!(good as u64, rows);
}

/// KiB at the high-water mark, without the pages of the program file that do not count.
fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(kib("VmHWM:")? - kib("RssFile:")?.saturating_sub(MOST_FILE_KIB))
}

#[test]
fn parents_beyond_the_memory_bound_are_checked_by_the_server() {
    let source =
        "CREATE TABLE c (id INTEGER PRIMARY KEY, day TEXT); INSERT INTO c VALUES (1, '2000-01-02'), (2, '2000-01-03')";
    let target = "CREATE TABLE p (day date); CREATE TABLE c (id int PRIMARY KEY, day date)";
    let case = Case::new(source, target, "[load.c]\n");
    // Keys that are no integers take 8 bytes each, and 32 MiB of them are held.
    case.target.run(
        "INSERT INTO p SELECT '2000-01-01'::date + n FROM generate_series(1, 4200000) AS n; ALTER TABLE p ADD PRIMARY KEY (day); \
         ALTER TABLE c ADD FOREIGN KEY (day) REFERENCES p",
    );
    let report = case.exits(0, &["--yes"]);
    assert_eq!((&report["fault_total"], case.target.count("c")), (&0.into(), 2));
}

#[test]
fn the_keys_of_all_parents_share_one_bound() {
    let place = Place::new();
    let days = "INSERT INTO c VALUES (1, '2000-01-02', '2000-01-02', '2000-01-02', '2000-01-02')";
    let source = format!("CREATE TABLE c (id INTEGER PRIMARY KEY, d0 TEXT, d1 TEXT, d2 TEXT, d3 TEXT); {days}");
    sqlite::file(&place, "big.db", &source);
    place.write("big.toml", "format = 1\nname = \"big\"\n[load.c]\n");
    let target = Database::with("CREATE TABLE c (id int PRIMARY KEY, d0 date, d1 date, d2 date, d3 date)");
    for n in 0..4 {
        // Each fits into the bound with 8 bytes a key; all four do not.
        target.run(&format!(
            "CREATE TABLE p{n} (day date); INSERT INTO p{n} SELECT '2000-01-01'::date + n FROM generate_series(1, 1500000) AS n;
             ALTER TABLE p{n} ADD PRIMARY KEY (day); ALTER TABLE c ADD FOREIGN KEY (d{n}) REFERENCES p{n}"
        ));
    }
    let dry =
        place.migrate(["-m", "big.toml", "-s", "big.db", "-t", &target.url(), "--dry-run", "--json"]).exits(0).json();
    let unchecked = dry["checks"].as_array().expect("checks").iter();
    let unchecked = unchecked.filter(|c| c["check"] == "reference" && c["why"].to_string().contains("too much memory"));
    assert!((1..4).contains(&unchecked.count()), "{dry}");
    let ran = stays_small(&place, &target, &[], 0);
    assert_eq!((&ran.json()["fault_total"], target.count("c")), (&0.into(), 1));
}
