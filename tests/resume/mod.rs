//! Stops and resumes: kills, broken connections, full disks, every interleaving of two processes; and the ledger as input.

mod broken_connections;
mod circles;
mod cuts_between_statements;
mod fence;
mod forged_statements;
mod interleavings;
mod interruptions;
mod kills;
mod locks;
mod lost_commits;
mod old_ledger;
mod repaired_rows;
mod shifts_at_once;
mod untrusted_ledger;
