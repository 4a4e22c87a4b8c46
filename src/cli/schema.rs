//! Arguments of `migrate schema`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Common;
use super::values::owner_table;

/// The keys of tables whose rows belong to an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeysFlag {
    /// An id is unique among all owners
    #[default]
    Shared,
    /// Every key begins with the owner
    Owned,
}

/// `migrate schema`
#[derive(Clone, Debug, Args)]
#[command(
    mut_arg("target", |arg| arg.hide(true)),
    mut_arg("ledger_schema", |arg| arg.hide(true)),
    mut_arg("env_file", |arg| arg.hide(true)),
    mut_arg("mapping", |arg| arg.help("File for the mapping that fills the tables, which must not exist")),
    mut_arg("owner", |arg| arg
        .value_name("TABLE")
        .value_parser(owner_table)
        .help("The table of owners, to which every row gets a reference; it is added if the source has none. \
               TABLE.COLUMN=VALUE also names the owner in the mapping")),
)]
pub struct Schema {
    /// File for the statements, which must not exist; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// A table whose rows belong to no owner (repeatable)
    #[arg(long, value_name = "TABLE")]
    pub shared: Vec<String>,
    /// Keys of tables whose rows belong to an owner
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub keys: KeysFlag,
    /// Distribute the tables by their owner, for a coordinator of Citus; shared tables become reference tables
    #[arg(long, conflicts_with = "prove")]
    pub distribute: bool,
    /// Refuse to write the file if an object is left out, or if a column of several classes of values is text
    #[arg(long)]
    pub strict: bool,
    /// Carry the rows into a throw-away PostgreSQL, and compare each translated expression with SQLite's value on every row
    #[arg(long)]
    pub prove: bool,
    /// A server for the proof: in a database that is created for it and dropped at the end
    #[arg(long, value_name = "URL", requires = "prove")]
    pub server: Option<String>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
}
