//! What went wrong before a report was there to say it; and the report of that alone, for those who read JSON or files.

use crate::cli::{Cli, Unread};
use crate::exit::Exit;
use crate::model::record::{Refusal, Report};
use crate::report;

use super::{World, print, say, way};

/// What went wrong before a report could say it.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What to print: one line or several, each `place: what; why. Do this.`
    pub message: String,
}

impl Failure {
    pub(super) fn usage(message: impl ToString) -> Failure {
        Failure { exit: Exit::Usage, message: message.to_string() }
    }

    /// Before anything was written.
    pub(super) fn refused(message: impl ToString) -> Failure {
        Failure { exit: Exit::Refused, message: message.to_string() }
    }

    /// What can only fail by a mistake of ours.
    pub(super) fn bug(message: impl ToString) -> Failure {
        Failure { exit: Exit::Bug, message: message.to_string() }
    }

    /// A report of the failure and of nothing else.
    pub(super) fn report(&self, command: &str, mapping: &str) -> Report {
        let mut report = Report::new(command, mapping);
        report.refusals = self.message.lines().map(parts).collect();
        report.exit = self.exit.record();
        report
    }

    /// Says it on stderr, and as JSON on stdout where that was asked for. Gives the exit.
    pub(super) fn told(&self, report: &Report, json: bool) -> Exit {
        say(&self.message);
        if json {
            print(&report::json::render(std::slice::from_ref(report)).unwrap_or_default());
        }
        self.exit
    }
}

/// The report of a failure alone; it names the mapping where that can be read.
pub(super) fn alone(failure: &Failure, cli: &Cli, world: &World) -> Report {
    let mapping = way::one_mapping(cli.common(), world).map(|found| found.mapping.name).unwrap_or_default();
    failure.report(cli.command_name(), &mapping)
}

/// Arguments that could not be read, which clap has printed: once more as JSON where that was asked for.
pub fn unread(unread: &Unread) -> u8 {
    if let Some((command, message)) = &unread.as_json {
        let failure = Failure::usage(format!("command line: {message}"));
        print(&report::json::render(&[failure.report(command, "")]).unwrap_or_default());
    }
    unread.code
}

/// A line `place: what; why. Do this.` as its parts. A mapping's line number belongs to the place.
fn parts(line: &str) -> Refusal {
    let (mut place, mut rest) = line.split_once(": ").unwrap_or(("command line", line));
    if let Some((more, what)) = rest.split_once(": ").filter(|(more, _)| more.starts_with("line ")) {
        place = &line[..place.len() + 2 + more.len()];
        rest = what;
    }
    let (reason, advice) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
    Refusal::new(place, reason, advice)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_line_comes_apart_into_place_reason_and_advice() {
        let found = |line| {
            let refusal = parts(line);
            [refusal.place, refusal.reason, refusal.advice]
        };
        assert_eq!(found("-m: two were named; one goes. Name one."), ["-m", "two were named; one goes", "Name one."]);
        assert_eq!(
            found("mapping m.toml: line 5, load.a: unknown key. Did you mean `to`?"),
            ["mapping m.toml: line 5, load.a", "unknown key", "Did you mean `to`?"]
        );
        assert_eq!(found("no such thing"), ["command line", "no such thing", ""]);
    }
}
