//! Service files: named sets of settings, found and read as by libpq.
//!
//! This file only finds a section and returns its keywords. `layers` has the precedence.

use super::environment::Environment;
use super::error::ConnectError;
use super::keyword;
use super::values::KeywordValues;
use std::path::{Path, PathBuf};

/// Directories of the system's file without `PGSYSCONFDIR`: those of Debian, of Red Hat and of PostgreSQL's source.
const SYSTEM_FOLDERS: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/etc"];

/// Finds the settings of a service in the user's file, then in the system's.
///
/// # Errors
/// `Usage` if a line of a file cannot be read, or if no file has the service.
pub fn find(
    service: &str,
    servicefile: Option<&str>,
    environment: &Environment,
) -> Result<KeywordValues, ConnectError> {
    let mut searched = Vec::new();
    for path in candidates(servicefile, environment)? {
        if let Some(values) = section(&path, service, environment)? {
            return Ok(values);
        }
        searched.push(path.display().to_string());
    }
    Err(ConnectError::usage(
        "service",
        format!("there is no service {service:?}"),
        match searched.is_empty() {
            true => "no service file was found".to_owned(),
            false => format!("it is not in {}", searched.join(" or in ")),
        },
        format!("Add a section [{service}] to ~/.pg_service.conf, or set PGSERVICEFILE to the file that has it"),
    ))
}

/// The files to search. A file that `servicefile` names must exist; the others are searched if they exist.
fn candidates(servicefile: Option<&str>, environment: &Environment) -> Result<Vec<PathBuf>, ConnectError> {
    let present = |path: &Path| environment.files().inspect(path).is_ok();
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

/// The section of that name. `None` if the file has no such section. The first value of a keyword counts, as in libpq.
fn section(path: &Path, service: &str, environment: &Environment) -> Result<Option<KeywordValues>, ConnectError> {
    let broken = |mistake: Mistake| {
        let advice = "Correct the file: sections [name], with lines keyword=value, and comments after #";
        ConnectError::usage(format!("service file {}", path.display()), mistake.what, mistake.why, advice)
    };
    let unread = |why: String| broken(Mistake { what: "it cannot be read".to_owned(), why });
    let bytes = environment.files().read(path).map_err(|e| unread(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unread("it is not UTF-8".to_owned()))?;
    let mut found: Option<KeywordValues> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        match (line.strip_prefix('['), &mut found) {
            (Some(_), Some(_)) => break,
            (Some(title), None) => {
                found = (title.split_once(']').map(|(name, _)| name) == Some(service)).then(KeywordValues::default);
            }
            (None, Some(values)) if !line.is_empty() && !line.starts_with('#') => {
                entry(line, number, values).map_err(broken)?;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A mistake in a service file, and its cause.
struct Mistake {
    what: String,
    why: String,
}

/// Reads one line of the section. A mistake repeats no word of the line, which may contain a password.
fn entry(line: &str, number: usize, values: &mut KeywordValues) -> Result<(), Mistake> {
    let wrong = |what: &str, why: &str| Err(Mistake { what: format!("line {number} {what}"), why: why.to_owned() });
    if line.starts_with("ldap") {
        return wrong("cannot be used", "this program does not support LDAP");
    }
    let Some((name, value)) = line.split_once('=') else {
        return wrong("cannot be read", "it has no \"=\"");
    };
    match keyword::find(name).map(|k| k.name) {
        Some("service" | "servicefile") => wrong("names another service", "a service cannot contain another"),
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
