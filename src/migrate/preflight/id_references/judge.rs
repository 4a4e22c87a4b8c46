//! Judges what was seen: a column whose name and values speak of changing ids is a refusal, one whose values alone do so is listed.

use crate::model::record::{Refusal, Warning};

use super::names::NameHint;
use super::numbers::IdNumbers;
use super::seen::SeenIds;
use super::watch::{ChangingTable, IdWatch, WatchedColumn};

/// Columns that the list of values names.
const MOST_LISTED: usize = 12;

/// The fewest different values of a column that is listed for its values alone. Fewer agree with any ids.
const FEWEST_VALUES: u64 = 3;

/// The judgement on all loads.
#[derive(Debug, Default)]
pub struct JudgedReferences {
    pub refusals: Vec<Refusal>,
    pub warnings: Vec<Warning>,
}

/// The values of a column or of a member of its JSON.
struct SeenValues<'a> {
    column: &'a WatchedColumn,
    member: Option<&'a str>,
    hint: NameHint,
    values: &'a IdNumbers,
    has_others: bool,
}

/// The ids of one table, as the loads into it have them.
type TableIds<'a> = Vec<&'a IdNumbers>;

/// Different values, and those among them that are ids of one table.
#[derive(Clone, Copy)]
struct IdOverlap {
    values: u64,
    ids: u64,
    /// True if not every id of the table is known.
    is_partial: bool,
}

impl IdOverlap {
    fn of(values: &IdNumbers, ids: &TableIds<'_>) -> IdOverlap {
        let mut overlap = IdOverlap { values: 0, ids: 0, is_partial: ids.iter().any(|ids| ids.is_partial) };
        for value in values.iter() {
            let is_id = ids.iter().any(|ids| ids.contains(value));
            overlap.ids += u64::from(is_id);
            // Applications write 0 and -1 for no row.
            overlap.values += u64::from(is_id || value > 0);
        }
        overlap
    }

    fn is_most(self) -> bool {
        self.values > 0 && (self.is_partial || 10 * self.ids >= 9 * self.values)
    }

    fn is_some(self) -> bool {
        self.ids > 0 || (self.is_partial && self.values > 0)
    }
}

impl IdWatch {
    /// Judges the loads, each by its name.
    pub fn judge<'s>(&self, seen: impl Fn(&str) -> Option<&'s SeenIds>, loads: &[&str]) -> JudgedReferences {
        let mut ids: Vec<TableIds<'_>> = self.tables.iter().map(|_| Vec::new()).collect();
        for load in loads {
            if let (Some(watch), Some(seen)) = (self.load(load), seen(load))
                && let Some((table, _)) = watch.ids
            {
                ids[table].push(&seen.ids);
            }
        }
        let mut judged = JudgedReferences::default();
        let mut listed = Vec::new();
        for load in loads {
            let (Some(watch), Some(seen)) = (self.load(load), seen(load)) else { continue };
            for (column, seen) in watch.columns.iter().zip(&seen.columns) {
                let own = SeenValues {
                    column,
                    member: None,
                    hint: column.hint.clone(),
                    values: &seen.values,
                    has_others: seen.has_others,
                };
                let members = seen.members.iter().map(|(name, values)| SeenValues {
                    column,
                    member: Some(name),
                    hint: self.names.hint(name),
                    values,
                    has_others: false,
                });
                for values in std::iter::once(own).chain(members) {
                    let place = format!("load.{load}.columns.{}", column.name);
                    match self.judgement(&values, &ids) {
                        Judgement::Refused(tables) => judged.refusals.push(self.refusal(place, &values, &tables)),
                        Judgement::Listed => listed.push(values.shown(load)),
                        Judgement::Nothing => {}
                    }
                }
            }
        }
        judged.warnings.extend(list(listed));
        judged
    }

    fn judgement(&self, values: &SeenValues<'_>, ids: &[TableIds<'_>]) -> Judgement {
        let overlap = |table: usize| IdOverlap::of(values.values, &ids[table]);
        let all = 0..self.tables.len();
        let among = |tables: &[usize], enough: &dyn Fn(IdOverlap) -> bool| -> Vec<(usize, IdOverlap)> {
            tables.iter().map(|table| (*table, overlap(*table))).filter(|(_, overlap)| enough(*overlap)).collect()
        };
        let every: Vec<usize> = all.collect();
        if values.member.is_none() && values.column.by.is_some() {
            let tables = among(&every, &IdOverlap::is_some);
            return if tables.is_empty() { Judgement::Nothing } else { Judgement::Refused(tables) };
        }
        let refused = match &values.hint {
            NameHint::Id(tables) => among(tables, &IdOverlap::is_some),
            NameHint::Table(tables) if !values.has_others => among(tables, &IdOverlap::is_most),
            NameHint::Unknown if !values.has_others => among(&every, &IdOverlap::is_most),
            _ => Vec::new(),
        };
        if !refused.is_empty() {
            return Judgement::Refused(refused);
        }
        let is_all = |overlap: IdOverlap| overlap.ids == overlap.values && overlap.values >= FEWEST_VALUES;
        let is_open = values.hint == NameHint::Nothing && !values.has_others;
        if is_open && !among(&every, &is_all).is_empty() { Judgement::Listed } else { Judgement::Nothing }
    }

    fn refusal(&self, place: String, values: &SeenValues<'_>, tables: &[(usize, IdOverlap)]) -> Refusal {
        let named: Vec<&ChangingTable> = tables.iter().map(|(table, _)| &self.tables[*table]).collect();
        let names: Vec<String> = named.iter().map(|table| format!("`{}`", table.name)).collect();
        let names = names.join(" or ");
        let what = values.member.map_or_else(String::new, |member| format!("its JSON member `{member}` "));
        let most = tables.iter().map(|(_, overlap)| overlap).max_by_key(|overlap| overlap.ids);
        let counts = most.map_or_else(String::new, |overlap| match overlap.is_partial {
            true => "ids of that table are too many to compare".to_owned(),
            false => format!("{} of {} different values are ids of its rows", overlap.ids, overlap.values),
        });
        let reason =
            format!("{what}looks like a reference to {names} without a foreign key ({counts}), and these ids change");
        Refusal::new(place, reason, advice(values, &named))
    }
}

/// The judgement on the values of one column or member.
enum Judgement {
    Refused(Vec<(usize, IdOverlap)>),
    Listed,
    Nothing,
}

impl SeenValues<'_> {
    fn shown(&self, load: &str) -> String {
        let member = self.member.map_or_else(String::new, |member| format!(" ({member})"));
        format!("load.{load}.columns.{}{member}", self.column.name)
    }
}

fn advice(values: &SeenValues<'_>, tables: &[&ChangingTable]) -> String {
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let stays = "`refers = false` if it is no reference to them";
    if values.member.is_some() || !values.column.can_follow {
        return format!(
            "Ids inside JSON do not follow. Write {stays} or if the ids may stay as they are. Otherwise load {} with the \
             ids of the source.",
            names.join(" and ")
        );
    }
    if let Some(by) = &values.column.by {
        return format!(
            "Write `refers = {{ by = \"{by}\", \"TYPE\" = \"{}\" }}` with every type in `{by}`, or {stays}.",
            names.join("\", \"TYPE\" = \"")
        );
    }
    if tables.iter().any(|table| !table.is_shifted && !table.is_matched) {
        return format!("Feed it by a `lookup` over the natural key of {}, or write {stays}.", names.join(" or "));
    }
    let lines: Vec<String> = names.iter().map(|name| format!("`refers = \"{name}\"`")).collect();
    format!("Write {}, or {stays}.", lines.join(" or "))
}

/// The warning about columns whose values alone look like ids.
fn list(listed: Vec<String>) -> Option<Warning> {
    let more = listed.len().saturating_sub(MOST_LISTED);
    let shown: Vec<&str> = listed.iter().take(MOST_LISTED).map(String::as_str).collect();
    let first = listed.first()?;
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "all values are ids of rows whose ids change, but the names do not say that they are references: {}{rest}. They are \
         loaded as they are. Write `refers` for a column that is a reference",
        shown.join(", ")
    );
    Some(Warning::new(first.split(" (").next().unwrap_or(first), message))
}
