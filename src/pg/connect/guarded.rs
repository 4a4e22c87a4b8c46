//! A stream that refuses a message whose length no PostgreSQL sends, before any of it is held in memory. A server that has
//! proved nothing could otherwise fill the memory of this process with a single error message.
//!
//! It also judges the authentication that the server requests before the client library answers.
//!
//! The client library wraps only streams of TLS, so a plain connection over TCP is given to it as one that is encrypted by
//! doing nothing. A socket in the file system is read without the guard.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as complete};

use super::authentication::AuthenticationCheck;
use postgres::Socket;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Bytes of one message, and of all messages, before the session is ready.
const BEFORE_READY: u32 = 64 << 10;
const ALL_BEFORE_READY: u64 = 1 << 20;

/// Bytes of an error, a notice, a notification or a parameter. The server's own texts have a few kilobytes.
const WORDS: u32 = 1 << 20;

/// Bytes of a row: PostgreSQL holds no larger one in memory.
const ROW: u32 = 1 << 30;

/// Bytes of any other message. The description of 1,600 columns has 150 kB.
const OTHER: u32 = 16 << 20;

/// Bytes of a message's kind and length.
const HEAD: usize = 5;

/// The same, and the code of a request for authentication.
const REQUEST: usize = HEAD + 4;

/// The position in the messages of a server.
struct MessageGuard {
    authentication: AuthenticationCheck,
    /// The head of the message that begins.
    head: [u8; REQUEST],
    /// Bytes of the head that were read.
    read: usize,
    /// Bytes of the message that are still to come.
    left: u32,
    is_ready: bool,
    total: u64,
}

impl MessageGuard {
    fn new(authentication: AuthenticationCheck) -> MessageGuard {
        MessageGuard { authentication, head: [0; REQUEST], read: 0, left: 0, is_ready: false, total: 0 }
    }

    /// Bytes of the head of the message that begins.
    fn head_length(&self) -> usize {
        let is_request = self.read > 0 && self.head[0] == b'R' && !self.is_ready;
        if is_request { REQUEST } else { HEAD }
    }

    /// Follows the bytes that the server sent.
    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.is_ready {
            self.total += bytes.len() as u64;
            if self.total > ALL_BEFORE_READY {
                return Err(io::Error::other(format!("the server sent {} bytes and no ready session", self.total)));
            }
        }
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= u32::try_from(passed).unwrap_or(u32::MAX);
                bytes = &bytes[passed..];
                continue;
            }
            let taken = bytes.len().min(self.head_length() - self.read);
            self.head[self.read..self.read + taken].copy_from_slice(&bytes[..taken]);
            self.read += taken;
            bytes = &bytes[taken..];
            if self.read == self.head_length() {
                self.begin()?;
                self.read = 0;
            }
        }
        Ok(())
    }

    /// Begins a message whose head is complete.
    fn begin(&mut self) -> io::Result<()> {
        let [kind, a, b, c, d, code @ ..] = self.head;
        let length = u32::from_be_bytes([a, b, c, d]);
        let most = match kind {
            _ if !self.is_ready => BEFORE_READY,
            b'E' | b'N' | b'A' | b'S' => WORDS,
            b'D' | b'd' => ROW,
            _ => OTHER,
        };
        if length > most {
            return Err(io::Error::other(format!(
                "the server announced a message of {length} bytes, which is refused"
            )));
        }
        // The length counts itself. A smaller one is for the client library to refuse.
        self.left = length.saturating_sub(4);
        if self.read == REQUEST {
            let Some(left) = self.left.checked_sub(4) else {
                return Err(io::Error::other("the server sent a request for authentication without a code"));
            };
            self.left = left;
            self.authentication.request(u32::from_be_bytes(code)).map_err(io::Error::other)?;
        }
        self.is_ready |= kind == b'Z';
        Ok(())
    }
}

/// A stream with a guard over what the server sends.
pub(super) struct GuardedStream<S> {
    inner: S,
    binding: fn(&S) -> ChannelBinding,
    guard: MessageGuard,
}

impl<S> GuardedStream<S> {
    fn new(inner: S, binding: fn(&S) -> ChannelBinding, authentication: AuthenticationCheck) -> GuardedStream<S> {
        GuardedStream { inner, binding, guard: MessageGuard::new(authentication) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for GuardedStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        complete!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        Poll::Ready(self.guard.follow(&buffer.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A plain stream under a guard, which the client library takes for an encrypted one.
#[derive(Clone)]
pub(super) struct GuardedPlain(pub AuthenticationCheck);

impl MakeTlsConnect<Socket> for GuardedPlain {
    type Stream = GuardedStream<Socket>;
    type TlsConnect = GuardedPlain;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _name: &str) -> Result<GuardedPlain, Infallible> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for GuardedPlain {
    type Stream = GuardedStream<Socket>;
    type Error = Infallible;
    type Future = Ready<Result<GuardedStream<Socket>, Infallible>>;

    fn connect(self, stream: Socket) -> Self::Future {
        ready(Ok(GuardedStream::new(stream, |_| ChannelBinding::none(), self.0)))
    }
}

/// TLS under a guard.
#[derive(Clone)]
pub(super) struct GuardedTls(pub MakeRustlsConnect, pub AuthenticationCheck);

/// The handshake of [`GuardedTls`] for one server name.
pub(super) struct GuardedHandshake(Handshake, AuthenticationCheck);

type Handshake = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
type Encrypted = <Handshake as TlsConnect<Socket>>::Stream;
type HandshakeError = <Handshake as TlsConnect<Socket>>::Error;

impl MakeTlsConnect<Socket> for GuardedTls {
    type Stream = GuardedStream<Encrypted>;
    type TlsConnect = GuardedHandshake;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, name: &str) -> Result<GuardedHandshake, Self::Error> {
        let handshake = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, name)?;
        Ok(GuardedHandshake(handshake, self.1))
    }
}

impl TlsConnect<Socket> for GuardedHandshake {
    type Stream = GuardedStream<Encrypted>;
    type Error = HandshakeError;
    type Future = Pin<Box<dyn Future<Output = Result<GuardedStream<Encrypted>, HandshakeError>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move {
            let encrypted = self.0.connect(stream).await?;
            Ok(GuardedStream::new(encrypted, TlsStream::channel_binding, self.1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::connect::authentication::AllowedMethods;

    fn guard(is_proved: bool) -> MessageGuard {
        MessageGuard::new(AuthenticationCheck::new(AllowedMethods::ANY, is_proved))
    }

    fn message(kind: u8, length: u32) -> Vec<u8> {
        [&[kind][..], &length.to_be_bytes()].concat()
    }

    /// Bytes of a session that is ready.
    fn ready_session() -> Vec<u8> {
        [message(b'R', 8), vec![0; 4], message(b'Z', 5), vec![b'I']].concat()
    }

    #[test]
    fn a_message_is_refused_by_its_length_word_wherever_the_reads_are_cut() {
        let long_before = message(b'E', BEFORE_READY + 1);
        let long_words = [ready_session(), message(b'N', WORDS + 1)].concat();
        let long_row = [ready_session(), message(b'D', 6), vec![0; 2], message(b'D', ROW + 1)].concat();
        let fits = [ready_session(), message(b'D', ROW), message(b'E', 9)[..3].to_vec()].concat();
        for (bytes, is_refused) in [(long_before, true), (long_words, true), (long_row, true), (fits, false)] {
            for size in 1..=bytes.len() {
                let mut guard = guard(false);
                let refused = bytes.chunks(size).any(|part| guard.follow(part).is_err());
                assert_eq!(refused, is_refused, "{bytes:?} in reads of {size}");
            }
        }
    }

    /// A request for authentication.
    fn request(code: u32) -> Vec<u8> {
        [message(b'R', 8), code.to_be_bytes().to_vec()].concat()
    }

    #[test]
    fn a_request_for_clear_text_is_refused_wherever_the_reads_are_cut() {
        let after_a_notice = [message(b'N', 6), vec![b'R'; 2], request(3)].concat();
        let without_code = [message(b'R', 7), vec![0; 4]].concat();
        for (bytes, is_proved, is_refused) in [
            (request(3), false, true),
            (request(3), true, false),
            (after_a_notice, false, true),
            (without_code, true, true),
            (request(10), false, false),
            ([request(10), request(11), request(12), request(0), request(5)].concat(), false, false),
        ] {
            for size in 1..=bytes.len() {
                let mut guard = guard(is_proved);
                let refused = bytes.chunks(size).any(|part| guard.follow(part).is_err());
                assert_eq!(refused, is_refused, "{bytes:?} in reads of {size}");
            }
        }
    }

    #[test]
    fn endless_short_messages_before_the_session_is_ready_are_refused() {
        let mut guard = guard(false);
        let one = [message(b'S', 104), vec![b'x'; 100]].concat();
        let passed = std::iter::repeat_n(&one, 100_000).take_while(|one| guard.follow(one).is_ok()).count();
        assert!((9_000..11_000).contains(&passed), "{passed}");
    }
}
