//! `ids = "shift"`: the keys to which one number is added, and the columns that refer to them.
//!
//! A run chooses the numbers when it begins; the plan only marks the columns.

use std::collections::BTreeSet;

use crate::mapping::{Load, Mapping, RefersRule};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::Kind;
use crate::model::schema::{TargetSchema, TargetTable};

use super::id_column::IdColumn;
use super::{ColumnPlan, Feed, LoadPlan, PlanFindings};

/// A table whose integer key is shifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shifted {
    /// The table.
    pub table: String,
    /// Its key.
    pub column: String,
}

/// The shifted tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShiftedTables {
    /// All of them.
    pub tables: Vec<Shifted>,
    /// Tables that get one number, because the key of one refers to the key of another, as that of a part to that of its whole.
    pub groups: Vec<BTreeSet<String>>,
}

impl ShiftedTables {
    /// Lets two tables get one number.
    fn join(&mut self, one: &str, other: &str) {
        let (mut joined, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.groups)
            .into_iter()
            .partition(|group: &BTreeSet<String>| group.contains(one) || group.contains(other));
        joined.push(BTreeSet::from([one.to_owned(), other.to_owned()]));
        self.groups = rest;
        self.groups.push(joined.into_iter().flatten().collect());
    }
}

/// Marks each column of each load with the table whose shift it gets, and returns the shifted tables.
pub(super) fn shifts(
    mapping: &Mapping,
    loads: &mut [LoadPlan],
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> ShiftedTables {
    let mut found: Vec<Shifted> = Vec::new();
    for load in mapping.loads.iter().filter(|load| load.shift) {
        let plan = loads.iter().find(|plan| plan.name == load.name);
        let (Some(table), Some(plan)) = (target.tables.get(&load.to), plan) else { continue };
        match key(table, plan) {
            Ok(column) => {
                let shifted = Shifted { table: load.to.clone(), column };
                if !found.contains(&shifted) {
                    found.push(shifted);
                }
            }
            Err(reason) => findings.refuse(format!("load.{}.ids", load.name), reason, "Remove `ids = \"shift\"`."),
        }
    }
    let mut all = ShiftedTables { tables: found.clone(), groups: Vec::new() };
    let issuing: Vec<String> = loads.iter().filter(|plan| issues_ids(plan)).map(|plan| plan.table.clone()).collect();
    for plan in loads {
        let Some(load) = mapping.loads.iter().find(|load| load.name == plan.name) else { continue };
        if !target.tables.contains_key(&plan.table) {
            continue;
        }
        StatedReferences { load, plan, target, issuing: &issuing }.check(findings);
        for shifted in &found {
            let keys = mark(load, plan, shifted, target, findings);
            let own = found.iter().filter(|own| own.table == plan.table && *own != shifted);
            own.filter(|own| keys.contains(&own.column)).for_each(|own| all.join(&own.table, &shifted.table));
        }
    }
    all
}

/// Returns the integer key of a load, which must be fed by the source.
fn key(table: &TargetTable, plan: &LoadPlan) -> Result<String, String> {
    let primary = table.unique.iter().find(|u| u.primary).map(|u| u.columns.as_slice());
    let Some([column]) = primary else {
        return Err(format!("`{}` has no primary key of one column", plan.table));
    };
    let planned = plan.columns.iter().find(|c| c.name == *column);
    match planned {
        Some(planned) if !is_integer(&planned.kind.kind) => {
            Err(format!("the key `{column}` is {}, not an integer", planned.kind.shown()))
        }
        Some(planned) if matches!(planned.feed, Feed::Cell(_)) => Ok(column.clone()),
        _ => Err(format!("the key `{column}` is not fed by the source, so there is nothing to shift")),
    }
}

/// Marks the columns of a load that get this table's shift: its key, and columns that refer to the key. Returns the latter.
fn mark(
    load: &Load,
    plan: &mut LoadPlan,
    shifted: &Shifted,
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> Vec<String> {
    let Shifted { table: parent, column: key } = shifted;
    let (place, own, mut referring) = (plan.place(), plan.table.clone(), Vec::new());
    for column in &mut plan.columns {
        let is_key = load.to == *parent && column.name == *key;
        let by_key = IdColumn { table: &own, column: &column.name }.refers_to(target, parent, key);
        let written = load.columns.iter().find(|(name, _)| *name == column.name);
        let is_stated = written.and_then(|(_, c)| c.refers.as_ref()?.table()) == Some(parent);
        if !(is_key || by_key || is_stated) || !matches!(column.feed, Feed::Cell(_)) {
            continue;
        }
        if is_key && !load.shift {
            findings.refuse(
                format!("{place}.ids"),
                format!("another load shifts the ids of `{parent}`, but this load does not"),
                "Write `ids = \"shift\"` in both: one number is added to all ids of a table.",
            );
        }
        if !(is_integer(&column.kind.kind) || (is_stated && holds_ids(&column.kind.kind))) {
            findings.refuse(
                format!("{place}.columns.{}", column.name),
                format!(
                    "refers to `{parent}`, whose ids are shifted, and is {}, not an integer or text",
                    column.kind.shown()
                ),
                "Write `refers = false` if these ids may stay as they are, or feed it by a lookup.",
            );
        }
        if !is_key {
            referring.push(column.name.clone());
        }
        column.shift = Some(parent.clone());
    }
    referring
}

fn is_integer(kind: &Kind) -> bool {
    matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8)
}

/// Returns true if a column can contain ids that follow their rows.
fn holds_ids(kind: &Kind) -> bool {
    is_integer(kind) || matches!(kind, Kind::Text | Kind::Varchar { .. })
}

/// Returns true if a sequence issues the ids of the rows that a load adds.
fn issues_ids(plan: &LoadPlan) -> bool {
    let is_issued = |column: &&ColumnPlan| matches!(column.feed, Feed::Issued(_));
    plan.columns.iter().filter(is_issued).any(|column| plan.surrogate.as_ref() == Some(&column.name))
}

/// The `refers` of one load.
struct StatedReferences<'a> {
    load: &'a Load,
    plan: &'a LoadPlan,
    target: &'a TargetSchema,
    /// The tables whose ids a sequence issues.
    issuing: &'a [String],
}

impl StatedReferences<'_> {
    /// Refuses each `refers` to an unknown table or to ids that cannot be followed, and each for a column without such ids.
    fn check(&self, findings: &mut PlanFindings) {
        for (name, written) in &self.load.columns {
            let Some(refers) = &written.refers else { continue };
            let place = format!("load.{}.columns.{name}.refers", self.load.name);
            let tables: Vec<&String> = match refers {
                RefersRule::Nothing => Vec::new(),
                RefersRule::Table(table) => vec![table],
                RefersRule::ByType { tables, .. } => tables.iter().filter_map(|(_, table)| table.as_ref()).collect(),
            };
            tables.iter().for_each(|table| self.check_table(table, &place, findings));
            let planned = self.plan.columns.iter().find(|column| column.name == *name);
            let by_type = matches!(refers, RefersRule::ByType { .. });
            match planned.map(|column| (&column.feed, &column.kind)) {
                Some((Feed::Cell(_), kind)) if by_type && !holds_ids(&kind.kind) => findings.refuse(
                    place,
                    format!("is written for a column of type {}, not an integer or text", kind.shown()),
                    "Write `refers = false` if these ids may stay as they are, or `sql`.",
                ),
                Some((Feed::Cell(_), _)) | None => {}
                Some(_) => {
                    findings.refuse(place, "is written for a column that the source does not feed", "Remove it.")
                }
            }
        }
    }

    fn check_table(&self, table: &String, place: &str, findings: &mut PlanFindings) {
        if !self.target.tables.contains_key(table) {
            let hint = did_you_mean(table, self.target.tables.keys().map(String::as_str));
            findings.refuse(
                place,
                format!("the target has no table `{table}`"),
                format!("{hint}Write the name of the table to which these ids belong."),
            );
        } else if self.issuing.contains(table) {
            findings.refuse(
                place,
                format!("a sequence issues the ids of `{table}`, so each row has another change of its id"),
                "Feed the column by a `lookup` over the natural key, or write `ids = \"shift\"` at the load of that table.",
            );
        }
    }
}
