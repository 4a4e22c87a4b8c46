//! All tests that need the real binary or a real PostgreSQL, as one binary: one link, one server, one summary.
//!
//! `tests/run.sh` runs them, and installs what they need where it is missing.

mod applications;
mod cases;
mod chaos;
mod citus;
mod cli;
mod connect;
mod cutover;
mod documents;
mod fleet;
mod house;
mod init;
mod mapping;
mod oracle;
mod preflight;
mod report;
mod resume;
mod rollback;
mod schema;
mod support;
mod values;
mod verify;
