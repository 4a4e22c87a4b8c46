//! The plans of a fleet: one for each schema that its files have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::OnSchema;
use crate::convert::Settled;
use crate::migrate;
use crate::migrate::fleet::{refuse, shared};
use crate::model::ledger::Run;
use crate::model::record::{Refusal, Report};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::plan::Plan;
use crate::resume;
use crate::sqlite::{Source, SourceError, SourceOptions};

use super::super::failure::Failure;
use super::super::plan;
use super::super::session::Migration;

/// A plan for files of one schema.
pub struct FilePlan {
    pub plan: Plan,
    pub target: TargetSchema,
    /// The constants of the run, without the values of a file.
    pub settled: Settled,
    /// The fleet's run, if it was there when the plan was made.
    pub run: Option<Run>,
}

impl FilePlan {
    /// A refusal for each loaded table that the fleet began without: its rows could not be compared at the end.
    pub fn tables_without_images(&self, run: &Run) -> Vec<Refusal> {
        let loads = self.plan.loads.iter().filter(|load| !shared::is_shared(load));
        let tables: BTreeSet<&String> = loads.map(|load| &load.table).collect();
        let unknown = tables.into_iter().filter(|table| !run.judged.images.contains_key(*table));
        let refusal = |table: &String| {
            Refusal::new(
                format!("load.{table}"),
                "the file on which the fleet began has no rows for this table, so that the fleet cannot prove them",
                "Load this file alone: `migrate -s FILE --owner COLUMN=VALUE`.",
            )
        };
        unknown.map(refusal).collect()
    }
}

/// Opens a file whose reading ends when the process is asked to stop.
///
/// # Errors
/// If it cannot be read.
pub fn open(m: &Migration<'_>, path: &str) -> Result<Source, SourceError> {
    Source::open(Path::new(path), &m.source_options(1))
}

/// The plans that this process made.
pub struct Plans<'m> {
    m: &'m Migration<'m>,
    on_schema: OnSchema,
    known: BTreeMap<String, Result<Arc<FilePlan>, Vec<Refusal>>>,
    /// The schema of the first file.
    first: Option<String>,
    /// Ends the reading of a file.
    asked: Arc<AtomicBool>,
}

impl<'m> Plans<'m> {
    pub fn new(m: &'m Migration<'m>, on_schema: OnSchema) -> Plans<'m> {
        Plans { m, on_schema, known: BTreeMap::new(), first: None, asked: Arc::clone(&m.world().asked) }
    }

    /// Lets files be read to their end when the process is asked to stop.
    pub fn finish_files(&mut self) {
        self.asked = Arc::default();
    }

    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(&self, path: &str) -> Result<Source, SourceError> {
        let asked = Arc::clone(&self.asked);
        Source::open(Path::new(path), &SourceOptions { asked, ..self.m.source_options(1) })
    }

    /// Returns the plan for a file, or the refusals. The report gets the warnings of each plan once.
    ///
    /// # Errors
    /// If the target cannot be asked.
    pub fn of(
        &mut self,
        session: &mut Session,
        source: &Source,
        report: &mut Report,
    ) -> Result<Result<Arc<FilePlan>, Vec<Refusal>>, Failure> {
        let schema = source.facts().schema.clone();
        if let Some(known) = self.known.get(&schema) {
            return Ok(known.clone());
        }
        let made = match self.first.as_ref().filter(|_| self.on_schema == OnSchema::Refuse) {
            Some(_) => Err(vec![another_schema()]),
            None => self.make(session, source, report)?,
        };
        if made.is_ok() {
            self.first.get_or_insert_with(|| schema.clone());
        }
        self.known.insert(schema, made.clone());
        Ok(made)
    }

    fn make(
        &self,
        session: &mut Session,
        source: &Source,
        report: &mut Report,
    ) -> Result<Result<Arc<FilePlan>, Vec<Refusal>>, Failure> {
        let found = plan::look(self.m, source, session)?;
        if let Some(refusal) = resume::unusable(&found.ledger.state) {
            return Ok(Err(vec![refusal]));
        }
        let run = found.ledger.run.clone();
        let mut own = Report::new(report.command, &report.mapping);
        let made = plan::make(self.m, source, Some(&found), &mut own)?;
        let new = own.warnings.into_iter().filter(|warning| !report.warnings.contains(warning));
        let new: Vec<_> = new.collect();
        report.warnings.extend(new);
        let Some((plan, target)) = made else { return Ok(Err(own.refusals)) };
        let refusals = refuse::refusals(&plan);
        if !refusals.is_empty() {
            return Ok(Err(refusals));
        }
        let (doubts, warnings) = migrate::preflight::zone_data::compare(session, &plan).map_err(Failure::refused)?;
        report.warnings.extend(warnings);
        let settled = Settled { doubts: Arc::new(doubts), ..self.m.constants(run.as_ref()) };
        Ok(Ok(Arc::new(FilePlan { plan, target, settled, run })))
    }
}

fn another_schema() -> Refusal {
    Refusal::new(
        "source",
        "its tables are not those of the fleet's first file, and --on-schema refuse was given",
        "Leave that flag out: the file then gets a plan of its own. Or bring the file to the same version of the application.",
    )
}
