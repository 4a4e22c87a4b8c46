//! Runs: they begin, resume in a new epoch, and end.

use std::collections::BTreeMap;

use postgres::Row;

use super::{LedgerPlace, READING, WRITING, creation, upgrade};
use crate::model::ledger::{FIRST_EPOCH, Fingerprints, Form, LedgerState, NewRun, Run, read_catalog, written_catalog};
use crate::model::record::RunState;
use crate::pg::backend::Backend;
use crate::pg::client::{Parameter, Pipeline};
use crate::pg::error::{Doing, ServerError};
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{LedgerSchema, Session};

impl Session {
    /// Returns the run of this mapping and owner; `None` if there is none that was not rolled back.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn find_run(&mut self, mapping: &str, owner: &str) -> Result<Option<Run>, ServerError> {
        let [rows] = self.ask([query(&self.ledger, &mapping, &owner)])?;
        rows.first().map(run).transpose()
    }

    /// Begins a run: creates the ledger if it is missing, inserts the run and its loads, and notes the server's process of this
    /// session, in one transaction. `None` if another run has reserved some of its ids meanwhile.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn begin_run(&mut self, new: &NewRun<'_>, place: &LedgerPlace) -> Result<Option<Run>, ServerError> {
        let tables = match &place.state {
            LedgerState::Absent => creation(&self.ledger, place.schema_exists),
            LedgerState::Version(version) => upgrade(&self.ledger, *version),
            LedgerState::Foreign(why) => return Err(ServerError::new(WRITING, why.clone())),
            LedgerState::Untrusted(_) => {
                return Err(ServerError::new(WRITING, "another role owns a part of the ledger"));
            }
        };
        let judged = serde_json::to_string(new.judged).map_err(|e| ServerError::new(WRITING, e.to_string()))?;
        let sql = self.ledger.sql(include_str!("../sql/begin_run.sql"));
        let (seed, catalog) = (new.seed as i64, written_catalog(&new.fingerprints.catalog));
        let (names, hashes): (Vec<&str>, Vec<&str>) =
            new.fingerprints.loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        let parameters: [&dyn Parameter; 10] = [
            &new.mapping,
            &new.owner,
            &new.tool,
            &seed,
            &new.stamp,
            &catalog,
            &new.read_ahead,
            &judged,
            &names,
            &hashes,
        ];
        let lock = match new.judged.reserved.is_empty() {
            true => String::new(),
            false => self.ledger.sql("LOCK TABLE :ledger.run IN SHARE ROW EXCLUSIVE MODE"),
        };
        let steps = Pipeline::new().script(format!("START TRANSACTION; {tables}; {lock}"));
        let note = self.ledger.sql(include_str!("../sql/note_backend_of_new_run.sql"));
        let steps = steps.query(sql, &parameters).query(note, &[&new.mapping, &new.owner]).script("COMMIT");
        let mut tx = self.client.begun_transaction();
        let mut answers = steps.rows(&mut tx).doing(WRITING)?.into_iter().skip(1);
        tx.ended();
        let Some(id) = answers.next().unwrap_or_default().first().map(|row| row.kept::<i64>(0)).transpose()? else {
            return Ok(None);
        };
        self.keep_backend(&answers.next().unwrap_or_default())?;
        self.noted = Some((id, FIRST_EPOCH));
        Ok(Some(Run {
            id,
            state: RunState::Running,
            tool: new.tool.to_owned(),
            epoch: FIRST_EPOCH,
            seed: new.seed,
            stamp: new.stamp.to_owned(),
            form: Form::Two,
            catalog: new.fingerprints.catalog.clone(),
            read_ahead: new.read_ahead,
            judged: new.judged.clone(),
        }))
    }

    /// Returns the highest id that other runs which are not ended have reserved in each of these tables. `run`: the own run;
    /// 0 if there is none yet. The ledger exists.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn reserved_ids(
        &mut self,
        schema: &str,
        tables: &[&str],
        run: i64,
    ) -> Result<BTreeMap<String, i64>, ServerError> {
        let sql: &str = &self.ledger.sql(include_str!("../sql/reserved_ids.sql"));
        let rows = self.client.query(sql, &[&schema, &tables, &run]).doing(READING)?;
        rows.iter().map(|row| Ok((row.kept(0)?, row.kept(1)?))).collect()
    }

    /// Rewrites the fingerprints of a run from form 1 to form 2. The caller has upgraded the ledger and compared the
    /// fingerprints of form 1. A load that differs keeps its own: it has no committed batch, and [`Session::replan`] replaces
    /// it. Returns false if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn rewrite_fingerprints(
        &mut self,
        run: &mut Run,
        from: &Fingerprints,
        to: &Fingerprints,
    ) -> Result<bool, ServerError> {
        let (names, old): (Vec<&str>, Vec<&str>) = from.loads.iter().map(|(n, h)| (n.as_str(), h.as_str())).unzip();
        let new: Vec<&str> = to.loads.iter().map(|(_, hash)| hash.as_str()).collect();
        let mut tx = self.client.transaction().doing(WRITING)?;
        let sql: &str = &self.ledger.sql("UPDATE :ledger.run SET catalog = $2 WHERE run = $1 AND epoch = $3");
        if tx.execute(sql, &[&run.id, &written_catalog(&to.catalog), &run.epoch]).doing(WRITING)? == 0 {
            return Ok(false);
        }
        let sql: &str = &self.ledger.sql(
            "UPDATE :ledger.load SET plan = form.new FROM unnest($2::text[], $3::text[], $4::text[]) AS form (load, old, new) \
                   WHERE load.run = $1 AND load.load = form.load AND load.plan = form.old",
        );
        tx.execute(sql, &[&run.id, &names, &old, &new]).doing(WRITING)?;
        tx.commit().doing(WRITING)?;
        (run.form, run.catalog) = (Form::Two, to.catalog.clone());
        Ok(true)
    }

    /// Raises the epoch of a run, so that late writes of its previous process are rejected, and notes the server's process of
    /// this session for it. Waits for the open batches of that process.
    ///
    /// # Errors
    /// If an open batch does not end in time (55P03), the server refuses, or the connection is lost.
    pub fn raise_epoch(&mut self, run: i64) -> Result<i32, ServerError> {
        let sql = self.ledger.sql(include_str!("../sql/raise_epoch.sql"));
        let row = self.client.query_one(&sql, &[&run]).doing("taking the run over")?;
        let (epoch, pid): (i32, Option<i32>) = (row.kept(0)?, row.value(1)?);
        self.backend = match pid {
            Some(pid) => Some(Backend { pid, started: row.value(2)? }),
            None => None,
        };
        self.noted = Some((run, epoch));
        Ok(epoch)
    }

    /// Records a new stamp of the source, whose committed rows are unchanged. The rows that the preflight read may have
    /// changed, so its result no longer holds. Does nothing if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn restamp(&mut self, run: &Run, stamp: &str) -> Result<(), ServerError> {
        let sql: &str = &self
            .ledger
            .sql("UPDATE :ledger.run SET stamp = $3, read_ahead = false WHERE run = $1 AND epoch = $2 AND stamp <> $3");
        self.client.execute(sql, &[&run.id, &run.epoch, &stamp]).doing(WRITING)?;
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

/// The query for the run of a mapping and owner that was not rolled back.
pub(super) fn query<'q>(ledger: &LedgerSchema, mapping: &'q &str, owner: &'q &str) -> TypedQuery<'q> {
    let sql = "SELECT run, state, tool, epoch, seed, stamp, catalog, read_ahead, judged::text FROM :ledger.run \
               WHERE mapping = $1 AND owner = $2 AND state <> 'RolledBack'";
    TypedQuery::new(READING, ledger.sql(sql)).with(mapping).with(owner)
}

/// The run that a row of this query describes.
pub(super) fn run(row: &Row) -> Result<Run, ServerError> {
    let (word, catalog, judged): (String, String, String) = (row.kept(1)?, row.kept(6)?, row.kept(8)?);
    let unknown = || ServerError::of_ledger("run.catalog: this version does not know the form of the fingerprints");
    let (form, catalog) = read_catalog(&catalog).ok_or_else(unknown)?;
    Ok(Run {
        id: row.kept(0)?,
        state: state(&word)?,
        tool: row.kept(2)?,
        epoch: row.kept(3)?,
        seed: row.kept::<i64>(4)? as u64,
        stamp: row.kept(5)?,
        form,
        catalog: catalog.to_owned(),
        read_ahead: row.kept(7)?,
        judged: serde_json::from_str(&judged).map_err(|e| ServerError::of_ledger(format!("run.judged: {e}")))?,
    })
}

/// Reads the state of a run.
pub(super) fn state(word: &str) -> Result<RunState, ServerError> {
    RunState::read(word).ok_or_else(|| ServerError::of_ledger(format!("run.state: there is no state `{word}`")))
}
