//! Many SQLite files in one run: each file is a member of a fleet, with the owner that its values name.

pub mod sources;
