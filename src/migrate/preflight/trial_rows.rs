//! Rows that the server tries on a temporary table: those that may be too large for an index, whose real size depends on the
//! server's compression, and all rows of a table with exclusion constraints, which compare rows with each other.
//!
//! The server refuses the rows of a batch together. The batch is then halved until the row is found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::migrate::indexes::index_width::{SURE_INDEX_ROW, may_be_wide};
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::CheckKind;
use crate::pg::asked_rows::{AskedRows, ReadColumn, TableName};
use crate::pg::trial::{ColumnStorage, TrialColumn, TrialObject, TrialTable};
use crate::pg::values::ValueArray;
use crate::pg::{Blame, ServerError, Session};
use crate::plan::LoadPlan;

use super::checked_load::{CheckedLoad, CheckedRows, Unchecked};
use super::row_conditions::MOST_RAISING;

/// The factor by which an expression may make a value longer: some letters grow in another case.
const EXPRESSION_GROWS: usize = 2;

/// The OID of the type text.
const TEXT: u32 = 25;

/// The trial of one load's rows.
pub struct TrialRows {
    schema: String,
    table: TrialTable,
    /// For each column of the temporary table, its index in the load.
    places: Vec<usize>,
    /// The indexes that decide which rows are tried. Empty if all are.
    wide: Vec<WideIndex>,
    /// Indexes that cannot be tried, with the reason.
    untried: Vec<(WideIndex, String)>,
    /// True if the target's rows are compared with those of the run.
    holds_rows: bool,
    progress: Mutex<TrialProgress>,
}

/// The state of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrialProgress {
    /// No row needed the temporary table so far.
    NotMade,
    /// It exists. The number of rows that it refused.
    Made { refused: u64 },
    /// The server cannot be asked, or too many rows were refused.
    GivenUp { is_made: bool },
}

/// An index whose rows may be too large.
struct WideIndex {
    index: String,
    /// The columns that it reads.
    places: Vec<usize>,
    /// Bytes in these columns that always fit.
    sure: usize,
    /// The number of larger rows.
    rows: AtomicU64,
}

impl WideIndex {
    fn may_refuse(&self, batch: &Batch<'_>, row: usize) -> bool {
        let image = batch.images(row..row + 1);
        let is_wide = self.places.iter().filter_map(|n| field(image, *n)?.1).sum::<usize>() > self.sure;
        if is_wide {
            self.rows.fetch_add(1, Ordering::Relaxed);
        }
        is_wide
    }
}

impl TrialRows {
    /// The trial of a load. `knows_skipped_rows`: it is known in advance which rows `conflict` skips.
    pub fn new<'o>(
        checked: CheckedLoad<'_>,
        objects: impl Iterator<Item = &'o TrialObject>,
        knows_skipped_rows: bool,
        unchecked: &mut Unchecked<'_>,
    ) -> TrialRows {
        let CheckedLoad { load, target, all, .. } = checked;
        let number = all.iter().position(|l| l.name == load.name).unwrap_or(0);
        let holds_rows = target.tables.get(&load.table).is_some_and(|table| table.has_rows);
        let table = TrialTable { name: format!("migrate_trial_{number}"), columns: Vec::new(), objects: Vec::new() };
        let mut trial = TrialRows {
            schema: target.schema.clone(),
            table,
            places: Vec::new(),
            wide: Vec::new(),
            untried: Vec::new(),
            holds_rows,
            progress: Mutex::new(TrialProgress::NotMade),
        };
        for object in objects {
            let places = if knows_skipped_rows { places(checked, object) } else { Err(SKIPS.to_owned()) };
            match places {
                Err(why) if object.is_exclusion => unchecked.note(CheckKind::Exclusion, &object.name, &why),
                Err(why) => trial.untried.extend(wide_index(load, object).map(|wide| (wide, why))),
                Ok(places) => {
                    let wide = wide_index(load, object);
                    if wide.is_some() || object.is_exclusion {
                        trial.add(load, object, &places);
                    }
                    trial.wide.extend(wide);
                }
            }
        }
        if trial.table.keeps_rows() {
            trial.wide.clear();
        }
        trial
    }

    /// Adds an object of the table, and the columns that it reads.
    fn add(&mut self, load: &LoadPlan, object: &TrialObject, places: &[usize]) {
        self.table.objects.push(object.clone());
        for (stored, place) in object.columns.iter().zip(places) {
            if !self.places.contains(place) {
                self.places.push(*place);
                let kind = load.columns[*place].kind.name.clone();
                self.table.columns.push(TrialColumn { stored: ColumnStorage::clone(stored), kind });
            }
        }
    }

    /// Returns true if no row has to be tried.
    pub fn is_idle(&self) -> bool {
        self.table.objects.is_empty() && self.untried.is_empty()
    }

    /// Returns true if the rows must be read in their order: the later of two rows is at fault.
    pub fn needs_order(&self) -> bool {
        self.table.keeps_rows()
    }

    /// Returns the rows of a batch that the server would refuse.
    pub fn refused(
        &self,
        session: &mut Session,
        rows: &CheckedRows<'_>,
        unchecked: &mut Unchecked<'_>,
    ) -> BTreeMap<usize, Blame> {
        self.untried.iter().for_each(|(wide, _)| {
            rows.rows.iter().for_each(|row| _ = wide.may_refuse(rows.batch, *row));
        });
        let mut found = BTreeMap::new();
        let is_tried =
            |row: &usize| self.table.keeps_rows() || self.wide.iter().any(|wide| wide.may_refuse(rows.batch, *row));
        let tried: Vec<usize> = rows.rows.iter().copied().filter(is_tried).collect();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if !tried.is_empty() && self.is_made(&mut progress, session, rows.load, unchecked) {
            let mut trial = Trial { rows: self, progress: &mut progress, session, unchecked, found: &mut found };
            trial.find(&CheckedRows { rows: &tried, ..*rows });
        }
        found
    }

    /// Makes the temporary table when a row needs it first. Returns false if it cannot be used.
    fn is_made(
        &self,
        progress: &mut TrialProgress,
        session: &mut Session,
        load: &LoadPlan,
        unchecked: &mut Unchecked<'_>,
    ) -> bool {
        if *progress == TrialProgress::NotMade {
            let table = TableName { schema: &self.schema, table: &load.table };
            let copied = (self.holds_rows && self.table.keeps_rows()).then_some(&table);
            *progress = match session.make_trial(&self.table, copied) {
                Ok(()) => TrialProgress::Made { refused: 0 },
                Err(error) => {
                    self.note(&error.to_string(), unchecked);
                    TrialProgress::GivenUp { is_made: false }
                }
            };
        }
        matches!(progress, TrialProgress::Made { .. })
    }

    fn note(&self, why: &str, unchecked: &mut Unchecked<'_>) {
        for object in &self.table.objects {
            let kind = if object.is_exclusion { CheckKind::Exclusion } else { CheckKind::Index };
            unchecked.note(kind, &object.name, why);
        }
    }

    /// Notes what could not be tried, after all rows were read. Returns the name of the temporary table if it was made.
    pub fn end(self, unchecked: &mut Unchecked<'_>) -> Option<String> {
        for (WideIndex { index, rows, sure, .. }, why) in self.untried {
            let rows = rows.into_inner();
            if rows > 0 {
                let why = format!(
                    "{rows} rows have more than {sure} bytes in it, which the server accepts only if it can compress \
                     them; {why}"
                );
                unchecked.note(CheckKind::Index, &index, &why);
            }
        }
        let progress = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_made = matches!(progress, TrialProgress::Made { .. } | TrialProgress::GivenUp { is_made: true });
        is_made.then_some(self.table.name)
    }
}

/// The reason for which no row is tried.
const SKIPS: &str = "it is not known in advance which rows `conflict` skips";

/// Returns the index in the load of each column that an object reads.
///
/// # Errors
/// The reason why the object cannot be tried.
fn places(checked: CheckedLoad<'_>, object: &TrialObject) -> Result<Vec<usize>, String> {
    let CheckedLoad { load, all, target, .. } = checked;
    if object.definition.is_none() || object.columns.is_empty() {
        return Err("it reads whole rows".to_owned());
    }
    if object.calls_code {
        return Err("it calls functions of the application".to_owned());
    }
    if !target.event_triggers.is_empty() {
        return Err("event triggers would run for a temporary table".to_owned());
    }
    if object.is_exclusion && all.iter().filter(|l| l.table == load.table).count() > 1 {
        return Err("several loads write to its table".to_owned());
    }
    if object.is_exclusion && load.conflict.is_some() {
        return Err(SKIPS.to_owned());
    }
    object.columns.iter().map(|column| checked.field(&column.name)).collect()
}

/// Returns an index whose rows may be too large. `None` if they cannot be.
fn wide_index(load: &LoadPlan, object: &TrialObject) -> Option<WideIndex> {
    let place = |column: &ColumnStorage| load.columns.iter().position(|c| c.name == column.name);
    let places: Vec<usize> = object.columns.iter().filter_map(place).collect();
    let may_be_wide = !object.is_exclusion && may_be_wide(places.iter().map(|n| &load.columns[*n].kind.kind));
    let sure = if object.is_computed { SURE_INDEX_ROW / EXPRESSION_GROWS } else { SURE_INDEX_ROW };
    may_be_wide.then(|| WideIndex { index: object.name.clone(), places, sure, rows: AtomicU64::new(0) })
}

/// The trial of the rows of one batch.
struct Trial<'t, 'u> {
    rows: &'t TrialRows,
    progress: &'t mut TrialProgress,
    session: &'t mut Session,
    unchecked: &'t mut Unchecked<'u>,
    found: &'t mut BTreeMap<usize, Blame>,
}

impl Trial<'_, '_> {
    /// Finds the rows that the server refuses.
    fn find(&mut self, rows: &CheckedRows<'_>) {
        let TrialProgress::Made { refused } = *self.progress else { return };
        if rows.rows.is_empty() {
            return;
        }
        match self.ask(rows) {
            Ok(()) => {}
            Err(error) if !error.is_about_rows() => self.give_up(&error.to_string()),
            Err(error) => match rows.rows {
                [row] => {
                    self.found.insert(*row, Blame::of_value(&error));
                    *self.progress = TrialProgress::Made { refused: refused + 1 };
                    if refused + 1 >= MOST_RAISING {
                        self.give_up(&format!("it refuses {MOST_RAISING} rows; only the rows before were checked"));
                    }
                }
                all => {
                    let (first, then) = all.split_at(all.len() / 2);
                    self.find(&CheckedRows { rows: first, ..*rows });
                    self.find(&CheckedRows { rows: then, ..*rows });
                }
            },
        }
    }

    fn give_up(&mut self, why: &str) {
        *self.progress = TrialProgress::GivenUp { is_made: true };
        self.rows.note(why, self.unchecked);
    }

    fn ask(&mut self, rows: &CheckedRows<'_>) -> Result<(), ServerError> {
        let TrialRows { table, places, .. } = self.rows;
        // Types without a binary form are sent as their text.
        let text = ColumnType::new(Kind::Text, TEXT, "text");
        let mut columns: Vec<ValueArray<'_>> = rows.columns(places);
        for column in columns.iter_mut().filter(|column| !column.kind.is_binary()) {
            column.kind = &text;
        }
        // The temporary table has the collations.
        let collations: &[ReadColumn] = &[];
        self.session.try_rows(table, &AskedRows { columns: &columns, collations })
    }
}
