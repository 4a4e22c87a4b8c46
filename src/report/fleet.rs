//! The verdict of a fleet's command in words: it counts files.

use super::summary::{Proof, Totals, lost_unasked};
use crate::exit::Exit;
use crate::model::record::{CommandKind, FleetRecord, Report, RunState};
use crate::text::{count, grouped, phrase};

/// Label and sentence. `None` if the command is not about a fleet, or ended before it counted files.
pub fn headline(report: &Report, exit: Exit) -> Option<(String, String)> {
    let fleet = report.fleet.as_ref()?;
    let rows = count(Totals::of(report).written.max(Totals::of(report).read), "row", "rows");
    let files = |n: u64| count(n, "file", "files");
    let words = match (report.command, exit) {
        (CommandKind::FleetStatus, _) => {
            let label = if report.state == RunState::Done { "Done" } else { "Not done" };
            (label.to_owned(), format!("{} of {} are loaded.", grouped(fleet.done), files(fleet.files)))
        }
        (CommandKind::FleetRollback, Exit::Done) => {
            let left = phrase(fleet.done, "# file is still loaded.", "# files are still loaded.");
            ("Removed".to_owned(), format!("The rows that were asked for are removed. {left}"))
        }
        (CommandKind::FleetRollback, _) => (
            "Not all removed".to_owned(),
            "A file that could not be removed is still whole; the others are removed.".to_owned(),
        ),
        (_, Exit::Done | Exit::Quarantined) if report.dry_run => {
            let ready = format!("{rows} of {} can be converted as the mapping says.", files(fleet.done));
            let label = format!("Ready, except for {}", count(Proof::of(report).not_checked, "check", "checks"));
            (with_omitted(&label, fleet, report), format!("{ready} Nothing was written."))
        }
        (_, Exit::Done | Exit::Quarantined) => {
            let place = report.target.as_deref().unwrap_or("the target");
            let label = if report.command == CommandKind::FleetVerify { "Verified" } else { "Done and verified" };
            let same = phrase(Proof::of(report).same, "The one check says Same.", "All # checks say Same.");
            (with_omitted(label, fleet, report), format!("{rows} of {} are in {place}. {same}", files(fleet.done)))
        }
        (_, Exit::Stopped | Exit::Interrupted) => {
            let label = if exit == Exit::Stopped { "Not finished" } else { "Interrupted" };
            let left = fleet.files.saturating_sub(fleet.done);
            let begun = match fleet.begun {
                0 => String::new(),
                files => format!(", and the first rows of {} are there", grouped(files)),
            };
            let sentence = format!(
                "{} of {} are loaded, each as a whole; {} not{begun}. The same command continues.",
                grouped(fleet.done),
                files(fleet.files),
                phrase(left, "# is", "# are"),
            );
            (label.to_owned(), sentence)
        }
        _ => return None,
    };
    Some(words)
}

fn with_omitted(label: &str, fleet: &FleetRecord, report: &Report) -> String {
    let files = (fleet.quarantined > 0).then(|| format!("{} quarantined", count(fleet.quarantined, "file", "files")));
    let changed = lost_unasked(report);
    let values = (changed > 0).then(|| format!("{} changed", count(changed, "value", "values")));
    let parts: Vec<String> = files.into_iter().chain(values).collect();
    if parts.is_empty() { label.to_owned() } else { format!("{label}; {}", parts.join(" and ")) }
}
