//! Arguments of `migrate fleet`.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::values::{MostFailed, shard, share};
use super::{Common, Reporting};
use crate::model::record::CommandKind;

/// `--retry`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RetryWhat {
    /// Files that the target stopped.
    Failed,
    /// Files that could not be loaded as they were.
    Quarantined,
    /// Files whose rows were removed again.
    Removed,
}

/// `--on-schema`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnSchema {
    /// Files of another schema get a plan of their own.
    #[default]
    Group,
    /// Files of another schema than the first one are quarantined.
    Refuse,
}

/// `migrate fleet`
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    mut_arg("source", |arg| arg.hide(true)),
    mut_arg("owner", |arg| arg.hide(true)),
)]
pub struct Fleet {
    /// The command. `None` for the work itself.
    #[command(subcommand)]
    pub command: Option<FleetCommand>,
    /// The files: a pattern such as 'tenants/*/main.sqlite3' or 'tenants/%{username}.db', a manifest (CSV with a header,
    /// NDJSON, or a path in each line), or `-` for a manifest on stdin
    #[arg(long, value_name = "GLOB|FILE|-")]
    pub sources: Option<String>,
    /// A regular expression over the path, whose named groups are values of the owner
    #[arg(long, value_name = "REGEX")]
    pub owner_from: Option<String>,
    /// A query whose one row has values of the owner, asked in each file
    #[arg(long, value_name = "SQL")]
    pub owner_sql: Option<String>,
    /// Read every file, write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Load the files that no worker has taken yet
    #[arg(long)]
    pub yes: bool,
    /// Only every N-th file, from the I-th one
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(i32, i32)>,
    /// Most rows of a transaction; a file with more is written in several, and resumed inside [default: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_rows: Option<u64>,
    /// End after so many files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_files: Option<u64>,
    /// Try files again that are quarantined, failed or removed (repeatable)
    #[arg(long, value_enum, value_name = "WHICH", action = ArgAction::Append)]
    pub retry: Vec<RetryWhat>,
    /// Stop if more files, or more percent of them, are quarantined or failed
    #[arg(long, value_name = "N|N%", value_parser = share)]
    pub max_failed: Option<MostFailed>,
    /// Files of another schema than the first one
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub on_schema: OnSchema,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

impl Fleet {
    /// The command, as reports record it.
    pub(super) fn kind(&self) -> CommandKind {
        match &self.command {
            None => CommandKind::Fleet,
            Some(FleetCommand::Status(_)) => CommandKind::FleetStatus,
            Some(FleetCommand::Verify(_)) => CommandKind::FleetVerify,
            Some(FleetCommand::Rollback(_)) => CommandKind::FleetRollback,
        }
    }

    /// The flags of every command, and those of the report.
    pub(super) fn flags(&self) -> (&Common, Option<&Reporting>) {
        match &self.command {
            None => (&self.common, Some(&self.reporting)),
            Some(FleetCommand::Status(args)) => (&args.common, Some(&args.reporting)),
            Some(FleetCommand::Verify(args)) => (&args.common, Some(&args.reporting)),
            Some(FleetCommand::Rollback(args)) => (&args.common, Some(&args.reporting)),
        }
    }
}

/// The commands about a fleet.
#[derive(Clone, Debug, Subcommand)]
pub enum FleetCommand {
    /// Print the state of the fleet, and the files that are not loaded
    Status(FleetInquiry),
    /// Compare all rows of the fleet again, without its files, writing nothing
    Verify(FleetVerify),
    /// Remove the rows of some owners, or of all, without their files
    Rollback(FleetRollback),
}

/// `migrate fleet verify`
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("source", |arg| arg.hide(true)),
    mut_arg("owner", |arg| arg.hide(true)),
)]
pub struct FleetVerify {
    /// Only the files of this owner: a value that came with the file, or COLUMN=VALUE (repeatable)
    #[arg(long, value_name = "OWNER", action = ArgAction::Append)]
    pub only: Vec<String>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `migrate fleet status`
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("source", |arg| arg.hide(true)),
    mut_arg("owner", |arg| arg.hide(true)),
)]
pub struct FleetInquiry {
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `migrate fleet rollback`
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("source", |arg| arg.hide(true)),
    mut_arg("owner", |arg| arg.hide(true)),
)]
pub struct FleetRollback {
    /// Run without asking
    #[arg(long)]
    pub yes: bool,
    /// Only the files of this owner: a value that came with the file, or COLUMN=VALUE (repeatable)
    #[arg(long, value_name = "OWNER", action = ArgAction::Append)]
    pub only: Vec<String>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the report.
    #[command(flatten)]
    pub reporting: Reporting,
}
