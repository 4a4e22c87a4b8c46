//! Guarantees beyond psql: the system's authorities, no unreported clear text, TLS from the first byte, the strings of
//! hosting consoles as they are pasted, and no row of a copy that was cut.

use super::certs::{Certificates, text};
use super::proxy::Proxy;
use super::psql::{ask_us, environment};
use super::server::{Server, Wish};
use super::tls::{home, refusal, server_with, string};
use migrate::pg::connect::{ConnectError, ReadOnly, SslMode, resolve};

/// An address of this machine that is not loopback, if it has one; nothing is sent.
fn own_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback()).then(|| ip.to_string())
}

#[test]
fn the_system_authorities_are_those_of_openssl() {
    let home = home();
    let root = Certificates::get().path("authority.crt");
    let variables = [("SSL_CERT_FILE", text(&root))];
    let right = server_with("right");
    for more in
        ["sslrootcert=system", "sslrootcert=system sslmode=verify-full", "sslmode=verify-ca", "sslmode=verify-full"]
    {
        ask_us(Some(&string(&right, more)), &variables, home.path()).unwrap_or_else(|e| panic!("{more}: {e}"));
    }
    // Without the variable this machine does not know the authority of the tests.
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

#[test]
fn clear_text_to_another_machine_is_always_reported() {
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

#[test]
fn tls_cut_within_a_copy_is_an_error_and_leaves_no_row() {
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
    let statement = client.prepare("COPY public.t FROM STDIN").expect("a statement");
    let mut copy = client.copy_in(&statement).expect("a copy");
    let written = (0..1000).try_for_each(|_| copy.send(&mut client, line.clone()));
    let ended = written.map_err(|e| e.to_string()).and_then(|()| copy.finish(&mut client).map_err(|e| e.to_string()));
    assert!(ended.is_err(), "{ended:?}");
    assert!(client.is_closed());
    assert_eq!(server.sql("SELECT count(*) FROM public.t").trim(), "0");
}

#[test]
fn direct_negotiation_works_if_the_server_supports_it() {
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
fn weaker_guarantees_than_requested_are_noted() {
    let home = home();
    let notes =
        |string: &str| resolve(Some(string), &environment(&[], home.path())).expect("settings").notes().join("\n");
    assert!(notes("host=db.example.com sslmode=require").contains("encrypts without verifying the server"));
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
fn strings_of_hosting_consoles_are_read_as_written() {
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
