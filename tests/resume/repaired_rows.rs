//! Quarantined rows that were repaired in the source since: no run ignores the change, and there is a way to
//! load them.

use serde_json::Value;

use crate::support::case::{Case, faults};
use crate::support::sqlite;

/// Row 4 is no number, row 7 fails a CHECK that the server alone sees, of row 9 SQLite cannot compute a feed.
const SOURCE: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, n TEXT, doc TEXT, note TEXT);
    INSERT INTO items SELECT value, value, '{\"a\": 1}', 'x' FROM generate_series(1, 12);
    UPDATE items SET n = 'four' WHERE id = 4; UPDATE items SET n = '-7' WHERE id = 7;
    UPDATE items SET doc = '{' WHERE id = 9;";

const TARGET: &str = "CREATE TABLE items (id int PRIMARY KEY, n int CHECK (n > 0), doc int)";

const MAPPING: &str = "[leave]\nitems = { note = \"never read\" }\n[load.items]\n[load.items.columns]\n\
    doc = { sql = \"json_extract(doc, '$.a')\" }\n";

const RUN: [&str; 5] = ["--yes", "--on-fault", "quarantine", "--batch-rows", "3"];

fn case() -> Case {
    // SQLite's own table of numbers is not in every build.
    let numbers = (1..=12).map(|n| format!("({n})")).collect::<Vec<_>>().join(", ");
    let source = SOURCE
        .replace("FROM generate_series(1, 12)", &format!("FROM (SELECT column1 AS value FROM (VALUES {numbers}))"));
    Case::new(&source, TARGET, MAPPING)
}

impl Case {
    fn repair(&self, sql: &str) {
        let path = self.place.path("source.db");
        rusqlite::Connection::open(&path).and_then(|db| db.execute_batch(sql)).unwrap_or_else(|e| panic!("{sql}: {e}"));
        drop(sqlite::open(&path));
    }
}

fn refusal(report: &Value) -> String {
    let refusals = report["refusals"].as_array().expect("refusals");
    assert_eq!(refusals.len(), 1, "{report}");
    format!("{}: {}. {}", refusals[0]["place"], refusals[0]["reason"], refusals[0]["advice"])
}

#[test]
fn rows_repaired_after_the_end_are_refused_and_load_after_a_rollback() {
    let case = case();
    let found = faults(&case.exits(6, &RUN));
    assert_eq!(found.iter().map(|(_, id, _, _)| *id).collect::<Vec<_>>(), [4, 7, 9], "{found:?}");
    // Written to, yet the same; and changed in a column that is not read.
    case.repair("UPDATE items SET n = n, note = 'y'");
    case.exits(6, &RUN);
    case.repair("UPDATE items SET n = '4' WHERE id = 4");
    let said = refusal(&case.exits(3, &RUN));
    assert!(said.contains("load.items") && said.contains("1 of its quarantined rows changed in the source"), "{said}");
    assert!(said.contains("(row 4)") && said.contains("migrate rollback --yes"), "{said}");
    case.repair("UPDATE items SET n = '7' WHERE id = 7; UPDATE items SET doc = '{\"a\": 9}' WHERE id = 9");
    assert!(refusal(&case.exits(3, &["--dry-run"])).contains("(row 4, 7, 9)"));
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.target.count("items"), 0);
    case.exits(0, &RUN);
    assert_eq!(case.ids("items"), (1..=12).collect::<Vec<i64>>());
}

#[test]
fn rows_repaired_before_a_resume_are_refused_and_the_original_file_resumes() {
    let case = case();
    let stop: Vec<&str> = RUN.into_iter().chain(["--skip-preflight", "--max-faults", "1", "--jobs", "1"]).collect();
    case.exits(4, &stop);
    case.repair("UPDATE items SET n = '4' WHERE id = 4");
    assert!(refusal(&case.exits(3, &RUN)).contains("(row 4)"));
    // A row that was not read yet may be repaired.
    case.repair("UPDATE items SET n = 'four' WHERE id = 4; UPDATE items SET n = '7' WHERE id = 7");
    let found = faults(&case.exits(6, &RUN));
    assert_eq!(found.iter().map(|(_, id, _, _)| *id).collect::<Vec<_>>(), [4, 9], "{found:?}");
    assert_eq!(case.target.count("items"), 10);
}
