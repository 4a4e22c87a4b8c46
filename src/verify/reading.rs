//! Reading in lanes: what tables hold, and afterwards what the source makes of them again. Each lane has a connection of its
//! own, all of them see one state of the database, and large tables are read in stretches.
//!
//! What is read is counted and summed up here; what it is compared with is not known here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::event::Event;
use crate::migrate::Stop;
use crate::pg::ledger::PartDone;
use crate::pg::{Session, stretch};
use crate::plan::LoadPlan;
use crate::wire::digest::Digest;

use super::table::Table;
use super::{Subject, rows};

/// Blocks of a stretch at most, 64 MiB: the last stretches to end keep the other lanes waiting for some 0.1 s.
const MOST_BLOCKS: u64 = 8192;

/// Blocks for which a further lane pays: below, it takes longer to connect than to read them.
const LANE_BLOCKS: u64 = 1024;

/// What a table holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Its rows, the row of an owner that the run made left out.
    pub rows: u64,
    /// Their digest.
    pub digest: Digest,
    /// The digest of what the source makes now, where that was asked for and can be known.
    pub source: Option<Digest>,
}

/// What a lane reads in one go.
struct Piece<'a> {
    table: usize,
    /// About how much it is, in blocks of the target.
    blocks: u64,
    what: What<'a>,
}

enum What<'a> {
    /// A stretch of the table, as a condition; none for all of it.
    Target(Option<String>),
    /// A load, or a part of it.
    Source(&'a LoadPlan, Option<&'a PartDone>),
}

/// Rows of a block of the target, for comparing the two kinds of work.
const BLOCK_ROWS: u64 = 50;

/// What lanes agree on.
struct Board<'b, 'a> {
    tables: &'b [Table<'a>],
    state: Mutex<State<'b>>,
}

struct State<'b> {
    /// What is left to read, the next one last.
    pieces: Vec<Piece<'b>>,
    held: Vec<Held>,
    stop: Option<Stop>,
}

/// Whether there is so much to read that a further lane pays, by what the ledger says was written.
pub(super) fn pays_lanes(subject: &Subject<'_>) -> bool {
    let written: u64 = subject.plan.loads.iter().map(|load| rows::sums(subject, &load.name).written).sum();
    written >= LANE_BLOCKS * BLOCK_ROWS
}

/// Reads all these tables. `session` holds the state called `state` and does `first` before it reads along; `beside` does
/// what is left to do before it does.
pub(super) fn read<R>(
    subject: &Subject<'_>,
    (session, state, beside): (&mut Session, Option<&str>, Option<Session>),
    tables: &[Table<'_>],
    first: impl FnOnce(&mut Session) -> Result<R, Stop>,
) -> Result<(Vec<Held>, R), Stop> {
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let blocks = session.blocks(&subject.plan.schema, &names)?;
    let lanes = state.map_or(1, |_| lanes(subject.jobs, blocks.values().sum()));
    let mut all = pieces(tables, &blocks, lanes);
    let mut held = vec![Held::default(); tables.len()];
    for (n, table) in tables.iter().enumerate().filter(|(_, table)| subject.later && table.obstacle().is_none()) {
        held[n].source = Some(Digest::default());
        all.extend(again(n, table));
    }
    all.sort_by_key(|piece| piece.blocks);
    let board = Board { tables, state: Mutex::new(State { pieces: all, held, stop: None }) };
    let first = thread::scope(|scope| {
        let (board, state) = (&board, state.unwrap_or_default());
        let share = if beside.is_some() { share(subject.jobs) } else { 0 };
        for _ in 1..lanes.saturating_sub(share) {
            scope.spawn(move || board.another_lane(subject, state));
        }
        if let Some(other) = beside {
            scope.spawn(move || board.lane_beside(subject, state, (other, share)));
        }
        match first(session) {
            Ok(first) => {
                board.work(session);
                Some(first)
            }
            Err(stop) => {
                board.stopped(stop);
                None
            }
        }
    });
    let state = board.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (state.stop, first) {
        (None, Some(first)) => Ok((state.held, first)),
        (Some(stop), _) => Err(stop),
        (None, None) => Err(Stop::Halted),
    }
}

/// Lanes that do what is left to do while the others read: validating reads one column and an index, reading back
/// everything.
fn share(jobs: usize) -> usize {
    (jobs / 4).max(1)
}

fn lanes(jobs: usize, blocks: u64) -> usize {
    jobs.min(usize::try_from(1 + blocks / LANE_BLOCKS).unwrap_or(usize::MAX))
}

/// Every table in stretches. In one lane a table is read as a whole.
fn pieces<'b>(tables: &[Table<'_>], blocks: &BTreeMap<String, u64>, lanes: usize) -> Vec<Piece<'b>> {
    let mut pieces = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        let all = blocks.get(table.name).copied().unwrap_or(0);
        let length = all.div_ceil(4 * lanes as u64).clamp(LANE_BLOCKS, MOST_BLOCKS);
        if lanes == 1 || all <= length {
            pieces.push(Piece { table: n, blocks: all, what: What::Target(None) });
            continue;
        }
        let count = all.div_ceil(length);
        // The last one has no end: rows that came since the size was read are no part of the state, but none is lost.
        pieces.extend((0..count).map(|place| {
            let until = (place + 1 < count).then_some((place + 1) * length);
            Piece { table: n, blocks: length, what: What::Target(Some(stretch(place * length, until))) }
        }));
    }
    pieces
}

/// The loads of a table, to be computed again.
fn again<'b>(n: usize, table: &'b Table<'_>) -> Vec<Piece<'b>> {
    let size = |load: &LoadPlan| rows::sums(table.subject, &load.name).read / BLOCK_ROWS;
    let pieces = table.loads.iter().flat_map(|load| {
        let parts = table.parts(load).iter().map(Some);
        let parts: Vec<Option<&PartDone>> = if parts.len() == 0 { vec![None] } else { parts.collect() };
        let blocks = size(load) / parts.len() as u64;
        parts.into_iter().map(move |part| Piece { table: n, blocks, what: What::Source(load, part) })
    });
    pieces.collect()
}

impl<'b> Board<'b, '_> {
    fn lock(&self) -> MutexGuard<'_, State<'b>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane with a connection of its own. Without one the others do its work.
    fn another_lane(&self, subject: &Subject<'_>, state: &str) {
        match subject.connections.another() {
            Ok(mut session) => match session.join_state(state) {
                Ok(()) => self.work(&mut session),
                Err(e) => subject.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
            },
            Err(e) => subject.observer.on_event(Event::Said(&format!("one lane less: {e}"))),
        }
    }

    /// A lane that does what is left to do on the target, and reads along afterwards.
    fn lane_beside(&self, subject: &Subject<'_>, state: &str, (mut session, lanes): (Session, usize)) {
        let noted = session.note_backend(subject.run.id, subject.run.epoch).map_err(Stop::from);
        let done = noted.and_then(|()| subject.meanwhile.map_or(Ok(()), |meanwhile| meanwhile(&mut session, lanes)));
        match done.and_then(|()| Ok(session.join_state(state)?)) {
            Ok(()) => self.work(&mut session),
            Err(stop) => self.stopped(stop),
        }
    }

    /// Reads until nothing is left or something stopped.
    fn work(&self, session: &mut Session) {
        loop {
            let Some(piece) = self.lock().pieces.pop() else { return };
            if let Err(stop) = self.read(&piece, session) {
                return self.stopped(stop);
            }
        }
    }

    fn read(&self, piece: &Piece<'_>, session: &mut Session) -> Result<(), Stop> {
        let (table, mut digest) = (&self.tables[piece.table], Digest::default());
        match &piece.what {
            What::Target(only) => {
                let rows = table.target(session, only.as_deref(), &mut |_, hash| digest.add(hash))?;
                let held = &mut self.lock().held[piece.table];
                held.rows += rows;
                held.digest.merge(&digest);
            }
            What::Source(load, part) => {
                table.load(load, *part, session, &mut |_, _, hash| digest.add(hash))?;
                if let Some(source) = &mut self.lock().held[piece.table].source {
                    source.merge(&digest);
                }
            }
        }
        Ok(())
    }

    /// The first reason counts, and nothing more is begun.
    fn stopped(&self, stop: Stop) {
        let mut state = self.lock();
        state.pieces.clear();
        state.stop.get_or_insert(stop);
    }
}
