//! Intervals: numbers by their unit, and the spellings of durations.

use super::*;
use crate::model::rules::Unit;

const INTERVAL: Kind = Kind::Interval { precision: 6 };
const SECOND: i64 = 1_000_000;

fn interval(months: i32, days: i32, micros: i64) -> Result<Cell<'static>, Reason> {
    Ok(Cell::Interval { months, days, micros })
}

#[test]
fn a_number_is_an_interval_only_with_a_unit() {
    let unit = |unit| Rules { unit: Some(unit), ..rules() };
    for (rules, raw, micros) in [
        (unit(Unit::Seconds), Raw::Integer(90_061), 90_061 * SECOND),
        (unit(Unit::Seconds), Raw::Real(1.5), 1_500_000),
        (unit(Unit::Millis), Raw::Integer(-1), -1000),
        (unit(Unit::Micros), Raw::Integer(i64::MAX), i64::MAX),
    ] {
        assert_eq!(exact(INTERVAL, &super::rules(), raw), Err(Reason::NumberInInterval), "{raw:?}");
        assert_eq!(exact(INTERVAL, &rules, raw), interval(0, 0, micros), "{raw:?}");
    }
    assert_eq!(exact(INTERVAL, &unit(Unit::Seconds), Raw::Integer(i64::MAX)), Err(Reason::OutOfRange));
    assert_eq!(exact(INTERVAL, &unit(Unit::Micros), Raw::Real(0.5)), Err(Reason::ExcessPrecision));
    assert_eq!(exact(INTERVAL, &unit(Unit::Seconds), Raw::Real(f64::INFINITY)), Err(Reason::NotFinite));
    assert_eq!(exact(INTERVAL, &unit(Unit::Seconds), txt("90061")), interval(0, 0, 90_061 * SECOND));
    assert_eq!(exact(INTERVAL, &rules(), txt("90061")), Err(Reason::NotAnInterval));
}

#[test]
fn all_spellings_of_durations_are_read() {
    let hour = 3600 * SECOND;
    for (value, months, days, micros) in [
        ("1:02:03", 0, 0, 3723 * SECOND),
        ("25:01:01", 0, 0, 90_061 * SECOND),
        ("-0:00:01.5", 0, 0, -1_500_000),
        ("00:00:00", 0, 0, 0),
        ("-1 day, 23:59:59", 0, 0, -SECOND),
        ("1 day, 0:00:00", 0, 0, 24 * hour),
        ("2 days, 3:04:05.000006", 0, 0, 51 * hour + 245 * SECOND + 6),
        ("1.02:03:04.5678900", 0, 0, 26 * hour + 184 * SECOND + 567_890),
        ("-1.00:00:00", 0, 0, -24 * hour),
        ("P1DT2H", 0, 1, 2 * hour),
        ("P1Y2M3DT4H5M6.5S", 14, 3, 4 * hour + 306 * SECOND + 500_000),
        ("P2W", 0, 14, 0),
        ("PT1.5H", 0, 0, hour * 3 / 2),
        ("-P1D", 0, -1, 0),
        ("P-1DT-1S", 0, -1, -SECOND),
        ("P1M", 1, 0, 0),
        ("PT1M", 0, 0, 60 * SECOND),
        ("1 year 2 mons 3 days 04:05:06.789", 14, 3, 4 * hour + 306 * SECOND + 789_000),
        ("-1 days +02:03:00", 0, -1, 2 * hour + 180 * SECOND),
        ("1 day -00:00:01", 0, 1, -SECOND),
        ("1 mon", 1, 0, 0),
        ("3 days 2 hours", 0, 3, 2 * hour),
        ("90 minutes", 0, 0, hour * 3 / 2),
        ("1.5 seconds", 0, 0, 1_500_000),
    ] {
        assert_eq!(exact(INTERVAL, &rules(), txt(value)), interval(months, days, micros), "{value}");
    }
}

#[test]
fn other_texts_are_no_durations() {
    for value in [
        "90061",
        "1:30",
        "8.5:01:01",
        "1:60:00",
        "1:00:60",
        "P",
        "PT",
        "P1",
        "P1DT",
        "P1.5D",
        "P1S",
        "PT1D",
        "P1D2Y",
        "1 fortnight",
        "1 day,",
        "day",
        "1 day, 24:00:00",
        "1.5 days",
        "1,5",
        "infinity",
        "1h2m",
        "1 day 2",
        "1:02:03 1 day",
        "P1DT1H1H",
        "--1:00:00",
        "1.25:00:00",
        "1.5 months",
        "1 day, 1 day",
        "P1DT2HT3M",
    ] {
        assert_eq!(exact(INTERVAL, &rules(), txt(value)), Err(Reason::NotAnInterval), "{value}");
    }
    assert_eq!(exact(INTERVAL, &rules(), txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(INTERVAL, &rules(), Raw::Blob(b"1:00:00")), Err(Reason::BlobInValue));
}

#[test]
fn interval_range_and_precision_are_checked() {
    for value in ["P2147483648D", "P178956971Y", "99999999999 days", "PT2562047789H", "P99999999999999999999D"] {
        assert_eq!(exact(INTERVAL, &rules(), txt(value)), Err(Reason::OutOfRange), "{value}");
    }
    assert_eq!(exact(INTERVAL, &rules(), txt("P-2147483648D")), interval(0, i32::MIN, 0));
    let rounding = Rules { round: true, ..rules() };
    for (value, precision, micros) in
        [("0:00:00.0000005", 6, 1), ("-0:00:00.0000005", 6, -1), ("0:00:01.25", 1, 1_300_000)]
    {
        let kind = Kind::Interval { precision };
        assert_eq!(exact(kind.clone(), &rules(), txt(value)), Err(Reason::ExcessPrecision), "{value}");
        assert_eq!(with_losses(kind, &rounding, txt(value)), (interval(0, 0, micros), vec![Loss::Round]), "{value}");
    }
}

#[test]
fn a_date_counts_from_a_day_only_if_the_mapping_says_so() {
    let rules = Rules { since: Some(-10_957), ..rules() };
    for (text, micros) in [
        ("1970-01-01 00:05:00.000000", 300 * SECOND),
        ("1970-01-03T00:00:01.5", 2 * 86_400 * SECOND + 1_500_000),
        ("1969-12-31 23:00:00", -3600 * SECOND),
        ("1970-01-01", 0),
        ("0:00:02", 2 * SECOND),
    ] {
        assert_eq!(exact(INTERVAL, &rules, txt(text)), interval(0, 0, micros), "{text}");
    }
    assert_eq!(exact(INTERVAL, &rules, txt("P1M")), interval(1, 0, 0));
    assert_eq!(exact(INTERVAL, &super::rules(), txt("1970-01-01 00:05:00")), Err(Reason::NotAnInterval));
    assert_eq!(exact(INTERVAL, &rules, txt("1970-02-30")), Err(Reason::NoSuchDate));
    assert_eq!(exact(INTERVAL, &rules, txt("soon")), Err(Reason::NotAnInterval));
    assert_eq!(exact(INTERVAL, &rules, Raw::Integer(3)), Err(Reason::NumberInInterval));
    let days = Kind::IntervalOf { least: crate::model::pgtype::IntervalField::Day, precision: 6 };
    assert_eq!(exact(days, &rules, txt("1970-01-01 00:05:00")), Err(Reason::IntervalFields));
}
