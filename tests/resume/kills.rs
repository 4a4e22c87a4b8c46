//! Exactly once: a run that is killed in the middle, again and again, ends as one that was not; and nobody works beside it.

use std::time::{Duration, Instant};

use postgres::Client;
use rusqlite::types::ValueRef;

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran, Run};

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
pub(super) struct Case {
    pub target: Database,
    pub place: Place,
}

impl Case {
    pub fn new() -> Case {
        let place = Place::new();
        sqlite::file(
            &place,
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
        place.write("readings.toml", MAPPING);
        Case { target: Database::with(TARGET), place }
    }

    /// Batches of 5,000 rows: 40 of them, any of which a kill may follow.
    pub fn migrate(&self) -> Run {
        self.migrate_to(&self.target.url())
    }

    /// The same by another role.
    pub fn migrate_to(&self, url: &str) -> Run {
        let args = ["-m", "readings.toml", "-s", "readings.db", "-t", url, "--yes", "--json", "--batch-rows", "5000"];
        self.place.migrate(args)
    }

    /// The target holds exactly what an independent reading of the source says.
    #[track_caller]
    pub fn is_exact(&self) {
        let source = sqlite::open(&self.place.path("readings.db"));
        let mut rows = source
            .prepare("SELECT id, label, printf('%.4f', value), value IS NULL, seen_at, ok FROM readings ORDER BY id")
            .expect("SQL");
        let mut rows = rows.query([]).expect("rows");
        let found = self.target.rows(
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
        assert_eq!(self.target.count("people"), 1);
        let labels: i64 = source
            .query_row("SELECT count(DISTINCT label) FROM readings WHERE label LIKE '%7'", [], |row| row.get(0))
            .expect("a count");
        let found = self.target.value("SELECT count(*) || ' ' || count(DISTINCT name) FROM labels");
        assert_eq!(found, format!("{labels} {labels}"));
        let counter = self.target.value("SELECT last_value + is_called::int FROM readings_id_seq");
        assert_eq!(counter, (ROWS * 3 + ROWS / 1000 + 1).to_string());
    }
}

/// How many batches of the load are committed; none while there is no ledger yet.
pub(super) fn batches(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM migrate.batch WHERE load = 'readings'", &[]).map_or(0, |row| row.get(0))
}

/// Watches the ledger until it holds this many batches, or the process has ended.
pub(super) fn until_committed(client: &mut Client, wanted: i64, child: &mut std::process::Child) -> bool {
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
    let case = Case::new();
    let mut client = case.target.client();
    for kill in 0..4 {
        let mut child = case.migrate().spawn();
        let wanted = batches(&mut client) + 2 + kill;
        assert!(until_committed(&mut client, wanted, &mut child), "the run ended before it could be killed");
        child.kill().expect("kill -9");
        let ran = Ran::of_child(child);
        assert_eq!(ran.code, -9, "{}", ran.said());
        let committed = case.target.count("readings");
        assert!((1..u64::from(ROWS)).contains(&committed), "{committed} rows after kill {kill}");
    }
    let report = case.migrate().exits(0).json();
    assert_eq!(report["exit"]["name"], "Done");
    let verdicts = report["checks"].as_array().expect("checks");
    assert!(verdicts.iter().all(|check| check["verdict"] == "Same"), "{verdicts:?}");
    case.is_exact();
}

#[test]
fn an_unbroken_run_in_two_lanes_is_exact_and_reported_so() {
    let case = Case::new();
    let report = case.migrate().arg("--jobs=2").exits(0).json();
    let lanes: Vec<_> = report["loads"].as_array().expect("loads").iter().map(|load| &load["lanes"]).collect();
    assert_eq!(lanes, [2, 1], "a table in parts, and a query that is one transaction");
    case.is_exact();
}

impl Case {
    /// A run in one lane, killed behind the first batches of the first load.
    fn stopped() -> Case {
        let case = Case::new();
        let mut child = case.migrate().arg("--jobs=1").spawn();
        assert!(until_committed(&mut case.target.client(), 2, &mut child), "the run ended before it could be killed");
        child.kill().expect("kill -9");
        Ran::of_child(child);
        let committed = case.target.count("readings");
        assert!((10_000..u64::from(ROWS)).contains(&committed), "{committed} rows");
        case
    }

    fn change_source(&self, sql: &str) {
        let source = rusqlite::Connection::open(self.place.path("readings.db")).expect("the source");
        source.execute_batch(sql).expect("a change");
    }

    /// The same command is refused for this, and nothing moves.
    #[track_caller]
    fn is_refused(&self, says: &[&str]) {
        let before = self.target.inventory();
        self.migrate().exits(3).says(says);
        assert_eq!(self.target.inventory(), before);
    }
}

#[test]
fn a_source_whose_committed_rows_changed_is_refused_after_a_kill() {
    let case = Case::stopped();
    case.change_source("UPDATE readings SET value = 1 WHERE id = 3");
    case.is_refused(&["load.readings", "changed since", "some of these", "rows changed"]);
}

#[test]
fn a_source_with_a_row_between_the_committed_ones_is_refused_after_a_kill() {
    let case = Case::stopped();
    case.change_source("INSERT INTO readings (id, label) VALUES (4, 'between')");
    case.is_refused(&["load.readings", "between the same keys it now holds"]);
    case.change_source("DELETE FROM readings WHERE id IN (3, 4)");
    case.is_refused(&["load.readings", "between the same keys it now holds"]);
}

#[test]
fn a_source_with_another_table_is_refused_after_a_kill() {
    let case = Case::stopped();
    case.change_source("CREATE INDEX readings_label ON readings (label)");
    case.is_refused(&["run 1", "the source is not what it was", "schema:"]);
}

#[test]
fn a_source_that_changed_after_the_committed_rows_is_resumed() {
    let case = Case::stopped();
    let last = ROWS * 3 + ROWS / 1000;
    case.change_source(&format!("UPDATE readings SET value = 1, ok = 1 WHERE id = {last}"));
    let report = case.migrate().exits(0).json();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("was read again and is the same"), "{warnings}");
    case.is_exact();
    // The stamp is the new file's from here on.
    case.migrate().exits(0);
}

#[test]
fn a_source_that_was_only_touched_is_resumed() {
    let case = Case::stopped();
    case.change_source("UPDATE readings SET value = value WHERE id = 3");
    case.migrate().exits(0);
    case.is_exact();
}

#[test]
fn another_mapping_is_refused_after_a_kill_with_the_difference() {
    let case = Case::stopped();
    case.place.write("readings.toml", format!("{MAPPING}\n[load.readings.columns]\nlabel = {{ trim = true }}\n"));
    case.is_refused(&["load.readings", "column label changed", "Use the mapping as it was"]);
    // A load of which nothing is written may change.
    case.place.write("readings.toml", format!("{MAPPING}\n[load.labels.columns]\nname = {{ trim = true }}\n"));
    case.migrate().exits(0);
    case.is_exact();
}

#[test]
fn another_target_schema_is_refused_after_a_kill_with_the_table() {
    let case = Case::stopped();
    case.target.run("ALTER TABLE readings ALTER COLUMN label TYPE varchar(41)");
    case.is_refused(&["run 1", "columns, keys, constraints or triggers of readings", "Put them back as they were"]);
    case.target.run("ALTER TABLE readings ALTER COLUMN label TYPE varchar(40)");
    case.migrate().exits(0);
    case.is_exact();
}

#[test]
fn a_target_restored_from_an_older_backup_is_resumed_from_its_ledger() {
    let case = Case::stopped();
    let older = case.target.copy();
    let (then, mut child) = (older.count("readings"), case.migrate().arg("--jobs=1").spawn());
    assert!(until_committed(&mut case.target.client(), 20, &mut child), "the run ended before it could be killed");
    child.kill().expect("kill -9");
    Ran::of_child(child);
    let restored = Case { target: older, place: case.place };
    assert!(then < case.target.count("readings"), "the backup is no older than what it was taken of");
    restored.migrate().exits(0);
    restored.is_exact();
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_with_both_versions() {
    let case = Case::stopped();
    case.target.run("UPDATE migrate.ledger SET version = version + 1");
    case.is_refused(&["ledger", "version 2", "version 1", "newer migrate"]);
    let url = case.target.url();
    case.place.migrate(["status", "-m", "readings.toml", "-t", &url]).exits(3).says(&["version 2"]);
}

#[test]
fn a_concurrent_second_run_is_refused_with_the_running_process() {
    let case = Case::new();
    let mut client = case.target.client();
    let mut child = case.migrate().spawn();
    assert!(until_committed(&mut client, 1, &mut child), "the run ended before a second one could begin");
    let working = "SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let pid: String = client.query_one(working, &[]).expect("the lock's holder").get(0);
    case.migrate().exits(3).says(&["another migrate is at work", &format!("server process {pid}")]);
    let first = Ran::of_child(child);
    assert_eq!(first.code, 0, "{}", first.said());
    case.is_exact();
}
