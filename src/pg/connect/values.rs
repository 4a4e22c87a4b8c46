//! The keywords of a connection string, or of a service's section, with the values they were given.
//!
//! Text as it was written and decoded. It gives no value a meaning and shows none.

use std::collections::BTreeMap;
use std::fmt;

/// The keywords that a string, or a service's section, gave values to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values {
    map: BTreeMap<&'static str, String>,
    decoded_password: bool,
}

impl Values {
    /// The value of a keyword, if one was given; it may be empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(String::as_str)
    }

    /// Gives a keyword a value; a later one takes the place of an earlier, as in libpq.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.map.insert(name, value.into());
    }

    /// Notes that percent-decoding changed the password.
    pub(super) fn password_was_decoded(&mut self, changed: bool) {
        self.decoded_password = changed;
    }

    /// Whether percent-decoding changed the password: what `Password` errors hint at.
    pub(super) fn decoded_password(&self) -> bool {
        self.decoded_password
    }
}

/// The names alone: any value may hold a secret that was put into the wrong place.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys()).finish()
    }
}
