//! Columns that the server computes itself and that the source has as well: whether both hold the same.
//!
//! What the server makes is never sent, and its expression is the application's to answer for: a difference is told with its
//! rows and judged by nobody.

use crate::migrate::Stop;
use crate::model::record::{Check, CheckKind};
use crate::model::rules::Rules;
use crate::model::schema::{SourceColumn, SourceSchema, TargetColumn};
use crate::model::select::{Expr, Relation};
use crate::pg::Session;
use crate::plan::{ColumnPlan, Feed, LoadPlan};
use crate::wire::digest::Digest;

use super::open;
use super::table::Table;

/// A check for each table with such columns.
pub(super) fn check(session: &mut Session, tables: &[Table<'_>]) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    for table in tables {
        checks.extend(of_table(table, session)?);
    }
    Ok(checks)
}

fn of_table(table: &Table<'_>, session: &mut Session) -> Result<Option<Check>, Stop> {
    let schema = table.subject.source.schema();
    let Some(facts) = table.subject.target.tables.get(table.name) else { return Ok(None) };
    let is_met = |column: &&TargetColumn| table.loads.iter().any(|load| namesake(load, schema, &column.name).is_some());
    let computed: Vec<&TargetColumn> = facts.columns.iter().filter(|c| c.generated).filter(is_met).collect();
    if computed.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = computed.iter().map(|column| column.name.as_str()).collect();
    let unmade = |why: &str| {
        let why = format!("column {}: the server computes it; {why}", names.join(", "));
        Ok(Some(Check::not_checked(CheckKind::Computed, Some(&table.label()), why)))
    };
    if table.held() {
        return unmade("the table held rows before, so it is not compared");
    }
    let rights = &table.subject.target.rights;
    let held = rights.on_columns("SELECT", &format!("TABLE {}", table.place())).unwrap_or_default();
    if held.iter().any(|right| !right.held && names.contains(&right.name.as_str())) {
        return unmade("this role may not read it, so it is not compared");
    }
    if let Some(column) = computed.iter().find(|column| !column.kind.is_binary()) {
        return unmade(&format!("{} is not compared", column.kind.shown()));
    }
    if let Some(why) = table.obstacle() {
        return unmade(&format!("not compared: {why}"));
    }
    let wider: Option<Vec<LoadPlan>> = table.loads.iter().map(|load| with(load, &computed, schema)).collect();
    let Some(wider) = wider else { return unmade("not every load into the table has it, so it is not compared") };
    let wider = beside_key(table, &wider, &computed);
    let (mut makes, mut holds) = (Digest::default(), Digest::default());
    wider.source(session, &mut |_, _, hash| makes.add(hash))?;
    let rows = wider.target(session, None, &mut |_, hash| holds.add(hash))?;
    let differing = makes.differing(&holds);
    let opened = open::open(&wider, session, &differing, rows)?;
    if !opened.is_wrong() {
        return Ok(Some(Check::compared(CheckKind::Computed, Some(&table.label()), makes.short(), makes.short())));
    }
    let mut check = unmade(&format!("against the source's: {}", opened.why()))?;
    check.iter_mut().for_each(|check| check.differences.clone_from(&opened.rows));
    Ok(check)
}

/// The column of the load's table in the source that has this name.
fn namesake<'s>(load: &LoadPlan, schema: &'s SourceSchema, name: &str) -> Option<&'s SourceColumn> {
    let Relation::Table(table) = &load.select.relation else { return None };
    let columns = &schema.tables.get(table)?.columns;
    let folded = || columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase());
    columns.iter().find(|column| column.name == name).or_else(folded)
}

/// The load as if it sent these columns from their namesakes; `None` where it has one of them not.
fn with(load: &LoadPlan, computed: &[&TargetColumn], schema: &SourceSchema) -> Option<LoadPlan> {
    let mut wider = load.clone();
    for column in computed {
        let source = namesake(load, schema, &column.name)?;
        wider.select.exprs.push(Expr::Column(source.name.clone()));
        wider.columns.push(ColumnPlan {
            name: column.name.clone(),
            kind: column.kind.clone(),
            not_null: false,
            feed: Feed::Cell(wider.select.exprs.len() - 1),
            rules: Rules::default(),
            declared: Some(source.declared.clone()),
            shift: None,
        });
    }
    Some(wider)
}

/// The table with an image of its key and these columns; of all its columns, where it has no key.
fn beside_key<'t>(table: &Table<'t>, wider: &'t [LoadPlan], computed: &[&TargetColumn]) -> Table<'t> {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let kept = if table.key.is_empty() { &all } else { &table.key };
    let mut columns: Vec<String> = kept.iter().map(|n| table.columns[*n].clone()).collect();
    let mut kinds: Vec<_> = kept.iter().map(|n| table.kinds[*n].clone()).collect();
    columns.extend(computed.iter().map(|column| column.name.clone()));
    kinds.extend(computed.iter().map(|column| column.kind.clone()));
    Table {
        subject: table.subject,
        name: table.name,
        loads: wider.iter().collect(),
        columns,
        kinds,
        key: (0..table.key.len()).collect(),
        before: None,
        looked_up: table.looked_up.clone(),
        scope: table.scope.clone(),
    }
}
