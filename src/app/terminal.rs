//! The columns of a terminal. Its size may change at any time.

use std::io;
use std::os::fd::AsFd;

/// The columns of a terminal. `None` if it is none, or does not know its size.
pub fn columns_of(file: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(file).map(|(width, _)| usize::from(width.0)).filter(|columns| *columns > 0)
}

/// The present columns of the terminal on stderr, or those of an old terminal.
pub fn columns_of_stderr() -> usize {
    columns_of(io::stderr()).unwrap_or(80)
}
