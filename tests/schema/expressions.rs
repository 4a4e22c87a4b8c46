//! Expressions: CHECK constraints, generated columns, indexes and defaults have the same effect on both sides, or are refused.

use migrate::init::TimeForm;
use migrate::model::pgtype::Kind;
use migrate::schema::expression::{Scope, ScopeColumn, UniformTime, ValueSort, expression};
use migrate::schema::tokens::tokens;

use super::Case;

fn moment(kind: Kind, text: &str) -> Option<UniformTime> {
    TimeForm::of(text.as_bytes()).map(|form| UniformTime { kind, form })
}

/// A table whose columns have one class each.
pub fn scope() -> Scope {
    let column = |name: &str, sort: ValueSort, collation: &str| ScopeColumn {
        name: name.to_owned(),
        sort,
        collation: collation.to_owned(),
        is_json: name == "doc",
        ..ScopeColumn::default()
    };
    let columns = vec![
        column("i", ValueSort::Integer, "BINARY"),
        column("j", ValueSort::Integer, "BINARY"),
        column("r", ValueSort::Real, "BINARY"),
        column("d", ValueSort::Decimal, "BINARY"),
        column("t", ValueSort::Text, "BINARY"),
        column("u", ValueSort::Text, "BINARY"),
        column("n", ValueSort::Text, "NOCASE"),
        column("z", ValueSort::Text, "RTRIM"),
        column("b", ValueSort::Truth, "BINARY"),
        column("x", ValueSort::Blob, "BINARY"),
        column("doc", ValueSort::Opaque, "BINARY"),
        ScopeColumn {
            moment: moment(Kind::Timestamp { precision: 6 }, "2024-01-02 03:04:05.678"),
            ..column("at", ValueSort::Moment, "BINARY")
        },
        ScopeColumn { moment: moment(Kind::Date, "2024-01-02"), ..column("day", ValueSort::Moment, "BINARY") },
        ScopeColumn {
            moment: moment(Kind::Timestamptz { precision: 6 }, "2024-01-02T03:04:05Z"),
            ..column("utc", ValueSort::Moment, "BINARY")
        },
    ];
    Scope { columns, rowid: Some("i".to_owned()), ..Scope::default() }
}

#[test]
fn what_has_no_exact_translation_is_refused_with_its_reason() {
    for (sql, why) in [
        ("t = 1", "SQLite compares a text and an integer by their classes"),
        ("t", "a text as a condition depends on its digits"),
        ("i || r", "the text of a double has another form"),
        ("CAST(t AS INTEGER)", "reads digits as SQLite does"),
        ("round(t)", "round of anything but a number"),
        ("round(r, 2)", "round to decimal places depends on digits of a double"),
        ("strftime('%W', at)", "a part of the format of strftime is not translated"),
        ("strftime(t, at)", "its format is no literal"),
        ("date(day, '+1 month')", "the modifier +1 month is not translated"),
        ("date(day, '+400 days')", "move a time by more than 366 days"),
        ("date(day, t)", "a modifier of it is no literal"),
        ("date(i, 'unixepoch')", "the function date is not translated for these values"),
        ("date('now') = t", "the function date is not translated for these values"),
        ("at = '2024-01-02'", "has another form than the times"),
        ("day > '2024-02-30'", "has another form than the times"),
        ("at = day", "SQLite compares a time and a time by their classes"),
        ("day IN ('2024-01-02')", "SQLite compares a time and a text by their classes"),
        ("max(at, at) IS NULL", "its values have another form in SQLite"),
        ("quote(t)", "the function quote is not translated"),
        ("substr(t, i)", "no literal that both count alike"),
        ("substr(t, 0, 2)", "no literal that both count alike"),
        ("d + 1", "a decimal number is no integer"),
        ("r % 2", "is one between integers in SQLite"),
        ("r = i", "SQLite compares a double and an integer by their classes"),
        ("i << j", "SQLite shifts by any number of bits"),
        ("iif(b, i, t)", "its value is an integer or a text"),
        ("max(n, t)", "max compares by the collation of a column"),
        ("t LIKE 'a%' ESCAPE '%'", "its ESCAPE has a meaning of its own"),
        ("t GLOB u", "its pattern is no literal"),
        ("t REGEXP 'a'", "REGEXP is not translated"),
        ("t MATCH 'a'", "MATCH is not translated"),
        ("date(t, '+1 day')", "the function date is not translated"),
        ("doc ->> '$.a'", "->> is not translated"),
        ("json_valid(t)", "json_valid of anything but a column of jsonb"),
        ("(i, j) = (1, 2)", "a row of values is not translated"),
        ("i IN (SELECT 1)", "a subquery is not translated"),
        ("nowhere = 1", "there is no column nowhere"),
        ("t COLLATE german = 'a'", "the collation GERMAN belongs to the application"),
        ("random() > 0", "the function random is not translated"),
        ("i AND", "it ends too early"),
    ] {
        let found = tokens(sql).ok_or("no tokens".to_owned()).and_then(|all| expression(&all));
        let found = found.and_then(|tree| scope().translate(&tree)?.truth());
        match found {
            Err(reason) => assert!(reason.contains(why), "{sql}: {reason}"),
            Ok(found) => panic!("{sql} is translated to {}", found.sql),
        }
    }
    let deep = format!("{}i{}", "(".repeat(500), ")".repeat(500));
    assert!(expression(&tokens(&deep).expect("tokens")).is_err());
}

#[test]
fn checks_reject_the_same_rows_and_generated_columns_have_the_same_values() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE CONSTRAINT named CHECK (length(trim(name)) > 0),
                         qty INT CHECK (qty BETWEEN 0 AND 10 OR qty IS NULL), flag BOOLEAN CHECK (flag IN (0, 1)), doc JSON,
                         kind TEXT CHECK (typeof(kind) = 'text' AND kind IN ('a', \"b\")),
                         label TEXT GENERATED ALWAYS AS (upper(name) || '-' || qty) STORED,
                         total AS (qty * 2), slow TEXT AS (printf('%d', qty)), again TEXT AS (label || 'x'),
                         CHECK (json_valid(doc) OR doc IS NULL), CHECK (name <> 'Zoé' AND kind LIKE 'A%' OR flag));
         INSERT INTO t (name, qty, flag, doc, kind) VALUES ('ann', 3, 1, '{}', 'a'), ('Élan', NULL, 0, NULL, 'a'), (NULL, 0, 1, '1', 'b');
         CREATE INDEX by_name ON t (lower(name), qty DESC) WHERE flag AND qty > 0;
         CREATE UNIQUE INDEX one_open ON t (kind) WHERE flag = 0;
         CREATE INDEX by_word ON t (instr(name, ' '));",
    );
    let tables = case.made(6);
    tables.states(&[
        "kept: CHECK named",
        "kept: generated column label",
        "changed: generated column total: arithmetic that leaves the range of its type is an error",
        "left out: generated column slow: the column is an ordinary one, which receives its values: the function printf",
        "left out: generated column again: the column is an ordinary one, which receives its values: label is a generated column, too",
        "kept: index one_open",
    ]);
    assert_eq!(
        case.indexes(),
        [
            "CREATE INDEX by_name ON public.t USING btree (lower((name COLLATE \"C\")), qty DESC) WHERE (flag AND (qty > 0))",
            "CREATE INDEX by_word ON public.t USING btree (strpos(name, ' '::text))",
            "CREATE UNIQUE INDEX one_open ON public.t USING btree (kind) WHERE (NOT flag)",
        ]
    );
    let insert = |values: &str| format!("INSERT INTO t (name, qty, flag, doc, kind) VALUES ({values})");
    for (values, is_accepted) in [
        ("'ann', 3, true, '{}', 'a'", true),
        ("'  ', 3, true, NULL, 'a'", false),
        ("'x', 11, true, NULL, 'a'", false),
        ("'x', NULL, true, NULL, 'c'", false),
        ("'zoé', 1, false, NULL, 'a'", false),
        ("'ZOÉ', 1, false, NULL, 'a'", true),
        ("NULL, NULL, NULL, NULL, 'b'", true),
    ] {
        let accepted = case.target.client().batch_execute(&insert(values)).is_ok();
        assert_eq!(accepted, is_accepted, "{values}");
        let sqlite = rusqlite::Connection::open(case.place.path("app.db")).expect("a file");
        sqlite.execute_batch("DROP INDEX one_open").expect("no unique index");
        assert_eq!(sqlite.execute_batch(&insert(values)).is_ok(), is_accepted, "{values}");
        sqlite
            .execute_batch("DELETE FROM t WHERE id > 3; CREATE UNIQUE INDEX one_open ON t (kind) WHERE flag = 0")
            .expect("as before");
    }
    assert_eq!(
        case.target.value("SELECT string_agg(label || ' ' || total, ',' ORDER BY id) FROM t WHERE qty = 3"),
        "ANN-3 6"
    );
}
