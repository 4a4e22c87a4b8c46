//! A network on which the server gets a statement only after it has answered the one before, so that an accident falls between
//! two statements that the client sent together.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::postgres::socket;

/// An accident at an answer. The server has run all statements up to it, and runs none after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// The connection ends after the answer has arrived.
    Heard,
    /// The connection ends before the answer arrives.
    Unheard,
    /// The client's process is killed before the answer arrives.
    Killed,
}

/// The network. It listens as long as the process lives.
pub struct Lockstep {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// The answer, counted over all connections, at which the accident happens.
    at: Option<(u64, Accident)>,
    answers: AtomicU64,
    has_happened: AtomicBool,
    /// The client's process.
    client: Mutex<Option<u32>>,
    is_known: Condvar,
}

impl Lockstep {
    /// A network to the common server, with this accident at the n-th answer.
    pub fn with(at: Option<(u64, Accident)>) -> Lockstep {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let (answers, has_happened) = (AtomicU64::new(0), AtomicBool::new(false));
        let state = Arc::new(State { at, answers, has_happened, client: Mutex::default(), is_known: Condvar::new() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = client.set_nodelay(true);
                let server = UnixStream::connect(format!("{}/.s.PGSQL.5432", socket())).expect("the server");
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let _ended = state.pass_on(&client, &server);
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                });
            }
        });
        Lockstep { port, state }
    }

    /// The URL of a database through the network.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Names the process that an accident kills.
    pub fn knows(&self, client: u32) {
        *self.state.client.lock().expect("the process") = Some(client);
        self.state.is_known.notify_all();
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::SeqCst)
    }

    /// Returns true if the accident has happened.
    pub fn has_happened(&self) -> bool {
        self.state.has_happened.load(Ordering::SeqCst)
    }
}

impl State {
    /// Passes on the messages of one connection until it ends or the accident happens. `None` at the end.
    fn pass_on(&self, mut client: &TcpStream, mut server: &UnixStream) -> Option<()> {
        let mut request = message(&mut client, 0)?;
        let mut is_login = true;
        loop {
            server.write_all(&request).ok()?;
            if is_login || matches!(request[0], b'Q' | b'S') {
                self.answer(client, server, is_login)?;
            }
            is_login = false;
            request = message(&mut client, 1)?;
        }
    }

    /// Passes on the server's messages up to the end of its answer. `None` if the connection ends or the accident happens.
    fn answer(&self, mut client: &TcpStream, mut server: &UnixStream, is_login: bool) -> Option<()> {
        loop {
            let answer = message(&mut server, 1)?;
            // Ready for the next statement, or for the rows of a COPY, before which the client has sent a needless Sync.
            let is_last = matches!(answer[0], b'Z' | b'G');
            if is_last && !is_login {
                self.judge(client, &answer)?;
            }
            client.write_all(&answer).ok()?;
            if is_last {
                return Some(());
            }
        }
    }

    /// Counts an answer. `None` if the accident happens at it.
    fn judge(&self, mut client: &TcpStream, answer: &[u8]) -> Option<()> {
        let nth = self.answers.fetch_add(1, Ordering::SeqCst) + 1;
        let Some((_, accident)) = self.at.filter(|(at, _)| *at == nth) else { return Some(()) };
        self.has_happened.store(true, Ordering::SeqCst);
        match accident {
            Accident::Heard => client.write_all(answer).ok()?,
            Accident::Unheard => {}
            Accident::Killed => {
                let client = self.client.lock().expect("the process");
                let wait = self.is_known.wait_timeout_while(client, Duration::from_secs(20), |known| known.is_none());
                let process = wait.expect("the process").0.expect("a process to kill");
                let _sent = Command::new("kill").args(["-KILL", &process.to_string()]).status();
            }
        }
        None
    }
}

/// A message with its head, which begins with a type of so many bytes. `None` at the end of the connection.
fn message(from: &mut impl Read, kind: usize) -> Option<Vec<u8>> {
    let mut message = vec![0; kind + 4];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[kind..].try_into().ok()?) as usize;
    message.resize(kind + length, 0);
    from.read_exact(&mut message[kind + 4..]).ok()?;
    Some(message)
}
