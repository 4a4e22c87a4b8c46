//! The parts that a plan may not have if its source is one file of a fleet: those that need more than the file and its own rows.

use std::collections::BTreeSet;

use crate::model::pgtype::Kind;
use crate::model::record::Refusal;
use crate::model::rules::{Differ, Existing, Value};
use crate::plan::{ColumnPlan, LoadPlan, Plan, StatedReference, TableClass, Treatment};

use super::shared;

/// Returns a refusal for each part of the plan that a fleet cannot carry out.
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let mut found = Vec::new();
    match plan.settled_owner() {
        None => found.push(Refusal::new(
            "owner",
            "the mapping names no owner whose row is found or made, and each file of a fleet has one",
            "Write [owner] with `match = { COLUMN = { member = true } }`.",
        )),
        Some(owner) if owner.natural.iter().all(|column| column.value != Value::Member) => found.push(Refusal::new(
            "owner.match",
            "is the same for every file, and each file of a fleet has an owner of its own",
            "Write `match = { COLUMN = { member = true } }`: the value then comes with each file.",
        )),
        Some(owner) if plan.loads.iter().any(|load| load.table == owner.table) => found.push(Refusal::new(
            "owner.table",
            format!(
                "`{}` is loaded from the files, too, and a fleet finds or makes one owner for each file",
                owner.table
            ),
            "Leave that table in the source: [leave], with its reason.",
        )),
        Some(_) => {}
    }
    if !plan.circles.is_empty() {
        found.push(Refusal::new(
            "load",
            "its tables refer to each other in a circle, which a fleet cannot load",
            "Leave out one of the references, or load the files one by one: `migrate -s FILE --owner COLUMN=VALUE`.",
        ));
    }
    found.extend(plan.shift_groups.iter().map(keys_of_several));
    for held in plan.held.iter().filter(|held| held.treatment == Treatment::Replace) {
        found.push(Refusal::new(
            format!("load.{}.existing", held.table),
            "the rows of all other owners would be removed for each file",
            "Write `existing = \"append\"`.",
        ));
    }
    for object in &plan.detach.off {
        found.push(Refusal::new(
            format!("target {}.{}", plan.schema, object.table),
            format!("{} would run for each row, and a fleet detaches nothing", object.object),
            "Write `triggers = \"fire\"` at the load if that is meant, or disable the trigger before the fleet.",
        ));
    }
    plan.loads.iter().for_each(|load| load_refusals(load, &mut found));
    plan.loads.iter().for_each(|load| unchecked_references(load, plan, &mut found));
    plan.loads.iter().for_each(|load| lookups(load, plan, &mut found));
    plan.loads.iter().for_each(|load| matched(load, plan, &mut found));
    found
}

/// Shifted keys that refer to other ones, and so need the same number.
fn keys_of_several(group: &BTreeSet<String>) -> Refusal {
    let tables: Vec<&str> = group.iter().map(String::as_str).collect();
    let names = tables.join(", ");
    let reason = format!(
        "the keys of {names} refer to each other, and a fleet takes the ids of each table from a range of its own"
    );
    Refusal::new(format!("load.{}.ids", tables.first().unwrap_or(&"")), reason, ALONE)
}

/// References that cannot be compared with the file's own keys: a row of another owner could have the id.
fn unchecked_references(load: &LoadPlan, plan: &Plan, found: &mut Vec<Refusal>) {
    let is_key = |column: &ColumnPlan| {
        plan.shifts.iter().any(|shifted| shifted.table == load.table && shifted.column == column.name)
    };
    for column in load.columns.iter().filter(|column| column.shift.is_some() && !is_key(column)) {
        let is_integer = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
        let why = match &column.refers {
            Some(StatedReference::ByType { .. }) => "refers to the rows of several tables",
            _ if !is_integer => "holds ids as text",
            _ if load.as_text => "is in a table whose rows are sent as text",
            _ => continue,
        };
        found.push(Refusal::new(
            format!("{}.columns.{}", load.place(), column.name),
            format!("{why}, so that a fleet cannot check that it refers to rows of the same file"),
            ALONE,
        ));
    }
}

/// Lookups in a table that the files fill: the row that is found could be one of another owner.
fn lookups(load: &LoadPlan, plan: &Plan, found: &mut Vec<Refusal>) {
    for (column, lookup) in load.lookups() {
        if plan.loads.iter().any(|load| load.table == lookup.table && !shared::is_shared(load)) {
            let table = &lookup.table;
            found.push(Refusal::new(
                format!("{}.columns.{}.lookup", load.place(), column.name),
                format!("looks in `{table}`, which the files fill, and could find a row of another owner"),
                ALONE,
            ));
        }
    }
}

/// Tables whose rows are matched: all of them must be on the target and have no owner.
fn matched(load: &LoadPlan, plan: &Plan, found: &mut Vec<Refusal>) {
    let Some(Existing::Match { differ, .. }) = &load.existing else { return };
    let owned = plan.classes.get(&load.table).is_some_and(|class| *class != TableClass::Shared);
    let (reason, advice) = match (shared::is_shared(load), owned, differ) {
        (false, ..) => (
            "matches rows, and the target has none",
            "Fill the table before the fleet: it adds no row to a table that all owners share.",
        ),
        (_, true, _) => ("matches rows that have an owner, of whom there is one for each file", ALONE),
        (_, _, Some(Differ::Source)) => (
            "would write over rows that all owners share: the last file would decide for all others",
            "Write differ = \"target\".",
        ),
        _ => return,
    };
    found.push(Refusal::new(format!("{}.existing", load.place()), reason, advice));
}

/// The way out of everything that a fleet cannot do.
const ALONE: &str = "Load the files one by one: `migrate -s FILE --owner COLUMN=VALUE`.";

fn load_refusals(load: &LoadPlan, found: &mut Vec<Refusal>) {
    if load.when_empty || load.conflict.is_some() && !shared::is_shared(load) {
        found.push(Refusal::new(
            load.place(),
            "skips rows that the target holds already, which a fleet cannot do: the first file would decide for all others",
            format!("Load this table once before the fleet, and leave it in the files. Or: {ALONE}"),
        ));
    }
    let orphans = load.columns.iter().filter(|column| column.rules.if_orphan.is_some() || column.rules.drop_orphan);
    for column in orphans {
        found.push(Refusal::new(
            format!("{}.columns.{}.if_orphan", load.place(), column.name),
            "needs the keys of all rows of the target, for each file",
            format!("Remove it: a file with such a row is quarantined. Or: {ALONE}"),
        ));
    }
}
