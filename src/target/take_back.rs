//! Taking a run's rows out again, in one transaction that is committed whole or not at all.
//!
//! Which rows are the run's is known from the source and the ledger; here they are laid beside the table, compared column
//! by column and deleted. Nothing is deleted by a rule of the target's on the way: who refers to a row is looked at first.
//! Sequences are restarted, which unlike `setval` is undone with the transaction.

use postgres::Transaction;

use super::batch::{copy_into, copy_sql};
use super::detach::Detached;
use super::error::{Doing, ServerError};
use super::ledger::{Made, Run};
use super::sequence::Wanted;
use super::session::{Ledger, Session};
use crate::model::ident::{quoted, quoted_list};
use crate::model::pgtype::{ColumnType, Kind};

const TAKING: &str = "taking rows back";

/// The transaction in which a run is taken back. Dropping it leaves everything as it was.
pub struct TakingBack<'a> {
    tx: Transaction<'a>,
    ledger: Ledger,
    run: i64,
}

/// The rows of one load, laid beside their table.
pub struct Aside<'a> {
    /// The table's schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The columns that were sent and their types.
    pub columns: &'a [(String, ColumnType)],
    /// Columns that tell a row from others: a unique key's where there is one.
    pub key: &'a [String],
    /// Rows go as text.
    pub as_text: bool,
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

/// What becomes of a sequence when a run is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewound {
    /// It hands out next what it did before the run.
    Back,
    /// It stays where it is, which does no harm, for this reason.
    Stays(&'static str),
    /// Ids were drawn from it since the run ended.
    Moved,
}

/// How far ahead the server notes a sequence: a crash leaves it that much further (SEQ_LOG_VALS in its source).
const NOTED_AHEAD: i64 = 32;

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
        let columns: Vec<String> = what.columns.iter().map(|(name, _)| name.clone()).collect();
        let sql = format!(
            "DROP TABLE IF EXISTS pg_temp.migrate_ours; \
             CREATE TEMPORARY TABLE migrate_ours ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            quoted_list(&columns),
            what.name()
        );
        self.tx.batch_execute(&sql).doing(TAKING)
    }

    /// Lays rows beside the table.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn lay(&mut self, what: &Aside<'_>, bytes: &[u8], rows: u64) -> Result<(), ServerError> {
        let columns: Vec<String> = what.columns.iter().map(|(name, _)| name.clone()).collect();
        let to = format!("pg_temp.migrate_ours ({})", quoted_list(&columns));
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

    /// Deletes the rows that were laid out, each column compared. Gives their number.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete(&mut self, what: &Aside<'_>) -> Result<u64, ServerError> {
        let sql =
            format!("DELETE FROM {} t USING pg_temp.migrate_ours p WHERE {}", what.name(), what.same_row("t", "p"));
        self.tx.execute(&sql, &[]).doing(TAKING)
    }

    /// Deletes the owner's row that the run made. `false`: other rows refer to it, and it stays.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn delete_owner(&mut self, schema: &str, table: &str, key: &str, value: &str) -> Result<bool, ServerError> {
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
                return Ok(false);
            }
        }
        let sql = format!("DELETE FROM {name} t WHERE t.{}::text = $1", quoted(key));
        Ok(self.tx.execute(&sql, &[&value]).doing("taking the owner's row back")? > 0)
    }

    /// Puts back an object that is off still.
    ///
    /// # Errors
    /// When the rows that are left do not allow it, the server refuses, or the connection is lost.
    pub fn put_back(&mut self, object: &Detached) -> Result<(), ServerError> {
        for statement in object.back_sql.iter().skip(object.steps) {
            self.tx.batch_execute(statement).doing(&format!("putting back {} on {}", object.object, object.table))?;
        }
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.detached SET back = true, steps = cardinality(back_sql) WHERE run = $1 AND no = $2");
        self.tx.execute(sql, &[&self.run, &object.no]).doing(TAKING)?;
        Ok(())
    }

    /// Lets a sequence hand out next what it did before the run, where that is known to be nobody's. Behind the run's
    /// rows, which are out then.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn rewind(&mut self, made: &Made, schema: &str, wanted: &Wanted) -> Result<Rewound, ServerError> {
        const DOING: &str = "setting a sequence back";
        let sequence = &wanted.sequence;
        let furthest = if sequence.increment < 0 { "min" } else { "max" };
        let sql = format!(
            "SELECT last_value, last_value || ',' || is_called, log_cnt, (SELECT {furthest}({})::int8 FROM {}.{}), \
             (SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = $1::text::regclass) \
             FROM {}",
            quoted(&wanted.column),
            quoted(schema),
            quoted(&wanted.table),
            sequence.name
        );
        let row = self.tx.query_one(&sql, &[&sequence.name]).doing("reading a sequence")?;
        let (last, whole, ahead): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
        let (there, is_ours): (Option<i64>, bool) = (row.get(3), row.get(4));
        if made.was.as_ref() == Some(&whole) {
            return Ok(Rewound::Back);
        }
        let left: Option<i64> = made.became.as_ref().and_then(|text| text.parse().ok());
        let drawn = left.map(|left| (last.saturating_sub(left)) / sequence.increment);
        let is_where_left = drawn == Some(0);
        let may_be_crash = drawn.is_some_and(|n| ahead == 0 && (1..=NOTED_AHEAD).contains(&n));
        if left.is_some() && !is_where_left && !may_be_crash {
            return Ok(Rewound::Moved);
        }
        let next = made.was.as_deref().and_then(|was| was.split_once(',')).and_then(|(last, called)| {
            let last: i64 = last.parse().ok()?;
            if called == "true" { last.checked_add(sequence.increment) } else { Some(last) }
        });
        let Some(next) = next.filter(|next| (sequence.min..=sequence.max).contains(next)) else {
            return Ok(Rewound::Stays("it was at its end"));
        };
        let is_taken = there.is_some_and(|id| if sequence.increment < 0 { id <= next } else { id >= next });
        if is_taken && !is_where_left {
            return Ok(Rewound::Stays("rows that are not this run's may have their ids from it"));
        }
        if !is_ours {
            return Ok(Rewound::Stays("setting it back takes its owner"));
        }
        self.tx.batch_execute(&format!("ALTER SEQUENCE {} RESTART WITH {next}", sequence.name)).doing(DOING)?;
        Ok(Rewound::Back)
    }

    /// Notes that the run was taken back, and commits.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost: then it may be taken back or not, and the ledger says which.
    pub fn commit(mut self) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.run SET state = 'RolledBack', ended_at = now(), epoch = epoch + 1 WHERE run = $1");
        self.tx.execute(sql, &[&self.run]).doing(TAKING)?;
        self.tx.commit().doing(TAKING)
    }
}

impl Aside<'_> {
    fn name(&self) -> String {
        format!("{}.{}", quoted(self.schema), quoted(self.table))
    }

    /// SQL: the two rows are equal in every column; the key's columns by `=`, so that a join can hash them.
    fn same_row(&self, one: &str, other: &str) -> String {
        let terms = self.columns.iter().map(|(name, kind)| {
            let column = quoted(name);
            match (self.key.contains(name), has_equality(kind)) {
                (true, true) => format!("{one}.{column} = {other}.{column}"),
                (_, true) => format!("{one}.{column} IS NOT DISTINCT FROM {other}.{column}"),
                (_, false) => format!("{one}.{column}::text IS NOT DISTINCT FROM {other}.{column}::text"),
            }
        });
        terms.collect::<Vec<_>>().join(" AND ")
    }
}

/// Whether the type has an `=` that means the same value.
fn has_equality(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Geometry | Kind::Bent { .. } | Kind::Other => false,
        Kind::Array(element) => has_equality(element),
        _ => true,
    }
}
