//! The expected cost of a run: bytes, duration and locks.

use crate::model::record::{LockedTable, Report};
use crate::report::section::{CellKind, Depth, Line, Section};
use crate::text::{count, grouped};

/// The expected cost of the run, in a dry run that found nothing against it.
pub fn forecast(report: &Report, depth: Depth) -> Option<Section> {
    const TITLE: &str = "What the run costs";
    let forecast = report.forecast.as_ref()?;
    let cost = format!(
        "About {} bytes are written. By the figures of `migrate guide speed` it takes, near the target, about {} s.",
        grouped(forecast.bytes),
        grouped(forecast.seconds)
    );
    if forecast.locked.is_empty() {
        let words = format!("{cost} No table is locked exclusively: other sessions can read and write meanwhile.");
        return Some(Section::words("forecast", TITLE, words));
    }
    let line = |locked: &LockedTable| Line::of([locked.table.as_str().into(), locked.detached.into()]);
    let lines = forecast.locked.iter().take(depth.rows).map(line).collect();
    let columns = [("locked table", CellKind::Name), ("objects", CellKind::Number)];
    let more = forecast.locked.len().saturating_sub(depth.rows) as u64;
    let more = if more > 0 { format!("And {}. ", count(more, "other table", "other tables")) } else { String::new() };
    let tail = "These tables are locked exclusively for a moment when their keys, indexes and triggers are detached, and while \
                each of these objects is reattached, which takes as long as building its index. In between, and in all \
                other tables, other sessions can read and write.";
    Some(Section::table("forecast", TITLE, &columns, lines).with_lead(cost).with_tail(Some(more + tail)))
}
