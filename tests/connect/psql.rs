//! The same connection by psql, whose outcome is the expected one.
//!
//! Each call has exactly the variables it is given, so nothing of this machine takes part.

use super::server::program;
use migrate::pg::connect::{ConnectError, Environment, ReadOnly, resolve};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// The state of a connection: user, database, port, application name, one option, and `t` when encrypted.
pub const ASK: &str = "SELECT current_user, current_database(), current_setting('port'), \
     current_setting('application_name'), \
     current_setting('geqo'), \
     (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid())";

/// The answer to [`ASK`] through psql, or what it says on its way out.
pub fn ask(string: Option<&str>, variables: &[(&str, &str)], home: &Path) -> Result<String, String> {
    let mut command = Command::new(program("psql"));
    command.env_clear().envs(variables.iter().copied()).env("HOME", home);
    // libpq looks for its files in the home directory of the user database, whatever HOME says, before version 16.
    if !variables.iter().any(|(name, _)| *name == "PGPASSFILE") {
        command.env("PGPASSFILE", home.join(".pgpass"));
    }
    if !variables.iter().any(|(name, _)| *name == "PGSERVICEFILE") {
        command.env("PGSERVICEFILE", home.join(".pg_service.conf"));
    }
    // Our default name, and the variable that psql would otherwise read it from.
    if !variables.iter().any(|(name, _)| *name == "PGAPPNAME") {
        command.env("PGAPPNAME", "migrate");
    }
    command.args(["-X", "-A", "-t", "-q", "-w", "-c", ASK]);
    if let Some(string) = string {
        command.arg("-d").arg(string);
    }
    let output = command.output().expect("psql");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// An environment of ours with these variables.
pub fn environment(variables: &[(&str, &str)], home: &Path) -> Environment {
    let user = migrate::pg::connect::system_user();
    let pairs = variables.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
    Environment::new(pairs, Some(home.to_owned()), user)
}

/// The same by us.
pub fn ask_us(string: Option<&str>, variables: &[(&str, &str)], home: &Path) -> Result<String, ConnectError> {
    let settings = resolve(string, &environment(variables, home))?;
    let mut client = settings.connect(ReadOnly(false))?;
    let row = client.simple_query(ASK).expect("an answer");
    let row = row
        .iter()
        .find_map(|m| match m {
            postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .expect("a row");
    let fields: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or_default()).collect();
    Ok(fields.join("|"))
}
