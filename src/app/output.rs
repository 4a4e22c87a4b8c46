//! The only way to stdout and stderr for everything but the progress. Nothing that is printed controls the terminal.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use crate::exit::Exit;
use crate::text::{Screen, broken, printable_lines};

use super::terminal::columns_of;

/// Prints a message on stderr. A closed stderr is ignored. No character of a name or of another program's message controls
/// the terminal. A terminal would break a long line in the middle of a name, so that it receives shorter ones.
pub fn say(message: &str) {
    let text = format!("migrate: {}", printable_lines(message));
    let text = columns_of(io::stderr()).map_or_else(|| text.clone(), |columns| broken(&text, columns));
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a question on stderr.
pub fn ask(question: &str) {
    let mut to = io::stderr().lock();
    let _ = write!(to, "{}", printable_lines(question)).and_then(|()| to.flush());
}

/// Prints a result on stdout. A closed pipe is ignored, because the exit code reports the result as well. Returns false,
/// after a message on stderr, if stdout cannot be written.
pub fn print(screen: &Screen) -> bool {
    let mut out = io::stdout().lock();
    match out.write_all(screen.text().as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("stdout: cannot be written ({e}). Run the command again: a finished run is only verified."));
            false
        }
        _ => true,
    }
}

/// Prints a result on stdout. Returns the exit, or an internal error if nothing but a missing output is wrong.
pub fn print_with(screen: &Screen, exit: Exit) -> Exit {
    unless_missing(print(screen), exit)
}

/// A result as JSON.
///
/// # Errors
/// If it has a form that JSON lacks, which only a mistake in this program can cause.
pub fn json(value: &impl Serialize) -> anyhow::Result<Screen> {
    let text = serde_json::to_string_pretty(value).context("a result as JSON")?;
    Ok(Screen::json(text + "\n"))
}

/// The exit of a command. `complete`: every output that was asked for is written. If one is missing, a command that would
/// end without an error ends with one, and every other exit stays what the work came to.
pub fn unless_missing(complete: bool, exit: Exit) -> Exit {
    if !complete && exit == Exit::Done { Exit::Bug } else { exit }
}
