//! What a dry run looks at beyond each value: rows that collide under the target's unique keys, rows that fail a CHECK, rows
//! that may be too large for an index, and values that the server alone can judge (`doubts`).
//!
//! Keys are compared by their wire bytes, in memory; CHECK constraints are evaluated by the server, read-only. What cannot be
//! looked at is said.

use std::collections::{BTreeMap, HashSet};

use crate::model::fault::Reason;
use crate::model::pgtype::Kind;
use crate::model::record::{Check, CheckKind};
use crate::model::schema::{SourceSchema, TargetSchema, TargetTable};
use crate::pg::inspect::CheckConstraint;
use crate::pg::values::ValueArray;
use crate::pg::{Blame, Session};
use crate::plan::{ComparedKey, Feed, LoadPlan, compared_key, proves_unique, references};

use crate::migrate::indexes::index_width::SURE_INDEX_ROW;
use crate::migrate::indexes::index_width::may_be_wide;
use crate::migrate::preflight::server_readable::Doubts;
use crate::migrate::rows::batch::Batch;
use crate::migrate::rows::keyset::field;
use crate::migrate::rows::keyset::hash;

/// Keys of one unique key that are held in memory, some 40 bytes each; of more, the key is not checked.
pub const MOST_KEYS: usize = 10_000_000;

/// What the server says of a table that rows are held against.
pub struct Asked {
    /// Its CHECK constraints.
    pub checks: Vec<CheckConstraint>,
    /// Its B-tree indexes and their columns.
    pub indexed: Vec<(String, Vec<String>)>,
    /// What is judged when rows are written: the kind of check, its name, and why.
    pub unseen: Vec<[String; 3]>,
}

/// Looks at the rows of one load, in their order.
pub struct Looking {
    uniques: Vec<ComparedKey>,
    wide: Vec<Wide>,
    checks: Vec<(CheckConstraint, Vec<usize>)>,
    /// Gone, once the server could not be asked.
    doubts: Option<Doubts>,
    /// What could not be looked at.
    pub unchecked: Vec<Check>,
}

/// An index whose rows may be too large: how large depends on how the server compresses them.
struct Wide {
    index: String,
    columns: Vec<usize>,
    rows: u64,
}

/// The keys that were seen so far, by table and unique key: several loads may go to one table.
pub type Seen = BTreeMap<(String, String), HashSet<u128>>;

impl Looking {
    pub fn of(
        load: &LoadPlan,
        all: &[LoadPlan],
        source: &SourceSchema,
        target: &TargetSchema,
        asked: Asked,
    ) -> Looking {
        let (checks, unchecked) = (Vec::new(), Vec::new());
        let (doubts, wide) = (Some(Doubts::of(load, &target.encoding)), wide(load, asked.indexed));
        let mut looking = Looking { uniques: Vec::new(), wide, checks, doubts, unchecked };
        let Some(table) = target.tables.get(&load.table) else { return looking };
        let alone = all.iter().filter(|l| l.table == load.table).count() == 1 && !table.has_rows;
        for key in table.unique.iter().filter(|key| load.conflict.as_ref().is_none_or(|c| !same(c, &key.columns))) {
            if !(alone && proves_unique(load, source, key)) {
                match compared_key(load, all, key) {
                    Ok(Some(unique)) => looking.uniques.push(unique),
                    Ok(None) => {}
                    Err(why) => looking.not_checked(CheckKind::Unique, load, &key.name, &why),
                }
                if table.has_rows {
                    looking.not_checked(
                        CheckKind::Unique,
                        load,
                        &key.name,
                        "the rows that the table holds are not compared",
                    );
                }
            }
        }
        for check in asked.checks {
            match places(load, &check) {
                Ok(places) => looking.checks.push((check, places)),
                Err(why) => looking.not_checked(CheckKind::RowCheck, load, &check.name, &why),
            }
        }
        for column in load.columns.iter().filter(|c| c.kind.domain.is_some()) {
            let name = column.kind.domain.clone().unwrap_or_default();
            looking.not_checked(CheckKind::RowCheck, load, &name, "the server checks a domain when rows are written");
        }
        for [kind, name, why] in asked.unseen {
            let kind = CheckKind::of(&kind).unwrap_or(CheckKind::Constraints);
            looking.not_checked(kind, load, &name, &why);
        }
        for name in unfollowed(load, table, target) {
            looking.not_checked(
                CheckKind::Reference,
                load,
                &name,
                "the server alone says whether its parents are there",
            );
        }
        looking
    }

    /// Whether there is nothing to look at.
    pub fn is_idle(&self) -> bool {
        self.wide.is_empty() && self.doubts.as_ref().is_none_or(Doubts::is_idle) && !self.needs_order()
    }

    /// Whether rows must come in their order.
    pub fn needs_order(&self) -> bool {
        !(self.uniques.is_empty() && self.checks.is_empty())
    }

    /// What could not be looked at, now that all rows were.
    pub fn ended(mut self, load: &LoadPlan) -> Vec<Check> {
        for wide in std::mem::take(&mut self.wide).into_iter().filter(|wide| wide.rows > 0) {
            let why = format!(
                "{} rows have more than {SURE_INDEX_ROW} bytes in it; whether the server takes them depends on how it compresses them",
                wide.rows
            );
            self.not_checked(CheckKind::Index, load, &wide.index, &why);
        }
        self.unchecked.extend(self.doubts.iter().flat_map(|doubts| doubts.ended(load)));
        self.unchecked
    }

    fn not_checked(&mut self, check: CheckKind, load: &LoadPlan, name: &str, why: &str) {
        self.unchecked.push(Check::not_checked(check, Some(&load.name), format!("{name}: {why}")));
    }

    /// Rows of a batch, by their place among those that can go, that the server would refuse.
    pub fn look(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
        seen: &mut Seen,
    ) -> Vec<(usize, Blame)> {
        let rows = usize::try_from(batch.rows()).unwrap_or(0);
        let mut refused = Vec::new();
        match self.doubts.as_mut().map(|doubts| doubts.refused(session, load, batch)) {
            Some(Ok(doubtful)) => refused = doubtful,
            Some(Err(unchecked)) => {
                self.doubts = None;
                self.unchecked.push(unchecked);
            }
            None => {}
        }
        self.failing(session, load, batch, rows, &mut refused);
        let mut full = Vec::new();
        // A row that is refused takes no key from another.
        let gone: HashSet<usize> = refused.iter().map(|(row, _)| *row).collect();
        for row in (0..rows).filter(|row| !gone.contains(row)) {
            let image = batch.images(row..row + 1);
            for wide in &mut self.wide {
                let bytes = wide.columns.iter().filter_map(|n| field(image, *n)?.1).sum::<usize>();
                wide.rows += u64::from(bytes > SURE_INDEX_ROW);
            }
            let hashes: Vec<Option<u128>> = self.uniques.iter().map(|u| hash(image, &u.columns, &u.compared)).collect();
            let sets = |u: &ComparedKey| (load.table.clone(), u.name.clone());
            let taken =
                self.uniques.iter().zip(&hashes).find(|(u, hash)| {
                    hash.is_some_and(|hash| seen.get(&sets(u)).is_some_and(|set| set.contains(&hash)))
                });
            if let Some((unique, _)) = taken {
                refused.push((row, Blame::of_constraint(Reason::Duplicate, &unique.name)));
                continue;
            }
            for (n, (unique, hash)) in self.uniques.iter().zip(hashes).enumerate() {
                let set = seen.entry(sets(unique)).or_default();
                set.extend(hash);
                if set.len() >= MOST_KEYS && !full.contains(&n) {
                    full.push(n);
                }
            }
        }
        for n in full.into_iter().rev() {
            let unique = self.uniques.remove(n);
            seen.remove(&(load.table.clone(), unique.name.clone()));
            let why = format!("more than {MOST_KEYS} keys; only those before were compared");
            self.not_checked(CheckKind::Unique, load, &unique.name, &why);
        }
        refused
    }

    fn failing(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
        rows: usize,
        refused: &mut Vec<(usize, Blame)>,
    ) {
        for n in (0..self.checks.len()).rev() {
            let (check, places) = &self.checks[n];
            let columns: Vec<ValueArray<'_>> = places.iter().map(|place| column(load, *place, batch, rows)).collect();
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
}

/// Foreign keys over what the source says that are not followed while reading: those that are see every orphan.
fn unfollowed(load: &LoadPlan, table: &TargetTable, target: &TargetSchema) -> Vec<String> {
    let followed = references(load, target);
    let is_fed = |name: &String| {
        load.columns.iter().any(|c| c.name == *name && matches!(c.feed, Feed::Cell(_) | Feed::Constant(_)))
    };
    let keys = table.foreign.iter().filter(|key| key.columns.iter().any(is_fed));
    keys.map(|key| key.name.clone()).filter(|name| followed.iter().all(|link| link.name != *name)).collect()
}

/// The fields of one column of a batch's rows.
fn column<'a>(load: &'a LoadPlan, place: usize, batch: &Batch<'_>, rows: usize) -> ValueArray<'a> {
    let mut fields = Vec::new();
    for row in 0..rows {
        let image = batch.images(row..row + 1);
        if let Some((at, length)) = field(image, place) {
            fields.extend_from_slice(&image[at - 4..at + length.unwrap_or(0)]);
        }
    }
    let column = &load.columns[place];
    ValueArray { name: &column.name, kind: &column.kind, fields, rows: i32::try_from(rows).unwrap_or(i32::MAX) }
}

/// The indexes over columns that may be that large.
fn wide(load: &LoadPlan, indexed: Vec<(String, Vec<String>)>) -> Vec<Wide> {
    let place = |name: &String| load.columns.iter().position(|c| c.name == *name);
    let wide = |(index, columns): (String, Vec<String>)| {
        let columns: Vec<usize> = columns.iter().filter_map(place).collect();
        let kinds = columns.iter().map(|n| &load.columns[*n].kind.kind);
        may_be_wide(kinds).then_some(Wide { index, columns, rows: 0 })
    };
    // The rows of a load that goes as text have no fields here; the server names those that are too large.
    if load.as_text { Vec::new() } else { indexed.into_iter().filter_map(wide).collect() }
}

fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}

/// The places of the columns that a check reads.
fn places(load: &LoadPlan, check: &CheckConstraint) -> Result<Vec<usize>, String> {
    if load.as_text {
        return Err("the load goes as text".to_owned());
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
