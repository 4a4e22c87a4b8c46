//! The ledger is right about what is committed, whatever the process remembers: a crash of the server loses acknowledged batches,
//! and a number may be taken by a batch with other rows.

use std::process::{Child, Command};

use postgres::Client;

use crate::support::postgres::Server;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

const ROWS: i64 = 40_000;

/// A server of its own with a run that is stopped by SIGSTOP after this many batches of 100 rows.
struct Frozen {
    server: Server,
    child: Child,
    client: Client,
    _place: Place,
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("kill").success());
}

fn count(client: &mut Client, of: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {of}"), &[]).map_or(0, |row| row.get(0))
}

impl Frozen {
    fn after(wanted: i64) -> Frozen {
        let server = Server::start();
        let mut client = server.connect("postgres");
        // Nothing but a commit that waits for the disk writes the log to the disk.
        for setting in ["autovacuum = off", "bgwriter_lru_maxpages = 0"] {
            client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).expect("a setting");
        }
        client.batch_execute("CREATE TABLE t (id int PRIMARY KEY, w text)").expect("a table");
        drop(client);
        server.crash();
        let place = Place::new();
        let rows = format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT);
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
             INSERT INTO t SELECT n, 'row ' || n FROM n"
        );
        sqlite::file(&place, "source.db", &rows);
        place.write("migrate.toml", "format = 1\nname = \"t\"\n[source]\npath = \"source.db\"\n[load.t]\n");
        let url = server.url_of("postgres", "postgres");
        let args = ["--yes", "--json", "--jobs=1", "--detach=never", "--batch-rows=100", "-t", &url];
        let mut client = server.connect("postgres");
        let writer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'";
        signal(client.query_one(writer, &[]).expect("a process").get::<_, i32>(0).unsigned_abs(), "-STOP");
        let mut child = place.migrate(args).spawn();
        while count(&mut client, "migrate.batch") < wanted {
            assert!(child.try_wait().expect("its state").is_none(), "the run ended before it could be stopped");
            std::thread::yield_now();
        }
        signal(child.id(), "-STOP");
        Frozen { server, child, client, _place: place }
    }

    /// Lets the run continue, which must load every row.
    fn ends_exact(self) {
        signal(self.child.id(), "-CONT");
        let ran = Ran::of_child(self.child);
        assert_eq!(ran.code, 0, "{}", ran.said());
        let mut client = self.server.connect("postgres");
        assert_eq!(count(&mut client, "t"), ROWS);
    }
}

#[test]
fn batches_that_a_crash_of_the_server_lost_after_their_commit_are_written_again() {
    let mut frozen = Frozen::after(20);
    let before = count(&mut frozen.client, "migrate.batch");
    frozen.server.crash();
    let left = count(&mut frozen.server.connect("postgres"), "migrate.batch");
    assert!(left < before, "the crash lost none of {before} batches");
    frozen.ends_exact();
}

#[test]
fn a_committed_batch_with_other_rows_is_not_taken_for_the_own_one() {
    let mut frozen = Frozen::after(20);
    // Three numbers ahead, a batch without rows that ends where the batch before it ends.
    let forged =
        "INSERT INTO migrate.batch (run, load, part, batch, first_key, last_key, read, written, skipped, faults,
                                             digest, losses, lookups)
        SELECT run, load, part, batch + 3, first_key, replace(last_key, (batch * 100)::text, ((batch + 2) * 100)::text),
               0, 0, 0, 0, decode(repeat('00', octet_length(digest)), 'hex'), losses, lookups
          FROM migrate.batch ORDER BY batch DESC LIMIT 1";
    assert_eq!(frozen.client.execute(forged, &[]).expect("a batch"), 1);
    frozen.ends_exact();
}
