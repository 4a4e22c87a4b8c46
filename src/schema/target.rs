//! The tables as the catalogue of a target would describe them, so that `init` proposes a mapping for them.

use super::ddl::{ColumnDdl, Ddl, ForeignDdl, TableDdl};
use super::names::made;
use super::stored::plain_column;
use crate::init::{NameMatch, NamePair, NaturalKey, OwnerRequest, TablePair};
use crate::model::ident::qualified;
use crate::model::schema::{ForeignKey, Sequence, SourceSchema, TargetColumn, TargetSchema, TargetTable, TargetUnique};

/// The schema of the tables.
const SCHEMA: &str = "public";

impl Ddl {
    /// Returns the catalogue.
    pub fn target(&self) -> TargetSchema {
        TargetSchema {
            schema: SCHEMA.to_owned(),
            tables: self.tables.iter().map(|table| (table.name.clone(), target_table(table))).collect(),
            version: self.oldest() * 10_000,
            encoding: "UTF8".to_owned(),
            ..TargetSchema::default()
        }
    }

    /// Returns the owner with the names of its table and its column in their own spelling. SQLite finds them in any case of their letters,
    /// and a mapping does not.
    pub fn spelled(&self, owner: &OwnerRequest) -> OwnerRequest {
        let is_it = |table: &&TableDdl| owner.table.as_ref().is_some_and(|name| table.name.eq_ignore_ascii_case(name));
        let Some(table) = self.tables.iter().find(is_it) else { return owner.clone() };
        let natural = owner.natural.as_ref().map(|natural| NaturalKey {
            column: table.column(&natural.column).map_or_else(|| natural.column.clone(), |column| column.name.clone()),
            value: natural.value.clone(),
        });
        OwnerRequest { table: Some(table.name.clone()), natural }
    }

    /// Returns each table of the source with the table that is made for it.
    pub fn pairs(&self, source: &SourceSchema) -> Vec<TablePair> {
        let tables = self.tables.iter().filter(|table| source.tables.contains_key(&table.name));
        tables.map(|table| pair(table, source)).collect()
    }

    /// Returns true if the primary key of a table is an id of its own sequence and is unique among all owners.
    pub fn has_shared_ids(&self, table: &str) -> bool {
        let Some(table) = self.tables.iter().find(|own| own.name == table) else { return false };
        let is_id = |name: &String| table.column(name).is_some_and(|column| column.identity.is_some());
        table.keys.iter().any(|key| key.primary && matches!(key.columns.as_slice(), [one] if is_id(one)))
    }
}

fn pair(table: &TableDdl, source: &SourceSchema) -> TablePair {
    let same = |name: &str| NamePair { source: name.to_owned(), target: name.to_owned(), by: NameMatch::Equal };
    let is_of_source =
        |column: &&ColumnDdl| source.tables.get(&table.name).is_some_and(|table| table.column(&column.name).is_some());
    let own = table.columns.iter().filter(|column| !is_of_source(column));
    TablePair {
        names: same(&table.name),
        columns: table.columns.iter().filter(is_of_source).map(|column| same(&column.name)).collect(),
        source_only: Vec::new(),
        target_only: own.map(|column| column.name.clone()).collect(),
    }
}

fn target_table(table: &TableDdl) -> TargetTable {
    let keys = table.keys.iter().map(|key| TargetUnique {
        name: key.name.clone().unwrap_or_default(),
        columns: key.columns.clone(),
        primary: key.primary,
        ..TargetUnique::default()
    });
    let indexes = table.indexes.iter().filter(|index| index.is_unique).filter_map(|index| {
        Some(TargetUnique { name: index.name.clone(), columns: index.columns.clone()?, ..TargetUnique::default() })
    });
    TargetTable {
        columns: table.columns.iter().map(|column| target_column(table, column)).collect(),
        unique: keys.chain(indexes).collect(),
        foreign: table.foreign.iter().map(foreign_key).collect(),
        ..TargetTable::default()
    }
}

fn target_column(table: &TableDdl, column: &ColumnDdl) -> TargetColumn {
    let sequence = column.identity.as_ref().map(|identity| {
        let name = identity.sequence.clone().unwrap_or_else(|| made(&table.name, &column.name, "seq"));
        let start = identity.start.unwrap_or(1);
        Sequence { name: qualified(SCHEMA, &name), increment: 1, start, min: 1, max: i64::MAX, owned: true }
    });
    TargetColumn {
        has_default: column.default.is_some(),
        generated: column.generated.is_some(),
        sequence,
        ..plain_column(&column.name, column.kind.clone(), column.not_null)
    }
}

fn foreign_key(foreign: &ForeignDdl) -> ForeignKey {
    ForeignKey {
        name: foreign.name.clone().unwrap_or_default(),
        columns: foreign.columns.clone(),
        parent_schema: SCHEMA.to_owned(),
        parent: foreign.parent.clone(),
        parent_columns: foreign.parent_columns.clone(),
        cascades: foreign.on_delete == "CASCADE",
        deferrable: foreign.is_deferrable,
        match_full: false,
        is_enforced: true,
    }
}
