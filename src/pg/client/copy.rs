//! COPY in both directions.

use std::collections::VecDeque;
use std::future::{Future, poll_fn, ready};
use std::io::{self, BufRead, Read};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Buf, Bytes};
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use postgres::error::SqlState;
use postgres::{Error, Statement};
use tokio_postgres::{CopyInSink, CopyOutStream};

use super::connection::Client;
use super::wire::{Wire, arrived, more_telling};

/// A COPY that takes rows. Dropping it makes the server discard the rows.
pub struct CopyIn(Pin<Box<CopyInSink<Bytes>>>);

impl CopyIn {
    pub(super) async fn begin(client: &tokio_postgres::Client, statement: &Statement) -> Result<CopyIn, Error> {
        Ok(CopyIn(Box::pin(client.copy_in(statement).await?)))
    }

    /// Sends bytes. Large pieces are cheaper: each is a message of its own.
    ///
    /// # Errors
    /// If the connection is lost. The server's refusal of a row is reported at the end.
    pub fn send(&mut self, client: &mut Client, bytes: impl Into<Bytes>) -> Result<(), Error> {
        client.wire.wait(self.0.send(bytes.into()))
    }

    /// Ends the COPY. Returns the number of rows that the server took.
    ///
    /// # Errors
    /// If the server refuses a row or the connection is lost.
    pub fn finish(self, client: &mut Client) -> Result<u64, Error> {
        client.wire.wait(self.end())
    }

    pub(super) async fn end(mut self) -> Result<u64, Error> {
        self.0.as_mut().finish().await
    }
}

impl Client {
    /// Begins a COPY into a table.
    ///
    /// # Errors
    /// If the server refuses: then the connection is given up, see [`Wire::end_unless_begun`]. If the connection is lost.
    pub fn copy_in(&mut self, statement: &Statement) -> Result<CopyIn, Error> {
        let copy = self.after_unsent(async |inner| CopyIn::begin(inner, statement).await);
        self.wire.end_unless_begun(&copy);
        copy
    }

    /// Returns true if the next answer is the one to the next statement, or if the connection is lost. Gives the connection up otherwise.
    pub fn answers_in_turn(&mut self) -> bool {
        // No statement of this program has its answer, an error of syntax, which a failed transaction gives as well.
        let answer = self.wire.wait(self.inner.simple_query("no statement"));
        let is_own = answer.is_err_and(|error| error.is_closed() || error.code() == Some(&SqlState::SYNTAX_ERROR));
        if !is_own {
            self.wire.driver = None;
        }
        is_own
    }

    /// Begins a COPY out of a table or a query.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn copy_out(&mut self, sql: &str) -> Result<CopyOut<'_>, Error> {
        let stream = self.after_unsent(async |inner| inner.copy_out(sql).await)?;
        Ok(CopyOut { wire: &mut self.wire, stream: Box::pin(stream), rest: Bytes::new(), after: None })
    }

    /// Sends a script, a COPY out of a query that was prepared before, and another script together. Waits until the COPY begins.
    /// The answer to the second script follows the rows.
    ///
    /// # Errors
    /// If the server refuses the first script or the COPY, or the connection is lost. The server has run the second script then,
    /// unless a transaction failed.
    pub fn copy_out_between(
        &mut self,
        before: &str,
        statement: &Statement,
        after: String,
    ) -> Result<CopyOut<'_>, Error> {
        let Client { inner, wire, one_at_a_time, unsent } = self;
        let inner: &tokio_postgres::Client = inner;
        let before = &unsent.take().map_or_else(|| before.to_owned(), |unsent| format!("{unsent}; {before}"));
        let mut after: PendingScript<'_> = Box::pin(async move { inner.batch_execute(&after).await });
        let stream = if *one_at_a_time {
            wire.wait(inner.batch_execute(before))?;
            wire.wait(inner.copy_out(statement))?
        } else {
            let begun = async {
                let mut begun = pin!(join(inner.batch_execute(before), inner.copy_out(statement)));
                let mut is_sent = false;
                poll_fn(|cx| {
                    let begun = begun.as_mut().poll(cx);
                    // The first poll sends the script. There is an answer so early only if it could not be sent.
                    if !std::mem::replace(&mut is_sent, true)
                        && let Poll::Ready(unsent) = after.as_mut().poll(cx)
                    {
                        after = Box::pin(ready(unsent));
                    }
                    begun
                })
                .await
            };
            let ((before, copy), failure) = wire.wait_for(begun);
            before.and(copy).map_err(|error| more_telling(error, failure))?
        };
        Ok(CopyOut { wire, stream: Box::pin(stream), rest: Bytes::new(), after: Some(after) })
    }

    /// Sends several COPYs out of queries that were prepared before, all at once. Each is read to its end before the next one.
    ///
    /// The server sends one after the other, and waits while the buffers of the connection are full.
    pub fn copies_out<'c>(&'c mut self, statements: &'c [Statement]) -> CopiesOut<'c> {
        let Client { inner, wire, one_at_a_time, unsent } = self;
        let inner: &tokio_postgres::Client = inner;
        let mut before = unsent
            .take()
            .map(|unsent| -> PendingScript<'c> { Box::pin(async move { inner.batch_execute(&unsent).await }) });
        let begin = |statement| -> BegunCopy<'c> { Box::pin(inner.copy_out(statement)) };
        let mut begun: VecDeque<BegunCopy<'c>> = statements.iter().map(begin).collect();
        if !*one_at_a_time {
            if let Some(script) = &mut before
                && let Some(unsent) = arrived(script.as_mut())
            {
                *script = Box::pin(ready(unsent));
            }
            for copy in &mut begun {
                // The first poll sends it. There is an answer so early only if it could not be sent.
                if let Some(unsent) = arrived(copy.as_mut()) {
                    *copy = Box::pin(ready(unsent));
                }
            }
        }
        CopiesOut { wire, before, begun }
    }

    /// Begins a COPY out of a table or a query that was prepared before.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn copy_prepared_out(&mut self, statement: &Statement) -> Result<CopyOut<'_>, Error> {
        let stream = self.after_unsent(async |inner| inner.copy_out(statement).await)?;
        Ok(CopyOut { wire: &mut self.wire, stream: Box::pin(stream), rest: Bytes::new(), after: None })
    }
}

/// A COPY that was sent and has no answer yet.
type BegunCopy<'c> = Pin<Box<dyn Future<Output = Result<CopyOutStream, Error>> + 'c>>;

/// COPYs out of the server that were sent together.
pub struct CopiesOut<'c> {
    wire: &'c mut Wire,
    /// The script that was sent before the first one.
    before: Option<PendingScript<'c>>,
    begun: VecDeque<BegunCopy<'c>>,
}

impl CopiesOut<'_> {
    /// Returns the next COPY, in the order of the statements, after the one before was read to its end.
    ///
    /// # Errors
    /// If the server refuses it or the connection is lost.
    pub fn next(&mut self) -> Option<Result<CopyOut<'_>, Error>> {
        let begun = self.begun.pop_front()?;
        let CopiesOut { wire, before, .. } = self;
        if let Some(Err(error)) = before.take().map(|script| wire.wait(script)) {
            return Some(Err(error));
        }
        let stream = wire.wait(begun);
        Some(stream.map(|stream| CopyOut { wire, stream: Box::pin(stream), rest: Bytes::new(), after: None }))
    }
}

/// The bytes of a COPY out of the server.
pub struct CopyOut<'c> {
    wire: &'c mut Wire,
    stream: Pin<Box<CopyOutStream>>,
    rest: Bytes,
    /// The script that was sent after the COPY.
    after: Option<PendingScript<'c>>,
}

/// A script without an answer yet.
type PendingScript<'c> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'c>>;

impl Read for CopyOut<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(out.len());
        out[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for CopyOut<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while !self.rest.has_remaining() {
            // Each row is a message, and many of them arrive at once.
            let next = match arrived(self.stream.next()) {
                Some(next) => next.transpose(),
                None => self.wire.wait(async { self.stream.next().await.transpose() }),
            };
            match next.map_err(io::Error::other)? {
                Some(bytes) => self.rest = bytes,
                None => {
                    if let Some(after) = self.after.take() {
                        self.wire.wait(after).map_err(io::Error::other)?;
                    }
                    break;
                }
            }
        }
        Ok(&self.rest)
    }

    fn consume(&mut self, length: usize) {
        self.rest.advance(length);
    }
}
