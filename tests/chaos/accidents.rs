//! The accidents of a trial: every way in which a process, a server or a connection can die.

use std::process::{Child, Command};
use std::time::Duration;

use super::proxy::{Fault, How};
use super::trial::{LONGEST, QUARANTINE, Trial};
use crate::support::tool::Ran;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kill,
    ServerStop,
    Cut,
    CutInTls,
    AnswerLost,
    CommitLate,
    BackendEnd,
    Ask,
    TwoAtOnce,
    RolledBack,
    KilledRollingBack,
    TargetFull,
    FaultFileFull,
    Memory,
    ReaderClosed,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Kill,
        Kind::ServerStop,
        Kind::Cut,
        Kind::CutInTls,
        Kind::AnswerLost,
        Kind::CommitLate,
        Kind::BackendEnd,
        Kind::Ask,
        Kind::TwoAtOnce,
        Kind::RolledBack,
        Kind::KilledRollingBack,
        Kind::TargetFull,
        Kind::FaultFileFull,
        Kind::Memory,
        Kind::ReaderClosed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill -9",
            Kind::ServerStop => "server stopped at once",
            Kind::Cut => "connection cut",
            Kind::CutInTls => "connection cut inside TLS",
            Kind::AnswerLost => "answer to COMMIT lost",
            Kind::CommitLate => "COMMIT after the retry",
            Kind::BackendEnd => "pg_terminate_backend",
            Kind::Ask => "SIGTERM, SIGINT, SIGHUP",
            Kind::TwoAtOnce => "two at once",
            Kind::RolledBack => "killed, then rolled back",
            Kind::KilledRollingBack => "killed while rolling back",
            Kind::TargetFull => "target's disk full",
            Kind::FaultFileFull => "fault file's disk full",
            Kind::Memory => "memory refused",
            Kind::ReaderClosed => "reader of its output closed",
        }
    }

    /// The number of its trials for each trial of the rarest kind.
    pub fn weight(self) -> usize {
        match self {
            Kind::Kill | Kind::Cut => 12,
            Kind::ServerStop => 10,
            Kind::CutInTls | Kind::AnswerLost | Kind::CommitLate => 3,
            _ => 1,
        }
    }
}

impl Trial<'_> {
    pub fn disturb(&mut self, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Kill => self.kill()?,
            Kind::ServerStop => self.server_stop()?,
            Kind::Cut => self.cut("disable")?,
            Kind::CutInTls => self.cut("require")?,
            Kind::AnswerLost | Kind::CommitLate => self.commits(kind)?,
            Kind::BackendEnd => self.backend_end()?,
            Kind::Ask => self.ask()?,
            Kind::TwoAtOnce => self.two()?,
            Kind::RolledBack | Kind::KilledRollingBack => self.rolled_back(kind)?,
            Kind::TargetFull => self.target_full()?,
            Kind::FaultFileFull => self.fault_file_full()?,
            Kind::Memory => self.memory()?,
            Kind::ReaderClosed => self.reader_closed()?,
        }
        self.until_done()?;
        self.fixture.wrong(&self.database).map_or(Ok(()), Err)
    }

    fn kill(&mut self) -> Result<(), String> {
        for _ in 0..6 + self.dice.below(10) {
            let mut child = self.spawn(&self.here(), &[]);
            let nth = 1 + self.dice.below(3);
            let ended = Self::let_run(&mut child, self.moment(nth));
            let ran = Self::killed(child);
            match ended {
                None => self.injections += 1,
                Some(_) if ran.code == 0 => return self.exit_is_true(&ran),
                // The server has not noticed yet that the previous one has ended.
                Some(_) if ran.code == 3 && ran.said().contains("another migrate is at work") => {}
                Some(_) => return Err(format!("undisturbed it ended with {}: {}", ran.code, ran.said())),
            }
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), String> {
        for _ in 0..1 + self.dice.below(3) {
            let mut child = self.spawn(&self.here(), &[]);
            // Before its signals are set up it dies of them, as anything does.
            Self::let_run(&mut child, Duration::from_millis(100) + self.moment(1));
            let signal = ["-TERM", "-INT", "-HUP"][self.dice.below(3) as usize];
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).output();
            self.injections += u64::from(sent.expect("kill").status.success());
            let ran = self.ended(child)?;
            if ![0, 130, -15, -2, -1].contains(&ran.code) {
                return Err(format!("asked to stop by {signal}, it ended with {}: {}", ran.code, ran.said()));
            }
            self.exit_is_true(&ran)?;
        }
        Ok(())
    }

    fn server_stop(&mut self) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        for _ in 0..1 + self.dice.below(3) {
            if Self::let_run(&mut child, self.moment(1)).is_none() {
                self.fixture.server.crash();
                self.injections += 1;
            }
        }
        self.survived(child).map(|_| ())
    }

    fn backend_end(&mut self) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        let mut client = self.fixture.server.connect("postgres");
        for _ in 0..1 + self.dice.below(4) {
            if Self::let_run(&mut child, self.moment(2)).is_none() {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                           WHERE datname = $1 ORDER BY random() LIMIT 1) AS one";
                let ended: i64 = client.query_one(sql, &[&self.database]).map_err(|e| e.to_string())?.get(0);
                self.injections += ended.unsigned_abs();
            }
        }
        self.survived(child).map(|_| ())
    }

    fn cut(&mut self, tls: &str) -> Result<(), String> {
        let faults: Vec<Fault> = (0..2 + self.dice.below(5)).map(|_| self.a_cut()).collect();
        let is_silent = faults.iter().any(|f| matches!(f, Fault::Cut { how: How::Silence, .. }));
        self.fixture.proxy.expect(faults);
        let mut child = self.spawn(&self.fixture.proxy.url_with(&self.database, tls), &[]);
        let time = if is_silent { Duration::from_millis(2 * self.fixture.span) } else { LONGEST };
        if Self::let_run(&mut child, time).is_none() && is_silent {
            // The cable is out and its operator ends it; the server does not know.
            let _killed = Self::killed(child);
            self.injections += self.fixture.proxy.happened();
            self.fixture.proxy.expect([]);
            let taking_over = self.spawn(&self.here(), &["--take-over"]);
            let ran = self.ended(taking_over)?;
            self.exit_is_true(&ran)?;
            if ran.code != 0 {
                return Err(format!("taking over ended with {}: {}", ran.code, ran.said()));
            }
            return Ok(());
        }
        let survived = self.survived(child);
        self.injections += self.fixture.proxy.happened();
        survived.map(|_| ())
    }

    fn a_cut(&mut self) -> Fault {
        // Early messages matter as much as late ones, of which there are many more.
        let most = 1 << (3 + self.dice.below(6));
        let how = match self.dice.below(16) {
            0 => How::Silence,
            1 | 2 => How::Stall(self.dice.within(300)),
            3..=8 => How::Fin,
            _ => How::Rst,
        };
        let bytes = [0, self.dice.below(20_000) as usize][self.dice.below(2) as usize];
        Fault::Cut { from_client: self.dice.below(2) == 0, message: 1 + self.dice.below(most), bytes, how }
    }

    fn commits(&mut self, kind: Kind) -> Result<(), String> {
        let faults: Vec<Fault> = (0..2 + self.dice.below(4))
            .map(|_| {
                let commit = 1 + self.dice.below(8);
                match kind {
                    Kind::AnswerLost => Fault::AnswerLost { commit },
                    _ => Fault::CommitLate { commit, by: self.dice.within(300) },
                }
            })
            .collect();
        self.fixture.proxy.expect(faults);
        let child = self.spawn(&self.fixture.proxy.url(&self.database), &[]);
        let survived = self.survived(child);
        self.injections += self.fixture.proxy.happened();
        survived.map(|_| ())
    }

    fn two(&mut self) -> Result<(), String> {
        let mut first = self.spawn(&self.here(), &[]);
        let moment = self.moment(2);
        Self::let_run(&mut first, moment);
        let second = self.spawn(&self.here(), &[]);
        self.injections += 1;
        for child in [first, second] {
            let ran = self.ended(child)?;
            if ![0, 3].contains(&ran.code) {
                return Err(format!("of two, one ended with {}: {}", ran.code, ran.said()));
            }
        }
        Ok(())
    }

    /// A run that was killed anywhere can be rolled back to the last row, catalogue entry and sequence, and can run again.
    fn rolled_back(&mut self, kind: Kind) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        let moment = self.moment(1) + self.moment(2);
        Self::let_run(&mut child, moment);
        let _killed = Self::killed(child);
        self.injections += u64::from(kind == Kind::RolledBack);
        if kind == Kind::KilledRollingBack {
            for _ in 0..1 + self.dice.below(4) {
                let mut child = self.rollback();
                if Self::let_run(&mut child, self.moment(2)).is_none() {
                    self.injections += 1;
                }
                let _killed = Self::killed(child);
            }
        }
        let child = self.rollback();
        let ran = self.ended(child)?;
        // Nothing to remove: the kill came before the run began, or after the whole rollback.
        if ran.code != 0 && !ran.said().contains("contains no run") {
            return Err(format!("rollback ended with {}: {}", ran.code, ran.said()));
        }
        self.fixture.touched(&self.database).map_or(Ok(()), |what| Err(format!("after rollback: {what}")))
    }

    fn rollback(&mut self) -> Child {
        self.runs += 1;
        let args = ["rollback", "-m", self.mapping, "--yes", "--take-over", "--progress", "none", "-t"];
        self.fixture.place.migrate(args).arg(self.here()).spawn()
    }

    /// No file of the target's grows beyond a size that is drawn; then there is room again.
    fn target_full(&mut self) -> Result<(), String> {
        // Files of the log written ahead have 1 MiB; the largest table here comes to 1.6 MiB.
        self.fixture.server.limit(Some(1_050_000 + self.dice.below(500_000)));
        let child = self.spawn(&self.here(), &[]);
        let ran = self.survived(child);
        self.fixture.server.limit(None);
        self.injections += u64::from(ran?.code != 0);
        Ok(())
    }

    /// The fault file cannot be written. The ledger records the quarantined rows all the same, and the report warns.
    fn fault_file_full(&mut self) -> Result<(), String> {
        self.mapping = QUARANTINE;
        let child = match self.dice.below(2) {
            0 => self.spawn(&self.here(), &["--fault-file", "/dev/full"]),
            _ => self.limited("ulimit -f 1", &[]),
        };
        let ran = self.ended(child)?;
        self.injections += 1;
        self.exit_is_true(&ran)?;
        if ran.code != 6 || !ran.said().contains("cannot be written") {
            return Err(format!("without a fault file it ended with {}: {}", ran.code, ran.said()));
        }
        let _previous = std::fs::remove_file(self.fixture.place.path("migrate-faults.ndjson"));
        self.until_done()?;
        let lines = self.fixture.place.read("migrate-faults.ndjson").lines().count();
        if lines == 60 { Ok(()) } else { Err(format!("{lines} lines in the fault file")) }
    }

    /// The process is refused memory beyond an amount that is drawn: it may end in any way, but not with a lie.
    fn memory(&mut self) -> Result<(), String> {
        for _ in 0..3 {
            let kibibytes = 24_000 + self.dice.below(40_000);
            let child = self.limited(&format!("ulimit -v {kibibytes}"), &[]);
            let ran = self.ended(child)?;
            // 127: not even its libraries could be loaded.
            if ![0, 1, 3, 4, 127, -6, -11].contains(&ran.code) {
                return Err(format!("with {kibibytes} KiB it ended with {}: {}", ran.code, ran.said()));
            }
            self.injections += u64::from(ran.code != 0);
            self.exit_is_true(&ran)?;
        }
        Ok(())
    }

    /// The reader of the output has closed it, as `| head -1` does.
    fn reader_closed(&mut self) -> Result<(), String> {
        self.args.retain(|arg| arg != "--progress=none");
        let mut child = self.spawn(&self.here(), &["--progress", "plain", "-v"]);
        Self::let_run(&mut child, self.moment(1));
        drop((child.stdout.take(), child.stderr.take()));
        self.injections += 1;
        let Some(code) = Self::let_run(&mut child, LONGEST) else { return Err("it hangs".to_owned()) };
        if code != 0 {
            return Err(format!("without a reader, it ended with {code}"));
        }
        self.exit_is_true(&Ran { code, stdout: String::new(), stderr: String::new() })
    }
}
