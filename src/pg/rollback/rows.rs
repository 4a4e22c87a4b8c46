//! The rows of a rollback: staged, checked for references of other rows, and deleted; and the owner's row.

use postgres::{Row, Transaction};

use super::transaction::{OpenRollback, ROLLING_BACK};
use crate::model::ident::{qualified, quoted, quoted_list};
use crate::pg::copy::{CopyTarget, copy_rows};
use crate::pg::equality::Equality;
use crate::pg::error::{Doing, ServerError};
use crate::plan::CircleKey;

const REFERENCING: &str = include_str!("../sql/referencing_keys.sql");

/// The rows of one load in the staging table, and how they are recognised in the target table.
pub struct StagedRows<'a> {
    /// The table's schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns that were sent.
    pub columns: &'a [String],
    /// A unique key among them that is never NULL; empty without one.
    pub key: &'a [String],
    /// Rows are sent as text.
    pub as_text: bool,
    /// Foreign keys that are checked after all rows are removed.
    pub deferred: &'a [CircleKey],
    /// The transactions that may have written the rows last; `None` if key and columns identify the rows completely.
    pub transactions: Option<&'a [String]>,
}

/// A reference from another row that prevents a load from being rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingReference {
    /// The foreign key.
    pub name: String,
    /// The referring table.
    pub child: String,
}

/// The fate of the owner's row that the run had created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerRollback {
    /// The row is deleted.
    Deleted,
    /// The row is still there, for this reason.
    Kept(&'static str),
}

/// A foreign key that refers to a table.
struct ReferencingKey {
    name: String,
    child: String,
    /// The schema and the name of the referring table.
    table: (String, String),
    to_itself: bool,
    /// The condition that joins the child `c` with the parent `t`.
    joined: String,
}

impl ReferencingKey {
    /// `equality`: that of the parent's columns.
    fn read(row: &Row, equality: &Equality) -> ReferencingKey {
        let (columns, parents): (Vec<String>, Vec<String>) = (row.get("columns"), row.get("parent_columns"));
        let equal =
            |(c, p): (&String, &String)| equality.of(p, &format!("c.{}", quoted(c)), &format!("t.{}", quoted(p)));
        let pairs = columns.iter().zip(&parents).map(equal);
        ReferencingKey {
            name: row.get("name"),
            child: row.get("child"),
            table: (row.get("child_schema"), row.get("child_table")),
            to_itself: row.get("to_itself"),
            joined: pairs.collect::<Vec<_>>().join(" AND "),
        }
    }
}

impl OpenRollback<'_> {
    /// Creates the staging table for the rows of a load.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn create_staging_table(&mut self, staged: &StagedRows<'_>) -> Result<(), ServerError> {
        let sql = format!(
            "DROP TABLE IF EXISTS pg_temp.migrate_ours; \
             CREATE TEMPORARY TABLE migrate_ours ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            quoted_list(staged.columns),
            staged.name()
        );
        self.tx.batch_execute(&sql).doing(ROLLING_BACK)
    }

    /// Sends rows into the staging table.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn stage(&mut self, staged: &StagedRows<'_>, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let table = format!("pg_temp.migrate_ours ({})", quoted_list(staged.columns));
        let to = CopyTarget { table, as_text: staged.as_text };
        // A domain of the application has its CHECKs in the staging table too.
        self.application_path.enter_for(&mut self.tx, |tx| copy_rows(tx, &to.sql(), &to, bytes, rows))
    }

    /// Lists the foreign keys by which rows of others refer to the staged rows.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn blocking_references(&mut self, staged: &StagedRows<'_>) -> Result<Vec<BlockingReference>, ServerError> {
        self.tx.batch_execute("ANALYZE pg_temp.migrate_ours").doing(ROLLING_BACK)?;
        let mut found = Vec::new();
        let equality = Equality::read(&mut self.tx, staged.schema, staged.table)?;
        for row in self.tx.query(REFERENCING, &[&staged.schema, &staged.table]).doing(ROLLING_BACK)? {
            let key = ReferencingKey::read(&row, &equality);
            let is_deferred =
                |by: &CircleKey| by.name == key.name && by.table == key.table.1 && staged.schema == key.table.0;
            if staged.deferred.iter().any(is_deferred) {
                continue;
            }
            let not_ours = if key.to_itself {
                format!(
                    " AND NOT EXISTS (SELECT FROM pg_temp.migrate_ours o WHERE {})",
                    staged.same_row(&equality, "c", "o")
                )
            } else {
                String::new()
            };
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {} c WHERE EXISTS (SELECT FROM {} t JOIN pg_temp.migrate_ours p ON {} \
                 WHERE {}){not_ours})",
                key.child,
                staged.name(),
                staged.same_row(&equality, "t", "p"),
                key.joined
            );
            let path = &self.application_path;
            let doing = "looking for rows that refer to the run's rows";
            if path.reading(&mut self.tx, |tx| tx.query_one(&sql, &[]).doing(doing))?.get(0) {
                found.push(BlockingReference { name: key.name, child: key.child });
            }
        }
        Ok(found)
    }

    /// Lists the transactions in which rows of a load were written, each as its number.
    ///
    /// A transaction that also wrote the ledger's own row is left out: the whole database was restored from a copy, and its
    /// number identifies no rows.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn writing_transactions(&mut self, load: &str) -> Result<Vec<String>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT DISTINCT b.xmin::text FROM :ledger.batch b WHERE b.run = $1 AND b.load = $2 \
             AND b.xmin NOT IN (SELECT l.xmin FROM :ledger.ledger l)",
        );
        let rows = self.tx.query(sql, &[&self.run, &load]).doing(ROLLING_BACK)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Deletes the staged rows that are as they were written. Returns their number.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn delete_staged(&mut self, staged: &StagedRows<'_>) -> Result<u64, ServerError> {
        let equality = Equality::read(&mut self.tx, staged.schema, staged.table)?;
        // EXISTS instead of a join: a join would pair each of several identical rows with each other.
        let sql = format!(
            "DELETE FROM {} t WHERE EXISTS (SELECT FROM pg_temp.migrate_ours p WHERE {})",
            staged.name(),
            staged.same_row(&equality, "t", "p")
        );
        self.application_path.reading(&mut self.tx, |tx| match staged.transactions {
            None => tx.execute(&sql, &[]).doing(ROLLING_BACK),
            Some(transactions) => {
                let sql = sql
                    + " AND t.xmin OPERATOR(pg_catalog.=) ANY \
                     (SELECT v::pg_catalog.xid FROM pg_catalog.unnest($1::pg_catalog.text[]) AS v)";
                tx.execute(&sql, &[&transactions]).doing(ROLLING_BACK)
            }
        })
    }

    /// Counts the rows of the table that are as they were sent, whichever transaction wrote them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_staged(&mut self, staged: &StagedRows<'_>) -> Result<u64, ServerError> {
        let equality = Equality::read(&mut self.tx, staged.schema, staged.table)?;
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {} t WHERE EXISTS (SELECT FROM pg_temp.migrate_ours p WHERE {})",
            staged.name(),
            staged.same_row(&equality, "t", "p")
        );
        let row = self.application_path.reading(&mut self.tx, |tx| tx.query_one(&sql, &[]).doing(ROLLING_BACK))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Deletes the owner's row that the run created, unless other rows refer to it or it was written to since.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn delete_owner(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        value: &str,
    ) -> Result<OwnerRollback, ServerError> {
        let name = qualified(schema, table);
        let equality = Equality::read(&mut self.tx, schema, table)?;
        for row in self.tx.query(REFERENCING, &[&schema, &table]).doing(ROLLING_BACK)? {
            let referencing = ReferencingKey::read(&row, &equality);
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {} c JOIN {name} t ON {} WHERE t.{}::pg_catalog.text OPERATOR(pg_catalog.=) $1)",
                referencing.child,
                referencing.joined,
                quoted(key)
            );
            let path = &self.application_path;
            if path.reading(&mut self.tx, |tx| tx.query_one(&sql, &[&value]).doing(ROLLING_BACK))?.get(0) {
                return Ok(OwnerRollback::Kept("other rows refer to it"));
            }
        }
        // The transaction that created the row also wrote the ledger's record of it.
        let sql = format!(
            "DELETE FROM {name} t WHERE t.{key}::pg_catalog.text {is} $1 AND EXISTS (SELECT FROM {ledger}.made m \
             WHERE m.run {is} $2 AND m.kind {is} 'owner' AND m.xmin {is} t.xmin \
             AND m.xmin OPERATOR(pg_catalog.<>) ALL (SELECT l.xmin FROM {ledger}.ledger l))",
            key = quoted(key),
            is = "OPERATOR(pg_catalog.=)",
            ledger = quoted(&self.ledger.schema)
        );
        let (path, run) = (&self.application_path, self.run);
        let delete = |tx: &mut Transaction<'_>| tx.execute(&sql, &[&value, &run]).doing("deleting the owner's row");
        let deleted = path.reading(&mut self.tx, delete)? > 0;
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {name} t WHERE t.{}::pg_catalog.text OPERATOR(pg_catalog.=) $1)",
            quoted(key)
        );
        let is_there = |tx: &mut Transaction<'_>| tx.query_one(&sql, &[&value]).doing(ROLLING_BACK);
        if !deleted && path.reading(&mut self.tx, is_there)?.get(0) {
            return Ok(OwnerRollback::Kept("it was written to since"));
        }
        self.forget_made("owner", None)?;
        Ok(OwnerRollback::Deleted)
    }
}

impl StagedRows<'_> {
    fn name(&self) -> String {
        qualified(self.schema, self.table)
    }

    /// The SQL condition that two rows are identical byte by byte, since different values may be equal. The rows are joined
    /// by the key's columns, or by a hash of the whole row.
    fn same_row(&self, equality: &Equality, one: &str, other: &str) -> String {
        let row = |of: &str| {
            let columns: Vec<String> = self.columns.iter().map(|name| format!("{of}.{}", quoted(name))).collect();
            format!("ROW({})", columns.join(", "))
        };
        let hash =
            |of: &str| format!("pg_catalog.hashtextextended({}::pg_catalog.text COLLATE pg_catalog.\"C\", 0)", row(of));
        let joined = if self.key.is_empty() {
            format!("{} OPERATOR(pg_catalog.=) {}", hash(one), hash(other))
        } else {
            let of = |of: &str, name: &str| format!("{of}.{}", quoted(name));
            let equal = self.key.iter().map(|name| equality.of(name, &of(one, name), &of(other, name)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        format!("{joined} AND pg_catalog.record_image_eq({}, {})", row(one), row(other))
    }
}
