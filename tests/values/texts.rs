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
    ];
    hold(CASES);
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
        ("TEXT", "'a0eebc99'", "uuid", "", Bad("not-a-uuid")),
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
        ("TEXT", "'10101010'", "bit(8)", "", Is("10101010")),
        ("TEXT", r#"'a=>1'"#, "hstore", "", Is(r#""a"=>"1""#)),
        ("TEXT", "'08:00:2b:01:02:03'", "macaddr", "", Is("08:00:2b:01:02:03")),
        ("TEXT", "'10.0.0.0/8'", "cidr", "", Is("10.0.0.0/8")),
        ("TEXT", "'10.0.0.1/8'", "cidr", "", Bad("server-refused")),
        ("TEXT", "'[1,5)'", "int4range", "", Is("[1,5)")),
        ("TEXT", "'<a/>'", "xml", "", Is("<a/>")),
        ("TEXT", "'a fat cat'", "tsvector", "", Is("'a' 'cat' 'fat'")),
        ("TEXT", "'2.5'", "money", "", Is("$2.50")),
        ("TEXT", "'(1,2)'", "point", "", Is("(1,2)")),
    ];
    hold(CASES);
}
