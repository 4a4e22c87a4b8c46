//! Sources in UTF-16: SQLite orders their texts by other bytes than PostgreSQL, so that nothing may depend on this order.

use super::Case;

/// The reason why an expression is left out.
const WHY: &str =
    "SQLite orders the texts of this UTF-16 database by the bytes of UTF-16, and PostgreSQL by those of UTF-8";

/// Texts that are in another order in UTF-16LE, UTF-16BE and UTF-8. `x'ffff'` is U+FFFF in both forms of UTF-16.
const ROWS: &str = "
INSERT INTO t (id, a, b, n) VALUES (1, 'A', char(0x100), 'A'), (2, char(0x100), 'A', 'a'), (3, WIDE, char(0x10000), 'É'),
    (4, char(0x10000), WIDE, 'é'), (5, 'a', 'A', 'B'), (6, NULL, 'A', NULL), (7, '', 'A ', 'b'), (8, 'A', 'A', 'z');";

/// Expressions that depend on the order of texts.
const ORDERED: [&str; 9] = [
    "a < b",
    "a >= 'A'",
    "a BETWEEN 'A' AND b",
    "max(a, b)",
    "min(a, 'x') = b",
    "CASE WHEN a > b THEN 1 ELSE 0 END",
    "a || 'x' <= b",
    "NOT (a < b) OR id > 3",
    "iif(a > b, a, b)",
];

/// Expressions that do not. NOCASE and RTRIM compare in UTF-8 in every database.
const UNORDERED: [&str; 9] = [
    "a = b",
    "a IS b",
    "a IN (b, 'A')",
    "a <> 'A' COLLATE NOCASE",
    "n < 'B'",
    "a > b COLLATE NOCASE",
    "a < b COLLATE RTRIM",
    "length(a) + instr(a, b)",
    "nullif(a, b) LIKE 'a%'",
];

/// Views that depend on the order of texts.
const ORDERED_VIEWS: [&str; 6] = [
    "SELECT a FROM t ORDER BY a, id LIMIT 3",
    "SELECT max(a) AS most, min(b) FROM t",
    "SELECT id FROM t WHERE a < b",
    "SELECT x.id FROM t x JOIN t y ON x.a < y.a",
    "SELECT id, rank() OVER (ORDER BY a) AS n FROM t",
    "SELECT group_concat(a, ',' ORDER BY a, id) AS all_of_them FROM t",
];

/// Views that do not.
const UNORDERED_VIEWS: [&str; 7] = [
    "SELECT a, count(*) AS n FROM t GROUP BY a",
    "SELECT DISTINCT b FROM t",
    "SELECT a FROM t UNION SELECT b FROM t",
    "SELECT id, n FROM t ORDER BY n, id LIMIT 3",
    "SELECT x.id, y.id AS other FROM t x JOIN t y ON x.a = y.b",
    "SELECT id FROM t WHERE a IN (SELECT b FROM t)",
    "SELECT count(DISTINCT a) AS n FROM t",
];

fn source(encoding: &str) -> String {
    let mut text = format!(
        "PRAGMA encoding = '{encoding}';
         CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, n TEXT COLLATE NOCASE, made AS (a < b) STORED,
                         word TEXT DEFAULT ('a' || 'b'), less INT DEFAULT (iif('a' < 'b', 1, 0)), CONSTRAINT ordered CHECK (a < b OR 1),
                         CONSTRAINT equal CHECK (a = b OR id > 0));
         CREATE INDEX partial_one ON t (id) WHERE a > 'A'; CREATE INDEX by_most ON t (max(a, b)); CREATE INDEX by_equal ON t (id) WHERE a <> b;
         CREATE VIEW sorted AS SELECT id, a FROM t ORDER BY a;"
    );
    for (n, sql) in ORDERED.iter().chain(&UNORDERED).enumerate() {
        text.push_str(&format!("CREATE VIEW v{n} AS SELECT id, {sql} AS value FROM t;\n"));
    }
    for (n, sql) in ORDERED_VIEWS.iter().chain(&UNORDERED_VIEWS).enumerate() {
        text.push_str(&format!("CREATE VIEW w{n} AS {sql};\n"));
    }
    let wide = if encoding == "UTF-8" { "char(0xffff)" } else { "CAST(x'ffff' AS TEXT)" };
    text + &ROWS.replace("WIDE", wide)
}

#[test]
fn what_depends_on_the_order_of_texts_is_left_out_in_utf16() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let case = Case::new(&source(encoding));
        let json = case.command(&["--prove", "--json"]).exits(6).json();
        let objects = json["objects"].as_array().expect("objects");
        let named = |name: &str| {
            let found = objects.iter().find(|object| object["name"] == name);
            found.unwrap_or_else(|| panic!("{encoding}: no {name}"))
        };
        let is_left_out = |name: &str, what: &str| {
            let object = named(name);
            let why = object["why"].as_str().expect("a reason");
            assert!(object["fate"] == "left-out" && why.contains(WHY), "{encoding}: {what}: {object}");
        };
        let is_equal = |name: &str, what: &str| {
            let object = named(name);
            assert!(
                object["fate"] != "left-out" && object["proof"]["equal-rows"].is_u64(),
                "{encoding}: {what}: {object}"
            );
        };
        for (n, sql) in ORDERED.iter().enumerate() {
            is_left_out(&format!("v{n}"), sql);
        }
        for (n, sql) in UNORDERED.iter().enumerate() {
            is_equal(&format!("v{}", ORDERED.len() + n), sql);
        }
        for (n, sql) in ORDERED_VIEWS.iter().enumerate() {
            is_left_out(&format!("w{n}"), sql);
        }
        for (n, sql) in UNORDERED_VIEWS.iter().enumerate() {
            is_equal(&format!("w{}", ORDERED_VIEWS.len() + n), sql);
        }
        for name in ["made", "ordered", "partial_one", "by_most", "less DEFAULT iif('a' < 'b', 1, 0)"] {
            is_left_out(name, name);
        }
        for name in ["equal", "by_equal", "sorted"] {
            is_equal(name, name);
        }
        assert_eq!(named("sorted")["why"], "its rows are in the order of the values of PostgreSQL");
        case.made(6);
    }
}

#[test]
fn the_orders_of_utf16_and_postgresql_differ_and_those_of_utf8_do_not() {
    for (encoding, differs) in [("UTF-8", false), ("UTF-16le", true), ("UTF-16be", true)] {
        let case = Case::new(&source(encoding));
        let sqlite = rusqlite::Connection::open(case.place.path("app.db")).expect("a file");
        let sql = "SELECT a, b, a < b FROM t WHERE id BETWEEN 1 AND 4 ORDER BY id";
        let mut statement = sqlite.prepare(sql).expect("a query");
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
        let rows: Vec<(String, String, bool)> =
            statement.query_map([], row).expect("rows").collect::<Result<_, _>>().expect("rows");
        let mut client = case.target.client();
        let mut is_less = |one: &str, other: &str| -> bool {
            client.query_one("SELECT $1::text COLLATE \"C\" < $2", &[&one, &other]).expect("an answer").get(0)
        };
        let wrong = rows.iter().filter(|(one, other, own)| is_less(one, other) != *own).count();
        assert_eq!(wrong > 0, differs, "{encoding}: {rows:?}");
        if !differs {
            case.command(&["--prove"]).exits(0).says(&["Proved: 8 rows arrived"]);
        }
    }
}
