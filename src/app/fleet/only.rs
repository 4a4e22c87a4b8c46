//! The files that `--only` names.

use crate::model::ledger::Run;
use crate::model::record::{Refusal, Report};
use crate::pg::Session;
use crate::pg::ledger::members::LoadedMember;

use super::super::failure::Failure;

/// The loaded files of these owners, each once. `None` if one names no file or several; the report has the reasons.
pub fn members(
    session: &mut Session,
    run: &Run,
    only: &[String],
    report: &mut Report,
) -> Result<Option<Vec<LoadedMember>>, Failure> {
    let mut members: Vec<LoadedMember> = Vec::new();
    for owner in only {
        let (column, value) = owner.split_once('=').map_or((None, owner.as_str()), |(name, value)| (Some(name), value));
        let found = session.loaded_members_of(run.id, column, value).map_err(Failure::refused)?;
        match found.as_slice() {
            [] => report.refusals.push(Refusal::new(
                format!("--only {owner}"),
                "no file that is loaded came with this value",
                "`migrate fleet status` says how many files are loaded. Write the value as the manifest or the path has it.",
            )),
            [_] => members.extend(found),
            several => report.refusals.push(Refusal::new(
                format!("--only {owner}"),
                format!("{} files that are loaded came with this value", several.len()),
                "Write COLUMN=VALUE, with a column that tells them apart.",
            )),
        }
    }
    members.sort_by_key(|member| member.member);
    members.dedup_by_key(|member| member.member);
    Ok(report.refusals.is_empty().then_some(members))
}
