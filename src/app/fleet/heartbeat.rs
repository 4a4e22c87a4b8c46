//! Keeps a file with its worker for as long as the work on it takes. Opening the file, reading its ids and planning it may take longer
//! than a lease, and the worker's own connection is not free meanwhile. Once the file's transaction has begun, the lock of its row in
//! the ledger keeps it as well.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The time between two renewals, a third of a lease. Most files are loaded before the first one.
pub const EVERY: Duration = Duration::from_secs(10);

/// Does the work, and calls `renew` again and again until it is done.
pub fn during<T>(every: Duration, mut renew: impl FnMut() + Send, work: impl FnOnce() -> T) -> T {
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                renew();
            }
        });
        let done = work();
        drop(end);
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_renews_until_the_work_is_done_and_not_after() {
        let (renewed, renewals) = channel();
        let done = during(
            Duration::from_millis(1),
            move || _ = renewed.send(()),
            || (0..3).try_for_each(|_| renewals.recv()).map(|()| renewals),
        );
        let renewals = done.expect("three renewals");
        while renewals.try_recv().is_ok() {}
        assert!(renewals.recv().is_err(), "the thread has ended");
        assert_eq!(during(EVERY, || panic!("too early"), || 7), 7);
    }
}
