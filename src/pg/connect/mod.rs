//! Connections to the target, wherever it is: what an operator pastes, made to mean what psql makes of it.
//!
//! `resolve` puts [`Settings`] together from a string and an [`Environment`]; [`Settings::connect`] opens a session that
//! is set up and is one. Roads that psql would take in clear text without being told are refused. Rights, locks and
//! schemas are looked at elsewhere.
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

use std::hash::BuildHasher;

mod attempt;
mod certificate;
mod classify;
pub mod dsn;
mod environment;
mod error;
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
mod tls;
mod values;
mod waiting;
mod x509;

pub use environment::{Disk, Environment, Files, Looked, system_user};
pub use error::{ConnectError, Problem};
pub use resolve::resolve;
pub use secret::Secret;
pub use session::ReadOnly;
pub use settings::{Address, ChannelBinding, Host, Keepalives, PasswordFrom, SessionAttributes, Settings};
pub use tls::SslMode;
pub use values::Values;
pub use waiting::Patience;

impl Settings {
    /// Opens a session: the first host that answers and is of the kind asked for, set up.
    ///
    /// Blocks for up to `connect_timeout` per address; nothing has been written when it fails.
    ///
    /// # Errors
    /// Classed by what one can do next; see [`ConnectError`].
    pub fn connect(&self, read_only: ReadOnly) -> Result<postgres::Client, ConnectError> {
        pooler::refuse_by_name(self)?;
        let (mut client, host) = self.open()?;
        pooler::refuse_by_behaviour(self, host, &mut client)?;
        self.prepared(client, host, read_only)
    }

    /// Sets the session up within the time that connecting may take: a pool that has no session left lets the first
    /// statement wait, not the login.
    fn prepared(
        &self,
        mut client: postgres::Client,
        host: &Host,
        read_only: ReadOnly,
    ) -> Result<postgres::Client, ConnectError> {
        let (settings, to) = (self.clone(), host.clone());
        let work = move || session::prepare(&settings, &to, &mut client, read_only).map(|()| client);
        attempt::bounded(self.connect_timeout, work).unwrap_or_else(|| Err(attempt::timed_out(self, host)))
    }

    /// The first host that will do.
    fn open(&self) -> Result<(postgres::Client, &Host), ConnectError> {
        let hosts = self.in_order();
        let kinds = match self.session {
            // First round: a standby or nothing. Second round: whoever is there.
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
            match session::unsuited(self, host, &mut client, kind)? {
                None => return Ok((client, host)),
                Some(why) => {
                    let problem = Problem::new(
                        format!("target {}/{}", host.shown(), self.database),
                        "the server is not of the kind that target_session_attrs asks for",
                        why,
                        "Name another host, or change target_session_attrs",
                    );
                    earlier.extend(last.replace(ConnectError::Other(Box::new(problem))));
                }
            }
        }
        let told = |e: &ConnectError| format!("{}: {}", e.problem().place, e.problem().what);
        let earlier: Vec<String> = earlier.iter().map(told).collect();
        match last {
            Some(last) if earlier.is_empty() => Err(last),
            Some(last) => Err(last.also(&format!("before that: {}", earlier.join("; ")))),
            None => Err(ConnectError::usage("target", "there is no host", "", "Name a host")),
        }
    }

    /// The hosts as they stand, or shuffled under `load_balance_hosts=random`.
    fn in_order(&self) -> Vec<&Host> {
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        if self.shuffle {
            let state = std::hash::RandomState::new();
            hosts.sort_by_key(|host| state.hash_one(host.shown()));
        }
        hosts
    }
}
