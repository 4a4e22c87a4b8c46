//! The layers that a keyword's value can come from: the string, its service, the variables.
//!
//! It knows precedence and places; what a value means is said in `resolve` and `tls`.

use super::environment::Environment;
use super::error::ConnectError;
use super::keyword::{self, Meaning};
use super::service;
use super::values::Values;

/// The values of a string and of its service, before an environment.
pub(super) struct Layers<'a> {
    pub(super) given: Values,
    pub(super) service: Values,
    pub(super) environment: &'a Environment,
}

impl<'a> Layers<'a> {
    pub(super) fn new(given: Values, environment: &'a Environment) -> Result<Layers<'a>, ConnectError> {
        let bare = Layers { given, service: Values::default(), environment };
        let service = match bare.text("service")? {
            None => Values::default(),
            Some(name) => service::find(name, bare.text("servicefile")?, environment)?,
        };
        let layers = Layers { service, ..bare };
        layers.refuse_unsupported()?;
        Ok(layers)
    }

    /// A keyword's value as the first layer that has it says; an empty one counts as none, but hides later layers.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        Ok(self.raw(name)?.filter(|v| !v.is_empty()))
    }

    fn raw(&self, name: &str) -> Result<Option<&str>, ConnectError> {
        if let Some(value) = self.given.get(name).or_else(|| self.service.get(name)) {
            return Ok(Some(value));
        }
        match keyword::find(name).and_then(|k| k.variable) {
            Some(variable) => self.environment.variable(variable),
            None => Ok(None),
        }
    }

    /// A whole number; libpq allows blanks around it.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ConnectError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.trim().parse::<i32>() {
            Ok(number) => Ok(Some(i64::from(number))),
            Err(_) => Err(self.wrong(name, "it is not a whole number", "Write a number")),
        }
    }

    /// Where a keyword's value came from.
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

    /// A value that has no meaning. It is not repeated: it may be a piece of a password that broke a URL.
    pub(super) fn wrong(&self, name: &str, why: &str, advice: &str) -> ConnectError {
        ConnectError::usage(self.place(name), "the value cannot be used", why, advice)
    }

    pub(super) fn not_one_of(&self, name: &str, words: &str) -> ConnectError {
        self.wrong(name, &format!("it is not one of {words}"), &format!("Write one of {words}"))
    }

    /// Promises made by the service file or by variables that would not be kept; the string's are refused when read.
    fn refuse_unsupported(&self) -> Result<(), ConnectError> {
        for keyword in keyword::ALL {
            if let Meaning::Refused(why) = keyword.meaning
                && self.text(keyword.name)?.is_some()
            {
                let advice = "Unset it, if the connection may go without what it promises";
                return Err(self.wrong(keyword.name, why, advice));
            }
        }
        Ok(())
    }
}
