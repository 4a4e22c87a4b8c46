//! JSON: validity, the limits of `jsonb`, and that nothing else changes.

use super::*;
use crate::convert::json::canonical::canonical;
use crate::convert::json::{JsonFlaw, check};
use std::borrow::Cow;

fn json(text: &str) -> Cell<'static> {
    Cell::Json(Cow::Owned(text.to_string()))
}

/// The text in the form that the server prints.
fn jsonb(text: &str) -> Cell<'static> {
    Cell::Jsonb(Cow::Owned(canonical(Cow::Borrowed(text)).into_owned()))
}

/// Returns the cell, whatever is counted.
fn cell(kind: Kind, raw: Raw<'_>) -> Result<Cell<'static>, Reason> {
    with_losses(kind, &rules(), raw).0
}

#[test]
fn json_that_jsonb_cannot_hold_or_writes_otherwise_is_counted() {
    for (kind, value, loss) in [
        (Kind::Json, "\"a\\u0000\"", Some(Loss::NotForJsonb)),
        (Kind::Json, "\"\\ud800\"", Some(Loss::NotForJsonb)),
        (Kind::Json, "[-0.0, 1e300]", None),
        (Kind::Jsonb, "[-0.0]", Some(Loss::JsonDigits)),
        (Kind::Jsonb, "{\"a\":-0}", Some(Loss::JsonDigits)),
        (Kind::Jsonb, "1e300", Some(Loss::JsonDigits)),
        (Kind::Jsonb, "-1E-18", Some(Loss::JsonDigits)),
        (Kind::Jsonb, "[-0.1, 0, 1e17, \"-0\"]", None),
    ] {
        let (read, losses) = with_losses(kind, &rules(), txt(value));
        assert!(read.is_ok(), "{value}");
        assert_eq!(losses, Vec::from_iter(loss), "{value}");
    }
}

#[test]
fn json_keeps_its_bytes_and_jsonb_becomes_the_server_text() {
    for value in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1.10",
        "1e2",
        "1E+2",
        "9007199254740993",
        "\"\"",
        "\"é✓\"",
        "[]",
        "{}",
        "{ \"a\" : 1 }",
        "\t[1,\r\n2 ,[ ]]  ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "[[[[{\"a\":[{}]}]]]]",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\"abcdefg\\\"hijklmnopqrstuvw\"",
        "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u{7f}\"]",
        "12345678901234567890123456789.123456789012345678901234567890",
    ] {
        assert_eq!(cell(Kind::Jsonb, txt(value)), Ok(jsonb(value)), "{value}");
        assert_eq!(exact(Kind::Json, &rules(), txt(value)), Ok(json(value)), "{value}");
    }
}

#[test]
fn invalid_json_is_refused_with_its_position() {
    for (value, position) in [
        ("{a:1}", 1),
        ("[1,]", 3),
        ("\u{feff}1", 0),
        ("{'a':1}", 1),
        ("NaN", 0),
        ("\"a\nb\"", 2),
        ("\"a\tb\"", 2),
        ("[1 2]", 3),
        ("01", 1),
        ("-01", 2),
        ("1.", 2),
        (".5", 0),
        ("1e", 2),
        ("-", 1),
        ("+1", 0),
        ("\"abc", 4),
        ("\"\\x\"", 2),
        ("\"\\u12g4\"", 1),
        ("\"\\u123", 1),
        ("[", 1),
        ("]", 0),
        ("{", 1),
        ("{\"a\"}", 4),
        ("{\"a\":}", 5),
        ("{\"a\":1,}", 7),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("1 2", 2),
        ("tru", 0),
        ("nullx", 4),
        ("[1],", 3),
        (" ", 1),
        ("'a'", 0),
        ("// x\n1", 0),
        ("\u{a0}1", 0),
        ("1\0", 1),
        ("\"aaaaaaaaaaaaaaaaaaaaaa\u{1}\"", 23),
        ("{\"a\":1,\"b\"", 10),
        ("[,1]", 1),
        ("{,}", 1),
        ("\"\u{1f}\"", 1),
        ("\\u0031", 0),
    ] {
        let flaw = JsonFlaw { reason: Reason::InvalidJson, position };
        assert_eq!(check(value.as_bytes(), false), Err(flaw), "{value:?}");
        assert_eq!(exact(Kind::Jsonb, &rules(), txt(value)), Err(Reason::InvalidJson), "{value:?}");
        assert_eq!(exact(Kind::Json, &rules(), txt(value)), Err(Reason::InvalidJson), "{value:?}");
    }
    assert_eq!(exact(Kind::Jsonb, &rules(), txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(Kind::Jsonb, &rules(), Raw::Blob(b"{}")), Err(Reason::BlobInJson));
}

#[test]
fn numbers_become_json_numbers() {
    for (raw, shown) in
        [(Raw::Integer(1), "1"), (Raw::Real(1.2345678901234567e19), "1.2345678901234567e+19"), (Raw::Real(0.5), "0.5")]
    {
        assert_eq!(cell(Kind::Jsonb, raw), Ok(jsonb(shown)));
    }
    assert_eq!(exact(Kind::Jsonb, &rules(), Raw::Real(f64::INFINITY)), Err(Reason::NotFinite));
}

#[test]
fn a_nul_is_json_but_not_jsonb() {
    let value = "{\"a\":\"x\\u0000y\",\"b\":\"\\\\u0000\"}";
    assert_eq!(cell(Kind::Json, txt(value)), Ok(json(value)));
    assert_eq!(exact(Kind::Jsonb, &rules(), txt(value)), Err(Reason::NulInJson));
    let strip = Rules { strip_nul: true, ..rules() };
    let stripped = "{\"a\":\"xy\",\"b\":\"\\\\u0000\"}";
    assert_eq!(with_losses(Kind::Jsonb, &strip, txt(value)), (Ok(jsonb(stripped)), vec![Loss::StripNul]));
    assert_eq!(with_losses(Kind::Json, &strip, txt(value)), (Ok(json(stripped)), vec![Loss::StripNul]));
    assert_eq!(exact(Kind::Jsonb, &strip, txt("\"\\\\u0000\"")), Ok(jsonb("\"\\\\u0000\"")));
    let halves = "\"\\ud83d\\u0000\\ude00\"";
    assert_eq!(exact(Kind::Jsonb, &strip, txt(halves)), Err(Reason::LoneSurrogate));
}

#[test]
fn half_a_surrogate_pair_is_json_but_not_jsonb() {
    for value in
        ["\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\udc00\\ud800\""]
    {
        assert_eq!(cell(Kind::Json, txt(value)), Ok(json(value)), "{value}");
        assert_eq!(exact(Kind::Jsonb, &rules(), txt(value)), Err(Reason::LoneSurrogate), "{value}");
    }
    assert_eq!(check(b"[1,\"ab\\ud800\"]", true), Err(JsonFlaw { reason: Reason::LoneSurrogate, position: 6 }));
}

#[test]
fn jsonb_numbers_are_limited_to_numeric() {
    let long = format!("[{}]", "9".repeat(131_072));
    let zeros = format!("0.{}", "0".repeat(16_383));
    for value in ["1e131071", "1e-16383", "0e1000", "0.001e131074", long.as_str(), zeros.as_str(), "-1.5e-16382"] {
        assert_eq!(cell(Kind::Jsonb, txt(value)).map(|_| ()), Ok(()), "{value:.20}");
    }
    let (longer, zeros) = (format!("1{}", "0".repeat(131_072)), format!("0.{}", "0".repeat(16_384)));
    for value in
        ["1e131072", "1e-16384", "0e-16384", "1e99999999999999999999", "0e9999999999", longer.as_str(), zeros.as_str()]
    {
        assert_eq!(exact(Kind::Jsonb, &rules(), txt(value)), Err(Reason::JsonNumber), "{value:.20}");
        assert_eq!(exact(Kind::Json, &rules(), txt(value)), Ok(json(value)), "{value:.20}");
    }
}

#[test]
fn duplicate_keys_are_counted_for_jsonb() {
    let many: String = (0..40).map(|at| format!("\"k{at}\":{at},")).collect();
    let (once, twice) = (format!("{{{many}\"x\":1}}"), format!("{{{many}\"k7\":1}}"));
    for value in [
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "[{\"b\":0},{\"é\":1,\"x\":{},\"\\u00e9\":2}]",
        twice.as_str(),
        "{\"\\ud83d\\ude00\":1,\"😀\":2}",
        "{\"a\\n\":1,\"a\\u000a\":2}",
    ] {
        assert_eq!(
            with_losses(Kind::Jsonb, &rules(), txt(value)),
            (Ok(jsonb(value)), vec![Loss::DuplicateKeys]),
            "{value}"
        );
        assert_eq!(exact(Kind::Json, &rules(), txt(value)), Ok(json(value)), "{value}");
    }
    for value in [
        once.as_str(),
        "{\"a\":{\"a\":1},\"b\":{\"a\":2}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":1,\"A\":2}",
        "{\"\":1,\" \":2}",
    ] {
        assert_eq!(exact(Kind::Jsonb, &rules(), txt(value)), Ok(jsonb(value)), "{value}");
    }
}

#[test]
fn json_depth_is_not_limited() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(exact(Kind::Jsonb, &rules(), txt(&deep)).map(|_| ()), Ok(()));
    assert_eq!(exact(Kind::Jsonb, &rules(), txt(&"[".repeat(200_000))), Err(Reason::InvalidJson));
    let objects = "{\"a\":".repeat(50_000) + "1" + &"}".repeat(50_000);
    assert_eq!(exact(Kind::Jsonb, &rules(), txt(&objects)).map(|_| ()), Ok(()));
}
