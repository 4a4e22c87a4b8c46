//! The objects that are detached from the target for the load and reattached after it: a pure decision.
//!
//! A key is detached only if the source's own keys prove that the rows are unique, a foreign key only if the reader finds
//! orphans. All other objects stay attached and the load is slower.

use std::collections::BTreeSet;

use crate::model::rules::Rules;
use crate::model::schema::{DetachKind, Detachable, SourceSchema, TargetSchema, TargetUnique};
use crate::model::select::{Expr, Relation};

use super::{ColumnPlan, Context, Feed, LoadPlan};

/// `--detach`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detaching {
    /// Detach what is proved, from tables that are large enough.
    #[default]
    Auto,
    /// Detach only triggers that would change rows.
    Never,
    /// Detach what is proved, from tables of any size.
    Always,
}

/// The decision about all detachable objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detach {
    /// The detached objects, in the order of detaching.
    pub off: Vec<Detachable>,
    /// The objects that stay attached, each with the reason.
    pub stays: Vec<(Detachable, String)>,
}

/// Decides about every detachable object of the loaded tables. An object that is needed off is
/// detached in any case, if it can be.
pub(super) fn detach(context: Context<'_>, loads: &[LoadPlan], is_needed: &dyn Fn(&Detachable) -> bool) -> Detach {
    let Context { inputs, target, .. } = context;
    let judge = Judge { loads, source: inputs.source, target, how: inputs.detaching };
    let mut decided = Detach::default();
    let mut keys = Vec::new();
    for object in inputs.detachable {
        match judge.stays(object).filter(|_| !is_needed(object)) {
            Some(why) => decided.stays.push((object.clone(), why)),
            None if matches!(object.kind, DetachKind::Unique | DetachKind::Primary) => keys.push(object),
            None => decided.off.push(object.clone()),
        }
    }
    // A key cannot be detached while a foreign key depends on it, so foreign keys are decided first.
    let detached: BTreeSet<i64> = decided.off.iter().map(|o| o.oid).collect();
    for key in keys {
        match key.needed_by.iter().find(|oid| !detached.contains(oid)) {
            None => decided.off.push(key.clone()),
            Some(_) => decided.stays.push((key.clone(), "a foreign key that stays attached depends on it".to_owned())),
        }
    }
    decided.off.sort_by_key(|o| o.kind);
    decided
}

/// Returns true if the source proves that no two rows of a load have the same unique key.
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
        if let Some(why) = &object.kept_because {
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
            return Some("the table has rows".to_owned());
        }
        if self.how == Detaching::Auto && loads.iter().all(|load| load.only_adds()) {
            return Some("another run may add rows to the table at the same time".to_owned());
        }
        match object.kind {
            DetachKind::Trigger | DetachKind::Index => None,
            DetachKind::Foreign => self.orphans_unseen(object, &loads),
            DetachKind::Unique | DetachKind::Primary => self.unproved(object, &loads),
        }
    }

    /// Returns the reason why the source does not prove a key unique; `None` if it does.
    fn unproved(&self, key: &Detachable, loads: &[&LoadPlan]) -> Option<String> {
        let [load] = loads else { return Some("several loads write to the table".to_owned()) };
        if load.conflict.is_some() {
            return Some("`conflict` needs it".to_owned());
        }
        let facts = self.target.tables.get(&key.table).and_then(|t| t.unique.iter().find(|u| u.name == key.object));
        if facts.is_some_and(|unique| unique.nulls_equal) {
            return Some("NULLs count as equal on the target, and differ in the source".to_owned());
        }
        if facts.is_some_and(|unique| unique.loose) {
            return Some("its collation treats texts as equal that differ in the source".to_owned());
        }
        let fed: Vec<(&str, &ColumnPlan)> = key.columns.iter().filter_map(|name| by_name(load, name)).collect();
        let proved = self.is_rowid(load, &fed) || self.is_unique(load, &fed);
        (!proved).then(|| "the source does not prove it".to_owned())
    }

    /// Returns true if one of the key's columns is an integer fed by the source's INTEGER PRIMARY KEY.
    fn is_rowid(&self, load: &LoadPlan, fed: &[(&str, &ColumnPlan)]) -> bool {
        let Some(table) = self.table(load) else { return false };
        fed.iter().any(|(source, column)| {
            let integer =
                matches!(column.kind.kind, crate::model::pgtype::Kind::Int4 | crate::model::pgtype::Kind::Int8);
            integer && table.column(source).is_some_and(|c| c.is_rowid)
        })
    }

    /// Returns true if the source has a unique key over some of the same columns, compared byte by byte, into text.
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

    /// Returns the reason why the reader would not find orphans under a foreign key; `None` if it would.
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
            return Some(format!("no load writes to `{}`", foreign.parent));
        }
        if let Some(parent) = self.loads.iter().find(|l| l.table == foreign.parent && l.conflict.is_some()) {
            return Some(format!("{} may skip rows to which it refers", parent.place()));
        }
        let plain = loads
            .iter()
            .all(|load| foreign.columns.iter().all(|name| by_name(load, name).is_some() || fed_owner(load)));
        if !plain {
            return Some("the load changes its columns".to_owned());
        }
        let followed =
            loads.iter().all(|load| super::references(load, self.target).iter().any(|l| l.name == foreign.name));
        (!followed).then(|| "only the server can compare its values".to_owned())
    }
}

/// Returns the source column that feeds a target column unchanged; `None` for any other feed.
fn by_name<'l>(load: &'l LoadPlan, name: &str) -> Option<(&'l str, &'l ColumnPlan)> {
    let column = load.columns.iter().find(|c| c.name == name)?;
    let Feed::Cell(n) = &column.feed else { return None };
    let Expr::Column(source) = &load.select.exprs[*n] else { return None };
    let plain = Rules { zone: None, ..column.rules.clone() } == Rules::default();
    plain.then_some((source.as_str(), column))
}
