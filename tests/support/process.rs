//! The end of any process and the writing of a log, which the kernel reports by file descriptors.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Returns true as soon as the process has ended, and false after `most`. A child stays until its parent has asked for its status.
pub fn has_ended(pid: u32, most: Duration) -> bool {
    let begin = Instant::now();
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the number of a process");
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return true,
        opened => opened.expect("a process"),
    };
    is_readable(&process, begin + most)
}

/// Returns true as soon as the file descriptor can be read, and false at the time `end`.
fn is_readable(file: &OwnedFd, end: Instant) -> bool {
    loop {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).expect("a duration");
        match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            readable => return readable.expect("a wait") > 0,
        }
    }
}

/// Watches a log, so that a test waits for the next line of the process that writes it.
pub struct LogWatch(OwnedFd);

impl LogWatch {
    /// Watches a file that is there. Begin before its process does: then no line is missed.
    pub fn new(log: &Path) -> LogWatch {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).expect("inotify");
        inotify::add_watch(&watch, log, inotify::WatchFlags::MODIFY).expect("a watch");
        LogWatch(watch)
    }

    /// Asks `is_ready` now and after each write to the log. Returns false if the process is not ready after `most`.
    pub fn until(&self, most: Duration, mut is_ready: impl FnMut() -> bool) -> bool {
        let end = Instant::now() + most;
        loop {
            if is_ready() {
                return true;
            }
            if !is_readable(&self.0, end) {
                return false;
            }
            // The events say nothing but that there was a write.
            let mut events = [0; 4096];
            let _read = rustix::io::read(&self.0, &mut events);
        }
    }
}
