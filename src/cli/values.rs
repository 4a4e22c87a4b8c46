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

/// `--max-failed`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MostFailed {
    /// A number of files.
    Files(u64),
    /// A share of all files, in percent.
    Percent(u64),
}

/// Reads the value of `--jobs`.
///
/// # Errors
/// If it is not a number of lanes.
pub fn jobs(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=256).contains(n)).ok_or_else(|| "write a number from 1 to 256".to_owned())
}

/// Reads `I/N`. Returns the number of the shard, from 0, and the number of shards.
///
/// # Errors
/// If I is not from 1 to N.
pub fn shard(text: &str) -> Result<(i32, i32), String> {
    let read = text.split_once('/').and_then(|(index, of)| Some((index.parse::<i32>().ok()?, of.parse::<i32>().ok()?)));
    let valid = read.filter(|(index, of)| (1..=*of).contains(index));
    valid.map(|(index, of)| (index - 1, of)).ok_or_else(|| "write I/N, such as 1/4 for the first of four".to_owned())
}

/// Reads a number of files, or a share of them in percent.
///
/// # Errors
/// If it is neither.
pub fn share(text: &str) -> Result<MostFailed, String> {
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| *percent <= 100).map(MostFailed::Percent),
        None => text.parse().ok().map(MostFailed::Files),
    };
    read.ok_or_else(|| "write a number of files, or a share such as 5%".to_owned())
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
