//! Whose the rows are, and how they are found: owner, rows per owner, sequences, lookups.

use std::collections::BTreeMap;

use super::{Depth, Kind, Line, Section, Shown, Tone, place};
use crate::model::record::{LookupRecord, OwnerRows, Report, SequenceRecord, Verdict};
use crate::report::summary::{Job, owner_words};
use crate::text::{count, grouped, phrase, some_of};

/// Owners up to which each table has a line of its own in a document.
const FEW: usize = 3;

/// Who the stamped rows belong to.
pub fn owner(report: &Report) -> Option<Section> {
    let words = owner_words(report)?;
    Some(Section::words("owner", "Owner", words))
}

/// Rows per owner, the largest first; few owners table by table.
pub fn owners(report: &Report, depth: Depth) -> Option<Section> {
    if report.owners.is_empty() {
        return None;
    }
    let mut owners: Vec<(&OwnerRows, u64)> = report.owners.iter().map(|o| (o, o.rows.values().sum())).collect();
    owners.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.owner.cmp(&b.0.owner)));
    let table_by_table = depth.explain && owners.len() <= FEW;
    let lines = if table_by_table { by_table(&owners) } else { by_owner(&owners, depth) };
    let last = if table_by_table { "table" } else { "tables" };
    let columns = [("owner", Kind::Name), ("rows", Kind::Number), (last, Kind::Text)];
    Some(Section::table("owners", "Rows per owner", &columns, lines))
}

fn name(owner: &OwnerRows) -> Shown {
    match &owner.owner {
        Some(name) => name.as_str().into(),
        None => Shown::from("(no owner)").toned(Tone::Warn),
    }
}

fn by_owner(owners: &[(&OwnerRows, u64)], depth: Depth) -> Vec<Line> {
    let most = owners.first().map_or(0, |o| o.1);
    let tables = if depth.explain { usize::MAX } else { depth.keys };
    let mut lines: Vec<Line> = owners
        .iter()
        .take(depth.owners)
        .map(|(owner, rows)| {
            let line = Line::of([name(owner), (*rows).into(), largest(&owner.rows, tables).into()]);
            Line { share: Some(share(*rows, most)), ..line }
        })
        .collect();
    let rest = owners.get(depth.owners..).unwrap_or_default();
    if !rest.is_empty() {
        let rows: u64 = rest.iter().map(|o| o.1).sum();
        let who = format!("({} more)", grouped(rest.len() as u64));
        lines.push(Line::of([who.into(), rows.into(), "".into()]));
    }
    if owners.len() > 1 {
        let rows: u64 = owners.iter().map(|o| o.1).sum();
        lines.push(Line { sum: true, ..Line::of(["all".into(), rows.into(), "".into()]) });
    }
    lines
}

fn by_table(owners: &[(&OwnerRows, u64)]) -> Vec<Line> {
    let most = owners.iter().flat_map(|o| o.0.rows.values()).copied().max().unwrap_or(0);
    let mut lines = Vec::new();
    for (owner, rows) in owners {
        for (table, n) in ordered(&owner.rows) {
            let line = Line::of([name(owner), n.into(), table.into()]);
            lines.push(Line { share: Some(share(n, most)), ..line });
        }
        let all = count(ordered(&owner.rows).len() as u64, "table", "tables");
        lines.push(Line { sum: true, ..Line::of([name(owner), (*rows).into(), all.into()]) });
    }
    lines
}

fn share(rows: u64, most: u64) -> f64 {
    if most == 0 { 0.0 } else { rows as f64 / most as f64 }
}

/// Tables with rows, the largest first.
fn ordered(rows: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let some = rows.iter().filter(|(_, n)| **n > 0);
    let mut tables: Vec<(&str, u64)> = some.map(|(table, n)| (table.as_str(), *n)).collect();
    tables.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    tables
}

fn largest(rows: &BTreeMap<String, u64>, most: usize) -> String {
    let words: Vec<String> = ordered(rows).into_iter().map(|(table, n)| format!("{table} {}", grouped(n))).collect();
    some_of(&words, most)
}

/// Sequences; where there are many, those that differ first.
pub fn sequences(report: &Report, depth: Depth) -> Option<Section> {
    if report.sequences.is_empty() {
        return None;
    }
    let mut chosen: Vec<&SequenceRecord> = report.sequences.iter().collect();
    let many = chosen.len().saturating_sub(depth.rows) as u64;
    if many > 0 {
        chosen.sort_by_key(|s| matches!(s.verdict, Verdict::Same));
        chosen.truncate(depth.rows);
    }
    let number = |n: Option<i64>| Shown::from(n.map_or_else(|| "-".to_owned(), |n| n.to_string()));
    let lines = chosen.iter().map(|s| {
        Line::of([
            s.sequence.as_str().into(),
            s.column.as_str().into(),
            number(s.max),
            number(s.next),
            s.verdict.into(),
        ])
    });
    let last = [("last there", Kind::Number), ("next", Kind::Number), ("verdict", Kind::Word)];
    let columns = [[("sequence", Kind::Name), ("column", Kind::Name)].as_slice(), &last].concat();
    let section = Section::table("sequences", "Sequences", &columns, lines.collect());
    let section = if depth.explain && Job::of(report) != Job::DryRun {
        section.with_lead("A sequence gives the next new row its number, which must lie past every number there.")
    } else {
        section
    };
    Some(section.with_tail((many > 0).then(|| format!("And {} more.", count(many, "sequence", "sequences")))))
}

/// How often each step of each lookup hit, and what no step found.
pub fn lookups(report: &Report, depth: Depth) -> Option<Section> {
    if report.lookups.is_empty() {
        return None;
    }
    let lines = report.lookups.iter().flat_map(|l| lookup_lines(l, depth)).collect();
    let columns = [("column", Kind::Name), ("found by", Kind::Text), ("values", Kind::Number)];
    let section = Section::table("lookups", "Lookups", &columns, lines);
    Some(if depth.explain {
        section
            .with_lead("The value was looked up in another table of the target, step by step until one step found it.")
    } else {
        section
    })
}

fn lookup_lines(lookup: &LookupRecord, depth: Depth) -> Vec<Line> {
    let column = place(&lookup.load, &lookup.column);
    let line = |what: Shown, n: u64| Line::of([column.as_str().into(), what, n.into()]);
    let mut lines: Vec<Line> = lookup.steps.iter().map(|s| line(s.target.as_str().into(), s.hits)).collect();
    let tone = |n: u64| if n > 0 { Tone::Warn } else { Tone::Plain };
    lines.push(line(Shown::from("(several answers)").toned(tone(lookup.ambiguous)), lookup.ambiguous));
    if lookup.set_aside > 0 {
        lines.push(line(Shown::from("(set aside itself)").toned(Tone::Warn), lookup.set_aside));
    }
    if !lookup.quiet {
        let note = not_found(lookup, depth);
        lines.push(line(Shown::from("(not found)").toned(tone(lookup.missing)), lookup.missing).with_note(note));
    }
    lines
}

/// The values that no step found, where they may be shown; else how many different ones.
fn not_found(lookup: &LookupRecord, depth: Depth) -> Option<String> {
    let different = lookup.missing_values.filter(|n| *n > 0)?;
    let Some(values) = &lookup.values else {
        let values =
            phrase(different, "# value, which --show-values lists", "# different values, which --show-values lists");
        return Some(format!("not found: {values}"));
    };
    let shown = &values[..values.len().min(depth.rows)];
    let quoted: Vec<String> = shown.iter().map(|value| format!("'{value}'")).collect();
    let more = match different.saturating_sub(shown.len() as u64) {
        0 => String::new(),
        more => format!(" and {} more", grouped(more)),
    };
    Some(format!("not found: {}{more}", quoted.join(", ")))
}
