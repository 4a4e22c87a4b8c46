//! The authentication that a server requests: `require_auth`, and no password in clear text for a server that has not
//! proved its identity.

use super::certs::{Certificates, text};
use super::psql::ask_us;
use super::server::{Server, Wish};
use super::tls::{home, string};
use migrate::pg::connect::{ConnectError, Problem};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

const PASSWORD: &str = "the-password-in-clear";

/// A server that requests the password in clear text from the first client without TLS. Returns its port and what it receives.
fn asking_in_clear() -> (u16, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    let received = std::thread::spawn(move || {
        loop {
            let (mut client, _) = listener.accept().expect("a client");
            let mut head = [0; 8];
            client.read_exact(&mut head).expect("its first message");
            // A request for TLS.
            if head[4..] == [4, 210, 22, 47] {
                client.write_all(b"N").expect("an answer");
                continue;
            }
            client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).expect("a request for the password");
            let (mut all, mut part) = (Vec::new(), [0; 1024]);
            while !String::from_utf8_lossy(&all).contains(PASSWORD) {
                match client.read(&mut part) {
                    Ok(count @ 1..) => all.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            return all;
        }
    });
    (port, received)
}

/// The problem of a connection whose password was not sent.
#[track_caller]
fn unsent(string: &str, home: &Path) -> Problem {
    match ask_us(Some(string), &[], home) {
        Err(ConnectError::Password(problem)) => *problem,
        other => panic!("{string}: {other:?}"),
    }
}

#[test]
fn no_password_is_sent_in_clear_text_to_an_unproved_server() {
    let home = home();
    for mode in ["disable", "allow", "prefer"] {
        let (port, received) = asking_in_clear();
        let url = format!("postgresql://alice:{PASSWORD}@127.0.0.1:{port}/d?sslmode={mode}");
        let problem = unsent(&url, home.path());
        assert!(problem.why.contains("in clear text and has not proved its identity"), "{problem}");
        assert!(problem.advice.contains("require_auth=password"), "{problem}");
        let received = String::from_utf8_lossy(&received.join().expect("the server")).into_owned();
        assert!(received.contains("alice") && !received.contains(PASSWORD), "{mode}: {received:?}");
    }
    // The advice works.
    let (port, received) = asking_in_clear();
    let url = format!("postgresql://alice:{PASSWORD}@127.0.0.1:{port}/d?require_auth=password");
    ask_us(Some(&url), &[], home.path()).expect_err("the server ends the connection");
    assert!(String::from_utf8_lossy(&received.join().expect("the server")).contains(PASSWORD));
}

#[test]
fn encryption_alone_is_no_proof_and_a_certificate_is() {
    let certificates = Certificates::get();
    let (crt, key) = certificates.pair("right");
    let hba = "local all all trust\nhost all all all password\n";
    let server = Server::start(&Wish { hba, tls: Some((&crt, &key)), ..Wish::default() });
    server.sql("CREATE ROLE alice LOGIN PASSWORD 'x'");
    let home = home();
    let alice = |more: &str| string(&server, &format!("{more} user=alice password=x"));
    unsent(&alice("sslmode=require"), home.path());
    let ca = text(&certificates.path("authority.crt")).to_owned();
    for admitted in [
        format!("sslmode=verify-full sslrootcert={ca}"),
        // As in libpq, an authority is checked in this mode, too.
        format!("sslmode=require sslrootcert={ca}"),
        "sslmode=require require_auth=password".to_owned(),
        "sslmode=disable require_auth=md5,password".to_owned(),
    ] {
        ask_us(Some(&alice(&admitted)), &[], home.path()).unwrap_or_else(|e| panic!("{admitted}: {}", e.problem()));
    }
}

#[test]
fn require_auth_admits_the_methods_of_its_list() {
    let hba = "local all all trust\nhost all free all trust\nhost all scram all scram-sha-256\nhost all digest all md5\n\
               host all clear all password\n";
    let server = Server::start(&Wish { hba, ..Wish::default() });
    server.sql("CREATE ROLE free LOGIN; CREATE ROLE scram LOGIN PASSWORD 'x'; CREATE ROLE clear LOGIN PASSWORD 'x'; SET password_encryption = 'md5'; CREATE ROLE digest LOGIN PASSWORD 'x'");
    let home = home();
    let requested = [("free", "none"), ("scram", "scram-sha-256"), ("digest", "md5"), ("clear", "password")];
    for (role, method) in requested {
        for (list, is_admitted) in [
            (method.to_owned(), true),
            (format!("gss,{method},sspi"), true),
            (format!("!{method}"), false),
            (format!("!gss,!{method}"), false),
            ("gss,oauth".to_owned(), false),
            ("!gss,!oauth".to_owned(), true),
        ] {
            let string = format!("{} user={role} password=x require_auth={list}", string(&server, "sslmode=disable"));
            if is_admitted {
                ask_us(Some(&string), &[], home.path()).unwrap_or_else(|e| panic!("{string}: {}", e.problem()));
            } else {
                let problem = unsent(&string, home.path());
                assert!(problem.why.contains("which require_auth excludes"), "{problem}");
            }
        }
    }
    for (wrong, words) in
        [("md5,!password", "mixes methods"), ("!md5,password", "mixes methods"), ("ldap", "not one of")]
    {
        let string = string(&server, &format!("require_auth={wrong}"));
        match ask_us(Some(&string), &[], home.path()) {
            Err(ConnectError::Usage(problem)) => assert!(problem.why.contains(words), "{problem}"),
            other => panic!("{string}: {other:?}"),
        }
    }
    let socket = format!("host={} port={} user=free require_auth=none", server.socket(), server.port);
    let problem = ask_us(Some(&socket), &[], home.path()).expect_err("a socket is not checked");
    assert!(problem.problem().why.contains("over a socket"), "{}", problem.problem());
}
