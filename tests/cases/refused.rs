//! Shapes of real applications that are refused: the exit status, the reason, and a target in which nothing was written.

use crate::support::case::{Case, faults};

/// The load of a source in SQL.
fn of_script(source: &str, target: &str, mapping: &str) -> Case {
    let case = Case::new("CREATE TABLE none (a)", target, "");
    case.place.write("source.sql", source);
    case.place.write(
        "migrate.toml",
        format!("format = 1\nname = \"case\"\n[source]\npath = \"source.sql\"\nzone = \"UTC\"\n{mapping}"),
    );
    case
}

const QUIZ: &str = "CREATE TABLE questions (id text PRIMARY KEY, body text NOT NULL);
    CREATE TABLE answers (id text PRIMARY KEY, question_id text NOT NULL REFERENCES questions, correct boolean NOT NULL)";

const QUIZ_LOADS: &str = "[load.questions]\n[load.answers]\n";

#[test]
fn a_row_that_fails_a_check_stops_dry_run_and_cutover_before_any_table() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'bad');
        CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO b VALUES (1, 'x')";
    let target = "CREATE TABLE a (id int PRIMARY KEY, v text CONSTRAINT no_bad CHECK (v <> 'bad'));
        CREATE TABLE b (id int PRIMARY KEY, v text)";
    let case = Case::new(source, target, "[load.a]\n[load.b]\n");
    case.refused(&["no_bad"]);
    assert_eq!(faults(&case.exits(3, &["--yes"])), [("a".to_owned(), 2, None, "check-failed".to_owned())]);
}

#[test]
fn an_export_without_a_table_that_its_rows_refer_to_is_refused_by_name() {
    let source = "PRAGMA defer_foreign_keys=TRUE;
        CREATE TABLE IF NOT EXISTS \"answers\" (\"id\" text PRIMARY KEY NOT NULL,
          \"question_id\" text NOT NULL REFERENCES questions(id) ON DELETE cascade, \"correct\" integer NOT NULL);
        INSERT INTO \"answers\" VALUES('a1','q1','true');";
    of_script(source, QUIZ, QUIZ_LOADS).refused(&["the source has no table `questions`"]);
    of_script(source, QUIZ, "[load.answers]\n").refused(&["orphan"]);
}

#[test]
fn a_dump_of_a_damaged_database_is_refused() {
    let head = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE questions (id text PRIMARY KEY, body text);
        CREATE TABLE answers (id text PRIMARY KEY, question_id text, correct integer);\n";
    let comment = "/****** CORRUPTION ERROR *******/\n/****** database disk image is malformed ******/\n";
    for (end, says) in [
        (format!("{comment}ROLLBACK; -- due to errors\n"), "rolls itself back"),
        (format!("{comment}COMMIT;\n"), "reports an error before it"),
        ("ROLLBACK;\n".to_owned(), "rolls itself back"),
        (String::new(), "does not commit"),
    ] {
        of_script(&format!("{head}{end}"), QUIZ, QUIZ_LOADS).refused(&[says]);
    }
}

#[test]
fn a_table_that_a_query_reads_is_copied_by_no_other_load() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')";
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text)";
    let copy = "[defaults]\nunlisted_tables = \"copy\"\n";
    let query = "to = \"t\"\nfrom = { sql = \"SELECT * FROM t WHERE id > 1\" }\n";
    let case = Case::new(source, target, &format!("{copy}[load.some]\n{query}"));
    let report = case.done();
    assert_eq!(case.ids("t"), [2]);
    assert_eq!((&report["left"][0]["table"], &report["left"][0]["rows"]), (&"t".into(), &1.into()), "{report}");
    let twice = Case::new(source, target, &format!("[load.t]\n[load.t]\n{query}"));
    twice.command(&["--yes"]).exits(2);
    assert_eq!(twice.target.count("t"), 0);
}

#[test]
fn ids_that_mean_other_rows_on_the_target_are_refused_and_matched_by_name() {
    let source = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        INSERT INTO roles VALUES (1, 'admin'), (2, 'user');
        CREATE TABLE member (id INTEGER PRIMARY KEY, who TEXT, role_id INTEGER NOT NULL REFERENCES roles);
        INSERT INTO member VALUES (1, 'ann', 1), (2, 'bob', 2)";
    let target = "CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
        CREATE TABLE member (id serial PRIMARY KEY, who text, role_id int NOT NULL REFERENCES roles);
        INSERT INTO roles (name) VALUES ('user'), ('admin')";
    let skips = "[load.roles]\nexisting = \"append\"\nconflict = { skip = [\"id\"] }\n[load.member]\n";
    Case::new(source, target, skips).refused(&["2 of its ids are taken on the target by another row"]);
    Case::new(source, target, "[leave]\nroles = \"x\"\n[load.member]\n").refused(&["cannot be determined"]);
    let case = Case::new(source, target, "[load.roles]\nexisting = \"match\"\n[load.member]\n");
    case.done();
    let members = "SELECT who, name FROM member JOIN roles ON roles.id = role_id ORDER BY 1";
    assert_eq!(case.rows(members), ["ann admin", "bob user"]);
}
