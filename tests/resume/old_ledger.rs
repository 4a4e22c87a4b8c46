//! Ledgers of version 1, as the previous build left them: `fixtures/ledger_v1` holds dumps of a run that was killed and of
//! one that is done.

use super::super::support::postgres::Database;
use super::super::support::tool::{Place, Run};
use super::super::support::{read_repo, repo};

const NOTES: &str = "SELECT id, person_id, shelf_id, topic_id, body, rating, made_at FROM notes ORDER BY id";

fn restored(dump: &str) -> Database {
    Database::with(&read_repo(&format!("fixtures/ledger_v1/{dump}.sql")))
}

fn migrate(place: &Place, target: &Database, args: &[&str]) -> Run {
    let run = place.migrate(args).arg("-m").arg(repo("fixtures/ledger_v1/mapping.toml"));
    run.arg("-s").arg(repo("fixtures/ledger_v1/source.sql")).args(["-t", &target.url()])
}

fn version(target: &Database) -> String {
    target.value("SELECT version FROM migrate.ledger")
}

#[test]
fn a_stopped_run_of_version_1_is_resumed_and_upgraded() {
    let (target, done, place) = (restored("stopped"), restored("done"), Place::new());
    migrate(&place, &target, &["--dry-run"]).ran();
    assert_eq!(version(&target), "1", "a dry run upgraded the ledger");
    migrate(&place, &target, &["--yes"]).exits(6);
    assert_eq!(target.rows(NOTES), done.rows(NOTES));
    let labels = "SELECT name, person_id FROM labels ORDER BY name";
    assert_eq!(target.rows(labels), done.rows(labels));
    assert_eq!(version(&target), "6");
    assert!(target.value("SELECT catalog FROM migrate.run").starts_with("form 2\n"));
    migrate(&place, &target, &["--yes"]).exits(6).says(&["is done already"]);
}

#[test]
fn a_stopped_run_of_version_1_is_rolled_back() {
    let (target, place) = (restored("stopped"), Place::new());
    let run = place.migrate(["rollback", "--yes", "-m"]).arg(repo("fixtures/ledger_v1/mapping.toml"));
    run.arg("-s").arg(repo("fixtures/ledger_v1/source.sql")).args(["-t", &target.url()]).exits(0);
    for table in ["notes", "labels", "shelves"] {
        assert_eq!(target.count(table), 0, "{table}");
    }
    // In a restored database no transaction number proves that the run inserted the owner's row, so it stays.
    assert_eq!((target.count("people"), target.count("topics")), (1, 2));
}

#[test]
fn a_done_run_of_version_1_is_verified_without_an_upgrade() {
    let (target, place) = (restored("done"), Place::new());
    let run = place.migrate(["verify", "-m"]).arg(repo("fixtures/ledger_v1/mapping.toml"));
    let ran = run.arg("-s").arg(repo("fixtures/ledger_v1/source.sql")).args(["-t", &target.url()]).ran();
    assert!(matches!(ran.code, 0 | 6), "{}", ran.said());
    place.migrate(["status", "-m"]).arg(repo("fixtures/ledger_v1/mapping.toml")).args(["-t", &target.url()]).exits(0);
    migrate(&place, &target, &["--yes"]).exits(6).says(&["is done already"]);
    assert_eq!(version(&target), "1");
    target.run("DELETE FROM notes WHERE id = 2");
    let run = place.migrate(["verify", "-m"]).arg(repo("fixtures/ledger_v1/mapping.toml"));
    run.arg("-s").arg(repo("fixtures/ledger_v1/source.sql")).args(["-t", &target.url()]).exits(5);
}

#[test]
fn a_changed_mapping_of_a_run_of_version_1_is_refused_by_column() {
    let (target, place) = (restored("stopped"), Place::new());
    let mapping = read_repo("fixtures/ledger_v1/mapping.toml").replace("\"-1\"", "\"-2\"");
    place.write("changed.toml", mapping);
    let run = place.migrate(["--yes", "-m", "changed.toml", "-t", &target.url(), "-s"]);
    run.arg(repo("fixtures/ledger_v1/source.sql")).exits(3).says(&["load.notes", "rating changed"]);
    assert_eq!(version(&target), "1", "a refusal upgraded the ledger");
}

#[test]
fn a_schema_that_holds_no_ledger_is_refused_with_the_way_out() {
    let place = Place::new();
    for content in [
        "CREATE TABLE migrate.ledger (version text); INSERT INTO migrate.ledger VALUES ('1')",
        "CREATE TABLE migrate.ledger (version int); INSERT INTO migrate.ledger VALUES (NULL)",
        "CREATE TABLE migrate.ledger (version int)",
        "CREATE TABLE migrate.ledger (version int); INSERT INTO migrate.ledger VALUES (1), (1)",
        "CREATE TABLE migrate.ledger (version int); INSERT INTO migrate.ledger VALUES (0)",
        "CREATE TABLE migrate.ledger (version int); INSERT INTO migrate.ledger VALUES (1)",
        "CREATE TABLE migrate.ledger (account text, amount numeric)",
        "CREATE VIEW migrate.ledger AS SELECT 1 AS version",
        "CREATE TABLE migrate.run (distance numeric)",
    ] {
        let schema = read_repo("fixtures/ledger_v1/target.sql");
        let target = Database::with(&format!("{schema} CREATE SCHEMA migrate; {content};"));
        migrate(&place, &target, &["--yes"]).exits(3).says(&["contains no ledger of migrate", "--ledger-schema"]);
        migrate(&place, &target, &["--yes", "--ledger-schema", "other"]).exits(6);
    }
}
