//! The counts of a step, and the lines that show them: one every few seconds, or a bar.
//!
//! Counting is separate from the clock and from stderr, so that a table can test it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::files::FileTally;
use super::log::Verbosity;
use crate::event::{Event, Extent, WorkUnit};
use crate::model::record::StepKind;
use crate::text::{count, grouped, phrase, printable, rate, seconds, width};

/// Time after which a step prints its first line.
const FIRST: Duration = Duration::from_secs(1);

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Columns of the bar itself.
const BAR: usize = 16;

/// The events since the step began.
#[derive(Default)]
pub struct Tally {
    step: Option<StepKind>,
    began: Duration,
    /// The time of the last line. `None` before the first line of the step.
    last_line: Option<Duration>,
    extent: Option<Extent>,
    ended: u64,
    rows: u64,
    /// Bytes of the copy of a dump that is being loaded.
    copied: u64,
    files: Option<FileTally>,
    open: BTreeMap<String, Open>,
}

/// A load at work. Several lanes may begin and end it.
#[derive(Clone, Copy, Default)]
struct Open {
    began: Duration,
    lanes: u32,
    rows: u64,
    total: Option<u64>,
}

impl Tally {
    /// Counts an event at a time after the start. Returns the lines that are due.
    pub fn on_event(&mut self, event: Event<'_>, now: Duration, verbosity: Verbosity) -> Vec<String> {
        match event {
            Event::Step(step) => {
                let before = self.close(now);
                *self = Tally { step: Some(step), began: now, ..Tally::default() };
                before.into_iter().chain([format!("{} ...", step.shown())]).collect()
            }
            Event::Planned(extent) => {
                self.extent = Some(extent);
                Vec::new()
            }
            Event::Done(step) if self.step == Some(step) => {
                self.ended += 1;
                self.line_if_due(now).into_iter().collect()
            }
            Event::Files(counts) => {
                self.files.get_or_insert(FileTally::new(counts)).update(counts);
                self.line_if_due(now).into_iter().collect()
            }
            Event::Began { load, rows } => {
                let open = self.open.entry(load.to_owned()).or_insert(Open { began: now, ..Open::default() });
                open.lanes += 1;
                open.total = open.total.or(rows);
                Vec::new()
            }
            Event::Rows { load, rows } => {
                self.rows += rows;
                self.open.entry(load.to_owned()).or_insert(Open { began: now, ..Open::default() }).rows += rows;
                self.line_if_due(now).into_iter().collect()
            }
            Event::RowsLost { load, rows } => {
                self.rows = self.rows.saturating_sub(rows);
                if let Some(open) = self.open.get_mut(load) {
                    open.rows = open.rows.saturating_sub(rows);
                }
                Vec::new()
            }
            Event::Ended { load } => {
                let ended = self.end(load, now);
                ended.filter(|_| verbosity >= Verbosity::Verbose).into_iter().collect()
            }
            Event::Copied { bytes } => {
                self.copied = bytes;
                self.line_if_due(now).into_iter().collect()
            }
            Event::Done(_) | Event::Warned(_) | Event::Retry { .. } | Event::Said(_) => Vec::new(),
        }
    }

    fn end(&mut self, load: &str, now: Duration) -> Option<String> {
        let open = self.open.get_mut(load)?;
        open.lanes = open.lanes.saturating_sub(1);
        if open.lanes > 0 {
            return None;
        }
        let open = self.open.remove(load)?;
        self.ended += 1;
        let took = seconds(now.saturating_sub(open.began).as_secs_f64());
        Some(format!("  {}: {} in {took} s", printable(load), count(open.rows, "row", "rows")))
    }

    /// The last line of the step. `None` if nothing was counted.
    pub fn close(&self, now: Duration) -> Option<String> {
        let is_of_loads = self.extent.is_none_or(|extent| extent.kind == WorkUnit::Load);
        let step = self.step.filter(|_| is_of_loads && (self.ended > 0 || self.rows > 0))?;
        let took = now.saturating_sub(self.began).as_secs_f64();
        let loads = count(self.ended, "load", "loads");
        let rows = count(self.rows, "row", "rows");
        let speed = rate(self.rows, took);
        Some(format!("{}: {loads}, {rows} in {} s, {speed} rows/s", step.shown(), seconds(took)))
    }

    pub fn line_if_due(&mut self, now: Duration) -> Option<String> {
        let first = if self.step.is_some() { FIRST } else { EVERY };
        if now < self.last_line.map_or(self.began + first, |last| last + EVERY) {
            return None;
        }
        self.last_line = Some(now);
        Some(self.line(now))
    }

    /// `load: 3 s, 3 of 5 loads, 1,250,000 of 2,100,000 rows, 410,000 rows/s, 2 s left; transactions 1,200,000 of 2,000,000`
    fn line(&self, now: Duration) -> String {
        let took = now.saturating_sub(self.began).as_secs_f64();
        let mut line = match self.step {
            Some(step) => step.shown().to_owned(),
            None if self.copied > 0 => copied(self.copied),
            None => "at work".to_owned(),
        };
        // Writing into a string cannot fail.
        let _ = write!(line, ": {:.0} s", took);
        if let Some(files) = &self.files {
            files.parts(took).iter().for_each(|part| line.push_str(&format!(", {part}")));
        } else if let Some(extent) = self.extent {
            let _ = write!(line, ", {}", done_of(self.ended, extent));
        } else if self.ended > 0 || self.rows > 0 {
            let _ = write!(line, ", {}", phrase(self.ended, "# load done", "# loads done"));
        }
        if self.rows > 0 {
            let all = self.extent.and_then(|extent| extent.rows).filter(|all| *all >= self.rows);
            let rows = count(self.rows, "row", "rows");
            let rows = all.map_or(rows, |all| format!("{} of {} rows", grouped(self.rows), grouped(all)));
            let _ = write!(line, ", {rows}, {} rows/s", rate(self.rows, took));
        }
        if let Some((_, left)) = self.share(now) {
            let _ = write!(line, ", {left} left");
        }
        for (load, open) in self.open.iter().take(2) {
            let _ = write!(line, "; {} {}", printable(load), open.so_far(now));
        }
        if self.open.len() > 2 {
            let _ = write!(line, "; {} more at work", self.open.len() - 2);
        }
        line
    }
}

impl Tally {
    /// The share of the step that is done, and the time that is left at the same speed. `None` if either is unknown.
    fn share(&self, now: Duration) -> Option<(f64, String)> {
        let took = now.saturating_sub(self.began).as_secs_f64();
        if let Some(files) = &self.files {
            return files.share(took).map(|(share, seconds)| (share, left(seconds)));
        }
        let extent = self.extent?;
        // More than expected: the number was an estimate, and says nothing about the rest.
        let part = |done: u64, all: u64| (done > 0 && all > done).then(|| done as f64 / all as f64);
        let share = match extent.rows {
            Some(all) => part(self.rows, all)?,
            None => part(self.ended, extent.units)?,
        };
        Some((share, left(took / share - took)))
    }

    /// The line that is redrawn in place, in at most `columns`: what is known of
    /// `load [=====>     ]  45 %, 12 s left, 3 loads done, 1,250,000 rows, 410,000 rows/s: transactions`.
    /// A part that does not fit as a whole is left out, and so is each one after it. No name is cut.
    pub fn bar(&self, now: Duration, columns: usize) -> String {
        let Some(step) = self.step else {
            let copied = if self.copied > 0 { copied(self.copied) } else { String::new() };
            return if width(&copied) <= columns { copied } else { String::new() };
        };
        let took = now.saturating_sub(self.began).as_secs_f64();
        let mut parts = vec![step.shown().to_owned()];
        match self.share(now) {
            Some((share, left)) => {
                let filled = ((share * BAR as f64) as usize).min(BAR - 1);
                parts[0] +=
                    &format!(" [{}>{}] {:>2.0} %", "=".repeat(filled), " ".repeat(BAR - 1 - filled), share * 100.0);
                parts.push(format!(", {left} left"));
            }
            None => parts.push(format!(", {took:.0} s")),
        }
        if self.rows > 0 {
            parts.push(format!(", {}", count(self.rows, "row", "rows")));
            parts.push(format!(", {} rows/s", rate(self.rows, took)));
        }
        parts.extend(self.files.iter().flat_map(|files| files.parts(took)).map(|part| format!(", {part}")));
        match self.extent {
            Some(extent) if self.ended > 0 => parts.push(format!(", {}", done_of(self.ended, extent))),
            None if self.ended > 0 => parts.push(phrase(self.ended, ", # load done", ", # loads done")),
            _ => {}
        }
        for (at, name) in self.open.keys().enumerate() {
            parts.push(format!("{} {}", if at == 0 { ":" } else { "," }, printable(name)));
        }
        let mut line = String::new();
        for part in parts {
            if width(&line) + width(&part) > columns {
                break;
            }
            line.push_str(&part);
        }
        line
    }
}

/// `loading the dump, 1,234 MiB so far`
fn copied(bytes: u64) -> String {
    format!("loading the dump, {} MiB so far", grouped(bytes >> 20))
}

/// `3 of 5 loads`
fn done_of(done: u64, extent: Extent) -> String {
    let Extent { units, kind, .. } = extent;
    let kind = match (kind, units) {
        (WorkUnit::Load, 1) => "load",
        (WorkUnit::Load, _) => "loads",
        (WorkUnit::Part, 1) => "part",
        (WorkUnit::Part, _) => "parts",
        (WorkUnit::Object, 1) => "object",
        (WorkUnit::Object, _) => "objects",
        (WorkUnit::Sequence, 1) => "sequence",
        (WorkUnit::Sequence, _) => "sequences",
    };
    format!("{} of {} {kind}", grouped(done.min(units)), grouped(units))
}

/// A time as people say it: `12 s`, `4 min`, `2 h 10 min`.
fn left(seconds: f64) -> String {
    match seconds.round() as u64 {
        s if s < 100 => format!("{s} s"),
        s if s < 6_000 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
    }
}

impl Open {
    fn so_far(&self, now: Duration) -> String {
        let Some(total) = self.total else { return grouped(self.rows) };
        let took = now.saturating_sub(self.began).as_secs_f64();
        let left = total.saturating_sub(self.rows);
        let so_far = format!("{} of {}", grouped(self.rows), grouped(total));
        if self.rows == 0 || left == 0 {
            return so_far;
        }
        format!("{so_far}, {} left", self::left(took * left as f64 / self.rows as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(events: &[(f64, Event<'_>)], verbosity: Verbosity) -> (Vec<String>, Tally) {
        let mut tally = Tally::default();
        let lines =
            events.iter().flat_map(|(at, e)| tally.on_event(*e, Duration::from_secs_f64(*at), verbosity)).collect();
        (lines, tally)
    }

    #[test]
    fn a_line_is_printed_every_few_seconds_and_at_each_step() {
        let began = Event::Began { load: "transactions", rows: Some(2_000_000) };
        let rows = |rows| Event::Rows { load: "transactions", rows };
        let events = [
            (0.0, Event::Step(StepKind::Load)),
            (0.0, began),
            (1.0, rows(200_000)),
            (4.0, rows(600_000)),
            (5.0, rows(200_000)),
            (6.0, rows(1_000_000)),
            (8.0, Event::Ended { load: "transactions" }),
            (8.0, Event::Step(StepKind::Sequences)),
        ];
        let (lines, tally) = printed(&events, Verbosity::Usual);
        assert_eq!(
            lines,
            [
                "load ...",
                "load: 1 s, 0 loads done, 200,000 rows, 200,000 rows/s; transactions 200,000 of 2,000,000, 9 s left",
                "load: 6 s, 0 loads done, 2,000,000 rows, 333,333 rows/s; transactions 2,000,000 of 2,000,000",
                "load: 1 load, 2,000,000 rows in 8.00 s, 250,000 rows/s",
                "sequences ...",
            ]
        );
        assert_eq!(tally.close(Duration::from_secs(9)), None);
        assert_eq!(tally.line(Duration::from_secs(70)), "sequences: 62 s");
    }

    #[test]
    fn rows_whose_commit_was_lost_are_counted_once() {
        let rows = |rows| Event::Rows { load: "a", rows };
        let events = [
            (0.0, Event::Step(StepKind::Load)),
            (0.0, Event::Began { load: "a", rows: None }),
            (1.0, rows(200)),
            (1.5, Event::RowsLost { load: "a", rows: 100 }),
            (2.0, rows(100)),
            (3.0, Event::Ended { load: "a" }),
            (3.0, Event::Step(StepKind::Sequences)),
        ];
        let (lines, _) = printed(&events, Verbosity::Usual);
        assert!(lines.iter().any(|line| line.starts_with("load: 1 load, 200 rows in")), "{lines:?}");
    }

    fn planned(units: u64, kind: WorkUnit, rows: Option<u64>) -> Event<'static> {
        Event::Planned(Extent { units, kind, rows })
    }

    #[test]
    fn a_step_reports_its_extent_and_the_time_left() {
        let events = [
            (0.0, Event::Step(StepKind::Verify)),
            (0.0, planned(4, WorkUnit::Part, Some(4_000))),
            (0.1, Event::Rows { load: "a", rows: 1_000 }),
            (0.1, Event::Done(StepKind::Verify)),
            (0.1, Event::Done(StepKind::Reattach)),
        ];
        let (_, tally) = printed(&events, Verbosity::Usual);
        let line = tally.line(Duration::from_secs(2));
        assert_eq!(line, "verify: 2 s, 1 of 4 parts, 1,000 of 4,000 rows, 500 rows/s, 6 s left; a 1,000");
        let objects = [
            (0.0, Event::Step(StepKind::Reattach)),
            (0.0, planned(3, WorkUnit::Object, None)),
            (2.0, Event::Done(StepKind::Reattach)),
        ];
        let (lines, tally) = printed(&objects, Verbosity::Usual);
        assert_eq!(lines, ["reattach ...", "reattach: 2 s, 1 of 3 objects, 4 s left"]);
        assert_eq!(tally.close(Duration::from_secs(2)), None, "its units are no loads");
    }

    #[test]
    fn a_load_ends_when_its_last_lane_does() {
        let began = Event::Began { load: "a", rows: None };
        let ended = Event::Ended { load: "a" };
        let mut events = vec![(0.0, Event::Step(StepKind::Load)), (0.0, began), (0.1, began)];
        events.extend([(0.2, Event::Rows { load: "a", rows: 3 }), (0.3, ended), (0.4, ended), (0.5, ended)]);
        let (lines, tally) = printed(&events, Verbosity::Verbose);
        assert_eq!(lines, ["load ...", "  a: 3 rows in 0.40 s"]);
        assert_eq!((tally.ended, tally.open.len()), (1, 0));
    }

    #[test]
    fn the_bar_fits_its_columns_and_cuts_no_name() {
        let long = "a_table_with_a_name_of_sixty_three_characters_which_is_the_longest_";
        let names = ["transactions", long];
        let mut events = vec![(0.0, Event::Step(StepKind::Load)), (0.0, planned(1, WorkUnit::Load, Some(2_000_000)))];
        events.extend(names.map(|load| (0.0, Event::Began { load, rows: None })));
        events.push((1.0, Event::Rows { load: "transactions", rows: 500_000 }));
        let (_, tally) = printed(&events, Verbosity::Usual);
        let at = Duration::from_secs(10);
        for columns in 0..200 {
            let bar = tally.bar(at, columns);
            assert!(width(&bar) <= columns, "{columns}: {bar}");
            let named = bar.split_once(": ").map_or("", |(_, names)| names);
            assert!(named.split(", ").all(|name| name.is_empty() || names.contains(&name)), "{columns}: {bar}");
        }
        let bar = "load [====>           ] 25 %, 30 s left, 500,000 rows, 50,000 rows/s";
        assert_eq!(tally.bar(at, 79), bar);
        assert_eq!(tally.bar(at, 200), format!("{bar}: {long}, transactions"));
    }

    #[test]
    fn the_time_left_is_known_only_while_rows_are_expected() {
        let step = (0.0, Event::Step(StepKind::Verify));
        let rows = |rows| (1.0, Event::Rows { load: "a", rows });
        let bar = |events: &[(f64, Event<'_>)]| printed(events, Verbosity::Usual).1.bar(Duration::from_secs(40), 80);
        assert_eq!(bar(&[step]), "verify, 40 s");
        assert_eq!(
            bar(&[step, (0.0, planned(1, WorkUnit::Part, Some(4))), rows(5)]),
            "verify, 40 s, 5 rows, 0 rows/s: a"
        );
        assert_eq!([12.4, 99.6, 5_999.0, 7_800.0].map(left), ["12 s", "2 min", "100 min", "2 h 10 min"]);
    }
}
