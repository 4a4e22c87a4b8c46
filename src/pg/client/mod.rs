//! A blocking client over `tokio-postgres`, which sends statements together where no answer is needed in between.
//!
//! A query with parameters is one round trip: the type of each parameter follows from its Rust type, so nothing has to be
//! prepared first. [`Pipeline`] sends several statements as messages of their own and waits once. [`CopyIn`] ends together
//! with the statements that follow it. Each wait can be ended from outside, see [`Client::interrupt_when`].

mod connection;
mod copy;
mod parameter;
mod pipeline;
mod transaction;
mod wire;

pub use connection::{Client, Reactor};
pub use copy::CopyIn;
pub use parameter::Parameter;
pub use pipeline::{Pipeline, Reply, SentCopy, all_replies};
pub use transaction::Transaction;
