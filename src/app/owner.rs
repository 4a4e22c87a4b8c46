//! The owner of the stamped rows, as the target has it now.

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate;
use crate::model::cell::RawBuf;
use crate::model::ledger::{MadeKind, Run};
use crate::pg::Session;
use crate::pg::ledger::LedgerView;
use crate::plan::Plan;

use super::session::Migration;

/// The owner of the stamped rows, as the target has it now.
pub struct OwnerState {
    /// `None` if there is no owner, or if it is ambiguous.
    pub key: Option<String>,
    /// True if the run made the row.
    pub made: bool,
    /// The constants of the run, with this owner.
    pub settled: Settled,
}

impl OwnerState {
    pub fn new(key: Option<String>, made: bool, settled: Settled) -> OwnerState {
        let settled = Settled { owner: key.clone().map(RawBuf::text), ..settled };
        OwnerState { key, made, settled }
    }
}

/// Reads the owner from the target. The checks report an ambiguous owner as a difference.
pub fn read(m: &Migration<'_>, session: &mut Session, plan: &Plan, ledger: &LedgerView) -> Result<OwnerState, Stop> {
    let (reconnect, settled) = (m.reconnect(), m.constants(ledger.run.as_ref()));
    let key = reconnect.retrying(session, |session| unless_ambiguous(migrate::owner::find(session, plan, &settled)))?;
    Ok(recorded(key, ledger, settled))
}

/// Reads the ledger of the run of this process, and the owner as [`read`] does.
pub fn read_with_ledger(
    m: &Migration<'_>,
    session: &mut Session,
    plan: &Plan,
    run: &Run,
) -> Result<(LedgerView, OwnerState), Stop> {
    let settled = m.constants(Some(run));
    let (ledger, key) = m.reconnect().retrying(session, |session| {
        let query = unless_ambiguous(migrate::owner::query(session, plan, &settled))?;
        let (ledger, found) = m.read_own_ledger(session, query.as_ref())?;
        let key = match plan.settled_owner().zip(found) {
            Some((owner, found)) => unless_ambiguous(migrate::owner::one(owner, found))?,
            None => None,
        };
        Ok((ledger, key))
    })?;
    let owner = recorded(key, &ledger, settled);
    Ok((ledger, owner))
}

/// `None` instead of the refusal of an owner that cannot be identified.
fn unless_ambiguous<T>(found: Result<Option<T>, Stop>) -> Result<Option<T>, Stop> {
    match found {
        Err(Stop::Refused(_)) => Ok(None),
        found => found,
    }
}

/// The owner that was found, or else the row that the ledger records.
fn recorded(key: Option<String>, ledger: &LedgerView, settled: Settled) -> OwnerState {
    let row = ledger.made.iter().find(|made| made.kind == MadeKind::Owner);
    OwnerState::new(key.or_else(|| row.and_then(|made| made.became.clone())), row.is_some(), settled)
}
