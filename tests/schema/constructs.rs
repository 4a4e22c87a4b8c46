//! The constructs that other tools translate in a wrong way: each has the same values on both engines, or is left out with a reason.

use super::Case;

/// Every pair of twenty texts, with numbers, times and documents next to them.
const ROWS: &str = "
CREATE TABLE words (t TEXT);
INSERT INTO words VALUES (NULL), (''), ('a'), ('A'), ('abc'), ('ABC'), ('é'), ('É'), ('a b'), (' a '), ('a%b'), ('a_b'), ('%'), ('a\\b'),
    ('5'), ('007'), ('Straße'), ('日本'), ('it''s'), ('Zz');
CREATE TABLE s (id INTEGER PRIMARY KEY, a TEXT, c TEXT, i INT, j INT, r REAL, b BOOLEAN, x BLOB, at DATETIME, day DATE, doc JSON);
INSERT INTO s (a, c) SELECT one.t, other.t FROM words AS one, words AS other;
UPDATE s SET i = CASE id % 7 WHEN 0 THEN NULL WHEN 1 THEN 9223372036854775807 WHEN 2 THEN -3 ELSE id % 9 END,
    j = CASE id % 5 WHEN 0 THEN 0 WHEN 1 THEN NULL WHEN 2 THEN -2 ELSE id % 11 END,
    r = CASE id % 6 WHEN 0 THEN NULL WHEN 1 THEN 0.5 WHEN 2 THEN -2.5 WHEN 3 THEN 9.3e18 ELSE id / 4.0 END,
    b = CASE id % 3 WHEN 0 THEN 0 WHEN 1 THEN 1 END, x = CASE id % 4 WHEN 0 THEN NULL WHEN 1 THEN x'' ELSE x'00ff' END,
    at = CASE id % 4 WHEN 0 THEN NULL WHEN 1 THEN '1969-12-31 23:59:59.500' ELSE '2024-02-29 12:34:56.789' END,
    day = CASE id % 4 WHEN 0 THEN NULL WHEN 1 THEN '0001-01-01' ELSE '2023-12-31' END,
    doc = CASE id % 4 WHEN 0 THEN NULL ELSE '{\"x\": 1}' END;";

/// Values that PostgreSQL has as well.
const EXACT: [&str; 66] = [
    "ifnull(a, c)",
    "iif(i > 1, a, c)",
    "iif(b, i, j)",
    "iif(i, a, c)",
    "a IS c",
    "a IS NOT c",
    "a == c",
    "a <> c",
    "a < c",
    "a ISNULL",
    "a NOTNULL",
    "a NOT NULL",
    "a IN ()",
    "a NOT IN (c, 'a', NULL)",
    "a || c",
    "a || i",
    "a LIKE 'a%'",
    "a LIKE c",
    "a NOT LIKE '%\\%'",
    "a LIKE 'a!%b' ESCAPE '!'",
    "a GLOB 'a*'",
    "a GLOB '?b*'",
    "a GLOB '[a-z]*'",
    "lower(a)",
    "upper(a)",
    "a = c COLLATE NOCASE",
    "a = c COLLATE RTRIM",
    "length(a)",
    "length(x)",
    "length(i)",
    "trim(a)",
    "ltrim(a, c)",
    "rtrim(a)",
    "instr(a, c)",
    "substr(a, 2, 3)",
    "substr(a, -2)",
    "replace(a, c, 'z')",
    "i / j",
    "i % j",
    "max(i, j)",
    "min(a, c)",
    "CAST(r AS INTEGER)",
    "round(r)",
    "round(r, -3)",
    "round(i, 2)",
    "abs(i)",
    "~ i",
    "i << 3",
    "i & j",
    "sign(i)",
    "i BETWEEN 0 AND j",
    "nullif(i, j)",
    "CASE i WHEN 1 THEN 'one' WHEN j THEN 'same' END",
    "hex(x)",
    "unicode(a)",
    "typeof(i) = 'integer'",
    "NOT i",
    "i IS TRUE",
    "b = 1",
    "b = 0",
    "json_valid(doc)",
    "strftime('%s', at)",
    "strftime('%Y-%m-%dT%H:%M:%fZ', at)",
    "julianday(at)",
    "strftime('%w %j', at)",
    "likely(_rowid_ > 1)",
];

/// Values that PostgreSQL does not have, with the reason.
const REFUSED: [(&str, &str); 17] = [
    ("a || r", "the text of a double has another form"),
    ("NOT a", "a text as a condition depends on its digits"),
    ("CAST(a AS INTEGER)", "reads digits as SQLite does"),
    ("round(r, 2)", "round to decimal places depends on digits of a double"),
    ("quote(a)", "the function quote is not translated"),
    ("char(i)", "the function char is not translated"),
    ("json_extract(doc, '$.x')", "the function json_extract is not translated"),
    ("doc ->> '$.x'", "->> is not translated"),
    ("date(day, '+1 month')", "the modifier +1 month is not translated"),
    ("date(at, 'localtime')", "the modifier localtime is not translated"),
    ("strftime('%W', at)", "a part of the format of strftime is not translated"),
    ("(i, j) = (1, 2)", "a row of values is not translated"),
    ("substr(a, i)", "no literal that both count alike"),
    ("printf('%d', i)", "the function printf is not translated"),
    ("random()", "the function random is not translated"),
    ("changes()", "the function changes is not translated"),
    ("last_insert_rowid()", "the function last_insert_rowid is not translated"),
];

fn fates(case: &Case, code: i32) -> Vec<serde_json::Value> {
    let ran = case.command(&["--prove", "--json"]).exits(code);
    ran.json()["objects"].as_array().expect("objects").clone()
}

#[test]
fn every_construct_is_equal_on_all_rows_or_left_out_with_its_reason() {
    let all = EXACT.iter().copied().chain(REFUSED.iter().map(|(sql, _)| *sql));
    let views = all.enumerate().map(|(n, sql)| format!("CREATE VIEW v{n} AS SELECT id, {sql} AS value FROM s;\n"));
    let total = "CREATE VIEW total AS SELECT c, total(i % 100) AS n FROM s GROUP BY c;";
    let case = Case::new(&format!("{ROWS}\n{}{total}", views.collect::<String>()));
    let objects = fates(&case, 6);
    let named = |name: &str| objects.iter().find(|object| object["name"] == name).expect("the view");
    for (n, sql) in EXACT.iter().enumerate() {
        let object = named(&format!("v{n}"));
        assert_eq!(object["proof"], serde_json::json!({ "equal-rows": 400 }), "{sql}: {object}");
    }
    assert_eq!(named("total")["proof"], serde_json::json!({ "equal-rows": 20 }));
    for (n, (sql, why)) in REFUSED.iter().enumerate() {
        let object = named(&format!("v{}", EXACT.len() + n));
        assert!(
            object["fate"] == "left-out" && object["why"].as_str().expect("a reason").contains(why),
            "{sql}: {object}"
        );
    }
}

/// Everything at once that makes the schema converters of other projects fail or change the meaning.
const TRAPS: &str = "
CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, active BOOLEAN NOT NULL DEFAULT 0,
    joined DATETIME DEFAULT (datetime('now')), token TEXT DEFAULT (lower(hex(randomblob(8)))), big INTEGER, raw BLOB DEFAULT x'00ff',
    word TEXT DEFAULT \"dq\", loud TEXT GENERATED ALWAYS AS (upper(name)) STORED, twice AS (big / 2) VIRTUAL);
CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, slug TEXT,
    deleted BOOLEAN DEFAULT 0);
CREATE UNIQUE INDEX live_slug ON posts (slug) WHERE deleted = 0;
CREATE INDEX by_slug ON posts (lower(slug) DESC);
CREATE TABLE pairs (a TEXT, b INT, PRIMARY KEY (a, b)) STRICT, WITHOUT ROWID;
CREATE TABLE loose (anything);
CREATE VIEW live AS SELECT p.slug, a.name FROM posts p JOIN authors a ON a.id = p.author WHERE NOT p.deleted;
CREATE TRIGGER on_post AFTER INSERT ON posts BEGIN UPDATE authors SET active = 1 WHERE id = NEW.author; END;
CREATE VIRTUAL TABLE words USING fts5(body);";

/// Rows of these tables.
const TRAPPED: &str = "
INSERT INTO authors (name, big, joined, token) VALUES ('Ann', 5000000000, '2024-01-02 03:04:05', 't1'), ('Élan', NULL, NULL, 't2');
INSERT INTO posts VALUES (1, 1, 'a', 0), (2, 1, 'a', 1), (3, NULL, NULL, NULL);
INSERT INTO pairs VALUES ('x', 1); INSERT INTO loose VALUES (1), (2); INSERT INTO words VALUES ('text');";

#[test]
fn the_traps_of_other_tools_keep_their_meaning() {
    if crate::support::postgres::version() < 130_000 {
        return;
    }
    let case = Case::new(&format!("{TRAPS}{TRAPPED}"));
    let args = ["--prove", "-o", "schema.sql", "--mapping", "migrate.toml"];
    case.command(&args).exits(6).says(&["Proved: ", "left out"]);
    let text = case.place.read("schema.sql");
    case.target.run(&text);
    let mapping = case.place.read("migrate.toml").replace("zone = { \"?\"", "zone = \"UTC\" # { \"?\"");
    case.place.write("migrate.toml", mapping);
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0).says(&["Done and verified"]);
    let author = "SELECT concat_ws('|', id, name, active, big, loud, twice) FROM authors WHERE id = 1";
    assert_eq!(case.target.value(author), "1|Ann|t|5000000000|ANN|2500000000");
    // The application's habits: the default id, the defaults, a reference that is checked at the end, deletions that follow.
    let new = "INSERT INTO authors (name) VALUES ('Bo') RETURNING concat_ws('|', id, active, joined > now() AT TIME ZONE 'UTC' - interval '1 minute', \
               length(token), raw, word, loud)";
    assert_eq!(case.target.value(new), "3|f|t|16|\\x00ff|dq|BO");
    for (sql, is_accepted) in [
        ("INSERT INTO authors (name) VALUES ('ANN')", false),
        ("INSERT INTO authors (name) VALUES ('élan')", true),
        ("INSERT INTO posts (id, slug, deleted) VALUES (10, 'a', true)", true),
        ("INSERT INTO posts (id, slug, deleted) VALUES (11, 'a', false)", false),
        (
            "BEGIN; INSERT INTO posts (id, author) VALUES (12, 77); INSERT INTO authors (id, name) VALUES (77, 'later'); COMMIT",
            true,
        ),
        ("INSERT INTO posts (id, author) VALUES (13, 78)", false),
    ] {
        assert_eq!(case.target.client().batch_execute(sql).is_ok(), is_accepted, "{sql}");
    }
    case.target.run("DELETE FROM authors WHERE id = 1");
    assert_eq!(case.target.value("SELECT count(*) FROM posts WHERE author = 1"), "0");
}

#[test]
fn tables_without_rows_have_the_same_constraints_and_are_proved() {
    if crate::support::postgres::version() < 130_000 {
        return;
    }
    let (empty, full) = (Case::new(TRAPS), Case::new(&format!("{TRAPS}{TRAPPED}")));
    empty.command(&["--prove"]).exits(6).says(&["Proved: 0 rows arrived"]);
    let made = [&empty, &full].map(|case| {
        case.made(6);
        (case.constraints(), case.indexes())
    });
    assert_eq!(made[0], made[1]);
}
