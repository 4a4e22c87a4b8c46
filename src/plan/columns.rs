//! The columns of one load: the feed of each column of the target.
//!
//! A written feed comes first, then the owner's stamp, then the source's column of the same name.

use crate::mapping::{FeedRule, Load, MappedColumn, OwnerRule, RefersRule};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{Kind, SilentChange};
use crate::model::record::Refusal;
use crate::model::rules::{Existing, Rules, Value};
use crate::model::schema::{TargetColumn, TargetTable};
use crate::model::select::{Expr, Relation, Select};

use super::lookup::LookupPlanner;
use super::relation::{self, RelationColumn};
use super::{
    ColumnPlan, Context, Feed, LoadPlan, PlanFindings, RepeatedKind, StatedReference, Taken, matching, modifiers, names,
};

/// Plans one load. `None` if its relation is missing or its SQL is refused; the findings contain the reason.
pub(super) fn load(
    context: Context<'_>,
    load: &Load,
    table: &TargetTable,
    taken: &mut Taken,
    findings: &mut PlanFindings,
) -> Option<LoadPlan> {
    let Context { mapping, inputs, .. } = context;
    let from = relation::relation(load, inputs, findings)?;
    if let Some((expr, mistake)) = inputs.sql.get(&load.name).and_then(|f| f.mistake.as_ref()) {
        let place = match expr.and_then(|n| relation::written(load).into_iter().nth(n)) {
            Some((place, _)) => place,
            None => format!("load.{}.from.sql", load.name),
        };
        let hint = relation::meant(mistake, inputs);
        findings.refuse(place, format!("SQLite refuses its SQL: {mistake}"), format!("{hint}Correct the SQL."));
        return None;
    }
    let source = relation::columns(load, &from, inputs);
    names::of_relation(load, &from, table, &source, findings);
    names::of_target(load, table, findings);
    let mut planner = ColumnPlanner { context, load, source, exprs: Vec::new(), findings };
    let planned: Vec<ColumnPlan> = table.columns.iter().filter_map(|column| planner.column(column)).collect();
    planner.note_taken(&from, table, taken);
    let exprs = planner.exprs;
    Some(LoadPlan {
        name: load.name.clone(),
        table: load.to.clone(),
        source: match &from {
            Relation::Table(name) => name.clone(),
            Relation::Sql(_) => "sql".to_owned(),
            Relation::Rows { .. } => "rows".to_owned(),
        },
        as_text: planned.iter().any(|c| !c.kind.is_binary()),
        unfed: {
            let names = table.columns.iter().map(|c| &c.name);
            names.filter(|name| planned.iter().all(|c| c.name != **name)).cloned().collect()
        },
        columns: planned,
        conflict: load.conflict.clone(),
        when_empty: load.when_empty,
        existing: load.existing.clone(),
        surrogate: matching::surrogate(table).cloned(),
        triggers_fire: load.triggers_fire,
        select: Select {
            address: relation::address(&from, inputs),
            relation: from,
            exprs,
            params: relation::params(mapping, inputs),
        },
    })
}

/// Returns the column of this name: the exact one, or else the only one that differs in case alone.
fn same_name<'a>(name: &str, columns: &'a [RelationColumn]) -> Option<&'a RelationColumn> {
    columns.iter().find(|column| column.name == name).or_else(|| {
        let mut folded = columns.iter().filter(|column| column.name.to_lowercase() == name.to_lowercase());
        let first = folded.next();
        if folded.next().is_some() { None } else { first }
    })
}

/// Returns the position of an expression among those that are read, and adds it if it is missing.
fn position(exprs: &mut Vec<Expr>, expr: Expr) -> usize {
    exprs.iter().position(|e| *e == expr).unwrap_or_else(|| {
        exprs.push(expr);
        exprs.len() - 1
    })
}

/// The feed of a column, and the declared type of the source column that feeds it.
type Fed = (Feed, Option<String>);

struct ColumnPlanner<'a> {
    context: Context<'a>,
    load: &'a Load,
    source: Vec<RelationColumn>,
    exprs: Vec<Expr>,
    findings: &'a mut PlanFindings,
}

impl ColumnPlanner<'_> {
    /// Notes which columns of the source this load reads, by feed or by SQL.
    fn note_taken(&self, from: &Relation, table: &TargetTable, taken: &mut Taken) {
        if let Some(facts) = self.context.inputs.sql.get(&self.load.name) {
            taken.extend(facts.reads.iter().cloned());
        }
        let Relation::Table(source) = from else { return };
        for expr in &self.exprs {
            if let Expr::Column(column) = expr {
                taken.insert((source.clone(), column.clone()));
            }
        }
        // The server computes a generated column, so its source column of the same name is not lost.
        let generated = table.columns.iter().filter(|c| c.generated).map(|c| &c.name);
        // A matched row keeps the target's id, and references to it follow.
        let is_matched = table.has_rows && matches!(self.load.existing, Some(Existing::Match { .. }));
        let matched = matching::surrogate(table).filter(|_| is_matched);
        for name in generated.chain(matched) {
            if let Some(same) = same_name(name, &self.source) {
                taken.insert((source.clone(), same.name.clone()));
            }
        }
    }

    fn column(&mut self, column: &TargetColumn) -> Option<ColumnPlan> {
        let nothing = MappedColumn::default();
        let written = self.load.columns.iter().find(|(name, _)| *name == column.name).map(|(_, c)| c);
        let place = format!("load.{}.columns.{}", self.load.name, column.name);
        if column.generated {
            if written.is_some() {
                self.findings.refuse(place, "the server computes this column", "Remove the entry.");
            }
            return None;
        }
        let entry = written.unwrap_or(&nothing);
        let rules = modifiers::rules(self.context.mapping, self.load, column, &entry.modifiers, self.findings);
        let stamped = matches!(&self.load.owner, OwnerRule::Stamped(columns) if columns.contains(&column.name));
        let (feed, declared) =
            if stamped { self.stamp(column, entry, &place) } else { self.feed(column, entry, &rules, &place)? };
        if rules.zone.is_none() && matches!(column.kind.kind, Kind::Timestamptz { .. }) && matches!(feed, Feed::Cell(_))
        {
            self.findings.refuse(
                &place,
                "its type needs an offset, its times may have none, and no zone is stated",
                "Write `zone = \"UTC\"`, or the zone of its times, in [source] or for the column.",
            );
        }
        self.arrives_whole(column, &feed, &place);
        let refers = self.stated_reference(entry, &place);
        Some(ColumnPlan {
            name: column.name.clone(),
            kind: column.kind.clone(),
            not_null: column.not_null,
            feed,
            rules,
            declared,
            shift: None,
            refers,
        })
    }

    /// The statement of the mapping about the rows to which a column refers.
    fn stated_reference(&mut self, entry: &MappedColumn, place: &str) -> Option<StatedReference> {
        let RefersRule::ByType { by, tables } = entry.refers.as_ref()? else { return Some(StatedReference::OneTable) };
        let place = format!("{place}.refers");
        let Some((Feed::Cell(by), _)) = self.fed_by_column(by, &place) else { return None };
        Some(StatedReference::ByType { by, tables: tables.clone() })
    }

    /// Refuses to feed a column whose values the server would change silently. Warns of a default that draws from a sequence,
    /// because the run does not move that sequence.
    fn arrives_whole(&mut self, column: &TargetColumn, feed: &Feed, place: &str) {
        if *feed == Feed::Constant(Value::Null) {
            return;
        }
        if let Some(how) = column.kind.bent().map(SilentChange::words) {
            let reason = format!("the server silently {how} where it reads text as {}", column.kind.shown());
            let advice = "Give the column a type that holds the source's values, such as text or numeric, or write \
                          `{ omit = true }`.";
            self.findings.refuse(place, reason, advice);
        }
        if let Some(sequence) = &column.draws {
            let message = format!(
                "its default derives values from {sequence}, which the run does not change: set the sequence past the \
                 loaded values if they must not occur again"
            );
            self.findings.warn(place, message);
        }
    }

    fn stamp(&mut self, column: &TargetColumn, entry: &MappedColumn, place: &str) -> Fed {
        if entry.feed.is_some() {
            self.findings.refuse(place, "is stamped with the owner and has a feed as well", "Remove one of the two.");
        }
        if self.context.mapping.owner.as_ref().is_none_or(|o| o.natural.is_none())
            && self.context.inputs.owner.is_empty()
        {
            self.findings.refuse(
                format!("load.{}.owner", self.load.name),
                "rows are stamped and the mapping names no owner",
                "Write [owner] with `table` and `match`.",
            );
        }
        let source = relation::table_of(self.load).filter(|_| same_name(&column.name, &self.source).is_some());
        let left = |table: &str| {
            self.context
                .mapping
                .leave
                .iter()
                .any(|entry| entry.table == table && entry.column.as_ref() == Some(&column.name))
        };
        if let Some(table) = source.filter(|table| !left(table)) {
            self.findings.refuse(
                place,
                format!("is stamped, and the source's `{table}` has a column `{}`", column.name),
                format!(
                    "Write `{table}.{} = \"why\"` in [leave], or `owner = {{ carried = \"{}\" }}`.",
                    column.name, column.name
                ),
            );
        }
        (Feed::Owner, None)
    }

    /// Returns the column's feed; `None` if the target's default fills it.
    fn feed(&mut self, column: &TargetColumn, entry: &MappedColumn, rules: &Rules, place: &str) -> Option<Fed> {
        match &entry.feed {
            Some(FeedRule::From(name)) => self.fed_by_column(name, place),
            Some(FeedRule::Sql(sql)) => Some((self.cell(Expr::Sql(sql.clone())), None)),
            Some(FeedRule::Value(value)) => Some((Feed::Constant(value.0.clone()), None)),
            Some(FeedRule::Owner) => Some((Feed::Owner, None)),
            Some(FeedRule::Env { name, optional }) => self.fed_by_env(name, *optional, column, place),
            Some(FeedRule::Lookup(written)) => {
                let exprs = &mut self.exprs;
                let mut cells = |sql: &str| position(exprs, Expr::Sql(sql.to_owned()));
                let place = format!("{place}.lookup");
                let planner = LookupPlanner { context: self.context, lookup: written, place };
                let planned = planner.plan(column, &mut cells, self.findings)?;
                Some((Feed::Lookup(Box::new(planned)), None))
            }
            Some(FeedRule::Omit) => self.omitted(column, place),
            None => match same_name(&column.name, &self.source).cloned() {
                Some(RelationColumn { name, declared }) => {
                    self.means_one(column, &name, place);
                    Some((self.cell(Expr::Column(name)), declared))
                }
                None => self.unfed(column, entry, rules, place),
            },
        }
    }

    /// Refuses a source column whose name matches two columns of the target, apart from case.
    fn means_one(&mut self, column: &TargetColumn, name: &str, place: &str) {
        let table = self.context.target.tables.get(&self.load.to);
        let folded = |other: &&TargetColumn| other.name.to_lowercase() == column.name.to_lowercase();
        let mut others = table.into_iter().flat_map(|t| &t.columns).filter(folded).filter(|c| c.name != column.name);
        if let Some(other) = others.next().filter(|_| name != column.name) {
            self.findings.refuse(
                place,
                format!("the source's `{name}` matches it and `{}`: their names differ in case alone", other.name),
                format!("Write the feed of each, such as \"{}\" = \"{name}\", or {{ omit = true }}.", column.name),
            );
        }
    }

    fn cell(&mut self, expr: Expr) -> Feed {
        Feed::Cell(position(&mut self.exprs, expr))
    }

    fn fed_by_column(&mut self, name: &str, place: &str) -> Option<Fed> {
        if let Some(found) = self.source.iter().find(|column| column.name == name).cloned() {
            return Some((self.cell(Expr::Column(found.name)), found.declared));
        }
        let hint = did_you_mean(name, self.source.iter().map(|column| column.name.as_str()));
        self.findings.refuse(
            place,
            format!("the load's rows have no column `{name}`"),
            format!("{hint}Write the name of a column, or `sql = \"...\"`."),
        );
        None
    }

    fn fed_by_env(&mut self, name: &str, optional: bool, column: &TargetColumn, place: &str) -> Option<Fed> {
        if self.context.inputs.env.contains_key(name) {
            return Some((Feed::Constant(Value::Env(name.to_owned())), None));
        }
        if optional {
            return self.omitted(column, place);
        }
        self.findings.refuse(
            place,
            format!("the variable `{name}` is not set"),
            format!("Set {name} in the environment, or write `optional = true`."),
        );
        None
    }

    fn omitted(&mut self, column: &TargetColumn, place: &str) -> Option<Fed> {
        let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
        if let Some(sequence) = column.sequence.as_ref().filter(|_| counts) {
            return Some((Feed::Issued(sequence.clone()), None));
        }
        if column.not_null && !column.has_default {
            let refusal = Refusal::new(
                place,
                format!("is NOT NULL without a default (type {}), and nothing feeds it", column.kind.shown()),
                format!("Write `{} = {{ ... }}` with from, sql, value, env or owner.", column.name),
            );
            let object = format!("{}.{}", self.load.to, column.name);
            self.findings.refuse_object(RepeatedKind::UnfedColumn, object, refusal);
        }
        None
    }

    /// Returns the feed of a column that neither the mapping nor the source feeds: its `if_null`, or nothing.
    fn unfed(&mut self, column: &TargetColumn, entry: &MappedColumn, rules: &Rules, place: &str) -> Option<Fed> {
        let written = entry.modifiers.written();
        if written.contains(&"if_null")
            && let Some(value) = &rules.if_null
        {
            return Some((Feed::Constant(value.clone()), None));
        }
        if !written.is_empty() {
            self.findings.refuse(
                place,
                format!("`{}` is written and the column has no feed", written.join("`, `")),
                "Write a feed (from, sql, value, env, owner), or remove the entry.",
            );
        }
        self.omitted(column, place)
    }
}
