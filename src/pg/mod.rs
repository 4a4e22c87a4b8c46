//! The target: PostgreSQL's side of everything. The only folder that names the `postgres` crate.
//!
//! A [`Session`] is one connection; its methods are the operations of the design, each a transaction or part of one.

mod aside;
mod backend;
pub mod batch;
mod blame;
mod busy;
mod catalog;
pub mod checks;
pub mod connect;
pub mod detach;
pub mod deviation;
pub mod embedded;
mod error;
pub mod failpoint;
pub mod ledger;
mod lookup;
mod made;
mod owner;
mod owners;
mod parts;
mod read_back;
mod rewind;
mod rights;
mod sequence;
mod session;
pub mod sqlstate;
pub mod standing;
pub mod take_back;

pub use backend::Backend;
pub use blame::Blame;
pub use busy::Busy;
pub use error::ServerError;
pub use owner::OwnerFound;
pub use read_back::{ReadBack, stretch};
pub use sequence::{SequenceState, Wanted};
pub use session::{Holder, Session};
