//! JSON: text that is carried as text, and what jsonb cannot hold.

use super::{Bad, Is, Sample, hold};

#[test]
fn json_is_checked_before_it_is_sent() {
    const CASES: &[Sample] = &[
        ("TEXT", "'null'", "jsonb", "", Is("null")),
        ("TEXT", "NULL", "jsonb", "", super::Null),
        ("TEXT", "'{a:1}'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'[1,]'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'{''a'':1}'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'{\"a\":1,}'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'// x' || char(10) || '1'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'+1'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'[1,]'", "json", "", Bad("invalid-json")),
        ("TEXT", "char(0xfeff) || '1'", "json", "", Bad("invalid-json")),
        ("TEXT", "'{a:1}'", "jsonb", "if_bad = { null = true }", super::Null),
        ("TEXT", "'NaN'", "json", "", Bad("invalid-json")),
        ("TEXT", "'NaN'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "char(0xfeff) || '1'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "'\"' || char(10) || '\"'", "jsonb", "", Bad("invalid-json")),
        ("TEXT", "''", "jsonb", "", Bad("empty-string")),
        ("TEXT", "''", "jsonb", r#"null_if = [""]"#, super::Null),
        ("TEXT", r#"'{"a":"\u0000"}'"#, "jsonb", "", Bad("nul-in-json")),
        ("TEXT", r#"'{"a":"\u0000"}'"#, "json", "", Is(r#"{"a":"\u0000"}"#)),
        ("TEXT", r#"'{"a":"\u0000"}'"#, "jsonb", "strip_nul = true", Is(r#"{"a": ""}"#)),
        ("TEXT", r#"'"\ud800"'"#, "jsonb", "", Bad("lone-surrogate")),
        ("TEXT", r#"'"\ud800"'"#, "json", "", Is(r#""\ud800""#)),
        ("TEXT", r#"'"\udc00\ud800"'"#, "jsonb", "", Bad("lone-surrogate")),
        ("TEXT", r#"'"\ud83d\ude00"'"#, "jsonb", "", Is("\"😀\"")),
        ("TEXT", r#"'{"a":1,"a":2}'"#, "jsonb", "", Is(r#"{"a": 2}"#)),
        ("TEXT", r#"'{"a":1,"a":2}'"#, "json", "", Is(r#"{"a":1,"a":2}"#)),
        ("TEXT", "'[1.10]'", "json", "", Is("[1.10]")),
        ("TEXT", "'1e131072'", "json", "", Is("1e131072")),
        ("TEXT", "'[1e2, 1.10, -0, -0.0]'", "jsonb", "", Is("[100, 1.10, 0, 0.0]")),
        ("TEXT", "'9007199254740993'", "jsonb", "", Is("9007199254740993")),
        ("TEXT", "'1e131072'", "jsonb", "", Bad("json-number")),
        ("TEXT", "'1e-16384'", "jsonb", "", Bad("json-number")),
        ("TEXT", "'{ \"a\" : 1 }'", "json", "", Is("{ \"a\" : 1 }")),
        ("BLOB", "x'1761171331'", "jsonb", "", Bad("blob-in-json")),
        ("BLOB", "x'1761171331'", "json", "", Bad("blob-in-json")),
        // What SQLite's own jsonb('{"a":1}') is.
        ("BLOB", "x'4c17611331'", "jsonb", "", Bad("blob-in-json")),
        ("BLOB", "x'4c17611331'", "jsonb", r#"sql = "json(v)""#, Is(r#"{"a": 1}"#)),
        ("BLOB", "CAST('{\"a\":1}' AS BLOB)", "jsonb", r#"blob = "utf8""#, Is(r#"{"a": 1}"#)),
        (
            "TEXT",
            "replace(hex(zeroblob(60)), '00', '[') || replace(hex(zeroblob(60)), '00', ']')",
            "json",
            "",
            Is(
                "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
            ),
        ),
    ];
    hold(CASES);
}
