//! The rows of a rollback: staged, checked for references of other rows, and deleted; and the owner's row.

use postgres::Row;

use super::transaction::{OpenRollback, OpenStaging, ROLLING_BACK};
use crate::model::ident::{free_name, literal, qualified, quoted, quoted_list};
use crate::pg::client::{Client, Pipeline, Reply, all_replies};
use crate::pg::copy::{CopyTarget, begun, send_slices};
use crate::pg::equality::Equality;
use crate::pg::error::{Doing, Operation, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::ApplicationPath;
use crate::plan::CircleKey;

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

/// A foreign key that refers to a table or to a partition of it.
pub(in crate::pg) struct ReferencingKey {
    pub name: String,
    pub child: String,
    /// The schema and the name of the referring table.
    table: (String, String),
    pub to_itself: bool,
    /// The condition that joins the child `c` with the parent `t`.
    pub joined: String,
}

impl ReferencingKey {
    /// The query for the keys that refer to table `$2` of schema `$1`.
    pub const QUERY: &str = include_str!("../sql/referencing_keys.sql");

    /// `equality`: that of the parent's columns.
    pub fn read(row: &Row, equality: &Equality) -> Result<ReferencingKey, ServerError> {
        let (columns, parents): (Vec<String>, Vec<String>) = (row.value("columns")?, row.value("parent_columns")?);
        let equal =
            |(c, p): (&String, &String)| equality.of(p, &format!("c.{}", quoted(c)), &format!("t.{}", quoted(p)));
        let pairs = columns.iter().zip(&parents).map(equal);
        let within: &str = row.value("within")?;
        Ok(ReferencingKey {
            name: row.value("name")?,
            child: row.value("child")?,
            table: (row.value("child_schema")?, row.value("child_table")?),
            to_itself: row.value("to_itself")?,
            joined: pairs.collect::<Vec<_>>().join(" AND ") + within,
        })
    }
}

/// The outcome of deleting the staged rows of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The references of rows that are not staged to rows that are. The rollback must not be committed if there are any.
    pub blocking: Vec<BlockingReference>,
    /// The number of deleted rows.
    pub deleted: u64,
}

/// Facts about a table from which rows are deleted.
pub struct DeletionFacts {
    pub(super) equality: Equality,
    pub(super) referencing: Vec<ReferencingKey>,
}

impl OpenRollback<'_> {
    /// Creates the staging table for the rows of a load, and begins its COPY.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_staging(&mut self, staged: &StagedRows<'_>) -> Result<(), ServerError> {
        // A domain of the application has its CHECKs in the staging table too.
        let create = format!(
            "DROP TABLE IF EXISTS pg_temp.migrate_ours; \
             CREATE TEMPORARY TABLE migrate_ours ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA; {}",
            quoted_list(staged.columns),
            staged.name(),
            self.application_path.set(true)
        );
        let target = staging_target(staged.columns, staged.as_text);
        let statement = self.prepared.get(&mut self.tx, &target.sql()).doing(ROLLING_BACK)?;
        let (replies, copy) = Pipeline::new().script(create).run_and_copy(&mut self.tx, &statement);
        all_replies(replies).doing(ROLLING_BACK)?;
        let mut copy = begun(copy)?;
        target.begin(&mut self.tx, &mut copy)?;
        self.staging = Some(OpenStaging { copy, target, rows: 0 });
        Ok(())
    }

    /// Sends rows into the staging table.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn stage(&mut self, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let Some(staging) = &mut self.staging else { return Ok(()) };
        staging.rows += rows;
        send_slices(&mut self.tx, &mut staging.copy, bytes)
    }

    /// Deletes the staged rows that are as they were written, unless rows of others refer to them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn delete_staged(&mut self, staged: &StagedRows<'_>, facts: &DeletionFacts) -> Result<Deletion, ServerError> {
        let Some(OpenStaging { mut copy, target, rows }) = self.staging.take() else { return Ok(Deletion::default()) };
        target.end(&mut self.tx, &mut copy)?;
        let own_path = ApplicationPath::leave(true);
        let mut steps = Pipeline::new().end_copy(copy).script(format!("{own_path}; ANALYZE pg_temp.migrate_ours"));
        if self.application_path.is_needed_to_read {
            steps = steps.script(self.application_path.set(true));
        }
        let before = steps.len();
        for key in staged.checked(facts) {
            steps = steps.query(staged.blocking(key, &facts.equality), &[]);
        }
        let delete = staged.delete(&facts.equality);
        let mut replies = steps.script(delete).script(own_path).run(&mut self.tx).into_iter();
        let staged_rows = replies.next().transpose().doing(Operation::CopyRows)?.map(|reply| reply.counts());
        if staged_rows.as_deref() != Some(&[rows]) {
            return Err(ServerError::new(ROLLING_BACK, format!("the server staged {staged_rows:?} of {rows} rows")));
        }
        for _ in 1..before {
            replies.next().transpose().doing(ROLLING_BACK)?;
        }
        let mut deletion = Deletion::default();
        for key in staged.checked(facts) {
            let found = replies.next().transpose().doing("looking for rows that refer to the run's rows")?;
            let row = found.into_iter().flat_map(Reply::rows).next();
            if row.map_or(Ok(false), |row| row.value(0))? {
                deletion.blocking.push(BlockingReference { name: key.name.clone(), child: key.child.clone() });
            }
        }
        if !deletion.blocking.is_empty() {
            // The server may have refused the deletion for the same reason.
            return Ok(deletion);
        }
        let deleted = replies.next().transpose().doing(ROLLING_BACK)?;
        deletion.deleted = deleted.and_then(|reply| reply.counts().last().copied()).unwrap_or(0);
        replies.next().transpose().doing(ROLLING_BACK)?;
        Ok(deletion)
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
        rows.iter().map(|row| row.value(0)).collect()
    }

    /// Counts the rows of the table that are as they were sent, whichever transaction wrote them.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_staged(&mut self, staged: &StagedRows<'_>, facts: &DeletionFacts) -> Result<u64, ServerError> {
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {} t JOIN {} ON {}",
            staged.name(),
            staged.rows("p"),
            staged.same_row(&facts.equality, "t", "p")
        );
        let count = |tx: &mut Client| tx.query_one(&sql, &[]).doing(ROLLING_BACK);
        let row = self.application_path.reading(&mut self.tx, count)?;
        Ok(row.value::<i64>(0)?.unsigned_abs())
    }
}

/// The staging table as the destination of a COPY.
pub(super) fn staging_target(columns: &[String], as_text: bool) -> CopyTarget {
    CopyTarget { table: format!("pg_temp.migrate_ours ({})", quoted_list(columns)), as_text }
}

impl StagedRows<'_> {
    /// The foreign keys that refer to the table and are checked before the rows are removed.
    fn checked<'f>(&self, facts: &'f DeletionFacts) -> impl Iterator<Item = &'f ReferencingKey> {
        let is_deferred = |key: &&ReferencingKey| {
            let is_it = |by: &CircleKey| by.name == key.name && by.table == key.table.1 && self.schema == key.table.0;
            self.deferred.iter().any(is_it)
        };
        facts.referencing.iter().filter(move |key| !is_deferred(key))
    }

    /// The query for a reference of a row that is not staged to a row that is.
    fn blocking(&self, key: &ReferencingKey, equality: &Equality) -> String {
        let not_ours = if key.to_itself {
            let same = self.same_row(equality, "c", "o");
            format!(" LEFT JOIN {} ON {same} WHERE o.{} IS NULL", self.rows("o"), self.never_null())
        } else {
            String::new()
        };
        // Joins instead of EXISTS: Citus refuses a subquery on a table of the session that refers to a distributed table.
        // A count instead of a limit, with which the planner expects to find a row soon. Usually there is none.
        format!(
            "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 FROM {} c JOIN {} t ON {} JOIN {} ON {}{not_ours}",
            key.child,
            self.name(),
            key.joined,
            self.rows("p"),
            self.same_row(equality, "t", "p")
        )
    }

    /// The statement that deletes the staged rows that are as they were written.
    fn delete(&self, equality: &Equality) -> String {
        let sql = format!(
            "DELETE FROM {} t USING {} WHERE {}",
            self.name(),
            self.rows("p"),
            self.same_row(equality, "t", "p")
        );
        let Some(transactions) = self.transactions else { return sql };
        let written: Vec<String> = transactions.iter().map(|number| literal(number)).collect();
        let written = written.join(", ");
        format!("{sql} AND t.xmin OPERATOR(pg_catalog.=) ANY (ARRAY[{written}]::pg_catalog.xid[])")
    }

    fn name(&self) -> String {
        qualified(self.schema, self.table)
    }

    /// The staged rows as an item of a FROM list. Without a key, one of several identical rows: a join would pair each row of
    /// the table with each of them.
    fn rows(&self, alias: &str) -> String {
        if !self.key.is_empty() {
            return format!("pg_temp.migrate_ours {alias}");
        }
        // Sorted by a number first, because comparing whole rows costs more.
        let (hash, whole) = (self.hash("m"), self.whole_row("m"));
        format!(
            "(SELECT DISTINCT ON ({hash}, {whole}) m.*, true AS {} FROM pg_temp.migrate_ours m \
             ORDER BY {hash}, {whole} USING OPERATOR(pg_catalog.*<)) {alias}",
            self.never_null()
        )
    }

    /// A column of [`StagedRows::rows`] that is never NULL.
    fn never_null(&self) -> String {
        self.key.first().map_or_else(|| free_name("migrate_staged", self.columns), |name| quoted(name))
    }

    fn hash(&self, of: &str) -> String {
        let row = self.whole_row(of);
        format!("pg_catalog.hashtextextended({row}::pg_catalog.text COLLATE pg_catalog.\"C\", 0)")
    }

    fn whole_row(&self, of: &str) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| format!("{of}.{}", quoted(name))).collect();
        format!("ROW({})", columns.join(", "))
    }

    /// The SQL condition that two rows are identical byte by byte, since different values may be equal. The rows are joined
    /// by the key's columns, or by a hash of the whole row.
    fn same_row(&self, equality: &Equality, one: &str, other: &str) -> String {
        let joined = if self.key.is_empty() {
            format!("{} OPERATOR(pg_catalog.=) {}", self.hash(one), self.hash(other))
        } else {
            let of = |of: &str, name: &str| format!("{of}.{}", quoted(name));
            let equal = self.key.iter().map(|name| equality.of(name, &of(one, name), &of(other, name)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        format!("{joined} AND pg_catalog.record_image_eq({}, {})", self.whole_row(one), self.whole_row(other))
    }
}
