//! The part of the check `content` for columns whose bytes this tool cannot compute: the digest of the rows in the server's
//! own form equals the digest of the rows that each batch read back before its commit.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::job::Stop;
use crate::model::digest::{BUCKETS, Digest, row_hash};
use crate::model::placement::SHARDS_NUMBER;
use crate::model::record::{Check, CheckKind};
use crate::pg::Session;
use crate::wire::binary;

use super::comparison::TableComparison;
use super::table::VerifiedTable;

/// Most rows whose keys are in memory at once, about 18 bytes each.
const MOST_KEYS: u64 = 1_000_000;

/// Compares these columns. `None` if they are as they were written: then the check of the other columns speaks for them too.
pub(super) fn check(
    table: &VerifiedTable<'_>,
    found: &TableComparison,
    session: &mut Session,
) -> Result<Option<Check>, Stop> {
    if table.returned.is_empty() || table.loads.is_empty() {
        return Ok(None);
    }
    let subject = table.subject;
    let sums = subject.total(&table.loads);
    let columns: Vec<&str> =
        table.returned.iter().filter(|name| !table.columns.contains(name)).map(String::as_str).collect();
    let columns = format!("column {}", columns.join(", "));
    let not_checked = |why: &str| Ok(Some(Check::not_checked(CheckKind::Content, Some(&table.label()), why)));
    if sums.unreturned > 0 {
        let rows = sums.unreturned;
        if !table.numbers_transactions() {
            return not_checked(&format!("{columns}: {SHARDS_NUMBER}, so {rows} rows have no digest"));
        }
        let why =
            format!("{columns}: the server returned other rows than were written to it, so {rows} have no digest");
        return not_checked(&why);
    }
    let mut ours = found.returned.clone();
    if sums.returned != ours && (table.held() || found.rows > table.expected()) {
        if is_untouched(table, session)? {
            return Ok(None);
        }
        if table.has_no_key() || table.obstacle().is_some() || table.written() > MOST_KEYS {
            return not_checked(&format!("{columns}: rows of this run cannot be distinguished from other rows"));
        }
        ours = of_this_run(table, session)?;
    }
    if sums.returned == ours {
        return Ok(None);
    }
    if let Some(why) = table.changed_by_trigger() {
        return not_checked(&format!("{columns}: {why}"));
    }
    let (then, now) = (sums.returned.short(), ours.short());
    let mut check = Check::compared(CheckKind::Content, Some(&table.label()), then, now);
    let sums = sums.returned.differing(&ours).len();
    check.why = Some(format!(
        "{columns}: the server returns other values than after the load; {sums} of {BUCKETS} sums differ"
    ));
    Ok(Some(check))
}

/// Returns true if no transaction wrote to a row since the run's own transactions did.
fn is_untouched(table: &VerifiedTable<'_>, session: &mut Session) -> Result<bool, Stop> {
    let subject = table.subject;
    let may_read = subject.target.rights.lack("SELECT", &format!("TABLE {}", table.place())).is_none();
    if !may_read || !table.numbers_transactions() {
        return Ok(false);
    }
    let kept = session.count_rows_as_written(&subject.plan.schema, subject.run.id, &[table.loaded_rows()])?;
    Ok(kept == [table.written()])
}

/// The digest of the rows of the target that have a key of this run.
fn of_this_run(table: &VerifiedTable<'_>, session: &mut Session) -> Result<Digest, Stop> {
    let mut keys: HashSet<u64> = HashSet::new();
    table.source(session, &mut |_, image, _| {
        keys.extend(table.key_of(image).map(|key| xxh3_64(&key)));
    })?;
    let names: Vec<String> = table.key.iter().map(|n| table.columns[*n].clone()).collect();
    let (key, rest): (Vec<_>, Vec<_>) =
        (0..names.len() + table.returned.len()).map(Some).partition(|n| *n < Some(names.len()));
    let (mut digest, mut bytes) = (Digest::default(), Vec::new());
    table.target_returned(session, None, &names, &mut |image| {
        bytes.clear();
        if binary::project(image, &key, &mut bytes) && keys.contains(&xxh3_64(&bytes)) {
            bytes.clear();
            binary::project(image, &rest, &mut bytes);
            digest.add(row_hash(&bytes, table.seed));
        }
    })?;
    Ok(digest)
}
