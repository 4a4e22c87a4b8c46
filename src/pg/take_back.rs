//! Taking a run's rows out again, in one transaction that is committed whole or not at all.
//!
//! Which rows are the run's is known from the source and the ledger; here they are laid beside the table, compared byte by
//! byte and deleted. Nothing is deleted by a rule of the target's on the way: who refers to a row is looked at first, and
//! what would run for a deletion is switched off. Sequences are in `rewind`.

use postgres::Transaction;

use super::batch::{copy_into, copy_sql};
use super::detach::Detached;
use super::error::{Doing, ServerError};
use super::ledger::Run;
use super::session::{Ledger, Session};
use crate::model::ident::{quoted, quoted_list};

pub use super::rewind::Rewound;

const TAKING: &str = "taking rows back";

/// The transaction in which a run is taken back. Dropping it leaves everything as it was.
pub struct TakingBack<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) ledger: Ledger,
    pub(super) run: i64,
}

/// The rows of one load, laid beside their table.
pub struct Aside<'a> {
    /// The table's schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns that were sent.
    pub columns: &'a [String],
    /// A unique key among them that is never NULL; empty without one.
    pub key: &'a [String],
    /// Rows go as text.
    pub as_text: bool,
    /// The transactions that may have written the rows last; none where the columns say it all.
    pub versions: Option<&'a [String]>,
}

/// Why a row's being there forbids to take a load back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referring {
    /// The foreign key.
    pub name: String,
    /// The table that refers.
    pub child: String,
}

/// What came of beginning to take a run back.
pub enum BegunBack<'a> {
    /// The transaction is open, and nobody else begins a batch of the run.
    Open(TakingBack<'a>),
    /// It was taken back already: by a commit whose answer was lost.
    Taken,
    /// It was taken over: this process must stop.
    Fenced,
}

/// What became of the owner's row when the run was taken back that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerBack {
    /// It is out.
    Out,
    /// It is still there, for this reason.
    Stays(&'static str),
}

/// Something that runs when rows are deleted: a user trigger or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The table, with its schema.
    pub table: String,
    /// Its name.
    pub object: String,
    /// This role may switch it off.
    pub is_ours: bool,
    off: String,
    on: String,
}

impl Session {
    /// Begins to take a run back.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn begin_taking_back(&mut self, run: &Run) -> Result<BegunBack<'_>, ServerError> {
        let mut tx = self.client.transaction().doing(TAKING)?;
        let sql: &str =
            &self.ledger.sql("SELECT state = 'RolledBack', epoch = $2 FROM :ledger.run WHERE run = $1 FOR UPDATE");
        let row = tx.query_opt(sql, &[&run.id, &run.epoch]).doing(TAKING)?;
        match row.map(|row| (row.get(0), row.get(1))) {
            Some((true, _)) => Ok(BegunBack::Taken),
            Some((false, true)) => Ok(BegunBack::Open(TakingBack { tx, ledger: self.ledger.clone(), run: run.id })),
            _ => Ok(BegunBack::Fenced),
        }
    }
}

impl TakingBack<'_> {
    /// Makes room beside a table for the rows of a load.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lay_out(&mut self, what: &Aside<'_>) -> Result<(), ServerError> {
        let sql = format!(
            "DROP TABLE IF EXISTS pg_temp.migrate_ours; \
             CREATE TEMPORARY TABLE migrate_ours ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            quoted_list(what.columns),
            what.name()
        );
        self.tx.batch_execute(&sql).doing(TAKING)
    }

    /// Lays rows beside the table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lay(&mut self, what: &Aside<'_>, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let to = format!("pg_temp.migrate_ours ({})", quoted_list(what.columns));
        copy_into(&mut self.tx, &copy_sql(&to, what.as_text), (&to, what.as_text), bytes, rows)
    }

    /// The foreign keys by which rows that are not ours refer to the rows that were laid out.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn referring(&mut self, what: &Aside<'_>) -> Result<Vec<Referring>, ServerError> {
        self.tx.batch_execute("ANALYZE pg_temp.migrate_ours").doing(TAKING)?;
        let mut found = Vec::new();
        let keys = self.tx.query(include_str!("sql/referring.sql"), &[&what.schema, &what.table]).doing(TAKING)?;
        for key in keys {
            let (name, child): (String, String) = (key.get("name"), key.get("child"));
            let (columns, parents): (Vec<String>, Vec<String>) = (key.get("columns"), key.get("parent_columns"));
            let pairs: Vec<String> =
                columns.iter().zip(&parents).map(|(c, p)| format!("c.{} = t.{}", quoted(c), quoted(p))).collect();
            let not_ours = if key.get("to_itself") {
                format!(" AND NOT EXISTS (SELECT FROM pg_temp.migrate_ours o WHERE {})", what.same_row("c", "o"))
            } else {
                String::new()
            };
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {child} c WHERE EXISTS (SELECT FROM {} t JOIN pg_temp.migrate_ours p ON {} \
                 WHERE {}){not_ours})",
                what.name(),
                what.same_row("t", "p"),
                pairs.join(" AND ")
            );
            if self.tx.query_one(&sql, &[]).doing("looking for rows that refer to ours")?.get(0) {
                found.push(Referring { name, child });
            }
        }
        Ok(found)
    }

    /// The transactions in which rows of a load were written, each as its number.
    ///
    /// Where the ledger itself was written in one of them, all of it was restored from a copy, and no number says anything.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn versions(&mut self, load: &str) -> Result<Vec<String>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT DISTINCT b.xmin::text FROM :ledger.batch b WHERE b.run = $1 AND b.load = $2 \
             AND b.xmin NOT IN (SELECT l.xmin FROM :ledger.ledger l)",
        );
        let rows = self.tx.query(sql, &[&self.run, &load]).doing(TAKING)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Deletes the rows that were laid out and are as they were written. Gives their number.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete(&mut self, what: &Aside<'_>) -> Result<u64, ServerError> {
        // EXISTS: rows that are equal in everything would pair each with each.
        let sql = format!(
            "DELETE FROM {} t WHERE EXISTS (SELECT FROM pg_temp.migrate_ours p WHERE {})",
            what.name(),
            what.same_row("t", "p")
        );
        match what.versions {
            None => self.tx.execute(&sql, &[]).doing(TAKING),
            Some(versions) => {
                let sql = sql + " AND t.xmin IN (SELECT v::xid FROM unnest($1::text[]) AS v)";
                self.tx.execute(&sql, &[&versions]).doing(TAKING)
            }
        }
    }

    /// Deletes the owner's row that the run made, unless other rows refer to it or it was written to since.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete_owner(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        value: &str,
    ) -> Result<OwnerBack, ServerError> {
        let name = format!("{}.{}", quoted(schema), quoted(table));
        for referring in self.tx.query(include_str!("sql/referring.sql"), &[&schema, &table]).doing(TAKING)? {
            let (child, columns): (String, Vec<String>) = (referring.get("child"), referring.get("columns"));
            let parents: Vec<String> = referring.get("parent_columns");
            let pairs: Vec<String> =
                columns.iter().zip(&parents).map(|(c, p)| format!("c.{} = t.{}", quoted(c), quoted(p))).collect();
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {child} c JOIN {name} t ON {} WHERE t.{}::text = $1)",
                pairs.join(" AND "),
                quoted(key)
            );
            if self.tx.query_one(&sql, &[&value]).doing(TAKING)?.get(0) {
                return Ok(OwnerBack::Stays("other rows refer to it"));
            }
        }
        // The ledger's line was written in the transaction that made the row.
        let sql = format!(
            "DELETE FROM {name} t WHERE t.{key}::text = $1 AND EXISTS (SELECT FROM {ledger}.made m WHERE m.run = $2 \
             AND m.kind = 'owner' AND m.xmin = t.xmin AND m.xmin NOT IN (SELECT l.xmin FROM {ledger}.ledger l))",
            key = quoted(key),
            ledger = quoted(&self.ledger.schema)
        );
        let gone = self.tx.execute(&sql, &[&value, &self.run]).doing("taking the owner's row back")? > 0;
        let sql = format!("SELECT EXISTS (SELECT FROM {name} t WHERE t.{}::text = $1)", quoted(key));
        if !gone && self.tx.query_one(&sql, &[&value]).doing(TAKING)?.get(0) {
            return Ok(OwnerBack::Stays("it was written to since"));
        }
        self.unmade("owner", None)?;
        Ok(OwnerBack::Out)
    }

    /// What would run for each row, or each statement, that deletes from a table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn firing(&mut self, schema: &str, table: &str) -> Result<Vec<Firing>, ServerError> {
        let rows = self.tx.query(include_str!("sql/firing.sql"), &[&schema, &table]).doing(TAKING)?;
        let firing = |row: &postgres::Row| Firing {
            table: row.get("table_name"),
            object: row.get("object"),
            is_ours: row.get("is_ours"),
            off: row.get("off"),
            on: row.get("on_again"),
        };
        Ok(rows.iter().map(firing).collect())
    }

    /// Switches it off, until [`TakingBack::fires_again`].
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn fires_not(&mut self, firing: &Firing) -> Result<(), ServerError> {
        self.tx.batch_execute(&firing.off).doing("switching triggers off")
    }

    /// Switches it on again, as it was.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn fires_again(&mut self, firing: &Firing) -> Result<(), ServerError> {
        self.tx.batch_execute(&firing.on).doing("switching triggers on again")
    }

    /// Has what waits for the commit checked now: no table can be altered that has something waiting.
    ///
    /// # Errors
    /// When a constraint fails, or the connection is lost.
    pub fn check_deferred(&mut self) -> Result<(), ServerError> {
        self.tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").doing("checking what is left")
    }

    /// Puts back an object that is off still.
    ///
    /// # Errors
    /// When the rows that are left do not allow it, the server refuses, or the connection is lost.
    pub fn put_back(&mut self, object: &Detached) -> Result<(), ServerError> {
        for statement in object.back_sql.iter().skip(object.steps) {
            self.tx.batch_execute(statement).doing(object.reattaching())?;
        }
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.detached SET back = true, steps = cardinality(back_sql) WHERE run = $1 AND no = $2");
        self.tx.execute(sql, &[&self.run, &object.no]).doing(TAKING)?;
        Ok(())
    }

    /// The same, where it can be. `false`: the rows do not allow it, those among them that were deleted just now.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn try_to_put_back(&mut self, object: &Detached) -> Result<bool, ServerError> {
        self.tx.batch_execute("SAVEPOINT migrate_mark").doing(TAKING)?;
        let (done, then) = match self.put_back(object) {
            Ok(()) => (true, "RELEASE SAVEPOINT migrate_mark"),
            Err(e) if e.lost => return Err(e),
            Err(_) => (false, "ROLLBACK TO SAVEPOINT migrate_mark; RELEASE SAVEPOINT migrate_mark"),
        };
        self.tx.batch_execute(then).doing(TAKING)?;
        Ok(done)
    }

    /// Has a table that holds no row forget those that were deleted: an index is built over them too while the transaction
    /// that deleted them is open, and one of them may be why it could not go back. Where somebody would hear of it, nothing
    /// is done.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn forget_deleted(&mut self, schema: &str, table: &str) -> Result<(), ServerError> {
        let name = format!("{}.{}", quoted(schema), quoted(table));
        let row = self.tx.query_one(include_str!("sql/emptied.sql"), &[&schema, &table]).doing(TAKING)?;
        if !row.get::<_, bool>("may") {
            return Ok(());
        }
        // Locked before the look: a row that somebody else's transaction brings in between would go too.
        self.tx.batch_execute(&format!("LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE")).doing(TAKING)?;
        let holds = format!("SELECT EXISTS (SELECT FROM ONLY {name})");
        if !self.tx.query_one(&holds, &[]).doing(TAKING)?.get::<_, bool>(0) {
            self.tx.batch_execute(&format!("TRUNCATE ONLY {name}")).doing(TAKING)?;
        }
        Ok(())
    }

    /// Notes that the run was taken back, with what of it stays, and commits.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost: then it may be taken back or not, and the ledger says which.
    pub fn commit(mut self) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.run SET state = 'RolledBack', ended_at = now(), epoch = epoch + 1 WHERE run = $1");
        self.tx.execute(sql, &[&self.run]).doing(TAKING)?;
        self.unmade("lookup", None)?;
        self.tx.commit().doing(TAKING)
    }
}

impl TakingBack<'_> {
    /// Forgets what is not there any more of what the run made: all of a kind, or one.
    pub(super) fn unmade(&mut self, kind: &str, object: Option<&str>) -> Result<(), ServerError> {
        let sql: &str =
            &self.ledger.sql("DELETE FROM :ledger.made WHERE run = $1 AND kind = $2 AND object = coalesce($3, object)");
        self.tx.execute(sql, &[&self.run, &kind, &object]).doing(TAKING)?;
        Ok(())
    }
}

impl Aside<'_> {
    fn name(&self) -> String {
        format!("{}.{}", quoted(self.schema), quoted(self.table))
    }

    /// SQL: the two rows are the same, byte by byte: values may be equal that are not. Joined by the key's columns or by a
    /// hash of the whole row.
    fn same_row(&self, one: &str, other: &str) -> String {
        let row = |of: &str| {
            let columns: Vec<String> = self.columns.iter().map(|name| format!("{of}.{}", quoted(name))).collect();
            format!("ROW({})", columns.join(", "))
        };
        let hash = |of: &str| format!("pg_catalog.hashtextextended({}::text COLLATE pg_catalog.\"C\", 0)", row(of));
        let joined = if self.key.is_empty() {
            format!("{} = {}", hash(one), hash(other))
        } else {
            let equal = self.key.iter().map(|name| format!("{one}.{0} = {other}.{0}", quoted(name)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        format!("{joined} AND pg_catalog.record_image_eq({}, {})", row(one), row(other))
    }
}
