//! The source: one SQLite file, read in one snapshot. The file is never changed and never created.
//!
//! A [`Source`] holds the snapshot. A [`Reader`] is one connection in it, for one thread. Cells are returned by storage
//! class and bytes; their meaning is decided elsewhere. Only this folder uses the SQLite library.
//!
//! In WAL mode the application may continue to write; the snapshot does not see it. In rollback mode its commits wait
//! until the `Source` is dropped. Next to a file in WAL mode SQLite may create a `-shm` and an empty `-wal`. No other
//! part of the process may open and close the file meanwhile, because closing it would drop the locks (see
//! `open_file`).

mod authorizer;
mod check;
mod connection;
mod count;
mod counted;
mod current;
mod definitions;
mod determinism;
mod diagnose;
mod dump;
mod dump_text;
mod error;
mod functions;
mod header;
mod indexes;
mod lex;
mod math;
mod one_row;
mod open_file;
mod opening_warnings;
mod partition;
mod reader;
mod row_by_row;
mod scan;
mod schema;
mod snapshot;
mod source;
pub mod stamp;
mod statement;
#[cfg(test)]
mod tests;
mod utf16;
mod value;
mod value_stats;

pub use count::is_value;
pub use error::{ErrorClass, SourceError};
pub use functions::{ScalarFunction, casefold};
pub use header::{Header, WalFacts};
pub use reader::{Reader, SourceOptions};
pub use scan::Finished;
pub use source::Source;
pub use stamp::SourceFacts;

/// The version of the SQLite library that is compiled in.
pub fn version() -> &'static str {
    rusqlite::version()
}
