//! The relation of a load, and SQLite's findings about the SQL in the mapping.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{FeedRule, Load, Mapping, RowsFrom, WrittenValue};
use crate::model::cell::RawBuf;
use crate::model::ident::did_you_mean;
use crate::model::rules::Value;
use crate::model::schema::{Address, SourceColumn};
use crate::model::select::{Expr, Relation, Select};

use super::{Inputs, PlanFindings};

/// SQLite's findings about one load's SQL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlFacts {
    /// The columns of the load's query.
    pub columns: Vec<String>,
    /// The tables and columns that the load's SQL reads.
    pub reads: BTreeSet<(String, String)>,
    /// The refused expression, by its number among those of [`selects`], and SQLite's message. `None` if SQLite accepts the SQL.
    pub mistake: Option<(Option<usize>, String)>,
}

/// Returns the SQL of each load, its relation and its written expressions, for SQLite to check before the plan is made.
/// Loads without SQL are omitted.
pub fn selects(mapping: &Mapping, inputs: &Inputs<'_>) -> Vec<(String, Select)> {
    let mut found = Vec::new();
    for load in &mapping.loads {
        let exprs: Vec<Expr> = written(load).into_iter().map(|(_, sql)| Expr::Sql(sql.to_owned())).collect();
        let relation = relation(load, inputs, &mut PlanFindings::default());
        if let Some(relation) = relation
            && (!exprs.is_empty() || matches!(relation, Relation::Sql(_)))
        {
            let params = params(mapping, inputs);
            let select = Select { address: address(&relation, inputs), relation, exprs, params };
            found.push((load.name.clone(), select));
        }
    }
    found
}

/// Returns the SQL that a load writes for its columns, each expression with its place.
pub(super) fn written(load: &Load) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for (name, column) in &load.columns {
        let place = format!("load.{}.columns.{name}", load.name);
        match &column.feed {
            Some(FeedRule::Sql(sql)) => found.push((format!("{place}.sql"), sql.as_str())),
            Some(FeedRule::Lookup(lookup)) => {
                for (n, step) in lookup.steps.iter().enumerate() {
                    let place = format!("{place}.lookup.steps.{n}.source");
                    found.extend(step.source.0.iter().map(|sql| (place.clone(), sql.as_str())));
                }
                found.extend(lookup.reference.iter().map(|sql| (place.clone(), sql.as_str())));
            }
            _ => {}
        }
    }
    found
}

/// Frequent functions of a mapping's SQL, including those that this program adds.
const FUNCTIONS: [&str; 24] = [
    "abs",
    "casefold",
    "coalesce",
    "count",
    "date",
    "datetime",
    "ifnull",
    "iif",
    "instr",
    "json_extract",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "printf",
    "regexp",
    "replace",
    "round",
    "strftime",
    "substr",
    "trim",
    "ts",
    "upper",
];

/// Returns a hint for the name that SQLite does not find, if a similar one exists.
pub(super) fn meant(mistake: &str, inputs: &Inputs<'_>) -> String {
    let after = |words: &str| {
        let rest = mistake.split_once(words)?.1;
        let name = rest.split(|c: char| !c.is_alphanumeric() && !"_.".contains(c)).next()?;
        name.rsplit('.').next().filter(|name| !name.is_empty())
    };
    let tables = &inputs.source.tables;
    if let Some(name) = after("no such column: ") {
        let queries = inputs.sql.values().flat_map(|facts| facts.columns.iter().map(String::as_str));
        let columns = tables.values().flat_map(|t| t.columns.iter().map(|c| c.name.as_str()));
        return did_you_mean(name, columns.chain(queries));
    }
    if let Some(name) = after("no such table: ") {
        return did_you_mean(name, tables.keys().map(String::as_str));
    }
    after("no such function: ").map_or_else(String::new, |name| did_you_mean(name, FUNCTIONS))
}

/// Returns the source table that a load reads; `None` for a query or written rows.
pub(super) fn table_of(load: &Load) -> Option<&str> {
    match &load.from {
        RowsFrom::SameName => Some(&load.name),
        RowsFrom::Table(table) => Some(table),
        RowsFrom::Sql(_) | RowsFrom::Rows(_) => None,
    }
}

/// Returns the load's relation. `None` if its table is missing, which is refused.
pub(super) fn relation(load: &Load, inputs: &Inputs<'_>, findings: &mut PlanFindings) -> Option<Relation> {
    match &load.from {
        RowsFrom::Sql(sql) => Some(Relation::Sql(sql.clone())),
        RowsFrom::Rows(rows) => written_rows(load, rows, inputs, findings),
        RowsFrom::SameName | RowsFrom::Table(_) => {
            let table = table_of(load).unwrap_or_default();
            if inputs.source.tables.contains_key(table) {
                return Some(Relation::Table(table.to_owned()));
            }
            let names = inputs.source.tables.keys().map(String::as_str);
            let other = inputs.source.others.iter().find(|(name, _)| name == table);
            match other {
                Some((_, kind)) => findings.refuse(
                    format!("load.{}", load.name),
                    format!("`{table}` is a {} of the source, which a load cannot read", kind.words()),
                    "Write `from = { sql = \"SELECT ...\" }` to load its rows.",
                ),
                None => findings.refuse(
                    format!("load.{}", load.name),
                    format!("the source has no table `{table}`"),
                    format!("{}Write `from = \"...\"` with the name of a table.", did_you_mean(table, names)),
                ),
            }
            None
        }
    }
}

fn written_rows(
    load: &Load,
    rows: &[BTreeMap<String, WrittenValue>],
    inputs: &Inputs<'_>,
    findings: &mut PlanFindings,
) -> Option<Relation> {
    let columns: BTreeSet<&String> = rows.iter().flat_map(|row| row.keys()).collect();
    let mut out = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let place = format!("load.{}.from.rows.{n}", load.name);
        let values = columns.iter().map(|column| match row.get(*column).map(|w| &w.0) {
            None | Some(Value::Null) => RawBuf::Null,
            Some(Value::Literal(raw)) => raw.clone(),
            Some(Value::Now) => RawBuf::text(inputs.now),
            Some(Value::Env(name)) => match inputs.env.get(name) {
                Some(value) => RawBuf::text(value.clone()),
                None => {
                    findings.refuse(
                        &place,
                        format!("the variable `{name}` is not set"),
                        format!("Set {name} in the environment."),
                    );
                    RawBuf::Null
                }
            },
            Some(Value::Owner | Value::Fault | Value::Member) => {
                findings.refuse(
                    &place,
                    format!("`{column}` cannot be the owner or a fault inside a row"),
                    format!("Write `{column} = {{ owner = true }}` in [load.{}.columns].", load.name),
                );
                RawBuf::Null
            }
        });
        out.push(values.collect());
    }
    Some(Relation::Rows { columns: columns.into_iter().cloned().collect(), rows: out })
}

/// Returns the way to address the relation's rows.
pub(super) fn address(relation: &Relation, inputs: &Inputs<'_>) -> Address {
    match relation {
        Relation::Table(table) => inputs.source.tables.get(table).map_or(Address::Ordinal, |t| t.address.clone()),
        Relation::Sql(_) | Relation::Rows { .. } => Address::Ordinal,
    }
}

/// A column of a load's relation.
#[derive(Clone, Debug)]
pub(super) struct RelationColumn {
    /// The column's name.
    pub name: String,
    /// The declared type; `None` for a column of a query or of written rows.
    pub declared: Option<String>,
}

/// Returns the relation's columns.
pub(super) fn columns(load: &Load, relation: &Relation, inputs: &Inputs<'_>) -> Vec<RelationColumn> {
    let undeclared = |name: &String| RelationColumn { name: name.clone(), declared: None };
    match relation {
        Relation::Table(table) => inputs.source.tables.get(table).map_or_else(Vec::new, |t| {
            let declared =
                |c: &SourceColumn| RelationColumn { name: c.name.clone(), declared: Some(c.declared.clone()) };
            t.columns.iter().map(declared).collect()
        }),
        Relation::Sql(_) => {
            let facts = inputs.sql.get(&load.name);
            facts.map_or_else(Vec::new, |f| f.columns.iter().map(undeclared).collect())
        }
        Relation::Rows { columns, .. } => columns.iter().map(undeclared).collect(),
    }
}

/// Returns the named parameters that the mapping's SQL may use: `:owner_COLUMN` for each column of the owner's natural key.
pub(super) fn params(mapping: &Mapping, inputs: &Inputs<'_>) -> BTreeMap<String, RawBuf> {
    let mut params = BTreeMap::new();
    if let Some(natural) = mapping.owner.as_ref().and_then(|owner| owner.natural.as_ref()) {
        for (column, written) in natural {
            if let Value::Literal(raw) = &written.0 {
                params.insert(format!("owner_{column}"), raw.clone());
            }
        }
    }
    for (column, value) in inputs.owner {
        params.insert(format!("owner_{column}"), RawBuf::text(value.clone()));
    }
    params
}
