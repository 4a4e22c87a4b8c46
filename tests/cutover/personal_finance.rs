//! The main job from end to end: personal_finance into a real PostgreSQL, dry run, cutover, the same again, verification.

use crate::support::case::Case;
use crate::support::expect::Expected;
use crate::support::postgres::Database;
use crate::support::tool::Place;
use crate::support::{repo, sqlite};

const TARGET: &str = "fixtures/personal_finance/target.sql";

/// The application's target, a SQLite file of its data, and its mapping.
fn case() -> Case {
    let mapping = repo("mappings/personal_finance.toml");
    let mapping = mapping.to_str().expect("a path in UTF-8");
    let case = Case::with(Database::of(&[TARGET]), &["-m", mapping, "-s", "finance.db"]);
    sqlite::of(&case.place, "finance.db", "fixtures/personal_finance/source.sql");
    case
}

#[test]
fn a_dry_run_finds_nothing_and_writes_nothing() {
    let case = case();
    let (before, files) = (case.target.inventory(), case.place.files());
    let report = case.command(&["--dry-run", "--json"]).exits(0).json();
    assert_eq!(report["exit"]["name"], "Done");
    assert_eq!(report["state"], "Planned");
    assert_eq!(case.target.inventory(), before);
    assert_eq!(case.place.files(), files);
}

#[test]
fn the_cutover_loads_every_row_with_its_owner() {
    let case = case();
    let report = case.command(&["--yes", "--json"]).exits(0).json();
    let expected = Expected::of("personal_finance", "counts");
    expected.holds_in(&case.target);
    expected.holds_in_report(&report);
    assert_eq!(report["exit"]["name"], "Done");
    assert_eq!(report["state"], "Done");
    assert_eq!(report["owner"]["made"], true);
    for check in report["checks"].as_array().expect("checks") {
        assert_eq!(check["verdict"], "Same", "{check}");
    }
    for load in report["loads"].as_array().expect("loads") {
        assert_eq!(load["state"], "loaded", "{load}");
        let sum = |keys: &[&str]| keys.iter().map(|key| load[*key].as_u64().expect("a count")).sum::<u64>();
        assert_eq!(sum(&["read"]), sum(&["written", "faults", "skipped"]), "{load}");
    }
}

#[test]
fn a_dump_loads_the_same_rows_as_the_file() {
    let target = Database::of(&[TARGET]);
    let mapping = repo("mappings/personal_finance.toml");
    Place::new().migrate(["--yes", "-t", &target.url(), "-m"]).arg(mapping).exits(0);
    Expected::of("personal_finance", "counts").holds_in(&target);
}

#[test]
fn a_second_cutover_reports_done_and_loads_nothing() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    // The place of each row and which transaction wrote it: loading again would change both.
    let rows = "SELECT md5(string_agg(ctid::text || xmin::text, ',' ORDER BY ctid)) FROM transactions";
    let (written, all) = (case.target.value(rows), case.target.inventory());
    let again = case.command(&["--yes"]).exits(0);
    again.says(&["done already"]);
    assert_eq!(case.target.value(rows), written);
    assert_eq!(case.target.inventory(), all);
}

#[test]
fn an_existing_owner_is_reused() {
    let case = case();
    case.target.run("INSERT INTO users (id, username, role, is_active) VALUES (5, 'suricata', 'member', true)");
    let report = case.command(&["--yes", "--json"]).exits(0).json();
    assert_eq!(report["owner"]["made"], false);
    assert_eq!(report["owner"]["key"], "5");
    assert_eq!(case.target.value("SELECT string_agg(DISTINCT user_id::text, ',') FROM transactions"), "5");
    assert_eq!(case.target.value("SELECT string_agg(role, ',') FROM users"), "member");
}

#[test]
fn verify_agrees_with_an_untouched_target_and_writes_nothing() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    let before = case.target.inventory();
    case.command(&["verify"]).exits(0);
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn one_cent_on_the_target_is_exit_5() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    case.target.run("UPDATE transactions SET amount = amount + 0.01 WHERE id = 4000");
    let report = case.command(&["verify", "--json"]).exits(5).json();
    let differs = |check: &&serde_json::Value| check["verdict"] == "Differs";
    let found: Vec<_> = report["checks"].as_array().expect("checks").iter().filter(differs).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["check"], &found[0]["load"]), (&"content".into(), &"transactions".into()));
    // The same command reports the same difference and fixes nothing by itself.
    case.command(&["--yes"]).exits(5);
}

#[test]
fn a_missing_row_on_the_target_is_exit_5() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    case.target.run("DELETE FROM transactions WHERE id = 4000");
    case.command(&["verify"]).exits(5).says(&["Differs"]);
}

#[test]
fn a_sequence_below_its_rows_is_exit_5() {
    let case = case();
    case.command(&["--yes"]).exits(0);
    case.target.run("SELECT setval('transactions_id_seq', 10)");
    case.command(&["verify"]).exits(5).says(&["transactions_id_seq"]);
}
