//! The owner, and the rows per owner.

use std::collections::BTreeMap;

use crate::model::record::{OwnerRows, Report};
use crate::report::section::{CellKind, Depth, Line, Section, Shown};
use crate::report::summary::owner_words;
use crate::report::tone::Tone;
use crate::text::{count, grouped, some_of};

/// Most owners whose tables a document lists one by one.
const FEW: usize = 3;

/// The owner of the stamped rows.
pub fn owner(report: &Report) -> Option<Section> {
    let words = owner_words(report)?;
    Some(Section::words("owner", "Owner", words))
}

/// The rows per owner, the largest owner first. A document lists a few owners table by table.
pub fn owners(report: &Report, depth: Depth) -> Option<Section> {
    if report.owners.is_empty() {
        return None;
    }
    let mut owners: Vec<(&OwnerRows, u64)> = report.owners.iter().map(|o| (o, o.rows.values().sum())).collect();
    owners.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.owner.cmp(&b.0.owner)));
    let table_by_table = depth.explain && owners.len() <= FEW;
    let lines = if table_by_table { by_table(&owners) } else { by_owner(&owners, depth) };
    let last = if table_by_table { "table" } else { "tables" };
    let columns = [("owner", CellKind::Name), ("rows", CellKind::Number), (last, CellKind::Text)];
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
