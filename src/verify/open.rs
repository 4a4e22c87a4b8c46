//! Opening sums that differ: the rows behind them are computed from the source again and read from the target, and told
//! apart as missing, extra and changed, by key and column.
//!
//! Memory is bounded: so many sums are opened at once as hold about [`AT_ONCE`] rows, and opening ends when
//! [`LISTED`] rows are found. A full reading of both sides is paid for each such pass.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::migrate::Stop;
use crate::model::record::{Difference, DifferingRow};
use crate::target::Session;
use crate::wire::binary;
use crate::wire::digest::{BUCKETS, bucket};

use super::table::Table;

/// Rows whose hashes are in memory at once, about 50 bytes each.
const AT_ONCE: u64 = 250_000;

/// Rows that are listed at most.
pub(super) const LISTED: usize = 100;

/// Rows that a sentence names.
const NAMED: usize = 5;

/// A row of the target whose key may not be shown, or that has none.
const UNNAMED: &str = "a row of the target";

/// What stood behind sums that differ.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// The first rows, told apart.
    pub rows: Vec<DifferingRow>,
    /// How many rows should be there and are not, are there with another value, are there and should not be.
    pub missing: u64,
    pub changed: u64,
    pub extra: u64,
    /// Rows that others added since.
    pub added: u64,
    /// Sums that were not opened, since enough was found.
    pub unopened: usize,
}

impl Opened {
    /// Whether rows of this run are not as they should be.
    pub fn is_wrong(&self) -> bool {
        self.missing + self.changed + self.extra > 0
    }

    /// `1 row missing: id=12; 2 rows changed: id=4 (amount), id=7 (note)`
    pub fn why(&self) -> String {
        let kinds = [
            (self.missing, Difference::Missing, "missing"),
            (self.changed, Difference::Changed, "changed"),
            (self.extra, Difference::Extra, "extra"),
        ];
        let least = if self.unopened > 0 { "at least " } else { "" };
        let kinds = kinds.into_iter().filter(|kind| kind.0 > 0).map(|(count, which, word)| {
            let rows = if count == 1 { "row" } else { "rows" };
            format!("{least}{count} {rows} {word}: {}", self.named(which))
        });
        kinds.collect::<Vec<_>>().join("; ")
    }

    /// The first rows that differ in this way.
    fn named(&self, which: Difference) -> String {
        let rows = self.rows.iter().filter(|row| row.difference == which);
        let mut names: Vec<String> = rows
            .map(|row| match &row.column {
                Some(column) => format!("{} ({column})", row.key),
                None => row.key.clone(),
            })
            .collect();
        if names.len() > NAMED {
            names.truncate(NAMED);
            names.push("...".to_owned());
        }
        names.join(", ")
    }
}

/// Rows by their key: hash and image.
type ByKey = HashMap<Vec<u8>, (u128, Vec<u8>)>;

/// A row of the source that the target has not.
struct Missing {
    image: Vec<u8>,
    key: Option<Vec<u8>>,
    source: String,
}

/// Opens these sums of a table that holds so many rows.
pub(super) fn open(table: &Table<'_>, session: &mut Session, differing: &[usize], rows: u64) -> Result<Opened, Stop> {
    // Of a table that held rows before, only hashes that the source makes are kept.
    let kept = if table.held() { table.written() } else { rows.max(table.written()) };
    let per_sum = kept / BUCKETS as u64 + 1;
    let at_once = usize::try_from(AT_ONCE / per_sum).unwrap_or(1).clamp(1, BUCKETS);
    let mut opened = Opened::default();
    let mut seen = HashSet::new();
    let mut rest = differing;
    while !rest.is_empty() && opened.rows.len() < LISTED {
        let (now, later) = rest.split_at(at_once.min(rest.len()));
        pass(table, session, now, &mut opened, &mut seen)?;
        rest = later;
    }
    opened.unopened = rest.len();
    // They were found in the order of their hashes, which is another one in each run; shorter numbers are smaller ones.
    opened.rows.sort_by(|a, b| (a.key.len(), &a.key, &a.column).cmp(&(b.key.len(), &b.key, &b.column)));
    Ok(opened)
}

/// Opens some sums. `seen`: hashes of rows that are told of already, from one side or the other.
fn pass(
    table: &Table<'_>,
    session: &mut Session,
    sums: &[usize],
    opened: &mut Opened,
    seen: &mut HashSet<u128>,
) -> Result<(), Stop> {
    let mut wanted = [false; BUCKETS];
    sums.iter().for_each(|n| wanted[*n] = true);
    // How often each row is sent and found, and the highest number among ours.
    let mut counts: HashMap<u128, (u32, u32)> = HashMap::new();
    let mut highest: Option<i64> = None;
    table.source(session, &mut |_, image, hash| {
        highest = highest.max(table.number(image));
        if wanted[bucket(hash)] {
            counts.entry(hash).or_default().0 += 1;
        }
    })?;
    let held = table.before.is_some();
    table.target(session, None, &mut |_, hash| {
        if wanted[bucket(hash)] && (!held || counts.contains_key(&hash)) {
            counts.entry(hash).or_default().1 += 1;
        }
    })?;
    counts.retain(|hash, (sent, found)| sent != found && !seen.contains(hash));
    let missing = missing_rows(table, session, &counts)?;
    let extra = extra_rows(table, session, &counts, &missing, highest, opened)?;
    tell(table, &counts, (missing, extra), session, opened, seen)
}

/// The rows behind hashes that are sent more often than found.
fn missing_rows(
    table: &Table<'_>,
    session: &mut Session,
    counts: &HashMap<u128, (u32, u32)>,
) -> Result<BTreeMap<u128, Missing>, Stop> {
    let mut missing = BTreeMap::new();
    if counts.values().all(|(sent, found)| sent <= found) {
        return Ok(missing);
    }
    table.source(session, &mut |row, image, hash| {
        if missing.len() < LISTED && counts.get(&hash).is_some_and(|(sent, found)| sent > found) {
            missing.entry(hash).or_insert_with(|| Missing {
                image: image.to_vec(),
                key: table.key_of(image),
                source: match row.key().as_rowid() {
                    Some(id) => format!("source row {id}"),
                    None if table.subject.show_values => format!("source row {}", row.key()),
                    None => "source row with a key that is not a number".to_owned(),
                },
            });
        }
    })?;
    Ok(missing)
}

/// Rows of the target: those behind hashes that are found more often than sent, and those with the key of a missing one.
struct Extra {
    extra: BTreeMap<u128, Vec<u8>>,
    by_key: ByKey,
}

fn extra_rows(
    table: &Table<'_>,
    session: &mut Session,
    counts: &HashMap<u128, (u32, u32)>,
    missing: &BTreeMap<u128, Missing>,
    highest: Option<i64>,
    opened: &mut Opened,
) -> Result<Extra, Stop> {
    let keys: HashSet<&[u8]> = missing.values().filter_map(|m| m.key.as_deref()).collect();
    let later = table.subject.later;
    let mut found = Extra { extra: BTreeMap::new(), by_key: HashMap::new() };
    table.target(session, None, &mut |image, hash| {
        if !keys.is_empty()
            && let Some(key) = table.key_of(image)
            && keys.contains(key.as_slice())
        {
            found.by_key.insert(key, (hash, image.to_vec()));
        }
        let Some((sent, _)) = counts.get(&hash).filter(|(sent, there)| there > sent) else { return };
        // Later, a row with a number beyond ours, or of a table without numbers, is one that was added since.
        let beyond = table.scope.is_none() && table.number(image).is_none_or(|n| highest.is_none_or(|h| n > h));
        if later && *sent == 0 && beyond {
            opened.added += 1;
        } else if found.extra.len() < LISTED {
            found.extra.insert(hash, image.to_vec());
        }
    })?;
    Ok(found)
}

/// Pairs rows by key and tells of each.
fn tell(
    table: &Table<'_>,
    counts: &HashMap<u128, (u32, u32)>,
    (missing, extra): (BTreeMap<u128, Missing>, Extra),
    session: &mut Session,
    opened: &mut Opened,
    seen: &mut HashSet<u128>,
) -> Result<(), Stop> {
    let counterparts = counterparts(table, session, &extra)?;
    for (hash, row) in &missing {
        let name = || table.shown_key(&row.image).unwrap_or_else(|| row.source.clone());
        match row.key.as_ref().and_then(|key| extra.by_key.get(key)) {
            Some((there, image)) => {
                if table.subject.later && table.number(image).is_none() {
                    // It was taken for one that was added.
                    opened.added = opened.added.saturating_sub(1);
                }
                changed(table, (&row.image, image), name(), opened);
                seen.insert(*there);
            }
            None => {
                let (sent, found) = counts.get(hash).copied().unwrap_or((1, 0));
                opened.missing += u64::from(sent.saturating_sub(found));
                list(opened, Difference::Missing, name());
            }
        }
        seen.insert(*hash);
    }
    for (hash, image) in &extra.extra {
        if seen.contains(hash) {
            continue;
        }
        if let Some((sent_hash, source)) = table.key_of(image).and_then(|key| counterparts.get(&key)) {
            let name = table.shown_key(source).unwrap_or_else(|| UNNAMED.to_owned());
            changed(table, (source, image), name, opened);
            seen.insert(*sent_hash);
        } else {
            let (sent, found) = counts.get(hash).copied().unwrap_or((0, 1));
            opened.extra += u64::from(found.saturating_sub(sent));
            list(opened, Difference::Extra, table.shown_key(image).unwrap_or_else(|| UNNAMED.to_owned()));
        }
        seen.insert(*hash);
    }
    Ok(())
}

/// The rows of the source that have the keys of rows that are there and should not be.
fn counterparts(table: &Table<'_>, session: &mut Session, extra: &Extra) -> Result<ByKey, Stop> {
    let mut found = HashMap::new();
    let keys: HashSet<Vec<u8>> = extra.extra.values().filter_map(|image| table.key_of(image)).collect();
    if keys.is_empty() {
        return Ok(found);
    }
    table.source(session, &mut |_, image, hash| {
        if let Some(key) = table.key_of(image)
            && keys.contains(&key)
        {
            found.entry(key).or_insert_with(|| (hash, image.to_vec()));
        }
    })?;
    Ok(found)
}

fn changed(table: &Table<'_>, (sent, found): (&[u8], &[u8]), key: String, opened: &mut Opened) {
    let (Some(sent), Some(found)) = (binary::fields(sent), binary::fields(found)) else { return };
    let field = |fields: &[Option<&[u8]>], place: usize| fields.get(place).copied().flatten().map(<[u8]>::to_vec);
    let mut differing: Vec<usize> =
        (0..table.columns.len()).filter(|n| field(&sent, *n) != field(&found, *n)).collect();
    // What a lookup found then is not known any more.
    differing.retain(|n| !table.looked_up.contains(&table.columns[*n]));
    opened.changed += u64::from(!differing.is_empty());
    for place in differing {
        if opened.rows.len() < LISTED {
            let value = |fields| table.subject.show_values.then(|| table.value(place, field(fields, place).as_deref()));
            let (expected, found) = (value(&sent), value(&found));
            let (difference, column) = (Difference::Changed, Some(table.columns[place].clone()));
            opened.rows.push(DifferingRow { difference, key: key.clone(), column, expected, found });
        }
    }
}

fn list(opened: &mut Opened, difference: Difference, key: String) {
    if opened.rows.len() < LISTED {
        opened.rows.push(DifferingRow { difference, key, column: None, expected: None, found: None });
    }
}
