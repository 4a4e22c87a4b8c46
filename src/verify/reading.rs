//! Reads the tables of the target in lanes, and after the run recomputes the rows from the source.
//!
//! Each lane has its own connection. All lanes read one snapshot of the database. Large tables are read in stretches of
//! blocks, small ones together.

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

use super::comparison::TableRead;
use super::subject::Subject;
use super::table::VerifiedTable;

/// Most blocks of a stretch: 64 MiB. The other lanes wait about 0.1 s for the last stretches to end.
const MOST_BLOCKS: u64 = 8192;

/// Blocks for which another lane pays. Fewer blocks are read faster than a connection is opened.
const LANE_BLOCKS: u64 = 1024;

/// Most blocks of the tables that are read together: 1 MiB, which a lane reads faster than it waits for a distant server's
/// answer. Long values that are stored elsewhere do not count.
const TOGETHER_BLOCKS: u64 = 128;

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

/// A unit of reading for one lane.
struct ReadingTask<'a> {
    /// The estimated amount, in blocks of the target.
    blocks: u64,
    what: ReadingStep<'a>,
}

/// Tables are named by their index.
enum ReadingStep<'a> {
    /// Tables that are read whole and together.
    Small(Vec<usize>),
    /// A stretch of a table, as an SQL condition. `None`: the whole table.
    Target(usize, Option<String>),
    /// The same in the server's own form.
    Returned(usize, Option<String>),
    /// A load of a table, or one part of it.
    Source(usize, &'a LoadPlan, Option<&'a PartDone>),
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
    let whole: Vec<ReadBack<'_>> = tables.iter().map(|table| table.rows(None)).collect();
    let mut blocks = session.block_counts(&subject.plan.schema, &whole)?;
    // Blocks are numbered in each shard.
    blocks.retain(|table, _| subject.target.placement(table).is_local());
    let lanes = name.map_or(1, |_| lane_count(jobs, blocks.values().sum()));
    let mut tasks = target_tasks(tables, &blocks, lanes);
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
    let mut small = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        let all = blocks.get(table.name).copied().unwrap_or(0);
        let length = all.div_ceil(4 * lanes as u64).clamp(LANE_BLOCKS, MOST_BLOCKS);
        let mut add = |blocks: u64, only: Option<String>| {
            if !table.returned.is_empty() {
                tasks.push(ReadingTask { blocks, what: ReadingStep::Returned(n, only.clone()) });
            }
            tasks.push(ReadingTask { blocks, what: ReadingStep::Target(n, only) });
        };
        if table.returned.is_empty() && all <= TOGETHER_BLOCKS {
            small.push((n, all));
            continue;
        }
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
    tasks.extend(together(&small));
    tasks
}

/// Joins small tables, each with its blocks, in tasks of at most [`TOGETHER_BLOCKS`].
fn together<'b>(small: &[(usize, u64)]) -> Vec<ReadingTask<'b>> {
    let mut tasks: Vec<ReadingTask<'b>> = Vec::new();
    for (table, blocks) in small {
        match tasks.last_mut() {
            Some(ReadingTask { blocks: sum, what: ReadingStep::Small(tables) })
                if *sum + *blocks <= TOGETHER_BLOCKS =>
            {
                *sum += *blocks;
                tables.push(*table);
            }
            _ => tasks.push(ReadingTask { blocks: *blocks, what: ReadingStep::Small(vec![*table]) }),
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
        parts.into_iter().map(move |part| ReadingTask { blocks, what: ReadingStep::Source(n, load, part) })
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
        match &task.what {
            ReadingStep::Small(tables) => self.small(tables, session)?,
            ReadingStep::Target(table, only) => self.target(*table, only.as_deref(), session)?,
            ReadingStep::Returned(table, only) => self.returned(*table, only.as_deref(), session)?,
            ReadingStep::Source(table, load, part) => self.source(*table, load, *part, session)?,
        }
        self.subject.lanes.observer.on_event(Event::Done(StepKind::Verify));
        Ok(())
    }

    fn small(&self, places: &[usize], session: &mut Session) -> Result<(), Stop> {
        let all: Vec<ReadBack<'_>> = places.iter().map(|place| self.tables[*place].rows(None)).collect();
        let mut read: Vec<RowsRead<'_>> = places.iter().map(|place| self.rows_of(*place)).collect();
        let rows = session.read_back_all(&all, &mut |n, image| {
            let seed = self.tables[places[n]].seed;
            read[n].row(image, row_hash(image, seed));
        })?;
        for ((place, read), rows) in places.iter().zip(read).zip(rows) {
            read.merge_into(&mut self.lock()[*place], rows);
        }
        Ok(())
    }

    fn target(&self, place: usize, only: Option<&str>, session: &mut Session) -> Result<(), Stop> {
        let mut read = self.rows_of(place);
        let rows = self.tables[place].target(session, only, &mut |image, hash| read.row(image, hash))?;
        read.merge_into(&mut self.lock()[place], rows);
        Ok(())
    }

    fn returned(&self, place: usize, only: Option<&str>, session: &mut Session) -> Result<(), Stop> {
        let (table, mut digest) = (&self.tables[place], Digest::default());
        let seed = table.seed;
        table.target_returned(session, only, &[], &mut |image| digest.add(row_hash(image, seed)))?;
        self.lock()[place].returned.merge(&digest);
        Ok(())
    }

    fn source(
        &self,
        place: usize,
        load: &LoadPlan,
        part: Option<&PartDone>,
        session: &mut Session,
    ) -> Result<(), Stop> {
        let (mut digest, mut fresh, seed) = (Digest::default(), Digest::default(), self.subject.fresh_seed);
        let mut progress = self.progress(place);
        let recomputed = self.tables[place].load(load, part, session, &mut |_, image, hash| {
            progress.row();
            digest.add(hash);
            fresh.add(row_hash(image, seed));
        })?;
        progress.report();
        let read = &mut self.lock()[place];
        read.as_sent.merge(&recomputed.as_sent);
        read.fresh.source.merge(&fresh);
        if let Some(source) = &mut read.source {
            source.merge(&digest);
        }
        Ok(())
    }

    fn progress(&self, place: usize) -> ReadProgress<'_> {
        ReadProgress { observer: self.subject.lanes.observer, table: self.tables[place].name, rows: 0 }
    }

    /// No row of a table, to which those that are read are added.
    fn rows_of(&self, place: usize) -> RowsRead<'_> {
        let is_compared = self.lock()[place].source.is_some();
        let fresh_seed = is_compared.then_some(self.subject.fresh_seed);
        RowsRead { progress: self.progress(place), digest: Digest::default(), fresh: Digest::default(), fresh_seed }
    }
}

/// The rows of a table that a task read on the target.
struct RowsRead<'r> {
    progress: ReadProgress<'r>,
    digest: Digest,
    fresh: Digest,
    /// The seed of `fresh`. `None` if the rows are not compared with those that the source produces now.
    fresh_seed: Option<u64>,
}

impl RowsRead<'_> {
    fn row(&mut self, image: &[u8], hash: u128) {
        self.progress.row();
        self.digest.add(hash);
        if let Some(seed) = self.fresh_seed {
            self.fresh.add(row_hash(image, seed));
        }
    }

    fn merge_into(mut self, read: &mut TableRead, rows: u64) {
        self.progress.report();
        read.rows += rows;
        read.digest.merge(&self.digest);
        read.fresh.target.merge(&self.fresh);
    }
}
