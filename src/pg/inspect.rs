//! Questions to the target that change nothing: schema, counts, constraints and indexes, other sessions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postgres::Row;

use super::error::{Doing, ServerError};
use super::ledger::LedgerPlace;
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::{literal, qualified};
use crate::model::ledger::Object;
use crate::model::record::CheckKind;
use crate::model::schema::ForeignKey;

/// A check on written rows that only the server can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOnlyCheck {
    /// The table.
    pub table: String,
    /// The kind of check.
    pub kind: CheckKind,
    /// The name of the constraint, index, column, table or trigger.
    pub name: String,
    /// The reason why the check cannot be made in advance.
    pub why: String,
}

/// A column of a table at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnNow {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Its type as the server writes it.
    pub type_name: String,
}

/// Another client's session that works on the target tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSession {
    /// The number of the server's process.
    pub pid: i32,
    /// Its application name; may be empty.
    pub name: String,
    /// The tables that it has locked, separated by commas.
    pub tables: String,
}

impl Session {
    /// Returns the server's major version.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn major_version(&mut self) -> Result<u32, ServerError> {
        let sql = "SELECT pg_catalog.current_setting('server_version_num')::int4 / 10000";
        let [rows] = self.ask([TypedQuery::new("reading the server's version", sql)])?;
        rows.first().map_or(Ok(0), |row| Ok(u32::try_from(row.value::<i32>(0)?).unwrap_or(0)))
    }
}

impl ServerOnlyCheck {
    /// The check that a row of `sql/server_only_checks.sql` describes.
    pub(super) fn of_row(row: &Row) -> Result<ServerOnlyCheck, ServerError> {
        Ok(ServerOnlyCheck {
            table: row.value("table_name")?,
            kind: CheckKind::of(row.value("kind")?).unwrap_or(CheckKind::Constraints),
            name: row.value("name")?,
            why: row.value("why")?,
        })
    }
}

impl OtherSession {
    /// The session that a row of `sql/sessions_holding_locks.sql` describes.
    pub(super) fn of_row(row: &Row) -> Result<OtherSession, ServerError> {
        Ok(OtherSession { pid: row.value(0)?, name: row.value(1)?, tables: row.value(2)? })
    }
}

/// The objects of tables, and those of them that are not valid.
#[derive(Clone, Debug, Default)]
pub struct ObjectStates {
    /// Constraints, indexes and user triggers.
    pub objects: Vec<Object>,
    /// Table and name of each constraint that is not validated and of each index that is not valid.
    pub invalid: Vec<(String, String)>,
    /// The foreign keys that partitions have of their own.
    pub of_partitions: Vec<PartitionKey>,
}

/// A foreign key of a partition that is no key of the partitioned table.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionKey {
    /// The partition's schema.
    pub schema: String,
    /// The partition.
    pub table: String,
    /// Its name, columns and parent.
    pub key: ForeignKey,
    /// The partition's rows as SQL.
    pub rows: String,
    /// True if this role may read the parent.
    pub may_read: bool,
}

/// A foreign key whose rows are compared with their parents by the server.
pub struct KeyOfTable<'k> {
    /// The table's schema.
    pub schema: &'k str,
    /// The table.
    pub table: &'k str,
    /// The key.
    pub key: &'k ForeignKey,
    /// The table's rows as SQL.
    pub rows: String,
}

/// A table, and the loads that wrote to it.
pub struct LoadedRows<'a> {
    pub table: &'a str,
    pub loads: Vec<&'a str>,
}

impl Session {
    /// Returns the database's name.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn database_name(&mut self) -> Result<String, ServerError> {
        self.client.query_one("SELECT current_database()::text", &[]).doing("asking for the database")?.value(0)
    }

    /// Returns the texts of each query, which has one column of type text: each text once, without NULLs.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn texts(&mut self, queries: &[String]) -> Result<Vec<BTreeSet<String>>, ServerError> {
        let numbered = |(n, query)| format!("SELECT {n}::int4, found.text FROM ({query}) AS found (text)");
        let sql = queries.iter().enumerate().map(numbered).collect::<Vec<_>>().join(" UNION ALL ");
        let [rows] = self.ask([TypedQuery::new("reading version tables", sql).of_tables()])?;
        let mut texts = vec![BTreeSet::new(); queries.len()];
        for row in rows {
            let (n, text): (i32, Option<String>) = (row.value(0)?, row.value(1)?);
            if let Some(set) = usize::try_from(n).ok().and_then(|n| texts.get_mut(n)) {
                set.extend(text);
            }
        }
        Ok(texts)
    }

    /// Counts the rows of tables.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_rows(&mut self, schema: &str, tables: &[&str]) -> Result<Vec<u64>, ServerError> {
        let sql = |table: &&str| format!("(SELECT pg_catalog.count(*) FROM {})", qualified(schema, table));
        Ok(self.numbers("counting rows", tables.iter().map(sql))?.into_iter().map(i64::unsigned_abs).collect())
    }

    /// Asks for numbers, each an SQL expression, in one query over tables of the application.
    fn numbers(
        &mut self,
        doing: &'static str,
        expressions: impl Iterator<Item = String>,
    ) -> Result<Vec<i64>, ServerError> {
        let expressions: Vec<String> = expressions.collect();
        if expressions.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT ARRAY[{}]::pg_catalog.int8[]", expressions.join(", "));
        let [rows] = self.ask([TypedQuery::new(doing, sql).of_tables()])?;
        rows.first().map_or_else(|| Ok(Vec::new()), |row| row.value(0))
    }

    /// Counts the rows of each table, in one query.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_each(&mut self, schema: &str, tables: &[String]) -> Result<BTreeMap<String, u64>, ServerError> {
        let names: Vec<&str> = tables.iter().map(String::as_str).collect();
        Ok(tables.iter().cloned().zip(self.count_rows(schema, &names)?).collect())
    }

    /// Counts, for each of these tables, the rows that only transactions of its loads wrote to, in one query. A transaction that
    /// also wrote the ledger's own row restored the whole database, and its number identifies no rows.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_rows_as_written(
        &mut self,
        schema: &str,
        run: i64,
        tables: &[LoadedRows<'_>],
    ) -> Result<Vec<u64>, ServerError> {
        let ledger = self.ledger.clone();
        let count = |LoadedRows { table, loads }: &LoadedRows<'_>| {
            let loads: Vec<String> = loads.iter().map(|load| literal(load)).collect();
            ledger.sql(&format!(
                "(SELECT pg_catalog.count(*) FROM {} AS t WHERE t.xmin OPERATOR(pg_catalog.=) ANY \
                 (SELECT b.xmin FROM :ledger.batch b WHERE b.run OPERATOR(pg_catalog.=) {run} \
                  AND b.load OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[]) \
                  AND NOT b.xmin OPERATOR(pg_catalog.=) ANY (SELECT l.xmin FROM :ledger.ledger l)))",
                qualified(schema, table),
                loads.join(", ")
            ))
        };
        Ok(self.numbers("counting rows", tables.iter().map(count))?.into_iter().map(i64::unsigned_abs).collect())
    }

    /// Counts, for each foreign key of a table, the rows that refer by it to a row that is missing. Zero for a table that has
    /// no such foreign key.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_orphans(&mut self, keys: &[KeyOfTable<'_>]) -> Result<Vec<u64>, ServerError> {
        const DOING: &str = "looking for orphans";
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let column = |of: fn(&KeyOfTable<'_>) -> String| keys.iter().map(of).collect::<Vec<String>>();
        let schemas = column(|of| of.schema.to_owned());
        let tables = column(|of| of.table.to_owned());
        let names = column(|of| of.key.name.clone());
        let conditions = TypedQuery::new(DOING, include_str!("sql/orphan_conditions.sql"));
        let [rows] = self.ask([conditions.with(&schemas).with(&tables).with(&names)])?;
        let mut conditions: HashMap<[&str; 3], [&str; 2]> = HashMap::new();
        for row in &rows {
            let of = [row.value("schema_name")?, row.value("table_name")?, row.value("name")?];
            conditions.insert(of, [row.value("refers")?, row.value("matches")?]);
        }
        let counts = keys.iter().map(|of| {
            conditions.get(&[of.schema, of.table, of.key.name.as_str()]).map_or("0".to_owned(), |[refers, matches]| {
                format!(
                    "(SELECT pg_catalog.count(*) FROM {} AS c WHERE ({refers}) AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {matches}))",
                    of.rows,
                    qualified(&of.key.parent_schema, &of.key.parent)
                )
            })
        });
        Ok(self.numbers(DOING, counts)?.into_iter().map(i64::unsigned_abs).collect())
    }

    /// Lists constraints, indexes and user triggers of these tables with the state of each, and looks for the ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn objects_and_ledger(
        &mut self,
        schema: &str,
        tables: &[String],
    ) -> Result<(Vec<Object>, LedgerPlace), ServerError> {
        let (place, found) = self.find_ledger(vec![objects(&schema, &tables)])?;
        Ok((found.iter().flatten().map(object).collect::<Result<_, _>>()?, place))
    }

    /// Lists the columns of these tables: table, column and type as the server writes it.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn column_types(&mut self, schema: &str, tables: &[&str]) -> Result<Vec<ColumnNow>, ServerError> {
        let sql = "SELECT c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) \
                   FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = ANY ($2) AND a.attnum > 0 AND NOT a.attisdropped";
        let rows = self.client.query(sql, &[&schema, &tables]).doing("reading the target's catalogue")?;
        let column =
            |row: &Row| Ok(ColumnNow { table: row.value(0)?, column: row.value(1)?, type_name: row.value(2)? });
        rows.iter().map(column).collect()
    }

    /// Lists what [`Session::objects_and_ledger`] lists, and in addition, as table and name, the constraints that the server has not
    /// validated and the indexes that are not valid, and the foreign keys that partitions have of their own.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn object_states(&mut self, schema: &str, tables: &[String]) -> Result<ObjectStates, ServerError> {
        let answers = self.ask(ObjectStates::queries(&schema, &tables))?;
        ObjectStates::of_rows(&answers)
    }
}

impl ObjectStates {
    pub(super) fn queries<'q>(schema: &'q &str, tables: &'q &[String]) -> [TypedQuery<'q>; 3] {
        let invalid = TypedQuery::new("checking constraints", include_str!("sql/invalid_objects.sql"));
        let of_partitions = TypedQuery::new("checking constraints", include_str!("sql/partition_keys.sql"));
        [objects(schema, tables), invalid.with(schema).with(tables), of_partitions.with(schema).with(tables)]
    }

    /// The states that the answers to these queries describe.
    pub(super) fn of_rows([objects, invalid, of_partitions]: &[Vec<Row>; 3]) -> Result<ObjectStates, ServerError> {
        Ok(ObjectStates {
            of_partitions: of_partitions.iter().map(partition_key).collect::<Result<_, _>>()?,
            objects: objects.iter().map(object).collect::<Result<_, _>>()?,
            invalid: invalid
                .iter()
                .map(|row| Ok((row.value(0)?, row.value(1)?)))
                .collect::<Result<_, ServerError>>()?,
        })
    }
}

/// The query for constraints, indexes and user triggers.
fn objects<'q>(schema: &'q &str, tables: &'q &[String]) -> TypedQuery<'q> {
    TypedQuery::new("reading the target's catalogue", include_str!("sql/table_objects.sql")).with(schema).with(tables)
}

fn object(row: &Row) -> Result<Object, ServerError> {
    Ok(Object { table: row.value(0)?, object: row.value(1)?, state: row.value(2)? })
}

fn partition_key(row: &Row) -> Result<PartitionKey, ServerError> {
    let key = ForeignKey {
        name: row.value("name")?,
        columns: row.value("columns")?,
        parent_schema: row.value("parent_schema")?,
        parent: row.value("parent")?,
        ..ForeignKey::default()
    };
    let (schema, table) = (row.value("schema_name")?, row.value("table_name")?);
    Ok(PartitionKey { schema, table, key, rows: row.value("rows")?, may_read: row.value("may_read")? })
}
