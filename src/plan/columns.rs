//! The columns of one load: for each column of the target, where its value comes from.
//!
//! What is written down comes first, then the owner's stamp, then the source's column of the same name.

use std::collections::BTreeSet;

use crate::mapping::{FeedRule, Load, MappedColumn, Mapping, OwnerRule, RowsFrom};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::{Kind, SilentChange};
use crate::model::rules::{Rules, Value};
use crate::model::schema::{TargetColumn, TargetSchema, TargetTable, TargetUnique};
use crate::model::select::{Expr, Relation, Select};

use super::{ColumnPlan, Feed, Inputs, LoadPlan, PlanFindings, Taken, lookup, modifiers, relation};

/// Plans one load. `None` where its relation or its table is not there; the findings say why.
pub(super) fn load(
    mapping: &Mapping,
    load: &Load,
    (table, target): (&TargetTable, &TargetSchema),
    inputs: &Inputs<'_>,
    taken: &mut Taken,
    findings: &mut PlanFindings,
) -> Option<LoadPlan> {
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
    nobody_takes(load, &from, table, &source, findings);
    let mut columns = ColumnPlanner { mapping, target, load, source, exprs: Vec::new(), inputs, findings };
    columns.names_are_there(table);
    let planned: Vec<ColumnPlan> = table.columns.iter().filter_map(|column| columns.column(column)).collect();
    let (exprs, named) = (columns.exprs, columns.source);
    note_taken(load, &from, &exprs, table, &named, inputs, taken);
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
        append: load.append,
        triggers_fire: load.triggers_fire,
        select: Select {
            address: relation::address(&from, inputs),
            relation: from,
            exprs,
            params: relation::params(mapping, inputs),
        },
    })
}

/// A column of a query or of rows of the mapping that feeds nothing is a slip, such as a misspelt name.
fn nobody_takes(
    load: &Load,
    from: &Relation,
    table: &TargetTable,
    source: &[(String, Option<String>)],
    findings: &mut PlanFindings,
) {
    if matches!(from, Relation::Table(_)) {
        return;
    }
    let names = || table.columns.iter().map(|c| c.name.as_str());
    let is_fed = |name: &str| {
        let written = load.columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        let by_name = written.is_none_or(|(_, column)| column.feed.is_none());
        let from = load.columns.iter().any(|(_, c)| matches!(&c.feed, Some(FeedRule::From(column)) if column == name));
        let is_word =
            |sql: &str| sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w.eq_ignore_ascii_case(name));
        (by_name && names().any(|column| column.eq_ignore_ascii_case(name)))
            || from
            || relation::written(load).iter().any(|(_, sql)| is_word(sql))
    };
    for (name, _) in source.iter().filter(|(name, _)| !is_fed(name)) {
        let place = match &load.from {
            RowsFrom::Rows(rows) => {
                rows.iter().position(|row| row.contains_key(name)).map(|n| format!("rows.{n}.{name}"))
            }
            _ => Some("sql".to_owned()),
        };
        findings.refuse(
            format!("load.{}.from.{}", load.name, place.unwrap_or_default()),
            format!("its rows have a column `{name}`, and nothing takes it"),
            format!("{}Name it as the target does, or take it away.", did_you_mean(name, names())),
        );
    }
}

/// Notes which columns of the source this load reads, by feed or by SQL.
fn note_taken(
    load: &Load,
    from: &Relation,
    exprs: &[Expr],
    table: &TargetTable,
    named: &[(String, Option<String>)],
    inputs: &Inputs<'_>,
    taken: &mut Taken,
) {
    if let Some(facts) = inputs.sql.get(&load.name) {
        taken.extend(facts.reads.iter().cloned());
    }
    let Relation::Table(source) = from else { return };
    for expr in exprs {
        if let Expr::Column(column) = expr {
            taken.insert((source.clone(), column.clone()));
        }
    }
    // A column that the server computes itself is not sent, and its namesake is not lost either.
    for column in table.columns.iter().filter(|c| c.generated) {
        if let Some((name, _)) = same_name(&column.name, named) {
            taken.insert((source.clone(), name.clone()));
        }
    }
}

/// The column of this name: exactly, else the only one that differs in case alone.
fn same_name<'a>(name: &str, columns: &'a [(String, Option<String>)]) -> Option<&'a (String, Option<String>)> {
    columns.iter().find(|(n, _)| n == name).or_else(|| {
        let mut folded = columns.iter().filter(|(n, _)| n.to_lowercase() == name.to_lowercase());
        let first = folded.next();
        if folded.next().is_some() { None } else { first }
    })
}

/// The position of an expression among those that are read; it is added where it is missing.
fn position(exprs: &mut Vec<Expr>, expr: Expr) -> usize {
    exprs.iter().position(|e| *e == expr).unwrap_or_else(|| {
        exprs.push(expr);
        exprs.len() - 1
    })
}

struct ColumnPlanner<'a, 'i> {
    mapping: &'a Mapping,
    target: &'a TargetSchema,
    load: &'a Load,
    source: Vec<(String, Option<String>)>,
    exprs: Vec<Expr>,
    inputs: &'a Inputs<'i>,
    findings: &'a mut PlanFindings,
}

impl ColumnPlanner<'_, '_> {
    /// Every name that the load writes down is a column of the target.
    fn names_are_there(&mut self, table: &TargetTable) {
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let mut written: Vec<(String, &str)> = self
            .load
            .columns
            .iter()
            .map(|(n, _)| (format!("load.{}.columns.{n}", self.load.name), n.as_str()))
            .collect();
        let owner = match &self.load.owner {
            OwnerRule::Stamped(columns) => columns.clone(),
            OwnerRule::Carried(column) | OwnerRule::Through(column) => vec![column.clone()],
            OwnerRule::Unsaid | OwnerRule::Shared => Vec::new(),
        };
        written.extend(owner.iter().map(|n| (format!("load.{}.owner", self.load.name), n.as_str())));
        let conflict = self.load.conflict.iter().flatten();
        written.extend(conflict.map(|n| (format!("load.{}.conflict", self.load.name), n.as_str())));
        for (place, name) in written {
            if !names.contains(&name) {
                self.findings.refuse(
                    place,
                    format!("`{}` has no column `{name}`", self.load.to),
                    format!("{}Write the name of a column of the target.", did_you_mean(name, names.iter().copied())),
                );
            }
        }
        self.says_nothing_for_nothing(table);
        if let Some(key) = &self.load.conflict {
            let wanted: BTreeSet<&String> = key.iter().collect();
            let is_it = |u: &&TargetUnique| u.columns.iter().collect::<BTreeSet<_>>() == wanted;
            let found: Vec<&TargetUnique> = table.unique.iter().filter(is_it).collect();
            // One of several is enough: the server takes them all into account.
            if let Some(waits) = found.iter().find(|u| u.deferrable) {
                self.findings.refuse(
                    format!("load.{}.conflict", self.load.name),
                    format!(
                        "the unique key {} of `{}` is DEFERRABLE: the server skips no row by it",
                        waits.name, self.load.to
                    ),
                    "Make it NOT DEFERRABLE on the target, or name another unique key.",
                );
            } else if found.is_empty() && key.iter().all(|k| names.contains(&k.as_str())) {
                self.findings.refuse(
                    format!("load.{}.conflict", self.load.name),
                    format!("`{}` has no unique key over ({})", self.load.to, key.join(", ")),
                    "Name exactly the columns of one of its unique keys.",
                );
            }
        }
    }

    /// A column that is stamped twice, and `if_orphan` where nothing can be an orphan.
    fn says_nothing_for_nothing(&mut self, table: &TargetTable) {
        if let OwnerRule::Stamped(columns) = &self.load.owner
            && let Some(twice) = columns.iter().enumerate().find(|(n, c)| columns[..*n].contains(c)).map(|(_, c)| c)
        {
            let place = format!("load.{}.owner", self.load.name);
            self.findings.refuse(place, format!("names `{twice}` twice"), "Name each column once.");
        }
        let refers = |name: &String| table.foreign.iter().any(|key| key.columns.contains(name));
        for (name, column) in &self.load.columns {
            if column.modifiers.if_orphan.is_some() && !refers(name) && table.column(name).is_some() {
                self.findings.refuse(
                    format!("load.{}.columns.{name}.if_orphan", self.load.name),
                    format!("`if_orphan` has no meaning: `{}.{name}` has no foreign key", self.load.to),
                    "Take it away.",
                );
            }
        }
    }

    fn column(&mut self, column: &TargetColumn) -> Option<ColumnPlan> {
        let nothing = MappedColumn::default();
        let written = self.load.columns.iter().find(|(name, _)| *name == column.name).map(|(_, c)| c);
        let place = format!("load.{}.columns.{}", self.load.name, column.name);
        if column.generated {
            if written.is_some() {
                self.findings.refuse(place, "the server computes this column", "Take the entry away.");
            }
            return None;
        }
        let entry = written.unwrap_or(&nothing);
        let rules =
            modifiers::rules(self.mapping, self.load, &column.name, &column.kind, &entry.modifiers, self.findings);
        let stamped = matches!(&self.load.owner, OwnerRule::Stamped(columns) if columns.contains(&column.name));
        let (feed, declared) =
            if stamped { self.stamp(column, entry, &place) } else { self.feed(column, entry, &rules, &place)? };
        if rules.zone.is_none() && matches!(column.kind.kind, Kind::Timestamptz { .. }) && matches!(feed, Feed::Cell(_))
        {
            self.findings.refuse(
                &place,
                "times without an offset may meet a column that needs one, and no zone is stated",
                "Write `zone = \"UTC\"`, or the zone that they mean, in [source] or at the column.",
            );
        }
        self.arrives_whole(column, &feed, &place);
        Some(ColumnPlan {
            name: column.name.clone(),
            kind: column.kind.clone(),
            not_null: column.not_null,
            feed,
            rules,
            declared,
            shift: None,
        })
    }

    /// Refuses to feed what the server would bend in silence; of a default that goes on counting from a sequence it is
    /// said that nobody tells it what is there now.
    fn arrives_whole(&mut self, column: &TargetColumn, feed: &Feed, place: &str) {
        if *feed == Feed::Constant(Value::Null) {
            return;
        }
        if let Some(how) = column.kind.bent().map(SilentChange::words) {
            let reason = format!("the server {how} in silence where it reads text as {}", column.kind.shown());
            let advice = "Give the column a type that holds what the source has, such as text or numeric, or write \
                          `{ omit = true }`.";
            self.findings.refuse(place, reason, advice);
        }
        if let Some(sequence) = &column.draws {
            let message = format!(
                "its default makes values of numbers from {sequence}, which stays where it is: set it past what the rows \
                 hold, if it must not give that again"
            );
            self.findings.warn(place, message);
        }
    }

    fn stamp(&mut self, column: &TargetColumn, entry: &MappedColumn, place: &str) -> (Feed, Option<String>) {
        if entry.feed.is_some() {
            self.findings.refuse(
                place,
                "is stamped with the owner and has a feed of its own",
                "Take one of the two away.",
            );
        }
        if self.mapping.owner.as_ref().is_none_or(|o| o.natural.is_none()) && self.inputs.owner.is_empty() {
            self.findings.refuse(
                format!("load.{}.owner", self.load.name),
                "rows are stamped and the mapping names no owner",
                "Write [owner] with `table` and `match`.",
            );
        }
        let source = relation::table_of(self.load).filter(|_| same_name(&column.name, &self.source).is_some());
        let left = |table: &str| {
            self.mapping.leave.iter().any(|entry| entry.table == table && entry.column.as_ref() == Some(&column.name))
        };
        if let Some(table) = source.filter(|table| !left(table)) {
            self.findings.refuse(
                place,
                format!("is stamped, and the source's `{table}` has a `{}` of its own", column.name),
                format!(
                    "Write `{table}.{} = \"why\"` in [leave], or `owner = {{ carried = \"{}\" }}`.",
                    column.name, column.name
                ),
            );
        }
        (Feed::Owner, None)
    }

    /// The column's feed; `None` lets the target's default speak.
    fn feed(
        &mut self,
        column: &TargetColumn,
        entry: &MappedColumn,
        rules: &Rules,
        place: &str,
    ) -> Option<(Feed, Option<String>)> {
        match &entry.feed {
            Some(FeedRule::From(name)) => self.fed_by_column(name, place),
            Some(FeedRule::Sql(sql)) => Some((self.cell(Expr::Sql(sql.clone())), None)),
            Some(FeedRule::Value(value)) => Some((Feed::Constant(value.0.clone()), None)),
            Some(FeedRule::Owner) => Some((Feed::Owner, None)),
            Some(FeedRule::Env { name, optional }) => self.fed_by_env(name, *optional, column, place),
            Some(FeedRule::Lookup(written)) => {
                let exprs = &mut self.exprs;
                let mut cells = |sql: &str| position(exprs, Expr::Sql(sql.to_owned()));
                let known = (self.mapping, self.inputs, self.target);
                let planned = lookup::lookup(written, (column, place), known, &mut cells, self.findings)?;
                Some((Feed::Lookup(Box::new(planned)), None))
            }
            Some(FeedRule::Omit) => self.omitted(column, place),
            None => match same_name(&column.name, &self.source).cloned() {
                Some((name, declared)) => {
                    self.means_one(column, &name, place);
                    Some((self.cell(Expr::Column(name)), declared))
                }
                None => self.unfed(column, entry, rules, place),
            },
        }
    }

    /// A column of the source that is not the target's to the letter must not be two of its columns.
    fn means_one(&mut self, column: &TargetColumn, name: &str, place: &str) {
        let table = self.target.tables.get(&self.load.to);
        let folded = |other: &&TargetColumn| other.name.to_lowercase() == column.name.to_lowercase();
        let mut others = table.into_iter().flat_map(|t| &t.columns).filter(folded).filter(|c| c.name != column.name);
        if let Some(other) = others.next().filter(|_| name != column.name) {
            self.findings.refuse(
                place,
                format!(
                    "the source's `{name}` may be meant for it or for `{}`: case alone tells them apart",
                    other.name
                ),
                format!("Write what feeds each, such as \"{}\" = \"{name}\", or {{ omit = true }}.", column.name),
            );
        }
    }

    fn cell(&mut self, expr: Expr) -> Feed {
        Feed::Cell(position(&mut self.exprs, expr))
    }

    fn fed_by_column(&mut self, name: &str, place: &str) -> Option<(Feed, Option<String>)> {
        if let Some((found, declared)) = self.source.iter().find(|(n, _)| n == name).cloned() {
            return Some((self.cell(Expr::Column(found)), declared));
        }
        let hint = did_you_mean(name, self.source.iter().map(|(n, _)| n.as_str()));
        self.findings.refuse(
            place,
            format!("the load's rows have no column `{name}`"),
            format!("{hint}Write the name of a column, or `sql = \"...\"`."),
        );
        None
    }

    fn fed_by_env(
        &mut self,
        name: &str,
        optional: bool,
        column: &TargetColumn,
        place: &str,
    ) -> Option<(Feed, Option<String>)> {
        if self.inputs.env.contains_key(name) {
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

    fn omitted(&mut self, column: &TargetColumn, place: &str) -> Option<(Feed, Option<String>)> {
        let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8);
        if let Some(sequence) = column.sequence.as_ref().filter(|_| counts) {
            return Some((Feed::Issued(sequence.clone()), None));
        }
        if column.not_null && !column.has_default {
            self.findings.refuse(
                place,
                format!("is NOT NULL without a default (type {}), and nothing feeds it", column.kind.shown()),
                format!("Write `{} = {{ ... }}` with from, sql, value, env or owner.", column.name),
            );
        }
        None
    }

    /// A column that neither the mapping nor the source feeds.
    fn unfed(
        &mut self,
        column: &TargetColumn,
        entry: &MappedColumn,
        rules: &Rules,
        place: &str,
    ) -> Option<(Feed, Option<String>)> {
        let written = entry.modifiers.written();
        if written.contains(&"if_null")
            && let Some(value) = &rules.if_null
        {
            return Some((Feed::Constant(value.clone()), None));
        }
        if !written.is_empty() {
            self.findings.refuse(
                place,
                format!("`{}` is written and nothing feeds the column", written.join("`, `")),
                "Write a feed (from, sql, value, env, owner), or take the entry away.",
            );
        }
        self.omitted(column, place)
    }
}
