//! The keywords of a connection string or of a service's section, with their values.
//!
//! A value is the decoded text. It is neither interpreted nor printed here.

use std::collections::BTreeMap;
use std::fmt;

/// The keywords of a string or of a service's section, with their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeywordValues {
    map: BTreeMap<&'static str, String>,
    decoded_password: bool,
}

impl KeywordValues {
    /// The value of a keyword, which may be empty. `None` if it was not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(String::as_str)
    }

    /// Sets a keyword's value. A later value replaces an earlier one, as in libpq.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.map.insert(name, value.into());
    }

    /// Notes if percent-decoding changed the password.
    pub(super) fn password_was_decoded(&mut self, changed: bool) {
        self.decoded_password = changed;
    }

    /// Returns true if percent-decoding changed the password. `Password` errors then contain a hint.
    pub(super) fn decoded_password(&self) -> bool {
        self.decoded_password
    }
}

/// Prints only the names: any value may contain a misplaced secret.
impl fmt::Debug for KeywordValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}
