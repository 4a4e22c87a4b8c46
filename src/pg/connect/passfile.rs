//! The password file: `host:port:database:user:password`, read and matched as libpq does.
//!
//! A file that other users may read is not used, and the caller gets the reason. No file is created or changed.

use super::environment::Environment;
use super::secret::Secret;
use std::path::Path;

/// The result of a search in a password file.
#[derive(Debug, PartialEq, Eq)]
pub enum PasswordLookup {
    /// No file, or no line for this connection.
    NotFound,
    /// The password of the first line that matches.
    Found(Secret),
    /// The file exists and must not, or cannot, be used. Holds the reason.
    Unusable(String),
}

/// The connection whose password is searched. An empty host means the default socket.
#[derive(Debug)]
pub struct PasswordKey<'a> {
    /// Name, address or socket directory; a default socket directory counts as `localhost`.
    pub host: &'a str,
    /// The port as text, as in the file.
    pub port: &'a str,
    /// The database.
    pub database: &'a str,
    /// The user.
    pub user: &'a str,
}

/// Finds the password of a connection in a password file.
pub fn look_up(path: &Path, key: &PasswordKey<'_>, environment: &Environment) -> PasswordLookup {
    let Ok(info) = environment.files().inspect(path) else {
        return PasswordLookup::NotFound;
    };
    let shown = path.display();
    if !info.plain_file {
        return PasswordLookup::Unusable(format!("password file {shown} is not a regular file"));
    }
    if info.mode.is_some_and(|mode| mode & 0o077 != 0) {
        return PasswordLookup::Unusable(format!(
            "password file {shown} is accessible to other users and is not used; its mode must be 0600 or less: chmod 600 {shown}"
        ));
    }
    match environment.files().read(path) {
        Err(e) => PasswordLookup::Unusable(format!("password file {shown} cannot be read: {e}")),
        Ok(bytes) => bytes
            .split(|b| *b == b'\n')
            .find_map(|line| password(line.strip_suffix(b"\r").unwrap_or(line), key))
            .map_or(PasswordLookup::NotFound, PasswordLookup::Found),
    }
}

/// The line's password. `None` if one of the four fields does not match, or if the password is not UTF-8.
fn password(line: &[u8], key: &PasswordKey<'_>) -> Option<Secret> {
    if line.starts_with(b"#") {
        return None;
    }
    let fields = [key.host, key.port, key.database, key.user];
    let rest = fields.iter().try_fold(line, |rest, value| after_field(rest, value.as_bytes()))?;
    let mut bytes = Vec::with_capacity(rest.len());
    let mut rest = rest.iter();
    while let Some(b) = rest.next() {
        // A backslash at the very end is a backslash.
        bytes.push(if *b == b'\\' { *rest.next().unwrap_or(b) } else { *b });
    }
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// The text after the first field. `None` unless the field is `*` or equals the value. `\:` and `\\` are escapes.
fn after_field<'a>(field: &'a [u8], value: &[u8]) -> Option<&'a [u8]> {
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
        let key = PasswordKey { host: "h:1", port: "5432", database: "db", user: r"u\v" };
        password(line.as_bytes(), &key).map(|s| s.reveal().to_owned())
    }

    #[test]
    fn a_field_matches_by_value_by_star_and_with_escapes() {
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
