//! Exactly once: a run that is killed again and again ends like an unbroken one, and no second process works with it.

use std::time::{Duration, Instant};

use postgres::Client;
use rusqlite::types::ValueRef;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Ran, Run};

const ROWS: u32 = 200_000;

const TARGET: &str = "
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE readings (
        id bigserial PRIMARY KEY, person_id int NOT NULL REFERENCES people,
        label varchar(40), value numeric(14,4), seen_at timestamp, ok boolean);
    CREATE TABLE labels (id serial PRIMARY KEY, person_id int NOT NULL REFERENCES people, name text NOT NULL);";

const MAPPING: &str = r#"
format = 1
name = "readings"
[owner]
table = "people"
match = { name = "ada" }
key = "id"
create = {}
[load.readings]
owner = "person_id"
[load.labels]
owner = "person_id"
from = { sql = "SELECT DISTINCT label AS name FROM readings WHERE label LIKE '%7' ORDER BY 1" }
"#;

/// A source with gaps between its ids, NULLs and every sign, and a target for it.
pub fn case() -> Case {
    let case = Case::with(Database::with(TARGET), &["-m", "readings.toml", "-s", "readings.db"]);
    sqlite::file(
        &case.place,
        "readings.db",
        &format!(
                "CREATE TABLE readings (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT, value REAL, seen_at TEXT, ok BOOLEAN);
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
                 INSERT INTO readings SELECT n * 3 + n / 1000,
                     CASE WHEN n % 11 = 0 THEN NULL ELSE 'label ' || (n % 1000) END,
                     CASE WHEN n % 13 = 0 THEN NULL ELSE (n * 7919 % 100000 - 50000) / 16.0 END,
                     datetime(1700000000 + n, 'unixepoch'), n % 2 FROM n;"
            ),
    );
    case.place.write("readings.toml", MAPPING);
    case
}

/// A cutover in batches of 5,000 rows: 40 of them, any of which a kill may follow.
pub fn migrate(case: &Case) -> Run {
    migrate_to(case, &case.target.url())
}

/// The same by another role.
pub fn migrate_to(case: &Case, url: &str) -> Run {
    let run = case.place.migrate(&case.arguments);
    run.args(["-t", url, "--yes", "--json", "--batch-rows", "5000"])
}

/// The target has exactly the rows that an independent reading of the source returns.
#[track_caller]
pub fn is_exact(case: &Case) {
    let source = sqlite::open(&case.place.path("readings.db"));
    let mut rows = source
        .prepare("SELECT id, label, printf('%.4f', value), value IS NULL, seen_at, ok FROM readings ORDER BY id")
        .expect("SQL");
    let mut rows = rows.query([]).expect("rows");
    let found = case.target.rows(
        "SELECT id, label, value, seen_at, ok::int, person_id = (SELECT id FROM people WHERE name = 'ada') \
         FROM readings ORDER BY id",
    );
    let mut number = 0;
    while let Some(row) = rows.next().expect("a row") {
        let text = |n: usize| match row.get_ref(n).expect("a value") {
            ValueRef::Null => None,
            ValueRef::Integer(i) => Some(i.to_string()),
            ValueRef::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).expect("UTF-8")),
            other => panic!("{other:?}"),
        };
        let value = if row.get::<_, bool>(3).expect("a flag") { None } else { text(2) };
        let wanted = [text(0), text(1), value, text(4), text(5), Some("t".to_owned())];
        assert_eq!(found.get(number).map(Vec::as_slice), Some(wanted.as_slice()), "row {number}");
        number += 1;
    }
    assert_eq!((number, found.len()), (ROWS as usize, ROWS as usize));
    assert_eq!(case.target.count("people"), 1);
    let labels: i64 = source
        .query_row("SELECT count(DISTINCT label) FROM readings WHERE label LIKE '%7'", [], |row| row.get(0))
        .expect("a count");
    let found = case.target.value("SELECT count(*) || ' ' || count(DISTINCT name) FROM labels");
    assert_eq!(found, format!("{labels} {labels}"));
    let counter = case.target.value("SELECT last_value + is_called::int FROM readings_id_seq");
    assert_eq!(counter, (ROWS * 3 + ROWS / 1000 + 1).to_string());
}
/// The number of committed batches of the load; 0 while there is no ledger.
pub fn batches(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM migrate.batch WHERE load = 'readings'", &[]).map_or(0, |row| row.get(0))
}

/// Watches the ledger until it holds this many batches, or the process has ended.
pub fn until_committed(client: &mut Client, wanted: i64, child: &mut std::process::Child) -> bool {
    let begin = Instant::now();
    while batches(client) < wanted {
        if child.try_wait().expect("the child's state").is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "no batch was committed");
        std::thread::yield_now();
    }
    true
}

#[test]
fn resume_after_kills_equals_an_unbroken_run() {
    let case = case();
    let mut client = case.target.client();
    for kill in 0..4 {
        let mut child = migrate(&case).spawn();
        let wanted = batches(&mut client) + 2 + kill;
        assert!(until_committed(&mut client, wanted, &mut child), "the run ended before it could be killed");
        child.kill().expect("kill -9");
        let ran = Ran::of_child(child);
        assert_eq!(ran.code, -9, "{}", ran.said());
        let committed = case.target.count("readings");
        assert!((1..u64::from(ROWS)).contains(&committed), "{committed} rows after kill {kill}");
    }
    let report = migrate(&case).exits(0).json();
    assert_eq!(report["exit"]["name"], "Done");
    let verdicts = report["checks"].as_array().expect("checks");
    assert!(verdicts.iter().all(|check| check["verdict"] == "Same"), "{verdicts:?}");
    is_exact(&case);
}

#[test]
fn an_unbroken_run_in_two_lanes_is_exact_and_reported_so() {
    let case = case();
    let report = migrate(&case).arg("--jobs=2").exits(0).json();
    let lanes: Vec<_> = report["loads"].as_array().expect("loads").iter().map(|load| &load["lanes"]).collect();
    assert_eq!(lanes, [2, 1], "a table in parts, and a query that is one transaction");
    is_exact(&case);
}

/// A run in one lane, killed after the first batches of the first load.
fn stopped() -> Case {
    let case = case();
    let mut child = migrate(&case).arg("--jobs=1").spawn();
    assert!(until_committed(&mut case.target.client(), 2, &mut child), "the run ended before it could be killed");
    child.kill().expect("kill -9");
    Ran::of_child(child);
    let committed = case.target.count("readings");
    assert!((10_000..u64::from(ROWS)).contains(&committed), "{committed} rows");
    case
}

fn change_source(case: &Case, sql: &str) {
    let source = rusqlite::Connection::open(case.place.path("readings.db")).expect("the source");
    source.execute_batch(sql).expect("a change");
}

/// The same command is refused with these words and writes nothing.
#[track_caller]
fn is_refused(case: &Case, says: &[&str]) {
    let before = case.target.inventory();
    migrate(case).exits(3).says(says);
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn a_source_whose_committed_rows_changed_is_refused_after_a_kill() {
    let case = stopped();
    change_source(&case, "UPDATE readings SET value = 1 WHERE id = 3");
    is_refused(&case, &["load.readings", "changed since", "some of these", "rows changed"]);
}

#[test]
fn a_source_with_a_row_between_the_committed_ones_is_refused_after_a_kill() {
    let case = stopped();
    change_source(&case, "INSERT INTO readings (id, label) VALUES (4, 'between')");
    is_refused(&case, &["load.readings", "between the same keys it now holds"]);
    change_source(&case, "DELETE FROM readings WHERE id IN (3, 4)");
    is_refused(&case, &["load.readings", "between the same keys it now holds"]);
}

#[test]
fn a_source_with_another_table_is_refused_after_a_kill() {
    let case = stopped();
    change_source(&case, "CREATE INDEX readings_label ON readings (label)");
    is_refused(&case, &["run 1", "the source is not what it was", "schema:"]);
}

#[test]
fn a_source_that_changed_after_the_committed_rows_is_resumed() {
    let case = stopped();
    let last = ROWS * 3 + ROWS / 1000;
    change_source(&case, &format!("UPDATE readings SET value = 1, ok = 1 WHERE id = {last}"));
    let report = migrate(&case).exits(0).json();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("were read again and are unchanged"), "{warnings}");
    is_exact(&case);
    // The stamp is the new file's from here on.
    migrate(&case).exits(0);
}

#[test]
fn a_source_that_was_only_touched_is_resumed() {
    let case = stopped();
    change_source(&case, "UPDATE readings SET value = value WHERE id = 3");
    migrate(&case).exits(0);
    is_exact(&case);
}

#[test]
fn another_mapping_is_refused_after_a_kill_with_the_difference() {
    let case = stopped();
    case.place.write("readings.toml", format!("{MAPPING}\n[load.readings.columns]\nlabel = {{ trim = true }}\n"));
    is_refused(&case, &["load.readings", "column label changed", "Use the mapping as it was"]);
    // A load of which nothing is written may change.
    case.place.write("readings.toml", format!("{MAPPING}\n[load.labels.columns]\nname = {{ trim = true }}\n"));
    migrate(&case).exits(0);
    is_exact(&case);
}

#[test]
fn another_target_schema_is_refused_after_a_kill_with_the_table() {
    let case = stopped();
    case.target.run("ALTER TABLE readings ALTER COLUMN label TYPE varchar(41)");
    is_refused(&case, &["run 1", "columns, keys, constraints or triggers of readings", "Restore them as they were"]);
    case.target.run("ALTER TABLE readings ALTER COLUMN label TYPE varchar(40)");
    migrate(&case).exits(0);
    is_exact(&case);
}

#[test]
fn a_target_restored_from_an_older_backup_is_resumed_from_its_ledger() {
    let case = stopped();
    let older = case.target.copy();
    let (then, mut child) = (older.count("readings"), migrate(&case).arg("--jobs=1").spawn());
    assert!(until_committed(&mut case.target.client(), 20, &mut child), "the run ended before it could be killed");
    child.kill().expect("kill -9");
    Ran::of_child(child);
    let restored = Case { target: older, ..case };
    assert!(then < case.target.count("readings"), "the backup is no older than what it was taken of");
    migrate(&restored).exits(0);
    is_exact(&restored);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_with_both_versions() {
    let case = stopped();
    case.target.run("UPDATE migrate.ledger SET version = version + 1");
    is_refused(&case, &["ledger", "version 7", "versions 1 to 6", "newer migrate"]);
    let url = case.target.url();
    case.place.migrate(["status", "-m", "readings.toml", "-t", &url]).exits(3).says(&["version 7"]);
}

#[test]
fn a_concurrent_second_run_is_refused_with_the_running_process() {
    let case = case();
    let mut client = case.target.client();
    let mut child = migrate(&case).spawn();
    assert!(until_committed(&mut client, 1, &mut child), "the run ended before a second one could begin");
    let working = "SELECT DISTINCT pid::text FROM pg_locks WHERE locktype = 'advisory' AND granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let pid: String = client.query_one(working, &[]).expect("the lock's holder").get(0);
    migrate(&case).exits(3).says(&["another migrate is at work", &format!("server process {pid}")]);
    let first = Ran::of_child(child);
    assert_eq!(first.code, 0, "{}", first.said());
    is_exact(&case);
}
