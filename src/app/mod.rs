//! Runs one command: finds mapping, source and target, runs the command, prints its report, and picks the exit.
//!
//! The only module that reads the environment and the clock, or prints a result.

mod connect;
mod create;
mod cutover;
mod dispatch;
mod dropped_tables;
mod dry_run;
mod ending;
mod env_file;
mod existing;
mod explain;
mod failure;
mod fault_file;
mod finish;
mod fleet;
mod forget;
mod growth;
mod init;
mod inputs;
mod leftovers;
mod locks;
mod new_file;
mod output;
mod owner;
mod pages;
mod plan;
mod preflight;
mod proposed_tables;
mod reconnect;
mod record;
mod rehearsal_server;
mod rehearse;
mod resuming;
mod rollback;
mod schema;
mod session;
mod situation;
mod status;
mod terminal;
mod timing;
mod version;
mod world;

use crate::cli::{self, Cli, Color, Command, Common, Forget, PlanArgs};
use crate::event::Observer;
use crate::exit::Exit;
use crate::model::record::Report;
use crate::progress::{self, Mode, Requested, Verbosity};
use crate::report::{self, ReportFile, Style};
use crate::text::{Screen, broken};

use failure::Failure;
use output::{json, print_with, say, unless_missing};

pub use failure::{end_at_a_panic, unread};
pub use version::version;
pub use world::World;

/// Runs the command of the arguments.
pub fn run(cli: &Cli, world: &World) -> Exit {
    #[cfg(feature = "failpoints")]
    if let Some(nth) = world.variable("MIGRATE_FAIL_AT").and_then(|nth| nth.parse().ok()) {
        crate::pg::failpoint::arm(nth, world.variable("MIGRATE_PANIC_SAYS"));
    }
    let json = cli.common().json;
    let work = || {
        let done = match &cli.common().env_file {
            None => command(cli, world),
            Some(path) => world.with_env_file(path).map_err(Failure::usage).and_then(|world| command(cli, &world)),
        };
        done.unwrap_or_else(|failure| {
            let failure = if world.is_stop_requested() { failure.after_request(&world.ending) } else { failure };
            let report = report_of(&failure, cli, world);
            world.ending.begin_report();
            failure.print(&report, json)
        })
    };
    let last_words = || {
        progress::erase();
        let failure = Failure::interrupted(world.ending.leaves().words());
        let mapping = world.mapping.get().cloned().unwrap_or_default();
        let report = failure.report(cli.command_kind(), &mapping);
        failure.print(&report, json);
        write(world.ending.take_files(), &[report]);
    };
    ending::supervised(&world.ending, &world.asked, work, last_words)
}

fn command(cli: &Cli, world: &World) -> Result<Exit, Failure> {
    if let Some(page) = cli.page() {
        return pages::command(&page, world);
    }
    let one = |report: Report| vec![report];
    match &cli.command {
        None => with_reports(cli, world, |observer| dispatch::cutover(&cli.run, world, observer).map(one)),
        Some(Command::Rehearse(args)) => with_reports(cli, world, |observer| rehearse::command(args, world, observer)),
        Some(Command::Verify(args)) => {
            with_reports(cli, world, |observer| dispatch::verify(args, world, observer).map(one))
        }
        Some(Command::Rollback(args)) => {
            with_reports(cli, world, |observer| dispatch::rollback(args, world, observer).map(one))
        }
        Some(Command::Fleet(args)) => {
            with_reports(cli, world, |observer| fleet::command(args, world, observer).map(one))
        }
        Some(Command::Init(args)) => {
            let observer = observer(&args.common, world);
            leftovers::remove(&observer);
            init::command(args, world, &observer)
        }
        Some(Command::Schema(args)) => {
            let observer = observer(&args.common, world);
            leftovers::remove(&observer);
            schema::command(args, world, &observer)
        }
        Some(Command::Plan(args)) => plan(args, world),
        Some(Command::Status(common)) => status(common, world),
        Some(Command::Forget(args)) => forget(args, world),
        Some(_) => Ok(Exit::Done),
    }
}

/// Runs a command that ends in reports. Prints them, and writes them to the files of `--report`.
fn with_reports(
    cli: &Cli,
    world: &World,
    work: impl FnOnce(&dyn Observer) -> Result<Vec<Report>, Failure>,
) -> Result<Exit, Failure> {
    let common = cli.common();
    world.ending.keep(report::open_all(cli.report_files()).map_err(Failure::usage)?);
    if world.ending.takes_lines() && !matches!(cli.command, Some(Command::Fleet(_))) {
        let reason = "a file with the ending .ndjson gets a line for each file of a fleet, and this command has none";
        return Err(Failure::usage_of("--report", reason, "Use .json, .html or .md."));
    }
    leftovers::remove(&observer(common, world));
    let worked = {
        let observer = observer(common, world);
        work(&observer)
    };
    let reports = match worked {
        Ok(mut reports) => {
            for (at, report) in reports.iter_mut().enumerate() {
                report.arguments = inputs::repeated_by(cli, common.mapping.get(at));
            }
            reports
        }
        Err(failure) => {
            let report = report_of(&failure, cli, world);
            world.ending.begin_report();
            write(world.ending.take_files(), &[report]);
            return Err(failure);
        }
    };
    let exit = reports.iter().map(|r| Exit::of(r.exit.code)).reduce(Exit::and).unwrap_or(Exit::Bug);
    let screen = rendered(&reports, common, world)?;
    world.ending.begin_report();
    let exit = print_with(&screen, exit);
    Ok(unless_missing(write(world.ending.take_files(), &reports), exit))
}

/// The report of a failure. It names the mapping if the mapping can be read.
fn report_of(failure: &Failure, cli: &Cli, world: &World) -> Report {
    let read = || inputs::one_mapping(cli.common(), world).map(|file| file.mapping.name).unwrap_or_default();
    let mapping = world.mapping.get().cloned().unwrap_or_else(read);
    let mut report = failure.report(cli.command_kind(), &mapping);
    report.arguments = inputs::repeated_by(cli, cli.common().mapping.first());
    report
}

/// The reports as stdout shows them.
fn rendered(reports: &[Report], common: &Common, world: &World) -> Result<Screen, Failure> {
    match common.json {
        true => report::json::render(reports).map(Screen::json).map_err(Failure::bug),
        false => Ok(Screen::drawn(report::terminal(reports, style(common, world)))),
    }
}

/// Writes the reports to the files. Returns false, after a message on stderr, if one cannot be written.
fn write(files: Vec<ReportFile>, reports: &[Report]) -> bool {
    let failed: Vec<_> = files.into_iter().filter_map(|file| file.write(reports).err()).collect();
    failed.iter().for_each(|e| say(&e.to_string()));
    failed.is_empty()
}

fn status(common: &Common, world: &World) -> Result<Exit, Failure> {
    let found = status::command(common, world, &observer(common, world))?;
    let screen = match common.json {
        true => json(&status::entries(&found)).map_err(Failure::bug)?,
        false => {
            let arguments = inputs::repeated(common, common.mapping.first());
            Screen::of(&(status::text(&found, world.width) + "\n" + &status::next_command(&found.runs, &arguments)))
        }
    };
    world.ending.begin_report();
    Ok(print_with(&screen, Exit::Done))
}

fn forget(args: &Forget, world: &World) -> Result<Exit, Failure> {
    let forgotten = forget::command(args, world, &observer(&args.common, world))?;
    let screen = match args.common.json {
        true => json(&forgotten).map_err(Failure::bug)?,
        false => {
            let arguments = inputs::repeated(&args.common, args.common.mapping.first());
            Screen::of(&(forget::text(&forgotten) + &report::after_forget(&arguments)))
        }
    };
    world.ending.begin_report();
    Ok(print_with(&screen, Exit::Done))
}

fn plan(args: &PlanArgs, world: &World) -> Result<Exit, Failure> {
    let observer = observer(&args.common, world);
    leftovers::remove(&observer);
    let (screen, exit) = match plan::command(args, world, &observer)? {
        Ok(plan) if args.common.json => (json(&plan).map_err(Failure::bug)?, Exit::Done),
        Ok(plan) if args.sql => (Screen::drawn(crate::plan::sql(&plan)), Exit::Done),
        Ok(plan) => {
            let arguments = inputs::repeated(&args.common, args.common.mapping.first());
            let text = format!("{}\n{}", crate::plan::text(&plan), report::after_plan(&arguments));
            let text = if world.stdout_is_terminal { broken(&text, world.width) } else { text };
            (Screen::of(&text), Exit::Done)
        }
        Err(report) => (rendered(&[*report], &args.common, world)?, Exit::Refused),
    };
    world.ending.begin_report();
    Ok(print_with(&screen, exit))
}

fn observer(common: &Common, world: &World) -> impl Observer {
    let requested = match common.progress {
        cli::Progress::Auto => Requested::Auto,
        cli::Progress::Bar => Requested::Bar,
        cli::Progress::Plain => Requested::Plain,
        cli::Progress::None => Requested::None,
    };
    let verbosity = match (common.quiet, common.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Usual,
        (false, _) => Verbosity::Verbose,
    };
    progress::observer(Mode::resolve(requested, world.bar_columns()), verbosity)
}

fn style(common: &Common, world: &World) -> Style {
    let colour = match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => world.stdout_is_terminal && world.variable("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    Style { colour, width: world.width, all: common.verbose > 0 }
}
