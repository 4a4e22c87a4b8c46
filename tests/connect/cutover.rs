//! The whole cutover over a connection like an operator's: TLS that verifies, TLS that is cut, a pooler in between.

use super::certs::{Certificates, text};
use super::pgbouncer::Bouncer;
use super::proxy::Proxy;
use super::server::{Server, Wish};
use crate::support::expect::Expected;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, repo};

/// A server that takes nothing but TLS from the network, with the application's tables in it.
fn server() -> Server {
    let (crt, key) = Certificates::get().pair("right");
    let hba = "local all all trust\nhostssl all all all trust\n";
    let server = Server::start(&Wish { hba, tls: Some((&crt, &key)), ..Wish::default() });
    server.sql(&read_repo("fixtures/personal_finance/target.sql"));
    server
}

fn migrate(place: &Place, target: &str, args: &[&str]) -> Ran {
    place.migrate(args).args(["--json", "-t", target, "-m"]).arg(repo("mappings/personal_finance.toml")).ran()
}

fn verified(port: u16) -> String {
    let root = Certificates::get().path("authority.crt");
    format!("postgresql://postgres@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={}", text(&root))
}

#[test]
fn personal_finance_arrives_through_tls_with_verify_full() {
    let (server, place) = (server(), Place::new());
    let ran = migrate(&place, &verified(server.port), &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    let report = ran.json();
    assert_eq!(report["exit"]["name"], "Done");
    Expected::of("personal_finance", "counts").holds_in_report(&report);
    // Nothing was left to note: the server was asked who it is.
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(0), "{}", report["warnings"]);
    assert_eq!(migrate(&place, &verified(server.port), &["verify"]).code, 0);
    // Another name, another authority: refused.
    let strange = verified(server.port).replace("localhost", "127.0.0.2");
    assert_eq!(migrate(&place, &strange, &["verify"]).code, 3);
}

#[test]
fn tls_cut_every_few_batches_is_resumed_and_ends_verified() {
    let (server, place) = (server(), Place::new());
    // Each connection carries some three batches, and is cut within the next COPY.
    let proxy = Proxy::cutting_after(server.port, 300_000);
    let ran = migrate(&place, &verified(proxy.port), &["--yes", "--jobs", "1", "--batch-rows", "700"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    let report = ran.json();
    Expected::of("personal_finance", "counts").holds_in_report(&report);
    let retries = report["retries"].as_array().expect("retries").len();
    assert!(retries >= 2, "{}", report["retries"]);
    assert_eq!(server.sql("SELECT count(*), count(DISTINCT id) FROM public.transactions").trim(), "7152|7152");
}

#[test]
fn pgbouncer_in_transaction_mode_is_refused_with_the_direct_address() {
    let (server, place) = (Server::start(&Wish::default()), Place::new());
    server.sql(&read_repo("fixtures/personal_finance/target.sql"));
    let bouncer = Bouncer::start(&server, "transaction", 5);
    let there = "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'migrate'";
    for args in [&["--yes"][..], &["--dry-run"], &["verify"], &["status"]] {
        let target = format!("postgresql://postgres@127.0.0.1:{}/postgres", bouncer.port);
        let ran = migrate(&place, &target, args);
        assert_eq!(ran.code, 3, "{}", ran.said());
        let direct = format!("the pooler's server reports the address 127.0.0.1, port {}", server.port);
        ran.says(&["this is a transaction pooler", "Use the database's direct address", &direct]);
        assert_eq!(server.sql(there).trim(), "0");
    }
    // That address, taken.
    let direct = format!("postgresql://postgres@127.0.0.1:{}/postgres", server.port);
    assert_eq!(migrate(&place, &direct, &["--yes"]).code, 0);
}
