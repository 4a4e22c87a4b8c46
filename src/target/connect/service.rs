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
    let broken = |what: String, why: String| {
        let advice = "Correct the file: sections [name], under each lines keyword=value, comments after #";
        Err(ConnectError::usage(format!("service file {}", path.display()), what, why, advice))
    };
    let bytes = match environment.files().read(path) {
        Ok(bytes) => bytes,
        Err(e) => return broken("it cannot be read".to_owned(), e.to_string()),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return broken("it cannot be read".to_owned(), "it is not UTF-8".to_owned());
    };
    let mut found: Option<Values> = None;
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if title.split(']').next() == Some(service) && title.contains(']') {
                found = Some(Values::default());
            }
            continue;
        }
        let Some(values) = &mut found else { continue };
        if line.starts_with("ldap") {
            return broken(format!("line {number} cannot be used"), "LDAP is not looked up by this program".to_owned());
        }
        let Some((name, value)) = line.split_once('=') else {
            return broken(format!("line {number} cannot be read"), "it has no \"=\"".to_owned());
        };
        match keyword::find(name) {
            Some(k) if k.name != "service" && k.name != "servicefile" => {
                if values.get(k.name).is_none() {
                    values.set(k.name, value);
                }
            }
            Some(_) => {
                return broken(format!("line {number} names another service"), "services do not nest".to_owned());
            }
            None => {
                return broken(
                    format!("line {number} begins with a word that is not a keyword"),
                    "a blank before the \"=\" counts as part of the word".to_owned(),
                );
            }
        }
    }
    Ok(found)
}
