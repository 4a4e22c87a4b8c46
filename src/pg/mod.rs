//! The target: everything that speaks to PostgreSQL. The only folder that names the `postgres` crates.
//!
//! A [`Session`] is one connection. Its methods are the operations of the design, each a transaction or part of one.

pub mod asked_rows;
mod backend;
pub mod batch;
mod blame;
mod catalog;
mod citus;
mod client;
pub mod conditions;
pub mod connect;
pub mod copy;
mod deferred;
pub mod detach;
pub mod direct_batch;
mod equality;
mod error;
pub mod existing;
pub mod failpoint;
pub mod inspect;
pub mod joint_batches;
pub mod ledger;
mod lock;
pub mod lookup_rows;
pub mod member;
mod member_batches;
pub mod member_removal;
pub mod owner;
pub mod proof;
mod query;
mod read_back;
mod reattach_sql;
pub mod rehearsal_database;
mod returned;
mod rights;
pub mod rollback;
mod row;
pub mod script;
mod sequence;
mod session;
pub mod skipped;
mod snapshot;
pub mod sqlstate;
mod sqlstate_names;
pub mod state;
pub mod throwaway;
pub mod trial;
pub mod triggers;
mod types;
pub mod values;
mod zones;

pub use backend::Backend;
pub use blame::Blame;
pub use catalog::Catalogued;
pub use error::ServerError;
pub use inspect::{ColumnNow, OtherSession};
pub use lock::{HeldLock, LockHolder, LockedTables};
pub use owner::OwnerFound;
pub use read_back::ReadBack;
pub use returned::ReturnedRows;
pub use session::{Session, SessionRequest};
pub use snapshot::block_range;
pub use zones::{OffsetSince, ZoneOffsets, ZoneQuestion};

/// The major versions of PostgreSQL against which `tests/versions.sh` runs the tests.
pub const TESTED_VERSIONS: &str = "12 to 18";
