//! Id collisions: an id that means one row in the source and another on the target is refused, never shared.

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE); \
    CREATE TABLE notes (id serial PRIMARY KEY, user_id int REFERENCES users, text text);";

const SOURCE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER, text TEXT); \
    INSERT INTO users VALUES (1, 'ada'), (2, 'ben'); INSERT INTO notes VALUES (1, 1, 'of ada'), (2, 2, 'of ben'), (3, NULL, 'unowned');";

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
fn an_id_of_another_person_is_refused() {
    let mapping = "[load.users]\nexisting = \"append\"\nconflict = { skip = [\"name\"] }\n";
    let (_, ran) = run("INSERT INTO users VALUES (1, 'zoe');", mapping, 3);
    ran.says(&["load.users", "1 of its ids are taken on the target by another owner (identified by name)"]);
    assert!(!ran.said().contains("zoe") && !ran.said().contains("ada"), "no name is in a message");
}

#[test]
fn a_person_who_exists_under_another_id_is_refused() {
    let mapping = "[load.users]\nconflict = { skip = [\"name\"] }\n";
    let (_, ran) = run("INSERT INTO users VALUES (7, 'ada');", mapping, 3);
    ran.says(&["load.users", "1 of its rows are on the target already under another id (identified by name)"]);
}

#[test]
fn the_same_person_under_the_same_id_is_accepted() {
    let mapping = "[load.users]\nconflict = { skip = [\"name\"] }\n";
    let (target, _) = run("INSERT INTO users VALUES (1, 'ada');", mapping, 0);
    assert_eq!(whose(&target), ["of ada: ada", "of ben: ben", "unowned: -"]);
}

#[test]
fn references_to_people_without_a_load_are_refused_unless_they_are_the_same() {
    let mapping = "[leave]\nusers = \"they are there\"\n";
    let (_, ran) = run("INSERT INTO users VALUES (1, 'zoe'), (2, 'ben');", mapping, 3);
    ran.says(&[
        "load.notes.columns.user_id",
        "1 rows refer to rows of `users` that existed on the target before this run",
    ]);
    // The same people by their names are the same people.
    let (target, _) = run("INSERT INTO users VALUES (1, 'ada'), (2, 'ben');", mapping, 0);
    assert_eq!(whose(&target), ["of ada: ada", "of ben: ben", "unowned: -"]);
}

#[test]
fn references_to_people_with_reissued_ids_are_refused() {
    let (_, ran) = run("", &format!("{NEW_IDS}[leave]\nusers.id = \"new ones\"\n"), 3);
    ran.says(&["load.notes.columns.user_id", "the target issues new ones"]);
}

#[test]
fn people_with_new_ids_are_found_by_a_lookup() {
    let (target, ran) = run(
        "INSERT INTO users VALUES (1, 'zoe'), (2, 'ada'); SELECT setval('users_id_seq', 2);",
        &format!("{LOOKUP}{NEW_IDS}"),
        0,
    );
    assert_eq!(whose(&target), ["of ada: ada", "of ben: ben", "unowned: -"]);
    let owners = ran.json()["owners"].clone();
    let names: Vec<&str> =
        owners.as_array().expect("owners").iter().map(|o| o["owner"].as_str().unwrap_or("-")).collect();
    assert!(names.contains(&"zoe"), "a user with no rows is in the report: {names:?}");
}

const SHELVES: &str = "CREATE TABLE shelves (id int PRIMARY KEY, code text UNIQUE, room int);
    CREATE TABLE books (id int PRIMARY KEY, shelf_id int REFERENCES shelves, title text);
    INSERT INTO shelves VALUES (1, 'A', 1), (2, 'B', 1), (3, 'C', 2)";

const BOOKS: &str = "CREATE TABLE books (id INTEGER PRIMARY KEY, shelf_id INTEGER, title TEXT);
    INSERT INTO books VALUES (10, 1, 'x'), (11, 3, 'y'), (12, NULL, 'z'), (13, 3, 'y')";

/// Books are carried; their shelves are there already, and no load writes them.
fn books(shelves_of_the_source: &str, target: &str, mapping: &str, exit: i32) -> (Case, serde_json::Value) {
    let leave = if shelves_of_the_source.is_empty() { "" } else { "[leave]\nshelves = \"they are there\"\n" };
    let case =
        Case::new(&format!("{BOOKS}; {shelves_of_the_source}"), target, &format!("{leave}[load.books]\n{mapping}"));
    let was = case.target.inventory();
    for args in [["--dry-run"], ["--yes"]] {
        let report = case.exits(exit, &args);
        if exit == 3 {
            assert_eq!(case.target.inventory(), was, "a refusal writes nothing");
            assert_eq!(report["refusals"].as_array().map(Vec::len), Some(1), "{report}");
        }
    }
    let report = case.exits(exit, &["--yes"]);
    (case, report)
}

#[test]
fn a_parent_without_a_load_is_matched_only_by_its_natural_key() {
    let same = "CREATE TABLE shelves (id INTEGER PRIMARY KEY, code TEXT, colour TEXT); INSERT INTO shelves VALUES (1, 'A', 'red'), (2, 'other', ''), (3, 'C', 'blue')";
    let (case, _) = books(same, SHELVES, "", 0);
    assert_eq!(case.target.value("SELECT string_agg(shelf_id::text, ' ' ORDER BY id) FROM books"), "1 3 3");
    let (_, report) = books(&same.replace("3, 'C'", "3, 'D'"), SHELVES, "", 3);
    let refusal = &report["refusals"][0];
    assert!(refusal["place"].as_str().unwrap().starts_with("load.books.columns.shelf_id"), "{refusal}");
    let reason = refusal["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("2 rows refer to rows of `shelves` that existed on the target before this run"),
        "{reason}"
    );
}

#[test]
fn a_parent_without_a_load_and_without_a_natural_key_is_refused() {
    books("", SHELVES, "", 3);
    let nameless = SHELVES.replace("text UNIQUE", "text");
    let same =
        "CREATE TABLE shelves (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO shelves VALUES (1, 'A'), (3, 'C')";
    books(same, &nameless, "", 3);
    let other =
        "CREATE TABLE shelves (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO shelves VALUES (1, 'A'), (3, 'C')";
    books(other, SHELVES, "", 3);
    // Where nothing was there, they are orphans like any others; where the value is a name, it means itself.
    let lookup = "[load.books.columns.shelf_id.lookup]\ntable = \"shelves\"\ntake = \"id\"\n\
                  steps = [ { target = \"id\", source = \"shelf_id\" } ]\n";
    books("", SHELVES, lookup, 0);
}

#[test]
fn references_to_parents_with_reissued_ids_are_refused() {
    let source = format!(
        "{BOOKS}; CREATE TABLE shelves (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO shelves VALUES (1, 'A'), (3, 'C')"
    );
    let target = "CREATE TABLE shelves (id serial PRIMARY KEY, code text UNIQUE); CREATE TABLE books (id int PRIMARY KEY, \
        shelf_id int REFERENCES shelves, title text)";
    let mapping = "[leave]\nshelves.id = \"new ones\"\n[load.shelves.columns]\nid = { omit = true }\n[load.books]\n";
    let case = Case::new(&source, target, mapping);
    let report = case.exits(3, &["--yes"]);
    assert!(report["refusals"][0]["place"].as_str().unwrap().starts_with("load.books.columns.shelf_id"), "{report}");
    assert!(
        report["refusals"][0]["reason"].as_str().unwrap().contains("the rows would refer to other rows of `shelves`")
    );
}

const PROJECTS: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE projects (owner_id int REFERENCES users, id bigint, name text, PRIMARY KEY (owner_id, id), UNIQUE (owner_id, name));
    CREATE TABLE tasks (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES users, project_id int,
                        FOREIGN KEY (owner_id, project_id) REFERENCES projects);
    INSERT INTO users (name) VALUES ('ada'), ('ben')";

const TASKS: &str =
    "CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER); INSERT INTO tasks VALUES (1, 5), (2, NULL)";

const ADA: &str =
    "[owner]\ntable = \"users\"\nkey = \"id\"\nmatch = { name = \"ada\" }\n[load.tasks]\nowner = \"owner_id\"\n";

#[test]
fn a_number_in_a_composite_key_is_refused_if_the_whole_key_is_another_row() {
    let target = format!("{PROJECTS}; INSERT INTO projects VALUES (1, 5, 'Other project')");
    let case = Case::new(TASKS, &target, ADA);
    let report = case.exits(3, &["--yes"]);
    let refusal = &report["refusals"][0];
    assert!(refusal["place"].as_str().unwrap().starts_with("load.tasks.columns.project_id"), "{refusal}");
    assert!(refusal["reason"].as_str().unwrap().starts_with("1 rows refer to rows of `projects`"), "{refusal}");
}

#[test]
fn the_same_number_of_another_owner_is_accepted() {
    let source = format!(
        "{TASKS}; CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO projects VALUES (5, 'Mine')"
    );
    let mapping = format!("{ADA}[load.projects]\nowner = \"owner_id\"\nexisting = \"append\"\n");
    let target = format!("{PROJECTS}; INSERT INTO projects VALUES (2, 5, 'Of ben')");
    let new = mapping.replace("{ name = \"ada\" }", "{ name = \"eve\" }\ncreate = {}");
    for (mapping, owner) in [(&mapping, "ada"), (&new, "eve")] {
        let case = Case::new(&source, &target, mapping);
        case.exits(0, &["--yes"]);
        let hangs_on = "SELECT p.name || ' of ' || u.name FROM tasks t JOIN projects p ON (p.owner_id, p.id) = (t.owner_id, t.project_id)
                        JOIN users u ON u.id = p.owner_id";
        assert_eq!(case.target.value(hangs_on), format!("Mine of {owner}"));
    }
    let case = Case::new(&source, &target.replace("(2, 5, 'Of ben')", "(1, 5, 'Other')"), &mapping);
    let report = case.exits(3, &["--yes"]);
    let reason = report["refusals"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("1 of its ids are taken on the target by another row (identified by owner_id, name)"),
        "{reason}"
    );
}

#[test]
fn a_load_sent_as_text_obeys_the_same_rules() {
    let source = format!("{BOOKS}; ALTER TABLE books ADD COLUMN place TEXT; UPDATE books SET place = '(1,2)'");
    let target = SHELVES.replace("title text", "title text, place point");
    let case = Case::new(&source, &target, "[load.books]\n");
    let report = case.exits(3, &["--yes"]);
    let reason = report["refusals"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("3 rows refer to rows of `shelves` that existed on the target before this run"),
        "{reason}"
    );
}

#[test]
fn a_skip_by_id_over_another_row_is_refused_and_over_the_same_row_is_not() {
    let source =
        "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO roles VALUES (1, 'admin'), (2, 'user');
        CREATE TABLE member (id INTEGER PRIMARY KEY, role_id INTEGER); INSERT INTO member VALUES (1, 1)";
    let target = "CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL UNIQUE); INSERT INTO roles (name) VALUES ('user');
        CREATE TABLE member (id serial PRIMARY KEY, role_id int NOT NULL REFERENCES roles)";
    let roles = "[load.roles]\nexisting = \"append\"\nconflict = { skip = [\"id\"] }\n";
    let (member, alone) = (format!("{roles}[load.member]\n"), format!("[leave]\nmember = \"old\"\n{roles}"));
    let plain = target.replace(" UNIQUE", "");
    let same = target.replace("('user')", "('admin')");
    for (mapping, says) in [
        (&member, "1 of its ids are taken on the target by another row"),
        (&alone, "`conflict` skips 1 of its rows, because the target has other rows under their id"),
    ] {
        for target in [target, &plain] {
            Case::new(source, target, mapping).refused(&["load.roles", says]);
        }
        for target in [&same, &plain.replace("('user')", "('admin')")] {
            let case = Case::new(source, target, mapping);
            case.done();
            assert_eq!(case.rows("SELECT id, name FROM roles ORDER BY id"), ["1 admin", "2 user"]);
        }
    }
}
