//! The types under test, the reasons that their values may have, and the text that the server prints for them.

use super::super::*;
use super::{Pool, Subject};
use crate::model::rules::{Epoch, Offset, Overlap, Unit, Zone};
use crate::wire::text;

use Reason::*;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "42",
    "-17",
    "+5",
    " 12 ",
    "1.0",
    "1e3",
    "4.2e1",
    "0.1",
    ".5",
    "5.",
    "123456789012345678901234567890.5",
    "1E+3",
    "1e-20",
    "NaN",
    "inf",
    "-Infinity",
    "0x10",
    "1_000",
    "1,5",
    "9223372036854775808",
    "2147483647",
    "-2147483649",
    "0.305",
    "1e131071",
    "1e-16383",
    "99999999.99",
    "16777217",
    "3.4028235e38",
    "5e-324",
    "٣",
    "abc",
    "",
];

const TIMES: &[&str] = &[
    "2024-02-29",
    "2023-02-29",
    "2024-01-31 12:34:56",
    "2024-01-31T12:34:56.123456",
    "2024-01-31 12:34:56.1234567",
    "15:04:05",
    "24:00:00",
    "2024-01-01 24:00:00",
    "2024-01-01 23:59:60",
    "2024-01-31T12:34:56Z",
    "2024-01-31 12:34:56+05:30",
    "2024-01-31 12:34:56.5 -0700 MST m=+0.012",
    "2024-01-31 12:34:56 UTC",
    "Thu Mar 02 2023 15:04:05 GMT+0100",
    "Thu, 02 Mar 2023 15:04:05 GMT",
    "Mon, 2 Jan 2006 15:04:05 -0700",
    "20240131",
    "20240131T123456",
    "-0044-03-15",
    "12024-01-01",
    "0045-03-15 BC",
    "294276-12-31 23:59:59.999999",
    "5874897-12-31",
    "4714-11-24 BC",
    "infinity",
    "now",
    "today",
    "0000-00-00",
    "01/02/2023",
    "31/12/2023 10:11",
    "2024-03-31 02:30",
    "2024-10-27 02:30",
    "2024-7-1",
    "10:00+02",
    "",
];

const DURATIONS: &[&str] = &[
    "1:02:03",
    "-00:00:01.5",
    "-1 day, 23:59:59",
    "3 days, 1:02:03.000004",
    "P1DT2H",
    "P1Y2M3DT4H5M6.7S",
    "-P1W",
    "PT0S",
    "1 year 2 mons 3 days 04:05:06.789",
    "-1 years -2 mons +3 days -04:05:06",
    "1.02:03:04.5678900",
    "90061",
    "1 hour ago",
    "2 weeks",
    "00:00:00",
    "soon",
    "178956970 years 7 mons 2147483647 days 2562047788:00:54.775807",
    "",
];

const JSONS: &[&str] = &[
    r#"{"a":[1,-2.50,3e+4,null,true,false],"b":{"c":"x\n\u00e9\\","d":[]},"e":{}} "#,
    r#"{"a": 1, "b": {"z": 0.0}, "aa": "x"}"#,
    r#"[[], [{}], {"k": "a string without any escapes at all, é, and then \" one"}, 0.1E-7]"#,
    r#""\ud83d\ude00 \/""#,
    "-0",
    "1e131072",
    "null",
    r#"{"a":1,"\u0061":2}"#,
    "[1,]",
    "{a:1}",
    r#""\ud800""#,
    r#"{"a":"\u0000"}"#,
    r#"{"long key": 1, "another key that is long": [1, 2, 3]}"#,
    "",
];

const ARRAYS: &[&str] = &[
    "[1, 2, null]",
    "{1,2,NULL}",
    "[[1,2],[3,4]]",
    "{{1,2},{3,4}}",
    "[]",
    "{}",
    "[[1,2],[3]]",
    "1,2,3",
    r#"["a","b\"c",null]"#,
    r#"{"a b",c,"d\"e","NULL"}"#,
    r#"[{"a": 1}, [2]]"#,
    r#"{"{\"a\": 1}"}"#,
    r#"["2024-01-01 10:00:00Z"]"#,
    "[1.5, 2e3]",
    "[[[[[[1]]]]]]",
    "a,,b",
    r#"[" x "]"#,
    "",
];

const OTHERS: &[&str] = &[
    "t",
    "FALSE",
    " yes ",
    "on",
    "0",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}",
    "urn:uuid:a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "10.0.0.1/24",
    "::1",
    "2001:db8::ff00:42:8329/64",
    "010.1.1.1",
    "",
];

/// The reasons of a number.
const OF_NUMBERS: &[Reason] =
    &[NotANumber, NotIntegral, OutOfRange, PrecisionOverflow, ExcessScale, NotFinite, BlobInValue, EmptyString];

const OF_TIMES: &[Reason] = &[
    NotADate,
    NotATime,
    NoSuchDate,
    NumberInTime,
    TimeInDate,
    DateInTime,
    OffsetInTimestamp,
    TimeGap,
    TimeOverlap,
    ExcessPrecision,
    LeapSecond,
    SpecialTime,
    OutOfRange,
    NotFinite,
    BlobInValue,
    EmptyString,
];

const OF_DURATIONS: &[Reason] =
    &[NotAnInterval, NumberInInterval, OutOfRange, ExcessPrecision, NotFinite, BlobInValue, EmptyString];

const OF_JSONS: &[Reason] =
    &[InvalidJson, NulInJson, LoneSurrogate, JsonNumber, BlobInJson, NotFinite, NotUtf8, EmptyString];

const OF_OTHERS: &[Reason] = &[NotABoolean, NotFinite, NotAUuid, NumberInUuid, NotAnInet, BlobInValue, EmptyString];

/// The reasons of an array, in addition to those of its elements.
const OF_ARRAYS: &[Reason] = &[
    NotAnArray,
    RaggedArray,
    NotUtf8,
    BlobInValue,
    EmptyString,
    NotANumber,
    NotIntegral,
    OutOfRange,
    NulInText,
    NotADate,
    NotATime,
    NoSuchDate,
    NumberInTime,
    LeapSecond,
    SpecialTime,
    ExcessPrecision,
    NotFinite,
    InvalidJson,
    NulInJson,
    LoneSurrogate,
    JsonNumber,
    TooLong,
];

/// Returns every subject once.
pub(super) fn all() -> Vec<Subject> {
    let numeric = |limit| Kind::Numeric { limit };
    let array = |kind| Kind::Array(Box::new(column(kind)));
    vec![
        subject("int4", Kind::Int4, NUMBERS, OF_NUMBERS),
        subject("int8", Kind::Int8, NUMBERS, OF_NUMBERS),
        subject("numeric", numeric(None), NUMBERS, OF_NUMBERS),
        subject("numeric(10,2)", numeric(Some((10, 2))), NUMBERS, OF_NUMBERS),
        subject("numeric(5,-2)", numeric(Some((5, -2))), NUMBERS, OF_NUMBERS),
        subject("float4", Kind::Float4, NUMBERS, OF_NUMBERS),
        subject("float8", Kind::Float8, NUMBERS, OF_NUMBERS),
        subject("date", Kind::Date, TIMES, OF_TIMES),
        subject("time(3)", Kind::Time { precision: 3 }, TIMES, OF_TIMES),
        subject("timestamp", Kind::Timestamp { precision: 6 }, TIMES, OF_TIMES),
        subject("timestamp(0)", Kind::Timestamp { precision: 0 }, TIMES, OF_TIMES),
        subject("timestamptz", Kind::Timestamptz { precision: 6 }, TIMES, OF_TIMES),
        subject("interval", Kind::Interval { precision: 6 }, DURATIONS, OF_DURATIONS),
        subject("json", Kind::Json, JSONS, OF_JSONS),
        subject("jsonb", Kind::Jsonb, JSONS, OF_JSONS),
        subject("int4[]", array(Kind::Int4), ARRAYS, OF_ARRAYS),
        subject("text[]", array(Kind::Text), ARRAYS, OF_ARRAYS),
        subject("jsonb[]", array(Kind::Jsonb), ARRAYS, OF_ARRAYS),
        subject("timestamptz[]", array(Kind::Timestamptz { precision: 6 }), ARRAYS, OF_ARRAYS),
        subject("other[]", array(Kind::Other), ARRAYS, OF_ARRAYS),
        subject("boolean", Kind::Bool, OTHERS, OF_OTHERS),
        subject("uuid", Kind::Uuid, OTHERS, OF_OTHERS),
        subject("inet", Kind::Inet, OTHERS, OF_OTHERS),
    ]
}

fn subject(name: &'static str, kind: Kind, seeds: &[&str], reasons: &'static [Reason]) -> Subject {
    let utc = Rules { zone: Some(Zone::Fixed(0)), ..rules() };
    let berlin = Rules { zone: Zone::parse("Europe/Berlin"), ..rules() };
    let counted = |epoch, unit| Rules { epoch: Some(epoch), unit: Some(unit), ..utc.clone() };
    let lossy = Rules {
        round: true,
        truncate: true,
        strip_nul: true,
        trim: true,
        array_csv: true,
        offset: Some(Offset::Zone),
        overlap: Some(Overlap::Later),
        format: vec!["%d/%m/%Y %H:%M".into()],
        ..berlin.clone()
    };
    let dropping = Rules { offset: Some(Offset::Drop), overlap: Some(Overlap::Earlier), round: true, ..berlin.clone() };
    let all = [
        counted(Epoch::Seconds, Unit::Seconds),
        counted(Epoch::Millis, Unit::Millis),
        counted(Epoch::Micros, Unit::Micros),
        counted(Epoch::Nanos, Unit::Seconds),
        counted(Epoch::Julian, Unit::Seconds),
        utc.clone(),
        berlin,
        lossy,
        dropping,
    ];
    Subject {
        name,
        readers: all.iter().map(|rules| converter(kind.clone(), rules)).collect(),
        strict: converter(kind.clone(), &utc),
        reasons,
        is_instant: matches!(kind, Kind::Timestamptz { .. }),
        is_json: kind == Kind::Jsonb || kind == Kind::Json,
        pool: Pool::new(seeds),
        taken: 0,
        refused: Default::default(),
    }
}

/// Returns the text that the server prints for a cell, in UTC.
pub(super) fn printed(cell: &Cell<'_>, is_instant: bool) -> String {
    match cell {
        Cell::Float4(value) if value.is_finite() => float(format!("{value:e}"), |n| format!("{value:.n$e}"), *value),
        Cell::Float8(value) if value.is_finite() => float(format!("{value:e}"), |n| format!("{value:.n$e}"), *value),
        Cell::Interval { months, days, micros } => interval(*months, *days, *micros),
        Cell::Timestamp(_) if !is_instant => text::literal(cell).replace("+00", ""),
        _ => text::literal(cell),
    }
}

/// Returns the fewest digits that restore the value; of two texts equally near the even one. Uses more digits if those
/// are halfway to another value. `with` prints the value with a number of decimals.
fn float<T: std::str::FromStr + PartialEq>(short: String, with: impl Fn(usize) -> String, value: T) -> String {
    let digits = short.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let holds = |text: &String| text.parse().is_ok_and(|back: T| back == value) && !is_halfway(text);
    (digits - 1..20).map(with).find(holds).unwrap_or(short)
}

/// Returns true if a text is a number exactly between two values of the type `real`.
fn is_halfway(text: &str) -> bool {
    let (Ok(exact), Ok(near)) = (text.parse::<f64>(), text.parse::<f32>()) else { return false };
    let wide = f64::from(near);
    [near.next_up(), near.next_down()].iter().any(|next| (wide + f64::from(*next)) / 2.0 == exact)
}

/// Formats in the style `postgres`: each part has its own sign, with a plus after a minus.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut out = String::new();
    let mut below = false;
    for (value, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if value != 0 {
            let plus = if below && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            out += &format!("{plus}{value} {unit}{plural} ");
            below = value < 0;
        }
    }
    if micros != 0 || out.is_empty() {
        let size = micros.unsigned_abs();
        let sign = if micros < 0 {
            "-"
        } else if below {
            "+"
        } else {
            ""
        };
        let (seconds, rest) = (size / 1_000_000, size % 1_000_000);
        let fraction = format!(".{rest:06}");
        let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
        out += &format!("{sign}{:02}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    out.trim_end().to_owned()
}
