//! Trials of `migrate fleet`: several workers on many files, while workers, connections, files and the server die.
//!
//! `tests/chaos.sh --fleet N` runs N trials of 50 to 500 files; the test command runs a few of 20 to 60.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use postgres::Client;

use super::proxy::{Fault, How, Proxy};
use super::{Dice, number};
use crate::fleet::{MAPPING, SCHEMA, TARGET};
use crate::support::postgres::{Server, drop_database};
use crate::support::process;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

/// The time after which a trial is given up: many times what it needs.
const LONGEST: Duration = Duration::from_secs(120);

/// Exit statuses that a worker may end with while everything around it dies; negative: by a signal.
const TRUE_ENDS: [i32; 7] = [0, 3, 4, 6, 130, -9, -15];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Accident {
    Kill,
    Ask,
    /// A worker is halted until others have taken its files, and then continues.
    Halt,
    LeasesEnd,
    BackendEnd,
    ServerStop,
    DiskFull,
    FileVanishes,
    FileChanges,
    WorkerMore,
}

const ACCIDENTS: [Accident; 10] = [
    Accident::Kill,
    Accident::Ask,
    Accident::Halt,
    Accident::LeasesEnd,
    Accident::BackendEnd,
    Accident::ServerStop,
    Accident::DiskFull,
    Accident::FileVanishes,
    Accident::FileChanges,
    Accident::WorkerMore,
];

struct FleetTrial<'t> {
    server: &'t Server,
    proxy: &'t Proxy,
    database: String,
    place: Place,
    dice: Dice,
    files: u64,
    workers: Vec<Child>,
    vanished: Vec<u64>,
    happened: Vec<Accident>,
}

#[test]
fn no_accident_loads_a_file_of_a_fleet_twice_in_part_or_under_another_owner() {
    let (trials, first) = (number("CHAOS_TRIALS", 3), number("CHAOS_SEED", 1));
    let most = number("CHAOS_FILES", 60);
    let server = Server::on_tcp();
    let proxy = Proxy::before_port(server.port);
    let (mut failures, mut happened) = (Vec::new(), Vec::new());
    for seed in first..first + trials {
        let mut trial = FleetTrial::new(&server, &proxy, seed, most);
        if let Err(failure) = trial.run() {
            println!("seed {seed}, {} files, after {:?}: {failure}", trial.files, trial.happened);
            failures.push(format!("seed {seed}: {failure}"));
        }
        happened.append(&mut trial.happened);
        trial.end();
    }
    for accident in ACCIDENTS {
        println!("{accident:?}: {}", happened.iter().filter(|other| **other == accident).count());
    }
    println!("{trials} trials of a fleet, seeds {first} to {}, {} failures", first + trials - 1, failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
}

impl<'t> FleetTrial<'t> {
    fn new(server: &'t Server, proxy: &'t Proxy, seed: u64, most: u64) -> FleetTrial<'t> {
        let mut dice = Dice(seed);
        let least = if most > 100 { 50 } else { 20 };
        let files = least + dice.below(most - least + 1);
        let database = format!("fleet_{seed}");
        server.connect("postgres").batch_execute(&format!("CREATE DATABASE {database}")).expect("a database");
        server.connect(&database).batch_execute(TARGET).expect("the target");
        let place = Place::new();
        place.write("fleet.toml", MAPPING);
        std::fs::create_dir(place.path("files")).expect("a folder");
        let trial = FleetTrial {
            server,
            proxy,
            database,
            place,
            dice,
            files,
            workers: Vec::new(),
            vanished: Vec::new(),
            happened: Vec::new(),
        };
        (0..files).for_each(|n| trial.write(n, 0));
        trial
    }

    /// Writes the file of an owner in one step, in a first or another form.
    fn write(&self, n: u64, form: u64) {
        let payments: Vec<String> = (1..=1 + (n + form) % 7)
            .map(|id| format!("({id}, {}, {id}.{:02})", 1 + id % 2, (n + form) % 100))
            .collect();
        let rows = format!(
            "INSERT INTO acc VALUES (1, 'a of {n}'), (2, 'b of {n}'); INSERT INTO tx VALUES {}",
            payments.join(", ")
        );
        let begin = "PRAGMA journal_mode = off; PRAGMA synchronous = off;";
        let made = sqlite::file(&self.place, &format!("new_{n}_{form}.db"), &format!("{begin}{SCHEMA}{rows};"));
        std::fs::rename(made, self.path(n)).expect("the file's place");
    }

    fn path(&self, n: u64) -> std::path::PathBuf {
        self.place.path(&format!("files/u{n:04}.db"))
    }

    fn worker(&mut self, more: &[&str]) -> Child {
        let through_proxy = self.dice.below(3) == 0;
        let url = match through_proxy {
            true => {
                let message = 1 + self.dice.below(400);
                let how = [How::Rst, How::Fin, How::Stall(self.dice.within(300))][self.dice.below(3) as usize];
                let from_client = self.dice.below(2) == 0;
                self.proxy.expect([Fault::Cut { from_client, message, bytes: 0, how }]);
                self.proxy.url(&self.database)
            }
            false => self.server.url_of("postgres", &self.database),
        };
        let args =
            ["fleet", "-m", "fleet.toml", "--sources", "files/%{username}.db", "--yes", "--progress=none", "-t", &url];
        // Half of the workers write a file in up to nine batches, each worker in others.
        let rows = if self.dice.below(2) == 0 { 1 + self.dice.below(3) } else { 1_000 };
        self.place.migrate(args).args(["--batch-rows", &rows.to_string()]).args(more).spawn()
    }

    /// A connection to the database, if the server takes one.
    fn client(&self) -> Option<Client> {
        let config = format!(
            "host='{}' port={} user=postgres dbname='{}' connect_timeout=1",
            self.server.socket, self.server.port, self.database
        );
        Client::connect(&config, postgres::NoTls).ok()
    }

    /// Runs SQL that may fail: the server may be down.
    fn try_sql(&self, sql: &str) -> Option<i64> {
        self.client()?.query_one(sql, &[]).ok()?.try_get(0).ok()
    }

    /// Ends every lease, as the time does, except those of files that are being written: their rows are locked.
    fn end_leases(&self) {
        let sql = "WITH free AS (SELECT member FROM migrate.member WHERE state = 'Taken' FOR UPDATE SKIP LOCKED), \
                   ended AS (UPDATE migrate.member m SET lease = now() - interval '1 second' FROM free \
                   WHERE m.member = free.member RETURNING 1) SELECT count(*) FROM ended";
        let _ = self.try_sql(sql);
    }

    fn done(&self) -> u64 {
        self.try_sql("SELECT count(*) FROM migrate.member WHERE state = 'Done'").unwrap_or(0).unsigned_abs()
    }

    fn run(&mut self) -> Result<(), String> {
        let began = Instant::now();
        for _ in 0..1 + self.dice.below(6) {
            let worker = self.worker(&[]);
            self.workers.push(worker);
        }
        let mut moments: Vec<u64> = (0..2 + self.dice.below(6)).map(|_| self.dice.below(self.files)).collect();
        moments.sort_unstable();
        for moment in moments {
            while self.done() < moment && self.is_working() && began.elapsed() < LONGEST {}
            let accident = ACCIDENTS[self.dice.below(ACCIDENTS.len() as u64) as usize];
            self.happens(accident)?;
            self.happened.push(accident);
        }
        self.server.limit(None);
        while self.is_working() {
            // The workers that are left wait for the leases of those that died.
            self.end_leases();
            if began.elapsed() > LONGEST {
                return Err("the workers do not end".to_owned());
            }
        }
        for worker in std::mem::take(&mut self.workers) {
            ended_truly(&Ran::of_child(worker))?;
        }
        self.until_done()?;
        self.judge()
    }

    fn is_working(&mut self) -> bool {
        self.workers.iter_mut().any(|worker| matches!(worker.try_wait(), Ok(None)))
    }

    /// One of the workers that are at work.
    fn victim(&mut self) -> Option<&mut Child> {
        let at_work: Vec<usize> =
            (0..self.workers.len()).filter(|n| matches!(self.workers[*n].try_wait(), Ok(None))).collect();
        let at = at_work.get(self.dice.below(at_work.len().max(1) as u64) as usize)?;
        self.workers.get_mut(*at)
    }

    fn signal(&mut self, signal: &str) -> Option<u32> {
        let pid = self.victim()?.id();
        Command::new("kill").args([signal, &pid.to_string()]).output().expect("kill");
        Some(pid)
    }

    fn happens(&mut self, accident: Accident) -> Result<(), String> {
        match accident {
            Accident::Kill => _ = self.signal("-KILL"),
            Accident::Ask => _ = self.signal("-TERM"),
            Accident::Halt => {
                if let Some(pid) = self.signal("-STOP") {
                    self.end_leases();
                    let other = self.worker(&["--max-files", "5"]);
                    process::has_ended(other.id(), Duration::from_secs(2));
                    Command::new("kill").args(["-CONT", &pid.to_string()]).output().expect("kill");
                    self.workers.push(other);
                }
            }
            Accident::LeasesEnd => self.end_leases(),
            Accident::BackendEnd => {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                           WHERE datname = current_database() AND application_name = 'migrate' ORDER BY random() LIMIT 1) AS one";
                let _ = self.try_sql(sql);
            }
            Accident::ServerStop => self.server.crash(),
            Accident::DiskFull => {
                self.server.limit(Some(1 << 20));
                let short = self.worker(&["--max-files", "3"]);
                ended_truly(&Ran::of_child(short))?;
                self.server.limit(None);
            }
            Accident::FileVanishes => {
                let n = self.dice.below(self.files);
                if std::fs::rename(self.path(n), self.place.path(&format!("away_{n}.db"))).is_ok() {
                    self.vanished.push(n);
                }
            }
            Accident::FileChanges => {
                let (n, form) = (self.dice.below(self.files), 1 + self.dice.below(5));
                if self.path(n).exists() {
                    self.write(n, form);
                }
            }
            Accident::WorkerMore => {
                let worker = self.worker(&[]);
                self.workers.push(worker);
            }
        }
        Ok(())
    }

    /// Runs the command until every file is loaded.
    fn until_done(&mut self) -> Result<(), String> {
        for n in std::mem::take(&mut self.vanished) {
            std::fs::rename(self.place.path(&format!("away_{n}.db")), self.path(n)).map_err(|e| e.to_string())?;
        }
        let mut last = String::new();
        for _ in 0..12 {
            self.end_leases();
            let worker = self.worker(&["--retry", "quarantined", "--retry", "failed"]);
            let ran = Ran::of_child(worker);
            ended_truly(&ran)?;
            if ran.code == 0 {
                return Ok(());
            }
            last = ran.said();
        }
        Err(format!("the fleet does not end: {last}"))
    }

    /// Every file is there once and whole, under its own owner, and the tool says so.
    fn judge(&self) -> Result<(), String> {
        let mut client = self.server.connect(&self.database);
        let mut of = |sql: &str, n: &str| -> Vec<String> {
            client.query(sql, &[&n]).expect("rows").iter().map(|row| row.get(0)).collect()
        };
        let sql = "SELECT format('%s %s %s', a.name, t.amount, a.user_id = t.user_id) FROM users u JOIN acc a ON a.user_id = u.id \
                   LEFT JOIN tx t ON t.acc_id = a.id WHERE u.username = $1 ORDER BY 1";
        for n in 0..self.files {
            let found = of(sql, &format!("u{n:04}"));
            // A file that changed may have been loaded before or after.
            if !(0..6).any(|form| expected(n, form) == found) {
                return Err(format!("u{n:04}: {found:?} is none of its forms, such as {:?}", expected(n, 0)));
            }
        }
        for (sql, expected) in [
            ("SELECT count(*)::text FROM users WHERE $1 = ''", self.files),
            ("SELECT count(*)::text FROM acc WHERE $1 = ''", 2 * self.files),
            (
                "SELECT count(*)::text FROM migrate.member WHERE state = 'Done' AND position IS NULL AND $1 = ''",
                self.files,
            ),
        ] {
            let found = of(sql, "");
            if found != [expected.to_string()] {
                return Err(format!("{sql}: {found:?}, expected {expected}"));
            }
        }
        let url = self.server.url_of("postgres", &self.database);
        let ran = self.place.migrate(["fleet", "verify", "-m", "fleet.toml", "-t", &url]).ran();
        if ran.code == 0 { Ok(()) } else { Err(format!("verify ended with {}: {}", ran.code, ran.said())) }
    }

    fn end(mut self) {
        for worker in &mut self.workers {
            let _killed = worker.kill();
            let _ended = worker.wait();
        }
        self.proxy.expect([]);
        self.proxy.let_go();
        let _dropped = drop_database(&mut self.server.connect("postgres"), &self.database);
    }
}

/// The rows that the file of an owner has in one of its forms.
fn expected(n: u64, form: u64) -> Vec<String> {
    let mut rows: Vec<String> = (1..=1 + (n + form) % 7)
        .map(|id| format!("{} of {n} {id}.{:02} t", if id % 2 == 0 { 'a' } else { 'b' }, (n + form) % 100))
        .collect();
    for (name, is_used) in [('a', 1 + (n + form) % 7 >= 2), ('b', true)] {
        if !is_used {
            rows.push(format!("{name} of {n}  "));
        }
    }
    rows.sort();
    rows
}

fn ended_truly(ran: &Ran) -> Result<(), String> {
    match TRUE_ENDS.contains(&ran.code) {
        true => Ok(()),
        false => Err(format!("a worker ended with {}: {}", ran.code, ran.said())),
    }
}
