//! `src/guide/reference.toml` shows every key of the mapping's language, each with a comment, and the guide prints it.

use std::collections::BTreeSet;

use migrate::mapping;
use toml::Value;

use crate::support::{read_repo, test_file};

/// The keys of a mapping file with their places, as `keys_of_the_language` names them.
fn keys(file: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(file, "", &mut found);
    found
}

fn walk(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    let Some(table) = value.as_table() else { return };
    for (key, value) in table {
        // Below these keys are names of the user's tables and columns.
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
fn every_key_of_the_reference_has_a_comment() {
    for (number, line) in read_repo("src/guide/reference.toml").lines().enumerate() {
        let code = line.split(" #").next().unwrap_or("").trim();
        let speaks = line.contains(" # ") || line.starts_with('#') || line.trim_start().starts_with("# ");
        assert!(code.is_empty() || code == "]" || speaks, "line {}: {line}", number + 1);
    }
}

/// Every key of the language, in its order there, and a test that fails when the key does something else: `file::test`.
const HELD: &[(&str, &str)] = &[
    ("format", "documents::mapping_reference::the_reference_is_a_mapping"),
    ("name", "resume::kills::another_mapping_is_refused_after_a_kill_with_the_difference"),
    ("source", "cutover::personal_finance::a_dump_loads_the_same_rows_as_the_file"),
    ("source.path", "cutover::personal_finance::a_dump_loads_the_same_rows_as_the_file"),
    ("source.zone", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("target", "mapping::target::the_mapping_selects_the_target_variable_and_schema"),
    ("target.schema", "mapping::target::the_mapping_selects_the_target_variable_and_schema"),
    ("target.url_env", "mapping::target::the_mapping_selects_the_target_variable_and_schema"),
    ("target.versions", "preflight/versions::a_difference_is_a_refusal_if_the_mapping_asks_for_equal_versions"),
    ("target.ddl", "cutover::rehearse::a_rehearsal_of_personal_finance_ends_verified"),
    ("owner", "mapping::owners::a_text_owner_of_any_table_is_created_and_stamped_into_several_columns"),
    ("owner.table", "mapping::owners::a_text_owner_of_any_table_is_created_and_stamped_into_several_columns"),
    ("owner.match", "mapping::owners::a_tenant_with_a_composite_key_owns_what_refers_to_its_rows"),
    ("owner.key", "mapping::owners::a_text_owner_of_any_table_is_created_and_stamped_into_several_columns"),
    ("owner.create", "mapping::owners::an_owner_that_cannot_be_created_is_refused_before_anything_is_written"),
    ("owner.show", "mapping::owners::a_tenant_with_a_composite_key_owns_what_refers_to_its_rows"),
    ("defaults", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("defaults.on_fault", "mapping::target::the_mapping_selects_the_target_variable_and_schema"),
    (
        "defaults.unlisted_tables",
        "mapping::omitted::unmapped_tables_and_columns_are_copied_on_request_if_the_target_has_them",
    ),
    ("defaults.unlisted_columns", "mapping::omitted::unmapped_tables_and_columns_are_omitted_and_counted_on_request"),
    ("defaults.owner", "mapping::owners::the_owner_of_the_defaults_is_stamped_in_every_table_that_has_the_column"),
    ("defaults.existing", "cutover::existing::append_in_the_defaults_holds_for_every_load_that_states_nothing_else"),
    ("defaults.round", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("defaults.trim", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("defaults.zone", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("defaults.strip_nul", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("defaults.charset", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("defaults.columns", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("defaults.types", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("leave", "mapping::omitted::omissions_are_reported_with_reason_and_rows_and_unknown_names_warned_of"),
    ("sequences", "cutover::free_sequences::an_unassigned_sequence_is_refused_with_the_line_to_write"),
    ("load", "cutover::personal_finance::the_cutover_loads_every_row_with_its_owner"),
    ("load.*.from", "mapping::derived::parents_are_derived_from_children_and_each_child_is_linked_once"),
    ("load.*.to", "mapping::derived::in_a_second_load_a_taken_email_is_skipped_and_a_taken_name_is_a_fault"),
    ("load.*.owner", "mapping::owners::a_column_that_refers_to_the_owner_is_never_mapped_by_chance"),
    ("load.*.conflict", "mapping::derived::rows_of_the_mapping_refer_to_each_other_and_none_is_created_twice"),
    ("load.*.when", "mapping::derived::seeds_skip_a_table_with_rows_and_existing_people_stay_unchanged"),
    ("load.*.existing", "cutover::shifted_ids::without_append_a_target_in_use_is_refused_and_unchanged"),
    ("load.*.on_fault", "cutover::fault_policies::each_load_may_state_the_treatment_of_its_faulty_rows"),
    ("load.*.ids", "cutover::shifted_ids::a_second_tenant_is_loaded_after_the_first_and_references_follow"),
    ("load.*.triggers", "mapping::omitted::triggers_are_disabled_during_the_load_and_restored_afterwards"),
    ("load.*.round", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("load.*.trim", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("load.*.zone", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("load.*.strip_nul", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("load.*.charset", "mapping::feeds::a_load_accepts_every_modifier_of_a_column"),
    ("load.*.columns", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.from", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.sql", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.value", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.env", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.optional", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.owner", "mapping::feeds::every_column_source_loads_its_value"),
    ("load.*.columns.*.lookup", "cutover::lookups::steps_are_tried_in_order_and_every_outcome_is_counted"),
    ("load.*.columns.*.omit", "mapping::feeds::an_omitted_column_gets_its_default_and_null_is_sent"),
    (
        "load.*.columns.*.refers",
        "cutover::shifted_ids::a_second_tenant_is_loaded_after_the_first_and_references_follow",
    ),
    ("load.*.columns.*.charset", "values::texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.blob", "values::texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.strip_nul", "values::texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.trim", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("load.*.columns.*.null_if", "mapping::feeds::settings_of_a_column_override_inherited_ones"),
    ("load.*.columns.*.map", "mapping::feeds::a_map_translates_labels_and_passes_others_or_uses_else"),
    ("load.*.columns.*.epoch", "values::times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.format", "values::times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.offset", "values::times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.overlap", "values::times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.zone", "values::times::times_arrive_to_the_microsecond_or_are_refused"),
    ("load.*.columns.*.unit", "values::times::durations_need_their_unit"),
    ("load.*.columns.*.since", "values::times::a_date_in_an_interval_is_the_time_since_a_day"),
    ("load.*.columns.*.bytes", "preflight::uuid_bytes::sixteen_bytes_need_an_order_unless_all_values_prove_it"),
    ("load.*.columns.*.array", "values::texts::identifiers_addresses_and_arrays_are_read_strictly"),
    ("load.*.columns.*.if_bad", "values::numbers::numbers_arrive_to_the_last_digit_or_are_refused"),
    ("load.*.columns.*.round", "values::numbers::the_storage_class_decides_and_not_the_declared_type"),
    ("load.*.columns.*.truncate", "values::texts::text_and_bytes_arrive_byte_for_byte_or_are_refused"),
    ("load.*.columns.*.if_orphan", "cutover::faults::if_orphan_replaces_missing_parents_and_is_counted"),
    ("load.*.columns.*.if_null", "mapping::derived::rows_of_the_mapping_refer_to_each_other_and_none_is_created_twice"),
    ("load.*.columns.*.else", "mapping::feeds::a_map_translates_labels_and_passes_others_or_uses_else"),
    ("load.*.columns.*.lookup.table", "cutover::lookups::impossible_lookups_are_refused_with_their_places_all_at_once"),
    ("load.*.columns.*.lookup.take", "cutover::lookups::impossible_lookups_are_refused_with_their_places_all_at_once"),
    ("load.*.columns.*.lookup.steps", "cutover::lookups::steps_are_tried_in_order_and_every_outcome_is_counted"),
    (
        "load.*.columns.*.lookup.ambiguous",
        "cutover::lookups::missing_and_ambiguous_values_are_faults_if_the_mapping_requires_it",
    ),
    (
        "load.*.columns.*.lookup.missing",
        "cutover::lookups::missing_and_ambiguous_values_are_faults_if_the_mapping_requires_it",
    ),
    ("load.*.columns.*.lookup.quiet", "cutover::lookups::a_quiet_miss_is_counted_and_not_listed"),
    (
        "load.*.columns.*.lookup.steps.*.target",
        "cutover::lookups::a_composite_key_is_looked_up_and_a_constant_replaces_misses",
    ),
    (
        "load.*.columns.*.lookup.steps.*.source",
        "cutover::lookups::a_composite_key_is_looked_up_and_a_constant_replaces_misses",
    ),
    (
        "load.*.columns.*.lookup.steps.*.nocase",
        "cutover::lookups::steps_are_tried_in_order_and_every_outcome_is_counted",
    ),
];

#[test]
fn every_key_is_written_by_a_test() {
    let known: BTreeSet<String> = mapping::keys_of_the_language().into_iter().collect();
    let held: BTreeSet<String> = HELD.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(known.difference(&held).collect::<Vec<_>>(), Vec::<&String>::new(), "no test is named for these");
    assert_eq!(held.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "the language has no such keys");
    for (key, test) in HELD {
        let (file, name) = test.rsplit_once("::").expect("file::test");
        let text = read_repo(&test_file(file));
        assert!(text.contains(&format!("fn {name}()")), "{key}: there is no test {test}");
        // Where the mapping is the application's own, the test names its file.
        let word = key.rsplit('.').next().expect("a key");
        assert!(text.contains(word) || text.contains("mappings/"), "{key} does not stand in {file}");
    }
}
