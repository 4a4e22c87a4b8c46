//! Types that only the server reads, from their text: it gets no text that it would round, cut or guess at.

use super::{Bad, Is, Sample, hold};
use crate::support::case::Case;

#[test]
fn a_text_that_the_server_would_alter_is_a_fault() {
    const CASES: &[Sample] = &[
        ("", "'12.345'", "money", "", Bad("excess-scale")),
        ("", "'12.345'", "money", "round = true", Is("$12.35")),
        ("", "'-1234.5'", "money", "", Is("-$1,234.50")),
        ("", "'1,234.50'", "money", "", Bad("not-a-number")),
        ("", "'92233720368547758.08'", "money", "", Bad("out-of-range")),
        ("TEXT", "'[1.25, null]'", "money[]", "", Is("{$1.25,NULL}")),
        ("", "'12:00:00.7+00'", "timetz(0)", "", Bad("excess-precision")),
        ("", "'12:00:00.7-05:30'", "timetz(1)", "", Is("12:00:00.7-05:30")),
        ("", "'12:00'", "timetz", "", Is("12:00:00+00")),
        ("", "'12:00'", "timetz", r#"zone = "Europe/Berlin""#, Bad("no-zone")),
        ("", "'12:00:60+00'", "timetz", "", Bad("leap-second")),
        ("", "'1 year 2 months 13 days'", "interval year to month", "", Bad("interval-fields")),
        ("", "'1 year 2 months'", "interval year to month", "", Is("1 year 2 mons")),
        ("", "'1 year 2 months'", "interval year", "", Bad("interval-fields")),
        ("", "'10:30.75'", "interval minute to second(0)", "", Bad("not-an-interval")),
        ("", "'0:10:30.75'", "interval minute to second(0)", "", Bad("excess-precision")),
        ("", "'0:10:30.75'", "interval minute to second(2)", "", Is("00:10:30.75")),
        ("", "'1:30:00'", "interval hour", "", Bad("interval-fields")),
        ("", "'1 day 2:00:00'", "interval day to hour", "", Is("1 day 02:00:00")),
        ("", "'a=>1,a=>2'", "hstore", "", Bad("repeated-key")),
        ("", r#"'"a"=>"1", b => NULL ,"\a" =>2'"#, "hstore", "", Bad("repeated-key")),
        ("", r#"'a=>"b=>1,c", "b" => "\"a"'"#, "hstore", "", Is(r#""a"=>"b=>1,c", "b"=>"\"a""#)),
        ("", "'a=>1,A=>2,'", "hstore", "", Is(r#""A"=>"2", "a"=>"1""#)),
        ("", "'a'", "hstore", "", Bad("not-an-hstore")),
        ("", "'a=>'", "hstore", "", Bad("not-an-hstore")),
        ("", "'a=>1 b=>2'", "hstore", "", Bad("not-an-hstore")),
        ("", r#"'"a=>1'"#, "hstore", "", Bad("not-an-hstore")),
        ("", "' '", "hstore", "", Is("")),
        ("", "''", "hstore", "", Is("")),
        ("", r"'a fat:16383 ''it''''s'':1A,2b c\:d:3*'", "tsvector", "", Is("'a' 'c:d':3A 'fat':16383 'it''s':1A,2B")),
        ("", "'a:16384'", "tsvector", "", Bad("out-of-range")),
        ("", "'a:1A b:1 a:1B'", "tsvector", "", Bad("repeated-key")),
        ("", "'a:1,1 a:1D'", "tsvector", "", Is("'a':1")),
        ("", "'a:0'", "tsvector", "", Bad("not-a-tsvector")),
        ("", "'a & & b'", "tsquery", "", Bad("server-refused")),
        ("", "'a & b'", "tsquery", "", Is("'a' & 'b'")),
        ("", "'$.a['", "jsonpath", "", Bad("server-refused")),
        ("", "'a:'", "tsvector", "", Bad("not-a-tsvector")),
        ("", "'a:1E'", "tsvector", "", Bad("not-a-tsvector")),
        ("", "'''a'", "tsvector", "", Bad("not-a-tsvector")),
        ("", "''", "tsvector", "", Is("")),
        ("TEXT", r#"'["a:1", "b:20000"]'"#, "tsvector[]", "", Bad("out-of-range")),
        ("TEXT", r#"'["a=>1,a=>2"]'"#, "hstore[]", "", Bad("repeated-key")),
        ("", "'(0.12345678901234567890,1)'", "point", "", Bad("excess-scale")),
        ("", "'(one,1)'", "point", "", Bad("not-a-number")),
        ("", "'[2024-01-01,2024-02-01)'", "daterange", "", Is("[2024-01-01,2024-02-01)")),
        ("", "'[01/02/2024,)'", "daterange", "", Bad("not-a-date")),
        ("", "'[today,)'", "daterange", "", Bad("special-time")),
        ("", "'[2024-01-01 10:00,2024-01-01 11:00:00.1234567]'", "tsrange", "", Bad("excess-precision")),
        ("", "'(,\"2024-01-01 10:00\"]'", "tstzrange", "", Is("(,\"2024-01-01 10:00:00+00\"]")),
        ("", "' empty '", "numrange", "", Is("empty")),
        ("", "'[1.50,2'", "numrange", "", Bad("not-a-range")),
        ("", "'[1.50,2,3)'", "numrange", "", Bad("not-a-range")),
        ("", "'[1.50,lots)'", "numrange", "", Bad("not-a-number")),
        ("TEXT", r#"'["[1,2)",null]'"#, "int4range[]", "", Is(r#"{"[1,2)",NULL}"#)),
    ];
    hold(CASES);
}

#[test]
fn a_type_that_the_server_alters_silently_is_refused_in_preflight() {
    let target = "CREATE TYPE pair AS (a numeric(5,2), b varchar(3)); CREATE DOMAIN called AS name;
        CREATE TABLE t (id int PRIMARY KEY, n name, c \"char\", p pair, d called, many pair[], o oid, k name DEFAULT 'kept')";
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n, c, p, d, many, o);
        INSERT INTO t VALUES (1, 'abc', 'yes', '(1.005,abc)', 'x', '{}', -1)";
    let case = Case::new(source, target, "[load.t]\n");
    for how in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[how]);
        let refused = report["refusals"].as_array().expect("refusals");
        let places: Vec<&str> = refused.iter().map(|r| r["place"].as_str().expect("a place")).collect();
        let wanted = ["n", "c", "p", "d", "many", "o"].map(|column| format!("load.t.columns.{column} (line 5)"));
        assert_eq!(places, wanted, "{report}");
    }
}

#[test]
fn the_plan_shows_which_loads_are_sent_as_text() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, b bit(8)); CREATE TABLE u (id int PRIMARY KEY, b bytea)";
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, b); CREATE TABLE u (id INTEGER PRIMARY KEY, b)";
    let case = Case::new(source, target, "[load.t]\n[load.u]\n");
    let plan = case.place.migrate(["plan", "-t", &case.target.url()]).exits(0).stdout;
    let lines: Vec<&str> = plan.lines().collect();
    let said = lines.iter().position(|line| line.contains("sent as text")).expect("what the plan says of t");
    let load = lines[..said].iter().rev().find(|line| line.contains("public.")).expect("the load that it says it of");
    assert!(load.contains("public.t"), "{plan}");
    assert_eq!(plan.matches("sent as text").count(), 1, "{plan}");
}
