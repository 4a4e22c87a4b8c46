//! What was typed, meant for this place: finds mapping, source and target, runs one command, reports, decides the exit.
//!
//! The rim: here alone the environment is read, the clock is asked and something is printed.

mod again;
mod carrying;
mod cutover;
mod earlier;
mod ending;
mod env_file;
mod failure;
mod faults;
mod hold;
mod inputs;
mod looking;
mod missed;
mod planning;
mod reach;
mod record;
mod rehearse;
mod rollback;
mod signals;
mod standing;
mod timing;
mod way;
mod world;

use std::io::Write;

use crate::cli::{Cli, Color, Command, Common, PlanArgs};
use crate::event::Observer;
use crate::exit::Exit;
use crate::model::record::Report;
use crate::progress::{self, Mode, Requested, Verbosity};
use crate::report::{self, ReportFile, Style};

pub use failure::{Failure, keep_panics_bare, unread};
pub use world::World;

/// Runs what was typed.
pub fn run(cli: &Cli, world: &World) -> Exit {
    #[cfg(feature = "failpoints")]
    if let Some(nth) = world.variable("MIGRATE_FAIL_AT").and_then(|nth| nth.parse().ok()) {
        crate::pg::failpoint::arm(nth, world.variable("MIGRATE_PANIC_SAYS"));
    }
    if let Err(e) = signals::listen(&world.asked) {
        say(&format!("signals are not heard ({e}); Ctrl-C ends at once"));
    }
    let done = match &cli.common().env_file {
        None => command(cli, world),
        Some(path) => world.with_env_file(path).and_then(|world| command(cli, &world)),
    };
    done.unwrap_or_else(|failure| failure.print(&failure::alone(&failure, cli, world), cli.common().json))
}

fn command(cli: &Cli, world: &World) -> Result<Exit, Failure> {
    match &cli.command {
        None => reported(cli, world, |observer| Ok(vec![cutover::run(&cli.run, world, observer)?])),
        Some(Command::Rehearse(args)) => reported(cli, world, |observer| rehearse::run(args, world, observer)),
        Some(Command::Verify(args)) => {
            reported(cli, world, |observer| Ok(vec![cutover::verify(args, world, observer)?]))
        }
        Some(Command::Plan(args)) => plan(args, world),
        Some(Command::Status(common)) => status(common, world),
        Some(Command::Rollback(args)) => {
            reported(cli, world, |observer| Ok(vec![rollback::rollback(args, world, observer)?]))
        }
    }
}

/// Runs a command that ends in reports, and writes them wherever they were asked for.
fn reported(
    cli: &Cli,
    world: &World,
    work: impl FnOnce(&dyn Observer) -> Result<Vec<Report>, Failure>,
) -> Result<Exit, Failure> {
    let common = cli.common();
    let files = report::open_all(cli.report_files()).map_err(Failure::usage)?;
    let worked = {
        let observer = observer(common, world);
        work(&observer)
    };
    let reports = match worked {
        Ok(reports) => reports,
        Err(failure) => {
            written(files, &[failure::alone(&failure, cli, world)]);
            return Err(failure);
        }
    };
    let exit = reports.iter().map(|r| Exit::of(r.exit.code)).reduce(Exit::and).unwrap_or(Exit::Bug);
    let printed = print(&shown(&reports, common, world)?);
    Ok(if written(files, &reports) && printed { exit } else { exit.and(Exit::Bug) })
}

/// The reports as they were asked for on stdout.
fn shown(reports: &[Report], common: &Common, world: &World) -> Result<String, Failure> {
    match common.json {
        true => report::json::render(reports).map_err(Failure::bug),
        false => Ok(report::terminal(reports, style(common, world))),
    }
}

/// Writes the reports into every file that was asked for. `false`: one of them could not be written, and that was said.
fn written(files: Vec<ReportFile>, reports: &[Report]) -> bool {
    let failed: Vec<_> = files.into_iter().filter_map(|file| file.write(reports).err()).collect();
    failed.iter().for_each(|e| say(&e.to_string()));
    failed.is_empty()
}

/// A word on stderr, which may be gone with its terminal.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "migrate: {message}");
}

/// Prints what was asked for. A reader that went away takes nothing from what was done: the exit code still says it. `false`:
/// it could not be written, and that was said.
fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            say(&format!(
                "stdout: cannot be written ({e}). Run the command again: a run that is done is only verified"
            ));
            false
        }
        _ => true,
    }
}

/// Prints what a command has to say that makes no report.
fn told(text: &str, exit: Exit) -> Exit {
    if print(text) { exit } else { exit.and(Exit::Bug) }
}

fn status(common: &Common, world: &World) -> Result<Exit, Failure> {
    let standings = standing::status(common, world, &observer(common, world))?;
    let text = if common.json { json(&standings)? } else { standing::text(&standings) };
    Ok(told(&text, Exit::Done))
}

fn plan(args: &PlanArgs, world: &World) -> Result<Exit, Failure> {
    let observer = observer(&args.common, world);
    let (text, exit) = match cutover::plan(args, world, &observer)? {
        Ok(plan) if args.common.json => (json(&plan)?, Exit::Done),
        Ok(plan) if args.sql => (crate::plan::sql(&plan), Exit::Done),
        Ok(plan) => (crate::plan::text(&plan), Exit::Done),
        Err(report) => (shown(&[*report], &args.common, world)?, Exit::Refused),
    };
    Ok(told(&text, exit))
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value).map_err(Failure::bug)? + "\n")
}

fn observer(common: &Common, world: &World) -> impl Observer {
    let requested = match common.progress {
        crate::cli::Progress::Auto => Requested::Auto,
        crate::cli::Progress::Bar => Requested::Bar,
        crate::cli::Progress::Plain => Requested::Plain,
        crate::cli::Progress::None => Requested::None,
    };
    let verbosity = match (common.quiet, common.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Usual,
        (false, _) => Verbosity::Verbose,
    };
    progress::observer(Mode::resolve(requested, world.stderr_is_terminal), verbosity)
}

fn style(common: &Common, world: &World) -> Style {
    let colour = match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => world.stdout_is_terminal && world.variable("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    Style { colour, width: world.width }
}
