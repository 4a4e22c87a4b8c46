//! Foreign keys that are checked while reading: their values come from the source, in types that the target compares by
//! bytes. The server checks all other foreign keys; they stay attached, and a failure is traced to its row.

use crate::model::cell::RawBuf;
use crate::model::pgtype::Kind;
use crate::model::rules::Value;
use crate::model::schema::{ForeignKey, TargetSchema, TargetTable};

use super::{Feed, LoadPlan};

/// One foreign key of a load that is checked while reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The constraint's name.
    pub name: String,
    /// The positions of its columns among the load's.
    pub columns: Vec<usize>,
    /// The parent's table.
    pub parent: String,
    /// The parent's columns, in the same order.
    pub parent_columns: Vec<String>,
    /// The comparison of each column's values.
    pub compared: Vec<Comparison>,
    /// True if NULL in some of its columns, but not in all, is an error (`MATCH FULL`).
    pub match_full: bool,
}

/// The target's comparison of two values of a type, in terms of their wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// As integers, whatever their width.
    Integer,
    /// As text, byte by byte.
    Text,
    /// As text without the blanks at its end.
    Padded,
    /// As a number, whatever its scale.
    Numeric,
    /// Byte by byte, within one type.
    Uuid,
    /// Days.
    Date,
    /// Microseconds without a zone.
    Timestamp,
    /// Microseconds in UTC.
    Timestamptz,
    /// Bytes.
    Bytea,
    /// One byte.
    Bool,
}

impl Comparison {
    /// Returns the comparison of a type's values; `None` if their bytes are not enough.
    pub fn of(kind: &Kind) -> Option<Comparison> {
        Some(match kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => Comparison::Integer,
            Kind::Text | Kind::Varchar { .. } | Kind::Enum { .. } => Comparison::Text,
            Kind::Char { .. } => Comparison::Padded,
            Kind::Numeric { .. } => Comparison::Numeric,
            Kind::Uuid => Comparison::Uuid,
            Kind::Date => Comparison::Date,
            Kind::Timestamp { .. } => Comparison::Timestamp,
            Kind::Timestamptz { .. } => Comparison::Timestamptz,
            Kind::Bytea => Comparison::Bytea,
            Kind::Bool => Comparison::Bool,
            _ => return None,
        })
    }
}

/// Returns the references of a load that are checked while reading.
pub fn references(load: &LoadPlan, target: &TargetSchema) -> Vec<Reference> {
    let Some(table) = target.tables.get(&load.table).filter(|_| !load.as_text) else { return Vec::new() };
    table.foreign.iter().filter_map(|key| reference(load, target, key)).collect()
}

fn reference(load: &LoadPlan, target: &TargetSchema, key: &ForeignKey) -> Option<Reference> {
    let parent = target.tables.get(&key.parent).filter(|_| key.parent_schema == target.schema)?;
    let mut reference = Reference {
        name: key.name.clone(),
        columns: Vec::new(),
        parent: key.parent.clone(),
        parent_columns: key.parent_columns.clone(),
        compared: Vec::new(),
        match_full: key.match_full && key.columns.len() > 1,
    };
    for (column, parent_column) in key.columns.iter().zip(&key.parent_columns) {
        let place = load.columns.iter().position(|c| c.name == *column)?;
        let compared = Comparison::of(&load.columns[place].kind.kind)?;
        let referenced = parent.columns.iter().find(|c| c.name == *parent_column)?;
        let is_loose = parent.unique.iter().any(|u| u.loose && u.columns.contains(parent_column));
        if Comparison::of(&referenced.kind.kind) != Some(compared)
            || (is_loose && matches!(compared, Comparison::Text | Comparison::Padded))
        {
            return None;
        }
        reference.columns.push(place);
        reference.compared.push(compared);
    }
    // Before the run such a value may be unknown, and then it looks like NULL.
    let late = |place: &usize| matches!(load.columns[*place].feed, Feed::Lookup(_) | Feed::Owner);
    if reference.match_full && reference.columns.iter().any(late) {
        return None;
    }
    let fed = |place: &usize| matches!(load.columns[*place].feed, Feed::Cell(_));
    let drawn = |place: &usize| matches!(load.columns[*place].feed, Feed::Issued(_));
    (reference.columns.iter().any(fed) && !reference.columns.iter().any(drawn)).then_some(reference)
}

/// Returns true if rows of the load may refer to a parent by this foreign key: the load or the target fills each of its
/// columns. A key with a NULL refers to no row.
pub(super) fn refers(load: &LoadPlan, table: &TargetTable, key: &ForeignKey) -> bool {
    key.columns.iter().all(|name| match load.columns.iter().find(|column| column.name == *name) {
        Some(column) => !matches!(column.feed, Feed::Constant(Value::Null | Value::Literal(RawBuf::Null))),
        None => table.column(name).is_some_and(|column| column.has_default || column.generated),
    })
}
