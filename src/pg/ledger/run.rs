//! Runs: they begin, resume in a new epoch, and end.

use postgres::Row;

use super::{READING, WRITING, create};
use crate::model::ledger::{NewRun, Run};
use crate::model::record::RunState;
use crate::pg::error::{Doing, ServerError};
use crate::pg::session::Session;

impl Session {
    /// Returns the run of this mapping and owner; `None` if there is none that was not rolled back.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn find_run(&mut self, mapping: &str, owner: &str) -> Result<Option<Run>, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT run, state, tool, epoch, seed, stamp, catalog, read_ahead, judged::text FROM :ledger.run \
                   WHERE mapping = $1 AND owner = $2 AND state <> 'RolledBack'",
        );
        let row = self.client.query_opt(sql, &[&mapping, &owner]).doing(READING)?;
        row.map(|row| run(&row)).transpose()
    }

    /// Begins a run: creates the ledger if it is missing, and inserts the run and its loads, in one transaction.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_run(&mut self, new: &NewRun<'_>) -> Result<Run, ServerError> {
        let (is_new, schema_exists) = (self.ledger_version()?.is_none(), self.has_schema(&self.ledger.schema.clone())?);
        let mut tx = self.client.transaction().doing(WRITING)?;
        if is_new {
            create(&mut tx, &self.ledger, schema_exists)?;
        }
        let judged = serde_json::to_string(new.judged).map_err(|e| ServerError::new(WRITING, e.to_string()))?;
        let sql: &str = &self.ledger.sql(
            "INSERT INTO :ledger.run (mapping, owner, tool, state, seed, stamp, catalog, read_ahead, judged) \
                   VALUES ($1, $2, $3, 'Running', $4, $5, $6, $7, ($8::text)::jsonb) RETURNING run",
        );
        let seed = new.seed as i64;
        let row = tx
            .query_one(
                sql,
                &[&new.mapping, &new.owner, &new.tool, &seed, &new.stamp, &new.catalog, &new.read_ahead, &judged],
            )
            .doing(WRITING)?;
        let id: i64 = row.get(0);
        let (names, hashes): (Vec<&str>, Vec<&str>) = new.loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        tx.execute(
            &*self
                .ledger
                .sql("INSERT INTO :ledger.load (run, load, plan) SELECT $1, * FROM unnest($2::text[], $3::text[])"),
            &[&id, &names, &hashes],
        )
        .doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        Ok(Run {
            id,
            state: RunState::Running,
            tool: new.tool.to_owned(),
            epoch: 1,
            seed: new.seed,
            stamp: new.stamp.to_owned(),
            catalog: new.catalog.to_owned(),
            read_ahead: new.read_ahead,
            judged: new.judged.clone(),
        })
    }

    /// Raises the epoch of a run, so that late writes of its previous process are rejected. Waits for the open batches of
    /// that process.
    ///
    /// # Errors
    /// If an open batch does not end in time (55P03), the server refuses, or the connection is lost.
    pub fn raise_epoch(&mut self, run: i64) -> Result<i32, ServerError> {
        let sql: &str = &self.ledger.sql("UPDATE :ledger.run SET epoch = epoch + 1 WHERE run = $1 RETURNING epoch");
        Ok(self.client.query_one(sql, &[&run]).doing("taking the run over")?.get(0))
    }

    /// Records a new stamp of the source, whose committed rows are unchanged. The rows that the preflight read may have
    /// changed, so its result no longer holds.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn restamp(&mut self, run: i64, stamp: &str) -> Result<(), ServerError> {
        let sql: &str =
            &self.ledger.sql("UPDATE :ledger.run SET stamp = $2, read_ahead = false WHERE run = $1 AND stamp <> $2");
        self.client.execute(sql, &[&run, &stamp]).doing(WRITING)?;
        Ok(())
    }

    /// Ends a run after its last row. Returns false if another process resumed it or rolled it back meanwhile: then that
    /// process decides how the run ends.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn end_run(&mut self, run: &Run) -> Result<bool, ServerError> {
        let sql: &str = &self.ledger.sql(
            "UPDATE :ledger.run SET state = 'Done', ended_at = now() WHERE run = $1 AND epoch = $2 AND state = 'Running'",
        );
        if self.client.execute(sql, &[&run.id, &run.epoch]).doing(WRITING)? > 0 {
            return Ok(true);
        }
        // An earlier attempt may have ended the run and lost the answer.
        let sql: &str = &self.ledger.sql("SELECT FROM :ledger.run WHERE run = $1 AND epoch = $2 AND state = 'Done'");
        Ok(self.client.query_opt(sql, &[&run.id, &run.epoch]).doing(READING)?.is_some())
    }
}

fn run(row: &Row) -> Result<Run, ServerError> {
    let judged: String = row.get(8);
    Ok(Run {
        id: row.get(0),
        state: RunState::of(row.get(1)),
        tool: row.get(2),
        epoch: row.get(3),
        seed: row.get::<_, i64>(4) as u64,
        stamp: row.get(5),
        catalog: row.get(6),
        read_ahead: row.get(7),
        judged: serde_json::from_str(&judged).map_err(|e| ServerError::new(READING, format!("run.judged: {e}")))?,
    })
}
