//! Reads the tables of the target in lanes, and after the run recomputes the rows from the source.
//!
//! Each lane has its own connection. All lanes read one snapshot of the database. Large tables are read in stretches of
//! blocks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::event::{Event, Extent, Observer, WorkUnit};
use crate::job::{Stop, TaskQueue};
use crate::model::digest::{Digest, row_hash};
use crate::model::ledger::PartDone;
use crate::model::record::StepKind;
use crate::pg::{ReadBack, Session, block_range};
use crate::plan::LoadPlan;

use super::subject::Subject;
use super::table::VerifiedTable;

/// Most blocks of a stretch: 64 MiB. The other lanes wait about 0.1 s for the last stretches to end.
const MOST_BLOCKS: u64 = 8192;

/// Blocks for which another lane pays. Fewer blocks are read faster than a connection is opened.
const LANE_BLOCKS: u64 = 1024;

/// Estimated rows per block of the target, to compare both kinds of work.
const BLOCK_ROWS: u64 = 50;

/// A session that holds a snapshot of the target.
pub(super) struct Snapshot<'s> {
    pub session: &'s mut Session,
    /// The name by which further lanes join the snapshot. `None` if no lane may join.
    pub name: Option<&'s str>,
    /// The connection for the work that is done meanwhile. Its lane joins the snapshot afterwards.
    pub busy: Option<Session>,
}

/// The rows read from one table.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRead {
    /// The number of rows, without the owner's row that the run made.
    pub rows: u64,
    /// The digest of these rows.
    pub digest: Digest,
    /// The digest of the rows that the source produces now. `None` if they were not computed or cannot be.
    pub source: Option<Digest>,
    /// The digest of the same rows as they were sent, if columns of the table were changed since.
    pub as_sent: Digest,
    /// The digests of the rows of both sides under the seed of this verification, if the source is read.
    pub fresh: FreshDigests,
    /// The digest of the rows on the target in the server's own form, if the table has columns that were read back.
    pub returned: Digest,
}

/// The digests of a table's rows on both sides, under the seed that was drawn for this verification.
#[derive(Clone, Debug, Default)]
pub(super) struct FreshDigests {
    /// The rows on the target, those that existed before the run included.
    pub target: Digest,
    /// The rows that the source produces now.
    pub source: Digest,
}

/// The rows of one table: those on the target, those that were sent, and those that the source produces now.
pub(super) struct TableComparison {
    /// Rows on the target, without the owner's own row and without rows of later ids.
    pub rows: u64,
    /// Rows of later ids.
    pub added: u64,
    /// The digest of the rows on the target, without the rows that existed before the run.
    pub ours: Digest,
    /// The digest of the rows sent, from the ledger. If columns were changed since, it is computed from the source, which
    /// produces the rows of the ledger's digest.
    pub sent: Digest,
    /// The reason why there is no such digest. `None` if there is.
    pub unknown: Option<String>,
    /// The digest of the rows that the source produces now. `None` if they were not computed or cannot be.
    pub source: Option<Digest>,
    /// True if the source produces other rows than were sent.
    pub is_source_changed: bool,
    /// The digests of both sides under the seed of this verification.
    pub fresh: FreshDigests,
    /// The digest of the rows on the target in the server's own form.
    pub returned: Digest,
}

impl TableComparison {
    /// `all`: rows of the table, without the owner's own row.
    pub fn new(table: &VerifiedTable<'_>, read: TableRead, all: u64) -> TableComparison {
        let mut ours = read.digest;
        if let Some(before) = &table.before {
            ours.subtract(before);
        }
        let added = if table.scope.is_some() { all.saturating_sub(read.rows) } else { 0 };
        let (mut sent, mut unknown) = (table.sent(), None);
        let mut is_source_changed = read.source.as_ref().is_some_and(|source| *source != sent);
        if table.altered.fields.is_some() {
            is_source_changed = read.source.is_some() && read.as_sent != sent;
            let why = if is_source_changed {
                Some("the source no longer produces the rows that were sent".to_owned())
            } else {
                None
            };
            unknown = why.or_else(|| table.obstacle());
            sent = read.source.clone().unwrap_or_default();
        }
        TableComparison {
            rows: read.rows,
            added,
            ours,
            sent,
            unknown,
            is_source_changed,
            source: read.source,
            fresh: read.fresh,
            returned: read.returned,
        }
    }

    /// States which side changed since, to end a sentence.
    pub fn side_changed(&self) -> &'static str {
        match &self.source {
            None => "",
            Some(now) if *now == self.sent => "; the target changed, the source still produces what was sent",
            Some(now) if *now == self.ours => "; both changed, and the source produces what the target holds now",
            Some(_) => "; the target changed, and so did the source",
        }
    }
}

/// A unit of reading for one lane.
struct ReadingTask<'a> {
    /// The table's index.
    table: usize,
    /// The estimated amount, in blocks of the target.
    blocks: u64,
    side: Side<'a>,
}

enum Side<'a> {
    /// A stretch of the table, as an SQL condition. `None`: the whole table.
    Target(Option<String>),
    /// The same in the server's own form.
    Returned(Option<String>),
    /// A load, or one part of it.
    Source(&'a LoadPlan, Option<&'a PartDone>),
}

/// Rows after which the progress of a task is reported.
const ROWS_REPORTED: u64 = 65_536;

/// The rows of a task that were read and not yet reported.
struct ReadProgress<'r> {
    observer: &'r dyn Observer,
    table: &'r str,
    rows: u64,
}

impl ReadProgress<'_> {
    fn row(&mut self) {
        self.rows += 1;
        if self.rows == ROWS_REPORTED {
            self.report();
        }
    }

    fn report(&mut self) {
        self.observer.on_event(Event::Rows { load: self.table, rows: std::mem::take(&mut self.rows) });
    }
}

/// The work shared by the lanes.
struct ReadingPool<'b, 'a> {
    subject: &'b Subject<'a>,
    tables: &'b [VerifiedTable<'a>],
    tasks: TaskQueue<ReadingTask<'b>>,
    /// The rows read so far, for each table.
    read: Mutex<Vec<TableRead>>,
}

/// Returns true if the run wrote enough rows, by the ledger, that another lane pays.
pub(super) fn pays_lanes(subject: &Subject<'_>) -> bool {
    let written: u64 = subject.plan.loads.iter().map(|load| subject.sums(&load.name).written).sum();
    written >= LANE_BLOCKS * BLOCK_ROWS
}

/// Reads all these tables. The snapshot's session runs `first` before it reads.
pub(super) fn read<R>(
    subject: &Subject<'_>,
    snapshot: Snapshot<'_>,
    tables: &[VerifiedTable<'_>],
    first: impl FnOnce(&mut Session) -> Result<R, Stop>,
) -> Result<(Vec<TableRead>, R), Stop> {
    let Snapshot { session, name, busy } = snapshot;
    let jobs = subject.lanes.jobs;
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let blocks = session.block_counts(&subject.plan.schema, &names)?;
    let lanes = name.map_or(1, |_| lane_count(jobs, blocks.values().sum()));
    let mut tasks = target_tasks(tables, &blocks, lanes);
    let whole = tasks.iter().filter(|task| matches!(task.side, Side::Target(None)));
    let whole: Vec<ReadBack<'_>> = whole.map(|task| tables[task.table].rows(None)).collect();
    session.prepare_to_read_back(&whole)?;
    let mut read = vec![TableRead::default(); tables.len()];
    for (n, table) in tables.iter().enumerate().filter(|(_, table)| subject.later && table.obstacle().is_none()) {
        read[n].source = Some(Digest::default());
        tasks.extend(source_tasks(n, table));
    }
    tasks.sort_by_key(|task| Reverse(task.blocks));
    let rows = tables.iter().map(VerifiedTable::expected).sum::<u64>();
    let recomputed = tables.iter().filter(|table| subject.later && table.obstacle().is_none());
    let rows = Some(rows + recomputed.map(VerifiedTable::written).sum::<u64>());
    let extent = Extent { units: tasks.len() as u64, kind: WorkUnit::Part, rows };
    subject.lanes.observer.on_event(Event::Planned(extent));
    let pool = ReadingPool { subject, tables, tasks: TaskQueue::new(tasks), read: Mutex::new(read) };
    let first = thread::scope(|scope| {
        let (pool, name) = (&pool, name.unwrap_or_default());
        let taken = if busy.is_some() { meanwhile_lanes(jobs) } else { 0 };
        for _ in 1..lanes.saturating_sub(taken) {
            scope.spawn(move || pool.lane(name));
        }
        if let Some(busy) = busy {
            scope.spawn(move || pool.busy_lane(name, busy, taken));
        }
        match first(session) {
            Ok(first) => {
                pool.work(session);
                Some(first)
            }
            Err(stop) => {
                pool.tasks.stop(stop);
                None
            }
        }
    });
    pool.tasks.finish()?;
    let read = pool.read.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map(|first| (read, first)).ok_or(Stop::Halted)
}

/// Lanes for the work that is done meanwhile. Validation reads one column and an index; reading back reads everything.
fn meanwhile_lanes(jobs: usize) -> usize {
    (jobs / 4).max(1)
}

fn lane_count(jobs: usize, blocks: u64) -> usize {
    jobs.min(usize::try_from(1 + blocks / LANE_BLOCKS).unwrap_or(usize::MAX))
}

/// Splits every table into stretches. A single lane reads each table as a whole.
fn target_tasks<'b>(
    tables: &[VerifiedTable<'_>],
    blocks: &BTreeMap<String, u64>,
    lanes: usize,
) -> Vec<ReadingTask<'b>> {
    let mut tasks = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        let all = blocks.get(table.name).copied().unwrap_or(0);
        let length = all.div_ceil(4 * lanes as u64).clamp(LANE_BLOCKS, MOST_BLOCKS);
        let mut add = |blocks: u64, only: Option<String>| {
            if !table.returned.is_empty() {
                tasks.push(ReadingTask { table: n, blocks, side: Side::Returned(only.clone()) });
            }
            tasks.push(ReadingTask { table: n, blocks, side: Side::Target(only) });
        };
        if lanes == 1 || all <= length {
            add(all, None);
            continue;
        }
        let count = all.div_ceil(length);
        // The last stretch has no end, since the table may have grown after its size was read. The snapshot excludes new
        // rows, but no old row may be lost.
        for place in 0..count {
            let until = (place + 1 < count).then_some((place + 1) * length);
            add(length, Some(block_range(place * length, until)));
        }
    }
    tasks
}

/// The tasks that recompute the loads of a table.
fn source_tasks<'b>(n: usize, table: &'b VerifiedTable<'_>) -> Vec<ReadingTask<'b>> {
    let size = |load: &LoadPlan| table.subject.sums(&load.name).read / BLOCK_ROWS;
    let tasks = table.loads.iter().flat_map(|load| {
        let parts = table.parts(load).iter().map(Some);
        let parts: Vec<Option<&PartDone>> = if parts.len() == 0 { vec![None] } else { parts.collect() };
        let blocks = size(load) / parts.len() as u64;
        parts.into_iter().map(move |part| ReadingTask { table: n, blocks, side: Side::Source(load, part) })
    });
    tasks.collect()
}

impl ReadingPool<'_, '_> {
    fn lock(&self) -> MutexGuard<'_, Vec<TableRead>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a lane with a new connection. Without a connection the other lanes do its work.
    fn lane(&self, snapshot: &str) {
        let joined = self.subject.lanes.connections.another().map_err(Stop::from).and_then(|mut session| {
            session.join_snapshot(snapshot)?;
            Ok(session)
        });
        match joined {
            Ok(mut session) => self.work(&mut session),
            Err(e) => self.subject.lanes.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
        }
    }

    /// Runs a lane that first does the work to be done meanwhile, in this many lanes of its own.
    fn busy_lane(&self, snapshot: &str, mut session: Session, lanes: usize) {
        let run = self.subject.run;
        let noted = session.note_backend(run.id, run.epoch).map_err(Stop::from);
        let meanwhile = self.subject.lanes.meanwhile;
        let done = noted.and_then(|()| meanwhile.map_or(Ok(()), |meanwhile| meanwhile(&mut session, lanes)));
        match done.and_then(|()| Ok(session.join_snapshot(snapshot)?)) {
            Ok(()) => self.work(&mut session),
            Err(stop) => self.tasks.stop(stop),
        }
    }

    /// Reads until no task remains or a lane stops.
    fn work(&self, session: &mut Session) {
        self.tasks.work(|task, _| self.read(&task, session));
    }

    fn read(&self, task: &ReadingTask<'_>, session: &mut Session) -> Result<(), Stop> {
        let (table, mut digest, mut fresh) = (&self.tables[task.table], Digest::default(), Digest::default());
        let seed = self.subject.fresh_seed;
        let mut progress = ReadProgress { observer: self.subject.lanes.observer, table: table.name, rows: 0 };
        match &task.side {
            Side::Target(only) => {
                let is_compared = self.lock()[task.table].source.is_some();
                let rows = table.target(session, only.as_deref(), &mut |image, hash| {
                    progress.row();
                    digest.add(hash);
                    if is_compared {
                        fresh.add(row_hash(image, seed));
                    }
                })?;
                let read = &mut self.lock()[task.table];
                read.rows += rows;
                read.digest.merge(&digest);
                read.fresh.target.merge(&fresh);
            }
            Side::Returned(only) => {
                let run_seed = table.seed;
                table.target_returned(session, only.as_deref(), &[], &mut |image| {
                    digest.add(row_hash(image, run_seed));
                })?;
                self.lock()[task.table].returned.merge(&digest);
            }
            Side::Source(load, part) => {
                let recomputed = table.load(load, *part, session, &mut |_, image, hash| {
                    progress.row();
                    digest.add(hash);
                    fresh.add(row_hash(image, seed));
                })?;
                let read = &mut self.lock()[task.table];
                read.as_sent.merge(&recomputed.as_sent);
                read.fresh.source.merge(&fresh);
                if let Some(source) = &mut read.source {
                    source.merge(&digest);
                }
            }
        }
        progress.report();
        self.subject.lanes.observer.on_event(Event::Done(StepKind::Verify));
        Ok(())
    }
}
