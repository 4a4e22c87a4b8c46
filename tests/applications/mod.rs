//! The five applications end to end: each fixture is loaded by its mapping into a real PostgreSQL. The result is compared
//! with the counts, sequences, losses, lookups, owners and queries in the fixture's `expect/`.

mod fixtures;

use serde_json::{Value as Json, json};

use crate::support::expect::{Expected, entries, list};
use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, repo};

/// A bcrypt hash has this form; any will do.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

#[test]
fn personal_finance_arrives_as_expected() {
    arrives("personal_finance", &["target.sql"]);
}

/// Hard case 14: a run is killed half-way, then the same command runs again.
#[test]
fn personal_finance_arrives_as_expected_after_a_kill_half_way() {
    let target = fixture("personal_finance", &["target.sql"]);
    let (place, url) = (Place::new(), target.url());
    let run = || {
        let args = ["--yes", "--json", "--jobs", "1", "--batch-rows", "50", "-t", &url, "-m"];
        place.migrate(args).arg(repo("mappings/personal_finance.toml"))
    };
    let mut child = run().spawn();
    let mut client = target.client();
    let mut batches =
        || client.query_one("SELECT count(*) FROM migrate.batch", &[]).map_or(0, |row| row.get::<_, i64>(0));
    while batches() < 30 {
        assert!(child.try_wait().expect("the child's state").is_none(), "the run ended before it could be killed");
        std::thread::yield_now();
    }
    child.kill().expect("kill -9");
    assert_eq!(Ran::of_child(child).code, -9);
    assert!(target.count("transactions") < 7152, "nothing was left to be done");
    Expected::of("personal_finance", "counts").holds(&target, &run().exits(0).json());
}

#[test]
fn aunoo_arrives_as_expected() {
    arrives("aunoo", &["target.sql"]);
}

/// The target's column is a `real`, and the mapping permits to round.
#[test]
fn a_score_of_aunoo_that_no_real_holds_is_rounded_counted_and_listed() {
    let (target, place) = (fixture("aunoo", &["target.sql"]), Place::new());
    let score = "UPDATE articles SET quality_score = 0.123456789 WHERE uri LIKE '%/0002';";
    place.write("source.sql", format!("{}\n{score}", read_repo("fixtures/aunoo/source.sql")));
    let run = place.migrate(["--yes", "--json", "-s", "source.sql", "-t", &target.url(), "-m"]);
    let report = run.arg(repo("mappings/aunoo.toml")).env("ADMIN_PASSWORD_HASH", HASH).exits(0).json();
    let of_scores = list(&report["losses"]).iter().find(|loss| loss["column"] == "quality_score");
    let expected =
        json!({"load": "articles", "column": "quality_score", "modifier": "round", "count": 1, "keys": ["2"]});
    assert_eq!(of_scores, Some(&expected), "{}", report["losses"]);
    assert_eq!(target.value("SELECT quality_score FROM articles WHERE uri LIKE '%/0002'"), "0.12345679");
}

#[test]
fn grant_finder_arrives_as_expected() {
    arrives("grant_finder", &["target.sql", "before.sql"]);
}

#[test]
fn personal_ai_agent_arrives_as_expected() {
    arrives("personal_ai_agent", &["target.sql"]);
}

#[test]
fn data_uploader_arrives_as_expected() {
    arrives("data_uploader", &["target.sql"]);
}

#[test]
fn personal_ai_agent_finds_an_existing_administrator() {
    let target = fixture("personal_ai_agent", &["target.sql", "before_admin.sql"]);
    let report = cutover(&target, "fixtures/personal_ai_agent/admin_first.toml");
    Expected::of("personal_ai_agent", "admin_first").holds(&target, &report);
}

#[test]
fn personal_finance_quarantines_its_hard_cases_as_expected() {
    quarantines("personal_finance", &["target.sql"]);
}

#[test]
fn aunoo_quarantines_its_hard_cases_as_expected() {
    quarantines("aunoo", &["target.sql"]);
}

#[test]
fn grant_finder_quarantines_its_hard_cases_as_expected() {
    quarantines("grant_finder", &["target.sql", "before.sql"]);
}

#[test]
fn personal_ai_agent_quarantines_its_hard_cases_as_expected() {
    quarantines("personal_ai_agent", &["target.sql"]);
}

#[test]
fn data_uploader_quarantines_its_hard_cases_as_expected() {
    quarantines("data_uploader", &["target.sql"]);
}

/// Under `quarantine` every row of nasty.sql is loaded or quarantined as expected, children of refused rows included.
fn quarantines(system: &str, made_by: &[&str]) {
    let target = fixture(system, made_by);
    let place = Place::new();
    let run = place.migrate(["--yes", "--json", "--on-fault", "quarantine", "-m"]);
    let run = run.arg(repo(&format!("mappings/{system}.toml"))).args(["-t", &target.url()]);
    let run = run.arg("-s").arg(repo(&format!("fixtures/{system}/nasty.sql")));
    let report = run.env("ADMIN_PASSWORD_HASH", HASH).exits(6).json();
    let expectation = Expected::of(system, "nasty");
    let expected = &expectation.json;
    let file = place.read("migrate-faults.ndjson");
    let lines: Vec<Json> = file.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found: Vec<String> =
        lines.iter().flat_map(|line| list(&line["faults"]).iter().map(|f| found_fault(line, f))).collect();
    let wanted: Vec<String> = list(&expected["faults"]).iter().map(|f| expected_fault(f, expected)).collect();
    assert_eq!(sorted(found), sorted(wanted));
    assert_eq!(report["fault_total"], expected["faults"].as_array().map_or(0, Vec::len));
    expectation.holds(&target, &report);
    let seen: Vec<String> = list(&report["loads"]).iter().filter(|l| l["read"] != 0).map(load).collect();
    let loads = entries(&expected["loads"]).into_iter().filter(|(_, l)| l["read"] != 0);
    let loads = loads.map(|(name, l)| format!("{name}: {} {} {}", l["read"], l["written"], l["faults"]));
    assert_eq!(sorted(seen), sorted(loads.collect()), "{system}");
}

fn load(load: &Json) -> String {
    let name = load["load"].as_str().expect("a name");
    format!("{name}: {} {} {}", load["read"], load["written"], load["faults"])
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

/// A fault of the fault file in one line: load, row, column, reason, constraint, and the row whose child it is.
fn found_fault(row: &Json, fault: &Json) -> String {
    let message = fault["message"].as_str().expect("a message");
    let constraint = message.split("(constraint ").nth(1).map(|rest| rest.split([',', ')']).next().unwrap_or(rest));
    let parent = &fault["parent"];
    let parent = parent.as_object().map(|p| format!("{} {}", text(&p["load"]), p["key"][0]));
    let constraint = constraint.unwrap_or("-");
    let (load, rowid, column, reason) = (text(&row["load"]), &row["rowid"], text(&fault["column"]), &fault["reason"]);
    format!("{load} {rowid} {column} {reason} {constraint} child of {}", parent.unwrap_or("-".to_owned()))
}

/// An expected fault in the same form. It names its parent by a key that people know.
fn expected_fault(fault: &Json, expected: &Json) -> String {
    let is_parent = |f: &&Json| fault["child_of"] == format!("{} {}", text(&f["load"]), text(&f["key"]));
    let parent = list(&expected["faults"]).iter().find(is_parent);
    let parent = parent.map(|p| format!("{} {}", text(&p["load"]), p["rowid"]));
    assert_eq!(parent.is_some(), !fault["child_of"].is_null(), "{fault}");
    let (load, rowid, column, reason) =
        (text(&fault["load"]), &fault["rowid"], text(&fault["column"]), &fault["reason"]);
    let (constraint, parent) = (text(&fault["constraint"]), parent.unwrap_or("-".to_owned()));
    format!("{load} {rowid} {column} {reason} {constraint} child of {parent}")
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or("-")
}

fn arrives(system: &str, made_by: &[&str]) {
    let target = fixture(system, made_by);
    let report = cutover(&target, &format!("mappings/{system}.toml"));
    assert_eq!(report["exit"]["name"], "Done");
    Expected::of(system, "counts").holds(&target, &report);
}

fn fixture(system: &str, made_by: &[&str]) -> Database {
    let paths: Vec<String> = made_by.iter().map(|file| format!("fixtures/{system}/{file}")).collect();
    Database::of(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cutover(target: &Database, mapping: &str) -> Json {
    let place = Place::new();
    let run = place.migrate(["--yes", "--json", "-m"]).arg(repo(mapping)).args(["-t", &target.url()]);
    run.env("ADMIN_PASSWORD_HASH", HASH).exits(0).json()
}
