//! Rows that the target held before the run, as the report lists them, and rows of the source that stayed there because of them.

use crate::model::key::KeyRange;
use crate::model::ledger::Run;
use crate::model::record::{HeldRecord, LeftRecord, Report, Warning};
use crate::model::select::{CONTINUE, Relation, Select};
use crate::plan::{LoadPlan, Plan, Treatment};
use crate::sqlite::{Source, SourceError};

/// Records each loaded table that held rows, and each load that left its rows in the source because of them.
pub fn record(report: &mut Report, plan: &Plan, run: Option<&Run>, source: &Source) {
    let record = |table: &str, rows: u64, treatment: Treatment| HeldRecord {
        table: format!("{}.{table}", plan.schema),
        rows,
        treatment: treatment.word().to_owned(),
        equal: None,
        kept: None,
        written_over: None,
    };
    report.existing = plan.held.iter().map(|held| record(&held.table, held.rows, held.treatment)).collect();
    // A resumed run finds the replaced tables empty.
    for (table, rows) in run.iter().flat_map(|run| &run.judged.replaced) {
        if !plan.held.iter().any(|held| held.table == *table) {
            report.existing.push(record(table, *rows, Treatment::Replace));
        }
    }
    for load in plan.loads.iter().filter(|load| load.when_empty) {
        let Some(held) = plan.held.iter().find(|held| held.table == load.table) else { continue };
        let counted = count(load, source);
        if let Err(error) = &counted {
            let message = format!("the number of its rows cannot be determined: {error}");
            report.warnings.push(Warning::new(load.place(), message));
        }
        let rows = if held.rows == 1 { "1 row".to_owned() } else { format!("{} rows", held.rows) };
        let reason = format!("load.{} writes only into an empty table; {} holds {rows}", load.name, load.table);
        report.left.push(LeftRecord { table: source_name(load), column: None, rows: counted.ok(), reason });
    }
}

/// Returns the source table of a load, or the load's name if its rows come from elsewhere.
fn source_name(load: &LoadPlan) -> String {
    match &load.select.relation {
        Relation::Table(table) => table.clone(),
        Relation::Sql(_) | Relation::Rows { .. } => load.name.clone(),
    }
}

/// Counts the rows that a load would read.
fn count(load: &LoadPlan, source: &Source) -> Result<u64, SourceError> {
    let reader = source.reader()?;
    if let Relation::Table(table) = &load.select.relation {
        return reader.count(table);
    }
    let select = Select { exprs: Vec::new(), ..load.select.clone() };
    let mut rows = 0;
    reader.each(&select, KeyRange::ALL, |_| {
        rows += 1;
        CONTINUE
    })?;
    Ok(rows)
}
