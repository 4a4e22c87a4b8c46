//! Booleans, integers, floating-point numbers and `numeric`.

use super::*;
use crate::convert::numeric::shown;

fn numeric(limit: Option<(u16, i16)>) -> Kind {
    Kind::Numeric { limit }
}

fn decimal(limit: Option<(u16, i16)>, rules: &Rules, raw: Raw<'_>) -> (Result<String, Reason>, Vec<Loss>) {
    let (cell, losses) = with_losses(numeric(limit), rules, raw);
    let text = cell.map(|cell| match cell {
        Cell::Numeric(numeric) => shown(&numeric),
        other => panic!("{other:?}"),
    });
    (text, losses)
}

fn rounding() -> Rules {
    Rules { round: true, ..rules() }
}

#[test]
fn integral_text_of_any_spelling_is_an_integer() {
    for (text, value) in [
        ("42", 42),
        (" 42\n", 42),
        ("+5", 5),
        ("-0", 0),
        ("42.0", 42),
        ("4.2e1", 42),
        ("1e3", 1000),
        ("1.0", 1),
        (" 12 ", 12),
        ("5.", 5),
        ("000000000000000000000042", 42),
        ("0e999999999999", 0),
        ("-2147483648", -2147483648),
        ("4200e-2", 42),
        ("\t7\u{b}\u{c}\r", 7),
    ] {
        assert_eq!(exact(Kind::Int4, &rules(), txt(text)), Ok(Cell::Int4(value)), "{text:?}");
    }
}

#[test]
fn text_that_is_not_a_number_is_no_integer() {
    for text in
        ["abc", "12abc", "0x10", "1_000", "٣", "1,234", "$5", "1 2", ".", "-", "e5", "1e", "--1", "\u{a0}1", "1.5.0"]
    {
        assert_eq!(exact(Kind::Int4, &rules(), txt(text)), Err(Reason::NotANumber), "{text:?}");
        assert_eq!(exact(numeric(Some((10, 2))), &rules(), txt(text)), Err(Reason::NotANumber), "{text:?}");
        assert_eq!(exact(Kind::Float8, &rules(), txt(text)), Err(Reason::NotANumber), "{text:?}");
    }
    assert_eq!(exact(Kind::Int4, &rules(), Raw::Text(b"1\x002")), Err(Reason::NotANumber));
    assert_eq!(exact(Kind::Int4, &rules(), Raw::Text(b"\xff")), Err(Reason::NotANumber));
    assert_eq!(exact(Kind::Int4, &rules(), txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(Kind::Int4, &rules(), Raw::Blob(b"1")), Err(Reason::BlobInValue));
}

#[test]
fn an_integer_out_of_range_is_a_fault() {
    for (kind, value) in
        [(Kind::Int2, 32768), (Kind::Int2, -32769), (Kind::Int4, 2147483648), (Kind::Int4, -2147483649)]
    {
        assert_eq!(exact(kind.clone(), &rules(), Raw::Integer(value)), Err(Reason::OutOfRange));
        assert_eq!(exact(kind, &rules(), txt(&value.to_string())), Err(Reason::OutOfRange));
    }
    assert_eq!(exact(Kind::Int2, &rules(), Raw::Integer(-32768)), Ok(Cell::Int2(i16::MIN)));
    assert_eq!(exact(Kind::Int8, &rules(), Raw::Integer(i64::MIN)), Ok(Cell::Int8(i64::MIN)));
    assert_eq!(exact(Kind::Int8, &rules(), txt("9223372036854775807")), Ok(Cell::Int8(i64::MAX)));
    assert_eq!(exact(Kind::Int8, &rules(), txt("9223372036854775808")), Err(Reason::OutOfRange));
    assert_eq!(exact(Kind::Int8, &rules(), Raw::Real(9_223_372_036_854_775_808.0)), Err(Reason::OutOfRange));
    assert_eq!(exact(Kind::Int8, &rules(), Raw::Real(-9_223_372_036_854_775_808.0)), Ok(Cell::Int8(i64::MIN)));
    assert_eq!(exact(Kind::Int8, &rules(), txt("1e999999999999999999999")), Err(Reason::OutOfRange));
}

#[test]
fn a_fraction_becomes_an_integer_only_with_round() {
    for (raw, value) in [
        (Raw::Real(1.5), 2),
        (Raw::Real(2.5), 3),
        (Raw::Real(-1.5), -2),
        (Raw::Real(0.49999999999999994), 0),
        (txt("1.5"), 2),
        (txt("-2.5"), -3),
        (txt("1e-30"), 0),
        (txt("0.5"), 1),
        (txt("-0.05"), 0),
    ] {
        assert_eq!(exact(Kind::Int4, &rules(), raw), Err(Reason::NotIntegral), "{raw:?}");
        assert_eq!(with_losses(Kind::Int4, &rounding(), raw), (Ok(Cell::Int4(value)), vec![Loss::Round]), "{raw:?}");
    }
    assert_eq!(exact(Kind::Int4, &rounding(), Raw::Real(42.0)), Ok(Cell::Int4(42)));
    for raw in [Raw::Real(f64::INFINITY), txt("NaN"), txt("-inf")] {
        assert_eq!(exact(Kind::Int4, &rounding(), raw), Err(Reason::NotFinite), "{raw:?}");
    }
}

#[test]
fn booleans_are_zero_one_and_the_server_words() {
    for text in ["t", "true", "TRUE", "y", "Yes", "on", "1", " true\t"] {
        assert_eq!(exact(Kind::Bool, &rules(), txt(text)), Ok(Cell::Bool(true)), "{text:?}");
    }
    for text in ["f", "false", "False", "n", "NO", "off", "0", " 0 "] {
        assert_eq!(exact(Kind::Bool, &rules(), txt(text)), Ok(Cell::Bool(false)), "{text:?}");
    }
    for text in ["2", "maybe", "enabled", "tr", "fa", "o", "-1", "1.0", " ", "ja"] {
        assert_eq!(exact(Kind::Bool, &rules(), txt(text)), Err(Reason::NotABoolean), "{text:?}");
    }
    for (raw, value) in
        [(Raw::Integer(1), true), (Raw::Integer(0), false), (Raw::Real(1.0), true), (Raw::Real(0.0), false)]
    {
        assert_eq!(exact(Kind::Bool, &rules(), raw), Ok(Cell::Bool(value)));
    }
    for raw in [Raw::Integer(2), Raw::Integer(-1), Raw::Real(0.5)] {
        assert_eq!(exact(Kind::Bool, &rules(), raw), Err(Reason::NotABoolean));
    }
    assert_eq!(exact(Kind::Bool, &rules(), Raw::Blob(&[1])), Err(Reason::BlobInValue));
    assert_eq!(exact(Kind::Bool, &rules(), txt("")), Err(Reason::EmptyString));
}

#[test]
fn a_double_becomes_numeric_by_its_shortest_text() {
    for (value, limit, shown) in [
        (0.1, None, "0.1"),
        (9007199254740993.0, None, "9007199254740992"),
        (0.1 + 0.2, None, "0.30000000000000004"),
        (42.0, None, "42"),
        (-12.5, Some((10, 2)), "-12.50"),
        (1e22, Some((30, 2)), "10000000000000000000000.00"),
        (1.1, Some((20, 15)), "1.100000000000000"),
        (-0.0, Some((10, 2)), "0.00"),
        (5e-324, None, &tiny()),
        (12345678901234567890.0, None, "12345678901234567000"),
        (99999999.99, Some((10, 2)), "99999999.99"),
        (0.07, Some((3, 3)), "0.070"),
        (123456789012.34, Some((14, 2)), "123456789012.34"),
    ] {
        assert_eq!(decimal(limit, &rules(), Raw::Real(value)), (Ok(shown.to_string()), vec![]), "{value}");
    }
}

fn tiny() -> String {
    format!("0.{}5", "0".repeat(323))
}

#[test]
fn arithmetic_noise_is_removed_and_counted() {
    let cents = Some((10, 2));
    for (value, shown) in [
        (0.1 + 0.2, "0.30"),
        (1.1 + 2.2, "3.30"),
        (-(0.1 + 0.2), "-0.30"),
        (0.1 * 3.0, "0.30"),
        (4.35 * 100.0, "435.00"),
        (1.0 - 0.9, "0.10"),
    ] {
        assert_eq!(
            decimal(cents, &rules(), Raw::Real(value)),
            (Ok(shown.to_string()), vec![Loss::FloatNoise]),
            "{value}"
        );
    }
    assert_eq!(
        decimal(Some((4, 0)), &rules(), Raw::Real(0.9999999999999999)),
        (Ok("1".into()), vec![Loss::FloatNoise])
    );
    assert_eq!(decimal(Some((10, 2)), &rules(), Raw::Real(0.1 + 0.2 - 0.3)).0, Err(Reason::ExcessScale));
    // Above 15 digits the text decides, by the same rule.
    let noisy = decimal(Some((20, 2)), &rules(), Raw::Real(12345678901234.12 + 0.001));
    assert_eq!(noisy, (Ok("12345678901234.12".into()), vec![Loss::FloatNoise]));
    assert_eq!(decimal(Some((60, 40)), &rules(), Raw::Real(1.0000000000000002e-30)).1, [Loss::FloatNoise]);
}

#[test]
fn surplus_decimals_are_a_fault_or_rounded_half_away_from_zero() {
    let cents = Some((10, 2));
    for (raw, shown) in [
        (Raw::Real(0.305), "0.31"),
        (txt("0.305"), "0.31"),
        (txt("-0.305"), "-0.31"),
        (txt("0.304999"), "0.30"),
        (txt("1e-9"), "0.00"),
        (Raw::Real(2.675), "2.68"),
        (Raw::Real(1.005), "1.01"),
        (Raw::Real(-1.005), "-1.01"),
        (txt("99.995"), "100.00"),
        (txt("0.005"), "0.01"),
        (txt("-0.004"), "0.00"),
        (txt("9999999.999"), "10000000.00"),
    ] {
        assert_eq!(decimal(cents, &rules(), raw), (Err(Reason::ExcessScale), vec![]), "{raw:?}");
        assert_eq!(decimal(cents, &rounding(), raw), (Ok(shown.to_string()), vec![Loss::Round]), "{raw:?}");
    }
    for (text, shown) in [("0.3000", "0.30"), ("1.10", "1.10"), (" 3 ", "3.00"), ("1E+3", "1000.00"), ("+.5", "0.50")] {
        assert_eq!(decimal(cents, &rounding(), txt(text)), (Ok(shown.to_string()), vec![]), "{text}");
    }
}

#[test]
fn precision_is_checked_before_and_after_rounding() {
    for (raw, limit) in [
        (Raw::Real(1e15), (10, 2)),
        (Raw::Integer(100_000_000), (10, 2)),
        (txt("100000000"), (10, 2)),
        (txt("1e131072"), (10, 2)),
        (Raw::Real(1e300), (10, 2)),
        (txt("0.01"), (3, 5)),
        (Raw::Integer(1), (2, 2)),
    ] {
        assert_eq!(decimal(Some(limit), &rules(), raw).0, Err(Reason::PrecisionOverflow), "{raw:?}");
    }
    assert_eq!(decimal(Some((4, 2)), &rounding(), txt("99.995")).0, Err(Reason::PrecisionOverflow));
    assert_eq!(decimal(Some((10, 2)), &rules(), Raw::Integer(99_999_999)).0, Ok("99999999.00".into()));
    assert_eq!(decimal(Some((3, 5)), &rules(), txt("0.00999")).0, Ok("0.00999".into()));
    assert_eq!(decimal(Some((2, 2)), &rules(), Raw::Integer(0)).0, Ok("0.00".into()));
}

#[test]
fn a_negative_scale_stores_whole_tens() {
    let tens = Some((5, -1));
    assert_eq!(decimal(tens, &rules(), Raw::Integer(100)).0, Ok("100".into()));
    assert_eq!(decimal(tens, &rules(), Raw::Integer(999_990)).0, Ok("999990".into()));
    assert_eq!(decimal(tens, &rules(), Raw::Integer(1_000_000)).0, Err(Reason::PrecisionOverflow));
    for raw in [Raw::Integer(105), txt("105"), Raw::Real(105.0)] {
        assert_eq!(decimal(tens, &rules(), raw).0, Err(Reason::ExcessScale));
        assert_eq!(decimal(tens, &rounding(), raw), (Ok("110".into()), vec![Loss::Round]));
    }
    assert_eq!(decimal(tens, &rounding(), Raw::Integer(4)), (Ok("0".into()), vec![Loss::Round]));
    assert_eq!(decimal(tens, &rounding(), Raw::Integer(5)), (Ok("10".into()), vec![Loss::Round]));
}

#[test]
fn decimals_of_any_length_keep_every_digit() {
    let long = "123456789012345678901234567890123456789012345678901234567890.12345678901234567890";
    for text in
        [long, "0", "0.0", "-0.00", "1.10", "100000000", "10000", "9999", "0.0001", "0.00001", "12345678901234567.891"]
    {
        let plain = text.strip_prefix("-").unwrap_or(text);
        assert_eq!(decimal(None, &rules(), txt(text)).0, Ok(plain.into()));
    }
    assert_eq!(decimal(None, &rules(), txt("1E+3")).0, Ok("1000".into()));
    assert_eq!(decimal(None, &rules(), txt("1.5e-3")).0, Ok("0.0015".into()));
    assert_eq!(decimal(None, &rules(), Raw::Integer(i64::MIN)).0, Ok("-9223372036854775808".into()));
    assert_eq!(decimal(None, &rules(), txt("1e131071")).0.map(|text| text.len()), Ok(131_072));
    assert_eq!(decimal(None, &rules(), txt("1e131072")).0, Err(Reason::OutOfRange));
    assert_eq!(decimal(None, &rules(), txt("1e-16383")).0.map(|text| text.len()), Ok(16_385));
    assert_eq!(decimal(None, &rules(), txt("1e-20000")).0, Err(Reason::ExcessScale));
    assert_eq!(decimal(None, &rounding(), txt("1e-20000")).1, [Loss::Round]);
}

#[test]
fn numeric_accepts_nan_but_infinity_only_unconstrained() {
    assert_eq!(decimal(None, &rules(), txt("NaN")).0, Ok("NaN".into()));
    assert_eq!(decimal(Some((10, 2)), &rules(), txt("nan")).0, Ok("NaN".into()));
    assert_eq!(decimal(None, &rules(), Raw::Real(f64::NEG_INFINITY)).0, Ok("-Infinity".into()));
    for raw in [Raw::Real(f64::INFINITY), txt("-Infinity"), txt("inf")] {
        assert_eq!(decimal(Some((10, 2)), &rounding(), raw).0, Err(Reason::NotFinite));
    }
}

#[test]
fn a_double_stays_the_same_double() {
    for value in [0.1, -0.0, 5e-324, 1.7976931348623157e308, 123456789.12345679, f64::INFINITY, f64::NEG_INFINITY] {
        let Ok(Cell::Float8(held)) = exact(Kind::Float8, &rules(), Raw::Real(value)) else { panic!("{value}") };
        assert_eq!(held.to_bits(), value.to_bits());
    }
    for (text, value) in [
        ("0.1", 0.1),
        ("0.10000000000000001", 0.1),
        (" -1.5e3 ", -1500.0),
        ("5e-324", 5e-324),
        ("inf", f64::INFINITY),
        ("4.9406564584124654e-324", 5e-324),
        ("-Infinity", f64::NEG_INFINITY),
        ("1e22", 1e22),
        ("+7", 7.0),
    ] {
        assert_eq!(exact(Kind::Float8, &rules(), txt(text)), Ok(Cell::Float8(value)), "{text}");
    }
    assert!(matches!(exact(Kind::Float8, &rules(), txt("NaN")), Ok(Cell::Float8(value)) if value.is_nan()));
    assert_eq!(exact(Kind::Float8, &rules(), Raw::Integer(1 << 60)), Ok(Cell::Float8((1u64 << 60) as f64)));
    for raw in [Raw::Integer(9007199254740993), txt("9007199254740993"), txt("0.12345678901234567890"), txt("4e-324")] {
        assert_eq!(exact(Kind::Float8, &rules(), raw), Err(Reason::ExcessScale), "{raw:?}");
        assert_eq!(with_losses(Kind::Float8, &rounding(), raw).1, [Loss::Round], "{raw:?}");
    }
    assert_eq!(exact(Kind::Float8, &rounding(), txt("1e400")), Err(Reason::OutOfRange));
    assert_eq!(exact(Kind::Float8, &rounding(), txt("1e-400")), Err(Reason::OutOfRange));
}

#[test]
fn a_real_accepts_doubles_that_it_prints_the_same() {
    for (value, held) in [(0.1, 0.1f32), (1.1, 1.1), (3.25e-5, 3.25e-5), (1e11, 1e11)] {
        let expected = (Ok(Cell::Float4(held)), vec![Loss::Real]);
        assert_eq!(with_losses(Kind::Float4, &rules(), Raw::Real(value)), expected, "{value}");
    }
    for value in [0.5, -0.0, 16777216.0, f64::INFINITY, f64::from(0.1f32)] {
        assert_eq!(exact(Kind::Float4, &rules(), Raw::Real(value)), Ok(Cell::Float4(value as f32)), "{value}");
    }
    for raw in [
        Raw::Real(16777217.0),
        Raw::Integer(16777217),
        txt("16777217"),
        txt("86951340"),
        Raw::Real(86951340.0),
        Raw::Integer(86951340),
        Raw::Real(0.123456789012),
        Raw::Real(123456789.12345679),
        txt("123456789.123456789"),
    ] {
        assert_eq!(exact(Kind::Float4, &rules(), raw), Err(Reason::ExcessScale), "{raw:?}");
        assert_eq!(with_losses(Kind::Float4, &rounding(), raw).1, [Loss::Round], "{raw:?}");
    }
    assert_eq!(exact(Kind::Float4, &rules(), txt("0.1")), Ok(Cell::Float4(0.1)));
    for raw in [Raw::Real(1e300), txt("1e39"), Raw::Real(1e-60)] {
        assert_eq!(exact(Kind::Float4, &rounding(), raw), Err(Reason::OutOfRange), "{raw:?}");
    }
}
