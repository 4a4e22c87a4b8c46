//! A slow network between the tool and the tests' server. It counts round trips: each time the client speaks after the server
//! has answered, from the first `ReadyForQuery` of each connection on. Statements that are sent together count once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::postgres::socket;

/// Latency in each direction with which counting is exact: all messages that are sent together leave the client long before
/// the first answer reaches it.
pub const COUNTING: Duration = Duration::from_millis(15);

/// A stretch of network with a latency.
pub struct Relay {
    port: u16,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    trips: AtomicU64,
    logins: AtomicU64,
    /// The first words of each round trip, for a message of a test.
    said: Mutex<Vec<String>>,
}

/// The turn of one connection: the side that speaks next.
#[derive(Default)]
struct Turn {
    is_open: AtomicBool,
    server_spoke: AtomicBool,
}

impl Relay {
    /// A relay to the common server, with this latency in each direction.
    pub fn with(delay: Duration) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = client.set_nodelay(true);
                let server = UnixStream::connect(format!("{}/.s.PGSQL.5432", socket())).expect("the server");
                let (client_too, server_too) =
                    (client.try_clone().expect("a client"), server.try_clone().expect("a server"));
                let (turn, mut opening) = (Arc::new(Turn::default()), Opening::default());
                let (client_turn, client_counters) = (Arc::clone(&turn), Arc::clone(&shared));
                let server_counters = Arc::clone(&shared);
                let hear_client = move |piece: &[u8]| client_counters.hear(&client_turn, piece);
                carry(client, server, delay, hear_client, |_| ());
                let hear_server = move |piece: &[u8]| {
                    turn.server_spoke.store(true, Ordering::SeqCst);
                    if !turn.is_open.load(Ordering::SeqCst) && opening.ends_in(piece) {
                        turn.is_open.store(true, Ordering::SeqCst);
                        server_counters.logins.fetch_add(1, Ordering::SeqCst);
                    }
                };
                // Heard when it is delivered: the client cannot have reacted before.
                carry(server_too, client_too, delay, |_| (), hear_server);
            }
        });
        Relay { port, counters }
    }

    /// A relay to a server that listens on this port of 127.0.0.1. Its connections may be encrypted, so their logins are counted,
    /// too: a round trip is each time the client speaks first or after the server has answered. A login is a connection.
    pub fn counting_all(port: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let counters = Arc::new(Counters::default());
        let relay = Relay { port: listener.local_addr().expect("its address").port(), counters: Arc::clone(&counters) };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (client_too, server_too) =
                    (client.try_clone().expect("a client"), server.try_clone().expect("a server"));
                counters.logins.fetch_add(1, Ordering::SeqCst);
                let turn = Arc::new(Turn { is_open: AtomicBool::new(true), server_spoke: AtomicBool::new(true) });
                let (client_turn, counters) = (Arc::clone(&turn), Arc::clone(&counters));
                carry(client, server, COUNTING, move |piece| counters.hear(&client_turn, piece), |_| ());
                let hear_server = move |_: &[u8]| turn.server_spoke.store(true, Ordering::SeqCst);
                carry(server_too, client_too, COUNTING, |_| (), hear_server);
            }
        });
        relay
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database through the relay.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Round trips so far.
    pub fn trips(&self) -> u64 {
        self.counters.trips.load(Ordering::SeqCst)
    }

    /// Completed logins so far.
    pub fn logins(&self) -> u64 {
        self.counters.logins.load(Ordering::SeqCst)
    }

    /// The first words of each round trip, one a line.
    pub fn said(&self) -> String {
        self.counters.said.lock().expect("the words").join("\n")
    }
}

impl Counters {
    fn hear(&self, turn: &Turn, piece: &[u8]) {
        let says_goodbye = piece == b"X\0\0\0\x04";
        if turn.is_open.load(Ordering::SeqCst) && turn.server_spoke.swap(false, Ordering::SeqCst) && !says_goodbye {
            self.trips.fetch_add(1, Ordering::SeqCst);
            let words: String = String::from_utf8_lossy(piece).chars().filter(|c| !c.is_control()).take(160).collect();
            self.said.lock().expect("the words").push(words);
        }
    }
}

/// The server's messages until the first `ReadyForQuery`, as they pass.
#[derive(Default)]
struct Opening {
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    body: usize,
}

impl Opening {
    fn ends_in(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            if self.body > 0 {
                self.body -= 1;
                continue;
            }
            self.head.push(*byte);
            if self.head.len() == 5 {
                if self.head[0] == b'Z' {
                    return true;
                }
                let length = u32::from_be_bytes(self.head[1..].try_into().expect("four bytes"));
                self.body = length as usize - 4;
                self.head.clear();
            }
        }
        false
    }
}

/// Passes on what comes, each piece so much later. Pieces on their way do not wait for one another.
fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    delay: Duration,
    mut at_sending: impl FnMut(&[u8]) + Send + 'static,
    mut at_delivery: impl FnMut(&[u8]) + Send + 'static,
) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            at_sending(&piece[..n]);
            if send.send((Instant::now() + delay, piece[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in receive {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            at_delivery(&piece);
            if to.write_all(&piece).is_err() {
                break;
            }
        }
    });
}
