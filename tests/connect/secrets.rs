//! A planted secret, in every place that a password can come from and with every kind of error. The tests then
//! search for it in all outputs.

use super::certs::{Certificates, text};
use super::proxy::Proxy;
use super::psql::environment;
use super::server::{Server, Wish, free_port};
use migrate::pg::connect::{ConnectError, ReadOnly, Secret, dsn, resolve};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "Zq7xKwB9";

/// Everything that can be printed of a string, an environment and what comes of them.
fn everything(string: Option<&str>, variables: &[(&str, &str)], home: &Path) -> String {
    let environment = environment(variables, home);
    let mut printed = format!("{environment:?} {environment:#?}");
    let mut error = |e: &ConnectError| printed.push_str(&format!("{e} {e:?} {e:#?} {:?} {}", e.problem(), e.problem()));
    if let Some(Err(e)) = string.map(dsn::parse) {
        error(&e);
    }
    let settings = match resolve(string, &environment) {
        Ok(settings) => settings,
        Err(e) => {
            error(&e);
            return printed;
        }
    };
    if let Err(e) = settings.connect(ReadOnly(true)) {
        error(&e);
    }
    if let Some(Ok(values)) = string.map(dsn::parse) {
        printed += &format!("{values:?} {values:#?}");
    }
    printed += &format!("{settings} {settings:?} {settings:#?} {:?} {:#?}", settings.hosts(), settings.clone());
    printed += &format!("{} {:?}", settings.shown(), settings.notes());
    printed
}

fn clean(string: Option<&str>, variables: &[(&str, &str)], home: &Path) {
    let printed = everything(string, variables, home);
    assert!(!printed.contains(SECRET), "{string:?} {variables:?}\n{printed}");
}

#[test]
fn no_password_is_printed_from_any_source_with_any_outcome() {
    let server =
        Server::start(&Wish { hba: "local all postgres trust\nhost all all all scram-sha-256\n", ..Wish::default() });
    server.sql(&format!("CREATE ROLE alice LOGIN PASSWORD '{SECRET}'"));
    let (dead, silent) = (free_port(), Proxy::silent());
    let home = tempfile::tempdir().expect("a home");
    let ends = [
        ("127.0.0.1", server.port, "sslmode=prefer"),
        ("127.0.0.1", server.port, "sslmode=require"),
        ("127.0.0.1", server.port, "sslmode=prefer&channel_binding=require"),
        ("127.0.0.1", dead, "sslmode=prefer"),
        ("no.such.host.invalid", server.port, ""),
        ("x-pooler.example.com", server.port, ""),
    ];
    for (host, port, query) in ends {
        for user in ["alice", "bob"] {
            let url = format!("postgresql://{user}:{SECRET}@{host}:{port}/postgres?{query}");
            clean(Some(&url), &[], home.path());
            let url = format!("postgresql://{user}@{host}:{port}/postgres?{query}");
            clean(Some(&url), &[("PGPASSWORD", SECRET)], home.path());
            let file = home.path().join(".pgpass");
            fs::write(&file, format!("*:*:*:*:{SECRET}\n")).expect("a password file");
            for mode in [0o600, 0o644] {
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("mode");
                clean(Some(&url), &[], home.path());
            }
            fs::remove_file(&file).expect("the file");
        }
    }
    let url = format!("postgresql://alice:{SECRET}@127.0.0.1:{}/db?connect_timeout=2", silent.port);
    clean(Some(&url), &[], home.path());
}

#[test]
fn no_password_is_printed_if_it_makes_its_string_invalid() {
    let home = tempfile::tempdir().expect("a home");
    for password in [
        "@", "/", ":", "#", "?", "%", "&", "=", " ", "'", "\\", ",", "[", "]", "@/", "/@", "?=&", "%zz", "%00", "12/",
        "://",
    ] {
        for password in [
            format!("{SECRET}{password}{SECRET}"),
            format!("{password}{SECRET}"),
            format!("{SECRET}{password}"),
            format!("1{password}{SECRET}"),
            format!("1{password}{SECRET}=1"),
            format!("1{password}{SECRET}=1{password}x{SECRET}=2"),
        ] {
            for string in [
                format!("postgresql://alice:{password}@127.0.0.1:1/db"),
                format!("postgresql://alice:{password}@127.0.0.1:1/db?sslmode=disable"),
                format!("postgresql://127.0.0.1:1/db?user=alice&password={password}&sslmode=disable"),
                format!("host=127.0.0.1 port=1 user=alice password={password} dbname=db"),
                format!("host=127.0.0.1 port=1 user=alice password='{password}' dbname=db"),
                format!("password={password} host=127.0.0.1 port=1"),
            ] {
                clean(Some(&string), &[], home.path());
            }
        }
    }
}

#[test]
fn no_key_and_no_password_of_a_key_or_service_is_printed() {
    let home = tempfile::tempdir().expect("a home");
    let certificates = Certificates::get();
    for key in ["client.key", "encrypted.key", "open.key", "right.key", "none.key"] {
        let string = format!(
            "host=127.0.0.1 port=1 user=alice sslmode=require sslpassword={SECRET} sslcert={} sslkey={}",
            text(&certificates.path("client.crt")),
            text(&certificates.path(key))
        );
        clean(Some(&string), &[], home.path());
    }
    let file = home.path().join("service");
    let path = text(&file);
    for contents in [
        format!("[s]\nhost=127.0.0.1\nport=1\npassword={SECRET}\n"),
        format!("[s]\npassword{SECRET}\n"),
        format!("[s]\npassword {SECRET}=1\n"),
        format!("[s]\npassword=1\n{SECRET}=2\n"),
    ] {
        fs::write(&file, contents).expect("a service file");
        clean(Some("service=s"), &[("PGSERVICEFILE", path)], home.path());
    }
    assert_eq!(format!("{:?}", Secret::new(SECRET)), "_");
}
