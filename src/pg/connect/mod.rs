//! Connections to the target. A connection string means here what it means to psql.
//!
//! [`resolve()`] builds [`Settings`] from a string and an [`Environment`]. [`Settings::connect`] opens a session, sets it
//! up and refuses transaction poolers. A remote host is never sent clear text by default, unlike with psql. Rights,
//! locks and schemas are checked elsewhere.
//!
//! ```no_run
//! use migrate::pg::connect::{Environment, ReadOnly, resolve, system_user};
//!
//! # fn main() -> Result<(), migrate::pg::connect::ConnectError> {
//! let environment = Environment::new(std::env::vars_os(), std::env::home_dir(), system_user());
//! let settings = resolve(Some("postgresql://app@db.example.com/app"), &environment)?;
//! let client = settings.connect(ReadOnly(true))?;
//! # drop(client); Ok(())
//! # }
//! ```

use crate::pg::client::Client;
use postgres::Row;
use std::hash::BuildHasher;

mod attempt;
mod authentication;
mod certificate;
mod classify;
pub mod dsn;
mod engine;
mod environment;
mod error;
mod guarded;
mod host;
mod keyfile;
mod keyword;
mod layers;
mod passfile;
mod pooler;
mod resolve;
mod secret;
mod service;
mod session;
mod settings;
mod ssl_mode;
mod tls;
mod values;
mod waiting;
mod x509;

pub use environment::{Disk, Environment, Files, PathInfo, system_user};
pub use error::{ConnectError, Problem};
pub use host::{Host, PasswordFrom, ServerAddress};
pub use resolve::resolve;
pub use secret::Secret;
pub use session::ReadOnly;
pub use settings::{ChannelBinding, Keepalives, SessionAttributes, Settings};
pub use ssl_mode::SslMode;
pub use values::KeywordValues;
pub use waiting::Patience;
pub(in crate::pg) use waiting::patiently;

impl Settings {
    /// Opens a session on the first host that answers and has the requested kind, and sets the session up.
    ///
    /// Blocks for up to `connect_timeout` per address. Nothing was written if it fails.
    ///
    /// # Errors
    /// See [`ConnectError`]: the variant says what can be done next.
    pub fn connect(&self, read_only: ReadOnly) -> Result<Client, ConnectError> {
        self.connect_and_read(read_only, None).map(|(client, _)| client)
    }

    /// Does what [`Settings::connect`] does. Returns the application's search path, too, if a schema is given.
    pub(in crate::pg) fn connect_and_read(
        &self,
        read_only: ReadOnly,
        schema: Option<&str>,
    ) -> Result<(Client, Vec<Row>), ConnectError> {
        pooler::refuse_by_name(self)?;
        let (mut client, host) = self.open()?;
        pooler::refuse_by_behaviour(self, host, &mut client)?;
        self.set_up(client, host, read_only, schema)
    }

    /// Sets the session up within `connect_timeout`: a pool without a free session delays the first statement, not the
    /// login.
    fn set_up(
        &self,
        mut client: Client,
        host: &Host,
        read_only: ReadOnly,
        schema: Option<&str>,
    ) -> Result<(Client, Vec<Row>), ConnectError> {
        let (settings, target, schema) = (self.clone(), host.clone(), schema.map(str::to_owned));
        let work = move || {
            let rows = session::prepare(&settings, &target, &mut client, read_only, schema.as_deref())?;
            Ok((client, rows))
        };
        attempt::bounded(self.connect_timeout, work).unwrap_or_else(|| Err(attempt::timed_out(self, host)))
    }

    /// Opens a connection to the first suitable host.
    fn open(&self) -> Result<(Client, &Host), ConnectError> {
        let hosts = self.in_order();
        let kinds = match self.session {
            // First round: only a standby. Second round: any server.
            SessionAttributes::PreferStandby => {
                vec![SessionAttributes::PreferStandby, SessionAttributes::Any]
            }
            kind => vec![kind],
        };
        let mut last: Option<ConnectError> = None;
        let mut earlier = Vec::new();
        for (kind, host) in kinds.iter().flat_map(|k| hosts.iter().map(move |h| (*k, *h))) {
            let mut client = match attempt::open(self, host) {
                Ok(client) => client,
                Err(e @ (ConnectError::Unreachable(_) | ConnectError::Waking(_))) => {
                    earlier.extend(last.replace(e));
                    continue;
                }
                Err(e) => return Err(e),
            };
            match session::mismatch(self, host, &mut client, kind)? {
                None => return Ok((client, host)),
                Some(why) => {
                    let problem = Problem::new(
                        format!("target {}/{}", host.shown(), self.database),
                        "the server is not of the kind that target_session_attrs requests",
                        why,
                        "Name another host, or change target_session_attrs",
                    );
                    earlier.extend(last.replace(ConnectError::Other(Box::new(problem))));
                }
            }
        }
        let line = |e: &ConnectError| format!("{}: {}", e.problem().place, e.problem().what);
        let earlier: Vec<String> = earlier.iter().map(line).collect();
        match last {
            Some(last) if earlier.is_empty() => Err(last),
            Some(last) => Err(last.also(&format!("before that: {}", earlier.join("; ")))),
            None => Err(ConnectError::usage("target", "there is no host", "", "Name a host")),
        }
    }

    /// The hosts in their given order, or shuffled if `load_balance_hosts=random`.
    fn in_order(&self) -> Vec<&Host> {
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        if self.shuffle {
            let state = std::hash::RandomState::new();
            hosts.sort_by_key(|host| state.hash_one(host.shown()));
        }
        hosts
    }
}
