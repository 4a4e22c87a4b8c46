//! The size of the private copy of a dump, reported while it is loaded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::event::{Event, Observer};

/// Interval at which the size is reported.
const INTERVAL: Duration = Duration::from_millis(500);

/// Opens the source, and reports meanwhile the bytes that `copied` counts. A single statement of a dump may never end, so
/// another thread reports.
pub fn reported<T>(observer: &dyn Observer, copied: &AtomicU64, open: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (opening, opened) = mpsc::channel::<()>();
        let report = move || {
            while opened.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let bytes = copied.load(Ordering::Relaxed);
                if bytes > 0 {
                    observer.on_event(Event::Copied { bytes });
                }
            }
        };
        // Without the thread, only the progress is missing.
        let _thread = thread::Builder::new().spawn_scoped(scope, report);
        let source = open();
        drop(opening);
        source
    })
}
