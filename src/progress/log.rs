//! The lines of the log on stderr. The bar and the lines of the progress print through this file.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::Event;
use crate::text::printable;

/// The amount of output of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing at all, no progress either.
    Quiet,
    /// Warnings and retries.
    #[default]
    Usual,
    /// Also the end of each load and every sentence for the log.
    Verbose,
}

/// A panic in another lane must not silence the progress of this one.
pub fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes one line to stderr.
pub fn say(line: &str) {
    write(&format!("{line}\n"));
}

/// Writes a text to stderr in one piece. A closed stderr must not stop a migration.
pub fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The line of the log for an event. `None` if the log skips it.
pub fn log_line(event: Event<'_>, verbosity: Verbosity) -> Option<String> {
    let line = match event {
        Event::Warned(w) if verbosity >= Verbosity::Usual => format!("warning: {}: {}", w.place, w.message),
        Event::Retry { attempt, why } if verbosity >= Verbosity::Usual => {
            format!("no connection ({why}); reconnecting, attempt {attempt}")
        }
        Event::Said(words) if verbosity >= Verbosity::Verbose => words.to_owned(),
        _ => return None,
    };
    Some(printable(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Warning;

    #[test]
    fn quiet_prints_nothing_and_only_verbose_prints_all() {
        let warning = Warning::new("source", "line\nbreak\u{1b}[2J");
        let events = [Event::Warned(&warning), Event::Retry { attempt: 2, why: "57P01" }, Event::Said("words")];
        let said = |verbosity| events.iter().filter_map(|e| log_line(*e, verbosity)).collect::<Vec<_>>();
        assert!(said(Verbosity::Quiet).is_empty());
        let usual = ["warning: source: line break\\u{1b}[2J", "no connection (57P01); reconnecting, attempt 2"];
        assert_eq!(said(Verbosity::Usual), usual);
        assert_eq!(said(Verbosity::Verbose)[2], "words");
    }
}
