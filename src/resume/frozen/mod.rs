//! The exact texts of both forms, for loads that use every feed, modifier, type and relation.
//!
//! `form1.txt` was written by a build that wrote ledgers of version 1. Ledgers of version 2 contain the form of `form2.txt`.
//! `recorded.json` is a table in a ledger of version 3. If a test fails after a change of the plan's types, existing runs can
//! no longer be resumed: fix the writer, not the file.

mod samples;

use crate::model::recorded::RecordedTable;

use super::{fingerprint, version1};

const FORM1: &str = include_str!("form1.txt");
const FORM2: &str = include_str!("form2.txt");

/// A table as a ledger of version 3 records it.
const RECORDED: &str = include_str!("recorded.json");

/// Writes the texts as the frozen files hold them.
fn written(texts: impl IntoIterator<Item = (String, String)>) -> String {
    texts.into_iter().map(|(name, text)| format!("== {name}\n{text}\n")).collect()
}

#[track_caller]
fn assert_same(found: &str, frozen: &str) {
    for (found, frozen) in found.split("\n== ").zip(frozen.split("\n== ")) {
        assert_eq!(found, frozen);
    }
    assert_eq!(found.len(), frozen.len());
}

#[test]
fn form_1_has_the_texts_of_a_build_that_wrote_version_1() {
    let (loads, target) = (samples::loads(), samples::target());
    let mut texts = version1::table_texts(&loads, &target);
    texts.extend(loads.iter().flat_map(version1::load_texts));
    assert_same(&written(texts), FORM1);
}

#[test]
fn form_2_has_its_frozen_texts() {
    let (loads, target) = (samples::loads(), samples::target());
    let mut texts = fingerprint::table_texts(&loads, &target);
    texts.extend(loads.iter().flat_map(fingerprint::load_texts));
    assert_same(&written(texts), FORM2);
}

#[test]
fn a_recorded_table_has_its_frozen_form_and_reads_back() {
    let table = samples::recorded();
    assert_eq!(serde_json::to_string_pretty(&table).expect("JSON") + "\n", RECORDED);
    assert_eq!(serde_json::from_str::<RecordedTable>(RECORDED).expect("a table"), table);
}

#[test]
fn a_line_is_sixteen_digits_of_a_hash_and_a_name() {
    let texts = [("column a".to_owned(), "a é".to_owned()), ("b".to_owned(), String::new())];
    assert_eq!(fingerprint::lines(&texts), "5b21146fae2b7ed3 column a\naf5570f5a1810b7a b");
}
