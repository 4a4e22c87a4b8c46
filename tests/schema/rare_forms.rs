//! Rare forms of SQLite: what they mean stays, or they are left out with the reason.

use super::Case;

#[test]
fn doubles_that_a_shorter_number_would_replace_keep_every_digit() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v DECIMAL(10,2), at DATETIME, w DECIMAL(10,2) DEFAULT 0.30000000000000004,
                         g INT AS (v > 0.3));
         INSERT INTO t (v, at) VALUES (0.1 + 0.2, 1700000000.1234567), (0.3, 1700000000.1234569);
         CREATE VIEW more AS SELECT id FROM t WHERE v > 0.3;",
    );
    case.command(&["-o", "schema.sql", "--mapping", "migrate.toml", "--prove"]).exits(0);
    case.target.run(&case.place.read("schema.sql"));
    assert_eq!(case.columns("t")[1..3], ["v numeric", "at double precision"]);
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.target.value("SELECT count(DISTINCT v) + count(DISTINCT at) FROM t"), "4");
    assert_eq!(case.target.value("SELECT string_agg(id::text, ',') FROM more"), "1");
}

#[test]
fn the_sign_of_a_default_is_that_of_the_number_and_not_of_its_exponent() {
    let case =
        Case::new("CREATE TABLE t (a REAL DEFAULT '1e-5', b DECIMAL(10,2) DEFAULT '1E-2', c REAL DEFAULT ' -1e-3')");
    case.made(0);
    let row = "INSERT INTO t DEFAULT VALUES RETURNING a = 1e-5 AND b = 0.01 AND c = -0.001";
    assert_eq!(case.target.value(row), "t");
}

#[test]
fn a_default_in_another_unit_of_time_than_the_numbers_is_left_out() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a DATETIME DEFAULT (unixepoch()), b DATETIME DEFAULT (unixepoch() * 1000));
         INSERT INTO t VALUES (1, 1700000000000, 1700000000000);",
    );
    case.made(6).states(&[
        "left out: default a DEFAULT unixepoch(): its unit of time is another one",
        "b DEFAULT unixepoch() * 1000",
    ]);
    assert_eq!(case.columns("t")[1..], ["a timestamp with time zone", "b timestamp with time zone now()"]);
}

#[test]
fn a_column_with_a_default_or_a_reference_to_it_keeps_its_type() {
    let case = Case::new(
        "CREATE TABLE p (at DATETIME PRIMARY KEY); INSERT INTO p VALUES ('2024-01-01 00:00:00');
         CREATE TABLE c (id INTEGER PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP REFERENCES p (at));
         CREATE TABLE q (k INTEGER UNIQUE);
         CREATE TABLE d (t DATETIME DEFAULT CURRENT_TIMESTAMP REFERENCES q (k), b BOOLEAN DEFAULT TRUE REFERENCES q (k));
         CREATE TABLE z (k TEXT PRIMARY KEY); CREATE TABLE y (k INTEGER PRIMARY KEY DESC REFERENCES z (k));
         CREATE TABLE x (y INTEGER REFERENCES y (k));",
    );
    let tables = case.made(6);
    tables.states(&[
        "left out: foreign key at to p: at is timestamptz and p.at is timestamp",
        "left out: foreign key t to q",
        "left out: foreign key k to z",
        "kept: foreign key y to y",
    ]);
    assert!(case.columns("c")[1].ends_with("now()"), "{:?}", case.columns("c"));
}

#[test]
fn a_key_that_ignores_capitals_has_no_foreign_key() {
    let case = Case::new(
        "CREATE TABLE p (name TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p);
         INSERT INTO p VALUES ('ann'); INSERT INTO c VALUES (1, 'ANN');",
    );
    case.command(&["-o", "schema.sql", "--mapping", "migrate.toml"]).exits(6);
    let text = case.place.read("schema.sql").replace("\n--", "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("left out: foreign key p to p: the key (name) of p is compared by NOCASE"), "{text}");
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.target.value("SELECT p FROM c"), "ANN");
}

#[test]
fn repeated_columns_and_names_of_the_server_are_accepted_or_refused_by_name() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, at TIMESTAMP, g INT AS (n + 1), UNIQUE (n, n));
         CREATE TRIGGER now AFTER UPDATE OF n, n ON t BEGIN UPDATE t SET at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
         CREATE TABLE a (b_id INTEGER PRIMARY KEY); CREATE TABLE a_b (id INTEGER PRIMARY KEY); CREATE TABLE a_b_id_seq1 (x);",
    );
    case.made(0);
    case.target.run("INSERT INTO t (n) VALUES (1); UPDATE t SET n = 2");
    assert_eq!(case.target.value("SELECT count(at) FROM t"), "1");
    assert_eq!(case.target.value("INSERT INTO a_b DEFAULT VALUES RETURNING id"), "1");
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, at TIMESTAMP, k TEXT COLLATE NOCASE, g INT AS (n + 1));
         CREATE TRIGGER of_made AFTER UPDATE OF g ON t BEGIN UPDATE t SET at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;",
    );
    case.made(6).states(&["left out: trigger of_made"]);
    let case = Case::new("CREATE TABLE pg_user (id INTEGER PRIMARY KEY); CREATE TABLE t (a INT)");
    case.command(&[]).exits(3).says(&["table `pg_user`", "names that begin with pg_"]);
}

#[test]
fn an_expression_of_nine_hundred_operators_is_left_out() {
    let many = |operator: &str| vec!["a = 1"; 900].join(operator);
    let nested = format!("{}a{} > 0", "max(".repeat(14), ", 1)".repeat(14));
    let case = Case::new(&format!(
        "CREATE TABLE t (a INT, CONSTRAINT one CHECK ({}), CONSTRAINT two CHECK ({}), CONSTRAINT three CHECK ({nested}))",
        many(" OR "),
        vec!["a"; 900].join(" + "),
    ));
    case.made(6).states(&[
        "left out: CHECK one: it has too many operators one after the other",
        "left out: CHECK two: it has too many operators",
        "left out: CHECK three: its SQL is too long",
    ]);
}

#[test]
fn values_of_several_classes_are_no_key_if_they_are_equal_as_texts() {
    let case = Case::new(
        "CREATE TABLE t (k PRIMARY KEY, v BLOB UNIQUE, w ANY, u UNIQUE);
         CREATE UNIQUE INDEX one ON t (w, k);
         INSERT INTO t VALUES (1, x'41', 1, 1), ('1', 'A', 2, '2');",
    );
    case.made(6).states(&[
        "left out: primary key k: values of k are equal as texts",
        "left out: unique constraint v: values of v are equal as texts",
        "left out: index one: values of k are equal as texts",
        "kept: unique constraint u",
    ]);
}

#[test]
fn values_keep_their_class_where_a_type_would_read_them_as_another_one() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price, s STRING, j JSONB, n NUMERIC, i INTEGER);
         INSERT INTO t VALUES (1, 5.0, 'nan', x'4c17611331', 9e999, x'00ff'), (2, 7.0, 'inf', x'4c17611332', 1.5, NULL);",
    );
    let text = case.command(&["-o", "schema.sql", "--mapping", "migrate.toml"]).exits(0).stdout;
    case.target.run(&case.place.read("schema.sql"));
    let types = ["price double precision", "s text", "j bytea", "n double precision", "i bytea"];
    assert_eq!(case.columns("t")[1..], types, "{text}");
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    let first = "SELECT concat_ws(' ', price + 0.5, s, j, n, i) FROM t WHERE id = 1";
    assert_eq!(case.target.value(first), "5.5 nan \\x4c17611331 Infinity \\x00ff");
}

#[test]
fn bounds_of_postgresql_are_kept_or_named() {
    let columns: Vec<String> = (0..33).map(|n| format!("c{n}")).collect();
    let (all, most) = (columns.join(", "), columns[..32].join(", "));
    let case = Case::new(&format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {all}, UNIQUE ({most}));
         CREATE INDEX wide ON t ({all}); CREATE UNIQUE INDEX wider ON t ({all});"
    ));
    let tables = case.made(6);
    tables.states(&[
        "left out: index wide: a key of PostgreSQL has at most 32 columns",
        "left out: index wider",
        "kept: unique",
    ]);
    let owned = case.command(&["--owner", "users"]).exits(6).stdout;
    assert!(owned.contains("left out: unique constraint c0"), "{owned}");
    case.target.run(&format!("DROP TABLE t; {owned}"));
    let columns: Vec<String> = (0..1600).map(|n| format!("c{n}")).collect();
    let case = Case::new(&format!("CREATE TABLE t ({})", columns.join(", ")));
    case.command(&[]).exits(0);
    case.command(&["--owner", "users"]).exits(3).says(&["it has 1,600 columns and may get that of the owner"]);
}

#[test]
fn the_functions_of_two_triggers_have_names_of_their_own() {
    let long = "t".repeat(62);
    let trigger = |table: &str, end: &str| {
        format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INT, at TIMESTAMP);
             CREATE TRIGGER {long}{end} AFTER UPDATE ON {table} BEGIN UPDATE {table} SET at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;"
        )
    };
    let case = Case::new(&format!("{}{}", trigger("a", "a"), trigger("b", "b")));
    case.made(0);
    case.target.run("INSERT INTO b (n) VALUES (1); UPDATE b SET n = 2");
    assert_eq!(case.target.value("SELECT count(at) FROM b"), "1");
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, at DATETIME); INSERT INTO t VALUES (1, 1, 1700000000000);
         CREATE TRIGGER seconds AFTER UPDATE ON t BEGIN UPDATE t SET at = unixepoch() WHERE id = NEW.id; END;",
    );
    case.made(6).states(&["left out: trigger seconds"]);
}

#[test]
fn rows_that_refer_to_no_row_are_counted() {
    let case = Case::new(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7), (3, NULL), (4, 8);",
    );
    let note = "2 rows refer to no row of p: the mapping must say what becomes of them (`if_orphan`).";
    case.made(0).states(&[note, "kept: foreign key p to p"]);
    for options in [&["--owner", "users"][..], &["--owner", "users", "--keys", "owned"]] {
        let owned = case.command(options).exits(0).stdout;
        assert_eq!(owned.matches("2 rows refer to no row of p").count(), 1, "{owned}");
    }
}
