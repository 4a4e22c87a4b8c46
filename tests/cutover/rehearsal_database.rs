//! `rehearse --server` makes a database of its own and drops it on every way out but `kill -9`.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::tool::Ran;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1), (2, 1)";

fn case(table: &str) -> Case {
    let case = Case::with(Database::empty(), &[]);
    crate::support::sqlite::file(&case.place, "source.db", SOURCE);
    case.place.write("t.sql", table);
    case.place.write(
        "migrate.toml",
        "format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n[target]\nddl = [\"t.sql\"]\n[load.t]\n",
    );
    case
}

/// The databases that rehearsals on this server have, those of other tests included.
fn databases(case: &Case) -> Vec<String> {
    let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'migrate\\_rehearsal\\_%'";
    case.target.rows(sql).into_iter().flatten().flatten().collect()
}

/// The name of the database that a rehearsal said.
fn name(said: &str) -> String {
    let at = said.find("migrate_rehearsal_").unwrap_or_else(|| panic!("no database in: {said}"));
    said[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn rehearse(case: &Case, server: &str, code: i32) -> Ran {
    case.place.migrate(["rehearse", "-v", "-m", "migrate.toml", "--server", server]).exits(code)
}

/// A table that refuses a row only when it is written.
const STOPS: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, g int DEFAULT 9 REFERENCES t)";

#[test]
fn the_database_of_a_rehearsal_is_dropped_after_each_end() {
    for (table, code) in [
        ("CREATE TABLE t (id int PRIMARY KEY, n int)", 0),
        (STOPS, 4),
        ("CREATE TABLE t (id int PRIMARY KEY, n int, CONSTRAINT apart EXCLUDE USING btree (n WITH =))", 3),
        ("CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 1))", 3),
        ("CREATE TABLE t (id int PRIMARY KEY, n nothing)", 3),
    ] {
        let case = case(table);
        let ran = rehearse(&case, &case.target.url(), code);
        let name = name(&ran.said());
        assert!(!databases(&case).contains(&name), "{table}");
        assert_eq!(case.target.inventory(), ["public"], "{table}");
        if code != 3 {
            ran.says(&["No other database was touched"]);
            assert!(!ran.said().contains("throw-away PostgreSQL"), "{}", ran.said());
        }
        // Only another rehearsal takes the server. A script that fails ends without a report.
        let Some(next) = ran.stdout.lines().last().map(str::trim) else { continue };
        let is_rehearsal = next.starts_with("migrate rehearse ");
        assert_eq!(next.contains("--server \"$SERVER_URL\""), is_rehearsal, "{next}");
        let others = ["migrate -m migrate.toml -t", "migrate explain"];
        assert!(is_rehearsal || others.iter().any(|other| next.starts_with(other)), "{next}");
    }
}

#[test]
fn a_script_cannot_change_what_the_server_shares() {
    let case =
        case("CREATE TABLE t (id int PRIMARY KEY, n int);\nDROP ROLE locked;\nCREATE TABLESPACE x LOCATION '/x';");
    rehearse(&case, &case.target.url(), 3).says(&["line 2", "line 3", "would remain after the rehearsal"]);
    case.place.write("t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int); ALTER TABLE t OWNER TO unknown_role;");
    rehearse(&case, &case.target.url(), 0).says(&["1 statement about owners, rights"]);
}

#[test]
fn a_role_that_may_not_create_databases_gets_the_statement_that_permits_it() {
    let case = case("CREATE TABLE t (id int PRIMARY KEY, n int)");
    case.target.run("CREATE ROLE plain_rehearser LOGIN");
    rehearse(&case, &case.target.url_of("plain_rehearser"), 3).says(&["ALTER ROLE \"plain_rehearser\" CREATEDB;"]);
    case.target.run("ALTER ROLE plain_rehearser CREATEDB");
    let ran = rehearse(&case, &case.target.url_of("plain_rehearser"), 0);
    assert!(!databases(&case).contains(&name(&ran.said())));
    case.target.run("DROP ROLE plain_rehearser");
}

/// A table whose CHECK makes each row wait.
const SLOW: &str =
    "CREATE FUNCTION slow(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
    CREATE TABLE t (id int PRIMARY KEY, n int CHECK (slow(n)))";

/// Starts a rehearsal, and waits until a row of it waits on the server. Returns its process and the name of its database.
fn waiting(case: &Case) -> (std::process::Child, String) {
    let args = ["rehearse", "-m", "migrate.toml", "--server", &case.target.url()];
    let before = databases(case);
    let child = case.place.migrate(args).spawn();
    let begin = Instant::now();
    let name = loop {
        let sql = "SELECT datname FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'migrate\\_rehearsal\\_%'";
        let found: Vec<String> = case.target.rows(sql).into_iter().flatten().flatten().collect();
        if let Some(name) = found.into_iter().find(|name| !before.contains(name)) {
            break name;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "no row waits");
        std::thread::yield_now();
    };
    (child, name)
}

#[test]
fn a_stopped_rehearsal_drops_its_database_and_a_killed_one_is_named_by_the_next() {
    let case = case(SLOW);
    let (child, stopped) = waiting(&case);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill").success());
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 130, "{}", ran.said());
    assert!(!databases(&case).contains(&stopped), "{}", ran.said());

    let (mut child, left) = waiting(&case);
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    assert!(databases(&case).contains(&left));
    // The server notices the lost client when the statement ends.
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{left}'");
    case.target.rows(&end);
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{left}'");
    while case.target.value(&sessions) != "0" {
        std::thread::yield_now();
    }
    case.place.write("t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int)");
    let ran = rehearse(&case, &case.target.url(), 0);
    ran.says(&[&format!("database {left}: no process is connected"), &format!("DROP DATABASE {left};")]);
    case.target.elsewhere(&format!("DROP DATABASE {left}"));
}

// The server inside the process cannot be lost.
#[cfg(not(feature = "embedded"))]
#[test]
fn a_rehearsal_that_loses_its_own_server_does_not_wait_for_it() {
    let cut = "CREATE FUNCTION cut(int) RETURNS bool LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())';
        CREATE TABLE t (id int PRIMARY KEY, n int CHECK (cut(n)))";
    let case = case(cut);
    let ran = case.place.migrate(["rehearse", "--json", "-m", "migrate.toml", "--skip-preflight"]).exits(4);
    // A server that others use is awaited nine times, for half a minute.
    assert_eq!(ran.json()["retries"].as_array().map(Vec::len), Some(2), "{}", ran.said());
}
