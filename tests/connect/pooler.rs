//! Poolers: in transaction and statement mode they are refused before anything is written, in session mode they pass.

use super::pgbouncer::Bouncer;
use super::psql::{ask_us, environment};
use super::server::{Server, Wish};
use migrate::pg::connect::{ConnectError, Problem, ReadOnly, resolve};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn through(bouncer: &Bouncer, more: &str) -> String {
    format!("host=127.0.0.1 port={} user=postgres dbname=postgres {more}", bouncer.port)
}

fn refusal(bouncer: &Bouncer, more: &str) -> Problem {
    let home = tempfile::tempdir().expect("a home");
    match ask_us(Some(&through(bouncer, more)), &[], home.path()) {
        Err(ConnectError::Pooler(problem)) => *problem,
        other => panic!("not refused as a pooler: {other:?}"),
    }
}

#[test]
fn a_transaction_pooler_is_refused_by_its_behaviour() {
    let server = Server::start(&Wish::default());
    for size in [1, 2, 20] {
        let bouncer = Bouncer::start(&server, "transaction", size);
        let problem = refusal(&bouncer, "");
        assert!(problem.what.starts_with("this is a transaction pooler"), "{problem}");
        assert!(problem.advice.contains(&format!("port {}", server.port)), "{problem}");
    }
}

#[test]
fn a_statement_pooler_is_refused() {
    let server = Server::start(&Wish::default());
    refusal(&Bouncer::start(&server, "statement", 5), "");
}

#[test]
fn a_pooler_that_refuses_startup_options_is_detected() {
    let server = Server::start(&Wish::default());
    let bouncer = Bouncer::start(&server, "session", 5);
    let problem = refusal(&bouncer, "options='-c geqo=off'");
    assert!(problem.what.contains("a pooler answered"), "{problem}");
}

#[test]
fn a_session_pooler_passes() {
    let server = Server::start(&Wish::default());
    let home = tempfile::tempdir().expect("a home");
    let begin = std::time::Instant::now();
    // With one server connection the second look has to be given up.
    for size in [5, 1] {
        let bouncer = Bouncer::start(&server, "session", size);
        ask_us(Some(&through(&bouncer, "")), &[], home.path()).expect("a session");
    }
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
}

#[test]
fn a_busy_transaction_pooler_is_refused_too() {
    let server = Server::start(&Wish::default());
    let bouncer = Bouncer::start(&server, "transaction", 4);
    let home = tempfile::tempdir().expect("a home");
    let settings = resolve(Some(&through(&bouncer, "")), &environment(&[], home.path())).expect("settings");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| busy(bouncer.port, &stop));
        }
        let verdicts: Vec<_> = (0..50).map(|_| settings.connect(ReadOnly(true)).err().map(|e| e.reason())).collect();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(verdicts, vec![Some("pooler"); 50]);
    });
}

/// Another application's clients: short transactions, one after the other.
fn busy(port: u16, stop: &AtomicBool) {
    let url = format!("postgresql://postgres@127.0.0.1:{port}/postgres");
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("a client");
    while !stop.load(Ordering::Relaxed) {
        client.batch_execute("BEGIN; SELECT pg_sleep(0.003); COMMIT").expect("a transaction");
    }
}

#[test]
fn a_refused_pooler_keeps_none_of_our_settings() {
    let server = Server::start(&Wish::default());
    let bouncer = Bouncer::start(&server, "transaction", 1);
    refusal(&bouncer, "");
    let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", bouncer.port);
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("a client");
    let rows = client
        .simple_query("SELECT name FROM pg_settings WHERE source = 'session' AND name NOT IN ('client_encoding', 'application_name')")
        .expect("settings");
    let left = rows.iter().filter(|m| matches!(m, postgres::SimpleQueryMessage::Row(_))).count();
    assert_eq!(left, 0);
}

#[test]
fn a_direct_server_is_not_a_pooler_and_is_asked_once() {
    let server = Server::start(&Wish { conf: "log_connections = on", ..Wish::default() });
    let home = tempfile::tempdir().expect("a home");
    let string = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port);
    let settings = resolve(Some(&string), &environment(&[], home.path())).expect("settings");
    for _ in 0..5 {
        settings.clone().connect(ReadOnly(false)).expect("a session");
    }
    let connections = server.log().matches("connection authorized: user=postgres").count();
    // Five and the one second look; waiting for the start asks without logging in.
    assert_eq!(connections, 6, "{}", server.log());
}
