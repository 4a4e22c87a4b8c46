//! The data of every trial: a small source with something of everything, its target, and an independent reading of both.

use std::collections::BTreeMap;

use postgres::SimpleQueryMessage;
use rusqlite::types::ValueRef;

use super::proxy::Proxy;
use crate::support::postgres::{Server, drop_database};
use crate::support::sqlite;
use crate::support::tool::Place;

const SOURCE: &str = "
CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE items (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, amount TEXT, note TEXT);
CREATE TABLE notes (k TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;
CREATE TABLE logs (said TEXT NOT NULL, twice INTEGER);
CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE odd (id INTEGER PRIMARY KEY, n TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
  INSERT INTO groups SELECT i * 3, 'group ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
  INSERT INTO items SELECT i * 7 + i % 5, (i % 150 + 1) * 3, i || '.' || (10 + i % 90), substr('abcdefghijklmnopqrstuvwxyz', 1, i % 27) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
  INSERT INTO notes SELECT 'key ' || (i * 7919 % 100003), i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
  INSERT INTO logs SELECT 'line ' || (i / 2), i % 2 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO pages SELECT i, printf('%.*c', 20000 + i * 1000, char(96 + i % 26)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
  INSERT INTO odd SELECT i, CASE WHEN i % 5 THEN i ELSE 'x' || i END FROM n;
";

const TARGET: &str = "
CREATE TABLE accounts (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE groups (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE items (id bigserial PRIMARY KEY, group_id bigint NOT NULL REFERENCES groups ON DELETE CASCADE,
  account_id bigint NOT NULL REFERENCES accounts, amount numeric(12,2), note text);
CREATE INDEX items_group ON items (group_id);
CREATE TABLE notes (k text PRIMARY KEY, v bigint);
CREATE TABLE logs (id bigserial PRIMARY KEY, said text NOT NULL, twice int);
CREATE TABLE tags (name text PRIMARY KEY, n int);
CREATE TABLE pages (id int PRIMARY KEY, body text NOT NULL);
ALTER TABLE pages ALTER body SET STORAGE EXTERNAL;
CREATE TABLE odd (id int PRIMARY KEY, n int);
INSERT INTO accounts (name) VALUES ('another person');
-- A copy of a database forgets at a crash the values that a sequence handed out beyond its note; after this there is no such note.
SELECT setval('accounts_id_seq', 1);
INSERT INTO tags VALUES ('abc', -1);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := upper(NEW.note); RETURN NEW; END';
CREATE TRIGGER shout BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout();
";

const MAPPING: &str = r#"
format = 1
name = "chaos"
[source]
path = "source.db"
zone = "UTC"
[target]
schema = "public"
[owner]
table = "accounts"
match = { name = "mine" }
key = "id"
create = {}
[load.groups]
[load.items]
owner = "account_id"
[load.notes]
[load.logs]
[load.logs.columns]
id = { omit = true }
[load.tags]
from = { sql = "SELECT substr(note, 1, 3) AS name, count(*) AS n FROM items WHERE note <> '' GROUP BY 1 ORDER BY 1" }
conflict = { skip = ["name"] }
[load.pages]
"#;

/// Whatever cannot go is left out beforehand, so that a run may say `abort`.
const WHOLE: &str = r#"
[load.odd]
from = { sql = "SELECT id, n FROM odd WHERE n NOT LIKE 'x%' ORDER BY id" }
"#;

/// The same rows arrive, and 60 are quarantined.
const QUARANTINE: &str = r#"
[load.odd]
[defaults]
on_fault = "quarantine"
"#;

/// Source rows and target rows as both are read here, by neither of the tool's ways.
const READINGS: [(&str, &str, &str); 7] = [
    ("groups", "SELECT id, name FROM groups", "SELECT id, name FROM groups"),
    (
        "items",
        "SELECT id, group_id, 'mine', amount, note FROM items",
        "SELECT i.id, group_id, a.name, amount, note FROM items i JOIN accounts a ON a.id = account_id",
    ),
    ("notes", "SELECT k, v FROM notes", "SELECT k, v FROM notes"),
    ("logs", "SELECT said, twice FROM logs", "SELECT said, twice FROM logs"),
    (
        "tags",
        "SELECT substr(note, 1, 3), CASE substr(note, 1, 3) WHEN 'abc' THEN -1 ELSE count(*) END FROM items \
         WHERE note <> '' GROUP BY 1",
        "SELECT name, n FROM tags",
    ),
    ("pages", "SELECT id, length(body), body FROM pages", "SELECT id, length(body), body FROM pages"),
    ("odd", "SELECT id, n FROM odd WHERE n NOT LIKE 'x%'", "SELECT id, n FROM odd"),
];

/// The next value of every sequence, read without drawing from it.
const NEXT: &str = "SELECT 'accounts', last_value + is_called::int FROM accounts_id_seq UNION ALL \
    SELECT 'groups', last_value + is_called::int FROM groups_id_seq UNION ALL \
    SELECT 'items', last_value + is_called::int FROM items_id_seq UNION ALL \
    SELECT 'logs', last_value + is_called::int FROM logs_id_seq";

/// The objects that must be unchanged after every accident: constraints, indexes, triggers.
const CATALOGUE: &str = "
SELECT format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT format('%s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisclustered)
  FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT format('%s %s', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1";

/// The rows of each table, sorted.
type Rows = BTreeMap<&'static str, Vec<String>>;

/// All that trials have in common.
pub struct Fixture {
    pub place: Place,
    pub server: Server,
    pub proxy: Proxy,
    /// The duration of an undisturbed run on this machine, in milliseconds.
    pub span: u64,
    expected: Rows,
    before: Rows,
    catalogue: Vec<String>,
    next: Vec<String>,
}

impl Fixture {
    pub fn new() -> Fixture {
        let place = Place::new();
        let source = sqlite::file(&place, "source.db", SOURCE);
        place.write("mapping.toml", format!("{MAPPING}{WHOLE}"));
        place.write("quarantine.toml", format!("{MAPPING}{QUARANTINE}"));
        let server = Server::on_tcp();
        server.connect("postgres").batch_execute("CREATE DATABASE chaos_template").expect("a template");
        server.connect("chaos_template").batch_execute(TARGET).expect("the target's tables");
        let proxy = Proxy::before_port(server.port);
        let mut fixture = Fixture {
            expected: read_source(&source),
            before: Rows::new(),
            catalogue: Vec::new(),
            next: Vec::new(),
            place,
            server,
            proxy,
            span: 0,
        };
        fixture.before = fixture.read_target("chaos_template");
        fixture.catalogue = fixture.rows("chaos_template", CATALOGUE);
        fixture.next = fixture.rows("chaos_template", NEXT);
        let spans = (0..3).map(|_| fixture.undisturbed());
        fixture.span = spans.min().expect("three runs");
        println!("an undisturbed run takes {} ms", fixture.span);
        fixture
    }

    /// The duration of a run, in milliseconds.
    fn undisturbed(&self) -> u64 {
        let database = "chaos_undisturbed";
        self.begin(database);
        let began = std::time::Instant::now();
        let url = self.url(database);
        self.place.migrate(["-m", "mapping.toml", "--yes", "--batch-rows=500", "-t", &url]).exits(0);
        let span = began.elapsed().as_millis();
        assert_eq!(self.wrong(database), None);
        self.end(database);
        u64::try_from(span).expect("a short time")
    }

    /// The URL of a database, without the proxy.
    pub fn url(&self, database: &str) -> String {
        self.server.url_of("postgres", database)
    }

    pub fn begin(&self, database: &str) {
        let sql = format!("CREATE DATABASE {database} TEMPLATE chaos_template");
        self.server.connect("postgres").batch_execute(&sql).expect("a database");
    }

    pub fn end(&self, database: &str) {
        drop_database(&mut self.server.connect("postgres"), database).expect("the database goes");
    }

    pub fn rows(&self, database: &str, sql: &str) -> Vec<String> {
        let messages = self.server.connect(database).simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|n| row.get(n).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
            }
            _ => None,
        });
        rows.collect()
    }

    fn read_target(&self, database: &str) -> Rows {
        let one = |(table, _, sql): (&'static str, &str, &str)| {
            let mut rows = self.rows(database, sql);
            rows.sort();
            (table, rows)
        };
        READINGS.into_iter().map(one).collect()
    }

    /// Everything that is wrong at the end of a whole run.
    pub fn wrong(&self, database: &str) -> Option<String> {
        let found = self.read_target(database);
        self.differs(&found, &self.expected).or_else(|| {
            let owners = self.rows(database, "SELECT count(*) FROM accounts WHERE name = 'mine'");
            let ids = self.rows(database, "SELECT count(DISTINCT id) FROM logs");
            let state = self.rows(database, "SELECT state FROM migrate.run WHERE state <> 'RolledBack'");
            let off = self.rows(database, "SELECT object FROM migrate.detached WHERE NOT back");
            let past = "SELECT nextval('items_id_seq') > (SELECT max(id) FROM items) AND \
                        nextval('logs_id_seq') > (SELECT max(id) FROM logs)";
            match () {
                () if owners != ["1"] => Some(format!("{owners:?} owners")),
                () if ids != ["1200"] => Some(format!("{ids:?} ids of logs")),
                () if state != ["Done"] => Some(format!("the run is {state:?}")),
                () if !off.is_empty() => Some(format!("off still: {off:?}")),
                () if self.rows(database, past) != ["t"] => Some("a sequence is below its rows".to_owned()),
                () => self.catalogue_differs(database),
            }
        })
    }

    /// The objects that are left although nothing may be.
    pub fn touched(&self, database: &str) -> Option<String> {
        let found = self.read_target(database);
        let next = self.rows(database, NEXT);
        self.differs(&found, &self.before)
            .or_else(|| (next != self.next).then(|| format!("sequences are at {next:?}, were at {:?}", self.next)))
            .or_else(|| self.catalogue_differs(database))
    }

    fn catalogue_differs(&self, database: &str) -> Option<String> {
        let found = self.rows(database, CATALOGUE);
        (found != self.catalogue).then(|| format!("the catalogue is {found:#?}, was {:#?}", self.catalogue))
    }

    fn differs(&self, found: &Rows, wanted: &Rows) -> Option<String> {
        let table = wanted.keys().find(|table| found[*table] != wanted[*table])?;
        let (found, wanted) = (&found[table], &wanted[table]);
        let missing = wanted.iter().filter(|row| found.binary_search(row).is_err()).count();
        let extra = found.iter().filter(|row| wanted.binary_search(row).is_err()).count();
        Some(format!("{table}: {} rows for {}, {missing} missing, {extra} extra", found.len(), wanted.len()))
    }
}

fn read_source(path: &std::path::Path) -> Rows {
    let db = sqlite::open(path);
    let one = |(table, sql, _): (&'static str, &str, &str)| {
        let mut statement = db.prepare(sql).expect("a reading");
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..width).map(|n| {
                Ok(match row.get_ref(n)? {
                    ValueRef::Null => "NULL".to_owned(),
                    ValueRef::Integer(i) => i.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => panic!("{other:?}"),
                })
            });
            Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        let mut rows: Vec<String> = rows.expect("rows").map(|row| row.expect("a row")).collect();
        rows.sort();
        (table, rows)
    };
    READINGS.into_iter().map(one).collect()
}
