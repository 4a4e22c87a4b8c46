//! One file of a fleet and its values.

use std::collections::BTreeMap;

/// One file of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberFile {
    /// As it was named. A relative path is relative to the folder in which the command runs.
    pub path: String,
    /// Values by name, for the owner. None is empty.
    pub values: BTreeMap<String, String>,
}

impl MemberFile {
    /// A file without values.
    pub fn new(path: impl Into<String>) -> MemberFile {
        MemberFile { path: path.into(), values: BTreeMap::new() }
    }

    /// Adds a value. An empty text is no value.
    pub fn put(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }
}
