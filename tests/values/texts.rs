//! Text, bytes, labels, addresses, arrays and types that go as text.

use super::{Bad, Case, Is, hold};

#[test]
fn text_and_bytes_arrive_byte_for_byte_or_are_refused() {
    const CASES: &[Case] = &[
        ("TEXT", "'a' || char(0) || 'b'", "text", "", Bad("nul-in-text")),
        ("TEXT", "'a' || char(0) || 'b'", "text", "strip_nul = true", Is("ab")),
        ("TEXT", "CAST(x'ff41' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "CAST(x'ff41c3' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "CAST(x'ff41' AS TEXT)", "text", r#"charset = "windows-1252""#, Is("ÿA")),
        ("TEXT", "CAST(x'81e9' AS TEXT)", "text", r#"charset = "latin1""#, Is("\u{81}é")),
        ("TEXT", "CAST(x'81e9' AS TEXT)", "text", r#"charset = "windows-1252""#, Bad("not-utf8")),
        ("TEXT", "CAST(x'eda080' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "CAST(x'c080' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "CAST(x'f4908080' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "char(0x10ffff)", "text", "", Is("\u{10ffff}")),
        ("TEXT", "char(0xfffe)", "text", "", Is("\u{fffe}")),
        ("TEXT", "x'c3a9'", "text", "", Bad("blob-in-text")),
        ("TEXT", "x'c3a9'", "text", r#"blob = "utf8""#, Is("é")),
        ("BLOB", "'SGVsbG8='", "bytea", "", Is("\\x534756736247383d")),
        ("BLOB", "'hello world'", "bytea", "", Is("\\x68656c6c6f20776f726c64")),
        ("BLOB", "x'00ff0a5c'", "bytea", "", Is("\\x00ff0a5c")),
        ("TEXT", "''", "text", "", Is("")),
        ("BLOB", "x''", "bytea", "", Is("\\x")),
        ("TEXT", "NULL", "text", "", super::Null),
        ("BLOB", "NULL", "bytea", "", super::Null),
        ("TEXT", "'ééé'", "varchar(3)", "", Is("ééé")),
        ("TEXT", "'éééé'", "varchar(3)", "", Bad("too-long")),
        ("TEXT", "'éééé'", "varchar(3)", "truncate = true", Is("ééé")),
        ("TEXT", "'abc  '", "varchar(3)", "", Bad("too-long")),
        ("TEXT", "'abcd'", "short", "", Bad("too-long")),
        ("TEXT", "'abc'", "short", "", Is("abc")),
        ("TEXT", "'👨\u{200d}👩\u{200d}👧'", "varchar(5)", "", Is("👨\u{200d}👩\u{200d}👧")),
        ("TEXT", "'a '", "char(3)", "", Is("a")),
        ("TEXT", "'abcd'", "char(3)", "", Bad("too-long")),
        ("TEXT", "'É'", "citext", "", Is("É")),
        ("TEXT", "'x  '", "text", "", Is("x  ")),
        ("TEXT", "'x  '", "text", "trim = true", Is("x")),
        ("TEXT", "char(0xe9)", "text", "", Is("\u{e9}")),
        ("TEXT", "'e' || char(0x301)", "text", "", Is("e\u{301}")),
        ("TEXT", r"'\N'", "text", "", Is("\\N")),
        ("TEXT", r"'\.'", "text", "", Is("\\.")),
        ("TEXT", "'a' || char(9) || 'b' || char(13, 10) || '\\'", "text", "", Is("a\tb\r\n\\")),
        ("TEXT", "'✓'", "text", "", Is("✓")),
        ("TEXT", "'sad'", "mood", "", Is("sad")),
        ("TEXT", "'Sad'", "mood", "", Bad("unknown-label")),
        ("TEXT", "'sad '", "mood", "", Bad("unknown-label")),
        ("TEXT", "''", "mood", "", Bad("empty-string")),
        ("TEXT", "'Sad'", "mood", r#"map = { Sad = "sad" }"#, Is("sad")),
        ("TEXT", "''", "mood", r#"null_if = [""]"#, super::Null),
        ("TEXT", r#"'["sad","x"]'"#, "mood[]", "", Bad("unknown-label")),
        ("TEXT", "'éé' || char(0x301) || 'é'", "varchar(3)", "", Bad("too-long")),
        ("TEXT", "'abc  '", "varchar(3)", "truncate = true", Is("abc")),
        ("TEXT", "'abc  '", "char(3)", "", Bad("too-long")),
        ("TEXT COLLATE RTRIM", "'x'", "text", "", Is("x")),
        ("TEXT COLLATE RTRIM", "'x  '", "text", "", Is("x  ")),
        ("TEXT COLLATE NOCASE", "'aBC'", "text", "", Is("aBC")),
        ("TEXT", "x'616263'", "varchar(3)", r#"blob = "utf8""#, Is("abc")),
        ("BLOB", "NULL", "text", "", super::Null),
    ];
    hold(CASES);
}

#[test]
fn every_byte_of_a_blob_arrives() {
    let all: String = (0..=255).map(|byte| format!("{byte:02x}")).collect();
    let (literal, shown) = (format!("x'{all}'"), format!("\\x{all}"));
    hold(&[("BLOB", &literal, "bytea", "", Is(&shown)), ("BLOB", "x''", "bytea", "", Is("\\x"))]);
}

#[test]
fn an_empty_string_in_a_column_that_is_not_text_is_a_fault_until_it_is_said_to_be_null() {
    const TYPES: [&str; 24] = [
        "smallint",
        "int",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "boolean",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "json",
        "jsonb",
        "inet",
        "mood",
        "int[]",
        "timetz",
        "money",
        "cidr",
        "int4range",
        "point",
        "mood[]",
    ];
    let cases = |modifiers, becomes| TYPES.map(|kind| ("TEXT", "''", kind, modifiers, becomes));
    hold(&[cases("", Bad("empty-string")), cases(r#"null_if = [""]"#, super::Null)].concat());
}

#[test]
fn identifiers_addresses_and_arrays_are_read_strictly() {
    const UUID: super::Becomes = Is("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    const CASES: &[Case] = &[
        ("TEXT", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "uuid", "", UUID),
        ("TEXT", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "uuid", "", UUID),
        ("TEXT", "'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "uuid", "", UUID),
        ("TEXT", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", "uuid", "", UUID),
        ("TEXT", "'urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "uuid", "", UUID),
        ("BLOB", "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "uuid", "", UUID),
        ("BLOB", "x'a0eebc999c0b4ef8bb6d6bb9bd380a'", "uuid", "", Bad("blob")),
        ("TEXT", "'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11'", "uuid", "", UUID),
        ("TEXT", "'a0eebc99'", "uuid", "", Bad("not-a-uuid")),
        ("BLOB", "x'99bceea00b9cf84ebb6d6bb9bd380a11'", "uuid", "", Is("99bceea0-0b9c-f84e-bb6d-6bb9bd380a11")),
        ("TEXT", "''", "uuid", "", Bad("empty-string")),
        ("TEXT", "'10.0.0.1/24'", "inet", "", Is("10.0.0.1/24")),
        ("TEXT", "'10.0.0.1'", "inet", "", Is("10.0.0.1/32")),
        ("TEXT", "'::1'", "inet", "", Is("::1/128")),
        ("TEXT", "'010.1.1.1'", "inet", "", Bad("not-an-inet")),
        ("TEXT", "'10.0.0.256'", "inet", "", Bad("not-an-inet")),
        ("TEXT", r#"'["a",null]'"#, "text[]", "", Is("{a,NULL}")),
        ("TEXT", r#"'["a",null]'"#, "varchar(5)[]", "", Is("{a,NULL}")),
        ("TEXT", "'[]'", "text[]", "", Is("{}")),
        ("TEXT", "'[1, 2]'", "int[]", "", Is("{1,2}")),
        ("TEXT", "'[[1,2],[3]]'", "int[]", "", Bad("ragged-array")),
        ("TEXT", "'{1,2}'", "int[]", "", Is("{1,2}")),
        ("TEXT", "'a,b'", "text[]", "", Bad("not-an-array")),
        ("TEXT", "'a,b'", "text[]", r#"array = "csv""#, Is("{a,b}")),
        ("TEXT", r#"'["abcd"]'"#, "varchar(3)[]", "", Bad("too-long")),
        ("TEXT", r#"'["abcd"]'"#, "short[]", "", Bad("too-long")),
        ("TEXT", r#"'["ab", "c  "]'"#, "short[]", "", Is("{ab,\"c  \"}")),
        ("TEXT", r#"'["ab"]'"#, "bytea[]", "", Is(r#"{"\\x6162"}"#)),
        ("TEXT", "'[0.305]'", "numeric(10,2)[]", "", Bad("excess-scale")),
        ("TEXT", "'[99999999.99]'", "numeric(10,2)[]", "", Is("{99999999.99}")),
        ("TEXT", r#"'["2024-01-01 00:00:00.5"]'"#, "timestamp(0)[]", "", Bad("excess-precision")),
        ("TEXT", "''", "text[]", "", Bad("empty-string")),
        ("TEXT", "'[1,2]'", "text", "", Is("[1,2]")),
        ("TEXT", "'10101010'", "bit(8)", "", Is("10101010")),
        ("TEXT", r#"'a=>1'"#, "hstore", "", Is(r#""a"=>"1""#)),
        ("TEXT", "'08:00:2b:01:02:03'", "macaddr", "", Is("08:00:2b:01:02:03")),
        ("TEXT", "'10.0.0.0/8'", "cidr", "", Is("10.0.0.0/8")),
        ("TEXT", "'10.0.0.1/8'", "cidr", "", Bad("not-an-inet")),
        ("TEXT", "'010.0.0.0/8'", "cidr", "", Bad("not-an-inet")),
        ("TEXT", "'10'", "cidr", "", Bad("not-an-inet")),
        ("TEXT", "'192.168'", "cidr", "", Bad("not-an-inet")),
        ("TEXT", "'10.0.0.1'", "cidr", "", Is("10.0.0.1/32")),
        ("TEXT", "'0.0.0.0/0'", "cidr", "", Is("0.0.0.0/0")),
        ("TEXT", "'::/0'", "cidr", "", Is("::/0")),
        ("TEXT", "'2001:db8::1/64'", "cidr", "", Bad("not-an-inet")),
        ("TEXT", "''", "cidr", "", Bad("empty-string")),
        ("TEXT", r#"'["10.0.0.0/8","010.0.0.0/8"]'"#, "cidr[]", "", Bad("not-an-inet")),
        ("TEXT", "'08-00-2B-01-02-03'", "macaddr", "", Is("08:00:2b:01:02:03")),
        ("TEXT", "'08:00:2b:01:02'", "macaddr", "", Bad("server-refused")),
        ("TEXT", "'1010'", "bit(8)", "", Bad("server-refused")),
        ("TEXT", "'101010101'", "varbit(8)", "", Bad("server-refused")),
        ("BLOB", "x'c0'", "bit(8)", "", Bad("not-for-server")),
        ("TEXT", "'<a>'", "xml", "", Bad("server-refused")),
        ("TEXT", "'[1,5)'", "int4range", "", Is("[1,5)")),
        ("TEXT", "'<a/>'", "xml", "", Is("<a/>")),
        ("TEXT", "'a fat cat'", "tsvector", "", Is("'a' 'cat' 'fat'")),
        ("TEXT", "'2.5'", "money", "", Is("$2.50")),
        ("TEXT", "'(1,2)'", "point", "", Is("(1,2)")),
    ];
    hold(CASES);
}
