//! The JSON report read back by a strict reader of its own, written from the contract and not from the record.
//!
//! A field that is added, renamed or dropped fails here until this mirror, and so the contract, says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::samples;
use crate::report::json;

/// Declares the mirror's structs: every field is there, no other is.
macro_rules! strict {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* })*) => { $(
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name { $($(#[$meta])* $field: $type,)* }
    )* };
}

strict! {
    Report {
        format: u32, command: String, dry_run: bool, mapping: String, run: Option<String>, exit: Exit, source: Source,
        target: Option<String>, owner: Option<Owner>, loads: Vec<Load>, state: String, left: Vec<Left>,
        not_tables: Vec<NotTable>, owners: Vec<Owners>, sequences: Vec<Sequence>, lookups: Vec<Lookup>,
        existing: Vec<Held>, losses: Vec<Loss>, faults: Vec<Fault>, fault_total: u64, detached: Vec<Detached>, retries: Vec<Retry>,
        warnings: Vec<Warning>, checks: Vec<Check>, refusals: Vec<Refusal>, steps: Vec<Step>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<Forecast>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fleet: Option<Fleet>, timeline: Vec<Span>, arguments: Vec<String>,
    }
    Fleet {
        files: u64, done: u64, quarantined: u64, failed: u64, waiting: u64, taken: u64, begun: u64, here: u64, per_second: Option<f64>,
        unfinished: Vec<Unfinished>, slowest: Vec<Slow>,
    }
    Unfinished { path: String, state: String, reason: String, }
    Slow { path: String, rows: u64, seconds: f64, }
    Forecast { bytes: u64, seconds: u64, locked: Vec<Locked>, }
    Locked { table: String, detached: u64, }
    Exit { code: i32, name: String, }
    Source { path: String, bytes: u64, stamp: String, }
    Owner { table: String, #[serde(rename = "match")] natural: BTreeMap<String, String>, key: Option<String>, made: bool, }
    Load {
        load: String, source: String, target: String, read: u64, class: String, state: String, written: u64,
        faults: u64, skipped: u64, lanes: u32, started: f64, seconds: f64,
    }
    Left { table: String, column: Option<String>, rows: u64, reason: String, }
    NotTable { name: String, kind: String, }
    Owners { owner: Option<String>, rows: BTreeMap<String, u64>, }
    Sequence { sequence: String, column: String, by: String, max: Option<i64>, next: Option<i64>, verdict: String, }
    Lookup {
        load: String, column: String, steps: Vec<LookupStep>, ambiguous: u64, missing: u64, set_aside: u64, quiet: bool,
        missing_values: Option<u64>, values: Option<Vec<String>>,
    }
    LookupStep { target: String, hits: u64, }
    Held {
        table: String, rows: u64, treatment: String, equal: Option<u64>, kept: Option<u64>, written_over: Option<u64>,
    }
    Loss { load: String, column: String, modifier: String, count: u64, keys: Vec<String>, }
    Fault {
        load: String, table: String, rowid: Option<i64>, key: Option<String>, column: Option<String>,
        declared: Option<String>, class: Option<String>, bytes: Option<u64>, target_type: Option<String>,
        reason: String, message: String, children: u64,
    }
    Detached { object: String, table: String, back: bool, }
    Retry { at: f64, why: String, }
    Warning { place: String, message: String, }
    Check {
        check: String, load: Option<String>, verdict: String, why: Option<String>, expected: Option<String>,
        found: Option<String>, differences: Vec<Row>,
    }
    Row { difference: String, key: String, column: Option<String>, expected: Option<String>, found: Option<String>, }
    Refusal { place: String, reason: String, advice: String, }
    Step { step: String, started: f64, seconds: f64, }
    Span { lane: u32, load: String, started: f64, seconds: f64, }
}

fn written(reports: &[crate::model::record::Report]) -> String {
    json::render(reports).expect("rendered")
}

#[test]
fn a_strict_reader_reads_every_report_and_misses_nothing() {
    for (name, reports) in samples::all() {
        for report in reports {
            let text = written(&[report]);
            let read: Report = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            // Written again it is the same text: no field is missing or in another order.
            assert_eq!(serde_json::to_string_pretty(&read).expect("written") + "\n", text, "{name}");
        }
    }
}

#[test]
fn every_kind_of_entry_is_in_some_sample() {
    let all: Vec<_> = samples::all().into_iter().flat_map(|(_, reports)| reports).collect();
    let value: serde_json::Value = serde_json::from_str(&written(&all)).expect("read");
    let fields = value[0].as_object().expect("object").iter().filter(|(_, v)| v.is_array()).map(|(k, _)| k.clone());
    for field in fields {
        let filled =
            value.as_array().expect("array").iter().any(|r| r[&field].as_array().is_some_and(|a| !a.is_empty()));
        assert!(filled, "no sample has `{field}`");
    }
}

#[test]
fn the_real_reader_reads_what_was_written() {
    for (name, reports) in samples::all() {
        assert_eq!(json::read(&written(&reports)).expect("read"), reports, "{name}");
    }
}

#[test]
fn the_real_reader_tolerates_fields_that_it_does_not_know() {
    let mut value: serde_json::Value = serde_json::from_str(&written(&[samples::quarantined()])).expect("read");
    fn add(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(list) => list.iter_mut().for_each(add),
            // A map from names to counts takes any key, so a strange one there would be a name.
            serde_json::Value::Object(map) if map.values().all(|v| v.is_u64()) => {}
            serde_json::Value::Object(map) => {
                map.values_mut().filter(|v| v.is_object() || v.is_array()).for_each(add);
                if !map.contains_key("username") {
                    map.insert("from_the_future".to_owned(), serde_json::json!({ "any": [1] }));
                }
            }
            _ => {}
        }
    }
    add(&mut value);
    assert_eq!(json::read(&value.to_string()).expect("read"), [samples::quarantined()]);
}

#[test]
fn a_newer_form_is_refused_by_name() {
    let text = written(&[samples::done()]).replacen("\"format\": 1", "\"format\": 2", 1);
    let error = json::read(&text).expect_err("newer").to_string();
    assert_eq!(error, "report: it has form 2; this migrate reads form 1. Use the migrate that wrote it.");
    assert!(json::read("{}").is_err() && json::read("").is_err());
}

#[test]
fn no_time_is_nan() {
    let mut report = samples::stopped();
    report.loads[0].seconds = f64::NAN;
    report.loads[0].started = f64::INFINITY;
    report.retries[0].at = f64::NEG_INFINITY;
    report.steps[0].seconds = 0.1 + 0.2;
    let read = json::read(&written(&[report])).expect("read");
    assert_eq!((read[0].loads[0].seconds, read[0].loads[0].started, read[0].retries[0].at), (0.0, 0.0, 0.0));
    assert_eq!(read[0].steps[0].seconds, 0.3);
}
