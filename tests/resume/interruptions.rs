//! Interruptions of a run: the exit status, the cause, the rows written, and the resume by the same command.

use std::io::{BufRead, BufReader};
use std::process::Child;

use super::kills::{batches, case, is_exact, migrate, migrate_to, until_committed};
use crate::support::case::Case;
use crate::support::postgres::{Server, version};
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

const RESUMES: &str =
    "rows are written, in whole batches that the ledger records. The same command resumes after them.";

/// A run that has committed some batches and is at work on more.
fn in_the_middle(case: &Case, url: &str) -> Child {
    let mut child = migrate_to(case, url).args(["--jobs=1", "--detach=never"]).spawn();
    assert!(until_committed(&mut case.target.client(), 2, &mut child), "the run ended before it could be stopped");
    child
}

/// The one refusal of a report: its place, reason and advice.
fn said(ran: &Ran) -> String {
    let refusals = &ran.json()["refusals"];
    assert_eq!(refusals.as_array().map(Vec::len), Some(1), "{}", ran.said());
    let part = |name: &str| refusals[0][name].as_str().expect("text").to_owned();
    format!("{}: {}. {}", part("place"), part("reason"), part("advice"))
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn a_right_revoked_during_the_run_is_reported_and_written_rows_stay() {
    let case = case();
    let database = case.target.name();
    case.target.run(&format!(
        "CREATE ROLE withdrawn LOGIN; GRANT CREATE, TEMP ON DATABASE {database} TO withdrawn; \
         GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO withdrawn; \
         GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO withdrawn"
    ));
    let url = case.target.url_of("withdrawn");
    let child = in_the_middle(&case, &url);
    case.target.run("REVOKE INSERT ON readings FROM withdrawn");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 4, "{}", ran.said());
    contains(&said(&ran), &["target: ", "SQLSTATE 42501", "permission denied for table readings", RESUMES]);
    contains(&said(&ran), &["Give the role its rights back."]);
    case.target.run("GRANT INSERT ON readings TO withdrawn");
    migrate_to(&case, &url).arg("--detach=never").exits(0);
    is_exact(&case);
    case.target.run("DROP OWNED BY withdrawn; DROP ROLE withdrawn");
}

#[test]
fn a_session_that_locks_a_table_is_waited_for_and_the_run_keeps_its_lock() {
    let case = case();
    let url = format!("{}&options=-c%20lock_timeout%3D100ms", case.target.url());
    let args = ["--jobs=1", "--detach=always"];
    let mut child = migrate_to(&case, &url).args(args).spawn();
    assert!(until_committed(&mut case.target.client(), 2, &mut child), "the run ended before it could be stopped");
    child.kill().and_then(|()| child.wait()).expect("its end");
    let mut reader = case.target.client();
    reader.batch_execute("BEGIN; LOCK TABLE readings IN ACCESS SHARE MODE").expect("a lock");
    let mut child = migrate_to(&case, &url).args(args).spawn();
    // Twice in vain: by then a connection that was given up would have been missed.
    let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    let mut waits = lines.filter(|line| line.contains("55P03"));
    assert!(waits.next().is_some() && waits.next().is_some(), "no session was waited for");
    reader.batch_execute("COMMIT").expect("its end");
    waits.for_each(drop);
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 0, "{}", ran.said());
    let retries = ran.json()["retries"].as_array().cloned().unwrap_or_default();
    assert!(retries.len() >= 2 && retries.iter().all(|retry| retry["why"] == "55P03"), "{retries:?}");
    is_exact(&case);
}

#[test]
fn a_session_that_locks_a_table_during_its_load_is_waited_for() {
    let case = case();
    let url = format!("{}&options=-c%20lock_timeout%3D100ms", case.target.url());
    let mut child = in_the_middle(&case, &url);
    let mut reader = case.target.client();
    reader.batch_execute("BEGIN; LOCK TABLE readings IN SHARE MODE").expect("a lock");
    let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
    let mut waits = lines.filter(|line| line.contains("55P03"));
    assert!(waits.next().is_some() && waits.next().is_some(), "no session was waited for");
    reader.batch_execute("COMMIT").expect("its end");
    waits.for_each(drop);
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 0, "{}", ran.said());
    is_exact(&case);
}

#[test]
fn after_losing_the_target_nothing_is_claimed_about_unknown_rows() {
    let case = case();
    let child = in_the_middle(&case, &case.target.url());
    let database = case.target.name();
    case.target.elsewhere(&format!(
        "ALTER DATABASE {database} ALLOW_CONNECTIONS false; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    ));
    let ran = Ran::of_child(child);
    case.target.elsewhere(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"));
    assert_eq!(ran.code, 4, "{}", ran.said());
    contains(
        &said(&ran),
        &[
            "target",
            "Committed batches are whole and recorded in the ledger, which cannot be read now. The same command resumes the run.",
        ],
    );
    assert_eq!(ran.json()["loads"], serde_json::json!([]), "nothing is known of them");
    migrate(&case).exits(0);
    is_exact(&case);
}

#[test]
fn a_stop_request_reports_what_is_written_and_the_run_resumes_later() {
    let case = case();
    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut client = case.target.client();
        let mut child = migrate(&case).args(["--jobs=1", "--detach=never"]).spawn();
        let wanted = batches(&mut client) + 2;
        assert!(until_committed(&mut client, wanted, &mut child), "it ended before it was asked to stop");
        // No batch is written until the signal was sent.
        let mut lock = client.transaction().expect("a transaction");
        lock.batch_execute("LOCK TABLE readings IN EXCLUSIVE MODE").expect("a lock");
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        lock.rollback().expect("the end of the lock");
        let ran = Ran::of_child(child);
        assert_eq!(ran.code, 130, "{}", ran.said());
        contains(&said(&ran), &["run: the process was asked to stop", RESUMES]);
    }
    migrate(&case).exits(0);
    is_exact(&case);
}

/// The way in which the disk of a server is filled and emptied.
struct Full {
    server: Server,
    /// The place of the tables.
    tablespace: &'static str,
    fills: fn(&Server),
    room: fn(&Server),
    way_out: &'static str,
}

impl Full {
    /// A disk of its own where the tests may mount one; else a limit on the size of files, which to a server from version 16
    /// on, whose tables grow by several pages at once, is an error like any other.
    fn new() -> Full {
        const ROOM: &str = "Free space on the target's disk.";
        match Server::on_small_disk() {
            Some(server) => Full { server, tablespace: "small", fills: |_| {}, room: Server::room, way_out: ROOM },
            None => Full {
                server: Server::on_tcp(),
                tablespace: "pg_default",
                // Files of the log written ahead have 1 MiB; the table comes to 3 MB.
                fills: |server| server.limit(Some(1_200_000)),
                room: |server| server.limit(None),
                way_out: if version() < 160_000 { ROOM } else { "Fix the cause." },
            },
        }
    }
}

#[test]
fn a_full_disk_of_the_target_is_reported_and_the_run_resumes_with_space() {
    let Full { server, tablespace, fills, room, way_out } = Full::new();
    let place = Place::new();
    sqlite::file(
        &place,
        "source.db",
        "CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60)
         INSERT INTO pages SELECT n, printf('%.*c', 50000, char(96 + n % 26)) FROM n;",
    );
    place.write("mapping.toml", "format = 1\nname = \"pages\"\n[source]\npath = \"source.db\"\n[load.pages]\n");
    let mut client = server.connect("postgres");
    let table = format!(
        "CREATE TABLE pages (id int PRIMARY KEY, body text) TABLESPACE {tablespace}; ALTER TABLE pages ALTER body SET STORAGE EXTERNAL"
    );
    client.batch_execute(&table).expect("a table");
    let url = server.url_of("postgres", "postgres");
    let args = ["-m", "mapping.toml", "--yes", "--json", "--batch-rows=5", "-t", &url];
    fills(&server);
    let ran = place.migrate(args).exits(4);
    contains(&said(&ran), &["target: ", way_out, RESUMES]);
    let written = ran.json()["loads"][0]["written"].as_u64().expect("a number");
    let there = |client: &mut postgres::Client| -> i64 {
        client.query_one("SELECT count(*) FROM pages", &[]).expect("a count").get(0)
    };
    assert_eq!(there(&mut client).unsigned_abs(), written, "what it says is written is there");
    assert!((5..60).contains(&written), "{written} rows");
    room(&server);
    place.migrate(args).exits(0);
    assert_eq!(there(&mut client), 60);
}
