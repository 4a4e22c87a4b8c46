//! What a row costs. Run by hand: `cargo test --release --lib convert::tests::speed -- --ignored --nocapture`.

use super::*;
use crate::model::rules::Zone;
use std::hint::black_box;
use std::time::Instant;

const ROWS: usize = 100_000;
const TURNS: usize = 20;

/// The best of twenty turns; others use the machine too.
fn nanoseconds(kind: Kind, rules: &Rules, values: &[Raw<'_>]) -> f64 {
    let converter = converter(kind, rules);
    let mut losses = LossSet::default();
    let mut turn = || {
        let start = Instant::now();
        for raw in values.iter().cycle().take(ROWS) {
            assert!(black_box(converter.convert(black_box(*raw), &mut losses)).is_ok());
        }
        start.elapsed().as_secs_f64() * 1e9 / ROWS as f64
    };
    (0..TURNS).map(|_| turn()).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a measurement"]
fn nanoseconds_per_value() {
    let utc = Rules { zone: Some(Zone::Fixed(0)), ..rules() };
    let berlin = Rules { zone: Zone::parse("Europe/Berlin"), ..rules() };
    let numeric = |limit| Kind::Numeric { limit };
    let cents = numeric(Some((12, 2)));
    let stamp = Kind::Timestamp { precision: 6 };
    let instant = Kind::Timestamptz { precision: 6 };
    let object =
        "{\"merchant\":\"Coffee & Co\",\"tags\":[\"food\",\"work\"],\"amount\":12.50,\"ok\":true,\"note\":null}";
    let cases: Vec<(&str, Kind, &Rules, Vec<Raw<'_>>)> = vec![
        ("integer to int4", Kind::Int4, &utc, vec![Raw::Integer(17), Raw::Integer(123_456)]),
        ("text to int4", Kind::Int4, &utc, vec![txt("17"), txt("123456")]),
        ("0/1 to boolean", Kind::Bool, &utc, vec![Raw::Integer(0), Raw::Integer(1)]),
        (
            "text to varchar(50)",
            Kind::Varchar { limit: Some(50) },
            &utc,
            vec![txt("Coffee & Co, Main Street"), txt("x")],
        ),
        ("text, 100 bytes", Kind::Text, &utc, vec![txt(object)]),
        ("date", Kind::Date, &utc, vec![txt("2024-01-31"), txt("1999-12-31")]),
        ("timestamp", stamp, &utc, vec![txt("2024-01-31 12:34:56"), txt("2024-01-31T12:34:56.123456")]),
        (
            "timestamptz, UTC",
            instant.clone(),
            &utc,
            vec![txt("2024-01-31 12:34:56"), txt("2024-01-31 12:34:56.123456+00:00")],
        ),
        ("timestamptz, Berlin", instant, &berlin, vec![txt("2024-01-31 12:34:56"), txt("2024-07-31 12:34:56.123456")]),
        ("real to numeric(12,2)", cents.clone(), &utc, vec![Raw::Real(12.5), Raw::Real(-99999.99), Raw::Real(0.07)]),
        ("noisy real to numeric(12,2)", cents.clone(), &utc, vec![Raw::Real(0.1 + 0.2)]),
        ("integer to numeric(12,2)", cents.clone(), &utc, vec![Raw::Integer(12), Raw::Integer(-99999)]),
        ("text to numeric(12,2)", cents, &utc, vec![txt("12.5"), txt("-99999.99")]),
        ("real to numeric", numeric(None), &utc, vec![Raw::Real(12.5), Raw::Real(-99999.99), Raw::Real(0.1)]),
        ("long real to numeric", numeric(None), &utc, vec![Raw::Real(0.1 + 0.2), Raw::Real(1.0 / 3.0)]),
        ("real to float8", Kind::Float8, &utc, vec![Raw::Real(0.1)]),
        ("uuid", Kind::Uuid, &utc, vec![txt("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
        ("jsonb, 88 bytes", Kind::Jsonb, &utc, vec![txt(object)]),
        ("json, 88 bytes", Kind::Json, &utc, vec![txt(object)]),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, kind, rules, values) in cases.into_iter().filter(|case| case.0.starts_with(&only)) {
        println!("{name:28} {:7.1} ns", nanoseconds(kind, rules, &values));
    }
}
