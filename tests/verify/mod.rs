//! Verification: corruption is found and located, clean pairs raise no alarm, later changes are assigned to their side.

mod altered;
mod corruption;
mod foreign_rows;
mod forged;
mod interleaved;
mod later_changes;
mod pair;
mod planting;
mod references;
mod restored;
mod server_form;
mod tampering;
