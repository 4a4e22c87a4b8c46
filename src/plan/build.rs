//! Builds the plan: a pure function of mapping, source schema and target catalogue.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::mapping::{Load, Mapping};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::{Refusal, Warning};
use crate::model::schema::{TargetColumn, TargetSchema, TargetTable};

use super::{
    Inputs, LoadPlan, Plan, PlanFindings, Purpose, Taken, classes, columns, detach, modifiers, order, owner, path,
    relation, rights, shift, unmapped,
};

/// The plan, or every reason why there is none.
///
/// Without a target, the plan stands on an assumed one, in which every table and column that the mapping needs is there:
/// then only the source's side has been judged.
///
/// # Errors
/// All refusals, and the warnings beside them.
pub fn build(mapping: &Mapping, inputs: &Inputs<'_>) -> Result<Plan, (Vec<Refusal>, Vec<Warning>)> {
    let mut findings = PlanFindings::default();
    let target = match inputs.target {
        Some(target) => Cow::Borrowed(target),
        None => Cow::Owned(assumed(mapping, inputs)),
    };
    modifiers::source_zone(mapping, &mut findings);
    if inputs.target.is_some() {
        schema_holds_something(&target, &mut findings);
    }
    let copies = unmapped::copies(mapping, inputs, &target, &mut findings);
    let mapping = &Mapping { loads: mapping.loads.iter().cloned().chain(copies).collect(), ..mapping.clone() };
    if inputs.target.is_some() {
        modifiers::unreachable(mapping, &target, &mut findings);
    }
    let owner = owner::owner(mapping, inputs, &target, &mut findings);
    let mut taken = Taken::new();
    let mut loads = loads(mapping, inputs, &target, &mut taken, &mut findings);
    stamped_too_early(&loads, owner.as_ref(), &mut findings);
    skipped_parents(mapping, &loads, &target, &mut findings);
    let shifts = match inputs.target {
        Some(_) => shift::shifts(mapping, &mut loads, &target, &mut findings),
        None => Vec::new(),
    };
    let classes = classes::classes(mapping, &target, &mut findings);
    let paths = match inputs.target {
        Some(_) => path::paths(mapping, &target, &classes, &mut findings),
        None => BTreeMap::new(),
    };
    classes::owner_columns(mapping, &loads, &target, &mut findings);
    let left = unmapped::left(mapping, inputs, &taken, &mut findings);
    cascades(mapping, &target, &mut findings);
    if target.encoding == "SQL_ASCII" {
        let message = "the database's encoding is SQL_ASCII: it checks no text and counts lengths in bytes. UTF-8 is what goes \
                       in, and n of varchar(n) and char(n) is taken as bytes.";
        findings.warn("target", message);
    }
    rights::refuse(
        &rights::Asker { mapping, loads: &loads, owner: owner.as_ref(), paths: &paths, target: &target },
        inputs.purpose,
        &mut findings,
    );
    let order = order::order(&loads, owner.as_ref(), &target, &mut findings);
    if !findings.refusals.is_empty() {
        return Err((findings.refusals, findings.warnings));
    }
    let detach = detach::detach(&loads, inputs.source, &target, inputs.detachable, inputs.detaching);
    Ok(Plan {
        name: mapping.name.clone(),
        schema: target.schema.clone(),
        owner,
        loads,
        order: order.nodes,
        after: order.after,
        classes,
        paths,
        shifts,
        left,
        not_tables: inputs.source.others.clone(),
        detach,
        warnings: findings.warnings,
        inherited: findings.inherited,
    })
}

fn loads(
    mapping: &Mapping,
    inputs: &Inputs<'_>,
    target: &TargetSchema,
    taken: &mut Taken,
    findings: &mut PlanFindings,
) -> Vec<LoadPlan> {
    let mut loads = Vec::new();
    for load in &mapping.loads {
        let planned = table(load, target, findings).and_then(|table| {
            table_is_ready(load, mapping, table, target, findings);
            if inputs.purpose == Purpose::Write {
                table_keeps_rows(&format!("load.{}", load.name), (&load.to, table), target, findings);
            }
            columns::load(mapping, load, (table, target), inputs, taken, findings)
        });
        // The source of a load that cannot be planned counts as taken: one mistake, one refusal.
        if let Some(source) = relation::table_of(load).filter(|_| planned.is_none()) {
            let columns = inputs.source.tables.get(source).map(|t| t.columns.as_slice()).unwrap_or_default();
            taken.extend(columns.iter().map(|c| (source.to_owned(), c.name.clone())));
        }
        loads.extend(planned);
    }
    loads
}

fn table<'t>(load: &Load, target: &'t TargetSchema, findings: &mut PlanFindings) -> Option<&'t TargetTable> {
    let found = target.tables.get(&load.to);
    let place = if load.to == load.name { format!("load.{}", load.name) } else { format!("load.{}.to", load.name) };
    if found.is_none() && target.views.contains(&load.to) {
        let reason = format!("`{}` is a view or a foreign table of the target", load.to);
        findings.refuse(place, reason, "Write `to = \"...\"` with a table.");
    } else if found.is_none() {
        let hint = did_you_mean(&load.to, target.tables.keys().map(String::as_str));
        findings.refuse(
            place,
            format!("the target's schema `{}` has no table `{}`", target.schema, load.to),
            format!("{hint}Write `to = \"...\"`, or run the application's own migrations first."),
        );
    }
    found
}

/// A schema without a table is more likely a slip, or a target that its application has not been set up on.
fn schema_holds_something(target: &TargetSchema, findings: &mut PlanFindings) {
    if target.tables.is_empty() && target.views.is_empty() {
        findings.refuse(
            "target.schema",
            format!("the target has no table at all in a schema `{}`", target.schema),
            format!(
                "{}Name the schema, or run the application's own migrations first.",
                did_you_mean(&target.schema, ["public"])
            ),
        );
    }
}

/// Rows that are there already.
fn table_is_ready(
    load: &Load,
    mapping: &Mapping,
    table: &TargetTable,
    target: &TargetSchema,
    findings: &mut PlanFindings,
) {
    let place = format!("load.{}", load.name);
    let name = format!("{}.{}", target.schema, load.to);
    let may_hold = load.append || load.when_empty || load.conflict.is_some();
    let same_run = mapping.loads.iter().any(|other| other.name != load.name && other.to == load.to && other.append);
    if table.has_rows && !may_hold && !same_run {
        findings.refuse(
            &place,
            format!("{name} holds rows"),
            "Empty it, or write `existing = \"append\"` at the load if they shall stay beside the new ones.",
        );
    }
}

/// A table that can lose its rows, or shows those of others as its own: what is read there afterwards proves nothing.
pub(super) fn table_keeps_rows(
    place: &str,
    (table, facts): (&str, &TargetTable),
    target: &TargetSchema,
    findings: &mut PlanFindings,
) {
    let name = format!("{}.{table}", target.schema);
    if facts.unlogged {
        findings.refuse(
            place,
            format!("{name} is UNLOGGED, itself or a partition of it: a crash of the server empties it"),
            "ALTER TABLE ... SET LOGGED; it can be set back when the run is done.",
        );
    }
    if !facts.heirs.is_empty() {
        let heirs = facts.heirs.join(", ");
        findings.refuse(
            place,
            format!("tables inherit from {name} ({heirs}), and their rows are read as if they were its own"),
            "ALTER TABLE ... NO INHERIT on each of them; it can be set back when the run is done.",
        );
    }
}

/// The owner is settled after the loads into its table, so their rows cannot carry its key.
fn stamped_too_early(loads: &[LoadPlan], owner: Option<&super::OwnerPlan>, findings: &mut PlanFindings) {
    let Some(owner) = owner.filter(|o| !o.natural.is_empty()) else { return };
    for load in loads.iter().filter(|l| l.table == owner.table && l.needs_owner()) {
        findings.refuse(
            load.place(),
            format!("its rows go to `{}`, and the owner, whose key they ask for, is settled after them", owner.table),
            "Feed these columns by `from`, `sql` or `value`.",
        );
    }
}

/// A parent whose rows are skipped where their key is there keeps the target's ids, and a reference by the source's id
/// would end at another row.
fn skipped_parents(mapping: &Mapping, loads: &[LoadPlan], target: &TargetSchema, findings: &mut PlanFindings) {
    let is_owner = |table: &str| mapping.owner.as_ref().is_some_and(|o| o.table == table);
    for load in loads {
        let Some(facts) = target.tables.get(&load.table) else { continue };
        for key in facts.foreign.iter().filter(|f| f.parent_schema == target.schema && !is_owner(&f.parent)) {
            let by_name =
                load.columns.iter().any(|c| key.columns.contains(&c.name) && matches!(c.feed, super::Feed::Cell(_)));
            let holds = target.tables.get(&key.parent).is_some_and(|t| t.has_rows);
            let skips =
                |l: &&LoadPlan| l.table == key.parent && l.conflict.as_ref().is_some_and(|c| *c != key.parent_columns);
            if by_name && holds && loads.iter().any(|l| skips(&l)) {
                findings.refuse(
                    format!("load.{}.columns.{}", load.name, key.columns.join(",")),
                    format!(
                        "it refers to `{}` by the source's ids, and rows of that are skipped where the target has them \
                             under other ids",
                        key.parent
                    ),
                    "Feed it by a `lookup` over the natural key.",
                );
            }
        }
    }
}

/// What `ON DELETE CASCADE` from the owner would take along, from table to table, is said once.
fn cascades(mapping: &Mapping, target: &TargetSchema, findings: &mut PlanFindings) {
    let Some(owner) = &mapping.owner else { return };
    let loaded = |name: &&str| mapping.loads.iter().any(|l| l.to == *name);
    let mut gone = vec![owner.table.as_str()];
    let mut next = 0;
    while let Some(parent) = gone.get(next).copied() {
        let falls = |table: &TargetTable| table.foreign.iter().any(|f| f.cascades && f.parent == parent);
        let children: Vec<&str> = target
            .tables
            .iter()
            .filter(|(name, t)| falls(t) && !gone.contains(&name.as_str()))
            .map(|(n, _)| n.as_str())
            .collect();
        gone.extend(children);
        next += 1;
    }
    let mut tables: Vec<&str> = gone.into_iter().skip(1).filter(loaded).collect();
    tables.sort_unstable();
    if !tables.is_empty() {
        let message =
            format!("deleting the owner later deletes its rows in {} too (ON DELETE CASCADE)", tables.join(", "));
        findings.warn("owner", message);
    }
}

/// A target in which everything that the mapping needs is there: for a look without a target.
fn assumed(mapping: &Mapping, inputs: &Inputs<'_>) -> TargetSchema {
    let mut tables: BTreeMap<String, TargetTable> = BTreeMap::new();
    let mut add = |table: &str, column: &str| {
        let table = tables.entry(table.to_owned()).or_default();
        if table.column(column).is_none() {
            table.columns.push(TargetColumn {
                name: column.to_owned(),
                kind: ColumnType::new(Kind::Other, 0, "unknown"),
                not_null: false,
                has_default: true,
                generated: false,
                sequence: None,
                draws: None,
            });
        }
    };
    for load in &mapping.loads {
        if let Some(relation) = relation::relation(load, inputs, &mut PlanFindings::default()) {
            for (name, _) in relation::columns(load, &relation, inputs) {
                add(&load.to, &name);
            }
        }
        for (name, _) in &load.columns {
            add(&load.to, name);
        }
        if let crate::mapping::OwnerRule::Stamped(columns) = &load.owner {
            columns.iter().for_each(|c| add(&load.to, c));
        }
    }
    for (_, column) in mapping.loads.iter().flat_map(|load| &load.columns) {
        if let Some(crate::mapping::FeedRule::Lookup(lookup)) = &column.feed {
            add(&lookup.table, &lookup.take);
        }
    }
    if let Some(owner) = &mapping.owner {
        let named = owner.natural.iter().flat_map(|m| m.keys()).chain(owner.create.iter().flat_map(|m| m.keys()));
        named.chain([&owner.key]).chain(owner.show.iter()).for_each(|column| add(&owner.table, column));
    }
    TargetSchema { schema: mapping.target.schema.clone(), tables, ..TargetSchema::default() }
}
