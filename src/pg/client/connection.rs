//! The client: one connection, its statements one at a time.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Context;

use futures_util::future::join;
use postgres::types::{ToSql, Type};
use postgres::{Error, Row, SimpleQueryMessage, Statement};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};

use super::parameter::Parameter;
use super::wire::{CancelRequest, Wire, more_telling};

/// The event loop of one connection, in the thread that waits.
pub struct Reactor(Runtime);

impl Reactor {
    /// Makes an event loop.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new() -> std::io::Result<Reactor> {
        Ok(Reactor(Builder::new_current_thread().enable_all().build()?))
    }
}

/// One connection to a server.
pub struct Client {
    // Dropped before `wire`, which then sends that nothing follows.
    pub(super) inner: tokio_postgres::Client,
    pub(super) wire: Wire,
    /// True if each statement waits for the answer to the one before.
    pub(super) one_at_a_time: bool,
    /// The script that is sent together with the next statement.
    pub(super) unsent: Option<String>,
}

impl Client {
    /// Opens a connection and authenticates.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub fn connect<T>(reactor: Reactor, config: &Config, tls: T) -> Result<Client, Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + 'static,
        T::TlsConnect: Send,
        T::Stream: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let Reactor(runtime) = reactor;
        let (inner, mut connection) = runtime.block_on(config.connect(tls.clone()))?;
        let token = inner.cancel_token();
        let cancel = Box::new(move || {
            let (token, tls) = (token.clone(), tls.clone());
            let request: CancelRequest = Box::pin(async move {
                // A request that does not arrive changes nothing: the wait then ends with the connection.
                let _ = token.cancel_query(tls).await;
            });
            request
        });
        let driver = Box::new(move |cx: &mut Context<'_>| connection.poll_message(cx));
        let wire = Wire { runtime, driver: Some(driver), cancel, asked: None };
        Ok(Client { inner, wire, one_at_a_time: false, unsent: None })
    }

    /// Ends each wait soon after `asked` becomes true: the statement is cancelled, and fails with SQLSTATE 57014. If the
    /// server does not answer within half a second, the connection is dropped. A statement that begins later gets half a
    /// second before it is cancelled.
    pub fn interrupt_when(&mut self, asked: Arc<AtomicBool>) {
        self.wire.asked = Some(asked);
    }

    /// Sends no statement before the previous one is answered, for a server that cannot take several.
    pub fn send_one_at_a_time(&mut self) {
        self.one_at_a_time = true;
    }

    /// Sends a script together with the next statement, which waits for both answers and fails if the script fails. It then may
    /// have run without the script, so the script must be one without which the next statement changes nothing wrongly.
    pub fn send_with_next(&mut self, script: &str) {
        match &mut self.unsent {
            Some(unsent) => *unsent = format!("{unsent}; {script}"),
            None => self.unsent = Some(script.to_owned()),
        }
    }

    /// Waits for the answer to a statement, and to the script that is sent with it.
    pub(super) fn after_unsent<T>(
        &mut self,
        send: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Client { inner, wire, one_at_a_time, unsent } = self;
        let Some(script) = unsent.take() else { return wire.wait(send(inner)) };
        if *one_at_a_time {
            wire.wait(inner.batch_execute(&script))?;
            return wire.wait(send(inner));
        }
        // Both are sent in this order, when they are polled first.
        let ((script, answer), failure) = wire.wait_for(join(inner.batch_execute(&script), send(inner)));
        script.and(answer).map_err(|error| more_telling(error, failure))
    }

    /// Ends the connection. Later statements fail.
    pub fn disconnect(&mut self) {
        self.wire.driver = None;
    }

    /// Returns true if the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Runs a query. One round trip.
    ///
    /// The columns of the answer must have types of the server's own: other types are looked up by further queries.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn query(&mut self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Vec<Row>, Error> {
        let typed = typed(parameters);
        self.after_unsent(async |inner| inner.query_typed(sql, &typed).await)
    }

    /// Runs a query that returns one row. One round trip.
    ///
    /// # Errors
    /// If it returns another number of rows, the server refuses, or the connection is lost.
    pub fn query_one(&mut self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Row, Error> {
        let typed = typed(parameters);
        self.after_unsent(async |inner| inner.query_typed_one(sql, &typed).await)
    }

    /// Runs a query that returns at most one row. One round trip.
    ///
    /// # Errors
    /// If it returns several rows, the server refuses, or the connection is lost.
    pub fn query_opt(&mut self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Option<Row>, Error> {
        let typed = typed(parameters);
        self.after_unsent(async |inner| inner.query_typed_opt(sql, &typed).await)
    }

    /// Runs a statement and returns the number of rows that it changed. One round trip.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn execute(&mut self, sql: &str, parameters: &[&dyn Parameter]) -> Result<u64, Error> {
        let typed = typed(parameters);
        self.after_unsent(async |inner| inner.execute_typed(sql, &typed).await)
    }

    /// Runs statements that are separated by semicolons, in one message.
    ///
    /// # Errors
    /// If the server refuses one of them, or the connection is lost.
    pub fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        self.after_unsent(async |inner| inner.batch_execute(sql).await)
    }

    /// Runs statements that are separated by semicolons, in one message, and returns their rows as text.
    ///
    /// # Errors
    /// If the server refuses one of them, or the connection is lost.
    pub fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.after_unsent(async |inner| inner.simple_query(sql).await)
    }

    /// Prepares a statement, for COPY and to learn the types of an expression.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.after_unsent(async |inner| inner.prepare(sql).await)
    }
}

/// The parameters with their types.
pub(super) fn typed<'p>(parameters: &[&'p dyn Parameter]) -> Vec<(&'p (dyn ToSql + Sync), Type)> {
    parameters.iter().map(|parameter| (*parameter as &(dyn ToSql + Sync), parameter.assumed_type())).collect()
}
