//! Servers of another engine, which speak PostgreSQL's protocol: recognised at the login, by a relay that changes the answer of
//! `version()`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use crate::support::case::Case;
use crate::support::postgres::socket;

/// The beginning of PostgreSQL's `version()`, and another engine's of the same length.
const SPOKEN: [(&[u8], &[u8]); 1] = [(b"PostgreSQL 1", b"CockroachDB ")];

/// A relay to the common server that speaks for CockroachDB. Returns its port.
fn cockroach() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(format!("{}/.s.PGSQL.5432", socket())).expect("the server");
            let (mut to, mut from) = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
            std::thread::spawn(move || {
                let _until_it_ends = std::io::copy(&mut from, &mut to);
                let _closed = to.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || speak(server, client));
        }
    });
    port
}

fn speak(mut server: UnixStream, mut client: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let piece = &mut buffer[..read];
        for (ours, theirs) in SPOKEN {
            while let Some(at) = piece.windows(ours.len()).position(|window| window == ours) {
                piece[at..at + ours.len()].copy_from_slice(theirs);
            }
        }
        if client.write_all(piece).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_of_another_engine_is_refused_before_anything_is_written() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)";
    let case = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY)", "[load.t]\n");
    let before = case.target.inventory();
    let url = format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", cockroach(), case.target.name());
    for args in [&["plan"][..], &["--dry-run"], &["--yes"], &["verify"], &["rollback", "--yes"]] {
        let ran = case.place.migrate(args).args(["-t", &url]).exits(3);
        ran.says(&["the server is CockroachDB, not PostgreSQL", "xmin", "Load into PostgreSQL 12 or later"]);
    }
    assert_eq!(case.target.inventory(), before);
}
