//! Text, bytes, enums, UUIDs, addresses and types without an encoder.

use super::*;
use crate::model::rules::Charset;
use std::borrow::Cow;

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn varchar(limit: u32) -> Kind {
    Kind::Varchar { limit: Some(limit) }
}

#[test]
fn text_keeps_every_byte() {
    for value in ["", "a", " a ", "e\u{301}", "é", "\u{fffe}\u{10ffff}", "\\N", "\\.", "a\tb\r\n", "✓", "👨‍👩‍👧"]
    {
        assert_eq!(exact(Kind::Text, &rules(), txt(value)), Ok(text(value)));
        assert_eq!(exact(Kind::Citext, &rules(), txt(value)), Ok(text(value)));
    }
    assert_eq!(exact(Kind::Text, &rules(), Raw::Integer(42)), Ok(text("42")));
    assert_eq!(exact(Kind::Text, &rules(), Raw::Null), Ok(Cell::Null));
}

#[test]
fn a_double_as_text_is_the_text_of_sqlite_with_all_digits() {
    for (value, shown) in [
        (42.0, "42.0"),
        (2.5, "2.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e20, "1.0e+20"),
        (1.5e300, "1.5e+300"),
        (1e-5, "1.0e-05"),
        (0.0001, "0.0001"),
        (-0.0, "-0.0"),
        (f64::INFINITY, "Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (100000000000000.0, "100000000000000.0"),
        (1e15, "1.0e+15"),
        (5e-324, "5.0e-324"),
        (-1.2345678901234567e+19, "-1.2345678901234567e+19"),
    ] {
        assert_eq!(exact(Kind::Text, &rules(), Raw::Real(value)), Ok(text(shown)));
    }
}

#[test]
fn text_that_the_server_refuses_is_a_fault() {
    for bytes in [&b"\xffA\xc3"[..], b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"] {
        assert_eq!(exact(Kind::Text, &rules(), Raw::Text(bytes)), Err(Reason::NotUtf8));
        assert_eq!(exact(Kind::Jsonb, &rules(), Raw::Text(bytes)), Err(Reason::NotUtf8));
        assert_eq!(exact(Kind::Other, &rules(), Raw::Text(bytes)), Err(Reason::NotUtf8));
    }
    assert_eq!(exact(Kind::Text, &rules(), txt("a\0b")), Err(Reason::NulInText));
    assert_eq!(exact(Kind::Other, &rules(), txt("a\0b")), Err(Reason::NulInText));
    assert_eq!(exact(Kind::Text, &rules(), Raw::Blob("é".as_bytes())), Err(Reason::BlobInText));
    assert_eq!(exact(Kind::Other, &rules(), Raw::Blob(b"a")), Err(Reason::NotForServer));
}

#[test]
fn length_counts_characters_and_blanks_are_characters() {
    assert_eq!(exact(varchar(3), &rules(), txt("ééé")), Ok(text("ééé")));
    assert_eq!(exact(varchar(5), &rules(), txt("👨‍👩‍👧")), Ok(text("👨‍👩‍👧")));
    for value in ["éééé", "abc ", "abc  "] {
        assert_eq!(exact(varchar(3), &rules(), txt(value)), Err(Reason::TooLong));
        assert_eq!(exact(Kind::Char { width: 3 }, &rules(), txt(value)), Err(Reason::TooLong));
    }
    assert_eq!(exact(varchar(2), &rules(), Raw::Integer(123)), Err(Reason::TooLong));
    let cut = Rules { truncate: true, ..rules() };
    assert_eq!(with_losses(varchar(3), &cut, txt("éééé")), (Ok(text("ééé")), vec![Loss::Truncate]));
    assert_eq!(with_losses(varchar(3), &cut, Raw::Integer(1234)), (Ok(text("123")), vec![Loss::Truncate]));
    assert_eq!(exact(varchar(3), &cut, txt("abc")), Ok(text("abc")));
}

#[test]
fn char_n_is_padded_with_blanks() {
    for (value, held) in [("a", "a  "), ("a ", "a  "), ("", "   "), ("éé", "éé "), ("abc", "abc")] {
        assert_eq!(exact(Kind::Char { width: 3 }, &rules(), txt(value)), Ok(text(held)));
    }
}

#[test]
fn a_legacy_character_set_is_used_for_bytes_that_are_not_utf8() {
    let windows = Rules { charset: Some(Charset::Windows1252), ..rules() };
    assert_eq!(exact(Kind::Text, &windows, Raw::Text(b"\x80 caf\xe9")), Ok(text("€ café")));
    assert_eq!(exact(Kind::Text, &windows, txt("café")), Ok(text("café")));
    assert_eq!(exact(Kind::Text, &windows, Raw::Text(b"\x81\xe9")), Err(Reason::NotUtf8));
    let latin = Rules { charset: Some(Charset::Latin1), ..rules() };
    assert_eq!(exact(Kind::Text, &latin, Raw::Text(b"\x81\xe9")), Ok(text("\u{81}é")));
    assert_eq!(exact(varchar(2), &latin, Raw::Text(b"\xe9\xe9")), Ok(text("éé")));
    assert_eq!(exact(Kind::Bytea, &latin, Raw::Text(b"\xe9")), Ok(Cell::Bytea(Cow::Borrowed(b"\xe9"))));
}

#[test]
fn blobs_are_text_if_the_mapping_allows_it() {
    let utf8 = Rules { blob_as_text: true, ..rules() };
    assert_eq!(exact(Kind::Text, &utf8, Raw::Blob("é".as_bytes())), Ok(text("é")));
    assert_eq!(exact(Kind::Text, &utf8, Raw::Blob(b"\xc3")), Err(Reason::NotUtf8));
    assert_eq!(exact(Kind::Jsonb, &utf8, Raw::Blob(b"{}")), Ok(Cell::Jsonb("{}".into())));
    assert_eq!(exact(Kind::Bytea, &utf8, Raw::Blob(b"\xc3")), Ok(Cell::Bytea(Cow::Borrowed(b"\xc3"))));
    assert_eq!(exact(Kind::Uuid, &utf8, Raw::Blob(&[7; 16])), Ok(Cell::Uuid([7; 16])));
}

#[test]
fn text_in_bytea_becomes_its_bytes() {
    for value in ["SGVsbG8=", "hello world", "\\x41", "", "é"] {
        assert_eq!(exact(Kind::Bytea, &rules(), txt(value)), Ok(Cell::Bytea(Cow::Borrowed(value.as_bytes()))));
        assert_eq!(
            exact(Kind::Bytea, &rules(), Raw::Blob(value.as_bytes())),
            Ok(Cell::Bytea(Cow::Borrowed(value.as_bytes())))
        );
    }
    assert_eq!(exact(Kind::Bytea, &rules(), Raw::Null), Ok(Cell::Null));
    assert_eq!(exact(Kind::Bytea, &rules(), Raw::Integer(1)), Err(Reason::NotForServer));
}

#[test]
fn an_enum_accepts_its_labels_byte_for_byte() {
    let mood = |labels: &[&str]| Kind::Enum { labels: labels.iter().map(|label| label.to_string()).collect() };
    let moods = mood(&["sad", "ok", "1"]);
    assert_eq!(exact(moods.clone(), &rules(), txt("sad")), Ok(text("sad")));
    assert_eq!(exact(moods.clone(), &rules(), Raw::Integer(1)), Ok(text("1")));
    for value in ["Sad", "sad ", "happy"] {
        assert_eq!(exact(moods.clone(), &rules(), txt(value)), Err(Reason::UnknownLabel));
    }
    assert_eq!(exact(moods.clone(), &rules(), txt("")), Err(Reason::EmptyString));
    assert_eq!(exact(mood(&["", "x"]), &rules(), txt("")), Ok(text("")));
    assert_eq!(exact(moods, &rules(), Raw::Blob(b"sad")), Err(Reason::BlobInText));
}

#[test]
fn a_uuid_has_four_spellings_and_sixteen_bytes() {
    let uuid = [0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11];
    for value in [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    ] {
        assert_eq!(exact(Kind::Uuid, &rules(), txt(value)), Ok(Cell::Uuid(uuid)), "{value}");
    }
    assert_eq!(exact(Kind::Uuid, &rules(), Raw::Blob(&uuid)), Ok(Cell::Uuid(uuid)));
    assert_eq!(exact(Kind::Uuid, &rules(), Raw::Blob(&uuid[..15])), Err(Reason::BlobInValue));
    for value in [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
        "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "g0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a-0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11-",
        "-a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "nil",
    ] {
        assert_eq!(exact(Kind::Uuid, &rules(), txt(value)), Err(Reason::NotAUuid), "{value}");
    }
    for raw in [Raw::Integer(1234), Raw::Real(1.23e31), Raw::Real(f64::INFINITY)] {
        assert_eq!(exact(Kind::Uuid, &rules(), raw), Err(Reason::NumberInUuid));
    }
    assert_eq!(exact(Kind::Uuid, &rules(), txt("")), Err(Reason::EmptyString));
}

#[test]
fn addresses_are_read_strictly() {
    let inet =
        |address: &str, prefix| Ok(Cell::Inet(crate::model::cell::Inet { address: address.parse().unwrap(), prefix }));
    for (value, address, prefix) in [
        ("10.0.0.1/24", "10.0.0.1", 24),
        ("10.0.0.1", "10.0.0.1", 32),
        ("::1", "::1", 128),
        ("fe80::1/64", "fe80::1", 64),
        ("0.0.0.0/0", "0.0.0.0", 0),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4", 128),
    ] {
        assert_eq!(exact(Kind::Inet, &rules(), txt(value)), inet(address, prefix), "{value}");
    }
    for value in [
        "010.1.1.1",
        "10.1",
        "10.0.0.1/33",
        "10.0.0.1/024",
        "10.0.0.1/",
        "10.0.0.1/+4",
        "fe80::1%eth0",
        "host",
        "256.1.1.1",
    ] {
        assert_eq!(exact(Kind::Inet, &rules(), txt(value)), Err(Reason::NotAnInet), "{value}");
    }
    assert_eq!(exact(Kind::Inet, &rules(), Raw::Integer(1)), Err(Reason::NotAnInet));
}

#[test]
fn a_type_without_an_encoder_receives_the_text() {
    for (raw, shown) in [(txt("(1,2)"), "(1,2)"), (Raw::Integer(7), "7"), (Raw::Real(0.5), "0.5"), (txt(""), "")] {
        assert_eq!(exact(Kind::Other, &rules(), raw), Ok(Cell::Verbatim(Cow::Borrowed(shown))));
    }
}
