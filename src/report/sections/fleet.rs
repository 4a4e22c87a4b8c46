//! The files of a fleet.

use crate::model::record::{FleetRecord, Report, SlowFile, UnfinishedFile};
use crate::report::section::{CellKind, Depth, Item, Line, Section};
use crate::text::{count, grouped, seconds};

/// The files by their state, and those that are not loaded.
pub fn files(report: &Report, depth: Depth) -> Option<Section> {
    let fleet = report.fleet.as_ref()?;
    let item = |file: &UnfinishedFile| Item {
        place: file.path.clone(),
        text: format!("{}; {}", file.state, file.reason),
        advice: None,
    };
    let items: Vec<Item> = fleet.unfinished.iter().take(depth.rows).map(item).collect();
    let more = fleet.not_loaded().saturating_sub(items.len() as u64);
    let tail = (more > 0).then(|| format!("And {}.", count(more, "other file", "other files")));
    Some(Section::items("files", "Files", items).with_lead(lead(report, fleet)).with_tail(tail))
}

/// `1,000 files: 997 loaded, 2 quarantined, 1 waiting. This process loaded 334, 118 in a second. The first rows of 1 file ...`
fn lead(report: &Report, fleet: &FleetRecord) -> String {
    let loaded = if report.dry_run { "can be loaded" } else { "loaded" };
    let states = [
        (fleet.done, loaded),
        (fleet.quarantined, "quarantined"),
        (fleet.failed, "failed"),
        (fleet.taken, "at work"),
        (fleet.waiting, "waiting"),
    ];
    let states: Vec<String> = states
        .iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, word)| format!("{} {word}", grouped(*files)))
        .collect();
    let here = match fleet.per_second {
        Some(rate) if report.dry_run => format!(" {} files in a second.", grouped(rate.round() as u64)),
        Some(rate) => {
            format!(" This process loaded {}, {} in a second.", grouped(fleet.here), grouped(rate.round() as u64))
        }
        None => String::new(),
    };
    let begun = match fleet.begun {
        0 => String::new(),
        files => {
            let of = count(files, "file that is", "files that are");
            format!(" The first rows of {of} not done are in the target.")
        }
    };
    format!("{}: {}.{here}{begun}", count(fleet.files, "file", "files"), states.join(", "))
}

/// The files whose work took longest.
pub fn slowest(report: &Report) -> Option<Section> {
    let fleet = report.fleet.as_ref().filter(|fleet| !fleet.slowest.is_empty())?;
    let line = |file: &SlowFile| {
        Line::of([file.path.as_str().into(), file.rows.into(), seconds(file.seconds).as_str().into()])
    };
    let columns = [("file", CellKind::Name), ("rows", CellKind::Number), ("seconds", CellKind::Number)];
    Some(Section::table("slowest", "The files that took longest", &columns, fleet.slowest.iter().map(line).collect()))
}
