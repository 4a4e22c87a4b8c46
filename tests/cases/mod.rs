//! Shapes of real applications, each a folder: `source.sql`, `target.sql`, `migrate.toml`, and the rows of the target afterwards
//! in `want.sql`. Every cell is compared. A rollback restores every row and sequence. Each folder runs with the mapping of a
//! person, and with the mapping that `init` proposes for the pair and `answers.txt` completes.

mod answers;
mod refused;

use std::collections::BTreeMap;

use crate::init::is_sound;
use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::{read_repo, repo};

use answers::Answers;

/// Each row of each table of a schema as text, sorted.
fn rows(target: &Database, schema: &str) -> BTreeMap<String, Vec<String>> {
    let tables =
        format!("SELECT relname::text FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'");
    let tables = target.rows(&tables).into_iter().flatten().flatten();
    let of = |table: &str| {
        let sql = format!("SELECT row_of::text FROM {schema}.\"{table}\" AS row_of ORDER BY 1");
        target.rows(&sql).into_iter().flatten().flatten().collect()
    };
    tables.map(|table| (table.clone(), of(&table))).collect()
}

/// The next number of each sequence.
fn next_numbers(target: &Database) -> Vec<String> {
    let names = "SELECT seqrelid::regclass::text, seqincrement::text FROM pg_sequence s JOIN pg_class c ON c.oid = seqrelid \
                 WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
    let next = |row: Vec<Option<String>>| {
        let (name, step) = (row[0].clone().expect("a name"), row[1].clone().expect("a number"));
        let sql = format!("SELECT last_value + CASE WHEN is_called THEN {step} ELSE 0 END FROM {name}");
        format!("{name} {}", target.value(&sql))
    };
    target.rows(names).into_iter().map(next).collect()
}

/// Folders whose proposal needs more than answers to its open questions: the number of lines that are added or changed, and why.
const MORE_THAN_ANSWERS: &[(&str, usize, &str)] = &[
    ("content_types", 1, "a finding of the dry run: which side wins where a matched row differs"),
    ("empty_strings", 2, "'' is a value of a text column; that it means NULL shows in a duplicate and an orphan"),
    ("first_start_rows", 2, "findings of the dry run: which side wins where a matched row differs"),
    ("guid_spellings", 1, "a finding of the dry run: two spellings of one key, of which one row is kept"),
    ("orphans", 2, "findings of the dry run: what becomes of a reference to a missing row is a permitted loss"),
    ("references_by_type", 7, "rows are appended, so that ids shift; a column that names a type has no foreign key"),
    ("tenant_text_ids", 3, "a finding of the dry run: ids of another tenant, which only the application can rename"),
    ("texts_as_bytes", 1, "a finding of the dry run: which side wins where a matched row differs"),
];

/// The script of a folder.
fn file(name: &str, file: &str) -> String {
    read_repo(&format!("tests/cases/{name}/{file}"))
}

/// Source and target of a folder. The source is both a database file and the SQL that made it.
fn pair(name: &str) -> Case {
    let unchecked = format!("PRAGMA foreign_keys = OFF; {}", file(name, "source.sql"));
    let case = Case::new(&unchecked, &file(name, "target.sql"), "");
    case.place.write("source.sql", file(name, "source.sql"));
    case
}

/// Dry run, cutover and rollback with the mapping that the folder of the case has. Returns the report of the cutover.
#[track_caller]
fn arrives(name: &str, case: &Case, code: i32) -> serde_json::Value {
    let before = (rows(&case.target, "public"), next_numbers(&case.target));
    case.exits(code, &["--dry-run"]);
    assert_eq!((rows(&case.target, "public"), next_numbers(&case.target)), before, "a dry run writes nothing");
    let report = case.exits(code, &["--yes"]);
    let arrived = rows(&case.target, "public");
    let copy = case.target.copy();
    copy.run(&format!("SET timezone = 'UTC'; CREATE SCHEMA want; {}", file(name, "want.sql")));
    for (table, wanted) in rows(&copy, "want") {
        assert_eq!(arrived[&table], wanted, "{name}: {table}");
    }
    if repo(&format!("tests/cases/{name}/probe.sql")).exists() {
        let found: Vec<String> =
            copy.rows(&file(name, "probe.sql")).into_iter().flatten().map(|v| v.unwrap_or("-".to_owned())).collect();
        assert_eq!(found.join("|"), file(name, "probe.want").trim(), "{name}");
    }
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    assert_eq!(
        (rows(&case.target, "public"), next_numbers(&case.target)),
        before,
        "{name}: a rollback restores everything"
    );
    report
}

/// The folder's own mapping reaches the wanted rows, and so does the proposal with that many answers to its questions and the
/// further lines of [`MORE_THAN_ANSWERS`]. Returns the report of the first.
#[track_caller]
fn both_arrive(name: &str, code: i32, answers: usize) -> serde_json::Value {
    let case = pair(name);
    let mapping = file(name, "migrate.toml");
    case.place.write("migrate.toml", &mapping);
    let report = arrives(name, &case, code);
    let case = pair(name);
    let source = if mapping.contains("\"source.sql\"") { "source.sql" } else { "source.db" };
    case.place.migrate(["init", "-s", source, "-t", &case.target.url(), "-o", "proposed.toml"]).exits(0);
    is_sound(&case.place, &["-s", source, "-t", &case.target.url()], "proposed.toml");
    let answered = Answers::of(&file(name, "answers.txt")).applied(&case.place.read("proposed.toml"));
    let more = MORE_THAN_ANSWERS.iter().find(|(folder, ..)| *folder == name).map_or(0, |(_, more, _)| *more);
    assert_eq!((answered.answers, answered.more), (answers, more), "{name}: answers, further lines");
    case.place.write("migrate.toml", answered.text);
    arrives(name, &case, code);
    report
}

/// The folder's own mapping reaches the wanted rows. The proposal of `init` is refused with these words.
#[track_caller]
fn own_arrives(name: &str, code: i32, refusal: &str) {
    let case = pair(name);
    case.place.write("migrate.toml", file(name, "migrate.toml"));
    arrives(name, &case, code);
    let case = pair(name);
    case.place.migrate(["init", "-s", "source.db", "-t", &case.target.url(), "-o", "proposed.toml"]).exits(0);
    let before = case.target.inventory();
    let ran = case.place.migrate(["--yes", "--json", "-m", "proposed.toml", "-t", &case.target.url()]).exits(3);
    ran.says(&[refusal]);
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn every_folder_is_run_by_a_test() {
    let tests = read_repo("tests/cases/mod.rs");
    let folders =
        std::fs::read_dir(repo("tests/cases")).expect("a folder").map(|entry| entry.expect("an entry").path());
    for folder in folders.filter(|path| path.is_dir()) {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let is_run = |by: &str| tests.contains(&format!("{by}(\"{name}\", "));
        assert!(is_run("both_arrive") || is_run("own_arrives"), "{name}");
    }
}

#[test]
fn sequences_that_no_column_names_continue_after_their_rows() {
    let report = both_arrive("free_sequences", 0, 3);
    let by: Vec<String> =
        report["sequences"].as_array().expect("sequences").iter().map(|s| s["by"].to_string()).collect();
    assert_eq!(by.join(" "), "\"name\" \"mapping\" \"mapping\" \"mapping\" \"nothing\"", "{report}");
}

#[test]
fn several_forms_of_a_time_in_one_column_arrive() {
    both_arrive("mixed_dates", 0, 3);
}

#[test]
fn references_by_type_follow_the_shift_of_their_table() {
    both_arrive("references_by_type", 0, 4);
}

#[test]
fn rows_of_a_first_start_give_way_to_those_of_the_source() {
    both_arrive("first_start_rows", 0, 2);
}

#[test]
fn children_follow_matched_content_types() {
    both_arrive("content_types", 0, 0);
}

#[test]
fn values_of_dotnet_arrive_in_their_byte_order() {
    both_arrive("dotnet_values", 0, 5);
}

#[test]
fn one_uuid_in_two_spellings_is_one_row() {
    both_arrive("guid_spellings", 0, 0);
}

#[test]
fn times_as_go_prints_them_arrive() {
    both_arrive("go_times", 0, 2);
}

#[test]
fn an_export_in_sql_arrives() {
    both_arrive("sql_export", 0, 0);
}

#[test]
fn empty_strings_for_nothing_become_null() {
    both_arrive("empty_strings", 0, 2);
}

#[test]
fn booleans_as_rails_wrote_them_arrive() {
    both_arrive("rails_booleans", 0, 1);
}

#[test]
fn types_of_python_arrive_without_a_question() {
    both_arrive("python_types", 0, 0);
}

#[test]
fn orphans_go_only_where_the_mapping_permits_it() {
    both_arrive("orphans", 6, 0);
}

#[test]
fn packed_numbers_and_lists_become_arrays() {
    both_arrive("packed_vectors", 0, 0);
}

#[test]
fn null_in_a_key_gets_the_value_that_the_mapping_states() {
    both_arrive("null_keys", 0, 2);
}

#[test]
fn texts_in_bytes_and_latin_bytes_in_texts_arrive() {
    both_arrive("texts_as_bytes", 0, 2);
}

#[test]
fn text_ids_of_another_tenant_are_not_taken_over() {
    both_arrive("tenant_text_ids", 0, 1);
}

#[test]
fn a_default_row_of_both_sides_is_merged_and_its_children_follow() {
    own_arrives("merged_namespaces", 0, "looks like a reference to `experiments`");
}
