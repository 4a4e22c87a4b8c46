//! A process whose run was taken over writes nothing more: no note about a sequence, a lookup or the owner, and no object.

use std::process::Command;

use crate::support::case::Case;
use crate::support::tool::Ran;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')";
const TARGET: &str = "CREATE TABLE kinds (id int PRIMARY KEY, name text); INSERT INTO kinds VALUES (7, 'a'), (8, 'b');
    CREATE TABLE t (id serial PRIMARY KEY, kind_id int); CREATE INDEX by_kind ON t (kind_id);";
const MAPPING: &str = "[load.t]\n[load.t.columns.kind_id.lookup]\ntable = \"kinds\"\ntake = \"id\"\n\
    steps = [ { target = \"name\", source = \"kind\" } ]\n";

/// A target with a ledger of a run that was rolled back.
fn case() -> Case {
    let case = Case::new(SOURCE, TARGET, MAPPING);
    case.exits(0, &["--yes"]);
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    case
}

/// Another process takes the run over when this happens in the ledger.
fn overtaken_at(case: &Case, event: &str) {
    case.target.run(&format!(
        "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE migrate.run SET epoch = epoch + 1 WHERE run = NEW.run; RETURN NULL; END $$;
         CREATE TRIGGER overtake AFTER {event} EXECUTE FUNCTION overtake()"
    ));
}

/// The run of this process ends as one that was taken over.
#[track_caller]
fn is_fenced(case: &Case) {
    let report = case.exits(4, &["--yes", "--detach", "always", "--jobs", "1"]);
    assert!(report["refusals"].to_string().contains("another process took this run over"), "{report}");
}

const NOTES: &str = "SELECT count(*) FROM migrate.made WHERE run = 2";

#[test]
fn a_superseded_process_notes_no_lookup() {
    let case = case();
    overtaken_at(&case, "INSERT ON migrate.part FOR EACH ROW");
    is_fenced(&case);
    assert_eq!(case.target.value(NOTES), "0");
}

#[test]
fn a_superseded_process_makes_no_owner() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)",
        "CREATE TABLE users (id serial PRIMARY KEY, name text); CREATE TABLE t (id int PRIMARY KEY, user_id int REFERENCES users)",
        "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\ncreate = {}\n[load.t]\nowner = \"user_id\"\n",
    );
    case.target.run(
        "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE migrate.run SET epoch = epoch + 1; RETURN NULL; END $$;
         CREATE TRIGGER overtake AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION overtake()",
    );
    is_fenced(&case);
    assert_eq!((case.target.count("users"), case.target.count("t")), (0, 0));
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.made WHERE kind = 'owner'"), "0");
}

#[test]
fn a_superseded_process_writes_no_further_batch() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)";
    // Batches that need no answer before their commit, and batches that draw ids.
    for more in ["", ", no serial"] {
        let case = Case::new(source, &format!("CREATE TABLE t (id int PRIMARY KEY, n int{more})"), "[load.t]\n");
        case.exits(0, &["--yes"]);
        case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
        overtaken_at(&case, "INSERT ON migrate.batch FOR EACH ROW");
        let report = case.exits(4, &["--yes", "--jobs", "1", "--batch-rows", "1"]);
        assert!(report["refusals"].to_string().contains("another process took this run over"), "{report}");
        assert_eq!(case.ids("t"), [1], "{more}");
        assert_eq!(case.target.value("SELECT sum(written) FROM migrate.batch WHERE run = 2"), "1");
    }
}

#[test]
fn a_superseded_process_reattaches_nothing() {
    let case = case();
    overtaken_at(&case, "UPDATE ON migrate.part FOR EACH ROW WHEN (NEW.done)");
    is_fenced(&case);
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.detached WHERE run = 2 AND (back OR steps > 0)"), "0");
    assert_eq!(case.target.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_kind'"), "0");
}

#[test]
fn a_superseded_process_notes_no_sequence() {
    let case = case();
    overtaken_at(&case, "UPDATE ON migrate.detached FOR EACH ROW WHEN (NEW.back AND NEW.object = 't_pkey')");
    is_fenced(&case);
    assert_eq!(case.target.value(&format!("{NOTES} AND kind = 'sequence'")), "0");
    assert_eq!(case.target.value("SELECT is_called FROM t_id_seq"), "f");
}

#[test]
fn a_stopped_process_that_continues_after_a_take_over_changes_nothing() {
    let case = case();
    // Building the index waits for this lock.
    let mut gate = case.target.client();
    let url = case.target.url();
    let mut open = gate.transaction().expect("a transaction");
    open.batch_execute("SELECT pg_advisory_xact_lock(77)").expect("the gate");
    case.target.run(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
         CREATE TRIGGER wait BEFORE UPDATE ON migrate.detached FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    let first = case.place.migrate(["--yes", "--json", "--detach", "always", "--jobs", "1", "-t", &url]).spawn();
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while case.target.value(waits) == "0" {
        std::thread::yield_now();
    }
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &first.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "{name}");
    };
    signal("-STOP");
    let second = case.place.migrate(["--yes", "--take-over", "-t", &url]).spawn();
    let taken = "SELECT epoch FROM migrate.run WHERE run = 2";
    while case.target.value(taken) != "2" {
        std::thread::yield_now();
    }
    open.commit().expect("the gate");
    let second = Ran::of_child(second);
    assert_eq!(second.code, 0, "{}", second.said());
    case.target.run("SELECT nextval('t_id_seq')");
    let state = "SELECT string_agg(m::text, ' ' ORDER BY m::text) FROM migrate.made m WHERE run = 2";
    let before = case.target.value(state);
    signal("-CONT");
    let first = Ran::of_child(first);
    assert_eq!(first.code, 4, "{}", first.said());
    first.says(&["another process took this run over"]);
    assert_eq!(case.target.value(state), before);
}
