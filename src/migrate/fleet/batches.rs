//! The batches of a file: its loads so far, and the size of the transaction that is open.
//!
//! A file that fits one batch is one transaction. A larger one is committed from time to time, each time with its position, so that
//! the next worker resumes there. That is possible as long as every row of the file that is in the target has a reserved id: only
//! then can the batches be removed again exactly, if a later row cannot be loaded.

use std::collections::{BTreeMap, BTreeSet};

use crate::job::{Options, Stop};
use crate::model::digest::Digest;
use crate::model::fleet::{BegunMember, Claim, LoadPosition, MemberEnd, MemberPosition, MemberRows, Omitted};
use crate::model::hex::hex;
use crate::model::key::Key;
use crate::model::schema::TargetSchema;
use crate::model::sums::Sums;
use crate::pg::member::MemberTransaction;
use crate::plan::{LoadPlan, Node, Plan};

use super::ids::{self, ReservedIds};
use super::{omitted, shared};

/// Seconds after which the files of a worker that does not answer are taken by another one.
pub const LEASE: i32 = 30;

/// The number of rows or bytes from which a batch is committed although rows of the file follow.
#[derive(Clone, Copy, Debug)]
pub struct BatchSize {
    /// Rows.
    pub rows: u64,
    /// Bytes of rows as they are sent.
    pub bytes: u64,
}

impl Default for BatchSize {
    fn default() -> BatchSize {
        // Less than 20 seconds on a slow server: the time that a worker has after a request to stop.
        BatchSize { rows: 1_000_000, bytes: 256 << 20 }
    }
}

/// Everything about a file that its batches need.
#[derive(Clone, Copy)]
pub struct WrittenFrom<'a> {
    /// The plan for files of this schema.
    pub plan: &'a Plan,
    /// The target's catalogue.
    pub target: &'a TargetSchema,
    /// The file.
    pub claim: &'a Claim,
    /// The stamp that identifies it.
    pub stamp: &'a str,
    /// The size of a batch.
    pub size: BatchSize,
    /// The milliseconds since the work began.
    pub millis: &'a dyn Fn() -> i64,
    /// Returns true when the process was asked to stop.
    pub is_asked: &'a dyn Fn() -> bool,
}

/// A file that is written: its loads so far, and the size of the transaction that is open.
pub struct WrittenFile<'a> {
    from: WrittenFrom<'a>,
    /// The key of the owner's row.
    pub owner: Option<String>,
    /// True if the file made the owner's row.
    pub made: bool,
    /// The ids of its rows.
    pub ids: ReservedIds,
    sums: BTreeMap<String, Sums>,
    /// The loads of which all rows are written.
    done: BTreeSet<String>,
    /// The load in which the last batch of an earlier worker ended, and the key of its last row.
    resumed: Option<(String, Key)>,
    /// The rows and bytes of the transaction that is open.
    open: BatchSize,
    /// False after the first rows without reserved ids: from there on, the file ends with its transaction.
    is_removable: bool,
    /// The milliseconds of earlier workers.
    earlier: i64,
}

impl<'a> WrittenFile<'a> {
    /// A file of which nothing is written.
    pub fn new(from: WrittenFrom<'a>, ids: ReservedIds) -> WrittenFile<'a> {
        WrittenFile {
            from,
            owner: None,
            made: false,
            ids,
            sums: BTreeMap::new(),
            done: BTreeSet::new(),
            resumed: None,
            open: BatchSize { rows: 0, bytes: 0 },
            is_removable: true,
            earlier: 0,
        }
    }

    /// Adds the batches that are in the target.
    pub fn resume(&mut self, begun: &BegunMember) {
        let MemberEnd { owner, made, omitted, millis, .. } = &begun.end;
        (self.owner, self.made, self.earlier) = (owner.clone(), *made, *millis);
        for (load, position) in &begun.position.loads {
            let omissions = omitted.loads.get(load).cloned().unwrap_or_default();
            let sums = Sums {
                read: position.read,
                written: position.written,
                digest: Digest::of_total(position.sum),
                losses: omissions.losses,
                lookups: omissions.lookups,
                skipped: omissions.skipped,
                kept: omissions.kept,
                ..Sums::default()
            };
            self.sums.insert(load.clone(), sums);
            match &position.after {
                None => _ = self.done.insert(load.clone()),
                Some(key) => self.resumed = Some((load.clone(), key.clone())),
            }
        }
    }

    /// Returns true if earlier batches have all rows of a load.
    pub fn is_done(&self, load: &LoadPlan) -> bool {
        self.done.contains(&load.name)
    }

    /// Returns the key of the last row of a load that earlier batches have. `None` if they have none.
    pub fn after(&self, load: &LoadPlan) -> Option<Key> {
        let (name, key) = self.resumed.as_ref()?;
        (*name == load.name).then(|| key.clone())
    }

    /// Returns the sums of the rows of a load that earlier batches have.
    pub fn sums_of(&self, load: &LoadPlan) -> Sums {
        self.sums.get(&load.name).cloned().unwrap_or_default()
    }

    /// Returns the sums of all loads so far.
    pub fn sums(&self) -> BTreeMap<&str, Sums> {
        self.sums.iter().map(|(load, sums)| (load.as_str(), sums.clone())).collect()
    }

    /// The size of the pieces in which the rows of a batch are sent: never more rows than a batch.
    pub fn piece(&self, most: Options) -> Options {
        Options { batch_rows: most.batch_rows.min(self.from.size.rows), ..most }
    }

    /// Adds rows that were sent.
    pub fn sent(&mut self, load: &LoadPlan, rows: u64, bytes: u64) {
        self.open.rows += rows;
        self.open.bytes += bytes;
        self.is_removable &= has_reserved_ids(self.from.plan, load);
    }

    /// Ends a load, and its batch if that is full.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, the file is another worker's now, or the process was asked to stop.
    pub fn end_load(&mut self, tx: &mut MemberTransaction<'_>, load: &LoadPlan, sums: Sums) -> Result<(), Stop> {
        self.sums.insert(load.name.clone(), sums);
        self.done.insert(load.name.clone());
        let written: Vec<&LoadPlan> = self.from.plan.loads.iter().filter(|load| self.is_done(load)).collect();
        if self.is_full() && self.has_parents_of(&written) { self.commit(tx, None) } else { Ok(()) }
    }

    /// Returns true if the batch must be committed after a row of this load.
    pub fn is_full_within(&self, load: &LoadPlan) -> bool {
        self.is_full() && self.has_parents_of(&[load])
    }

    fn is_full(&self) -> bool {
        let BatchSize { rows, bytes } = self.from.size;
        self.is_removable && (self.open.rows >= rows || self.open.bytes >= bytes)
    }

    /// Returns true if all rows are written to which rows of these loads may refer. A foreign key may be judged at the end of a COPY or
    /// of the transaction, so that a row may refer to a later one: to another row of its table, or along a circle of tables.
    fn has_parents_of(&self, loads: &[&LoadPlan]) -> bool {
        let foreign = loads.iter().filter_map(|load| self.from.target.tables.get(&load.table)).flat_map(|t| &t.foreign);
        let parents: BTreeSet<&String> = foreign.map(|key| &key.parent).collect();
        self.from.plan.loads.iter().filter(|load| parents.contains(&load.table)).all(|load| self.is_done(load))
    }

    /// Commits the batch within a load. `last` is the key of its last row.
    ///
    /// # Errors
    /// As [`WrittenFile::end_load`].
    pub fn commit_within(
        &mut self,
        tx: &mut MemberTransaction<'_>,
        load: &LoadPlan,
        sums: &Sums,
        last: &Key,
    ) -> Result<(), Stop> {
        self.sums.insert(load.name.clone(), sums.clone());
        self.commit(tx, Some((&load.name, last)))
    }

    fn commit(&mut self, tx: &mut MemberTransaction<'_>, within: Option<(&String, &Key)>) -> Result<(), Stop> {
        let position = self.position(within);
        let mut omitted = Omitted::default();
        omitted::count(&mut omitted, self.from.plan, &self.sums());
        let begun = BegunMember { end: self.end(omitted), position };
        if !tx.commit_batch(self.from.claim, &begun, LEASE)? {
            return Err(Stop::Fenced);
        }
        self.open = BatchSize { rows: 0, bytes: 0 };
        if (self.from.is_asked)() { Err(Stop::Interrupted) } else { Ok(()) }
    }

    fn position(&self, within: Option<(&String, &Key)>) -> MemberPosition {
        let load = |(name, sums): (&String, &Sums)| {
            let after = within.filter(|(load, _)| *load == name).map(|(_, key)| key.clone());
            let position = LoadPosition { read: sums.read, written: sums.written, sum: sums.digest.total(), after };
            (name.clone(), position)
        };
        MemberPosition { first: self.ids.first(), next: self.ids.next(), loads: self.sums.iter().map(load).collect() }
    }

    /// Returns everything that the ledger notes of the rows so far.
    pub fn end(&self, omitted: Omitted) -> MemberEnd {
        MemberEnd {
            stamp: self.from.stamp.to_owned(),
            owner: self.owner.clone(),
            made: self.made,
            rows: self.brought(),
            omitted,
            millis: self.earlier + (self.from.millis)(),
        }
    }

    /// The rows of each table, in the order in which the tables were written. Tables without rows are left out.
    fn brought(&self) -> Vec<MemberRows> {
        let mut tables: Vec<(&str, Sums)> = Vec::new();
        for load in loads(self.from.plan, self.from.target) {
            let Some(sums) = self.sums.get(&load.name).filter(|sums| sums.written > 0) else { continue };
            match tables.iter_mut().find(|(table, _)| *table == load.table) {
                Some((_, all)) => all.merge(sums),
                None => tables.push((&load.table, sums.clone())),
            }
        }
        let reserved = ids::columns(self.from.plan);
        let rows = tables.into_iter().map(|(table, sums)| MemberRows {
            table: table.to_owned(),
            rows: sums.written,
            sum: hex(&sums.digest.total().to_be_bytes()),
            ids: reserved.iter().find(|column| column.table == table).and_then(|column| self.ids.range(column)),
        });
        rows.collect()
    }
}

/// The loads of a file in the order in which they are written: that of the plan, but tables without reserved ids, and everything that
/// refers to them, come last, so that as many rows as possible can be committed before the last one is written.
pub fn loads<'p>(plan: &'p Plan, target: &TargetSchema) -> Vec<&'p LoadPlan> {
    let load = |node: &Node| match node {
        Node::Load(n) => plan.loads.get(*n),
        Node::Owner => None,
    };
    let mut late_tables = BTreeSet::new();
    let (late, early): (Vec<&LoadPlan>, Vec<&LoadPlan>) = plan.order.iter().filter_map(load).partition(|load| {
        let foreign = target.tables.get(&load.table).into_iter().flat_map(|table| &table.foreign);
        let mut parents = foreign.map(|key| &key.parent).chain(load.lookups().map(|(_, lookup)| &lookup.table));
        let is_late = !has_reserved_ids(plan, load) || parents.any(|parent| late_tables.contains(parent));
        if is_late {
            late_tables.insert(load.table.clone());
        }
        is_late
    });
    [early, late].concat()
}

/// Returns true if every row that the load writes has a reserved id.
fn has_reserved_ids(plan: &Plan, load: &LoadPlan) -> bool {
    shared::is_shared(load) || ids::columns(plan).iter().any(|column| column.table == load.table)
}
