//! References without a foreign key to rows whose ids change: refused until the mapping states what they are.

use serde_json::Value;

use crate::support::case::{Case, faults};

const SOURCE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER, writer TEXT, paid_by INTEGER, tags TEXT, stars INTEGER, size INTEGER,
                        kind TEXT, item TEXT, boss INTEGER REFERENCES users);
    INSERT INTO users VALUES (1, 'ann'), (2, 'ben'), (3, 'cem'), (4, 'dia');
    INSERT INTO notes VALUES (11, 1, '1', 3, '{\"user_id\": 4, \"n\": 1}', 1, 100, 'x', 'y', 4),
                             (12, 9, '2', 0, '{\"user\": {\"id\": 2}}', 2, 7, 'x', 'y', NULL),
                             (13, NULL, '4', NULL, '{\"colour\": 12}', 3, 2, 'x', 'z', NULL);";

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text);
    CREATE TABLE notes (id int PRIMARY KEY, user_id int, writer text, paid_by int, tags jsonb, stars int, size int, kind text, item text,
                        boss int);
    INSERT INTO users (name) VALUES ('there'), ('too');";

const SHIFTED: &str = "[load.users]\nexisting = \"append\"\nids = \"shift\"\n[load.notes]\n";

/// The place, reason and advice of every refusal, and the messages of every warning.
fn said(report: &Value) -> (Vec<String>, Vec<String>) {
    let text = |value: &Value, keys: &[&str]| {
        keys.iter().map(|key| value[*key].as_str().expect("words").to_owned()).collect::<Vec<_>>().join(": ")
    };
    let of = |list: &str, keys: &[&str]| {
        report[list].as_array().expect("a list").iter().map(|one| text(one, keys)).collect::<Vec<_>>()
    };
    (of("refusals", &["place", "reason", "advice"]), of("warnings", &["place", "message"]))
}

#[track_caller]
fn has(all: &[String], parts: &[&str]) {
    assert!(all.iter().any(|one| parts.iter().all(|part| one.contains(part))), "{parts:?} in {all:#?}");
}

#[test]
fn a_column_that_looks_like_a_reference_by_name_and_values_is_refused() {
    let case = Case::new(SOURCE, TARGET, SHIFTED);
    let before = case.target.inventory();
    for way in ["--dry-run", "--yes"] {
        let (refusals, warnings) = said(&case.exits(3, &[way]));
        has(
            &refusals,
            &["notes.columns.user_id", "1 of 2 different values", "`refers = \"users\"`", "`refers = false`"],
        );
        has(&refusals, &["notes.columns.paid_by", "reference to `users`", "1 of 1"]);
        has(&refusals, &["notes.columns.boss", "reference to `users`"]);
        has(&refusals, &["notes.columns.tags", "JSON member `user_id`", "refers = false"]);
        has(&refusals, &["notes.columns.tags", "JSON member `user_id`", "2 of 2"]);
        assert_eq!(refusals.len(), 4, "{refusals:#?}");
        has(&warnings, &["notes.columns.stars", "notes.columns.writer"]);
        assert!(!warnings.iter().any(|one| one.contains("columns.size")), "{warnings:#?}");
    }
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn the_mapping_states_what_each_column_is() {
    let stated = "[load.notes.columns]\nuser_id = { refers = false }\nwriter = { refers = \"users\" }\ntags = { refers = false }\n\
                  paid_by = { refers = \"users\" }\nboss = { refers = \"users\" }\nstars = { refers = false }\n";
    let case = Case::new(SOURCE, TARGET, &format!("{SHIFTED}{stated}"));
    let (_, warnings) = said(&case.done());
    assert_eq!(warnings, Vec::<String>::new());
    let rows = case.rows("SELECT id, user_id, writer, paid_by, stars, boss, tags ->> 'user_id' FROM notes ORDER BY id");
    assert_eq!(rows, ["11 1 3 5 1 6 4", "12 9 4 2 2 - -", "13 - 6 - 3 - -"]);
    case.exits(0, &["--yes"]);
    case.place.migrate(["verify", "-t", &case.target.url()]).exits(0);
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.rows("SELECT count(*) FROM notes"), ["0"]);
}

#[test]
fn without_ids_that_change_nothing_is_judged() {
    let target = TARGET.split("INSERT").next().expect("tables");
    let report = Case::new(SOURCE, target, SHIFTED).done();
    assert_eq!(said(&report), (Vec::new(), Vec::new()));
    let kept = Case::new(SOURCE, target, "[load.users]\n[load.notes]\n").done();
    assert_eq!(said(&kept), (Vec::new(), Vec::new()));
}

#[test]
fn references_to_matched_and_to_issued_rows_are_refused_too() {
    let target = TARGET.replace("name text)", "name text NOT NULL UNIQUE)").replace("'there'", "'cem'");
    let matched = "[load.users]\nexisting = \"match\"\n[load.notes]\n";
    let (refusals, _) = said(&Case::new(SOURCE, &target, matched).exits(3, &["--yes"]));
    has(&refusals, &["notes.columns.user_id", "`refers = \"users\"`"]);
    let stated = "[load.notes.columns]\nuser_id = { refers = false }\npaid_by = { refers = false }\nboss = { refers = \"users\" }\n\
                  tags = { refers = false }\n";
    let case = Case::new(SOURCE, &target, &format!("{matched}{stated}"));
    case.done();
    assert_eq!(case.rows("SELECT name FROM users JOIN notes ON users.id = boss"), ["dia"]);
    let issued = "[leave]\nusers.id = \"new ones\"\n[load.users]\nexisting = \"append\"\n[load.users.columns]\nid = { omit = true }\n[load.notes]\n";
    let (refusals, _) = said(&Case::new(SOURCE, TARGET, issued).exits(3, &["--dry-run"]));
    has(&refusals, &["notes.columns.user_id", "Feed it by a `lookup`", "`refers = false`"]);
    let said_wrong = format!("{issued}[load.notes.columns]\nuser_id = {{ refers = \"users\" }}\n");
    let (refusals, _) = said(&Case::new(SOURCE, TARGET, &said_wrong).exits(3, &["--dry-run"]));
    has(&refusals, &["notes.columns.user_id.refers", "a sequence issues the ids of `users`"]);
}

#[test]
fn a_type_that_the_mapping_does_not_list_is_a_fault_of_its_row() {
    let source = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'ann');
        CREATE TABLE logs (id INTEGER PRIMARY KEY, item_type TEXT, item_id INTEGER);
        INSERT INTO logs VALUES (1, 'user', 1), (2, 'page', 1), (3, NULL, 1), (4, NULL, NULL), (5, 'place', 70);";
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text); INSERT INTO users (name) VALUES ('there');
        CREATE TABLE logs (id int PRIMARY KEY, item_type text, item_id int);";
    let mapping =
        |columns: &str| format!("[load.users]\nexisting = \"append\"\nids = \"shift\"\n[load.logs]\n{columns}");
    let (refusals, _) = said(&Case::new(source, target, &mapping("")).exits(3, &["--yes"]));
    has(&refusals, &["logs.columns.item_id", "refers = { by = \"item_type\", \"TYPE\" = \"users\" }"]);
    let by = "[load.logs.columns]\nitem_id = { refers = { by = \"item_type\", user = \"users\", place = false } }\n";
    let case = Case::new(source, target, &mapping(by));
    let found: Vec<String> =
        faults(&case.exits(3, &["--dry-run"])).iter().map(|f| format!("{} {}", f.1, f.3)).collect();
    assert_eq!(found, ["2 unknown-type", "3 unknown-type"]);
    case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(case.rows("SELECT id, item_id FROM logs ORDER BY id"), ["1 2", "4 -", "5 70"]);
    let wrong = "[load.logs.columns]\nitem_id = { refers = { by = \"item_typ\", user = \"usrs\" } }\n";
    let (refusals, _) = said(&Case::new(source, target, &mapping(wrong)).exits(3, &["--dry-run"]));
    has(&refusals, &["logs.columns.item_id.refers", "no column `item_typ`", "item_type"]);
    has(&refusals, &["logs.columns.item_id.refers", "no table `usrs`", "users"]);
}

#[test]
fn a_text_that_is_no_id_or_has_no_room_for_the_shifted_one_is_a_fault() {
    let source = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'ann'), (95, 'ben');
        CREATE TABLE logs (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO logs VALUES (1, '1'), (2, 'x'), (3, '95'), (4, '007');";
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text); INSERT INTO users SELECT nextval('users_id_seq') FROM generate_series(1, 9);
        CREATE TABLE logs (id int PRIMARY KEY, who varchar(2));";
    let mapping = "[load.users]\nexisting = \"append\"\nids = \"shift\"\n[load.logs]\n[load.logs.columns]\nwho = { refers = \"users\", truncate = true }\n";
    let case = Case::new(source, target, mapping);
    let found: Vec<String> =
        faults(&case.exits(3, &["--dry-run"])).iter().map(|f| format!("{} {}", f.1, f.3)).collect();
    assert_eq!(found, ["2 not-an-id", "3 too-long", "4 not-an-id"]);
}
