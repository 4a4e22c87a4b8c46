//! Arguments of `migrate schema`.

use std::path::PathBuf;

use clap::Args;

use super::Common;

/// `migrate schema`
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("target", |arg| arg.hide(true)),
    mut_arg("ledger_schema", |arg| arg.hide(true)),
    mut_arg("env_file", |arg| arg.hide(true)),
)]
pub struct Schema {
    /// File for the statements, which must not exist; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Refuse to write the file if an object is left out, or if a column of several classes of values is text
    #[arg(long)]
    pub strict: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
}
