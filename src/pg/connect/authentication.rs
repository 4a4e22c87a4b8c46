//! The authentication methods that a server may request: those of libpq's `require_auth`, and no password in clear text for a
//! server that has not proved its identity.

use super::error::ConnectError;
use super::layers::Layers;
use std::fmt;

/// A method, in the order of [`WORDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    None,
    Password,
    Md5,
    Scram,
    Gss,
    Sspi,
    Oauth,
}

/// The methods as `require_auth` writes them. `none` is a server that requests nothing.
const WORDS: [(&str, Method); 7] = [
    ("none", Method::None),
    ("password", Method::Password),
    ("md5", Method::Md5),
    ("scram-sha-256", Method::Scram),
    ("gss", Method::Gss),
    ("sspi", Method::Sspi),
    ("oauth", Method::Oauth),
];

/// The methods that the settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllowedMethods {
    allowed: [bool; WORDS.len()],
    /// `require_auth` is given.
    is_given: bool,
}

impl AllowedMethods {
    /// Without `require_auth`.
    pub(super) const ANY: AllowedMethods = AllowedMethods { allowed: [true; WORDS.len()], is_given: false };

    /// Reads `require_auth`: a list of methods, or a list of methods that are excluded by `!`.
    pub(super) fn resolve(layers: &Layers<'_>) -> Result<AllowedMethods, ConnectError> {
        const NAME: &str = "require_auth";
        let Some(text) = layers.text(NAME)? else {
            return Ok(AllowedMethods::ANY);
        };
        let excludes = text.starts_with('!');
        let mut allowed = [excludes; WORDS.len()];
        for word in text.split(',') {
            let method = match (excludes, word.strip_prefix('!')) {
                (true, Some(word)) => word,
                (false, None) => word,
                _ => {
                    return Err(layers.wrong(
                        NAME,
                        "it mixes methods with and without !",
                        "Write ! before all or none",
                    ));
                }
            };
            let Some((_, method)) = WORDS.iter().find(|(known, _)| *known == method) else {
                return Err(layers.not_one_of(NAME, &WORDS.map(|(word, _)| word).join(", ")));
            };
            allowed[*method as usize] = !excludes;
        }
        Ok(AllowedMethods { allowed, is_given: true })
    }

    /// True if `require_auth` is given.
    pub(super) fn is_given(self) -> bool {
        self.is_given
    }
}

/// Checks what one server requests. `is_proved`: a certificate proved its identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuthenticationCheck {
    methods: AllowedMethods,
    is_proved: bool,
    has_requested: bool,
}

impl AuthenticationCheck {
    pub(super) fn new(methods: AllowedMethods, is_proved: bool) -> AuthenticationCheck {
        AuthenticationCheck { methods, is_proved, has_requested: false }
    }

    /// Judges an authentication message of the server by its code.
    pub(super) fn request(&mut self, code: u32) -> Result<(), RefusedMethod> {
        let method = match code {
            0 if self.has_requested => return Ok(()),
            0 => Method::None,
            3 => Method::Password,
            5 => Method::Md5,
            7 => Method::Gss,
            9 => Method::Sspi,
            10 => Method::Scram,
            // Steps of a method that was judged, and methods that the client library refuses.
            _ => return Ok(()),
        };
        self.has_requested = true;
        if !self.methods.allowed[method as usize] {
            let word = WORDS.iter().find(|(_, known)| *known == method).map_or("", |(word, _)| word);
            return Err(RefusedMethod::Excluded(word));
        }
        match method == Method::Password && !self.is_proved && !self.methods.is_given {
            true => Err(RefusedMethod::ClearText),
            false => Ok(()),
        }
    }
}

/// A method that a server requests and that is refused before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedMethod {
    /// `require_auth` excludes it.
    Excluded(&'static str),
    /// The password in clear text, for a server without a proof of its identity.
    ClearText,
}

impl RefusedMethod {
    /// The advice for the operator.
    pub(super) fn advice(self) -> &'static str {
        match self {
            RefusedMethod::Excluded(_) => "Change the method in the server's pg_hba.conf, or change require_auth",
            RefusedMethod::ClearText => {
                "Set scram-sha-256 in the server's pg_hba.conf; or verify the server with sslmode=verify-full; or write require_auth=password, which sends the password to whatever answers at this address"
            }
        }
    }
}

impl std::error::Error for RefusedMethod {}

impl fmt::Display for RefusedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusedMethod::Excluded("none") => f.write_str("the server requests none, which require_auth excludes"),
            RefusedMethod::Excluded(word) => write!(f, "the server requests {word}, which require_auth excludes"),
            RefusedMethod::ClearText => {
                f.write_str("the server requests it in clear text and has not proved its identity")
            }
        }
    }
}
