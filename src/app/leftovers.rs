//! Private folders of earlier processes that were killed: they hold copies of rows, and are removed.
//!
//! Removing is safe: a folder is locked while its process lives, and only `kill -9` or a crash of the machine leaves one. It
//! is right: nothing uses the copies again, because every command makes its own.

use crate::event::{Event, Observer};
use crate::model::record::Warning;
use crate::{pg, private};

/// Removes them, and reports each.
pub fn remove(observer: &dyn Observer) {
    for leftover in private::leftovers() {
        let path = leftover.path().display().to_string();
        pg::throwaway::stop_leftover(leftover.path(), leftover.owner());
        let message = if leftover.remove() {
            "the private files of a process that was killed are removed"
        } else {
            "the private files of a process that was killed cannot be removed. Remove the folder"
        };
        observer.on_event(Event::Warned(&Warning::new(path, message)));
    }
}
