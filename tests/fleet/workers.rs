//! Several workers on one fleet: each file is loaded once, whatever becomes of a worker.

use std::process::Child;

use super::Fleet;
use crate::support::postgres::Server;
use crate::support::read_repo;
use crate::support::tool::{Place, Ran};

impl Fleet {
    fn worker(&self) -> Child {
        self.case.command(&["fleet", "--json", "--sources", "%{username}.db", "--yes"]).spawn()
    }

    /// Waits until a session of the tool waits for a lock.
    pub fn until_blocked(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'migrate' \
                   AND wait_event_type = 'Lock'";
        while self.case.target.value(sql) == "0" {}
    }

    /// Ends every lease, as the time does.
    pub fn end_leases(&self) {
        self.case.target.run("UPDATE migrate.member SET lease = now() - interval '1 second' WHERE state = 'Taken'");
    }
}

#[test]
fn workers_that_begin_at_once_share_the_files() {
    let fleet = Fleet::of(40);
    let workers: Vec<Child> = (0..3).map(|_| fleet.worker()).collect();
    let mut here = 0;
    for worker in workers {
        let ran = Ran::of_child(worker);
        assert_eq!(ran.code, 0, "{}", ran.said());
        here += ran.json()["fleet"]["here"].as_u64().expect("files");
    }
    assert_eq!(here, 40, "no file was loaded twice");
    fleet.holds(0..40);
    let overlapping = "SELECT count(*) FROM migrate.member a JOIN migrate.member b ON a.member < b.member \
        WHERE (a.rows -> 0 -> 'i' ->> 'b')::int >= (b.rows -> 0 -> 'i' ->> 'a')::int \
        AND (b.rows -> 0 -> 'i' ->> 'b')::int >= (a.rows -> 0 -> 'i' ->> 'a')::int";
    assert_eq!(fleet.case.target.value(overlapping), "0", "no two files have ids of one range");
}

#[test]
fn the_files_of_a_killed_worker_are_taken_by_the_next_one() {
    let fleet = Fleet::of(25);
    fleet.exits(4, &["--yes", "--max-files", "4"]);
    let mut holder = fleet.case.target.client();
    let mut lock = holder.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE tx IN SHARE MODE").expect("a lock");
    let mut killed = fleet.worker();
    fleet.until_blocked();
    killed.kill().expect("a kill");
    killed.wait().expect("its end");
    lock.rollback().expect("the lock's end");
    fleet.holds(0..4);
    fleet.end_leases();
    fleet.exits(0, &["--yes"]);
    fleet.holds(0..25);
}

#[test]
fn a_worker_that_continues_after_its_lease_writes_no_file_of_another() {
    let fleet = Fleet::of(15);
    fleet.exits(4, &["--yes", "--max-files", "1"]);
    let mut holder = fleet.case.target.client();
    let mut lock = holder.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE tx IN SHARE MODE").expect("a lock");
    let late = fleet.worker();
    fleet.until_blocked();
    // Another worker took the nine files that wait for the late one.
    fleet.case.target.run("UPDATE migrate.member SET epoch = epoch + 1, lease = now() - interval '1 second' WHERE state = 'Taken' AND member > 2");
    lock.rollback().expect("the lock's end");
    let late = Ran::of_child(late);
    assert_eq!(late.code, 0, "{}", late.said());
    fleet.holds(0..15);
    let twice = "SELECT count(*) FROM migrate.member WHERE state = 'Done' AND member BETWEEN 3 AND 10 AND epoch < 3";
    assert_eq!(fleet.case.target.value(twice), "0", "each of them was taken anew");
}

#[test]
fn shards_divide_the_files() {
    let fleet = Fleet::of(9);
    let report = fleet.exits(4, &["--yes", "--shard", "1/2"]);
    let checks = report["checks"].as_array().expect("checks");
    let sequences = checks.iter().find(|check| check["check"] == "sequences").expect("their check");
    assert_eq!(sequences["verdict"], "NotChecked", "a worker of the other shard may use further ids meanwhile");
    let done = fleet
        .case
        .target
        .value("SELECT string_agg(member::text, ' ' ORDER BY member) FROM migrate.member WHERE state = 'Done'");
    assert_eq!(done, "2 4 6 8");
    fleet.exits(0, &["--yes", "--shard", "2/2"]);
    fleet.holds(0..9);
}

#[test]
fn a_signal_lets_the_file_in_work_be_finished_and_returns_the_others() {
    let fleet = Fleet::of(15);
    fleet.exits(4, &["--yes", "--max-files", "1"]);
    let mut holder = fleet.case.target.client();
    let mut lock = holder.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE tx IN SHARE MODE").expect("a lock");
    let asked = fleet.worker();
    fleet.until_blocked();
    rustix::process::kill_process(rustix::process::Pid::from_child(&asked), rustix::process::Signal::TERM)
        .expect("a signal");
    // Longer than any other command has to end.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(1_200);
    while std::time::Instant::now() < until {
        assert_ne!(fleet.case.target.value("SELECT count(*) FROM migrate.member WHERE state = 'Taken'"), "0");
    }
    lock.rollback().expect("the lock's end");
    let asked = Ran::of_child(asked);
    assert_eq!(asked.code, 130, "{}", asked.said());
    assert_eq!(
        fleet
            .case
            .target
            .value("SELECT string_agg(member::text, ' ' ORDER BY member) FROM migrate.member WHERE state = 'Done'"),
        "1 2"
    );
    assert_eq!(fleet.case.target.value("SELECT count(*) FROM migrate.member WHERE state = 'Waiting'"), "13");
    fleet.exits(0, &["--yes"]);
    fleet.holds(0..15);
}

#[test]
fn three_workers_that_xargs_starts_load_every_file_once() {
    let fleet = Fleet::of(30);
    let script = "seq 3 | xargs -P3 -I{} \"$@\"";
    let run =
        fleet.case.place.run("sh", ["-c", script, "sh", env!("CARGO_BIN_EXE_migrate"), "fleet", "-m", "fleet.toml"]);
    run.args(["-t", &fleet.case.target.url(), "--sources", "%{username}.db", "--yes"]).exits(0);
    fleet.holds(0..30);
    let workers = "SELECT count(*) > 0 FROM migrate.member WHERE epoch > 1";
    assert_eq!(fleet.case.target.value(workers), "f", "no file was taken twice");
}

#[test]
fn workers_on_two_hosts_with_files_of_their_own_share_one_fleet() {
    let fleet = Fleet::of(24);
    let hosts: Vec<Place> = (0..2).map(|_| Place::new()).collect();
    for host in &hosts {
        let files = (0..24).map(|n| format!("u{n:02}.db")).chain(["fleet.toml".to_owned()]);
        for name in files {
            std::fs::copy(fleet.case.place.path(&name), host.path(&name)).expect("a copy");
        }
    }
    let url = fleet.case.target.url();
    let worker = |n: usize| {
        let args = ["fleet", "--json", "-m", "fleet.toml", "-t", &url, "--sources", "%{username}.db", "--yes"];
        hosts[n % 2].migrate(args).env("HOSTNAME", format!("host{}", n % 2)).spawn()
    };
    let workers: Vec<Child> = (0..4).map(worker).collect();
    for worker in workers {
        let ran = Ran::of_child(worker);
        assert_eq!(ran.code, 0, "{}", ran.said());
    }
    fleet.holds(0..24);
    let names = "SELECT string_agg(DISTINCT split_part(worker, ' ', 1), ' ') FROM migrate.member";
    let names = fleet.case.target.value(names);
    assert!(["host0 host1", "host0", "host1"].contains(&names.as_str()), "{names}");
}

#[test]
fn fifty_workers_take_a_thousand_files_and_none_waits_for_another() {
    let server = Server::start();
    server.connect("postgres").batch_execute("CREATE DATABASE claims").expect("a database");
    let ledger = ["ledger.sql", "ledger_version_5.sql", "ledger_version_6.sql"]
        .map(|name| read_repo(&format!("src/pg/sql/{name}")));
    let sql = format!(
        "CREATE SCHEMA migrate; {} INSERT INTO migrate.run (mapping, owner, tool, state, seed, stamp, catalog, read_ahead, judged) \
         VALUES ('m', '', '', 'Running', 1, '', '', true, '{{}}'); INSERT INTO migrate.member (run, member, path, owner) \
         SELECT 1, n, 'u' || n || '.db', '{{}}' FROM generate_series(1, 1000) AS n",
        ledger.concat().replace(":ledger", "migrate")
    );
    server.connect("claims").batch_execute(&sql).expect("a ledger");
    let claim = read_repo("src/pg/sql/claim_members.sql").replace(":ledger", "migrate");
    let all_have_claimed = std::sync::Barrier::new(50);
    let claimed: Vec<i32> = std::thread::scope(|scope| {
        let worker = || {
            let mut client = server.connect("claims");
            client.batch_execute("SET lock_timeout = '5s'; BEGIN").expect("a transaction");
            let rows = client.query(&claim, &[&1_i64, &0_i32, &1_i32, &20_i64, &"worker", &30_f64]);
            // Every transaction is still open: a claim that waited for another one would end here, without its files.
            all_have_claimed.wait();
            let taken: Vec<i32> = rows.expect("a claim").iter().map(|row| row.get(0)).collect();
            client.batch_execute("COMMIT").expect("a commit");
            taken
        };
        let workers: Vec<_> = (0..50).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    let distinct: std::collections::BTreeSet<i32> = claimed.iter().copied().collect();
    assert_eq!((claimed.len(), distinct.len()), (1_000, 1_000));
}
