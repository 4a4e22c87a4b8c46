//! Checks of owners and sequences in a report, and its warnings.

use super::{entry, mapped};

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); \
    INSERT INTO users (name) VALUES ('idle'), ('ada'); \
    CREATE TABLE notes (id serial PRIMARY KEY, text text, user_id int REFERENCES users ON DELETE CASCADE); \
    CREATE TABLE pages (id serial PRIMARY KEY, note_id int REFERENCES notes ON DELETE CASCADE); \
    CREATE TABLE marks (id serial PRIMARY KEY, page_id int REFERENCES pages); \
    CREATE TABLE others (id serial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE);";

const SOURCE: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT); CREATE TABLE pages (id INTEGER PRIMARY KEY, note_id INT); \
    CREATE TABLE marks (id INTEGER PRIMARY KEY, page_id INT); INSERT INTO notes VALUES (4, 'a'), (6, 'b'), (9, 'deleted'); DELETE FROM notes WHERE id = 9; \
    INSERT INTO pages VALUES (1, 4), (2, 6), (3, 6); INSERT INTO marks VALUES (7, 3);";

const MAPPING: &str = "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\n[load.notes]\nowner = \"user_id\"\n\
    [load.pages]\nowner = { through = \"note_id\" }\n[load.marks]\nowner = { through = \"page_id\" }\n";

#[test]
fn cascades_of_a_deleted_owner_are_reported_once_per_table() {
    let report = mapped(SOURCE, TARGET, MAPPING).done();
    let warnings = report["warnings"].as_array().expect("warnings").iter();
    let said: Vec<&str> = warnings.filter_map(|w| w["message"].as_str()).filter(|m| m.contains("CASCADE")).collect();
    // Not `marks`, whose key does not cascade, nor `others`, which no load writes to.
    assert_eq!(said, ["deleting the owner later deletes its rows in notes, pages too (ON DELETE CASCADE)"]);
}

#[test]
fn rows_are_counted_for_every_owner_and_for_none() {
    let report = mapped(SOURCE, TARGET, MAPPING).done();
    let rows = |owner: &str| entry(&report, "owners", "owner", owner)["rows"].clone();
    assert_eq!(rows("ada"), serde_json::json!({ "notes": 2, "pages": 3, "marks": 1 }));
    assert_eq!(rows("idle"), serde_json::json!({}));
    assert_eq!(report["owners"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_sequence_continues_after_the_rows_and_the_source_counter() {
    let case = mapped(SOURCE, TARGET, MAPPING);
    let report = case.done();
    let of = |column: &str| {
        let sequence = entry(&report, "sequences", "column", column);
        (sequence["max"].as_i64(), sequence["next"].as_i64(), sequence["verdict"].as_str())
    };
    assert_eq!(of("notes.id"), (Some(6), Some(10), Some("Same")));
    assert_eq!(of("pages.id"), (Some(3), Some(4), Some("Same")));
    assert_eq!(case.target.value("SELECT nextval('notes_id_seq')"), "10");
    // A table that no load writes to keeps its sequence as it was.
    assert_eq!(case.target.value("SELECT last_value || ' ' || is_called FROM others_id_seq"), "1 false");
}

#[test]
fn changed_ids_inside_text_cause_a_warning_with_counts_only() {
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, path TEXT); INSERT INTO notes VALUES \
        (4, 'note 4', 'files/4/a.txt'), (6, 'b6', 'files/6/b.txt'), (7, 'x', 'files/70/c.txt'), (8, 'y', NULL), (9, 'z', 'secret-9-word');";
    let target =
        "CREATE TABLE notes (id serial PRIMARY KEY, text text, path text); INSERT INTO notes (text) VALUES ('there');";
    let shifted = "[load.notes]\nowner = false\nexisting = \"append\"\nids = \"shift\"\n";
    let case = mapped(source, target, shifted);
    let dry = case.command(&["--json", "--dry-run"]).exits(0).json();
    let report = case.done();
    for report in [&dry, &report] {
        let warnings = report["warnings"].as_array().expect("warnings");
        assert_eq!(warnings.len(), 1, "one text of five is chance: {warnings:?}");
        assert_eq!(warnings[0]["place"], "load.notes.columns.path (line 6)");
        let message = warnings[0]["message"].as_str().expect("words");
        assert!(message.starts_with("3 of 4 texts contain the source's `id` as a number"), "{message}");
        assert!(!report.to_string().contains("secret"));
    }
    let anew = "[leave]\nnotes.id = \"new ones\"\n[load.notes]\nowner = false\nexisting = \"append\"\n[load.notes.columns]\nid = { omit = true }\n";
    let report = mapped(source, target, anew).done();
    entry(&report, "warnings", "place", "load.notes.columns.path (line 11)");
    let same = mapped(source, "CREATE TABLE notes (id serial PRIMARY KEY, text text, path text)", shifted).done();
    assert_eq!(same["warnings"].as_array().map(Vec::len), Some(0), "nothing is shifted into an empty table");
}
