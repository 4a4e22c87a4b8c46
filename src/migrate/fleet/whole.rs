//! The end of a fleet: the sequences are set past its ids, and all rows of all files are compared once.

use std::collections::BTreeMap;

use crate::job::Stop;
use crate::model::digest::{Digest, row_hash};
use crate::model::hex::unhex;
use crate::model::ledger::Run;
use crate::model::record::{Check, CheckKind, NumberedBy, RunState};
use crate::model::schema::TargetSchema;
use crate::pg::{ReadBack, Session};
use crate::plan::sequences::PlannedSequence;
use crate::plan::{CountedColumn, Plan};

use super::ids;
use super::sums::{self, FleetRows, FleetSums};

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
        let mut checks = compare(session, run, &sums)?;
        let schema = &run.judged.schema;
        let distributed = session.distributed_tables(schema)?.into_iter();
        let compared = distributed.filter(|(table, _)| run.judged.images.contains_key(table));
        checks.extend(compared.map(|(table, placement)| placement.unseen_at_once(schema, &table)));
        Ok(ComparedFleet { sums, checks })
    });
    session.end_snapshot();
    compared
}

fn compare(session: &mut Session, run: &Run, sums: &FleetSums) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    // From its first end on, the application may work with the rows, even if further files are loaded.
    let is_in_use = run.state == RunState::Done || session.has_ended(run.id)?;
    for table in run.judged.images.keys() {
        let place = shown(&run.judged.schema, table);
        let found = read_rows(session, run, table, None)?;
        let held = run.judged.holding.get(table).copied().unwrap_or(0);
        // The owners' rows that the fleet made are not in its sums.
        if let Some(fleet) = run.judged.fleet.as_ref().filter(|fleet| fleet.owner_table == *table) {
            let made = session.made_owners(run, table, &fleet.owner_key)?;
            checks.push(match made == sums.made {
                true => owners(&place, held + sums.made, found.rows, is_in_use),
                false => made_owners(&place, sums.made, made),
            });
            continue;
        }
        let ours = sums.tables.get(table).cloned().unwrap_or_default();
        let before = run.judged.before.get(table).and_then(|text| Digest::from_bytes(&unhex(text)?));
        let before = before.map_or(0, |digest| digest.total());
        let expected = FleetRows { rows: held + ours.rows, sum: before.wrapping_add(ours.sum), ids: None };
        if let Some(ids) = ours.ids.as_ref().filter(|_| is_in_use && expected != found) {
            // The application has worked since. Its rows have other ids, and those of the fleet must be as they were.
            let only = ids.condition();
            checks.extend(rows(
                &place,
                &FleetRows { ids: None, ..ours.clone() },
                &read_rows(session, run, table, Some(only))?,
            ));
            checks.push(Check::not_checked(CheckKind::Others, Some(&place), since(expected.rows, found.rows)));
            continue;
        }
        checks.extend(rows(&place, &expected, &found));
    }
    Ok(checks)
}

/// Reads the rows of a table that meet a condition.
fn read_rows(session: &mut Session, run: &Run, table: &str, only: Option<String>) -> Result<FleetRows, Stop> {
    let (mut digest, seed) = (Digest::default(), run.seed);
    let columns = run.judged.images.get(table).map_or(&[][..], Vec::as_slice);
    let what = ReadBack { schema: &run.judged.schema, table, columns, only };
    let rows = session.read_back(&what, &mut |image| digest.add(row_hash(image, seed)))?;
    Ok(FleetRows { rows, sum: digest.total(), ids: None })
}

/// The checks of the rows of a table and of their contents.
fn rows(place: &str, expected: &FleetRows, found: &FleetRows) -> [Check; 2] {
    let words = |rows: u64| format!("{rows} rows");
    let rows = Check::compared(CheckKind::Rows, Some(place), words(expected.rows), words(found.rows));
    [rows, content(place, expected.sum, found.sum)]
}

/// The check of the owners' table if rows that the fleet made are missing.
fn made_owners(place: &str, made: u64, found: u64) -> Check {
    let words = |owners: u64| format!("{owners} owners of the files");
    Check::compared(CheckKind::Owners, Some(place), words(made), words(found))
}

/// The check of the owners' table. Owners who came after the end of the fleet are no difference.
fn owners(place: &str, expected: u64, found: u64, is_in_use: bool) -> Check {
    if is_in_use && found > expected {
        return Check::not_checked(CheckKind::Owners, Some(place), since(expected, found));
    }
    let words = |owners: u64| format!("{owners} owners");
    Check::compared(CheckKind::Owners, Some(place), words(expected), words(found))
}

fn since(expected: u64, found: u64) -> String {
    match found.checked_sub(expected) {
        Some(0) => "rows that the fleet did not bring were changed since its end".to_owned(),
        Some(1) => "1 row was added since the end of the fleet".to_owned(),
        Some(more) => format!("{more} rows were added since the end of the fleet"),
        None => format!("{} rows that the fleet did not bring were removed since its end", expected - found),
    }
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
