//! The JSON report is a contract: it is read back strictly, every key of real reports is known, and every known key is present.

use std::collections::BTreeSet;

use migrate::model::record::Report;
use serde_json::Value;

use crate::support::postgres::Database;
use crate::support::tool::Place;
use crate::support::{repo, sqlite};

/// Every key path of a value; elements of a list and entries of maps whose keys are data count as one.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let is_data = ["owner.match", "owners[].rows"].contains(&at);
            for (key, value) in map {
                let path = match (at, is_data) {
                    (_, true) => format!("{at}.*"),
                    ("", _) => key.clone(),
                    _ => format!("{at}.{key}"),
                };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| paths(value, &format!("{at}[]"), found)),
        _ => {}
    }
}

/// The keys of section "report" of the README, as this test demands them of every report.
const TOP: [&str; 23] = [
    "format",
    "command",
    "dry_run",
    "mapping",
    "run",
    "exit",
    "source",
    "target",
    "owner",
    "loads",
    "state",
    "left",
    "not_tables",
    "owners",
    "sequences",
    "lookups",
    "existing",
    "losses",
    "faults",
    "fault_total",
    "detached",
    "retries",
    "warnings",
];

/// Strictly: what is written is read into the record and written again, and nothing is lost or made on the way.
#[track_caller]
fn read_back(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).expect("JSON");
    let report: Report = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(serde_json::to_value(&report).expect("JSON"), value, "reading and writing changed the report");
    assert_eq!(report.format, 1);
    let keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    // Only a dry run that found nothing against the run estimates its cost.
    let forecast = value.get("forecast").map(|_| "forecast");
    let last = ["checks", "refusals", "steps"].into_iter().chain(forecast).chain(["timeline", "arguments"]);
    let wanted: Vec<&str> = TOP.into_iter().chain(last).collect();
    assert_eq!(keys, wanted);
    value
}

#[test]
fn every_kind_of_report_reads_back_strictly() {
    let place = Place::new();
    sqlite::of(&place, "good.db", "fixtures/personal_finance/source.sql");
    sqlite::of(&place, "bad.db", "fixtures/personal_finance/nasty.sql");
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let (mapping, url) = (repo("mappings/personal_finance.toml"), target.url());
    let run = |args: &[&str], code: i32| {
        let ran = place.migrate(args).arg("-m").arg(&mapping).args(["-t", &url, "--json"]).exits(code);
        read_back(&ran.stdout)
    };
    let mut found = BTreeSet::new();
    paths(&run(&["-s", "good.db", "--dry-run"], 0), "", &mut found);
    paths(&run(&["-s", "bad.db", "--yes"], 3), "", &mut found);
    paths(&run(&["-s", "good.db", "--yes"], 0), "", &mut found);
    paths(&run(&["verify", "-s", "good.db"], 0), "", &mut found);
    target.run("UPDATE transactions SET amount = 0 WHERE id = 4");
    paths(&run(&["verify", "-s", "good.db"], 5), "", &mut found);
    // A key that a real run never wrote would be a promise that nothing keeps.
    for path in [
        "exit.code",
        "exit.name",
        "source.stamp",
        "owner.match.*",
        "owner.key",
        "owner.made",
        "forecast.bytes",
        "forecast.seconds",
        "forecast.locked",
        "loads[].load",
        "loads[].source",
        "loads[].target",
        "loads[].read",
        "loads[].class",
        "loads[].state",
        "loads[].written",
        "loads[].faults",
        "loads[].skipped",
        "loads[].lanes",
        "loads[].started",
        "loads[].seconds",
        "left[].table",
        "left[].column",
        "left[].rows",
        "left[].reason",
        "owners[].owner",
        "owners[].rows.*",
        "sequences[].sequence",
        "sequences[].column",
        "sequences[].max",
        "sequences[].next",
        "sequences[].verdict",
        "losses[].load",
        "losses[].column",
        "losses[].modifier",
        "losses[].count",
        "losses[].keys",
        "faults[].load",
        "faults[].table",
        "faults[].rowid",
        "faults[].key",
        "faults[].column",
        "faults[].declared",
        "faults[].class",
        "faults[].bytes",
        "faults[].target_type",
        "faults[].reason",
        "faults[].message",
        "faults[].children",
        "checks[].check",
        "checks[].load",
        "checks[].verdict",
        "checks[].why",
        "checks[].expected",
        "checks[].found",
        "steps[].step",
        "steps[].started",
        "steps[].seconds",
        "timeline[].lane",
        "timeline[].load",
        "timeline[].started",
        "timeline[].seconds",
        "arguments",
    ] {
        assert!(found.contains(path), "{path} is in no report");
    }
}

#[test]
fn the_reports_on_stdout_and_in_a_file_are_equal() {
    let place = Place::new();
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let mapping = repo("mappings/personal_finance.toml");
    let ran =
        place.migrate(["--yes", "--json", "--report", "report.json", "-t", &target.url(), "-m"]).arg(mapping).exits(0);
    assert_eq!(place.read("report.json"), ran.stdout);
}

#[test]
fn the_time_of_a_load_ends_with_the_step_that_loads() {
    let place = Place::new();
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let mapping = repo("mappings/personal_finance.toml");
    let report = place.migrate(["--yes", "--json", "-t", &target.url(), "-m"]).arg(mapping).exits(0).json();
    let end = |span: &Value| span["started"].as_f64().expect("a time") + span["seconds"].as_f64().expect("a time");
    let steps = report["steps"].as_array().expect("steps");
    let load = steps.iter().find(|step| step["step"] == "load").expect("the step");
    for record in report["loads"].as_array().expect("loads").iter().filter(|record| record["state"] == "loaded") {
        // Both times are rounded to milliseconds.
        assert!(end(record) <= end(load) + 0.003, "{record} {load}");
    }
}
