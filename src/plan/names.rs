//! Checks of the names that a load writes: columns of the target, of the source and of its conflict key.

use std::collections::BTreeSet;

use crate::mapping::{FeedRule, Load, OwnerRule, RowsFrom};
use crate::model::ident::did_you_mean;
use crate::model::schema::{TargetTable, TargetUnique};
use crate::model::select::Relation;

use super::PlanFindings;
use super::relation::{self, RelationColumn};

/// Refuses names of columns that the target does not have, a conflict key that is not unique, and useless entries.
pub(super) fn of_target(load: &Load, table: &TargetTable, findings: &mut PlanFindings) {
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let mut written: Vec<(String, &str)> =
        load.columns.iter().map(|(n, _)| (format!("load.{}.columns.{n}", load.name), n.as_str())).collect();
    let owner = match &load.owner {
        OwnerRule::Stamped(columns) => columns.clone(),
        OwnerRule::Carried(column) | OwnerRule::Through(column) => vec![column.clone()],
        OwnerRule::Unsaid | OwnerRule::Shared => Vec::new(),
    };
    written.extend(owner.iter().map(|n| (format!("load.{}.owner", load.name), n.as_str())));
    let conflict = load.conflict.iter().flatten();
    written.extend(conflict.map(|n| (format!("load.{}.conflict", load.name), n.as_str())));
    for (place, name) in written {
        if !names.contains(&name) {
            findings.refuse(
                place,
                format!("`{}` has no column `{name}`", load.to),
                format!("{}Write the name of a column of the target.", did_you_mean(name, names.iter().copied())),
            );
        }
    }
    entries_have_effect(load, table, findings);
    if let Some(key) = &load.conflict {
        conflict_key(load, key, table, findings);
    }
}

/// Refuses a conflict key that is not a unique key by which the server can skip a row.
fn conflict_key(load: &Load, key: &[String], table: &TargetTable, findings: &mut PlanFindings) {
    let place = format!("load.{}.conflict", load.name);
    let wanted: BTreeSet<&String> = key.iter().collect();
    let is_it = |u: &&TargetUnique| u.columns.iter().collect::<BTreeSet<_>>() == wanted;
    let found: Vec<&TargetUnique> = table.unique.iter().filter(is_it).collect();
    // One deferrable key of several is enough: the server takes them all into account.
    if let Some(waits) = found.iter().find(|u| u.deferrable) {
        findings.refuse(
            place,
            format!("the unique key {} of `{}` is DEFERRABLE: the server cannot skip rows by it", waits.name, load.to),
            "Make it NOT DEFERRABLE on the target, or name another unique key.",
        );
    } else if found.is_empty() && key.iter().all(|name| table.column(name).is_some()) {
        findings.refuse(
            place,
            format!("`{}` has no unique key over ({})", load.to, key.join(", ")),
            "Name exactly the columns of one of its unique keys.",
        );
    }
}

/// Refuses a column that is stamped twice, and `if_orphan` where no orphan is possible.
fn entries_have_effect(load: &Load, table: &TargetTable, findings: &mut PlanFindings) {
    if let OwnerRule::Stamped(columns) = &load.owner
        && let Some(twice) = columns.iter().enumerate().find(|(n, c)| columns[..*n].contains(c)).map(|(_, c)| c)
    {
        findings.refuse(
            format!("load.{}.owner", load.name),
            format!("names `{twice}` twice"),
            "Name each column once.",
        );
    }
    let refers = |name: &String| table.foreign.iter().any(|key| key.columns.contains(name));
    for (name, column) in &load.columns {
        if column.modifiers.if_orphan.is_some() && !refers(name) && table.column(name).is_some() {
            findings.refuse(
                format!("load.{}.columns.{name}.if_orphan", load.name),
                format!("`if_orphan` has no effect: `{}.{name}` has no foreign key", load.to),
                "Remove it.",
            );
        }
    }
}

/// Refuses a column of a query or of written rows that feeds nothing: its name is probably misspelt.
pub(super) fn of_relation(
    load: &Load,
    from: &Relation,
    table: &TargetTable,
    source: &[RelationColumn],
    findings: &mut PlanFindings,
) {
    if matches!(from, Relation::Table(_)) {
        return;
    }
    let names = || table.columns.iter().map(|c| c.name.as_str());
    let is_fed = |name: &str| {
        let written = load.columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        let by_name = written.is_none_or(|(_, column)| column.feed.is_none());
        let from = load.columns.iter().any(|(_, c)| matches!(&c.feed, Some(FeedRule::From(column)) if column == name));
        let is_word =
            |sql: &str| sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w.eq_ignore_ascii_case(name));
        (by_name && names().any(|column| column.eq_ignore_ascii_case(name)))
            || from
            || relation::written(load).iter().any(|(_, sql)| is_word(sql))
    };
    for RelationColumn { name, .. } in source.iter().filter(|column| !is_fed(&column.name)) {
        let place = match &load.from {
            RowsFrom::Rows(rows) => {
                rows.iter().position(|row| row.contains_key(name)).map(|n| format!("rows.{n}.{name}"))
            }
            _ => Some("sql".to_owned()),
        };
        findings.refuse(
            format!("load.{}.from.{}", load.name, place.unwrap_or_default()),
            format!("its rows have a column `{name}`, and no column of the target is fed by it"),
            format!("{}Rename it to a column of the target, or remove it.", did_you_mean(name, names())),
        );
    }
}
