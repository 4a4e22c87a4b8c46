//! Memory is bounded by the batches, whatever the number of rows.
//!
//! `tests/memory.sh` runs this very test with 2,000,000 rows and an optimised binary.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::support::postgres::Database;
use super::support::sqlite;
use super::support::tool::{Place, Ran};

/// The promise: without the embedded server, which has a memory of its own and is not at work here.
const MOST_KIB: u64 = 64 * 1024;

/// Their images, some 120 bytes each, are more than all batches hold at once.
const ROWS: u64 = 300_000;

#[test]
fn a_load_of_any_size_stays_below_64_mib() {
    let rows = std::env::var("MIGRATE_MEMORY_ROWS").map_or(ROWS, |n| n.parse().expect("a number of rows"));
    let place = Place::new();
    sqlite::file(
        &place,
        "big.db",
        &format!(
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, day TEXT, amount REAL, ok INTEGER, note TEXT, seen_at TEXT);
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})
             INSERT INTO entries SELECT n, date(1700000000 + n * 60, 'unixepoch'), n / 8.0, n % 2,
                 'a note of some length, as people write them, number ' || n, datetime(1700000000 + n, 'unixepoch') FROM n"
        ),
    );
    place.write("big.toml", "format = 1\nname = \"big\"\n[load.entries]\nowner = false\n");
    let target = Database::with(
        "CREATE TABLE entries (id bigserial PRIMARY KEY, day date, amount numeric(12,3), ok boolean, note text, \
         seen_at timestamp); CREATE INDEX ON entries (day)",
    );
    let child = place.migrate(["-m", "big.toml", "-s", "big.db", "-t", &target.url(), "--yes", "--json"]).spawn();
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
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(target.count("entries"), rows);
    println!("{rows} rows: at most {peak} KiB");
    assert!(peak > 1024, "the high-water mark was never read");
    assert!(peak <= MOST_KIB, "{peak} KiB");
}

fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
