//! The source read again between the keys that were committed: whether it still makes the rows that it made then.
//!
//! For a run that goes on with a file that was written to since. What was not read yet may have changed; what was, may not.

use crate::migrate::{Stop, seen};
use crate::model::key::{Key, RunId};
use crate::model::record::Refusal;
use crate::pg::Session;
use crate::wire::digest::Digest;

use super::table::Table;
use super::{Subject, rows};

/// A refusal for each load of which rows that were set aside are other rows now: mended, most likely, by somebody who
/// would have them go.
///
/// # Errors
/// When the source cannot be read, or the target refuses or is gone.
pub fn mended(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for load in &subject.plan.loads {
        let parts = subject.done.get(&load.name).map(|done| done.parts.as_slice()).unwrap_or_default();
        let run = RunId { id: subject.run.id, seed: subject.run.seed };
        let rows = seen::mended(subject.source, session, (load, parts), run)?;
        if rows.is_empty() {
            continue;
        }
        let named: Vec<String> = rows.iter().filter_map(Key::as_rowid).take(NAMED).map(|id| id.to_string()).collect();
        let named = if named.is_empty() { String::new() } else { format!(" (row {})", named.join(", ")) };
        let reason = format!("{} of its rows that were set aside are other rows in the source now{named}", rows.len());
        refusals.push(Refusal::new(format!("load.{}", load.name), reason, TAKE_AGAIN));
    }
    Ok(refusals)
}

/// Rows that a refusal names.
const NAMED: usize = 10;

const TAKE_AGAIN: &str = "A run reads no row twice. To have them go, take the run back with `migrate rollback --yes` and do it again; to go on without them, use the file as it was.";

/// A refusal for each table whose committed rows the source does not make any more, or of which that cannot be known.
///
/// # Errors
/// When the source cannot be read, or the target refuses or is gone.
pub fn read(subject: &Subject<'_>, session: &mut Session) -> Result<Vec<Refusal>, Stop> {
    let mut refusals = Vec::new();
    for table in Table::all(subject, session)? {
        let then: u64 = table.loads.iter().map(|load| rows::sums(subject, &load.name).read).sum();
        if then == 0 {
            continue;
        }
        let why = match table.obstacle() {
            Some(why) => Some(format!("whether it still makes what is written cannot be known: {why}")),
            None => differs(&table, session, then)?,
        };
        refusals.extend(why.map(|why| {
            let reason = format!("the source was written to since rows of it were committed, and {why}");
            Refusal::new(format!("load.{}", table.label()), reason, AS_IT_WAS)
        }));
    }
    Ok(refusals)
}

const AS_IT_WAS: &str = "Use the file as it was: to go on, or to take the run back with `migrate rollback`.";

fn differs(table: &Table<'_>, session: &mut Session, then: u64) -> Result<Option<String>, Stop> {
    let mut digest = Digest::default();
    let now = table.source(session, &mut |_, _, hash| digest.add(hash))?;
    Ok(if now != then {
        Some(format!("between the same keys it holds {now} rows now, {then} then"))
    } else if digest != table.sent() {
        Some(format!("some of those {then} rows are other rows now"))
    } else {
        None
    })
}
