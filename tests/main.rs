//! All tests that need the real binary or a real PostgreSQL, as one binary: one link, one server, one summary.
//!
//! `tests/run.sh` runs them, and installs what they need where it is missing.

mod application_code;
mod broken;
mod chaos;
mod cli;
mod connect;
mod cutover;
mod detach;
mod faults;
mod foreseen;
mod golden;
mod house;
mod ids;
mod kinds;
mod language;
mod latency;
mod lookups;
mod mapping_reference;
mod memory;
mod mended;
mod mistakes;
mod model;
mod oracle;
mod own_rows;
mod persons;
mod plan;
mod readme;
mod reasons;
mod rehearse;
mod report_contract;
mod reports;
mod resume;
mod rights;
mod rollback;
mod secrets;
mod sequences;
mod source_files;
mod stops;
mod support;
mod systems;
mod values;
mod verify;
