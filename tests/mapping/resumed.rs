//! A run that is killed in the middle of a load with lookups and then resumed ends like an unbroken one.

use std::time::{Duration, Instant};

use super::mapped;
use crate::support::case::Case;
use crate::support::tool::Ran;

const ROWS: u64 = 6_000;

const TARGET: &str = "CREATE TABLE people (id serial PRIMARY KEY, login text UNIQUE, email text); \
    INSERT INTO people (login, email) SELECT 'user' || n, 'u' || n || '@x.example' FROM generate_series(1, 50) AS n; \
    CREATE TABLE notes (id int PRIMARY KEY, who text, person_id int REFERENCES people, parent_id int); \
    CREATE TABLE tags (id serial PRIMARY KEY, who text UNIQUE); \
    CREATE TABLE uses (id int PRIMARY KEY, tag_id int REFERENCES tags, person_id int REFERENCES people);";

fn source() -> String {
    format!(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, who TEXT); CREATE TABLE uses (id INTEGER PRIMARY KEY, who TEXT); \
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS}) \
         INSERT INTO notes SELECT n * 2, CASE n % 4 WHEN 0 THEN 'user' || (n % 60) WHEN 1 THEN 'U' || (n % 60) || '@x.example' WHEN 2 THEN NULL ELSE 'unknown' END FROM n; \
         INSERT INTO uses SELECT id, coalesce(who, 'user7') FROM notes;"
    )
}

fn lookup(load: &str, column: &str, missing: &str) -> String {
    format!(
        "[load.{load}.columns.{column}.lookup]\ntable = \"people\"\ntake = \"id\"\nmissing = \"{missing}\"\nsteps = [ {{ target = \"login\", source = \"who\" }}, \
         {{ target = \"email\", source = \"who\", nocase = true }} ]\n"
    )
}

fn case() -> Case {
    let mapping = format!(
        "[owner]\ntable = \"people\"\nmatch = {{ login = \"system\" }}\ncreate = {{ email = \"s@x.example\" }}\n[load.notes]\nowner = {{ carried = \"person_id\" }}\n\
         {}[load.tags]\nowner = false\nfrom = {{ sql = \"SELECT DISTINCT who FROM uses ORDER BY who\" }}\n[load.uses]\nowner = {{ carried = \"person_id\" }}\n\
         [load.uses.columns.tag_id.lookup]\ntable = \"tags\"\ntake = \"id\"\nmissing = \"fault\"\nsteps = [ {{ target = \"who\", source = \"who\" }} ]\n{}",
        lookup("notes", "person_id", "owner"),
        lookup("uses", "person_id", "null"),
    );
    mapped(&source(), TARGET, &mapping)
}

const ARGS: [&str; 6] = ["--json", "--yes", "--batch-rows", "100", "--jobs", "2"];

/// Everything but the numbers that a sequence may leave out.
fn all(case: &Case) -> Vec<String> {
    let mut rows =
        case.rows("SELECT n.id, n.who, p.login FROM notes n LEFT JOIN people p ON p.id = person_id ORDER BY 1");
    rows.extend(case.rows("SELECT u.id, t.who, p.login FROM uses u JOIN tags t ON t.id = tag_id LEFT JOIN people p ON p.id = person_id ORDER BY 1"));
    rows
}

/// Kills the run when the ledger holds this many batches of a load.
fn killed(case: &Case, load: &str, batches: i64) {
    let mut client = case.target.client();
    let mut child = case.command(&ARGS).spawn();
    let (begin, count) = (Instant::now(), "SELECT count(*) FROM migrate.batch WHERE load = $1");
    while client.query_one(count, &[&load]).map_or(0, |row| row.get::<_, i64>(0)) < batches {
        assert!(child.try_wait().expect("the child's state").is_none(), "the run ended before it could be killed");
        assert!(begin.elapsed() < Duration::from_secs(60), "no batch was committed");
        std::thread::yield_now();
    }
    child.kill().expect("kill -9");
    assert_eq!(Ran::of_child(child).code, -9);
}

#[test]
fn a_killed_load_with_lookups_resumes_where_it_stopped() {
    let whole = case();
    let unbroken = whole.command(&ARGS).exits(0).json();
    let broken = case();
    killed(&broken, "notes", 5);
    assert!(broken.target.count("notes") < ROWS);
    killed(&broken, "uses", 5);
    assert!(broken.target.count("uses") < ROWS);
    let resumed = broken.command(&ARGS).exits(0).json();
    assert_eq!(all(&broken), all(&whole));
    assert_eq!(resumed["lookups"], unbroken["lookups"], "hits and misses are counted over all of it");
    assert_eq!(resumed["owners"], unbroken["owners"]);
    for check in resumed["checks"].as_array().expect("checks") {
        assert_eq!(check["verdict"], "Same", "{check}");
    }
}
