//! Arrays in their three spellings.

use super::*;
use crate::model::cell::Array;
use crate::model::rules::Epoch;
use std::borrow::Cow;

fn of(kind: Kind) -> Kind {
    Kind::Array(Box::new(ColumnType::new(kind, 25, "element")))
}

fn array<'a>(dimensions: &[usize], elements: Vec<Cell<'a>>) -> Result<Cell<'a>, Reason> {
    Ok(Cell::Array(Array { element_oid: 25, dimensions: dimensions.to_vec(), elements }))
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

#[test]
fn json_arrays_are_read() {
    let texts = of(Kind::Text);
    assert_eq!(exact(texts.clone(), &rules(), txt("[\"a\",null]")), array(&[2], vec![text("a"), Cell::Null]));
    assert_eq!(exact(texts.clone(), &rules(), txt("[]")), array(&[], vec![]));
    assert_eq!(exact(texts.clone(), &rules(), txt(" [ ] ")), array(&[], vec![]));
    let odd = "[\"a,b\", \"\", \"null\", \"c\\\"d\\u00e9]\", 1.10, true]";
    let elements = ["a,b", "", "null", "c\"dé]", "1.10", "true"].map(text).to_vec();
    assert_eq!(exact(texts.clone(), &rules(), txt(odd)), array(&[6], elements));
    let numbers = (1..=4).map(Cell::Int4).collect::<Vec<_>>();
    assert_eq!(exact(of(Kind::Int4), &rules(), txt("[[1,2],[3,4.0]]")), array(&[2, 2], numbers));
    for (value, reason) in [
        ("[1,[2]]", Reason::RaggedArray),
        ("[[1],2]", Reason::RaggedArray),
        ("[[1,2],[3]]", Reason::RaggedArray),
        ("[[]]", Reason::RaggedArray),
        ("[[1],null]", Reason::RaggedArray),
        ("[1,]", Reason::NotAnArray),
        ("[{\"a\":1}]", Reason::NotAnArray),
        ("[1", Reason::NotAnArray),
        ("[\"x\"]", Reason::NotANumber),
        ("[2147483648]", Reason::OutOfRange),
        ("[\"\"]", Reason::EmptyString),
        ("[[[[[[[1]]]]]]]", Reason::NotAnArray),
        ("[0:1]={1,2}", Reason::NotAnArray),
        ("1", Reason::NotAnArray),
        ("\"a\"", Reason::NotAnArray),
    ] {
        assert_eq!(exact(of(Kind::Int4), &rules(), txt(value)), Err(reason), "{value}");
    }
    assert_eq!(exact(texts.clone(), &rules(), txt("[\"\\ud800\"]")), Err(Reason::LoneSurrogate));
    assert_eq!(exact(texts.clone(), &rules(), txt("[\"a\\u0000\"]")), Err(Reason::NulInText));
    let strip = Rules { strip_nul: true, ..rules() };
    assert_eq!(with_losses(texts, &strip, txt("[\"a\\u0000\"]")), (array(&[1], vec![text("a")]), vec![Loss::StripNul]));
}

#[test]
fn elements_follow_their_type_and_the_column_rules() {
    assert_eq!(exact(of(Kind::Varchar { limit: Some(2) }), &rules(), txt("[\"abc\"]")), Err(Reason::TooLong));
    let cut = Rules { truncate: true, ..rules() };
    let expected = (array(&[1], vec![text("ab")]), vec![Loss::Truncate]);
    assert_eq!(with_losses(of(Kind::Varchar { limit: Some(2) }), &cut, txt("[\"abc\"]")), expected);
    let epoch = Rules { epoch: Some(Epoch::Seconds), ..rules() };
    let stamps = of(Kind::Timestamptz { precision: 6 });
    assert_eq!(exact(stamps.clone(), &epoch, txt("[946684800]")), array(&[1], vec![Cell::Timestamp(0)]));
    assert_eq!(exact(stamps.clone(), &epoch, txt("[946684800.5]")), array(&[1], vec![Cell::Timestamp(500_000)]));
    assert_eq!(exact(stamps, &rules(), txt("[946684800]")), Err(Reason::NumberInTime));
    let jsonb = |text: &'static str| Cell::Jsonb(Cow::Borrowed(text));
    let elements = vec![jsonb("{\"a\": [1]}"), jsonb("[2]"), jsonb("\"x\""), Cell::Null];
    assert_eq!(exact(of(Kind::Jsonb), &rules(), txt("[{\"a\":[1]},[2], \"x\",null]")), array(&[4], elements));
    let bad = Rules { if_bad: Some(crate::model::rules::Value::Null), ..rules() };
    assert_eq!(with_losses(of(Kind::Int4), &bad, txt("[\"x\"]")), (Ok(Cell::Null), vec![Loss::IfBad]));
}

#[test]
fn postgres_array_literals_are_read() {
    let texts = of(Kind::Text);
    for (value, elements) in [
        ("{}", vec![]),
        ("{a,b}", vec![text("a"), text("b")]),
        (" { a , \"b,c\" ,NULL, \"NULL\", null } ", vec![text("a"), text("b,c"), Cell::Null, text("NULL"), Cell::Null]),
        ("{\"a\\\"b\",\"c\\\\\",d\\,e,\"\"}", vec![text("a\"b"), text("c\\"), text("d,e"), text("")]),
        ("{a b}", vec![text("a b")]),
        ("{a\\, b , c\\ , d\\\\ }", vec![text("a, b"), text("c "), text("d\\")]),
    ] {
        let dimensions = if elements.is_empty() { vec![] } else { vec![elements.len()] };
        assert_eq!(exact(texts.clone(), &rules(), txt(value)), array(&dimensions, elements), "{value}");
    }
    let numbers = (1..=6).map(Cell::Int4).collect::<Vec<_>>();
    assert_eq!(exact(of(Kind::Int4), &rules(), txt("{{1,2,3},{4,5,6}}")), array(&[2, 3], numbers));
    for value in [
        "{",
        "{a",
        "{a,}",
        "{,a}",
        "{a}b",
        "{a}{b}",
        "{\"a\"b}",
        "{a\"b\"}",
        "{\"a}",
        "{a{b}}",
        "{}}",
        "{{a}",
        "a,b",
        "{\"a\":1}",
    ] {
        assert_eq!(exact(texts.clone(), &rules(), txt(value)), Err(Reason::NotAnArray), "{value}");
    }
    assert_eq!(exact(texts, &rules(), txt("{{a,b},{c}}")), Err(Reason::RaggedArray));
}

#[test]
fn comma_separated_text_is_read_if_the_mapping_allows_it() {
    let texts = of(Kind::Text);
    let csv = Rules { array_csv: true, ..rules() };
    let trim = Rules { trim: true, ..csv.clone() };
    for (rules, value, elements) in [
        (&csv, "a,b", vec!["a", "b"]),
        (&csv, "a", vec!["a"]),
        (&csv, "a, b", vec!["a", " b"]),
        (&csv, "a,,b,", vec!["a", "", "b", ""]),
        (&csv, "\"a,\"\"b\"\"\",c", vec!["a,\"b\"", "c"]),
        (&trim, "a , b", vec!["a", "b"]),
        (&trim, " \"a \" ,b", vec!["a ", "b"]),
        (&csv, "[\"a\"]", vec!["a"]),
        (&csv, "{a}", vec!["a"]),
    ] {
        let count = elements.len();
        let elements = elements.into_iter().map(text).collect();
        assert_eq!(exact(texts.clone(), rules, txt(value)), array(&[count], elements), "{value}");
    }
    for value in ["\"a", "\"a\"b", "a\"b"] {
        assert_eq!(exact(texts.clone(), &csv, txt(value)), Err(Reason::NotAnArray), "{value}");
    }
    assert_eq!(exact(of(Kind::Int4), &csv, txt("1, 2")), array(&[2], vec![Cell::Int4(1), Cell::Int4(2)]));
    assert_eq!(exact(texts.clone(), &csv, txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(texts, &csv, Raw::Integer(1)), Err(Reason::NotAnArray));
}

#[test]
fn arrays_without_an_encoder_are_sent_as_text() {
    let verbatim = |text: &'static str| Ok(Cell::Verbatim(Cow::Borrowed(text)));
    assert_eq!(exact(of(Kind::Other), &rules(), txt("[\"a\\\"b\",null,1]")), verbatim("{\"a\\\"b\",NULL,\"1\"}"));
    assert_eq!(exact(of(Kind::Other), &rules(), txt("{{a,b},{c,d}}")), verbatim("{{\"a\",\"b\"},{\"c\",\"d\"}}"));
    assert_eq!(exact(of(Kind::Other), &rules(), txt("[]")), verbatim("{}"));
}
