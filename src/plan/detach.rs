//! What is taken off the target for the load and put back afterwards, and what stays on and why: a pure decision.
//!
//! A key goes only where the source's own keys prove that the rows are unique, a foreign key only where orphans are found
//! while reading; everything else stays and is paid for.

use std::collections::BTreeSet;

use crate::model::rules::Rules;
use crate::model::schema::{DetachKind, Detachable, SourceSchema, TargetSchema, TargetUnique};
use crate::model::select::{Expr, Relation};

use super::{ColumnPlan, Feed, LoadPlan};

/// `--detach`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detaching {
    /// What is proved and worth it.
    #[default]
    Auto,
    /// Nothing but triggers that would change rows.
    Never,
    /// What is proved, however small the table.
    Always,
}

/// What goes and what stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detach {
    /// Taken off, in this order.
    pub off: Vec<Detachable>,
    /// Stays on: the object and why.
    pub stays: Vec<(Detachable, String)>,
}

/// Decides over everything that the catalogue offers on the tables that loads go to.
pub fn detach(
    loads: &[LoadPlan],
    source: &SourceSchema,
    target: &TargetSchema,
    found: &[Detachable],
    how: Detaching,
) -> Detach {
    let judge = Judge { loads, source, target, how };
    let mut decided = Detach::default();
    let mut keys = Vec::new();
    for object in found {
        match judge.stays(object) {
            Some(why) => decided.stays.push((object.clone(), why)),
            None if matches!(object.kind, DetachKind::Unique | DetachKind::Primary) => keys.push(object),
            None => decided.off.push(object.clone()),
        }
    }
    // A key that a foreign key still stands on cannot go; so the foreign keys are decided first.
    let gone: BTreeSet<i64> = decided.off.iter().map(|o| o.oid).collect();
    for key in keys {
        match key.needed_by.iter().find(|oid| !gone.contains(oid)) {
            None => decided.off.push(key.clone()),
            Some(_) => decided.stays.push((key.clone(), "a foreign key that stays stands on it".to_owned())),
        }
    }
    decided.off.sort_by_key(|o| o.kind);
    decided
}

/// Whether the source proves that no two rows of a load have the same unique key.
pub fn proves_unique(load: &LoadPlan, source: &SourceSchema, key: &TargetUnique) -> bool {
    let judge = Judge { loads: &[], source, target: &TargetSchema::default(), how: Detaching::Auto };
    let fed: Vec<(&str, &ColumnPlan)> = key.columns.iter().filter_map(|name| by_name(load, name)).collect();
    !key.nulls_equal && !key.loose && (judge.is_rowid(load, &fed) || judge.is_unique(load, &fed))
}

struct Judge<'a> {
    loads: &'a [LoadPlan],
    source: &'a SourceSchema,
    target: &'a TargetSchema,
    how: Detaching,
}

impl Judge<'_> {
    fn stays(&self, object: &Detachable) -> Option<String> {
        if let Some(why) = &object.stays {
            return Some(why.clone());
        }
        let loads: Vec<&LoadPlan> = self.loads.iter().filter(|l| l.table == object.table).collect();
        if object.kind == DetachKind::Trigger {
            return loads.iter().any(|l| l.triggers_fire).then(|| "triggers = \"fire\"".to_owned());
        }
        if self.how == Detaching::Never {
            return Some("--detach never".to_owned());
        }
        if self.target.tables.get(&object.table).is_none_or(|t| t.has_rows) {
            return Some("the table holds rows".to_owned());
        }
        match object.kind {
            DetachKind::Trigger | DetachKind::Index => None,
            DetachKind::Foreign => self.orphans_unseen(object, &loads),
            DetachKind::Unique | DetachKind::Primary => self.unproved(object, &loads),
        }
    }

    /// Why the rows of a unique key are not proved unique by the source.
    fn unproved(&self, key: &Detachable, loads: &[&LoadPlan]) -> Option<String> {
        let [load] = loads else { return Some("several loads go to the table".to_owned()) };
        if load.conflict.is_some() {
            return Some("`conflict` needs it".to_owned());
        }
        let facts = self.target.tables.get(&key.table).and_then(|t| t.unique.iter().find(|u| u.name == key.object));
        if facts.is_some_and(|unique| unique.nulls_equal) {
            return Some("NULLs count as equal there, and differ in the source".to_owned());
        }
        if facts.is_some_and(|unique| unique.loose) {
            return Some("its collation takes texts for equal that differ in the source".to_owned());
        }
        let fed: Vec<(&str, &ColumnPlan)> = key.columns.iter().filter_map(|name| by_name(load, name)).collect();
        let proved = self.is_rowid(load, &fed) || self.is_unique(load, &fed);
        (!proved).then(|| "the source does not prove it".to_owned())
    }

    /// One of the key's columns is the source's INTEGER PRIMARY KEY, into an integer.
    fn is_rowid(&self, load: &LoadPlan, fed: &[(&str, &ColumnPlan)]) -> bool {
        let Some(table) = self.table(load) else { return false };
        fed.iter().any(|(source, column)| {
            let integer =
                matches!(column.kind.kind, crate::model::pgtype::Kind::Int4 | crate::model::pgtype::Kind::Int8);
            integer && table.column(source).is_some_and(|c| c.is_rowid)
        })
    }

    /// The source has a unique key over some of the same columns, compared byte by byte, into text.
    fn is_unique(&self, load: &LoadPlan, fed: &[(&str, &ColumnPlan)]) -> bool {
        let Some(table) = self.table(load) else { return false };
        table.unique.iter().filter(|u| u.plain && !u.columns.is_empty()).any(|unique| {
            unique.columns.iter().all(|name| {
                let text = table.column(name).is_some_and(|c| c.affinity() == crate::model::schema::Affinity::Text);
                let into_text = fed.iter().any(|(source, column)| {
                    let text_like = matches!(
                        column.kind.kind,
                        crate::model::pgtype::Kind::Text | crate::model::pgtype::Kind::Varchar { .. }
                    );
                    source == name && text_like && column.kind.domain.is_none()
                });
                text && into_text
            })
        })
    }

    fn table(&self, load: &LoadPlan) -> Option<&crate::model::schema::SourceTable> {
        match &load.select.relation {
            Relation::Table(name) => self.source.tables.get(name),
            _ => None,
        }
    }

    /// Why orphans under a foreign key would not be found while reading.
    fn orphans_unseen(&self, key: &Detachable, loads: &[&LoadPlan]) -> Option<String> {
        let table = self.target.tables.get(&key.table)?;
        let foreign = table.foreign.iter().find(|f| f.name == key.object)?;
        let fed_owner = |load: &&LoadPlan| {
            load.columns.iter().any(|c| foreign.columns.contains(&c.name) && matches!(c.feed, Feed::Owner))
        };
        if foreign.columns.len() == 1 && loads.iter().all(fed_owner) {
            return None;
        }
        if foreign.parent_schema != self.target.schema || !self.loads.iter().any(|l| l.table == foreign.parent) {
            return Some(format!("no load goes to `{}`", foreign.parent));
        }
        if let Some(parent) = self.loads.iter().find(|l| l.table == foreign.parent && l.conflict.is_some()) {
            return Some(format!("{} may skip rows that it refers to", parent.place()));
        }
        let plain = loads
            .iter()
            .all(|load| foreign.columns.iter().all(|name| by_name(load, name).is_some() || fed_owner(load)));
        if !plain {
            return Some("its columns are changed on the way".to_owned());
        }
        let followed = loads.iter().all(|load| super::links(load, self.target).iter().any(|l| l.name == foreign.name));
        (!followed).then(|| "its types are compared by the server alone".to_owned())
    }
}

/// The source column that feeds a target column by name, unchanged.
fn by_name<'l>(load: &'l LoadPlan, name: &str) -> Option<(&'l str, &'l ColumnPlan)> {
    let column = load.columns.iter().find(|c| c.name == name)?;
    let Feed::Cell(n) = &column.feed else { return None };
    let Expr::Column(source) = &load.select.exprs[*n] else { return None };
    let plain = Rules { zone: None, ..column.rules.clone() } == Rules::default();
    plain.then_some((source.as_str(), column))
}
