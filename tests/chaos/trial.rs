//! One trial: a fresh target, disturbed runs, then the same command until it is done, and the judgement.
//!
//! This file has what all trials have in common. The accidents are in `accidents`.

use std::process::Child;
use std::time::{Duration, Instant};

use super::Dice;
use super::accidents::Kind;
use super::fixture::Fixture;
use crate::support::process;
use crate::support::tool::{Ran, Run};

/// The outcome of a trial.
pub struct Done {
    /// The number of accidents.
    pub injections: u64,
    /// The number of starts of the tool.
    pub runs: u64,
    /// Everything that is wrong.
    pub failure: Option<String>,
}

/// One trial.
pub struct Trial<'f> {
    pub fixture: &'f Fixture,
    pub database: String,
    pub dice: Dice,
    pub args: Vec<String>,
    /// The mapping. One of them quarantines some rows.
    pub mapping: &'static str,
    pub injections: u64,
    pub runs: u64,
}

/// The time that a run may take before the harness kills it: many times what it needs.
pub const LONGEST: Duration = Duration::from_secs(60);

/// The mapping that quarantines no row, and the one that quarantines some.
pub const WHOLE: &str = "mapping.toml";
pub const QUARANTINE: &str = "quarantine.toml";

impl<'f> Trial<'f> {
    pub fn run(fixture: &'f Fixture, kind: Kind, seed: u64) -> Done {
        let mut dice = Dice(seed);
        let database = format!("chaos_{seed}");
        fixture.begin(&database);
        let mut args: Vec<String> = ["--yes", "--progress=none"].map(String::from).into();
        args.extend([format!("--batch-rows={}", 100 + dice.below(900)), format!("--jobs={}", 1 + dice.below(3))]);
        args.push(format!("--detach={}", ["auto", "always"][dice.below(2) as usize]));
        if dice.below(2) == 0 {
            args.push("--skip-preflight".to_owned());
        }
        if dice.below(2) == 0 {
            args.push(format!("--batch-bytes={}", 20_000 + dice.below(500_000)));
        }
        let mut trial = Trial { fixture, database, dice, args, mapping: WHOLE, injections: 0, runs: 0 };
        let failure = trial.disturb(kind).err().map(|failure| format!("{failure}\n  {}", trial.args.join(" ")));
        fixture.proxy.expect([]);
        fixture.proxy.let_go();
        if failure.is_none() || std::env::var_os("CHAOS_KEEP").is_none() {
            fixture.end(&trial.database);
        }
        Done { injections: trial.injections, runs: trial.runs, failure }
    }

    /// Ends the process at one point and resumes. Returns false if there are fewer points.
    #[cfg(feature = "failpoints")]
    pub fn at_point(fixture: &'f Fixture, point: u64) -> Result<bool, String> {
        let database = format!("chaos_point_{point}");
        fixture.begin(&database);
        let args = ["--yes", "--progress", "none", "--jobs=1", "--batch-rows=1500", "--detach=always"];
        let args = args.map(String::from).into();
        let mut trial = Trial { fixture, database, dice: Dice(point), args, mapping: WHOLE, injections: 0, runs: 0 };
        let url = trial.here();
        let died = match trial.tool(&url).env("MIGRATE_FAIL_AT", point.to_string()).ran().code {
            0 => Ok(false),
            code if code < 0 => Ok(true),
            code => Err(format!("it ended with {code}")),
        };
        let died = died.and_then(|died| trial.until_done().map(|()| died));
        let died = died.and_then(|died| fixture.wrong(&trial.database).map_or(Ok(died), Err));
        fixture.end(&trial.database);
        died
    }

    /// The exit status of an undisturbed run of this mapping.
    pub fn well(&self) -> i32 {
        if self.mapping == QUARANTINE { 6 } else { 0 }
    }

    /// A moment of a run, of its first half, third ...
    pub fn moment(&mut self, nth: u64) -> Duration {
        let span = self.fixture.span / nth;
        self.dice.within(span)
    }

    pub fn here(&self) -> String {
        self.fixture.url(&self.database)
    }

    /// The command of this trial.
    pub fn tool(&mut self, url: &str) -> Run {
        self.runs += 1;
        self.fixture.place.migrate(["-m", self.mapping]).args(&self.args).args(["-t", url])
    }

    pub fn spawn(&mut self, url: &str, more: &[&str]) -> Child {
        self.tool(url).args(more).spawn()
    }

    /// The same, with a limit of the shell's on it.
    pub fn limited(&mut self, limit: &str, more: &[&str]) -> Child {
        self.runs += 1;
        let (url, script) = (self.here(), format!("{limit} && exec \"$@\""));
        let run = self.fixture.place.run("sh", ["-c", &script, "sh", env!("CARGO_BIN_EXE_migrate")]);
        run.args(["-m", self.mapping]).args(&self.args).args(["-t", &url]).args(more).spawn()
    }

    /// Lets it run for a time; its exit status if it ended by itself.
    pub fn let_run(child: &mut Child, time: Duration) -> Option<i32> {
        if !process::has_ended(child.id(), time) {
            return None;
        }
        let status = child.try_wait().expect("a child")?;
        Some(status.code().unwrap_or(-1))
    }

    pub fn killed(mut child: Child) -> Ran {
        let _killed = child.kill();
        Ran::of_child(child)
    }

    /// A run that was not killed: it finished, or stopped and reported so.
    pub fn survived(&mut self, child: Child) -> Result<Ran, String> {
        let ran = self.ended(child)?;
        if ![self.well(), 3, 4].contains(&ran.code) {
            return Err(format!("it ended with {}: {}", ran.code, ran.said()));
        }
        self.exit_is_true(&ran)?;
        Ok(ran)
    }

    pub fn ended(&self, mut child: Child) -> Result<Ran, String> {
        match Self::let_run(&mut child, LONGEST) {
            Some(_) => Ok(Ran::of_child(child)),
            None => Err(format!("it hangs: {}", Self::killed(child).said())),
        }
    }

    /// 0 and 6 say that all is there; 4 says what the same command will do; 3 says that nothing was written.
    pub fn exit_is_true(&self, ran: &Ran) -> Result<(), String> {
        match ran.code {
            0 | 6 if ran.code == self.well() => {
                self.fixture.wrong(&self.database).map_or(Ok(()), |what| Err(format!("exit {}, and {what}", ran.code)))
            }
            4 if !ran.said().contains("ame command") => Err(format!("it does not say how to resume: {}", ran.said())),
            _ => Ok(()),
        }
    }

    /// The same command, undisturbed: it must come to its end. What the server still does for a process that has ended may
    /// have it refused for a moment.
    pub fn until_done(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let child = self.spawn(&self.here(), &[]);
            let ran = self.ended(child)?;
            match ran.code {
                code if code == self.well() => return self.exit_is_true(&ran),
                3 if ran.said().contains("another migrate is at work") && began.elapsed() < Duration::from_secs(20) => {
                }
                code => return Err(format!("undisturbed it ended with {code}: {}", ran.said())),
            }
        }
    }
}
