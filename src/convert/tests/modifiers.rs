//! The modifiers: the effect of each, their order, and the check of a mapping's constants.

use super::*;
use crate::model::cell::RawBuf;
use crate::model::rules::{Charset, Value, Zone};
use std::borrow::Cow;
use std::collections::BTreeMap;

fn text(text: &str) -> Cell<'static> {
    Cell::Text(Cow::Owned(text.to_string()))
}

fn int(value: i64) -> Value {
    Value::Literal(RawBuf::Integer(value))
}

fn word(value: &str) -> Value {
    Value::Literal(RawBuf::text(value))
}

#[test]
fn null_stays_null_unless_if_null_replaces_it() {
    assert_eq!(exact(Kind::Int4, &rules(), Raw::Null), Ok(Cell::Null));
    let filled = Rules { if_null: Some(int(7)), null_if: vec!["".into(), "N/A".into()], ..rules() };
    for raw in [Raw::Null, txt(""), txt("N/A")] {
        assert_eq!(exact(Kind::Int4, &filled, raw), Ok(Cell::Int4(7)), "{raw:?}");
    }
    let bad = Rules { if_bad: Some(Value::Null), if_null: Some(int(7)), ..rules() };
    assert_eq!(with_losses(Kind::Int4, &bad, txt("x")), (Ok(Cell::Int4(7)), vec![Loss::IfBad]));
}

#[test]
fn null_if_and_map_compare_the_text_of_the_value() {
    let rules = Rules {
        null_if: vec!["2.5".into(), "-1".into()],
        map: vec![
            ("1".into(), int(10)),
            ("yes".into(), int(11)),
            ("42.0".into(), int(12)),
            ("missing".into(), Value::Null),
        ],
        ..rules()
    };
    for (raw, cell) in [
        (Raw::Real(2.5), Cell::Null),
        (Raw::Integer(-1), Cell::Null),
        (txt("-1"), Cell::Null),
        (txt("missing"), Cell::Null),
        (Raw::Integer(1), Cell::Int4(10)),
        (txt("1"), Cell::Int4(10)),
        (txt("yes"), Cell::Int4(11)),
        (Raw::Real(42.0), Cell::Int4(12)),
        (Raw::Integer(42), Cell::Int4(42)),
        (Raw::Null, Cell::Null),
    ] {
        assert_eq!(exact(Kind::Int4, &rules, raw), Ok(cell), "{raw:?}");
    }
    assert_eq!(exact(Kind::Int4, &rules, Raw::Blob(b"1")), Err(Reason::BlobInValue));
}

#[test]
fn else_covers_values_missing_in_the_map_except_null() {
    let map = vec![("Under Review".to_string(), word("UNDER_REVIEW"))];
    let fault = Rules { map: map.clone(), map_else: Some(Value::Fault), ..rules() };
    assert_eq!(exact(Kind::Text, &fault, txt("Under Review")), Ok(text("UNDER_REVIEW")));
    assert_eq!(exact(Kind::Text, &fault, txt("Other")), Err(Reason::NotInMap));
    assert_eq!(exact(Kind::Text, &fault, Raw::Null), Ok(Cell::Null));
    let other = Rules { map, map_else: Some(word("OTHER")), ..rules() };
    assert_eq!(exact(Kind::Text, &other, txt("x")), Ok(text("OTHER")));
    assert_eq!(exact(Kind::Text, &other, Raw::Integer(5)), Ok(text("OTHER")));
    let single = Rules { map: vec![("x".into(), Value::Fault)], ..rules() };
    assert_eq!(exact(Kind::Text, &single, txt("x")), Err(Reason::NotInMap));
    assert_eq!(exact(Kind::Text, &single, txt("y")), Ok(text("y")));
}

#[test]
fn trim_is_applied_before_null_if_and_map() {
    let rules = Rules { trim: true, null_if: vec!["".into()], map: vec![("a".into(), word("A"))], ..rules() };
    assert_eq!(exact(Kind::Text, &rules, txt(" \t\r\n\u{b}\u{c}")), Ok(Cell::Null));
    assert_eq!(exact(Kind::Text, &rules, txt(" a ")), Ok(text("A")));
    assert_eq!(exact(Kind::Text, &rules, txt(" b c ")), Ok(text("b c")));
    assert_eq!(exact(Kind::Text, &rules, txt("\u{a0}b")), Ok(text("\u{a0}b")));
}

#[test]
fn charset_strip_nul_and_trim_are_applied_in_this_order() {
    let rules = Rules { charset: Some(Charset::Windows1252), strip_nul: true, trim: true, ..rules() };
    let (cell, losses) = with_losses(Kind::Text, &rules, Raw::Text(b"\0 \xe9 \0"));
    assert_eq!((cell, losses), (Ok(text("é")), vec![Loss::StripNul]));
    assert_eq!(exact(Kind::Int4, &rules, Raw::Text(b"1\0")), Err(Reason::NotANumber));
    let null = Rules { strip_nul: true, null_if: vec!["".into()], ..super::rules() };
    assert_eq!(with_losses(Kind::Text, &null, txt("\0")), (Ok(Cell::Null), vec![Loss::StripNul]));
}

#[test]
fn if_bad_replaces_only_unreadable_text() {
    let bad = |value| Rules { if_bad: Some(value), ..rules() };
    for (kind, raw, value, cell) in [
        (Kind::Int4, txt("abc"), int(0), Cell::Int4(0)),
        (Kind::Int4, txt(""), int(0), Cell::Int4(0)),
        (Kind::Numeric { limit: Some((10, 2)) }, txt("$5"), Value::Null, Cell::Null),
        (Kind::Bool, txt("maybe"), word("false"), Cell::Bool(false)),
        (Kind::Date, txt("2024-02-30"), word("2024-02-29"), Cell::Date(8825)),
        (Kind::Date, txt("soon"), word("2000-01-01"), Cell::Date(0)),
        (Kind::Uuid, txt("x"), Value::Null, Cell::Null),
        (Kind::Jsonb, txt("{a:1}"), word("{}"), Cell::Jsonb("{}".into())),
        (
            Kind::Inet,
            txt("host"),
            word("::1"),
            Cell::Inet(crate::model::cell::Inet { address: "::1".parse().unwrap(), prefix: 128 }),
        ),
    ] {
        assert_eq!(with_losses(kind, &bad(value), raw), (Ok(cell), vec![Loss::IfBad]), "{raw:?}");
    }
    for (kind, raw, reason) in [
        (Kind::Int4, Raw::Blob(b"x"), Reason::BlobInValue),
        (Kind::Int4, Raw::Real(f64::INFINITY), Reason::NotFinite),
        (Kind::Int4, txt("NaN"), Reason::NotFinite),
        (Kind::Int4, txt("2147483648"), Reason::OutOfRange),
        (Kind::Int4, txt("1.5"), Reason::NotIntegral),
        (Kind::Bool, Raw::Integer(2), Reason::NotABoolean),
        (Kind::Numeric { limit: Some((10, 2)) }, txt("0.305"), Reason::ExcessScale),
        (Kind::Varchar { limit: Some(1) }, txt("ab"), Reason::TooLong),
        (Kind::Text, Raw::Text(b"\xff"), Reason::NotUtf8),
        (Kind::Date, Raw::Integer(1), Reason::NumberInTime),
        (Kind::Date, txt("now"), Reason::SpecialTime),
        (Kind::Enum { labels: vec!["a".into()] }, txt("b"), Reason::UnknownLabel),
    ] {
        assert_eq!(exact(kind, &bad(Value::Null), raw), Err(reason), "{raw:?}");
    }
}

#[test]
fn if_bad_does_not_apply_to_mapped_values() {
    let rules = Rules { map: vec![("x".into(), int(1))], if_bad: Some(int(2)), ..rules() };
    assert_eq!(exact(Kind::Int4, &rules, txt("x")), Ok(Cell::Int4(1)));
    assert_eq!(with_losses(Kind::Int4, &rules, txt("y")), (Ok(Cell::Int4(2)), vec![Loss::IfBad]));
}

#[test]
fn a_fault_as_value_disables_the_modifier() {
    let rules = Rules { if_bad: Some(Value::Fault), if_null: Some(Value::Fault), ..rules() };
    assert_eq!(exact(Kind::Int4, &rules, txt("x")), Err(Reason::NotANumber));
    assert_eq!(exact(Kind::Int4, &rules, Raw::Null), Ok(Cell::Null));
}

#[test]
fn a_constant_that_does_not_fit_is_an_error_of_its_modifier() {
    let cents = Kind::Numeric { limit: Some((10, 2)) };
    let cases = [
        (cents.clone(), Rules { if_bad: Some(word("0.305")), round: true, ..rules() }, "if_bad", Reason::ExcessScale),
        (Kind::Int4, Rules { if_null: Some(word("x")), ..rules() }, "if_null", Reason::NotANumber),
        (Kind::Bool, Rules { map: vec![("a".into(), int(2))], ..rules() }, "map", Reason::NotABoolean),
        (Kind::Bool, Rules { map_else: Some(int(2)), ..rules() }, "else", Reason::NotABoolean),
        (Kind::Int2, Rules { if_orphan: Some(int(40_000)), ..rules() }, "if_orphan", Reason::OutOfRange),
        (
            Kind::Varchar { limit: Some(2) },
            Rules { if_null: Some(word("abc")), truncate: true, ..rules() },
            "if_null",
            Reason::TooLong,
        ),
        (Kind::Int4, Rules { if_null: Some(Value::Env("UNSET".into())), ..rules() }, "if_null", Reason::NoVariable),
        (Kind::Int4, Rules { if_null: Some(Value::Now), ..rules() }, "if_null", Reason::NotANumber),
        (Kind::Date, Rules { format: vec!["%Y-%m-%d".into(), "%Q".into()], ..rules() }, "format", Reason::BadFormat),
    ];
    for (kind, rules, modifier, reason) in cases {
        let mistake = made(kind, &rules).map(|_| ()).unwrap_err();
        assert_eq!((mistake.modifier, mistake.reason), (modifier, reason));
        assert!(mistake.to_string().starts_with(modifier));
    }
}

#[test]
fn constants_may_be_the_run_start_the_owner_or_a_variable() {
    let settled = Settled {
        now: 86_400_000_000 + 3_600_000_000 * 23 + 1_234_567,
        owner: Some(RawBuf::Integer(7)),
        env: BTreeMap::from([("NAME".into(), "12".into())]),
        ..Settled::default()
    };
    let made = |kind, rules: &Rules| Converter::new(&column(kind), rules, &settled).unwrap();
    let constant = |kind, value| made(kind, &rules()).constant(&value);
    assert_eq!(constant(Kind::Int4, Value::Owner), Ok(Cell::Int4(7)));
    assert_eq!(constant(Kind::Text, Value::Owner), Ok(text("7")));
    assert_eq!(constant(Kind::Int4, Value::Env("NAME".into())), Ok(Cell::Int4(12)));
    assert_eq!(constant(Kind::Timestamptz { precision: 3 }, Value::Now), Ok(Cell::Timestamp(settled.now - 567)));
    assert_eq!(constant(Kind::Timestamp { precision: 6 }, Value::Now), Ok(Cell::Timestamp(settled.now)));
    assert_eq!(constant(Kind::Date, Value::Now), Ok(Cell::Date(1)));
    assert_eq!(constant(Kind::Text, Value::Now), Ok(text("2000-01-02T23:00:01.234567Z")));
    let berlin = Rules { zone: Zone::parse("Europe/Berlin"), ..rules() };
    assert_eq!(made(Kind::Date, &berlin).constant(&Value::Now), Ok(Cell::Date(2)));
    let hour = 3_600_000_000;
    assert_eq!(
        made(Kind::Timestamp { precision: 0 }, &berlin).constant(&Value::Now),
        Ok(Cell::Timestamp(settled.now + hour - 234_567))
    );
    assert_eq!(
        made(Kind::Timestamptz { precision: 6 }, &berlin).constant(&Value::Now),
        Ok(Cell::Timestamp(settled.now))
    );
    assert_eq!(converter(Kind::Int4, &rules()).constant(&Value::Owner), Ok(Cell::Null));
}

#[test]
fn a_fault_counts_no_loss() {
    let rules = Rules { strip_nul: true, ..rules() };
    let kind = Kind::Varchar { limit: Some(1) };
    assert_eq!(with_losses(kind, &rules, txt("a\0b")), (Err(Reason::TooLong), vec![]));
}
