//! The rows of one file, read back after their commit.

use crate::job::Stop;
use crate::model::digest::{Digest, row_hash};
use crate::model::fleet::{MemberEnd, MemberRows};
use crate::model::hex::hex;
use crate::model::ident::{literal, quoted};
use crate::model::ledger::Run;
use crate::model::pgtype::Kind;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::TargetSchema;
use crate::pg::ledger::members::LoadedMember;
use crate::pg::member::reserved_rows;
use crate::pg::{ReadBack, ServerError, Session};
use crate::plan::{Plan, TableClass};

/// The result of reading the rows of a file back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberProof {
    /// They are the rows that were sent.
    Same,
    /// They are other rows; where and how many.
    Differs(String),
    /// They are not there, and neither is their line in the ledger: a crash of the server lost the commit.
    Lost,
    /// The rows of some table cannot be found by an index. They are compared at the end of the fleet, with all others.
    Later,
}

/// The rows of a fleet's file on the target.
#[derive(Clone, Copy)]
pub struct MemberOnTarget<'a> {
    pub plan: &'a Plan,
    pub target: &'a TargetSchema,
    pub run: &'a Run,
}

/// Reads rows back and compares them with those that were sent. Returns the difference in words.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn difference(
    session: &mut Session,
    run: &Run,
    what: &ReadBack<'_>,
    sent: &MemberRows,
) -> Result<Option<String>, ServerError> {
    let (mut digest, seed) = (Digest::default(), run.seed);
    let rows = session.read_back(what, &mut |image| digest.add(row_hash(image, seed)))?;
    if rows != sent.rows {
        return Ok(Some(format!("{}: {} rows were sent, and {rows} are there", sent.table, sent.rows)));
    }
    let is_same = hex(&digest.total().to_be_bytes()) == sent.sum;
    Ok((!is_same).then(|| format!("{}: its {rows} rows are not those that were sent", sent.table)))
}

/// Reads the rows of a file back that was loaded before, by their reserved ids, and compares each table. Needs neither mapping nor
/// file.
///
/// # Errors
/// If the target refuses or the connection is lost.
pub fn again(session: &mut Session, run: &Run, member: &LoadedMember) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    for sent in &member.rows {
        let place = format!("{}: {}", member.path, sent.table);
        let (Some(ids), Some(columns)) = (&sent.ids, run.judged.images.get(&sent.table)) else {
            let why = "its rows have no ids of their own; `fleet verify` without --only compares those of all files";
            checks.push(Check::not_checked(CheckKind::Content, Some(&place), why));
            continue;
        };
        let only = Some(reserved_rows("", ids));
        let what = ReadBack { schema: &run.judged.schema, table: &sent.table, columns, only };
        let same = format!("{} rows as they were sent", sent.rows);
        let found = difference(session, run, &what, sent)?.unwrap_or_else(|| same.clone());
        checks.push(Check::compared(CheckKind::Content, Some(&place), same, found));
    }
    Ok(checks)
}

impl MemberOnTarget<'_> {
    /// Reads the rows of a file back and compares them with those that were sent.
    ///
    /// # Errors
    /// If the target refuses or the connection is lost.
    pub fn prove(&self, session: &mut Session, end: &MemberEnd) -> Result<MemberProof, Stop> {
        let mut proof = MemberProof::Same;
        for sent in &end.rows {
            let (Some(only), Some(columns)) = (self.condition(end, sent), self.run.judged.images.get(&sent.table))
            else {
                proof = MemberProof::Later;
                continue;
            };
            let what = ReadBack { schema: &self.plan.schema, table: &sent.table, columns, only: Some(only) };
            if let Some(how) = difference(session, self.run, &what, sent)? {
                return Ok(MemberProof::Differs(how));
            }
        }
        Ok(proof)
    }

    /// The condition that only the file's rows of a table meet and that an index answers. `None` if there is none.
    fn condition(&self, end: &MemberEnd, sent: &MemberRows) -> Option<String> {
        if let Some(ids) = &sent.ids {
            return Some(reserved_rows("", ids));
        }
        // All rows of an owner that the file made are the file's.
        let (owner, Some(TableClass::Stamped(columns))) =
            (end.owner.as_ref().filter(|_| end.made)?, self.plan.classes.get(&sent.table))
        else {
            return None;
        };
        let table = self.target.tables.get(&sent.table)?;
        let leads = |column: &&String| table.unique.iter().any(|unique| unique.columns.first() == Some(*column));
        let column = columns.iter().find(leads)?;
        let kind = &table.column(column)?.kind;
        // The equality of these types is the server's own, in every search path.
        let kind = match (&kind.kind, &kind.domain) {
            (Kind::Int2 | Kind::Int4 | Kind::Int8, None) => "int8",
            (Kind::Uuid, None) => "uuid",
            _ => return None,
        };
        Some(format!("{} OPERATOR(pg_catalog.=) {}::pg_catalog.{kind}", quoted(column), literal(owner)))
    }
}
