//! References that are followed while reading: foreign keys of a load whose values come from the source, in types that the
//! target compares by their bytes. All others are the server's to check: they stay on, and what fails is pinned.

use crate::model::pgtype::Kind;
use crate::model::schema::{ForeignKey, TargetSchema};

use super::{Feed, LoadPlan};

/// One foreign key of a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The constraint's name.
    pub name: String,
    /// Places of its columns among the load's.
    pub columns: Vec<usize>,
    /// The parent's table.
    pub parent: String,
    /// The parent's columns, in the same order.
    pub parent_columns: Vec<String>,
    /// How values of each column are compared.
    pub compared: Vec<Compared>,
}

/// How the target compares two values of a type, said over their wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compared {
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

impl Compared {
    /// How values of this type are compared; `None` where bytes do not say it.
    pub fn of(kind: &Kind) -> Option<Compared> {
        Some(match kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => Compared::Integer,
            Kind::Text | Kind::Varchar { .. } | Kind::Enum { .. } => Compared::Text,
            Kind::Char { .. } => Compared::Padded,
            Kind::Numeric { .. } => Compared::Numeric,
            Kind::Uuid => Compared::Uuid,
            Kind::Date => Compared::Date,
            Kind::Timestamp { .. } => Compared::Timestamp,
            Kind::Timestamptz { .. } => Compared::Timestamptz,
            Kind::Bytea => Compared::Bytea,
            Kind::Bool => Compared::Bool,
            _ => return None,
        })
    }
}

/// The references of a load that are followed while reading.
pub fn links(load: &LoadPlan, target: &TargetSchema) -> Vec<Link> {
    let Some(table) = target.tables.get(&load.table).filter(|_| !load.as_text) else { return Vec::new() };
    table.foreign.iter().filter_map(|key| link(load, target, key)).collect()
}

fn link(load: &LoadPlan, target: &TargetSchema, key: &ForeignKey) -> Option<Link> {
    let parent = target.tables.get(&key.parent).filter(|_| key.parent_schema == target.schema)?;
    let mut link = Link {
        name: key.name.clone(),
        columns: Vec::new(),
        parent: key.parent.clone(),
        parent_columns: key.parent_columns.clone(),
        compared: Vec::new(),
    };
    for (column, parent_column) in key.columns.iter().zip(&key.parent_columns) {
        let place = load.columns.iter().position(|c| c.name == *column)?;
        let compared = Compared::of(&load.columns[place].kind.kind)?;
        let there = parent.columns.iter().find(|c| c.name == *parent_column)?;
        let is_loose = parent.unique.iter().any(|u| u.loose && u.columns.contains(parent_column));
        if Compared::of(&there.kind.kind) != Some(compared)
            || (is_loose && matches!(compared, Compared::Text | Compared::Padded))
        {
            return None;
        }
        link.columns.push(place);
        link.compared.push(compared);
    }
    let fed = |place: &usize| matches!(load.columns[*place].feed, Feed::Cell(_));
    let drawn = |place: &usize| matches!(load.columns[*place].feed, Feed::Issued(_));
    (link.columns.iter().any(fed) && !link.columns.iter().any(drawn)).then_some(link)
}
