//! The traps in which other tools were seen to lose or bend values with exit status 0: each is carried exactly or named.

use super::{Bad, Is, Sample, hold};
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

#[test]
fn values_that_other_tools_lose_arrive_or_are_reported() {
    const CASES: &[Sample] = &[
        ("DATETIME", "1700000000", "timestamptz", r#"epoch = "s""#, Is("2023-11-14 22:13:20+00")),
        ("DATETIME", "1700000000123", "timestamptz", r#"epoch = "ms""#, Is("2023-11-14 22:13:20.123+00")),
        ("DATETIME", "1700000000123", "timestamptz", "", Bad("number-in-time")),
        ("DATETIME", "'2023-03-02 15:04:05+02:00'", "timestamp", "", Bad("offset-in-timestamp")),
        ("BOOLEAN", "1", "boolean", "", Is("true")),
        ("BOOLEAN", "0", "boolean", "", Is("false")),
        ("BOOLEAN", "NULL", "boolean", "", super::Null),
        ("BOOLEAN", "'true'", "boolean", "", Is("true")),
        ("BOOLEAN", "'f'", "boolean", "", Is("false")),
        ("BOOLEAN", "2", "boolean", "", Bad("not-a-boolean")),
        ("BLOB", "x'00017f80ff'", "bytea", "", Is("\\x00017f80ff")),
        ("BLOB", "x''", "bytea", "", Is("\\x")),
        ("BLOB", "'SGVsbG8='", "bytea", "", Is("\\x534756736247383d")),
        ("TEXT", "'a' || char(0) || 'b'", "text", "", Bad("nul-in-text")),
        ("TEXT", "CAST(x'61ff62' AS TEXT)", "text", "", Bad("not-utf8")),
        ("TEXT", "'after it'", "text", "", Is("after it")),
        ("DECIMAL(10,2)", "19.999", "numeric(10,2)", "", Bad("excess-scale")),
        ("DECIMAL(10,2)", "1e-7", "numeric(10,2)", "", Bad("excess-scale")),
        ("REAL", "3.141592653589793", "double precision", "", Is("3.141592653589793")),
        ("INTEGER", "9223372036854775807", "bigint", "", Is("9223372036854775807")),
        ("REAL", "9e999", "double precision", "", Is("Infinity")),
        ("INTEGER", "'lots'", "int", "", Bad("not-a-number")),
        ("INTEGER", "1.5", "int", "", Bad("not-integral")),
        ("JSON", "'{oops'", "jsonb", "", Bad("invalid-json")),
        ("VARCHAR(3)", "'sixsix'", "varchar(3)", "", Bad("too-long")),
        ("", "'x'", "text", "", Is("x")),
        ("", "2.5", "text", "", Is("2.5")),
        ("", "x'00'", "text", "", Bad("blob-in-text")),
        ("UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "uuid", "", Is("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ];
    hold(CASES);
}

/// One move of tables of the same names.
fn moved(source: &str, target: &str, loads: &[&str], args: &[&str]) -> (Ran, Database) {
    let place = Place::new();
    sqlite::file(&place, "source.db", source);
    let loads: String = loads.iter().map(|load| format!("[load.{load}]\n")).collect();
    place.write(
        "migrate.toml",
        format!("format = 1\nname = \"peers\"\n[source]\npath = \"source.db\"\nzone = \"UTC\"\n{loads}"),
    );
    let target = Database::with(target);
    (place.migrate(["--json", "-t", &target.url()]).args(args).ran(), target)
}

#[test]
fn a_counter_that_was_ahead_of_its_table_stays_ahead() {
    let source =
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (7, 'c');
                  CREATE TABLE u (id INTEGER PRIMARY KEY, a); INSERT INTO u VALUES (1, 'a'), (5, 'b');
                  INSERT INTO t VALUES (100, 'deleted'); DELETE FROM t WHERE id = 100;";
    let target = "CREATE TABLE t (id serial PRIMARY KEY, a text);
                  CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text)";
    let (ran, target) = moved(source, target, &["t", "u"], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(target.value("INSERT INTO t (a) VALUES ('next') RETURNING id"), "101");
    assert_eq!(target.value("INSERT INTO u (a) VALUES ('next') RETURNING id"), "6");
}

#[test]
fn one_bad_row_of_sixty_thousand_costs_one_row() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 60000) INSERT INTO t SELECT x, x FROM i;
        UPDATE t SET n = 'lots' WHERE id = 40000;";
    let (ran, target) =
        moved(source, "CREATE TABLE t (id int PRIMARY KEY, n int)", &["t"], &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(ran.code, 6, "{}", ran.said());
    assert_eq!(
        target.value("SELECT count(*) || ' ' || sum(n) FROM t"),
        format!("59999 {}", 60000i64 * 60001 / 2 - 40000)
    );
    assert_eq!(ran.json()["faults"][0]["rowid"], 40000);
}

#[test]
fn orphans_are_reported_and_children_before_parents_arrive() {
    let source = "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER); CREATE TABLE p (id INTEGER PRIMARY KEY);
                  INSERT INTO c VALUES (1, 1), (2, 99); INSERT INTO p VALUES (1);";
    let target = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)";
    let (ran, _) = moved(source, target, &["c", "p"], &["--yes"]);
    assert_eq!(ran.code, 3, "{}", ran.said());
    let (ran, target) = moved(source, target, &["c", "p"], &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(ran.code, 6, "{}", ran.said());
    assert_eq!((&ran.json()["faults"][0]["rowid"], &ran.json()["faults"][0]["reason"]), (&2.into(), &"orphan".into()));
    assert_eq!(
        target.value(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 'c'::regclass AND contype = 'f' AND convalidated"
        ),
        "1"
    );
}

#[test]
fn objects_of_the_target_exist_unchanged_afterwards() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE DEFAULT 'null', n INTEGER DEFAULT (1 + 2) CHECK (n > 0),
            at TEXT DEFAULT current_timestamp, made TEXT DEFAULT (datetime('now')), token TEXT DEFAULT (lower(hex(randomblob(4)))),
            said TEXT DEFAULT \"dq\", twice INTEGER GENERATED ALWAYS AS (n * 2) STORED);
        CREATE UNIQUE INDEX few ON t (a) WHERE n > 10; CREATE INDEX low ON t (lower(a) DESC, n + 1);
        INSERT INTO t (id, a, n, token) VALUES (1, 'a', 1, 'x'), (2, 'A', 2, 'y'), (3, 'b', 30, 'z');";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT lower('X'), n int CHECK (n > 0), at timestamp DEFAULT now(),
                      made timestamptz, token text DEFAULT 'none', said text, twice int GENERATED ALWAYS AS (n * 2) STORED);
                  CREATE UNIQUE INDEX few ON t (a) WHERE n > 10; CREATE INDEX low ON t (lower(a))";
    let (ran, target) = moved(source, target, &["t"], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(target.value("SELECT string_agg(a || token || said, ' ' ORDER BY id) FROM t"), "axdq Aydq bzdq");
    assert_eq!(target.value("SELECT sum(twice) FROM t"), "66");
    assert_eq!(
        target.value("SELECT indexdef FROM pg_indexes WHERE indexname = 'few'"),
        "CREATE UNIQUE INDEX few ON public.t USING btree (a) WHERE (n > 10)"
    );
    assert_eq!(target.value("SELECT count(*) FROM pg_indexes WHERE tablename = 't'"), "3");
    assert_eq!(
        target.value(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c' AND convalidated"
        ),
        "1"
    );
}

#[test]
fn names_and_strict_tables_are_no_obstacle() {
    let long = "c".repeat(60);
    let source = format!(
        "CREATE TABLE \"Order\" (id INTEGER PRIMARY KEY, \"Mixed Case\" TEXT, \"select\" TEXT, \"{long}\" TEXT) STRICT;
         CREATE TABLE s (id INTEGER PRIMARY KEY, v ANY) STRICT;
         INSERT INTO \"Order\" VALUES (1, 'a', 'b', 'c'); INSERT INTO s VALUES (1, '01'), (2, 2.5);"
    );
    let target = format!(
        "CREATE TABLE \"Order\" (id int PRIMARY KEY, \"Mixed Case\" text, \"select\" text, \"{long}\" text);
         CREATE TABLE s (id int PRIMARY KEY, v text)"
    );
    let (ran, target) = moved(&source, &target, &["Order", "s"], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(target.value("SELECT concat(\"Mixed Case\", \"select\", \"Order\".*) FROM \"Order\""), "ab(1,a,b,c)");
    assert_eq!(target.value("SELECT string_agg(v, ' ' ORDER BY id) FROM s"), "01 2.5");
}

#[test]
fn a_key_of_uuids_and_the_tables_that_sqlite_keeps_for_itself_are_no_obstacle() {
    let source = "PRAGMA foreign_keys = OFF; CREATE TABLE t (id UUID PRIMARY KEY, n INTEGER); CREATE TABLE c (id INTEGER PRIMARY KEY AUTOINCREMENT, t UUID REFERENCES t);
        INSERT INTO t VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1), (x'b0eebc999c0b4ef8bb6d6bb9bd380a11', 2);
        INSERT INTO c VALUES (1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), (2, x'b0eebc999c0b4ef8bb6d6bb9bd380a11'); ANALYZE;";
    let target =
        "CREATE TABLE t (id uuid PRIMARY KEY, n int); CREATE TABLE c (id serial PRIMARY KEY, t uuid REFERENCES t)";
    let (ran, target) = moved(source, target, &["c", "t"], &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(
        target.value("SELECT string_agg(c.id || '=' || n, ' ' ORDER BY c.id) FROM c JOIN t ON t.id = c.t"),
        "1=1 2=2"
    );
    assert_eq!(target.value("INSERT INTO c (t) VALUES (NULL) RETURNING id"), "3");
}

#[test]
fn a_missing_source_is_refused_and_not_created() {
    let place = Place::new();
    place.write("migrate.toml", "format = 1\nname = \"peers\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY)");
    let ran = place.migrate(["--yes", "-t", &target.url()]).exits(3);
    ran.says(&["source.db"]);
    assert!(!place.path("source.db").exists());
}

#[test]
fn a_copy_without_its_log_is_warned_of_and_one_with_it_is_read_whole() {
    let place = Place::new();
    let writer = rusqlite::Connection::open(place.path("source.db")).expect("a SQLite file");
    let made = "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);
                PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2);";
    writer.execute_batch(made).expect("a SQLite file in WAL mode");
    std::fs::copy(place.path("source.db"), place.path("copy.db")).expect("a copy without its log");
    for (file, rows, warned) in [("source.db", 2, false), ("copy.db", 1, true)] {
        let mapping = format!("format = 1\nname = \"peers\"\n[source]\npath = \"{file}\"\n[load.t]\n");
        place.write("migrate.toml", mapping);
        let target = Database::with("CREATE TABLE t (id int PRIMARY KEY)");
        for how in ["--dry-run", "--yes"] {
            let report = place.migrate(["--json", how, "-t", &target.url()]).exits(0).json();
            assert_eq!(
                report["warnings"].to_string().contains("its log copy.db-wal holds nothing"),
                warned,
                "{report}"
            );
        }
        assert_eq!(target.count("t"), rows);
    }
}
