//! Tables and columns of the source that the mapping does not name, and those that `[leave]` names.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::mapping::{LeaveEntry, Load, Mapping, OwnerRule, RowsFrom, Unlisted};
use crate::model::ident::did_you_mean;
use crate::model::record::Refusal;
use crate::model::schema::{SourceSchema, TargetSchema};

use super::{Inputs, PlanFindings, QueriedTable, RepeatedKind, SqlFacts, Taken, relation};

/// One table or column that stays in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftInSource {
    /// The source's table.
    pub table: String,
    /// The column of the table; `None` for the whole table.
    pub column: Option<String>,
    /// The reason.
    pub reason: String,
    /// True if the source did not have it when the run began.
    #[serde(skip)]
    pub is_new: bool,
}

/// Returns the loads that `unlisted_tables = "copy"` adds: one to one, by name. Omits a table that a load reads, in SQL too, and
/// one whose namesake on the target a load fills: its rows would arrive twice.
pub(super) fn copies(
    mapping: &Mapping,
    source: &SourceSchema,
    sql: &BTreeMap<String, SqlFacts>,
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> Vec<Load> {
    if mapping.defaults.unlisted_tables != Unlisted::Copy {
        return Vec::new();
    }
    let mut added = Vec::new();
    for name in source.tables.keys() {
        let named = mapping.loads.iter().any(|l| relation::table_of(l) == Some(name) || l.to == *name)
            || mapping.leave.iter().any(|entry| entry.table == *name && entry.column.is_none());
        if named || reader_in_sql(sql, name).is_some() {
            continue;
        }
        if target.tables.contains_key(name) {
            added.push(Load { name: name.clone(), to: name.clone(), owner: OwnerRule::Unsaid, ..Load::default() });
        } else {
            let refusal = Refusal::new(
                "defaults.unlisted_tables",
                format!("the source's `{name}` cannot be copied: the target has no table of this name"),
                format!("Write `{name} = \"why\"` in [leave], or a load with `to`."),
            );
            findings.refuse_object(RepeatedKind::MissingTable, name.clone(), refusal);
        }
    }
    added
}

/// Returns the first load whose SQL reads a table.
fn reader_in_sql<'s>(sql: &'s BTreeMap<String, SqlFacts>, table: &str) -> Option<&'s String> {
    let reads = |facts: &SqlFacts| facts.reads.iter().any(|(read, _)| read == table);
    sql.iter().find(|(_, facts)| reads(facts)).map(|(load, _)| load)
}

/// Returns the tables that the query of one load reads as its only table, and no other load.
pub(super) fn queried(mapping: &Mapping, inputs: &Inputs<'_>) -> Vec<QueriedTable> {
    let mut found = Vec::new();
    for load in mapping.loads.iter().filter(|load| matches!(load.from, RowsFrom::Sql(_))) {
        let Some(facts) = inputs.sql.get(&load.name) else { continue };
        let mut tables = facts.reads.iter().map(|(table, _)| table);
        let Some(table) = tables.next().filter(|first| tables.all(|table| table == *first)) else { continue };
        let is_read_by = |other: &Load| {
            relation::table_of(other) == Some(table)
                || inputs.sql.get(&other.name).is_some_and(|facts| facts.reads.iter().any(|(read, _)| read == table))
        };
        if !mapping.loads.iter().any(|other| other.name != load.name && is_read_by(other)) {
            found.push(QueriedTable { load: load.name.clone(), table: table.clone() });
        }
    }
    found
}

/// Returns the tables and columns that stay in the source. Refuses those that no load reads and `[leave]` does not name.
pub(super) fn left(
    mapping: &Mapping,
    inputs: &Inputs<'_>,
    taken: &Taken,
    findings: &mut PlanFindings,
) -> Vec<LeftInSource> {
    let mut left = named(mapping, inputs, taken, findings);
    for (table, facts) in &inputs.source.tables {
        if left.iter().any(|l| l.table == *table && l.column.is_none()) {
            continue;
        }
        let copies = mapping.defaults.unlisted_tables == Unlisted::Copy;
        let is_loaded = mapping.loads.iter().any(|load| relation::table_of(load) == Some(table));
        let is_queried = || queried(mapping, inputs).iter().any(|queried| queried.table == *table);
        if let Some(load) = reader_in_sql(inputs.sql, table).filter(|_| copies && !is_loaded && !is_queried()) {
            let reason = format!("load.{load} reads it in SQL, so that it is not copied");
            left.push(LeftInSource { table: table.clone(), column: None, reason, is_new: false });
            continue;
        }
        if !taken.iter().any(|(t, _)| t == table) {
            match mapping.defaults.unlisted_tables {
                Unlisted::Leave => left.push(unmapped(table, None)),
                _ if inputs.has_later_schema => left.push(new(table, None)),
                _ => {
                    let refusal = Refusal::new(
                        format!("source.{table}"),
                        "no load reads this table of the source",
                        format!("Write [load.{table}], or `{table} = \"why\"` in [leave]."),
                    );
                    findings.refuse_object(RepeatedKind::UnreadTable, table.clone(), refusal);
                }
            }
            continue;
        }
        for column in &facts.columns {
            let key = (table.clone(), column.name.clone());
            let is_left = left.iter().any(|l| l.table == *table && l.column.as_deref() == Some(&column.name));
            if taken.contains(&key) || is_left {
                continue;
            }
            match mapping.defaults.unlisted_columns {
                Unlisted::Leave => left.push(unmapped(table, Some(&column.name))),
                _ if inputs.has_later_schema => left.push(new(table, Some(&column.name))),
                _ => {
                    let object = format!("{table}.{}", column.name);
                    let refusal = Refusal::new(
                        format!("source.{object}"),
                        "no load reads this column of the source",
                        format!("Feed a column of the target from it, or write `{object} = \"why\"` in [leave]."),
                    );
                    findings.refuse_object(RepeatedKind::UnreadColumn, object, refusal);
                }
            }
        }
    }
    left
}

fn unmapped(table: &str, column: Option<&str>) -> LeftInSource {
    let reason = "not named by the mapping, which leaves unlisted tables and columns in the source".to_owned();
    LeftInSource { table: table.to_owned(), column: column.map(str::to_owned), reason, is_new: false }
}

/// A table or column that the run cannot have read: its mapping does not name it.
fn new(table: &str, column: Option<&str>) -> LeftInSource {
    let reason = "was added to the source since the run began".to_owned();
    LeftInSource { table: table.to_owned(), column: column.map(str::to_owned), reason, is_new: true }
}

fn named(mapping: &Mapping, inputs: &Inputs<'_>, taken: &Taken, findings: &mut PlanFindings) -> Vec<LeftInSource> {
    let mut left = Vec::new();
    for LeaveEntry { table, column, reason } in &mapping.leave {
        let place = format!("leave.{table}{}", column.as_ref().map_or_else(String::new, |c| format!(".{c}")));
        let Some(facts) = inputs.source.tables.get(table) else {
            let hint = did_you_mean(table, inputs.source.tables.keys().map(String::as_str));
            findings.warn(place, format!("the source has no table `{table}`. {hint}").trim_end().to_owned());
            continue;
        };
        if let Some(column) = column
            && facts.column(column).is_none()
        {
            let hint = did_you_mean(column, facts.columns.iter().map(|c| c.name.as_str()));
            findings.warn(place, format!("`{table}` has no column `{column}`. {hint}").trim_end().to_owned());
            continue;
        }
        let is_taken = match column {
            Some(column) => taken.contains(&(table.clone(), column.clone())),
            None => mapping.loads.iter().any(|load| relation::table_of(load) == Some(table)),
        };
        if is_taken {
            findings.refuse(place, "is named in [leave] and read by a load as well", "Remove one of the two.");
        }
        left.push(LeftInSource { table: table.clone(), column: column.clone(), reason: reason.clone(), is_new: false });
    }
    left
}
