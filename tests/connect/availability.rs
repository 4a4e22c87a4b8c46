//! Servers that do not answer, or not yet: bounded waiting, and the class that says whether waiting helps.

use super::proxy::Proxy;
use super::psql::environment;
use super::server::{Server, Wish, free_port};
use migrate::pg::connect::{ConnectError, Patience, ReadOnly, Settings, resolve};
use std::time::{Duration, Instant};

fn settings(string: &str) -> Settings {
    let home = tempfile::tempdir().expect("a home");
    resolve(Some(string), &environment(&[], home.path())).expect("settings")
}

fn error(string: &str) -> ConnectError {
    match settings(string).connect(ReadOnly(false)) {
        Err(e) => e,
        Ok(_) => panic!("{string}: connected"),
    }
}

#[test]
fn a_silent_server_is_given_up_after_the_timeout() {
    let silent = Proxy::silent();
    for mode in ["disable", "require"] {
        let begin = Instant::now();
        let string = format!("host=127.0.0.1 port={} user=u connect_timeout=2 sslmode={mode}", silent.port);
        let error = error(&string);
        assert!(matches!(error, ConnectError::Unreachable(_)), "{error}");
        assert!(error.retry_may_help());
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    }
}

#[test]
fn the_next_host_is_tried_when_one_is_silent() {
    let (silent, server) = (Proxy::silent(), Server::start(&Wish::default()));
    let string = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=postgres connect_timeout=2 sslmode=disable",
        silent.port, server.port
    );
    settings(&string).connect(ReadOnly(false)).expect("the second host");
}

#[test]
fn hosts_are_shuffled_on_request() {
    let server = Server::start(&Wish::default());
    let string = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=postgres load_balance_hosts=random",
        free_port(),
        server.port
    );
    for _ in 0..4 {
        settings(&string).connect(ReadOnly(false)).expect("whichever is there");
    }
}

#[test]
fn a_starting_server_is_waited_for_and_a_dead_port_only_on_request() {
    let server = Server::start(&Wish::default());
    server.sql("CREATE ROLE one LOGIN CONNECTION LIMIT 1");
    let string = format!("host={} port={} user=one dbname=postgres", server.socket(), server.port);
    let settings = settings(&string).of_rehearsal();
    let held = settings.connect(ReadOnly(false)).expect("the one session");
    let mut states = Vec::new();
    let release = std::cell::RefCell::new(Some(held));
    // Too many connections passes when one of them ends.
    let client = settings.connect_patiently(ReadOnly(false), Patience::FIRST, &mut |e, _| {
        states.push(e.sqlstate().map(str::to_owned));
        release.borrow_mut().take();
        true
    });
    client.expect("a session after a while");
    assert_eq!(states[0].as_deref(), Some("53300"));

    let dead = format!("host=127.0.0.1 port={} user=u", free_port());
    let refused = self::settings(&dead).connect_patiently(ReadOnly(false), Patience::FIRST, &mut |_, _| true);
    assert!(matches!(refused, Err(ConnectError::Unreachable(_))), "at once");
}

#[test]
fn a_server_that_cuts_new_connections_is_waking_and_waited_for_in_bounds() {
    let cutting = Proxy::cutting_after(free_port(), 0);
    for mode in ["disable", "require"] {
        let settings = settings(&format!("host=127.0.0.1 port={} user=u sslmode={mode}", cutting.port));
        let mut pauses = Vec::new();
        // The fourth pause would end after 3.75 s, and the third one begins early enough on a slow machine.
        let patience = Patience(Duration::from_millis(3700));
        let ended = settings.connect_patiently(ReadOnly(false), patience, &mut |_, pause| {
            std::thread::sleep(pause);
            pauses.push(pause.as_millis());
            true
        });
        assert!(matches!(ended, Err(ConnectError::Waking(_))), "{mode}: {:?}", ended.err());
        assert_eq!(pauses, [250, 500, 1000], "{mode}");
        let asked_to_stop = settings.connect_patiently(ReadOnly(false), Patience::FIRST, &mut |_, _| false);
        assert!(matches!(asked_to_stop, Err(ConnectError::Waking(_))), "{mode}");
    }
}

#[test]
fn a_server_that_is_shutting_down_is_waking() {
    let server = Server::start(&Wish::default());
    let string = format!("host={} port={} user=postgres", server.socket(), server.port);
    let settings = settings(&string);
    // A smart shutdown waits for this session and admits no other session.
    let held = settings.connect(ReadOnly(false)).expect("a session");
    server.signal("TERM");
    let error = loop {
        if let Err(e) = settings.connect(ReadOnly(false)) {
            break e;
        }
    };
    assert!(matches!(error, ConnectError::Waking(_)), "{error:?}");
    assert_eq!(error.sqlstate(), Some("57P03"));
    drop(held);
}
