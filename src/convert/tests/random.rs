//! Random values, compared with a second way to compute the same answer. `SEED=n` selects other values.

use super::*;
use crate::convert::decimal::shortest;
use crate::convert::json;
use crate::convert::numeric::shown;
use crate::convert::time;
use crate::wire::calendar;
use chrono::{Datelike, NaiveDate, TimeDelta};

/// Marsaglia's xorshift64*.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Random {
        // Zero would stay zero for ever.
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn new() -> Random {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_240_229);
        println!("SEED={seed}");
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Amounts of money, sums of them, and doubles with random bits.
    pub(super) fn real(&mut self) -> f64 {
        let cents = self.below(10u64.pow(1 + (self.0 % 16) as u32)) as f64;
        let scale = 10f64.powi(self.below(8) as i32);
        let value = match self.below(4) {
            0 => cents / scale,
            1 => cents / scale + self.below(1000) as f64 / 100.0,
            2 => cents / scale * 1.1,
            _ => f64::from_bits(self.next()),
        };
        if value.is_finite() { value * if self.below(2) == 0 { 1.0 } else { -1.0 } } else { 0.5 }
    }
}

#[test]
fn a_double_is_its_shortest_text_or_noise_around_a_decimal() {
    let mut random = Random::new();
    let limits = [None, Some((12, 2)), Some((10, 0)), Some((38, 10)), Some((18, 6)), Some((5, -2)), Some((1000, 500))];
    let columns = limits.map(|limit| (limit, converter(Kind::Numeric { limit }, &rules())));
    for _ in 0..60_000 {
        let value = random.real();
        let text = shortest(value);
        let (limit, column) = &columns[random.below(columns.len() as u64) as usize];
        let (mut by_value, mut by_text) = (LossSet::default(), LossSet::default());
        let held = column.convert(Raw::Real(value), &mut by_value);
        let read = column.convert(txt(text.as_str()), &mut by_text);
        match (held, read) {
            (Ok(Cell::Numeric(held)), Err(Reason::ExcessScale)) => {
                let near: f64 = shown(&held).parse().unwrap();
                assert!((near - value).abs() <= value.abs() / (1u64 << 48) as f64, "{value:e} {limit:?}");
                assert_eq!(by_value.iter().collect::<Vec<_>>(), [Loss::FloatNoise], "{value:e} {limit:?}");
            }
            (held, read) => {
                assert_eq!((held, by_value), (read, by_text), "{value:e} {limit:?}");
            }
        }
    }
}

#[test]
fn a_double_survives_a_round_trip_through_text() {
    let mut random = Random::new();
    let (text, float, numeric) = (Kind::Text, Kind::Float8, Kind::Numeric { limit: None });
    let [text, float, numeric] = [text, float, numeric].map(|kind| converter(kind, &rules()));
    for _ in 0..20_000 {
        let value = random.real();
        let mut losses = LossSet::default();
        let Ok(Cell::Text(written)) = text.convert(Raw::Real(value), &mut losses) else { panic!("{value:e}") };
        assert_eq!(float.convert(txt(&written), &mut losses), Ok(Cell::Float8(value)), "{written}");
        let Ok(Cell::Numeric(exact)) = numeric.convert(Raw::Real(value), &mut losses) else { panic!("{value:e}") };
        assert_eq!(shown(&exact).parse(), Ok(value));
        assert!(losses.is_empty());
    }
}

#[test]
fn json_agrees_with_serde_on_what_is_valid() {
    let mut random = Random::new();
    let seeds = [
        r#"{"a":[1,-2.50,3e+4,null,true,false],"b":{"c":"x\n\u00e9\\","d":[]},"e":{}} "#,
        r#"[[],[{}],{"k":"a long string without any escapes at all, é, and then \" one"},0.1E-7]"#,
        "\"\\ud83d\\ude00 \\/\"",
        "-0",
    ];
    let alphabet = b"{}[]:,\"\\0123456789.eE+-tfnul rs\n\t\x01\x7fabdu/";
    for _ in 0..200_000 {
        let mut text = seeds[random.below(seeds.len() as u64) as usize].as_bytes().to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(text.len() as u64 + 1) as usize;
            let byte = alphabet[random.below(alphabet.len() as u64) as usize];
            match random.below(3) {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => drop(text.remove(at)),
                _ => text.truncate(at / 2),
            }
        }
        let Ok(text) = String::from_utf8(text) else { continue };
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        assert_eq!(json::check(text.as_bytes(), false).is_ok(), valid, "{text}");
    }
}

#[test]
fn the_calendar_agrees_with_chrono() {
    let mut random = Random::new();
    let start = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
    for _ in 0..20_000 {
        let day = random.below(180_000_000) as i64 - 90_000_000;
        let date = start.checked_add_signed(TimeDelta::days(day)).unwrap();
        assert_eq!(calendar::date(day), (i64::from(date.year()), date.month(), date.day()));
        assert_eq!(calendar::weekday(day), i64::from(date.weekday().num_days_from_sunday()));
    }
}

#[test]
fn a_moment_survives_a_round_trip_through_text() {
    let mut random = Random::new();
    let converter = converter(Kind::Timestamptz { precision: 6 }, &rules());
    for _ in 0..20_000 {
        let micros = random.below(9_000_000_000_000_000_000) as i64 / (1 << random.below(12));
        let text = time::iso(micros);
        assert_eq!(converter.convert(txt(&text), &mut LossSet::default()), Ok(Cell::Timestamp(micros)), "{text}");
    }
}

#[test]
fn no_random_text_causes_a_panic() {
    let mut random = Random::new();
    let kinds = [
        Kind::Bool,
        Kind::Int4,
        Kind::Float4,
        Kind::Float8,
        Kind::Numeric { limit: Some((10, 2)) },
        Kind::Numeric { limit: None },
        Kind::Date,
        Kind::Time { precision: 3 },
        Kind::Timestamp { precision: 0 },
        Kind::Timestamptz { precision: 6 },
        Kind::Interval { precision: 6 },
        Kind::Uuid,
        Kind::Inet,
        Kind::Jsonb,
        Kind::Char { width: 3 },
        Kind::Array(Box::new(column(Kind::Text))),
        Kind::Array(Box::new(column(Kind::Jsonb))),
        Kind::Array(Box::new(column(Kind::Other))),
    ];
    let lossy = Rules {
        round: true,
        truncate: true,
        strip_nul: true,
        trim: true,
        array_csv: true,
        format: vec!["%d/%m/%Y %H:%M:%S.%f".into()],
        ..rules()
    };
    let columns: Vec<_> =
        kinds.into_iter().flat_map(|kind| [converter(kind.clone(), &rules()), converter(kind, &lossy)]).collect();
    let pieces = [
        "-",
        "+",
        ".",
        ":",
        " ",
        "1",
        "0",
        "24",
        "60",
        "2024-02-29",
        "15:04:05",
        "T",
        "Z",
        "e",
        "E9",
        "999999999999999999999",
        "P",
        "D",
        "Mar",
        "Thu, ",
        "GMT",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "null",
        "NaN",
        "inf",
        "é",
        "\u{0}",
        "day",
        " mons ",
        "BC",
        "m=",
        "/",
        "::",
    ];
    for _ in 0..20_000 {
        let text: String = (0..random.below(7)).map(|_| pieces[random.below(pieces.len() as u64) as usize]).collect();
        for column in &columns {
            // The result does not matter, but nothing may panic, and a refused value may count no loss.
            let mut losses = LossSet::default();
            if column.convert(txt(&text), &mut losses).is_err() {
                assert!(losses.is_empty());
            }
        }
    }
}

#[test]
fn a_converter_may_be_shared_between_lanes() {
    fn shared<T: Send + Sync>() {}
    shared::<Converter>();
}

#[test]
fn the_even_one_of_two_equally_near_texts_is_used() {
    for (value, text) in [
        (269421676332880.0 + 0.625, "2.6942167633288062e14"),
        (-269421676332880.0 - 0.625, "-2.6942167633288062e14"),
        (0.3, "3e-1"),
        (2f64.powi(-44), "5.684341886080802e-14"),
        (9007199254740993.0, "9.007199254740992e15"),
    ] {
        assert_eq!(shortest(value).as_str(), text);
    }
}
