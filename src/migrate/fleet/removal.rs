//! Removes the rows of one file again, exactly: by the ids that were reserved for it, and without the file.

use crate::job::Stop;
use crate::model::fleet::{BegunMember, Claim, MemberRows, MemberState};
use crate::model::ledger::Run;
use crate::model::record::Refusal;
use crate::pg::ledger::members::LoadedMember;
use crate::pg::member::{MemberTransaction, reserved_rows};
use crate::pg::member_removal::RemovedRows;
use crate::pg::{ReadBack, ServerError, Session};

use super::proof;

/// The outcome of removing a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRemoval {
    /// Its rows are removed; their number.
    Removed(u64),
    /// Nothing was removed, for this reason.
    Refused(String),
    /// A worker has it, or another process changed its state meanwhile.
    Fenced,
}

/// Rows of a file that are in the target.
struct RemovableRows<'a> {
    rows: &'a [MemberRows],
    /// The key of the owner's row, if the file made it.
    made: Option<&'a String>,
}

/// Attempts to remove rows while the application changes them.
const ATTEMPTS: usize = 3;

/// Removes the rows of a member in one transaction, if each of them is as it was sent and nothing else refers to one.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn remove(session: &mut Session, run: &Run, member: &LoadedMember) -> Result<MemberRemoval, Stop> {
    unless_changed(session, |session| remove_once(session, run, member))
}

/// Tries again if a row was changed or came to refer to one meanwhile. The next attempt finds it, and says where it is.
fn unless_changed(
    session: &mut Session,
    mut remove: impl FnMut(&mut Session) -> Result<MemberRemoval, Stop>,
) -> Result<MemberRemoval, Stop> {
    for _ in 0..ATTEMPTS {
        match remove(session) {
            Err(Stop::Target(e)) if e.is_concurrent_change() => {}
            removed => return removed,
        }
    }
    Ok(MemberRemoval::Refused("its rows, or rows that refer to them, are being changed".to_owned()))
}

fn remove_once(session: &mut Session, run: &Run, member: &LoadedMember) -> Result<MemberRemoval, Stop> {
    let Some(mut tx) = session.begin_removal(run, member.member)? else { return Ok(MemberRemoval::Fenced) };
    // A worker may have written more of the file since the caller has read this.
    let locked = tx.loaded_members(run.id, member.member - 1, 1)?;
    let Some(member) = locked.first().filter(|locked| locked.member == member.member) else {
        return Ok(MemberRemoval::Fenced);
    };
    let loaded = RemovableRows { rows: &member.rows, made: member.owner.as_ref().filter(|_| member.made) };
    match remove_rows(&mut tx, run, &loaded)? {
        Err(why) => Ok(MemberRemoval::Refused(why)),
        Ok(rows) => {
            tx.commit_removal(run, member.member)?;
            Ok(MemberRemoval::Removed(rows))
        }
    }
}

/// Quarantines a member that this worker has, and removes the batches of it that are in the target.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn quarantine(session: &mut Session, run: &Run, claim: &Claim, reason: &str) -> Result<MemberRemoval, Stop> {
    let Some(begun) = session.begun_member(claim)? else {
        session.end_member(claim, MemberState::Quarantined, reason)?;
        return Ok(MemberRemoval::Removed(0));
    };
    remove_batches(session, run, claim, &begun, |tx| tx.commit_without_rows(claim, MemberState::Quarantined, reason))
}

/// Removes the batches of a member that this worker has: its file is another one now.
///
/// # Errors
/// If the target refuses, the connection is lost, or the rows cannot be removed.
pub fn start_over(session: &mut Session, run: &Run, claim: &Claim, begun: &BegunMember) -> Result<(), Stop> {
    match remove_batches(session, run, claim, begun, |tx| tx.commit_without_rows(claim, MemberState::Taken, ""))? {
        MemberRemoval::Removed(_) => Ok(()),
        MemberRemoval::Fenced => Err(Stop::Fenced),
        MemberRemoval::Refused(why) => {
            let reason = format!("changed after its first batches were loaded, and they cannot be removed: {why}");
            Err(Stop::Refused(vec![Refusal::new(&claim.path, reason, "Resolve it, and try the file again.")]))
        }
    }
}

fn remove_batches(
    session: &mut Session,
    run: &Run,
    claim: &Claim,
    begun: &BegunMember,
    commit: impl Fn(MemberTransaction<'_>) -> Result<(), ServerError>,
) -> Result<MemberRemoval, Stop> {
    unless_changed(session, |session| remove_batches_once(session, run, claim, begun, &commit))
}

fn remove_batches_once(
    session: &mut Session,
    run: &Run,
    claim: &Claim,
    begun: &BegunMember,
    commit: impl Fn(MemberTransaction<'_>) -> Result<(), ServerError>,
) -> Result<MemberRemoval, Stop> {
    let Some(mut tx) = session.begin_own_removal(claim)? else { return Ok(MemberRemoval::Fenced) };
    let loaded = RemovableRows { rows: &begun.end.rows, made: begun.end.owner.as_ref().filter(|_| begun.end.made) };
    match remove_rows(&mut tx, run, &loaded)? {
        Err(why) => Ok(MemberRemoval::Refused(why)),
        Ok(rows) => {
            commit(tx)?;
            Ok(MemberRemoval::Removed(rows))
        }
    }
}

/// Removes rows. Returns their number, or the reason for which they stay.
fn remove_rows(
    tx: &mut MemberTransaction<'_>,
    run: &Run,
    loaded: &RemovableRows<'_>,
) -> Result<Result<u64, String>, Stop> {
    let mut removed = 0;
    // Children were written after their parents.
    for sent in loaded.rows.iter().rev() {
        match remove_table(tx, run, sent)? {
            Ok(()) => removed += sent.rows,
            Err(why) => return Ok(Err(why)),
        }
    }
    if let (Some(key), Some(fleet)) = (loaded.made, &run.judged.fleet) {
        let (table, owner) = (&fleet.owner_table, RemovedRows::Owner { column: &fleet.owner_key, key });
        if let Some(why) = triggers(tx, &run.judged.schema, table)? {
            return Ok(Err(format!("{table}: {why}")));
        }
        if let Some(first) = tx.references_to(&run.judged.schema, table, &owner)?.first() {
            let why = format!("{table}: rows of {} refer to the owner's row ({})", first.child, first.name);
            return Ok(Err(why));
        }
        if tx.delete_rows(&run.judged.schema, table, &owner)? != 1 {
            return Ok(Err(format!("{table}: the owner's row is missing")));
        }
    }
    Ok(Ok(removed))
}

/// The triggers of a table that would run for the rows that are removed, in words. `None` if there are none.
fn triggers(tx: &mut MemberTransaction<'_>, schema: &str, table: &str) -> Result<Option<String>, Stop> {
    let triggers = tx.deleting_triggers(schema, table)?;
    Ok((!triggers.is_empty()).then(|| format!("{} would run for each row that is removed", triggers.join(", "))))
}

/// Removes the rows of one table. Returns the reason for which they stay.
fn remove_table(tx: &mut MemberTransaction<'_>, run: &Run, sent: &MemberRows) -> Result<Result<(), String>, Stop> {
    let (judged, table) = (&run.judged, sent.table.as_str());
    let schema = judged.schema.as_str();
    let stays = |why: String| Ok(Err(format!("{table}: {why}")));
    let (Some(ids), Some(columns)) = (&sent.ids, judged.images.get(table)) else {
        let why = "no ids were reserved for its rows, so they cannot be distinguished from those of others";
        return stays(why.to_owned());
    };
    if let Some(why) = triggers(tx, schema, table)? {
        return stays(why);
    }
    let what = ReadBack { schema, table, columns, only: Some(reserved_rows("", ids)) };
    if let Some(how) = proof::difference(tx, run, &what, sent)? {
        return Ok(Err(how));
    }
    let rows = RemovedRows::Reserved(ids);
    if let Some(first) = tx.references_to(schema, table, &rows)?.first() {
        return stays(format!("rows of {} refer to its rows ({})", first.child, first.name));
    }
    let deleted = tx.delete_rows(schema, table, &rows)?;
    if deleted != sent.rows {
        return stays(format!("{deleted} of {} rows were deleted; something keeps the others", sent.rows));
    }
    Ok(Ok(()))
}
