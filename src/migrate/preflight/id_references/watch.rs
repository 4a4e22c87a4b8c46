//! The tables whose ids change, and the columns that may refer to them without a foreign key.

use std::collections::BTreeMap;

use crate::convert::Settled;
use crate::model::pgtype::Kind;
use crate::model::rules::Existing;
use crate::model::schema::{SourceSchema, TargetSchema, TargetTable};
use crate::model::select::{Expr, Relation};
use crate::plan::{ColumnPlan, Feed, LoadPlan, Plan};

use super::names::{NameHint, TableNames, is_type_of};

/// A table whose ids change on the way.
#[derive(Clone, Debug)]
pub struct ChangingTable {
    /// The table.
    pub name: String,
    /// True if one number is added to all its ids, so that a column can follow them.
    pub is_shifted: bool,
    /// True if the natural key finds each row, so that a column can follow them.
    pub is_matched: bool,
}

/// Everything that a preflight watches for references without a foreign key.
#[derive(Clone, Debug, Default)]
pub struct IdWatch {
    /// The tables whose ids change.
    pub tables: Vec<ChangingTable>,
    /// The names of all tables.
    pub names: TableNames,
    /// By load.
    loads: BTreeMap<String, LoadWatch>,
}

/// The ids and columns to watch in the rows of one load.
#[derive(Clone, Debug, Default)]
pub struct LoadWatch {
    /// The index of the table whose ids the rows have, and the cell with the id.
    pub ids: Option<(usize, usize)>,
    /// The columns that may refer to changing ids.
    pub columns: Vec<WatchedColumn>,
}

/// A column that may refer to changing ids.
#[derive(Clone, Debug)]
pub struct WatchedColumn {
    /// Its name.
    pub name: String,
    /// The position among the load's expressions.
    pub cell: usize,
    /// The meaning of its name, or of its foreign key in the source.
    pub hint: NameHint,
    /// The column of the source that may contain the type of the row to which it refers.
    pub by: Option<String>,
    /// True if `refers` can change its values.
    pub can_follow: bool,
}

impl IdWatch {
    /// Returns the watch over the rows of a plan. Adds the ids that the plan does not read to its loads, after all
    /// other expressions. Empty if no ids change.
    pub fn of(plan: &mut Plan, source: &SourceSchema, target: &TargetSchema, settled: &Settled) -> IdWatch {
        let mut watch = IdWatch::default();
        for n in 0..plan.loads.len() {
            let Some((changing, cell)) = changing_ids(&mut plan.loads[n], source, target, settled) else { continue };
            let known = watch.tables.iter().position(|table| table.name == changing.name);
            let table = known.unwrap_or(watch.tables.len());
            if known.is_none() {
                watch.tables.push(changing);
            }
            let load = LoadWatch { ids: Some((table, cell)), columns: Vec::new() };
            watch.loads.insert(plan.loads[n].name.clone(), load);
        }
        if watch.tables.is_empty() {
            return watch;
        }
        let index = |table: &str| watch.tables.iter().position(|changing| changing.name == table);
        let from = |load: &&LoadPlan, table: &str| load.source == table && load.table != table;
        for table in target.tables.keys() {
            watch.names.add(table, index(table));
        }
        for table in source.tables.keys().filter(|table| !target.tables.contains_key(*table)) {
            let load = plan.loads.iter().find(|load| from(load, table));
            watch.names.add(table, load.and_then(|load| index(&load.table)));
        }
        for load in &plan.loads {
            let columns = watch.columns(load, plan, source, target);
            watch.loads.entry(load.name.clone()).or_default().columns = columns;
        }
        watch
    }

    /// Returns the watch over the rows of a load. `None` if it has nothing to watch.
    pub fn load(&self, name: &str) -> Option<&LoadWatch> {
        self.loads.get(name).filter(|load| load.ids.is_some() || !load.columns.is_empty())
    }

    fn columns(
        &self,
        load: &LoadPlan,
        plan: &Plan,
        source: &SourceSchema,
        target: &TargetSchema,
    ) -> Vec<WatchedColumn> {
        let Some(table) = target.tables.get(&load.table) else { return Vec::new() };
        let watched = |column: &ColumnPlan| {
            let Feed::Cell(cell) = column.feed else { return None };
            let is_open = column.shift.is_none() && column.refers.is_none();
            if !is_open || is_settled(table, &column.name) || !may_hold_ids(&column.kind.kind) {
                return None;
            }
            let by =
                load.columns.iter().filter(|other| is_type_of(&column.name, &other.name)).find_map(|other| match other
                    .feed
                {
                    Feed::Cell(at) => load.select.exprs.get(at).and_then(column_of).map(str::to_owned),
                    _ => None,
                });
            let declared = declared_table(load, cell, source);
            let hint = match declared.map(|table| self.of_source(table, plan)) {
                Some(Some(table)) => NameHint::Id(vec![table]),
                Some(None) => NameHint::Elsewhere,
                None => self.names.hint(&column.name),
            };
            let can_follow =
                is_integer(&column.kind.kind) || matches!(column.kind.kind, Kind::Text | Kind::Varchar { .. });
            Some(WatchedColumn { name: column.name.clone(), cell, hint, by, can_follow })
        };
        load.columns.iter().filter_map(watched).collect()
    }

    /// The index of the changing table that the rows of a source's table are loaded into.
    fn of_source(&self, source: &str, plan: &Plan) -> Option<usize> {
        let load = plan.loads.iter().find(|load| load.source == source)?;
        self.tables.iter().position(|table| table.name == load.table)
    }
}

/// Returns the table whose ids a load changes, with the cell of the source's id.
fn changing_ids(
    load: &mut LoadPlan,
    source: &SourceSchema,
    target: &TargetSchema,
    settled: &Settled,
) -> Option<(ChangingTable, usize)> {
    let shift_of = |table: &String| settled.shifts.get(table).copied().unwrap_or(0);
    let is_key = |column: &&ColumnPlan| column.shift.as_ref() == Some(&load.table);
    let primary = target.tables.get(&load.table)?.unique.iter().find(|unique| unique.primary)?;
    let [id] = primary.columns.as_slice() else { return None };
    let column = load.columns.iter().find(|column| column.name == *id)?;
    if !is_integer(&column.kind.kind) {
        return None;
    }
    let table = ChangingTable { name: load.table.clone(), is_shifted: false, is_matched: false };
    match column.feed {
        Feed::Cell(cell) if is_key(&column) && shift_of(&load.table) != 0 => {
            Some((ChangingTable { is_shifted: true, ..table }, cell))
        }
        Feed::Issued(_) => {
            let Relation::Table(from) = &load.select.relation else { return None };
            let found = source.tables.get(from)?.columns.iter().find(|c| c.name.eq_ignore_ascii_case(id))?;
            let expr = Expr::Column(found.name.clone());
            let is_matched = matches!(load.existing, Some(Existing::Match { .. }));
            let known = load.select.exprs.iter().position(|read| *read == expr);
            let cell = known.unwrap_or(load.select.exprs.len());
            if known.is_none() {
                load.select.exprs.push(expr);
            }
            Some((ChangingTable { is_matched: is_matched && load.conflict.is_some(), ..table }, cell))
        }
        _ => None,
    }
}

/// Returns true if the catalogue says what the values of a column are: they refer by a foreign key, or they are the row's own id.
fn is_settled(table: &TargetTable, name: &str) -> bool {
    let is_own = |name: &str| {
        let numbered = table.column(name).is_some_and(|column| column.sequence.is_some() || column.draws.is_some());
        numbered || name.eq_ignore_ascii_case("id")
    };
    let primary = table.unique.iter().find(|unique| unique.primary);
    let is_key = primary.is_some_and(|unique| unique.columns == [name.to_owned()]);
    table.foreign.iter().any(|key| key.columns.iter().any(|column| column == name)) || (is_key && is_own(name))
}

fn is_integer(kind: &Kind) -> bool {
    matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8)
}

/// Returns true if a column of this kind can contain ids, or text that contains them.
fn may_hold_ids(kind: &Kind) -> bool {
    match kind {
        Kind::Array(element) => may_hold_ids(&element.kind),
        Kind::Text | Kind::Varchar { .. } | Kind::Char { .. } | Kind::Citext | Kind::Json | Kind::Jsonb => true,
        Kind::Numeric { .. } => true,
        other => is_integer(other),
    }
}

fn column_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(name) => Some(name),
        Expr::Sql(_) => None,
    }
}

/// The table to which the source's own foreign key refers.
fn declared_table<'s>(load: &LoadPlan, cell: usize, source: &'s SourceSchema) -> Option<&'s str> {
    let Relation::Table(table) = &load.select.relation else { return None };
    let name = load.select.exprs.get(cell).and_then(column_of)?;
    source.tables.get(table)?.column(name)?.refers.as_deref()
}
