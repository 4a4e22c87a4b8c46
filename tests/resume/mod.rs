//! Stops and resumes: kills, broken connections, full disks, every interleaving of two processes.

mod broken_connections;
mod interleavings;
mod interruptions;
mod kills;
mod old_ledger;
mod repaired_rows;
