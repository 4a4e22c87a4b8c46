//! Rollback: removes exactly the rows of a run. The rows are determined by reading the source again and by the ids that the
//! ledger records.
//!
//! The rollback is refused if a row changed, if another row refers to a row of the run, or if a sequence was used since.
//! Everything happens in one transaction.

mod altered;
mod circles;
mod doubts;
mod kept;
mod references;
mod sequences;
mod staging;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::convert::Settled;
use crate::convert::row::{Maps, RowEncoder};
use crate::event::Event;
use crate::job::{Job, Stop};
use crate::migrate::lookup_maps;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::recorded_orphans::RecordedOrphans;
use crate::model::cell::RawBuf;
use crate::model::fault::Loss;
use crate::model::ledger::{CreatedObject, LoadDone, LossSum, Made, MadeKind, PartDone, Run};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::placement::SHARDS_NUMBER;
use crate::model::record::{Refusal, StepKind};
use crate::model::schema::{DetachKind, TargetTable};
use crate::pg::detach::Detached;
use crate::pg::ledger::{CreatedRollback, LedgerView};
use crate::pg::rollback::{
    Deletion, DeletionFacts, FactsAsked, OpenRollback, OwnerRollback, OwnerRow, RemovalFacts, RollbackStart,
    SequenceRollback, StagedRows,
};
use crate::pg::triggers::FiringTrigger;
use crate::pg::{ServerError, Session};
use crate::plan::{CircleKey, LoadPlan, Node};
use crate::wire::widen::Widening;

use doubts::{doubt, mismatch, rewritten};
use staging::Staging;

/// The result of a rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackResult {
    /// The number of rows removed per load.
    pub loads: Vec<(String, u64)>,
    /// The number of rows restored per table, of those that the run had removed.
    pub restored: Vec<(String, u64)>,
    /// The owner's row, if the run made it.
    pub owner: Option<OwnerRollback>,
    /// The sequences that the run moved or drew ids from.
    pub sequences: Vec<(String, SequenceRollback)>,
    /// The tables, if `--create` made them.
    pub created: Option<CreatedRollback>,
}

/// The run to remove, as the ledger records it after this process resumed it.
pub struct RecordedRun {
    /// The ledger's view.
    pub ledger: LedgerView,
    /// The key of the owner's row. `None` without an owner, or if its row is missing.
    pub owner: Option<String>,
}

/// Removes a run in one transaction.
///
/// # Errors
/// The refusals of the first load that has any, or the reason why the rollback stopped. Nothing is removed then.
pub fn remove(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    RecordedRun { ledger: LedgerView { done, detached, .. }, owner }: &RecordedRun,
) -> Result<RollbackResult, Stop> {
    job.observer.on_event(Event::Step(StepKind::Rollback));
    // If the answer to the commit is lost, the next attempt finds the run removed and returns this result.
    let mut result = RollbackResult::default();
    let mut is_retry = false;
    job.retrying(session, |session| {
        // Nothing may be noted for a run that is rolled back already.
        if std::mem::replace(&mut is_retry, true)
            && matches!(session.begin_rollback(run)?, RollbackStart::AlreadyRolledBack)
        {
            return Ok(std::mem::take(&mut result));
        }
        let mut settled = Settled {
            now: run.judged.now,
            env: job.env.clone(),
            shifts: run.judged.shifts.clone(),
            ..Settled::default()
        };
        settled.owner = owner.clone().map(RawBuf::text);
        let loads = written_loads(job, session, run, done, &settled)?;
        let (made, created) = session.made_and_created(run.id)?;
        let mut detached = detached.clone();
        let mut again = kept::to_detach_again(job.plan, &made, &detached);
        circles::add_keys(job.plan, &detached, &mut again);
        detached.retain(|object| !object.reattached);
        detached.sort_by_key(|object| Reverse(object.kind));
        let mut tx = match session.begin_rollback(run)? {
            RollbackStart::Open(tx) => tx,
            RollbackStart::AlreadyRolledBack => return Ok(std::mem::take(&mut result)),
            RollbackStart::Fenced => return Err(Stop::Fenced),
        };
        let deferred = circles::deferred(job.plan);
        result = Removal { job, made, created, again, deferred, result: RollbackResult::default() }
            .run(&mut tx, &loads, detached)?;
        tx.commit()?;
        Ok(std::mem::take(&mut result))
    })
}

/// A load with rows to remove, and everything that determines these rows.
struct WrittenLoad<'a> {
    load: &'a LoadPlan,
    encoder: RowEncoder,
    orphans: RecordedOrphans,
    done: &'a LoadDone,
    /// The ids in the ledger, by part and row.
    issued: BTreeMap<i32, Vec<Vec<i64>>>,
    /// Quarantined and skipped rows. The server decided these, so the source does not show them.
    not_written: HashSet<String>,
    /// The change of each field of a row, if the types of columns were changed since the run.
    widened: Option<Vec<(usize, Widening)>>,
}

impl WrittenLoad<'_> {
    /// The number of rows that the run wrote.
    fn rows(&self) -> u64 {
        self.done.parts.iter().map(|part| part.sums.written).sum()
    }
}

fn written_loads<'a>(
    job: &Job<'a>,
    session: &mut Session,
    run: &Run,
    done: &'a BTreeMap<String, LoadDone>,
    settled: &Settled,
) -> Result<Vec<WrittenLoad<'a>>, Stop> {
    let mut loads = Vec::new();
    for load in &job.plan.loads {
        let Some(done) = done.get(&load.name).filter(|done| done.parts.iter().any(|p| p.sums.written > 0)) else {
            continue;
        };
        let widened = altered::widened(job.target, load)?;
        let maps = if load.lookups().next().is_some() {
            lookup_maps::read(job, session, run, load, settled)?
        } else {
            Maps::new()
        };
        let encoder = RowEncoder::new(load, settled, &maps).map_err(Stop::Refused)?;
        let mut issued = BTreeMap::new();
        let columns = load.issued().len();
        if columns > 0 {
            for part in &done.parts {
                issued.insert(part.part, session.issued_rows(run.id, &load.name, Some(part.part), columns)?);
            }
        }
        let faults: u64 = done.parts.iter().map(|part| part.sums.faults).sum();
        let skipped: u64 = done.parts.iter().map(|part| part.sums.skipped).sum();
        let mut not_written = HashSet::new();
        if faults > 0 {
            not_written = session.quarantined_rows(run.id, &load.name)?;
        }
        let is_replaced = |loss: &LossSum| loss.modifier == Loss::IfOrphan.word();
        let mut recorded = Vec::new();
        if skipped > 0 || done.parts.iter().flat_map(|part| &part.sums.losses).any(is_replaced) {
            session.deviations(run.id, &load.name, None, &mut |row| recorded.push(row))?;
        }
        let (replaced, skipped): (Vec<_>, Vec<_>) = recorded.into_iter().partition(|row| row.orphan.is_some());
        if columns == 0 {
            // A skipped row exists on the target as another writer's row. If ids were drawn, no other row has them.
            not_written.extend(skipped.into_iter().map(|row| row.at));
        }
        let orphans = RecordedOrphans::of(load, settled, replaced).map_err(Stop::Refused)?;
        loads.push(WrittenLoad { load, encoder, orphans, done, issued, not_written, widened });
    }
    Ok(loads)
}

/// The removal of a run within the transaction.
struct Removal<'j> {
    job: &'j Job<'j>,
    made: Vec<Made>,
    /// The objects that `--create` made.
    created: Vec<CreatedObject>,
    /// Foreign keys that are detached and reattached once more.
    again: Vec<Detached>,
    /// Foreign keys of circles that are checked after all rows are removed.
    deferred: Vec<CircleKey>,
    result: RollbackResult,
}

impl Removal<'_> {
    /// Removes everything that the run wrote and reattaches what it detached.
    fn run(
        mut self,
        tx: &mut OpenRollback<'_>,
        loads: &[WrittenLoad<'_>],
        detached: Vec<Detached>,
    ) -> Result<RollbackResult, Stop> {
        let plan = self.job.plan;
        // Rows of a published table can be deleted only while its key exists. A key that the rows violate is reattached
        // after their removal.
        let mut late = reattach_keys(tx, detached)?;
        for object in &self.again {
            tx.detach_again(&plan.schema, object)?;
        }
        late.append(&mut self.again);
        tx.defer(&plan.schema, &self.deferred)?;
        let rows = rows_by_table(loads);
        // References are checked also under the keys that are detached from here on.
        let mut facts = tx.removal_facts(&self.facts_asked(loads, &rows))?;
        let disabled = self.disable_triggers(tx, loads, std::mem::take(&mut facts.triggers))?;
        if references::detach(self.job, tx, &rows, &mut late)? {
            facts.unindexed = tx.unindexed_references(&plan.schema, &rows)?;
        }
        let indexes = tx.index_references(&facts.unindexed, &rows)?;
        for node in plan.order.iter().rev() {
            match node {
                Node::Load(n) => {
                    let mut known = loads.iter().zip(&facts.deletions);
                    if let Some((written, facts)) = known.find(|(w, _)| w.load.name == plan.loads[*n].name) {
                        self.remove_load(tx, written, facts)?;
                    }
                    let over = kept::restore_written_over(tx, plan, &plan.loads[*n])?;
                    if over > 0 {
                        self.result.restored.push((plan.loads[*n].table.clone(), over));
                    }
                }
                Node::Owner => self.remove_owner(tx, &facts)?,
            }
        }
        if !late.is_empty() || !disabled.is_empty() || !indexes.is_empty() || !self.deferred.is_empty() {
            tx.check_deferred()?;
        }
        self.result.restored.extend(kept::restore(tx, plan, &self.made)?);
        for index in &indexes {
            tx.drop_index(index)?;
        }
        for object in &late {
            if !tx.try_reattach(object)? {
                tx.truncate_if_empty(&plan.schema, &object.table)?;
                tx.reattach(object)?;
            }
        }
        tx.enable_triggers(&disabled)?;
        self.restore_sequences(tx)?;
        if !self.created.is_empty() {
            self.result.created = Some(tx.drop_created(self.created)?);
        }
        Ok(self.result)
    }

    /// The loads whose tables' delete triggers are disabled, because the triggers did not fire during the load.
    fn silenced<'l>(&self, loads: &[WrittenLoad<'l>]) -> Vec<&'l LoadPlan> {
        let all = &self.job.plan.loads;
        let fires = |table: &str| all.iter().any(|load| load.table == table && load.triggers_fire);
        loads.iter().map(|written| written.load).filter(|load| !fires(&load.table)).collect()
    }

    /// The facts that the removal of these loads needs. `rows`: the number of rows to remove from each table.
    fn facts_asked<'l>(&'l self, loads: &[WrittenLoad<'l>], rows: &BTreeMap<&'l str, u64>) -> FactsAsked<'l> {
        let plan = self.job.plan;
        FactsAsked {
            schema: &plan.schema,
            loaded: loads.iter().map(|written| written.load.table.as_str()).collect(),
            silenced: self.silenced(loads).iter().map(|load| load.table.as_str()).collect(),
            emptied: rows.keys().copied().collect(),
            owner: plan.owner.as_ref().filter(|_| self.owner_made().is_some()).map(|owner| owner.table.as_str()),
            staged: loads.iter().map(|written| (written.load.sent_columns(), written.load.as_text)).collect(),
        }
    }

    /// Disables the delete triggers of the silenced loads, which were found for them.
    fn disable_triggers(
        &self,
        tx: &mut OpenRollback<'_>,
        loads: &[WrittenLoad<'_>],
        found: Vec<Vec<FiringTrigger>>,
    ) -> Result<Vec<FiringTrigger>, Stop> {
        let mut disabled: Vec<FiringTrigger> = Vec::new();
        let loads = self.silenced(loads);
        for (load, triggers) in loads.into_iter().zip(found) {
            for trigger in triggers {
                if disabled.contains(&trigger) {
                    continue;
                }
                if !trigger.is_ours {
                    let why = format!(
                        "{} runs when rows of {} are deleted, and only the table's owner may disable it",
                        trigger.object, trigger.table
                    );
                    return Err(refuse(load, why, "Nothing was removed. Run it as a member of the table's owner."));
                }
                disabled.push(trigger);
            }
        }
        tx.disable_triggers(&disabled)?;
        Ok(disabled)
    }

    /// Stages the rows that the run wrote to a table and deletes exactly these.
    fn remove_load(
        &mut self,
        tx: &mut OpenRollback<'_>,
        written: &WrittenLoad<'_>,
        facts: &DeletionFacts,
    ) -> Result<(), Stop> {
        let load = written.load;
        let rows = written.rows();
        self.job.observer.on_event(Event::Began { load: &load.name, rows: Some(rows) });
        let columns = load.sent_columns();
        let key = self.key(load);
        let unsent = self.unsent_columns(load);
        // Without a key another session's row may equal a row of the run, and only its transaction tells them apart.
        let is_content_enough = unsent.is_empty() && !key.is_empty();
        if !is_content_enough && !self.job.target.placement(&load.table).is_local() {
            return Err(refuse(load, format!("{SHARDS_NUMBER}{}", doubt(&key, &unsent)), BY_HAND));
        }
        let transactions = if is_content_enough { None } else { Some(tx.writing_transactions(&load.name)?) };
        let staged = StagedRows {
            schema: &self.job.plan.schema,
            table: &load.table,
            columns: &columns,
            key: &key,
            as_text: load.as_text,
            deferred: &self.deferred,
            transactions: transactions.as_deref(),
        };
        tx.begin_staging(&staged)?;
        for part in &written.done.parts {
            self.stage(tx, written, part)?;
        }
        let Deletion { blocking, deleted } = tx.delete_staged(&staged, facts)?;
        if let Some(first) = blocking.first() {
            let why =
                format!("rows of {} that this run did not write refer to rows of it ({})", first.child, first.name);
            return Err(refuse(load, why, "Remove those rows first."));
        }
        if deleted != rows {
            let doubt = doubt(&key, &unsent);
            let is_rewritten = deleted == 0 && transactions.is_some() && tx.count_staged(&staged, facts)? == rows;
            let why = if is_rewritten { rewritten(&doubt) } else { mismatch(deleted, rows, &doubt) };
            return Err(refuse(load, why, BY_HAND));
        }
        self.job.observer.on_event(Event::Rows { load: &load.name, rows: deleted });
        self.job.observer.on_event(Event::Ended { load: &load.name });
        self.result.loads.push((load.name.clone(), deleted));
        Ok(())
    }

    /// A unique key of sent columns that are never NULL and can be compared. Empty without such a key.
    fn key(&self, load: &LoadPlan) -> Vec<String> {
        let sent = |name: &String| load.columns.iter().any(|c| c.name == *name && has_equality(&c.kind));
        let table = self.job.target.tables.get(&load.table);
        let is_set = |name: &String| table.is_some_and(|t| t.columns.iter().any(|c| c.name == *name && c.not_null));
        let unique = table.into_iter().flat_map(|t| &t.unique);
        let found = unique.filter(|u| u.columns.iter().all(|c| sent(c) && is_set(c))).max_by_key(|u| u.primary);
        found.map(|unique| unique.columns.clone()).unwrap_or_default()
    }

    /// Columns that the run did not send. The source does not show whether they changed since.
    fn unsent_columns(&self, load: &LoadPlan) -> Vec<String> {
        let columns = self.job.target.tables.get(&load.table).into_iter().flat_map(TargetTable::present_columns);
        let unsent = columns.filter(|c| !c.generated && load.columns.iter().all(|sent| sent.name != c.name));
        unsent.map(|c| c.name.clone()).collect()
    }

    /// Reads the committed rows of a part and writes them to the staging table.
    fn stage(&self, tx: &mut OpenRollback<'_>, written: &WrittenLoad<'_>, part: &PartDone) -> Result<(), Stop> {
        let Some(committed) = part.committed() else { return Ok(()) };
        let load = written.load;
        let mut batch = Batch::new(load, &written.encoder, &[]);
        batch.recorded = Some(&written.orphans);
        let mut staging = Staging {
            job: self.job,
            tx,
            not_written: &written.not_written,
            widened: written.widened.as_deref(),
            issued: load.issued(),
            ids: written.issued.get(&part.part).map_or(&[][..], Vec::as_slice),
            batch,
            stop: None,
        };
        self.job.source.reader()?.scan(&load.select, committed, &mut staging)?;
        if staging.stop.is_none() {
            staging.stop = staging.flush().err();
        }
        staging.stop.map_or(Ok(()), Err)
    }

    /// The key of the owner's row, if the run made it.
    fn owner_made(&self) -> Option<&String> {
        self.made.iter().find(|made| made.kind == MadeKind::Owner)?.became.as_ref()
    }

    fn remove_owner(&mut self, tx: &mut OpenRollback<'_>, facts: &RemovalFacts) -> Result<(), Stop> {
        let (Some(plan), Some(key)) = (&self.job.plan.owner, self.owner_made()) else { return Ok(()) };
        if !self.job.target.placement(&plan.table).is_local() {
            self.result.owner = Some(OwnerRollback::Kept(SHARDS_NUMBER));
            return Ok(());
        }
        let row = OwnerRow { schema: &self.job.plan.schema, table: &plan.table, key: &plan.key, value: key };
        self.result.owner = Some(tx.delete_owner(row, facts.of_owner.as_ref())?);
        Ok(())
    }
}

/// Reattaches the keys that the run's rows allow. Returns the objects to reattach after the rows are removed.
fn reattach_keys(tx: &mut OpenRollback<'_>, detached: Vec<Detached>) -> Result<Vec<Detached>, ServerError> {
    let mut late = Vec::new();
    for object in detached {
        let is_key = matches!(object.kind, DetachKind::Primary | DetachKind::Unique);
        late.extend((!is_key || !tx.try_reattach(&object)?).then_some(object));
    }
    Ok(late)
}

/// The number of rows to remove from each table.
fn rows_by_table<'a>(loads: &[WrittenLoad<'a>]) -> BTreeMap<&'a str, u64> {
    let mut rows = BTreeMap::new();
    for written in loads {
        *rows.entry(written.load.table.as_str()).or_default() += written.rows();
    }
    rows
}

/// Returns true if the type has an `=` by which rows can be joined.
fn has_equality(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Hstore | Kind::Other => false,
        Kind::Array(element) => has_equality(element),
        _ => true,
    }
}

const BY_HAND: &str = "Nothing was removed. Restore a backup, or delete the rows by hand.";

fn refuse(load: &LoadPlan, why: impl Into<String>, advice: &str) -> Stop {
    Stop::Refused(vec![Refusal::new(load.place(), why, advice)])
}
