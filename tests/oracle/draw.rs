//! Types, values of them as PostgreSQL prints them, their spellings in SQLite, and cells that no conversion can read.
//!
//! Knows nothing of the tool: calendars and spellings are written here from the two databases' own documentation.

use super::random::Random;
use super::spellings;

/// A column's type on the target.
#[derive(Clone, Copy)]
pub enum Type {
    Int(u32),
    Cents,
    Double,
    Boolean,
    Text,
    Five,
    Bytes,
    Date,
    Timestamp,
    Instant,
    Uuid,
    Json,
    /// `real`
    Single,
    /// `numeric(8,2)` that the mapping lets round
    Rounded,
    /// `char(4)`
    Padded,
    /// `timestamptz` whose mapping states a zone with summer time
    Berlin,
    Interval,
    Array,
    Mood,
}

use Type::{
    Array, Berlin, Boolean, Bytes, Cents, Date, Double, Five, Instant, Int, Interval, Json, Mood, Padded, Rounded,
    Single, Text, Timestamp, Uuid,
};

/// Each of them.
pub const ALL: [Type; 21] = [
    Int(16),
    Int(32),
    Int(64),
    Cents,
    Double,
    Boolean,
    Text,
    Five,
    Bytes,
    Date,
    Timestamp,
    Instant,
    Uuid,
    Json,
    Single,
    Rounded,
    Padded,
    Berlin,
    Interval,
    Array,
    Mood,
];

/// Types of the target that columns name.
pub const TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');\n";

impl Type {
    pub fn drawn(random: &mut Random) -> Type {
        random.pick(&ALL)
    }

    /// As PostgreSQL's DDL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Int(16) => "smallint",
            Int(32) => "int",
            Int(_) => "bigint",
            Cents => "numeric(12,2)",
            Double => "double precision",
            Boolean => "boolean",
            Text => "text",
            Five => "varchar(5)",
            Bytes => "bytea",
            Date => "date",
            Timestamp => "timestamp",
            Instant => "timestamptz",
            Uuid => "uuid",
            Json => "jsonb",
            Single => "real",
            Rounded => "numeric(8,2)",
            Padded => "char(4)",
            Berlin => "timestamptz",
            Interval => "interval",
            Array => "int[]",
            Mood => "mood",
        }
    }

    /// The mapping of a column of this type.
    pub fn modifiers(self) -> &'static str {
        match self {
            Rounded => "round = true",
            Berlin => "zone = \"Europe/Berlin\"",
            // Blobs that do not prove their byte order are refused before any cell is judged.
            Uuid => "bytes = \"rfc\"",
            _ => "",
        }
    }

    /// The expression that prints a column of it; by its bits, where two programs print it differently or blanks are dropped.
    pub fn printed(self, column: &str) -> String {
        match self {
            Double => format!("encode(float8send({column}), 'hex')"),
            Single => format!("encode(float4send({column}), 'hex')"),
            Padded => format!("encode(bpcharsend({column}), 'hex')"),
            Interval => format!("encode(interval_send({column}), 'hex')"),
            _ => format!("{column}::text"),
        }
    }

    /// A value as PostgreSQL prints it, and one of its spellings as a SQLite expression.
    pub fn good(self, random: &mut Random) -> (String, String) {
        if random.below(12) == 0 {
            return ("NULL".to_owned(), "NULL".to_owned());
        }
        match self {
            Int(bits) => integer(random.integer(bits), random),
            Cents => cents(random),
            Double => double(random),
            Boolean if random.below(2) == 0 => {
                let word = random.pick(&["1", "1.0", "'t'", "'true'", "'YES'", "'on'", "' y '", "'1'"]);
                ("true".to_owned(), word.to_owned())
            }
            Boolean => {
                let word = random.pick(&["0", "0.0", "'f'", "'False'", "'no'", "'OFF'", "'n'", "'0'"]);
                ("false".to_owned(), word.to_owned())
            }
            Text => text(40, random),
            Five => text(5, random),
            Bytes => {
                let bytes: Vec<u8> = (0..random.below(30)).map(|_| random.next() as u8).collect();
                (format!("\\x{}", hex(&bytes)), format!("x'{}'", hex(&bytes)))
            }
            Date => date(random),
            Timestamp => timestamp(random),
            Instant => instant(random),
            Uuid => uuid(random),
            Json => json(random),
            Single => spellings::single(random),
            Rounded => spellings::rounded(random),
            Padded => spellings::padded(random),
            Berlin => spellings::berlin(random),
            Interval => spellings::interval(random),
            Array => spellings::array(random),
            Mood => {
                let label = random.pick(&["sad", "ok"]);
                (label.to_owned(), format!("'{label}'"))
            }
        }
    }

    /// A cell that cannot go, and the reason; None for a type that takes everything.
    pub fn bad(self, random: &mut Random) -> Option<(&'static str, &'static str)> {
        let of = self.bads();
        (!of.is_empty()).then(|| random.pick(&of))
    }

    /// Every cell of ours that cannot go, and its reason.
    pub fn bads(self) -> Vec<(&'static str, &'static str)> {
        let number = [("'abc'", "not-a-number"), ("'0x10'", "not-a-number"), ("''", "empty-string"), ("x'31'", "blob")];
        let (range, finite) = ("out-of-range", "not-finite");
        match self {
            Int(16) => {
                [&number[..], &[("32768", range), ("-32769", range), ("9e999", finite), ("1.5", "not-integral")]]
                    .concat()
            }
            Int(32) => {
                [&number[..], &[("'-2147483649'", range), ("2147483648", range), ("'1e-1'", "not-integral")]].concat()
            }
            Int(_) => [
                &number[..],
                &[("9223372036854775808", range), ("'-9223372036854775809'", range), ("-0.5", "not-integral")],
            ]
            .concat(),
            Cents => [
                &number[..],
                &[
                    ("'0.305'", "excess-scale"),
                    ("0.305", "excess-scale"),
                    ("10000000000", "precision-overflow"),
                    ("9e999", finite),
                ],
            ]
            .concat(),
            Double => number.to_vec(),
            Boolean => vec![("2", "not-a-boolean"), ("'maybe'", "not-a-boolean"), ("-1", "not-a-boolean")],
            Text => vec![
                ("'a' || char(0)", "nul-in-text"),
                ("CAST(x'41ff' AS TEXT)", "not-utf8"),
                ("CAST(x'eda080' AS TEXT)", "not-utf8"),
                ("x'41'", "blob-in-text"),
            ],
            Five => vec![("'éééééé'", "too-long"), ("'abcde '", "too-long"), ("123456", "too-long")],
            Bytes => Vec::new(),
            Single => [&number[..], &[("1e39", range), ("16777217", "excess-scale")]].concat(),
            Rounded => [&number[..], &[("999999.995", "precision-overflow"), ("9e999", finite)]].concat(),
            Padded => vec![("'abcde'", "too-long"), ("'abcd '", "too-long"), ("x'41'", "blob-in-text")],
            Berlin => vec![
                ("'2024-03-31 02:30'", "time-gap"),
                ("'2024-10-27 02:30'", "time-overlap"),
                ("'2024-10-27 02:00'", "time-overlap"),
                ("1700000000", "number-in-time"),
            ],
            Interval => vec![
                ("90061", "number-in-interval"),
                ("'soon'", "not-an-interval"),
                ("'00:00:00.1234567'", "excess-precision"),
                ("''", "empty-string"),
                ("x'31'", "blob"),
            ],
            Array => vec![
                ("'[[1, 2], [3]]'", "ragged-array"),
                ("'1,2'", "not-an-array"),
                ("'[1.5]'", "not-integral"),
                ("'{2147483648}'", range),
                ("x'31'", "blob"),
            ],
            Mood => vec![("'Sad'", "unknown-label"), ("'sad '", "unknown-label"), ("''", "empty-string")],
            Date => vec![
                ("'2023-02-29'", "no-such-date"),
                ("'soon'", "not-a-date"),
                ("'now'", "special-time"),
                ("20230301", "number-in-time"),
                ("'2023-03-01 10:00'", "time-in-date"),
            ],
            Timestamp => vec![
                ("'2023-03-01 10:00:00.1234567'", "excess-precision"),
                ("'2023-03-01 10:00:00+05:30'", "offset-in-timestamp"),
                ("'2023-03-01 10:00:60'", "leap-second"),
                ("'1900-02-29 10:00'", "no-such-date"),
                ("1700000000", "number-in-time"),
            ],
            Instant => vec![("1700000000", "number-in-time"), ("'2023-13-01T00:00:00Z'", "no-such-date")],
            Uuid => vec![("1234", "number-in-uuid"), ("'a0eebc99'", "not-a-uuid"), ("''", "empty-string")],
            Json => vec![
                ("'{a:1}'", "invalid-json"),
                ("'[1,]'", "invalid-json"),
                ("'{\"a\":\"\\u0000\"}'", "nul-in-json"),
                ("'\"\\ud800\"'", "lone-surrogate"),
                ("x'31'", "blob-in-json"),
                ("'1e131072'", "json-number"),
                ("9e999", finite),
            ],
        }
    }
}

fn integer(n: i64, random: &mut Random) -> (String, String) {
    // -9223372036854775808 is no literal of SQLite's: there it is a minus before a real.
    let plain = if n == i64::MIN { "(-9223372036854775807 - 1)".to_owned() } else { n.to_string() };
    let mut of = vec![plain, format!("'{n}'"), format!("' {n} '"), format!("'{n}.0'"), format!("'{n}e0'")];
    if n.unsigned_abs() < 1 << 50 {
        of.push(format!("{n}.0"));
    }
    (n.to_string(), random.one(of))
}

fn cents(random: &mut Random) -> (String, String) {
    let n = random.integer(40) % 1_000_000_000_000;
    let sign = if n < 0 { "-" } else { "" };
    let value = format!("{sign}{}.{:02}", n.unsigned_abs() / 100, n.unsigned_abs() % 100);
    let mut of = vec![value.clone(), format!("'{value}'"), format!("'{value}000'"), format!("'{n}e-2'")];
    if n % 100 == 0 {
        of.push((n / 100).to_string());
    }
    (value, random.one(of))
}

fn double(random: &mut Random) -> (String, String) {
    let exact = random.integer(32) as f64 / 1024.0;
    let any = f64::from_bits(random.next());
    let (value, literal) = match random.below(3) {
        // Sixteenths and the like are exact in both notations, however a number is read.
        0 => (exact, format!("{exact:?}")),
        1 => (exact, format!("'{exact:?}'")),
        _ if any.is_finite() => (any, format!("'{}'", shortest(any))),
        _ => (f64::INFINITY, "9e999".to_owned()),
    };
    (format!("{:016x}", value.to_bits()), literal)
}

/// The fewest digits that bring it back; of two such texts that are equally near the even one, as the server shows it.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let digits = text.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let even = format!("{value:.*e}", digits - 1);
    if even.parse() == Ok(value) { even } else { text }
}

pub fn text(most: u64, random: &mut Random) -> (String, String) {
    let alphabet =
        ['a', 'Z', '0', ' ', '\'', '"', '\\', '\t', '\n', '\r', ',', '{', 'é', '\u{301}', '✓', '👩', '\u{fffe}'];
    let mut text: String = (0..random.below(most + 1)).map(|_| random.pick(&alphabet)).collect();
    if text == "NULL" {
        text.clear();
    }
    let literal = format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes()));
    (text, literal)
}

/// The proleptic Gregorian date of a day since 0000-03-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let (mut year, mut left) = (days / 146_097 * 400, days % 146_097);
    let long =
        |year: i64| if (year + 1) % 4 == 0 && ((year + 1) % 100 != 0 || (year + 1) % 400 == 0) { 366 } else { 365 };
    while left >= long(year) {
        left -= long(year);
        year += 1;
    }
    for (n, length) in [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29].into_iter().enumerate() {
        if left < length {
            let month = (n as i64 + 2) % 12 + 1;
            return (year + i64::from(month < 3), month, left + 1);
        }
        left -= length;
    }
    unreachable!("a year has twelve months")
}

pub const DAY: i64 = 86_400_000_000;

/// A day between the years 1 and 9998, near ours more often than not.
pub fn day(random: &mut Random) -> i64 {
    if random.below(3) == 0 { 400 + random.below(3_651_000) as i64 } else { 700_000 + random.below(50_000) as i64 }
}

fn dated(days: i64) -> String {
    let (y, m, d) = civil(days);
    format!("{y:04}-{m:02}-{d:02}")
}

fn date(random: &mut Random) -> (String, String) {
    let value = dated(day(random));
    let of = ["", " 00:00", "T00:00:00", " 00:00:00.000000"].map(|rest| format!("'{value}{rest}'"));
    let literal = random.one(of.into());
    (value, literal)
}

/// Date, time of day, and microseconds of a second.
pub fn clock(micros: i64) -> (String, String, i64) {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let s = rest / 1_000_000;
    (dated(days), format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60), rest % 1_000_000)
}

fn moment(random: &mut Random) -> i64 {
    let fraction = random.pick(&[0, 500_000, 120_000, 1]);
    day(random) * DAY + random.below(86_400) as i64 * 1_000_000 + fraction
}

/// As PostgreSQL prints it: no zeros at the end of a fraction.
pub fn shown(micros: i64) -> String {
    let (date, time, fraction) = clock(micros);
    let fraction = format!(".{fraction:06}");
    format!("{date} {time}{}", fraction.trim_end_matches('0').trim_end_matches('.'))
}

fn timestamp(random: &mut Random) -> (String, String) {
    let micros = moment(random);
    let (date, time, fraction) = clock(micros);
    let mut of = vec![
        format!("'{date} {time}.{fraction:06}'"),
        format!("'{date}T{time}.{fraction:06}'"),
        format!("'{date} {time}.{fraction:06}000'"),
        format!("' {date} {time},{fraction:06}'"),
    ];
    if fraction == 0 {
        of.push(format!("'{date} {time}'"));
    }
    (shown(micros), random.one(of))
}

fn instant(random: &mut Random) -> (String, String) {
    let micros = moment(random);
    let minutes = random.pick(&[0, 60, -300, 330, -210, 840, -720]);
    let (date, time, fraction) = clock(micros + minutes * 60_000_000);
    let (sign, hours, rest) = (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
    let (utc_date, utc_time, _) = clock(micros);
    let of = vec![
        format!("'{date}T{time}.{fraction:06}{sign}{hours:02}:{rest:02}'"),
        format!("'{date} {time}.{fraction:06}{sign}{hours:02}{rest:02}'"),
        format!("'{date} {time}.{fraction:06} {sign}{hours:02}{rest:02} MST m=+0.012'"),
        format!("'{utc_date}T{utc_time}.{fraction:06}Z'"),
        format!("'{utc_date} {utc_time}.{fraction:06} UTC'"),
        // The mapping of a round states UTC.
        format!("'{utc_date} {utc_time}.{fraction:06}'"),
    ];
    (format!("{}+00", shown(micros)), random.one(of))
}

fn uuid(random: &mut Random) -> (String, String) {
    let digits = format!("{:016x}{:016x}", random.next(), random.next());
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    let value = parts.join("-");
    let of = vec![
        format!("'{value}'"),
        format!("'{}'", value.to_uppercase()),
        format!("'{digits}'"),
        format!("'{{{value}}}'"),
        format!("'urn:uuid:{value}'"),
        format!("x'{digits}'"),
    ];
    (value, random.one(of))
}

fn json(random: &mut Random) -> (String, String) {
    let items: Vec<String> = (0..random.below(5)).map(|_| random.integer(64).to_string()).collect();
    let space = random.pick(&["", " ", "\n\t"]);
    let spelled = items.join(&format!("{space},{space}"));
    match random.below(2) {
        0 => (format!("[{}]", items.join(", ")), format!("'[{space}{spelled}{space}]'")),
        _ => (format!("{{\"k\": [{}]}}", items.join(", ")), format!("'{{\"k\"{space}:[{spelled}]}}{space}'")),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
