//! The files of a fleet in the lines of a step.

use crate::event::FileCounts;
use crate::text::{count, grouped};

/// The files as they were when the step began, and as they are now.
#[derive(Clone, Copy, Debug)]
pub struct FileTally {
    first: FileCounts,
    now: FileCounts,
}

impl FileTally {
    /// The step begins with these files.
    pub fn new(first: FileCounts) -> FileTally {
        FileTally { first, now: first }
    }

    /// The files are these now.
    pub fn update(&mut self, now: FileCounts) {
        self.now = now;
    }

    /// The share of the files that are done, and the seconds that the others take at the same speed. `None` if no file was done yet,
    /// or none is left.
    pub fn share(&self, took: f64) -> Option<(f64, f64)> {
        let done = self.since();
        let (all, left) = (self.now.done() + self.now.left, self.now.left);
        (done > 0 && left > 0).then(|| (self.now.done() as f64 / all as f64, took * left as f64 / done as f64))
    }

    /// `3,412 of 13,000 files`, `11 quarantined`, `2 failed`, `118 files/s`: those that are not 0.
    pub fn parts(&self, took: f64) -> Vec<String> {
        let FileCounts { quarantined, failed, left, .. } = self.now;
        let done = self.now.done();
        let mut parts = vec![format!("{} of {}", grouped(done), count(done + left, "file", "files"))];
        for (files, word) in [(quarantined, "quarantined"), (failed, "failed")] {
            if files > 0 {
                parts.push(format!("{} {word}", grouped(files)));
            }
        }
        if self.since() > 0 && took > 0.0 {
            parts.push(format!("{} files/s", grouped((self.since() as f64 / took).round() as u64)));
        }
        parts
    }

    /// Files that were done since the step began, by all workers.
    fn since(&self) -> u64 {
        self.now.done().saturating_sub(self.first.done())
    }
}
