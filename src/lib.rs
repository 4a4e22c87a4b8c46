//! `migrate` moves one application's SQLite database into a multi-user PostgreSQL, once, and proves that it did.
//!
//! # Life of a row
//!
//! 1. [`mapping::read`] parses the mapping. [`plan::build`] makes a [`plan::Plan`] of the mapping and both schemas, or
//!    returns every refusal at once. The plan holds every decision about the data.
//! 2. [`sqlite::Source`] holds one snapshot of the SQLite file. A [`sqlite::Reader`] reads the rows of a load in the order
//!    of their keys and passes each row to a [`model::select::Sink`].
//! 3. [`convert::row::RowEncoder`] encodes the cells of the row in PostgreSQL's binary COPY format.
//!    [`convert::Converter`] converts each [`model::cell::Raw`] to the target's type. It returns a [`model::cell::Cell`],
//!    or the [`model::fault::Reason`] why the value cannot be loaded. [`wire::binary`] writes the cell.
//! 4. The preflight ([`migrate::preflight::read_ahead`]) did all of this before, without sending a row. So a fault is
//!    reported before the first write.
//! 5. A batch collects encoded rows. One transaction ([`pg::batch`]) writes the ledger's row, the batch's faults and one
//!    COPY. The ledger's row contains the digest of the batch ([`model::digest`]). After a crash, the target has both or
//!    neither.
//! 6. [`verify`] counts the rows of the target, reads them back, and compares them with the ledger.
//! 7. [`app`] records the results in a [`model::record::Report`], and [`report`] draws it.
//!
//! Imports run in one direction: app -> migrate, verify -> sqlite, pg, convert -> plan -> mapping -> model. The core does
//! not print, read the environment or ask the clock.

// The server inside the process raises its errors by unwinding.
#[cfg(all(feature = "embedded", panic = "abort"))]
compile_error!("the profile `lean` is for a build without the embedded server: add --no-default-features");

pub mod app;
pub mod cli;
pub mod convert;
pub mod event;
pub mod exit;
pub mod fleet;
pub mod guide;
pub mod init;
pub mod job;
pub mod mapping;
pub mod migrate;
pub mod model;
pub mod pg;
pub mod plan;
pub mod private;
pub mod progress;
pub mod report;
pub mod resume;
pub mod schema;
pub mod sqlite;
pub mod text;
pub mod verify;
pub mod wire;
