//! Records what was planned, found and done in the report.

use std::collections::BTreeMap;

use crate::exit::Exit;
use crate::job::Stop;
use crate::migrate::preflight::lost_values;
use crate::migrate::preflight::read_ahead::LoadPreflight;
use crate::migrate::preflight::source_numbers::SourceNumbers;
use crate::model::cell::RawBuf;
use crate::model::fault::Fault;
use crate::model::key::Key;
use crate::model::ledger::{LoadDone, Run, Sums};
use crate::model::record::{
    Activity, DetachedRecord, FAULTS_LISTED, FaultRecord, LeftRecord, LoadRecord, LoadState, LookupRecord, LookupStep,
    LossRecord, NotTable, OwnerRecord, Refusal, Report, StepKind, StepRecord, Warning,
};
use crate::model::rules::Value;
use crate::model::schema::SourceColumn;
use crate::pg::detach::Detached;
use crate::pg::sqlstate;
use crate::plan::{LoadPlan, Node, OwnerPlan, Plan, QueriedTable};
use crate::sqlite::{Source, SourceError};

/// Records the source.
pub fn source(report: &mut Report, source: &Source, path: &str) {
    report.source.path = path.to_owned();
    report.source.bytes = source.facts().bytes;
    report.source.stamp = source.stamp();
    report.warnings.extend(source.warnings().iter().cloned());
}

/// Records everything that stays in the source, with its rows. Rows that cannot be counted are a warning.
pub fn left(report: &mut Report, plan: &Plan, source: &Source) {
    for left in &plan.left {
        let counted = source.reader().and_then(|reader| match &left.column {
            None => reader.count(&left.table),
            Some(column) => reader.count_not_null(&left.table, column),
        });
        let (table, column, reason) = (left.table.clone(), left.column.clone(), left.reason.clone());
        if let Err(error) = &counted {
            let place = format!("leave.{table}{}", column.as_ref().map_or_else(String::new, |c| format!(".{c}")));
            report.warnings.push(unknown(place, "the number of its rows", error));
        }
        report.left.push(LeftRecord { table, column, rows: counted.ok(), reason });
    }
    queried(report, plan, source);
    report.not_tables = plan
        .not_tables
        .iter()
        .map(|(name, kind)| NotTable { name: name.clone(), kind: format!("{kind:?}").to_lowercase() })
        .collect();
}

/// Records the rows of a table that the query of a load leaves out, if no other load reads the table.
fn queried(report: &mut Report, plan: &Plan, source: &Source) {
    for QueriedTable { load, table } in &plan.queried {
        let record = report.loads.iter().find(|record| record.load == *load);
        let read = record.filter(|record| record.state != LoadState::NotEmpty).map(|record| record.read);
        // Without a target, no query is read to its end.
        let Some(read) = read.filter(|_| report.target.is_some()) else { continue };
        match source.reader().and_then(|reader| reader.count(table)) {
            Ok(all) if all > read => {
                let reason = format!("the SQL of load.{load} returns {read} for its {all} rows");
                report.left.push(LeftRecord { table: table.clone(), column: None, rows: Some(all - read), reason });
            }
            Ok(_) => {}
            Err(error) => {
                report.warnings.push(unknown(format!("load.{load}.from"), "the number of rows left out", &error))
            }
        }
    }
}

/// The warning about something that only informs and cannot be computed.
fn unknown(place: String, what: &str, error: &SourceError) -> Warning {
    Warning::new(place, format!("{what} cannot be determined: {error}"))
}

/// Records what the source lost before this run, as warnings.
pub fn lost_before(report: &mut Report, source: &Source, numbers: &SourceNumbers) {
    report.warnings.extend(lost_values::warnings(source.schema(), numbers));
    report.warnings.extend(numbers.unreadable.iter().cloned());
}

/// Records the texts that SQLite does not read as they are stored, as warnings. Tables and columns that stay in the source
/// are not read.
pub fn misread_texts(report: &mut Report, plan: &Plan, source: &Source) {
    for (name, table) in &source.schema().tables {
        let stays = |column: Option<&str>| plan.left.iter().any(|l| l.table == *name && l.column.as_deref() == column);
        if stays(None) {
            continue;
        }
        let columns: Vec<&SourceColumn> = table.columns.iter().filter(|c| !stays(Some(&c.name))).collect();
        let found = source.reader().and_then(|reader| reader.half_surrogates(name, &columns));
        let place = format!("source table `{name}`");
        let unknown = |error| vec![unknown(place, "which of its texts SQLite reads as they are stored", &error)];
        report.warnings.extend(found.unwrap_or_else(unknown));
    }
}

/// The owner of the plan. `key` is `None` until it is known.
pub fn owner(plan: &OwnerPlan, key: Option<String>, made: bool) -> OwnerRecord {
    let shown = |value: &Value| match value {
        Value::Literal(RawBuf::Null) | Value::Null => "NULL".to_owned(),
        Value::Literal(raw) => Key(vec![raw.clone()]).to_string(),
        Value::Env(name) => format!("${name}"),
        other => format!("{other:?}").to_lowercase(),
    };
    let natural: BTreeMap<String, String> =
        plan.natural.iter().map(|column| (column.name.clone(), shown(&column.value))).collect();
    OwnerRecord { table: plan.table.clone(), natural, key, made }
}

/// Records the loads in their order: from the ledger, or from the preflight if there is no run.
pub fn loads(
    report: &mut Report,
    plan: &Plan,
    run: Option<&Run>,
    done: &BTreeMap<String, LoadDone>,
    ahead: &[LoadPreflight],
) {
    for node in &plan.order {
        let Node::Load(n) = node else { continue };
        let load = &plan.loads[*n];
        let found = ahead.iter().find(|f| f.load == load.name);
        let ledger = done.get(&load.name).filter(|d| d.has_batch());
        let mut sums = Sums::default();
        let mut state = LoadState::Planned;
        if let Some(ledger) = ledger {
            ledger.parts.iter().for_each(|part| sums.merge(&part.sums));
            let all = ledger.parts.iter().all(|part| part.done);
            state = if all { LoadState::Loaded } else { LoadState::Partial };
        } else if let Some(found) = found {
            sums = Sums { written: 0, ..found.sums.clone() };
        }
        if load.when_empty && run.is_some_and(|r| r.judged.holding.contains_key(&load.table)) {
            state = LoadState::NotEmpty;
        }
        losses(report, &load.name, &sums);
        lookups(report, load, &sums, ledger.is_some());
        report.loads.push(record(load, plan, &sums, state));
    }
}

fn record(load: &LoadPlan, plan: &Plan, sums: &Sums, state: LoadState) -> LoadRecord {
    LoadRecord {
        load: load.name.clone(),
        source: load.source.clone(),
        target: format!("{}.{}", plan.schema, load.table),
        read: sums.read,
        class: plan.classes.get(&load.table).map_or("", |c| c.word()).to_owned(),
        state,
        written: sums.written,
        faults: sums.faults,
        skipped: sums.skipped,
        lanes: 1,
        started: 0.0,
        seconds: 0.0,
    }
}

/// Records the lookups of a load. Skips a lookup that no row has used yet.
pub fn lookups(report: &mut Report, load: &LoadPlan, sums: &Sums, begun: bool) {
    for (column, plan) in load.lookups() {
        let sum = sums.lookups.iter().find(|sum| sum.column == column.name);
        if sum.is_none() && !begun {
            continue;
        }
        let hits = |n: usize| sum.and_then(|sum| sum.hits.get(n)).copied().unwrap_or(0);
        let steps = plan.steps.iter().enumerate();
        report.lookups.push(LookupRecord {
            load: load.name.clone(),
            column: column.name.clone(),
            steps: steps.map(|(n, step)| LookupStep { target: step.shown(), hits: hits(n) }).collect(),
            ambiguous: sum.map_or(0, |sum| sum.ambiguous),
            missing: sum.map_or(0, |sum| sum.missing),
            set_aside: sum.map_or(0, |sum| sum.set_aside),
            quiet: plan.quiet,
            missing_values: None,
            values: None,
        });
    }
}

/// Records the losses of a load.
pub fn losses(report: &mut Report, load: &str, sums: &Sums) {
    // An empty column counts whole rows, which `existing` lists.
    report.losses.extend(sums.losses.iter().filter(|loss| !loss.column.is_empty()).map(|loss| LossRecord {
        load: load.to_owned(),
        column: loss.column.clone(),
        modifier: loss.modifier.clone(),
        count: loss.count,
        keys: loss.keys.clone(),
    }));
}

/// Records faults. Only the first ones are listed.
pub fn faults(report: &mut Report, plan: &Plan, faults: &[Fault], show_values: bool) {
    for fault in faults {
        if report.faults.len() >= FAULTS_LISTED {
            break;
        }
        let load = plan.loads.iter().find(|l| l.name == fault.load);
        let table = load.map_or_else(String::new, |l| format!("{}.{}", plan.schema, l.table));
        report.faults.push(FaultRecord::of(fault, &table, 0, show_values));
    }
    report.fault_total += faults.len() as u64;
}

/// The objects that were detached.
pub fn detached(detached: &[Detached], schema: &str) -> Vec<DetachedRecord> {
    let record = |d: &Detached| DetachedRecord {
        object: d.object.clone(),
        table: format!("{schema}.{}", d.table),
        back: d.reattached,
    };
    detached.iter().map(record).collect()
}

/// Records the exit.
pub fn end(report: &mut Report, exit: Exit) {
    report.exit = exit.record();
}

/// Records the time of a step, in seconds after the start of the command.
pub fn step(report: &mut Report, step: StepKind, began: f64, ended: f64) {
    report.steps.push(StepRecord { step, started: rounded(began), seconds: rounded(ended - began) });
}

/// The reason of a stop, with what is written and what the same command will do.
pub fn stop(stop: &Stop, report: &Report, written: bool) -> Refusal {
    let place = match stop {
        Stop::Source(_) => "source",
        Stop::Interrupted => "run",
        _ => "target",
    };
    let known = match stop {
        Stop::Target(e) => e.advice.as_ref().map(|advice| format!("{advice} ")),
        _ => None,
    };
    let remedy = match stop {
        _ if known.is_some() => known.as_deref().unwrap_or_default(),
        Stop::Target(e) if e.is_reattach_refused_by_rows() => {
            "A loaded row violates it: run `migrate rollback --yes`, then the same command with `--detach never`, which names \
             the row. "
        }
        Stop::Target(e) => match e.state.as_deref() {
            Some(sqlstate::INSUFFICIENT_PRIVILEGE) => "Give the role its rights back. ",
            Some(sqlstate::DISK_FULL) => "Free space on the target's disk. ",
            Some(sqlstate::OUT_OF_MEMORY) => "Give the target's server memory, or use a smaller --batch-bytes. ",
            Some(sqlstate::TOO_MANY_CONNECTIONS) => {
                "Let the target's server take more connections, or use a smaller --jobs. "
            }
            Some(state)
                if state.starts_with(sqlstate::CLASS_CONNECTION)
                    || state.starts_with(sqlstate::CLASS_OPERATOR_INTERVENTION) =>
            {
                ""
            }
            Some(_) => "Fix the cause. ",
            None => "",
        },
        Stop::Source(_) => "Fix the cause. ",
        _ => "",
    };
    let rows: u64 = report.loads.iter().map(|load| load.written).sum();
    let can_resume = !matches!(stop, Stop::Target(e) if e.is_reattach_refused_by_rows());
    let state = match (written, report.loads.is_empty()) {
        (false, _) => "Nothing was written.".to_owned(),
        (true, _) if report.activity() == Activity::Rehearsal => "The rehearsal's tables are removed.".to_owned(),
        (true, false) if !can_resume => format!("{rows} rows are written, in whole batches that the ledger records."),
        (true, true) => {
            "Committed batches are whole and recorded in the ledger, which cannot be read now. The same command resumes the run."
                .to_owned()
        }
        (true, false) => {
            format!("{rows} rows are written, in whole batches that the ledger records. The same command resumes after them.")
        }
    };
    Refusal::new(place, stop.to_string(), format!("{remedy}{state}"))
}

/// Rounds to milliseconds, the unit of a report.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
