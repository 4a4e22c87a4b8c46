//! Certificates and modes: every server against every `sslmode`, compared with what psql does, and what only we do.

use super::certs::{Certificates, text};
use super::psql::{ask, ask_us};
use super::server::{Server, Wish};
use migrate::target::connect::ConnectError;
use std::path::Path;

/// The six words.
const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a home")
}

fn server_with(certificate: &str) -> Server {
    let (crt, key) = Certificates::get().pair(certificate);
    let tls = Some((crt.as_path(), key.as_path()));
    Server::start(&Wish {
        tls,
        ..Wish::default()
    })
}

fn string(server: &Server, more: &str) -> String {
    format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres {more}",
        server.port
    )
}

/// Whether psql and we come to the same end, the encryption included.
fn same(string: &str, home: &Path) -> Result<(), String> {
    let (psql, ours) = (
        ask(Some(string), &[], home),
        ask_us(Some(string), &[], home),
    );
    match (&psql, &ours) {
        (Ok(a), Ok(b)) if a == b => Ok(()),
        (Err(_), Err(ConnectError::Tls(_))) => Ok(()),
        _ => Err(format!("{string}\n  psql: {psql:?}\n  ours: {ours:?}")),
    }
}

#[test]
fn every_certificate_under_every_mode_ends_as_with_psql() {
    let certificates = Certificates::get();
    let home = home();
    let mut differences = Vec::new();
    for certificate in [
        "right",
        "other_name",
        "cn_only",
        "star",
        "wrong_authority",
        "version_1",
        "self_signed",
        "self_signed_cn",
        "expired",
    ] {
        let server = server_with(certificate);
        let own = format!("{certificate}.crt");
        // No root certificate at all is where we differ on purpose: see the next tests.
        for root in ["authority.crt", "stranger.crt", &own] {
            for mode in MODES {
                let root = certificates.path(root);
                let string = string(
                    &server,
                    &format!("sslmode={mode} sslrootcert={}", text(&root)),
                );
                differences.extend(same(&string, home.path()).err());
            }
        }
        for mode in ["disable", "allow", "prefer", "require"] {
            let string = string(&server, &format!("sslmode={mode}"));
            differences.extend(same(&string, home.path()).err());
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_server_without_tls_is_spoken_to_in_clear_text_only_where_psql_would() {
    let server = Server::start(&Wish::default());
    let home = home();
    for mode in MODES {
        let root = Certificates::get().path("authority.crt");
        for root in ["", &format!("sslrootcert={}", text(&root))] {
            if root.is_empty() && mode.starts_with("verify") {
                continue;
            }
            let string = string(&server, &format!("sslmode={mode} {root}"));
            same(&string, home.path()).expect("the same as psql");
        }
    }
    let string = string(&server, "sslmode=verify-full");
    let Err(ConnectError::Tls(problem)) = ask_us(Some(&string), &[], home.path()) else {
        panic!("verify-full went through without TLS");
    };
    assert_eq!(problem.what, "the server offers no TLS");
    assert!(problem.advice.contains("sslmode=disable"), "{problem}");
}
