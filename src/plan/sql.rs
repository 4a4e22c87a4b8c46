//! The plan as SQL: the statements on the target, in order, to be read before a run.
//!
//! It illustrates the run and is not a script: the program sends the rows and writes the ledger.

use std::fmt::Write;

use crate::model::ident::{quoted, quoted_list};

use super::{Feed, LoadPlan, Node, Plan};

/// Returns the statements on the target, with a comment before each group.
pub fn sql(plan: &Plan) -> String {
    let mut out = format!("-- {} into schema {}\n", plan.name, quoted(&plan.schema));
    if !plan.detach.off.is_empty() {
        out.push_str("\n-- detached first, in one transaction (keys and indexes of large tables alone)\n");
        plan.detach.off.iter().flat_map(|o| &o.detach_sql).for_each(|s| statement(&mut out, s));
    }
    for node in &plan.order {
        match node {
            Node::Owner => owner(&mut out, plan),
            Node::Load(n) => load(&mut out, plan, &plan.loads[*n]),
        }
    }
    if !plan.detach.off.is_empty() {
        out.push_str("\n-- reattached, keys before the foreign keys that depend on them\n");
        let mut off: Vec<_> = plan.detach.off.iter().collect();
        off.sort_by_key(|object| std::cmp::Reverse(object.kind));
        off.iter().flat_map(|o| &o.reattach_sql).for_each(|s| statement(&mut out, s));
    }
    out
}

fn statement(out: &mut String, sql: &str) {
    let _ = writeln!(out, "{sql};");
}

fn owner(out: &mut String, plan: &Plan) {
    let Some(owner) = &plan.owner else { return };
    let terms: Vec<String> = owner.natural.iter().map(|c| format!("{} = ...", quoted(&c.name))).collect();
    let _ = writeln!(out, "\n-- the owner");
    let table = format!("{}.{}", quoted(&plan.schema), quoted(&owner.table));
    statement(out, &format!("SELECT {} FROM {table} WHERE {}", quoted(&owner.key), terms.join(" AND ")));
    if let Some(create) = &owner.create {
        let columns = quoted_list(owner.natural.iter().chain(create).map(|c| &c.name));
        statement(out, &format!("INSERT INTO {table} ({columns}) VALUES (...) RETURNING {}", quoted(&owner.key)));
    }
}

fn load(out: &mut String, plan: &Plan, load: &LoadPlan) {
    let _ = writeln!(out, "\n-- load.{}: each batch one transaction, its ledger row first", load.name);
    for column in &load.columns {
        if let Feed::Issued(sequence) = &column.feed {
            let name = crate::model::ident::literal(&sequence.name);
            statement(out, &format!("SELECT nextval({}) -- for {}, once a row", name.trim_start(), column.name));
        }
    }
    let columns = quoted_list(load.columns.iter().map(|c| &c.name));
    let table = format!("{}.{}", quoted(&plan.schema), quoted(&load.table));
    let format = if load.as_text { "text" } else { "binary" };
    match &load.conflict {
        None => statement(out, &format!("COPY {table} ({columns}) FROM STDIN (FORMAT {format})")),
        Some(key) => {
            statement(out, &format!("COPY pg_temp.migrate_piece ({columns}) FROM STDIN (FORMAT {format})"));
            let key = quoted_list(key);
            let select = format!("SELECT {columns} FROM pg_temp.migrate_piece WHERE migrate_place <> ALL (...)");
            statement(out, &format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT ({key}) DO NOTHING"));
        }
    }
}
