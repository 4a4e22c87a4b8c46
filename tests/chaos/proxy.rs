//! A stretch of network between the tool and the server that knows the protocol's messages, and fails at one of them.
//!
//! Each new connection takes the next fault that is waiting; without one it passes everything on.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;

/// What happens to one connection.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Before the n-th message of one direction.
    Cut { from_client: bool, message: u64, how: How },
    /// The answer to the n-th COMMIT does not arrive; the commit does.
    AnswerLost { commit: u64 },
    /// The n-th COMMIT itself arrives so much later than the client has lost its connection.
    CommitLate { commit: u64, by: Duration },
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    Rst,
    Fin,
    /// Nothing more passes, and nobody is told.
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
    socket: Mutex<String>,
    faults: Mutex<VecDeque<Fault>>,
    happened: AtomicU64,
    /// Connections of before are let go.
    generation: AtomicU64,
}

impl Proxy {
    pub fn before(socket: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State { socket: Mutex::new(format!("{socket}/.s.PGSQL.5432")), ..State::default() });
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

    /// How many happened.
    pub fn happened(&self) -> u64 {
        self.state.happened.load(Ordering::SeqCst)
    }

    /// Ends every connection that is silent still.
    pub fn let_go(&self) {
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

fn pass_on(client: TcpStream, state: &Arc<State>) {
    let _ = client.set_nodelay(true);
    let socket = state.socket.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Ok(server) = UnixStream::connect(socket) else {
        return reset(&client);
    };
    let fault = state.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let wire = Arc::new(Wire {
        client,
        server,
        fault,
        state: Arc::clone(state),
        generation: state.generation.load(Ordering::SeqCst),
        commits: AtomicU64::new(0),
        swallowing: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    let back = Arc::clone(&wire);
    let answers = std::thread::spawn(move || back.answers());
    wire.requests();
    let _ended = answers.join();
}

fn reset(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

struct Wire {
    client: TcpStream,
    server: UnixStream,
    fault: Option<Fault>,
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

impl Wire {
    fn requests(&self) {
        let (mut from, mut to) = (&self.client, &self.server);
        let mut count = 0;
        let mut begun = false;
        while let Some(message) = read(&mut from, begun) {
            begun = true;
            count += 1;
            if let Verdict::End = self.judge(true, count) {
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
                        std::thread::sleep(by);
                        let _ = to.write_all(&message);
                        // The server answers or is gone; only then is its side let go.
                        std::thread::sleep(Duration::from_millis(300));
                        return self.end();
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
        while let Some(message) = read(&mut from, true) {
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
            if let Verdict::End = self.judge(false, count) {
                return;
            }
            if to.write_all(&message).is_err() {
                break;
            }
        }
        self.end();
    }

    fn judge(&self, from_client: bool, count: u64) -> Verdict {
        let Some(Fault::Cut { from_client: side, message, how }) = self.fault else { return Verdict::Pass };
        if side != from_client || message != count || self.over.load(Ordering::SeqCst) {
            return Verdict::Pass;
        }
        self.happens();
        match how {
            How::Stall(time) => {
                std::thread::sleep(time);
                return Verdict::Pass;
            }
            How::Rst => {
                reset(&self.client);
                self.end();
            }
            How::Fin => self.end(),
            How::Silence => {
                while self.state.generation.load(Ordering::SeqCst) == self.generation {
                    std::thread::sleep(Duration::from_millis(20));
                }
                self.end();
            }
        }
        Verdict::End
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

/// One message with its head; the very first of a client has no type.
fn read(from: &mut impl Read, typed: bool) -> Option<Vec<u8>> {
    let head = if typed { 5 } else { 4 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().ok()?) as usize;
    message.resize(head - 4 + length, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}
