//! Certificates, modes and the server's rules: every one against every `sslmode`, compared with what psql does, and the
//! words of the refusals. Checks beyond psql are in `guarantees`.

use super::certs::{Certificates, text};
use super::psql::{ask, ask_us};
use super::server::{Server, Wish};
use migrate::pg::connect::{ConnectError, Problem};
use std::path::Path;

/// The six words.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

pub(super) fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a home")
}

pub(super) fn server_with(certificate: &str) -> Server {
    let (crt, key) = Certificates::get().pair(certificate);
    let tls = Some((crt.as_path(), key.as_path()));
    Server::start(&Wish { tls, ..Wish::default() })
}

pub(super) fn string(server: &Server, more: &str) -> String {
    format!("host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres {more}", server.port)
}

/// Returns true if psql and we have the same outcome, the encryption included.
fn same(string: &str, home: &Path) -> Result<(), String> {
    let (psql, ours) = (ask(Some(string), &[], home), ask_us(Some(string), &[], home));
    match (&psql, &ours) {
        (Ok(a), Ok(b)) if a == b => Ok(()),
        (Err(_), Err(ConnectError::Tls(_))) => Ok(()),
        _ => Err(format!("{string}\n  psql: {psql:?}\n  ours: {ours:?}")),
    }
}

#[test]
fn every_certificate_in_every_mode_has_the_outcome_of_psql() {
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
        "version_1_rsa",
        "rsa",
        "chained",
        "unchained",
        "self_signed",
        "self_signed_cn",
        "expired",
        "not_yet",
    ] {
        let server = server_with(certificate);
        let own = format!("{certificate}.crt");
        // No root certificate at all is where we differ on purpose: see the next tests.
        let mut roots = vec!["authority.crt", "stranger.crt", &own];
        if certificate.ends_with("chained") {
            roots.extend(["link.crt", "links.crt"]);
        }
        for root in roots {
            for mode in MODES {
                let root = certificates.path(root);
                let string = string(&server, &format!("sslmode={mode} sslrootcert={}", text(&root)));
                differences.extend(same(&string, home.path()).err());
            }
        }
        for mode in ["disable", "allow", "prefer", "require"] {
            for version in ["TLSv1.2", "TLSv1.3"] {
                let versions = format!("ssl_min_protocol_version={version} ssl_max_protocol_version={version}");
                let string = string(&server, &format!("sslmode={mode} {versions}"));
                differences.extend(same(&string, home.path()).err());
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn everything_around_a_certificate_has_the_outcome_of_psql() {
    let certificates = Certificates::get();
    let home = home();
    let mut differences = Vec::new();
    let root = text(&certificates.path("authority.crt")).to_owned();
    let list = text(&certificates.path("revoked.crl")).to_owned();
    let bare = format!("sslmode=verify-full sslrootcert={root}");
    let listed = format!("{bare} sslcrl={list}");
    for (certificate, ways) in [
        ("revoked", vec![bare.clone(), listed.clone(), listed.replace("verify-full", "require")]),
        ("version_1", vec![format!("{bare} ssl_max_protocol_version=TLSv1.2")]),
        (
            "right",
            vec![
                listed.clone(),
                format!("{bare} sslsni=0"),
                format!("{bare} ssl_max_protocol_version=TLSv1.2"),
                "sslmode=verify-full sslrootcert=/no/such/file".to_owned(),
                format!("sslmode=verify-full sslrootcert={list}"),
            ],
        ),
    ] {
        let server = server_with(certificate);
        for more in ways {
            differences.extend(same(&string(&server, &more), home.path()).err());
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_server_without_tls_gets_clear_text_only_if_psql_sends_it() {
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

/// The text of the refusal of `string`.
pub(super) fn refusal(string: &str, variables: &[(&str, &str)], home: &Path) -> Problem {
    match ask_us(Some(string), variables, home) {
        Err(ConnectError::Tls(problem)) => *problem,
        other => panic!("{string}: not refused for TLS: {other:?}"),
    }
}

#[test]
fn a_refused_certificate_reports_why_and_what_each_mode_gives_up() {
    let home = home();
    let root = Certificates::get().path("authority.crt");
    for (certificate, what, word, given_up) in [
        ("expired", "has expired", "sslmode=require", "encrypts without verifying the server"),
        ("not_yet", "not valid yet", "sslmode=require", "encrypts without verifying the server"),
        ("other_name", "for another name", "sslmode=verify-ca", "accepts any server of the same authority"),
        (
            "wrong_authority",
            "no authority that this machine trusts",
            "sslmode=require",
            "encrypts without verifying the server",
        ),
        (
            "self_signed",
            "no authority that this machine trusts",
            "sslmode=require",
            "encrypts without verifying the server",
        ),
    ] {
        let server = server_with(certificate);
        let string = string(&server, &format!("sslmode=verify-full sslrootcert={}", text(&root)));
        let problem = refusal(&string, &[], home.path());
        assert!(problem.what.contains(what), "{problem}");
        assert!(problem.advice.contains(word) && problem.advice.contains(given_up), "{problem}");
        assert!(problem.place.contains(&format!("localhost:{}/postgres", server.port)), "{problem}");
    }
}

/// The way in for each role: by certificate, in clear text alone, encrypted, with a password over TLS.
pub(super) const RULES: &str = "local all all trust\nhostssl all certified all cert\nhostnossl all plain all trust\n\
     hostssl all crypt all trust\nhostssl all scram all scram-sha-256\nhost all postgres all trust\n";

#[test]
fn the_server_rules_about_encryption_have_the_outcome_of_psql() {
    let certificates = Certificates::get();
    // The usual kind of certificate, whose hash also serves for channel binding.
    let (crt, key) = certificates.pair("rsa");
    let ca = certificates.path("authority.crt");
    let server = Server::start(&Wish { hba: RULES, tls: Some((&crt, &key)), client_ca: Some(&ca), ..Wish::default() });
    server.sql("CREATE ROLE plain LOGIN; CREATE ROLE crypt LOGIN; CREATE ROLE certified LOGIN; CREATE ROLE scram LOGIN PASSWORD 'x'");
    let home = home();
    let file = |name: &str| text(&certificates.path(name)).to_owned();
    let shown = format!("sslcert={} sslkey={}", file("client.crt"), file("client.key"));
    let mut differences = Vec::new();
    for mode in MODES {
        let root = format!("sslrootcert={}", text(&ca));
        for more in [
            "user=plain".to_owned(),
            "user=crypt".to_owned(),
            "user=certified".to_owned(),
            format!("user=certified {shown}"),
            format!("user=crypt {shown}"),
            format!("user=plain {shown}"),
            format!("user=certified sslcert={} sslkey={}", file("client.crt"), file("right.key")),
            format!("user=certified sslcert={} sslkey={}", file("client.crt"), file("open.key")),
            format!("user=certified sslcert={} sslkey={}", file("wrong_authority.crt"), file("wrong_authority.key")),
            "user=scram password=x channel_binding=require".to_owned(),
            "user=scram password=x channel_binding=disable".to_owned(),
            "user=scram password=x".to_owned(),
            "user=scram password=y".to_owned(),
            "user=crypt channel_binding=require".to_owned(),
        ] {
            let string = string(&server, &format!("{more} {root} sslmode={mode}"));
            let (psql, ours) = (ask(Some(&string), &[], home.path()), ask_us(Some(&string), &[], home.path()));
            match (&psql, &ours) {
                (Ok(a), Ok(b)) if a == b => {}
                (Err(_), Err(_)) => {}
                _ => differences.push(format!("{string}\n  psql: {psql:?}\n  ours: {ours:?}")),
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let encrypted =
        format!("user=certified sslmode=require sslcert={} sslkey={}", file("client.crt"), file("encrypted.key"));
    let problem = refusal(&string(&server, &encrypted), &[], home.path());
    assert!(problem.why.contains("encrypted") && problem.advice.contains("openssl pkey"), "{problem}");
}
