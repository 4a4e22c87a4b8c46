//! The owner of the stamped rows, as the target has it now.

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate;
use crate::model::cell::RawBuf;
use crate::model::ledger::MadeKind;
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
    let key = reconnect.retrying(session, |session| match migrate::owner::find(session, plan, &settled) {
        Err(Stop::Refused(_)) => Ok(None),
        found => found,
    })?;
    let row = ledger.made.iter().find(|made| made.kind == MadeKind::Owner);
    Ok(OwnerState::new(key.or_else(|| row.and_then(|made| made.became.clone())), row.is_some(), settled))
}
