//! Checks of the target's tables before rows are written to them.

use std::collections::BTreeSet;

use crate::mapping::{Load, Mapping, TargetDdl, Unlisted};
use crate::model::ident::did_you_mean;
use crate::model::record::Refusal;
use crate::model::schema::{TargetSchema, TargetTable};

use super::{Inputs, PlanFindings, relation};

/// Refuses a schema without tables: its name is probably wrong, or the application is not set up on this target.
pub(super) fn schema_has_tables(mapping: &Mapping, target: &TargetSchema, findings: &mut PlanFindings) {
    if target.tables.is_empty() && target.views.is_empty() {
        let create = match mapping.target.ddl {
            TargetDdl::Auto => "--create makes them",
            TargetDdl::Files(_) => "--create makes them if [target] says `ddl = \"auto\"`",
        };
        findings.refuse(
            "target.schema",
            format!("the target has no table at all in a schema `{}`", target.schema),
            format!(
                "{}Name the schema, or run the application's own migrations first. For an application that has no tables of \
                 PostgreSQL, `migrate schema` writes them, and {create}.",
                did_you_mean(&target.schema, ["public"])
            ),
        );
    }
}

/// The sentence about `--create`, if the mapping allows it.
pub(super) fn way_to_create(mapping: &Mapping) -> &'static str {
    match mapping.target.ddl {
        TargetDdl::Auto => " If none of the tables exists, --create makes them.",
        TargetDdl::Files(_) => "",
    }
}

/// The least number of missing tables that is worth one sentence.
const SEVERAL: usize = 3;

/// Returns the only refusal for a target that lacks most tables of the loads: everything else that is missing follows from it.
pub(super) fn most_are_missing(mapping: &Mapping, inputs: &Inputs<'_>, target: &TargetSchema) -> Option<Refusal> {
    inputs.target?;
    let mut wanted: BTreeSet<&String> = mapping.loads.iter().map(|load| &load.to).collect();
    let read: BTreeSet<&str> = mapping.loads.iter().filter_map(relation::table_of).collect();
    if mapping.defaults.unlisted_tables == Unlisted::Copy {
        let is_left = |name: &String| mapping.leave.iter().any(|entry| entry.table == *name && entry.column.is_none());
        wanted.extend(inputs.source.tables.keys().filter(|name| !read.contains(name.as_str()) && !is_left(name)));
    }
    let is_there = |name: &str| target.tables.contains_key(name) || target.views.iter().any(|view| view == name);
    let missing: Vec<&str> = wanted.iter().map(|name| name.as_str()).filter(|name| !is_there(name)).collect();
    if missing.len() < SEVERAL || missing.len() * 2 <= wanted.len() {
        return None;
    }
    let reason = format!(
        "{} of {} tables are missing in `{}`; did its migrations finish? Missing: {}",
        missing.len(),
        wanted.len(),
        target.schema,
        missing.join(", ")
    );
    let advice = "Run the application's own migrations to their end, or name the schema that has its tables.";
    let advice = format!("{advice}{}", way_to_create(mapping));
    Some(Refusal::new("target.schema", reason, advice))
}

/// Warns of a database whose encoding checks no text.
pub(super) fn encoding_checks_text(target: &TargetSchema, findings: &mut PlanFindings) {
    if target.encoding == "SQL_ASCII" {
        let message = "the database's encoding is SQL_ASCII: it checks no text and counts lengths in bytes. Text is sent \
                       as UTF-8, and n of varchar(n) and char(n) counts bytes.";
        findings.warn("target", message);
    }
}

/// Refuses to skip rows of a table with rules: PostgreSQL then plans no INSERT with ON CONFLICT.
pub(super) fn skips_rows(load: &Load, table: &TargetTable, findings: &mut PlanFindings) {
    if load.conflict.is_some() && !table.rules.is_empty() {
        findings.refuse(
            format!("load.{}.conflict", load.name),
            format!(
                "`{}` has rules for INSERT or UPDATE ({}), and PostgreSQL refuses ON CONFLICT there",
                load.to,
                table.rules.join(", ")
            ),
            "DROP RULE for the run and create it again after it, or remove `conflict`.",
        );
    }
}

/// Warns of event triggers, which may refuse the statements that create the ledger, or detach and reattach constraints and
/// indexes. Only running a statement shows whether they accept it.
pub(super) fn event_triggers(target: &TargetSchema, findings: &mut PlanFindings) {
    if !target.event_triggers.is_empty() {
        let message = format!(
            "event triggers run for DDL ({}). It cannot be known in advance if they accept the statements that create the \
             ledger, and those that detach and reattach constraints and indexes. `--detach never` avoids the latter",
            target.event_triggers.join(", ")
        );
        findings.warn("target", message);
    }
}

/// Refuses a table that can lose its rows, or that shows rows of other tables as its own: then verification proves nothing.
pub(super) fn keeps_rows(place: &str, table: &str, target: &TargetSchema, findings: &mut PlanFindings) {
    let Some(facts) = target.tables.get(table) else { return };
    let name = format!("{}.{table}", target.schema);
    if facts.unlogged {
        findings.refuse(
            place,
            format!("{name} or one of its partitions is UNLOGGED: a crash of the server empties it"),
            "ALTER TABLE ... SET LOGGED; SET UNLOGGED restores it after the run.",
        );
    }
    if !facts.heirs.is_empty() {
        let heirs = facts.heirs.join(", ");
        findings.refuse(
            place,
            format!("tables inherit from {name} ({heirs}), and a query of it reads their rows as its own"),
            "ALTER TABLE ... NO INHERIT on each of them; INHERIT restores it after the run.",
        );
    }
}
