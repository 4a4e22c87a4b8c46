//! Everything that a command needs of the ledger, in one round trip.

use std::collections::BTreeMap;

use postgres::Row;

use super::{LedgerColumns, batches, run, side_effects};
use crate::model::ledger::{LEDGER_VERSION, LedgerState, LoadDone, Made, Run};
use crate::pg::detach::{self, Detached};
use crate::pg::error::ServerError;
use crate::pg::owner::{OwnerFound, OwnerQuery};
use crate::pg::query::TypedQuery;
use crate::pg::session::Session;

/// The names by which the ledger finds a run.
#[derive(Clone, Copy, Debug)]
pub struct RunName<'a> {
    /// The mapping's name.
    pub mapping: &'a str,
    /// The owner, as a part of the run's identity.
    pub owner: &'a str,
}

/// The ledger's view of the run of a mapping.
#[derive(Default)]
pub struct LedgerView {
    /// The ledger's version, if the schema contains a ledger.
    pub state: LedgerState,
    /// The run; `None` if there is none that was not rolled back.
    pub run: Option<Run>,
    /// Its loads, by name.
    pub done: BTreeMap<String, LoadDone>,
    /// The objects that it detached.
    pub detached: Vec<Detached>,
    /// The objects that it made or moved in addition to its rows.
    pub made: Vec<Made>,
}

/// The run of `$1` and `$2`, a mapping and an owner.
const RUN: &str = "(SELECT run FROM :ledger.run WHERE mapping = $1 AND owner = $2 AND state <> 'RolledBack')";

impl Session {
    /// Reads the ledger. Of a newer ledger, only the version. The `others` are sent along, and their rows returned.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub(in crate::pg) fn ledger_view_and(
        &mut self,
        columns: &LedgerColumns,
        name: RunName<'_>,
        others: Vec<TypedQuery<'_>>,
    ) -> Result<(LedgerView, Vec<Vec<Row>>), ServerError> {
        let (RunName { mapping, owner }, count) = (name, others.len());
        let mut queries = others;
        queries.extend(columns.version_query(&self.ledger));
        let has_version = queries.len() > count;
        if columns.are_complete() {
            let of_run = batches::queries(&self.ledger, RUN).into_iter();
            let of_run = of_run
                .chain([detach::detached_query(&self.ledger, RUN), side_effects::query(&self.ledger, RUN)])
                .map(|query| query.with(&mapping).with(&owner));
            queries.push(run::query(&self.ledger, &mapping, &owner));
            queries.extend(of_run);
        }
        let mut answers = self.ask_all(queries)?;
        let mut of_ledger = answers.split_off(count).into_iter();
        let mut next = || of_ledger.next().unwrap_or_default();
        let versions = if has_version { next() } else { Vec::new() };
        let state = columns.state(&self.ledger.schema, &versions)?;
        let mut view = LedgerView { state, ..LedgerView::default() };
        if matches!(view.state, LedgerState::Version(version) if version <= LEDGER_VERSION) {
            view.run = next().first().map(run::run).transpose()?;
            view.done = batches::loads([next(), next(), next()])?;
            let id = view.run.as_ref().map_or(0, |run| run.id);
            view.detached = next().iter().map(|row| self.recorded(id, row)).collect::<Result<_, _>>()?;
            view.made = side_effects::made(&next())?;
        }
        Ok((view, answers))
    }

    /// Reads the ledger of a run of this process, and looks for its owner if there is one, in the same round trip.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub fn ledger_view_and_owner(
        &mut self,
        name: RunName<'_>,
        owner: Option<&OwnerQuery>,
    ) -> Result<(LedgerView, Option<OwnerFound>), ServerError> {
        let others = owner.map(OwnerQuery::query).into_iter().collect();
        let (view, found) = self.ledger_view_and(&LedgerColumns::checked(), name, others)?;
        let found = owner.zip(found.first()).map(|(owner, rows)| owner.found(rows)).transpose()?;
        Ok((view, found))
    }

    /// Reads the ledger. Of a newer ledger, only the version.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger holds a value that this version cannot read.
    pub fn ledger_view(&mut self, columns: &LedgerColumns, name: RunName<'_>) -> Result<LedgerView, ServerError> {
        Ok(self.ledger_view_and(columns, name, Vec::new())?.0)
    }
}
