//! A proxy between the tool and the server that reads the protocol's messages and fails at one of them. Inside TLS it reads
//! the records, which is all that a network sees.
//!
//! Each new connection takes the next fault that is waiting; without one it passes everything on.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockAddr, SockRef, Socket, Type};

/// The fate of one connection.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Before the n-th message of one direction, or after this many bytes of it.
    Cut { from_client: bool, message: u64, bytes: usize, how: How },
    /// Before the n-th message of the client's that holds this text.
    CutAt { text: &'static str, nth: u64 },
    /// The answer to the n-th COMMIT does not arrive; the commit does.
    AnswerLost { commit: u64 },
    /// The n-th COMMIT itself arrives so much later than the client has lost its connection.
    CommitLate { commit: u64, by: Duration },
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    Rst,
    Fin,
    /// Nothing more passes, and neither side is notified.
    Silence,
    Stall(Duration),
}

/// The proxy; it listens as long as the process lives.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    server: Mutex<Option<SockAddr>>,
    faults: Mutex<VecDeque<Fault>>,
    happened: AtomicU64,
    /// Earlier connections are closed.
    generation: Mutex<u64>,
    /// Notified when the generation changes.
    moved: Condvar,
}

impl Proxy {
    /// One before the server whose socket is in this folder.
    pub fn before(socket: &str) -> Proxy {
        Proxy::to(SockAddr::unix(format!("{socket}/.s.PGSQL.5432")).expect("a socket's path"))
    }

    /// One before the server that listens on this port.
    pub fn before_port(port: u16) -> Proxy {
        Proxy::to(SocketAddr::from(([127, 0, 0, 1], port)).into())
    }

    fn to(server: SockAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State { server: Mutex::new(Some(server)), ..State::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || pass_on(client, &state));
            }
        });
        Proxy { port, state }
    }

    /// Lets these happen from now on, one connection each.
    pub fn expect(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.happened.store(0, Ordering::SeqCst);
        *self.state.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults.into_iter().collect();
    }

    /// The number that happened.
    pub fn happened(&self) -> u64 {
        self.state.happened.load(Ordering::SeqCst)
    }

    /// Ends every connection that is silent still.
    pub fn let_go(&self) {
        *self.state.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.state.moved.notify_all();
    }

    /// The URL of a database through the proxy.
    pub fn url(&self, database: &str) -> String {
        self.url_with(database, "disable")
    }

    /// The same, TLS being `disable` or `require`.
    pub fn url_with(&self, database: &str, tls: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode={tls}", self.port)
    }
}

/// The first word of a client that wants TLS, after its length.
const TLS_PLEASE: [u8; 4] = 80_877_103_u32.to_be_bytes();

fn pass_on(client: TcpStream, state: &Arc<State>) {
    let _ = client.set_nodelay(true);
    let address = state.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(server) = address.and_then(|address| connected(&address).ok()) else {
        return reset(&client);
    };
    let Some(first) = read(&mut (&client), Framing::Untyped) else { return };
    let framing = if first.get(4..) == Some(&TLS_PLEASE) { Framing::Records } else { Framing::Typed };
    let fault = state.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let wire = Arc::new(Wire {
        client,
        server,
        fault,
        framing,
        state: Arc::clone(state),
        generation: *state.generation.lock().unwrap_or_else(PoisonError::into_inner),
        commits: AtomicU64::new(0),
        swallowing: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    let back = Arc::clone(&wire);
    let answers = std::thread::spawn(move || back.answers());
    wire.requests(first);
    let _ended = answers.join();
}

fn connected(address: &SockAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.connect(address)?;
    if !address.is_unix() {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

fn reset(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

struct Wire {
    client: TcpStream,
    server: Socket,
    fault: Option<Fault>,
    framing: Framing,
    state: Arc<State>,
    generation: u64,
    commits: AtomicU64,
    swallowing: AtomicBool,
    over: AtomicBool,
}

enum Verdict {
    Pass,
    End,
}

/// The parts of a stretch of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A client's first message.
    Untyped,
    Typed,
    /// TLS records.
    Records,
}

impl Wire {
    fn requests(&self, first: Vec<u8>) {
        let (mut from, mut to) = (&self.client, &self.server);
        let (mut count, mut said) = (0, 0);
        let mut next = Some(first);
        while let Some(message) = next.take().or_else(|| read(&mut from, self.framing)) {
            count += 1;
            if let Some(Fault::CutAt { text, nth }) = self.fault
                && message.windows(text.len()).any(|part| part == text.as_bytes())
            {
                said += 1;
                if said == nth {
                    self.happens();
                    reset(&self.client);
                    return self.end();
                }
            }
            if let Verdict::End = self.judge((true, count), &mut to, &message) {
                return;
            }
            if message.starts_with(b"Q") && message.get(5..11) == Some(b"COMMIT") {
                let nth = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
                match self.fault {
                    Some(Fault::AnswerLost { commit }) if commit == nth => {
                        self.swallowing.store(true, Ordering::SeqCst);
                    }
                    Some(Fault::CommitLate { commit, by }) if commit == nth => {
                        self.happens();
                        reset(&self.client);
                        let _ = self.client.shutdown(Shutdown::Both);
                        self.wait(Some(by));
                        let _ = to.write_all(&message);
                        // Nothing follows; the server's answer, or its end, lets its side go.
                        let _ = self.server.shutdown(Shutdown::Write);
                        return;
                    }
                    _ => {}
                }
            }
            if to.write_all(&message).is_err() {
                break;
            }
        }
        self.end();
    }

    fn answers(&self) {
        let (mut from, mut to) = (&self.server, &self.client);
        let mut count = 0;
        if self.framing == Framing::Records {
            // Yes or no, a byte that is no record.
            let mut answer = [0];
            if from.read_exact(&mut answer).and_then(|()| to.write_all(&answer)).is_err() {
                return self.end();
            }
        }
        while let Some(message) = read(&mut from, self.framing) {
            if self.swallowing.load(Ordering::SeqCst) {
                // Ready for the next: the commit is done.
                if message.starts_with(b"Z") {
                    self.happens();
                    reset(&self.client);
                    return self.end();
                }
                continue;
            }
            count += 1;
            if let Verdict::End = self.judge((false, count), &mut to, &message) {
                return;
            }
            if to.write_all(&message).is_err() {
                break;
            }
        }
        self.end();
    }

    fn judge(&self, (from_client, count): (bool, u64), to: &mut impl Write, content: &[u8]) -> Verdict {
        let Some(Fault::Cut { from_client: side, message, bytes, how }) = self.fault else { return Verdict::Pass };
        if side != from_client || message != count || self.over.load(Ordering::SeqCst) {
            return Verdict::Pass;
        }
        self.happens();
        match how {
            How::Stall(time) => {
                self.wait(Some(time));
                return Verdict::Pass;
            }
            How::Rst => {
                let _ = to.write_all(&content[..bytes.min(content.len() - 1)]);
                reset(&self.client);
                self.end();
            }
            How::Fin => {
                let _ = to.write_all(&content[..bytes.min(content.len() - 1)]);
                self.end();
            }
            How::Silence => {
                self.wait(None);
                self.end();
            }
        }
        Verdict::End
    }

    /// Holds everything up until the trial lets go, or for the time that the fault lasts.
    fn wait(&self, time: Option<Duration>) {
        let held = self.state.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |now: &mut u64| *now == self.generation;
        match time {
            Some(time) => drop(self.state.moved.wait_timeout_while(held, time, is_held)),
            None => drop(self.state.moved.wait_while(held, is_held)),
        }
    }

    fn happens(&self) {
        self.state.happened.fetch_add(1, Ordering::SeqCst);
    }

    fn end(&self) {
        if !self.over.swap(true, Ordering::SeqCst) {
            let _ = self.client.shutdown(Shutdown::Both);
            let _ = self.server.shutdown(Shutdown::Both);
        }
    }
}

/// One message or record with its head.
fn read(from: &mut impl Read, framing: Framing) -> Option<Vec<u8>> {
    let head = if framing == Framing::Untyped { 4 } else { 5 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).ok()?;
    let length = match framing {
        Framing::Records => usize::from(u16::from_be_bytes(message[3..].try_into().ok()?)) + 5,
        _ => u32::from_be_bytes(message[head - 4..].try_into().ok()?) as usize + head - 4,
    };
    message.resize(length, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}
