//! A fleet: many files with one mapping, each with an owner of its own. One run in the ledger holds them all.
//!
//! A file is written in one transaction together with its line in the ledger; a large one in several, each with its position. The
//! batches of a file that cannot be loaded are removed again. Any number of workers take files from the ledger; which worker writes
//! a file changes nothing about its rows.
//!
//! - `refuse`: the parts that a plan may not have;
//! - `ids`: the ids that a file needs, and the ranges that it gets;
//! - `own_keys`: the keys to which rows of a file may refer: those of its own rows;
//! - `member`: the rows of one file, and their transaction;
//! - `batches`: the batches of one file, and its position in between;
//! - `rows`: the rows of one load of a file;
//! - `omitted`: everything of a file that is not in the target as the file has it;
//! - `proof`: the rows of one file, read back after their commit;
//! - `removal`: the rows of one file, removed again;
//! - `shared`: the rows of tables that all owners share;
//! - `sums`: the sums over all files, as the ledger has them;
//! - `whole`: all rows of all files, compared once at the end.

pub mod batches;
pub mod ids;
pub mod member;
mod omitted;
mod own_keys;
pub mod proof;
pub mod refuse;
pub mod removal;
mod rows;
pub mod shared;
pub mod sums;
pub mod whole;
