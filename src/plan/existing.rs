//! Rows that the target's tables hold before the run, and the treatment that the mapping states for each table.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::mapping::{Load, Mapping};
use crate::model::rules::Existing;
use crate::model::schema::TargetSchema;

use super::{Context, PlanFindings};

/// A table that holds rows before the run and to which loads write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldTable {
    /// The table.
    pub table: String,
    /// The number of its rows.
    pub rows: u64,
    /// The treatment of these rows.
    pub treatment: Treatment,
}

/// The treatment of a table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// They stay next to the new rows.
    Append,
    /// They are removed and kept in the ledger.
    Replace,
    /// A row of the source with the same natural key is the same row.
    Match,
    /// They stay, and rows of the source whose key exists are skipped.
    Skip,
    /// They stay, and no row is loaded.
    Leave,
}

impl Treatment {
    /// Returns the word of the plan and the report.
    pub fn word(self) -> &'static str {
        match self {
            Treatment::Append => "append",
            Treatment::Replace => "replace",
            Treatment::Match => "match",
            Treatment::Skip => "skip",
            Treatment::Leave => "leave",
        }
    }
}

/// Returns a load with the treatment of `[defaults]`, unless the load states what becomes of existing rows.
pub(super) fn with_default(load: Load, mapping: &Mapping) -> Load {
    let states_it = load.existing.is_some() || load.conflict.is_some() || load.when_empty;
    if states_it { load } else { Load { existing: mapping.defaults.existing.clone(), ..load } }
}

/// Returns the loaded tables that hold rows. Refuses tables for which the mapping states no treatment, or two.
pub(super) fn held(context: Context<'_>, findings: &mut PlanFindings) -> Vec<HeldTable> {
    let Context { mapping, inputs, target } = context;
    let mut loads: BTreeMap<&str, Vec<&Load>> = BTreeMap::new();
    for load in mapping.loads.iter().filter(|load| target.tables.contains_key(&load.to)) {
        contradictions(load, mapping, findings);
        loads.entry(&load.to).or_default().push(load);
    }
    let (mut held, mut unstated) = (Vec::new(), Vec::new());
    for (table, loads) in loads.iter().filter(|(table, _)| target.tables.get(**table).is_some_and(|t| t.has_rows)) {
        let rows = inputs.held.get(*table).copied().unwrap_or(0);
        match treatment(loads) {
            Some(Ok(treatment)) => held.push(HeldTable { table: (*table).to_owned(), rows, treatment }),
            Some(Err(name)) => findings.refuse(
                format!("load.{name}.existing"),
                format!("another load states another treatment of the rows that `{table}` holds"),
                "Write the same `existing` in both.",
            ),
            None => unstated.push(UnstatedTable { load: &loads[0].name, table, rows }),
        }
    }
    refuse_unstated(&unstated, target, findings);
    held
}

/// Marks the tables whose rows are removed as empty: that is how the loads find them.
pub fn empty_replaced(target: &mut TargetSchema, held: &[HeldTable]) {
    for table in held.iter().filter(|held| held.treatment == Treatment::Replace) {
        if let Some(facts) = target.tables.get_mut(&table.table) {
            facts.has_rows = false;
        }
    }
}

/// Returns the treatment that these loads of one table state together. `Err`: the load that contradicts an earlier one.
/// `None`: a load states nothing.
fn treatment(loads: &[&Load]) -> Option<Result<Treatment, String>> {
    let mut stated: Option<(&Existing, Treatment)> = None;
    for load in loads {
        let Some(existing) = &load.existing else { continue };
        let word = match existing {
            Existing::Append => Treatment::Append,
            Existing::Replace => Treatment::Replace,
            Existing::Match { .. } => Treatment::Match,
        };
        if stated.is_some_and(|(earlier, _)| earlier != existing) {
            return Some(Err(load.name.clone()));
        }
        stated = Some((existing, word));
    }
    if let Some((_, treatment)) = stated {
        return Some(Ok(treatment));
    }
    if loads.iter().any(|load| load.conflict.is_none() && !load.when_empty) {
        return None;
    }
    let skips = loads.iter().any(|load| !load.when_empty);
    Some(Ok(if skips { Treatment::Skip } else { Treatment::Leave }))
}

/// Refuses a treatment that another key of the load, or the owner's table, contradicts.
fn contradictions(load: &Load, mapping: &Mapping, findings: &mut PlanFindings) {
    let place = format!("load.{}.existing", load.name);
    let Some(existing) = load.existing.as_ref().filter(|existing| **existing != Existing::Append) else { return };
    if load.when_empty {
        findings.refuse(
            &place,
            format!("is \"{}\", and the load runs only if the table is empty", existing.word()),
            "Remove `existing` or `when`.",
        );
    }
    let is_owners = mapping.owner.as_ref().is_some_and(|owner| owner.table == load.to);
    if is_owners && *existing == Existing::Replace {
        findings.refuse(
            place,
            format!("would remove owners: `{}` is the owner's table", load.to),
            "Write `existing = \"match\"`: owners with the same natural key keep their rows.",
        );
    }
}

/// A table that holds rows and for which no load states a treatment.
struct UnstatedTable<'m> {
    load: &'m str,
    table: &'m str,
    rows: u64,
}

fn refuse_unstated(tables: &[UnstatedTable<'_>], target: &TargetSchema, findings: &mut PlanFindings) {
    const CHOICES: &str = "`existing = \"append\"` keeps these rows next to the new ones, `\"replace\"` removes them and keeps \
                           them in the ledger for a rollback, `\"match\"` treats rows with the same natural key as one row.";
    let rows = |n: u64| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
    match tables {
        [] => {}
        [one] => findings.refuse(
            format!("load.{}", one.load),
            format!("{}.{} has rows: {}", target.schema, one.table, rows(one.rows)),
            format!("Write one of three choices in the load: {CHOICES}"),
        ),
        several => {
            let listed: Vec<String> =
                several.iter().map(|held| format!("{} ({})", held.table, rows(held.rows))).collect();
            findings.refuse(
                "load",
                format!("{} tables of schema {} have rows: {}", several.len(), target.schema, listed.join(", ")),
                format!("Write one of three choices in each load, or in [defaults] for all: {CHOICES}"),
            );
        }
    }
}
