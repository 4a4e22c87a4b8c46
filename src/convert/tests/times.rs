//! Dates and times: every spelling, numbers, precision, offsets and range.

use super::*;
use crate::model::rules::{Offset, Zone};

const STAMP: Kind = Kind::Timestamp { precision: 6 };
const INSTANT: Kind = Kind::Timestamptz { precision: 6 };
const TIME: Kind = Kind::Time { precision: 6 };
const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// 2023-03-02 15:04:05.
const THEN: i64 = 8461 * DAY + 15 * HOUR + 4 * 60_000_000 + 5_000_000;

fn utc() -> Rules {
    Rules { zone: Some(Zone::Fixed(0)), ..rules() }
}

#[test]
fn local_times_without_an_offset_are_read() {
    for (value, micros) in [
        ("2023-03-02 15:04:05", THEN),
        ("2023-03-02T15:04:05", THEN),
        ("2023-03-02t15:04:05", THEN),
        (" 2023-03-02 15:04:05\n", THEN),
        ("2023-03-02 15:04", THEN - 5_000_000),
        ("2023-03-02", 8461 * DAY),
        ("2023-03-02 15:04:05.000000", THEN),
        ("2023-03-02 15:04:05.123", THEN + 123_000),
        ("2023-03-02 15:04:05,123", THEN + 123_000),
        ("2023-03-02T15:04:05.123456", THEN + 123_456),
        ("2023-03-02 15:04:05.123456000", THEN + 123_456),
        ("2023-03-02 15:04:05.1234560", THEN + 123_456),
        ("20230302T150405", THEN),
        ("20230302T1504", THEN - 5_000_000),
        ("Thu Mar 02 2023 15:04:05", THEN),
        ("Thu Mar 02 2023", 8461 * DAY),
        ("02 Mar 2023 15:04:05", THEN),
        ("2000-01-01", 0),
        ("1999-12-31 23:59:59.999999", -1),
    ] {
        assert_eq!(exact(STAMP, &rules(), txt(value)), Ok(Cell::Timestamp(micros)), "{value}");
        assert_eq!(exact(INSTANT, &utc(), txt(value)), Ok(Cell::Timestamp(micros)), "{value}");
        assert_eq!(exact(INSTANT, &rules(), txt(value)), Err(Reason::NoZone), "{value}");
    }
}

#[test]
fn instants_with_an_offset_are_read() {
    let half = HOUR / 2;
    for (value, micros) in [
        ("2023-03-02T15:04:05Z", THEN),
        ("2023-03-02T15:04:05.000Z", THEN),
        ("2023-03-02 15:04:05 UTC", THEN),
        ("2023-03-02 15:04:05 GMT", THEN),
        ("2023-03-02 15:04:05z", THEN),
        ("2023-03-02 15:04:05+00", THEN),
        ("2023-03-02 15:04:05+05:30", THEN - 5 * HOUR - half),
        ("2023-03-02 15:04:05-0800", THEN + 8 * HOUR),
        ("2023-03-02 15:04:05 +0100", THEN - HOUR),
        ("2023-03-02 15:04:05+01", THEN - HOUR),
        ("2023-03-02 15:04:05+00:53:28", THEN - 3_208_000_000),
        ("2023-03-02 15:04+00:00", THEN - 5_000_000),
        ("20230302T150405Z", THEN),
        ("20230302T150405+0100", THEN - HOUR),
        ("2023-03-02 15:04:05.123456-07:00", THEN + 7 * HOUR + 123_456),
        ("2023-03-02T15:04:05.1234560+01:00", THEN - HOUR + 123_456),
        // Go's time.String()
        ("2023-03-02 15:04:05.5 -0700 MST m=+0.012", THEN + 7 * HOUR + 500_000),
        ("2023-03-02 15:04:05.5 -0700 MST m=-12.012345678", THEN + 7 * HOUR + 500_000),
        ("2023-03-02 15:04:05 +0000 UTC", THEN),
        ("2023-03-02 15:04:05 +0000 +0000", THEN),
        ("2023-03-02 15:04:05 +0530 +0530", THEN - 5 * HOUR - half),
        ("2023-03-02 15:04:05 -0300 -03", THEN + 3 * HOUR),
        ("2023-03-02 15:04:05 +0000 UTC m=+0.000000001", THEN),
        // JavaScript's toString() and toUTCString()
        ("Thu Mar 02 2023 15:04:05 GMT+0100", THEN - HOUR),
        ("Thu Mar 02 2023 15:04:05 GMT+0100 (Central European Standard Time)", THEN - HOUR),
        ("Thu Mar 02 2023 15:04:05 GMT-0800 (PST)", THEN + 8 * HOUR),
        ("Thu, 02 Mar 2023 15:04:05 GMT", THEN),
        // RFC 2822
        ("Thu, 02 Mar 2023 15:04:05 +0100", THEN - HOUR),
        ("Thu, 2 Mar 2023 15:04:05 -0000", THEN),
        ("2 Mar 2023 15:04 UT", THEN - 5_000_000),
        ("Thu, 02 Mar 2023 15:04:05 EST", THEN + 5 * HOUR),
        ("Thu, 02 Mar 2023 15:04:05 +0100 (CET)", THEN - HOUR),
    ] {
        assert_eq!(exact(INSTANT, &rules(), txt(value)), Ok(Cell::Timestamp(micros)), "{value}");
    }
}

#[test]
fn surplus_digits_of_a_second_are_a_fault_or_rounded() {
    let rounding = Rules { round: true, ..rules() };
    let stamp = |precision| Kind::Timestamp { precision };
    for (kind, value, micros) in [
        (stamp(6), "2023-03-02 15:04:05.123456789", THEN + 123_457),
        (stamp(6), "2023-03-02 15:04:05.1234564999", THEN + 123_456),
        (stamp(6), "2023-03-02 15:04:05.9999995", THEN + 1_000_000),
        (stamp(3), "2023-03-02 15:04:05.1235", THEN + 124_000),
        (stamp(3), "2023-03-02 15:04:05.1234999", THEN + 123_000),
        (stamp(3), "2023-03-02 15:04:05.0000001", THEN),
        (stamp(0), "2023-03-02 15:04:05.5", THEN + 1_000_000),
        (stamp(0), "1999-12-31 23:59:59.5", 0),
    ] {
        assert_eq!(exact(kind.clone(), &rules(), txt(value)), Err(Reason::ExcessPrecision), "{value}");
        let rounded = (Ok(Cell::Timestamp(micros)), vec![Loss::Round]);
        assert_eq!(with_losses(kind, &rounding, txt(value)), rounded, "{value}");
    }
    assert_eq!(exact(stamp(3), &rules(), txt("2023-03-02 15:04:05.123000000")), Ok(Cell::Timestamp(THEN + 123_000)));
    let late = with_losses(Kind::Time { precision: 0 }, &rounding, txt("23:59:59.5"));
    assert_eq!(late, (Ok(Cell::Time(DAY)), vec![Loss::Round]));
}

#[test]
fn dates_and_times_that_do_not_exist_are_faults() {
    for value in [
        "0000-00-00",
        "0000-01-01",
        "2024-02-30",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "2023-02-29",
        "1900-02-29",
        "0000-00-00 00:00:00",
        "-0000-01-01",
        "Fri Mar 02 2023",
        "30 Feb 2023",
    ] {
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Err(Reason::NoSuchDate), "{value}");
        assert_eq!(exact(STAMP, &rules(), txt(value)), Err(Reason::NoSuchDate), "{value}");
    }
    for value in [
        "2024-01-01 25:00:00",
        "2024-01-01 24:00:01",
        "2024-01-01 24:00:00.1",
        "2024-01-01 12:60",
        "2024-01-01 12:00:61",
        "2024-01-01 12:00:00+16",
    ] {
        assert_eq!(exact(STAMP, &rules(), txt(value)), Err(Reason::NoSuchDate), "{value}");
    }
    assert_eq!(exact(STAMP, &rules(), txt("2016-12-31 23:59:60")), Err(Reason::LeapSecond));
    assert_eq!(exact(TIME, &rules(), txt("23:59:60.5")), Err(Reason::LeapSecond));
    assert_eq!(exact(Kind::Date, &rules(), txt("2024-02-29")), Ok(Cell::Date(8825)));
}

#[test]
fn other_texts_are_no_dates_or_times() {
    for value in [
        "01/02/2023",
        "20230302",
        "1700000000",
        "2023",
        "2023-3-2",
        "24-01-01",
        "2023-03-02T",
        "2023-03-02 ",
        "x",
        "2023-03-02 15",
        "2023-03-02 15:4",
        "2023-03-02 15:04:05.",
        "2023-03-02 15:04:05 CET",
        "2023-03-02 15:04:05+1",
        "2023-03-02 15:04:05 +0100 CET m=",
        "2023-03-02 15:04:05 +0100 C",
        "2023-03-02  15:04:05",
        "2023-03-02 1504",
        "2023-03-02_15:04:05",
        "2023-03-02Z",
        "Thu Mar 2023",
        "Thu",
        "02 Mar 23",
        "2023-W09-4",
        "2023-061",
        "٢٠٢٣-03-02",
        "Thu Mar 02 2023 15:04:05 PST",
        "2023-03-02 15:04:05 PM",
    ] {
        let value = value.trim_end_matches(' ');
        if value == "2023-03-02" {
            continue;
        }
        assert_eq!(exact(STAMP, &rules(), txt(value)), Err(Reason::NotATime), "{value}");
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Err(Reason::NotADate), "{value}");
    }
    assert_eq!(exact(STAMP, &rules(), Raw::Text(b"\xff023-03-02")), Err(Reason::NotATime));
    assert_eq!(exact(STAMP, &rules(), txt("15:04:05")), Err(Reason::NotATime));
    assert_eq!(exact(TIME, &rules(), txt("2023-03-02")), Err(Reason::NotATime));
    assert_eq!(exact(STAMP, &rules(), txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(STAMP, &rules(), Raw::Blob(b"2023-03-02")), Err(Reason::BlobInValue));
    for word in ["now", "Today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity"] {
        assert_eq!(exact(STAMP, &rules(), txt(word)), Err(Reason::SpecialTime), "{word}");
        assert_eq!(exact(Kind::Date, &rules(), txt(word)), Err(Reason::SpecialTime), "{word}");
    }
}

#[test]
fn the_range_of_years_is_that_of_the_server() {
    for (value, day) in [
        ("12024-01-01", 3_661_191),
        ("+012024-01-01", 3_661_191),
        ("5874897-12-31", 2_145_031_948),
        ("-4713-11-24", -2_451_545),
        ("4714-11-24 BC", -2_451_545),
        ("0001-01-01", -730_119),
        ("0001-12-31 BC", -730_120),
        ("-0044-03-15", -746_482),
        ("0045-03-15 BC", -746_482),
        ("2024-01-01 AD", 8766),
    ] {
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Ok(Cell::Date(day)), "{value}");
    }
    for value in ["5874898-01-01", "-4713-11-23", "123456789012345678901-01-01"] {
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Err(Reason::OutOfRange), "{value}");
    }
    for (value, micros) in [
        ("294276-12-31 23:59:59.999999", 9_223_371_331_199_999_999),
        ("4714-11-24 00:00:00 BC", -211_813_488_000_000_000),
        ("-4713-11-24 00:00:00", -211_813_488_000_000_000),
    ] {
        assert_eq!(exact(STAMP, &rules(), txt(value)), Ok(Cell::Timestamp(micros)), "{value}");
        assert_eq!(exact(INSTANT, &utc(), txt(value)), Ok(Cell::Timestamp(micros)), "{value}");
    }
    for value in ["294276-12-31 24:00:00", "294277-01-01", "-4713-11-23 23:59:59", "294276-12-31 23:59:59-01"] {
        assert_eq!(exact(INSTANT, &utc(), txt(value)), Err(Reason::OutOfRange), "{value}");
    }
}

#[test]
fn the_calendar_agrees_with_itself_over_all_years() {
    use crate::wire::calendar::{FIRST_DAY, LAST_DAY, date, day};
    let mut at = FIRST_DAY;
    while at <= LAST_DAY {
        let (year, month, of_month) = date(at);
        assert_eq!(day(year, month, of_month), Some(at));
        at += 9973;
    }
}

#[test]
fn end_of_day_is_the_start_of_the_next_day_and_counted() {
    let next = (Ok(Cell::Timestamp(8767 * DAY)), vec![Loss::EndOfDay]);
    assert_eq!(with_losses(STAMP, &rules(), txt("2024-01-01 24:00:00")), next);
    assert_eq!(with_losses(INSTANT, &utc(), txt("2024-01-01 24:00:00")), next);
    assert_eq!(
        with_losses(Kind::Date, &rules(), txt("2024-01-01 24:00")),
        (Ok(Cell::Date(8767)), vec![Loss::EndOfDay])
    );
    assert_eq!(exact(TIME, &rules(), txt("24:00:00")), Ok(Cell::Time(DAY)));
}

#[test]
fn a_date_accepts_only_midnight() {
    for value in ["2024-01-01", "2024-01-01 00:00", "2024-01-01T00:00:00.000Z", "2024-01-01 00:00:00.0000000"] {
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Ok(Cell::Date(8766)), "{value}");
    }
    let cut = Rules { truncate: true, ..rules() };
    for value in ["2024-01-01 10:00", "2024-01-01 00:00:00.0000001"] {
        assert_eq!(exact(Kind::Date, &rules(), txt(value)), Err(Reason::TimeInDate), "{value}");
        assert_eq!(with_losses(Kind::Date, &cut, txt(value)), (Ok(Cell::Date(8766)), vec![Loss::Truncate]), "{value}");
    }
}

#[test]
fn times_of_day_are_read() {
    for (value, micros) in [
        ("15:04:05", 15 * HOUR + 245_000_000),
        ("00:00", 0),
        ("23:59:59.999999", DAY - 1),
        ("15:04:05Z", 15 * HOUR + 245_000_000),
    ] {
        assert_eq!(exact(TIME, &rules(), txt(value)), Ok(Cell::Time(micros)), "{value}");
    }
    assert_eq!(exact(TIME, &rules(), txt("2000-01-01 15:04:05")), Err(Reason::DateInTime));
    let cut = Rules { truncate: true, ..rules() };
    assert_eq!(with_losses(TIME, &cut, txt("2000-01-01 15:00")), (Ok(Cell::Time(15 * HOUR)), vec![Loss::Truncate]));
    assert_eq!(exact(TIME, &rules(), txt("15:00+02")), Err(Reason::OffsetInTimestamp));
    let zone = Rules { zone: Some(Zone::Fixed(3600)), offset: Some(Offset::Zone), ..rules() };
    assert_eq!(exact(TIME, &zone, txt("00:30+02")), Ok(Cell::Time(23 * HOUR + HOUR / 2)));
    assert_eq!(exact(TIME, &rules(), txt("9:00:00")), Err(Reason::NotATime));
}

#[test]
fn an_offset_in_a_local_time_is_checked() {
    let given = |offset, zone| Rules { offset, zone, ..rules() };
    let berlin = Zone::parse("Europe/Berlin");
    let text = txt("2023-03-02 15:04:05+05:30");
    assert_eq!(exact(STAMP, &rules(), text), Err(Reason::OffsetInTimestamp));
    assert_eq!(exact(STAMP, &given(Some(Offset::Drop), None), text), Ok(Cell::Timestamp(THEN)));
    assert_eq!(exact(STAMP, &given(Some(Offset::Zone), None), text), Err(Reason::NoZone));
    let utc = THEN - 5 * HOUR - HOUR / 2;
    assert_eq!(exact(STAMP, &given(Some(Offset::Zone), Some(Zone::Fixed(0))), text), Ok(Cell::Timestamp(utc)));
    assert_eq!(exact(STAMP, &given(Some(Offset::Zone), berlin), text), Ok(Cell::Timestamp(utc + HOUR)));
    // The zone's own offset adds no information; without a zone that is UTC's.
    for (zone, value) in [
        (None, "2023-03-02T15:04:05Z"),
        (Some(Zone::Fixed(0)), "2023-03-02 15:04:05+00:00"),
        (berlin, "2023-03-02 15:04:05+01"),
        (Some(Zone::Fixed(19_800)), "2023-03-02 15:04:05+05:30"),
    ] {
        assert_eq!(exact(STAMP, &given(None, zone), txt(value)), Ok(Cell::Timestamp(THEN)), "{value}");
    }
    for value in ["2023-03-02T15:04:05Z", "2023-07-02 15:04:05+01"] {
        assert_eq!(exact(STAMP, &given(None, berlin), txt(value)), Err(Reason::OffsetInTimestamp), "{value}");
    }
    let drop = given(Some(Offset::Drop), None);
    assert_eq!(exact(Kind::Date, &drop, txt("2024-01-01T00:00:00+05:30")), Ok(Cell::Date(8766)));
}
