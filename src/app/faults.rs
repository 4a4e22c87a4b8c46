//! The rows that were set aside: into the report, and with all their values into the fault file.
//!
//! Both are derived, from the ledger's faults and the source, anew at each stop and end. The file alone holds values.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::migrate::preflight::read_ahead;
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::Reason;
use crate::model::hex::hex;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Run;
use crate::model::quarantine::QuarantinedRow;
use crate::model::record::{FAULTS_LISTED, FaultRecord, Report, Warning};
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, Plan};
use crate::sqlite::{Reader, Source, SourceError};

use super::way::{Planned, Way};

/// The fault file, where nobody names another.
pub const FILE: &str = "migrate-faults.ndjson";

impl Way<'_> {
    /// The ledger's faults into the report and, where rows are moved, into the fault file. A file that cannot be written
    /// takes nothing from what was done: the ledger has the faults.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn set_aside(
        &self,
        Planned { source, plan, .. }: Planned<'_>,
        (session, run): (&mut Session, &Run),
        report: &mut Report,
    ) -> Result<(), ServerError> {
        let mut listing = Listing { shows_values: self.reporting.show_values, ..Listing::default() };
        for load in &plan.loads {
            session.faults::<ServerError>(run.id, &load.name, &mut |some| {
                some.iter().for_each(|fault| listing.take(fault));
                Ok(())
            })?;
        }
        let total = listing.end(report);
        if self.manner.writes() && total > 0 {
            self.fault_file(source, plan, &mut Aside::Ledger(session, run.id), report);
        }
        Ok(())
    }

    /// What reading ahead found at fault, into the report; values are written down only where a file for them was named.
    /// Gives their number.
    pub(super) fn found(
        &self,
        Planned { source, plan, .. }: Planned<'_>,
        found: &[read_ahead::LoadPreflight],
        report: &mut Report,
    ) -> u64 {
        let mut listing = Listing { shows_values: self.reporting.show_values, ..Listing::default() };
        for load in found {
            let table = plan.table_of(&load.load);
            load.faults.iter().for_each(|fault| listing.take(&QuarantinedRow::of(fault, &table)));
        }
        let kept = listing.end(report);
        let total: u64 = found.iter().map(|load| load.fault_total).sum();
        report.fault_total += total - kept;
        if self.work.fault_file.is_some() && kept > 0 {
            self.fault_file(source, plan, &mut Aside::Found(found), report);
            if kept < total {
                let message = format!("of {total} faults, {kept} are in the fault file: reading ahead keeps no more");
                report.warnings.push(Warning::new("faults", message));
            }
        }
        total
    }

    fn fault_file(&self, source: &Source, plan: &Plan, aside: &mut Aside<'_>, report: &mut Report) {
        let path = self.work.fault_file.as_deref().unwrap_or(Path::new(FILE));
        let message = match write(path, plan, source, aside) {
            Ok(()) => format!("the rows that cannot go are in {}, with all their values", path.display()),
            Err(message) => message,
        };
        report.warnings.push(Warning::new("faults", message));
    }
}

/// Where faults come from: however many there are, few of them are in memory at once.
enum Aside<'a> {
    /// Reading ahead.
    Found(&'a [read_ahead::LoadPreflight]),
    /// The ledger, of this run.
    Ledger(&'a mut Session, i64),
}

impl Aside<'_> {
    fn of(
        &mut self,
        plan: &Plan,
        load: &str,
        some: &mut dyn FnMut(Vec<QuarantinedRow>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match self {
            Aside::Ledger(session, run) => session.faults(*run, load, some),
            Aside::Found(found) => {
                let table = plan.table_of(load);
                let meant = found.iter().filter(|found| found.load == load).flat_map(|found| &found.faults);
                some(meant.map(|fault| QuarantinedRow::of(fault, &table)).collect())
            }
        }
    }
}

/// What a report says of faults: refused parents with the number of their children, not the children.
#[derive(Default)]
struct Listing {
    shows_values: bool,
    total: u64,
    /// The first ones, by the row that each is about.
    listed: Vec<(u64, FaultRecord)>,
    /// Of each row that was refused because of another: itself and the other. 16 bytes a row.
    children: Vec<(u64, u64)>,
}

impl Listing {
    fn take(&mut self, fault: &QuarantinedRow) {
        self.total += 1;
        let row = |load: &str, at: &str| xxh3_64(format!("{load}\n{at}").as_bytes());
        let own = row(&fault.record.load, &fault.at);
        if let Some((load, at)) = &fault.parent {
            self.children.push((own, row(load, at)));
        }
        if fault.record.reason == Reason::ParentRefused || self.listed.len() >= FAULTS_LISTED {
            return;
        }
        let mut record = FaultRecord { constraint: fault.constraint.clone(), ..fault.record.clone() };
        if self.shows_values && record.rowid.is_none() {
            record.key = Key::read(&fault.at).map(|key| key.to_string());
        }
        self.listed.push((own, record));
    }

    /// Puts them into the report. Gives how many there were.
    fn end(mut self, report: &mut Report) -> u64 {
        let mut counts: HashMap<u64, u64> = self.listed.iter().map(|(row, _)| (*row, 0)).collect();
        for first in first_causes(&mut self.children) {
            counts.entry(first).and_modify(|count| *count += 1);
        }
        report.fault_total += self.total;
        let room = FAULTS_LISTED.saturating_sub(report.faults.len());
        report.faults.extend(self.listed.into_iter().take(room).map(|(row, mut record)| {
            record.children = counts.get(&row).copied().unwrap_or(0);
            record
        }));
        self.total
    }
}

/// For each row that was refused because of another: the one at the beginning, however far up. A circle ends somewhere.
fn first_causes(children: &mut Vec<(u64, u64)>) -> Vec<u64> {
    children.sort_unstable();
    children.dedup_by_key(|(row, _)| *row);
    let mut causes: Vec<Option<u64>> = vec![None; children.len()];
    for first in 0..children.len() {
        let (mut at, mut path) = (first, Vec::new());
        let cause = loop {
            if let Some(known) = causes[at] {
                break known;
            }
            let parent = children[at].1;
            causes[at] = Some(parent);
            path.push(at);
            match children.binary_search_by_key(&parent, |(row, _)| *row) {
                Ok(next) => at = next,
                Err(_) => break parent,
            }
        };
        path.into_iter().for_each(|n| causes[n] = Some(cause));
    }
    causes.into_iter().flatten().collect()
}

/// Writes the fault file anew: one JSON object a row, readable by its owner alone.
fn write(path: &Path, plan: &Plan, source: &Source, aside: &mut Aside<'_>) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("fault file {}: cannot be written; {e}.", path.display());
    let said = |e: Trouble| match e {
        Trouble::File(e) => failed(e),
        Trouble::Source(e) => e.to_string(),
        Trouble::Server(e) => e.to_string(),
    };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device is written to, not replaced.
        let mut out = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        return rows(&mut out, plan, source, aside).map_err(said);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with mode 0600, and in the same folder, so that the rename is one step.
    let file = tempfile::Builder::new().prefix(".migrate-faults").tempfile_in(folder).map_err(failed)?;
    let mut out = std::io::BufWriter::new(file);
    rows(&mut out, plan, source, aside).map_err(said)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

enum Trouble {
    File(std::io::Error),
    Source(SourceError),
    Server(ServerError),
}

impl From<std::io::Error> for Trouble {
    fn from(e: std::io::Error) -> Trouble {
        Trouble::File(e)
    }
}

impl From<SourceError> for Trouble {
    fn from(e: SourceError) -> Trouble {
        Trouble::Source(e)
    }
}

impl From<ServerError> for Trouble {
    fn from(e: ServerError) -> Trouble {
        Trouble::Server(e)
    }
}

fn rows(out: &mut dyn Write, plan: &Plan, source: &Source, aside: &mut Aside<'_>) -> Result<(), Trouble> {
    let reader = source.reader()?;
    for load in &plan.loads {
        let (select, names) = whole(&reader, source, load)?;
        let mut pass = |faults: &[QuarantinedRow], after: Option<Key>| -> Result<Option<Key>, Trouble> {
            let mut wanted: BTreeMap<&str, Vec<&QuarantinedRow>> = BTreeMap::new();
            faults.iter().for_each(|fault| wanted.entry(&fault.at).or_default().push(fault));
            let last = after.clone();
            let mut picking = Picking { load, names: &names, wanted, out, last, failed: None };
            // They come in the order of the source, so that each reading goes on where the one before it ended.
            for after in std::iter::once(after.clone()).chain(after.is_some().then_some(None)) {
                if !picking.wanted.is_empty() {
                    reader.scan(&select, KeyRange { after: after.as_ref(), until: None }, &mut picking)?;
                }
            }
            if let Some(e) = picking.failed {
                return Err(e.into());
            }
            for (at, faults) in std::mem::take(&mut picking.wanted) {
                let line = line(load, Key::read(at).as_ref(), &faults, Value::Null);
                writeln!(picking.out, "{line}")?;
            }
            Ok(picking.last)
        };
        // The faults of one row are neighbours, and stay together.
        let (mut held, mut last) = (Vec::<QuarantinedRow>::new(), None);
        aside.of(plan, &load.name, &mut |some| {
            held.extend(some);
            let at = held.last().map(|fault| fault.at.clone());
            let whole = held.iter().rposition(|fault| Some(&fault.at) != at.as_ref()).map_or(0, |n| n + 1);
            let next = held.split_off(whole);
            let whole = std::mem::replace(&mut held, next);
            if !whole.is_empty() {
                last = pass(&whole, last.take())?;
            }
            Ok(())
        })?;
        if !held.is_empty() {
            pass(&held, last)?;
        }
    }
    Ok(())
}

/// The load's relation with every column that it has, and their names.
fn whole(reader: &Reader, source: &Source, load: &LoadPlan) -> Result<(Select, Vec<String>), SourceError> {
    let names: Vec<String> = match &load.select.relation {
        Relation::Table(table) => {
            let found = source.schema().tables.get(table);
            found.map(|t| t.columns.iter().map(|c| c.name.clone()).collect()).unwrap_or_default()
        }
        Relation::Rows { columns, .. } => columns.clone(),
        Relation::Sql(_) => reader.check(&Select { exprs: Vec::new(), ..load.select.clone() })?,
    };
    let exprs = names.iter().cloned().map(Expr::Column).collect();
    Ok((Select { exprs, ..load.select.clone() }, names))
}

/// Writes the rows that are wanted as they come by.
struct Picking<'p> {
    load: &'p LoadPlan,
    names: &'p [String],
    wanted: BTreeMap<&'p str, Vec<&'p QuarantinedRow>>,
    /// The last row that was found.
    last: Option<Key>,
    out: &'p mut dyn Write,
    failed: Option<std::io::Error>,
}

impl Sink for Picking<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        let key = row.key();
        if let Some(faults) = self.wanted.remove(key.written().as_str()) {
            let cells = self.names.iter().enumerate().map(|(n, name)| (name.clone(), value(row.cell(n))));
            let line = line(self.load, Some(&key), &faults, Value::Object(cells.collect::<Map<_, _>>()));
            if let Err(e) = writeln!(self.out, "{line}") {
                self.failed = Some(e);
                return ControlFlow::Break(());
            }
            self.last = Some(key);
        }
        if self.wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn line(load: &LoadPlan, key: Option<&Key>, faults: &[&QuarantinedRow], row: Value) -> Value {
    let why: Vec<Value> = faults
        .iter()
        .map(|f| {
            let parent = f.parent.as_ref().map(|(load, at)| json!({ "load": load, "key": shown(Key::read(at).as_ref()) }));
            json!({ "column": f.record.column, "reason": f.record.reason, "message": f.record.message, "parent": parent })
        })
        .collect();
    let table = faults.first().map(|f| f.record.table.as_str());
    let mut line = json!({
        "load": load.name, "table": table, "source": load.source, "rowid": key.and_then(Key::as_rowid),
        "key": shown(key), "faults": why, "row": null
    });
    // Not through `json!`, which would copy it.
    line["row"] = row;
    line
}

fn shown(key: Option<&Key>) -> Value {
    key.map_or(Value::Null, |key| key.0.iter().map(RawBuf::as_raw).map(value).collect())
}

/// A value of SQLite: numbers and text as themselves; what JSON cannot hold as an object of class and hexadecimal.
fn value(raw: Raw<'_>) -> Value {
    match raw {
        Raw::Null => Value::Null,
        Raw::Integer(i) => json!(i),
        Raw::Real(r) if r.is_finite() => json!(r),
        Raw::Real(r) => json!({ "real": r.to_string() }),
        Raw::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text),
            Err(_) => of_class("text", bytes),
        },
        Raw::Blob(bytes) => of_class("blob", bytes),
    }
}

fn of_class(class: &str, bytes: &[u8]) -> Value {
    Value::Object(Map::from_iter([(class.to_owned(), Value::from(hex(bytes)))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_count_for_the_row_at_the_beginning_and_a_circle_ends() {
        let mut children: Vec<(u64, u64)> = vec![(3, 2), (2, 1), (5, 4), (4, 5), (6, 4), (7, 1)];
        let causes = first_causes(&mut children);
        let of = |row: u64| children.iter().position(|(child, _)| *child == row).map(|n| causes[n]);
        assert_eq!((of(2), of(3), of(7)), (Some(1), Some(1), Some(1)));
        assert!([Some(4), Some(5)].contains(&of(6)) && of(5).is_some());
        let mut chain: Vec<(u64, u64)> = (1..200_000).map(|n| (n, n - 1)).collect();
        assert!(first_causes(&mut chain).iter().all(|cause| *cause == 0));
    }

    #[test]
    fn every_storage_class_stays_apart_in_the_fault_file() {
        let raws = [
            Raw::Null,
            Raw::Integer(i64::MIN),
            Raw::Real(1.0),
            Raw::Real(f64::INFINITY),
            Raw::Text(b"1"),
            Raw::Text(b"\xff"),
            Raw::Blob(b"\xff"),
        ];
        let shown: Vec<String> = raws.into_iter().map(|raw| value(raw).to_string()).collect();
        let expected = [
            "null",
            "-9223372036854775808",
            "1.0",
            r#"{"real":"inf"}"#,
            r#""1""#,
            r#"{"text":"ff"}"#,
            r#"{"blob":"ff"}"#,
        ];
        assert_eq!(shown, expected);
    }
}
