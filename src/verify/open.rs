//! Opening sums that differ: the rows behind them are computed from the source again and read from the target, and told
//! apart as missing, extra and changed, by key and column.
//!
//! Memory is bounded: so many sums are opened at once as hold about [`AT_ONCE`] rows, and opening ends when
//! [`LISTED`] rows are found. A full reading of both sides is paid for each such pass.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::migrate::Stop;
use crate::model::record::{Difference, DifferingRow};
use crate::pg::Session;
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

/// How often each row is sent and found, by its hash.
type Counts = HashMap<u128, (u32, u32)>;

/// A row of the source that the target has not.
struct Missing {
    image: Vec<u8>,
    key: Option<Vec<u8>>,
    source: String,
}

/// Rows of the target: those behind hashes that are found more often than sent, and those with the key of a missing one.
#[derive(Default)]
struct Extra {
    extra: BTreeMap<u128, Vec<u8>>,
    by_key: ByKey,
}

/// Opens these sums of a table that holds so many rows.
pub(super) fn open(table: &Table<'_>, session: &mut Session, differing: &[usize], rows: u64) -> Result<Opened, Stop> {
    // Of a table that held rows before, only hashes that the source makes are kept.
    let kept = if table.held() { table.written() } else { rows.max(table.written()) };
    let per_sum = kept / BUCKETS as u64 + 1;
    let at_once = usize::try_from(AT_ONCE / per_sum).unwrap_or(1).clamp(1, BUCKETS);
    let mut opening = Opening { table, session, opened: Opened::default(), seen: HashSet::new() };
    let mut rest = differing;
    while !rest.is_empty() && opening.opened.rows.len() < LISTED {
        let (now, later) = rest.split_at(at_once.min(rest.len()));
        opening.pass(now)?;
        rest = later;
    }
    let mut opened = opening.opened;
    opened.unopened = rest.len();
    // They were found in the order of their hashes, which is another one in each run; shorter numbers are smaller ones.
    opened.rows.sort_by(|a, b| (a.key.len(), &a.key, &a.column).cmp(&(b.key.len(), &b.key, &b.column)));
    Ok(opened)
}

/// Sums of one table that are being opened.
struct Opening<'o, 't> {
    table: &'o Table<'t>,
    session: &'o mut Session,
    opened: Opened,
    /// Hashes of rows that are told of already, from one side or the other.
    seen: HashSet<u128>,
}

impl Opening<'_, '_> {
    /// Opens some sums.
    fn pass(&mut self, sums: &[usize]) -> Result<(), Stop> {
        let mut wanted = [false; BUCKETS];
        sums.iter().for_each(|n| wanted[*n] = true);
        let (counts, highest) = self.counts(&wanted)?;
        let missing = self.missing(&counts)?;
        let extra = self.extra(&counts, &missing, highest)?;
        let counterparts = self.counterparts(&extra)?;
        self.tell_missing(&counts, missing, &extra);
        self.tell_extra(&counts, extra, &counterparts);
        Ok(())
    }

    /// The rows behind these sums that are not sent as often as found, and the highest number among all that were sent.
    fn counts(&mut self, wanted: &[bool; BUCKETS]) -> Result<(Counts, Option<i64>), Stop> {
        let table = self.table;
        let (mut counts, mut highest) = (Counts::new(), None);
        table.source(self.session, &mut |_, image, hash| {
            highest = highest.max(table.number(image));
            if wanted[bucket(hash)] {
                counts.entry(hash).or_default().0 += 1;
            }
        })?;
        let held = table.before.is_some();
        table.target(self.session, None, &mut |_, hash| {
            if wanted[bucket(hash)] && (!held || counts.contains_key(&hash)) {
                counts.entry(hash).or_default().1 += 1;
            }
        })?;
        counts.retain(|hash, (sent, found)| sent != found && !self.seen.contains(hash));
        Ok((counts, highest))
    }

    /// The rows behind hashes that are sent more often than found.
    fn missing(&mut self, counts: &Counts) -> Result<BTreeMap<u128, Missing>, Stop> {
        let table = self.table;
        let mut missing = BTreeMap::new();
        if counts.values().all(|(sent, found)| sent <= found) {
            return Ok(missing);
        }
        table.source(self.session, &mut |row, image, hash| {
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

    /// The rows of the target that may stand against missing ones, or should not be there. Those that were added since are
    /// only counted. `highest`: the highest number that was sent.
    fn extra(
        &mut self,
        counts: &Counts,
        missing: &BTreeMap<u128, Missing>,
        highest: Option<i64>,
    ) -> Result<Extra, Stop> {
        let (table, opened) = (self.table, &mut self.opened);
        let keys: HashSet<&[u8]> = missing.values().filter_map(|m| m.key.as_deref()).collect();
        let mut found = Extra::default();
        table.target(self.session, None, &mut |image, hash| {
            if !keys.is_empty()
                && let Some(key) = table.key_of(image)
                && keys.contains(key.as_slice())
            {
                found.by_key.insert(key, (hash, image.to_vec()));
            }
            let Some((sent, _)) = counts.get(&hash).filter(|(sent, there)| there > sent) else { return };
            // Later, a row with a number beyond ours, or of a table without numbers, is one that was added since.
            let beyond = table.scope.is_none() && table.number(image).is_none_or(|n| highest.is_none_or(|h| n > h));
            if table.subject.later && *sent == 0 && beyond {
                opened.added += 1;
            } else if found.extra.len() < LISTED {
                found.extra.insert(hash, image.to_vec());
            }
        })?;
        Ok(found)
    }

    /// The rows of the source that have the keys of rows that are there and should not be.
    fn counterparts(&mut self, extra: &Extra) -> Result<ByKey, Stop> {
        let table = self.table;
        let mut found = ByKey::new();
        let keys: HashSet<Vec<u8>> = extra.extra.values().filter_map(|image| table.key_of(image)).collect();
        if keys.is_empty() {
            return Ok(found);
        }
        table.source(self.session, &mut |_, image, hash| {
            if let Some(key) = table.key_of(image)
                && keys.contains(&key)
            {
                found.entry(key).or_insert_with(|| (hash, image.to_vec()));
            }
        })?;
        Ok(found)
    }

    /// Tells of each missing row, as changed where the target has a row of its key.
    fn tell_missing(&mut self, counts: &Counts, missing: BTreeMap<u128, Missing>, extra: &Extra) {
        for (hash, row) in missing {
            let name = self.table.shown_key(&row.image).unwrap_or(row.source);
            match row.key.and_then(|key| extra.by_key.get(&key)) {
                Some((there, image)) => {
                    if self.table.subject.later && self.table.number(image).is_none() {
                        // It was taken for one that was added.
                        self.opened.added = self.opened.added.saturating_sub(1);
                    }
                    self.changed((&row.image, image), &name);
                    self.seen.insert(*there);
                }
                None => {
                    let (sent, found) = counts.get(&hash).copied().unwrap_or((1, 0));
                    self.opened.missing += u64::from(sent.saturating_sub(found));
                    self.list(Difference::Missing, name);
                }
            }
            self.seen.insert(hash);
        }
    }

    /// Tells of each row that should not be there, as changed where the source has a row of its key.
    fn tell_extra(&mut self, counts: &Counts, extra: Extra, counterparts: &ByKey) {
        for (hash, image) in extra.extra {
            if self.seen.contains(&hash) {
                continue;
            }
            let name = |image: &[u8]| self.table.shown_key(image).unwrap_or_else(|| UNNAMED.to_owned());
            if let Some((sent, source)) = self.table.key_of(&image).and_then(|key| counterparts.get(&key)) {
                let name = name(source);
                self.changed((source, &image), &name);
                self.seen.insert(*sent);
            } else {
                let name = name(&image);
                let (sent, found) = counts.get(&hash).copied().unwrap_or((0, 1));
                self.opened.extra += u64::from(found.saturating_sub(sent));
                self.list(Difference::Extra, name);
            }
            self.seen.insert(hash);
        }
    }

    /// Lists the columns in which a row that was sent and the one that was found differ.
    fn changed(&mut self, (sent, found): (&[u8], &[u8]), key: &str) {
        let table = self.table;
        let (Some(sent), Some(found)) = (binary::fields(sent), binary::fields(found)) else { return };
        let mut differing: Vec<usize> =
            (0..table.columns.len()).filter(|n| field(&sent, *n) != field(&found, *n)).collect();
        // What a lookup found then is not known any more.
        differing.retain(|n| !table.looked_up.contains(&table.columns[*n]));
        self.opened.changed += u64::from(!differing.is_empty());
        let value = |fields: &[Option<&[u8]>], place: usize| {
            table.subject.show_values.then(|| table.value(place, field(fields, place)))
        };
        let room = LISTED.saturating_sub(self.opened.rows.len());
        self.opened.rows.extend(differing.into_iter().take(room).map(|place| DifferingRow {
            difference: Difference::Changed,
            key: key.to_owned(),
            column: Some(table.columns[place].clone()),
            expected: value(&sent, place),
            found: value(&found, place),
        }));
    }

    fn list(&mut self, difference: Difference, key: String) {
        if self.opened.rows.len() < LISTED {
            self.opened.rows.push(DifferingRow { difference, key, column: None, expected: None, found: None });
        }
    }
}

fn field<'f>(fields: &[Option<&'f [u8]>], place: usize) -> Option<&'f [u8]> {
    fields.get(place).copied().flatten()
}
