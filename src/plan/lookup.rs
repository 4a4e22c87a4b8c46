//! Lookups: checks that the table, the taken column and the keys of each step fit both databases.
//!
//! The types of the target's expressions come from PostgreSQL ([`super::Inputs::expressions`]). This file looks up no row.

use crate::mapping::{FeedRule, LookupRule, Mapping, MissingRule, StepRule};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::{Rules, Value};
use crate::model::schema::{TargetColumn, TargetSchema, TargetTable};

use super::{Context, PlanFindings, modifiers};

/// A value found in a table of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupPlan {
    /// The target's table.
    pub table: String,
    /// The column whose value is taken.
    pub take: String,
    /// That column's type.
    pub take_kind: ColumnType,
    /// The ways to find a row, tried in order.
    pub steps: Vec<PlannedStep>,
    /// True if several distinct answers are a fault; otherwise the next step is tried.
    pub ambiguous_is_fault: bool,
    /// The value used if no step finds a row; [`Value::Fault`] for a fault.
    pub missing: Value,
    /// True if a miss is normal.
    pub quiet: bool,
    /// The expression of the reference that the lookup follows: a value without a row is an orphan. `None` if the mapping
    /// writes the lookup.
    pub reference: Option<usize>,
    /// The rules for reading the keys of the source.
    pub rules: Rules,
}

/// One way to find a row.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// PostgreSQL's side of the key: expressions over the table, with their types.
    pub target: Vec<(String, ColumnType)>,
    /// SQLite's side: positions among the load's expressions.
    pub source: Vec<usize>,
    /// True if ASCII letters compare without regard to case.
    pub nocase: bool,
}

impl PlannedStep {
    /// Returns the target's side as reports show it.
    pub fn shown(&self) -> String {
        let parts: Vec<&str> = self.target.iter().map(|(sql, _)| sql.as_str()).collect();
        parts.join(", ")
    }
}

/// Returns the target's expressions of all lookups, each with its table, so that the target can determine their types.
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

/// Plans one lookup of a mapping.
pub(super) struct LookupPlanner<'a> {
    pub context: Context<'a>,
    pub lookup: &'a LookupRule,
    /// The lookup's place in the mapping.
    pub place: String,
}

impl<'a> LookupPlanner<'a> {
    /// Plans the lookup that feeds a column; `cells` returns the position of a source expression. `None` if it is refused;
    /// the findings contain the reason.
    pub fn plan(
        &self,
        column: &TargetColumn,
        cells: &mut dyn FnMut(&str) -> usize,
        findings: &mut PlanFindings,
    ) -> Option<LookupPlan> {
        let LookupPlanner { context, lookup, place } = self;
        let take = self.table(findings)?.column(&lookup.take);
        if take.is_none() {
            self.no_such_column(findings);
        }
        let mut steps = Vec::new();
        for (n, written) in lookup.steps.iter().enumerate() {
            steps.push(self.step(written, &format!("{place}.steps.{n}"), cells, findings));
        }
        if lookup.steps.is_empty() {
            findings.refuse(place, "has no step", "Write `steps = [ { target = \"...\", source = \"...\" } ]`.");
        }
        let ambiguous_is_fault = self.ambiguous_is_fault(findings);
        let missing = self.missing(findings);
        let take = take?;
        if context.inputs.target.is_some() && !fits(&take.kind, &column.kind) {
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
            reference: lookup.reference.as_ref().map(|sql| cells(sql)),
            rules: modifiers::plain(context.mapping),
        })
    }

    fn table(&self, findings: &mut PlanFindings) -> Option<&'a TargetTable> {
        let target = self.context.target;
        let found = target.tables.get(&self.lookup.table);
        if found.is_none() {
            let names = target.tables.keys().map(String::as_str);
            findings.refuse(
                format!("{}.table", self.place),
                format!("the target's schema `{}` has no table `{}`", target.schema, self.lookup.table),
                format!("{}Write the name of a table of the target.", did_you_mean(&self.lookup.table, names)),
            );
        }
        found
    }

    /// Returns the columns of the lookup's table, for hints.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let table = self.context.target.tables.get(&self.lookup.table);
        table.into_iter().flat_map(|table| &table.columns).map(|column| column.name.as_str())
    }

    fn no_such_column(&self, findings: &mut PlanFindings) {
        let LookupRule { table, take, .. } = self.lookup;
        findings.refuse(
            format!("{}.take", self.place),
            format!("`{table}` has no column `{take}`"),
            format!("{}Write the name of a column of the target.", did_you_mean(take, self.names())),
        );
    }

    fn step(
        &self,
        step: &StepRule,
        place: &str,
        cells: &mut dyn FnMut(&str) -> usize,
        findings: &mut PlanFindings,
    ) -> Option<PlannedStep> {
        let (target, source) = (&step.target.0, &step.source.0);
        if target.len() != source.len() {
            findings.refuse(
                place,
                format!("its key has {} parts on the target and {} in the source", target.len(), source.len()),
                "Write the same number of expressions on both sides.",
            );
            return None;
        }
        let mut parts = Vec::new();
        for sql in target {
            parts.extend(self.kind_of(sql, place, findings).map(|kind| (sql.clone(), kind)));
        }
        if self.context.inputs.target.is_some() {
            keys_compare(&parts, step.nocase, place, findings);
        }
        let source = source.iter().map(|sql| cells(sql)).collect();
        (parts.len() == target.len()).then_some(PlannedStep { target: parts, source, nocase: step.nocase })
    }

    /// Returns the type of an expression over the lookup's table. `None` if PostgreSQL refuses it.
    fn kind_of(&self, sql: &str, place: &str, findings: &mut PlanFindings) -> Option<ColumnType> {
        let table = &self.lookup.table;
        match self.context.inputs.expressions.get(&(table.clone(), sql.to_owned())) {
            Some(Ok(kind)) => Some(kind.clone()),
            Some(Err(words)) => {
                let named = words.split('"').nth(1).unwrap_or_default();
                let hint = did_you_mean(named, self.names());
                findings.refuse(
                    format!("{place}.target"),
                    format!("PostgreSQL refuses `{sql}`: {words}"),
                    format!("{hint}Write an expression over the columns of `{table}`."),
                );
                None
            }
            None => Some(ColumnType::new(Kind::Other, 0, "unknown")),
        }
    }

    fn ambiguous_is_fault(&self, findings: &mut PlanFindings) -> bool {
        match self.lookup.ambiguous.as_deref() {
            None | Some("next") => false,
            Some("fault") => true,
            Some(_) => {
                let place = format!("{}.ambiguous", self.place);
                findings.refuse(place, "must be \"next\" or \"fault\"", "Write one of the two.");
                false
            }
        }
    }

    fn missing(&self, findings: &mut PlanFindings) -> Value {
        let value = match &self.lookup.missing {
            None | Some(MissingRule::Fault) => Value::Fault,
            Some(MissingRule::Null) => Value::Null,
            Some(MissingRule::Owner) => Value::Owner,
            Some(MissingRule::Value(written)) => written.0.clone(),
        };
        let Context { mapping, inputs, .. } = self.context;
        let has_owner = mapping.owner.as_ref().is_some_and(|o| o.natural.is_some()) || !inputs.owner.is_empty();
        if value == Value::Owner && !has_owner {
            findings.refuse(
                format!("{}.missing", self.place),
                "is the owner, and the mapping names no owner",
                "Write [owner] with `table` and `match`.",
            );
        }
        value
    }
}

/// Refuses parts of a key whose equal values may have different bytes, and `nocase` for a part that is not text.
fn keys_compare(parts: &[(String, ColumnType)], nocase: bool, place: &str, findings: &mut PlanFindings) {
    for (sql, kind) in parts.iter().filter(|(_, kind)| !is_key(kind)) {
        findings.refuse(
            format!("{place}.target"),
            format!("`{sql}` is of type {}, whose values cannot be compared byte by byte", kind.shown()),
            format!("Write `({sql})::text`, or another key."),
        );
    }
    if nocase && parts.iter().any(|(_, kind)| !kind.is_text()) {
        findings.refuse(
            format!("{place}.nocase"),
            "is written and a part of the key is not text",
            "Remove it, or write `(...)::text`.",
        );
    }
}

/// Returns true if equal values of a type have equal bytes: not for a numeric without a scale, floats and documents.
fn is_key(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Bool | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Uuid | Kind::Bytea | Kind::Inet => true,
        Kind::Date | Kind::Time { .. } | Kind::Timestamp { .. } | Kind::Timestamptz { .. } => true,
        Kind::Numeric { limit } => limit.is_some(),
        Kind::Enum { .. } => true,
        _ => kind.is_text(),
    }
}

/// Returns true if the column accepts a value of `take`: the same type, or both integers, or both text.
fn fits(take: &ColumnType, column: &ColumnType) -> bool {
    let is_integer = |kind: &ColumnType| matches!(kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
    match take.kind {
        Kind::Uuid | Kind::Bool => take.oid == column.oid,
        _ => (is_integer(take) && is_integer(column)) || (take.is_text() && column.is_text()),
    }
}
