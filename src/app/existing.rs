//! Rows that the target held before the run, as the report lists them, and rows of the source that stayed there because of them.

use crate::model::fault::Loss;
use crate::model::key::KeyRange;
use crate::model::ledger::{Run, Sums};
use crate::model::record::{HeldRecord, LeftRecord, Report, Warning};
use crate::model::select::{CONTINUE, Relation, Select};
use crate::plan::{LoadPlan, Plan, Treatment};
use crate::sqlite::{Source, SourceError};

/// The plan and the rows of its loads, as far as they are known.
pub struct CountedLoads<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The source.
    pub source: &'a Source,
    /// Returns the sums of a load.
    pub sums: &'a dyn Fn(&str) -> Option<Sums>,
}

impl CountedLoads<'_> {
    fn held(&self, table: &str, rows: u64, treatment: Treatment) -> HeldRecord {
        let mut all = Sums::default();
        for load in self.plan.loads.iter().filter(|load| load.table == table) {
            (self.sums)(&load.name).iter().for_each(|sums| all.merge(sums));
        }
        let whole = |loss: Loss| {
            let rows = all.losses.iter().filter(|l| l.column.is_empty() && l.modifier == loss.word());
            rows.map(|l| l.count).sum::<u64>()
        };
        let (kept, over) = (whole(Loss::Kept), whole(Loss::WrittenOver));
        let is_compared = matches!(treatment, Treatment::Match | Treatment::Skip);
        HeldRecord {
            table: format!("{}.{table}", self.plan.schema),
            rows,
            treatment: treatment.word().to_owned(),
            equal: is_compared.then(|| all.skipped.saturating_sub(kept + over)),
            kept: is_compared.then_some(kept),
            written_over: is_compared.then_some(over),
        }
    }
}

/// Records each loaded table that held rows, and each load that left its rows in the source because of them.
pub fn record(report: &mut Report, run: Option<&Run>, counted: &CountedLoads<'_>) {
    let CountedLoads { plan, source, .. } = *counted;
    let record = |table: &str, rows: u64, treatment: Treatment| counted.held(table, rows, treatment);
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
