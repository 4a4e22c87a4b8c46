//! Transaction poolers: recognised by name and by behaviour, and refused before anything is written.

use super::error::{ConnectError, Problem};
use super::settings::Settings;

/// Refuses addresses that are known to be transaction poolers.
pub(super) fn refuse_by_name(settings: &Settings) -> Result<(), ConnectError> {
    for host in &settings.hosts {
        let Some(name) = host.name() else { continue };
        if name.contains("-pooler.") {
            return Err(ConnectError::Pooler(Box::new(Problem::new(
                format!("target {}/{}", host.shown(), settings.database),
                "this is a transaction pooler",
                "it keeps no session, and so neither locks nor settings",
                format!("Take the direct address: {}", name.replacen("-pooler.", ".", 1)),
            ))));
        }
    }
    Ok(())
}
