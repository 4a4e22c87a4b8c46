//! The target's catalogue as a [`TargetSchema`]: a fixed number of queries for any number of tables.

use std::collections::{BTreeMap, HashMap, HashSet};

use postgres::{Client, Row};

use super::error::{Doing, ServerError};
use super::rights;
use super::session::Session;
use super::types::TypeTable;
use crate::model::ident::qualified;
use crate::model::pgtype::Kind;
use crate::model::schema::{
    ForeignKey, SchemaSequence, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique,
};

const READING: &str = "reading the target's catalogue";

impl Session {
    /// Reads the catalogue of one schema.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn catalog(&mut self, schema: &str) -> Result<TargetSchema, ServerError> {
        let ledger = self.ledger.clone();
        let mut found = read(&mut self.client, schema, &ledger.schema)?;
        self.reading(|client| mark_tables_with_rows(client, &mut found))?;
        Ok(found)
    }
}

/// Reads one schema, and the rights that this role lacks there and on the ledger.
fn read(client: &mut Client, schema: &str, ledger_schema: &str) -> Result<TargetSchema, ServerError> {
    let types = TypeTable::read(client, schema, &[])?;
    let rows = client.query(include_str!("sql/columns.sql"), &[&schema]).doing(READING)?;
    let rights = rights::read(client, schema, ledger_schema)?;
    let mut found = TargetSchema { schema: schema.to_owned(), rights, ..server(client)? };
    let mut names: HashMap<i64, String> = HashMap::new();
    let mut numbers: HashMap<(i64, i32), String> = HashMap::new();
    for row in &rows {
        let name: String = row.get("table_name");
        let kind: String = row.get("kind");
        if kind != "r" && kind != "p" {
            if !found.views.contains(&name) {
                found.views.push(name);
            }
            continue;
        }
        let oid: i64 = row.get("table_oid");
        names.insert(oid, name.clone());
        let table = found.tables.entry(name).or_insert_with(|| table(row));
        if let Some(column) = row.get::<_, Option<String>>("column_name") {
            numbers.insert((oid, row.get("column_no")), column.clone());
            table.columns.push(column_of(row, column, &types));
        }
    }
    sequences(client, schema, &mut found, &names, &numbers)?;
    constraints(client, schema, &mut found, &names)?;
    Ok(found)
}

/// Reads the server's version, and the database's encoding and event triggers.
fn server(client: &mut Client) -> Result<TargetSchema, ServerError> {
    let sql = "SELECT current_setting('server_version_num')::int4, pg_catalog.getdatabaseencoding()::text, \
               ARRAY(SELECT evtname::text FROM pg_catalog.pg_event_trigger \
               WHERE evtenabled IN ('O', 'A') AND evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop') ORDER BY 1)";
    let row = client.query_one(sql, &[]).doing(READING)?;
    let version = u32::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    Ok(TargetSchema { version, encoding: row.get(1), event_triggers: row.get(2), ..TargetSchema::default() })
}

fn table(row: &Row) -> TargetTable {
    TargetTable {
        oid: row.get::<_, i64>("table_oid") as u32,
        unlogged: row.get("unlogged"),
        heirs: row.get("heirs"),
        rules: row.get("rules"),
        ..TargetTable::default()
    }
}

fn column_of(row: &Row, name: String, types: &TypeTable) -> TargetColumn {
    let shown: String = row.get("type_name");
    let resolved = types.resolve(row.get("type_oid"), row.get("typmod"), &shown);
    TargetColumn {
        name,
        kind: resolved.column,
        not_null: row.get::<_, bool>("not_null") || resolved.not_null,
        has_default: row.get("has_default"),
        generated: row.get("generated"),
        sequence: None,
        draws: None,
    }
}

fn sequences(
    client: &mut Client,
    schema: &str,
    found: &mut TargetSchema,
    names: &HashMap<i64, String>,
    numbers: &HashMap<(i64, i32), String>,
) -> Result<(), ServerError> {
    let named = client.query(include_str!("sql/sequences.sql"), &[&schema]).doing(READING)?;
    for row in &named {
        let oid: i64 = row.get("table_oid");
        let Some(column) = numbers.get(&(oid, row.get("column_no"))) else { continue };
        let table = names.get(&oid).and_then(|name| found.tables.get_mut(name));
        if let Some(column) = table.and_then(|t| t.columns.iter_mut().find(|c| c.name == *column)) {
            let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. });
            if !(counts && row.get("bare")) {
                column.draws = Some(row.get("name"));
                continue;
            }
            // The sequence that the default draws from comes last and replaces the others.
            column.sequence = Some(Sequence { owned: row.get("owned"), ..sequence_of(row) });
        }
    }
    // A default that names its sequence as text has no dependency in the catalogue.
    let named: HashSet<String> = named.iter().map(|row| row.get("name")).collect();
    for row in client.query(include_str!("sql/schema_sequences.sql"), &[&schema]).doing(READING)? {
        let sequence = sequence_of(&row);
        let is_free = row.get::<_, bool>("is_free") && !named.contains(&sequence.name);
        found.sequences.insert(row.get("plain"), SchemaSequence { sequence, is_free });
    }
    Ok(())
}

fn sequence_of(row: &Row) -> Sequence {
    Sequence {
        name: row.get("name"),
        increment: row.get("increment"),
        start: row.get("start"),
        min: row.get("min"),
        max: row.get("max"),
        owned: false,
    }
}

fn constraints(
    client: &mut Client,
    schema: &str,
    found: &mut TargetSchema,
    names: &HashMap<i64, String>,
) -> Result<(), ServerError> {
    let mut tables: BTreeMap<&str, &mut TargetTable> = found.tables.iter_mut().map(|(n, t)| (n.as_str(), t)).collect();
    let mut of = |row: &Row, then: &mut dyn FnMut(&mut TargetTable)| {
        let name = names.get(&row.get::<_, i64>("table_oid")).map(String::as_str).unwrap_or_default();
        if let Some(table) = tables.get_mut(name) {
            then(table);
        }
    };
    for row in client.query(include_str!("sql/unique_keys.sql"), &[&schema]).doing(READING)? {
        let key = TargetUnique {
            name: row.get("name"),
            columns: row.get("columns"),
            primary: row.get("is_primary"),
            nulls_equal: row.get("nulls_equal"),
            loose: row.get("loose"),
            deferrable: row.get("deferrable"),
        };
        of(&row, &mut |table| table.unique.push(key.clone()));
    }
    for row in client.query(include_str!("sql/constraints.sql"), &[&schema]).doing(READING)? {
        let is_foreign = row.get::<_, String>("kind") == "f";
        of(&row, &mut |table| {
            if is_foreign {
                table.foreign.push(foreign(&row));
            } else {
                table.checks.push((row.get("name"), row.get("definition")));
            }
        });
    }
    for row in client.query(include_str!("sql/enabled_triggers.sql"), &[&schema]).doing(READING)? {
        let enabled = row.get::<_, String>("enabled").chars().next().unwrap_or('O');
        of(&row, &mut |table| {
            table.triggers.push((row.get("name"), enabled));
            table.bending.extend(row.get::<_, bool>("bends").then(|| row.get("name")));
            table.inserting.extend(row.get::<_, bool>("inserts").then(|| row.get("name")));
        });
    }
    Ok(())
}

fn foreign(row: &Row) -> ForeignKey {
    ForeignKey {
        name: row.get("name"),
        columns: row.get("columns"),
        parent_schema: row.get::<_, Option<String>>("parent_schema").unwrap_or_default(),
        parent: row.get::<_, Option<String>>("parent").unwrap_or_default(),
        parent_columns: row.get("parent_columns"),
        cascades: row.get("cascades"),
        deferrable: row.get("deferrable"),
        match_full: row.get("match_full"),
        is_enforced: row.get("is_enforced"),
    }
}

/// Marks the tables that hold rows, in one query over the tables that may be read. A table with row-level security is left
/// out: a policy may fail and hides rows, and a load into such a table is refused anyway.
fn mark_tables_with_rows(client: &mut Client, found: &mut TargetSchema) -> Result<(), ServerError> {
    let rights = &found.rights;
    let may = |name: &&String| {
        let name = format!("{}.{name}", found.schema);
        let key = format!("TABLE {name}");
        // The right on any column suffices to see a row.
        let read = rights.lack("SELECT", &key).is_none() || rights.on_columns("SELECT", &key).is_some();
        read && !rights.guarded.contains(&name)
    };
    let entered = rights.lack("USAGE", &format!("SCHEMA {}", found.schema)).is_none();
    let readable: Vec<&String> = found.tables.keys().filter(may).filter(|_| entered).collect();
    if readable.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> =
        readable.iter().map(|name| format!("EXISTS (SELECT FROM {})", qualified(&found.schema, name))).collect();
    let row = client.query_one(&format!("SELECT ARRAY[{}]", parts.join(", ")), &[]).doing(READING)?;
    let there: Vec<bool> = row.get(0);
    let holding: Vec<String> =
        readable.iter().zip(&there).filter(|(_, t)| **t).map(|(name, _)| (*name).clone()).collect();
    for name in holding {
        if let Some(table) = found.tables.get_mut(&name) {
            table.has_rows = true;
        }
    }
    Ok(())
}
