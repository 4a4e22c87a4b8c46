//! Taking a run back: exactly its rows, its owner, its sequences; and where that cannot be known, a refusal that says so.

use super::chaos::proxy::{Fault, Proxy};
use super::support::case::Case;
use super::support::postgres;

/// Everything that a rollback must leave as it was: rows of the tables, and what sequences hand out next.
fn state(case: &Case, tables: &[&str], sequences: &[&str]) -> Vec<String> {
    let rows = |table: &&str| {
        case.target.value(&format!("SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '-') FROM {table} t"))
    };
    let next = |name: &&str| case.target.value(&format!("SELECT last_value + is_called::int FROM {name}"));
    tables.iter().map(rows).chain(sequences.iter().map(next)).collect()
}

#[track_caller]
fn rollback(case: &Case, code: i32) -> serde_json::Value {
    let url = case.target.url();
    case.place.migrate(["rollback", "--yes", "--json", "-t", &url]).exits(code).json()
}

/// A move there and back leaves these as they were; with the report of the way back.
#[track_caller]
fn there_and_back(case: &Case, code: i32, tables: &[&str], sequences: &[&str]) -> serde_json::Value {
    let before = state(case, tables, sequences);
    case.exits(code, &["--yes"]);
    assert_ne!(state(case, tables, sequences), before, "nothing moved");
    let report = rollback(case, 0);
    assert_eq!(state(case, tables, sequences), before);
    assert_eq!(report["state"], "RolledBack");
    // And again, from the beginning.
    case.exits(code, &["--yes"]);
    report
}

/// A refusal that names this, and leaves all as it is.
#[track_caller]
fn is_refused(case: &Case, tables: &[&str], says: &[&str]) {
    let before = state(case, tables, &[]);
    let report = rollback(case, 3);
    let refusals = report["refusals"].to_string();
    for part in says {
        assert!(refusals.contains(part), "`{part}` is missing in {refusals}");
    }
    assert_eq!(state(case, tables, &[]), before);
}

const PLAIN: &str =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)";

#[test]
fn issued_ids_of_several_columns_go_and_their_sequences_go_back() {
    let target = "CREATE TABLE t (id serial PRIMARY KEY, other serial, n int); INSERT INTO t (n) VALUES (10), (10)";
    let mapping = "[load.t]\nexisting = \"append\"\n[load.t.columns]\nid = { omit = true }\nother = { omit = true }\n\
                   [leave]\nt = { id = \"new ones are issued\" }\n";
    let case = Case::new(PLAIN, target, mapping);
    there_and_back(&case, 0, &["t"], &["t_id_seq", "t_other_seq"]);
}

#[test]
fn rows_that_the_server_refused_are_left_out_though_others_have_issued_ids() {
    let source = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (-1), (3), (-4), (5)";
    let target = "CREATE TABLE t (id serial PRIMARY KEY, n int CHECK (n > 0))";
    let case = Case::new(source, target, "[defaults]\non_fault = \"quarantine\"\n[load.t]\n");
    there_and_back(&case, 6, &["t"], &["t_id_seq"]);
}

#[test]
fn what_stood_in_for_orphans_goes_too() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER); INSERT INTO c VALUES (1, 1), (2, 99), (3, NULL)";
    let target = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p)";
    let mapping = "[load.p]\n[load.c]\n[load.c.columns]\np_id = { if_orphan = { null = true } }\n";
    let case = Case::new(source, target, mapping);
    there_and_back(&case, 0, &["p", "c"], &[]);
}

#[test]
fn a_row_that_was_there_and_is_equal_stays() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (2, 20)";
    let case = Case::new(PLAIN, target, "[load.t]\nconflict = { skip = [\"id\"] }\n");
    there_and_back(&case, 0, &["t"], &[]);
}

#[test]
fn an_owner_that_the_run_made_goes_and_its_sequence_goes_back() {
    let target =
        "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO users (name) VALUES ('kim');
        CREATE TABLE t (id serial PRIMARY KEY, n int, user_id int NOT NULL REFERENCES users)";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(PLAIN, target, mapping);
    let report = there_and_back(&case, 0, &["t", "users"], &["users_id_seq", "t_id_seq"]);
    assert!(report["warnings"].to_string().contains("the row that the run made is out"), "{report}");
}

#[test]
fn a_sequence_that_moved_since_is_a_refusal() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id serial PRIMARY KEY, n int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("SELECT nextval('t_id_seq')");
    is_refused(&case, &["t"], &["sequence public.t_id_seq", "ids were drawn from it since", "Nothing was taken out"]);
}

#[test]
fn a_sequence_that_is_another_role_s_stays_and_that_is_said() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id serial PRIMARY KEY, n int)", "[load.t]\n");
    let database = case.target.name();
    case.target.run(&format!(
        "CREATE ROLE guest LOGIN; GRANT CREATE, TEMP ON DATABASE {database} TO guest; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO guest; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO guest"
    ));
    let url = case.target.url_of("guest");
    case.place.migrate(["--yes", "--detach=never", "-t", &url]).exits(0);
    let report = case.place.migrate(["rollback", "--yes", "--json", "-t", &url]).exits(0).json();
    assert_eq!(case.target.count("t"), 0);
    assert_eq!(case.target.value("SELECT nextval('t_id_seq')"), "4");
    assert!(report["warnings"].to_string().contains("stays where it is: setting it back takes its owner"), "{report}");
    case.target.run("DROP OWNED BY guest; DROP ROLE guest");
}

#[test]
fn a_row_that_changed_since_is_a_refusal() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id int PRIMARY KEY, n int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("UPDATE t SET n = 21 WHERE id = 2");
    is_refused(&case, &["t"], &["load.t", "1 of its 3 rows are not there any more, or not as they were written"]);
}

#[test]
fn a_row_of_somebody_else_s_that_refers_to_ours_is_a_refusal() {
    let target =
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE later (t_id int REFERENCES t ON DELETE CASCADE)";
    let case = Case::new(PLAIN, target, "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("INSERT INTO later VALUES (2)");
    is_refused(&case, &["t", "later"], &["load.t", "rows of public.later", "later_t_id_fkey"]);
}

#[test]
fn a_process_that_was_taken_over_takes_nothing_off_and_nothing_back() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE INDEX t_n ON t (n)";
    let case = Case::new(PLAIN, target, "[load.t]\n");
    let overtaken = "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          UPDATE migrate.run SET epoch = epoch + 1; RETURN NEW; END $$;
        CREATE TRIGGER overtake AFTER INSERT ON migrate.backend FOR EACH ROW EXECUTE FUNCTION overtake()";
    case.exits(0, &["--yes"]);
    case.target.run(overtaken);
    let before = state(&case, &["t"], &[]);
    let report = rollback(&case, 4);
    assert!(report["refusals"].to_string().contains("another process took this run over"), "{report}");
    assert_eq!(state(&case, &["t"], &[]), before);
    case.target.run("DROP TRIGGER overtake ON migrate.backend");
    rollback(&case, 0);
    case.target.run("CREATE TRIGGER overtake AFTER INSERT ON migrate.backend FOR EACH ROW EXECUTE FUNCTION overtake()");
    let report = case.exits(4, &["--yes", "--detach=always", "--jobs=1"]);
    assert!(report["refusals"].to_string().contains("another process took this run over"), "{report}");
    assert_eq!(case.target.count("migrate.detached WHERE NOT back"), 0);
    case.target.run("DROP TRIGGER overtake ON migrate.backend");
    case.exits(0, &["--yes"]);
}

#[test]
fn every_commit_whose_answer_is_lost_is_tried_again_there_and_back() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'a'), (2, 'b');
        CREATE TABLE c (p_id INTEGER, said TEXT);
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40)
        INSERT INTO c SELECT 1 + n % 2, 'said ' || n FROM n";
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE);
        CREATE TABLE p (id serial PRIMARY KEY, name text, user_id int NOT NULL REFERENCES users);
        CREATE TABLE c (id serial PRIMARY KEY, p_id int NOT NULL REFERENCES p, said text);
        CREATE INDEX c_said ON c (said)";
    let mapping = "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.p]\nowner = \"user_id\"\n[load.c]\n";
    let proxy = Proxy::before(postgres::socket());
    let (tables, sequences) = (["users", "p", "c"], ["users_id_seq", "p_id_seq", "c_id_seq"]);
    let mut commits = 1..;
    loop {
        let commit = commits.next().expect("a number");
        let case = Case::new(source, target, mapping);
        let before = state(&case, &tables, &sequences);
        let url = proxy.url(case.target.name());
        let there = ["--yes", "--json", "--detach=always", "--jobs=1", "--batch-rows=20", "-t", &url];
        proxy.expect([Fault::AnswerLost { commit }]);
        case.place.migrate(there).exits(0);
        let lost = proxy.happened();
        assert_eq!(
            (case.target.count("users"), case.target.count("p"), case.target.count("c")),
            (1, 2, 40),
            "{commit}"
        );
        assert_eq!(case.target.value("SELECT count(DISTINCT said) FROM c"), "40", "{commit}");
        proxy.expect([Fault::AnswerLost { commit }]);
        let back = case.place.migrate(["rollback", "--yes", "--json", "-t", &url]).exits(0).json();
        assert_eq!(state(&case, &tables, &sequences), before, "{commit}");
        assert!(back["warnings"].to_string().contains("40 rows are out"), "{commit}: {back}");
        if lost == 0 {
            assert!(commit > 8, "only {commit} commits");
            break;
        }
    }
}
