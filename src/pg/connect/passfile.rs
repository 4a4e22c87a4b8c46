//! The password file: `host:port:database:user:password`, read and matched as libpq does.
//!
//! A file that others may read is not used; the caller is told. It never creates or changes a file.

use super::environment::Environment;
use super::secret::Secret;
use std::path::Path;

/// What a password file gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Looked {
    /// No file, or no line for this connection.
    Nothing,
    /// The password of the first line that matches.
    Found(Secret),
    /// There is a file and it may not, or cannot, be used: why.
    Unusable(String),
}

/// What a line is compared with. An empty host stands for the default socket.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Name, address or socket directory; a default socket directory counts as `localhost`.
    pub host: &'a str,
    /// As text, for files write it so.
    pub port: &'a str,
    /// The database.
    pub database: &'a str,
    /// The user.
    pub user: &'a str,
}

/// Looks a password up.
pub fn look_up(path: &Path, wanted: &Wanted<'_>, environment: &Environment) -> Looked {
    let Ok(looked) = environment.files().look(path) else {
        return Looked::Nothing;
    };
    let shown = path.display();
    if !looked.plain_file {
        return Looked::Unusable(format!("password file {shown} is not a plain file"));
    }
    if looked.mode.is_some_and(|mode| mode & 0o077 != 0) {
        return Looked::Unusable(format!(
            "password file {shown} may be read by others and is not used; its mode must be 0600 or less: chmod 600 {shown}"
        ));
    }
    match environment.files().read(path) {
        Err(e) => Looked::Unusable(format!("password file {shown} cannot be read: {e}")),
        Ok(bytes) => bytes
            .split(|b| *b == b'\n')
            .find_map(|line| password(line.strip_suffix(b"\r").unwrap_or(line), wanted))
            .map_or(Looked::Nothing, Looked::Found),
    }
}

/// The line's password, if its four fields match. A password that is not UTF-8 is no match.
fn password(line: &[u8], wanted: &Wanted<'_>) -> Option<Secret> {
    if line.starts_with(b"#") {
        return None;
    }
    let fields = [wanted.host, wanted.port, wanted.database, wanted.user];
    let rest = fields.iter().try_fold(line, |rest, value| behind(rest, value.as_bytes()))?;
    let mut bytes = Vec::with_capacity(rest.len());
    let mut rest = rest.iter();
    while let Some(b) = rest.next() {
        // A backslash at the very end stands for itself.
        bytes.push(if *b == b'\\' { *rest.next().unwrap_or(b) } else { *b });
    }
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// What follows a field that is `*` or equals the value; `\:` and `\\` are escapes.
fn behind<'a>(field: &'a [u8], value: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = field.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut value = value.iter();
    let mut at = 0;
    while let Some(&byte) = field.get(at) {
        if byte == b':' && value.as_slice().is_empty() {
            return Some(&field[at + 1..]);
        }
        if byte == b'\\' {
            at += 1;
        }
        if field.get(at) != Some(value.next()?) {
            return None;
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<String> {
        let wanted = Wanted { host: "h:1", port: "5432", database: "db", user: r"u\v" };
        password(line.as_bytes(), &wanted).map(|s| s.reveal().to_owned())
    }

    #[test]
    fn fields_match_by_value_by_star_and_through_escapes() {
        for (line, password) in [
            (r"h\:1:5432:db:u\\v:secret", Some("secret")),
            ("*:*:*:*:secret", Some("secret")),
            ("*:*:*:*:", Some("")),
            (r"*:*:*:*:a\:b\\c:d", Some(r"a:b\c:d")),
            (r"*:*:*:*:a\", Some(r"a\")),
            ("#*:*:*:*:secret", None),
            ("*:*:*:secret", None),
            ("*x:*:*:*:secret", None),
            ("h:*:*:*:secret", None),
            ("*:543:*:*:secret", None),
            ("*:54321:*:*:secret", None),
            ("*:*:d*:*:secret", None),
            (" *:*:*:*:secret", None),
            ("", None),
        ] {
            assert_eq!(found(line).as_deref(), password, "{line}");
        }
    }
}
