//! The target: everything that speaks to PostgreSQL. The only folder that names the `postgres` crate.
//!
//! A [`Session`] is one connection. Its methods are the operations of the design, each a transaction or part of one.

mod aside;
mod backend;
pub mod batch;
mod blame;
mod catalog;
pub mod connect;
pub mod copy;
pub mod detach;
pub mod deviation;
mod error;
pub mod failpoint;
pub mod inspect;
pub mod ledger;
mod lock;
pub mod lookup_rows;
mod made;
pub mod owner;
mod parts;
mod read_back;
mod rights;
pub mod rollback;
mod sequence;
mod session;
mod snapshot;
pub mod sqlstate;
pub mod standing;
pub mod throwaway;
mod types;
pub mod values;

pub use backend::Backend;
pub use blame::Blame;
pub use error::ServerError;
pub use inspect::OtherSession;
pub use lock::LockHolder;
pub use owner::OwnerFound;
pub use read_back::ReadBack;
pub use session::Session;
pub use snapshot::block_range;
