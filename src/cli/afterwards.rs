//! Arguments of the commands about a finished run: its verification, its rollback, and the removal of what the ledger keeps for it.

use clap::Args;

use super::{Common, Reporting};

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

/// `migrate forget`
#[derive(Clone, Debug, Args)]
pub struct Forget {
    /// Run; without it, the command is refused
    #[arg(long)]
    pub yes: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
}
