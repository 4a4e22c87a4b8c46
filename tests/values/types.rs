//! Every type that a column of a target may have: alone, under a domain, in an array, in an array of the domain, and under
//! a domain over the array; each in a load that goes in binary and in one that goes as text.

use super::{Is, Sample, hold_next_to};

/// A type, what PostgreSQL prints of the value, and what it prints of it within an array, where that is another.
const TYPES: &[(&str, &str, &str)] = &[
    ("smallint", "-7", ""),
    ("int", "7", ""),
    ("bigint", "9223372036854775807", ""),
    ("real", "0.5", ""),
    ("double precision", "5e-324", ""),
    ("numeric", "1.50", ""),
    ("numeric(10,2)", "-0.05", ""),
    ("boolean", "true", "t"),
    ("text", "a\t\"b\\é", ""),
    ("varchar(5)", r"\N", ""),
    ("varchar(6)", r"\.", ""),
    ("char(3)", "abc", ""),
    ("citext", "Ab\r\nc", ""),
    ("date", "0045-03-15 BC", ""),
    ("time", "24:00:00", ""),
    ("time(3)", "10:00:00.123", ""),
    ("timestamp", "12024-02-29 15:04:05.000001", ""),
    ("timestamp(3)", "1969-12-31 23:59:59.999", ""),
    ("timestamptz", "0001-12-31 15:04:05+00 BC", ""),
    ("timestamptz(0)", "2023-03-02 15:04:05+00", ""),
    ("interval", "1 year 2 mons -3 days +04:05:06.000007", ""),
    ("interval(0)", "-01:02:03", ""),
    ("interval hour to second", "596523:14:07.5", ""),
    ("interval year to month", "-178956970 years -7 mons", ""),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", ""),
    ("json", r#"{ "a\n" : 1 }"#, ""),
    ("jsonb", r#"{"a\n": 1.10}"#, ""),
    ("inet", "10.0.0.1/24", ""),
    ("mood", "sad", ""),
    ("timetz", "10:00:00.5-05:30", ""),
    ("money", "-$1,234.50", ""),
    ("bit(4)", "1010", ""),
    ("varbit(4)", "101", ""),
    ("cidr", "2001:db8::/32", ""),
    ("macaddr", "08:00:2b:01:02:03", ""),
    ("hstore", r#""c"=>NULL, "a\\b"=>"1""#, ""),
    ("tsvector", "'a':1A 'fat':2", ""),
    ("tsquery", "'a' & 'b'", ""),
    ("xml", "<a b=\"c\">é</a>", ""),
    ("pg_lsn", "16/B374D848", ""),
    ("int4range", "[1,5)", ""),
    ("int8range", "(,5)", ""),
    ("numrange", "(1.5,2.50]", ""),
    ("daterange", "[2024-01-01,)", ""),
    ("tsrange", r#"["2024-01-01 10:00:00",)"#, ""),
    ("tstzrange", r#"(,"2024-01-01 10:00:00+00"]"#, ""),
    ("point", "(1.5,-2)", ""),
    ("lseg", "[(1,2),(3,4)]", ""),
    ("box", "(3,4),(1,2)", ""),
    ("path", "((1,2),(3,4))", ""),
    ("polygon", "((1,2),(3,4),(5,6))", ""),
    ("circle", "<(1,2),3>", ""),
];

/// Money is spelled as people type it.
fn typed(value: &str) -> String {
    if value.contains('$') { value.replace(['$', ','], "") } else { value.to_owned() }
}

fn escaped(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// An array of the value, NULL and the value: PostgreSQL's literal, and JSON.
fn spelled(name: &str, value: &str) -> (String, String) {
    let (comma, value) = (comma(name), typed(value));
    let element = escaped(&value);
    let literal = format!("{{{element}{comma}null {comma} {element}}}");
    let json = match name {
        "json" | "jsonb" => value,
        _ => element.replace('\t', "\\t").replace('\r', "\\r").replace('\n', "\\n"),
    };
    (literal, format!("[{json}, null, {json}]"))
}

/// The separator between the elements of a type.
fn comma(name: &str) -> char {
    if name == "box" { ';' } else { ',' }
}

/// As PostgreSQL prints an array of the value, NULL and the value.
fn printed(name: &str, value: &str) -> String {
    let comma = comma(name);
    let is_special = |c: char| "{}\"\\".contains(c) || c == comma || c.is_ascii_whitespace();
    let shown = if value.contains(is_special) { escaped(value) } else { value.to_owned() };
    format!("{{{shown}{comma}NULL{comma}{shown}}}")
}

#[test]
fn every_type_arrives_alone_in_domains_and_in_arrays_on_every_path() {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (mut domains, mut rows) = (String::new(), Vec::new());
    for (n, (name, value, within)) in TYPES.iter().enumerate() {
        domains += &format!("CREATE DOMAIN d{n} AS {name}; CREATE DOMAIN e{n} AS {name}[];\n");
        let alone = quoted(&typed(value));
        let (literal, json) = spelled(name, value);
        let array = printed(name, if within.is_empty() { value } else { within });
        let mut add =
            |literal: &str, kind: String, shown: &str| rows.push((literal.to_owned(), kind, shown.to_owned()));
        add(&alone, (*name).to_owned(), value);
        add(&alone, format!("d{n}"), value);
        for (literal, kind) in [
            (&literal, format!("{name}[]")),
            (&json, format!("{name}[]")),
            (&json, format!("d{n}[]")),
            (&literal, format!("e{n}")),
        ] {
            add(&quoted(literal), kind, &array);
        }
    }
    let cases: Vec<Sample> =
        rows.iter().map(|(literal, kind, shown)| ("", literal.as_str(), kind.as_str(), "", Is(shown))).collect();
    hold_next_to(&cases, &domains, "");
    hold_next_to(&cases, &domains, "bit");
}
