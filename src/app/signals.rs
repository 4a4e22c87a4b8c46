//! Signals: the first word to stop is noted, and lanes look at it between rows; the second ends the process at once,
//! which is as safe as `kill -9`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::exit::Exit;

/// Notes SIGINT, SIGTERM and, unless the process was started to outlive its terminal, SIGHUP in `asked`.
pub fn listen(asked: &Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    for signal in signals {
        // In this order: the second signal finds the flag set and ends the process before it would be set again.
        flag::register_conditional_shutdown(signal, i32::from(Exit::Interrupted.code()), Arc::clone(asked))?;
        flag::register(signal, Arc::clone(asked))?;
    }
    // A file that may not grow is an error of its writer's, as a full disk is, and not the end of the process.
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// Whether the parent had this signal ignored, as `nohup` does. Where nobody tells, it counts as not ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
