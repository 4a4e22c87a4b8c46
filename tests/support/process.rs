//! The end of any process, which the kernel reports by a file descriptor.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
    loop {
        let left = Timespec::try_from(most.saturating_sub(begin.elapsed())).expect("a duration");
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            ended => return ended.expect("a wait") > 0,
        }
    }
}
