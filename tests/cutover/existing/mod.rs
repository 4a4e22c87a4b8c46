//! Rows that the target holds before the run: `existing` at a load and in `[defaults]`.

mod forgotten;
mod matching;
mod model;
mod replace;
mod resume;

use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL); INSERT INTO roles VALUES (1, 'admin'), (2, 'user'); \
    CREATE TABLE tags (id INTEGER PRIMARY KEY, tag TEXT); INSERT INTO tags VALUES (5, 'red'), (6, 'blue'), (7, 'red');";

const TARGET: &str = "CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL); CREATE TABLE tags (id serial PRIMARY KEY, tag text); \
    INSERT INTO roles (name) VALUES ('user'), ('admin'), ('guest'); INSERT INTO tags (tag) VALUES ('green');";

#[test]
fn one_refusal_lists_every_table_with_rows_and_the_three_choices() {
    let case = Case::new(SOURCE, TARGET, "[load.roles]\n[load.tags]\n");
    case.refused(&[
        "2 tables of schema public have rows: roles (3 rows), tags (1 row)",
        "existing = \\\"append\\\"",
        "\\\"replace\\\"",
        "\\\"match\\\"",
        "in [defaults] for all",
    ]);
    let report = case.exits(3, &["--dry-run"]);
    assert_eq!(report["refusals"].as_array().map(Vec::len), Some(1), "{report}");
    let one = Case::new(SOURCE, TARGET, "[load.roles]\nexisting = \"replace\"\n[load.tags]\n");
    one.refused(&["load.tags", "public.tags has rows: 1 row", "Write one of three choices in the load"]);
}

#[test]
fn append_in_the_defaults_holds_for_every_load_that_states_nothing_else() {
    let mapping = "[defaults]\nexisting = \"append\"\n[load.tags]\n[load.roles]\nwhen = \"empty\"\n";
    let case = Case::new(SOURCE, TARGET, mapping);
    let dry = case.exits(0, &["--dry-run"]);
    let report = case.done();
    assert_eq!(case.rows("SELECT id, tag FROM tags ORDER BY 1"), ["1 green", "5 red", "6 blue", "7 red"]);
    assert_eq!(case.rows("SELECT name FROM roles ORDER BY id"), ["user", "admin", "guest"]);
    for report in [dry, report] {
        let held = serde_json::json!([
            {"table": "public.roles", "rows": 3, "treatment": "leave", "equal": null, "kept": null, "written_over": null},
            {"table": "public.tags", "rows": 1, "treatment": "append", "equal": null, "kept": null, "written_over": null}
        ]);
        assert_eq!(report["existing"], held, "{report}");
        // Rows that a load leaves because the table is not empty are counted and listed.
        let left = &report["left"][0];
        assert_eq!((&left["table"], &left["rows"]), (&"roles".into(), &2.into()), "{report}");
        assert!(left["reason"].as_str().is_some_and(|why| why.contains("roles holds 3 rows")), "{left}");
    }
    case.exits(0, &["--yes"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT id, tag FROM tags ORDER BY 1"), ["1 green"]);
}

#[test]
fn a_treatment_that_contradicts_another_key_is_refused() {
    for (load, says) in [
        ("existing = \"replace\"\nwhen = \"empty\"\n", "the load runs only if the table is empty"),
        ("existing = \"match\"\nconflict = { skip = [\"id\"] }\n", "`conflict` skips them"),
    ] {
        let mapping = format!("[load.roles]\n{load}[load.tags]\nexisting = \"append\"\n");
        Case::new(SOURCE, TARGET, &mapping).refused(&["load.roles.existing", says]);
    }
    let two = "[load.roles]\nexisting = \"replace\"\n[load.more]\nto = \"roles\"\nfrom = \"roles\"\nexisting = \"append\"\n\
        [leave]\ntags = \"not needed\"\n";
    Case::new(SOURCE, TARGET, two).refused(&["load.more.existing", "another load states another treatment"]);
    let case = Case::new(SOURCE, TARGET, "[load.roles]\nexisting = \"keep\"\n[load.tags]\n");
    case.command(&["--dry-run"]).exits(2).says(&["load.roles", "existing is \"append\", \"replace\", \"match\" or"]);
}
