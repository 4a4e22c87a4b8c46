//! The end of a fleet: the sequences are set past its ids, and all rows of all files are compared once.

use std::collections::BTreeMap;

use crate::job::Stop;
use crate::model::digest::{Digest, row_hash};
use crate::model::hex::unhex;
use crate::model::ledger::Run;
use crate::model::record::{Check, CheckKind, NumberedBy};
use crate::model::schema::TargetSchema;
use crate::pg::{ReadBack, Session};
use crate::plan::sequences::PlannedSequence;
use crate::plan::{CountedColumn, Plan};

use super::ids;
use super::sums::{self, FleetSums};

/// A fleet at its end.
#[derive(Clone, Copy)]
pub struct WholeFleet<'a> {
    pub plan: &'a Plan,
    pub target: &'a TargetSchema,
    pub run: &'a Run,
}

impl WholeFleet<'_> {
    /// Moves each sequence of a loaded table past the ids that are there and past those that were reserved.
    ///
    /// # Errors
    /// If the target refuses or the connection is lost; [`Stop::Fenced`] if another process took the run over.
    pub fn set_sequences(&self, session: &mut Session) -> Result<(), Stop> {
        let ranges = session.ranges(self.run.id)?;
        let planned = self.sequences(&ranges);
        let is_mine = session.advance_sequences(self.run, &self.plan.schema, &planned, false)?;
        if is_mine { Ok(()) } else { Err(Stop::Fenced) }
    }

    /// Checks that each sequence of a loaded table and of the owner's table is past every id that is there. Ids that a worker reserved
    /// after the end of the fleet are never used: its file belongs to another one.
    ///
    /// # Errors
    /// If the target refuses or the connection is lost.
    pub fn sequences_are_past(&self, session: &mut Session) -> Result<Check, Stop> {
        let planned = self.sequences(&BTreeMap::new());
        let states = session.sequence_states(&self.plan.schema, &planned)?;
        let not_past = planned.iter().zip(states).filter(|(planned, state)| !planned.is_past(*state));
        let names: Vec<&str> = not_past.map(|(planned, _)| planned.sequence.name.as_str()).collect();
        let found = if names.is_empty() { "all past".to_owned() } else { format!("not past: {}", names.join(", ")) };
        Ok(Check::compared(CheckKind::Sequences, None, "all past".to_owned(), found))
    }

    /// Returns the next value of the sequence of each column, by the name of the column's range.
    ///
    /// # Errors
    /// If the target refuses or the connection is lost.
    pub fn next_values(&self, session: &mut Session) -> Result<BTreeMap<String, i64>, Stop> {
        let planned = self.sequences(&BTreeMap::new());
        let states = session.sequence_states(&self.plan.schema, &planned)?;
        let next = planned.iter().zip(states).filter_map(|(planned, state)| {
            let column = planned.columns.first()?;
            Some((ids::range_name(&column.table, &column.column), state.next?))
        });
        Ok(next.collect())
    }

    /// The sequences of the loaded tables and of the owner's table.
    fn sequences(&self, ranges: &BTreeMap<String, i64>) -> Vec<PlannedSequence> {
        let owner = self.plan.owner.iter().map(|owner| &owner.table);
        let mut tables: Vec<&String> = self.plan.loads.iter().map(|load| &load.table).chain(owner).collect();
        tables.sort();
        tables.dedup();
        let mut found = Vec::new();
        for table in tables {
            let columns = self.target.tables.get(table).into_iter().flat_map(|facts| &facts.columns);
            found.extend(columns.filter_map(|column| {
                let counted = CountedColumn { table: table.clone(), column: column.name.clone(), negated: false };
                Some(PlannedSequence {
                    sequence: column.sequence.clone()?,
                    counter: ranges.get(&ids::range_name(table, &column.name)).map(|next| next.saturating_sub(1)),
                    columns: vec![counted],
                    by: NumberedBy::Column,
                })
            }));
        }
        found
    }
}

/// The rows of a fleet as one snapshot of the target has them.
pub struct ComparedFleet {
    /// The sums of the ledger.
    pub sums: FleetSums,
    /// Their comparison with the tables.
    pub checks: Vec<Check>,
}

/// Reads every table of a fleet once, and compares its rows with those that were there before and those of all files. Needs neither
/// mapping nor files. Ledger and tables are read in one snapshot, so that workers may load files meanwhile.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn compared(session: &mut Session, run: &Run) -> Result<ComparedFleet, Stop> {
    session.begin_snapshot(false)?;
    let compared = sums::read(session, run).and_then(|sums| {
        let checks = compare(session, run, &sums)?;
        Ok(ComparedFleet { sums, checks })
    });
    session.end_snapshot();
    compared
}

fn compare(session: &mut Session, run: &Run, sums: &FleetSums) -> Result<Vec<Check>, Stop> {
    let judged = &run.judged;
    let mut checks = Vec::new();
    for (table, columns) in &judged.images {
        let ours = sums.tables.get(table).copied().unwrap_or_default();
        let is_owners = judged.fleet.as_ref().is_some_and(|fleet| fleet.owner_table == *table);
        let made = if is_owners { sums.made } else { 0 };
        let held = judged.holding.get(table).copied().unwrap_or(0);
        let (mut digest, seed) = (Digest::default(), run.seed);
        let what = ReadBack { schema: &judged.schema, table, columns, only: None };
        let rows = session.read_back(&what, &mut |image| digest.add(row_hash(image, seed)))?;
        let place = shown(&judged.schema, table);
        let words = |rows: u64| format!("{rows} rows");
        checks.push(Check::compared(CheckKind::Rows, Some(&place), words(held + ours.rows + made), words(rows)));
        // The owners' rows that the fleet made are not in its sums.
        if !is_owners {
            let before = judged.before.get(table).and_then(|text| Digest::from_bytes(&unhex(text)?));
            let before = before.map_or(0, |digest| digest.total());
            checks.push(content(&place, before.wrapping_add(ours.sum), digest.total()));
        }
    }
    Ok(checks)
}

/// The check of the rows of a table: those before the fleet and those of all files.
fn content(place: &str, expected: u128, found: u128) -> Check {
    let words = |sum: u128| format!("rows with the sum {sum:032x}");
    let mut check = Check::compared(CheckKind::Content, Some(place), words(expected), words(found));
    if expected != found {
        check.why =
            Some("a row of a file, or one that was there before, was changed, removed or added since".to_owned());
    }
    check
}

fn shown(schema: &str, table: &str) -> String {
    format!("{schema}.{table}")
}
