//! What a dry run looks at beyond each value: rows that collide under the target's unique keys, and rows that fail a CHECK.
//!
//! Keys are compared by their wire bytes, in memory; CHECK constraints are evaluated by the server, read-only. What cannot be
//! looked at is said.

use std::collections::{BTreeMap, HashSet};

use crate::model::fault::Reason;
use crate::model::pgtype::Kind;
use crate::model::record::Check;
use crate::model::schema::{SourceSchema, TargetSchema, TargetUnique};
use crate::plan::{Compared, Feed, LoadPlan, proves_unique};
use crate::target::checks::{Column, RowCheck};
use crate::target::{Blame, Session};

use super::batch::Batch;
use super::keyset::{field, hash};

/// Keys of one unique key that are held in memory, some 40 bytes each; of more, the key is not checked.
pub(super) const MOST_KEYS: usize = 10_000_000;

/// Looks at the rows of one load, in their order.
pub(super) struct Looking {
    uniques: Vec<Unique>,
    checks: Vec<(RowCheck, Vec<usize>)>,
    /// What could not be looked at.
    pub unchecked: Vec<Check>,
}

struct Unique {
    name: String,
    columns: Vec<usize>,
    compared: Vec<Compared>,
}

/// The keys that were seen so far, by table and unique key: several loads may go to one table.
pub(super) type Seen = BTreeMap<(String, String), HashSet<u128>>;

impl Looking {
    pub fn of(
        load: &LoadPlan,
        all: &[LoadPlan],
        source: &SourceSchema,
        target: &TargetSchema,
        checks: Vec<RowCheck>,
    ) -> Looking {
        let mut looking = Looking { uniques: Vec::new(), checks: Vec::new(), unchecked: Vec::new() };
        let Some(table) = target.tables.get(&load.table) else { return looking };
        let alone = all.iter().filter(|l| l.table == load.table).count() == 1 && !table.has_rows;
        for key in table.unique.iter().filter(|key| load.conflict.as_ref().is_none_or(|c| !same(c, &key.columns))) {
            if !(alone && proves_unique(load, source, key)) {
                match unique(load, key) {
                    Ok(Some(unique)) => looking.uniques.push(unique),
                    Ok(None) => {}
                    Err(why) => looking.not_checked("unique", load, &key.name, &why),
                }
                if table.has_rows {
                    looking.not_checked("unique", load, &key.name, "the rows that the table holds are not compared");
                }
            }
        }
        for check in checks {
            match places(load, &check) {
                Ok(places) => looking.checks.push((check, places)),
                Err(why) => looking.not_checked("check", load, &check.name, &why),
            }
        }
        for column in load.columns.iter().filter(|c| c.kind.domain.is_some()) {
            let name = column.kind.domain.clone().unwrap_or_default();
            looking.not_checked("check", load, &name, "the server checks a domain when rows are written");
        }
        looking
    }

    /// Whether there is nothing to look at.
    pub fn is_idle(&self) -> bool {
        self.uniques.is_empty() && self.checks.is_empty()
    }

    fn not_checked(&mut self, check: &str, load: &LoadPlan, name: &str, why: &str) {
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
        let mut refused = self.failing(session, load, batch, rows);
        let mut full = Vec::new();
        // A row that is refused takes no key from another.
        let gone: HashSet<usize> = refused.iter().map(|(row, _)| *row).collect();
        for row in (0..rows).filter(|row| !gone.contains(row)) {
            let image = batch.images(row..row + 1);
            let hashes: Vec<Option<u128>> = self.uniques.iter().map(|u| hash(image, &u.columns, &u.compared)).collect();
            let sets = |u: &Unique| (load.table.clone(), u.name.clone());
            let taken =
                self.uniques.iter().zip(&hashes).find(|(u, hash)| {
                    hash.is_some_and(|hash| seen.get(&sets(u)).is_some_and(|set| set.contains(&hash)))
                });
            if let Some((unique, _)) = taken {
                let detail = format!("constraint {}", unique.name);
                refused.push((row, Blame { reason: Reason::Duplicate, column: None, detail }));
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
            self.not_checked("unique", load, &unique.name, &why);
        }
        refused
    }

    fn failing(
        &mut self,
        session: &mut Session,
        load: &LoadPlan,
        batch: &Batch<'_>,
        rows: usize,
    ) -> Vec<(usize, Blame)> {
        let mut refused: Vec<(usize, Blame)> = Vec::new();
        for n in (0..self.checks.len()).rev() {
            let (check, places) = &self.checks[n];
            let columns: Vec<Column<'_>> = places.iter().map(|place| column(load, *place, batch, rows)).collect();
            match session.failing(check, &columns) {
                Ok(failing) => {
                    for row in failing {
                        let detail = format!("constraint {}", check.name);
                        if !refused.iter().any(|(r, _)| *r == row) {
                            refused.push((row, Blame { reason: Reason::CheckFailed, column: None, detail }));
                        }
                    }
                }
                Err(e) => {
                    let (check, _) = self.checks.remove(n);
                    self.not_checked("check", load, &check.name, &e.to_string());
                }
            }
        }
        refused
    }
}

/// The fields of one column of a batch's rows.
fn column<'a>(load: &'a LoadPlan, place: usize, batch: &Batch<'_>, rows: usize) -> Column<'a> {
    let mut fields = Vec::new();
    for row in 0..rows {
        let image = batch.images(row..row + 1);
        if let Some((at, length)) = field(image, place) {
            fields.extend_from_slice(&image[at - 4..at + length.unwrap_or(0)]);
        }
    }
    let column = &load.columns[place];
    Column { name: &column.name, kind: &column.kind, fields, rows: i32::try_from(rows).unwrap_or(i32::MAX) }
}

fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}

/// A unique key as it is compared here; `None`: its rows cannot collide.
fn unique(load: &LoadPlan, key: &TargetUnique) -> Result<Option<Unique>, String> {
    if load.as_text {
        return Err("the load goes as text".to_owned());
    }
    if key.nulls_equal {
        return Err("NULLs count as equal there".to_owned());
    }
    let mut found = Unique { name: key.name.clone(), columns: Vec::new(), compared: Vec::new() };
    for name in &key.columns {
        let Some(place) = load.columns.iter().position(|c| c.name == *name) else {
            return Err(format!("the server makes {name}"));
        };
        let column = &load.columns[place];
        match &column.feed {
            Feed::Issued(_) => return Ok(None),
            // The same in every row of the run.
            Feed::Owner | Feed::Constant(_) => {}
            Feed::Cell(_) => {
                let compared = Compared::of(&column.kind.kind);
                let compared =
                    compared.ok_or_else(|| format!("{} is compared by the server alone", column.kind.shown()))?;
                found.columns.push(place);
                found.compared.push(compared);
            }
            Feed::Lookup(_) => return Err(format!("{name} is known only when rows are written")),
        }
    }
    Ok(Some(found))
}

/// The places of the columns that a check reads.
fn places(load: &LoadPlan, check: &RowCheck) -> Result<Vec<usize>, String> {
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
        let plain = !matches!(load.columns[found].kind.kind, Kind::Array(_) | Kind::Other);
        plain.then_some(found).ok_or_else(|| format!("{name} is an array"))
    };
    check.columns.iter().map(place).collect()
}
