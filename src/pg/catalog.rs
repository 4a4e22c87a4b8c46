//! The target's catalogue as a [`TargetSchema`]: a fixed number of queries for any number of tables, sent together.

use std::collections::HashMap;

use postgres::Row;

use super::equality::Equality;
use super::error::ServerError;
use super::inspect::OtherSession;
use super::ledger::{LEDGER_COLUMNS, LedgerColumns, LedgerView, RunName};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use super::types::TypeTable;
use super::{detach, rights};
use crate::model::ident::qualified;
use crate::model::pgtype::Kind;
use crate::model::schema::{Detachable, ForeignKey, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique};

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
        let answers = self.ask([
            TypedQuery::new(READING, SERVER),
            TypeTable::query(&schema, &no_types),
            of_schema(include_str!("sql/columns.sql")),
            of_schema(include_str!("sql/sequences.sql")),
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
        ])?;
        let [
            server,
            types,
            columns,
            sequences,
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
        let mut found = TablesByOid::of_rows(schema, &columns, &types);
        found.add_sequences(&sequences);
        found.add_constraints(&unique, &constraints, &triggers);
        let mut target = TargetSchema { rights: rights::of_rows(lacking), ..found.target };
        if let Some(row) = server.first() {
            target.version = u32::try_from(row.get::<_, i32>(0)).unwrap_or(0);
            target.encoding = row.get(1);
            target.event_triggers = row.get(2);
        }
        self.prepared.know_equalities(schema, target.tables.keys(), Equality::of_rows(&equal));
        Ok(Catalogued {
            target,
            detachable: detach::detachable_of_rows(&detachable)?,
            busy: busy.iter().map(OtherSession::of_row).collect(),
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
        let holds = |name: &String| format!("EXISTS (SELECT FROM {})", qualified(&target.schema, name));
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
    fn of_rows(schema: &str, rows: &[Row], types: &TypeTable) -> TablesByOid {
        let target = TargetSchema { schema: schema.to_owned(), ..TargetSchema::default() };
        let mut found = TablesByOid { target, names: HashMap::new(), columns: HashMap::new() };
        for row in rows {
            let name: String = row.get("table_name");
            let kind: String = row.get("kind");
            if kind != "r" && kind != "p" {
                if !found.target.views.contains(&name) {
                    found.target.views.push(name);
                }
                continue;
            }
            let oid: i64 = row.get("table_oid");
            found.names.insert(oid, name.clone());
            let table = found.target.tables.entry(name).or_insert_with(|| table(row));
            if let Some(column) = row.get::<_, Option<String>>("column_name") {
                found.columns.insert((oid, row.get("column_no")), column.clone());
                table.columns.push(column_of(row, column, types));
            }
        }
        found
    }

    /// The table that a row is about.
    fn table_of(&mut self, row: &Row) -> Option<&mut TargetTable> {
        self.target.tables.get_mut(self.names.get(&row.get::<_, i64>("table_oid"))?)
    }

    fn add_sequences(&mut self, rows: &[Row]) {
        for row in rows {
            let Some(name) = self.columns.get(&(row.get("table_oid"), row.get("column_no"))).cloned() else { continue };
            let table = self.table_of(row);
            let Some(column) = table.and_then(|t| t.columns.iter_mut().find(|c| c.name == name)) else { continue };
            let counts = matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. });
            if !(counts && row.get("bare")) {
                column.draws = Some(row.get("name"));
                continue;
            }
            // The sequence that the default draws from comes last and replaces the others.
            column.sequence = Some(Sequence {
                name: row.get("name"),
                increment: row.get("increment"),
                start: row.get("start"),
                min: row.get("min"),
                max: row.get("max"),
                owned: row.get("owned"),
            });
        }
    }

    fn add_constraints(&mut self, unique: &[Row], constraints: &[Row], triggers: &[Row]) {
        for row in unique {
            let Some(table) = self.table_of(row) else { continue };
            table.unique.push(TargetUnique {
                name: row.get("name"),
                columns: row.get("columns"),
                primary: row.get("is_primary"),
                nulls_equal: row.get("nulls_equal"),
                loose: row.get("loose"),
                deferrable: row.get("deferrable"),
            });
        }
        for row in constraints {
            let Some(table) = self.table_of(row) else { continue };
            if row.get::<_, String>("kind") == "f" {
                table.foreign.push(foreign(row));
            } else {
                table.checks.push((row.get("name"), row.get("definition")));
            }
        }
        for row in triggers {
            let Some(table) = self.table_of(row) else { continue };
            table.triggers.push((row.get("name"), row.get::<_, String>("enabled").chars().next().unwrap_or('O')));
            table.bending.extend(row.get::<_, bool>("bends").then(|| row.get("name")));
            table.inserting.extend(row.get::<_, bool>("inserts").then(|| row.get("name")));
        }
    }
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
