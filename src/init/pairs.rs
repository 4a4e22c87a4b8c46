//! Pairs of tables: which table of the source fills which table of the target, and which columns feed which.

use std::collections::BTreeSet;

use super::frameworks::bookkeeping_of;
use super::names::{NameMatch, NamePair, pair_columns, pair_tables};
use crate::model::schema::{SourceSchema, SourceTable, TargetSchema, TargetTable};

/// A table of the source and the table of the target that it fills.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePair {
    /// The names of the tables.
    pub names: NamePair,
    /// The columns that feed a column.
    pub columns: Vec<NamePair>,
    /// Columns of the source that feed no column.
    pub source_only: Vec<String>,
    /// Columns of the target that no column feeds, without those that the server computes.
    pub target_only: Vec<String>,
}

impl TablePair {
    fn new(names: NamePair, source: &SourceTable, target: &TargetTable) -> TablePair {
        let left: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
        let right: Vec<&str> = target.columns.iter().map(|column| column.name.as_str()).collect();
        let columns = pair_columns(&left, &right);
        let is_fed = |name: &&str| columns.iter().any(|pair| pair.target == **name);
        let feeds = |name: &&str| columns.iter().any(|pair| pair.source == **name);
        let is_computed = |name: &&str| target.column(name).is_some_and(|column| column.generated);
        let owned = |name: &&str| (*name).to_owned();
        let source_only = left.iter().filter(|name| !feeds(name)).map(owned).collect();
        let target_only = right.iter().filter(|name| !is_fed(name) && !is_computed(name)).map(owned).collect();
        TablePair { names, columns, source_only, target_only }
    }

    /// Returns true if the names of the tables alone would not suffice to pair them, and their columns do not confirm the pair.
    fn is_doubtful(&self, source: &SourceTable, target: &TargetTable) -> bool {
        let fewer = source.columns.len().min(target.columns.len());
        self.names.by >= NameMatch::Number && self.columns.len() * 2 < fewer
    }

    /// Pairs the only columns without a partner that refer to the same table. `partners`: the paired tables.
    fn pair_references(&mut self, source: &SourceSchema, target: &TargetSchema, partners: &[NamePair]) {
        let (Some(from), Some(to)) = (source.tables.get(&self.names.source), target.tables.get(&self.names.target))
        else {
            return;
        };
        for partner in partners {
            let refers_there = |name: &&String| {
                from.column(name).is_some_and(|column| column.refers.as_ref() == Some(&partner.source))
            };
            let refers_here = |name: &&String| {
                to.foreign.iter().any(|key| key.parent == partner.target && key.columns.as_slice() == [(*name).clone()])
            };
            let left: Vec<&String> = self.source_only.iter().filter(refers_there).collect();
            let right: Vec<&String> = self.target_only.iter().filter(refers_here).collect();
            if let ([source], [target]) = (left.as_slice(), right.as_slice()) {
                let (source, target) = ((*source).clone(), (*target).clone());
                self.source_only.retain(|name| *name != source);
                self.target_only.retain(|name| *name != target);
                self.columns.push(NamePair { source, target, by: NameMatch::Reference });
            }
        }
    }

    /// Returns the source column that feeds a column.
    pub fn source_of(&self, target: &str) -> Option<&NamePair> {
        self.columns.iter().find(|pair| pair.target == target)
    }
}

/// All tables of the source, paired or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TablePairs {
    /// The pairs, in load order: a table follows the tables that it refers to.
    pub pairs: Vec<TablePair>,
    /// Tables of the source that fill no table.
    pub source_only: Vec<String>,
}

impl TablePairs {
    /// Pairs the tables of both sides. Tables in which frameworks keep their own records fill no table.
    pub fn new(source: &SourceSchema, target: &TargetSchema) -> TablePairs {
        let left: Vec<&str> =
            source.tables.keys().map(String::as_str).filter(|name| bookkeeping_of(source, name).is_none()).collect();
        let right: Vec<&str> = target.tables.keys().map(String::as_str).collect();
        let pair = |names: NamePair| {
            let (from, to) = (source.tables.get(&names.source)?, target.tables.get(&names.target)?);
            let pair = TablePair::new(names, from, to);
            (!pair.is_doubtful(from, to)).then_some(pair)
        };
        let mut pairs: Vec<TablePair> = pair_tables(&left, &right).into_iter().filter_map(pair).collect();
        pairs.sort_by(|a, b| a.names.target.cmp(&b.names.target));
        let partners: Vec<NamePair> = pairs.iter().map(|pair| pair.names.clone()).collect();
        pairs.iter_mut().for_each(|pair| pair.pair_references(source, target, &partners));
        let is_paired = |name: &&String| pairs.iter().any(|pair| pair.names.source == **name);
        let source_only = source.tables.keys().filter(|name| !is_paired(name)).cloned().collect();
        TablePairs { pairs: in_load_order(pairs, target), source_only }
    }

    /// Pairs that are known, in load order.
    pub fn known(pairs: Vec<TablePair>, target: &TargetSchema) -> TablePairs {
        TablePairs { pairs: in_load_order(pairs, target), source_only: Vec::new() }
    }

    /// Returns the pair that fills a table.
    pub fn into_table(&self, target: &str) -> Option<&TablePair> {
        self.pairs.iter().find(|pair| pair.names.target == target)
    }
}

/// Orders pairs so that a table follows the tables that it refers to, and by name otherwise. Tables of a circle keep the order
/// of their names.
fn in_load_order(pairs: Vec<TablePair>, target: &TargetSchema) -> Vec<TablePair> {
    let mut waiting = pairs;
    let mut ordered: Vec<TablePair> = Vec::new();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|pair| pair.names.target.as_str()).collect();
        let is_ready = |pair: &TablePair| {
            let foreign =
                target.tables.get(&pair.names.target).map(|table| table.foreign.as_slice()).unwrap_or_default();
            foreign.iter().all(|key| key.parent == pair.names.target || !names.contains(key.parent.as_str()))
        };
        let next = waiting.iter().position(is_ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pgtype::{ColumnType, Kind};
    use crate::model::schema::{ForeignKey, SourceColumn, TargetColumn};

    fn source(tables: &[(&str, &[&str])]) -> SourceSchema {
        let column = |name: &&str| SourceColumn { name: (*name).to_owned(), ..SourceColumn::default() };
        let table =
            |columns: &[&str]| SourceTable { columns: columns.iter().map(column).collect(), ..SourceTable::default() };
        let tables = tables.iter().map(|(name, columns)| ((*name).to_owned(), table(columns)));
        SourceSchema { tables: tables.collect(), ..SourceSchema::default() }
    }

    fn target(tables: &[(&str, &[&str], &[&str])]) -> TargetSchema {
        let column = |name: &&str| TargetColumn {
            name: (*name).to_owned(),
            kind: ColumnType::new(Kind::Text, 25, "text"),
            not_null: false,
            has_default: false,
            generated: false,
            sequence: None,
            draws: None,
            drawn_in_partitions: Vec::new(),
        };
        let key = |parent: &&str| ForeignKey { parent: (*parent).to_owned(), ..ForeignKey::default() };
        let table = |columns: &[&str], parents: &[&str]| TargetTable {
            columns: columns.iter().map(column).collect(),
            foreign: parents.iter().map(key).collect(),
            ..TargetTable::default()
        };
        let tables = tables.iter().map(|(name, columns, parents)| ((*name).to_owned(), table(columns, parents)));
        TargetSchema { tables: tables.collect(), ..TargetSchema::default() }
    }

    #[test]
    fn a_table_follows_the_tables_that_it_refers_to() {
        let source = source(&[("a", &["id"]), ("b", &["id"]), ("c", &["id"])]);
        let target = target(&[("a", &["id"], &["b"]), ("b", &["id"], &["c", "b"]), ("c", &["id"], &[])]);
        let pairs = TablePairs::new(&source, &target);
        let order: Vec<&str> = pairs.pairs.iter().map(|pair| pair.names.target.as_str()).collect();
        assert_eq!(order, ["c", "b", "a"]);
    }

    #[test]
    fn a_plural_makes_no_pair_unless_the_columns_confirm_it() {
        let source = source(&[("note", &["id", "title"]), ("log", &["line", "level", "at"])]);
        let target = target(&[("notes", &["id", "title"], &[]), ("logs", &["id", "user_id", "payload"], &[])]);
        let pairs = TablePairs::new(&source, &target);
        assert_eq!(pairs.pairs.len(), 1);
        assert_eq!(pairs.source_only, ["log"]);
    }

    #[test]
    fn the_only_columns_that_refer_to_a_table_are_a_pair() {
        let mut source = source(&[("people", &["id"]), ("notes", &["id", "author"])]);
        let author = source.tables.get_mut("notes").and_then(|table| table.columns.get_mut(1)).expect("a column");
        author.refers = Some("people".to_owned());
        let mut target = target(&[("people", &["id"], &[]), ("notes", &["id", "person_id"], &[])]);
        let columns = vec!["person_id".to_owned()];
        let key = ForeignKey { parent: "people".to_owned(), columns, ..ForeignKey::default() };
        target.tables.get_mut("notes").expect("a table").foreign.push(key);
        let pairs = TablePairs::new(&source, &target);
        let notes = pairs.into_table("notes").expect("a pair");
        assert_eq!(
            notes.source_of("person_id").map(|pair| (pair.source.as_str(), pair.by)),
            Some(("author", NameMatch::Reference))
        );
        assert!(notes.source_only.is_empty() && notes.target_only.is_empty());
    }

    #[test]
    fn columns_without_a_partner_are_listed_on_both_sides() {
        let source = source(&[("notes", &["id", "old"])]);
        let target = target(&[("notes", &["id", "user_id"], &[])]);
        let pair = &TablePairs::new(&source, &target).pairs[0];
        assert_eq!(
            (pair.source_only.as_slice(), pair.target_only.as_slice()),
            (&["old".to_owned()][..], &["user_id".to_owned()][..])
        );
    }
}
