//! Times that are numbers, and spellings that a mapping defines.

use super::*;
use crate::model::rules::{Epoch, Zone};

const STAMP: Kind = Kind::Timestamp { precision: 6 };
const INSTANT: Kind = Kind::Timestamptz { precision: 6 };
const TIME: Kind = Kind::Time { precision: 6 };
const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// 2023-03-02 15:04:05.
const THEN: i64 = 8461 * DAY + 15 * HOUR + 4 * 60_000_000 + 5_000_000;

fn counted(epoch: Epoch) -> Rules {
    Rules { epoch: Some(epoch), ..rules() }
}

fn formatted(format: &str) -> Rules {
    Rules { format: vec![format.into()], ..rules() }
}

#[test]
fn a_number_is_a_time_only_with_an_epoch() {
    let start = 10_957 * DAY;
    for (epoch, raw, micros) in [
        (Epoch::Seconds, Raw::Integer(0), -start),
        (Epoch::Seconds, Raw::Integer(1_700_000_000), 1_700_000_000_000_000 - start),
        (Epoch::Millis, Raw::Integer(1_700_000_000_123), 1_700_000_000_123_000 - start),
        (Epoch::Micros, Raw::Integer(1_700_000_000_123_456), 1_700_000_000_123_456 - start),
        (Epoch::Nanos, Raw::Integer(1_700_000_000_123_456_000), 1_700_000_000_123_456 - start),
        (Epoch::Seconds, Raw::Real(1_700_000_000.5), 1_700_000_000_500_000 - start),
        (Epoch::Seconds, Raw::Real(-0.000001), -1 - start),
        (Epoch::Millis, Raw::Real(1_700_000_000_123.0), 1_700_000_000_123_000 - start),
        (Epoch::Julian, Raw::Real(2_460_000.5), 8456 * DAY),
        (Epoch::Julian, Raw::Integer(2_460_000), 8455 * DAY + 12 * HOUR),
        (Epoch::Julian, Raw::Real(2_460_006.127835648), THEN),
        (Epoch::Julian, Raw::Integer(0), -2_451_545 * DAY + 12 * HOUR),
    ] {
        assert_eq!(exact(INSTANT, &rules(), raw), Err(Reason::NumberInTime), "{raw:?}");
        assert_eq!(exact(INSTANT, &counted(epoch), raw), Ok(Cell::Timestamp(micros)), "{raw:?}");
        assert_eq!(exact(STAMP, &counted(epoch), raw), Ok(Cell::Timestamp(micros)), "{raw:?}");
    }
    assert_eq!(exact(STAMP, &counted(Epoch::Seconds), txt("2023-03-02 15:04:05")), Ok(Cell::Timestamp(THEN)));
}

#[test]
fn counted_times_respect_precision_range_and_zone() {
    let seconds = counted(Epoch::Seconds);
    let rounding = Rules { round: true, ..counted(Epoch::Nanos) };
    let start = 10_957 * DAY;
    let noisy = with_losses(INSTANT, &seconds, Raw::Real(1_700_000_000.1234567));
    assert_eq!(noisy, (Ok(Cell::Timestamp(1_700_000_000_123_457 - start)), vec![Loss::FloatNoise]));
    let nanos = Raw::Integer(1_700_000_000_123_456_789);
    assert_eq!(exact(INSTANT, &counted(Epoch::Nanos), nanos), Err(Reason::ExcessPrecision));
    let rounded = (Ok(Cell::Timestamp(1_700_000_000_123_457 - start)), vec![Loss::Round]);
    assert_eq!(with_losses(INSTANT, &rounding, nanos), rounded);
    let whole = Kind::Timestamptz { precision: 0 };
    assert_eq!(exact(whole, &counted(Epoch::Millis), Raw::Integer(1500)), Err(Reason::ExcessPrecision));
    for raw in [Raw::Integer(i64::MAX), Raw::Real(1e18), Raw::Integer(9_224_318_016_000)] {
        assert_eq!(exact(INSTANT, &seconds, raw), Err(Reason::OutOfRange), "{raw:?}");
    }
    assert_eq!(exact(INSTANT, &counted(Epoch::Julian), Raw::Real(5_373_484.5)), Err(Reason::OutOfRange));
    assert_eq!(exact(INSTANT, &seconds, Raw::Real(f64::INFINITY)), Err(Reason::NotFinite));
    let berlin = Rules { zone: Zone::parse("Europe/Berlin"), ..seconds.clone() };
    assert_eq!(exact(STAMP, &berlin, Raw::Integer(0)), Ok(Cell::Timestamp(HOUR - start)));
    assert_eq!(exact(INSTANT, &berlin, Raw::Integer(0)), Ok(Cell::Timestamp(-start)));
    assert_eq!(exact(Kind::Date, &seconds, Raw::Integer(86_400)), Ok(Cell::Date(-10_956)));
    assert_eq!(exact(Kind::Date, &berlin, Raw::Integer(86_400)), Err(Reason::TimeInDate));
    assert_eq!(exact(TIME, &seconds, Raw::Integer(3600)), Ok(Cell::Time(HOUR)));
    assert_eq!(exact(TIME, &seconds, Raw::Integer(86_401)), Err(Reason::OutOfRange));
}

#[test]
fn a_format_adds_a_spelling() {
    for (format, value, micros) in [
        ("%d/%m/%Y", "01/02/2023", 8432 * DAY),
        ("%d/%m/%Y", "1/2/2023", 8432 * DAY),
        ("%m/%d/%Y", "01/02/2023", 8402 * DAY),
        ("%Y%m%d", "20230302", 8461 * DAY),
        ("%Y-%d-%m", "2023-02-03", 8461 * DAY),
        ("%d/%m/%Y %H:%M:%S.%f", "02/03/2023 15:04:05.25", THEN + 250_000),
        ("%b %d, %Y %I:%M %p", "Mar 02, 2023 3:04 PM", THEN - 5_000_000),
        ("%A %d %B %Y", "Thursday 2 March 2023", 8461 * DAY),
        ("%a %b %e %T %Y", "Thu Mar  2 15:04:05 2023", THEN),
        ("%Y/%j", "2023/061", 8461 * DAY),
        ("%d.%m.%y", "02.03.23", 8461 * DAY),
        ("%d/%m/%Y", "2023-03-02 15:04:05", THEN),
    ] {
        assert_eq!(exact(STAMP, &formatted(format), txt(value)), Ok(Cell::Timestamp(micros)), "{format} {value}");
    }
    assert_eq!(
        exact(INSTANT, &formatted("%d/%m/%Y %H:%M %z"), txt("02/03/2023 16:04 +0100")),
        Ok(Cell::Timestamp(THEN - 5_000_000))
    );
    assert_eq!(exact(TIME, &formatted("%I:%M %p"), txt("12:30 am")), Ok(Cell::Time(HOUR / 2)));
    for (format, value, reason) in [
        ("%d/%m/%Y", "31/02/2023", Reason::NoSuchDate),
        ("%Y-%d-%m", "2023-03-25", Reason::NoSuchDate),
        ("%d/%m/%Y", "01/02/2023x", Reason::NotADate),
        ("%a %d/%m/%Y", "Fri 02/03/2023", Reason::NoSuchDate),
        ("%Y/%j", "2023/366", Reason::NoSuchDate),
    ] {
        assert_eq!(exact(Kind::Date, &formatted(format), txt(value)), Err(reason), "{format} {value}");
    }
    for format in ["%Q", "%", "%d/%m", "%H:%S", "%I:%M", "%Y %H", "x", "%M", ""] {
        assert_eq!(made(STAMP, &formatted(format)).map(|_| ()).unwrap_err().reason, Reason::BadFormat, "{format}");
    }
}

#[test]
fn digits_that_are_stored_as_text_count_in_the_declared_epoch() {
    let start = 10_957 * DAY;
    for (epoch, text, micros) in [
        (Epoch::Seconds, "1700000000", 1_700_000_000_000_000 - start),
        (Epoch::Seconds, " -1.5 ", -1_500_000 - start),
        (Epoch::Millis, "1700000000123", 1_700_000_000_123_000 - start),
        (Epoch::Seconds, "1700000000.123456", 1_700_000_000_123_456 - start),
        (Epoch::Julian, "2440587.5", -start),
    ] {
        assert_eq!(exact(INSTANT, &counted(epoch), txt(text)), Ok(Cell::Timestamp(micros)), "{text}");
    }
    let seconds = counted(Epoch::Seconds);
    assert_eq!(exact(INSTANT, &seconds, txt("1.1234567")), Err(Reason::ExcessPrecision));
    // Digits alone are no date in any built-in spelling, so nothing else could be meant.
    let local = Rules { zone: None, ..seconds.clone() };
    assert_eq!(exact(Kind::Date, &local, txt("31536000")), Ok(Cell::Date(365 - 10_957)));
    assert!(exact(INSTANT, &rules(), txt("1700000000")).is_err());
}

#[test]
fn the_first_format_of_a_list_that_fits_is_read() {
    let list = Rules { format: vec!["%d/%m/%Y".into(), "%m/%d/%Y %H:%M".into()], ..rules() };
    for (text, day) in [("02/01/2000", Ok(Cell::Date(1))), ("2000-01-03", Ok(Cell::Date(2)))] {
        assert_eq!(exact(Kind::Date, &list, txt(text)), day, "{text}");
    }
    assert_eq!(exact(STAMP, &list, txt("01/02/2000 00:00")), Ok(Cell::Timestamp(DAY)));
    // It has the shape of the first format, so the second is not tried.
    assert_eq!(exact(Kind::Date, &list, txt("01/13/2000")), Err(Reason::NoSuchDate));
}
