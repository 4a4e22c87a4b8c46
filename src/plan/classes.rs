//! The owners of the rows of each target table. Checks that the mapping states them wherever it must.

use std::collections::BTreeMap;

use crate::mapping::{Load, Mapping, OwnerRule};
use crate::model::schema::TargetSchema;

use super::{Feed, LoadPlan, PlanFindings, TableClass};

/// Returns a load with the owner of `[defaults]`: its table has that column, and the load states neither an owner nor the
/// column.
pub(super) fn with_default_owner(load: Load, mapping: &Mapping, target: &TargetSchema) -> Load {
    let Some(column) = &mapping.defaults.owner else { return load };
    let has_column = target.tables.get(&load.to).is_some_and(|table| table.column(column).is_some());
    let is_owner = mapping.owner.as_ref().is_some_and(|owner| owner.table == load.to);
    let is_stated = load.owner != OwnerRule::Unsaid || load.columns.iter().any(|(name, _)| name == column);
    if !has_column || is_owner || is_stated {
        return load;
    }
    Load { owner: OwnerRule::Stamped(vec![column.clone()]), ..load }
}

/// Returns the class of every table of the target.
pub(super) fn classes(
    mapping: &Mapping,
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> BTreeMap<String, TableClass> {
    let mut classes: BTreeMap<String, TableClass> =
        target.tables.keys().map(|t| (t.clone(), TableClass::Untouched)).collect();
    for load in &mapping.loads {
        if !target.tables.contains_key(&load.to) {
            continue;
        }
        let class = class_of(mapping, load);
        match classes.insert(load.to.clone(), class.clone()) {
            None | Some(TableClass::Untouched) => {}
            Some(before) if before == class => {}
            Some(before) => findings.refuse(
                format!("load.{}.owner", load.name),
                format!("another load makes `{}` {}, this one {}", load.to, before.word(), class.word()),
                "Write the same `owner` in both.",
            ),
        }
    }
    if let Some(owner) = &mapping.owner
        && let Some(class) = classes.get_mut(&owner.table)
    {
        *class = TableClass::Owner;
    }
    classes
}

fn class_of(mapping: &Mapping, load: &Load) -> TableClass {
    if mapping.owner.as_ref().is_some_and(|o| o.table == load.to) {
        return TableClass::Owner;
    }
    match &load.owner {
        OwnerRule::Stamped(columns) => TableClass::Stamped(columns.clone()),
        OwnerRule::Carried(column) => TableClass::Carried(column.clone()),
        OwnerRule::Through(column) => TableClass::Through(column.clone()),
        OwnerRule::Shared | OwnerRule::Unsaid => TableClass::Shared,
    }
}

/// Refuses a column with a foreign key to the owner's table that is not stamped, carried, fed or omitted. A reference from one owner to
/// another one says nothing about the owner of a row.
pub(super) fn owner_columns(mapping: &Mapping, plans: &[LoadPlan], target: &TargetSchema, findings: &mut PlanFindings) {
    let Some(owner) = &mapping.owner else { return };
    for load in mapping.loads.iter().filter(|load| load.to != owner.table) {
        let (Some(table), Some(plan)) = (target.tables.get(&load.to), plans.iter().find(|p| p.name == load.name))
        else {
            continue;
        };
        let to_owner = table.foreign.iter().filter(|f| f.parent == owner.table && f.parent_schema == target.schema);
        for column in to_owner.flat_map(|f| &f.columns) {
            let fed = plan.columns.iter().find(|c| c.name == *column).map(|c| &c.feed);
            let written = load.columns.iter().any(|(name, c)| name == column && c.feed.is_some());
            let said = match &load.owner {
                OwnerRule::Stamped(columns) => columns.contains(column),
                OwnerRule::Carried(carried) => carried == column,
                _ => false,
            };
            if !said && !written && !matches!(fed, Some(Feed::Owner)) {
                findings.refuse(
                    format!("load.{}", load.name),
                    format!(
                        "`{}.{column}` refers to `{}`, and the mapping does not state the owner of the rows",
                        load.to, owner.table
                    ),
                    format!(
                        "Write `owner = \"{column}\"` to stamp it, `owner = {{ carried = \"{column}\" }}` to keep the \
                         source's, or `{column} = {{ omit = true }}`."
                    ),
                );
            }
        }
    }
}
