//! Content: the digest of every row as the server gives it back, compared with what was sent; afterwards with what the
//! source makes now as well, so that it can be said which side moved.

use crate::migrate::Stop;
use crate::model::record::{Check, CheckKind, Verdict};
use crate::pg::Session;
use crate::plan::image;
use crate::wire::digest::{BUCKETS, Digest, row_hash};

use super::open::{self, Opened};
use super::reading::Held;
use super::table::Table;
use super::{Subject, others};

/// What one table holds now and should hold.
pub(super) struct Found {
    /// Rows there, the owner's own and those of later numbers left out.
    pub rows: u64,
    /// Rows of later numbers.
    pub added: u64,
    /// The digest of the rows there, without what was there before.
    pub ours: Digest,
    /// The digest of what was sent, as the ledger has it.
    pub sent: Digest,
    /// The digest of what the source makes now; none where nobody asked or nobody can know.
    pub source: Option<Digest>,
}

impl Found {
    /// `all`: rows of the table, the owner's own left out.
    pub fn of(table: &Table<'_>, held: Held, all: u64) -> Found {
        let mut ours = held.digest;
        if let Some(before) = &table.before {
            ours.subtract(before);
        }
        let added = if table.scope.is_some() { all.saturating_sub(held.rows) } else { 0 };
        Found { rows: held.rows, added, ours, sent: table.sent(), source: held.source }
    }

    /// Which sides moved since: for the end of a sentence.
    fn sides(&self) -> &'static str {
        match &self.source {
            None => "",
            Some(now) if *now == self.sent => "; the target moved, the source still makes what was sent",
            Some(now) if *now == self.ours => "; both moved, and the source makes what is there now",
            Some(_) => "; the target moved, and so did the source",
        }
    }
}

/// The checks `content`, `others` and, afterwards, `source`.
pub(super) fn check(
    subject: &Subject<'_>,
    session: &mut Session,
    tables: &[Table<'_>],
    found: &[Found],
) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    let mut source = Vec::new();
    for (table, found) in tables.iter().zip(found) {
        checks.extend(left_out(table));
        checks.extend(compare(table, found, session)?);
        if subject.later {
            source.extend(moved(table, found, session)?);
        }
    }
    if subject.later {
        checks.extend(file(subject, source));
    }
    Ok(checks)
}

/// Columns that are sent and not digested, each with its reason.
fn left_out(table: &Table<'_>) -> Option<Check> {
    let facts = table.subject.target.tables.get(table.name)?;
    let mut reasons: Vec<String> = Vec::new();
    for column in table.loads.iter().flat_map(|l| &l.columns).filter(|c| !table.columns.contains(&c.name)) {
        let why =
            image::obstacle(&table.loads, facts, &column.name).unwrap_or_else(|| "not noted by the run".to_owned());
        let reason = format!("column {}: {why}", column.name);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    (!reasons.is_empty()).then(|| Check::not_checked(CheckKind::Content, Some(&table.label()), reasons.join("; ")))
}

/// Whether the rows of this run are as they were sent, and those of others as they were.
fn compare(table: &Table<'_>, found: &Found, session: &mut Session) -> Result<Vec<Check>, Stop> {
    let name = table.label();
    if table.held() && table.before.is_none() {
        let why = "the table held rows before, and this run noted no digest of them";
        let mut checks = vec![Check::not_checked(CheckKind::Content, Some(&name), why)];
        checks.extend(others::check(table, found, 0));
        return Ok(checks);
    }
    let (mut checks, mut added) = (Vec::new(), found.added);
    let differing = found.sent.differing(&found.ours);
    if differing.is_empty() {
        checks.push(Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.ours.short()));
    } else {
        // Rows of others, before or since, are summed up with ours: then only single rows tell.
        let mixed = table.held() || found.rows > table.expected();
        let (check, more) = opened(table, found, (&differing, mixed), session)?;
        added += more;
        checks.push(check);
    }
    checks.retain(|_| !table.loads.is_empty());
    checks.extend(others::check(table, found, added));
    Ok(checks)
}

/// The verdict over sums that differ, and the number of rows that others added.
fn opened(
    table: &Table<'_>,
    found: &Found,
    (differing, mixed): (&[usize], bool),
    session: &mut Session,
) -> Result<(Check, u64), Stop> {
    let name = table.label();
    let blind = table.obstacle();
    if let Some(why) = blind.as_ref().filter(|_| mixed && table.has_no_key()) {
        return Ok((Check::not_checked(CheckKind::Content, Some(&name), why.clone()), 0));
    }
    let opened = open::open(table, session, differing, found.rows)?;
    if let Some(why) = bent(table)
        && all_there(table, found, (&opened, mixed), session)?
    {
        let mut check = Check::not_checked(CheckKind::Content, Some(&name), why);
        check.differences = opened.rows;
        return Ok((check, opened.added));
    }
    let mut check = Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.ours.short());
    if opened.is_wrong() {
        check.why = Some(format!("{}{}", opened.why(), found.sides()));
        check.differences = opened.rows;
    } else if mixed || opened.added > 0 {
        // All rows of this run were found among the others, as far as they can be known.
        check = match blind {
            Some(why) => Check::not_checked(CheckKind::Content, Some(&name), why),
            None => Check::compared(CheckKind::Content, Some(&name), found.sent.short(), found.sent.short()),
        };
    } else {
        let which = blind.unwrap_or_else(|| "the source makes what is there now".to_owned());
        check.why = Some(format!("{} of {BUCKETS} sums differ; {which}", differing.len()));
    }
    Ok((check, opened.added))
}

/// A trigger that was on while rows were loaded and could change each before it went in: the one reason for which a value
/// may be another than was sent.
fn bent(table: &Table<'_>) -> Option<String> {
    let subject = table.subject;
    if !table.loads.iter().any(|load| load.triggers_fire) {
        return None;
    }
    let was_off = |name: &str| subject.detached.iter().any(|d| d.table == table.name && d.object == name);
    let trigger = subject.target.tables.get(table.name)?.bending.iter().find(|name| !was_off(name))?;
    Some(format!("the trigger {trigger} fired and may have changed rows"))
}

/// Whether every row is there and no other, as far as keys tell, whatever else stands in them.
fn all_there(
    table: &Table<'_>,
    found: &Found,
    (opened, mixed): (&Opened, bool),
    session: &mut Session,
) -> Result<bool, Stop> {
    if table.has_no_key() {
        return Ok(mixed || found.rows == table.expected());
    }
    if mixed {
        return Ok(opened.missing + opened.extra == 0);
    }
    // Not all rows were opened: of the rest, the sums of the hashes of their keys tell.
    let seed = table.subject.run.seed;
    let hash = |image: &[u8]| table.key_of(image).map_or(0, |key| row_hash(&key, seed));
    let (mut sent, mut there) = (0u128, 0u128);
    table.source(session, &mut |_, image, _| sent = sent.wrapping_add(hash(image)))?;
    table.target(session, None, &mut |image, _| there = there.wrapping_add(hash(image)))?;
    Ok(sent == there)
}

/// What the source makes now against what was sent: a check a table where they differ, or where nobody can know.
fn moved(table: &Table<'_>, found: &Found, session: &mut Session) -> Result<Option<Check>, Stop> {
    let name = table.label();
    if table.loads.is_empty() {
        return Ok(None);
    }
    let Some(now) = &found.source else {
        let why = table.obstacle().unwrap_or_else(|| "the source was not read".to_owned());
        return Ok(Some(Check::not_checked(CheckKind::Source, Some(&name), why)));
    };
    if *now == found.sent {
        return Ok(None);
    }
    let mut check = Check::compared(CheckKind::Source, Some(&name), found.sent.short(), now.short());
    let side =
        if found.ours == found.sent { "the target holds what was sent" } else { "the target is not what was sent" };
    check.why = Some(format!("the source makes other rows than were sent; {side}"));
    let Opened { rows, .. } = open::open(table, session, &now.differing(&found.ours), found.rows)?;
    check.differences = rows;
    Ok(Some(check))
}

/// The source's file against what it was: its stamp, and where that differs, its rows.
fn file(subject: &Subject<'_>, mut checks: Vec<Check>) -> Vec<Check> {
    let (then, now) = (subject.run.stamp.clone(), subject.source.stamp());
    if checks.iter().all(|c| c.verdict != Verdict::Differs) {
        let mut check = Check::compared(CheckKind::Source, None, then.clone(), then.clone());
        if then != now {
            let all = if checks.is_empty() { "" } else { ", as far as they were compared" };
            check.why = Some(format!("the file was written to since, and its rows are the same{all}"));
        }
        checks.push(check);
    }
    checks
}

/// The check `source` at the end of a run: nobody wrote to it meanwhile.
pub(super) fn source_at_end(subject: &Subject<'_>) -> Check {
    let stamp = subject.source.stamp();
    match subject.source.is_as_it_was() {
        Ok(true) => Check::compared(CheckKind::Source, None, stamp.clone(), stamp),
        Ok(false) => {
            let mut check = Check::compared(CheckKind::Source, None, stamp, "written to since".to_owned());
            let why = "the source was written to while it was read; what came later is not in the target";
            check.why = Some(why.to_owned());
            check
        }
        Err(e) => Check::not_checked(CheckKind::Source, None, e.to_string()),
    }
}
