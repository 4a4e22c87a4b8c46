//! The owner: checks that its table, natural key and the columns of a new row fit the target.

use std::collections::BTreeMap;

use crate::mapping::{Mapping, OwnerRule, OwnerSection};
use crate::model::cell::RawBuf;
use crate::model::ident::did_you_mean;
use crate::model::pgtype::SilentChange;
use crate::model::rules::Value;
use crate::model::schema::{ForeignKey, TargetSchema, TargetTable};

use super::{Context, Inputs, OwnerColumn, OwnerPlan, PlanFindings, Purpose, modifiers, tables};

/// Plans how the owner is found or made. `None` if the mapping names no owner, or if the owner is refused.
pub(super) fn owner(context: Context<'_>, findings: &mut PlanFindings) -> Option<OwnerPlan> {
    let Context { mapping, inputs, target } = context;
    let section = mapping.owner.as_ref()?;
    let Some(table) = target.tables.get(&section.table) else {
        let names = target.tables.keys().map(String::as_str);
        findings.refuse(
            "owner.table",
            format!("the target has no table `{}`", section.table),
            format!("{}Write the name of the owner's table.", did_you_mean(&section.table, names)),
        );
        return None;
    };
    if inputs.purpose == Purpose::Write && mapping.loads.iter().all(|load| load.to != section.table) {
        tables::keeps_rows("owner.table", &section.table, target, findings);
    }
    let natural = natural(section, inputs, findings).unwrap_or_default();
    let Some(key) = table.column(&section.key) else {
        not_there(findings, "owner.key", &section.table, &section.key, table);
        return None;
    };
    refers_to_the_key(mapping, section, target, findings);
    let show = section.show.clone().or_else(|| natural.keys().next().cloned()).unwrap_or_else(|| section.key.clone());
    if table.column(&show).is_none() {
        not_there(findings, "owner.show", &section.table, &show, table);
    }
    let natural = columns(mapping, &natural, table, "owner.match", findings);
    let create = section.create.as_ref().map(|create| {
        let values = create.iter().map(|(name, written)| (name.clone(), written.0.clone())).collect();
        let create = columns(mapping, &values, table, "owner.create", findings);
        row_is_complete(section, table, &natural, &create, findings);
        if inputs.purpose == Purpose::Write && !is_filled_without_triggers(mapping, section) {
            fires(table, section, findings);
        }
        create
    });
    if !natural.is_empty() && !is_unique(table, &natural) {
        findings.warn(
            "owner.match",
            format!("`{}` has no unique key over these columns; several matching rows are refused", section.table),
        );
    }
    Some(OwnerPlan {
        table: section.table.clone(),
        key: section.key.clone(),
        key_type: key.kind.clone(),
        sequence: key.sequence.clone(),
        natural,
        create,
        show,
    })
}

/// Returns true if a load fills the owner's table and its triggers are off meanwhile.
fn is_filled_without_triggers(mapping: &Mapping, section: &OwnerSection) -> bool {
    mapping.loads.iter().any(|load| load.to == section.table && !load.triggers_fire)
}

/// Warns of the triggers that run when the run makes the owner's row.
fn fires(table: &TargetTable, section: &OwnerSection, findings: &mut PlanFindings) {
    if !table.inserting.is_empty() {
        let message = format!(
            "{} of `{}` runs if the run makes the owner's row. Rows that it adds to a table of a load are reported as a \
             difference. Make the owner before the run to avoid this",
            table.inserting.join(", "),
            section.table
        );
        findings.warn("owner.create", message);
    }
}

/// Refuses a key other than the column to which the foreign keys of stamped and carrying rows refer.
fn refers_to_the_key(mapping: &Mapping, section: &OwnerSection, target: &TargetSchema, findings: &mut PlanFindings) {
    for load in &mapping.loads {
        let columns: &[String] = match &load.owner {
            OwnerRule::Stamped(columns) => columns,
            OwnerRule::Carried(column) => std::slice::from_ref(column),
            _ => &[],
        };
        let foreign = target.tables.get(&load.to).map(|table| table.foreign.as_slice()).unwrap_or_default();
        for column in columns {
            let refers = |key: &&ForeignKey| key.parent == section.table && key.columns == [column.clone()];
            let parents = foreign.iter().filter(refers).flat_map(|key| &key.parent_columns);
            let mut others = parents.filter(|parent| **parent != section.key);
            if let Some(other) = others.next() {
                findings.refuse(
                    "owner.key",
                    format!("`{}.{column}` refers to `{}.{other}`, not to `{}`", load.to, section.table, section.key),
                    format!("Write `key = \"{other}\"`."),
                );
                return;
            }
        }
    }
}

fn is_unique(table: &TargetTable, natural: &[OwnerColumn]) -> bool {
    table.unique.iter().any(|u| u.columns.iter().all(|c| natural.iter().any(|n| n.name == *c)))
}

/// Returns the natural key: `match`, or `--owner` with the same columns. `None` if no row is stamped.
fn natural(
    section: &OwnerSection,
    inputs: &Inputs<'_>,
    findings: &mut PlanFindings,
) -> Option<BTreeMap<String, Value>> {
    let written = section.natural.as_ref();
    come_with_files(section, inputs, findings);
    if inputs.owner.is_empty() {
        return written.map(|m| m.iter().map(|(name, w)| (name.clone(), w.0.clone())).collect());
    }
    let wanted: Vec<&String> = written.map(|m| m.keys().collect()).unwrap_or_default();
    if written.is_some() && inputs.owner.keys().collect::<Vec<_>>() != wanted {
        let columns: Vec<String> = wanted.iter().map(|c| format!("--owner {c}=...")).collect();
        findings.refuse(
            "--owner",
            "does not have the columns of [owner].match",
            format!("Write {}.", columns.join(" ")),
        );
    }
    Some(inputs.owner.iter().map(|(name, value)| (name.clone(), Value::Literal(RawBuf::text(value.clone())))).collect())
}

/// Refuses values that come with each file of a fleet, if the source is no such file and `--owner` does not name them.
fn come_with_files(section: &OwnerSection, inputs: &Inputs<'_>, findings: &mut PlanFindings) {
    if inputs.is_member {
        return;
    }
    let natural = section.natural.iter().flatten().filter(|_| inputs.owner.is_empty());
    let natural = natural.map(|(name, written)| ("match", name, written));
    let create = section.create.iter().flatten().map(|(name, written)| ("create", name, written));
    for (key, name, _) in natural.chain(create).filter(|(_, _, written)| written.0 == Value::Member) {
        let advice = match key {
            "match" => {
                format!("Load the files with `migrate fleet`, or name the owner of this one: --owner {name}=VALUE.")
            }
            _ => "Load the files with `migrate fleet`, or make the owner's row before the run.".to_owned(),
        };
        findings.refuse(format!("owner.{key}.{name}"), "comes with each file of a fleet", advice);
    }
}

fn columns(
    mapping: &Mapping,
    values: &BTreeMap<String, Value>,
    table: &TargetTable,
    place: &str,
    findings: &mut PlanFindings,
) -> Vec<OwnerColumn> {
    let mut found = Vec::new();
    for (name, value) in values {
        match table.column(name) {
            Some(column) => {
                if let Some(how) = column.kind.bent().map(SilentChange::words) {
                    let reason = format!("the server silently {how} where it reads text as {}", column.kind.shown());
                    findings.refuse(format!("{place}.{name}"), reason, "Give the column another type, such as text.");
                }
                found.push(OwnerColumn {
                    name: name.clone(),
                    kind: column.kind.clone(),
                    value: value.clone(),
                    rules: modifiers::plain(mapping),
                });
            }
            None => {
                let owner = mapping.owner.as_ref().map(|o| o.table.as_str()).unwrap_or_default();
                not_there(findings, &format!("{place}.{name}"), owner, name, table);
            }
        }
    }
    found
}

fn not_there(findings: &mut PlanFindings, place: &str, table: &str, name: &str, columns: &TargetTable) {
    let names = columns.columns.iter().map(|c| c.name.as_str());
    findings.refuse(
        place,
        format!("`{table}` has no column `{name}`"),
        format!("{}Write the name of a column of the target.", did_you_mean(name, names)),
    );
}

fn row_is_complete(
    section: &OwnerSection,
    table: &TargetTable,
    natural: &[OwnerColumn],
    create: &[OwnerColumn],
    findings: &mut PlanFindings,
) {
    for column in create.iter().filter(|c| natural.iter().any(|n| n.name == c.name)) {
        findings.refuse(
            format!("owner.create.{}", column.name),
            "is in `match` too, from which a new row takes the value",
            "Remove it from `create`.",
        );
    }
    for column in table.columns.iter().filter(|c| c.not_null && !c.has_default && !c.generated) {
        if column.sequence.is_none() && !natural.iter().chain(create).any(|c| c.name == column.name) {
            findings.refuse(
                "owner.create",
                format!("`{}.{}` is NOT NULL without a default", section.table, column.name),
                format!("Write `{} = ...` in `create`.", column.name),
            );
        }
    }
}
