//! The wrong person: a number that means one person in the source and another on the target is refused, never shared.

use super::support::postgres::Database;
use super::support::tool::{Place, Ran};

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE); \
    CREATE TABLE notes (id serial PRIMARY KEY, user_id int REFERENCES users, text text);";

const SOURCE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER, text TEXT); \
    INSERT INTO users VALUES (1, 'ada'), (2, 'ben'); INSERT INTO notes VALUES (1, 1, 'of ada'), (2, 2, 'of ben'), (3, NULL, 'nobody''s');";

const HEAD: &str = "format = 1\nname = \"x\"\n[source]\npath = \"source.sql\"\n[owner]\ntable = \"users\"\nshow = \"name\"\n\
    [load.notes]\nowner = { carried = \"user_id\" }\n";

const LOOKUP: &str = "[load.notes.columns.user_id.lookup]\ntable = \"users\"\ntake = \"id\"\nsteps = [ { target = \"name\", source = \
    \"(SELECT name FROM users WHERE users.id = user_id)\" } ]\n";

const NEW_IDS: &str = "[load.users]\nconflict = { skip = [\"name\"] }\n[load.users.columns]\nid = { omit = true }\n";

fn run(before: &str, mapping: &str, exit: i32) -> (Database, Ran) {
    let target = Database::with(&format!("{TARGET}{before}"));
    let place = Place::new();
    place.write("source.sql", SOURCE);
    place.write("m.toml", format!("{HEAD}{mapping}"));
    let was = target.inventory();
    let ran = place.migrate(["--yes", "--json", "-m", "m.toml", "-t", &target.url()]).exits(exit);
    if exit == 3 {
        assert_eq!(target.inventory(), was, "a refusal writes nothing");
    }
    (target, ran)
}

fn whose(target: &Database) -> Vec<String> {
    let rows = target.rows("SELECT n.text, u.name FROM notes n LEFT JOIN users u ON u.id = n.user_id ORDER BY n.id");
    rows.into_iter()
        .map(|row| row.into_iter().map(|v| v.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(": "))
        .collect()
}

#[test]
fn an_id_that_is_somebody_elses_is_refused() {
    let mapping = "[load.users]\nexisting = \"append\"\nconflict = { skip = [\"name\"] }\n";
    let (_, ran) = run("INSERT INTO users VALUES (1, 'zoe');", mapping, 3);
    ran.says(&["load.users", "1 of its ids are taken on the target by somebody else (known by name)"]);
    assert!(!ran.said().contains("zoe") && !ran.said().contains("ada"), "no name stands in a message");
}

#[test]
fn a_person_who_is_there_under_another_id_is_refused() {
    let mapping = "[load.users]\nconflict = { skip = [\"name\"] }\n";
    let (_, ran) = run("INSERT INTO users VALUES (7, 'ada');", mapping, 3);
    ran.says(&["load.users", "1 of its rows are on the target already under another id (known by name)"]);
}

#[test]
fn the_same_person_under_the_same_id_is_carried() {
    let mapping = "[load.users]\nconflict = { skip = [\"name\"] }\n";
    let (target, _) = run("INSERT INTO users VALUES (1, 'ada');", mapping, 0);
    assert_eq!(whose(&target), ["of ada: ada", "of ben: ben", "nobody's: -"]);
}

#[test]
fn references_to_people_whom_no_load_brings_are_refused() {
    let mapping = "[leave]\nusers = \"they are there\"\n";
    let (_, ran) = run("INSERT INTO users VALUES (1, 'ada');", mapping, 3);
    ran.says(&["load.notes.columns.user_id", "1 rows refer to rows of `users` that were on the target before"]);
}

#[test]
fn ids_that_the_target_issues_anew_cannot_be_carried() {
    let (_, ran) = run("", &format!("{NEW_IDS}[leave]\nusers.id = \"new ones\"\n"), 3);
    ran.says(&["load.notes.columns.user_id", "the target issues these anew"]);
}

#[test]
fn people_with_new_ids_are_found_again_by_a_lookup() {
    let (target, ran) = run(
        "INSERT INTO users VALUES (1, 'zoe'), (2, 'ada'); SELECT setval('users_id_seq', 2);",
        &format!("{LOOKUP}{NEW_IDS}"),
        0,
    );
    assert_eq!(whose(&target), ["of ada: ada", "of ben: ben", "nobody's: -"]);
    let owners = ran.json()["owners"].clone();
    let names: Vec<&str> =
        owners.as_array().expect("owners").iter().map(|o| o["owner"].as_str().unwrap_or("-")).collect();
    assert!(names.contains(&"zoe"), "a user with no rows is in the report: {names:?}");
}
