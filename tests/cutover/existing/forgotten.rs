//! `migrate forget`: the previous rows that the ledger keeps are removed, and with them the possibility of a rollback.

use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::tool::Ran;

/// Roles are replaced, tags are matched and written over.
const TARGET: &str = "CREATE TABLE roles (id int PRIMARY KEY, name text); INSERT INTO roles VALUES (1, 'old one'), (2, 'old two'); \
    CREATE TABLE tags (id serial PRIMARY KEY, name text NOT NULL UNIQUE, value text); \
    INSERT INTO tags (name, value) VALUES ('a', 'theirs'), ('b', 'same');";

const SOURCE: &str = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO roles VALUES (1, 'new'), (2, 'new'), (3, 'new'); \
    CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT, value TEXT); INSERT INTO tags VALUES (8, 'a', 'ours'), (9, 'b', 'same');";

const MAPPING: &str = "[load.roles]\nexisting = \"replace\"\n[load.tags]\nexisting = { differ = \"source\" }\n";

fn rows(case: &Case) -> Vec<String> {
    [case.rows("SELECT * FROM roles ORDER BY 1"), case.rows("SELECT * FROM tags ORDER BY 1")].concat()
}

#[test]
fn a_forgotten_run_keeps_no_previous_row_and_cannot_be_rolled_back() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.done();
    let loaded = rows(&case);
    case.command(&["status"]).exits(0).says(&[
        "kept for a rollback: 2 previous rows of roles, with all values",
        "kept for a rollback: 1 previous row of tags, with all values",
        "`migrate forget --yes`",
    ]);
    case.command(&["forget"]).exits(3).says(&["--yes was not given"]);
    assert_eq!(case.target.count("migrate.kept"), 3);
    case.command(&["forget", "--yes"]).exits(0).says(&["3 previous rows were removed from the ledger"]);
    assert_eq!(case.target.count("migrate.kept"), 0);
    let status = case.command(&["status"]).exits(0);
    assert!(!status.stdout.contains("kept for a rollback"), "{}", status.stdout);
    status.says(&["It cannot be rolled back any more."]);
    case.command(&["rollback", "--yes"]).exits(3).says(&["`migrate forget` removed the previous rows"]);
    case.command(&["forget", "--yes"]).exits(3).says(&["is forgotten already"]);
    assert_eq!(rows(&case), loaded);
    case.command(&["verify"]).exits(0);
    case.done();
}

#[test]
fn only_a_finished_run_can_be_forgotten() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.command(&["forget", "--yes"]).exits(3).says(&["the ledger contains no run of this mapping"]);
    let source = format!("{SOURCE} CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (1);");
    let target = format!(
        "{TARGET} CREATE TABLE later (id int PRIMARY KEY); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''not now''; END'; CREATE TRIGGER refuse BEFORE INSERT ON later FOR EACH ROW EXECUTE FUNCTION refuse();"
    );
    let case = Case::new(&source, &target, &format!("{MAPPING}[load.later]\ntriggers = \"fire\"\n"));
    let before = rows(&case);
    case.exits(4, &["--yes", "--jobs=1"]);
    let kept = case.target.count("migrate.kept");
    assert!(kept > 0);
    case.command(&["forget", "--yes", "--json"]).exits(3).says(&["is not finished"]);
    assert_eq!(case.target.count("migrate.kept"), kept);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(rows(&case), before);
}

/// The ledger is read before the previous rows are removed. The run's state is compared again in the statement that removes them.
#[test]
fn a_run_whose_state_changes_meanwhile_is_not_forgotten() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.done();
    let mut other = case.target.client();
    other.batch_execute("BEGIN; UPDATE migrate.run SET state = 'Running'").expect("an update");
    let child = case.command(&["forget", "--yes"]).spawn();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock' \
                   AND datname = current_database()";
    let begin = Instant::now();
    while case.target.value(waiting) != "1" {
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not wait for the run's row");
    }
    other.batch_execute("COMMIT").expect("a commit");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 3, "{}", ran.said());
    ran.says(&["is not finished"]);
    assert_eq!(case.target.count("migrate.kept"), 3);
}

#[test]
fn json_has_the_number_of_removed_rows() {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.done();
    let kept = case.command(&["status", "--json"]).exits(0).json();
    assert_eq!(kept[0]["kept"], serde_json::json!([["roles", 2], ["tags", 1]]));
    let forgotten = case.command(&["forget", "--yes", "--json"]).exits(0).json();
    assert_eq!(forgotten, serde_json::json!({"run": 1, "mapping": "case", "removed": 3}));
}
