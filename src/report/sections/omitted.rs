//! Everything that did not arrive unchanged: left in the source, lost as the mapping allows, or faulty.
//!
//! Faults are grouped by place and reason, because equal faults need one decision.

use std::collections::BTreeMap;

use crate::exit::Exit;
use crate::model::fault::Loss;
use crate::model::record::{FaultRecord, LossRecord, Report, WarningKind};
use crate::report::section::{CellKind, Depth, Line, Section, Shown, place};
use crate::report::summary::{ended, is_loss, is_made_by_the_type};
use crate::report::tone::Tone;
use crate::text::{count, grouped, phrase, sentence, some_of};

/// Tables and columns that the mapping leaves in the source.
pub fn left(report: &Report) -> Option<Section> {
    if report.left.is_empty() {
        return None;
    }
    let lines = report.left.iter().map(|l| {
        let what = l.column.as_ref().map_or_else(|| l.table.clone(), |column| place(&l.table, column));
        let kind = if l.column.is_some() { "column" } else { "table" };
        let rows = l.rows.map_or_else(|| "unknown".into(), Shown::from);
        Line::of([what.into(), kind.into(), rows, l.reason.as_str().into()])
    });
    let columns =
        [("name", CellKind::Name), ("is a", CellKind::Word), ("rows", CellKind::Number), ("why", CellKind::Text)];
    let section = Section::table("left", "Left in the source", &columns, lines.collect());
    let some_column = report.left.iter().any(|l| l.column.is_some());
    Some(section.with_tail(some_column.then(|| "The rows of a column are those in which it has a value.".to_owned())))
}

/// Views and other objects without rows of their own.
pub fn not_tables(report: &Report, depth: Depth) -> Option<Section> {
    if report.not_tables.is_empty() {
        return None;
    }
    let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for thing in &report.not_tables {
        by_kind.entry(&thing.kind).or_default().push(&thing.name);
    }
    let lines = by_kind
        .into_iter()
        .map(|(kind, names)| Line::of([kind.into(), (names.len() as u64).into(), some_of(&names, depth.keys).into()]));
    let columns = [("kind", CellKind::Word), ("number", CellKind::Number), ("names", CellKind::Text)];
    Some(Section::table("not-tables", "In the source, no tables", &columns, lines.collect()))
}

/// The losses that the mapping allows (`lost`), or the changes that lose nothing.
pub fn losses(report: &Report, lost: bool, depth: Depth) -> Option<Section> {
    let chosen: Vec<&LossRecord> = report.losses.iter().filter(|l| is_loss(l) == lost).collect();
    if chosen.is_empty() {
        return None;
    }
    let line = |l: &&LossRecord| {
        let tone = if lost { Tone::Warn } else { Tone::Plain };
        let keys = some_of(&l.keys, depth.keys);
        let rows = if keys.is_empty() { "-".to_owned() } else { keys };
        let what = Shown::from(l.modifier.as_str()).toned(tone);
        let line = Line::of([place(&l.load, &l.column).into(), what, l.count.into(), rows.into()]);
        line.with_note(depth.explain.then(|| loss_says(&l.modifier)).flatten().map(str::to_owned))
    };
    let lines = chosen.iter().take(depth.rows).map(line).collect();
    let by = if lost { "by" } else { "what" };
    let columns = [
        ("column", CellKind::Name),
        (by, CellKind::Word),
        ("values", CellKind::Number),
        ("first rows", CellKind::Text),
    ];
    let (id, title) = match lost {
        true if chosen.iter().any(|loss| is_made_by_the_type(loss)) => ("losses", "Losses"),
        true => ("losses", "Losses that the mapping allows"),
        false => ("changes", "Changed without loss"),
    };
    let more = chosen.len().saturating_sub(depth.rows) as u64;
    let tail = (more > 0).then(|| format!("And {} more.", count(more, "column", "columns")));
    Some(Section::table(id, title, &columns, lines).with_tail(tail))
}

/// The effect of a modifier, for people who do not know the mapping language.
pub fn loss_says(modifier: &str) -> Option<&'static str> {
    let loss = Loss::ALL.into_iter().find(|l| l.word() == modifier)?;
    Some(match loss {
        Loss::StripNul => "NUL characters, which PostgreSQL's text cannot contain, were removed.",
        Loss::IfBad => "Text that could not be read as the column's type was replaced by the mapping's value.",
        Loss::Round => "More decimals than the column holds were rounded.",
        Loss::Truncate => "Text longer than the column was cut.",
        Loss::IfOrphan => "A reference to a row that does not exist was replaced by the mapping's value.",
        Loss::DropOrphan => {
            "A row that refers to a row that does not exist was left out, and with it the rows that refer to it."
        }
        Loss::FloatNoise => {
            "Digits that only floating-point arithmetic had made, beyond the column's decimals, were dropped."
        }
        Loss::Real => "A double was written as the real with the same shortest text.",
        Loss::EndOfDay => "24:00:00 was written as the start of the next day.",
        Loss::ZoneData => {
            "The time zone data of the target's server have another offset for these times: it shows another local time."
        }
        Loss::Kept => "The row is on the target with another value, which was kept. The source's value was lost.",
        Loss::WrittenOver => {
            "The row was on the target with another value. The source's was written over it, and the ledger keeps the \
             previous one for a rollback."
        }
        Loss::NotForJsonb => {
            "A JSON text contains \\u0000 or half a surrogate pair. A json column keeps it, but the server cannot read it as \
             jsonb or as text."
        }
        Loss::JsonDigits => {
            "A jsonb writes a number with other digits: -0.0 as 0.0, and a large exponent as zeros. Its value is the same."
        }
        Loss::DuplicateKeys => "A JSON object had a key twice. A jsonb keeps the last value, and the others were lost.",
    })
}

/// The faults of one line: same load, column and reason.
#[derive(Default)]
struct Group<'a> {
    first: Option<&'a FaultRecord>,
    rows: u64,
    children: u64,
    keys: Vec<String>,
}

/// The faulty rows, by place and reason.
pub fn faults(report: &Report, depth: Depth) -> Option<Section> {
    if report.fault_total == 0 && report.faults.is_empty() {
        return None;
    }
    let groups = grouped_faults(&report.faults);
    let lines: Vec<Line> = groups.iter().take(depth.rows).filter_map(|g| fault_line(g, depth)).collect();
    let columns = [
        ("where", CellKind::Name),
        ("reason", CellKind::Word),
        ("rows", CellKind::Number),
        ("first rows", CellKind::Text),
    ];
    let title = match ended(report) {
        Exit::Quarantined if report.dry_run => "Rows to quarantine",
        Exit::Quarantined => "Quarantined rows",
        _ => "Rows that cannot be loaded as they are",
    };
    let mut section = Section::table("faults", title, &columns, lines);
    if report.faults.is_empty() {
        section = Section::words("faults", title, count(report.fault_total, "fault.", "faults."));
    }
    Some(section.with_tail(fault_tail(report, groups.len().saturating_sub(depth.rows))))
}

fn grouped_faults(faults: &[FaultRecord]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut index = BTreeMap::new();
    for fault in faults {
        let at = *index.entry((&fault.load, &fault.column, fault.reason, &fault.message)).or_insert_with(|| {
            groups.push(Group { first: Some(fault), ..Group::default() });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.rows += 1;
        group.children += fault.children;
        group.keys.extend(fault.rowid.map(|id| id.to_string()).or_else(|| fault.key.clone()));
    }
    groups
}

fn fault_line(group: &Group<'_>, depth: Depth) -> Option<Line> {
    let fault = group.first?;
    let column = fault.column.as_ref();
    let keys = if group.keys.is_empty() { "-".to_owned() } else { some_of(&group.keys, depth.keys) };
    let mut note = vec![sentence(&fault.message)];
    note.extend(seen(group));
    if group.children > 0 {
        let (one, many) =
            ("# row that refers to them was refused, too.", "# rows that refer to them were refused, too.");
        note.push(phrase(group.children, one, many));
    }
    let line = Line::of([
        column.map_or_else(|| fault.load.clone(), |c| place(&fault.load, c)).into(),
        Shown::from(fault.reason.word()).toned(Tone::Bad),
        group.rows.into(),
        keys.into(),
    ]);
    Some(line.with_note(Some(note.join(" "))))
}

/// The value without its content: `The source has text of 3 bytes in a DECIMAL(10,2), for numeric(10,2).`
fn seen(group: &Group<'_>) -> Option<String> {
    let fault = group.first?;
    let class = fault.class?;
    let length = fault.bytes.map_or_else(String::new, |b| format!(" of {}", count(b, "byte", "bytes")));
    let declared = fault
        .declared
        .iter()
        .find(|d| !d.is_empty())
        .map_or_else(String::new, |d| format!(" in a column declared {d}"));
    let target = fault.target_type.as_ref().map_or_else(String::new, |t| format!("; the target's is {t}"));
    let first = if group.rows > 1 { "The first is" } else { "It is" };
    Some(format!("{first} {class}{length}{declared}{target}."))
}

fn fault_tail(report: &Report, hidden: usize) -> Option<String> {
    let listed = report.faults.len() as u64;
    let mut words = Vec::new();
    if hidden > 0 {
        words.push(format!("And {} more.", count(hidden as u64, "kind of fault", "kinds of fault")));
    }
    if report.fault_total > listed && listed > 0 {
        words.push(format!(
            "Counted here: the first {} of {}.",
            grouped(listed),
            count(report.fault_total, "fault", "faults")
        ));
    }
    let has_file = report.warnings.iter().any(|w| w.kind == WarningKind::FaultFile);
    if has_file && (hidden > 0 || report.fault_total > listed) {
        words.push("All of them are in the fault file.".to_owned());
    }
    if words.is_empty() { None } else { Some(words.join(" ")) }
}
