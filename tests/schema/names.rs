//! Names and sizes: reserved words, long names, hostile names, many tables, many columns, text that cannot be read.

use super::Case;
use crate::support::postgres::Database;

#[test]
fn every_keyword_of_the_server_is_a_name_of_a_table_and_a_column() {
    let database = Database::empty();
    let words: Vec<String> =
        database.rows("SELECT word FROM pg_get_keywords() ORDER BY 1").into_iter().flatten().flatten().collect();
    let columns: Vec<String> = words.iter().map(|word| format!("\"{word}\" INT UNIQUE")).collect();
    let source =
        format!("CREATE TABLE \"select\" ({}); CREATE TABLE \"left\" (\"Mixed Case\" INT)", columns.join(", "));
    let case = Case::new(&source);
    let tables = case.made(0);
    // No word is quoted that the server itself would not quote.
    let quoted = "SELECT count(*) FROM pg_attribute WHERE attrelid = '\"select\"'::regclass AND attnum > 0 AND quote_ident(attname) <> attname";
    let own = tables.text.lines().filter(|line| line.starts_with("    \"") && line.contains(" bigint")).count();
    assert_eq!(own.to_string(), case.target.value(&format!("SELECT 1 + ({quoted})")), "{}", tables.text);
}

#[test]
fn a_name_of_64_bytes_is_refused_and_that_of_an_index_is_shortened() {
    let long = "é".repeat(32);
    let case = Case::new(&format!("CREATE TABLE t (\"{long}\" INT); CREATE TABLE \"{long}x\" (a INT);"));
    case.command(&[]).exits(3).says(&["has more than 63 bytes", "ALTER TABLE ... RENAME TO"]);
    let exact = "x".repeat(63);
    let source = format!(
        "CREATE TABLE {exact} (id INTEGER PRIMARY KEY, {exact} INT UNIQUE); CREATE INDEX {exact}yz ON {exact} (id, {exact});"
    );
    let case = Case::new(&source);
    case.made(0).states(&["changed: index", "because PostgreSQL has none of more than 63 bytes"]);
    assert_eq!(case.indexes().len(), 1);
}

#[test]
fn names_that_postgresql_would_give_to_keys_and_sequences_may_be_taken() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT UNIQUE, b INT);
         CREATE TABLE t_id_seq (a INT);
         CREATE TABLE t_pkey (a INT);
         CREATE INDEX t_a_key ON t (b);",
    );
    case.made(0);
    assert_eq!(case.target.value("INSERT INTO t (a) VALUES (1) RETURNING id"), "1");
}

#[test]
fn names_that_postgresql_does_not_have_are_refused_with_the_way_out() {
    let case =
        Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY, xmin INT, XMAX INT, \"\" INT); CREATE TABLE \"\" (a INT);");
    case.command(&[]).exits(3).says(&[
        "column `t.xmin`: every table of PostgreSQL has a column of this name already",
        "column `t.`: the name is empty",
        "table ``: the name is empty",
        "ALTER TABLE ... RENAME COLUMN",
    ]);
    let case = Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY, XMAX INT); CREATE INDEX \"\" ON t (XMAX);");
    case.made(0).states(&["because PostgreSQL has no empty name"]);
    assert_eq!(case.indexes(), ["CREATE INDEX t_idx ON public.t USING btree (\"XMAX\")"]);
}

#[test]
fn names_of_checks_may_be_those_that_postgresql_would_give() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT NOT NULL UNIQUE, b INT REFERENCES t, CHECK (a > 0), CHECK (b > 0),
                         CONSTRAINT t_check CHECK (a < 9), CONSTRAINT t_a_check CHECK (a < 8), CONSTRAINT t_a_key CHECK (a < 7),
                         CONSTRAINT t_pkey CHECK (a < 6), CONSTRAINT t_b_fkey CHECK (b < 6), CONSTRAINT t_a_not_null CHECK (b < 7));",
    );
    case.made(0);
    let checks = "SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype";
    assert_eq!(case.target.value(&format!("{checks} = 'c'")), "8");
    assert_eq!(case.target.value(&format!("{checks} IN ('p', 'u', 'f')")), "3");
}

#[test]
fn hostile_names_neither_end_a_comment_nor_control_the_terminal() {
    let case = Case::new(
        "CREATE TABLE \"a\nDROP TABLE b; --\" (\"c\"\"\u{1b}[2J\\\" TEXT DEFAULT 'x\u{1b}y', \":d\" INT, \"\u{202e}\" INT);
         CREATE VIEW \"v\nDROP TABLE w\" AS SELECT '\n; DROP TABLE w; \u{1b}' AS x;",
    );
    let tables = case.made(0);
    assert!(!tables.text.contains('\u{1b}') && !tables.text.contains('\u{202e}'), "{}", tables.text);
    let names = "SELECT string_agg(attname, '|' ORDER BY attnum) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
                 WHERE attnum > 0 AND relname = E'a\\nDROP TABLE b; --'";
    assert_eq!(case.target.value(names), "c\"\u{1b}[2J\\|:d|\u{202e}");
}

#[test]
fn five_hundred_tables_and_two_thousand_columns_are_no_problem() {
    let tables: Vec<String> = (0..500)
        .map(|n| format!("CREATE TABLE t{n} (id INTEGER PRIMARY KEY, up INT REFERENCES t{} (id))", (n + 1) % 500))
        .collect();
    let case = Case::new(&tables.join(";"));
    case.made(0);
    assert_eq!(case.constraints().len(), 1_000);
    // PostgreSQL has at most 1,600 columns.
    let columns: Vec<String> = (0..1_500).map(|n| format!("c{n} DATETIME")).collect();
    let case = Case::new(&format!(
        "CREATE TABLE wide ({}); INSERT INTO wide (c0, c1499) VALUES (1700000000, '2024-01-02');",
        columns.join(", ")
    ));
    case.made(0);
    assert_eq!(case.columns("wide")[1_499], "c1499 timestamp without time zone");
    let columns: Vec<String> = (0..2_000).map(|n| format!("c{n}")).collect();
    let case = Case::new(&format!("CREATE TABLE wider ({})", columns.join(", ")));
    case.command(&[]).exits(3).says(&["`wider`", "2,000 columns", "1,600"]);
}

#[test]
fn a_table_whose_text_was_edited_is_still_listed() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
         INSERT INTO t VALUES (1, 'x');
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'a TEXT)', 'a TEXT) /* unended');
         PRAGMA writable_schema = OFF;",
    );
    case.made(0);
    assert_eq!(case.columns("t"), ["id bigint NOT NULL identity", "a text"]);
}
