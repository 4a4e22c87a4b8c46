//! The cutover: rows, owners, ids, lookups, sequences, faults, and its costs in time and memory.

mod application_code;
mod circles;
mod circles_under_faults;
mod detach;
mod dropped_orphans;
mod early_rows;
mod existing;
mod fault_policies;
mod faults;
mod free_sequences;
mod hostile_names;
mod lookups;
mod memory;
mod personal_finance;
mod rehearsal_database;
mod rehearsal_scripts;
mod rehearse;
mod round_trips;
mod self_references;
mod sequences;
mod shifted_ids;
mod small_loads;
mod tables_and_names;
