//! Connection strings, read as libpq reads them: URLs and `key=value`, percent-decoding, quotes.
//!
//! Pure: text in, keywords with values out. It gives the values no meaning, applies no default and looks at
//! no variable. Where libpq would go on with half a password as the host's name, this stops and says why;
//! an error repeats a piece of the string only where that piece cannot belong to a password.

use super::error::ConnectError;
use super::keyword::{self, Meaning};
use super::values::Values;

const PLACE: &str = "connection string";
const ESCAPES: &str =
    "In a password write % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F and a space as %20";

/// Reads a connection string: a URL, `key=value` pairs, or a bare database name as psql takes it.
///
/// # Errors
/// `Usage`, with what is wrong and what to write.
pub fn parse(text: &str) -> Result<Values, ConnectError> {
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
    let mut values = Values::default();
    if !text.is_empty() {
        values.set("dbname", text);
    }
    Ok(values)
}

fn url_body(text: &str) -> Option<&str> {
    ["postgresql://", "postgres://"].iter().find_map(|prefix| text.strip_prefix(prefix))
}

fn usage(what: impl Into<String>, why: impl Into<String>, advice: impl Into<String>) -> ConnectError {
    ConnectError::usage(PLACE, what, why, advice)
}

/// A scheme is repeated only when it looks like one.
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

/// Stores a value under a keyword, or says why not.
///
/// `told` is whether an unknown name may be repeated in the message.
fn store(values: &mut Values, name: &str, value: String, told: bool) -> Result<(), ConnectError> {
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
                    format!("Take {name} out, if the connection may go without what it promises"),
                ));
            }
            values.set(known.name, value);
            Ok(())
        }
        None if told => {
            Err(usage(format!("{name:?} is not a keyword"), "libpq does not know it either", keyword::advice(name)))
        }
        None => Err(usage(
            "there is a word that is not a keyword",
            "it stands behind the password and may be part of it, so it is not repeated here",
            format!("Quote the password ('...' between key=value pairs). {ESCAPES} in a URL"),
        )),
    }
}

/// `key = value` pairs. Blanks may stand around `=`; a value in single quotes may hold blanks; a backslash escapes.
fn pairs(text: &str) -> Result<Values, ConnectError> {
    let mut values = Values::default();
    let mut rest = skip_blanks(text);
    let mut after_password = false;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || is_blank(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = skip_blanks(&rest[end..]);
        let Some(behind) = rest.strip_prefix('=') else {
            return Err(missing_equals(name, after_password));
        };
        let (value, remainder) = pair_value(skip_blanks(behind))?;
        rest = skip_blanks(remainder);
        store(&mut values, name, value, !after_password)?;
        after_password |= name == "password" || name == "sslpassword";
    }
    Ok(values)
}

/// libpq's isspace(), in the C locale.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

fn missing_equals(name: &str, after_password: bool) -> ConnectError {
    let told = !after_password && keyword::find(name).is_some();
    usage(
        if told { format!("there is no \"=\" behind {name}") } else { "there is a word without \"=\"".to_owned() },
        "every word is either key=value or inside quotes",
        "Put a value that holds blanks into single quotes: password='two words'; inside them write ' as \\' and \\ as \\\\",
    )
}

/// One value and what follows it.
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
            "Close it with '; inside a quoted value write ' as \\' and \\ as \\\\",
        ));
    }
    Ok((value, ""))
}

/// A URL behind its scheme.
struct Url<'a> {
    text: &'a str,
    /// Whether pieces may be repeated: false where a password may have spilled over them.
    told: bool,
}

impl<'a> Url<'a> {
    fn new(text: &'a str) -> Url<'a> {
        Url { text, told: true }
    }

    fn parse(mut self) -> Result<Values, ConnectError> {
        let mut values = Values::default();
        let behind = self.credentials(&mut values)?;
        let (behind, ports) = self.authority(behind, &mut values)?;
        self.refuse_spilt_password(behind, &ports)?;
        let (path, query) = match behind.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (behind, None),
        };
        if let Some(name) = path.strip_prefix('/')
            && !name.is_empty()
        {
            values.set("dbname", self.decode(name, "the database's name")?);
        }
        if let Some(query) = query {
            self.query(query, &mut values)?;
        }
        Ok(values)
    }

    /// `user[:password]@`, present when an `@` comes before the first `/`.
    fn credentials(&self, values: &mut Values) -> Result<&'a str, ConnectError> {
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
            values.set("user", self.decode(user, "the user's name")?);
        }
        if let Some(password) = password.filter(|p| !p.is_empty()) {
            let plain = self.decode(password, "the password")?;
            values.password_was_decoded(plain != password);
            values.set("password", plain);
        }
        let behind = &self.text[at + 1..];
        let host_end = behind.find(['/', '?']).unwrap_or(behind.len());
        if behind[..host_end].contains('@') {
            return Err(usage(
                "the URL cannot be read",
                "there is more than one @ before the host's name",
                format!("An @ in a password must be escaped. {ESCAPES}"),
            ));
        }
        Ok(behind)
    }

    /// `host[:port][,host[:port]...]`; IPv6 in brackets. Gives back what follows and the ports as written.
    fn authority(&self, text: &'a str, values: &mut Values) -> Result<(&'a str, String), ConnectError> {
        let (mut hosts, mut ports) = (String::new(), String::new());
        let mut rest = text;
        loop {
            let host;
            (host, rest) = self.one_host(rest)?;
            hosts.push_str(host);
            if let Some(behind) = rest.strip_prefix(':') {
                let end = behind.find(['/', '?', ',']).unwrap_or(behind.len());
                ports.push_str(&behind[..end]);
                rest = &behind[end..];
            }
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
            hosts.push(',');
            ports.push(',');
        }
        if !hosts.is_empty() {
            values.set("host", self.decode(&hosts, "the host's name")?);
        }
        if !ports.is_empty() {
            values.set("port", self.decode(&ports, "the port")?);
        }
        Ok((rest, ports))
    }

    fn one_host(&self, text: &'a str) -> Result<(&'a str, &'a str), ConnectError> {
        let Some(inner) = text.strip_prefix('[') else {
            let end = text.find([':', '/', '?', ',']).unwrap_or(text.len());
            return Ok(text.split_at(end));
        };
        let broken = |why: &str| {
            let advice = "Write an IPv6 address as [::1], with the port behind it as [::1]:5432";
            Err(usage("the URL cannot be read", why, advice))
        };
        let Some((host, rest)) = inner.split_once(']') else {
            return broken("a [ is opened before the host's address and not closed");
        };
        if host.is_empty() {
            return broken("the address between [ and ] is empty");
        }
        if !rest.is_empty() && !rest.starts_with([':', '/', '?', ',']) {
            return broken("behind ] there is neither a port nor a /");
        }
        Ok((host, rest))
    }

    /// `user:pa/ss@host` has no `@` before its first `/`: libpq takes `pa` for the port and shows it.
    fn refuse_spilt_password(&mut self, behind: &str, ports: &str) -> Result<(), ConnectError> {
        let path = behind.split('?').next().unwrap_or_default();
        let no_number = ports.split(',').any(|p| !p.bytes().all(|b| b.is_ascii_digit() || b == b'%'));
        if no_number && behind.contains('@') || path.contains('@') {
            return Err(usage(
                "the URL cannot be read",
                "an @ comes after the first /, so what stands before it cannot be told from a host and a port",
                format!("A / in a password must be escaped. {ESCAPES}. An @ in a database's name is %40"),
            ));
        }
        self.told &= ports.is_empty() || !behind.contains('@');
        Ok(())
    }

    fn query(&self, text: &str, values: &mut Values) -> Result<(), ConnectError> {
        let mut after_password = false;
        let mut rest = text;
        // As in libpq the query may be empty, or end in &; an empty parameter elsewhere is an error.
        while !rest.is_empty() {
            let part;
            (part, rest) = rest.split_once('&').unwrap_or((rest, ""));
            let told = self.told && !after_password;
            let Some((name, value)) = part.split_once('=') else {
                return Err(bad_parameter(part, "it has no \"=\"", told));
            };
            if value.contains('=') {
                let told = told && name != "password";
                return Err(bad_parameter(name, "it has two \"=\"; one in a value is %3D", told));
            }
            let name = self.decode(name, "a keyword")?;
            let what = if told { format!("the value of {name}") } else { "a value".to_owned() };
            let plain = self.decode(value, &what)?;
            if name == "ssl" && plain == "true" {
                values.set("sslmode", "require");
                continue;
            }
            if name == "password" {
                values.password_was_decoded(plain != value);
                after_password = true;
            }
            store(values, &name, plain, told)?;
        }
        Ok(())
    }

    /// Percent-decoding. `what` names the piece, whose text is not repeated.
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
                return Err(broken(format!("{what} holds a % without two hexadecimal digits")));
            };
            match (high * 16 + low) as u8 {
                0 => return Err(broken(format!("{what} holds %00"))),
                value => bytes.push(value),
            }
        }
        String::from_utf8(bytes).map_err(|_| broken(format!("{what} is not UTF-8 when decoded")))
    }
}

fn bad_parameter(part: &str, why: &str, told: bool) -> ConnectError {
    let what = match told && part.len() <= 40 {
        true => format!("the parameter {part:?} cannot be read"),
        false => "a parameter cannot be read".to_owned(),
    };
    usage(what, why, "Write parameters as ?key=value&key=value. A ? in a password is %3F")
}

#[cfg(test)]
#[path = "dsn_tests.rs"]
mod tests;
