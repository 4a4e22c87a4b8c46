//! The line of each key in the mapping file, so that messages can name it.

use std::collections::BTreeMap;

/// The line of each key, by path. The first line of a repeated path counts.
#[derive(Clone, Debug, Default)]
pub struct KeyLines(BTreeMap<String, usize>);

impl KeyLines {
    /// Records the line of a key, unless its path has one.
    pub(super) fn note(&mut self, path: String, line: usize) {
        self.0.entry(path).or_insert(line);
    }

    /// Returns a place as messages print it: with its line if it is a place of the file.
    pub fn shown(&self, place: &str) -> String {
        let sections = ["load.", "owner.", "defaults.", "leave.", "sequences."];
        let is_of_file =
            sections.iter().any(|s| place.starts_with(s)) || ["source.zone", "target.schema"].contains(&place);
        match self.of(place).filter(|_| is_of_file) {
            Some(line) => format!("{place} (line {line})"),
            None => place.to_owned(),
        }
    }

    /// Returns true if the file has this key.
    pub fn has(&self, place: &str) -> bool {
        self.0.contains_key(place)
    }

    /// Returns the line of a key, or of the nearest key above it.
    pub fn of(&self, place: &str) -> Option<usize> {
        let mut place = place;
        loop {
            if let Some(line) = self.0.get(place) {
                return Some(*line);
            }
            place = &place[..place.rfind('.')?];
        }
    }
}
