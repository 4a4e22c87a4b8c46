//! The target: everything that speaks to PostgreSQL, and the only folder that names the `postgres` crate.

pub mod connect;
