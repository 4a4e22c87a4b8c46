//! The expected cost of a run: bytes, duration and locks.

use crate::model::record::{LockedTable, Report};
use crate::report::section::{CellKind, Line, Section};
use crate::text::{count, grouped};

/// The expected cost of the run, in a dry run that found nothing against it.
pub fn forecast(report: &Report) -> Option<Section> {
    const TITLE: &str = "What the run costs";
    let forecast = report.forecast.as_ref()?;
    let cost = format!(
        "About {} bytes are written. It takes about {}, or longer if the target is far away: `migrate guide speed` has the \
         figures of this estimate.",
        grouped(forecast.bytes),
        count(forecast.seconds, "second", "seconds")
    );
    if forecast.locked.is_empty() {
        let words = format!("{cost} No table is locked exclusively: other sessions can read and write meanwhile.");
        return Some(Section::words("forecast", TITLE, words));
    }
    let line = |locked: &LockedTable| Line::of([locked.table.as_str().into(), locked.detached.into()]);
    let lines = forecast.locked.iter().map(line).collect();
    let columns = [("locked table", CellKind::Name), ("objects", CellKind::Number)];
    let tail = "These tables are locked exclusively for a moment when their keys, indexes and triggers are detached, and while \
                each of these objects is reattached, which takes as long as building its index. In between, and in all \
                other tables, other sessions can read and write.";
    Some(Section::table("forecast", TITLE, &columns, lines).with_lead(cost).with_tail(Some(tail.to_owned())))
}
