//! The sources of a keyword's value by precedence: the string, its service, the variables.
//!
//! A layer knows precedence and places. `resolve` and `tls` interpret the values.

use super::environment::Environment;
use super::error::ConnectError;
use super::keyword::{self, Meaning};
use super::service;
use super::values::KeywordValues;

/// The values of a string and of its service, and the environment that they override.
pub(super) struct Layers<'a> {
    pub(super) given: KeywordValues,
    pub(super) service: KeywordValues,
    pub(super) environment: &'a Environment,
}

impl<'a> Layers<'a> {
    /// Reads the service, if one is named, and refuses keywords whose guarantee would be missing.
    pub(super) fn new(given: KeywordValues, environment: &'a Environment) -> Result<Layers<'a>, ConnectError> {
        let bare = Layers { given, service: KeywordValues::default(), environment };
        let service = match bare.text("service")? {
            None => KeywordValues::default(),
            Some(name) => service::find(name, bare.text("servicefile")?, environment)?,
        };
        let layers = Layers { service, ..bare };
        layers.refuse_unsupported()?;
        Ok(layers)
    }

    /// Returns a keyword's value from the first layer that has it. `None` if there is no value, or if that value is
    /// empty: an empty value hides later layers.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        Ok(self.raw(name)?.filter(|v| !v.is_empty()))
    }

    /// Returns a keyword's value from the first layer that has it, also if it is empty.
    fn raw(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        if let Some(value) = self.given.get(name).or_else(|| self.service.get(name)) {
            return Ok(Some(value));
        }
        match keyword::find(name).and_then(|k| k.variable) {
            Some(variable) => self.environment.variable(variable),
            None => Ok(None),
        }
    }

    /// Returns a keyword's value as a whole number. Blanks around the number are allowed, as in libpq.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ConnectError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.trim().parse::<i32>() {
            Ok(number) => Ok(Some(i64::from(number))),
            Err(_) => Err(self.wrong(name, "it is not a whole number", "Write a number")),
        }
    }

    /// The layer from which a keyword's value comes, for messages.
    pub(super) fn place(&self, name: &str) -> String {
        if self.given.get(name).is_some() {
            format!("connection string, {name}")
        } else if self.service.get(name).is_some() {
            format!("service file, {name}")
        } else {
            let variable = keyword::find(name).and_then(|k| k.variable);
            variable.unwrap_or(name).to_owned()
        }
    }

    /// The error of a value that cannot be used. The message does not repeat the value, which may be a piece of a
    /// password that broke a URL.
    pub(super) fn wrong(&self, name: &str, why: &str, advice: &str) -> ConnectError {
        ConnectError::usage(self.place(name), "the value cannot be used", why, advice)
    }

    /// The error of a value that is not one of these words.
    pub(super) fn not_one_of(&self, name: &str, words: &str) -> ConnectError {
        self.wrong(name, &format!("it is not one of {words}"), &format!("Write one of {words}"))
    }

    /// Refuses keywords of the service file and of variables whose guarantee would be missing. `dsn` refuses those of
    /// the string.
    fn refuse_unsupported(&self) -> Result<(), ConnectError> {
        for keyword in keyword::ALL {
            if let Meaning::Refused(why) = keyword.meaning
                && self.text(keyword.name)?.is_some()
            {
                let advice = "Unset it if the connection does not need its guarantee";
                return Err(self.wrong(keyword.name, why, advice));
            }
        }
        Ok(())
    }
}
