//! Conditions that the server evaluates for rows that are not written: CHECKs, domains, generated columns, index entries, and
//! the bounds of partitions.
//!
//! If evaluating a batch raises an error, the batch is halved until the row that raises it is found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::fault::Reason;
use crate::model::pgtype::Kind;
use crate::model::record::CheckKind;
use crate::pg::asked_rows::{AskedRows, ReadColumn};
use crate::pg::conditions::RowCondition;
use crate::pg::{Blame, ServerError, Session};
use crate::plan::LoadPlan;

use super::checked_load::{CheckedLoad, CheckedRows, Unchecked};

/// Rows that raise an error, per load. Each is found by some twenty questions; further ones are left to the server.
pub const MOST_RAISING: u64 = 100;

/// The conditions of one load.
pub struct RowConditions {
    groups: Mutex<Vec<ConditionGroup>>,
    is_idle: bool,
}

/// Conditions that are evaluated together.
struct ConditionGroup {
    /// True if they are evaluated under the application's search path.
    calls_code: bool,
    conditions: Vec<RowCondition>,
    /// Rows that raised an error.
    raising: u64,
}

impl RowConditions {
    /// The conditions of a load. `knows_skipped_rows`: it is known in advance which rows `conflict` skips.
    pub fn new<'c>(
        checked: CheckedLoad<'_>,
        conditions: impl Iterator<Item = &'c RowCondition>,
        knows_skipped_rows: bool,
        unchecked: &mut Unchecked<'_>,
    ) -> RowConditions {
        let mut groups =
            [false, true].map(|calls_code| ConditionGroup { calls_code, conditions: Vec::new(), raising: 0 });
        for condition in conditions {
            let why = if condition.columns.is_empty() && condition.kind != CheckKind::Partition {
                Some("it reads whole rows".to_owned())
            } else if condition.calls_code && condition.kind != CheckKind::RowCheck {
                Some("it calls functions of the application".to_owned())
            } else if !knows_skipped_rows {
                Some("it is not known in advance which rows `conflict` skips".to_owned())
            } else {
                condition.columns.iter().find_map(|column| checked.place(&column.name).err())
            };
            match why {
                // A domain is listed for each of its columns, also for those that the load does not send.
                Some(_) if condition.is_domain && !is_sent(checked.load, condition) => {}
                Some(why) => unchecked.note(condition.kind, &condition.name, &why),
                None => groups[usize::from(condition.calls_code)].conditions.push(condition.clone()),
            }
        }
        let groups: Vec<ConditionGroup> = groups.into_iter().filter(|g| !g.conditions.is_empty()).collect();
        RowConditions { is_idle: groups.is_empty(), groups: Mutex::new(groups) }
    }

    /// Returns true if nothing has to be evaluated.
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Returns the rows that the server would refuse.
    pub fn failing(
        &self,
        session: &mut Session,
        rows: &CheckedRows<'_>,
        unchecked: &mut Unchecked<'_>,
    ) -> BTreeMap<usize, Blame> {
        let mut found = BTreeMap::new();
        for group in self.groups.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            Evaluation { group, session: &mut *session, unchecked: &mut *unchecked, found: &mut found }.find(rows);
        }
        found
    }
}

/// Returns true if the load sends a column that the condition reads.
fn is_sent(load: &LoadPlan, condition: &RowCondition) -> bool {
    condition.columns.iter().any(|read| load.columns.iter().any(|column| column.name == read.name))
}

/// The evaluation of a group of conditions over rows.
struct Evaluation<'e, 'u> {
    group: &'e mut ConditionGroup,
    session: &'e mut Session,
    unchecked: &'e mut Unchecked<'u>,
    found: &'e mut BTreeMap<usize, Blame>,
}

impl Evaluation<'_, '_> {
    /// Finds the rows that fail a condition or raise an error.
    fn find(&mut self, rows: &CheckedRows<'_>) {
        if rows.rows.is_empty() || self.group.conditions.is_empty() {
            return;
        }
        let conditions: Vec<&RowCondition> = self.group.conditions.iter().collect();
        match ask(self.session, &conditions, rows, self.group.calls_code) {
            Ok(failing) => {
                for (row, n) in failing {
                    self.found.entry(rows.rows[row]).or_insert_with(|| blame(conditions[n]));
                }
            }
            Err(error) if !error.is_about_rows() => self.give_up(&error, rows),
            Err(error) => match rows.rows {
                [row] => {
                    self.found.insert(*row, Blame::of_value(&error));
                    self.raised();
                }
                all => {
                    let (first, then) = all.split_at(all.len() / 2);
                    self.find(&CheckedRows { rows: first, ..*rows });
                    self.find(&CheckedRows { rows: then, ..*rows });
                }
            },
        }
    }

    fn raised(&mut self) {
        self.group.raising += 1;
        if self.group.raising >= MOST_RAISING {
            let why =
                format!("evaluating it raises an error for {MOST_RAISING} rows; only the rows before were checked");
            for condition in self.group.conditions.drain(..) {
                self.unchecked.note(condition.kind, &condition.name, &why);
            }
        }
    }

    /// Leaves out the conditions that the server cannot evaluate, and evaluates the others.
    fn give_up(&mut self, error: &ServerError, rows: &CheckedRows<'_>) {
        let first = CheckedRows { rows: &rows.rows[..1], ..*rows };
        let before = self.group.conditions.len();
        for condition in std::mem::take(&mut self.group.conditions) {
            match ask(self.session, &[&condition], &first, self.group.calls_code) {
                Err(error) if !error.is_about_rows() => {
                    self.unchecked.note(condition.kind, &condition.name, &error.to_string());
                }
                _ => self.group.conditions.push(condition),
            }
        }
        if self.group.conditions.len() < before {
            return self.find(rows);
        }
        for condition in self.group.conditions.drain(..) {
            self.unchecked.note(condition.kind, &condition.name, &error.to_string());
        }
    }
}

/// Asks which rows fail which conditions.
fn ask(
    session: &mut Session,
    conditions: &[&RowCondition],
    rows: &CheckedRows<'_>,
    calls_code: bool,
) -> Result<Vec<(usize, usize)>, ServerError> {
    let mut read: Vec<ReadColumn> = conditions.iter().flat_map(|condition| condition.columns.clone()).collect();
    read.sort_by(|a, b| a.name.cmp(&b.name));
    read.dedup();
    let place = |column: &ReadColumn| rows.load.columns.iter().position(|c| c.name == column.name);
    let mut places: Vec<usize> = read.iter().filter_map(place).collect();
    if places.is_empty() {
        // Any column carries the number of rows.
        places.extend(
            rows.load.columns.iter().position(|c| c.kind.is_binary() && !matches!(c.kind.kind, Kind::Array(_))),
        );
    }
    let expressions: Vec<&str> = conditions.iter().map(|condition| condition.expression.as_str()).collect();
    let columns = rows.columns(&places);
    session.rows_failing(&expressions, &AskedRows { columns: &columns, collations: &read }, calls_code)
}

/// The reason for which the server would refuse a row that fails a condition.
fn blame(condition: &RowCondition) -> Blame {
    let name = &condition.name;
    match condition.kind {
        CheckKind::Generated => Blame {
            reason: Reason::NullInNotNull,
            column: Some(name.clone()),
            detail: format!("generated column {name}"),
            constraint: None,
        },
        CheckKind::Partition => Blame { constraint: None, ..Blame::of_constraint(Reason::NoPartition, name) },
        _ => Blame::of_constraint(Reason::CheckFailed, name),
    }
}
