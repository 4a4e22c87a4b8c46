//! Failures that no report has recorded yet, their report, and the panic hook.
//!
//! Every failure is a list of problems with place, reason and advice. Nothing reads the text of a problem.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{Location, PanicHookInfo};

use crate::cli::Unread;
use crate::exit::Exit;
use crate::job::Stop;
use crate::mapping;
use crate::model::record::{CommandKind, Refusal, Report};
use crate::pg::ServerError;
use crate::pg::connect::ConnectError;
use crate::progress;
use crate::report::{self, FileError};
use crate::sqlite::{ErrorClass, SourceError};
use crate::text::{Screen, printable, sentence};

use super::ending::{self, Ending, Leaves};
use super::output::{print, say};

/// A command that ended without a report.
#[derive(Debug)]
pub struct Failure {
    /// The exit of the process.
    pub exit: Exit,
    /// Every problem, at least one.
    pub problems: Vec<Refusal>,
}

/// The end of a command before its work is complete.
pub enum Ended {
    /// The report records the reason.
    Exit(Exit),
    /// No report records it yet.
    Failed(Failure),
}

impl Ended {
    /// The exit of a command with a report.
    ///
    /// # Errors
    /// The failure, if no report records it.
    pub fn into_exit(self) -> Result<Exit, Failure> {
        match self {
            Ended::Exit(exit) => Ok(exit),
            Ended::Failed(failure) => Err(failure),
        }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

/// Problems that end a command.
pub struct Problems {
    all: Vec<Refusal>,
    /// The process was asked to stop. There is no other problem.
    interrupted: bool,
}

impl Failure {
    /// A flag, a file or a setting that cannot be read.
    pub fn usage(problems: impl Into<Problems>) -> Failure {
        Failure::with(Exit::Usage, problems.into())
    }

    /// A refusal: nothing was written.
    pub fn refused(problems: impl Into<Problems>) -> Failure {
        Failure::with(Exit::Refused, problems.into())
    }

    /// The failure of a command that was asked to stop.
    pub fn interrupted(state: &str) -> Failure {
        let problem = Refusal::new("run", Stop::Interrupted.to_string(), state);
        Failure { exit: Exit::Interrupted, problems: vec![problem] }
    }

    /// The same failure of a command that had been asked to stop: whatever failed then, the command ended early for this
    /// reason.
    pub fn after_request(mut self, ending: &Ending) -> Failure {
        if matches!(self.exit, Exit::Refused | Exit::Stopped) {
            self.problems.splice(0..0, Failure::interrupted(ending.leaves().words()).problems);
            self.exit = Exit::Interrupted;
        }
        self
    }

    fn with(exit: Exit, problems: Problems) -> Failure {
        let exit = if problems.interrupted { Exit::Interrupted } else { exit };
        Failure { exit, problems: problems.all }
    }

    /// An error that only a mistake in this program can cause.
    pub fn bug(cause: anyhow::Error) -> Failure {
        Failure { exit: Exit::Bug, problems: vec![Refusal::new("migrate", format!("internal error; {cause:#}"), "")] }
    }

    /// The problem of a command line that names too much or too little.
    pub fn usage_of(place: &str, reason: impl Into<String>, advice: impl Into<String>) -> Failure {
        Failure::usage(Refusal::new(place, reason, advice))
    }

    /// A report that holds this failure alone.
    pub fn report(&self, command: CommandKind, mapping: &str) -> Report {
        let mut report = Report::new(command, mapping);
        report.refusals = self.problems.clone();
        report.exit = self.exit.record();
        report
    }

    /// Prints the failure on stderr, and as JSON on stdout if `json`. Returns the exit.
    pub fn print(&self, report: &Report, json: bool) -> Exit {
        let lines: Vec<String> = self.problems.iter().map(line).collect();
        say(&lines.join("\n"));
        if json {
            print(&Screen::json(report::json::render(std::slice::from_ref(report)).unwrap_or_default()));
        }
        self.exit
    }
}

/// `place: reason. Advice.`, in one line.
fn line(problem: &Refusal) -> String {
    let text = format!("{}: {} {}", problem.place, sentence(&problem.reason), sentence(&problem.advice));
    printable(text.trim_end()).into_owned()
}

impl From<Refusal> for Problems {
    fn from(problem: Refusal) -> Problems {
        vec![problem].into()
    }
}

impl From<Vec<Refusal>> for Problems {
    fn from(all: Vec<Refusal>) -> Problems {
        Problems { all, interrupted: false }
    }
}

impl From<SourceError> for Problems {
    fn from(e: SourceError) -> Problems {
        let interrupted = e.class == ErrorClass::Interrupted;
        let advice = if interrupted { Leaves::Nothing.words().to_owned() } else { e.advice };
        Problems { interrupted, ..Refusal::new(e.place, because(&e.what, &e.why), advice).into() }
    }
}

impl From<ServerError> for Problems {
    fn from(e: ServerError) -> Problems {
        let advice = e.advice.clone().unwrap_or_default();
        Refusal::new(e.operation.to_string(), e.answer(), advice).into()
    }
}

impl From<ConnectError> for Problems {
    fn from(e: ConnectError) -> Problems {
        let problem = e.problem();
        Refusal::new(&problem.place, because(&problem.what, &problem.why), &problem.advice).into()
    }
}

impl From<Stop> for Problems {
    fn from(stop: Stop) -> Problems {
        match stop {
            Stop::Source(e) => e.into(),
            Stop::Target(e) => e.into(),
            Stop::Connect(e) => e.into(),
            Stop::Refused(refusals) => refusals.into(),
            Stop::Interrupted => Problems { all: Failure::interrupted("").problems, interrupted: true },
            other => Refusal::new("run", other.to_string(), "").into(),
        }
    }
}

impl From<Vec<FileError>> for Problems {
    fn from(errors: Vec<FileError>) -> Problems {
        errors.iter().map(FileError::problem).collect::<Vec<_>>().into()
    }
}

/// The problems of a mapping file. `shown` is its path.
pub fn of_mapping(shown: &str, problems: &[mapping::FormProblem]) -> Failure {
    let problem = |p: &mapping::FormProblem| {
        let place = match (p.line, p.place.as_str()) {
            (Some(line), "") => format!("line {line}"),
            (Some(line), key) => format!("line {line}, {key}"),
            (None, key) => key.to_owned(),
        };
        Refusal::new(format!("mapping {shown}: {place}"), &p.what, &p.advice)
    };
    Failure::usage(problems.iter().map(problem).collect::<Vec<_>>())
}

fn because(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what}; {}", why.trim_end_matches('.')) }
}

/// Ends a process whose arguments cannot be read. clap has printed the reason; `--json` prints it as JSON, too.
pub fn unread(unread: &Unread) -> u8 {
    if let Some((command, message)) = &unread.as_json {
        let failure = Failure::usage_of("command line", message, "");
        print(&Screen::json(report::json::render(&[failure.report(*command, "")]).unwrap_or_default()));
    }
    unread.code
}

/// Installs a panic hook that prints the location and ends the process. It prints the message only if it is a string
/// literal. A message that was put together at run time may quote a row, a password or a connection string.
///
/// No thread unwinds: a build that aborts at a panic ends like one that could unwind.
pub fn end_at_a_panic() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let mut text = panic_text(info.location(), info.payload());
        let backtrace = Backtrace::capture();
        // It holds names of functions and files alone, and is captured only if RUST_BACKTRACE asks for it.
        if backtrace.status() == BacktraceStatus::Captured {
            text.push_str(&format!("\n{backtrace}"));
        }
        progress::erase();
        let _ = writeln!(std::io::stderr().lock(), "migrate: {text}");
        ending::at_once(Exit::Bug)
    }));
}

fn panic_text(location: Option<&Location<'_>>, payload: &(dyn Any + Send)) -> String {
    let place = location.map_or_else(|| "unknown place".to_owned(), |l| format!("{}:{}", l.file(), l.line()));
    let words = match payload.downcast_ref::<&'static str>() {
        Some(words) => (*words).to_owned(),
        None => "its message is not shown, because it may quote a row or a connection string".to_owned(),
    };
    format!(
        "{place}: an internal error; {words}. Committed batches are whole and recorded in the ledger. Report this line. The \
         same command resumes the run."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_prints_literal_messages_and_hides_all_others() {
        let place = Location::caller();
        let literal: &'static str = "no lane is left";
        assert!(panic_text(Some(place), &literal).contains(": an internal error; no lane is left. Committed batches"));
        let put_together = String::from("byte index 1 is not a char boundary; it is inside 'é' of `Zürich`");
        let text = panic_text(Some(place), &put_together);
        assert!(text.starts_with(&format!("{}:{}: ", place.file(), place.line())), "{text}");
        assert!(text.contains("not shown") && !text.contains("boundary"), "{text}");
    }

    #[test]
    fn a_failure_is_printed_as_place_reason_and_advice() {
        let line = |place, reason, advice| super::line(&Refusal::new(place, reason, advice));
        assert_eq!(line("-m", "names two files", "Name one"), "-m: names two files. Name one.");
        assert_eq!(line("ledger", "SQLSTATE 42501", ""), "ledger: SQLSTATE 42501.");
        assert_eq!(line("target", "it is busy", "SELECT 1;"), "target: it is busy. SELECT 1;");
    }
}
