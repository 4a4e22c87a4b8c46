//! Circles under kills: a run that is killed while a key of the circle is detached, or while the circle is one transaction,
//! resumes and ends like an unbroken one.

use std::process::Child;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::support::case::Case;
use crate::support::tool::{Ran, Run};

const ROWS: u32 = 60_000;

const TARGET: &str = "CREATE TABLE teams (id int PRIMARY KEY, lead_id int NOT NULL, name text);
    CREATE TABLE people (id int PRIMARY KEY, team_id int NOT NULL REFERENCES teams, name text NOT NULL);
    ALTER TABLE teams ADD CONSTRAINT teams_lead FOREIGN KEY (lead_id) REFERENCES people;
    COMMENT ON CONSTRAINT teams_lead ON teams IS 'who leads'";

const CONSTRAINTS: &str = "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated,
    obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2";

fn case() -> Case {
    let source = format!(
        "CREATE TABLE teams (id INTEGER PRIMARY KEY, lead_id INTEGER, name TEXT);
         CREATE TABLE people (id INTEGER PRIMARY KEY, team_id INTEGER, name TEXT);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
         INSERT INTO teams SELECT n, n * 7919 % {ROWS} + 1, 'team ' || n FROM n;
         INSERT INTO people SELECT id, {ROWS} + 1 - id, 'person ' || id FROM teams"
    );
    Case::new(&source, TARGET, "[load.teams]\n[load.people]\n")
}

fn migrate(case: &Case, more: &[&str]) -> Run {
    case.command(&["--yes", "--json", "--batch-rows", "2000", "--jobs", "2"]).args(more)
}

fn is_exact(case: &Case) {
    let wrong = format!(
        "SELECT (SELECT count(*) FROM teams WHERE lead_id <> id::int8 * 7919 % {ROWS} + 1 OR name <> 'team ' || id)
              + (SELECT count(*) FROM people WHERE team_id <> {ROWS} + 1 - id OR name <> 'person ' || id)"
    );
    assert_eq!(case.target.value(&wrong), "0");
    assert_eq!((case.target.count("teams"), case.target.count("people")), (ROWS.into(), ROWS.into()));
}

/// Watches the target until the query returns true, or the process has ended.
fn until(client: &mut Client, sql: &str, child: &mut Child) -> bool {
    let begin = Instant::now();
    while !client.query_one(sql, &[]).is_ok_and(|row| row.get(0)) {
        if child.try_wait().expect("the child's state").is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "never: {sql}");
        std::thread::yield_now();
    }
    true
}

/// Runs the tool and kills it as soon as the query returns true.
fn killed(case: &Case, more: &[&str], when: &str) {
    let mut child = migrate(case, more).spawn();
    assert!(until(&mut case.target.client(), when, &mut child), "the run ended before it could be killed");
    child.kill().expect("kill -9");
    assert_eq!(Ran::of_child(child).code, -9);
}

fn keys(case: &Case) -> String {
    case.target.value("SELECT count(*) FROM pg_constraint WHERE conname = 'teams_lead'")
}

#[test]
fn a_circle_with_a_detached_key_is_resumed_after_kills_and_verified() {
    let case = case();
    let before = case.rows(CONSTRAINTS);
    for (load, batches) in [("teams", 3), ("teams", 9), ("people", 2), ("people", 15)] {
        let when =
            format!("SELECT count(*) >= {batches} FROM migrate.batch WHERE load = '{load}' AND last_key IS NOT NULL");
        killed(&case, &[], &when);
        assert_eq!(keys(&case), "0", "the key that closes the circle is detached");
    }
    case.command(&["plan"]).exits(0).says(&["teams.teams_lead"]);
    let report = migrate(&case, &[]).exits(0).json();
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["verdict"] == "Same"), "{checks:?}");
    is_exact(&case);
    assert_eq!(case.rows(CONSTRAINTS), before);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
    assert_eq!(case.rows(CONSTRAINTS), before);
}

#[test]
fn a_stopped_run_of_a_circle_is_rolled_back_with_its_detached_key() {
    let case = case();
    let before = case.rows(CONSTRAINTS);
    killed(&case, &[], "SELECT count(*) >= 3 FROM migrate.batch WHERE load = 'people' AND last_key IS NOT NULL");
    assert_eq!(keys(&case), "0");
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
    assert_eq!(case.rows(CONSTRAINTS), before);
}

#[test]
fn a_circle_in_one_transaction_is_whole_or_absent_after_kills() {
    let case = case();
    let before = case.rows(CONSTRAINTS);
    case.target.run("ALTER TABLE teams ALTER CONSTRAINT teams_lead DEFERRABLE");
    let writing = |table: &str| {
        format!(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'RowExclusiveLock'
                AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
    };
    let never = ["--detach", "never"];
    for table in ["teams", "people"] {
        killed(&case, &never, &writing(table));
        let ended = format!("SELECT NOT ({})", writing(table).trim_start_matches("SELECT "));
        let begin = Instant::now();
        while case.target.value(&ended) != "t" {
            assert!(begin.elapsed() < Duration::from_secs(60), "the server keeps the transaction");
        }
        assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
    }
    let report = migrate(&case, &never).exits(0).json();
    assert_eq!(report["detached"], serde_json::json!([]));
    is_exact(&case);
    case.command(&["rollback", "--yes", "--json"]).exits(0);
    assert_eq!((case.target.count("teams"), case.target.count("people")), (0, 0));
    case.target.run("ALTER TABLE teams ALTER CONSTRAINT teams_lead NOT DEFERRABLE");
    assert_eq!(case.rows(CONSTRAINTS), before);
}

#[test]
fn a_circle_of_three_tables_and_a_self_reference_is_resumed_after_kills() {
    let source = format!(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, c_id INTEGER, up INTEGER);
         CREATE TABLE c (id INTEGER PRIMARY KEY, a_id INTEGER);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
         INSERT INTO a SELECT n, {ROWS} + 1 - n FROM n;
         INSERT INTO b SELECT id, b_id, id / 2 + 1 FROM a; INSERT INTO c SELECT id, b_id FROM a"
    );
    let target =
        "CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, c_id int NOT NULL,
         up int NOT NULL REFERENCES b); CREATE TABLE c (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a);
         ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b; ALTER TABLE b ADD FOREIGN KEY (c_id) REFERENCES c";
    let case = Case::new(&source, target, "[load.a]\n[load.b]\n[load.c]\n");
    let before = case.target.rows(CONSTRAINTS);
    for table in ["a", "b"] {
        killed(&case, &[], &format!("SELECT EXISTS (SELECT FROM {table} OFFSET 3000)"));
    }
    case.exits(0, &["--yes", "--batch-rows", "2000", "--jobs", "2"]);
    let wrong = format!(
        "SELECT (SELECT count(*) FROM a WHERE b_id <> {ROWS} + 1 - id) + (SELECT count(*) FROM c WHERE a_id <> {ROWS} + 1 - id)
              + (SELECT count(*) FROM b WHERE c_id <> {ROWS} + 1 - id OR up <> id / 2 + 1)"
    );
    assert_eq!(case.target.value(&wrong), "0");
    assert_eq!(["a", "b", "c"].map(|table| case.target.count(table)), [u64::from(ROWS); 3]);
    assert_eq!(case.target.rows(CONSTRAINTS), before);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(["a", "b", "c"].map(|table| case.target.count(table)), [0; 3]);
}
