//! `migrate` moves one application's SQLite database into a multi-user PostgreSQL, once, and proves that it did.
//!
//! # Life of a row
//!
//! 1. [`mapping::read`] turns the mapping's text into a value; [`plan::build`] makes a [`plan::Plan`] of it and of both
//!    schemas, or every refusal at once. From here on nothing is decided any more.
//! 2. [`sqlite::Source`] holds one snapshot of the SQLite file. A [`sqlite::Reader`] steps through a load's rows in the order
//!    of their keys and hands each to a [`model::select::Sink`].
//! 3. [`convert::row::RowEncoder`] turns its cells into the row's wire image: [`convert::Converter`] reads each
//!    [`model::cell::Raw`] for the target's type and either gives a [`model::cell::Cell`] or the
//!    [`model::fault::Reason`] why not; [`wire::binary`] writes it down.
//! 4. [`migrate::preflight::read_ahead`] has done all that once without sending anything, so a fault is known before the first write.
//! 5. The images gather in a batch. One transaction ([`pg::batch`]) holds the ledger's row, the batch's faults and one
//!    COPY; the batch's digest ([`model::digest`]) is in the ledger's row. Whatever dies, both are there or neither.
//! 6. [`verify`] counts and reads back what the target holds and compares it with the ledger.
//! 7. [`app`] puts what was found into a [`model::record::Report`], and [`report`] draws it.
//!
//! Imports run one way: app -> migrate, verify -> sqlite, pg, convert -> plan -> mapping -> model. The core does not
//! print, read the environment or ask the clock.

pub mod app;
pub mod cli;
pub mod convert;
pub mod event;
pub mod exit;
pub mod guide;
pub mod job;
pub mod mapping;
pub mod migrate;
pub mod model;
pub mod pg;
pub mod plan;
pub mod progress;
pub mod report;
pub mod resume;
pub mod sqlite;
pub mod text;
pub mod verify;
pub mod wire;
