//! Checks `computed`: columns that the server computes itself and that the source has too hold the same values.
//!
//! Values that the server computes are never sent, and the application defines their expressions. A difference is
//! therefore reported with its rows, and the verdict is `NotChecked`.

use crate::job::Stop;
use crate::model::digest::Digest;
use crate::model::record::{Check, CheckKind, DifferingRow};
use crate::model::rules::Rules;
use crate::model::schema::{SourceColumn, SourceSchema, TargetColumn};
use crate::model::select::{Expr, Relation};
use crate::pg::Session;
use crate::plan::{ColumnPlan, Feed, LoadPlan};

use super::altered::Alteration;
use super::differing_rows;
use super::table::VerifiedTable;

/// One check per table with such columns.
pub(super) fn check(session: &mut Session, tables: &[VerifiedTable<'_>]) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    for table in tables {
        let computed = computed_columns(table);
        if !computed.is_empty() {
            checks.push(check_table(table, &computed, session)?);
        }
    }
    Ok(checks)
}

/// The columns that the server computes and that a load's source has too.
fn computed_columns<'t>(table: &VerifiedTable<'t>) -> Vec<&'t TargetColumn> {
    let schema = table.subject.source.schema();
    let Some(catalogued) = table.subject.target.tables.get(table.name) else { return Vec::new() };
    let is_met = |column: &&TargetColumn| table.loads.iter().any(|load| namesake(load, schema, &column.name).is_some());
    catalogued.columns.iter().filter(|c| c.generated).filter(is_met).collect()
}

fn check_table(table: &VerifiedTable<'_>, computed: &[&TargetColumn], session: &mut Session) -> Result<Check, Stop> {
    let label = table.label();
    let not_checked = |why: &str, differences: Vec<DifferingRow>| {
        let names: Vec<&str> = computed.iter().map(|column| column.name.as_str()).collect();
        let why = format!("column {}: the server computes it; {why}", names.join(", "));
        Check { differences, ..Check::not_checked(CheckKind::Computed, Some(&label), why) }
    };
    if let Some(why) = obstacle(table, computed) {
        return Ok(not_checked(&why, Vec::new()));
    }
    let schema = table.subject.source.schema();
    let wider: Option<Vec<LoadPlan>> = table.loads.iter().map(|load| with(load, computed, schema)).collect();
    let Some(wider) = wider else {
        return Ok(not_checked("not every load into the table has it, so it is not compared", Vec::new()));
    };
    let wider = with_key(table, &wider, computed);
    let (mut source, mut target) = (Digest::default(), Digest::default());
    // The source may compute the column by a function of its application, which only the application has.
    if let Err(stop) = wider.source(session, &mut |_, _, hash| source.add(hash)) {
        return match stop {
            Stop::Source(error) => Ok(not_checked(&format!("the source's values are unknown: {error}"), Vec::new())),
            other => Err(other),
        };
    }
    let rows = wider.target(session, None, &mut |_, hash| target.add(hash))?;
    let found = differing_rows::find(&wider, session, &source.differing(&target), rows)?;
    if found.is_wrong() {
        return Ok(not_checked(&format!("compared with the source: {}", found.summary()), found.listed));
    }
    Ok(Check::compared(CheckKind::Computed, Some(&label), source.short(), source.short()))
}

/// Explains why the columns are not compared. `None` if they are.
fn obstacle(table: &VerifiedTable<'_>, computed: &[&TargetColumn]) -> Option<String> {
    if table.held() {
        return Some("the table held rows before, so it is not compared".to_owned());
    }
    if table.altered.fields.is_some() {
        return Some("other columns of the table were changed since, so it is not compared".to_owned());
    }
    let rights = &table.subject.target.rights;
    let held = rights.on_columns("SELECT", &format!("TABLE {}", table.place())).unwrap_or_default();
    if held.iter().any(|right| !right.held && computed.iter().any(|column| column.name == right.name)) {
        return Some("this role may not read it, so it is not compared".to_owned());
    }
    if let Some(column) = computed.iter().find(|column| !column.kind.is_binary()) {
        return Some(format!("{} is not compared", column.kind.shown()));
    }
    table.obstacle().map(|why| format!("not compared: {why}"))
}

/// The column with this name in the source table of the load.
fn namesake<'s>(load: &LoadPlan, schema: &'s SourceSchema, name: &str) -> Option<&'s SourceColumn> {
    let Relation::Table(table) = &load.select.relation else { return None };
    let columns = &schema.tables.get(table)?.columns;
    let folded = || columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase());
    columns.iter().find(|column| column.name == name).or_else(folded)
}

/// The load extended to send these columns from the source columns of the same name. `None` if one is missing.
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
            refers: None,
        });
    }
    Some(wider)
}

/// The table with an image of its key and these columns. Without a key, the image has all columns.
fn with_key<'t>(table: &VerifiedTable<'t>, wider: &'t [LoadPlan], computed: &[&TargetColumn]) -> VerifiedTable<'t> {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let kept = if table.key.is_empty() { &all } else { &table.key };
    let mut columns: Vec<String> = kept.iter().map(|n| table.columns[*n].clone()).collect();
    let mut kinds: Vec<_> = kept.iter().map(|n| table.kinds[*n].clone()).collect();
    columns.extend(computed.iter().map(|column| column.name.clone()));
    kinds.extend(computed.iter().map(|column| column.kind.clone()));
    VerifiedTable {
        subject: table.subject,
        seed: table.subject.fresh_seed,
        name: table.name,
        loads: wider.iter().collect(),
        sent_columns: columns.clone(),
        columns,
        kinds,
        key: (0..table.key.len()).collect(),
        before: None,
        returned: Vec::new(),
        altered: Alteration::default(),
        looked_up: table.looked_up.clone(),
        scope: table.scope.clone(),
    }
}
