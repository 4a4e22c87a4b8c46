//! Fingerprints, form 1, which are computed only to compare with a run in a ledger of version 1.
//!
//! The builds that wrote version 1 hashed the text that Rust's `Debug` made of their plan. This folder writes the same
//! text without `Debug`. The names in it are those of version 1 and never change, whatever the types are called now.
//! `form1.txt` contains texts that such a build wrote, and the tests compare with them.

mod debug;
mod rules;
mod types;

use super::fingerprint::lines;
use crate::model::ledger::Fingerprints;
use crate::model::rules::Existing;
use crate::model::schema::{Address, TargetSchema};
use crate::model::select::{Expr, Relation, Select};
use crate::plan::{ColumnPlan, Feed, LoadPlan, LookupPlan, PlannedStep};

use debug::{list, option, record, text, texts, variant};
use rules::{raw, rules, value};
use types::{column_type, is_own, sequence, table_text};

/// Returns the fingerprints of loads and of their tables in form 1.
pub fn fingerprints(loads: &[LoadPlan], target: &TargetSchema) -> Fingerprints {
    Fingerprints {
        catalog: lines(&table_texts(loads, target)),
        loads: loads.iter().map(|load| (load.name.clone(), lines(&load_texts(load)))).collect(),
    }
}

/// Returns the name and the text of each table that a load writes to.
pub fn table_texts(loads: &[LoadPlan], target: &TargetSchema) -> Vec<(String, String)> {
    let loaded = target.tables.iter().filter(|(name, _)| loads.iter().any(|load| load.table == **name));
    loaded.map(|(name, table)| (name.clone(), table_text(&target.schema, table))).collect()
}

/// Returns the name and the text of each line of a load's fingerprint.
pub fn load_texts(load: &LoadPlan) -> Vec<(String, String)> {
    let mut texts = vec![("what is read".to_owned(), load_text(load))];
    texts.extend(load.columns.iter().map(|column| {
        let read = match &column.feed {
            Feed::Cell(n) => load.select.exprs.get(*n),
            Feed::Constant(_) | Feed::Owner | Feed::Issued(_) | Feed::Lookup(_) => None,
        };
        let text = format!("{} {}", column_text(column), option(read.map(expr)));
        (format!("column {}", column.name), text)
    }));
    let names = list(load.columns.iter().map(|column| text(&column.name)));
    texts
        .push(("the order of its columns".to_owned(), format!("{} {names}", list(load.select.exprs.iter().map(expr)))));
    texts
}

/// Returns the load and the name of the line of each column whose text contains the OID of a type of this database.
pub fn columns_of_own_types(load: &LoadPlan) -> Vec<(String, String)> {
    let is_own_lookup = |feed: &Feed| match feed {
        Feed::Lookup(found) => {
            is_own(&found.take_kind) || found.steps.iter().flat_map(|step| &step.target).any(|(_, kind)| is_own(kind))
        }
        _ => false,
    };
    let own = load.columns.iter().filter(|column| is_own(&column.kind) || is_own_lookup(&column.feed));
    own.map(|column| (load.name.clone(), format!("column {}", column.name))).collect()
}

/// Returns the text of the flag `append`. Version 1 knew no other treatment, so a run of version 1 equals none of the others.
fn append(existing: Option<&Existing>) -> String {
    match existing {
        None => "false".to_owned(),
        Some(Existing::Append) => "true".to_owned(),
        Some(other) => other.word().to_owned(),
    }
}

/// Writes the load without its columns and without the expressions that it reads.
fn load_text(load: &LoadPlan) -> String {
    let LoadPlan {
        name,
        table,
        source,
        select: Select { relation: from, address: at, exprs: _, params },
        columns: _,
        conflict,
        when_empty,
        existing,
        surrogate: _,
        triggers_fire,
        as_text,
        unfed,
    } = load;
    let params = params.iter().map(|(name, value)| format!("{name:?}: {}", raw(value))).collect::<Vec<_>>();
    let select = record(
        "Select",
        [
            ("relation", relation(from)),
            ("address", address(at)),
            ("exprs", "[]".to_owned()),
            ("params", format!("{{{}}}", params.join(", "))),
        ],
    );
    record(
        "LoadPlan",
        [
            ("name", text(name)),
            ("table", text(table)),
            ("source", text(source)),
            ("select", select),
            ("columns", "[]".to_owned()),
            ("conflict", option(conflict.as_ref().map(|columns| texts(columns)))),
            ("when_empty", when_empty.to_string()),
            ("append", append(existing.as_ref())),
            ("triggers_fire", triggers_fire.to_string()),
            ("as_text", as_text.to_string()),
            ("unfed", texts(unfed)),
        ],
    )
}

fn relation(from: &Relation) -> String {
    match from {
        Relation::Table(name) => variant("Table", [text(name)]),
        Relation::Sql(sql) => variant("Sql", [text(sql)]),
        Relation::Rows { columns, rows } => {
            let rows = list(rows.iter().map(|row| list(row.iter().map(raw))));
            record("Rows", [("columns", texts(columns)), ("rows", rows)])
        }
    }
}

fn address(at: &Address) -> String {
    match at {
        Address::Rowid(name) => variant("Rowid", [text(name)]),
        Address::Key(columns) => variant("Key", [texts(columns)]),
        Address::Ordinal => "Ordinal".to_owned(),
    }
}

fn expr(read: &Expr) -> String {
    match read {
        Expr::Column(name) => variant("Column", [text(name)]),
        Expr::Sql(sql) => variant("Sql", [text(sql)]),
    }
}

fn column_text(column: &ColumnPlan) -> String {
    let ColumnPlan { name, kind, not_null, feed: from, rules: modifiers, declared, shift, refers: _ } = column;
    record(
        "ColumnPlan",
        [
            ("name", text(name)),
            ("kind", column_type(kind)),
            ("not_null", not_null.to_string()),
            ("feed", feed(from)),
            ("rules", rules(modifiers)),
            ("declared", option(declared.as_deref().map(text))),
            ("shift", option(shift.as_deref().map(text))),
        ],
    )
}

fn feed(from: &Feed) -> String {
    match from {
        Feed::Cell(n) => variant("Cell", [n.to_string()]),
        Feed::Constant(constant) => variant("Constant", [value(constant)]),
        Feed::Owner => "Owner".to_owned(),
        Feed::Issued(from) => variant("Issued", [sequence(from)]),
        Feed::Lookup(found) => variant("Lookup", [lookup(found)]),
    }
}

fn lookup(found: &LookupPlan) -> String {
    let LookupPlan {
        table,
        take,
        take_kind,
        steps,
        ambiguous_is_fault,
        missing,
        quiet,
        reference: _,
        rules: modifiers,
    } = found;
    record(
        "LookupPlan",
        [
            ("table", text(table)),
            ("take", text(take)),
            ("take_kind", column_type(take_kind)),
            ("steps", list(steps.iter().map(step))),
            ("ambiguous_is_fault", ambiguous_is_fault.to_string()),
            ("missing", value(missing)),
            ("quiet", quiet.to_string()),
            ("rules", rules(modifiers)),
        ],
    )
}

fn step(step: &PlannedStep) -> String {
    let PlannedStep { target, source, nocase } = step;
    let target = target.iter().map(|(sql, kind)| variant("", [text(sql), column_type(kind)]));
    record(
        "LookupStep",
        [
            ("target", list(target)),
            ("source", list(source.iter().map(ToString::to_string))),
            ("nocase", nocase.to_string()),
        ],
    )
}
