//! Refusals of one kind that many objects cause: a few are listed one by one, more are one refusal with the list of objects.

use crate::model::record::Refusal;

/// The number of refusals of one kind that are still listed one by one.
const FEW: usize = 2;

/// A kind of refusal that many objects may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RepeatedKind {
    /// A table of the target is missing.
    MissingTable,
    /// No load reads a table of the source.
    UnreadTable,
    /// No load reads a column of the source.
    UnreadColumn,
    /// No feed fills a required column of the target.
    UnfedColumn,
}

/// One refusal of a kind, and the name of the object that causes it.
#[derive(Clone, Debug)]
pub(super) struct RepeatedRefusal {
    pub kind: RepeatedKind,
    pub object: String,
    pub refusal: Refusal,
}

/// Returns the refusals, those of one kind as one if they are many.
pub(super) fn settled(mut repeated: Vec<RepeatedRefusal>) -> Vec<Refusal> {
    repeated.sort_by_key(|one| one.kind);
    let mut settled = Vec::new();
    for same in repeated.chunk_by(|a, b| a.kind == b.kind) {
        let mut objects: Vec<&str> = same.iter().map(|one| one.object.as_str()).collect();
        objects.dedup();
        if objects.len() > FEW {
            settled.push(listed(same[0].kind, &objects));
        } else {
            settled.extend(same.iter().map(|one| one.refusal.clone()));
        }
    }
    settled
}

fn listed(kind: RepeatedKind, objects: &[&str]) -> Refusal {
    let (count, names) = (objects.len(), objects.join(", "));
    let (place, reason, advice) = match kind {
        RepeatedKind::MissingTable => (
            "target.schema",
            format!("{count} tables are missing: {names}"),
            "Run the application's own migrations, or write `to = \"...\"` at each of these loads.",
        ),
        RepeatedKind::UnreadTable => (
            "source",
            format!("no load reads {count} tables: {names}"),
            "Write [load.NAME] for each, or `NAME = \"why\"` in [leave].",
        ),
        RepeatedKind::UnreadColumn => (
            "source",
            format!("no load reads {count} columns: {names}"),
            "Feed a column of the target from each, or write `TABLE.COLUMN = \"why\"` in [leave].",
        ),
        RepeatedKind::UnfedColumn => (
            "target",
            format!("{count} columns are NOT NULL without a default, and nothing feeds them: {names}"),
            "Write `COLUMN = { ... }` with from, sql, value, env or owner for each, or once in [defaults.columns] as \
             `COLUMN = { if_null = ... }` for all tables.",
        ),
    };
    Refusal::new(place, reason, advice)
}
