//! The plan as text for people, and as JSON.
//!
//! Values of environment variables are never shown.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::model::cell::RawBuf;
use crate::model::record::NumberedBy;
use crate::model::rules::{Rules, Value};
use crate::model::select::{Expr, Relation};
use crate::text::printable;

use super::{
    AssignedSequence, Circle, CircleKey, ColumnPlan, CountedColumn, Feed, HeldTable, LoadPlan, LookupPlan, Node, Plan,
    StatedReference, Treatment,
};

/// Lines of text for people. A name or a value cannot break a line or control a terminal.
#[derive(Default)]
struct PrintedLines(String);

impl PrintedLines {
    fn add(&mut self, line: impl AsRef<str>) {
        self.0.push_str(&printable(line.as_ref()));
        self.0.push('\n');
    }

    /// Begins a group after an empty line.
    fn head(&mut self, line: &str) {
        self.0.push('\n');
        self.add(line);
    }
}

/// Returns the plan as text: the order, every load with its columns, detached objects and the tables without a load.
pub fn text(plan: &Plan) -> String {
    let mut out = PrintedLines::default();
    out.add(format!("Plan of {} into schema {}", plan.name, plan.schema));
    for (n, node) in plan.order.iter().enumerate() {
        out.0.push('\n');
        match node {
            Node::Owner => owner(&mut out, n + 1, plan),
            Node::Load(at) => load(&mut out, n + 1, &plan.loads[*at], plan),
        }
    }
    if !plan.left.is_empty() {
        out.head("Stays in the source");
        for left in &plan.left {
            let column = left.column.as_ref().map_or_else(String::new, |c| format!(".{c}"));
            out.add(format!("  {}{column}: {}", left.table, left.reason));
        }
    }
    circles(&mut out, plan);
    detach(&mut out, plan);
    distributed(&mut out, plan);
    let untouched: Vec<&str> = plan
        .classes
        .iter()
        .filter(|(_, c)| **c == super::TableClass::Untouched)
        .map(|(name, _)| name.as_str())
        .collect();
    if !untouched.is_empty() {
        out.head("Untouched on the target");
        out.add(format!("  {}", untouched.join(", ")));
    }
    sequences(&mut out, plan);
    if !plan.warnings.is_empty() {
        out.head("Warnings");
        for warning in &plan.warnings {
            out.add(format!("  {}: {}", warning.place, warning.message));
        }
    }
    out.0
}

/// Writes the loads that refer to each other, and the keys that are not checked while their rows are written.
fn circles(out: &mut PrintedLines, plan: &Plan) {
    if !plan.circles.is_empty() {
        out.head("Loads that refer to each other in a circle");
    }
    for circle in &plan.circles {
        let members: Vec<&str> = circle.members.iter().map(|n| plan.loads[*n].name.as_str()).collect();
        let list = |keys: &[CircleKey]| {
            let names: Vec<String> = keys.iter().map(|key| format!("{}.{}", key.table, key.name)).collect();
            names.join(", ")
        };
        out.add(format!("  {}", members.join(", ")));
        if !circle.detached.is_empty() {
            out.add(format!("   detached for the load, whatever its size, and reattached: {}", list(&circle.detached)));
        }
        if !circle.deferred.is_empty() {
            out.add(format!("   written in one transaction, at whose end it is checked: {}", list(&circle.deferred)));
        }
    }
}

/// Writes the objects that are detached and those that stay attached, with the reason.
fn detach(out: &mut PrintedLines, plan: &Plan) {
    if !plan.detach.off.is_empty() {
        out.head("Detached for the load and reattached unchanged (small tables: triggers alone; no index whose row limit a row may exceed)");
        for object in &plan.detach.off {
            out.add(format!("  {}.{}: {}", object.table, object.object, object.kind.word()));
        }
    }
    if !plan.detach.stays.is_empty() {
        out.head("Stays attached during the load");
        for (object, why) in &plan.detach.stays {
            out.add(format!("  {}.{}: {}; {why}", object.table, object.object, object.kind.word()));
        }
    }
}

/// Writes the placement of the loaded tables that are not local.
fn distributed(out: &mut PrintedLines, plan: &Plan) {
    if !plan.distributed.is_empty() {
        out.head("Distributed by Citus (loaded tables that are not listed are local)");
    }
    for (table, placement) in &plan.distributed {
        out.add(format!("  {table}: {}", placement.words()));
    }
}

/// Writes the sequences of the schema.
fn sequences(out: &mut PrintedLines, plan: &Plan) {
    if plan.sequences.is_empty() {
        return;
    }
    out.head("Sequences");
    for AssignedSequence { sequence, columns, by } in &plan.sequences {
        let columns: Vec<String> = columns.iter().map(CountedColumn::shown).collect();
        let columns = columns.join(", ");
        let numbers = match by {
            NumberedBy::Column => format!("numbers {columns}"),
            NumberedBy::Mapping => format!("numbers {columns}, by the mapping"),
            NumberedBy::Name => format!("numbers {columns}, by its name"),
            NumberedBy::Nothing => "numbers no loaded column; unchanged".to_owned(),
        };
        out.add(format!("  {}: {numbers}", sequence.name));
    }
}

fn owner(out: &mut PrintedLines, n: usize, plan: &Plan) {
    let Some(owner) = &plan.owner else { return };
    let natural: Vec<String> = owner.natural.iter().map(|c| format!("{} = {}", c.name, value(&c.value))).collect();
    out.add(format!("{n}. owner: the row of {} with {}", owner.table, natural.join(", ")));
    match &owner.create {
        Some(create) => {
            let create: Vec<String> = create.iter().map(|c| format!("{} = {}", c.name, value(&c.value))).collect();
            out.add(format!("   made if it is not there: {}", create.join(", ")));
        }
        None => out.add("   it has to be there"),
    }
}

fn load(out: &mut PrintedLines, n: usize, load: &LoadPlan, plan: &Plan) {
    let class = plan.classes.get(&load.table).map_or("", |c| c.word());
    let from = match &load.select.relation {
        Relation::Table(table) => table.clone(),
        Relation::Sql(sql) => format!("({})", sql.split_whitespace().collect::<Vec<_>>().join(" ")),
        Relation::Rows { rows, .. } => format!("{} rows of the mapping", rows.len()),
    };
    out.add(format!("{n}. {}: {from} -> {}.{}, {class}", load.name, plan.schema, load.table));
    if load.when_empty {
        out.add("   only when the table is empty");
    }
    if let Some(held) = plan.held.iter().find(|held| held.table == load.table) {
        out.add(format!("   {}", existing_rows(held)));
    }
    if let Some(key) = &load.conflict {
        out.add(format!("   a row whose ({}) already exists is skipped", key.join(", ")));
    }
    if load.as_text {
        out.add("   sent as text: a type has no binary form");
    }
    let width = load.columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    let kinds = load.columns.iter().map(|c| c.kind.shown().chars().count()).max().unwrap_or(0);
    for column in &load.columns {
        let mut rules = rules(&column.rules, column);
        if let Some(table) = &column.shift {
            rules.push_str(&format!("   shifted with the ids of {table}"));
        }
        if let Some(StatedReference::ByType { by, tables }) = &column.refers {
            let tables: Vec<&str> = tables.iter().filter_map(|(_, table)| table.as_deref()).collect();
            let by = expression(&load.select.exprs[*by]);
            rules.push_str(&format!("   shifted with the ids of {}, by {by}", tables.join(" or ")));
        }
        let line = format!("   {:width$}  {:kinds$}  {}{rules}", column.name, column.kind.shown(), feed(column, load));
        out.add(line.trim_end());
    }
    if !load.unfed.is_empty() {
        out.add(format!("   left to the target: {}", load.unfed.join(", ")));
    }
}

/// The treatment of the rows that a table holds.
fn existing_rows(held: &HeldTable) -> String {
    let rows = if held.rows == 1 { "1 existing row".to_owned() } else { format!("{} existing rows", held.rows) };
    match held.treatment {
        Treatment::Replace => format!("{rows}: removed first and kept in the ledger"),
        Treatment::Match => format!("{rows}: matched by the natural key"),
        Treatment::Append | Treatment::Skip | Treatment::Leave => format!("{rows}: unchanged"),
    }
}

fn feed(column: &ColumnPlan, load: &LoadPlan) -> String {
    match &column.feed {
        Feed::Cell(n) => expression(&load.select.exprs[*n]),
        Feed::Constant(constant) => format!("= {}", value(constant)),
        Feed::Owner => "the owner".to_owned(),
        Feed::Issued(sequence) => format!("issued by {}", sequence.name),
        Feed::Lookup(lookup) => looked_up(lookup),
    }
}

fn expression(expr: &Expr) -> String {
    match expr {
        Expr::Column(name) => name.clone(),
        Expr::Sql(sql) => format!("({})", sql.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn looked_up(lookup: &LookupPlan) -> String {
    let steps: Vec<String> = lookup
        .steps
        .iter()
        .map(|step| format!("{}{}", step.shown(), if step.nocase { " without case" } else { "" }))
        .collect();
    let missing = match &lookup.missing {
        Value::Fault => "a fault".to_owned(),
        other => value(other),
    };
    format!("{}.{} by {}; else {missing}", lookup.table, lookup.take, steps.join(", then "))
}

fn value(value: &Value) -> String {
    match value {
        Value::Literal(RawBuf::Null) | Value::Null => "NULL".to_owned(),
        Value::Literal(RawBuf::Integer(i)) => i.to_string(),
        Value::Literal(RawBuf::Real(r)) => r.to_string(),
        Value::Literal(RawBuf::Text(text)) => format!("'{}'", String::from_utf8_lossy(text)),
        Value::Literal(RawBuf::Blob(blob)) => format!("a blob of {} bytes", blob.len()),
        Value::Now => "the run's start".to_owned(),
        Value::Owner => "the owner".to_owned(),
        Value::Env(name) => format!("${name}"),
        Value::Member => "the value of each file".to_owned(),
        Value::Fault => "a fault".to_owned(),
    }
}

/// Returns the modifiers that are set, in the order in which they act.
fn rules(rules: &Rules, column: &ColumnPlan) -> String {
    let mut words = Vec::new();
    let mut flag = |on: bool, word: &str| on.then(|| words.push(word.to_owned()));
    flag(rules.charset.is_some(), "charset");
    flag(rules.blob_as_text, "blob = utf8");
    flag(rules.strip_nul, "strip_nul");
    flag(rules.trim, "trim");
    if !rules.null_if.is_empty() {
        words.push(format!("null_if {:?}", rules.null_if));
    }
    if !rules.map.is_empty() {
        words.push(format!("map of {}", rules.map.len()));
    }
    words.extend(rules.map_else.as_ref().map(|v| format!("else {}", value(v))));
    words.extend(rules.epoch.map(|e| format!("epoch {e:?}").to_lowercase()));
    words.extend(rules.format.iter().map(|f| format!("format {f}")));
    words.extend(rules.since.map(|day| format!("since day {day}")));
    words.extend(rules.if_bad.as_ref().map(|v| format!("if_bad {}", value(v))));
    let mut flag = |on: bool, word: &str| on.then(|| words.push(word.to_owned()));
    flag(rules.round, "round");
    flag(rules.truncate, "truncate");
    flag(rules.drop_orphan, "if_orphan drop");
    words.extend(rules.if_orphan.as_ref().map(|v| format!("if_orphan {}", value(v))));
    if !matches!(column.feed, Feed::Constant(_)) {
        words.extend(rules.if_null.as_ref().map(|v| format!("if_null {}", value(v))));
    }
    if words.is_empty() { String::new() } else { format!("   {}", words.join(", ")) }
}

impl Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let order: Vec<String> = self
            .order
            .iter()
            .map(|node| match node {
                Node::Owner => "owner".to_owned(),
                Node::Load(n) => format!("load.{}", self.loads[*n].name),
            })
            .collect();
        let classes: serde_json::Map<String, Json> =
            self.classes.iter().map(|(table, class)| (table.clone(), Json::from(class.word()))).collect();
        let mut plan = json!({
            "format": 1,
            "mapping": self.name,
            "schema": self.schema,
            "order": order,
            "owner": self.owner.as_ref().map(|o| json!({ "table": o.table, "key": o.key, "made_if_absent": o.create.is_some() })),
            "loads": self.loads.iter().map(|l| load_json(l, self)).collect::<Vec<_>>(),
            "classes": classes,
            "detach": {
                "off": self.detach.off.iter().map(detached_json).collect::<Vec<_>>(),
                "stays": self.detach.stays.iter().map(|(o, why)| json!({ "object": detached_json(o), "why": why })).collect::<Vec<_>>(),
            },
            "circles": self.circles.iter().map(|circle| circle_json(circle, self)).collect::<Vec<_>>(),
            "existing": self.held,
            "sequences": self.sequences.iter().map(|s| json!({ "sequence": s.sequence.name, "by": s.by, "columns": s.columns })).collect::<Vec<_>>(),
            "left": self.left,
            "not_tables": self.not_tables.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect::<Vec<_>>(),
            "warnings": self.warnings,
        });
        if !self.distributed.is_empty() {
            plan["distributed"] = json!(self.distributed);
        }
        plan.serialize(to)
    }
}

fn detached_json(object: &crate::model::schema::Detachable) -> Json {
    json!({ "table": object.table, "object": object.object, "kind": object.kind, "off": object.detach_sql, "back": object.reattach_sql })
}

fn circle_json(circle: &Circle, plan: &Plan) -> Json {
    let members: Vec<String> = circle.members.iter().map(|n| format!("load.{}", plan.loads[*n].name)).collect();
    json!({ "loads": members, "detached": circle.detached, "deferred": circle.deferred })
}

fn load_json(load: &LoadPlan, plan: &Plan) -> Json {
    let columns: Vec<Json> = load
        .columns
        .iter()
        .map(|c| {
            json!({
                "column": c.name,
                "type": c.kind.shown(),
                "not_null": c.not_null,
                "feed": feed(c, load),
                "modifiers": rules(&c.rules, c).trim(),
            })
        })
        .collect();
    json!({
        "load": load.name,
        "source": load.source,
        "target": format!("{}.{}", plan.schema, load.table),
        "class": plan.classes.get(&load.table).map(|c| c.word()),
        "when": if load.when_empty { Some("empty") } else { None },
        "conflict": load.conflict,
        "copy": if load.as_text { "text" } else { "binary" },
        "columns": columns,
    })
}
