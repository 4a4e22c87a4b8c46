//! Removes the rows of one file again, exactly: by the ids that were reserved for it, and without the file.

use crate::job::Stop;
use crate::model::ledger::Run;
use crate::pg::ledger::members::DoneMember;
use crate::pg::member::reserved_rows;
use crate::pg::member_removal::RemovedRows;
use crate::pg::{ReadBack, Session};

use super::proof;

/// The outcome of removing a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRemoval {
    /// Its rows are removed; their number.
    Removed(u64),
    /// Nothing was removed, for this reason.
    Refused(String),
    /// Another process changed its state meanwhile.
    Fenced,
}

/// Removes the rows of a member in one transaction, if each of them is as it was sent and nothing else refers to one.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn remove(session: &mut Session, run: &Run, member: &DoneMember) -> Result<MemberRemoval, Stop> {
    let judged = &run.judged;
    let schema = judged.schema.as_str();
    let Some(mut tx) = session.begin_removal(run, member.member)? else { return Ok(MemberRemoval::Fenced) };
    let mut removed = 0;
    // Children were written after their parents.
    for sent in member.rows.iter().rev() {
        let refused = |why: String| Ok(MemberRemoval::Refused(format!("{}: {why}", sent.table)));
        let (Some(ids), Some(columns)) = (&sent.ids, judged.images.get(&sent.table)) else {
            return refused(
                "no ids were reserved for its rows, so they cannot be distinguished from those of others".to_owned(),
            );
        };
        let triggers = tx.deleting_triggers(schema, &sent.table)?;
        if !triggers.is_empty() {
            return refused(format!("{} would run for each row that is removed", triggers.join(", ")));
        }
        let what = ReadBack { schema, table: &sent.table, columns, only: Some(reserved_rows("", ids)) };
        if let Some(how) = proof::difference(&mut tx, run, &what, sent)? {
            return Ok(MemberRemoval::Refused(how));
        }
        let rows = RemovedRows::Reserved(ids);
        if let Some(first) = tx.references_to(schema, &sent.table, &rows)?.first() {
            return refused(format!("rows of {} refer to its rows ({})", first.child, first.name));
        }
        let deleted = tx.delete_rows(schema, &sent.table, &rows)?;
        if deleted != sent.rows {
            return refused(format!("{deleted} of {} rows were deleted; something keeps the others", sent.rows));
        }
        removed += deleted;
    }
    if let (true, Some(key), Some(fleet)) = (member.made, &member.owner, &judged.fleet) {
        let (table, owner) = (&fleet.owner_table, RemovedRows::Owner { column: &fleet.owner_key, key });
        if let Some(first) = tx.references_to(schema, table, &owner)?.first() {
            let why = format!("{table}: rows of {} refer to the owner's row ({})", first.child, first.name);
            return Ok(MemberRemoval::Refused(why));
        }
        if tx.delete_rows(schema, table, &owner)? != 1 {
            return Ok(MemberRemoval::Refused(format!("{table}: the owner's row is missing")));
        }
    }
    tx.commit_removal(run, member.member)?;
    Ok(MemberRemoval::Removed(removed))
}
