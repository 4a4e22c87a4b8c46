//! The target's catalogue as a [`TargetSchema`]: a fixed number of queries for any number of tables, sent together.

use std::collections::{HashMap, HashSet};

use postgres::Row;

use super::citus::DISTRIBUTED_TABLES;
use super::equality::Equality;
use super::error::ServerError;
use super::inspect::OtherSession;
use super::ledger::{LEDGER_COLUMNS, LedgerColumns, LedgerView, RunName};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use super::types::TypeTable;
use super::{citus, detach, rights};
use crate::model::ident::qualified;
use crate::model::pgtype::Kind;
use crate::model::schema::{
    Detachable, ForeignKey, SchemaSequence, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique,
};

const READING: &str = "reading the target's catalogue";

/// A schema of the target as the catalogue describes it, and what else the same round trip shows.
#[derive(Default)]
pub struct Catalogued {
    /// The tables and views, without the knowledge which tables hold rows.
    pub target: TargetSchema,
    /// The objects of the wanted tables that can be detached.
    pub detachable: Vec<Detachable>,
    /// Other clients' sessions that hold locks on the wanted tables.
    pub busy: Vec<OtherSession>,
    /// The ledger's tables.
    pub ledger: LedgerColumns,
}

impl Session {
    /// Reads the catalogue of one schema, and the rights that this role lacks there and on the ledger. `wanted`: the tables
    /// that a load may write to; `None` for all.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn catalog(&mut self, schema: &str, wanted: Option<&[String]>) -> Result<Catalogued, ServerError> {
        let (ledger, needs_path) = (self.ledger.schema.clone(), self.application_path.is_needed_to_read);
        let (ledger, no_types) = (ledger.as_str(), Vec::new());
        let [role, missing, by_column] = rights::queries(&schema, &ledger);
        let of_schema = |sql: &'static str| TypedQuery::new(READING, sql).with(&schema);
        let of_tables = |sql: &'static str| of_schema(sql).with(&wanted);
        let distributed = self.has_citus.then(|| of_schema(DISTRIBUTED_TABLES));
        let queries = [
            TypedQuery::new(READING, SERVER),
            TypeTable::query(&schema, &no_types),
            of_schema(include_str!("sql/columns.sql")),
            of_schema(include_str!("sql/sequences.sql")),
            of_schema(include_str!("sql/schema_sequences.sql")),
            of_schema(include_str!("sql/unique_keys.sql")),
            of_schema(include_str!("sql/constraints.sql")),
            of_schema(include_str!("sql/enabled_triggers.sql")),
            of_tables(include_str!("sql/detachable_objects.sql")).with(&needs_path),
            of_tables(include_str!("sql/sessions_holding_locks.sql")),
            TypedQuery::new(READING, LEDGER_COLUMNS).with(&ledger),
            Equality::query(&schema),
            role,
            missing,
            by_column,
        ];
        let (answers, distributed) = self.ask_and(queries, distributed)?;
        let [
            server,
            types,
            columns,
            sequences,
            of_schema,
            unique,
            constraints,
            triggers,
            detachable,
            busy,
            ledger,
            equal,
            lacking @ ..,
        ] = answers;
        let types = TypeTable::of_rows(&types, self)?;
        let mut found = TablesByOid::of_rows(schema, &columns, &types)?;
        found.add_sequences(&sequences, &of_schema)?;
        found.add_constraints(&unique, &constraints, &triggers)?;
        let mut target = TargetSchema { rights: rights::of_rows(lacking)?, ..found.target };
        know_server(&mut target, &server)?;
        target.distributed = citus::placements(&distributed)?;
        let mut detachable = detach::detachable_of_rows(&detachable)?;
        citus::keep_triggers(&mut detachable, &target.distributed);
        self.prepared.know_equalities(schema, target.tables.keys(), Equality::of_rows(&equal)?);
        Ok(Catalogued {
            target,
            detachable,
            busy: busy.iter().map(OtherSession::of_row).collect::<Result<_, _>>()?,
            ledger: LedgerColumns::of_rows(&ledger)?,
        })
    }
}

impl Session {
    /// Marks the tables that hold rows, and reads the ledger's view of a run. `None`: the ledger is not read.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub fn contents(
        &mut self,
        catalogued: &mut Catalogued,
        run: Option<RunName<'_>>,
    ) -> Result<LedgerView, ServerError> {
        let Catalogued { target, ledger, .. } = catalogued;
        let readable = readable_tables(target);
        let holds = |name: &String| format!("EXISTS (SELECT 1 FROM {})", qualified(&target.schema, name));
        let holds: Vec<String> = readable.iter().map(holds).collect();
        let mut rows = Vec::new();
        if !holds.is_empty() {
            rows.push(TypedQuery::new(READING, format!("SELECT ARRAY[{}]", holds.join(", "))).of_tables());
        }
        let (view, answers) = match run {
            Some(run) => self.ledger_view_and(ledger, run, rows)?,
            None => (LedgerView::default(), self.ask_all(rows)?),
        };
        let holds: Vec<bool> = answers.concat().first().map(|row| row.value(0)).transpose()?.unwrap_or_default();
        for (name, _) in readable.iter().zip(holds).filter(|(_, holds)| *holds) {
            if let Some(table) = target.tables.get_mut(name) {
                table.has_rows = true;
            }
        }
        Ok(view)
    }
}

/// The tables that this role may read. A table with row-level security is left out: a policy may fail and hides rows, and a
/// load into such a table is refused anyway.
fn readable_tables(target: &TargetSchema) -> Vec<String> {
    let (schema, rights) = (&target.schema, &target.rights);
    if rights.lack("USAGE", &format!("SCHEMA {schema}")).is_some() {
        return Vec::new();
    }
    let is_readable = |name: &&String| {
        let name = format!("{schema}.{name}");
        let key = format!("TABLE {name}");
        // The right on any column suffices to see a row.
        let is_granted = rights.lack("SELECT", &key).is_none() || rights.on_columns("SELECT", &key).is_some();
        is_granted && !rights.guarded.contains(&name)
    };
    target.tables.keys().filter(is_readable).cloned().collect()
}

/// Notes the answer to [`SERVER`].
fn know_server(target: &mut TargetSchema, server: &[Row]) -> Result<(), ServerError> {
    let Some(row) = server.first() else { return Ok(()) };
    target.version = u32::try_from(row.value::<i32>(0)?).unwrap_or(0);
    target.encoding = row.value(1)?;
    target.event_triggers = row.value(2)?;
    Ok(())
}

/// The server's version, and the database's encoding and event triggers.
const SERVER: &str = "SELECT current_setting('server_version_num')::int4, pg_catalog.getdatabaseencoding()::text, \
    ARRAY(SELECT evtname::text FROM pg_catalog.pg_event_trigger \
    WHERE evtenabled IN ('O', 'A') AND evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop') ORDER BY 1)";

/// The tables of a schema while their parts are put together. The catalogue refers to them by OID and number.
struct TablesByOid {
    target: TargetSchema,
    names: HashMap<i64, String>,
    columns: HashMap<(i64, i32), String>,
}

impl TablesByOid {
    fn of_rows(schema: &str, rows: &[Row], types: &TypeTable) -> Result<TablesByOid, ServerError> {
        let target = TargetSchema { schema: schema.to_owned(), ..TargetSchema::default() };
        let mut found = TablesByOid { target, names: HashMap::new(), columns: HashMap::new() };
        for row in rows {
            let name: String = row.value("table_name")?;
            let kind: String = row.value("kind")?;
            if kind != "r" && kind != "p" {
                if !found.target.views.contains(&name) {
                    found.target.views.push(name);
                }
                continue;
            }
            let oid: i64 = row.value("table_oid")?;
            found.names.insert(oid, name.clone());
            let found_table = table(row)?;
            let table = found.target.tables.entry(name).or_insert(found_table);
            if let Some(column) = row.value::<Option<String>>("column_name")? {
                found.columns.insert((oid, row.value("column_no")?), column.clone());
                table.columns.push(column_of(row, column, types)?);
            }
        }
        Ok(found)
    }

    /// The table that a row is about.
    fn table_of(&mut self, row: &Row) -> Result<Option<&mut TargetTable>, ServerError> {
        let name = self.names.get(&row.value::<i64>("table_oid")?);
        Ok(name.and_then(|name| self.target.tables.get_mut(name)))
    }

    fn add_sequences(&mut self, rows: &[Row], of_schema: &[Row]) -> Result<(), ServerError> {
        // A default that names its sequence as text has no dependency in the catalogue.
        let named: HashSet<String> = rows.iter().map(|row| row.value("name")).collect::<Result<_, _>>()?;
        for row in of_schema {
            let sequence = sequence_of(row)?;
            let is_free = row.value("is_free")? && !named.contains(&sequence.name);
            self.target.sequences.insert(row.value("plain")?, SchemaSequence { sequence, is_free });
        }
        for row in rows {
            let Some(name) = self.columns.get(&(row.value("table_oid")?, row.value("column_no")?)).cloned() else {
                continue;
            };
            let table = self.table_of(row)?;
            let Some(column) = table.and_then(|t| t.columns.iter_mut().find(|c| c.name == name)) else { continue };
            if row.value("in_partition")? {
                column.drawn_in_partitions.push(row.value("name")?);
                continue;
            }
            let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. });
            if !(counts && row.value("bare")?) {
                column.draws = Some(row.value("name")?);
                continue;
            }
            // The sequence that the default draws from comes last and replaces the others.
            column.sequence = Some(Sequence { owned: row.value("owned")?, ..sequence_of(row)? });
        }
        Ok(())
    }

    fn add_constraints(&mut self, unique: &[Row], constraints: &[Row], triggers: &[Row]) -> Result<(), ServerError> {
        for row in unique {
            let Some(table) = self.table_of(row)? else { continue };
            table.unique.push(TargetUnique {
                name: row.value("name")?,
                columns: row.value("columns")?,
                primary: row.value("is_primary")?,
                nulls_equal: row.value("nulls_equal")?,
                loose: row.value("loose")?,
                deferrable: row.value("deferrable")?,
            });
        }
        for row in constraints {
            let Some(table) = self.table_of(row)? else { continue };
            if row.value::<String>("kind")? == "f" {
                table.foreign.push(foreign(row)?);
            } else {
                table.checks.push((row.value("name")?, row.value("definition")?));
            }
        }
        for row in triggers {
            let Some(table) = self.table_of(row)? else { continue };
            table.triggers.push((row.value("name")?, row.value::<String>("enabled")?.chars().next().unwrap_or('O')));
            for (list, flag) in [(&mut table.bending, "bends"), (&mut table.inserting, "inserts")] {
                if row.value(flag)? {
                    list.push(row.value("name")?);
                }
            }
        }
        Ok(())
    }
}

fn table(row: &Row) -> Result<TargetTable, ServerError> {
    Ok(TargetTable {
        oid: row.value::<i64>("table_oid")? as u32,
        unlogged: row.value("unlogged")?,
        heirs: row.value("heirs")?,
        rules: row.value("rules")?,
        ..TargetTable::default()
    })
}

fn column_of(row: &Row, name: String, types: &TypeTable) -> Result<TargetColumn, ServerError> {
    let shown: String = row.value("type_name")?;
    let resolved = types.resolve(row.value("type_oid")?, row.value("typmod")?, &shown);
    Ok(TargetColumn {
        name,
        kind: resolved.column,
        not_null: row.value::<bool>("not_null")? || resolved.not_null,
        has_default: row.value("has_default")?,
        generated: row.value("generated")?,
        sequence: None,
        draws: None,
        drawn_in_partitions: Vec::new(),
    })
}

fn foreign(row: &Row) -> Result<ForeignKey, ServerError> {
    Ok(ForeignKey {
        name: row.value("name")?,
        columns: row.value("columns")?,
        parent_schema: row.value::<Option<String>>("parent_schema")?.unwrap_or_default(),
        parent: row.value::<Option<String>>("parent")?.unwrap_or_default(),
        parent_columns: row.value("parent_columns")?,
        cascades: row.value("cascades")?,
        deferrable: row.value("deferrable")?,
        match_full: row.value("match_full")?,
        is_enforced: row.value("is_enforced")?,
    })
}

fn sequence_of(row: &Row) -> Result<Sequence, ServerError> {
    Ok(Sequence {
        name: row.value("name")?,
        increment: row.value("increment")?,
        start: row.value("start")?,
        min: row.value("min")?,
        max: row.value("max")?,
        owned: false,
    })
}
