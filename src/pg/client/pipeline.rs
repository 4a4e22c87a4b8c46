//! Statements that are sent together, each as a message of its own, and one wait for all their answers.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::join;
use postgres::types::{ToSql, Type};
use postgres::{Error, Row, SimpleQueryMessage, Statement};

use super::connection::{Client, typed};
use super::copy::CopyIn;
use super::parameter::Parameter;
use super::wire::more_telling;

/// A parameter and its type.
type TypedParameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// Statements that need no answer before the next one is sent.
///
/// The server runs them in order and answers in order. After the first one that fails inside a transaction, each later one
/// fails with SQLSTATE 25P02, and a COMMIT among them rolls back. **Outside a transaction a later statement runs although an
/// earlier one failed.** So a pipeline that begins a transaction puts the statement that all others depend on into the same
/// script as `BEGIN`.
pub struct Pipeline<'p> {
    steps: Vec<PipelineStep<'p>>,
}

enum PipelineStep<'p> {
    Script(String),
    Query(String, Vec<TypedParameter<'p>>),
    Prepare(String),
    EndCopy(CopyIn),
}

/// The answer to one step of a pipeline.
#[derive(Debug)]
pub enum Reply {
    /// The answer to a script: for each of its statements, the rows as text and the number of rows.
    Script(Vec<SimpleQueryMessage>),
    /// The rows of a query.
    Rows(Vec<Row>),
    /// The number of rows of a COPY.
    Copied(u64),
    /// A prepared statement.
    Prepared(Statement),
}

impl Reply {
    /// Returns the rows of a query; none for another answer.
    pub fn rows(self) -> Vec<Row> {
        match self {
            Reply::Rows(rows) => rows,
            _ => Vec::new(),
        }
    }

    /// Returns the prepared statement; `None` for another answer.
    pub fn statement(self) -> Option<Statement> {
        match self {
            Reply::Prepared(statement) => Some(statement),
            _ => None,
        }
    }

    /// Returns the answer to a script; empty for another answer.
    pub fn messages(&self) -> &[SimpleQueryMessage] {
        match self {
            Reply::Script(messages) => messages,
            _ => &[],
        }
    }

    /// Returns the number of rows that each statement of a script, or a COPY, returned or changed.
    pub fn counts(&self) -> Vec<u64> {
        match self {
            Reply::Copied(rows) => vec![*rows],
            Reply::Script(messages) => messages.iter().filter_map(count).collect(),
            Reply::Rows(_) | Reply::Prepared(_) => Vec::new(),
        }
    }
}

fn count(message: &SimpleQueryMessage) -> Option<u64> {
    match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    }
}

impl<'p> Pipeline<'p> {
    /// A pipeline without statements.
    pub fn new() -> Pipeline<'p> {
        Pipeline { steps: Vec::new() }
    }

    /// Adds statements that are separated by semicolons, in one message. The first one that fails ends the script.
    pub fn script(self, sql: impl Into<String>) -> Pipeline<'p> {
        self.with(PipelineStep::Script(sql.into()))
    }

    /// Adds a query or another statement with parameters.
    pub fn query(self, sql: impl Into<String>, parameters: &[&'p dyn Parameter]) -> Pipeline<'p> {
        let parameters = typed(parameters);
        self.with(PipelineStep::Query(sql.into(), parameters))
    }

    /// Adds the preparation of a statement.
    pub fn prepare(self, sql: impl Into<String>) -> Pipeline<'p> {
        self.with(PipelineStep::Prepare(sql.into()))
    }

    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Adds the end of a COPY.
    pub fn end_copy(self, copy: CopyIn) -> Pipeline<'p> {
        self.with(PipelineStep::EndCopy(copy))
    }

    fn with(mut self, step: PipelineStep<'p>) -> Pipeline<'p> {
        self.steps.push(step);
        self
    }

    /// Sends the statements and waits for the answers. Returns one answer per step.
    ///
    /// Fewer answers are returned if a step could not be sent: then none of the steps after it was sent.
    pub fn run(self, client: &mut Client) -> Vec<Result<Reply, Error>> {
        // A script that waits to be sent, such as the beginning of a transaction, waits for the next statement.
        if self.steps.is_empty() {
            return Vec::new();
        }
        if client.one_at_a_time {
            return self.run_one_at_a_time(client);
        }
        let Client { inner, wire, unsent, .. } = client;
        let (steps, is_after) = self.after(unsent.take());
        let steps = steps.into_iter().map(|step| reply(inner, step)).collect();
        let (replies, failure) = wire.wait_for(in_order(steps, &Cell::new(false)));
        without_script(with_failure(replies, failure), is_after)
    }

    /// The steps with the script before them that is sent together with them. True if there is one.
    fn after(mut self, script: Option<String>) -> (Vec<PipelineStep<'p>>, bool) {
        let Some(script) = script.filter(|_| !self.steps.is_empty()) else { return (self.steps, false) };
        self.steps.insert(0, PipelineStep::Script(script));
        (self.steps, true)
    }

    /// Sends the statements and waits for the answers. Returns the rows of each step.
    ///
    /// # Errors
    /// The first error.
    pub fn rows(self, client: &mut Client) -> Result<Vec<Vec<Row>>, Error> {
        self.run(client).into_iter().map(|reply| reply.map(Reply::rows)).collect()
    }

    /// Sends the statements and the beginning of a COPY, and waits for the answers. Returns one answer per step, and the COPY
    /// if the server takes rows now.
    ///
    /// The COPY may have begun although an earlier step failed. Dropping it makes the server discard it. If the server refuses it,
    /// the connection is given up, see [`Wire::end_unless_begun`](super::wire::Wire::end_unless_begun). `None` in place of the COPY
    /// if it was not sent, because the answer to a step came before all of them were sent: an error.
    pub fn run_and_copy(self, client: &mut Client, copy: &Statement) -> (Vec<Result<Reply, Error>>, SentCopy) {
        if client.one_at_a_time {
            let replies = self.run_one_at_a_time(client);
            return (replies, Some(client.copy_in(copy)));
        }
        let Client { inner, wire, unsent, .. } = client;
        let (steps, is_after) = self.after(unsent.take());
        let steps = steps.into_iter().map(|step| reply(inner, step)).collect();
        let is_cut = Cell::new(false);
        // Polled first after the steps, when it is known whether all of them were sent.
        let begin = async { if is_cut.get() { None } else { Some(CopyIn::begin(inner, copy).await) } };
        let ((replies, copy), failure) = wire.wait_for(join(in_order(steps, &is_cut), begin));
        let Some(copy) = copy else { return (without_script(with_failure(replies, failure), is_after), None) };
        wire.end_unless_begun(&copy);
        let (replies, copy) = match copy {
            Err(error) if replies.iter().all(Result::is_ok) => {
                (without_script(replies, is_after), Err(more_telling(error, failure)))
            }
            copy => (without_script(with_failure(replies, failure), is_after), copy),
        };
        (replies, Some(copy))
    }

    fn run_one_at_a_time(self, client: &mut Client) -> Vec<Result<Reply, Error>> {
        let Client { inner, wire, unsent, .. } = client;
        let mut replies = Vec::new();
        let (steps, is_after) = self.after(unsent.take());
        for step in steps {
            replies.push(wire.wait(reply(inner, step)));
            if inner.is_closed() {
                break;
            }
        }
        without_script(replies, is_after)
    }
}

/// The replies to the steps, without that to the script that was sent before them. The error of the script is that of the first
/// step.
fn without_script(mut replies: Vec<Result<Reply, Error>>, is_after: bool) -> Vec<Result<Reply, Error>> {
    if is_after && !replies.is_empty() {
        let failed = replies.remove(0).err();
        match (failed, replies.first_mut()) {
            (Some(error), Some(first)) => *first = Err(error),
            (Some(error), None) => replies.push(Err(error)),
            (None, _) => {}
        }
    }
    replies
}

/// The COPY that a pipeline begins, or its refusal. `None` if it was not sent.
pub type SentCopy = Option<Result<CopyIn, Error>>;

/// Returns the replies of a pipeline, or the first error.
///
/// # Errors
/// The first error.
pub fn all_replies(replies: Vec<Result<Reply, Error>>) -> Result<Vec<Reply>, Error> {
    replies.into_iter().collect()
}

/// The future of a step. It sends its message when it is polled first.
type PendingReply<'s> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + 's>>;

fn reply<'s>(client: &'s tokio_postgres::Client, step: PipelineStep<'s>) -> PendingReply<'s> {
    Box::pin(async move {
        match step {
            PipelineStep::Script(sql) => client.simple_query(&sql).await.map(Reply::Script),
            PipelineStep::Query(sql, parameters) => client.query_typed(&sql, &parameters).await.map(Reply::Rows),
            PipelineStep::Prepare(sql) => client.prepare(&sql).await.map(Reply::Prepared),
            PipelineStep::EndCopy(copy) => copy.end().await.map(Reply::Copied),
        }
    })
}

/// Polls all steps in their order, so that they are sent in this order, until each has its answer. `is_cut` becomes true with the first
/// poll if not all of them are sent.
async fn in_order(mut steps: Vec<PendingReply<'_>>, is_cut: &Cell<bool>) -> Vec<Result<Reply, Error>> {
    let mut replies: Vec<Option<Result<Reply, Error>>> = Vec::new();
    poll_fn(|cx| {
        // The first poll of a step sends it.
        while let Some(step) = steps.get_mut(replies.len()) {
            match step.as_mut().poll(cx) {
                Poll::Pending => replies.push(None),
                Poll::Ready(reply) => {
                    // An answer so early is an error: the step could not be sent, or the COPY that it ends was refused while
                    // its rows were sent. What depends on it must not be sent.
                    steps.truncate(replies.len() + 1);
                    is_cut.set(true);
                    replies.push(Some(reply));
                }
            }
        }
        for (step, reply) in steps.iter_mut().zip(&mut replies).filter(|(_, reply)| reply.is_none()) {
            if let Poll::Ready(found) = step.as_mut().poll(cx) {
                *reply = Some(found);
            }
        }
        if replies.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    replies.into_iter().flatten().collect()
}

/// Puts the error that ended the connection in the place of the first error that only says so.
fn with_failure(mut replies: Vec<Result<Reply, Error>>, failure: Option<Error>) -> Vec<Result<Reply, Error>> {
    if let Some(first) = replies.iter_mut().find(|reply| reply.is_err()) {
        *first = std::mem::replace(first, Ok(Reply::Copied(0))).map_err(|error| more_telling(error, failure));
    }
    replies
}
