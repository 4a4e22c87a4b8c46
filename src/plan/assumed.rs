//! The target that a dry run without a target assumes: it has everything that the mapping needs, so that only the source and
//! the mapping are judged.

use std::collections::BTreeMap;

use crate::mapping::{FeedRule, Load, Mapping, OwnerRule, Unlisted};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::schema::{ForeignKey, TargetColumn, TargetSchema, TargetTable, TargetUnique};

use super::{Inputs, PlanFindings, relation};

/// Returns the target that the mapping needs.
pub(super) fn target(mapping: &Mapping, inputs: &Inputs<'_>) -> TargetSchema {
    let mut assumed = Assumed { tables: BTreeMap::new() };
    if mapping.defaults.unlisted_tables == Unlisted::Copy {
        for (table, facts) in &inputs.source.tables {
            let copied = facts.columns.iter().filter(|column| !stays(mapping, table, &column.name));
            copied.for_each(|column| assumed.column(table, &column.name));
        }
    }
    for load in &mapping.loads {
        assumed.load(mapping, load, inputs);
    }
    if let Some(owner) = &mapping.owner {
        let named = owner.natural.iter().flat_map(|m| m.keys()).chain(owner.create.iter().flat_map(|m| m.keys()));
        named.chain([&owner.key]).chain(owner.show.iter()).for_each(|column| assumed.column(&owner.table, column));
        let natural: Vec<String> = owner.natural.iter().flat_map(|m| m.keys().cloned()).collect();
        assumed.unique(&owner.table, natural);
    }
    TargetSchema { schema: mapping.target.schema.clone(), tables: assumed.tables, ..TargetSchema::default() }
}

/// Returns true if the column is named in `[leave]`.
fn stays(mapping: &Mapping, table: &str, column: &str) -> bool {
    mapping.leave.iter().any(|left| left.table == table && left.column.as_deref() == Some(column))
}

struct Assumed {
    tables: BTreeMap<String, TargetTable>,
}

impl Assumed {
    fn table(&mut self, table: &str) -> &mut TargetTable {
        self.tables.entry(table.to_owned()).or_default()
    }

    fn column(&mut self, table: &str, column: &str) {
        let table = self.table(table);
        if table.column(column).is_none() {
            table.columns.push(TargetColumn {
                name: column.to_owned(),
                kind: ColumnType::new(Kind::Other, 0, "unknown"),
                not_null: false,
                has_default: true,
                generated: false,
                sequence: None,
                draws: None,
                drawn_in_partitions: Vec::new(),
            });
        }
    }

    fn unique(&mut self, table: &str, columns: Vec<String>) {
        self.table(table).unique.push(TargetUnique { columns, ..TargetUnique::default() });
    }

    /// Adds what a load needs. A column of the source that stays there has no namesake.
    fn load(&mut self, mapping: &Mapping, load: &Load, inputs: &Inputs<'_>) {
        let stays = |column: &str| relation::table_of(load).is_some_and(|from| stays(mapping, from, column));
        if let Some(relation) = relation::relation(load, inputs, &mut PlanFindings::default()) {
            for column in relation::columns(load, &relation, inputs).iter().filter(|column| !stays(&column.name)) {
                self.column(&load.to, &column.name);
            }
        }
        for (name, column) in &load.columns {
            self.column(&load.to, name);
            if column.modifiers.if_orphan.is_some() {
                self.table(&load.to).foreign.push(ForeignKey { columns: vec![name.clone()], ..ForeignKey::default() });
            }
            if let Some(FeedRule::Lookup(lookup)) = &column.feed {
                self.column(&lookup.table, &lookup.take);
            }
        }
        if let OwnerRule::Stamped(columns) = &load.owner {
            columns.iter().for_each(|c| self.column(&load.to, c));
        }
        if let Some(key) = &load.conflict {
            self.unique(&load.to, key.clone());
        }
    }
}
