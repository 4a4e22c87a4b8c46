//! Dates, times, instants and durations in the spellings that programs leave behind.

use super::{Bad, Case, Is, hold};

const NEW_YORK: &str = r#"zone = "America/New_York""#;

#[test]
fn times_arrive_to_the_microsecond_or_are_refused() {
    const CASES: &[Case] = &[
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
        ("", "'2023-03-02T15:04:05.123456+00:00'", "timestamptz", "", Is("2023-03-02 15:04:05.123456+00")),
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
        ("", "2460000.5", "timestamptz", r#"epoch = "julian""#, Is("2023-02-25 00:00:00+00")),
        ("", "700000000.0", "timestamptz", "", Bad("number-in-time")),
        ("", "'0000-00-00'", "date", "", Bad("no-such-date")),
        ("", "'2024-02-30'", "date", "", Bad("no-such-date")),
        ("", "'2024-13-01'", "date", "", Bad("no-such-date")),
        ("", "'0000-00-00'", "date", r#"null_if = ["0000-00-00"]"#, super::Null),
        ("", "'12024-01-01'", "date", "", Is("12024-01-01")),
        ("", "'-0044-03-15'", "date", "", Is("0045-03-15 BC")),
        ("", "'2024-01-01 24:00:00'", "timestamp", "", Is("2024-01-02 00:00:00")),
        ("", "'24:00:00'", "time", "", Is("24:00:00")),
        ("", "'2024-01-01 23:59:60'", "timestamp", "", Bad("leap-second")),
        ("", "'now'", "timestamp", "", Bad("special-time")),
        ("", "'today'", "date", "", Bad("special-time")),
        ("", "'epoch'", "timestamptz", "", Bad("special-time")),
        ("", "'infinity'", "timestamp", "", Bad("special-time")),
        ("", "'9999999999-01-01'", "timestamp", "", Bad("out-of-range")),
        ("", "'01/02/2023'", "date", "", Bad("not-a-date")),
        ("", "'01/02/2023'", "date", r#"format = "%d/%m/%Y""#, Is("2023-02-01")),
        ("", "'2024-01-01 00:00:00.5'", "timestamp(0)", "", Bad("excess-precision")),
        ("", "'2024-01-01 00:00:00.5'", "timestamp(1)", "", Is("2024-01-01 00:00:00.5")),
        ("", "'2024-01-01 10:00'", "date", "", Bad("time-in-date")),
        ("", "'2024-01-01 00:00'", "date", "", Is("2024-01-01")),
        ("", "'2024-01-01 10:00'", "time", "", Bad("date-in-time")),
        ("", "'10:00+02'", "timetz", "", Is("10:00:00+02")),
    ];
    hold(CASES);
}

#[test]
fn durations_need_their_unit() {
    const CASES: &[Case] = &[
        ("", "90061", "interval", "", Bad("number-in-interval")),
        ("", "90061", "interval", r#"unit = "s""#, Is("25:01:01")),
        ("", "90061000000", "interval", r#"unit = "us""#, Is("25:01:01")),
        ("", "'1:02:03'", "interval", "", Is("01:02:03")),
        ("", "'-1 day, 23:59:59'", "interval", "", Is("-00:00:01")),
        ("", "'P1DT2H'", "interval", "", Is("1 day 02:00:00")),
        ("", "'P1Y2M'", "interval", "", Is("1 year 2 mons")),
        ("", "'soon'", "interval", "", Bad("not-an-interval")),
    ];
    hold(CASES);
}
