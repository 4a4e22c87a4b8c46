//! Tables that Citus distributes by the owner of their rows: the rows of one owner are on one node, with all that they refer to.
//!
//! Citus requires the owner in every primary key, unique constraint and foreign key, which `--keys owned` puts there, takes foreign
//! keys only after the tables are distributed, and has no triggers on such tables.

use std::collections::BTreeMap;

use super::ddl::{Ddl, Distribution, Fate, ObjectKind, TableDdl};
use super::names::{name, text_literal};

/// The reason for which a trigger is left out.
const TRIGGERS: &str = "Citus has no triggers on distributed tables";

/// Gives each table its place. `owners`: the column that names the owner, by table; the others are the same for all owners.
pub fn distribute(ddl: &mut Ddl, owners: &BTreeMap<String, String>) {
    for table in &mut ddl.tables {
        table.distribution =
            Some(owners.get(&table.name).map_or(Distribution::Reference, |c| Distribution::By(c.clone())));
        table.triggers.clear();
    }
    for object in
        ddl.objects.iter_mut().filter(|object| object.kind == ObjectKind::Trigger && object.fate != Fate::LeftOut)
    {
        (object.fate, object.why) = (Fate::LeftOut, TRIGGERS.to_owned());
    }
}

/// The statements that distribute the tables, for the coordinator. Empty: they are not distributed.
pub fn statements(ddl: &Ddl) -> Vec<String> {
    let quoted = |table: &TableDdl| text_literal(&name(&table.name));
    let mut references = Vec::new();
    let mut distributed: Vec<String> = Vec::new();
    let mut first: Option<&TableDdl> = None;
    for table in &ddl.tables {
        match &table.distribution {
            Some(Distribution::Reference) => {
                references.push(format!("SELECT create_reference_table({});", quoted(table)))
            }
            Some(Distribution::By(column)) => {
                let with = first.map_or_else(String::new, |first| format!(", colocate_with => {}", quoted(first)));
                let (table_name, column) = (quoted(table), text_literal(column));
                distributed.push(format!("SELECT create_distributed_table({table_name}, {column}{with});"));
                first.get_or_insert(table);
            }
            None => {}
        }
    }
    if references.is_empty() && distributed.is_empty() {
        return Vec::new();
    }
    // The foreign keys change several tables in the transaction that distributed them.
    let mode = "SET LOCAL citus.multi_shard_modify_mode = 'sequential';".to_owned();
    [mode].into_iter().chain(references).chain(distributed).collect()
}
