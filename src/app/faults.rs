//! The rows that were set aside: into the report, and with all their values into the fault file.
//!
//! Both are derived, from the ledger's faults and the source, anew at each stop and end. The file alone holds values.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::migrate::ahead;
use crate::model::aside::SetAside;
use crate::model::cell::{Raw, RawBuf};
use crate::model::fault::Reason;
use crate::model::key::{Key, hex};
use crate::model::record::{FAULTS_LISTED, Report, Warning};
use crate::model::select::{Expr, Relation, Row, Select, Sink};
use crate::plan::{LoadPlan, Plan};
use crate::source::{Reader, Source, SourceError};
use crate::target::{ServerError, Session};

use super::cutover::Way;

/// The fault file, where nobody names another.
pub const FILE: &str = "migrate-faults.ndjson";

impl Way<'_> {
    /// The ledger's faults into the report and, where rows are moved, into the fault file. A file that cannot be written
    /// takes nothing from what was done: the ledger has the faults.
    pub(super) fn set_aside(&self, source: &Source, plan: &Plan, aside: &[SetAside], report: &mut Report) {
        self::report(report, aside, self.common.show_values);
        if self.manner.writes() {
            self.fault_file(source, plan, aside, report);
        }
    }

    /// What reading ahead found at fault, into the report; values are written down only where a file for them was named.
    /// Gives their number.
    pub(super) fn found(&self, source: &Source, plan: &Plan, found: &[ahead::Found], report: &mut Report) -> u64 {
        let aside: Vec<SetAside> = found
            .iter()
            .flat_map(|load| load.faults.iter().map(|fault| (fault, plan.table_of(&load.load))))
            .map(|(fault, table)| SetAside::of(fault, &table))
            .collect();
        self::report(report, &aside, self.common.show_values);
        let total: u64 = found.iter().map(|load| load.fault_total).sum();
        report.fault_total += total - aside.len() as u64;
        if self.work.fault_file.is_some() {
            self.fault_file(source, plan, &aside, report);
        }
        total
    }

    fn fault_file(&self, source: &Source, plan: &Plan, aside: &[SetAside], report: &mut Report) {
        let path = self.work.fault_file.as_deref().unwrap_or(Path::new(FILE));
        if let Err(message) = write(report, path, plan, source, aside) {
            report.warnings.push(Warning { place: "faults".to_owned(), message });
        }
    }
}

/// All faults that the ledger holds of a run, in the order of their batches.
///
/// # Errors
/// When the server refuses, the connection is lost, or a fault there is none of this tool's.
pub fn of_run(session: &mut Session, run: i64) -> Result<Vec<SetAside>, ServerError> {
    let read = |text: &String| {
        serde_json::from_str(text).map_err(|e| ServerError::said("reading the ledger", format!("fault.fault: {e}")))
    };
    session.faults(run)?.iter().map(read).collect()
}

/// Puts them into the report: refused parents with the number of their children, not the children.
pub fn report(report: &mut Report, aside: &[SetAside], show_values: bool) {
    let children = children(aside);
    report.fault_total += aside.len() as u64;
    for fault in aside.iter().filter(|f| f.record.reason != Reason::ParentRefused) {
        if report.faults.len() >= FAULTS_LISTED {
            break;
        }
        let mut record = fault.record.clone();
        record.children = children.get(&(record.load.as_str(), fault.at.as_str())).copied().unwrap_or(0);
        if show_values && record.rowid.is_none() {
            record.key = Key::read(&fault.at).map(|key| key.to_string());
        }
        report.faults.push(record);
    }
}

/// For each refused row, by load and place, how many rows were refused because of it, however far down.
fn children(aside: &[SetAside]) -> HashMap<(&str, &str), u64> {
    let parents: HashMap<(&str, &str), (&str, &str)> = aside
        .iter()
        .filter_map(|f| {
            let (load, at) = f.parent.as_ref()?;
            Some(((f.record.load.as_str(), f.at.as_str()), (load.as_str(), at.as_str())))
        })
        .collect();
    let mut counts = HashMap::new();
    for child in parents.keys() {
        let mut at = *child;
        // A chain is no longer than there are rows; a circle of references ends there too.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) => at = *parent,
                None => break,
            }
        }
        *counts.entry(at).or_insert(0) += 1;
    }
    counts
}

/// Writes the fault file anew, if there is a fault: one JSON object a row, readable by its owner alone. Says so in the
/// report.
///
/// # Errors
/// What kept it from being written.
pub fn write(report: &mut Report, path: &Path, plan: &Plan, source: &Source, aside: &[SetAside]) -> Result<(), String> {
    if aside.is_empty() {
        return Ok(());
    }
    let failed = |e: std::io::Error| format!("fault file {}: cannot be written; {e}.", path.display());
    let said = |e: Trouble| match e {
        Trouble::File(e) => failed(e),
        Trouble::Source(e) => e.to_string(),
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
    report.warnings.push(Warning {
        place: "faults".to_owned(),
        message: format!("the rows that cannot go are in {}, with all their values", path.display()),
    });
    Ok(())
}

enum Trouble {
    File(std::io::Error),
    Source(SourceError),
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

fn rows(out: &mut dyn Write, plan: &Plan, source: &Source, aside: &[SetAside]) -> Result<(), Trouble> {
    let mut by_load: BTreeMap<&str, BTreeMap<&str, Vec<&SetAside>>> = BTreeMap::new();
    for fault in aside {
        by_load.entry(&fault.record.load).or_default().entry(&fault.at).or_default().push(fault);
    }
    let reader = source.reader()?;
    for load in &plan.loads {
        let Some(wanted) = by_load.remove(load.name.as_str()) else { continue };
        let (select, names) = whole(&reader, source, load)?;
        let mut picking = Picking { load, names: &names, wanted, out, failed: None };
        reader.scan(&select, None, None, &mut picking)?;
        if let Some(e) = picking.failed {
            return Err(e.into());
        }
        for (at, faults) in std::mem::take(&mut picking.wanted) {
            let line = line(load, Key::read(at).as_ref(), &faults, Value::Null);
            writeln!(picking.out, "{line}")?;
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
    wanted: BTreeMap<&'p str, Vec<&'p SetAside>>,
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
        }
        if self.wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn line(load: &LoadPlan, key: Option<&Key>, faults: &[&SetAside], row: Value) -> Value {
    let why: Vec<Value> = faults
        .iter()
        .map(|f| {
            let parent = f.parent.as_ref().map(|(load, at)| json!({ "load": load, "key": shown(Key::read(at).as_ref()) }));
            json!({ "column": f.record.column, "reason": f.record.reason, "message": f.record.message, "parent": parent })
        })
        .collect();
    let table = faults.first().map(|f| f.record.table.as_str());
    json!({
        "load": load.name, "table": table, "source": load.source, "rowid": key.and_then(Key::as_rowid),
        "key": shown(key), "faults": why, "row": row
    })
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
            Ok(text) => json!(text),
            Err(_) => json!({ "text": hex(bytes) }),
        },
        Raw::Blob(bytes) => json!({ "blob": hex(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
