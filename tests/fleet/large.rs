//! A file with more rows than a batch is written in several transactions: resumed inside, or removed again as a whole.

use std::process::Child;

use postgres::Client;

use super::{Fleet, MAPPING, SCHEMA, TARGET};
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Ran;

/// A batch of two rows.
const SMALL: [&str; 2] = ["--batch-rows", "2"];

impl Fleet {
    /// Writes the file of an owner: two accounts, and payments with these amounts.
    fn payments(&self, n: u32, amounts: &[&str]) {
        let rows: Vec<String> =
            (1..).zip(amounts).map(|(id, amount)| format!("({id}, {}, {amount})", 1 + id % 2)).collect();
        let accounts = format!("INSERT INTO acc VALUES (1, 'a of {n}'), (2, 'b of {n}')");
        let sql = format!("{SCHEMA}{accounts}; INSERT INTO tx VALUES {}", rows.join(", "));
        let name = format!("u{n:02}.db");
        let _ = std::fs::remove_file(self.case.place.path(&name));
        sqlite::file(&self.case.place, &name, &sql);
    }

    /// A worker that waits for the lock of the payment 5, after two batches of payments.
    fn halted(&self) -> (Client, Child) {
        // A fleet does not begin while another session has locks. This worker has no file of its shard.
        self.exits(4, &["--yes", "--shard", "9/9"]);
        let mut gate = self.case.target.client();
        let row = "BEGIN; INSERT INTO users VALUES (-1, 'gate'); INSERT INTO acc VALUES (-1, -1, 'gate'); \
                   INSERT INTO tx VALUES (5, -1, -1, 1)";
        gate.batch_execute(row).expect("a row that is not committed");
        let worker = self.case.command(&["fleet", "--json", "--sources", "%{username}.db", "--yes"]);
        let worker = worker.args(SMALL).spawn();
        self.until_blocked();
        (gate, worker)
    }

    /// Kills a worker after two batches of payments.
    fn killed(&self) {
        let (mut gate, mut worker) = self.halted();
        worker.kill().expect("a kill");
        worker.wait().expect("its end");
        gate.batch_execute("ROLLBACK").expect("the row's end");
        // The server notices the end of the connection only after it has written the row.
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'migrate'";
        while self.case.target.value(sessions) != "0" {}
        self.end_leases();
    }

    fn position(&self) -> String {
        self.case.target.value("SELECT coalesce(position ->> 'l', 'none') FROM migrate.member WHERE member = 1")
    }
}

#[test]
fn a_killed_worker_is_resumed_after_its_last_batch() {
    let fleet = Fleet::of(0);
    fleet.payments(0, &["1.5", "2.5", "3.5", "4.5", "5.5", "6.5", "7.5"]);
    fleet.payments(1, &["8.5", "9.5"]);
    fleet.killed();
    let written = "SELECT xmin, id FROM tx WHERE id < 5 ORDER BY id";
    let before = fleet.case.rows(written);
    assert_eq!(before.len(), 4, "two batches of payments are there");
    assert!(fleet.position().contains("\"k\""), "{}", fleet.position());
    let status = fleet.about(0, &["status"]);
    assert_eq!((&status["fleet"]["begun"], &status["fleet"]["done"]), (&1.into(), &0.into()));
    let report = fleet.exits(0, &[["--yes"].as_slice(), &SMALL].concat());
    assert_eq!(report["fleet"]["begun"], 0);
    fleet.holds(0..2);
    assert_eq!(fleet.case.rows(written), before, "no batch was written again");
    assert_eq!(fleet.position(), "none");
    let line = "SELECT rows -> 1 ->> 'n' FROM migrate.member WHERE member = 1";
    assert_eq!(fleet.case.target.value(line), "7", "all batches are in the ledger");
    fleet.about(0, &["verify", "--only", "u00"]);
    fleet.about(0, &["verify"]);
    fleet.about(0, &["rollback", "--only", "u00", "--yes"]);
    fleet.holds(1..2);
}

#[test]
fn losses_and_lookups_of_earlier_batches_are_counted() {
    let target = format!(
        "{TARGET} CREATE TABLE kind (id serial PRIMARY KEY, code text UNIQUE); INSERT INTO kind (code) VALUES ('A');
         ALTER TABLE tx ADD kind_id int REFERENCES kind, ADD cents numeric(6,1)"
    );
    let fleet = Fleet::with(Database::with(&target), 0);
    let lines = "[load.tx.columns]\ncents = { round = true }\n\
        kind_id = { lookup = { table = \"kind\", take = \"id\", missing = \"null\", steps = [{ target = \"code\", source = \"kind\" }] } }\n";
    fleet.case.place.write("fleet.toml", format!("{MAPPING}{lines}"));
    let rows: Vec<String> = (1..8).map(|id| format!("({id}, 1, {id}, 0.25, '{}')", ["A", "B"][id % 2])).collect();
    let sql = format!(
        "{SCHEMA} ALTER TABLE tx ADD cents REAL; ALTER TABLE tx ADD kind TEXT; INSERT INTO acc VALUES (1, 'a'), (2, 'b'); \
         INSERT INTO tx VALUES {}",
        rows.join(", ")
    );
    sqlite::file(&fleet.case.place, "u00.db", &sql);
    fleet.killed();
    let report = fleet.exits(0, &[["--yes"].as_slice(), &SMALL].concat());
    let loss = &report["losses"][0];
    assert_eq!((&loss["column"], &loss["count"]), (&"cents".into(), &7.into()), "{}", report["losses"]);
    let lookup = &report["lookups"][0];
    assert_eq!((&lookup["steps"][0]["hits"], &lookup["missing"]), (&3.into(), &4.into()), "{lookup}");
}

#[test]
fn a_row_that_cannot_be_loaded_removes_the_batches_before_it() {
    let fleet = Fleet::of(0);
    fleet.payments(0, &["1.5", "2.5", "3.5", "4.5", "5.5", "6.005"]);
    fleet.payments(1, &["1", "2", "3", "13"]);
    fleet.payments(2, &["8.5", "9", "9.5"]);
    let report = fleet.exits(6, &[["--yes"].as_slice(), &SMALL].concat());
    assert_eq!((&report["fleet"]["quarantined"], &report["fleet"]["begun"]), (&2.into(), &0.into()));
    fleet.holds(2..3);
    assert_eq!(fleet.case.target.value("SELECT string_agg(username, ' ') FROM users"), "u02");
    assert_eq!(fleet.position(), "none");
    fleet.payments(0, &["1.5", "2.5", "3.5", "4.5", "5.5", "6"]);
    fleet.payments(1, &["1", "2", "3", "14"]);
    fleet.exits(0, &[["--yes", "--retry", "quarantined"].as_slice(), &SMALL].concat());
    fleet.holds(0..3);
}

#[test]
fn a_file_that_changed_inside_is_begun_again() {
    let fleet = Fleet::of(0);
    fleet.payments(0, &["1.5", "2.5", "3.5", "4.5", "5.5"]);
    fleet.killed();
    fleet.payments(0, &["1.5", "2.5", "3.25", "4.5"]);
    fleet.exits(0, &[["--yes"].as_slice(), &SMALL].concat());
    fleet.holds(0..1);
    assert_eq!(fleet.case.target.count("tx"), 4);
}

#[test]
fn a_request_to_stop_ends_a_large_file_after_its_batch() {
    let fleet = Fleet::of(0);
    fleet.payments(0, &["1", "2", "3", "4", "5", "6", "7", "8"]);
    let (mut gate, worker) = fleet.halted();
    let process = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("a signal");
    // The worker's answer to the signal: it waits no longer for files of others, and ends after this batch.
    let caught = format!("/proc/{}/status", worker.id());
    while std::fs::read_to_string(&caught).is_ok_and(|status| {
        let pending = status.lines().filter(|line| line.starts_with("SigPnd") || line.starts_with("ShdPnd"));
        pending.into_iter().any(|line| !line.ends_with("0000000000000000"))
    }) {}
    gate.batch_execute("ROLLBACK").expect("the row's end");
    let ended = Ran::of_child(worker);
    assert_eq!(ended.code, 130, "{}", ended.said());
    assert_eq!(ended.json()["fleet"]["begun"], 1);
    assert_eq!(fleet.case.target.count("tx"), 6, "the batch is there, and none after it");
    fleet.about(4, &["verify"]);
    assert!(fleet.about(4, &["verify", "--only", "u00"])["warnings"].to_string().contains("not in the target yet"));
    fleet.about(0, &["rollback", "--yes"]);
    assert_eq!((fleet.case.target.count("tx"), fleet.case.target.count("users")), (0, 0));
}

#[test]
fn batches_that_were_changed_are_not_removed_and_the_file_is_failed() {
    let fleet = Fleet::of(0);
    fleet.payments(0, &["1", "2", "3", "4", "5", "6", "7.005"]);
    fleet.killed();
    fleet.case.target.run("UPDATE tx SET amount = 9 WHERE id = 2");
    let report = fleet.exits(5, &[["--yes"].as_slice(), &SMALL].concat());
    let file = &report["fleet"]["unfinished"][0];
    assert_eq!(file["state"], "failed", "{file}");
    let reason = file["reason"].as_str().expect("a reason");
    assert!(reason.contains("tx: its 6 rows are not those that were sent"), "{reason}");
    assert!(reason.contains("more decimals") && reason.starts_with("row 7: "), "the first reason, too: {reason}");
    assert_eq!((&report["fleet"]["begun"], fleet.case.target.count("tx")), (&1.into(), 6));
    fleet.case.target.run("UPDATE tx SET amount = 2 WHERE id = 2");
    fleet.exits(6, &[["--yes", "--retry", "failed"].as_slice(), &SMALL].concat());
    assert_eq!((fleet.case.target.count("tx"), fleet.case.target.count("users")), (0, 0));
}

#[test]
fn tables_whose_rows_have_no_reserved_ids_come_last_in_one_transaction() {
    let target = format!(
        "{TARGET} CREATE TABLE acc_tag (user_id bigint NOT NULL REFERENCES users, acc_id int NOT NULL REFERENCES acc, tag text, \
         PRIMARY KEY (user_id, acc_id, tag))"
    );
    let fleet = Fleet::with(Database::with(&target), 0);
    fleet.case.place.write("fleet.toml", format!("{MAPPING}[load.acc_tag]\nowner = \"user_id\"\n"));
    let file = |tags: &str| {
        let sql = format!(
            "{SCHEMA} CREATE TABLE acc_tag (acc_id INTEGER NOT NULL REFERENCES acc, tag TEXT NOT NULL); \
             INSERT INTO acc VALUES (1, 'a of 0'), (2, 'b of 0'); INSERT INTO tx VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3); \
             INSERT INTO acc_tag VALUES {tags}"
        );
        let _ = std::fs::remove_file(fleet.case.place.path("u00.db"));
        sqlite::file(&fleet.case.place, "u00.db", &sql);
    };
    file("(1, 'x'), (1, 'y'), (2, 'z'), (1, 'x')");
    let report = fleet.exits(6, &[["--yes"].as_slice(), &SMALL].concat());
    assert_eq!((&report["fleet"]["quarantined"], &report["fleet"]["begun"]), (&1.into(), &0.into()));
    let left = ["acc", "tx", "acc_tag", "users"].map(|table| fleet.case.target.count(table));
    assert_eq!(left, [0, 0, 0, 0], "the duplicate in the last table removed all batches");
    file("(1, 'x'), (1, 'y'), (2, 'z')");
    fleet.exits(0, &[["--yes", "--retry", "quarantined"].as_slice(), &SMALL].concat());
    assert_eq!(fleet.case.target.count("acc_tag"), 3);
    let transactions = "SELECT count(DISTINCT xmin::text) FROM acc_tag";
    assert_eq!(fleet.case.target.value(transactions), "1");
    assert_ne!(
        fleet
            .case
            .target
            .value("SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM acc UNION SELECT xmin FROM tx) t"),
        "1"
    );
    fleet.about(0, &["verify"]);
}

#[test]
fn two_loads_into_a_table_that_refers_to_itself_are_one_batch() {
    let target = format!(
        "{TARGET} CREATE TABLE tree (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, \
         parent_id bigint REFERENCES tree DEFERRABLE INITIALLY DEFERRED)"
    );
    let fleet = Fleet::with(Database::with(&target), 0);
    let loads = "[load.tree]\nowner = \"user_id\"\nids = \"shift\"\n[load.old]\nto = \"tree\"\nowner = \"user_id\"\nids = \"shift\"\n";
    fleet.case.place.write("fleet.toml", format!("{MAPPING}{loads}"));
    let sql = format!(
        "PRAGMA foreign_keys = OFF; {SCHEMA} CREATE TABLE tree (id INTEGER PRIMARY KEY, parent_id INTEGER); \
         CREATE TABLE old (id INTEGER PRIMARY KEY, parent_id INTEGER); INSERT INTO acc VALUES (1, 'a of 0'); \
         INSERT INTO tree VALUES (1, 12), (2, 1), (3, 11); INSERT INTO old VALUES (11, 3), (12, NULL), (13, 2)"
    );
    sqlite::file(&fleet.case.place, "u00.db", &sql);
    fleet.exits(0, &[["--yes"].as_slice(), &SMALL].concat());
    fleet.about(0, &["verify"]);
    let parents = "SELECT string_agg((parent_id - id)::text, ' ' ORDER BY id) FROM tree";
    assert_eq!(fleet.case.target.value(parents), "11 -1 8 -8 -11");
    assert_eq!(fleet.case.target.value("SELECT count(DISTINCT xmin::text) FROM tree"), "1");
}
