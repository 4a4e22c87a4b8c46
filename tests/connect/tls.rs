//! Certificates and modes: every server against every `sslmode`, compared with what psql does, and what only we do.

use super::certs::{Certificates, text};
use super::proxy::Proxy;
use super::psql::{ask, ask_us, environment};
use super::server::{Server, Wish};
use migrate::target::connect::{ConnectError, Problem, ReadOnly, SslMode, resolve};
use std::io::Write;
use std::path::Path;

/// The six words.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a home")
}

fn server_with(certificate: &str) -> Server {
    let (crt, key) = Certificates::get().pair(certificate);
    let tls = Some((crt.as_path(), key.as_path()));
    Server::start(&Wish { tls, ..Wish::default() })
}

fn string(server: &Server, more: &str) -> String {
    format!("host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres {more}", server.port)
}

/// Whether psql and we come to the same end, the encryption included.
fn same(string: &str, home: &Path) -> Result<(), String> {
    let (psql, ours) = (ask(Some(string), &[], home), ask_us(Some(string), &[], home));
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
fn what_surrounds_a_certificate_ends_as_with_psql() {
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

/// What the refusal of `string` says.
fn refusal(string: &str, variables: &[(&str, &str)], home: &Path) -> Problem {
    match ask_us(Some(string), variables, home) {
        Err(ConnectError::Tls(problem)) => *problem,
        other => panic!("{string}: not refused for TLS: {other:?}"),
    }
}

#[test]
fn a_refused_certificate_says_why_and_which_word_gives_up_what() {
    let home = home();
    let root = Certificates::get().path("authority.crt");
    for (certificate, what, word, given_up) in [
        ("expired", "has expired", "sslmode=require", "gives up knowing who answers"),
        ("not_yet", "not valid yet", "sslmode=require", "gives up knowing who answers"),
        ("other_name", "for another name", "sslmode=verify-ca", "gives up telling this server"),
        ("wrong_authority", "nobody whom this machine trusts", "sslmode=require", "gives up knowing who answers"),
        ("self_signed", "nobody whom this machine trusts", "sslmode=require", "gives up knowing who answers"),
    ] {
        let server = server_with(certificate);
        let string = string(&server, &format!("sslmode=verify-full sslrootcert={}", text(&root)));
        let problem = refusal(&string, &[], home.path());
        assert!(problem.what.contains(what), "{problem}");
        assert!(problem.advice.contains(word) && problem.advice.contains(given_up), "{problem}");
        assert!(problem.place.contains(&format!("localhost:{}/postgres", server.port)), "{problem}");
    }
}

#[test]
fn the_systems_authorities_are_those_that_openssl_would_take() {
    let home = home();
    let root = Certificates::get().path("authority.crt");
    let variables = [("SSL_CERT_FILE", text(&root))];
    let right = server_with("right");
    for more in
        ["sslrootcert=system", "sslrootcert=system sslmode=verify-full", "sslmode=verify-ca", "sslmode=verify-full"]
    {
        ask_us(Some(&string(&right, more)), &variables, home.path()).unwrap_or_else(|e| panic!("{more}: {e}"));
    }
    // Without the variable nobody on this machine knows the authority of the tests.
    refusal(&string(&right, "sslrootcert=system"), &[], home.path());
    refusal(&string(&server_with("other_name"), "sslrootcert=system"), &variables, home.path());
    for mode in ["allow", "prefer", "require", "verify-ca"] {
        let string = string(&right, &format!("sslrootcert=system sslmode={mode}"));
        let refused = ask_us(Some(&string), &variables, home.path());
        assert!(matches!(refused, Err(ConnectError::Usage(_))), "{mode}: {refused:?}");
    }
}

#[test]
fn a_root_certificate_in_the_home_directory_is_found() {
    let home = home();
    let folder = home.path().join(".postgresql");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(Certificates::get().path("authority.crt"), folder.join("root.crt")).expect("a copy");
    for more in ["sslmode=verify-full", "sslmode=verify-ca", "sslmode=require", ""] {
        let server = server_with("right");
        let found = ask_us(Some(&string(&server, more)), &[], home.path()).expect("a connection");
        assert!(found.ends_with("|t"), "{found}");
    }
    refusal(&string(&server_with("wrong_authority"), "sslmode=require"), &[], home.path());
}

/// An address of this machine that is not loopback, if it has one; nothing is sent.
fn own_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback()).then(|| ip.to_string())
}

#[test]
fn off_this_machine_nothing_goes_in_clear_text_unsaid() {
    let home = home();
    for (string, mode) in [
        ("host=db.example.com", SslMode::VerifyFull),
        ("host=10.0.0.1", SslMode::VerifyFull),
        ("host=db hostaddr=10.0.0.1", SslMode::VerifyFull),
        ("host=localhost.example.com", SslMode::VerifyFull),
        ("host=localhost", SslMode::Prefer),
        ("host=127.0.0.2", SslMode::Prefer),
        ("host=::1", SslMode::Prefer),
        ("host=/tmp", SslMode::Prefer),
        ("host=db.example.com sslmode=prefer", SslMode::Prefer),
        ("host=db.example.com sslmode=disable", SslMode::Disable),
    ] {
        let settings = resolve(Some(string), &environment(&[], home.path())).expect("settings");
        assert_eq!(settings.hosts()[0].sslmode, mode, "{string}");
    }
    let Some(address) = own_address() else { return };
    let server = Server::start(&Wish { conf: "listen_addresses = '*'", ..Wish::default() });
    let there = format!("host={address} port={} user=postgres dbname=postgres", server.port);
    let problem = refusal(&there, &[], home.path());
    assert!(problem.advice.contains("sslmode=disable"), "{problem}");
    ask_us(Some(&format!("{there} sslmode=disable")), &[], home.path()).expect("clear text, as asked for");
}

const RULES: &str = "local all all trust\nhostssl all certified all cert\nhostnossl all plain all trust\n\
     hostssl all crypt all trust\nhostssl all scram all scram-sha-256\nhost all postgres all trust\n";

#[test]
fn the_servers_rules_about_encryption_end_as_with_psql() {
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

#[test]
fn tls_that_is_cut_within_a_copy_is_an_error_and_leaves_no_row() {
    let server = server_with("right");
    server.sql("CREATE TABLE public.t (x text)");
    let (crt, _) = Certificates::get().pair("authority");
    let proxy = Proxy::cutting_after(server.port, 1_000_000);
    let string = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
        proxy.port,
        text(&crt)
    );
    let home = home();
    let settings = resolve(Some(&string), &environment(&[], home.path())).expect("settings");
    let mut client = settings.connect(ReadOnly(false)).expect("a session");
    let line = [b"x".repeat(999), b"\n".to_vec()].concat().repeat(100);
    let mut copy = client.copy_in("COPY public.t FROM STDIN").expect("a copy");
    let written = (0..1000).try_for_each(|_| copy.write_all(&line));
    let ended = written.map_err(|e| e.to_string()).and_then(|()| copy.finish().map_err(|e| e.to_string()));
    assert!(ended.is_err(), "{ended:?}");
    assert!(client.is_closed());
    assert_eq!(server.sql("SELECT count(*) FROM public.t").trim(), "0");
}

#[test]
fn direct_negotiation_works_where_the_server_has_it() {
    let server = server_with("right");
    let version: u32 = server.sql("SHOW server_version_num").trim().parse().expect("a number");
    let root = Certificates::get().path("authority.crt");
    let home = home();
    let string = string(&server, &format!("sslmode=verify-full sslnegotiation=direct sslrootcert={}", text(&root)));
    let ended = ask_us(Some(&string), &[], home.path());
    match version >= 170_000 {
        true => assert!(ended.expect("a connection").ends_with("|t")),
        false => assert!(matches!(ended, Err(ConnectError::Unreachable(_) | ConnectError::Tls(_))), "{ended:?}"),
    }
    let weak = string.replace("verify-full", "prefer");
    assert!(matches!(ask_us(Some(&weak), &[], home.path()), Err(ConnectError::Usage(_))));
}

#[test]
fn what_is_promised_less_than_thought_is_noted() {
    let home = home();
    let notes =
        |string: &str| resolve(Some(string), &environment(&[], home.path())).expect("settings").notes().join("\n");
    assert!(notes("host=db.example.com sslmode=require").contains("does not check who answers"));
    assert!(notes("host=db.example.com sslmode=disable").contains("clear text"));
    assert!(notes("host=db.example.com sslmode=prefer").contains("clear text"));
    for quiet in [
        "host=db.example.com",
        "host=db.example.com sslmode=verify-ca",
        "host=db.example.com sslmode=require sslrootcert=/some/file",
        "host=localhost sslmode=disable",
        "host=/tmp",
    ] {
        assert_eq!(notes(quiet), "", "{quiet}");
    }
}

#[test]
fn strings_of_hosting_consoles_mean_what_they_say() {
    let home = home();
    let read = |string: &str| resolve(Some(string), &environment(&[], home.path()));
    let neon = read(
        "postgresql://app_owner:npg_x@ep-cool-1.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require",
    )
    .expect("Neon");
    assert_eq!(neon.shown(), "ep-cool-1.eu-central-1.aws.neon.tech:5432/app");
    assert_eq!(neon.hosts()[0].sslmode, SslMode::Require);
    let railway = read("postgresql://postgres:x@roundhouse.proxy.rlwy.net:23456/railway").expect("Railway");
    assert_eq!(railway.shown(), "roundhouse.proxy.rlwy.net:23456/railway");
    let supabase =
        read("postgresql://postgres.abcd:x@aws-0-eu-central-1.pooler.supabase.com:5432/postgres").expect("Supabase");
    assert_eq!(supabase.user(), "postgres.abcd");
    for (string, piece) in [
        ("postgresql://postgres:[YOUR-PASSWORD]@db.abcd.supabase.co:5432/postgres", "placeholder"),
        ("postgresql://u:************@ep-x.neon.tech/app?sslmode=require", "placeholder"),
        ("postgres://u:x@h:6543/postgres?pgbouncer=true&connection_limit=1", "direct address"),
        ("postgresql://u:x@h:5432/app?schema=public", "[target] of the mapping"),
    ] {
        let refused = read(string).expect_err(string);
        assert!(refused.to_string().contains(piece), "{refused}");
    }
}
