//! The strings of hosting consoles, pasted as they are and directed to a server of the tests: each works, or is refused with the
//! word to write and what it gives up.

use super::certs::{Certificates, text};
use super::pgbouncer::Bouncer;
use super::psql::{ask_us, environment};
use super::server::{Server, Wish};
use super::tls::{home, refusal, server_with};
use migrate::pg::connect::{ConnectError, resolve};

/// Leads any host's name to this machine, as an address that is not loopback: what is off this machine has stricter rules.
const HERE: (&str, &str) = ("PGHOSTADDR", "0.0.0.0");

/// The outcome of a connection by the string; `t` at the end: encrypted.
fn connected(string: &str) -> String {
    ask_us(Some(string), &[HERE], home().path()).unwrap_or_else(|e| panic!("{string}: {e}"))
}

#[test]
fn a_railway_string_is_refused_with_the_missing_word_and_then_works() {
    let server = server_with("self_signed");
    let pasted = format!("postgresql://postgres:x@roundhouse.proxy.rlwy.net:{}/postgres", server.port);
    let problem = refusal(&pasted, &[HERE], home().path());
    assert!(problem.advice.contains("Railway's certificates are self-signed"), "{problem}");
    assert!(problem.advice.contains("sslmode=require, which encrypts without verifying the server"), "{problem}");
    let with = format!("{pasted}?sslmode=require");
    assert!(connected(&with).ends_with("|t"));
    let settings = resolve(Some(&with), &environment(&[HERE], home().path())).expect("settings");
    assert!(settings.notes().join("").contains("encrypts without verifying the server"), "{:?}", settings.notes());
    // Nothing goes in clear text, even where the server has no TLS.
    let bare = Server::start(&Wish::default());
    let pasted = format!("postgresql://postgres:x@roundhouse.proxy.rlwy.net:{}/postgres", bare.port);
    let problem = refusal(&pasted, &[HERE], home().path());
    assert!(problem.advice.contains("sslmode=disable, which sends password and rows in clear text"), "{problem}");
}

#[test]
fn a_supabase_direct_string_needs_its_authority_or_require() {
    let server = server_with("supabase");
    let pasted = format!("postgresql://postgres:x@db.abcd.supabase.co:{}/postgres", server.port);
    let problem = refusal(&pasted, &[HERE], home().path());
    for piece in ["download its certificate", "sslrootcert=FILE", "sslmode=require, which encrypts without verifying"] {
        assert!(problem.advice.contains(piece), "{problem}");
    }
    let root = Certificates::get().path("authority.crt");
    assert!(connected(&format!("{pasted}?sslrootcert={}", text(&root))).ends_with("|t"));
    assert!(connected(&format!("{pasted}?sslmode=require")).ends_with("|t"));
}

#[test]
fn a_supabase_session_pooler_passes_and_its_transaction_pooler_is_detected() {
    let server = Server::start(&Wish::default());
    server.sql("CREATE ROLE \"postgres.abcd\" LOGIN");
    let (crt, key) = Certificates::get().pair("supabase");
    let root = Certificates::get().path("authority.crt");
    let through = |mode: &str| {
        let bouncer = Bouncer::with_tls(&server, mode, 3, Some((&crt, &key)));
        let string = format!(
            "postgresql://postgres.abcd:x@aws-0-eu-central-1.pooler.supabase.com:{}/postgres?sslrootcert={}",
            bouncer.port,
            text(&root)
        );
        (ask_us(Some(&string), &[("PGHOSTADDR", "127.0.0.1")], home().path()), bouncer)
    };
    let (session, _bouncer) = through("session");
    assert!(session.expect("a session").starts_with("postgres.abcd|postgres|"));
    let (transaction, _bouncer) = through("transaction");
    let Err(ConnectError::Pooler(problem)) = transaction else { panic!("{transaction:?}") };
    assert!(problem.advice.contains("direct address"), "{problem}");
}

#[test]
fn strings_of_transaction_poolers_are_refused_with_the_right_address() {
    for (string, piece) in [
        (
            "postgresql://postgres.abcd:x@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
            "the same string with port 5432, or the database itself: db.abcd.supabase.co:5432 as the user postgres",
        ),
        (
            "postgresql://o:x@ep-cool-1-pooler.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require",
            "the same string with the host ep-cool-1.eu-central-1.aws.neon.tech",
        ),
    ] {
        let refused = ask_us(Some(string), &[HERE], home().path());
        assert!(matches!(&refused, Err(ConnectError::Pooler(p)) if p.advice.contains(piece)), "{refused:?}");
    }
    // Prisma's word, which psql refuses too.
    let prisma = "postgresql://postgres.abcd:x@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true";
    let refused = ask_us(Some(prisma), &[HERE], home().path());
    assert!(matches!(&refused, Err(ConnectError::Usage(p)) if p.advice.contains("direct address")), "{refused:?}");
}

#[test]
fn a_neon_direct_string_works_as_pasted_with_channel_binding() {
    let (crt, key) = Certificates::get().pair("right");
    let server = Server::start(&Wish {
        hba: "local all all trust\nhostssl all all all scram-sha-256\n",
        tls: Some((&crt, &key)),
        ..Wish::default()
    });
    server.sql("CREATE ROLE app_owner LOGIN PASSWORD 'npg_x'");
    server.sql("CREATE DATABASE app OWNER app_owner");
    let pasted = |extra: &str| {
        let port = server.port;
        format!("postgresql://app_owner:npg_x@ep-cool-1.eu-central-1.aws.neon.tech:{port}/app?sslmode=require{extra}")
    };
    assert_eq!(connected(&pasted("&channel_binding=require")), format!("app_owner|app|{}|migrate|on|t", server.port));
}
