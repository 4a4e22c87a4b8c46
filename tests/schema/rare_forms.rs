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
