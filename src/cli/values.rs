//! The values that flags take.

use clap::ValueEnum;

/// `--progress`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar.
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

/// Reads the value of `--jobs`.
///
/// # Errors
/// If it is not a number of lanes.
pub fn jobs(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=256).contains(n)).ok_or_else(|| "write a number from 1 to 256".to_owned())
}

/// Reads `TABLE`, or `TABLE.COLUMN=VALUE`.
pub fn owner_table(text: &str) -> Result<(String, String), String> {
    match text {
        "" => Err("write TABLE, or TABLE.COLUMN=VALUE".to_owned()),
        text if text.contains('=') => pair(text),
        text => Ok((text.to_owned(), String::new())),
    }
}

/// Reads a value of `--owner`.
///
/// # Errors
/// If it is not a column and a value.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write COLUMN=VALUE")?;
    if column.is_empty() { Err("write COLUMN=VALUE".to_owned()) } else { Ok((column.to_owned(), value.to_owned())) }
}
