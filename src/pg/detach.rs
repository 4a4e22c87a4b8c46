//! Detaching keys, indexes and triggers for the load, and reattaching them exactly as they were.
//!
//! The transaction that detaches an object writes the statements that reattach it into the ledger. Each step of
//! reattaching is counted in the ledger in its own transaction.

use postgres::Row;

use super::citus::sequential;
use super::client::{Parameter, Pipeline, Reply, all_replies};
use super::error::{Doing, Operation, READING_LEDGER, ServerError};
use super::query::TypedQuery;
use super::reattach_sql::{ReattachSql, Recorded};
use super::row::RowValues;
use super::session::{LedgerSchema, MINE, Session};
use super::sqlstate;
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::schema::{DetachKind, Detachable};

const DETACHING: &str = "detaching objects of the target";

/// Memory for building an index, in this session alone. It holds the keys of a million rows. A server with less memory is
/// asked for at most one such build per lane.
const MAINTENANCE: &str = "SET LOCAL maintenance_work_mem = '256MB'";

/// An object that a run detached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    /// Its number within the run.
    pub no: i32,
    /// The table.
    pub table: String,
    /// Its name.
    pub object: String,
    /// Its kind.
    pub kind: DetachKind,
    /// The steps that reattach it; none if it is attached again.
    pub reattach_sql: ReattachSql,
    /// The number of steps that are done.
    pub steps: usize,
    /// Its description in the catalogue, so that the target can be compared as if it were attached.
    pub shape: String,
    /// True if it is attached again.
    pub reattached: bool,
}

impl Detached {
    /// An object that is attached and that no run detached, as it would be recorded. `None` if no statement reattaches it.
    pub fn attached(schema: &str, object: &Detachable) -> Option<Detached> {
        let recorded = Recorded { schema, table: &object.table, object: &object.object, kind: object.kind };
        Some(Detached {
            no: 0,
            table: object.table.clone(),
            object: object.object.clone(),
            kind: object.kind,
            reattach_sql: ReattachSql::read(&recorded, object.reattach_sql.clone())?,
            steps: 0,
            shape: String::new(),
            reattached: false,
        })
    }

    /// The object after so many of its steps, unless more of them are done.
    pub fn after(self, steps: usize) -> Detached {
        let steps = self.steps.max(steps);
        Detached { steps, reattached: self.reattached || steps >= self.reattach_sql.count(), ..self }
    }

    /// The operation that reattaches the object.
    pub(super) fn reattaching(&self) -> Operation {
        Operation::Reattach { object: self.object.clone(), table: self.table.clone() }
    }
}

/// The objects that can be detached, as `sql/detachable_objects.sql` lists them.
pub(super) fn detachable_of_rows(rows: &[Row]) -> Result<Vec<Detachable>, ServerError> {
    rows.iter().map(detachable).collect()
}

/// The query for the objects that a run detached, in the order in which they were detached. `run`: the run as SQL.
pub(super) fn detached_query<'q>(ledger: &LedgerSchema, run: &str) -> TypedQuery<'q> {
    let sql = "SELECT no, table_name, object, kind, back_sql, shape::text, back, steps FROM :ledger.detached \
               WHERE run = :run ORDER BY no";
    TypedQuery::new(READING_LEDGER, ledger.sql(&sql.replace(":run", run)))
}

impl Session {
    /// Lists the objects of these tables that can be detached.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn detachable(&mut self, schema: &str, tables: &[String]) -> Result<Vec<Detachable>, ServerError> {
        let (sql, needs_path) = (include_str!("sql/detachable_objects.sql"), self.application_path.is_needed_to_read);
        let query = TypedQuery::new("reading the target's catalogue", sql);
        let [rows] = self.ask([query.with(&schema).with(&tables).with(&needs_path)])?;
        detachable_of_rows(&rows)
    }

    /// Detaches objects in one transaction, each with its `shape` written into the ledger before. Does nothing if the
    /// ledger lists any already: then an earlier attempt was committed. Returns what the ledger lists. `None` if the run was
    /// taken over.
    ///
    /// # Errors
    /// If the server refuses: then nothing is detached. If the connection is lost: then the ledger lists what is detached.
    pub fn detach_objects(
        &mut self,
        run: &Run,
        objects: &[(&Detachable, String)],
    ) -> Result<Option<Vec<Detached>>, ServerError> {
        // The first statement waits for an earlier attempt that may still be running; only afterwards is its outcome known.
        let begin = self.ledger.sql(&format!(
            "START TRANSACTION; \
             SELECT FROM :ledger.run WHERE run = {id} AND epoch = {epoch} AND state = 'Running' FOR NO KEY UPDATE; \
             SELECT FROM :ledger.detached WHERE run = {id} LIMIT 1",
            id = run.id,
            epoch = run.epoch
        ));
        let mut tx = self.client.begun_transaction();
        let begun = Reply::Script(tx.simple_query(&begin).doing(DETACHING)?).counts();
        match begun.as_slice() {
            [_, 1, 0] => {}
            [_, 1, _] => {
                tx.rollback().doing(DETACHING)?;
                return self.detached(run.id).map(Some);
            }
            _ => return Ok(None),
        }
        let note = self.ledger.sql(
            "INSERT INTO :ledger.detached (run, no, table_name, object, kind, back_sql, shape) \
                   VALUES ($1, $2, $3, $4, $5, $6, ($7::text)::jsonb)",
        );
        let numbered: Vec<(i32, &str)> = (1..).zip(objects.iter().map(|(object, _)| object.kind.word())).collect();
        let mut steps = sequential(self.has_citus).into_iter().fold(Pipeline::new(), Pipeline::script);
        let mut doing = vec![DETACHING.to_owned(); steps.len()];
        for ((n, kind), (object, shape)) in numbered.iter().zip(objects) {
            let parameters: [&dyn Parameter; 7] =
                [&run.id, n, &object.table, &object.object, kind, &object.reattach_sql, shape];
            steps = steps.query(note.as_str(), &parameters);
            steps = object.detach_sql.iter().fold(steps, Pipeline::script);
            doing.resize(steps.len(), format!("detaching {}", object.object));
        }
        let steps = detached_query(&self.ledger, "$1").with(&run.id).add_to(steps).script("COMMIT");
        doing.resize(steps.len(), DETACHING.to_owned());
        let replies = steps.run(&mut tx);
        match replies.len() == doing.len() {
            true => tx.ended(),
            false => drop(tx),
        }
        let replies = replies.into_iter().zip(&doing).map(|(reply, doing)| reply.doing(doing.as_str()));
        let mut replies = replies.collect::<Result<Vec<Reply>, ServerError>>()?;
        replies.pop();
        let listed = replies.pop().map(Reply::rows).unwrap_or_default();
        listed.iter().map(|row| self.recorded(run.id, row)).collect::<Result<_, _>>().map(Some)
    }

    /// Lists the objects that a run detached, in the order in which they were detached.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn detached(&mut self, run: i64) -> Result<Vec<Detached>, ServerError> {
        let [rows] = self.ask([detached_query(&self.ledger, "$1").with(&run)])?;
        rows.iter().map(|row| self.recorded(run, row)).collect()
    }

    /// Reads a detached object. Its statements are compared with those that reattach such an object, because they may have
    /// been changed since the run wrote them.
    pub(super) fn recorded(&mut self, run: i64, row: &Row) -> Result<Detached, ServerError> {
        let (no, table, object): (i32, String, String) = (row.kept(0)?, row.kept(1)?, row.kept(2)?);
        let (word, steps): (&str, i32) = (row.kept(3)?, row.kept(7)?);
        let unknown = || ServerError::of_ledger(format!("detached.kind: there is no kind `{word}`"));
        let kind = DetachKind::read(word).ok_or_else(unknown)?;
        let reattached: bool = row.kept(6)?;
        let schema = self.application_path.schema.clone();
        let recorded = Recorded { schema: &schema, table: &table, object: &object, kind };
        let mut read = ReattachSql::read(&recorded, row.kept(4)?);
        if let Some(sql) = &read
            && !self.are_partitions(&recorded, sql.members())?
        {
            read = None;
        }
        // The statements of a reattached object are run only if a rollback detaches it once more.
        let reattach_sql = match read {
            Some(sql) => sql,
            None if reattached => ReattachSql::default(),
            None => {
                let reason = format!(
                    "row {no} of the table `detached` contains statements that are not those which reattach {object} on \
                     {schema}.{table}"
                );
                let advice = format!(
                    "None of them was run. Find out who changed the ledger. Create {object} again yourself, then: \
                     UPDATE {}.detached SET back = true WHERE run = {run} AND no = {no};",
                    quoted(&self.ledger.schema)
                );
                return Err(ServerError::new(READING_LEDGER, reason).advise(advice));
            }
        };
        let steps = usize::try_from(steps).unwrap_or(0);
        Ok(Detached { no, table, object, kind, reattach_sql, steps, shape: row.kept(5)?, reattached })
    }

    /// Returns true if all these tables, given with their schemas, are partitions of the recorded table.
    fn are_partitions(&mut self, of: &Recorded<'_>, tables: &[(String, String)]) -> Result<bool, ServerError> {
        if tables.is_empty() {
            return Ok(true);
        }
        let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().map(|(s, t)| (s.as_str(), t.as_str())).unzip();
        let sql = include_str!("sql/are_partitions.sql");
        self.client.query_one(sql, &[&of.schema, &of.table, &schemas, &names]).doing(READING_LEDGER)?.value(0)
    }

    /// Runs one step of reattaching an object. `alone`: no other lane builds an index at the same time, so the server may
    /// use parallel workers. Returns false if the run was taken over.
    ///
    /// # Errors
    /// If the rows do not allow it (the error names the constraint), the server refuses, or the connection is lost.
    pub fn reattach(&mut self, run: &Run, object: &Detached, step: usize, alone: bool) -> Result<bool, ServerError> {
        self.reattach_in_turn(run, &[(object, step)], alone)
    }

    /// Runs one step of reattaching each of several objects, in turn and each in a transaction of its own, but waits once.
    /// `alone` as in [`Session::reattach`]. Returns false if the run was taken over.
    ///
    /// # Errors
    /// The error of the first object that cannot be reattached. The objects after it are reattached nevertheless.
    pub fn reattach_in_turn(
        &mut self,
        run: &Run,
        objects: &[(&Detached, usize)],
        alone: bool,
    ) -> Result<bool, ServerError> {
        let (mut steps, mut doing) = (Pipeline::new(), Vec::new());
        for (object, step) in objects {
            if let Some(scripts) = self.reattach_scripts(run, object, *step, alone) {
                doing.push((object.reattaching(), scripts.len()));
                steps = scripts.into_iter().fold(steps, Pipeline::script);
            }
        }
        let expected = steps.len();
        let mut tx = self.client.begun_transaction();
        let replies = steps.run(&mut tx);
        match replies.len() == expected {
            true => tx.ended(),
            false => drop(tx),
        }
        let (mut replies, mut must_ask) = (replies.into_iter(), false);
        for (doing, scripts) in &doing {
            let mut replies = replies.by_ref().take(*scripts);
            match replies.next().transpose().doing(doing) {
                Err(e) if e.state.as_deref() == Some(sqlstate::DIVISION_BY_ZERO) => {
                    must_ask = true;
                    replies.for_each(drop);
                }
                counted => _ = counted.and_then(|_| all_replies(replies.collect()).doing(doing))?,
            }
        }
        if must_ask { self.is_run_mine(run) } else { Ok(true) }
    }

    /// The scripts of one step: count it in the ledger, adjust settings, do it, commit. `None` if the object has no such step.
    /// Each statement of the step is a script, because Citus runs no DDL out of a message with several statements.
    fn reattach_scripts(&self, run: &Run, object: &Detached, step: usize, alone: bool) -> Option<Vec<String>> {
        let statements = object.reattach_sql.statements(step);
        if statements.is_empty() {
            return None;
        }
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        // One message, so that the step is not counted outside of a transaction. The division makes everything after it fail if
        // the run was taken over, or if another attempt did the step.
        let mine = MINE.replace("$1", &run.id.to_string()).replace("$2", &run.epoch.to_string());
        let count = self.ledger.sql(&format!(
            "START TRANSACTION; WITH {mine}, \
             counted AS (UPDATE :ledger.detached SET steps = steps + 1, back = (steps + 1 = cardinality(back_sql)) \
             FROM mine WHERE detached.run = mine.run AND no = {} AND steps = {step} RETURNING no) \
             SELECT 1 / (EXISTS (SELECT FROM counted))::int4",
            object.no
        ));
        let mut settings =
            [Some(MAINTENANCE), sequential(self.has_citus)].into_iter().flatten().collect::<Vec<_>>().join("; ");
        if !alone {
            settings += "; SET LOCAL max_parallel_maintenance_workers = 0";
        }
        if self.application_path.is_needed_to_read {
            settings = format!("{settings}; {}", self.application_path.set(true));
        }
        let mut scripts = vec![count, settings];
        scripts.extend(statements.into_iter().map(str::to_owned));
        scripts.push("COMMIT".to_owned());
        Some(scripts)
    }

    /// Returns true if the run still works in the epoch of this process.
    fn is_run_mine(&mut self, run: &Run) -> Result<bool, ServerError> {
        let sql = self.ledger.sql(&format!("WITH {MINE} SELECT EXISTS (SELECT FROM mine)"));
        self.client.query_one(&sql, &[&run.id, &run.epoch]).doing(READING_LEDGER)?.value(0)
    }

    /// Renews the planner's statistics of a table, those of the expressions in its indexes included.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn analyze(&mut self, schema: &str, table: &str) -> Result<(), ServerError> {
        // One message is one transaction.
        let sql = format!("{}; ANALYZE {}", self.application_path.set(true), qualified(schema, table));
        self.client.batch_execute(&sql).doing("analyzing")
    }
}

fn detachable(row: &Row) -> Result<Detachable, ServerError> {
    let word: &str = row.value("kind")?;
    let unknown = || ServerError::new(DETACHING, format!("there is no kind `{word}`"));
    let columns: Vec<Option<String>> = row.value("columns")?;
    Ok(Detachable {
        table: row.value("table_name")?,
        object: row.value("object")?,
        kind: DetachKind::read(word).ok_or_else(unknown)?,
        columns: columns.into_iter().map(Option::unwrap_or_default).collect(),
        detach_sql: row.value("detach_sql")?,
        reattach_sql: row.value("reattach_sql")?,
        kept_because: row.value("kept_because")?,
        oid: row.value("oid")?,
        needed_by: row.value("needed_by")?,
        sized: row.value("sized")?,
    })
}
