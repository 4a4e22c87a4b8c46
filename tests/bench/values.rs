//! The cost of converting one value, type by type: the best of twenty turns, since others use the machine too.

use std::hint::black_box;
use std::time::Instant;

use migrate::convert::{Converter, Settled};
use migrate::model::cell::Raw;
use migrate::model::fault::LossSet;
use migrate::model::pgtype::{ColumnType, Kind};
use migrate::model::rules::{Rules, Zone};

const ROWS: usize = 100_000;
const TURNS: usize = 20;

fn nanoseconds(case: &Sample<'_>) -> Result<f64, String> {
    let column = ColumnType::new(case.kind.clone(), 0, case.name);
    let rules = Rules { zone: Zone::parse(case.zone), ..Rules::default() };
    let converter = Converter::new(&column, &rules, &Settled::default()).map_err(|mistake| mistake.to_string())?;
    let mut losses = LossSet::default();
    let mut best = f64::INFINITY;
    for _ in 0..TURNS {
        let start = Instant::now();
        for raw in case.values.iter().cycle().take(ROWS) {
            black_box(converter.convert(black_box(*raw), &mut losses)).map_err(|reason| format!("{reason:?}"))?;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / ROWS as f64);
    }
    Ok(best)
}

struct Sample<'a> {
    name: &'static str,
    kind: Kind,
    zone: &'static str,
    values: Vec<Raw<'a>>,
}

fn text(text: &str) -> Raw<'_> {
    Raw::Text(text.as_bytes())
}

fn cases() -> Vec<Sample<'static>> {
    let numeric = |limit| Kind::Numeric { limit };
    let cents = || numeric(Some((12, 2)));
    let stamp = Kind::Timestamp { precision: 6 };
    let instant = || Kind::Timestamptz { precision: 6 };
    let compact = r#"{"merchant":"Coffee & Co","tags":["food","work"],"amount":12.50,"ok":true,"note":null}"#;
    let sorted = r#"{"ok":true,"note":null,"tags":["food","work"],"amount":12.50,"merchant":"Coffee & Co"}"#;
    let python = r#"{"merchant": "Coffee & Co", "tags": ["food", "work"], "amount": 12.50, "ok": true, "note": null}"#;
    let server = r#"{"ok": true, "note": null, "tags": ["food", "work"], "amount": 12.50, "merchant": "Coffee & Co"}"#;
    let case = |name, kind, values| Sample { name, kind, zone: "UTC", values };
    let berlin = vec![text("2024-01-31 12:34:56"), text("2024-07-31 12:34:56.123456")];
    vec![
        case("integer to int4", Kind::Int4, vec![Raw::Integer(17), Raw::Integer(123_456)]),
        case("text to int4", Kind::Int4, vec![text("17"), text("123456")]),
        case("0/1 to boolean", Kind::Bool, vec![Raw::Integer(0), Raw::Integer(1)]),
        case(
            "text to varchar(50)",
            Kind::Varchar { limit: Some(50) },
            vec![text("Coffee & Co, Main Street"), text("x")],
        ),
        case("text, 86 bytes", Kind::Text, vec![text(compact)]),
        case("date", Kind::Date, vec![text("2024-01-31"), text("1999-12-31")]),
        case("timestamp", stamp, vec![text("2024-01-31 12:34:56"), text("2024-01-31T12:34:56.123456")]),
        case(
            "timestamptz, UTC",
            instant(),
            vec![text("2024-01-31 12:34:56"), text("2024-01-31 12:34:56.123456+00:00")],
        ),
        Sample { name: "timestamptz, Berlin", kind: instant(), zone: "Europe/Berlin", values: berlin },
        case("real to numeric(12,2)", cents(), vec![Raw::Real(12.5), Raw::Real(-99999.99), Raw::Real(0.07)]),
        case("noisy real to numeric(12,2)", cents(), vec![Raw::Real(0.1 + 0.2)]),
        case("integer to numeric(12,2)", cents(), vec![Raw::Integer(12), Raw::Integer(-99999)]),
        case("text to numeric(12,2)", cents(), vec![text("12.5"), text("-99999.99")]),
        case("real to numeric", numeric(None), vec![Raw::Real(12.5), Raw::Real(-99999.99), Raw::Real(0.1)]),
        case("long real to numeric", numeric(None), vec![Raw::Real(0.1 + 0.2), Raw::Real(1.0 / 3.0)]),
        case("real to float8", Kind::Float8, vec![Raw::Real(0.1)]),
        case("uuid", Kind::Uuid, vec![text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
        case("json, compact", Kind::Json, vec![text(compact)]),
        case("jsonb, as the server prints it", Kind::Jsonb, vec![text(server)]),
        case("jsonb, compact, keys in order", Kind::Jsonb, vec![text(sorted)]),
        case("jsonb, compact", Kind::Jsonb, vec![text(compact)]),
        case("jsonb, as Python writes it", Kind::Jsonb, vec![text(python)]),
        case("jsonb, two keys, compact", Kind::Jsonb, vec![text(r#"{"a":12345,"b":"x12"}"#)]),
        case("jsonb, two keys, in form", Kind::Jsonb, vec![text(r#"{"a": 12345, "b": "x12"}"#)]),
    ]
}

/// Prints nanoseconds per value of every case whose name begins so.
pub fn print(only: &str) -> Result<(), Box<dyn std::error::Error>> {
    for case in cases().iter().filter(|case| case.name.starts_with(only)) {
        println!("{:32} {:7.1} ns", case.name, nanoseconds(case)?);
    }
    Ok(())
}
