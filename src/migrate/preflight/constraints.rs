//! Finds rows that the target's constraints would refuse: rows that collide under a unique key, rows that fail a CHECK, rows
//! that may be too large for an index, and values that only the server can judge (`server_readable`).
//!
//! Keys are compared in memory by their wire bytes. The server evaluates CHECK constraints and writes nothing. Constraints
//! that cannot be checked are reported.

use std::collections::{BTreeMap, HashSet};

use crate::migrate::indexes::index_width::{SURE_INDEX_ROW, may_be_wide};
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::{field, hash};
use crate::model::fault::Reason;
use crate::model::pgtype::Kind;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::{SourceSchema, TargetSchema, TargetTable};
use crate::pg::inspect::{CheckConstraint, ServerOnlyCheck};
use crate::pg::values::ValueArray;
use crate::pg::{Blame, Session};
use crate::plan::{ComparedKey, Feed, LoadPlan, compared_key, proves_unique, references};

use super::server_readable::ServerReadable;

/// Keys of one unique key that are held in memory, about 40 bytes each. A unique key with more keys is not checked.
const MOST_KEYS: usize = 10_000_000;

/// The constraints of a table, from the server.
pub struct TableConstraints {
    /// Its CHECK constraints.
    pub checks: Vec<CheckConstraint>,
    /// Its B-tree indexes and their columns.
    pub indexes: Vec<(String, Vec<String>)>,
    /// The checks that only the server can make, when rows are written.
    pub unseen: Vec<ServerOnlyCheck>,
}

/// A row that the target would refuse, by its index among the rows of a batch, and the constraint.
type RefusedRow = (usize, Blame);

/// The checks of one load's rows, in their order.
pub struct ConstraintChecks {
    uniques: Vec<ComparedKey>,
    wide: Vec<WideIndex>,
    checks: Vec<(CheckConstraint, Vec<usize>)>,
    /// `None` after the server could not be asked.
    server_readable: Option<ServerReadable>,
    /// Constraints that could not be checked.
    unchecked: Vec<Check>,
}

/// An index whose rows may be too large. Their real size depends on the server's compression.
struct WideIndex {
    index: String,
    columns: Vec<usize>,
    rows: u64,
}

/// The hashes of the keys read so far, by table and unique key. Several loads may write to one table.
pub type SeenKeys = BTreeMap<(String, String), HashSet<u128>>;

impl ConstraintChecks {
    /// The checks of a load. `all`: all loads of the plan.
    pub fn new(
        load: &LoadPlan,
        all: &[LoadPlan],
        source: &SourceSchema,
        target: &TargetSchema,
        constraints: TableConstraints,
    ) -> ConstraintChecks {
        let mut found = ConstraintChecks {
            uniques: Vec::new(),
            wide: wide_indexes(load, constraints.indexes),
            checks: Vec::new(),
            server_readable: Some(ServerReadable::new(load, &target.encoding)),
            unchecked: Vec::new(),
        };
        let Some(table) = target.tables.get(&load.table) else { return found };
        found.add_uniques(load, all, source, table);
        found.add_checks(load, constraints.checks);
        for ServerOnlyCheck { kind, name, why } in constraints.unseen {
            found.not_checked(kind, load, &name, &why);
        }
        for name in unfollowed(load, table, target) {
            found.not_checked(CheckKind::Reference, load, &name, "only the server can check its parents");
        }
        found
    }

    /// Adds the unique keys that the source does not already guarantee.
    fn add_uniques(&mut self, load: &LoadPlan, all: &[LoadPlan], source: &SourceSchema, table: &TargetTable) {
        let alone = all.iter().filter(|l| l.table == load.table).count() == 1 && !table.has_rows;
        for key in table.unique.iter().filter(|key| load.conflict.as_ref().is_none_or(|c| !same(c, &key.columns))) {
            if alone && proves_unique(load, source, key) {
                continue;
            }
            match compared_key(load, all, key) {
                Ok(Some(unique)) => self.uniques.push(unique),
                Ok(None) => {}
                Err(why) => self.not_checked(CheckKind::Unique, load, &key.name, &why),
            }
            if table.has_rows {
                let why = "the rows that the table holds are not compared";
                self.not_checked(CheckKind::Unique, load, &key.name, why);
            }
        }
    }

    /// Adds the CHECK constraints that the server can evaluate without writing.
    fn add_checks(&mut self, load: &LoadPlan, checks: Vec<CheckConstraint>) {
        for check in checks {
            match places(load, &check) {
                Ok(places) => self.checks.push((check, places)),
                Err(why) => self.not_checked(CheckKind::RowCheck, load, &check.name, &why),
            }
        }
        for column in load.columns.iter().filter(|c| c.kind.domain.is_some()) {
            let name = column.kind.domain.clone().unwrap_or_default();
            self.not_checked(CheckKind::RowCheck, load, &name, "the server checks a domain when rows are written");
        }
    }

    /// Returns true if nothing has to be checked.
    pub fn is_idle(&self) -> bool {
        self.wide.is_empty() && self.server_readable.as_ref().is_none_or(ServerReadable::is_idle) && !self.needs_order()
    }

    /// Returns true if the rows must be read in their order.
    pub fn needs_order(&self) -> bool {
        !(self.uniques.is_empty() && self.checks.is_empty())
    }

    /// Returns what could not be checked, after all rows were read.
    pub fn unchecked(mut self, load: &LoadPlan) -> Vec<Check> {
        for wide in std::mem::take(&mut self.wide).into_iter().filter(|wide| wide.rows > 0) {
            let why = format!(
                "{} rows have more than {SURE_INDEX_ROW} bytes in it; the server accepts them only if it can compress them",
                wide.rows
            );
            self.not_checked(CheckKind::Index, load, &wide.index, &why);
        }
        self.unchecked.extend(self.server_readable.iter().flat_map(|readable| readable.unread(load)));
        self.unchecked
    }

    fn not_checked(&mut self, check: CheckKind, load: &LoadPlan, name: &str, why: &str) {
        self.unchecked.push(Check::not_checked(check, Some(&load.name), format!("{name}: {why}")));
    }

    /// Returns the rows of a batch that the target would refuse.
    pub fn refused(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
        seen: &mut SeenKeys,
    ) -> Vec<RefusedRow> {
        let mut refused = self.unreadable(session, load, batch);
        self.failing(session, load, batch, &mut refused);
        self.duplicates(load, batch, seen, &mut refused);
        refused
    }

    /// The rows with a value that the server cannot read.
    fn unreadable(&mut self, session: &mut Session, load: &LoadPlan, batch: &Batch<'_>) -> Vec<RefusedRow> {
        match self.server_readable.as_mut().map(|readable| readable.refused(session, load, batch)) {
            Some(Ok(refused)) => refused,
            Some(Err(unchecked)) => {
                self.server_readable = None;
                self.unchecked.push(unchecked);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Adds the rows that fail a CHECK.
    fn failing(&mut self, session: &mut Session, load: &LoadPlan, batch: &Batch<'_>, refused: &mut Vec<RefusedRow>) {
        for n in (0..self.checks.len()).rev() {
            let (check, places) = &self.checks[n];
            let columns: Vec<ValueArray<'_>> = places.iter().map(|place| column(load, *place, batch)).collect();
            match session.rows_failing(check, &columns) {
                Ok(failing) => {
                    for row in failing {
                        if !refused.iter().any(|(r, _)| *r == row) {
                            refused.push((row, Blame::of_constraint(Reason::CheckFailed, &check.name)));
                        }
                    }
                }
                Err(e) => {
                    let (check, _) = self.checks.remove(n);
                    self.not_checked(CheckKind::RowCheck, load, &check.name, &e.to_string());
                }
            }
        }
    }

    /// Adds the rows whose key an earlier row has. Also counts the rows that may be too large for an index.
    fn duplicates(&mut self, load: &LoadPlan, batch: &Batch<'_>, seen: &mut SeenKeys, refused: &mut Vec<RefusedRow>) {
        let mut full = Vec::new();
        // A refused row takes no key from another row.
        let without_key: HashSet<usize> = refused.iter().map(|(row, _)| *row).collect();
        let set = |key: &ComparedKey| (load.table.clone(), key.name.clone());
        for row in (0..row_count(batch)).filter(|row| !without_key.contains(row)) {
            let image = batch.images(row..row + 1);
            self.count_wide(image);
            let hashes: Vec<Option<u128>> =
                self.uniques.iter().map(|key| hash(image, &key.columns, &key.compared)).collect();
            let mut keys = self.uniques.iter().zip(&hashes);
            let taken = keys.find(|(key, hash)| {
                hash.is_some_and(|hash| seen.get(&set(key)).is_some_and(|set| set.contains(&hash)))
            });
            if let Some((key, _)) = taken {
                refused.push((row, Blame::of_constraint(Reason::Duplicate, &key.name)));
                continue;
            }
            for (n, (key, hash)) in self.uniques.iter().zip(hashes).enumerate() {
                let set = seen.entry(set(key)).or_default();
                set.extend(hash);
                if set.len() >= MOST_KEYS && !full.contains(&n) {
                    full.push(n);
                }
            }
        }
        for n in full.into_iter().rev() {
            let key = self.uniques.remove(n);
            seen.remove(&set(&key));
            let why = format!("more than {MOST_KEYS} keys; only the keys before were compared");
            self.not_checked(CheckKind::Unique, load, &key.name, &why);
        }
    }

    fn count_wide(&mut self, image: &[u8]) {
        for wide in &mut self.wide {
            let bytes = wide.columns.iter().filter_map(|n| field(image, *n)?.1).sum::<usize>();
            wide.rows += u64::from(bytes > SURE_INDEX_ROW);
        }
    }
}

fn row_count(batch: &Batch<'_>) -> usize {
    usize::try_from(batch.rows()).unwrap_or(0)
}

/// The foreign keys over columns of the source that are not checked while reading. The others report every orphan.
fn unfollowed(load: &LoadPlan, table: &TargetTable, target: &TargetSchema) -> Vec<String> {
    let followed = references(load, target);
    let is_fed = |name: &String| {
        load.columns.iter().any(|c| c.name == *name && matches!(c.feed, Feed::Cell(_) | Feed::Constant(_)))
    };
    let keys = table.foreign.iter().filter(|key| key.columns.iter().any(is_fed));
    keys.map(|key| key.name.clone()).filter(|name| followed.iter().all(|link| link.name != *name)).collect()
}

/// The fields of one column in a batch's rows.
fn column<'a>(load: &'a LoadPlan, place: usize, batch: &Batch<'_>) -> ValueArray<'a> {
    let (rows, mut fields) = (row_count(batch), Vec::new());
    for row in 0..rows {
        let image = batch.images(row..row + 1);
        if let Some((at, length)) = field(image, place) {
            fields.extend_from_slice(&image[at - 4..at + length.unwrap_or(0)]);
        }
    }
    let column = &load.columns[place];
    ValueArray { name: &column.name, kind: &column.kind, fields, rows: i32::try_from(rows).unwrap_or(i32::MAX) }
}

/// The indexes over columns that may be too large.
fn wide_indexes(load: &LoadPlan, indexes: Vec<(String, Vec<String>)>) -> Vec<WideIndex> {
    // Rows that are sent as text have no fields at this point. The server reports those that are too large.
    if load.as_text {
        return Vec::new();
    }
    let place = |name: &String| load.columns.iter().position(|c| c.name == *name);
    let mut wide = Vec::new();
    for (index, names) in indexes {
        let columns: Vec<usize> = names.iter().filter_map(place).collect();
        if may_be_wide(columns.iter().map(|n| &load.columns[*n].kind.kind)) {
            wide.push(WideIndex { index, columns, rows: 0 });
        }
    }
    wide
}

fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}

/// The indexes of the columns that a check reads, or the reason why it cannot be evaluated.
fn places(load: &LoadPlan, check: &CheckConstraint) -> Result<Vec<usize>, String> {
    if load.as_text {
        return Err("the load is sent as text".to_owned());
    }
    if check.columns.is_empty() {
        return Err("it reads whole rows".to_owned());
    }
    let place = |name: &String| {
        let found = load.columns.iter().position(|c| c.name == *name);
        let found = found.filter(|n| matches!(load.columns[*n].feed, Feed::Cell(_) | Feed::Constant(_)));
        let found = found.ok_or_else(|| format!("{name} is known only when rows are written"))?;
        let kind = &load.columns[found].kind;
        let plain = kind.is_binary() && !matches!(kind.kind, Kind::Array(_));
        plain.then_some(found).ok_or_else(|| format!("{name} is an array"))
    };
    check.columns.iter().map(place).collect()
}
