//! A stretch of network before the server that takes its time and counts how often the client waits for an answer.
//!
//! A wait is a piece from the client that follows an answer: pieces that follow one another without an answer in between are
//! one. Counting begins with the first ReadyForQuery of a connection, so a login costs nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::postgres::socket;

/// The relay; it listens as long as the process lives.
pub struct Relay {
    pub port: u16,
    counted: Arc<Counted>,
}

#[derive(Default)]
struct Counted {
    trips: AtomicU64,
    logins: AtomicU64,
    /// The first words of each wait, for a test that fails.
    said: Mutex<Vec<String>>,
}

impl Relay {
    /// A relay that holds each piece back for `delay` in each direction.
    pub fn with(delay: Duration) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let counted = Arc::new(Counted::default());
        let shared = Arc::clone(&counted);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = client.set_nodelay(true);
                let server =
                    socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("a socket");
                let address = socket2::SockAddr::unix(format!("{}/.s.PGSQL.5432", socket())).expect("its path");
                server.connect(&address).expect("the server");
                let (client_too, server_too) =
                    (client.try_clone().expect("a client"), server.try_clone().expect("a server"));
                let counted = Arc::clone(&shared);
                let (is_ready, is_answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
                let (ready, answered) = (Arc::clone(&is_ready), Arc::clone(&is_answered));
                carry(client, server, delay, move |piece| {
                    let ends = matches!(piece, [b'X', 0, 0, 0, 4]);
                    if ready.load(Ordering::SeqCst) && answered.swap(false, Ordering::SeqCst) && !ends {
                        counted.trips.fetch_add(1, Ordering::SeqCst);
                        let words = String::from_utf8_lossy(&piece[..piece.len().min(200)]).into_owned();
                        counted.said.lock().unwrap_or_else(PoisonError::into_inner).push(words);
                    }
                });
                let counted = Arc::clone(&shared);
                carry(server_too, client_too, delay, move |piece| {
                    // ReadyForQuery ends the login: its status is idle.
                    if !is_ready.load(Ordering::SeqCst) && piece.ends_with(b"Z\0\0\0\x05I") {
                        is_ready.store(true, Ordering::SeqCst);
                        counted.logins.fetch_add(1, Ordering::SeqCst);
                    }
                    is_answered.store(true, Ordering::SeqCst);
                });
            }
        });
        Relay { port, counted }
    }

    /// The URL of a database through the relay.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The number of waits so far.
    pub fn trips(&self) -> u64 {
        self.counted.trips.load(Ordering::SeqCst)
    }

    /// The number of connections that logged in so far.
    pub fn logins(&self) -> u64 {
        self.counted.logins.load(Ordering::SeqCst)
    }

    /// The first words of each wait so far, one line each.
    pub fn said(&self) -> String {
        let said = self.counted.said.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |words: &String| words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        said.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Passes on what comes, each piece so much later; pieces on their way do not wait for one another. `passed` sees each piece
/// before it arrives.
fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    delay: Duration,
    mut passed: impl FnMut(&[u8]) + Send + 'static,
) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            if send.send((Instant::now() + delay, piece[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in receive {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            passed(&piece);
            if to.write_all(&piece).is_err() {
                break;
            }
        }
    });
}
