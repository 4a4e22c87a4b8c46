//! The settings of a session, which override those of role and database, and the settings that an operator may choose.

use super::psql::environment;
use super::server::{Server, Wish};
use migrate::pg::connect::{ReadOnly, Settings, resolve};
use std::collections::BTreeMap;

fn settings(server: &Server, more: &str) -> Settings {
    let home = tempfile::tempdir().expect("a home");
    let string = format!("host={} port={} user=postgres dbname=postgres {more}", server.socket(), server.port);
    resolve(Some(&string), &environment(&[], home.path())).expect("settings")
}

/// The session's settings by name; one that the server does not have is not there.
fn session(settings: &Settings, read_only: bool) -> BTreeMap<String, String> {
    let mut client = settings.connect(ReadOnly(read_only)).unwrap_or_else(|e| panic!("{e}"));
    let rows = client.query("SELECT name, setting FROM pg_settings", &[]).expect("settings");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Name, a hostile default, what a session of ours has.
const SETTINGS: [(&str, &str, &str); 20] = [
    ("search_path", "evil, public", "pg_catalog, pg_temp"),
    ("quote_all_identifiers", "on", "off"),
    ("gin_fuzzy_search_limit", "5", "0"),
    ("DateStyle", "German", "ISO, MDY"),
    ("IntervalStyle", "sql_standard", "postgres"),
    ("TimeZone", "Asia/Kathmandu", "UTC"),
    ("extra_float_digits", "-10", "3"),
    ("bytea_output", "escape", "hex"),
    ("standard_conforming_strings", "off", "on"),
    ("default_transaction_isolation", "serializable", "read committed"),
    ("default_transaction_deferrable", "on", "off"),
    // Where it is to read alone, this is on whatever the role says.
    ("default_transaction_read_only", "on", "off"),
    ("statement_timeout", "20", "0"),
    ("idle_in_transaction_session_timeout", "20", "0"),
    ("idle_session_timeout", "60000", "0"),
    ("transaction_timeout", "60000", "0"),
    ("lock_timeout", "1", "10000"),
    ("synchronous_commit", "off", "on"),
    ("session_replication_role", "replica", "origin"),
    ("client_connection_check_interval", "0", "10000"),
];

#[test]
fn session_settings_override_those_of_the_role() {
    let server = Server::start(&Wish::default());
    let there = session(&settings(&server, ""), false);
    for (name, hostile, _) in SETTINGS {
        if there.contains_key(name) {
            let value = match name {
                "search_path" => hostile.to_owned(),
                _ => format!("'{hostile}'"),
            };
            server.sql(&format!(
                "SET statement_timeout = 0; SET transaction_read_only = off; ALTER ROLE postgres SET {name} = {value}"
            ));
        }
    }
    for read_only in [true, false] {
        let found = session(&settings(&server, ""), read_only);
        for (name, _, ours) in SETTINGS {
            let ours = if read_only && name == "default_transaction_read_only" { "on" } else { ours };
            let value = found.get(name).map(String::as_str);
            assert_eq!(value, there.contains_key(name).then_some(ours), "{name}");
        }
        assert_eq!(found["application_name"], "migrate");
        assert_eq!(found["client_encoding"], "UTF8");
    }
    assert!(there.contains_key("lock_timeout"));
}

#[test]
fn a_lock_timeout_in_the_options_is_the_operators_choice() {
    let server = Server::start(&Wish::default());
    let found = session(&settings(&server, "options='-c lock_timeout=3s -c statement_timeout=1s'"), false);
    assert_eq!(found["lock_timeout"], "3000");
    assert_eq!(found["statement_timeout"], "0");
}

#[test]
fn a_read_only_session_writes_nothing() {
    let server = Server::start(&Wish::default());
    let mut client = settings(&server, "").connect(ReadOnly(true)).expect("a session");
    let refused = client.batch_execute("CREATE TABLE public.t (x int)").expect_err("written");
    assert_eq!(refused.code().map(|c| c.code()), Some("25006"));
}

#[test]
fn a_role_that_cannot_reset_replication_mode_is_refused() {
    let server = Server::start(&Wish::default());
    server.sql("CREATE ROLE weak LOGIN; ALTER ROLE weak SET session_replication_role = replica");
    let error = settings(&server, "user=weak").connect(ReadOnly(false)).err().expect("refused");
    assert_eq!(error.sqlstate(), Some("42501"), "{error}");
}
