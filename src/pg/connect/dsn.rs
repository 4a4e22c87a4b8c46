//! Connection strings, read as libpq reads them: URLs and `key=value`, percent-decoding, quotes.
//!
//! Pure: text in, keywords with values out. It does not interpret values, applies no default and reads no variable. A
//! URL that libpq would read with half a password as the host name is refused with the reason. An error repeats a piece
//! of the string only if that piece cannot belong to a password.

use super::error::ConnectError;
use super::keyword::{self, Meaning};
use super::values::KeywordValues;

const PLACE: &str = "connection string";
const ESCAPES: &str =
    "In a password write % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F and a space as %20";

/// Reads a connection string: a URL, `key=value` pairs, or a bare database name as psql takes it.
///
/// # Errors
/// `Usage`, with the mistake and the correction.
pub fn parse(text: &str) -> Result<KeywordValues, ConnectError> {
    if let Some(rest) = url_body(text) {
        return Url::new(rest).parse();
    }
    if let Some((scheme, _)) = text.split_once("://")
        && !scheme.contains('=')
    {
        return Err(wrong_scheme(scheme));
    }
    if text.contains('=') {
        return pairs(text);
    }
    let mut values = KeywordValues::default();
    if !text.is_empty() {
        values.set("dbname", text);
    }
    Ok(values)
}

/// The text after the scheme. `None` unless the scheme is PostgreSQL's. SQLAlchemy's form, `postgresql+driver://`, names the
/// client's driver too, which says nothing about the server.
fn url_body(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let (database, driver) = scheme.split_once('+').unwrap_or((scheme, "any"));
    let is_driver = !driver.is_empty() && driver.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (matches!(database, "postgresql" | "postgres") && is_driver).then_some(rest)
}

fn usage(what: impl Into<String>, why: impl Into<String>, advice: impl Into<String>) -> ConnectError {
    ConnectError::usage(PLACE, what, why, advice)
}

/// The error of another scheme. The scheme is repeated only if it has the form of one.
fn wrong_scheme(scheme: &str) -> ConnectError {
    let sound = !scheme.is_empty()
        && scheme.len() <= 24
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:".contains(&b));
    let why = if sound {
        format!("it begins with {scheme}://, which is not PostgreSQL's")
    } else {
        "its beginning is not a scheme".to_owned()
    };
    usage("the URL cannot be read", why, "Write postgresql://user:password@host:port/database")
}

/// Stores a value under a keyword.
///
/// `may_repeat` is true if a message may repeat an unknown name.
fn store(values: &mut KeywordValues, name: &str, value: String, may_repeat: bool) -> Result<(), ConnectError> {
    if name == "requiressl" {
        let mode = if value.starts_with('1') { "require" } else { "prefer" };
        values.set("sslmode", mode);
        return Ok(());
    }
    match keyword::find(name) {
        Some(known) => {
            if let Meaning::Refused(why) = known.meaning
                && !value.is_empty()
            {
                return Err(usage(
                    format!("{name} is not supported"),
                    why,
                    format!("Remove {name} if the connection does not need its guarantee"),
                ));
            }
            values.set(known.name, value);
            Ok(())
        }
        None if may_repeat => {
            Err(usage(format!("{name:?} is not a keyword"), "libpq does not know it either", keyword::advice(name)))
        }
        None => Err(usage(
            "a word is not a keyword",
            "it follows the password and may be part of it, so it is not repeated here",
            format!("Quote the password ('...' between key=value pairs). {ESCAPES} in a URL"),
        )),
    }
}

/// Reads `key = value` pairs. Blanks may surround `=`. A value in single quotes may contain blanks. A backslash escapes.
fn pairs(text: &str) -> Result<KeywordValues, ConnectError> {
    let mut values = KeywordValues::default();
    let mut rest = skip_blanks(text);
    let mut after_password = false;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || is_blank(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = skip_blanks(&rest[end..]);
        let Some(after_equals) = rest.strip_prefix('=') else {
            return Err(missing_equals(name, after_password));
        };
        let (value, remainder) = pair_value(skip_blanks(after_equals))?;
        rest = skip_blanks(remainder);
        store(&mut values, name, value, !after_password)?;
        after_password |= name == "password" || name == "sslpassword";
    }
    Ok(values)
}

/// Returns true for a blank of libpq, which is isspace() in the C locale.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

fn missing_equals(name: &str, after_password: bool) -> ConnectError {
    let may_repeat = !after_password && keyword::find(name).is_some();
    usage(
        if may_repeat { format!("there is no \"=\" after {name}") } else { "there is a word without \"=\"".to_owned() },
        "every word is either key=value or inside quotes",
        "Write a value that contains blanks in single quotes: password='two words'. Inside quotes write ' as \\' and \\ as \\\\",
    )
}

/// Reads one value. Returns it with the text after it.
fn pair_value(text: &str) -> Result<(String, &str), ConnectError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices();
    if quoted {
        chars.next();
    }
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && is_blank(c) => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(usage(
            "a quote is opened and not closed",
            "the value of the last keyword begins with ' and has no end",
            "Close it with '. Inside a quoted value write ' as \\' and \\ as \\\\",
        ));
    }
    Ok((value, ""))
}

/// A URL without its scheme.
struct Url<'a> {
    text: &'a str,
    /// True if a message may repeat pieces of the query. False if a password may extend into the query.
    may_repeat: bool,
}

impl<'a> Url<'a> {
    fn new(text: &'a str) -> Url<'a> {
        Url { text, may_repeat: true }
    }

    fn parse(mut self) -> Result<KeywordValues, ConnectError> {
        let mut values = KeywordValues::default();
        let rest = self.credentials(&mut values)?;
        let (rest, ports) = self.authority(rest, &mut values)?;
        self.refuse_spilt_password(rest, &ports)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        if let Some(name) = path.strip_prefix('/')
            && !name.is_empty()
        {
            values.set("dbname", self.decode(name, "the database name")?);
        }
        if let Some(query) = query {
            self.query(query, &mut values)?;
        }
        Ok(values)
    }

    /// Reads `user[:password]@`, which is present if an `@` comes before the first `/`. Returns the text after it.
    fn credentials(&self, values: &mut KeywordValues) -> Result<&'a str, ConnectError> {
        let Some(at) = self.text.find(['@', '/']) else {
            return Ok(self.text);
        };
        if !self.text[at..].starts_with('@') {
            return Ok(self.text);
        }
        let (user, password) = match self.text[..at].split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (&self.text[..at], None),
        };
        if !user.is_empty() {
            values.set("user", self.decode(user, "the user name")?);
        }
        if let Some(password) = password.filter(|p| !p.is_empty()) {
            let plain = self.decode(password, "the password")?;
            values.password_was_decoded(plain != password);
            values.set("password", plain);
        }
        let rest = &self.text[at + 1..];
        let host_end = rest.find(['/', '?']).unwrap_or(rest.len());
        if rest[..host_end].contains('@') {
            return Err(usage(
                "the URL cannot be read",
                "there is more than one @ before the host name",
                format!("An @ in a password must be escaped. {ESCAPES}"),
            ));
        }
        Ok(rest)
    }

    /// Reads `host[:port][,host[:port]...]` with IPv6 in brackets. Returns the text after it, and the ports as written.
    fn authority(&self, text: &'a str, values: &mut KeywordValues) -> Result<(&'a str, String), ConnectError> {
        let (mut hosts, mut ports) = (String::new(), String::new());
        let mut rest = text;
        loop {
            let host;
            (host, rest) = self.one_host(rest)?;
            hosts.push_str(host);
            if let Some(port) = rest.strip_prefix(':') {
                let end = port.find(['/', '?', ',']).unwrap_or(port.len());
                ports.push_str(&port[..end]);
                rest = &port[end..];
            }
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
            hosts.push(',');
            ports.push(',');
        }
        if !hosts.is_empty() {
            values.set("host", self.decode(&hosts, "the host name")?);
        }
        if !ports.is_empty() {
            values.set("port", self.decode(&ports, "the port")?);
        }
        Ok((rest, ports))
    }

    /// Splits the first host off a text.
    fn one_host(&self, text: &'a str) -> Result<(&'a str, &'a str), ConnectError> {
        let Some(inner) = text.strip_prefix('[') else {
            let end = text.find([':', '/', '?', ',']).unwrap_or(text.len());
            return Ok(text.split_at(end));
        };
        let broken = |why: &str| {
            let advice = "Write an IPv6 address as [::1], with a port as [::1]:5432";
            Err(usage("the URL cannot be read", why, advice))
        };
        let Some((host, rest)) = inner.split_once(']') else {
            return broken("a [ is opened before the host's address and not closed");
        };
        if host.is_empty() {
            return broken("the address between [ and ] is empty");
        }
        if !rest.is_empty() && !rest.starts_with([':', '/', '?', ',']) {
            return broken("] is followed by neither a port nor a /");
        }
        Ok((host, rest))
    }

    /// Refuses a URL such as `user:pa/ss@host`, with no `@` before the first `/`: libpq reads `pa` as the port and
    /// prints it.
    fn refuse_spilt_password(&mut self, rest: &str, ports: &str) -> Result<(), ConnectError> {
        let path = rest.split('?').next().unwrap_or_default();
        let no_number = ports.split(',').any(|p| !p.bytes().all(|b| b.is_ascii_digit() || b == b'%'));
        if no_number && rest.contains('@') || path.contains('@') {
            return Err(usage(
                "the URL cannot be read",
                "an @ comes after the first /, so a password cannot be distinguished from a host and a port",
                format!("A / in a password must be escaped. {ESCAPES}. An @ in a database name is %40"),
            ));
        }
        self.may_repeat &= ports.is_empty() || !rest.contains('@');
        Ok(())
    }

    /// Reads the parameters after `?`.
    fn query(&self, text: &str, values: &mut KeywordValues) -> Result<(), ConnectError> {
        let mut after_password = false;
        let mut rest = text;
        // As in libpq the query may be empty, or end in &; an empty parameter elsewhere is an error.
        while !rest.is_empty() {
            let part;
            (part, rest) = rest.split_once('&').unwrap_or((rest, ""));
            let may_repeat = self.may_repeat && !after_password;
            let Some((name, value)) = part.split_once('=') else {
                return Err(bad_parameter(part, "it has no \"=\"", may_repeat));
            };
            if value.contains('=') {
                let may_repeat = may_repeat && name != "password";
                return Err(bad_parameter(name, "it has two \"=\"; one in a value is %3D", may_repeat));
            }
            let name = self.decode(name, "a keyword")?;
            let what = if may_repeat { format!("the value of {name}") } else { "a value".to_owned() };
            let plain = self.decode(value, &what)?;
            if name == "ssl" && plain == "true" {
                values.set("sslmode", "require");
                continue;
            }
            if name == "password" {
                values.password_was_decoded(plain != value);
                after_password = true;
            }
            store(values, &name, plain, may_repeat)?;
        }
        Ok(())
    }

    /// Decodes percent escapes. Errors call the text `what` and do not repeat it.
    fn decode(&self, text: &str, what: &str) -> Result<String, ConnectError> {
        let broken = |why: String| usage("the URL cannot be read", why, ESCAPES);
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                return Err(broken(format!("{what} contains a % without two hexadecimal digits")));
            };
            match (high * 16 + low) as u8 {
                0 => return Err(broken(format!("{what} contains %00"))),
                value => bytes.push(value),
            }
        }
        String::from_utf8(bytes).map_err(|_| broken(format!("{what} is not UTF-8 after decoding")))
    }
}

fn bad_parameter(part: &str, why: &str, may_repeat: bool) -> ConnectError {
    let what = match may_repeat && part.len() <= 40 {
        true => format!("the parameter {part:?} cannot be read"),
        false => "a parameter cannot be read".to_owned(),
    };
    usage(what, why, "Write parameters as ?key=value&key=value. A ? in a password is %3F")
}

#[cfg(test)]
#[path = "dsn_tests.rs"]
mod tests;
