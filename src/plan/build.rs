//! Builds the plan: a pure function of mapping, source schema and target catalogue.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::mapping::{Load, Mapping};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::Kind;
use crate::model::record::{Refusal, Warning};
use crate::model::schema::{Detachable, TargetSchema, TargetTable};

use super::free_sequences::Assigner;
use super::order::Order;
use super::{
    AssignedSequence, Context, Feed, HeldTable, Inputs, LeftInSource, LoadPlan, OwnerPath, OwnerPlan, Plan,
    PlanFindings, Purpose, RepeatedKind, TableClass, Taken, assumed, classes, columns, detach, existing, matching,
    modifiers, order, owner, owner_path, placement, relation, repeated, rights, shift, tables, unmapped,
};

/// Returns the plan, or every refusal.
///
/// Without a target, the plan uses an assumed one, which has every table and column that the mapping needs. Then only the
/// source's side is checked.
///
/// # Errors
/// All refusals, and the warnings next to them.
pub fn build(mapping: &Mapping, inputs: &Inputs<'_>) -> Result<Plan, (Vec<Refusal>, Vec<Warning>)> {
    let mut findings = PlanFindings::default();
    let target = match inputs.target {
        Some(target) => Cow::Borrowed(target),
        None => Cow::Owned(assumed::target(mapping, inputs)),
    };
    modifiers::source_zone(mapping, &mut findings);
    if inputs.target.is_some() {
        tables::schema_has_tables(mapping, &target, &mut findings);
    }
    let copies = unmapped::copies(mapping, inputs.source, inputs.sql, &target, &mut findings);
    let loads = mapping.loads.iter().cloned().chain(copies).map(|load| existing::with_default(load, mapping));
    let loads = loads.map(|load| classes::with_default_owner(load, mapping, &target));
    let mapping = &Mapping { loads: loads.collect(), ..mapping.clone() };
    if let Some(refusal) = tables::most_are_missing(mapping, inputs, &target) {
        // A schema without any table is refused already.
        findings.refusals.extend(Some(refusal).filter(|_| !target.tables.is_empty()));
        return Err((findings.refusals, findings.warnings));
    }
    let held = existing::held(Context { mapping, inputs, target: &target }, &mut findings);
    let mut target = target;
    existing::empty_replaced(target.to_mut(), &held);
    let parts = parts(Context { mapping, inputs, target: &target }, &held, &mut findings);
    findings.refusals.extend(repeated::settled(std::mem::take(&mut findings.repeated)));
    if !findings.refusals.is_empty() {
        return Err((findings.refusals, findings.warnings));
    }
    let context = Context { mapping, inputs, target: &target };
    let opens = |object: &Detachable| parts.order.circles.iter().any(|circle| circle.detaches(object));
    let detach = detach::detach(context, &parts.loads, &opens);
    Ok(Plan {
        name: mapping.name.clone(),
        schema: target.schema.clone(),
        owner: parts.owner,
        loads: parts.loads,
        order: parts.order.nodes,
        after: parts.order.after,
        circles: parts.order.circles,
        classes: parts.classes,
        paths: parts.paths,
        shifts: parts.shifts.tables,
        shift_groups: parts.shifts.groups,
        sequences: parts.sequences,
        held,
        queried: unmapped::queried(mapping, inputs),
        left: parts.left,
        not_tables: inputs.source.others.clone(),
        detach,
        distributed: placement::of_loads(&mapping.loads, &target),
        warnings: findings.warnings,
        inherited: findings.inherited,
    })
}

/// The decided parts of a plan.
struct PlanParts {
    owner: Option<OwnerPlan>,
    loads: Vec<LoadPlan>,
    order: Order,
    classes: BTreeMap<String, TableClass>,
    paths: BTreeMap<String, OwnerPath>,
    shifts: shift::ShiftedTables,
    sequences: Vec<AssignedSequence>,
    left: Vec<LeftInSource>,
}

fn parts(context: Context<'_>, held: &[HeldTable], findings: &mut PlanFindings) -> PlanParts {
    let Context { mapping, inputs, target } = context;
    let has_target = inputs.target.is_some();
    if has_target {
        modifiers::unreachable(mapping, target, findings);
    }
    let owner = owner::owner(context, findings);
    let mut taken = Taken::new();
    let mut loads = loads(context, &mut taken, findings);
    matching::keys_are_plain(&loads, held, findings);
    stamped_too_early(&loads, owner.as_ref(), findings);
    skipped_parents(mapping, &loads, target, findings);
    looked_up_parents(&loads, target, findings);
    let shifts =
        if has_target { shift::shifts(mapping, &mut loads, target, findings) } else { shift::ShiftedTables::default() };
    let classes = classes::classes(mapping, target, findings);
    let paths = if has_target { owner_path::paths(mapping, target, &classes, findings) } else { BTreeMap::new() };
    classes::owner_columns(mapping, &loads, target, findings);
    let assigner = Assigner { mapping, target, loads: &loads, writes: inputs.purpose == Purpose::Write };
    let sequences = if has_target { assigner.assign(findings) } else { Vec::new() };
    let left = unmapped::left(mapping, inputs, &taken, findings);
    cascades(mapping, target, findings);
    tables::encoding_checks_text(target, findings);
    if inputs.purpose == Purpose::Write {
        tables::event_triggers(target, findings);
    }
    let asker = rights::Asker {
        mapping,
        loads: &loads,
        owner: owner.as_ref(),
        paths: &paths,
        target,
        held,
        sequences: &sequences,
    };
    rights::refuse(&asker, inputs.purpose, findings);
    let order = order::order(context, &loads, owner.as_ref(), findings);
    PlanParts { owner, loads, order, classes, paths, shifts, sequences, left }
}

fn loads(context: Context<'_>, taken: &mut Taken, findings: &mut PlanFindings) -> Vec<LoadPlan> {
    let Context { mapping, inputs, target } = context;
    let mut loads = Vec::new();
    for load in &mapping.loads {
        let planned = table(mapping, load, target, findings).and_then(|table| {
            tables::skips_rows(load, table, findings);
            if inputs.purpose == Purpose::Write {
                tables::keeps_rows(&format!("load.{}", load.name), &load.to, target, findings);
                placement::follows_the_owner(load, target, findings);
            }
            columns::load(context, load, table, taken, findings)
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

fn table<'t>(
    mapping: &Mapping,
    load: &Load,
    target: &'t TargetSchema,
    findings: &mut PlanFindings,
) -> Option<&'t TargetTable> {
    let found = target.tables.get(&load.to);
    let place = if load.to == load.name { format!("load.{}", load.name) } else { format!("load.{}.to", load.name) };
    if found.is_none() && target.views.contains(&load.to) {
        let reason = format!("`{}` is a view or a foreign table of the target", load.to);
        findings.refuse(place, reason, "Write `to = \"...\"` with a table.");
    } else if found.is_none() {
        let create = tables::way_to_create(mapping);
        let hint = did_you_mean(&load.to, target.tables.keys().map(String::as_str));
        let refusal = Refusal::new(
            place,
            format!("the target's schema `{}` has no table `{}`", target.schema, load.to),
            format!("{hint}Write `to = \"...\"`, or run the application's own migrations first.{create}"),
        );
        findings.refuse_object(RepeatedKind::MissingTable, load.to.clone(), refusal);
    }
    found
}

/// The owner is settled after the loads into its table, so their rows cannot carry its key.
fn stamped_too_early(loads: &[LoadPlan], owner: Option<&OwnerPlan>, findings: &mut PlanFindings) {
    let Some(owner) = owner.filter(|o| !o.natural.is_empty()) else { return };
    for load in loads.iter().filter(|l| l.table == owner.table && l.needs_owner()) {
        findings.refuse(
            load.place(),
            format!(
                "its rows are written to `{}` and need the owner's key, which is known only after them",
                owner.table
            ),
            "Feed these columns by `from`, `sql` or `value`.",
        );
    }
}

/// A load with `conflict` skips a parent row whose key exists. The existing row keeps the target's id, so a reference by the
/// source's id would lead to another row.
fn skipped_parents(mapping: &Mapping, loads: &[LoadPlan], target: &TargetSchema, findings: &mut PlanFindings) {
    let is_owner = |table: &str| mapping.owner.as_ref().is_some_and(|o| o.table == table);
    for load in loads {
        let Some(facts) = target.tables.get(&load.table) else { continue };
        for key in facts.foreign.iter().filter(|f| f.parent_schema == target.schema && !is_owner(&f.parent)) {
            let by_name = load.columns.iter().any(|c| key.columns.contains(&c.name) && matches!(c.feed, Feed::Cell(_)));
            let holds = target.tables.get(&key.parent).is_some_and(|t| t.has_rows);
            let skips =
                |l: &&LoadPlan| l.table == key.parent && l.conflict.as_ref().is_some_and(|c| *c != key.parent_columns);
            if by_name && holds && loads.iter().any(|l| skips(&l)) {
                findings.refuse(
                    format!("load.{}.columns.{}", load.name, key.columns.join(",")),
                    format!(
                        "it refers to `{}` by the source's ids, and a load skips rows that the target has under other ids",
                        key.parent
                    ),
                    "Feed it by a `lookup` over the natural key.",
                );
            }
        }
    }
}

/// A lookup feeds the key of a parent row with another number than the source's, which a plain reference to it carries.
fn looked_up_parents(loads: &[LoadPlan], target: &TargetSchema, findings: &mut PlanFindings) {
    let is_id = |kind: &Kind| matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
    for load in loads {
        let foreign = target.tables.get(&load.table).map(|table| table.foreign.as_slice()).unwrap_or_default();
        for key in foreign.iter().filter(|key| key.parent_schema == target.schema) {
            for (child, parent) in key.columns.iter().zip(&key.parent_columns) {
                let carries = load.columns.iter().any(|column| {
                    column.name == *child && is_id(&column.kind.kind) && matches!(column.feed, Feed::Cell(_))
                });
                let is_looked_up = |load: &LoadPlan| {
                    let mut columns = load.columns.iter();
                    load.table == key.parent && columns.any(|c| c.name == *parent && matches!(c.feed, Feed::Lookup(_)))
                };
                if carries && loads.iter().any(is_looked_up) {
                    findings.refuse(
                        format!("load.{}.columns.{child}", load.name),
                        format!(
                            "it carries the source's number, and refers to `{}.{parent}`, which a lookup feeds: the rows would \
                             refer to others",
                            key.parent
                        ),
                        "Feed it by the same `lookup`.",
                    );
                }
            }
        }
    }
}

/// Warns once of the tables whose rows `ON DELETE CASCADE` deletes with the owner, directly or through other tables.
fn cascades(mapping: &Mapping, target: &TargetSchema, findings: &mut PlanFindings) {
    let Some(owner) = &mapping.owner else { return };
    let loaded = |name: &&str| mapping.loads.iter().any(|l| l.to == *name);
    let mut deleted = vec![owner.table.as_str()];
    let mut next = 0;
    while let Some(parent) = deleted.get(next).copied() {
        let falls = |table: &TargetTable| table.foreign.iter().any(|f| f.cascades && f.parent == parent);
        let children: Vec<&str> = target
            .tables
            .iter()
            .filter(|(name, t)| falls(t) && !deleted.contains(&name.as_str()))
            .map(|(n, _)| n.as_str())
            .collect();
        deleted.extend(children);
        next += 1;
    }
    let mut tables: Vec<&str> = deleted.into_iter().skip(1).filter(loaded).collect();
    tables.sort_unstable();
    if !tables.is_empty() {
        let message =
            format!("deleting the owner later deletes its rows in {} too (ON DELETE CASCADE)", tables.join(", "));
        findings.warn("owner", message);
    }
}
