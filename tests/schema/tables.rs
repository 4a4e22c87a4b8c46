//! Types by the stored values, keys, references and defaults, and the list of what is left out.

use super::Case;
use crate::support::postgres::{bindir, version};

#[test]
fn the_stored_values_choose_the_type_among_those_of_the_declaration() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, big INT, half INTEGER, mixed INTEGER, money DECIMAL(6,2),
                         more DECIMAL(6,2), flag BOOLEAN, flags BOOLEAN, at DATETIME, ms DATETIME, zoned TIMESTAMP,
                         plain TIMESTAMP, day DATE, clock TIME, x REAL, doc JSON, bad JSON, u UUID, data BLOB, untyped,
                         padded, name VARCHAR(3), blank NUMERIC, never DATETIME);
         INSERT INTO t VALUES
           (1, 1, 5000000000, 1, 1, 9.75, 9.75, 1, 1, '2024-01-02 03:04:05', 1700000000123, '2024-01-02T03:04:05Z',
            '2024-01-02T03:04:05', '2024-01-02', '10:30:00', 1, '{\"a\":1}', '{', '8a4ac49c-9b4c-4a0e-9f0b-0a7c3f3a1b11',
            x'00ff', 7, '007', 'longer than three', NULL, NULL),
           (2, 2, 1, 1.5, 'many', 10, 9.755, 0, 2, '2024-01-02 03:04:05', 1700000000124, '2024-01-02T03:04:05+02:00',
            '2024-01-02', '2024-01-03', '10:30:01.5', 2.5, '[]', '{}', NULL, NULL, 8, 7, '', NULL, NULL);",
    );
    let tables = case.made(0);
    assert_eq!(
        case.columns("t"),
        [
            "id bigint NOT NULL identity",
            "n bigint",
            "big bigint",
            "half double precision",
            "mixed text",
            "money numeric(6,2)",
            "more numeric",
            "flag boolean",
            "flags bigint",
            "at timestamp without time zone",
            "ms timestamp with time zone",
            "zoned timestamp with time zone",
            "plain timestamp without time zone",
            "day date",
            "clock time without time zone",
            "x double precision",
            "doc jsonb",
            "bad text",
            "u uuid",
            "data bytea",
            "untyped bigint",
            "padded text",
            "name text",
            "blank numeric",
            "never timestamp with time zone",
        ]
    );
    tables.states(&[
        "mixed: text; declared INTEGER; 1 integer, 1 text",
        "changed: column mixed: text, because no other type holds every value",
        "ms: timestamptz; declared DATETIME; 2 integers; read with { epoch = \"ms\" }",
        "changed: column padded: text",
        "blank: numeric; declared NUMERIC; 2 NULLs",
        "t: 2 rows",
    ]);
}

#[test]
fn keys_references_and_indexes_are_those_of_the_source() {
    let case = Case::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE COLLATE NOCASE, code TEXT UNIQUE,
                             tag TEXT COLLATE RTRIM);
         CREATE UNIQUE INDEX users_tag ON users (tag);
         CREATE TABLE \"Order\" (user INTEGER NOT NULL REFERENCES USERS ON DELETE CASCADE ON UPDATE SET NULL, no INT,
                               note TEXT DEFAULT 'none', PRIMARY KEY (user, no)) WITHOUT ROWID;
         CREATE INDEX order_note ON \"Order\" (note DESC, no);
         CREATE TABLE line (id INTEGER PRIMARY KEY, u INT, o INT, code TEXT REFERENCES users (code), again INT,
                            FOREIGN KEY (u, o) REFERENCES \"Order\" (user, no) DEFERRABLE INITIALLY DEFERRED,
                            FOREIGN KEY (again) REFERENCES line (id) DEFERRABLE) STRICT;
         CREATE TABLE loose (a TEXT PRIMARY KEY, b INT);
         INSERT INTO loose VALUES (NULL, 1), (NULL, 2), ('x', 3);
         INSERT INTO users (id, email) VALUES (41, 'A@b.c'); DELETE FROM users;",
    );
    let tables = case.made(0);
    assert_eq!(
        case.constraints(),
        [
            "\"Order\": FOREIGN KEY (\"user\") REFERENCES users(id) ON UPDATE SET NULL ON DELETE CASCADE",
            "\"Order\": PRIMARY KEY (\"user\", no)",
            "line: FOREIGN KEY (again) REFERENCES line(id) DEFERRABLE",
            "line: FOREIGN KEY (code) REFERENCES users(code)",
            "line: FOREIGN KEY (u, o) REFERENCES \"Order\"(\"user\", no) DEFERRABLE INITIALLY DEFERRED",
            "line: PRIMARY KEY (id)",
            "loose: UNIQUE (a)",
            "users: PRIMARY KEY (id)",
            "users: UNIQUE (code)",
        ]
    );
    assert_eq!(
        case.indexes(),
        [
            "CREATE INDEX order_note ON public.\"Order\" USING btree (note DESC, no)",
            "CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower((email COLLATE \"C\")))",
            "CREATE UNIQUE INDEX users_tag ON public.users USING btree (rtrim(tag, ' '::text))",
        ]
    );
    tables.states(&[
        "changed: primary key a: unique constraint, because a holds NULLs",
        "changed: unique constraint email: unique index on lower(email COLLATE \"C\"), for its collation",
        "kept: foreign key \"user\" to users",
    ]);
    assert_eq!(case.target.value("INSERT INTO users (email) VALUES ('new') RETURNING id"), "42");
}

#[test]
fn references_that_postgresql_cannot_have_name_what_would_make_them_possible() {
    let case = Case::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c (a INT REFERENCES nowhere, b TEXT REFERENCES p (name), d TEXT REFERENCES p (id), e INT,
                         f INTEGER AS (e) STORED REFERENCES p ON UPDATE CASCADE);",
    );
    let tables = case.made(6);
    tables.states(&[
        "left out: foreign key a to nowhere: there is no table nowhere; it becomes possible with one",
        "left out: foreign key b to p: (name) is no unique key of p; it becomes possible with UNIQUE (name) there",
        "left out: foreign key d to p: d is text and p.id is bigint; it becomes possible if the values of both have one type",
        "left out: foreign key f to p: an action of it would write to f, which is a generated column",
        "0 changed, 4 left out",
    ]);
    assert_eq!(case.constraints(), ["p: PRIMARY KEY (id)"]);
}

#[test]
fn literal_defaults_and_the_current_time_keep_their_meaning() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN DEFAULT 1, n INT DEFAULT 0x1F, s TEXT DEFAULT \"it's\",
                         data BLOB DEFAULT x'00ff', at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, day DATE DEFAULT CURRENT_DATE,
                         said TEXT DEFAULT CURRENT_TIMESTAMP, blank INT DEFAULT NULL, neg REAL DEFAULT -.5,
                         odd INT DEFAULT 'many', lines TEXT DEFAULT 'a
b\\c', since DATETIME DEFAULT (date('now')), clock DATETIME DEFAULT (time('now')),
                         month DATETIME DEFAULT (strftime('%Y-%m-01', 'now')), wait INT DEFAULT (60 * 60), much INT DEFAULT (1 << 62),
                         most INT DEFAULT (9223372036854775807 + 1), token TEXT DEFAULT (hex(randomblob(9223372036854775807))));",
    );
    let tables = case.made(6);
    tables.states(&[
        "left out: default odd DEFAULT 'many': a column of bigint does not hold its value",
        "left out: default clock DEFAULT time('now'): the current time has another form in a column of this type",
        "left out: default month DEFAULT strftime('%Y-%m-01', 'now'): the current time has another form",
        "left out: default most DEFAULT 9223372036854775807 + 1: arithmetic that leaves the range of its type is an error",
        "left out: default token DEFAULT hex(randomblob(9223372036854775807)): it has more random digits than a UUID",
    ]);
    case.target.run("INSERT INTO t DEFAULT VALUES");
    let row = "SELECT concat_ws('|', flag, n, s, data, neg, lines = E'a\\nb\\\\c', at BETWEEN now() - interval '1 minute' AND now(), \
               said = to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), day = (now() AT TIME ZONE 'UTC')::date, odd, wait, much, since = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') FROM t";
    assert_eq!(case.target.value(row), "t|31|it's|\\x00ff|-0.5|t|t|t|t|3600|4611686018427387904|t");
}

#[test]
fn a_random_default_names_the_version_that_it_needs_and_its_difference() {
    let case = Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT DEFAULT (lower(hex(randomblob(16)))))");
    let ran = case.command(&[]).exits(0);
    let words = ran.stdout.replace("\n--", "").split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "for PostgreSQL 13 and later. An older version does not have gen_random_uuid().",
        "DEFAULT replace(gen_random_uuid()::text, '-', ''); some digits of a UUID are not random",
    ] {
        assert!(words.contains(part), "`{part}` is missing in:\n{}", ran.stdout);
    }
    if version() >= 130_000 {
        case.target.run(&ran.stdout);
        assert_eq!(case.target.value("INSERT INTO t DEFAULT VALUES RETURNING length(key)"), "32");
    }
}

#[test]
fn what_is_left_out_is_listed_with_its_text_and_makes_the_exit_6() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT CONSTRAINT small CHECK (a < 10), b INT, r INT DEFAULT (random()));
         CREATE VIEW v AS SELECT group_concat(a) FROM t;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = 1; END;
         CREATE VIRTUAL TABLE f USING fts5(x);";
    let case = Case::new(source);
    let tables = case.made(6);
    tables.states(&[
        "left out: view v",
        "CREATE VIEW v AS SELECT group_concat(a) FROM t",
        "left out: trigger g",
        "left out: virtual table f",
    ]);
    tables.ran.says(&["1 table; of the objects of the source, ", "left out"]);
    // With --strict, nothing is written.
    case.command(&["--strict", "-o", "schema.sql"]).exits(3).says(&["view `v`", "trigger `g`"]);
    assert!(!case.place.files().contains("schema.sql"));
    let record = case.command(&["--json"]).exits(6).json();
    let fates: Vec<&str> =
        record["objects"].as_array().expect("objects").iter().map(|o| o["fate"].as_str().expect("a fate")).collect();
    assert_eq!(
        fates.iter().filter(|fate| **fate == "left-out").count() as u64,
        record["left_out"].as_u64().expect("a number")
    );
    assert_eq!(record["sql"].as_str(), Some(tables.text.as_str()));
}

#[test]
fn the_file_is_created_new_and_psql_runs_it_in_one_transaction() {
    let case = Case::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INT REFERENCES b); CREATE TABLE b (id INTEGER PRIMARY KEY, a INT REFERENCES a);",
    );
    case.command(&["-o", "schema.sql"]).exits(0).says(&["schema.sql: 2 tables", "psql -1"]);
    let text = case.place.read("schema.sql");
    case.command(&["-o", "schema.sql"]).exits(3).says(&["the file exists"]);
    assert_eq!(case.place.read("schema.sql"), text);
    assert_eq!(case.command(&[]).exits(0).stdout, text, "the same input gives the same bytes");
    let psql = format!("{}/psql", bindir());
    if std::path::Path::new(&psql).is_file() {
        let args = ["-X", "-1", "-v", "ON_ERROR_STOP=1", "-f", "schema.sql", &case.target.url()];
        case.place.run(&psql, args).exits(0);
        assert_eq!(case.constraints().len(), 4);
    }
    // Statements and nothing else: one object each.
    let statements = text.lines().filter(|line| line.ends_with(';')).count();
    assert_eq!((statements, text.matches("CREATE ").count() + text.matches("ALTER ").count()), (4, 4));
}

#[test]
fn a_missing_source_and_a_target_are_errors() {
    let case = Case::new("CREATE TABLE t (a)");
    case.place.migrate(["schema"]).exits(2).says(&["source: none was named"]);
    case.command(&["-t", "postgresql://x/y"]).exits(2).says(&["the tables are made from the source alone"]);
    case.place.migrate(["schema", "-s", "none.db"]).exits(3).says(&["none.db"]);
}

#[test]
fn the_trigger_that_notes_the_time_of_an_update_has_one_translation() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, at DATETIME, log TEXT);
         CREATE TABLE two (id INTEGER PRIMARY KEY, at DATETIME);
         INSERT INTO t VALUES (1, 1, '2020-01-01 00:00:00', ''), (2, 1, NULL, '');
         CREATE TRIGGER touch AFTER UPDATE ON t FOR EACH ROW WHEN NEW.at = OLD.at
           BEGIN UPDATE t SET at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
         CREATE TRIGGER first AFTER UPDATE ON two BEGIN UPDATE two SET at = datetime('now') WHERE rowid = NEW.rowid; END;
         CREATE TRIGGER second AFTER UPDATE OF at ON two BEGIN UPDATE two SET at = datetime('now') WHERE id = NEW.id; END;
         CREATE TRIGGER other AFTER DELETE ON t BEGIN UPDATE t SET log = 'x'; END;",
    );
    let tables = case.made(6);
    tables.states(&[
        "changed: trigger touch: BEFORE UPDATE",
        "left out: trigger first",
        "left out: trigger second",
        "left out: trigger other",
    ]);
    case.target
        .run("INSERT INTO t SELECT n, 1, CASE n WHEN 1 THEN timestamp '2020-01-01' END FROM generate_series(1, 2) n");
    let changed = "SELECT string_agg(concat_ws(' ', id, at > '2020-01-02'), ',' ORDER BY id) FROM t";
    let sqlite = rusqlite::Connection::open(case.place.path("app.db")).expect("a file");
    for (update, expected) in [
        ("UPDATE t SET log = 'y'", "1 t,2"),
        ("UPDATE t SET at = '2019-01-01'", "1 f,2 f"),
        ("UPDATE t SET n = 3", "1 t,2 t"),
    ] {
        case.target.run(update);
        assert_eq!(case.target.value(changed), expected, "{update}");
        sqlite.execute_batch(update).expect("an update");
        let same = "SELECT group_concat(concat_ws(' ', id, CASE WHEN at > '2020-01-02' THEN 't' WHEN at <= '2020-01-02' THEN 'f' END)) \
                    FROM (SELECT * FROM t ORDER BY id)";
        let found: String = sqlite.query_row(same, [], |row| row.get(0)).expect("a row");
        assert_eq!(found, expected, "{update}");
    }
}

#[test]
fn a_unique_key_has_no_type_by_which_its_values_are_equal() {
    let (lower, upper) = ("0e37df36-f698-11e6-8dd4-cb9ced3df976", "0E37DF36-F698-11E6-8DD4-CB9CED3DF976");
    let case = Case::new(&format!(
        "CREATE TABLE t (id UUID PRIMARY KEY, plain UUID, at DATETIME UNIQUE, one DATETIME UNIQUE, day TIME, doc JSON UNIQUE, note JSON,
                         yes BOOLEAN, who UUID UNIQUE, UNIQUE (plain, day), UNIQUE (yes, one));
         INSERT INTO t VALUES ('{lower}', '{lower}', '2020-01-01 10:00:00', '2020-01-01 10:00:00', '10:00', '[1]', '[1]', 1, NULL),
                              ('{upper}', '{lower}', '2020-01-01 10:00:00.000', '2020-01-02 10:00:00', '10:00:00', '[1.0]', '[2]', 'true', '');
         CREATE TABLE u (id UUID PRIMARY KEY, at DATETIME UNIQUE, yes BOOLEAN UNIQUE);
         INSERT INTO u VALUES ('{lower}', '2020-01-01 10:00:00Z', 1), ('1{rest}', '2020-01-01 12:00:00+03:00', 0);
         CREATE TABLE e (id UUID PRIMARY KEY);
         INSERT INTO e VALUES ('{lower}'), ('');",
        rest = &lower[1..],
    ));
    let text = case.command(&["--mapping", "migrate.toml"]).exits(0).stdout;
    case.target.run(&text);
    let types = |table: &str, columns: &[&str]| {
        let all = case.columns(table);
        columns
            .iter()
            .for_each(|one| assert!(all.iter().any(|column| column.starts_with(one)), "{one}: {all:?}\n{text}"));
    };
    let times = ["at text", "one timestamp without", "day text"];
    types("t", &[&times[..], &["id text", "plain uuid", "doc text", "note jsonb", "yes text", "who uuid"]].concat());
    types("u", &["id uuid", "at timestamp with", "yes boolean"]);
    types("e", &["id text"]);
    assert!(text.contains("a key may have equal values as uuid"), "{text}");
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.target.value("SELECT count(*) FROM t"), "2");
    assert_eq!(case.target.value("SELECT count(*) FROM e"), "2");
}

#[test]
fn comments_of_the_source_become_comments_of_tables_and_columns() {
    let case = Case::new(
        "CREATE TABLE \"a b\" ( -- people's things
            id INTEGER PRIMARY KEY, -- never used again
            -- C:\\ or /,
            -- -1: unknown
            \"the path\" TEXT, n INT /* several;
             * lines */
         );
         CREATE TABLE plain (id INTEGER PRIMARY KEY);",
    );
    let text = case.command(&[]).exits(0).stdout;
    case.target.run(&text);
    let comments = "SELECT string_agg(concat_ws(' ', objsubid, description), '|' ORDER BY objsubid) FROM pg_description
                    WHERE objoid = '\"a b\"'::regclass";
    let expected = "0 people's things|1 never used again|2 C:\\ or /,\n-1: unknown|3 several;\nlines";
    assert_eq!(case.target.value(comments), expected);
    assert_eq!(text.matches("COMMENT ON").count(), 4, "{text}");
}
