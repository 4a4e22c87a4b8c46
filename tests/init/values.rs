//! Lines that the values of a column prove, from the proposal to the rows of the target.

use super::{Pair, replaced};

/// The proposal has these lines and no question, and the run with it ends with this value.
#[track_caller]
fn arrives(source: &str, target: &str, lines: &[&str], query: &str, value: &str) {
    let pair = Pair::new(source, target);
    let proposal = pair.proposed(&[]);
    proposal.has(lines);
    proposal.ran.says(&["Complete: the dry run refuses nothing"]);
    pair.with_mapping(&proposal.text, &["--yes"]).exits(0).says(&["Done and verified."]);
    assert_eq!(pair.target.value(query), value);
}

#[test]
fn the_byte_order_of_uuids_is_proved_or_asked_for() {
    let target = "CREATE TABLE a (id int PRIMARY KEY, u uuid); CREATE TABLE b (id int PRIMARY KEY, u uuid, w uuid);";
    let source = |a: &str, b: &str, c: &str| {
        format!(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, u BLOB); INSERT INTO a VALUES (1, {a}), (2, NULL);
             CREATE TABLE b (id INTEGER PRIMARY KEY, u BLOB, w BLOB); INSERT INTO b VALUES (1, {b}, {c});"
        )
    };
    // The version of the first value fits both orders, that of the others one.
    let (both, rfc, dotnet, none) = (
        "x'a0eebc999c0b4e18bb6d6bb9bd380a11'",
        "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'",
        "x'99bceea00b9cf84ebb6d6bb9bd380a11'",
        "x'00000000000000000000000000000001'",
    );
    let proof = "SELECT a.u || ' ' || b.u FROM a JOIN b USING (id)";
    let text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let same = "a0eebc99-9c0b-4e18-bb6d-6bb9bd380a11";
    arrives(&source(rfc, both, "NULL"), target, &["[load.b]"], proof, &format!("{text} {same}"));
    arrives(
        &source(dotnet, "x'99bceea00b9c184ebb6d6bb9bd380a11'", "NULL"),
        target,
        &["u = { bytes = \"dotnet\" }"],
        proof,
        &format!("{text} {same}"),
    );
    for (values, questions) in [((both, both, none), 3), ((rfc, both, none), 1), ((dotnet, rfc, both), 1)] {
        let pair = Pair::new(&source(values.0, values.1, values.2), target);
        let proposal = pair.proposed(&[]);
        assert_eq!(proposal.questions(), questions, "{}", proposal.text);
        assert!(
            proposal.text.contains("1 of 1 value: blobs of 16 bytes do not prove their byte order"),
            "{}",
            proposal.text
        );
        let answered: Vec<String> = proposal
            .text
            .lines()
            .map(|line| match line.split_once(" = { \"?\" = ") {
                Some((key, _)) if !line.starts_with('#') => format!("{key} = {{ bytes = \"rfc\" }}"),
                _ => line.to_owned(),
            })
            .collect();
        pair.with_mapping(&answered.join("\n"), &["--yes"]).exits(0).says(&["Done and verified."]);
    }
}

#[test]
fn digits_that_a_text_column_stores_are_times_in_one_unit() {
    arrives(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, late TEXT);
         INSERT INTO t VALUES (1, '1700000000123', '1700000000'), (2, '1700003600000', 1700000001.5);",
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, late timestamp);",
        &["at = { epoch = \"ms\" }", "late = { epoch = \"s\" }"],
        "SELECT string_agg(concat_ws(' ', at AT TIME ZONE 'UTC', late), ', ' ORDER BY id) FROM t",
        "2023-11-14 22:13:20.123 2023-11-14 22:13:20, 2023-11-14 23:13:20 2023-11-14 22:13:21.5",
    );
}

#[test]
fn digits_that_are_dates_and_digits_that_are_numbers_are_a_question() {
    let pair = Pair::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT);
         INSERT INTO t VALUES (1, '1700000000'), (2, '20240131');",
        "CREATE TABLE t (id int PRIMARY KEY, at timestamp);",
    );
    let proposal = pair.proposed(&[]);
    assert_eq!(proposal.questions(), 1, "{}", proposal.text);
    assert!(proposal.text.contains("2 of 2 values: not-a-time"), "{}", proposal.text);
    // With the modifier alone, the second value would be a day of 1970.
    let mapping = replaced(
        &proposal.text,
        "at = ",
        "at = { sql = \"CASE WHEN length(at) = 8 THEN substr(at, 1, 4) || '-' || substr(at, 5, 2) || '-' || substr(at, 7) ELSE datetime(at, 'unixepoch') END\" }",
    );
    pair.with_mapping(&mapping, &["--yes"]).exits(0).says(&["Done and verified."]);
    assert_eq!(
        pair.target.value("SELECT string_agg(at::text, ', ' ORDER BY id) FROM t"),
        "2023-11-14 22:13:20, 2024-01-31 00:00:00"
    );
}

#[test]
fn words_for_true_and_false_become_one_and_zero_only_as_a_pair() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, done int, sent smallint)";
    arrives(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, done TEXT, sent TEXT);
         INSERT INTO t VALUES (1, 't', 'No'), (2, 'f', NULL), (3, 't', 'Yes');",
        target,
        &["done = { map = { \"f\" = 0, \"t\" = 1 } }", "sent = { map = { \"No\" = 0, \"Yes\" = 1 } }"],
        "SELECT string_agg(done || coalesce(sent::text, '-'), ' ' ORDER BY id) FROM t",
        "10 0- 11",
    );
    // One word alone, two spellings of one word, a word next to numbers, words of two pairs.
    for values in [
        "(1, 'Y', 0), (2, 'Y', 0)",
        "(1, 'T', 0), (2, 't', 0), (3, 'F', 0)",
        "(1, 'Y', 0), (2, 7, 0), (3, 'N', 0)",
        "(1, 'Y', 0), (2, 'f', 0)",
    ] {
        let source =
            format!("CREATE TABLE t (id INTEGER PRIMARY KEY, done TEXT, sent INTEGER); INSERT INTO t VALUES {values};");
        let proposal = Pair::new(&source, target).proposed(&[]);
        assert_eq!(proposal.questions(), 1, "{values}: {}", proposal.text);
    }
}

#[test]
fn two_readings_of_one_column_are_a_question_and_never_two_values_of_one_key() {
    let pair = Pair::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v);
         INSERT INTO t VALUES (1, '1.5,2.5'), (2, x'0000c03f000000bf');",
        "CREATE TABLE t (id int PRIMARY KEY, v real[]);",
    );
    let proposal = pair.proposed(&[]);
    assert_eq!(proposal.questions(), 1, "{}", proposal.text);
    assert!(proposal.text.contains("1 of 2 values: blobs need array = "), "{}", proposal.text);
}

#[test]
fn every_table_states_its_class_and_a_table_with_rows_its_choices() {
    let pair = Pair::new(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO notes VALUES (1, 'x');
         CREATE TABLE lines (id INTEGER PRIMARY KEY, note_id INTEGER, word TEXT); INSERT INTO lines VALUES (1, 1, 'x');
         CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO tags VALUES (1, 'x');
         CREATE TABLE kinds (code TEXT PRIMARY KEY, name TEXT); INSERT INTO kinds VALUES ('a', 'x');",
        "CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE); INSERT INTO users (username) VALUES ('ann');
         CREATE TABLE notes (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, title text);
         CREATE TABLE lines (id serial PRIMARY KEY, note_id int REFERENCES notes, word text);
         CREATE TABLE tags (id serial PRIMARY KEY, name text); INSERT INTO tags (name) VALUES ('y');
         CREATE TABLE kinds (code text PRIMARY KEY, name text NOT NULL UNIQUE); INSERT INTO kinds VALUES ('b', 'y');",
    );
    let proposal = pair.proposed(&["--owner", "users.username=ann"]);
    proposal.has(&["owner = \"user_id\"", "owner = { through = \"note_id\" }"]);
    let shared = "# Shared: no foreign key refers to users, or to a row that has an owner.\n";
    assert_eq!(proposal.text.matches(&format!("{shared}[load.tags]\n")).count(), 1, "{}", proposal.text);
    assert_eq!(proposal.text.matches(shared).count(), 2, "{}", proposal.text);
    let question = proposal.text.lines().filter(|line| line.starts_with("existing = { \"?\"")).collect::<Vec<_>>();
    assert_eq!(question.len(), 2, "{}", proposal.text);
    // The ids of tags can be shifted, the texts of kinds cannot.
    assert_eq!(question.iter().filter(|line| line.contains("ids = \\\"shift\\\"")).count(), 1, "{question:?}");
    let answered: String = proposal
        .text
        .lines()
        .map(|line| match line.contains("shift") {
            true => "existing = \"append\"\nids = \"shift\"\n".to_owned(),
            false if line.starts_with("existing = ") => "existing = \"append\"\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    pair.with_mapping(&answered, &["--yes"]).exits(0).says(&["Done and verified."]);
    assert_eq!(pair.target.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM tags"), "2 2");
}
