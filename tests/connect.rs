//! Connections to real servers; see `connect/mod.rs`. A binary of its own until the suite has one for all.

#[path = "connect/mod.rs"]
mod connect;
