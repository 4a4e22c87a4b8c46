//! The sums over the files of a fleet, as the ledger has them.

use std::collections::BTreeMap;

use crate::job::Stop;
use crate::model::fault::Loss;
use crate::model::fleet::{LeftRows, MisreadTexts, Omitted};
use crate::model::hex::unhex;
use crate::model::kept_rows::KeptRows;
use crate::model::ledger::Run;
use crate::model::reserved_spans::ReservedSpans;
use crate::model::sums::{LossSum, Sums};
use crate::pg::Session;
use crate::pg::ledger::members::LoadedMember;

/// Members that are read from the ledger at once.
const PAGE: i64 = 1_000;

/// The number of slow files that are listed.
const SLOWEST: usize = 10;

/// Most columns of files with misread texts that are listed.
const MISREAD_LISTED: usize = 100;

/// The rows of all files in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetRows {
    /// Their number.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
    /// Their ids. `None` if they have no reserved ids, or there are none.
    pub ids: Option<ReservedSpans>,
}

/// The sums over the files of a fleet.
#[derive(Clone, Debug, Default)]
pub struct FleetSums {
    /// By table.
    pub tables: BTreeMap<String, FleetRows>,
    /// The owners' rows that the fleet made.
    pub made: u64,
    /// The files of which only the first batches are in the target.
    pub begun: u64,
    /// The files whose work took longest: milliseconds, path, rows.
    pub slowest: Vec<(i64, String, u64)>,
    /// Everything that is not in the target as the files have it.
    pub omitted: OmittedSums,
}

/// Everything of some files that is not in the target as the files have it.
#[derive(Clone, Debug, Default)]
pub struct OmittedSums {
    /// The losses and lookups of each load. A key of a loss begins with the file.
    pub loads: BTreeMap<String, Sums>,
    /// The rows of each table that the target had before.
    pub skipped: BTreeMap<String, u64>,
    /// Rows that stay in the files, one entry for each table or column.
    pub left: Vec<LeftRows>,
    /// The first texts that SQLite does not read as they are stored, with their file.
    pub misread: Vec<(String, MisreadTexts)>,
    /// Their number in the other files.
    pub other_misread: u64,
    /// The rows of shared tables that some file has otherwise, by load.
    kept: BTreeMap<String, KeptRows>,
}

impl OmittedSums {
    /// Leaves of the losses of a table that all owners share those rows that no file before had otherwise.
    fn count_once(&mut self, load: &str, kept: &KeptRows, losses: &mut Vec<LossSum>) {
        let known = self.kept.entry(load.to_owned()).or_default();
        for loss in losses.iter_mut() {
            if let Some(rows) = kept.get(&loss.column).filter(|_| loss.modifier == Loss::Kept.word()) {
                loss.count = known.entry(loss.column.clone()).or_default().merge(rows);
                loss.keys.truncate(usize::try_from(loss.count).unwrap_or(usize::MAX));
            }
        }
        losses.retain(|loss| loss.count > 0);
    }

    /// Adds those of a file.
    pub fn add(&mut self, path: &str, omitted: &Omitted) {
        for (load, found) in &omitted.loads {
            let mut losses = found.losses.clone();
            self.count_once(load, &found.kept, &mut losses);
            losses.iter_mut().flat_map(|loss| &mut loss.keys).for_each(|key| *key = format!("{path} {key}"));
            let (lookups, skipped) = (found.lookups.clone(), found.skipped);
            let table = if found.table.is_empty() { load } else { &found.table };
            *self.skipped.entry(table.clone()).or_default() += skipped;
            let sums = Sums { losses, lookups, skipped, ..Sums::default() };
            self.loads.entry(load.clone()).or_default().merge(&sums);
        }
        for more in &omitted.left {
            let same = |left: &&mut LeftRows| {
                (&left.table, &left.column, &left.load) == (&more.table, &more.column, &more.load)
            };
            match self.left.iter_mut().find(same) {
                Some(left) => left.rows += more.rows,
                None => self.left.push(more.clone()),
            }
        }
        for texts in &omitted.misread {
            match self.misread.len() < MISREAD_LISTED {
                true => self.misread.push((path.to_owned(), texts.clone())),
                false => self.other_misread += texts.texts,
            }
        }
    }
}

/// Adds up what the files of a fleet brought.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn read(session: &mut Session, run: &Run) -> Result<FleetSums, Stop> {
    let (mut sums, mut after) = (FleetSums::default(), 0);
    loop {
        let page = session.loaded_members(run.id, after, PAGE)?;
        for member in &page {
            sums.add(member);
            after = member.member;
        }
        sums.slowest.sort_by(|a, b| b.cmp(a));
        sums.slowest.truncate(SLOWEST);
        if (page.len() as i64) < PAGE {
            return Ok(sums);
        }
    }
}

impl FleetSums {
    fn add(&mut self, member: &LoadedMember) {
        let mut rows = 0;
        for brought in &member.rows {
            let table = self.tables.entry(brought.table.clone()).or_default();
            table.rows += brought.rows;
            table.sum = table.sum.wrapping_add(sum(&brought.sum).unwrap_or_default());
            if let Some(ids) = &brought.ids {
                table.ids.get_or_insert_with(|| ReservedSpans::of(&ids.column)).add(ids);
            }
            rows += brought.rows;
        }
        self.made += u64::from(member.made);
        self.begun += u64::from(!member.is_done);
        self.slowest.push((member.millis, member.path.clone(), rows));
        self.omitted.add(&member.path, &member.omitted);
    }
}

fn sum(hex: &str) -> Option<u128> {
    Some(u128::from_be_bytes(unhex(hex)?.try_into().ok()?))
}
