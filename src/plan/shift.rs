//! `ids = "shift"`: the keys to which one number is added, and the columns that refer to them.
//!
//! A run chooses the numbers when it begins; the plan only marks the columns.

use crate::mapping::{Load, Mapping};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::Kind;
use crate::model::schema::{TargetSchema, TargetTable};

use super::{Feed, LoadPlan, PlanFindings};

/// A table whose integer key is shifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shifted {
    /// The table.
    pub table: String,
    /// Its key.
    pub column: String,
}

/// Marks each column of each load with the table whose shift it gets, and returns the shifted tables.
pub(super) fn shifts(
    mapping: &Mapping,
    loads: &mut [LoadPlan],
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> Vec<Shifted> {
    let mut found: Vec<Shifted> = Vec::new();
    for load in mapping.loads.iter().filter(|load| load.shift) {
        let plan = loads.iter().find(|plan| plan.name == load.name);
        let (Some(table), Some(plan)) = (target.tables.get(&load.to), plan) else { continue };
        match key(table, plan) {
            Ok(column) => {
                let shifted = Shifted { table: load.to.clone(), column };
                if !found.contains(&shifted) {
                    found.push(shifted);
                }
            }
            Err(reason) => findings.refuse(format!("load.{}.ids", load.name), reason, "Remove `ids = \"shift\"`."),
        }
    }
    for plan in loads {
        let Some(load) = mapping.loads.iter().find(|load| load.name == plan.name) else { continue };
        if !target.tables.contains_key(&plan.table) {
            continue;
        }
        refers(load, plan, target, findings);
        for shifted in &found {
            mark(load, plan, shifted, target, findings);
        }
    }
    found
}

/// Returns the integer key of a load, which must be fed by the source.
fn key(table: &TargetTable, plan: &LoadPlan) -> Result<String, String> {
    let primary = table.unique.iter().find(|u| u.primary).map(|u| u.columns.as_slice());
    let Some([column]) = primary else {
        return Err(format!("`{}` has no primary key of one column", plan.table));
    };
    let planned = plan.columns.iter().find(|c| c.name == *column);
    match planned {
        Some(planned) if !matches!(planned.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8) => {
            Err(format!("the key `{column}` is {}, not an integer", planned.kind.shown()))
        }
        Some(planned) if matches!(planned.feed, Feed::Cell(_)) => Ok(column.clone()),
        _ => Err(format!("the key `{column}` is not fed by the source, so there is nothing to shift")),
    }
}

/// Marks the columns of a load that get this table's shift: its key, and columns that refer to the key.
fn mark(load: &Load, plan: &mut LoadPlan, shifted: &Shifted, target: &TargetSchema, findings: &mut PlanFindings) {
    let Some(table) = target.tables.get(&plan.table) else { return };
    let Shifted { table: parent, column: key } = shifted;
    let place = plan.place();
    for column in &mut plan.columns {
        let is_key = load.to == *parent && column.name == *key;
        let by_key = table.foreign.iter().any(|foreign| {
            let pairs = foreign.columns.iter().zip(&foreign.parent_columns);
            let here = foreign.parent == *parent && foreign.parent_schema == target.schema;
            here && pairs.into_iter().any(|(child, of)| *child == column.name && of == key)
        });
        let said = load.columns.iter().find(|(name, _)| *name == column.name).and_then(|(_, c)| c.refers.as_ref());
        if !(is_key || by_key || said == Some(parent)) || !matches!(column.feed, Feed::Cell(_)) {
            continue;
        }
        if is_key && !load.shift {
            findings.refuse(
                format!("{place}.ids"),
                format!("another load shifts the ids of `{parent}`, but this load does not"),
                "Write `ids = \"shift\"` in both: one number is added to all ids of a table.",
            );
        }
        if !matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8) {
            findings.refuse(
                format!("{place}.columns.{}", column.name),
                format!("refers to `{parent}`, whose ids are shifted, and is {}, not an integer", column.kind.shown()),
                "Remove `refers`, or feed it by a lookup.",
            );
        }
        column.shift = Some(parent.clone());
    }
}

/// Refuses a `refers` to an unknown table, or for a column that the source does not feed.
fn refers(load: &Load, plan: &LoadPlan, target: &TargetSchema, findings: &mut PlanFindings) {
    for (name, column) in &load.columns {
        let Some(refers) = &column.refers else { continue };
        let place = format!("load.{}.columns.{name}.refers", load.name);
        if !target.tables.contains_key(refers) {
            let hint = did_you_mean(refers, target.tables.keys().map(String::as_str));
            findings.refuse(
                place,
                format!("the target has no table `{refers}`"),
                format!("{hint}Write the name of the table to which these ids belong."),
            );
        } else if plan.columns.iter().any(|c| c.name == *name && !matches!(c.feed, Feed::Cell(_))) {
            findings.refuse(place, "is written for a column that the source does not feed", "Remove it.");
        }
    }
}
