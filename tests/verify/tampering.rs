//! Random changes of a verified target, over all types and shapes: each ends with exit 5, or its column is listed as not
//! compared. None is ever called Same.
//!
//! `MIGRATE_TAMPERS` and `MIGRATE_SEED` choose the number of changes and their seed, which is printed.

use serde_json::Value;

use super::pair::Random;
use crate::support::case::Case;

/// A type, a value, and values that are equal to it or print nearly like it.
const TYPES: [(&str, &str, &[&str]); 52] = [
    ("smallint", "7", &["8"]),
    ("int", "7", &["-7"]),
    ("bigint", "9223372036854775807", &["9223372036854775806"]),
    ("real", "0.5", &["0.50000006"]),
    ("real", "0", &["-0"]),
    ("double precision", "0", &["-0", "NaN", "5e-324"]),
    ("double precision", "0.30000000000000004", &["0.3"]),
    ("numeric", "1.50", &["1.5", "1.500", "NaN"]),
    ("numeric", "0", &["0.0"]),
    ("numeric(10,2)", "-0.05", &["-0.06"]),
    ("boolean", "true", &["false"]),
    ("text", "é", &["e\u{301}", "é ", "É"]),
    ("text", "", &[" "]),
    ("varchar(9)", "a", &["a ", "A"]),
    ("char(5)", "ab", &["abc", ""]),
    ("citext", "Ab", &["AB"]),
    ("date", "2024-02-29", &["infinity", "2024-02-28"]),
    ("time", "24:00:00", &["00:00:00", "23:59:59.999999"]),
    ("timestamp", "2024-02-29 10:00:00", &["2024-02-29 10:00:00.000001"]),
    ("timestamptz", "2024-02-29 10:00:00+00", &["2024-02-29 10:00:00+01"]),
    ("interval", "1 day", &["24:00:00"]),
    ("interval", "1 mon", &["30 days"]),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"]),
    ("json", "{ \"a\" : 1, \"b\": 2 }", &["{\"a\" : 1, \"b\": 2 }", "{ \"b\" : 2, \"a\": 1 }"]),
    ("jsonb", "{\"a\": 1.10}", &["{\"a\": 1.1}", "{\"a\": \"1.10\"}"]),
    ("inet", "10.0.0.1/24", &["10.0.0.1/25", "10.0.0.1"]),
    ("mood", "sad", &["ok"]),
    ("bytea", "\\x00ff", &["\\x00", "\\x00fe"]),
    ("text[]", "{a,NULL}", &["[0:1]={a,NULL}", "{a,\"NULL\"}", "{{a,NULL}}"]),
    ("int[]", "{}", &["{NULL}"]),
    ("mood[]", "{sad}", &["{ok}", "{sad,sad}"]),
    ("money", "1.20", &["1.21", "-1.20"]),
    ("cidr", "10.0.0.0/8", &["10.0.0.0/9"]),
    ("macaddr", "08:00:2b:01:02:03", &["08:00:2b:01:02:04"]),
    ("bit(4)", "1010", &["1011"]),
    ("varbit", "101", &["1010", "0101"]),
    ("timetz", "10:00:00+01", &["09:00:00+00"]),
    ("point", "(1,2)", &["(2,1)", "(1,-2)"]),
    ("lseg", "[(1,2),(3,4)]", &["[(3,4),(1,2)]"]),
    ("box", "(3,4),(1,2)", &["(3,5),(1,2)"]),
    ("path", "((1,2),(3,4))", &["[(1,2),(3,4)]"]),
    ("polygon", "((1,2),(3,4),(5,6))", &["((3,4),(5,6),(1,2))"]),
    ("circle", "<(1,2),3>", &["<(1,2),4>"]),
    ("numrange", "(1.5,2.50]", &["(1.5,2.5]"]),
    ("daterange", "[2024-01-01,)", &["(,)", "empty"]),
    ("tstzrange", "(,2024-01-01 10:00:00+00]", &["(,2024-01-01 10:00:00+00)"]),
    ("tsvector", "'a':1A 'fat':2", &["'a':1 'fat':2"]),
    ("tsquery", "'a' & 'b'", &["'b' & 'a'"]),
    ("xml", "<a/>", &["<a></a>", "<a />"]),
    ("jsonpath", "$.\"a\"[*]", &["lax $.\"a\"[0]"]),
    ("hstore", "\"a\"=>NULL", &["\"a\"=>\"NULL\"", ""]),
    ("pg_lsn", "16/B374D848", &["16/B374D849"]),
];

/// Statements of the application on the table before the change, so that all ways of comparing take part.
const ALTERED: [&str; 5] = [
    "SELECT 1",
    "ALTER TABLE {t} ADD COLUMN later int",
    "ALTER TABLE {t} ALTER id TYPE bigint",
    "ALTER TABLE {t} ALTER c11 TYPE varchar(40), ALTER c9 TYPE numeric(12,3)",
    "INSERT INTO {t} (id, k) VALUES (900, 900)",
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table with a key, one without, and one of two loads, each with every type; three rows each.
fn case() -> Case {
    let names: Vec<String> = (0..TYPES.len()).map(|n| format!("c{n}")).collect();
    let values: Vec<String> = TYPES.iter().map(|of| quoted(of.1)).collect();
    let typed: Vec<String> = TYPES.iter().zip(&names).map(|(of, name)| format!("{name} {}", of.0)).collect();
    let (names, values, typed) = (names.join(", "), values.join(", "), typed.join(", "));
    let mut source = String::new();
    for (table, ids) in [("keyed", "(1), (2), (3)"), ("bare", "(1), (2), (3)"), ("one", "(1), (3)"), ("two", "(2)")] {
        source += &format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, k INTEGER, {names});
             INSERT INTO {table} SELECT column1, column1 * 10, {values} FROM (VALUES {ids});"
        );
    }
    let mut target =
        "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'ok');".to_owned();
    for (table, key) in [("keyed", "PRIMARY KEY"), ("bare", ""), ("merged", "PRIMARY KEY")] {
        target += &format!("CREATE TABLE {table} (id int {key}, k int, {typed}, unsent text, drawn int DEFAULT 7);");
    }
    let omitted = "c1 = { omit = true }\nc31 = { omit = true }\n";
    let leave = "[leave]\none.c1 = \"left\"\none.c31 = \"left\"\n";
    let mapping = format!(
        "zone = \"UTC\"\n[load.keyed]\n[load.bare]\n[load.one]\nto = \"merged\"\n[load.one.columns]\n{omitted}[load.two]\nto = \"merged\"\n{leave}"
    );
    Case::new(&source, &target, &mapping)
}

/// One random change of a table: the statements, and the column that it changes if it is one.
fn change(random: &mut Random, table: &str) -> (String, Option<String>) {
    let id = 1 + random.below(3);
    let other = 1 + id % 3;
    let n = random.below(TYPES.len() as u64) as usize;
    let column = format!("c{n}");
    let in_column = |sql: String| (sql, Some(column.clone()));
    // In two rows of the table of two loads, these columns are NULL already.
    let is_null = table == "merged" && [1, 31].contains(&n);
    match random.below(10) {
        0 if !is_null => in_column(format!("UPDATE {table} SET {column} = NULL WHERE id = {id}")),
        1 => (format!("DELETE FROM {table} WHERE id = {id}"), None),
        2 => (
            format!(
                "UPDATE {table} SET id = 100 WHERE id = {id}; UPDATE {table} SET id = {id} WHERE id = {other};
                 UPDATE {table} SET id = {other} WHERE id = 100"
            ),
            None,
        ),
        3 => (format!("UPDATE {table} SET k = {} WHERE id = {id}", 10 * other), None),
        4 if random.below(2) == 0 => {
            (format!("UPDATE {table} SET unsent = 'x' WHERE id = {id}"), Some("unsent".to_owned()))
        }
        4 => (format!("UPDATE {table} SET drawn = 8 WHERE id = {id}"), Some("drawn".to_owned())),
        _ => in_column(format!("UPDATE {table} SET {column} = {} WHERE id = {id}", quoted(random.one(TYPES[n].2)))),
    }
}

/// Returns true if the report lists the column as not compared.
fn is_listed(report: &Value, column: &str) -> bool {
    let checks = report["checks"].as_array().expect("checks").iter().filter(|c| c["verdict"] == "NotChecked");
    let whys = checks.filter_map(|check| check["why"].as_str());
    whys.flat_map(|why| why.split([' ', ',', ':', ';'])).any(|word| word == column)
}

#[test]
fn no_random_change_of_any_type_is_called_the_same() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("MIGRATE_SEED", clock.as_nanos() as u64 % 1_000_000_007);
    eprintln!("MIGRATE_SEED={seed}");
    let mut random = Random::new(seed);
    let case = case();
    case.done();
    let (mut found, mut listed) = (0, 0);
    for n in 0..number("MIGRATE_TAMPERS", 24) {
        let table = random.one(&["keyed", "bare", "merged"]);
        let altered = random.one(&ALTERED).replace("{t}", table);
        let (sql, column) = change(&mut random, table);
        let target = case.target.copy();
        target.run(&altered);
        let verify = || case.place.migrate(["verify", "--json", "-t", &target.url()]).ran();
        let before = verify();
        assert_eq!(before.code, 0, "seed {seed}, {n}: {altered}: {}{}", before.stdout, before.stderr);
        target.run(&format!("SET session_replication_role = replica; {sql}"));
        let after = verify();
        let is_listed = column.as_ref().is_some_and(|column| is_listed(&after.json(), column));
        assert!(
            after.code == 5 || after.code == 0 && is_listed,
            "seed {seed}, {n}: {altered}; {sql}: {}",
            after.stdout
        );
        (found, listed) = (found + u32::from(after.code == 5), listed + u32::from(after.code == 0));
    }
    eprintln!("{found} changes were found, {listed} listed as not compared");
}
