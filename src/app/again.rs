//! A run that goes on with a file that was written to since it began: what was committed is read again first.
//!
//! Part of [`Way`]; where the decision is made stands in `cutover`.

use crate::convert::Settled;
use crate::job::Stop;
use crate::migrate;
use crate::model::cell::RawBuf;
use crate::model::record::{Refusal, Report, Warning};
use crate::pg::Session;
use crate::sqlite::stamp;
use crate::verify::{Subject, changed_source};

use super::ending::Owner;
use super::way::{Known, Manner, Planned, Way};

impl Way<'_> {
    /// Whether the source still makes what was committed of it, though its stamp is another one: refusals where it does
    /// not. `None`: another schema or another dump, of which nothing more has to be known.
    pub(super) fn source_again(
        &self,
        session: &mut Session,
        planned: Planned<'_>,
        known: &Known,
        report: &mut Report,
    ) -> Result<Option<Vec<Refusal>>, Stop> {
        let Some(run) = known.run.as_ref().filter(|run| stamp::have_same_schema(&run.stamp, &planned.source.stamp()))
        else {
            return Ok(None);
        };
        let settled = self.settled(Some(run));
        let owner = migrate::owner::find(session, planned.plan, &settled)?;
        let settled = Settled { owner: owner.clone().map(RawBuf::text), ..settled };
        let owner = Owner { key: owner, made: false };
        let subject =
            Subject { later: true, show_values: false, ..self.subject(planned, (run, known), (&owner, &settled)) };
        let mut refusals = changed_source::committed_rows(&subject, session)?;
        // What was set aside is nothing that would have to be taken out.
        if self.manner != Manner::Rollback {
            refusals.extend(changed_source::quarantined_rows(&subject, session)?);
        }
        if refusals.is_empty() {
            let message = "was written to since the run began; what is committed of it was read again and is the same";
            report.warnings.push(Warning::new("source", message));
        }
        Ok(Some(refusals))
    }
}
