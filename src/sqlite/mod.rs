//! The source: one SQLite file, read inside one snapshot, never changed and never created.
//!
//! A [`Source`] holds the snapshot; a [`Reader`] is one connection inside it, for one thread. What a value means is not
//! decided here: cells go out by storage class and bytes. This folder alone names the SQLite library.
//!
//! The application may go on writing in WAL mode without being seen; in rollback mode its commits wait until the
//! `Source` is dropped. Beside a file in WAL mode SQLite may make a `-shm` and an empty `-wal`. Nothing else in the
//! process may open and close the file meanwhile: closing it would drop the locks (see `held`).

mod authorizer;
mod check;
mod connection;
mod count;
mod counted;
mod determinism;
mod diagnose;
mod dump;
mod error;
mod functions;
mod header;
mod lex;
mod open_file;
mod partition;
mod reader;
mod scan;
mod schema;
mod snapshot;
mod source;
pub mod stamp;
mod statement;
#[cfg(test)]
mod tests;
mod value;
mod value_stats;

pub use authorizer::SqlAccess;
pub use error::{ErrorClass, SourceError};
pub use functions::{ScalarFunction, casefold};
pub use header::{Header, WalFacts};
pub use reader::{Reader, SourceOptions};
pub use scan::Finished;
pub use source::Source;
pub use stamp::SourceFacts;
