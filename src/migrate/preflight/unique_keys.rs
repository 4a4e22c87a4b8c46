//! Unique keys of the target's tables: rows that collide with an earlier row of this run, and rows whose key a row of the
//! target has already. Also rows that `conflict` skips for that reason.
//!
//! Keys over plain columns are compared in memory by their wire bytes. The server computes the keys of expressions, and
//! compares keys with those of the target's rows. The keys of all loads share one memory with the keys of parents.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::job::{KeyMemory, KeyRoom};
use crate::migrate::rows::key_numbers::{KeyNumbers, SortedKeys};
use crate::migrate::rows::keyset::{key, unique_hash};
use crate::model::fault::Reason;
use crate::model::record::CheckKind;
use crate::model::schema::TargetUnique;
use crate::pg::asked_rows::{AskedRows, TableName};
use crate::pg::conditions::{ComputedKey, TakenKey};
use crate::pg::{Blame, ServerError, Session};
use crate::plan::{ComparedKey, Comparison, Feed, compared_key, proves_unique};

use super::checked_load::{CheckedLoad, CheckedRows, RowVerdicts, Unchecked};

/// The keys that were read so far. Several loads may write to one table.
pub struct SeenKeys {
    memory: KeyMemory,
    sets: Vec<SeenSet>,
}

/// The keys of one unique key of a table.
struct SeenSet {
    table: String,
    key: String,
    numbers: KeyNumbers,
    hashes: SortedKeys<u128>,
    room: KeyRoom,
    /// True if its keys were too many and are dropped.
    is_dropped: bool,
}

/// The value of a key: exact, or a hash.
#[derive(Clone, Copy)]
enum UniqueValue {
    Number(u64),
    Hash(u128),
}

impl SeenKeys {
    pub fn new(memory: &KeyMemory) -> SeenKeys {
        SeenKeys { memory: memory.clone(), sets: Vec::new() }
    }

    /// Returns the index of the set of a key.
    fn set(&mut self, table: &str, key: &str) -> usize {
        let known = self.sets.iter().position(|set| set.table == table && set.key == key);
        known.unwrap_or_else(|| {
            self.sets.push(SeenSet {
                table: table.to_owned(),
                key: key.to_owned(),
                numbers: KeyNumbers::default(),
                hashes: SortedKeys::default(),
                room: self.memory.room(),
                is_dropped: false,
            });
            self.sets.len() - 1
        })
    }
}

impl SeenSet {
    fn contains(&self, value: UniqueValue) -> bool {
        match value {
            UniqueValue::Number(number) => self.numbers.contains(number),
            UniqueValue::Hash(hash) => self.hashes.contains(hash),
        }
    }

    /// Adds a key. Returns false once, when the keys are too many and are dropped.
    fn add(&mut self, value: UniqueValue) -> bool {
        if self.is_dropped {
            return true;
        }
        _ = match value {
            UniqueValue::Number(number) => self.numbers.insert(number),
            UniqueValue::Hash(hash) => self.hashes.insert(hash),
        };
        let holds = self.room.holds(self.numbers.bytes() + self.hashes.bytes());
        if !holds {
            self.is_dropped = true;
            (self.numbers, self.hashes) = Default::default();
        }
        holds
    }
}

/// A unique key of the load's table.
struct UniqueKey {
    name: String,
    /// True if the load skips rows by it.
    skips: bool,
    /// The comparison of the rows of this run. `None` if they cannot collide.
    within: Option<WithinRun>,
    /// The comparison with the target's rows. `None` if there are none.
    taken: Option<TakenKey>,
    /// The columns that the server needs.
    places: Vec<usize>,
}

/// The comparison of rows of this run.
struct WithinRun {
    /// The index of its set.
    set: usize,
    by: KeyMaker,
}

/// The maker of a row's key.
enum KeyMaker {
    Compared(ComparedKey),
    Server(ComputedKey),
}

/// The unique keys of one load.
pub struct UniqueKeys {
    schema: String,
    keys: Vec<UniqueKey>,
    /// False if the load skips rows by a key that cannot be compared in advance.
    knows_skipped_rows: bool,
    /// True after the keys by which rows are skipped were dropped: then no later row can be judged.
    is_blind: AtomicBool,
}

/// The server's answers about the rows of a batch.
#[derive(Default)]
pub struct ServerAnswers {
    /// Rows whose key a row of the target has: the index of the key.
    taken: BTreeMap<usize, usize>,
    /// Rows that are skipped because of that.
    skipped: Vec<usize>,
    /// By key, the hash that the server computed for each row.
    computed: HashMap<usize, HashMap<usize, u128>>,
}

impl ServerAnswers {
    /// Returns true if the load skips the row because the target has its key.
    pub fn is_skipped(&self, row: usize) -> bool {
        self.skipped.binary_search(&row).is_ok()
    }
}

impl UniqueKeys {
    /// The keys of a load, without those that the source guarantees.
    pub fn new<'k>(
        checked: CheckedLoad<'_>,
        computed: impl Iterator<Item = &'k ComputedKey>,
        seen: &mut SeenKeys,
        unchecked: &mut Unchecked<'_>,
    ) -> UniqueKeys {
        let schema = checked.target.schema.clone();
        let mut found =
            UniqueKeys { schema, keys: Vec::new(), knows_skipped_rows: true, is_blind: AtomicBool::new(false) };
        let Some(table) = checked.target.tables.get(&checked.load.table) else { return found };
        for key in &table.unique {
            let skips = checked.load.conflict.as_ref().is_some_and(|c| same(c, &key.columns));
            let mut whys = Vec::new();
            let key = plain_key(checked, key, seen, &mut whys);
            found.knows_skipped_rows &= !skips || whys.is_empty();
            whys.iter().filter(|_| !skips).for_each(|why| unchecked.note(CheckKind::Unique, &key.name, why));
            if key.within.is_some() || key.taken.is_some() {
                found.keys.push(UniqueKey { skips, ..key });
            }
        }
        for key in computed {
            match computed_key(checked, key, table.has_rows, seen) {
                Ok(key) => found.keys.push(key),
                Err(why) => unchecked.note(CheckKind::Unique, &key.name, &why),
            }
        }
        if !found.knows_skipped_rows {
            for key in std::mem::take(&mut found.keys).iter().filter(|key| !key.skips) {
                let why = "it is not known in advance which rows `conflict` skips";
                unchecked.note(CheckKind::Unique, &key.name, why);
            }
        }
        // Rows that are skipped matter only to other checks.
        found.keys.sort_by_key(|key| !key.skips);
        found
    }

    /// Returns true if it is known in advance which rows the load skips.
    pub fn knows_skipped_rows(&self) -> bool {
        self.knows_skipped_rows
    }

    /// Returns true if nothing has to be compared.
    pub fn is_idle(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns true if the rows must be read in their order: the later of two rows with one key is at fault.
    pub fn needs_order(&self) -> bool {
        self.keys.iter().any(|key| key.within.is_some())
    }

    /// Asks the server about the keys of rows, as far as only the server knows.
    pub fn ask(&self, session: &mut Session, rows: &CheckedRows<'_>, unchecked: &mut Unchecked<'_>) -> ServerAnswers {
        let mut answers = ServerAnswers::default();
        if rows.rows.is_empty() {
            return answers;
        }
        let asked: Vec<(usize, &TakenKey)> =
            self.keys.iter().enumerate().filter_map(|(n, key)| Some((n, key.taken.as_ref()?))).collect();
        if !asked.is_empty() {
            let mut places: Vec<usize> = asked.iter().flat_map(|(n, _)| self.keys[*n].places.clone()).collect();
            places.sort_unstable();
            places.dedup();
            let keys: Vec<&TakenKey> = asked.iter().map(|(_, key)| *key).collect();
            let columns = rows.columns(&places);
            let collations: Vec<_> = keys.iter().flat_map(|key| key.read().to_vec()).collect();
            let asked_rows = AskedRows { columns: &columns, collations: &collations };
            match session.rows_taken(&TableName { schema: &self.schema, table: &rows.load.table }, &keys, &asked_rows) {
                Ok(found) => {
                    answers.taken.extend(found.into_iter().map(|(row, n)| (rows.rows[row], asked[n].0)));
                }
                Err(error) => {
                    let why = format!("the rows that the table holds are not compared ({error})");
                    unchecked.note(CheckKind::Unique, &rows.load.table, &why);
                }
            }
            let skips = |(row, n): (&usize, &usize)| self.keys[*n].skips.then_some(*row);
            answers.skipped = answers.taken.iter().filter_map(skips).collect();
        }
        let written: Vec<usize> = rows.rows.iter().copied().filter(|row| !answers.is_skipped(*row)).collect();
        let written = CheckedRows { rows: &written, ..*rows };
        for (n, key) in self.keys.iter().enumerate() {
            let Some(WithinRun { by: KeyMaker::Server(computed), .. }) = &key.within else { continue };
            let hashes = computed_hashes(session, computed, &key.places, &written);
            match hashes {
                Ok(hashes) => _ = answers.computed.insert(n, hashes),
                Err(error) => unchecked.note(CheckKind::Unique, &key.name, &error.to_string()),
            }
        }
        answers
    }

    /// Returns the verdict on rows: the target would refuse those that fail a condition, and those whose key is taken. A row
    /// that is refused takes no key from another row.
    pub fn judge(
        &self,
        rows: &CheckedRows<'_>,
        answers: ServerAnswers,
        mut failing: BTreeMap<usize, Blame>,
        seen: &mut SeenKeys,
        unchecked: &mut Unchecked<'_>,
    ) -> RowVerdicts {
        let mut verdicts = RowVerdicts { skipped: answers.skipped.clone(), ..RowVerdicts::default() };
        if self.is_blind.load(Ordering::Relaxed) {
            return RowVerdicts::default();
        }
        let refused = &mut verdicts.refused;
        for row in rows.rows.iter().copied().filter(|row| !answers.is_skipped(*row)) {
            let values: Vec<Option<UniqueValue>> =
                self.keys.iter().enumerate().map(|(n, key)| key.value(rows, row, answers.computed.get(&n))).collect();
            let is_seen = |(key, value): &(&UniqueKey, &Option<UniqueValue>)| match (&key.within, value) {
                (Some(within), Some(value)) => seen.sets[within.set].contains(*value),
                _ => false,
            };
            // The key by which rows are skipped is the first.
            let hit = self.keys.iter().zip(&values).find(is_seen).map(|(key, _)| key);
            if hit.is_some_and(|key| key.skips) {
                failing.remove(&row);
                verdicts.skipped.push(row);
                continue;
            }
            if let Some(blame) = failing.remove(&row) {
                refused.push((row, blame));
                continue;
            }
            let taken = answers.taken.get(&row).map(|n| &self.keys[*n]);
            if let Some(key) = taken.or(hit) {
                refused.push((row, Blame::of_constraint(Reason::Duplicate, &key.name)));
                continue;
            }
            for (key, value) in self.keys.iter().zip(values) {
                let (Some(within), Some(value)) = (&key.within, value) else { continue };
                if !seen.sets[within.set].add(value) {
                    let why = "its keys need too much memory; only the rows before were compared";
                    unchecked.note(CheckKind::Unique, &key.name, why);
                    self.is_blind.fetch_or(key.skips, Ordering::Relaxed);
                }
            }
        }
        refused.extend(failing);
        verdicts
    }
}

impl UniqueKey {
    /// Returns the value of the key in a row. `None` if the row has none that another row may have.
    fn value(
        &self,
        rows: &CheckedRows<'_>,
        row: usize,
        computed: Option<&HashMap<usize, u128>>,
    ) -> Option<UniqueValue> {
        match &self.within.as_ref()?.by {
            KeyMaker::Server(_) => computed?.get(&row).copied().map(UniqueValue::Hash),
            KeyMaker::Compared(compared) => {
                let image = rows.image(row);
                match compared.compared.as_slice() {
                    [Comparison::Integer] if !compared.nulls_equal => {
                        key(image, &compared.columns, &compared.compared).map(UniqueValue::Number)
                    }
                    _ => unique_hash(image, compared).map(UniqueValue::Hash),
                }
            }
        }
    }
}

/// A unique key over plain columns. Adds the reasons why a part of it cannot be compared.
fn plain_key(checked: CheckedLoad<'_>, key: &TargetUnique, seen: &mut SeenKeys, whys: &mut Vec<String>) -> UniqueKey {
    let CheckedLoad { load, all, source, target, knows_owner } = checked;
    let mut found = UniqueKey { name: key.name.clone(), skips: false, within: None, taken: None, places: Vec::new() };
    let is_alone = all.iter().filter(|l| l.table == load.table).count() == 1;
    if !(is_alone && proves_unique(load, source, key)) {
        match checked.changes().map_or_else(|| compared_key(load, all, key), Err) {
            Ok(None) => {}
            Ok(Some(compared)) => {
                let set = seen.set(&load.table, &key.name);
                found.within = Some(WithinRun { set, by: KeyMaker::Compared(compared) });
            }
            Err(why) => whys.push(why),
        }
    }
    let is_new = |name: &String| match load.columns.iter().find(|c| c.name == *name).map(|c| &c.feed) {
        // No row of the target has an id that its sequence issues now, or the key of an owner who is not there yet.
        Some(Feed::Issued(_)) => true,
        Some(Feed::Owner) => !knows_owner,
        _ => false,
    };
    let holds_rows = target.tables.get(&load.table).is_some_and(|table| table.has_rows);
    if holds_rows && !key.columns.iter().any(is_new) {
        match key.columns.iter().map(|name| checked.place(name)).collect::<Result<Vec<_>, _>>() {
            Ok(places) => {
                found.places = places;
                let (columns, nulls_equal) = (key.columns.clone(), key.nulls_equal);
                found.taken = Some(TakenKey::Plain { columns, nulls_equal });
            }
            Err(why) => whys.push(format!("the rows that the table holds are not compared: {why}")),
        }
    }
    found
}

/// A unique key that the server computes.
///
/// # Errors
/// The reason why it cannot be compared in advance.
fn computed_key(
    checked: CheckedLoad<'_>,
    key: &ComputedKey,
    holds_rows: bool,
    seen: &mut SeenKeys,
) -> Result<UniqueKey, String> {
    if key.calls_code {
        return Err("it calls functions of the application".to_owned());
    }
    if !key.is_comparable {
        return Err("only the server can compare its entries".to_owned());
    }
    let places = key.columns.iter().map(|column| checked.place(&column.name)).collect::<Result<Vec<_>, _>>()?;
    if places.is_empty() {
        return Err("it reads whole rows".to_owned());
    }
    let set = seen.set(&key.table, &key.name);
    Ok(UniqueKey {
        name: key.name.clone(),
        skips: false,
        within: Some(WithinRun { set, by: KeyMaker::Server(key.clone()) }),
        taken: holds_rows.then(|| TakenKey::Computed(key.clone())),
        places,
    })
}

/// Asks the server for the keys that it computes for rows.
fn computed_hashes(
    session: &mut Session,
    key: &ComputedKey,
    places: &[usize],
    rows: &CheckedRows<'_>,
) -> Result<HashMap<usize, u128>, ServerError> {
    let columns = rows.columns(places);
    let found = session.computed_hashes(key, &AskedRows { columns: &columns, collations: &key.columns })?;
    Ok(found.into_iter().map(|(row, hash)| (rows.rows[row], hash)).collect())
}

fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}
