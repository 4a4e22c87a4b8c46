//! One trial: a fresh target, runs that are disturbed, then the same command until it is done; and the judgement.

use std::process::Child;
use std::time::{Duration, Instant};

use super::Dice;
use super::fixture::Fixture;
use super::proxy::{Fault, How};
use crate::support::tool::Ran;

/// What is done to the runs of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kill,
    Ask,
    ServerStop,
    BackendEnd,
    Cut,
    AnswerLost,
    CommitLate,
    TwoAtOnce,
    RolledBack,
}

/// What came of it.
pub struct Done {
    /// How often something died.
    pub events: u64,
    /// How often the tool was started.
    pub runs: u64,
    /// What is wrong.
    pub failure: Option<String>,
}

/// One trial.
pub struct Trial<'f> {
    fixture: &'f Fixture,
    database: String,
    dice: Dice,
    args: Vec<String>,
    events: u64,
    runs: u64,
}

/// How long a run may take before the harness kills it: many times what it needs.
const LONGEST: Duration = Duration::from_secs(60);

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Kill,
        Kind::Ask,
        Kind::ServerStop,
        Kind::BackendEnd,
        Kind::Cut,
        Kind::AnswerLost,
        Kind::CommitLate,
        Kind::TwoAtOnce,
        Kind::RolledBack,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill -9",
            Kind::Ask => "SIGTERM, SIGINT",
            Kind::ServerStop => "server stopped at once",
            Kind::BackendEnd => "pg_terminate_backend",
            Kind::Cut => "connection cut",
            Kind::AnswerLost => "answer to COMMIT lost",
            Kind::CommitLate => "COMMIT behind the retry",
            Kind::TwoAtOnce => "two at once",
            Kind::RolledBack => "killed, then rolled back",
        }
    }
}

impl<'f> Trial<'f> {
    pub fn run(fixture: &'f Fixture, kind: Kind, seed: u64) -> Done {
        let mut dice = Dice(seed);
        let database = format!("chaos_{seed}");
        fixture.begin(&database);
        let mut args: Vec<String> = ["-m", "mapping.toml", "--yes", "--progress", "none"].map(String::from).into();
        args.extend([format!("--batch-rows={}", 100 + dice.below(900)), format!("--jobs={}", 1 + dice.below(3))]);
        args.push(format!("--detach={}", ["auto", "always"][dice.below(2) as usize]));
        if dice.below(2) == 0 {
            args.push("--skip-preflight".to_owned());
        }
        let mut trial = Trial { fixture, database, dice, args, events: 0, runs: 0 };
        let failure = trial.disturb(kind).err().map(|failure| format!("{failure}\n  {}", trial.args.join(" ")));
        fixture.proxy.expect([]);
        fixture.proxy.let_go();
        if failure.is_none() || std::env::var_os("CHAOS_KEEP").is_none() {
            fixture.end(&trial.database);
        }
        Done { events: trial.events, runs: trial.runs, failure }
    }

    /// Ends the process at one point and goes on. `false`: there are not so many points.
    #[cfg(feature = "failpoints")]
    pub fn at_point(fixture: &'f Fixture, point: u64) -> Result<bool, String> {
        let database = format!("chaos_point_{point}");
        fixture.begin(&database);
        let args =
            ["-m", "mapping.toml", "--yes", "--progress", "none", "--jobs=1", "--batch-rows=1500", "--detach=always"];
        let args = args.map(String::from).into();
        let mut trial = Trial { fixture, database, dice: Dice(point), args, events: 0, runs: 0 };
        let url = trial.here();
        let run = trial.fixture.place.migrate(&trial.args).args(["-t", &url]).env("MIGRATE_FAIL_AT", point.to_string());
        let died = match run.ran().code {
            0 => Ok(false),
            code if code < 0 => Ok(true),
            code => Err(format!("it ended with {code}")),
        };
        let died = died.and_then(|died| trial.until_done().map(|()| died));
        let died = died.and_then(|died| fixture.wrong(&trial.database).map_or(Ok(died), Err));
        fixture.end(&trial.database);
        died
    }

    fn disturb(&mut self, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Kill => self.kill()?,
            Kind::Ask => self.ask()?,
            Kind::ServerStop => self.server_stop()?,
            Kind::BackendEnd => self.backend_end()?,
            Kind::Cut => self.cut()?,
            Kind::AnswerLost | Kind::CommitLate => self.commits(kind)?,
            Kind::TwoAtOnce => self.two()?,
            Kind::RolledBack => return self.rolled_back(),
        }
        self.until_done()?;
        self.fixture.wrong(&self.database).map_or(Ok(()), Err)
    }

    /// Within this an undisturbed run is over, in milliseconds; moments are drawn from it.
    fn span(&self) -> u64 {
        self.fixture.span
    }

    /// A moment of a run, of its first half, third ...
    fn moment(&mut self, nth: u64) -> Duration {
        let span = self.span() / nth;
        self.dice.within(span)
    }

    fn spawn(&mut self, url: &str, more: &[&str]) -> Child {
        self.runs += 1;
        self.fixture.place.migrate(&self.args).args(["-t", url]).args(more).spawn()
    }

    fn here(&self) -> String {
        self.fixture.server.url(&self.database)
    }

    /// Lets it run for a time; its exit status if it ended by itself.
    fn let_run(child: &mut Child, time: Duration) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < time {
            if let Some(status) = child.try_wait().expect("a child") {
                return Some(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(2).min(time));
        }
        None
    }

    fn killed(mut child: Child) -> Ran {
        let _gone = child.kill();
        Ran::of_child(child)
    }

    fn kill(&mut self) -> Result<(), String> {
        for _ in 0..4 + self.dice.below(8) {
            let mut child = self.spawn(&self.here(), &[]);
            let nth = 1 + self.dice.below(3);
            let ended = Self::let_run(&mut child, self.moment(nth));
            let ran = Self::killed(child);
            match ended {
                None => self.events += 1,
                Some(_) if ran.code == 0 => return self.exit_is_true(&ran),
                // The server has not noticed yet that the one before is gone.
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
            let signal = ["-TERM", "-INT"][self.dice.below(2) as usize];
            let told = std::process::Command::new("kill").args([signal, &child.id().to_string()]).output();
            self.events += u64::from(told.expect("kill").status.success());
            let ran = self.ended(child)?;
            if ![0, 130, -15, -2].contains(&ran.code) {
                return Err(format!("asked to stop, it ended with {}: {}", ran.code, ran.said()));
            }
            self.exit_is_true(&ran)?;
        }
        Ok(())
    }

    fn server_stop(&mut self) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        for _ in 0..1 + self.dice.below(2) {
            if Self::let_run(&mut child, self.moment(1)).is_none() {
                self.fixture.server.crash();
                self.events += 1;
            }
        }
        self.survived(child)
    }

    fn backend_end(&mut self) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        let mut client = self.fixture.server.connect("postgres");
        for _ in 0..1 + self.dice.below(4) {
            if Self::let_run(&mut child, self.moment(2)).is_none() {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                           WHERE datname = $1 ORDER BY random() LIMIT 1) AS one";
                let ended: i64 = client.query_one(sql, &[&self.database]).map_err(|e| e.to_string())?.get(0);
                self.events += ended.unsigned_abs();
            }
        }
        self.survived(child)
    }

    fn cut(&mut self) -> Result<(), String> {
        let faults: Vec<Fault> = (0..1 + self.dice.below(6)).map(|_| self.a_cut()).collect();
        let is_silent = faults.iter().any(|f| matches!(f, Fault::Cut { how: How::Silence, .. }));
        self.fixture.proxy.expect(faults);
        let mut child = self.spawn(&self.fixture.proxy.url(&self.database), &[]);
        let time = if is_silent { Duration::from_millis(2 * self.span()) } else { LONGEST };
        if Self::let_run(&mut child, time).is_none() && is_silent {
            // The cable is out and its operator ends it; the server does not know.
            let _killed = Self::killed(child);
            self.events += self.fixture.proxy.happened();
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
        self.events += self.fixture.proxy.happened();
        survived
    }

    fn a_cut(&mut self) -> Fault {
        // Early messages matter as much as late ones, of which there are many more.
        let most = 1 << (1 + self.dice.below(9));
        let how = match self.dice.below(16) {
            0 => How::Silence,
            1 | 2 => How::Stall(self.dice.within(400)),
            3..=8 => How::Fin,
            _ => How::Rst,
        };
        Fault::Cut { from_client: self.dice.below(2) == 0, message: 1 + self.dice.below(most), how }
    }

    fn commits(&mut self, kind: Kind) -> Result<(), String> {
        let faults: Vec<Fault> = (0..1 + self.dice.below(4))
            .map(|_| {
                let commit = 1 + self.dice.below(12);
                match kind {
                    Kind::AnswerLost => Fault::AnswerLost { commit },
                    _ => Fault::CommitLate { commit, by: self.dice.within(400) },
                }
            })
            .collect();
        self.fixture.proxy.expect(faults);
        let child = self.spawn(&self.fixture.proxy.url(&self.database), &[]);
        let survived = self.survived(child);
        self.events += self.fixture.proxy.happened();
        survived
    }

    fn two(&mut self) -> Result<(), String> {
        let first = self.spawn(&self.here(), &[]);
        std::thread::sleep(self.moment(2));
        let second = self.spawn(&self.here(), &[]);
        self.events += 1;
        for child in [first, second] {
            let ran = self.ended(child)?;
            if ![0, 3].contains(&ran.code) {
                return Err(format!("of two, one ended with {}: {}", ran.code, ran.said()));
            }
        }
        Ok(())
    }

    /// Killed anywhere, a run can be taken back to the last row and catalogue entry.
    fn rolled_back(&mut self) -> Result<(), String> {
        let mut child = self.spawn(&self.here(), &[]);
        Self::let_run(&mut child, self.moment(1));
        let _killed = Self::killed(child);
        self.events += 1;
        let args = ["rollback", "-m", "mapping.toml", "--yes", "--take-over", "--progress", "none", "-t"];
        let ran = self.fixture.place.migrate(args).arg(self.here()).ran();
        // Nothing to take out: the kill came before the run began.
        if ran.code != 0 && !ran.said().contains("knows no run") {
            return Err(format!("rollback ended with {}: {}", ran.code, ran.said()));
        }
        self.fixture.touched(&self.database).map_or(Ok(()), |what| Err(format!("after rollback: {what}")))
    }

    /// A run that nobody ended: it held out, or stopped and said so.
    fn survived(&mut self, child: Child) -> Result<(), String> {
        let ran = self.ended(child)?;
        if ![0, 3, 4].contains(&ran.code) {
            return Err(format!("it ended with {}: {}", ran.code, ran.said()));
        }
        self.exit_is_true(&ran)
    }

    fn ended(&self, mut child: Child) -> Result<Ran, String> {
        match Self::let_run(&mut child, LONGEST) {
            Some(_) => Ok(Ran::of_child(child)),
            None => Err(format!("it hangs: {}", Self::killed(child).said())),
        }
    }

    /// 0 says that all is there.
    fn exit_is_true(&self, ran: &Ran) -> Result<(), String> {
        match ran.code {
            0 => self.fixture.wrong(&self.database).map_or(Ok(()), |what| Err(format!("exit 0, and {what}"))),
            _ => Ok(()),
        }
    }

    /// The same command, undisturbed: it must come to its end. What the server still does for a process that is gone may
    /// have it refused for a moment.
    fn until_done(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let child = self.spawn(&self.here(), &[]);
            let ran = self.ended(child)?;
            match ran.code {
                0 => return self.exit_is_true(&ran),
                3 if ran.said().contains("another migrate is at work") && began.elapsed() < Duration::from_secs(20) => {
                }
                code => return Err(format!("undisturbed it ended with {code}: {}", ran.said())),
            }
        }
    }
}
