//! Questions to the target that change nothing: schema, counts, constraints and indexes, other sessions.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::qualified;
use crate::model::ledger::Object;
use crate::model::record::CheckKind;
use crate::model::schema::ForeignKey;

/// The plain columns of a B-tree index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexColumns {
    /// The table.
    pub table: String,
    /// The index.
    pub index: String,
    /// The columns.
    pub columns: Vec<String>,
}

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
    /// Returns true if the schema exists.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn has_schema(&mut self, schema: &str) -> Result<bool, ServerError> {
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        Ok(self.client.query_one(sql, &[&schema]).doing("looking for the schema")?.get(0))
    }

    /// Returns the database's name.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn database_name(&mut self) -> Result<String, ServerError> {
        Ok(self.client.query_one("SELECT current_database()::text", &[]).doing("asking for the database")?.get(0))
    }

    /// Returns the texts of each query, which has one column of type text: each text once, without NULLs.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn texts(&mut self, queries: &[String]) -> Result<Vec<BTreeSet<String>>, ServerError> {
        let numbered = |(n, query)| format!("SELECT {n}::int4, found.text FROM ({query}) AS found (text)");
        let sql = queries.iter().enumerate().map(numbered).collect::<Vec<_>>().join(" UNION ALL ");
        let rows = self.reading(|client| client.query(&sql, &[]).doing("reading version tables"))?;
        let mut texts = vec![BTreeSet::new(); queries.len()];
        for row in rows {
            let (n, text): (i32, Option<String>) = (row.get(0), row.get(1));
            if let Some(set) = usize::try_from(n).ok().and_then(|n| texts.get_mut(n)) {
                set.extend(text);
            }
        }
        Ok(texts)
    }

    /// Counts the rows of a table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_rows(&mut self, schema: &str, table: &str) -> Result<u64, ServerError> {
        let sql = format!("SELECT pg_catalog.count(*) FROM {}", qualified(schema, table));
        let row = self.reading(|client| client.query_one(&sql, &[]).doing("counting rows"))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Counts the rows of each table, in one query.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_each(&mut self, schema: &str, tables: &[String]) -> Result<BTreeMap<String, u64>, ServerError> {
        if tables.is_empty() {
            return Ok(BTreeMap::new());
        }
        let counts = tables.iter().map(|t| format!("(SELECT pg_catalog.count(*) FROM {})", qualified(schema, t)));
        let sql = format!("SELECT ARRAY[{}]", counts.collect::<Vec<_>>().join(", "));
        let row = self.reading(|client| client.query_one(&sql, &[]).doing("counting rows"))?;
        let counts: Vec<i64> = row.get(0);
        Ok(tables.iter().cloned().zip(counts.into_iter().map(i64::unsigned_abs)).collect())
    }

    /// Counts the rows of a table (quoted, with its schema) that only transactions of these loads wrote to. A transaction that
    /// also wrote the ledger's own row restored the whole database, and its number identifies no rows.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_rows_as_written(&mut self, table: &str, run: i64, loads: &[&str]) -> Result<u64, ServerError> {
        let transactions = self.ledger.sql(
            "SELECT b.xmin FROM :ledger.batch b WHERE b.run OPERATOR(pg_catalog.=) $1 AND b.load OPERATOR(pg_catalog.=) ANY ($2) \
             AND NOT b.xmin OPERATOR(pg_catalog.=) ANY (SELECT l.xmin FROM :ledger.ledger l)",
        );
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {table} AS t WHERE t.xmin OPERATOR(pg_catalog.=) ANY ({transactions})"
        );
        let row = self.reading(|client| client.query_one(&sql, &[&run, &loads]).doing("counting rows"))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Counts the rows of a table that refer by this foreign key to a row that is missing. Zero if the table has no such
    /// foreign key.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_orphans(&mut self, schema: &str, table: &str, key: &ForeignKey) -> Result<u64, ServerError> {
        const DOING: &str = "looking for orphans";
        let sql = include_str!("sql/orphan_condition.sql");
        let Some(row) = self.client.query_opt(sql, &[&schema, &table, &key.name]).doing(DOING)? else { return Ok(0) };
        let (refers, matches): (String, String) = (row.get("refers"), row.get("matches"));
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {} AS c WHERE ({refers}) AND NOT EXISTS (SELECT FROM {} AS p WHERE {matches})",
            qualified(schema, table),
            qualified(&key.parent_schema, &key.parent)
        );
        let row = self.reading(|client| client.query_one(&sql, &[]).doing(DOING))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Lists the constraints of these tables that the server has not validated, and the indexes that are not valid: table
    /// and name.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn invalid_objects(&mut self, schema: &str, tables: &[String]) -> Result<Vec<(String, String)>, ServerError> {
        let sql = include_str!("sql/invalid_objects.sql");
        let rows = self.client.query(sql, &[&schema, &tables]).doing("checking constraints")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Lists constraints, indexes and user triggers of these tables with the state of each.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn objects(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Object>, ServerError> {
        let sql = include_str!("sql/table_objects.sql");
        let rows = self.client.query(sql, &[&schema, &tables]).doing("reading the target's catalogue")?;
        Ok(rows.iter().map(|r| Object { table: r.get(0), object: r.get(1), state: r.get(2) }).collect())
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
        Ok(rows.iter().map(|row| ColumnNow { table: row.get(0), column: row.get(1), type_name: row.get(2) }).collect())
    }

    /// Lists the B-tree indexes of these tables.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn btree_indexes(&mut self, schema: &str, tables: &[String]) -> Result<Vec<IndexColumns>, ServerError> {
        let sql = include_str!("sql/btree_indexes.sql");
        let rows = self.client.query(sql, &[&schema, &tables]).doing("asking for indexes")?;
        let index = |row: &postgres::Row| IndexColumns {
            table: row.get("table_name"),
            index: row.get("name"),
            columns: row.get("columns"),
        };
        Ok(rows.iter().map(index).collect())
    }

    /// Lists the checks on written rows that only the server can make.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn server_only_checks(&mut self, schema: &str, tables: &[String]) -> Result<Vec<ServerOnlyCheck>, ServerError> {
        let sql = include_str!("sql/server_only_checks.sql");
        let rows =
            self.client.query(sql, &[&schema, &tables]).doing("asking for checks that only the server can make")?;
        let check = |row: &postgres::Row| ServerOnlyCheck {
            table: row.get("table_name"),
            kind: CheckKind::of(row.get("kind")).unwrap_or(CheckKind::Constraints),
            name: row.get("name"),
            why: row.get("why"),
        };
        Ok(rows.iter().map(check).collect())
    }

    /// Lists other clients' sessions that hold locks on these tables. A session that reads in a single statement is left
    /// out, because the statement ends.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn other_sessions(&mut self, schema: &str, tables: &[String]) -> Result<Vec<OtherSession>, ServerError> {
        let sql = include_str!("sql/sessions_holding_locks.sql");
        let rows = self.client.query(sql, &[&schema, &tables]).doing("asking for other sessions on the tables")?;
        Ok(rows.iter().map(|row| OtherSession { pid: row.get(0), name: row.get(1), tables: row.get(2) }).collect())
    }
}
