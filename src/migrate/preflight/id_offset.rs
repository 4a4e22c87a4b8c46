//! Chooses the shifts of `ids = "shift"`, once per run: above every id that the target holds or has issued, and above those that
//! other runs have reserved and not yet written.

use std::collections::{BTreeMap, BTreeSet};

use crate::convert::Settled;
use crate::convert::row::{Notes, RowEncoder};
use crate::job::Stop;
use crate::migrate::rows::keyset::key;
use crate::model::key::KeyRange;
use crate::model::ledger::{IdRange, LedgerState};
use crate::model::schema::TargetSchema;
use crate::model::select::CONTINUE;
use crate::pg::Session;
use crate::plan::sequences::{PlannedSequence, SequenceColumn};
use crate::plan::{Comparison, Plan, Shifted};
use crate::sqlite::Source;

/// The shifts of a run.
#[derive(Debug, Default)]
pub struct ChosenShifts {
    /// The number that is added to the ids of each shifted table; 0 for an empty table.
    pub shifts: BTreeMap<String, i64>,
    /// The ids that the run takes in each table that other runs may load at the same time.
    pub reserved: BTreeMap<String, IdRange>,
}

impl ChosenShifts {
    /// Gives the tables of each group the largest number that one of them needs.
    fn even_out(&mut self, groups: &[BTreeSet<String>]) {
        for group in groups {
            let most = group.iter().filter_map(|table| self.shifts.get(table)).max().copied().unwrap_or(0);
            self.shifts.extend(group.iter().map(|table| (table.clone(), most)));
        }
    }
}

/// Everything that decides the shifts.
pub struct ShiftChoice<'a> {
    pub plan: &'a Plan,
    pub source: &'a Source,
    pub target: &'a TargetSchema,
    pub settled: &'a Settled,
    /// The tables that other runs may load at the same time.
    pub shared: &'a BTreeSet<String>,
}

impl ShiftChoice<'_> {
    /// Returns the shift of each shifted table.
    ///
    /// # Errors
    /// If the source cannot be read or the target refuses a query.
    pub fn choose(&self, session: &mut Session) -> Result<ChosenShifts, Stop> {
        let plan = self.plan;
        let mut chosen = ChosenShifts::default();
        chosen.shifts.extend(plan.shifts.iter().map(|shifted| (shifted.table.clone(), 0)));
        let theirs = self.reserved(session)?;
        let holds_rows = |table: &str| self.target.tables.get(table).is_some_and(|table| table.has_rows);
        let is_free = |table: &str| !holds_rows(table) && !theirs.contains_key(table) && !self.shared.contains(table);
        let shifted: Vec<_> = plan.shifts.iter().filter(|shifted| !is_free(&shifted.table)).collect();
        let filled: Vec<(&str, &str)> = shifted.iter().map(|s| (s.table.as_str(), s.column.as_str())).collect();
        if filled.is_empty() {
            return Ok(chosen);
        }
        let planned = filled.iter().filter_map(|&(table, column)| {
            let sequence = self.target.tables.get(table)?.column(column)?.sequence.as_ref()?;
            let column = SequenceColumn { table, column, sequence };
            Some(PlannedSequence::for_column(plan, self.source.schema(), column, &BTreeMap::new()))
        });
        let planned: Vec<PlannedSequence> = planned.collect();
        let highest = session.highest_ids(&plan.schema, &filled)?;
        let states = session.sequence_states(&plan.schema, &planned)?;
        let mut taken = Vec::new();
        for ((shifted, &(table, column)), highest) in shifted.iter().zip(&filled).zip(highest) {
            let own = planned.iter().zip(&states).find(|(planned, _)| {
                planned.columns.iter().any(|counted| counted.table == table && counted.column == column)
            });
            let issued = own.map_or(0, |(_, state)| state.next.unwrap_or(i64::MAX).saturating_sub(1));
            let theirs = theirs.get(table).copied();
            let ids = source_ids(plan, self.source, self.settled, shifted)?;
            if holds_rows(table) || theirs.is_some() {
                let taken = highest.unwrap_or(0).max(issued).max(theirs.unwrap_or(0));
                let lowest = ids.map_or(1, |ids| ids.first).min(1);
                let shift = taken.max(0).saturating_sub(lowest).saturating_add(1);
                chosen.shifts.insert(table.to_owned(), shift);
            }
            let shared = ids.filter(|_| self.shared.contains(table));
            taken.extend(shared.map(|ids| (table, ids, own.and_then(|(planned, _)| planned.counter))));
        }
        chosen.even_out(&plan.shift_groups);
        for (table, IdRange { first, last }, counter) in taken {
            let shift = chosen.shifts.get(table).copied().unwrap_or(0);
            let last = last.max(counter.unwrap_or(last)).saturating_add(shift);
            chosen.reserved.insert(table.to_owned(), IdRange { first: first.saturating_add(shift), last });
        }
        Ok(chosen)
    }

    /// The highest ids that other runs have reserved.
    fn reserved(&self, session: &mut Session) -> Result<BTreeMap<String, i64>, Stop> {
        let tables: Vec<&str> = self.plan.shifts.iter().map(|shifted| shifted.table.as_str()).collect();
        if tables.is_empty() || !matches!(session.ledger_state()?, LedgerState::Version(_)) {
            return Ok(BTreeMap::new());
        }
        Ok(session.reserved_ids(&self.plan.schema, &tables, 0)?)
    }
}

/// The lowest and the highest id that the loads into a table bring, as they are converted: a text or a real can be an id too.
///
/// # Errors
/// If the source cannot be read.
pub fn source_ids(plan: &Plan, source: &Source, settled: &Settled, shifted: &Shifted) -> Result<Option<IdRange>, Stop> {
    let mut ids: Option<IdRange> = None;
    for load in plan.loads.iter().filter(|load| load.table == shifted.table) {
        let Some(column) = load.columns.iter().find(|c| c.name == shifted.column) else { continue };
        let encoder = RowEncoder::project(load, vec![column.clone()], settled).map_err(Stop::Refused)?;
        let (mut image, mut notes) = (Vec::new(), Notes::default());
        source.reader()?.each(&load.select, KeyRange::ALL, |row| {
            image.clear();
            if encoder.encode(row, &mut image, &mut notes)
                && let Some(id) = key(&image, &[0], &[Comparison::Integer]).map(|id| id as i64)
            {
                let IdRange { first, last } = ids.unwrap_or(IdRange { first: id, last: id });
                ids = Some(IdRange { first: first.min(id), last: last.max(id) });
            }
            CONTINUE
        })?;
    }
    Ok(ids)
}
