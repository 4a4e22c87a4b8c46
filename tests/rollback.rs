//! Rollback: removes exactly the rows, the owner and the sequence values of a run, or is refused with the reason.

mod partitions;
mod several_batches;
mod without_index;
mod without_key;

use crate::chaos::proxy::{Fault, Proxy};
use crate::support::case::Case;
use crate::support::postgres;
use crate::support::tool::Ran;

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
fn an_owner_to_whose_table_no_foreign_key_refers_is_removed() {
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); CREATE TABLE t (id int PRIMARY KEY, n int, user_id int)";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(PLAIN, target, mapping);
    there_and_back(&case, 0, &["t", "users"], &["users_id_seq"]);
}

#[test]
fn rows_with_several_issued_ids_are_removed_and_their_sequences_reset() {
    let target = "CREATE TABLE t (id serial PRIMARY KEY, other serial, n int); INSERT INTO t (n) VALUES (10), (10)";
    let mapping = "[load.t]\nexisting = \"append\"\n[load.t.columns]\nid = { omit = true }\nother = { omit = true }\n\
                   [leave]\nt = { id = \"new ones are issued\" }\n";
    let case = Case::new(PLAIN, target, mapping);
    there_and_back(&case, 0, &["t"], &["t_id_seq", "t_other_seq"]);
}

#[test]
fn rows_refused_by_the_server_are_ignored_though_others_have_issued_ids() {
    let source = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (-1), (3), (-4), (5)";
    let target = "CREATE TABLE t (id serial PRIMARY KEY, n int CHECK (n > 0))";
    let case = Case::new(source, target, "[defaults]\non_fault = \"quarantine\"\n[load.t]\n");
    there_and_back(&case, 6, &["t"], &["t_id_seq"]);
}

#[test]
fn replacements_for_orphans_are_removed_too() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER); INSERT INTO c VALUES (1, 1), (2, 99), (3, NULL)";
    let target = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p)";
    let mapping = "[load.p]\n[load.c]\n[load.c.columns]\np_id = { if_orphan = { null = true } }\n";
    let case = Case::new(source, target, mapping);
    there_and_back(&case, 0, &["p", "c"], &[]);
}

#[test]
fn a_replaced_reference_is_removed_though_its_parent_was_added_later() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER, w TEXT); INSERT INTO c VALUES (1, 1, 'a'), (2, 99, 'b'), (3, 77, 'c')";
    let target =
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY, p_id int REFERENCES p, w text)";
    for (stand_in, ids) in [("{ null = true }", ""), ("1", ""), ("1", "id = { omit = true }\n")] {
        let leave = if ids.is_empty() { "" } else { "[leave]\nc = { id = \"new ids\" }\n" };
        let mapping =
            format!("[load.p]\n[load.c]\n[load.c.columns]\n{ids}p_id = {{ if_orphan = {stand_in} }}\n{leave}");
        let case = Case::new(source, target, &mapping);
        case.exits(0, &["--yes"]);
        case.target.run("INSERT INTO p VALUES (99)");
        case.command(&["verify"]).exits(0);
        rollback(&case, 0);
        assert_eq!((case.ids("p"), case.target.count("c")), (vec![99], 0), "{mapping}");
    }
}

#[test]
fn an_equal_row_from_before_the_run_stays() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (2, 20)";
    let case = Case::new(PLAIN, target, "[load.t]\nconflict = { skip = [\"id\"] }\n");
    there_and_back(&case, 0, &["t"], &[]);
}

#[test]
fn an_owner_created_by_the_run_is_removed_and_its_sequence_reset() {
    let target =
        "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO users (name) VALUES ('kim');
        CREATE TABLE t (id serial PRIMARY KEY, n int, user_id int NOT NULL REFERENCES users)";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(PLAIN, target, mapping);
    let report = there_and_back(&case, 0, &["t", "users"], &["users_id_seq", "t_id_seq"]);
    assert!(report["warnings"].to_string().contains("the row that the run made is removed"), "{report}");
}

#[test]
fn a_sequence_that_moved_since_the_run_stays_and_is_reported() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id serial PRIMARY KEY, n int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    let drawn = case.target.value("INSERT INTO t (n) VALUES (7) RETURNING id");
    let report = case.place.migrate(["rollback", "--yes", "--json", "-t", &case.target.url()]).exits(0).json();
    let words = report["warnings"].to_string();
    assert!(
        words.contains("sequence public.t_id_seq") && words.contains("ids were drawn from it since the run"),
        "{words}"
    );
    assert_eq!(case.ids("t"), [drawn.parse::<i64>().expect("an id")]);
    let next = case.target.value("SELECT nextval('t_id_seq')");
    assert!(next.parse::<i64>().expect("an id") > drawn.parse().expect("an id"), "{next} after {drawn}");
}

#[test]
fn a_sequence_of_another_role_stays_and_is_reported() {
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
    assert!(report["warnings"].to_string().contains("stays: only its owner may restore it"), "{report}");
    case.target.run("DROP OWNED BY guest; DROP ROLE guest");
}

#[test]
fn a_row_that_changed_since_the_run_is_a_refusal() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id int PRIMARY KEY, n int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("UPDATE t SET n = 21 WHERE id = 2");
    is_refused(&case, &["t"], &["load.t", "1 of its 3 rows were deleted or changed since"]);
}

#[test]
fn a_foreign_row_that_refers_to_a_loaded_row_is_a_refusal() {
    let target =
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE later (t_id int REFERENCES t ON DELETE CASCADE)";
    let case = Case::new(PLAIN, target, "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("INSERT INTO later VALUES (2)");
    is_refused(&case, &["t", "later"], &["load.t", "rows of public.later", "later_t_id_fkey"]);
}

#[test]
fn a_superseded_process_detaches_nothing_and_removes_nothing() {
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
fn every_commit_without_an_answer_is_retried_in_cutover_and_rollback() {
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
        assert!(back["warnings"].to_string().contains("40 rows are removed"), "{commit}: {back}");
        if lost == 0 {
            assert!(commit > 8, "only {commit} commits");
            break;
        }
    }
}

#[test]
fn a_run_rolled_back_before_its_end_is_not_done() {
    let case = Case::new(PLAIN, "CREATE TABLE t (id int PRIMARY KEY, n int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    rollback(&case, 0);
    // It waits where it says that it is done.
    case.target.run(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(77); RETURN NEW; END $$;
         CREATE TRIGGER wait BEFORE UPDATE ON migrate.run FOR EACH ROW WHEN (NEW.state = 'Done') EXECUTE FUNCTION wait()",
    );
    let mut gate = case.target.client();
    gate.batch_execute("SELECT pg_advisory_lock(77)").expect("the gate");
    let url = case.target.url();
    let late = case.place.migrate(["--yes", "--json", "-t", &url]).spawn();
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while case.target.value(waits) == "0" {
        std::thread::yield_now();
    }
    case.place.migrate(["rollback", "--yes", "--take-over", "-t", &url]).exits(0);
    gate.batch_execute("SELECT pg_advisory_unlock(77)").expect("the gate");
    let late = Ran::of_child(late);
    assert_eq!(case.target.count("t"), 0);
    assert_eq!(late.code, 4, "{}", late.said());
    let report = late.json();
    assert!(report["refusals"].to_string().contains("another process took this run over"), "{report}");
    assert_eq!(report["loads"], serde_json::json!([]), "rows that are out again");
}

#[test]
fn a_sequence_stays_if_the_owner_row_stays() {
    let target =
        "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); CREATE TABLE later (by int REFERENCES users);
        CREATE TABLE t (id serial PRIMARY KEY, n int, user_id int NOT NULL REFERENCES users)";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(PLAIN, target, mapping);
    case.exits(0, &["--yes"]);
    case.target.run("INSERT INTO later SELECT id FROM users");
    let report = rollback(&case, 0);
    assert_eq!((case.target.count("users"), case.target.count("t")), (1, 0));
    case.target.run("INSERT INTO users (name) VALUES ('kim'); INSERT INTO t (n, user_id) VALUES (1, 1)");
    let warnings = report["warnings"].to_string();
    for part in ["stays: other rows refer to it", "stays: existing rows may have their ids from it"] {
        assert!(warnings.contains(part), "`{part}` is missing in {warnings}");
    }
    case.place.migrate(["status", "-t", &case.target.url()]).exits(0).says(&[
        "owner: public.users",
        "sequence: public.users_id_seq",
        "Its rows are removed; the objects that are listed above stay.",
    ]);
}

#[test]
fn a_sequence_stays_past_a_row_inserted_since_the_run() {
    let source = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (10), (20), (-5), (40)";
    // A default that says its sequence as text depends on none.
    for default in ["nextval('s')", "nextval('s'::text)", "nextval('public.S'::text)"] {
        let target = format!(
            "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT {default}, n int CHECK (n > 0)); INSERT INTO t (n) VALUES (10)"
        );
        let case =
            Case::new(source, &target, "[defaults]\non_fault = \"quarantine\"\n[load.t]\nexisting = \"append\"\n");
        case.exits(4, &["--yes", "--jobs=1", "--batch-rows=1", "--skip-preflight", "--max-faults=0"]);
        case.target.run("INSERT INTO t (n) VALUES (30)");
        case.exits(6, &["--yes"]);
        let report = rollback(&case, 0);
        assert_eq!(case.target.value("SELECT string_agg(n::text, ' ' ORDER BY id) FROM t"), "10 30");
        let past = "SELECT (SELECT last_value FROM s) >= (SELECT max(id) FROM t)";
        assert_eq!(case.target.value(past), "t", "{default}: {report}");
    }
}

#[test]
fn triggers_disabled_for_the_load_are_disabled_for_the_rollback() {
    let target = "CREATE TABLE users (id int PRIMARY KEY, posts int); INSERT INTO users VALUES (1, 7);
        CREATE TABLE t (id int PRIMARY KEY, n int);
        CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          UPDATE public.users SET posts = posts + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END; RETURN NULL; END $$;
        CREATE TRIGGER counts AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION counts();
        CREATE TRIGGER every AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION counts();
        ALTER TABLE t ENABLE ALWAYS TRIGGER every;
        CREATE TRIGGER never AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION counts();
        ALTER TABLE t DISABLE TRIGGER never;
        CREATE RULE tells AS ON DELETE TO t DO ALSO UPDATE users SET posts = 0";
    let case = Case::new(PLAIN, target, "[load.t]\n");
    let switches = "SELECT string_agg(tgname || ' ' || tgenabled::text, ', ' ORDER BY tgname) FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid = 't'::regclass
        UNION ALL SELECT ev_enabled::text FROM pg_rewrite WHERE rulename = 'tells'";
    let before = case.target.rows(switches);
    there_and_back(&case, 0, &["t", "users"], &[]);
    rollback(&case, 0);
    assert_eq!(case.target.value("SELECT posts FROM users"), "7");
    assert_eq!(case.target.rows(switches), before);
}

#[test]
fn triggers_that_fired_for_the_load_fire_for_the_rollback() {
    let target = "CREATE TABLE users (id int PRIMARY KEY, posts int); INSERT INTO users VALUES (1, 7);
        CREATE TABLE t (id int PRIMARY KEY, n int);
        CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          UPDATE public.users SET posts = posts + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END; RETURN NULL; END $$;
        CREATE TRIGGER counts AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION counts()";
    let case = Case::new(PLAIN, target, "[load.t]\ntriggers = \"fire\"\n");
    there_and_back(&case, 0, &["t", "users"], &[]);
}

/// Columns that the run leaves to the server: to no default, to one that is the same in every row, to one that is not.
const LEFT: &str =
    "note text, kind text DEFAULT 'plain', made timestamptz DEFAULT now(), code uuid DEFAULT md5(random()::text)::uuid";

#[test]
fn a_change_in_a_column_that_was_not_sent_is_a_refusal() {
    for change in
        ["note = 'mine'", "kind = 'fancy'", "made = made + interval '1 day'", "code = md5(random()::text)::uuid"]
    {
        let case = Case::new(PLAIN, &format!("CREATE TABLE t (id int PRIMARY KEY, n int, {LEFT})"), "[load.t]\n");
        there_and_back(&case, 0, &["t"], &[]);
        case.target.run(&format!("UPDATE t SET {change} WHERE id = 2"));
        is_refused(
            &case,
            &["t"],
            &["load.t", "1 of its 3 rows", "changed since; the run did not send", "note, kind, made, code"],
        );
    }
}

#[test]
fn rows_with_unsent_columns_are_removed_though_neighbours_were_refused() {
    let source = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (-1), (3), (-4), (5)";
    let target = format!("CREATE TABLE t (id serial PRIMARY KEY, n int CHECK (n > 0), {LEFT})");
    let case = Case::new(source, &target, "[defaults]\non_fault = \"quarantine\"\n[load.t]\n");
    there_and_back(&case, 6, &["t"], &["t_id_seq"]);
}

#[test]
fn a_value_that_is_equal_but_not_the_same_is_a_refusal() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES (1, '1 day'), (2, '2 days')";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, n interval)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    case.target.run("UPDATE t SET n = '24:00:00' WHERE id = 1");
    is_refused(&case, &["t"], &["load.t", "1 of its 2 rows"]);
}

#[test]
fn an_owner_that_was_changed_since_stays() {
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE, mail text);
        CREATE TABLE t (id serial PRIMARY KEY, n int, user_id int NOT NULL REFERENCES users)";
    let mapping =
        "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(PLAIN, target, mapping);
    case.exits(0, &["--yes"]);
    case.target.run("UPDATE users SET mail = 'ada@example.com'");
    let report = rollback(&case, 0);
    assert_eq!(case.target.value("SELECT mail FROM users"), "ada@example.com");
    assert!(report["warnings"].to_string().contains("stays: it was written to since"), "{report}");
}

#[test]
fn detached_keys_are_reattached_before_published_rows_are_deleted() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20), (3, -30)";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0))", "[load.t]\n");
    case.exits(4, &["--yes", "--skip-preflight", "--detach=always", "--jobs=1", "--batch-rows=1"]);
    assert_eq!(case.target.count("t"), 2);
    assert_eq!(case.target.count("migrate.detached WHERE NOT back"), 1);
    case.target.run("CREATE PUBLICATION all_of_it FOR ALL TABLES");
    rollback(&case, 0);
    assert_eq!(case.target.count("t"), 0);
    case.target.run("INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO NOTHING");
}

#[test]
fn rolling_back_a_table_without_a_key_takes_linear_time() {
    // Row by row against each other, 30,000 rows took a minute where this takes a second.
    let source = "CREATE TABLE t (n INTEGER, m INTEGER); WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 30000)
        INSERT INTO t SELECT i % 3, i / 10 FROM i";
    let case = Case::new(source, "CREATE TABLE t (n int, m int)", "[load.t]\n");
    case.exits(0, &["--yes"]);
    let began = std::time::Instant::now();
    rollback(&case, 0);
    assert_eq!(case.target.count("t"), 0);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
