//! Lookups: whether a table, what is taken from it and the keys of each step fit both databases.
//!
//! What PostgreSQL makes of the target's expressions was asked beforehand ([`Inputs::expressions`]); no row is looked up here.

use crate::mapping::{FeedRule, LookupRule, Mapping, MissingRule, StepRule};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Rules, Value};
use crate::model::schema::{TargetColumn, TargetSchema, TargetTable};

use super::{Inputs, PlanFindings, modifiers};

/// A value that is found in the target.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupPlan {
    /// The target's table.
    pub table: String,
    /// The column whose value is taken.
    pub take: String,
    /// That column's type.
    pub take_kind: ColumnType,
    /// The ways to find it, tried in order.
    pub steps: Vec<LookupStep>,
    /// Several distinct answers are a fault; else the next step is tried.
    pub ambiguous_is_fault: bool,
    /// What stands where no step found anything; [`Value::Fault`] for a fault.
    pub missing: Value,
    /// A miss is normal.
    pub quiet: bool,
    /// How the keys of the source are read.
    pub rules: Rules,
}

/// One way to find a row.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupStep {
    /// PostgreSQL's side of the key: expressions over the table, and what they are.
    pub target: Vec<(String, ColumnType)>,
    /// SQLite's side: positions among the load's expressions.
    pub source: Vec<usize>,
    /// Letters of ASCII compare without regard to case.
    pub nocase: bool,
}

impl LookupStep {
    /// The target's side as reports name it.
    pub fn shown(&self) -> String {
        let parts: Vec<&str> = self.target.iter().map(|(sql, _)| sql.as_str()).collect();
        parts.join(", ")
    }
}

/// The target's expressions of all lookups, each with its table: what the target is asked about before the plan is made.
pub fn expressions(mapping: &Mapping, target: &TargetSchema) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, column) in mapping.loads.iter().flat_map(|load| &load.columns) {
        let Some(FeedRule::Lookup(lookup)) = &column.feed else { continue };
        if target.tables.contains_key(&lookup.table) {
            let all = lookup.steps.iter().flat_map(|step| &step.target.0);
            found.extend(all.map(|sql| (lookup.table.clone(), sql.clone())));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Plans one lookup; `cells` gives each source expression its position. `None`: the findings say why.
pub(super) fn lookup(
    lookup: &LookupRule,
    (column, place): (&TargetColumn, &str),
    (mapping, inputs, target): (&Mapping, &Inputs<'_>, &TargetSchema),
    cells: &mut dyn FnMut(&str) -> usize,
    findings: &mut PlanFindings,
) -> Option<LookupPlan> {
    let place = format!("{place}.lookup");
    let table = table(lookup, target, &place, findings)?;
    let take = table.column(&lookup.take);
    if take.is_none() {
        let names = table.columns.iter().map(|c| c.name.as_str());
        findings.refuse(
            format!("{place}.take"),
            format!("`{}` has no column `{}`", lookup.table, lookup.take),
            format!("{}Write the name of a column of the target.", did_you_mean(&lookup.take, names)),
        );
    }
    let steps: Vec<Option<LookupStep>> = lookup
        .steps
        .iter()
        .enumerate()
        .map(|(n, written)| step(lookup, written, &format!("{place}.steps.{n}"), (inputs, target), cells, findings))
        .collect();
    if lookup.steps.is_empty() {
        findings.refuse(&place, "has no step", "Write `steps = [ { target = \"...\", source = \"...\" } ]`.");
    }
    let ambiguous_is_fault = match lookup.ambiguous.as_deref() {
        None | Some("next") => false,
        Some("fault") => true,
        Some(_) => {
            findings.refuse(format!("{place}.ambiguous"), "is \"next\" or \"fault\"", "Write one of the two.");
            false
        }
    };
    let missing = missing(lookup, mapping, inputs, &place, findings);
    let take = take?;
    if inputs.target.is_some() && !fits(&take.kind, &column.kind) {
        findings.refuse(
            format!("{place}.take"),
            format!("`{}` is {} and the column is {}", lookup.take, take.kind.shown(), column.kind.shown()),
            "Take a column of the same type.",
        );
    }
    Some(LookupPlan {
        table: lookup.table.clone(),
        take: lookup.take.clone(),
        take_kind: take.kind.clone(),
        steps: steps.into_iter().collect::<Option<_>>()?,
        ambiguous_is_fault,
        missing,
        quiet: lookup.quiet,
        rules: modifiers::plain(mapping),
    })
}

fn table<'t>(
    lookup: &LookupRule,
    target: &'t TargetSchema,
    place: &str,
    findings: &mut PlanFindings,
) -> Option<&'t TargetTable> {
    let Some(found) = target.tables.get(&lookup.table) else {
        let names = target.tables.keys().map(String::as_str);
        findings.refuse(
            format!("{place}.table"),
            format!("the target's schema `{}` has no table `{}`", target.schema, lookup.table),
            format!("{}Write the name of a table of the target.", did_you_mean(&lookup.table, names)),
        );
        return None;
    };
    Some(found)
}

fn step(
    lookup: &LookupRule,
    step: &StepRule,
    place: &str,
    (inputs, schema): (&Inputs<'_>, &TargetSchema),
    cells: &mut dyn FnMut(&str) -> usize,
    findings: &mut PlanFindings,
) -> Option<LookupStep> {
    let (target, source) = (&step.target.0, &step.source.0);
    if target.len() != source.len() {
        findings.refuse(
            place,
            format!("its key has {} parts on the target and {} in the source", target.len(), source.len()),
            "Write as many expressions on both sides.",
        );
        return None;
    }
    let mut parts = Vec::new();
    for sql in target {
        let asked = inputs.expressions.get(&(lookup.table.clone(), sql.clone()));
        match asked {
            Some(Ok(kind)) => parts.push((sql.clone(), kind.clone())),
            Some(Err(words)) => {
                let columns = schema.tables.get(&lookup.table).map(|t| t.columns.as_slice()).unwrap_or_default();
                let named = words.split('"').nth(1).unwrap_or_default();
                let hint = did_you_mean(named, columns.iter().map(|c| c.name.as_str()));
                findings.refuse(
                    format!("{place}.target"),
                    format!("PostgreSQL refuses `{sql}`: {words}"),
                    format!("{hint}Write an expression over the columns of `{}`.", lookup.table),
                );
            }
            None => {
                let unknown = ColumnType::new(Kind::Other, 0, "unknown");
                parts.push((sql.clone(), unknown));
            }
        }
    }
    if inputs.target.is_some() {
        for (sql, kind) in parts.iter().filter(|(_, kind)| !is_key(kind)) {
            findings.refuse(
                format!("{place}.target"),
                format!("`{sql}` is of type {}, whose values have no bytes to compare", kind.shown()),
                format!("Write `({sql})::text`, or another key."),
            );
        }
        if step.nocase && parts.iter().any(|(_, kind)| !kind.is_text()) {
            findings.refuse(
                format!("{place}.nocase"),
                "is written and a part of the key is not text",
                "Take it away, or write `(...)::text`.",
            );
        }
    }
    let source = source.iter().map(|sql| cells(sql)).collect();
    (parts.len() == target.len()).then_some(LookupStep { target: parts, source, nocase: step.nocase })
}

/// Types whose equal values have equal bytes. Not so a numeric of no stated scale, floats and documents.
fn is_key(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Bool | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Uuid | Kind::Bytea | Kind::Inet => true,
        Kind::Date | Kind::Time { .. } | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => true,
        Kind::Numeric { limit } => limit.is_some(),
        Kind::Enum { .. } => true,
        _ => kind.is_text(),
    }
}

/// Whether a value of `take` may stand in the column: the same type, or both integers, or both text.
fn fits(take: &ColumnType, column: &ColumnType) -> bool {
    let is_integer = |kind: &ColumnType| matches!(kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
    match take.kind {
        Kind::Uuid | Kind::Bool => take.oid == column.oid,
        _ => (is_integer(take) && is_integer(column)) || (take.is_text() && column.is_text()),
    }
}

fn missing(
    lookup: &LookupRule,
    mapping: &Mapping,
    inputs: &Inputs<'_>,
    place: &str,
    findings: &mut PlanFindings,
) -> Value {
    let value = match &lookup.missing {
        None | Some(MissingRule::Fault) => Value::Fault,
        Some(MissingRule::Null) => Value::Null,
        Some(MissingRule::Owner) => Value::Owner,
        Some(MissingRule::Value(written)) => written.0.clone(),
    };
    let has_owner = mapping.owner.as_ref().is_some_and(|o| o.natural.is_some()) || !inputs.owner.is_empty();
    if value == Value::Owner && !has_owner {
        findings.refuse(
            format!("{place}.missing"),
            "is the owner, and the mapping names none",
            "Write [owner] with `table` and `match`.",
        );
    }
    value
}
