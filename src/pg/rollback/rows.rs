//! The rows of a rollback: staged, checked for references of other rows, and deleted; and the owner's row.

use postgres::Row;

use super::transaction::{OpenRollback, OpenStaging, ROLLING_BACK};
use crate::model::ident::{literal, qualified, quoted, quoted_list};
use crate::pg::client::{Client, Pipeline, Reply, all_replies};
use crate::pg::copy::{CopyTarget, send_slices};
use crate::pg::equality::Equality;
use crate::pg::error::{Doing, Operation, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::ApplicationPath;
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

/// A foreign key that refers to a table or to a partition of it.
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
    fn read(row: &Row, equality: &Equality) -> Result<ReferencingKey, ServerError> {
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
    equality: Equality,
    referencing: Vec<ReferencingKey>,
}

impl OpenRollback<'_> {
    /// Reads the facts about tables that deleting from them needs, in one round trip.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn deletion_facts(&mut self, schema: &str, tables: &[&str]) -> Result<Vec<DeletionFacts>, ServerError> {
        let mut steps = Equality::query(&schema).add_to(Pipeline::new());
        for table in tables {
            steps = steps.query(REFERENCING, &[&schema, table]);
        }
        let mut answers = steps.rows(&mut self.tx).doing(ROLLING_BACK)?.into_iter();
        let equalities = Equality::of_rows(&answers.next().unwrap_or_default())?;
        let facts = |(table, rows): (&&str, Vec<Row>)| {
            let equality = equalities.get(*table).cloned().unwrap_or_default();
            let read = |row| ReferencingKey::read(row, &equality);
            let referencing = rows.iter().map(read).collect::<Result<_, ServerError>>()?;
            Ok(DeletionFacts { equality, referencing })
        };
        tables.iter().zip(answers).map(facts).collect()
    }

    /// Prepares, in one round trip, the COPY into the staging table of each load: its columns, and true if they are sent as text.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn prepare_staging(&mut self, loads: &[(Vec<String>, bool)]) -> Result<(), ServerError> {
        let mut copies: Vec<String> =
            loads.iter().map(|(columns, as_text)| staging_target(columns, *as_text).sql()).collect();
        copies.sort();
        copies.dedup();
        copies.retain(|sql| self.prepared.known(sql).is_none());
        let steps = copies.iter().fold(Pipeline::new(), |steps, sql| steps.prepare(sql.as_str()));
        for (reply, sql) in all_replies(steps.run(&mut self.tx)).doing(ROLLING_BACK)?.into_iter().zip(copies) {
            reply.statement().into_iter().for_each(|statement| self.prepared.keep(sql.clone(), &statement));
        }
        Ok(())
    }

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
        let mut copy = copy.doing(ROLLING_BACK)?;
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
            "SELECT pg_catalog.count(*) FROM {} t WHERE EXISTS (SELECT FROM pg_temp.migrate_ours p WHERE {})",
            staged.name(),
            staged.same_row(&facts.equality, "t", "p")
        );
        let count = |tx: &mut Client| tx.query_one(&sql, &[]).doing(ROLLING_BACK);
        let row = self.application_path.reading(&mut self.tx, count)?;
        Ok(row.value::<i64>(0)?.unsigned_abs())
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
        let facts = self.deletion_facts(schema, &[table])?;
        let refers = |referencing: &ReferencingKey| {
            let ReferencingKey { child, joined, .. } = referencing;
            let key = quoted(key);
            format!(
                "EXISTS (SELECT FROM {child} c JOIN {name} t ON {joined} WHERE t.{key}::pg_catalog.text OPERATOR(pg_catalog.=) $1)"
            )
        };
        let refers: Vec<String> = facts.iter().flat_map(|facts| &facts.referencing).map(refers).collect();
        if !refers.is_empty() {
            let sql = format!("SELECT {}", refers.join(" OR "));
            let is_referred = |tx: &mut Client| tx.query_one(&sql, &[&value]).doing(ROLLING_BACK);
            if self.application_path.reading(&mut self.tx, is_referred)?.value(0)? {
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
        let delete = |tx: &mut Client| tx.execute(&sql, &[&value, &run]).doing("deleting the owner's row");
        let deleted = path.reading(&mut self.tx, delete)? > 0;
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {name} t WHERE t.{}::pg_catalog.text OPERATOR(pg_catalog.=) $1)",
            quoted(key)
        );
        let is_there = |tx: &mut Client| tx.query_one(&sql, &[&value]).doing(ROLLING_BACK);
        if !deleted && path.reading(&mut self.tx, is_there)?.value(0)? {
            return Ok(OwnerRollback::Kept("it was written to since"));
        }
        self.forget_made("owner", None)?;
        Ok(OwnerRollback::Deleted)
    }
}

/// The staging table as the destination of a COPY.
fn staging_target(columns: &[String], as_text: bool) -> CopyTarget {
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
            format!(" AND NOT EXISTS (SELECT FROM pg_temp.migrate_ours o WHERE {same})")
        } else {
            String::new()
        };
        format!(
            "SELECT EXISTS (SELECT FROM {} c WHERE EXISTS (SELECT FROM {} t JOIN pg_temp.migrate_ours p ON {} \
             WHERE {}){not_ours})",
            key.child,
            self.name(),
            self.same_row(equality, "t", "p"),
            key.joined
        )
    }

    /// The statement that deletes the staged rows that are as they were written.
    fn delete(&self, equality: &Equality) -> String {
        // EXISTS instead of a join: a join would pair each of several identical rows with each other.
        let sql = format!(
            "DELETE FROM {} t WHERE EXISTS (SELECT FROM pg_temp.migrate_ours p WHERE {})",
            self.name(),
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
