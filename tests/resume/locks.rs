//! Two runs at once: of one mapping, of two mappings into one table, in one ledger and in two; and sessions that hold the
//! locks of a run without working on it.

use std::process::Child;

use postgres::Client;

use crate::support::case::Case;
use crate::support::postgres::LOCKED_ROLE;
use crate::support::tool::{Ran, Run};

const SOURCE: &str = "CREATE TABLE one (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO one VALUES (1, 10), (2, 20);
    CREATE TABLE two (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO two VALUES (3, 30), (4, 40);";
const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY, n int)";
const LEFT: &str = "[defaults]\nunlisted_tables = \"leave\"\n";

/// Two mappings of one source: `one` and `two`, each into the table `t`.
fn case(existing: [&str; 2]) -> Case {
    let case = Case::new(SOURCE, TARGET, "");
    for (name, existing) in ["one", "two"].into_iter().zip(existing) {
        mapping(&case, name, &format!("[load.{name}]\nto = \"t\"\n{existing}"));
    }
    case
}

fn mapping(case: &Case, name: &str, loads: &str) {
    let text = format!("format = 1\nname = \"{name}\"\n[source]\npath = \"source.db\"\n{LEFT}{loads}\n");
    case.place.write(&format!("{name}.toml"), text);
}

fn run(case: &Case, mapping: &str, args: &[&str]) -> Run {
    case.place.migrate(["--yes", "--json", "-m", &format!("{mapping}.toml"), "-t", &case.target.url()]).args(args)
}

/// A run of the mapping `one` that waits before its first batch, until the gate is opened.
struct Waiting {
    gate: Client,
    child: Child,
}

impl Waiting {
    fn start(case: &Case, args: &[&str]) -> Waiting {
        // The gate needs a ledger.
        mapping(case, "zero", "[load.u]\nfrom = \"one\"\n");
        run(case, "zero", &[]).exits(0);
        case.target.run(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
             CREATE TRIGGER wait BEFORE INSERT ON migrate.batch FOR EACH ROW WHEN (NEW.load = 'one') EXECUTE FUNCTION wait()",
        );
        let mut gate = case.target.client();
        gate.batch_execute("SELECT pg_advisory_lock(77)").expect("the gate");
        let child = run(case, "one", args).spawn();
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while case.target.value(waits) == "0" {
            std::thread::yield_now();
        }
        Waiting { gate, child }
    }

    fn end(mut self) -> Ran {
        self.gate.batch_execute("SELECT pg_advisory_unlock(77)").expect("the gate");
        Ran::of_child(self.child)
    }

    fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.end();
    }
}

/// The run of the second mapping is refused with these words, and writes nothing.
#[track_caller]
fn is_refused(case: &Case, args: &[&str], says: &[&str]) {
    // A further lane of the other run may be noting its connection.
    let inventory = || {
        let all = case.target.inventory().into_iter();
        all.filter(|line| !line.starts_with("migrate.backend")).collect::<Vec<_>>()
    };
    let before = inventory();
    run(case, "two", args).exits(3).says(&["load.two"]).says(says);
    assert_eq!(inventory(), before);
}

#[test]
fn a_second_mapping_into_the_same_table_is_refused_before_it_writes() {
    for existing in [["", ""], ["existing = \"append\"", ""], ["", "existing = \"append\""]] {
        let case = case(existing);
        let first = Waiting::start(&case, &[]);
        for ledger in [&[][..], &["--ledger-schema", "other"]] {
            is_refused(&case, ledger, &["another migrate loads public.t; server process", "Wait until it ends"]);
        }
        let first = first.end();
        assert_eq!(first.code, 0, "{}", first.said());
        assert_eq!(case.ids("t"), [1, 2]);
    }
}

#[test]
fn two_mappings_that_append_load_one_table_at_the_same_time() {
    for ledger in [&[][..], &["--ledger-schema", "other"]] {
        let case = case(["existing = \"append\"", "existing = \"append\""]);
        let first = Waiting::start(&case, &[]);
        let second = run(&case, "two", ledger).exits(0).json();
        assert_eq!(second["detached"], serde_json::json!([]));
        let first = first.end();
        assert_eq!(first.code, 0, "{}", first.said());
        assert_eq!(first.json()["detached"], serde_json::json!([]));
        assert_eq!(case.ids("t"), [1, 2, 3, 4]);
    }
}

#[test]
fn a_run_that_appends_and_detached_something_has_its_table_alone() {
    let case = case(["existing = \"append\"", "existing = \"append\""]);
    case.target.run("CREATE INDEX by_n ON t (n)");
    let first = Waiting::start(&case, &["--detach", "always"]);
    is_refused(&case, &["--ledger-schema", "other"], &["another migrate loads public.t"]);
    first.kill();
    // What the killed run detached is still detached. Only its own ledger knows that.
    is_refused(&case, &[], &["run 2 of the mapping `one` loads public.t and is not ended", "migrate rollback"]);
    run(&case, "one", &[]).exits(0);
    run(&case, "two", &[]).exits(0);
    assert_eq!(case.ids("t"), [1, 2, 3, 4]);
}

#[test]
fn a_stopped_run_of_another_mapping_is_finished_or_rolled_back_first() {
    let case = case(["", "existing = \"append\""]);
    Waiting::start(&case, &[]).kill();
    is_refused(&case, &[], &["run 2 of the mapping `one` loads public.t and is not ended"]);
    case.place.migrate(["rollback", "--yes", "-m", "one.toml", "-t", &case.target.url()]).exits(0);
    run(&case, "two", &[]).exits(0);
    assert_eq!(case.ids("t"), [3, 4]);
}

/// The key of the lock of a mapping, as every build derives it.
fn key_of(mapping: &str) -> i64 {
    xxhash_rust::xxh3::xxh3_64(format!("migrate\nmigrate\n{mapping}").as_bytes()) as i64
}

fn holds(client: &mut Client, mapping: &str) {
    client.execute("SELECT pg_advisory_lock($1)", &[&key_of(mapping)]).expect("the lock");
}

#[test]
fn a_role_that_cannot_write_the_ledger_stops_no_run_and_its_session_stays() {
    let case = case(["", ""]);
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{}", crate::support::postgres::LOCKED_PASSWORD));
    let mut stranger = Client::connect(&url, postgres::NoTls).expect("a session of a stranger");
    let table = "SELECT pg_advisory_lock(c.key, t.oid::int) FROM (SELECT 'public.t'::regclass::oid::int8 AS oid) AS t, \
                 (SELECT x'6d696772'::int AS key) AS c";
    holds(&mut stranger, "one");
    stranger.query(table, &[]).expect("the table's lock");
    for args in [&[][..], &["--take-over"]] {
        let report = run(&case, "one", args).exits(0).json();
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains(&format!("of the role {LOCKED_ROLE}")), "{warnings}");
        assert!(warnings.contains("the lock is ignored"), "{warnings}");
    }
    stranger.query("SELECT 1", &[]).expect("the session is intact");
}

#[test]
fn a_lock_held_by_a_stranger_does_not_hide_a_run_at_work() {
    let case = case(["", ""]);
    let url = case.target.url_of(&format!("{LOCKED_ROLE}:{}", crate::support::postgres::LOCKED_PASSWORD));
    let mut stranger = Client::connect(&url, postgres::NoTls).expect("a session of a stranger");
    holds(&mut stranger, "one");
    let first = Waiting::start(&case, &[]);
    run(&case, "one", &[]).exits(3).says(&["another migrate is at work on this mapping", "--take-over"]);
    let first = first.end();
    assert_eq!(first.code, 0, "{}", first.said());
}

#[test]
fn a_session_that_the_ledger_does_not_record_is_never_ended() {
    let case = case(["", ""]);
    let mut other = case.target.client();
    holds(&mut other, "one");
    let says = ["another migrate is at work on this mapping", "of the role postgres"];
    run(&case, "one", &[]).exits(3).says(&says);
    let ran = run(&case, "one", &["--take-over"]).exits(3);
    ran.says(&says).says(&["The ledger does not record this session", "pg_terminate_backend("]);
    other.query("SELECT 1", &[]).expect("the session is intact");
}
