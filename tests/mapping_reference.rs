//! `src/guide/reference.toml` shows every key of the mapping's language, each with a comment, and the README points at it.

use std::collections::BTreeSet;

use migrate::mapping;
use toml::Value;

use super::support::read_repo;

/// The keys of a mapping file with their places, as `keys_of_the_language` names them.
fn keys(file: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(file, "", &mut found);
    found
}

fn walk(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    let Some(table) = value.as_table() else { return };
    for (key, value) in table {
        // Below these stand names of somebody's tables and columns.
        let named = ["load", "load.*.columns"].contains(&place);
        let path = match (named, place) {
            (true, _) => format!("{place}.*"),
            (false, "") => key.clone(),
            (false, _) => format!("{place}.{key}"),
        };
        if !named && path != "load.*.columns.*" {
            found.insert(path.clone());
        }
        match path.as_str() {
            "load.*.columns.*.lookup.steps" => {
                value.as_array().into_iter().flatten().for_each(|step| walk(step, &format!("{path}.*"), found));
            }
            "source"
            | "target"
            | "owner"
            | "defaults"
            | "load"
            | "load.*"
            | "load.*.columns"
            | "load.*.columns.*"
            | "load.*.columns.*.lookup" => walk(value, &path, found),
            _ => {}
        }
    }
}

#[test]
fn the_reference_shows_every_key_and_no_other() {
    let text = read_repo("src/guide/reference.toml");
    let shown = keys(&text.parse::<toml::Table>().map(Value::Table).expect("TOML"));
    let known: BTreeSet<String> = mapping::keys_of_the_language().into_iter().collect();
    let unshown: Vec<_> = known.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unshown.is_empty() && unknown.is_empty(), "not shown: {unshown:?}; not known: {unknown:?}");
}

#[test]
fn the_reference_is_a_mapping() {
    let problems = mapping::read(&read_repo("src/guide/reference.toml")).err().unwrap_or_default();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_key_of_the_reference_has_its_comment() {
    for (number, line) in read_repo("src/guide/reference.toml").lines().enumerate() {
        let code = line.split(" #").next().unwrap_or("").trim();
        let speaks = line.contains(" # ") || line.starts_with('#') || line.trim_start().starts_with("# ");
        assert!(code.is_empty() || code == "]" || speaks, "line {}: {line}", number + 1);
    }
}

#[test]
fn the_readme_shows_the_reference_as_it_is() {
    let readme = read_repo("README.md");
    assert!(
        readme.contains(&format!("```toml\n{}```", read_repo("src/guide/reference.toml"))),
        "copy it into the README"
    );
}

/// Every key of the language, in its order there, and a test that fails when the key does something else: `file::test`.
const HELD: &[(&str, &str)] = &[
    ("format", "mapping_reference::the_reference_is_a_mapping"),
    ("name", "resume::another_mapping_is_refused_after_a_kill_naming_what_changed"),
    ("source", "cutover::a_dump_gives_what_the_file_gives"),
    ("source.path", "cutover::a_dump_gives_what_the_file_gives"),
    ("source.zone", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("target", "language/target::the_mapping_names_the_variable_of_the_target_and_its_schema"),
    ("target.schema", "language/target::the_mapping_names_the_variable_of_the_target_and_its_schema"),
    ("target.url_env", "language/target::the_mapping_names_the_variable_of_the_target_and_its_schema"),
    ("target.ddl", "rehearse::a_rehearsal_of_personal_finance_ends_verified"),
    ("owner", "language/owners::a_text_owner_of_any_table_is_made_and_stamped_into_several_columns"),
    ("owner.table", "language/owners::a_text_owner_of_any_table_is_made_and_stamped_into_several_columns"),
    ("owner.match", "language/owners::a_tenant_is_found_by_a_key_of_several_columns_and_owns_what_hangs_on_its_rows"),
    ("owner.key", "language/owners::a_text_owner_of_any_table_is_made_and_stamped_into_several_columns"),
    ("owner.create", "language/owners::an_owner_that_cannot_be_made_is_refused_before_anything_is_written"),
    ("owner.show", "language/owners::a_tenant_is_found_by_a_key_of_several_columns_and_owns_what_hangs_on_its_rows"),
    ("defaults", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    ("defaults.on_fault", "language/target::the_mapping_names_the_variable_of_the_target_and_its_schema"),
    (
        "defaults.unlisted_tables",
        "language/leaving::what_nobody_names_is_copied_where_the_mapping_says_so_and_the_target_has_it",
    ),
    ("defaults.unlisted_columns", "language/leaving::what_nobody_names_is_left_where_the_mapping_says_so_and_counted"),
    ("defaults.round", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("defaults.trim", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    ("defaults.zone", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("defaults.strip_nul", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("defaults.charset", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("defaults.columns", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    ("defaults.types", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    ("leave", "language/leaving::what_is_left_has_a_reason_and_its_rows_and_a_name_that_is_not_there_is_warned_of"),
    ("load", "cutover::the_cutover_brings_every_row_with_its_owner"),
    (
        "load.*.from",
        "language/derived::parents_are_made_of_their_children_and_each_child_is_written_once_with_its_link",
    ),
    (
        "load.*.to",
        "language/derived::of_two_loads_into_one_table_an_email_that_is_taken_is_skipped_and_a_name_that_is_taken_is_a_fault",
    ),
    ("load.*.owner", "language/owners::a_column_that_refers_to_the_owner_is_never_fed_by_chance"),
    ("load.*.conflict", "language/derived::rows_of_the_mapping_hang_on_rows_of_the_mapping_and_none_is_made_twice"),
    (
        "load.*.when",
        "language/derived::seeds_stay_away_from_a_table_that_holds_rows_and_people_who_are_there_stay_as_they_are",
    ),
    ("load.*.existing", "ids::without_append_a_target_in_use_is_refused_and_stays_as_it_is"),
    ("load.*.ids", "ids::a_second_person_goes_in_beside_the_first_and_the_links_follow"),
    ("load.*.triggers", "language/leaving::triggers_are_off_while_rows_come_in_and_are_as_they_were_afterwards"),
    ("load.*.round", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("load.*.trim", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("load.*.zone", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("load.*.strip_nul", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("load.*.charset", "language/feeds::a_whole_load_takes_the_modifiers_that_any_column_may"),
    ("load.*.columns", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.from", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.sql", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.value", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.env", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.optional", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.owner", "language/feeds::every_feed_brings_its_value"),
    ("load.*.columns.*.lookup", "lookups::steps_are_tried_in_order_and_every_outcome_is_counted"),
    ("load.*.columns.*.omit", "language/feeds::what_is_omitted_is_the_target_s_and_what_is_null_is_sent"),
    ("load.*.columns.*.refers", "ids::a_second_person_goes_in_beside_the_first_and_the_links_follow"),
    ("load.*.columns.*.charset", "values/texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.blob", "values/texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.strip_nul", "values/texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.trim", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    ("load.*.columns.*.null_if", "language/feeds::what_is_written_at_a_column_goes_before_what_is_inherited"),
    (
        "load.*.columns.*.map",
        "language/feeds::labels_go_by_name_through_a_map_and_what_it_does_not_name_passes_or_has_its_else",
    ),
    ("load.*.columns.*.epoch", "values/times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.format", "values/times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.offset", "values/times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.overlap", "values/times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.zone", "values/times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.unit", "values/times::durations_need_their_unit"),
    ("load.*.columns.*.array", "values/texts::identifiers_addresses_and_arrays_are_read_strictly"),
    ("load.*.columns.*.if_bad", "values/numbers::numbers_arrive_to_the_last_digit_or_are_refused"),
    ("load.*.columns.*.round", "values/numbers::the_storage_class_decides_and_not_the_declared_type"),
    ("load.*.columns.*.truncate", "values/texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.if_orphan", "faults::if_orphan_stands_in_for_what_is_not_there_and_is_counted"),
    (
        "load.*.columns.*.if_null",
        "language/derived::rows_of_the_mapping_hang_on_rows_of_the_mapping_and_none_is_made_twice",
    ),
    (
        "load.*.columns.*.else",
        "language/feeds::labels_go_by_name_through_a_map_and_what_it_does_not_name_passes_or_has_its_else",
    ),
    ("load.*.columns.*.lookup.table", "lookups::a_lookup_that_cannot_work_is_refused_with_its_place_all_at_once"),
    ("load.*.columns.*.lookup.take", "lookups::a_lookup_that_cannot_work_is_refused_with_its_place_all_at_once"),
    ("load.*.columns.*.lookup.steps", "lookups::steps_are_tried_in_order_and_every_outcome_is_counted"),
    ("load.*.columns.*.lookup.ambiguous", "lookups::missing_and_ambiguous_values_are_faults_where_the_mapping_says_so"),
    ("load.*.columns.*.lookup.missing", "lookups::missing_and_ambiguous_values_are_faults_where_the_mapping_says_so"),
    ("load.*.columns.*.lookup.quiet", "lookups::a_miss_that_is_normal_is_counted_and_not_listed"),
    ("load.*.columns.*.lookup.steps.*.target", "lookups::a_key_of_several_columns_and_a_constant_for_what_is_missing"),
    ("load.*.columns.*.lookup.steps.*.source", "lookups::a_key_of_several_columns_and_a_constant_for_what_is_missing"),
    ("load.*.columns.*.lookup.steps.*.nocase", "lookups::steps_are_tried_in_order_and_every_outcome_is_counted"),
];

#[test]
fn every_key_is_held_by_a_test_that_writes_it() {
    let known: BTreeSet<String> = mapping::keys_of_the_language().into_iter().collect();
    let held: BTreeSet<String> = HELD.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(known.difference(&held).collect::<Vec<_>>(), Vec::<&String>::new(), "no test is named for these");
    assert_eq!(held.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "the language has no such keys");
    for (key, test) in HELD {
        let (file, name) = test.rsplit_once("::").expect("file::test");
        let text = read_repo(&format!("tests/{file}.rs"));
        assert!(text.contains(&format!("fn {name}()")), "{key}: there is no test {test}");
        // Where the mapping is the application's own, the test names its file.
        let word = key.rsplit('.').next().expect("a key");
        assert!(text.contains(word) || text.contains("mappings/"), "{key} does not stand in {file}");
    }
}
