//! Sequences and lookups.

use crate::model::record::{Activity, LookupRecord, NumberedBy, Report, SequenceRecord, Verdict};
use crate::report::section::{CellKind, Depth, Line, Section, Shown, place};
use crate::report::tone::Tone;
use crate::text::{count, grouped, phrase};

/// The sequences. If there are too many, those that differ come first. A folded table has no others.
pub fn sequences(report: &Report, depth: Depth) -> Option<Section> {
    let is_of_note = |s: &&SequenceRecord| s.verdict != Verdict::Same && s.by != NumberedBy::Nothing;
    let mut chosen: Vec<&SequenceRecord> = report.sequences.iter().filter(|s| !depth.fold || is_of_note(s)).collect();
    if chosen.is_empty() {
        return None;
    }
    let many = chosen.len().saturating_sub(depth.rows) as u64;
    if many > 0 {
        chosen.sort_by_key(|s| matches!(s.verdict, Verdict::Same));
        chosen.truncate(depth.rows);
    }
    let number = |n: Option<i64>| Shown::from(n.map_or_else(|| "-".to_owned(), |n| n.to_string()));
    let lines = chosen
        .iter()
        .map(|s| Line::of([s.sequence.as_str().into(), numbered(s), number(s.max), number(s.next), s.verdict.into()]));
    let last = [("last used", CellKind::Number), ("next", CellKind::Number), ("verdict", CellKind::Word)];
    let columns = [[("sequence", CellKind::Name), ("column", CellKind::Name)].as_slice(), &last].concat();
    let section = Section::table("sequences", "Sequences", &columns, lines.collect());
    let section = if depth.explain && report.activity() != Activity::DryRun {
        section.with_lead("A sequence numbers the next new row. The number must be past every number in the column.")
    } else {
        section
    };
    Some(section.with_tail((many > 0).then(|| format!("And {} more.", count(many, "sequence", "sequences")))))
}

/// The columns that a sequence numbers, with the origin of that knowledge unless the columns name the sequence themselves.
fn numbered(sequence: &SequenceRecord) -> Shown {
    Shown::from(match sequence.by {
        NumberedBy::Column => sequence.column.clone(),
        NumberedBy::Name => format!("{} (by its name)", sequence.column),
        NumberedBy::Mapping => format!("{} (by the mapping)", sequence.column),
        NumberedBy::Nothing => "no loaded column; unchanged".to_owned(),
    })
}

/// The hits of each step of each lookup, and the misses. A folded table has the lookups that missed something.
pub fn lookups(report: &Report, depth: Depth) -> Option<Section> {
    let missed = |l: &&LookupRecord| l.ambiguous > 0 || l.set_aside > 0 || (l.missing > 0 && !l.quiet);
    let chosen: Vec<&LookupRecord> = report.lookups.iter().filter(|l| !depth.fold || missed(l)).collect();
    if chosen.is_empty() {
        return None;
    }
    let lines = chosen.iter().flat_map(|l| lookup_lines(l, depth)).collect();
    let columns = [("column", CellKind::Name), ("found by", CellKind::Text), ("values", CellKind::Number)];
    let section = Section::table("lookups", "Lookups", &columns, lines);
    Some(if depth.explain {
        section.with_lead("The value was looked up in another table of the target, step by step until a step found it.")
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
        lines.push(line(Shown::from("(quarantined)").toned(Tone::Warn), lookup.set_aside));
    }
    if !lookup.quiet {
        let note = not_found(lookup, depth);
        lines.push(line(Shown::from("(not found)").toned(tone(lookup.missing)), lookup.missing).with_note(note));
    }
    lines
}

/// The values that no step found, or their number if they may not be shown.
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
