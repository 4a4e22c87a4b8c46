//! Dates, times, instants and durations in the spellings that programs write.

use super::{Bad, Is, Sample, hold};
use crate::support::case::Case;

const NEW_YORK: &str = r#"zone = "America/New_York""#;

#[test]
fn times_arrive_to_the_microsecond_or_are_refused() {
    const CASES: &[Sample] = &[
        ("", "'2023-03-02'", "date", "", Is("2023-03-02")),
        ("", "'2023-03-02 15:04'", "timestamp", "", Is("2023-03-02 15:04:00")),
        ("", "'2023-03-02T15:04:05.5'", "timestamp", "", Is("2023-03-02 15:04:05.5")),
        ("", "'2023-03-02 15:04:05.123456789'", "timestamp", "", Bad("excess-precision")),
        ("", "'2023-03-02 15:04:05.123456000'", "timestamp", "", Is("2023-03-02 15:04:05.123456")),
        ("", "'2023-03-02 15:04:05.1234567'", "timestamp", "round = true", Is("2023-03-02 15:04:05.123457")),
        ("", "'2023-03-02 15:04:05+05:30'", "timestamptz", "", Is("2023-03-02 09:34:05+00")),
        ("", "'2023-03-02 15:04:05+0530'", "timestamptz", "", Is("2023-03-02 09:34:05+00")),
        ("", "'2023-03-02 15:04:05-05'", "timestamptz", "", Is("2023-03-02 20:04:05+00")),
        ("", "'2023-03-02T15:04:05Z'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05 UTC'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05 GMT'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05+05:30'", "timestamp", "", Bad("offset-in-timestamp")),
        ("", "'2023-03-02 15:04:05+05:30'", "timestamp", r#"offset = "drop""#, Is("2023-03-02 15:04:05")),
        ("", "'2023-03-02 15:04:05+05:30'", "timestamp", r#"offset = "zone""#, Is("2023-03-02 09:34:05")),
        ("", "'2024-03-10 02:30'", "timestamptz", NEW_YORK, Bad("time-gap")),
        ("", "'2024-11-03 01:30'", "timestamptz", NEW_YORK, Bad("time-overlap")),
        ("", "'2024-07-01 12:00'", "timestamptz", NEW_YORK, Is("2024-07-01 16:00:00+00")),
        (
            "",
            "'2024-11-03 01:30'",
            "timestamptz",
            r#"zone = "America/New_York", overlap = "earlier""#,
            Is("2024-11-03 05:30:00+00"),
        ),
        (
            "",
            "'2024-11-03 01:30'",
            "timestamptz",
            r#"zone = "America/New_York", overlap = "later""#,
            Is("2024-11-03 06:30:00+00"),
        ),
        ("", "'2023-03-02 15:04:05.999999 -0700 MST m=+0.012'", "timestamptz", "", Is("2023-03-02 22:04:05.999999+00")),
        ("", "'2023-03-02 15:04:05.999999999 -0700 MST m=+0.012'", "timestamptz", "", Bad("excess-precision")),
        (
            "",
            "'2023-03-02 15:04:05.999999999 -0700 MST m=+0.012'",
            "timestamptz",
            "round = true",
            Is("2023-03-02 22:04:06+00"),
        ),
        ("", "'2023-03-02 15:04:05 -0700 MST'", "timestamptz", "", Is("2023-03-02 22:04:05+00")),
        ("", "'0001-01-01 00:00:00 +0000 UTC'", "timestamptz", "", Is("0001-01-01 00:00:00+00")),
        ("", "'2023-03-02 15:04:05 +0000 UTC'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05 +0000 +0000'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'Thu Mar 02 2023 15:04:05 GMT+0100'", "timestamptz", "", Is("2023-03-02 14:04:05+00")),
        (
            "",
            "'Thu Mar 02 2023 15:04:05 GMT+0100 (Central European Standard Time)'",
            "timestamptz",
            "",
            Is("2023-03-02 14:04:05+00"),
        ),
        ("", "'Thu, 02 Mar 2023 15:04:05 GMT'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'Wed Mar 02 2023 15:04:05 GMT+0100'", "timestamptz", "", Bad("no-such-date")),
        ("", "'Thu Mar 02 2023'", "date", "", Is("2023-03-02")),
        ("", "'2023-03-02T15:04:05.123Z'", "timestamptz", "", Is("2023-03-02 15:04:05.123+00")),
        ("", "'+012024-01-01T00:00:00.000Z'", "timestamptz", "", Is("12024-01-01 00:00:00+00")),
        ("", "'-000044-03-15T00:00:00.000Z'", "timestamptz", "", Is("0045-03-15 00:00:00+00 BC")),
        ("", "'3/2/2023, 3:04:05 PM'", "timestamp", "", Bad("not-a-time")),
        ("", "'Thu, 2 Mar 2023 15:04:05 +0100'", "timestamptz", "", Is("2023-03-02 14:04:05+00")),
        ("", "'2 Mar 2023 15:04 UT'", "timestamptz", "", Is("2023-03-02 15:04:00+00")),
        ("", "'Thu, 02 Mar 2023 15:04:05 EST'", "timestamptz", "", Is("2023-03-02 20:04:05+00")),
        ("", "'Thu, 02 Mar 2023 15:04:05 GMT'", "timestamp", "", Is("2023-03-02 15:04:05")),
        ("", "'2023-03-02T15:04:05.123456+00:00'", "timestamptz", "", Is("2023-03-02 15:04:05.123456+00")),
        ("", "'2023-03-02T15:04:05'", "timestamp", "", Is("2023-03-02 15:04:05")),
        ("", "'2023-03-02 15:04:05.123456+00:00'", "timestamptz", "", Is("2023-03-02 15:04:05.123456+00")),
        ("", "'2023-03-02 15:04:05 UTC'", "timestamp", "", Is("2023-03-02 15:04:05")),
        ("", "'2023-03-02 15:04:05 +0100'", "timestamptz", "", Is("2023-03-02 14:04:05+00")),
        ("", "'2006-01-02 15:04:05.999999999-07:00'", "timestamptz", "", Bad("excess-precision")),
        ("", "'2006-01-02 15:04:05.123456000-07:00'", "timestamptz", "", Is("2006-01-02 22:04:05.123456+00")),
        ("", "'2006-01-02 15:04:05+00:00'", "timestamptz", "", Is("2006-01-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05.1234567'", "timestamp", "", Bad("excess-precision")),
        ("", "'2023-03-02 15:04:05.1'", "timestamp", "", Is("2023-03-02 15:04:05.1")),
        ("", "'2023-03-02T15:04:05.1230000+01:00'", "timestamptz", "", Is("2023-03-02 14:04:05.123+00")),
        ("", "'2023-03-02 15:04:05.000000'", "timestamptz", "", Is("2023-03-02 15:04:05+00")),
        ("", "'2023-03-02 15:04:05.120000 UTC'", "timestamptz", "", Is("2023-03-02 15:04:05.12+00")),
        ("", "'2023-03-02 15:04:05.123456-07:00'", "timestamptz", "", Is("2023-03-02 22:04:05.123456+00")),
        ("", "'2023-03-02 15:04:05.1230000'", "timestamp", "", Is("2023-03-02 15:04:05.123")),
        ("", "0", "timestamptz", "", Bad("number-in-time")),
        ("", "1700000000", "timestamptz", "", Bad("number-in-time")),
        ("", "2024", "timestamp", "", Bad("number-in-time")),
        ("", "0", "timestamptz", r#"epoch = "s""#, Is("1970-01-01 00:00:00+00")),
        ("", "1700000000", "timestamptz", r#"epoch = "s""#, Is("2023-11-14 22:13:20+00")),
        ("", "1700000000123", "timestamptz", r#"epoch = "ms""#, Is("2023-11-14 22:13:20.123+00")),
        ("", "1700000000123456", "timestamptz", r#"epoch = "us""#, Is("2023-11-14 22:13:20.123456+00")),
        ("", "1700000000123456000", "timestamptz", r#"epoch = "ns""#, Is("2023-11-14 22:13:20.123456+00")),
        ("", "1700000000123456789", "timestamptz", r#"epoch = "ns""#, Bad("excess-precision")),
        ("", "1700000000.5", "timestamptz", r#"epoch = "s""#, Is("2023-11-14 22:13:20.5+00")),
        ("", "1700000000123.0", "timestamptz", r#"epoch = "ms""#, Is("2023-11-14 22:13:20.123+00")),
        ("", "-1", "timestamptz", r#"epoch = "s""#, Is("1969-12-31 23:59:59+00")),
        ("", "9223372036854775807", "timestamptz", r#"epoch = "s""#, Bad("out-of-range")),
        ("", "9e999", "timestamptz", r#"epoch = "s""#, Bad("not-finite")),
        ("", "'1700000000'", "timestamptz", r#"epoch = "s""#, Is("2023-11-14 22:13:20+00")),
        ("", "'2023-03-02 15:04:05'", "timestamptz", r#"epoch = "s""#, Is("2023-03-02 15:04:05+00")),
        ("DATETIME", "'1700000000'", "timestamptz", r#"epoch = "s""#, Is("2023-11-14 22:13:20+00")),
        ("", "1699920000", "date", r#"epoch = "s""#, Is("2023-11-14")),
        ("", "1700000000", "date", r#"epoch = "s""#, Bad("time-in-date")),
        ("", "2460006.127835648", "timestamp", r#"epoch = "julian""#, Is("2023-03-02 15:04:05")),
        ("", "2460000.5", "timestamp", "", Bad("number-in-time")),
        ("", "638133734450000000", "timestamp", "", Bad("number-in-time")),
        ("", "44987.5", "timestamp", "", Bad("number-in-time")),
        ("", "2460000.5", "timestamptz", r#"epoch = "julian""#, Is("2023-02-25 00:00:00+00")),
        ("", "700000000.0", "timestamptz", "", Bad("number-in-time")),
        ("", "'0000-00-00'", "date", "", Bad("no-such-date")),
        ("", "'2024-02-30'", "date", "", Bad("no-such-date")),
        ("", "'2024-13-01'", "date", "", Bad("no-such-date")),
        ("", "'0000-00-00'", "date", r#"null_if = ["0000-00-00"]"#, super::Null),
        ("", "'0000-01-01'", "date", "", Bad("no-such-date")),
        ("", "'2024-02-30 10:00:00'", "timestamp", "", Bad("no-such-date")),
        ("", "'0000-00-00 00:00:00'", "timestamp", "", Bad("no-such-date")),
        ("", "'2024-00-10'", "date", "", Bad("no-such-date")),
        ("", "'5874897-12-31'", "date", "", Is("5874897-12-31")),
        ("", "'5874898-01-01'", "date", "", Bad("out-of-range")),
        ("", "'4714-11-24 BC'", "date", "", Is("4714-11-24 BC")),
        ("", "'-4713-11-24'", "date", "", Is("4714-11-24 BC")),
        ("", "'-4713-11-23'", "date", "", Bad("out-of-range")),
        ("", "'0001-01-01'", "date", "", Is("0001-01-01")),
        ("", "'294276-12-31 23:59:59.999999'", "timestamp", "", Is("294276-12-31 23:59:59.999999")),
        ("", "'294277-01-01'", "timestamp", "", Bad("out-of-range")),
        ("", "'294276-12-31 23:59:59-01'", "timestamptz", "", Bad("out-of-range")),
        ("", "'-4713-11-24 00:00:00'", "timestamptz", "", Is("4714-11-24 00:00:00+00 BC")),
        ("", "'+12024-01-01'", "date", "", Is("12024-01-01")),
        ("", "'12024-01-01 10:00'", "timestamp", "", Is("12024-01-01 10:00:00")),
        ("", "'12024-01-01'", "date", "", Is("12024-01-01")),
        ("", "'-0044-03-15'", "date", "", Is("0045-03-15 BC")),
        ("", "'2024-01-01 24:00:00'", "timestamp", "", Is("2024-01-02 00:00:00")),
        ("", "'24:00:00'", "time", "", Is("24:00:00")),
        ("", "'2024-12-31 24:00:00'", "timestamptz", "", Is("2025-01-01 00:00:00+00")),
        ("", "'2024-01-01T24:00:01'", "timestamp", "", Bad("no-such-date")),
        ("", "'23:59:60'", "time", "", Bad("leap-second")),
        ("", "'2024-01-01 23:59:60'", "timestamp", "", Bad("leap-second")),
        ("", "'now'", "timestamp", "", Bad("special-time")),
        ("", "'today'", "date", "", Bad("special-time")),
        ("", "'epoch'", "timestamptz", "", Bad("special-time")),
        ("", "'infinity'", "timestamp", "", Bad("special-time")),
        ("", "'-infinity'", "date", "", Bad("special-time")),
        ("", "'NOW'", "time", "", Bad("special-time")),
        ("", "'yesterday'", "timestamptz", "", Bad("special-time")),
        ("", "'9999999999-01-01'", "timestamp", "", Bad("out-of-range")),
        ("", "'01/02/2023'", "date", "", Bad("not-a-date")),
        ("", "'01/02/2023'", "date", r#"format = "%d/%m/%Y""#, Is("2023-02-01")),
        ("", "'01/02/2023'", "date", r#"format = "%m/%d/%Y""#, Is("2023-01-02")),
        ("", "'2024-01-01 00:00:00.5'", "timestamp(0)", "", Bad("excess-precision")),
        ("", "'2024-01-01 00:00:00.5'", "timestamp(1)", "", Is("2024-01-01 00:00:00.5")),
        ("", "'2024-01-01 00:00:00.1235'", "timestamp(3)", "", Bad("excess-precision")),
        ("", "'2024-01-01 00:00:00.1230'", "timestamp(3)", "", Is("2024-01-01 00:00:00.123")),
        ("", "'2024-01-01 00:00:00.1235'", "timestamptz(3)", "", Bad("excess-precision")),
        ("", "'2024-01-01 00:00:00.1235'", "timestamptz(3)", "round = true", Is("2024-01-01 00:00:00.124+00")),
        ("", "'10:00:00.1235'", "time(3)", "", Bad("excess-precision")),
        ("", "'10:00:00.1230'", "time(3)", "", Is("10:00:00.123")),
        ("", "'10:00:00.1235'", "time(3)", "round = true", Is("10:00:00.124")),
        ("", "1500", "timestamp(0)", r#"epoch = "ms""#, Bad("excess-precision")),
        ("", "'2024-01-01 10:00'", "date", "", Bad("time-in-date")),
        ("", "'2024-01-01 10:00'", "date", "truncate = true", Is("2024-01-01")),
        ("", "'2024-01-01 00:00'", "date", "", Is("2024-01-01")),
        ("", "'2024-01-01 10:00'", "time", "", Bad("date-in-time")),
        ("", "'10:00+02'", "timetz", "", Is("10:00:00+02")),
    ];
    hold(CASES);
}

#[test]
fn durations_need_their_unit() {
    const CASES: &[Sample] = &[
        ("", "90061", "interval", "", Bad("number-in-interval")),
        ("", "90061", "interval", r#"unit = "s""#, Is("25:01:01")),
        ("", "90061000", "interval", r#"unit = "ms""#, Is("25:01:01")),
        ("", "1.5", "interval", r#"unit = "s""#, Is("00:00:01.5")),
        ("", "'90061'", "interval", "", Bad("not-an-interval")),
        ("", "'90061'", "interval", r#"unit = "s""#, Is("25:01:01")),
        ("", "90061000000", "interval", r#"unit = "us""#, Is("25:01:01")),
        ("", "'1:02:03'", "interval", "", Is("01:02:03")),
        ("", "'-1 day, 23:59:59'", "interval", "", Is("-00:00:01")),
        ("", "'P1DT2H'", "interval", "", Is("1 day 02:00:00")),
        ("", "'1 day, 1:02:03'", "interval", "", Is("25:02:03")),
        ("", "'1.02:03:04.5000000'", "interval", "", Is("26:03:04.5")),
        ("", "'P1Y2M'", "interval", "", Is("1 year 2 mons")),
        ("", "'P1M30D'", "interval", "", Is("1 mon 30 days")),
        ("", "'P2147483647D'", "interval", "", Is("2147483647 days")),
        ("", "'P2147483648D'", "interval", "", Bad("out-of-range")),
        ("", "'P178956971Y'", "interval", "", Bad("out-of-range")),
        ("", "'0:00:01.5'", "interval(0)", "", Bad("excess-precision")),
        ("", "'0:00:01.5'", "interval(0)", "round = true", Is("00:00:02")),
        ("", "'0:00:01.5000000'", "interval(1)", "", Is("00:00:01.5")),
        ("", "'soon'", "interval", "", Bad("not-an-interval")),
    ];
    hold(CASES);
}

#[test]
fn local_times_without_a_zone_are_refused_before_anything_is_written() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, d DATE);
        INSERT INTO t VALUES (1, '2023-03-02 15:04:05', '2023-03-02'), (2, '2023-03-02 15:04:05Z', NULL);";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, d date)", "[load.t]\n");
    let before = case.target.inventory();
    for how in ["--dry-run", "--yes"] {
        let refused = &case.exits(3, &[how, "--on-fault", "quarantine"])["refusals"];
        assert!(refused[0]["place"].as_str().is_some_and(|place| place.starts_with("load.t.columns.at ")), "{refused}");
        assert!(refused.to_string().contains("no zone is stated"), "{refused}");
    }
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn a_stopped_run_resumes_in_no_other_zone() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, n INTEGER);
        INSERT INTO t VALUES (1, '2023-07-02 15:04:05', 1), (2, '2023-07-02 15:04:05', 2), (3, '2023-07-02 15:04:05', -3);";
    let target = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, n int CONSTRAINT up CHECK (n > 0))";
    let case = Case::new(source, target, "zone = \"Europe/Berlin\"\n[load.t]\n");
    let args = ["--yes", "--batch-rows", "1", "--jobs", "1", "--skip-preflight"];
    case.exits(4, &args);
    assert_eq!(case.ids("t"), [1, 2]);
    let mapping = case.place.read("migrate.toml");
    case.place.write("migrate.toml", mapping.replace("Europe/Berlin", "UTC"));
    let refused = case.exits(3, &args)["refusals"].to_string();
    assert!(
        refused.contains("the mapping is not what it was when rows of this load were written: column at"),
        "{refused}"
    );
    case.place.write("migrate.toml", mapping);
    case.exits(6, &["--yes", "--batch-rows", "1", "--jobs", "1", "--on-fault", "quarantine"]);
    assert_eq!(
        case.target.value("SELECT min(at AT TIME ZONE 'UTC') || ' ' || max(id) FROM t"),
        "2023-07-02 13:04:05 2"
    );
}

#[test]
fn a_date_in_an_interval_is_the_time_since_a_day() {
    const CASES: &[Sample] = &[
        ("", "'1970-01-01 00:05:00.000000'", "interval", "", Bad("not-an-interval")),
        ("", "'1970-01-01 00:05:00.000000'", "interval", r#"since = "1970-01-01""#, Is("00:05:00")),
        ("", "'1970-01-02 01:00:00.5'", "interval", r#"since = "1970-01-01""#, Is("25:00:00.5")),
        ("", "'1969-12-31 23:00:00'", "interval", r#"since = "1970-01-01""#, Is("-01:00:00")),
        ("", "'0001-01-02'", "interval", r#"since = "0001-01-01""#, Is("24:00:00")),
        ("", "'0:00:02'", "interval", r#"since = "1970-01-01""#, Is("00:00:02")),
        ("", "'1970-02-30'", "interval", r#"since = "1970-01-01""#, Bad("no-such-date")),
    ];
    hold(CASES);
}
