//! The part of a proposed mapping that can be planned although questions are open, and the place of what its dry run finds.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{DraftLine, DraftLoad, MappingDraft};
use super::owner::natural_column;
use super::render::string;
use crate::mapping::{
    FeedRule, Load, MappedColumn, Mapping, OpenQuestion, OwnerRule, OwnerSection, OwnerValue, SequenceEntry, Unlisted,
    WrittenValue,
};
use crate::model::cell::RawBuf;
use crate::model::ident::nearest;
use crate::model::rules::Value;
use crate::model::schema::TargetSchema;

/// A mapping without its open questions, and the loads that cannot be planned before they are answered.
pub struct PlannableMapping {
    /// The mapping.
    pub mapping: Mapping,
    /// The loads that were removed, by name.
    pub unplanned: BTreeSet<String>,
}

/// Removes everything that an open question leaves undecided: a load whose own question is open, or whose required column is,
/// and every load whose rows refer to such a load. Tables and columns that nothing reads stay in the source.
pub fn plannable(mut mapping: Mapping, questions: &[OpenQuestion], target: &TargetSchema) -> PlannableMapping {
    if questions.is_empty() {
        return PlannableMapping { mapping, unplanned: BTreeSet::new() };
    }
    mapping.defaults.unlisted_tables = Unlisted::Leave;
    mapping.defaults.unlisted_columns = Unlisted::Leave;
    let mut unplanned = BTreeSet::new();
    for question in questions {
        settle(&mut mapping, question, target, &mut unplanned);
    }
    let has_owner =
        mapping.owner.as_ref().is_some_and(|owner| owner.natural.as_ref().is_some_and(|match_| !match_.is_empty()));
    if !has_owner {
        let is_stamped = |load: &&Load| matches!(load.owner, OwnerRule::Stamped(_));
        unplanned.extend(mapping.loads.iter().filter(is_stamped).map(|load| load.name.clone()));
    }
    while let Some(dependent) = dependent(&mapping, target, &unplanned) {
        unplanned.insert(dependent);
    }
    mapping.loads.retain(|load| !unplanned.contains(&load.name));
    PlannableMapping { mapping, unplanned }
}

/// Takes a harmless answer for one question, or notes the load that cannot be planned.
fn settle(mapping: &mut Mapping, question: &OpenQuestion, target: &TargetSchema, unplanned: &mut BTreeSet<String>) {
    let place = question.place.as_str();
    if place == "source.zone" {
        mapping.source.zone = Some("UTC".to_owned());
    }
    match place {
        "owner.create" => {}
        "owner.match" => mapping.owner = mapping.owner.take().and_then(|owner| unknown(owner, target)),
        _ if place.starts_with("owner") => mapping.owner = None,
        _ => {}
    }
    if let Some(name) = place.strip_prefix("sequences.") {
        mapping.sequences.push(SequenceEntry { name: name.to_owned(), columns: Vec::new() });
    }
    let of_load = |load: &&mut Load| place.strip_prefix("load.").is_some_and(|rest| starts_with_name(rest, &load.name));
    let Some(load) = mapping.loads.iter_mut().find(of_load) else { return };
    let column = place.strip_prefix(&format!("load.{}.columns.", load.name)).map(str::to_owned);
    let facts = target.tables.get(&load.to).zip(column.as_ref()).and_then(|(table, column)| table.column(column));
    match (column, facts) {
        (Some(column), Some(facts)) if !facts.not_null => {
            let feed = Some(FeedRule::Value(WrittenValue(Value::Null)));
            load.columns.push((column, MappedColumn { feed, ..MappedColumn::default() }));
        }
        _ => {
            unplanned.insert(load.name.clone());
        }
    }
}

/// Returns an owner whose row is not known yet. `None` if its table has no column for a natural key.
fn unknown(owner: OwnerSection, target: &TargetSchema) -> Option<OwnerSection> {
    let column = natural_column(target.tables.get(&owner.table)?)?;
    let value = OwnerValue(Value::Literal(RawBuf::text("")));
    Some(OwnerSection { natural: Some(BTreeMap::from([(column, value)])), create: None, ..owner })
}

/// Returns true if a path begins with a name.
fn starts_with_name(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns a load whose rows refer to rows of a load that is not planned.
fn dependent(mapping: &Mapping, target: &TargetSchema, unplanned: &BTreeSet<String>) -> Option<String> {
    let missing: BTreeSet<&str> =
        mapping.loads.iter().filter(|load| unplanned.contains(&load.name)).map(|load| load.to.as_str()).collect();
    let refers = |load: &&Load| {
        let foreign = target.tables.get(&load.to).map(|table| table.foreign.as_slice()).unwrap_or_default();
        foreign.iter().any(|key| missing.contains(key.parent.as_str()))
    };
    let mut planned = mapping.loads.iter().filter(|load| !unplanned.contains(&load.name));
    planned.find(refers).map(|load| load.name.clone())
}

/// Something that the dry run of a proposed mapping found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRunFinding {
    /// The place: a key path of the mapping, a table, a right.
    pub place: String,
    /// The problem, with the way out.
    pub text: String,
}

/// Writes a finding at its place. A place that the mapping does not have is a comment at the top.
pub fn annotate(draft: &mut MappingDraft, finding: DryRunFinding) {
    let DryRunFinding { place, text } = finding;
    let of_load =
        |load: &&mut DraftLoad| place.strip_prefix("load.").is_some_and(|rest| starts_with_name(rest, &load.name));
    if let Some(load) = draft.loads.iter_mut().find(of_load) {
        let rest =
            place.strip_prefix(&format!("load.{}", load.name)).unwrap_or_default().trim_start_matches('.').to_owned();
        let column = rest.strip_prefix("columns.").map(|rest| rest.split('.').next().unwrap_or(rest).to_owned());
        let line = match &column {
            Some(column) => load.columns.iter_mut().find(|line| line.key.concat() == *column),
            None => load.lines.iter_mut().find(|line| starts_with_name(&rest, &line.key.concat())),
        };
        match (line, column) {
            (Some(line), _) => line.findings.push(text),
            (None, Some(column)) => load.findings.push(format!("{column}: {text}")),
            (None, None) => load.findings.push(text),
        }
        return;
    }
    let first = draft.owner.first_mut().filter(|_| starts_with_name(&place, "owner"));
    match first {
        Some(line) => line.findings.push(text),
        None => draft.findings.push(format!("{place}: {text}")),
    }
}

/// Adds the question about a sequence that no column names.
pub fn ask_for_sequence(draft: &mut MappingDraft, name: &str, target: &TargetSchema) {
    let columns: Vec<String> = target
        .tables
        .iter()
        .flat_map(|(table, facts)| facts.columns.iter().map(move |column| format!("{table}.{}", column.name)))
        .collect();
    let hint = nearest(name, columns.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!(" (the nearest name is {near})"));
    let question =
        format!("which column holds its numbers? Write {}{hint}, or false if none does", string("table.column"));
    draft.sequences.push(DraftLine::question(name, question));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_without_a_place_in_the_file_is_counted_like_the_others() {
        let mut draft = MappingDraft::default();
        let text = "this role lacks rights".to_owned();
        annotate(&mut draft, DryRunFinding { place: "rights".to_owned(), text });
        assert_eq!((draft.count_findings(), draft.notes.len()), (1, 0));
    }
}
