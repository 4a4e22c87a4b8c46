//! Connections to real servers: what psql makes of a string, an environment and a password file is what
//! `target::connect` makes of them, or it is refused with the reason.
//!
//! Needs PostgreSQL's binaries (`pg_config --bindir`), psql, openssl and pgbouncer; without one of them the
//! test fails and says which. Nothing outside temporary directories is touched.

mod bouncer;
pub mod certs;
mod cutover;
mod env_file;
mod pasted;
mod pooler;
mod promises;
mod proxy;
mod psql;
mod reach;
mod secrets;
mod server;
mod session;
mod table;
mod tls;
mod told;
