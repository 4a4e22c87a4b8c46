//! The connection's side that reads and writes, driven by the thread that waits for an answer.
//!
//! Nothing is sent or received while no thread waits, apart from the bytes that the system's buffers hold.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postgres::Error;
use tokio::runtime::Runtime;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_postgres::AsyncMessage;

/// Interval at which a wait checks for a stop request.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Time that a statement gets after a stop request before it is cancelled, and again before the connection is dropped. The
/// short statements that record where a run stopped take less.
const GRACE: Duration = Duration::from_millis(500);

/// Drives the connection: sends what is queued, receives, and passes answers to the requests that wait for them.
pub(super) type Driver = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// A request to cancel the running statement.
pub(super) type CancelRequest = Pin<Box<dyn Future<Output = ()>>>;

/// The connection and the event loop of the thread that waits.
pub(super) struct Wire {
    pub runtime: Runtime,
    /// `None` after the connection ended. Dropping it ends every wait for an answer.
    pub driver: Option<Driver>,
    /// Makes a request to cancel the running statement, over a connection of its own.
    pub cancel: Box<dyn Fn() -> CancelRequest + Send>,
    /// Set when the process is asked to stop.
    pub asked: Option<Arc<AtomicBool>>,
}

impl Wire {
    /// Waits for an answer.
    pub fn wait<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let (answer, failure) = self.wait_for(answer);
        answer.map_err(|error| more_telling(error, failure))
    }

    /// Waits for something that ends when the answers arrive or the connection ends. Returns the error that ended it, too.
    pub fn wait_for<T>(&mut self, answers: impl Future<Output = T>) -> (T, Option<Error>) {
        let Wire { runtime, driver, cancel, asked } = self;
        let mut answers = pin!(answers);
        let mut interruption = asked.as_deref().map(|asked| Interruption::new(asked, cancel));
        let mut failure = None;
        let answers = runtime.block_on(poll_fn(|cx| {
            failure = failure.take().or(drive(driver, cx));
            if let Poll::Ready(answers) = answers.as_mut().poll(cx) {
                return Poll::Ready(answers);
            }
            if driver.is_some() && interruption.as_mut().is_some_and(|i| i.is_over(cx)) {
                *driver = None;
            }
            if driver.is_none() {
                // Without the connection every answer fails as soon as it is polled again.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        (answers, failure)
    }

    /// Ends the connection if the server refused to begin a COPY. The client library then still ends that COPY, and the answer
    /// to the end would be taken for the answer to the next statement.
    pub fn end_unless_begun<T>(&mut self, copy: &Result<T, Error>) {
        if copy.is_err() {
            self.driver = None;
        }
    }
}

impl Drop for Wire {
    /// Tells the server that the connection ends. The client is dropped before, so nothing else is queued.
    fn drop(&mut self) {
        let Wire { runtime, driver, .. } = self;
        runtime.block_on(async {
            let closing = poll_fn(|cx| {
                let _ends_anyway = drive(driver, cx);
                if driver.is_none() { Poll::Ready(()) } else { Poll::Pending }
            });
            let _ends_anyway = tokio::time::timeout(GRACE, closing).await;
        });
    }
}

/// Returns an answer that has arrived already, without a system call.
pub(super) fn arrived<T>(answer: impl Future<Output = T>) -> Option<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Returns the server's own words if either error has them: the error of a statement only says that the connection is closed
/// if the server ended the connection by itself.
pub(super) fn more_telling(error: Error, failure: Option<Error>) -> Error {
    match failure {
        Some(failure) if error.as_db_error().is_none() => failure,
        _ => error,
    }
}

/// Drives the connection as far as possible. Returns the error that ended it.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> Option<Error> {
    loop {
        let ended = match driver.as_mut()?(cx) {
            Poll::Pending => return None,
            // A notice may contain values of rows, and nothing listens to notifications.
            Poll::Ready(Some(Ok(_))) => continue,
            Poll::Ready(Some(Err(error))) => Some(error),
            Poll::Ready(None) => None,
        };
        *driver = None;
        return ended;
    }
}

/// The end of one wait at a stop request: first the statement is cancelled, then the connection is dropped.
struct Interruption<'w> {
    asked: &'w AtomicBool,
    cancel: &'w dyn Fn() -> CancelRequest,
    /// The time that a statement gets before it is cancelled.
    grace: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// The time of the next step, once the stop was requested.
    next: Option<Instant>,
    is_cancelled: bool,
    request: Option<CancelRequest>,
}

impl<'w> Interruption<'w> {
    fn new(asked: &'w AtomicBool, cancel: &'w dyn Fn() -> CancelRequest) -> Interruption<'w> {
        // A statement that begins after the request records where the run stopped.
        let grace = if asked.load(Ordering::Relaxed) { GRACE } else { Duration::ZERO };
        Interruption { asked, cancel, grace, timer: None, next: None, is_cancelled: false, request: None }
    }

    /// Returns true if the wait must end now.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + CHECK_INTERVAL)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            timer.as_mut().reset(now + CHECK_INTERVAL);
            if !self.asked.load(Ordering::Relaxed) || now < *self.next.get_or_insert(now + self.grace) {
                continue;
            }
            if self.is_cancelled {
                return true;
            }
            self.is_cancelled = true;
            self.next = Some(now + GRACE);
            self.request = Some((self.cancel)());
        }
        if self.request.as_mut().is_some_and(|request| request.as_mut().poll(cx).is_ready()) {
            self.request = None;
        }
        false
    }
}
