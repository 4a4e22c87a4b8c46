//! Random views: what `migrate schema` translates has the rows of SQLite, and no row of an owner depends on rows of another one.

use rusqlite::Connection;

use super::Case;
use super::draw::{Draw, seed};
use super::drawn_queries::QueryDraw;
use super::views::{alike, rows_of_sqlite};
use crate::support::sqlite;

/// Views of one test.
const VIEWS: usize = 400;

/// The tables. `{own}` is the column of the owner, if the source has one.
const TABLES: &str = "
CREATE TABLE a ({own}id INTEGER PRIMARY KEY, n INT, w TEXT, c TEXT COLLATE NOCASE, z TEXT COLLATE RTRIM, f BOOLEAN);
CREATE TABLE b ({own}id INTEGER PRIMARY KEY, a_id INTEGER, w TEXT, c TEXT COLLATE NOCASE, oid INT);
CREATE TABLE l ({own}n INT, w TEXT, k TEXT, c TEXT COLLATE NOCASE);
CREATE TABLE p ({own}n INT NOT NULL, w TEXT NOT NULL, m INT, PRIMARY KEY (n, w)) WITHOUT ROWID;
CREATE TABLE s (code TEXT PRIMARY KEY, n INT, label TEXT COLLATE NOCASE);";

/// Rows that both owners see.
const SHARED: &str = "INSERT INTO s VALUES ('a', 1, 'A'), ('B', 2, 'b'), ('x', NULL, NULL), ('', 3, 'é');";

/// Views that would mix owners, or take another column for the owner's.
const OWNERS: [&str; 6] = [
    "SELECT a.who AS who, a.id, b.id FROM a, b LEFT JOIN l ON a.who = b.who AND l.who = a.who",
    "SELECT a.who AS who, b.id, l.n FROM a LEFT JOIN (b JOIN l ON b.id > l.n) ON a.who = b.who AND b.who = l.who",
    "SELECT b.who AS who, a.id FROM a LEFT JOIN b ON a.who = b.who AND b.id = a.id + 1",
    "SELECT q.\"who:1\" AS who, q.id FROM (SELECT a.w AS who, a.who, a.id FROM a) AS q",
    "SELECT a.who AS who, a.id FROM a WHERE EXISTS (SELECT 1 FROM b LEFT JOIN l ON b.who = a.who WHERE b.id <> a.id)",
    "WITH q (x, y) AS (SELECT w, who FROM a) SELECT q.y AS who, q.x, b.w FROM q JOIN b ON b.who = q.y",
];

/// Rows of one owner, whose ids no other owner has.
fn rows_of(draw: &mut Draw, who: usize, with_owner: bool) -> String {
    let own = if with_owner { format!("{who}, ") } else { String::new() };
    let texts = ["NULL", "'a'", "'A'", "'b'", "'b '", "''", "'É'", "'é'", "'x'"];
    let numbers = ["NULL", "0", "1", "2", "3", "7"];
    let mut sql = String::new();
    for n in 0..7 {
        let id = who * 100 + n;
        let (mut word, mut number) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            word.push(draw.of(&texts));
            number.push(draw.of(&numbers));
        }
        let (key, place) = (word[6].replace("NULL", "''"), if with_owner { who * 7 - 7 + n } else { n });
        sql.push_str(&format!(
            "INSERT INTO a VALUES ({own}{id}, {}, {}, {}, {}, {});
             INSERT INTO b VALUES ({own}{id}, {}, {}, {}, {});
             INSERT INTO l VALUES ({own}{}, {}, {}, {});
             INSERT INTO p VALUES ({own}{place}, {key}, {});\n",
            number[0],
            word[0],
            word[1],
            word[2],
            n % 2,
            who * 100 + draw.below(9),
            word[3],
            word[4],
            number[1],
            number[2],
            word[5],
            word[3],
            word[0],
            number[3],
        ));
    }
    sql
}

/// Views that SQLite can read.
fn drawn_views(draw: Draw, tables: &str, names_owner: bool) -> Vec<String> {
    let sqlite = Connection::open_in_memory().expect("a database");
    sqlite.execute_batch(tables).expect("tables");
    let mut queries = QueryDraw::new(draw, names_owner);
    let mut views = Vec::new();
    while views.len() < VIEWS {
        let sql = queries.any();
        if sqlite.prepare(&format!("SELECT * FROM ({sql})")).is_ok() {
            views.push(sql);
        }
    }
    views
}

fn as_statements(views: &[String]) -> String {
    views.iter().enumerate().map(|(n, view)| format!("CREATE VIEW v{n} AS {view};\n")).collect()
}

fn sorted(rows: Vec<Vec<Option<String>>>) -> Vec<Vec<Option<String>>> {
    let mut rows: Vec<Vec<_>> = rows.into_iter().map(|row| row.into_iter().map(alike).collect()).collect();
    rows.sort();
    rows
}

/// The columns of a view in PostgreSQL but `but`. `None`: the view is left out.
fn columns(case: &Case, view: usize, but: &str) -> Option<String> {
    let sql = format!(
        "SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = to_regclass('v{view}') AND attname <> '{but}'"
    );
    case.target.rows(&sql)[0][0].clone()
}

/// The text of a view's statement in the file.
fn statement(case: &Case, view: usize) -> String {
    let text = case.place.read("schema.sql");
    text.split("CREATE VIEW ").find(|part| part.starts_with(&format!("v{view} "))).unwrap_or_default().to_owned()
}

#[test]
fn random_views_have_the_same_rows_in_both_engines() {
    let seed = seed();
    println!("seed {seed}");
    let mut draw = Draw::new(seed);
    let tables = format!("{}{SHARED}{}", TABLES.replace("{own}", ""), rows_of(&mut draw, 1, false));
    let views = drawn_views(draw, &tables, false);
    let case = Case::new(&format!("{tables}{}", as_statements(&views)));
    case.command(&["-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    let mut compared = 0;
    for (n, view) in views.iter().enumerate() {
        if columns(&case, n, "").is_none() {
            continue;
        }
        let own = sorted(case.target.rows(&format!("SELECT * FROM v{n}")));
        let rows = sorted(rows_of_sqlite(&case, "app.db", &format!("SELECT * FROM v{n}")));
        assert!(own == rows, "seed {seed}: {view}\n{}\nSQLite {rows:?}\nPostgreSQL {own:?}", statement(&case, n));
        compared += 1;
    }
    println!("{compared} of {VIEWS} views translated");
    assert!(compared * 4 > VIEWS, "{compared} of {VIEWS}");
}

/// Compares the rows of each owner with those of a file that has no other owner. A view without an owner has the rows of both files.
/// Returns the number of views that have an owner.
fn compare_owners(case: &Case, views: &[String], owner: &str) -> usize {
    let mut compared = 0;
    for (n, view) in views.iter().enumerate() {
        let is_added = owner == "user_id";
        let Some(all) = columns(case, n, if is_added { owner } else { "" }) else { continue };
        let named =
            format!("SELECT count(*) FROM pg_attribute WHERE attrelid = 'v{n}'::regclass AND attname = '{owner}'");
        let has_owner = case.target.value(&named) == "1";
        for who in [1, 2] {
            let of_owner = if has_owner { format!("WHERE {owner} = {who}") } else { String::new() };
            let own = sorted(case.target.rows(&format!("SELECT {all} FROM v{n} {of_owner}")));
            let rows = sorted(rows_of_sqlite(case, &format!("{who}.db"), &format!("SELECT * FROM v{n}")));
            let text = statement(case, n);
            assert!(own == rows, "owner {who}: {view}\n{text}\nSQLite {rows:?}\nPostgreSQL {own:?}");
        }
        compared += usize::from(has_owner);
    }
    compared
}

#[test]
fn random_views_of_two_files_keep_their_owners_apart() {
    let seed = seed();
    println!("seed {seed}");
    let mut draw = Draw::new(seed ^ 0x5555);
    let tables = format!("{}{SHARED}", TABLES.replace("{own}", ""));
    let rows = [1, 2].map(|who| rows_of(&mut draw, who, false));
    let views = drawn_views(draw, &tables, false);
    let sources = rows.map(|rows| format!("{tables}{rows}{}", as_statements(&views)));
    let case = Case::new(&sources[0]);
    for (who, source) in (1..).zip(&sources) {
        sqlite::file(&case.place, &format!("{who}.db"), source);
    }
    let owner = ["--owner", "users.username=ann", "--shared", "s", "--keys", "owned"];
    case.command(&owner).args(["-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
    case.target.run(&case.place.read("schema.sql"));
    for (who, name) in [(1, "ann"), (2, "bob")] {
        let mapping = case.place.read("migrate.toml").replace("app.db", &format!("{who}.db"));
        let mapping = mapping.replace("\"app\"", &format!("\"{name}s\"")).replace("\"ann\"", &format!("\"{name}\""));
        case.place.write("own.toml", mapping);
        case.place.migrate(["--yes", "-m", "own.toml", "-t", &case.target.url()]).exits(0);
    }
    let compared = compare_owners(&case, &views, "user_id");
    println!("{compared} of {VIEWS} views have an owner");
    assert!(compared * 8 > VIEWS, "{compared} of {VIEWS}");
}

#[test]
fn random_views_of_rows_with_an_owner_of_their_own_keep_the_owners_apart() {
    let seed = seed();
    println!("seed {seed}");
    let mut draw = Draw::new(seed ^ 0xaaaa);
    let users = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE);";
    let own = TABLES.replace("{own}", "who INTEGER NOT NULL REFERENCES users, ");
    let tables = format!("{users}{own}{SHARED}INSERT INTO users VALUES (1, 'ann'), (2, 'bob');");
    let rows = [1, 2].map(|who| rows_of(&mut draw, who, true));
    let mut views = drawn_views(draw, &tables, true);
    views.extend(OWNERS.map(str::to_owned));
    let case = Case::new(&format!("{tables}{}{}", rows.concat(), as_statements(&views)));
    for (who, rows) in (1..).zip(&rows) {
        sqlite::file(&case.place, &format!("{who}.db"), &format!("{tables}{rows}{}", as_statements(&views)));
    }
    let owner = ["--owner", "users", "--shared", "s", "--keys", "owned"];
    case.command(&owner).args(["-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    let compared = compare_owners(&case, &views, "who");
    let made: Vec<bool> = (VIEWS..views.len()).map(|n| columns(&case, n, "").is_some()).collect();
    assert_eq!(made, [false, true, false, true, false, true], "{}", case.place.read("schema.sql"));
    println!("{compared} of {VIEWS} views have an owner");
    assert!(compared * 8 > VIEWS, "{compared} of {VIEWS}");
}
