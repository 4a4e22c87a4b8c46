//! Everything of a file that is not in the target as the file has it.

use std::collections::BTreeMap;

use crate::model::fleet::{LeftRows, MisreadTexts, Omitted};
use crate::model::record::WarningKind;
use crate::model::schema::SourceColumn;
use crate::model::sums::Sums;
use crate::plan::{Plan, QueriedTable};
use crate::sqlite::{Source, SourceError};

/// Counts it, with the losses and lookups of these loads.
///
/// # Errors
/// If the file cannot be read.
pub fn of(plan: &Plan, source: &Source, sums: &BTreeMap<&str, Sums>) -> Result<Omitted, SourceError> {
    let mut omitted =
        Omitted { left: left(plan, source, sums)?, misread: misread(plan, source)?, ..Omitted::default() };
    count(&mut omitted, plan, sums);
    Ok(omitted)
}

/// Adds the losses and lookups of these loads.
pub fn count(omitted: &mut Omitted, plan: &Plan, sums: &BTreeMap<&str, Sums>) {
    for load in &plan.loads {
        if let Some(sums) = sums.get(load.name.as_str()) {
            omitted.count(&load.name, &load.table, sums);
        }
    }
}

/// The rows that the mapping leaves in the file, and those that the SQL of a load leaves out. Tables without such rows are left out.
fn left(plan: &Plan, source: &Source, sums: &BTreeMap<&str, Sums>) -> Result<Vec<LeftRows>, SourceError> {
    let reader = source.reader()?;
    let mut found = Vec::new();
    for left in &plan.left {
        let rows = match &left.column {
            None => reader.count(&left.table)?,
            Some(column) => reader.count_not_null(&left.table, column)?,
        };
        found.push(LeftRows { table: left.table.clone(), column: left.column.clone(), load: None, rows });
    }
    for QueriedTable { load, table } in &plan.queried {
        let read = sums.get(load.as_str()).map_or(0, |sums| sums.read);
        let rows = reader.count(table)?.saturating_sub(read);
        found.push(LeftRows { table: table.clone(), column: None, load: Some(load.clone()), rows });
    }
    found.retain(|left| left.rows > 0);
    Ok(found)
}

/// The texts of the columns that do not stay in the file and that SQLite does not read as they are stored.
fn misread(plan: &Plan, source: &Source) -> Result<Vec<MisreadTexts>, SourceError> {
    let mut found = Vec::new();
    for (name, table) in &source.schema().tables {
        let stays = |column: Option<&str>| plan.left.iter().any(|l| l.table == *name && l.column.as_deref() == column);
        if stays(None) {
            continue;
        }
        let columns: Vec<&SourceColumn> = table.columns.iter().filter(|c| !stays(Some(&c.name))).collect();
        for warning in source.reader()?.half_surrogates(name, &columns)? {
            if let WarningKind::Misread(texts) = warning.kind {
                found.push(MisreadTexts { place: warning.place, texts });
            }
        }
    }
    Ok(found)
}
