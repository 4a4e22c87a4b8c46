//! Views: the rows of each translated view are those of SQLite, and the others are listed with the reason.

use migrate::pg::connect::{Environment, Patience, ReadOnly, resolve};
use migrate::pg::proof::{ProvedExpression, ProvedView};
use migrate::pg::{Session, SessionRequest};
use rusqlite::types::Value;

use super::Case;
use crate::support::sqlite;

/// Rows with NULLs, equal values, capitals, accents, and numbers at the bounds.
const DATA: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, nick TEXT COLLATE NOCASE, team_id INTEGER REFERENCES teams, pay INTEGER,
    ratio REAL, price NUMERIC(10,2), active BOOLEAN, born DATETIME, doc JSON, note TEXT);
CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, lead INTEGER);
CREATE TABLE scores (person INTEGER NOT NULL, game TEXT NOT NULL, points INTEGER, PRIMARY KEY (person, game)) WITHOUT ROWID;
CREATE TABLE blank (id INTEGER PRIMARY KEY, word TEXT);
CREATE TABLE log (line TEXT);
INSERT INTO teams VALUES (1, 'red', 2), (2, 'Blue', NULL), (3, 'blue', 9), (4, 'empty', 1);
INSERT INTO people VALUES
    (1, 'ann', 'A', 1, 10, 0.5, 9.75, 1, '2024-01-02 03:04:05', '{\"a\": 1}', 'x'),
    (2, 'Ann', 'a', 1, NULL, NULL, 1, 0, NULL, NULL, NULL),
    (3, 'Élan', 'É', 2, -7, 2.5, NULL, NULL, '2023-05-06 07:08:09', '[]', ''),
    (4, NULL, NULL, NULL, 10, -1.5, 0, 1, NULL, NULL, 'x'),
    (5, 'élan', 'é', 3, 3, 0.5, 9.75, 0, '2024-01-02 03:04:05', NULL, 'y'),
    (6, 'zed', 'Zed', 3, 0, 0.0, 0.1, 1, NULL, 'null', 'y');
INSERT INTO scores VALUES (1, 'go', 3), (1, 'chess', NULL), (2, 'go', 9), (3, 'Go', 9), (9, 'go', 1);";

/// Views, each of which is exact.
const EXACT: [&str; 58] = [
    "SELECT * FROM people",
    "SELECT p.*, t.name FROM people p LEFT JOIN teams t ON t.id = p.team_id",
    "SELECT name AS label, pay * 2 + 1 AS double_pay, pay > 3 AS is_rich, 'x' AS one, NULL AS none, 1 AS number FROM people",
    "SELECT id, rowid AS again, upper(name) AS loud, nick FROM people WHERE active",
    "SELECT id FROM people WHERE name LIKE 'a%' OR nick = 'zED' OR pay IS NULL",
    "SELECT id, name FROM people ORDER BY name DESC, id",
    "SELECT name, id FROM people ORDER BY 1, 2 DESC LIMIT 3",
    "SELECT id, pay FROM people ORDER BY pay NULLS LAST, id LIMIT 2 OFFSET 1",
    "SELECT id, nick FROM people ORDER BY nick, id LIMIT 1, 3",
    "SELECT id, born FROM people ORDER BY born DESC",
    "SELECT DISTINCT name, pay FROM people ORDER BY pay DESC, name",
    "SELECT DISTINCT active, ratio, price FROM people",
    "SELECT team_id, count(*) AS n, count(pay), sum(pay), min(pay), max(pay), avg(pay), total(pay) FROM people GROUP BY team_id",
    "SELECT count(*), sum(pay), min(name), max(name), max(ratio), min(price), max(active) FROM people WHERE id > 100",
    "SELECT count(DISTINCT pay) AS n, count(*) FILTER (WHERE active) AS m, sum(DISTINCT pay) FROM people",
    "SELECT t.id, t.name, count(p.id) AS n FROM teams t LEFT JOIN people p ON p.team_id = t.id GROUP BY t.id ORDER BY n DESC, t.id",
    "SELECT substr(name, 1, 1) AS first, count(*) FROM people GROUP BY first HAVING count(*) > 1 OR first IS NULL",
    "SELECT lower(name) AS low, max(pay) FROM people GROUP BY 1 ORDER BY low",
    "SELECT CASE WHEN pay > 3 THEN 'much' ELSE 'little' END AS amount, count(*) AS n FROM people GROUP BY amount",
    "SELECT p.name, t.name AS team FROM people p, teams t WHERE p.team_id = t.id",
    "SELECT p.id, t.id FROM people p CROSS JOIN teams t",
    "SELECT p.id, s.game, points FROM people AS p JOIN scores s ON s.person = p.id AND s.points > 1 LEFT JOIN teams ON teams.id = team_id",
    "SELECT id, name, word FROM blank NATURAL JOIN people",
    "SELECT * FROM people JOIN teams USING (id)",
    "SELECT s.game, teams.name FROM (scores s JOIN people p ON p.id = s.person) JOIN teams ON teams.id = p.team_id",
    "SELECT teams.name, p.name FROM people p RIGHT JOIN teams ON teams.id = p.team_id",
    "SELECT name FROM people UNION SELECT name FROM teams ORDER BY name",
    "SELECT id, name FROM people UNION ALL SELECT lead, NULL FROM teams",
    "SELECT pay FROM people EXCEPT SELECT points FROM scores UNION SELECT 77 INTERSECT SELECT 77",
    "SELECT active FROM people UNION ALL SELECT 7",
    "SELECT id FROM people WHERE team_id IN (SELECT id FROM teams WHERE lead IS NOT NULL)",
    "SELECT id FROM teams t WHERE NOT EXISTS (SELECT 1 FROM people WHERE team_id = t.id ORDER BY pay LIMIT 1)",
    "SELECT name, (SELECT count(*) FROM people WHERE team_id = t.id) AS n, (SELECT max(pay) FROM people p WHERE p.team_id = t.id) FROM teams t",
    "SELECT t.id, (SELECT p.name FROM people p WHERE p.team_id = t.id ORDER BY p.pay DESC, p.id LIMIT 1) AS best FROM teams t",
    "SELECT low, n * 2 AS m FROM (SELECT lower(name) AS low, count(*) AS n FROM people GROUP BY lower(name)) WHERE n > 0 ORDER BY low",
    "WITH rich AS (SELECT id, pay FROM people WHERE pay > 2), poor(who) AS (SELECT id FROM people EXCEPT SELECT id FROM rich) \
     SELECT rich.id AS a, poor.who AS b FROM rich JOIN poor ON poor.who < rich.id",
    "WITH low AS MATERIALIZED (SELECT lower(name) AS word FROM people) SELECT a.word FROM low a JOIN low b ON a.word = b.word",
    "SELECT 1 AS a, 'text' AS b, x'00ff' AS c, 1.5 AS d",
    "SELECT \"name\", [pay], `id` FROM \"people\" WHERE \"note\" = 'x'",
    "SELECT id, name FROM main.people WHERE name COLLATE NOCASE = 'ANN' ORDER BY id",
    "SELECT game, sum(points) * 2 AS n FROM scores GROUP BY game HAVING sum(points) > 1 ORDER BY sum(points), game",
    "SELECT n FROM v12 WHERE n > 1",
    "SELECT id, born FROM people WHERE born >= '2024-01-01' ORDER BY born, id LIMIT 4",
    "SELECT date(born) AS day, count(*) AS n, max(born), round(avg(pay)) FROM people GROUP BY date(born) ORDER BY day",
    "SELECT CAST(strftime('%Y', born) AS INTEGER) AS year, julianday(born) AS day FROM people ORDER BY year, born, 2",
    "VALUES (1, 'a', NULL), (2, NULL, 1.5), (3, 'É', 0.0)",
    "SELECT column1 AS n, column2 AS label FROM (VALUES (2, 'two'), (1, 'one')) ORDER BY n",
    "SELECT id FROM people WHERE pay IN (VALUES (10), (3)) UNION ALL VALUES (77), (78)",
    "WITH steps(n, label) AS (VALUES (1, 'a'), (2, 'b')) SELECT p.id, label FROM people p JOIN steps ON n = p.team_id",
    "SELECT id, row_number() OVER (ORDER BY pay DESC, id) AS place FROM people ORDER BY place",
    "SELECT id, row_number() OVER (PARTITION BY team_id ORDER BY id DESC) AS n FROM people",
    "SELECT id, rank() OVER (ORDER BY pay) AS r, dense_rank() OVER (PARTITION BY active ORDER BY name NULLS LAST) AS d FROM people",
    "SELECT id, sum(pay) OVER (PARTITION BY team_id ORDER BY id) AS upto, count(*) OVER () AS n, max(name) OVER (ORDER BY born) AS m FROM people",
    "SELECT team_id, rank() OVER (ORDER BY count(*) DESC) AS r, sum(sum(pay)) OVER () AS everything FROM people GROUP BY team_id",
    "SELECT id, avg(pay) OVER (ORDER BY nick) AS a, total(pay) OVER (PARTITION BY born) AS t FROM people",
    "SELECT team_id, group_concat(name, '; ' ORDER BY pay DESC, id) AS names FROM people GROUP BY team_id",
    "SELECT group_concat(name ORDER BY name) AS names, string_agg(pay, '' ORDER BY id) FILTER (WHERE active) AS digits FROM people",
    "SELECT round(pay, 2) AS a, round(ratio, -1) AS b FROM people",
];

/// A source with the views `v0`, `v1`, ...
fn with_views(views: &[&str]) -> String {
    let named = views.iter().enumerate().map(|(n, view)| format!("CREATE VIEW v{n} AS {view};\n"));
    format!("{DATA}\n{}", named.collect::<String>())
}

/// The proved tables of a source, filled by a cutover.
fn filled(source: &str) -> Case {
    let case = Case::new(source);
    let ran = case.command(&["--prove", "-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    case.target.run(&case.place.read("schema.sql"));
    let mapping = case.place.read("migrate.toml").replace("zone = { \"?\"", "zone = \"UTC\" # { \"?\"");
    case.place.write("migrate.toml", mapping);
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    case
}

/// A value as PostgreSQL prints it.
fn printed(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(value) => Some(value.to_string()),
        Value::Real(value) => Some(value.to_string()),
        Value::Text(text) => Some(text),
        Value::Blob(bytes) => {
            Some(format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
    }
}

/// The rows of a query of SQLite.
pub fn rows_of_sqlite(case: &Case, file: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let sqlite = sqlite::open(&case.place.path(file));
    let mut statement = sqlite.prepare(sql).expect("a query");
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|n| row.get::<_, Value>(n).map(printed)).collect();
    let rows = statement.query_map([], row).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn a_translated_view_has_the_rows_and_the_order_of_sqlite() {
    let source = with_views(&EXACT);
    let case = filled(&source);
    let text = case.place.read("schema.sql");
    assert_eq!(text.matches("\nCREATE VIEW ").count(), EXACT.len(), "{text}");
    let mut ordered = 0;
    for (n, view) in EXACT.iter().enumerate() {
        let sqlite = rows_of_sqlite(&case, "app.db", &format!("SELECT count(*) FROM v{n}"));
        let postgresql = case.target.rows(&format!("SELECT count(*) FROM v{n}"));
        assert_eq!(sqlite, postgresql, "{view}");
        // An order within brackets is that of a window or of an aggregate.
        let is_ordered = view.rsplit(')').next().is_some_and(|end| end.contains("ORDER BY"))
            || ![" OVER (", "group_concat("].iter().any(|words| view.contains(words));
        if view.contains("ORDER BY") && is_ordered && !view.contains("born") && !view.contains("LIMIT 1)") {
            let sql = format!("SELECT * FROM v{n}");
            assert_eq!(rows_of_sqlite(&case, "app.db", &sql), case.target.rows(&sql), "{view}\n{text}");
            ordered += 1;
        }
    }
    assert!(ordered > 10, "{ordered}");
    let has = |sql: &str, rows: i64| {
        let found = case.target.value(&format!("SELECT count(*) FROM {sql}"));
        assert_eq!(found, rows.to_string(), "{sql}");
    };
    has("v4", 3);
    has("v31", 1);
}

/// Views with the reason why each is left out.
const REFUSED: [(&str, &str); 52] = [
    ("SELECT id FROM people WHERE note = \"x\"", "or a text is in double quotes"),
    ("SELECT sum(ratio) FROM people", "sum of numbers that are no integers depends on the order of the rows"),
    ("SELECT avg(price) FROM people", "avg of numbers that are no integers depends on the order of the rows"),
    ("SELECT group_concat(name) FROM people", "the order of the parts of group_concat is not determined"),
    ("SELECT team_id, name, count(*) FROM people GROUP BY team_id", "name may have several values in a group"),
    ("SELECT name, max(pay) FROM people", "name may have several values in a group"),
    ("SELECT nick, count(*) FROM people GROUP BY nick", "NOCASE lets different texts be equal"),
    ("SELECT DISTINCT nick FROM people", "NOCASE lets different texts be equal"),
    ("SELECT nick FROM people UNION SELECT name FROM people", "NOCASE lets different texts be equal"),
    ("SELECT max(nick) FROM people", "max compares by the collation of a column"),
    ("SELECT doc, count(*) FROM people GROUP BY doc", "its values are compared in another form in SQLite"),
    ("SELECT DISTINCT doc FROM people", "its values are compared in another form in SQLite"),
    ("SELECT max(doc) FROM people", "the aggregate max is not translated for these values"),
    ("SELECT id FROM people LIMIT 3", "ORDER BY does not determine the rows that LIMIT keeps"),
    ("SELECT id FROM people ORDER BY name LIMIT 3", "ORDER BY does not determine the rows that LIMIT keeps"),
    ("SELECT nick FROM people ORDER BY nick LIMIT 3", "ORDER BY does not determine the rows that LIMIT keeps"),
    (
        "SELECT id, doc FROM people ORDER BY doc, id LIMIT 3",
        "LIMIT keeps rows by their order: the values have another form in SQLite",
    ),
    ("SELECT id FROM people ORDER BY id LIMIT 1 + 1", "its LIMIT is no literal"),
    ("SELECT id FROM people WHERE name = 5", "SQLite compares a text and an integer by their classes"),
    (
        "SELECT id FROM people WHERE team_id IN (SELECT name FROM teams)",
        "SQLite compares an integer and a text by their classes",
    ),
    ("SELECT id FROM people WHERE nick IN (SELECT name FROM teams)", "NOCASE lets different texts be equal"),
    ("SELECT (SELECT name FROM teams) AS first FROM people", "a subquery may have several rows"),
    ("SELECT id, ratio FROM people UNION ALL SELECT id, name FROM teams", "a column of it is a double or a text"),
    ("SELECT doc FROM people UNION ALL SELECT doc FROM people", "its parts have values of another form"),
    (
        "SELECT row_number() OVER (ORDER BY name) FROM people",
        "ORDER BY of a window does not determine the order of its rows",
    ),
    ("SELECT row_number() OVER () FROM people", "ORDER BY of a window does not determine the order of its rows"),
    ("SELECT rank() OVER (ORDER BY doc) FROM people", "its values are ordered in another form in SQLite"),
    ("SELECT rank() OVER w FROM people WINDOW w AS (ORDER BY id)", "a window with a name is not translated"),
    ("SELECT sum(pay) OVER (ORDER BY id ROWS 1 PRECEDING) FROM people", "a window with a frame"),
    ("SELECT lag(pay) OVER (ORDER BY id) FROM people", "the function lag over a window is not translated"),
    ("SELECT rank() OVER (PARTITION BY nick ORDER BY id) FROM people", "NOCASE lets different texts be equal"),
    ("SELECT group_concat(name, ',' ORDER BY pay) FROM people", "ORDER BY does not determine the order of the parts"),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n", "n is recursive"),
    ("SELECT value FROM json_each('[1]')", "the table json_each is a function"),
    ("SELECT name FROM sqlite_schema", "there is no table sqlite_schema"),
    ("SELECT random() FROM people", "the function random is not translated"),
    ("SELECT name || ratio FROM people", "the text of a double has another form"),
    ("SELECT p.id FROM people p FULL JOIN teams t ON t.id = p.team_id", "a FULL join is not translated"),
    ("VALUES (1), ('a')", "a column of it is an integer or a text"),
    ("SELECT id FROM people JOIN people USING (id)", "people is the name of several tables"),
    ("SELECT nowhere FROM people", "SQLite cannot read it: an object is missing"),
    ("SELECT 'x', count(*) FROM people GROUP BY 'x'", "a term of GROUP BY is a literal"),
    ("SELECT pay FROM people WHERE date(note) = '2024-01-01'", "the function date is not translated"),
    (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM log WHERE rowid = 1)",
        "rowid is the rowid, and no column here is",
    ),
    ("SELECT p.id FROM people p JOIN log ON log.oid = p.id", "oid is the rowid, and no column here is"),
    (
        "SELECT p.id FROM people p JOIN teams t ON t.id = p.team_id NATURAL JOIN blank",
        "id is a column of several tables",
    ),
    (
        "SELECT id FROM people WHERE lower(note) IN (SELECT nick FROM people)",
        "a value of the subquery has another collation",
    ),
    (
        "SELECT id FROM people WHERE ratio = 1 AND pay = 4611686018427387904.0",
        "a literal double of this size has other digits",
    ),
    ("SELECT id FROM people ORDER BY -9223372036854775808", "a term of ORDER BY is no column"),
    (
        "SELECT lower(name) AS low FROM people UNION ALL SELECT nick FROM people ORDER BY low LIMIT 2",
        "ORDER BY does not determine",
    ),
    ("SELECT * FROM v1", "it reads the view v1, which is left out"),
    ("SELECT (SELECT sum(t.id) FROM people) FROM teams t", "there is no column t.id"),
];

#[test]
fn a_view_without_an_exact_translation_is_listed_with_its_reason() {
    let views: Vec<&str> = REFUSED.iter().map(|(view, _)| *view).collect();
    let case = Case::new(&with_views(&views));
    let ran = case.command(&["--json"]).exits(6);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let objects = json["objects"].as_array().expect("objects");
    for (n, (view, why)) in REFUSED.iter().enumerate() {
        let object = objects.iter().find(|object| object["name"] == format!("v{n}")).expect("the view");
        let (fate, found) = (object["fate"].as_str().expect("a fate"), object["why"].as_str().expect("a reason"));
        assert!(fate == "left-out" && found.contains(why), "{view}: {fate}: {found}");
        assert!(object["sql"].as_str().expect("its text").ends_with(view), "{view}");
    }
}

/// Notes of one person, who appears in no column of them, with a table that all owners share.
const NOTES: &str = "
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, parent INTEGER REFERENCES notes, currency TEXT);
CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes, tag TEXT NOT NULL, PRIMARY KEY (note, tag));
CREATE TABLE currencies (code TEXT PRIMARY KEY, name TEXT);
CREATE VIEW children AS SELECT n.title, p.title AS parent FROM notes n LEFT JOIN notes p ON p.id = n.parent;
CREATE VIEW counted AS SELECT title, (SELECT count(*) FROM tags t WHERE t.note = n.id) AS n FROM notes n ORDER BY title, n;
CREATE VIEW by_tag AS SELECT tag, count(*) AS n FROM tags GROUP BY tag;
CREATE VIEW words AS SELECT title FROM notes UNION SELECT tag FROM tags;
CREATE VIEW often AS WITH c AS (SELECT tag, n FROM by_tag) SELECT tag FROM c JOIN (SELECT DISTINCT title FROM notes) ON title <> tag;
CREATE VIEW money AS SELECT c.name, n.title FROM currencies c JOIN notes n ON n.currency = c.code;
CREATE VIEW names AS SELECT name FROM currencies;
CREATE VIEW one_row AS SELECT count(*) FROM notes;
CREATE VIEW some AS SELECT id FROM notes ORDER BY id LIMIT 1;
CREATE VIEW unused AS SELECT c.name, n.title FROM currencies c LEFT JOIN notes n ON n.currency = c.code;
CREATE VIEW total AS SELECT code, (SELECT count(*) FROM notes WHERE currency = code) FROM currencies;
CREATE VIEW mixed AS SELECT code FROM currencies UNION SELECT title FROM notes;
INSERT INTO currencies VALUES ('EUR', 'Euro'), ('X', 'None');";

#[test]
fn a_view_of_rows_with_an_owner_has_the_owner_or_is_left_out() {
    let rows = "INSERT INTO notes VALUES (1, 'a', NULL, 'EUR'), (2, 'b', 1, 'EUR'); INSERT INTO tags VALUES (1, 'x'), (2, 'x'), (2, 'a');";
    let case = Case::new(&format!("{NOTES}{rows}"));
    sqlite::file(&case.place, "second.db", &format!("{NOTES}{rows} DELETE FROM tags WHERE note = 2;"));
    let owner = ["--owner", "users.username=ann", "--shared", "currencies", "--prove"];
    let ran = case.command(&owner).args(["-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
    assert!(ran.code == 6 && ran.said().contains("the rows of 7 views are equal"), "{}", ran.said());
    let text = case.place.read("schema.sql");
    let comments: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("--")).collect();
    let comments = comments.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "changed: view children: it has the owner's column as well; equal on 2 rows",
        "kept: view names; equal on 2 rows",
        "left out: view one_row: one row would be that of all owners",
        "left out: view some: LIMIT would count the rows of all owners",
        "left out: view unused: a LEFT join has rows without an owner",
        "left out: view total: a subquery would read rows of all owners",
        "left out: view mixed: not every part of it has rows of the same owner",
    ] {
        assert!(comments.contains(part), "`{part}` is missing in:\n{text}");
    }
    case.target.run(&text);
    let mapping = case.place.read("migrate.toml");
    let second = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    for (name, text) in [("migrate.toml", mapping), ("second.toml", second)] {
        case.place.write(name, text);
        case.place.migrate(["--yes", "-m", name, "-t", &case.target.url()]).exits(0);
    }
    for (file, owner) in [("app.db", 1), ("second.db", 2)] {
        for (view, columns) in [
            ("children", "title, parent"),
            ("counted", "title, n"),
            ("by_tag", "tag, n"),
            ("words", "title"),
            ("often", "tag"),
            ("money", "name, title"),
        ] {
            let own = case.target.rows(&format!("SELECT {columns} FROM {view} WHERE user_id = {owner}"));
            let rows = rows_of_sqlite(&case, file, &format!("SELECT {columns} FROM {view}"));
            let sorted = |mut rows: Vec<Vec<Option<String>>>| {
                rows.sort();
                rows
            };
            assert_eq!(sorted(own), sorted(rows), "{view} of {owner}");
        }
    }
}

/// Views in which a subquery reads a table that the query around it reads, too.
const AGAIN: [&str; 6] = [
    "SELECT id FROM people WHERE id IN (SELECT max(id) FROM people GROUP BY team_id)",
    "SELECT id, name FROM people WHERE pay = (SELECT max(pay) FROM people)",
    "SELECT id FROM people p WHERE EXISTS (SELECT 1 FROM people WHERE people.team_id = p.team_id AND people.id <> p.id)",
    "SELECT id FROM people WHERE pay > (SELECT min(people.pay) FROM people WHERE id NOT IN (SELECT person FROM scores JOIN people ON people.id = person))",
    "SELECT people.* FROM people WHERE NOT EXISTS (SELECT 1 FROM (SELECT id FROM teams) AS people WHERE people.id = team_id)",
    "SELECT name FROM teams WHERE id IN (SELECT teams.lead FROM teams, people WHERE people.id = teams.lead)",
];

/// A value in one form for both servers: numbers as doubles, conditions as 0 and 1, times without their offset.
pub fn alike(value: Option<String>) -> Option<String> {
    let text = value?;
    let text = match text.as_str() {
        "t" => "1",
        "f" => "0",
        other => other.strip_suffix("+00").unwrap_or(other),
    };
    Some(text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| format!("{number:.9}")))
}

#[test]
fn each_view_has_for_each_of_two_owners_the_rows_of_the_owners_file() {
    let views = [EXACT.as_slice(), &AGAIN].concat();
    let source = with_views(&views);
    let case = Case::new(&source);
    let other = "DELETE FROM people WHERE id = 4; UPDATE people SET pay = 4 WHERE id = 6; UPDATE teams SET lead = 6 WHERE id = 4; \
        DELETE FROM scores WHERE person = 9; INSERT INTO scores VALUES (5, 'go', 4); INSERT INTO blank VALUES (6, 'word');";
    sqlite::file(&case.place, "second.db", &format!("{source}{other}"));
    let args = [
        "--owner",
        "users.username=ann",
        "--keys",
        "owned",
        "--prove",
        "-o",
        "schema.sql",
        "--mapping",
        "migrate.toml",
    ];
    let ran = case.command(&args).ran();
    assert_eq!(ran.code, 6, "{}", ran.said());
    case.target.run(&case.place.read("schema.sql"));
    let mapping = case.place.read("migrate.toml").replace("zone = { \"?\"", "zone = \"UTC\" # { \"?\"");
    let second = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    for (name, text) in [("migrate.toml", mapping), ("second.toml", second)] {
        case.place.write(name, text);
        case.place.migrate(["--yes", "-m", name, "-t", &case.target.url()]).exits(0);
    }
    let mut compared = Vec::new();
    for (n, view) in views.iter().enumerate() {
        let columns = format!(
            "SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = to_regclass('v{n}') AND attname <> 'user_id' \
             AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('v{n}') AND attname = 'user_id')"
        );
        let Some(columns) = case.target.rows(&columns)[0][0].clone() else { continue };
        for (file, owner) in [("app.db", 1), ("second.db", 2)] {
            let own = case.target.rows(&format!("SELECT {columns} FROM v{n} WHERE user_id = {owner}"));
            let rows = rows_of_sqlite(&case, file, &format!("SELECT * FROM v{n}"));
            let sorted = |rows: Vec<Vec<Option<String>>>| {
                let mut rows: Vec<Vec<_>> = rows.into_iter().map(|row| row.into_iter().map(alike).collect()).collect();
                rows.sort();
                rows
            };
            assert_eq!(sorted(own), sorted(rows), "{view} of {owner}\n{}", case.place.read("schema.sql"));
        }
        compared.push(n);
    }
    assert!((EXACT.len()..views.len()).all(|n| compared.contains(&n)), "{compared:?} of {} views", views.len());
    assert!(compared.len() >= 40, "{compared:?}");
}

#[test]
fn create_makes_the_views_and_a_rollback_drops_them() {
    let rows = "INSERT INTO notes VALUES (1, 'a', NULL, 'EUR');";
    let case = Case::new(&format!("{NOTES}{rows}"));
    case.command(&["--owner", "users.username=ann", "--shared", "currencies", "--mapping", "migrate.toml"]).exits(6);
    let run = |args: &[&str]| case.place.migrate(args).args(["-m", "migrate.toml", "-t", &case.target.url()]);
    run(&["--yes", "--create"]).exits(0).says(&["Done and verified"]);
    assert_eq!(case.target.value("SELECT concat_ws(' ', user_id, title) FROM children"), "1 a");
    run(&["status"]).exits(0).says(&["created view: public.by_tag", "created table: public.notes"]);
    run(&["rollback", "--yes"]).exits(0).says(&["4 tables of --create"]);
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(case.target.value(left), "0");
    // A name that is taken is one of the names that must be free.
    case.target.run("CREATE VIEW by_tag AS SELECT 1 AS n");
    run(&["--yes", "--create"]).exits(3).says(&["`public` has by_tag already"]);
}

#[test]
fn a_view_that_postgresql_cannot_compute_ends_the_proof_in_exit_5() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 9223372036854775807), (2, 1);
         CREATE VIEW next AS SELECT n + 1 AS m FROM t; CREATE VIEW plain AS SELECT n FROM t;",
    );
    let ran = case.command(&["--prove", "-o", "schema.sql"]).exits(5);
    ran.says(&["view `next`", "Write the file without --prove"]);
    assert!(!ran.stderr.contains("plain") && !case.place.path("schema.sql").exists(), "{}", ran.stderr);
}

#[test]
fn the_rows_of_a_view_are_compared_as_often_as_they_occur() {
    let case = Case::new("CREATE TABLE t (a)");
    case.target.run(
        "CREATE TABLE rows_of_sqlite (name text, n bigint);
         INSERT INTO rows_of_sqlite VALUES ('a', 1), ('a', 1), ('b', 2), (NULL, NULL), ('É', 3);
         CREATE TABLE v (name text, n bigint); INSERT INTO v VALUES ('É', 3), (NULL, NULL), ('b', 2), ('a', 1), ('c', 9)",
    );
    let settings = resolve(Some(&case.target.url()), &Environment::new(std::iter::empty(), None, None)).expect("a URL");
    let request = SessionRequest { schema: "public", ledger_schema: "migrate", read_only: ReadOnly(true) };
    let mut session = Session::open(&settings, &request, Patience::NONE, &mut |_, _| false).expect("a session");
    let expression = |column: &str| ProvedExpression { column: column.to_owned(), sql: column.to_owned() };
    let all = [expression("name"), expression("n")];
    let view = ProvedView { schema: "public", view: "v", table: "rows_of_sqlite", columns: &all };
    let found = session.prove_rows(&view).expect("an answer");
    assert_eq!((found.rows, found.only_in_sqlite, found.only_in_postgresql), (5, 1, 1));
    case.target.run("DELETE FROM v WHERE name = 'c'; INSERT INTO v VALUES ('a', 1)");
    let found = session.prove_rows(&view).expect("an answer");
    assert_eq!((found.rows, found.only_in_sqlite, found.only_in_postgresql), (5, 0, 0));
}
