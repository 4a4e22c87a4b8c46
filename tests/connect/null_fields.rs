//! A server whose answer contains NULL where none is possible: a typed error, never a panic.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::case::Case;
use crate::support::postgres;

/// The rows that the server has sent, and the one of them of which a field becomes NULL.
#[derive(Default)]
struct Rows {
    sent: AtomicUsize,
    altered: usize,
}

/// A relay before the server of the tests. Returns its port.
fn relay(rows: &Arc<Rows>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    let rows = Arc::clone(rows);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(format!("{}/.s.PGSQL.5432", postgres::socket())).expect("the server");
            let (mut up, mut down) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut down);
                let _ = down.shutdown(std::net::Shutdown::Write);
            });
            let rows = Arc::clone(&rows);
            std::thread::spawn(move || {
                let _ = pass_on(server, client, &rows);
            });
        }
    });
    port
}

/// Passes each message of the server on.
fn pass_on(mut server: UnixStream, mut client: TcpStream, rows: &Rows) -> std::io::Result<()> {
    loop {
        let mut head = [0; 5];
        if server.read_exact(&mut head).is_err() {
            return client.shutdown(std::net::Shutdown::Both);
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        server.read_exact(&mut body)?;
        if head[0] == b'D' {
            let number = rows.sent.fetch_add(1, Ordering::SeqCst);
            if number == rows.altered {
                body = with_null(&body, number);
            }
        }
        client.write_all(&head[..1])?;
        client.write_all(&(body.len() as u32 + 4).to_be_bytes())?;
        client.write_all(&body)?;
    }
}

/// A row in which one field is NULL.
fn with_null(body: &[u8], seed: usize) -> Vec<u8> {
    let count = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let (mut altered, mut at) = (body[..2].to_vec(), 2);
    for field in 0..count {
        let length = i32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
        let end = at + 4 + usize::try_from(length).unwrap_or(0);
        if field == seed % count.max(1) {
            altered.extend((-1_i32).to_be_bytes());
        } else {
            altered.extend(&body[at..end]);
        }
        at = end;
    }
    altered
}

#[test]
fn a_null_in_any_row_of_the_server_is_no_internal_error() {
    let source = "CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO kinds VALUES (1, 'a');
        CREATE TABLE t (id INTEGER PRIMARY KEY, kind_id INTEGER, at TEXT); INSERT INTO t VALUES (1, 1, '2024-01-01');";
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO users (name) VALUES ('ada');
        CREATE TABLE kinds (id serial PRIMARY KEY, name text CHECK (name <> ''), user_id int REFERENCES users);
        CREATE TABLE t (id serial PRIMARY KEY, kind_id int REFERENCES kinds, at date, user_id int REFERENCES users);
        CREATE INDEX t_at ON t (at);";
    let mapping = "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\n[load.kinds]\nowner = \"user_id\"\n[load.t]\nowner = \"user_id\"\n";
    let case = Case::new(source, target, mapping);
    let run = |altered: usize| {
        let rows = Arc::new(Rows { altered, ..Rows::default() });
        let port = relay(&rows);
        let url = format!("postgresql://postgres@127.0.0.1:{port}/{}?sslmode=disable", case.target.name());
        let ran = case.place.migrate(["--dry-run", "--json", "-t", &url]).ran();
        (ran, rows.sent.load(Ordering::SeqCst))
    };
    let (ran, total) = run(usize::MAX);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert!(total > 50, "only {total} rows");
    let mut refused = 0;
    // A step that is no divisor of the number of columns of most answers, so that each column has its turn.
    for altered in (0..total).step_by(7) {
        let (ran, _) = run(altered);
        assert!(matches!(ran.code, 0 | 3), "row {altered}: exit {}: {}", ran.code, ran.said());
        refused += usize::from(ran.code == 3);
    }
    assert!(refused > 0, "no altered row was refused");
}
