//! The five applications end to end: each fixture by its mapping into a real PostgreSQL, and what is there afterwards
//! against the counts, sequences, losses, lookups, owners and queries that its `expect/` states.

mod fixtures;

use serde_json::Value as Json;

use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, repo};

/// A bcrypt hash has this form; any will do.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

#[test]
fn personal_finance_arrives_as_expected() {
    arrives("personal_finance", &["target.sql"]);
}

/// Hard case 14: a run that stopped half-way, and the same command again.
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
    is_as_stated(&target, &run().exits(0).json(), "fixtures/personal_finance/expect/counts.json");
}

#[test]
fn aunoo_arrives_as_expected() {
    arrives("aunoo", &["target.sql"]);
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
    is_as_stated(&target, &report, "fixtures/personal_ai_agent/expect/admin_first.json");
}

#[test]
fn personal_finance_quarantines_its_hard_cases_as_expected() {
    sets_aside("personal_finance", &["target.sql"]);
}

#[test]
fn aunoo_quarantines_its_hard_cases_as_expected() {
    sets_aside("aunoo", &["target.sql"]);
}

#[test]
fn grant_finder_quarantines_its_hard_cases_as_expected() {
    sets_aside("grant_finder", &["target.sql", "before.sql"]);
}

#[test]
fn personal_ai_agent_quarantines_its_hard_cases_as_expected() {
    sets_aside("personal_ai_agent", &["target.sql"]);
}

#[test]
fn data_uploader_quarantines_its_hard_cases_as_expected() {
    sets_aside("data_uploader", &["target.sql"]);
}

/// Under quarantine every row of nasty.sql is carried or set aside as stated, children of refused rows among them.
fn sets_aside(system: &str, made_by: &[&str]) {
    let target = fixture(system, made_by);
    let place = Place::new();
    let run = place.migrate(["--yes", "--json", "--on-fault", "quarantine", "-m"]);
    let run = run.arg(repo(&format!("mappings/{system}.toml"))).args(["-t", &target.url()]);
    let run = run.arg("-s").arg(repo(&format!("fixtures/{system}/nasty.sql")));
    let report = run.env("ADMIN_PASSWORD_HASH", HASH).exits(6).json();
    let path = format!("fixtures/{system}/expect/nasty.json");
    let expected: Json = serde_json::from_str(&read_repo(&path)).expect("JSON");
    let file = place.read("migrate-faults.ndjson");
    let lines: Vec<Json> = file.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found: Vec<String> =
        lines.iter().flat_map(|line| list(&line["faults"]).iter().map(|f| found(line, f))).collect();
    let stated: Vec<String> = list(&expected["faults"]).iter().map(|f| stated(f, &expected)).collect();
    assert_eq!(sorted(found), sorted(stated));
    assert_eq!(report["fault_total"], expected["faults"].as_array().map_or(0, Vec::len));
    is_as_stated(&target, &report, &path);
    let seen: Vec<String> = list(&report["loads"]).iter().filter(|l| l["read"] != 0).map(load).collect();
    let loads = entries(&expected["loads"]).into_iter().filter(|(_, l)| l["read"] != 0);
    let loads = loads.map(|(name, l)| format!("{name}: {} {} {}", l["read"], l["written"], l["faults"]));
    assert_eq!(sorted(seen), sorted(loads.collect()), "{path}");
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
fn found(row: &Json, fault: &Json) -> String {
    let message = fault["message"].as_str().expect("a message");
    let constraint = message.split("(constraint ").nth(1).map(|rest| rest.split([',', ')']).next().unwrap_or(rest));
    let parent = &fault["parent"];
    let parent = parent.as_object().map(|p| format!("{} {}", text(&p["load"]), p["key"][0]));
    let constraint = constraint.unwrap_or("-");
    let (load, rowid, column, reason) = (text(&row["load"]), &row["rowid"], text(&fault["column"]), &fault["reason"]);
    format!("{load} {rowid} {column} {reason} {constraint} child of {}", parent.unwrap_or("-".to_owned()))
}

/// The same of a stated fault; it names its parent by a key that people know.
fn stated(fault: &Json, expected: &Json) -> String {
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
    is_as_stated(&target, &report, &format!("fixtures/{system}/expect/counts.json"));
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

fn is_as_stated(target: &Database, report: &Json, path: &str) {
    let expected: Json = serde_json::from_str(&read_repo(path)).expect(path);
    let mut wrong = Vec::new();
    rows(target, &expected, &mut wrong);
    sequences(target, report, &expected, &mut wrong);
    counted(report, &expected, &mut wrong);
    owners(report, &expected, &mut wrong);
    queries(target, &expected, &mut wrong);
    warnings(report, &expected, &mut wrong);
    for check in list(&report["checks"]).iter().filter(|check| check["verdict"] == "Differs") {
        wrong.push(check.to_string());
    }
    assert!(wrong.is_empty(), "{path}:\n{}", wrong.join("\n"));
}

fn rows(target: &Database, expected: &Json, wrong: &mut Vec<String>) {
    for (table, rows) in entries(&expected["target_rows"]) {
        let found = target.count(table);
        if rows.as_u64() != Some(found) {
            wrong.push(format!("{table}: {found} rows, {rows} are stated"));
        }
    }
}

/// Asked of the database, for every table; what the report says of those that the run touched must agree.
fn sequences(target: &Database, report: &Json, expected: &Json, wrong: &mut Vec<String>) {
    for (table, stated) in entries(&expected["sequences"]) {
        let name = target.value(&format!("SELECT pg_get_serial_sequence('{table}', 'id')"));
        let next =
            target.value(&format!("SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM {name}"));
        let max = target.value(&format!("SELECT coalesce(max(id), 0) FROM {table}"));
        if (next.parse().ok(), max.parse().ok()) != (stated["next"].as_i64(), stated["max"].as_i64()) {
            wrong.push(format!("{name}: max {max}, next {next}; stated {stated}"));
        }
        let said = list(&report["sequences"]).iter().find(|s| s["column"] == format!("{table}.id"));
        if said.is_some_and(|said| said["next"] != stated["next"]) {
            wrong.push(format!("{name}: the report says {}", said.unwrap_or(&Json::Null)));
        }
    }
    for said in list(&report["sequences"]).iter().filter(|said| said["verdict"] != "Same") {
        wrong.push(said.to_string());
    }
}

/// Losses, lookups and what stayed behind, as the report counts them.
fn counted(report: &Json, expected: &Json, wrong: &mut Vec<String>) {
    let stated = list(&expected["losses"]).iter().chain(list(&expected["harmless"]));
    for loss in stated {
        holds(&report["losses"], loss, &["load", "column", "modifier"], wrong);
    }
    let stated: Vec<&Json> = list(&expected["losses"]).iter().chain(list(&expected["harmless"])).collect();
    if list(&report["losses"]).len() != stated.len() {
        wrong.push(format!("losses that are not stated: {}", report["losses"]));
    }
    for lookup in list(&expected["lookups"]) {
        holds(&report["lookups"], lookup, &["load", "column"], wrong);
    }
    if list(&report["lookups"]).len() != list(&expected["lookups"]).len() {
        wrong.push(format!("lookups that are not stated: {}", report["lookups"]));
    }
    if list(&report["left"]).len() != entries(&expected["left"]).len() {
        wrong.push(format!("what stayed and is not stated: {}", report["left"]));
    }
    for (place, rows) in entries(&expected["left"]) {
        let (table, column) = place.split_once('.').map_or((place.as_str(), None), |(t, c)| (t, Some(c)));
        let is_it = |left: &&Json| left["table"] == table && left["column"].as_str() == column;
        let found = list(&report["left"]).iter().find(is_it).map(|left| &left["rows"]);
        if found != Some(rows) {
            wrong.push(format!("left {place}: {found:?}, {rows} are stated"));
        }
    }
}

/// The entry with these keys has everything that is stated of it.
fn holds(found: &Json, stated: &Json, keys: &[&str], wrong: &mut Vec<String>) {
    let entry = list(found).iter().find(|entry| keys.iter().all(|key| entry[*key] == stated[*key]));
    let differs = |entry: &Json| entries(stated).iter().any(|(key, value)| entry[key.as_str()] != **value);
    match entry {
        Some(entry) if !differs(entry) => {}
        other => wrong.push(format!("{stated} is stated, the report says {other:?}")),
    }
}

/// Rows per owner: all that is stated, and nothing else but noughts.
fn owners(report: &Json, expected: &Json, wrong: &mut Vec<String>) {
    let nothing = Json::Object(serde_json::Map::new());
    let name = |owner: &Json| owner["owner"].as_str().unwrap_or("null").to_owned();
    for owner in list(&report["owners"]) {
        let stated = expected["owners"].get(name(owner)).unwrap_or(&nothing);
        if counts(&owner["rows"]) != counts(stated) {
            wrong.push(format!("owner {}: {}, stated {stated}", name(owner), owner["rows"]));
        }
    }
    for (owner, _) in entries(&expected["owners"]) {
        if !list(&report["owners"]).iter().any(|found| name(found) == *owner) {
            wrong.push(format!("owner {owner} is stated and not in the report"));
        }
    }
}

fn counts(rows: &Json) -> Vec<(String, u64)> {
    let all = entries(rows).into_iter().map(|(table, rows)| (table.clone(), rows.as_u64().unwrap_or_default()));
    let mut some: Vec<_> = all.filter(|(_, rows)| *rows > 0).collect();
    some.sort();
    some
}

/// What is warned of, word for word: what a DELETE would take along, ids in text that go stale. Where the fault file lies
/// is none of it.
fn warnings(report: &Json, expected: &Json, wrong: &mut Vec<String>) {
    let all = list(&report["warnings"]).iter().filter(|w| w["place"] != "faults");
    let found: Vec<&Json> = all.collect();
    if found != list(&expected["warnings"]).iter().collect::<Vec<_>>() {
        wrong.push(format!("warnings: {found:#?}"));
    }
}

fn queries(target: &Database, expected: &Json, wrong: &mut Vec<String>) {
    for query in list(&expected["queries"]) {
        let sql = query["sql"].as_str().expect("sql");
        let found: Vec<Vec<Option<String>>> = target.rows(sql);
        let stated = list(&query["rows"]).iter();
        let stated: Vec<Vec<Option<String>>> =
            stated.map(|row| list(row).iter().map(|value| value.as_str().map(str::to_owned)).collect()).collect();
        if found != stated {
            wrong.push(format!("{sql}:\n  found  {found:?}\n  stated {stated:?}"));
        }
    }
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn entries(value: &Json) -> Vec<(&String, &Json)> {
    value.as_object().into_iter().flatten().collect()
}
