//! Connections to real servers: `pg::connect` reads a string, an environment and a password file exactly as psql does, or
//! refuses with the reason.
//!
//! Needs PostgreSQL's binaries (`pg_config --bindir`), psql, openssl and pgbouncer; without one of them the
//! test fails and says which. Nothing outside temporary directories is touched.

mod authentication;
mod availability;
pub mod certs;
mod cutover;
mod engine;
mod env_file;
mod guarantees;
mod hosting_strings;
mod interrupt;
mod notices;
mod pgbouncer;
mod pooler;
mod proxy;
mod psql;
mod round_trips;
mod same_as_psql;
mod secrets;
mod server;
mod session;
mod tls;
