//! Compares the time zone data of this program with those of the server, for the zones of the mapping.
//!
//! Builds of the tz database differ before 1970, and old ones do not know the latest rules. A local time in a span in which
//! the two differ is loaded by this program's data, and is counted in the report.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::convert::{ZoneDoubts, offset_at};
use crate::job::Stop;
use crate::model::pgtype::Kind;
use crate::model::record::Warning;
use crate::model::rules::Zone;
use crate::pg::{OffsetSince, Session, ZoneOffsets, ZoneQuestion};
use crate::plan::Plan;

/// Seconds between two samples: three days. The two closest changes of any zone are 3.98 days apart (Freetown in 1939, by
/// tzdata 2025b with backzone).
const STEP: i64 = 3 * 86_400;

/// The first sample, 1840-01-01: before it, zones have their local mean time.
const FIRST: i64 = -4_102_444_800;

/// The last sample, 2040-01-01: after it, the last rules continue.
const LAST: i64 = 2_208_988_800;

/// Returns, by zone, the spans in which the server's offset is another one. A zone that the server does not know is a
/// warning.
///
/// # Errors
/// If the server refuses or the connection is lost.
pub fn compare(session: &mut Session, plan: &Plan) -> Result<(ZoneDoubts, Vec<Warning>), Stop> {
    let (mut doubts, mut warnings) = (ZoneDoubts::new(), Vec::new());
    for (name, zone) in zones(plan) {
        let own = OwnOffsets::of(zone);
        let question = ZoneQuestion { zone: name, samples: FIRST..=LAST, step: STEP, times: &own.times() };
        match session.zone_offsets(&question)? {
            None => {
                let message =
                    "the target's server does not know this time zone: it is unknown if it reads these times alike";
                warnings.push(Warning::new(format!("zone {name}"), message));
            }
            Some(found) => {
                let spans = own.differing(&found);
                if !spans.is_empty() {
                    doubts.insert(name.to_owned(), spans);
                }
            }
        }
    }
    Ok((doubts, warnings))
}

/// The named zones of the columns with dates and times.
fn zones(plan: &Plan) -> BTreeMap<&'static str, Zone> {
    let columns = plan.loads.iter().flat_map(|load| &load.columns);
    let timed = columns.filter(|column| has_times(&column.kind.kind)).filter_map(|column| column.rules.zone);
    timed.filter_map(|zone| if let Zone::Named(tz) = zone { Some((tz.name(), zone)) } else { None }).collect()
}

fn has_times(kind: &Kind) -> bool {
    match kind {
        Kind::Date | Kind::Time { .. } | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => true,
        Kind::Array(element) | Kind::Range(element) => has_times(&element.kind),
        _ => false,
    }
}

/// The offsets of a zone as this program's data have them.
struct OwnOffsets {
    /// The samples at which the offset changes, the first sample included.
    changes: Vec<OffsetSince>,
    /// The exact time of each change, and the offset from there on.
    exact: Vec<OffsetSince>,
}

impl OwnOffsets {
    fn of(zone: Zone) -> OwnOffsets {
        let east = |at: i64| offset_at(zone, at).unwrap_or(0);
        let mut own = OwnOffsets { changes: vec![OffsetSince { at: FIRST, east: east(FIRST) }], exact: Vec::new() };
        let mut before = own.changes[0].east;
        for at in (FIRST..=LAST).step_by(STEP as usize).skip(1) {
            let now = east(at);
            if now != before {
                let (mut old, mut new) = (at - STEP, at);
                while new - old > 1 {
                    let middle = old + (new - old) / 2;
                    if east(middle) == before { old = middle } else { new = middle }
                }
                own.changes.push(OffsetSince { at, east: now });
                own.exact.push(OffsetSince { at: new, east: now });
                before = now;
            }
        }
        own
    }

    /// The times just before and at each change.
    fn times(&self) -> Vec<i64> {
        self.exact.iter().flat_map(|change| [change.at - 1, change.at]).collect()
    }

    /// Returns the spans in which the server's offset is another one.
    fn differing(&self, server: &ZoneOffsets) -> Vec<Range<i64>> {
        let mut spans = Vec::new();
        let starts: BTreeSet<i64> = self.changes.iter().chain(&server.changes).map(|change| change.at).collect();
        let starts: Vec<i64> = starts.into_iter().collect();
        for (n, at) in starts.iter().enumerate() {
            if since(&self.changes, *at) != since(&server.changes, *at) {
                // The change is somewhere between the sample before and this one.
                let from = if *at == FIRST { i64::MIN } else { at - STEP };
                add(&mut spans, from..starts.get(n + 1).copied().unwrap_or(i64::MAX));
            }
        }
        let mut before = self.changes[0].east;
        for change in &self.exact {
            let answer = |at: i64| server.times.iter().find(|time| time.at == at).map(|time| time.east);
            if answer(change.at - 1) != Some(before) || answer(change.at) != Some(change.east) {
                add(&mut spans, change.at - STEP..change.at + STEP);
            }
            before = change.east;
        }
        spans.sort_by_key(|span| span.start);
        spans
    }
}

/// Adds a span, or extends the last one by it.
fn add(spans: &mut Vec<Range<i64>>, span: Range<i64>) {
    match spans.last_mut() {
        Some(last) if span.start <= last.end && span.start >= last.start => last.end = last.end.max(span.end),
        _ => spans.push(span),
    }
}

/// The offset at a sample.
fn since(changes: &[OffsetSince], at: i64) -> Option<i64> {
    let next = changes.partition_point(|change| change.at <= at);
    next.checked_sub(1).map(|n| changes[n].east)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnOffsets {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone");
        OwnOffsets::of(berlin)
    }

    /// The answer of a server that has the same data.
    fn same(own: &OwnOffsets) -> ZoneOffsets {
        let mut before = own.changes[0].east;
        let mut times = Vec::new();
        for change in &own.exact {
            times.push(OffsetSince { at: change.at - 1, east: before });
            times.push(*change);
            before = change.east;
        }
        ZoneOffsets { changes: own.changes.clone(), times }
    }

    #[test]
    fn equal_data_leave_no_doubt_and_a_missing_change_is_a_span() {
        let own = own();
        let equal = same(&own);
        assert!(own.changes.len() > 100, "{}", own.changes.len());
        assert!(own.differing(&equal).is_empty(), "{:?}", own.differing(&equal));
        let mut other = equal.clone();
        let removed = other.changes.remove(20);
        let spans = own.differing(&other);
        assert!(spans.iter().any(|span| span.contains(&removed.at)), "{spans:?}");
        assert!(!spans.iter().any(|span| span.contains(&(removed.at - 2 * STEP))), "{spans:?}");
        let after = own.changes[21].at;
        assert!(!spans.iter().any(|span| span.contains(&(after + STEP))), "{spans:?}");
    }

    #[test]
    fn a_change_at_another_hour_of_the_same_day_is_a_span() {
        let own = own();
        let mut other = same(&own);
        let moved = own.exact[30];
        other.times.iter_mut().filter(|time| time.at == moved.at).for_each(|time| time.east -= 3_600);
        let spans = own.differing(&other);
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert_eq!(spans[0], moved.at - STEP..moved.at + STEP);
    }
}
