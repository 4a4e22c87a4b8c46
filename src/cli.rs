//! The command line. The only file that names clap; `app` interprets the arguments.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::model::record::CommandKind;
use crate::text::printable_lines;

/// Help heading for output options.
const OUTPUT: &str = "Output";

/// Move one application's SQLite database into a multi-user PostgreSQL, once, and prove that it arrived.
///
/// Check first:  migrate -m mapping.toml -t postgresql://... --dry-run
/// Then run it:  migrate -m mapping.toml -t postgresql://... --yes
///
/// Exit status: 0 done and verified, 1 internal error, 2 cannot be read, 3 refused (nothing was
/// written), 4 stopped (the same command resumes), 5 differs, 6 done with quarantined rows,
/// 130 interrupted.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "migrate",
    version,
    verbatim_doc_comment,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// The command. `None` for the cutover.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of the cutover.
    #[command(flatten)]
    pub run: CutoverArgs,
}

/// Every command except the cutover.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the complete cutover on a throw-away PostgreSQL inside the process
    Rehearse(Rehearse),
    /// Compare source and target again, writing nothing
    Verify(Verify),
    /// Print the plan
    Plan(PlanArgs),
    /// Print the ledger: runs, loads, detached objects, the next step
    Status(Common),
    /// Remove exactly the rows that a run wrote
    Rollback(Rollback),
    /// Print a page of the guide: mapping, cutover, connections, reports, reasons, guarantees, limits, speed
    Guide {
        /// The page; without one, the list of pages
        topic: Option<String>,
    },
    /// Explain a reason for which a row cannot be loaded, with an example and every way out
    Explain {
        /// The reason, as a report prints it; without one, all reasons
        reason: Option<String>,
    },
}

/// A page of the guide to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page<'a> {
    /// The list of topics.
    Topics,
    /// One topic.
    Topic(&'a str),
    /// All reasons.
    Reasons,
    /// One reason.
    Reason(&'a str),
}

/// Flags that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// The mapping [default: $MIGRATE_MAPPING, ./migrate.toml, the only file in ./mappings]
    #[arg(short, long, value_name = "FILE")]
    pub mapping: Vec<PathBuf>,
    /// The SQLite file or `.sql` dump, in place of the mapping's
    #[arg(short, long, value_name = "FILE")]
    pub source: Option<PathBuf>,
    /// The target: a URL or key=value string [default: the variable that the mapping names, the PG* variables]
    #[arg(short, long, value_name = "URL")]
    pub target: Option<String>,
    /// A `.env` file for variables that the environment does not set: $DATABASE_URL, PG* and those that the mapping names.
    /// Flags come first, then the environment, this file, the mapping
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// The owner's natural key, in place of the mapping's `match`
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    pub owner: Vec<(String, String)>,
    /// The schema of the ledger on the target
    #[arg(long, value_name = "NAME", default_value = "migrate")]
    pub ledger_schema: String,
    /// The result as JSON on stdout
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Progress on stderr
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = OUTPUT)]
    pub progress: Progress,
    /// No progress and no log
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// A longer log
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// Colour on stdout
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = OUTPUT)]
    pub color: Color,
}

/// Flags of the commands that end in a report.
#[derive(Clone, Debug, Default, Args)]
pub struct Reporting {
    /// Write the report to a file; its ending chooses the form: .json, .html or .md (repeatable)
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub report: Vec<PathBuf>,
    /// Show values and text keys of the rows that a report lists
    #[arg(long, help_heading = OUTPUT)]
    pub show_values: bool,
}

impl Cli {
    /// The command, as reports record it.
    pub fn command_kind(&self) -> CommandKind {
        match &self.command {
            None => CommandKind::Migrate,
            Some(Command::Rehearse(_)) => CommandKind::Rehearse,
            Some(Command::Verify(_)) => CommandKind::Verify,
            Some(Command::Plan(_)) => CommandKind::Plan,
            Some(Command::Status(_)) => CommandKind::Status,
            Some(Command::Rollback(_)) => CommandKind::Rollback,
            // These print a page; an error of theirs is one of the command line.
            Some(Command::Guide { .. } | Command::Explain { .. }) => CommandKind::Migrate,
        }
    }

    /// The page that the command prints; `None` for a command that works on databases.
    pub fn page(&self) -> Option<Page<'_>> {
        match &self.command {
            Some(Command::Guide { topic }) => Some(topic.as_deref().map_or(Page::Topics, Page::Topic)),
            Some(Command::Explain { reason }) => Some(reason.as_deref().map_or(Page::Reasons, Page::Reason)),
            _ => None,
        }
    }

    /// The files of `--report`. Empty for a command without a report.
    pub fn report_files(&self) -> &[PathBuf] {
        self.flags().1.map_or(&[], |reporting| &reporting.report)
    }

    /// The flags that every command takes.
    pub fn common(&self) -> &Common {
        self.flags().0
    }

    fn flags(&self) -> (&Common, Option<&Reporting>) {
        match &self.command {
            None => (&self.run.common, Some(&self.run.reporting)),
            Some(Command::Rehearse(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Verify(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Rollback(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Plan(args)) => (&args.common, None),
            Some(Command::Status(common)) => (common, None),
            Some(Command::Guide { .. } | Command::Explain { .. }) => (&self.run.common, None),
        }
    }
}

/// Flags that change how rows are loaded, never which.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Work")]
pub struct Work {
    /// Lanes: readers and connections that work at once [default: the cores]
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Most rows of a batch [default: 50000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_rows: Option<u64>,
    /// Most bytes of a batch in each lane [default: 24 MiB divided by the lanes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_bytes: Option<u64>,
    /// Abort at a faulty row, or quarantine it, in place of the mapping's `on_fault`
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_fault: Option<OnFaultFlag>,
    /// Most rows that are quarantined before the run stops
    #[arg(long, value_name = "N")]
    pub max_faults: Option<u64>,
    /// File for faulty rows, with all their values [default: migrate-faults.ndjson, if rows are quarantined]
    #[arg(long, value_name = "FILE")]
    pub fault_file: Option<PathBuf>,
    /// Do not read and convert every row before the first write
    #[arg(long)]
    pub skip_preflight: bool,
    /// Detach keys, indexes and triggers for the load, and reattach them
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub detach: DetachWhat,
    /// End the connections of the previous process of this run, whose machine is lost, and resume
    #[arg(long)]
    pub take_over: bool,
    /// Depth of the verification at the end
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub verify: VerifyWhat,
}

/// `migrate` without a subcommand.
#[derive(Clone, Debug, Args)]
pub struct CutoverArgs {
    /// Read and check everything, write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Run without asking
    #[arg(long)]
    pub yes: bool,
    /// Flags of the work.
    #[command(flatten)]
    pub work: Work,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `migrate rehearse`
#[derive(Clone, Debug, Args)]
pub struct Rehearse {
    /// Flags of the work.
    #[command(flatten)]
    pub work: Work,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `migrate verify`
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `migrate plan`
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Print the statements on the target instead
    #[arg(long, conflicts_with = "json")]
    pub sql: bool,
    /// Keys, indexes and triggers to detach for the load
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub detach: DetachWhat,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
}

/// `migrate rollback`
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// Run without asking
    #[arg(long)]
    pub yes: bool,
    /// End the connections of the previous process of this run, whose machine is lost
    #[arg(long)]
    pub take_over: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `--progress`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Bars on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Bars.
    Bar,
    /// Lines.
    Plain,
    /// Nothing.
    None,
}

/// `--color`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--on-fault`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnFaultFlag {
    /// The run stops; no row of the batch is written.
    Abort,
    /// The row is left out, and recorded in the ledger and in the fault file.
    Quarantine,
}

/// `--detach`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DetachWhat {
    /// If the source proves that nothing is lost by it and the table is large enough to pay.
    #[default]
    Auto,
    /// Nothing but triggers that would change rows.
    Never,
    /// If the source proves that nothing is lost by it, also for a small table.
    Always,
}

/// `--verify`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyWhat {
    /// Everything.
    #[default]
    Full,
    /// Counts, sequences and constraints, no content.
    Counts,
    /// Nothing.
    None,
}

fn jobs(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=256).contains(n)).ok_or_else(|| "write a number from 1 to 256".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write COLUMN=VALUE")?;
    if column.is_empty() { Err("write COLUMN=VALUE".to_owned()) } else { Ok((column.to_owned(), value.to_owned())) }
}

/// Parsing ended without a command: help, version or a usage error. clap has already printed it.
#[derive(Debug)]
pub struct Unread {
    /// The exit status.
    pub code: u8,
    /// With `--json`: the command and the error.
    pub as_json: Option<(CommandKind, String)>,
}

/// Parses the arguments. Prints help, version and usage errors.
///
/// # Errors
/// If there is no command to run.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Unread> {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|arg| arg == "--json");
    let first = args.get(1).and_then(|arg| arg.to_str()).filter(|arg| Cli::command().find_subcommand(arg).is_some());
    let command = first.and_then(CommandKind::of).unwrap_or(CommandKind::Migrate);
    Cli::try_parse_from(args).map_err(|e| {
        let text = e.to_string();
        if e.use_stderr() {
            // The message quotes arguments.
            let _ = write!(std::io::stderr().lock(), "{}", printable_lines(&text));
        } else {
            let _ = e.print();
        }
        let said = text.split("\n\n").filter(|part| !part.starts_with("Usage:") && !part.starts_with("For more"));
        let said = said.flat_map(str::lines).map(str::trim).collect::<Vec<_>>().join(" ");
        let as_json = (json && e.use_stderr()).then(|| (command, said.trim_start_matches("error: ").to_owned()));
        Unread { code: u8::try_from(e.exit_code()).unwrap_or(2), as_json }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dry_run_and_yes_exclude_each_other() {
        let args = ["migrate", "--dry-run", "--yes"].map(OsString::from);
        assert_eq!(Cli::try_parse_from(args).map(|_| ()).map_err(|e| e.exit_code()), Err(2));
    }
}
