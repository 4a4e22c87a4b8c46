//! Another session changes the target while it is migrated or verified: the report says what happened.

use serde_json::Value;

use crate::support::case::Case;
use crate::support::tool::Ran;

fn differing(report: &Value, check: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks").iter();
    let found = checks.filter(|c| c["check"] == check && c["verdict"] == "Differs");
    found.map(|c| c["why"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_table_altered_between_catalogue_and_rows_is_reported_as_altered() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, n int)", "[load.t]\n");
    case.done();
    let mut client = case.target.client();
    let mut alter = client.transaction().expect("a transaction");
    alter.batch_execute("ALTER TABLE t ALTER n TYPE bigint").expect("altered");
    let url = case.target.url();
    let child = case.place.migrate(["verify", "--json", "-t", &url]).spawn();
    // The catalogue is read already; the first question about rows waits for the lock.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock' \
                   AND datname = current_database()";
    while case.target.value(waiting) == "0" {
        std::thread::yield_now();
    }
    alter.commit().expect("committed");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 5, "{}", ran.said());
    let whys = differing(&ran.json(), "content");
    assert!(whys[0].starts_with("another session altered n while this verification read the table"), "{whys:?}");
    let report = case.place.migrate(["verify", "--json", "-t", &url]).exits(0).json();
    assert_eq!(differing(&report, "content"), Vec::<String>::new());
}

#[test]
fn rows_that_a_trigger_of_the_owner_adds_are_foreseen_and_traced_to_it() {
    let source =
        "CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO categories VALUES (1, 'mine')";
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE);
        CREATE TABLE categories (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, name text);
        CREATE FUNCTION defaults() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO public.categories VALUES (900, NEW.id, ''default''); RETURN NULL; END';
        CREATE TRIGGER new_user AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION defaults();
        CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION defaults()";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\ncreate = {}\n[load.categories]\nowner = \"user_id\"\n";
    let case = Case::new(source, target, mapping);
    let report = case.exits(0, &["--dry-run"]);
    let warnings = report["warnings"].as_array().expect("warnings");
    let place = warnings.iter().find(|w| w["place"].as_str().is_some_and(|place| place.starts_with("owner.create")));
    let warned = place.and_then(|warning| warning["message"].as_str()).unwrap_or_default().to_owned();
    assert!(warned.starts_with("new_user of `users` runs if the run makes the owner's row"), "{warnings:?}");
    let report = case.exits(5, &["--yes"]);
    assert_eq!(
        differing(&report, "rows"),
        ["new_user of users ran when the run made the owner's row, and may have added rows"]
    );
    // With an owner that exists, the trigger does not run.
    let case = Case::new(
        source,
        &format!(
            "{target}; ALTER TABLE users DISABLE TRIGGER ALL; INSERT INTO users (name) VALUES ('ann'); \
        ALTER TABLE users ENABLE TRIGGER ALL"
        ),
        mapping,
    );
    case.done();
}
