//! The command line. The only module that names clap; `app` interprets the arguments.

mod afterwards;
mod fleet;
mod generate;
mod leading;
mod schema;
mod values;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::model::record::CommandKind;
use crate::text::printable_lines;

use values::{jobs, pair};

pub use afterwards::{Forget, Rollback, Verify};
pub use clap_complete::Shell;
pub use fleet::{Fleet, FleetCommand, FleetInquiry, FleetRollback, FleetVerify, OnSchema, RetryWhat};
pub use schema::{KeysFlag, Schema};
pub use values::{Color, DetachWhat, MostFailed, OnFaultFlag, Progress, VerifyWhat};

/// Help heading for output options.
const OUTPUT: &str = "Output";

/// The schema of the ledger, unless another one is named.
pub const LEDGER_SCHEMA: &str = "migrate";

/// The commands in the order in which they are used, as `--help` prints them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Prepare", &["schema", "init", "rehearse", "plan"]),
    ("Cut over", &["--dry-run", "--yes", "fleet", "status"]),
    ("Prove or undo", &["verify", "rollback", "forget"]),
    ("Look up", &["guide", "explain", "help"]),
    ("Set up a shell or an editor", &["completions", "man", "json-schema"]),
];

/// The two ways to call the tool.
const USAGE: &str = "migrate [OPTIONS] --dry-run | --yes\n       migrate <COMMAND> [OPTIONS]";

/// Move one application's SQLite database into a multi-user PostgreSQL, once, and prove that it arrived.
///
/// Check first:  migrate -m mapping.toml -t postgresql://... --dry-run
/// Then run it:  migrate -m mapping.toml -t postgresql://... --yes
///
/// Exit status: 0 done and verified, 1 internal error, 2 cannot be read, 3 refused (nothing was
/// written), 4 stopped (the same command resumes), 5 differs, 6 done with quarantined rows or
/// objects that are left out, 130 interrupted.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "migrate",
    version,
    verbatim_doc_comment,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    override_usage = USAGE
)]
pub struct Cli {
    /// True if there was no argument at all.
    #[arg(skip)]
    pub bare: bool,
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
    /// Propose a mapping from a source and a target
    Init(Init),
    /// Write tables of PostgreSQL for a SQLite file
    Schema(Schema),
    /// Run the whole cutover on a throw-away PostgreSQL
    Rehearse(Rehearse),
    /// Load many files, each with an owner of its own
    Fleet(Fleet),
    /// Compare source and target again, writing nothing
    Verify(Verify),
    /// Print the plan
    Plan(PlanArgs),
    /// Print the state of the run, and the next step
    Status(Common),
    /// Remove exactly the rows that a run wrote
    Rollback(Rollback),
    /// Remove the rows that the ledger keeps for a rollback
    Forget(Forget),
    /// Print a page of the guide, such as the runbook
    Guide {
        /// The page; without one, the list of pages
        topic: Option<String>,
    },
    /// Explain why a row cannot be loaded, with every way out
    Explain {
        /// The reason, as a report prints it; without one, all reasons
        reason: Option<String>,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the JSON schema of mappings, for editors
    JsonSchema,
    /// Print the manual page, or that of a command
    Man {
        /// The command; without one, the tool itself
        command: Option<String>,
    },
}

/// A text to print: a page of the guide, or one that is made from the command line's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page<'a> {
    /// The first words of the tool, for a call without any argument.
    Welcome,
    /// The list of topics.
    Topics,
    /// One topic.
    Topic(&'a str),
    /// All reasons.
    Reasons,
    /// One reason.
    Reason(&'a str),
    /// The completions for a shell.
    Completions(Shell),
    /// The manual page of a command, or of the tool.
    Man(Option<&'a str>),
    /// The JSON schema of mappings.
    JsonSchema,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// The mapping [default: $MIGRATE_MAPPING, ./migrate.toml, the only file in ./mappings]
    #[arg(short, long, value_name = "FILE")]
    pub mapping: Vec<PathBuf>,
    /// The SQLite file, or `.sql` or `.sql.gz` dump, in place of the mapping's
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
    #[arg(long, value_name = "NAME", default_value = LEDGER_SCHEMA)]
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
    /// A longer log, and every table of the report
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// Colour on stdout
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = OUTPUT)]
    pub color: Color,
}

/// Flags of the commands that end in a report.
#[derive(Clone, Debug, Default, Args)]
pub struct Reporting {
    /// Write the report to a file; its ending chooses the form: .json, .html or .md; a fleet's .ndjson has a line for each
    /// file (repeatable)
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
            Some(Command::Fleet(args)) => args.kind(),
            Some(Command::Init(_)) => CommandKind::Init,
            Some(Command::Schema(_)) => CommandKind::Schema,
            Some(Command::Rehearse(_)) => CommandKind::Rehearse,
            Some(Command::Verify(_)) => CommandKind::Verify,
            Some(Command::Plan(_)) => CommandKind::Plan,
            Some(Command::Status(_)) => CommandKind::Status,
            Some(Command::Rollback(_)) => CommandKind::Rollback,
            Some(Command::Forget(_)) => CommandKind::Forget,
            // The cutover; and what prints a page, whose error is one of the command line.
            _ => CommandKind::Migrate,
        }
    }

    /// The page that the command prints; `None` for a command that works on databases.
    pub fn page(&self) -> Option<Page<'_>> {
        match &self.command {
            Some(Command::Guide { topic }) => Some(topic.as_deref().map_or(Page::Topics, Page::Topic)),
            Some(Command::Explain { reason }) => Some(reason.as_deref().map_or(Page::Reasons, Page::Reason)),
            Some(Command::Completions { shell }) => Some(Page::Completions(*shell)),
            Some(Command::JsonSchema) => Some(Page::JsonSchema),
            Some(Command::Man { command }) => Some(Page::Man(command.as_deref())),
            None if self.bare => Some(Page::Welcome),
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
            Some(Command::Fleet(args)) => args.flags(),
            Some(Command::Init(args)) => (&args.common, None),
            Some(Command::Schema(args)) => (&args.common, None),
            Some(Command::Rehearse(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Verify(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Rollback(args)) => (&args.common, Some(&args.reporting)),
            Some(Command::Plan(args)) => (&args.common, None),
            Some(Command::Status(common)) => (common, None),
            Some(Command::Forget(args)) => (&args.common, None),
            None => (&self.run.common, Some(&self.run.reporting)),
            Some(_) => (&self.run.common, None),
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
    /// Create the tables first if none of them exists; the mapping says `[target] ddl = "auto"`
    #[arg(long)]
    pub create: bool,
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

/// `migrate init`
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// File for the mapping, which must not exist; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "migrate.toml")]
    pub output: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    pub force: bool,
    /// Print only what the databases have and this mapping lacks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "force"])]
    pub check: Option<PathBuf>,
    /// The schema of the target's tables
    #[arg(long, value_name = "NAME", default_value = "public")]
    pub schema: String,
    /// Read only the first N rows of each table
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample: Option<u64>,
    /// Show values of rows in questions
    #[arg(long)]
    pub show_values: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
}

/// `migrate rehearse`
#[derive(Clone, Debug, Args)]
pub struct Rehearse {
    /// A server on which to rehearse: in a database that is created for it and dropped at the end. The role needs CREATEDB
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
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

/// Parsing ended without a command: help, version or a usage error. clap has already printed it.
#[derive(Debug)]
pub struct Unread {
    /// The exit status.
    pub code: u8,
    /// With `--json`: the command and the error.
    pub as_json: Option<(CommandKind, String)>,
}

/// The definition of the command line with the text of `--version`.
fn definition(version: &str) -> clap::Command {
    Cli::command().long_version(version.to_owned())
}

/// The completions for a shell.
pub fn completions(shell: Shell) -> String {
    generate::completions(Cli::command(), shell)
}

/// The manual page of a command, or that of the tool. `None` if there is no such command.
pub fn man(command: Option<&str>) -> Option<String> {
    generate::man(Cli::command(), command)
}

/// The names of all commands.
pub fn command_names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Parses the arguments. Prints help, version and usage errors. `version`: the text of `--version`.
///
/// # Errors
/// If there is no command to run.
pub fn parse(args: impl IntoIterator<Item = OsString>, version: &str) -> Result<Cli, Unread> {
    let flags = Common::augment_args(clap::Command::new("migrate"));
    let args = leading::after_command(args.into_iter().collect(), &command_names(), flags);
    let json = args.iter().any(|arg| arg == "--json");
    let first = args.get(1).and_then(|arg| arg.to_str());
    let command = first.and_then(CommandKind::of).unwrap_or(CommandKind::Migrate);
    let bare = args.len() <= 1;
    let parsed = generate::grouped(definition(version), &GROUPS).try_get_matches_from(args);
    let cli = parsed.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|e| {
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
    })?;
    Ok(Cli { bare, ..cli })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_command_once() {
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        listed.retain(|name| !name.starts_with("--") && *name != "help");
        listed.sort_unstable();
        let mut known = command_names();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn dry_run_and_yes_exclude_each_other() {
        let args = ["migrate", "--dry-run", "--yes"].map(OsString::from);
        assert_eq!(Cli::try_parse_from(args).map(|_| ()).map_err(|e| e.exit_code()), Err(2));
    }
}
