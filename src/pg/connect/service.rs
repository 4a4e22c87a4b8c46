//! Service files: named sets of settings, as libpq finds and reads them.
//!
//! It only looks for a section and hands its keywords over; precedence is decided in `settings`.

use super::environment::Environment;
use super::error::ConnectError;
use super::keyword;
use super::values::Values;
use std::path::{Path, PathBuf};

/// Where the system's own file may lie when `PGSYSCONFDIR` does not say: Debian's, Red Hat's, and the source's place.
const SYSTEM_FOLDERS: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/etc"];

/// The settings of a service: from the user's file, then from the system's.
///
/// # Errors
/// `Usage` when a file has a line that cannot be read, or no file has the service.
pub fn find(service: &str, servicefile: Option<&str>, environment: &Environment) -> Result<Values, ConnectError> {
    let mut looked = Vec::new();
    for path in candidates(servicefile, environment)? {
        if let Some(values) = section(&path, service, environment)? {
            return Ok(values);
        }
        looked.push(path.display().to_string());
    }
    Err(ConnectError::usage(
        "service",
        format!("there is no service {service:?}"),
        match looked.is_empty() {
            true => "no service file was found".to_owned(),
            false => format!("it is not in {}", looked.join(" or in ")),
        },
        format!("Write a section [{service}] into ~/.pg_service.conf, or point PGSERVICEFILE at the file that has it"),
    ))
}

/// A named file must be there; the others are read if they are.
fn candidates(servicefile: Option<&str>, environment: &Environment) -> Result<Vec<PathBuf>, ConnectError> {
    let present = |path: &Path| environment.files().look(path).is_ok();
    let mut paths = Vec::new();
    match servicefile {
        Some(path) => paths.push(PathBuf::from(path)),
        None => {
            let user = environment.home.as_ref().map(|h| h.join(".pg_service.conf"));
            paths.extend(user.filter(|p| present(p)));
        }
    }
    let system = match environment.variable("PGSYSCONFDIR")? {
        Some(folder) => vec![folder],
        None => SYSTEM_FOLDERS.to_vec(),
    };
    let system = system.iter().map(|f| Path::new(f).join("pg_service.conf"));
    paths.extend(system.filter(|p| present(p)));
    Ok(paths)
}

/// The section of that name, if the file has it. The first value of a keyword holds, as in libpq.
fn section(path: &Path, service: &str, environment: &Environment) -> Result<Option<Values>, ConnectError> {
    let broken = |(what, why): (String, String)| {
        let advice = "Correct the file: sections [name], under each lines keyword=value, comments after #";
        ConnectError::usage(format!("service file {}", path.display()), what, why, advice)
    };
    let unread = |why: String| broken(("it cannot be read".to_owned(), why));
    let bytes = environment.files().read(path).map_err(|e| unread(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unread("it is not UTF-8".to_owned()))?;
    let mut found: Option<Values> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        match (line.strip_prefix('['), &mut found) {
            (Some(_), Some(_)) => break,
            (Some(title), None) => {
                found = (title.split_once(']').map(|(name, _)| name) == Some(service)).then(Values::default);
            }
            (None, Some(values)) if !line.is_empty() && !line.starts_with('#') => {
                entry(line, number, values).map_err(broken)?;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// One line of the section: what is wrong and why, if it cannot be used. No word of it is repeated: it may be, or
/// hold, a password.
fn entry(line: &str, number: usize, values: &mut Values) -> Result<(), (String, String)> {
    let wrong = |what: &str, why: &str| Err((format!("line {number} {what}"), why.to_owned()));
    if line.starts_with("ldap") {
        return wrong("cannot be used", "LDAP is not looked up by this program");
    }
    let Some((name, value)) = line.split_once('=') else {
        return wrong("cannot be read", "it has no \"=\"");
    };
    match keyword::find(name).map(|k| k.name) {
        Some("service" | "servicefile") => wrong("names another service", "services do not nest"),
        Some(name) => {
            if values.get(name).is_none() {
                values.set(name, value);
            }
            Ok(())
        }
        None => {
            wrong("begins with a word that is not a keyword", "a blank before the \"=\" counts as part of the word")
        }
    }
}
