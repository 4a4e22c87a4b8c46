//! `ids = "shift"`: which keys get one number added to them, and which columns follow.
//!
//! The numbers themselves are chosen when a run begins; here only stands where they go.

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

/// Notes at every column of every load whose shift it gets, and gives the tables that are shifted.
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
            Err(reason) => findings.refuse(format!("load.{}.ids", load.name), reason, "Take `ids = \"shift\"` away."),
        }
    }
    for plan in loads {
        let Some(load) = mapping.loads.iter().find(|load| load.name == plan.name) else { continue };
        let Some(table) = target.tables.get(&plan.table) else { continue };
        refers(load, plan, target, findings);
        for shifted in &found {
            mark(load, plan, table, (shifted, target), findings);
        }
    }
    found
}

/// The integer key of a load that the source feeds.
fn key(table: &TargetTable, plan: &LoadPlan) -> Result<String, String> {
    let primary = table.unique.iter().find(|u| u.primary).map(|u| u.columns.as_slice());
    let Some([column]) = primary else {
        return Err(format!("`{}` has no primary key of one column", plan.table));
    };
    let planned = plan.columns.iter().find(|c| c.name == *column);
    match planned {
        Some(planned) if !matches!(planned.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8) => {
            Err(format!("the key `{column}` is {}, no integer", planned.kind.shown()))
        }
        Some(planned) if matches!(planned.feed, Feed::Cell(_)) => Ok(column.clone()),
        _ => Err(format!("the key `{column}` is not fed by the source, so there is nothing to shift")),
    }
}

/// The columns of a load that get this table's shift: its key, and whatever refers to it.
fn mark(
    load: &Load,
    plan: &mut LoadPlan,
    table: &TargetTable,
    (shifted, target): (&Shifted, &TargetSchema),
    findings: &mut PlanFindings,
) {
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
                format!("another load shifts the ids of `{parent}`, and this one does not"),
                "Write `ids = \"shift\"` at both: one number is added to all ids of a table.",
            );
        }
        if !matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8) {
            findings.refuse(
                format!("{place}.columns.{}", column.name),
                format!("refers to `{parent}`, whose ids are shifted, and is {}, no integer", column.kind.shown()),
                "Take `refers` away, or feed it by a lookup.",
            );
        }
        column.shift = Some(parent.clone());
    }
}

/// What a `refers` names is a table, and the column is fed by the source.
fn refers(load: &Load, plan: &LoadPlan, target: &TargetSchema, findings: &mut PlanFindings) {
    for (name, column) in &load.columns {
        let Some(refers) = &column.refers else { continue };
        let place = format!("load.{}.columns.{name}.refers", load.name);
        if !target.tables.contains_key(refers) {
            let hint = did_you_mean(refers, target.tables.keys().map(String::as_str));
            findings.refuse(
                place,
                format!("the target has no table `{refers}`"),
                format!("{hint}Write the name of the table that these ids are of."),
            );
        } else if plan.columns.iter().any(|c| c.name == *name && !matches!(c.feed, Feed::Cell(_))) {
            findings.refuse(place, "is written at a column that the source does not feed", "Take it away.");
        }
    }
}
