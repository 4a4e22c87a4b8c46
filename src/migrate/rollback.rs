//! Taking a run back: exactly its rows, known by reading the source again and by the ids that the ledger kept.
//!
//! Refuses wherever it cannot know: a row that was changed, a row of somebody else's that refers to one of ours, a
//! sequence that moved. All in one transaction.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::convert::Settled;
use crate::convert::row::{Maps, RowEncoder};
use crate::event::Event;
use crate::model::cell::RawBuf;
use crate::model::key::{Key, KeyRange};
use crate::model::ledger::{LoadDone, Made, MadeKind, PartDone, Run};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::{Refusal, StepKind};
use crate::model::schema::DetachKind;
use crate::model::select::{Failed, Row, Sink};
use crate::pg::detach::Detached;
use crate::pg::rollback::{DeleteTrigger, OpenRollback, OwnerRollback, RollbackStart, SequenceRollback, StagedRows};
use crate::pg::{ServerError, Session};
use crate::plan::{LoadPlan, Node, Reference};

use crate::job::Job;
use crate::job::Stop;
use crate::migrate::lookup_maps;
use crate::migrate::owner;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::KeySet;
use crate::migrate::rows::parents;
use crate::model::select::CONTINUE;

/// What was taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Rows of each load.
    pub loads: Vec<(String, u64)>,
    /// The owner's row, where the run made it.
    pub owner: Option<OwnerRollback>,
    /// What became of the sequences that the run drew from or moved.
    pub sequences: Vec<(String, SequenceRollback)>,
}

/// Takes a run back, whole or not at all.
///
/// # Errors
/// Every refusal of the first load that has any; what stopped it otherwise. Then nothing is taken out.
pub fn take_back(
    job: &Job<'_>,
    session: &mut Session,
    run: &Run,
    done: &BTreeMap<String, LoadDone>,
) -> Result<TakenBack, Stop> {
    job.observer.on_event(Event::Step(StepKind::Rollback));
    let mut said = TakenBack::default();
    job.retrying(session, |session| {
        let mut settled =
            Settled { now: run.judged.now, owner: None, env: job.env.clone(), shifts: run.judged.shifts.clone() };
        settled.owner = owner::find(session, job.plan, &settled)?.map(RawBuf::text);
        let mut left = Left { job, settled, made: session.made(run.id)?, found: TakenBack::default() };
        let known = known(job, session, run, done, &left.settled)?;
        let mut off = session.detached(run.id)?;
        off.retain(|object| !object.reattached);
        off.sort_by_key(|object| std::cmp::Reverse(object.kind));
        let mut taking = match session.begin_rollback(run)? {
            RollbackStart::Open(taking) => taking,
            RollbackStart::AlreadyRolledBack => return Ok(std::mem::take(&mut said)),
            RollbackStart::Fenced => return Err(Stop::Fenced),
        };
        // Rows of a published table can only go while its key is there; a key that they do not allow comes behind them.
        let late = reattach_early(&mut taking, off)?;
        let quiet = left.quiet(&mut taking, &known)?;
        for node in job.plan.order.iter().rev() {
            match node {
                Node::Load(n) => {
                    let load = &job.plan.loads[*n];
                    if let Some(known) = known.iter().find(|known| known.load.name == load.name) {
                        left.load(&mut taking, known)?;
                    }
                }
                Node::Owner => left.owner(&mut taking)?,
            }
        }
        if !late.is_empty() || !quiet.is_empty() {
            taking.check_deferred()?;
        }
        for object in &late {
            if !taking.try_reattach(object)? {
                taking.truncate_if_empty(&job.plan.schema, &object.table)?;
                taking.reattach(object)?;
            }
        }
        for firing in &quiet {
            taking.enable_trigger(firing)?;
        }
        left.sequences(&mut taking)?;
        // Should the answer to the commit be lost, this is what it did.
        said = left.found;
        taking.commit()?;
        Ok(std::mem::take(&mut said))
    })
}

/// Puts back the keys that can be while the run's rows are there. Gives what is left to put back.
fn reattach_early(taking: &mut OpenRollback<'_>, off: Vec<Detached>) -> Result<Vec<Detached>, ServerError> {
    let mut late = Vec::new();
    for object in off {
        let is_key = matches!(object.kind, DetachKind::Primary | DetachKind::Unique);
        if !is_key || !taking.try_reattach(&object)? {
            late.push(object);
        }
    }
    Ok(late)
}

/// What has to be known of a load before its rows can be told.
struct Known<'a> {
    load: &'a LoadPlan,
    encoder: RowEncoder,
    links: Vec<(Reference, Arc<KeySet>)>,
    done: &'a LoadDone,
    /// The ids that the ledger kept, by part and row.
    issued: BTreeMap<i32, Vec<Vec<i64>>>,
    /// Rows that were set aside or skipped: the server said so, which cannot be seen again.
    aside: HashSet<String>,
}

fn known<'a>(
    job: &Job<'a>,
    session: &mut Session,
    run: &Run,
    done: &'a BTreeMap<String, LoadDone>,
    settled: &Settled,
) -> Result<Vec<Known<'a>>, Stop> {
    let mut all = Vec::new();
    for load in &job.plan.loads {
        let Some(done) = done.get(&load.name).filter(|done| done.parts.iter().any(|p| p.sums.written > 0)) else {
            continue;
        };
        let maps = if load.lookups().next().is_some() {
            lookup_maps::read(job, session, run, load, settled)?
        } else {
            Maps::new()
        };
        let encoder = RowEncoder::new(load, settled, &maps).map_err(Stop::Refused)?;
        let links = parents::of_load(job, session, run, load, (&encoder, settled))?.links;
        let mut issued = BTreeMap::new();
        let columns = load.issued().len();
        if columns > 0 {
            for part in &done.parts {
                issued.insert(part.part, session.issued_rows(run.id, &load.name, Some(part.part), columns)?);
            }
        }
        let mut aside = session.quarantined_rows(run.id, &load.name)?;
        if columns == 0 {
            // Rows that were skipped are somebody else's. Where ids were drawn, no other row has those.
            session.deviations(run.id, &load.name, None, &mut |row| {
                if row.orphan.is_none() {
                    aside.insert(row.at.clone());
                }
            })?;
        }
        all.push(Known { load, encoder, links, done, issued, aside });
    }
    Ok(all)
}

/// What is left to take out.
struct Left<'j> {
    job: &'j Job<'j>,
    settled: Settled,
    made: Vec<Made>,
    found: TakenBack,
}

impl Left<'_> {
    /// Switches off what runs for a deletion on tables for whose rows no trigger ran when they were loaded.
    fn quiet(&self, taking: &mut OpenRollback<'_>, known: &[Known<'_>]) -> Result<Vec<DeleteTrigger>, Stop> {
        let loads = &self.job.plan.loads;
        let fires = |table: &str| loads.iter().any(|load| load.table == table && load.triggers_fire);
        let mut quiet: Vec<DeleteTrigger> = Vec::new();
        for load in known.iter().map(|known| known.load).filter(|load| !fires(&load.table)) {
            for firing in taking.delete_triggers(&self.job.plan.schema, &load.table)? {
                if quiet.contains(&firing) {
                    continue;
                }
                if !firing.is_ours {
                    let why = format!(
                        "{} runs when rows of {} are deleted, and only the table's owner may switch it off",
                        firing.object, firing.table
                    );
                    return Err(refuse(load, why, "Nothing was taken out. Do it as a member of the table's owner."));
                }
                taking.disable_trigger(&firing)?;
                quiet.push(firing);
            }
        }
        Ok(quiet)
    }

    fn load(&mut self, taking: &mut OpenRollback<'_>, known: &Known<'_>) -> Result<(), Stop> {
        let load = known.load;
        let written: u64 = known.done.parts.iter().map(|part| part.sums.written).sum();
        self.job.observer.on_event(Event::Began { load: &load.name, rows: Some(written) });
        let columns: Vec<String> = load.columns.iter().map(|c| c.name.clone()).collect();
        let key = self.key(load);
        let unsent = self.unsent(load);
        let versions = if unsent.is_empty() { None } else { Some(taking.writing_transactions(&load.name)?) };
        let aside = StagedRows {
            schema: &self.job.plan.schema,
            table: &load.table,
            columns: &columns,
            key: &key,
            as_text: load.as_text,
            transactions: versions.as_deref(),
        };
        taking.create_staging_table(&aside)?;
        for part in &known.done.parts {
            self.lay(taking, &aside, known, part)?;
        }
        let referring = taking.blocking_references(&aside)?;
        if let Some(first) = referring.first() {
            let why = format!("rows of {} that are not this run's refer to rows of it ({})", first.child, first.name);
            return Err(refuse(load, why, "Take those rows out first."));
        }
        let deleted = taking.delete_staged(&aside)?;
        if deleted != written {
            let why = if deleted < written {
                let by_version = match unsent.is_empty() {
                    true => String::new(),
                    false => format!(
                        "; what was in {}, which the run did not send, is known of rows alone that nobody wrote to since",
                        unsent.join(", ")
                    ),
                };
                format!(
                    "{} of its {written} rows are not there any more, or not as they were written{by_version}",
                    written - deleted
                )
            } else {
                format!(
                    "{deleted} rows look like the {written} that were written, and ours cannot be told from the others"
                )
            };
            return Err(refuse(load, why, SELF));
        }
        self.job.observer.on_event(Event::Rows { load: &load.name, rows: deleted });
        self.job.observer.on_event(Event::Ended { load: &load.name });
        self.found.loads.push((load.name.clone(), deleted));
        Ok(())
    }

    /// A unique key that is sent, never NULL and compares as the same value; empty without one.
    fn key(&self, load: &LoadPlan) -> Vec<String> {
        let sent = |name: &String| load.columns.iter().any(|c| c.name == *name && has_equality(&c.kind));
        let table = self.job.target.tables.get(&load.table);
        let is_set = |name: &String| table.is_some_and(|t| t.columns.iter().any(|c| c.name == *name && c.not_null));
        let unique = table.into_iter().flat_map(|t| &t.unique);
        let found = unique.filter(|u| u.columns.iter().all(|c| sent(c) && is_set(c))).max_by_key(|u| u.primary);
        found.map(|unique| unique.columns.clone()).unwrap_or_default()
    }

    /// Columns in which somebody may have written since what the source cannot tell.
    fn unsent(&self, load: &LoadPlan) -> Vec<String> {
        let columns = self.job.target.tables.get(&load.table).into_iter().flat_map(|table| &table.columns);
        let unsent = columns.filter(|c| !c.generated && load.columns.iter().all(|sent| sent.name != c.name));
        unsent.map(|c| c.name.clone()).collect()
    }

    /// Reads what the ledger says was committed of a part, and lays it beside the table.
    fn lay(
        &self,
        taking: &mut OpenRollback<'_>,
        aside: &StagedRows<'_>,
        known: &Known<'_>,
        part: &PartDone,
    ) -> Result<(), Stop> {
        if part.next_batch == 1 {
            return Ok(());
        }
        let load = known.load;
        let ids = known.issued.get(&part.part).map_or(&[][..], Vec::as_slice);
        let until = if part.done { part.until.as_ref() } else { part.last.as_ref() };
        let guards =
            parents::guards(load, known.links.iter().map(|(link, keys)| (link, keys.as_ref())), &self.settled)?;
        let batch = Batch::new(load, &known.encoder, &guards);
        let issued = load.issued();
        let set_aside = &known.aside;
        let mut laying = Laying { job: self.job, taking, aside, set_aside, issued, ids, batch, stop: None };
        self.job.source.reader()?.scan(&load.select, KeyRange { after: part.after.as_ref(), until }, &mut laying)?;
        if laying.stop.is_none() {
            laying.stop = laying.lay().err();
        }
        laying.stop.map_or(Ok(()), Err)
    }

    fn owner(&mut self, taking: &mut OpenRollback<'_>) -> Result<(), Stop> {
        let Some(plan) = &self.job.plan.owner else { return Ok(()) };
        let Some(key) = self.made.iter().find(|m| m.kind == MadeKind::Owner).and_then(|m| m.became.as_ref()) else {
            return Ok(());
        };
        self.found.owner = Some(taking.delete_owner(&self.job.plan.schema, &plan.table, &plan.key, key)?);
        Ok(())
    }

    fn sequences(&mut self, taking: &mut OpenRollback<'_>) -> Result<(), Stop> {
        for made in self.made.iter().filter(|made| made.kind == MadeKind::Sequence) {
            let columns = self.job.target.tables.values().flat_map(|table| &table.columns);
            let sequence = columns.filter_map(|c| c.sequence.as_ref()).find(|s| s.name == made.object);
            let rewound = match sequence {
                Some(sequence) => taking.restore_sequence(made, sequence)?,
                None => SequenceRollback::Kept("no column draws from it any more"),
            };
            if rewound == SequenceRollback::UsedSince {
                return Err(Stop::Refused(vec![Refusal::new(
                    format!("sequence {}", made.object),
                    "it is not where the run left it: ids were drawn from it since",
                    SELF,
                )]));
            }
            self.found.sequences.push((made.object.clone(), rewound));
        }
        Ok(())
    }
}

/// Whether the type has an `=` by which rows can be joined.
fn has_equality(kind: &ColumnType) -> bool {
    match &kind.kind {
        Kind::Json | Kind::Hstore | Kind::Other => false,
        Kind::Array(element) => has_equality(element),
        _ => true,
    }
}

const SELF: &str = "Nothing was taken out. Restore a backup, or take the rows out by hand.";

fn refuse(load: &LoadPlan, why: impl Into<String>, advice: &str) -> Stop {
    Stop::Refused(vec![Refusal::new(load.place(), why, advice)])
}

/// Lays rows beside the table in pieces of about a batch.
struct Laying<'l, 't, 'b> {
    job: &'l Job<'l>,
    taking: &'l mut OpenRollback<'t>,
    aside: &'l StagedRows<'l>,
    set_aside: &'l HashSet<String>,
    issued: Vec<usize>,
    ids: &'l [Vec<i64>],
    batch: Batch<'b>,
    stop: Option<Stop>,
}

impl Laying<'_, '_, '_> {
    fn lay(&mut self) -> Result<(), Stop> {
        if !self.issued.is_empty() {
            let wanted = self.batch.ids_wanted();
            let known = self.ids.len() >= wanted;
            let (now, later) = self.ids.split_at(if known { wanted } else { 0 });
            let columns: Vec<Vec<i64>> =
                (0..self.issued.len()).map(|c| now.iter().filter_map(|row| row.get(c).copied()).collect()).collect();
            let filled = known && self.batch.fill(&self.issued, &columns).is_ok();
            if !filled {
                let what = "the ledger knows fewer issued ids than there are rows";
                return Err(Stop::Target(ServerError::new("taking rows back", what)));
            }
            self.ids = later;
        }
        self.taking.stage(self.aside, &self.batch.bytes, self.batch.rows())?;
        self.batch.clear();
        Ok(())
    }
}

impl Sink for Laying<'_, '_, '_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        if !self.set_aside.is_empty() && self.set_aside.contains(&row.key().written()) {
            return CONTINUE;
        }
        self.batch.row(row);
        let stop = if self.job.is_asked() {
            Some(Stop::Interrupted)
        } else if self.batch.is_full(&self.job.options) {
            self.lay().err()
        } else {
            None
        };
        match stop {
            None => CONTINUE,
            Some(stop) => {
                self.stop = Some(stop);
                ControlFlow::Break(())
            }
        }
    }

    fn failed(&mut self, key: Key, failed: Failed) -> ControlFlow<()> {
        self.batch.failed(key, failed);
        CONTINUE
    }
}
