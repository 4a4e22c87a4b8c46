//! Runs that replace or match rows and are killed, or lose the answer to a commit: they resume, and are rolled back.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::chaos::proxy::{Fault, Proxy};
use crate::support::case::Case;
use crate::support::{postgres, sqlite};

/// Roles are replaced, tags are matched and written over. Pins stay and refer to roles.
const TARGET: &str = "CREATE TABLE roles (id serial PRIMARY KEY, name text); \
    CREATE TABLE pins (role int NOT NULL REFERENCES roles ON DELETE CASCADE); \
    CREATE TABLE tags (id serial PRIMARY KEY, name text NOT NULL UNIQUE, value text); \
    CREATE TABLE uses (id int PRIMARY KEY, tag int NOT NULL REFERENCES tags, role int NOT NULL REFERENCES roles); \
    INSERT INTO roles (name) SELECT 'old ' || n FROM generate_series(1, 5) n; INSERT INTO pins VALUES (2), (5); \
    INSERT INTO tags (name, value) SELECT 'tag ' || n, CASE n % 3 WHEN 0 THEN 'theirs' ELSE 'same' END FROM generate_series(1, 9) n;";

const SOURCE: &str = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT); \
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12) INSERT INTO roles SELECT n, 'new ' || n FROM n; \
    CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT, value TEXT); \
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 14) INSERT INTO tags SELECT 100 - n, 'tag ' || n, 'same' FROM n; \
    CREATE TABLE uses (id INTEGER PRIMARY KEY, tag INTEGER, role INTEGER); \
    INSERT INTO uses SELECT id, id, 1 + id % 12 FROM tags;";

const MAPPING: &str =
    "[load.roles]\nexisting = \"replace\"\n[load.tags]\nexisting = { differ = \"source\" }\n[load.uses]\n";

fn all(case: &Case) -> Vec<Vec<String>> {
    let keys = "SELECT conrelid::regclass, conname, convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2";
    let tables = ["roles", "pins", "tags", "uses"].map(|table| format!("SELECT * FROM {table} ORDER BY 1"));
    tables.iter().map(String::as_str).chain([keys]).map(|sql| case.rows(sql)).collect()
}

/// The rows of a run are as the mapping says, whatever interrupted it.
fn is_exact(case: &Case, about: &str) {
    assert_eq!(case.target.value("SELECT count(*) || ' ' || min(name) FROM roles"), "12 new 1", "{about}");
    assert_eq!(case.rows("SELECT role FROM pins ORDER BY 1"), ["2", "5"], "{about}");
    let tags = "SELECT count(*) || ' ' || count(DISTINCT name) || ' ' || max(value) || ' ' || count(*) FILTER (WHERE id < 10) FROM tags";
    assert_eq!(case.target.value(tags), "14 14 same 9", "{about}");
    let uses = "SELECT count(*) FROM uses u JOIN tags t ON t.id = tag WHERE name = 'tag ' || 100 - u.id";
    assert_eq!(case.target.value(uses), "14", "{about}");
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.kept"), "8", "{about}");
}

#[test]
fn every_lost_commit_of_a_run_that_replaces_and_matches_is_retried() {
    let proxy = Proxy::before(postgres::socket());
    let mut commits = 1..;
    loop {
        let commit = commits.next().expect("a number");
        let case = Case::new(SOURCE, TARGET, MAPPING);
        let before = all(&case);
        let url = proxy.url(case.target.name());
        proxy.expect([Fault::AnswerLost { commit }]);
        let there = ["--yes", "--json", "--jobs=1", "--batch-rows=5", "-t", &url];
        case.place.migrate(there).exits(0);
        let lost = proxy.happened();
        is_exact(&case, &format!("commit {commit}"));
        proxy.expect([Fault::AnswerLost { commit }]);
        case.place.migrate(["rollback", "--yes", "--json", "-t", &url]).exits(0);
        assert_eq!(all(&case), before, "commit {commit}");
        if lost == 0 {
            assert!(commit > 8, "only {commit} commits");
            break;
        }
    }
}

/// Waits until a run has committed this many batches. Returns false if it ended before.
fn until_batches(case: &Case, wanted: i64, child: &mut Child) -> bool {
    let (mut client, began) = (case.target.client(), Instant::now());
    let sql = "SELECT count(*) FROM migrate.batch";
    // There is no ledger at first.
    while client.query_one(sql, &[]).map_or(-1, |row| row.get::<_, i64>(0)) < wanted {
        if child.try_wait().expect("the child's state").is_some() {
            return false;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no batch was committed");
        std::thread::yield_now();
    }
    true
}

#[test]
fn a_killed_run_that_replaces_and_matches_resumes_or_is_rolled_back() {
    for (wanted, resumes) in [(0, true), (1, false), (4, true), (7, false), (9, true)] {
        let case = Case::new(SOURCE, TARGET, MAPPING);
        let before = all(&case);
        let run = ["--jobs=1", "--batch-rows=2", "--progress=none"];
        let mut child = case.command(&["--yes"]).args(run).spawn();
        let is_alive = until_batches(&case, wanted, &mut child);
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        let about = format!("killed after {wanted} batches, alive: {is_alive}");
        if resumes {
            case.command(&["--yes", "--take-over"]).args(run).exits(0);
            is_exact(&case, &about);
            case.command(&["verify"]).exits(0);
        }
        case.command(&["rollback", "--yes", "--take-over"]).exits(0);
        assert_eq!(all(&case), before, "{about}");
    }
}

#[test]
fn a_run_that_stops_at_a_fault_is_resumed_with_the_repaired_row() {
    let faulty = format!("{SOURCE} UPDATE uses SET role = 999 WHERE id = 90");
    let case = Case::new(&faulty, TARGET, MAPPING);
    let before = all(&case);
    case.exits(3, &["--yes"]);
    assert_eq!(all(&case), before);
    let args = ["--yes", "--skip-preflight", "--jobs=1", "--batch-rows=2"];
    case.exits(4, &args);
    assert_eq!(case.target.value("SELECT count(*) FROM roles"), "12");
    case.command(&["status"]).exits(0).says(&["replaced: public.roles"]);
    sqlite::file(&case.place, "source.db", "UPDATE uses SET role = 7 WHERE id = 90");
    case.exits(0, &args);
    is_exact(&case, "repaired");
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(all(&case), before);
}
