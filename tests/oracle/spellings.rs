//! Values of more types, in the same manner as `draw`, and the cells at the edges of each, with which every run begins.

use super::draw::{DAY, Type, clock, hex, shown, text};
use super::random::Random;

/// Eighths, which both floating-point types hold.
pub fn single(random: &mut Random) -> (String, String) {
    let value = random.integer(20) as f32 / 8.0;
    let of = vec![format!("{value:?}"), format!("'{value:?}'"), format!("'{value:e}'")];
    (format!("{:08x}", value.to_bits()), random.one(of))
}

/// Thousandths, rounded half away from zero.
pub fn rounded(random: &mut Random) -> (String, String) {
    let n = random.integer(29);
    let cents = (n.unsigned_abs() + 5) / 10;
    let sign = if n < 0 && cents > 0 { "-" } else { "" };
    let (minus, size) = (if n < 0 { "-" } else { "" }, n.unsigned_abs());
    let of = vec![format!("'{minus}{}.{:03}'", size / 1000, size % 1000), format!("'{n}e-3'")];
    (format!("{sign}{}.{:02}", cents / 100, cents % 100), random.one(of))
}

/// Up to four characters, filled up with blanks.
pub fn padded(random: &mut Random) -> (String, String) {
    let (value, literal) = text(4, random);
    let blanks = " ".repeat(4 - value.chars().count());
    (hex(format!("{value}{blanks}").as_bytes()), literal)
}

/// The last Sunday of a month with 31 days, as days since 1970-01-01.
fn last_sunday(year: i64, month: i64) -> i64 {
    let before: i64 = (1970..year).map(|y| 365 + i64::from(leap(y))).sum();
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31];
    let last = before + lengths[..month as usize].iter().sum::<i64>() - 1;
    // 1970-01-01 was a Thursday.
    last - (last + 4).rem_euclid(7)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Berlin's local times from 1997 on, when the European Union's rule held: summer time between the last Sundays of March
/// and October, 01:00 UTC. Times before four o'clock are left out, so that none occurs twice or never.
pub fn berlin(random: &mut Random) -> (String, String) {
    let year = 1997 + random.below(38) as i64;
    let (spring, autumn) = (last_sunday(year, 3), last_sunday(year, 10));
    let around = [spring, autumn, spring - 1, autumn - 1, spring + 60, spring - 60];
    let day = random.pick(&around);
    let east = if (spring..autumn).contains(&day) { 2 } else { 1 };
    let local = day * DAY + (4 * 3600 + random.below(20 * 3600) as i64) * 1_000_000;
    // `clock` counts from 0000-03-01.
    let moment = local + 719_468 * DAY;
    let (date, time, _) = clock(moment);
    (format!("{}+00", shown(moment - east * 3_600_000_000)), format!("'{date} {time}'"))
}

/// Months, days and microseconds, each with a sign of its own.
pub fn interval(random: &mut Random) -> (String, String) {
    let (months, days) = (random.integer(12) as i32, random.integer(14) as i32);
    let micros = random.integer(38);
    let (sign, size) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (seconds, rest) = (size / 1_000_000, size % 1_000_000);
    let time = format!("{sign}{:02}:{:02}:{:02}.{rest:06}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let of =
        vec![format!("'{months} mons {days} days {time}'"), format!("'P{months}M{days}DT{sign}{seconds}.{rest:06}S'")];
    (sent(months, days, micros), random.one(of))
}

/// As `interval_send` writes it.
fn sent(months: i32, days: i32, micros: i64) -> String {
    format!("{micros:016x}{days:08x}{months:08x}")
}

/// Integers, NULLs among them.
pub fn array(random: &mut Random) -> (String, String) {
    let items: Vec<Option<i64>> =
        (0..random.below(5)).map(|_| (random.below(4) > 0).then(|| random.integer(32))).collect();
    let with = |null: &str, comma: &str| {
        let items: Vec<String> = items.iter().map(|i| i.map_or(null.to_owned(), |i| i.to_string())).collect();
        items.join(comma)
    };
    let value = format!("{{{}}}", with("NULL", ","));
    let of =
        vec![format!("'{value}'"), format!("'[{}]'", with("null", ", ")), format!("' {{{}}} '", with("null", " , "))];
    (value, random.one(of))
}

/// Cells at the edges of a type: what PostgreSQL prints, and the literal.
pub fn edges(kind: Type) -> Vec<(String, String)> {
    let is = |of: &[(&str, &str)]| of.iter().map(|(value, literal)| ((*value).into(), (*literal).into())).collect();
    match kind {
        Type::Int(16) => is(&[("32767", "32767"), ("-32768", "'-32768'"), ("1000", "'1e3'")]),
        Type::Int(32) => is(&[("2147483647", "2147483647"), ("-2147483648", "'-2147483648.0'")]),
        Type::Int(_) => {
            is(&[("9223372036854775807", "9223372036854775807"), ("-9223372036854775808", "'-9223372036854775808'")])
        }
        Type::Cents => {
            is(&[("9999999999.99", "'9999999999.99'"), ("0.30", "0.1 + 0.2"), ("-0.01", "-0.01"), ("0.00", "'-0'")])
        }
        Type::Rounded => {
            is(&[("0.31", "'0.305'"), ("-0.31", "-0.305"), ("0.30", "'0.3049'"), ("999999.99", "999999.994")])
        }
        Type::Padded => is(&[("61202020", "'a'"), ("20202020", "''"), ("c3a9202020", "'é'")]),
        Type::Date => {
            is(&[("0001-01-01", "'0001-01-01'"), ("0045-03-15 BC", "'-0044-03-15'"), ("12024-02-29", "'12024-02-29'")])
        }
        Type::Timestamp => is(&[
            ("2024-03-01 00:00:00", "'2024-02-29 24:00:00'"),
            ("2024-01-01 00:00:00.000001", "'2024-01-01T00:00:00.000001'"),
        ]),
        Type::Instant => is(&[
            ("2023-03-02 14:04:05+00", "'Thu Mar 02 2023 15:04:05 GMT+0100 (Central European Standard Time)'"),
            ("2023-03-02 23:04:05+00", "'Thu, 02 Mar 2023 15:04:05 -0800'"),
            ("2022-12-31 18:30:00+00", "'2023-01-01 00:00+05:30'"),
        ]),
        Type::Berlin => is(&[
            ("2024-03-31 00:59:59+00", "'2024-03-31 01:59:59'"),
            ("2024-03-31 01:00:00+00", "'2024-03-31 03:00'"),
            ("2024-10-26 23:59:59+00", "'2024-10-27 01:59:59'"),
            ("2024-10-27 02:00:00+00", "'2024-10-27 03:00'"),
        ]),
        Type::Interval => vec![
            (sent(0, 0, -1_000_000), "'-1 day, 23:59:59'".to_owned()),
            (sent(-14, 3, -14_706_000_000), "'-1 years -2 mons +3 days -04:05:06'".to_owned()),
            (sent(0, -7, 0), "'-P1W'".to_owned()),
            (sent(0, 0, 0), "'00:00:00'".to_owned()),
        ],
        Type::Array => is(&[("{}", "'[]'"), ("{{1,NULL},{3,4}}", "'[[1, null], [3, 4]]'"), ("{NULL}", "'[null]'")]),
        Type::Json => is(&[
            ("[100, 1.10, 0, 0.0, -0.001, 1000]", "'[1e2, 1.10, -0, -0.0, -1e-3, 1.0e3]'"),
            ("{\"a\": 3, \"bb\": 1}", "'{\"bb\":1,\"a\":2,\"a\":3}'"),
            ("\"é/\\t\"", "'\"\\u00e9\\/\\t\"'"),
            ("{\"a\": 2, \"bb\": 1}", "'{\"bb\": 1, \"a\": 2}'"),
            ("null", "'null'"),
            ("9007199254740993", "'9007199254740993'"),
        ]),
        Type::Text => is(&[("42", "42"), ("x  ", "'x  '"), ("", "''")]),
        Type::Five => is(&[("ééééé", "'ééééé'"), ("abc  ", "'abc  '")]),
        Type::Boolean => is(&[("true", "' oN '"), ("false", "'F'")]),
        Type::Single => is(&[("3dcccccd", "0.1"), ("7f800000", "9e999"), ("4b800000", "16777216")]),
        Type::Double => {
            is(&[("8000000000000000", "-0.0"), ("0000000000000001", "5e-324"), ("fff0000000000000", "-9e999")])
        }
        Type::Bytes => is(&[("\\x53475673", "'SGVs'"), ("\\x", "x''"), ("\\x", "''")]),
        Type::Uuid | Type::Mood => Vec::new(),
    }
}
