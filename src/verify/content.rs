//! Content: every row is read back as the server's own bytes and its digest compared with what was sent; afterwards with
//! what the source makes now as well, so that it can be said which side moved.

use crate::migrate::Stop;
use crate::model::record::{Check, Verdict};
use crate::plan::image;
use crate::target::Session;
use crate::wire::digest::{BUCKETS, Digest};

use super::Subject;
use super::open::{self, Opened};
use super::table::Table;

/// The checks `content`, `others` and, afterwards, `source`.
pub(super) fn check(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Check>, Stop> {
    let mut checks = Vec::new();
    let mut source = Vec::new();
    for table in Table::all(subject, session)? {
        checks.extend(left_out(&table));
        let found = Found::read(&table, session)?;
        checks.extend(compare(&table, &found, session)?);
        if subject.later {
            source.extend(moved(&table, &found, session)?);
        }
    }
    if subject.later {
        checks.extend(file(subject, &source));
    }
    Ok(checks)
}

/// What one table holds now and should hold.
struct Found {
    /// Rows there, the owner's own left out.
    rows: u64,
    /// Their digest without what was there before.
    ours: Digest,
    sent: Digest,
}

impl Found {
    fn read(table: &Table<'_>, session: &mut Session) -> Result<Found, Stop> {
        let mut ours = Digest::default();
        let rows = table.target(session, &mut |_, hash| ours.add(hash))?;
        if let Some(before) = &table.before {
            ours.subtract(before);
        }
        Ok(Found { rows, ours, sent: table.sent() })
    }
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
    (!reasons.is_empty()).then(|| Check::not_checked("content", Some(&table.label()), reasons.join("; ")))
}

/// Whether the rows of this run are as they were sent, and those of others as they were.
fn compare(table: &Table<'_>, found: &Found, session: &mut Session) -> Result<Vec<Check>, Stop> {
    let (name, place) = (table.label(), table.place());
    let differing = found.sent.differing(&found.ours);
    let mut content = Check::compared("content", Some(&name), found.sent.short(), found.ours.short());
    if table.held() && table.before.is_none() {
        let why = "the table held rows before, and this run noted no digest of them";
        return Ok(vec![Check::not_checked("content", Some(&name), why)]);
    }
    if differing.is_empty() {
        let mut checks = Vec::new();
        if !table.loads.is_empty() {
            checks.push(content);
        }
        if table.held() {
            checks.push(Check::compared("others", Some(&place), "untouched".to_owned(), "untouched".to_owned()));
        }
        return Ok(checks);
    }
    let opened = open::open(table, session, &differing)?;
    let fired = fired(table);
    if opened.is_wrong() {
        content.why = Some(opened.why());
        content.differences = opened.rows;
    } else if table.held() || opened.added > 0 {
        // All rows of this run were found among the others.
        content = Check::compared("content", Some(&name), found.sent.short(), found.sent.short());
    } else {
        content.why =
            Some(format!("{} of {BUCKETS} sums differ, and the source makes what is there now", differing.len()));
    }
    let mut checks = Vec::new();
    match fired {
        Some(why) if content.verdict == Verdict::Differs => {
            checks.push(Check::not_checked("content", Some(&name), why));
        }
        _ if table.loads.is_empty() => {}
        _ => checks.push(content),
    }
    checks.extend(others(table, found, opened.added));
    Ok(checks)
}

/// A trigger that was on while rows were loaded and may have changed them.
fn fired(table: &Table<'_>) -> Option<String> {
    let subject = table.subject;
    if !table.loads.iter().any(|load| load.triggers_fire) {
        return None;
    }
    let was_off = |name: &str| subject.detached.iter().any(|d| d.table == table.name && d.object == name);
    let triggers = &subject.target.tables.get(table.name)?.triggers;
    let fired = triggers.iter().find(|(name, _)| !was_off(name))?;
    Some(format!("the trigger {} fired and may have changed rows", fired.0))
}

/// Rows that are not of this run: untouched, or others wrote to the table.
fn others(table: &Table<'_>, found: &Found, added: u64) -> Option<Check> {
    let place = table.place();
    let more = found.rows.saturating_sub(table.expected());
    if !table.held() {
        let why = format!("{added} rows were added since the run");
        return (added > 0).then(|| Check::not_checked("others", Some(&place), why));
    }
    if table.subject.later || more > 0 {
        let why = match more {
            0 => "rows that were there before were changed or removed since the run began".to_owned(),
            _ => format!("{more} rows more than there were: others write to this table"),
        };
        return Some(Check::not_checked("others", Some(&place), why));
    }
    let mut check = Check::compared("others", Some(&place), "untouched".to_owned(), "changed".to_owned());
    check.why = Some("rows that were there before are not what they were".to_owned());
    Some(check)
}

/// What the source makes now against what was sent: a sentence a table where they differ.
fn moved(table: &Table<'_>, found: &Found, session: &mut Session) -> Result<Option<Check>, Stop> {
    let name = table.label();
    if table.loads.is_empty() {
        return Ok(None);
    }
    if let Some(why) = table.only_target_knows() {
        return Ok(Some(Check::not_checked("source", Some(&name), why)));
    }
    if table.loads.iter().any(|load| load.columns.iter().any(|c| c.rules.if_orphan.is_some())) {
        let why = "references that `if_orphan` replaced cannot be made again from the source alone";
        return Ok(Some(Check::not_checked("source", Some(&name), why)));
    }
    let mut now = Digest::default();
    table.source(session, &mut |_, _, hash| now.add(hash))?;
    if now == found.sent {
        return Ok(None);
    }
    let differing = now.differing(&found.ours);
    let Opened { rows, .. } = open::open(table, session, &differing)?;
    let mut check = Check::compared("source", Some(&name), found.sent.short(), now.short());
    let side = if found.ours == found.sent { "the target holds what was sent" } else { "the target moved too" };
    check.why = Some(format!("the source makes other rows than were sent; {side}"));
    check.differences = rows;
    Ok(Some(check))
}

/// The source's file against what it was: its stamp, and where that differs, its rows.
fn file(subject: &Subject<'_>, moved: &[Check]) -> Vec<Check> {
    let (then, now) = (subject.run.stamp.clone(), subject.source.stamp());
    let mut checks = moved.to_vec();
    if moved.iter().all(|c| c.verdict != Verdict::Differs) {
        let mut check = Check::compared("source", None, then.clone(), then.clone());
        if then != now {
            check.why = Some("the file was written to since, and its rows are the same".to_owned());
        }
        checks.push(check);
    }
    checks
}

/// The check `source` at the end of a run: nobody wrote to it meanwhile.
pub(super) fn source_at_end(subject: &Subject<'_>) -> Check {
    let stamp = subject.source.stamp();
    match subject.source.is_as_it_was() {
        Ok(true) => Check::compared("source", None, stamp.clone(), stamp),
        Ok(false) => {
            let mut check = Check::compared("source", None, stamp, "written to since".to_owned());
            let why = "the source was written to while it was read; what came later is not in the target";
            check.why = Some(why.to_owned());
            check
        }
        Err(e) => Check::not_checked("source", None, e.to_string()),
    }
}
