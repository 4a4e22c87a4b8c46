//! Faulty rows: in the report, and with all their values in the fault file.
//!
//! Both are derived from the ledger's faults and the source, anew at each stop and end. Only the file contains values.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::migrate::preflight::read_ahead;
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::{ColumnFacts, Fault, Reason};
use crate::model::hex::hex;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::Run;
use crate::model::quarantine::QuarantinedRow;
use crate::model::record::{FAULTS_LISTED, FaultRecord, Report, Warning, WarningKind};
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, Plan};
use crate::private::{self, Draft, FinalMode};
use crate::sqlite::{Reader, Source, SourceError};

use super::session::{Migration, Planned};

/// Default of `--fault-file`.
const FILE: &str = "migrate-faults.ndjson";

/// Adds the ledger's faults to the report and, if the command writes, to the fault file. A fault file that cannot be written
/// is a warning, because the ledger has the faults.
///
/// # Errors
/// If the ledger cannot be read.
pub fn quarantined(
    m: &Migration<'_>,
    session: &mut Session,
    Planned { source, plan, .. }: Planned<'_>,
    run: &Run,
    report: &mut Report,
) -> Result<(), ServerError> {
    let mut listing = Listing { shows_values: m.shows_values(), ..Listing::default() };
    let faulty = session.loads_with_faults(run.id)?;
    for load in plan.loads.iter().filter(|load| faulty.contains(&load.name)) {
        session.faults::<ServerError>(run.id, &load.name, &mut |some| {
            some.iter().for_each(|fault| listing.take(fault));
            Ok(())
        })?;
    }
    let total = listing.end(report);
    if m.activity().writes() && total > 0 {
        report.warnings.push(rewrite(m, source, plan, &mut FaultSource::Ledger(session, run.id)));
    }
    Ok(())
}

/// Adds the faults that the preflight found to the report. Writes the fault file only if one was named. Returns the number
/// of faults.
pub fn preflight_faults(
    m: &Migration<'_>,
    Planned { source, plan, .. }: Planned<'_>,
    found: &[read_ahead::LoadPreflight],
    report: &mut Report,
) -> u64 {
    let mut listing = Listing { shows_values: m.shows_values(), ..Listing::default() };
    for load in found {
        let table = plan.table_of(&load.load);
        let lost = load.lost_columns();
        for fault in &load.faults {
            let all_at_fault = fault.column.as_deref().is_some_and(|column| lost.contains(column));
            let facts = ColumnFacts { all_at_fault, ..fault.facts };
            listing.take(&QuarantinedRow::of(&Fault { facts, ..fault.clone() }, &table));
        }
    }
    let kept = listing.end(report);
    let total: u64 = found.iter().map(|load| load.fault_total).sum();
    report.fault_total += total - kept;
    if m.work().fault_file.is_some() && kept > 0 {
        let written = rewrite(m, source, plan, &mut FaultSource::Preflight(found));
        let kind = if kept < total { WarningKind::Note } else { written.kind };
        report.warnings.push(Warning { kind, ..written });
        if kept < total {
            let message = format!("the fault file has {kept} of {total} faults: the preflight keeps no more");
            report.warnings.push(Warning::new("faults", message));
        }
    }
    total
}

/// Writes the fault file anew. Returns the line of the report about it.
fn rewrite(m: &Migration<'_>, source: &Source, plan: &Plan, faults: &mut FaultSource<'_>) -> Warning {
    let named = m.work().fault_file.as_deref();
    let (path, place) = (named.unwrap_or(Path::new(FILE)), if named.is_some() { Place::Named } else { Place::Usual });
    match write(path, place, faults, &mut |out, faults| rows(out, plan, source, faults)) {
        Ok(()) => {
            let message = format!("the rows that cannot be loaded are in {}, with all their values", path.display());
            Warning { kind: WarningKind::FaultFile, ..Warning::new("faults", message) }
        }
        Err(message) => Warning::new("faults", message),
    }
}

/// A source of faults. Only a few faults are in memory at once.
enum FaultSource<'a> {
    /// The preflight.
    Preflight(&'a [read_ahead::LoadPreflight]),
    /// The ledger, and the id of the run.
    Ledger(&'a mut Session, i64),
}

impl FaultSource<'_> {
    /// Passes the faults of a load to `some`, some at a time.
    fn of(
        &mut self,
        plan: &Plan,
        load: &str,
        some: &mut dyn FnMut(Vec<QuarantinedRow>) -> Result<(), FileFailure>,
    ) -> Result<(), FileFailure> {
        match self {
            FaultSource::Ledger(session, run) => session.faults(*run, load, some),
            FaultSource::Preflight(found) => {
                let table = plan.table_of(load);
                let meant = found.iter().filter(|found| found.load == load).flat_map(|found| &found.faults);
                some(meant.map(|fault| QuarantinedRow::of(fault, &table)).collect())
            }
        }
    }
}

/// The faults that a report lists. A refused parent is listed with the number of its children, without the children.
#[derive(Default)]
struct Listing {
    shows_values: bool,
    total: u64,
    /// The first faults, each with the hash of its row.
    listed: Vec<(u64, FaultRecord)>,
    /// For each row that was refused because of its parent: the hashes of the row and of the parent. 16 bytes a row.
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

    /// Adds the faults to the report. Returns their number.
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

/// For each row that was refused because of its parent: the first cause, however far up. In a circle, any row of it.
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

/// The way in which the fault file's path was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The default name. Another user may have prepared what is there.
    Usual,
    /// By `--fault-file`.
    Named,
}

/// The first part of the name of an incomplete fault file.
const DRAFT: &str = ".migrate-faults-";

/// Writes the fault file anew: one JSON object per row. Only its owner can read it.
///
/// A plain file of this user is replaced. A pipe or a device is written only if it was named and belongs to this user. Nothing
/// else is opened: a link or a pipe under the default name may be another user's, who waits for the rows.
fn write(
    path: &Path,
    place: Place,
    faults: &mut FaultSource<'_>,
    rows: &mut dyn FnMut(&mut dyn Write, &mut FaultSource<'_>) -> Result<(), FileFailure>,
) -> Result<(), String> {
    let failed = |e: std::io::Error| {
        format!("fault file {}: cannot be written; {e}. Name another file with --fault-file", path.display())
    };
    let said = |e: FileFailure| match e {
        FileFailure::File(e) => failed(e),
        FileFailure::Source(e) => e.to_string(),
        FileFailure::Server(e) => e.to_string(),
    };
    if place == Place::Named && std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let mut out = private::open_own_for_writing(path).map_err(failed)?;
        return rows(&mut out, faults).map_err(said);
    }
    private::replaceable(path).map_err(failed)?;
    private::remove_drafts(path, DRAFT);
    // In the same folder, so that the rename is atomic.
    let mut draft = Draft::next_to(path, DRAFT).map_err(failed)?;
    let mut out = std::io::BufWriter::new(draft.file().map_err(failed)?);
    rows(&mut out, faults).map_err(said)?;
    out.flush().map_err(failed)?;
    drop(out);
    draft.persist(path, FinalMode::Private).map_err(failed)
}

/// The reason why the fault file could not be written.
enum FileFailure {
    File(std::io::Error),
    Source(SourceError),
    Server(ServerError),
}

impl From<std::io::Error> for FileFailure {
    fn from(e: std::io::Error) -> FileFailure {
        FileFailure::File(e)
    }
}

impl From<SourceError> for FileFailure {
    fn from(e: SourceError) -> FileFailure {
        FileFailure::Source(e)
    }
}

impl From<ServerError> for FileFailure {
    fn from(e: ServerError) -> FileFailure {
        FileFailure::Server(e)
    }
}

fn rows(out: &mut dyn Write, plan: &Plan, source: &Source, faults: &mut FaultSource<'_>) -> Result<(), FileFailure> {
    let reader = source.reader()?;
    for load in &plan.loads {
        let (select, names) = whole(&reader, source, load)?;
        let mut pass = |faults: &[QuarantinedRow], after: Option<Key>| -> Result<Option<Key>, FileFailure> {
            let mut wanted: BTreeMap<&str, Vec<&QuarantinedRow>> = BTreeMap::new();
            faults.iter().for_each(|fault| wanted.entry(&fault.at).or_default().push(fault));
            let last = after.clone();
            let mut picking = Picking { load, names: &names, wanted, out, last, failed: None };
            // Faults are in the order of the source, so each scan starts where the previous one ended.
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
        // The faults of one row are adjacent, and must stay together.
        let (mut held, mut last) = (Vec::<QuarantinedRow>::new(), None);
        faults.of(plan, &load.name, &mut |some| {
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

/// The relation of the load with all its columns, and their names.
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

/// Writes the wanted rows of a scan.
struct Picking<'p> {
    load: &'p LoadPlan,
    names: &'p [String],
    wanted: BTreeMap<&'p str, Vec<&'p QuarantinedRow>>,
    /// The last row that was written.
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
    // `json!` would copy it.
    line["row"] = row;
    line
}

fn shown(key: Option<&Key>) -> Value {
    key.map_or(Value::Null, |key| key.0.iter().map(RawBuf::as_raw).map(value).collect())
}

/// A value of SQLite in JSON. A value that JSON cannot represent becomes an object of its class and its hexadecimal bytes.
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
    fn children_count_for_their_first_cause_and_a_circle_ends() {
        let mut children: Vec<(u64, u64)> = vec![(3, 2), (2, 1), (5, 4), (4, 5), (6, 4), (7, 1)];
        let causes = first_causes(&mut children);
        let of = |row: u64| children.iter().position(|(child, _)| *child == row).map(|n| causes[n]);
        assert_eq!((of(2), of(3), of(7)), (Some(1), Some(1), Some(1)));
        assert!([Some(4), Some(5)].contains(&of(6)) && of(5).is_some());
        let mut chain: Vec<(u64, u64)> = (1..200_000).map(|n| (n, n - 1)).collect();
        assert!(first_causes(&mut chain).iter().all(|cause| *cause == 0));
    }

    #[test]
    fn the_fault_file_keeps_every_storage_class_apart() {
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
