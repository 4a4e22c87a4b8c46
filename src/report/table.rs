//! A table in text columns of a given width. Names and words take several lines, and nothing is cut.
//!
//! If the table still does not fit, each line becomes a few lines of `heading value`.

use super::section::{CellKind, Line, Shown, Table};
use super::tone::Tone;
use crate::text::{printable, width, wrapped};

/// Colour, or none.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    /// The text in its tone.
    pub fn tone(self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.code("32", text),
            Tone::Warn => self.code("33", text),
            Tone::Bad => self.code("31", text),
        }
    }

    /// The text in bold.
    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// The text, dimmed.
    pub fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Blanks before each line.
const INDENT: usize = 2;
/// Blanks between two columns.
const GAP: usize = 2;
/// Columns that a name keeps at least.
const NAME: usize = 12;
/// Columns that words keep at least.
const WORDS: usize = 24;

/// The table in lines of at most `most` columns.
pub fn draw(table: &Table, most: usize, paint: Paint) -> Vec<String> {
    let Some(widths) = fit(table, most) else {
        return table.lines.iter().flat_map(|l| stacked(table, l, most, paint)).collect();
    };
    let mut out = vec![paint.dim(&heading(table, &widths))];
    for line in &table.lines {
        if line.sum {
            let rule: usize = widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
            out.push(paint.dim(&format!("{:INDENT$}{}", "", "-".repeat(rule))));
        }
        out.extend(row(table, line, &widths, paint));
        out.extend(note(line, most, paint));
    }
    out
}

/// The width of each column, or none where the table cannot fit.
fn fit(table: &Table, most: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = table.columns.iter().map(|c| width(c.head)).collect();
    for line in &table.lines {
        for (at, cell) in line.cells.iter().enumerate() {
            widths[at] = widths[at].max(width(&printable(&cell.text)));
        }
    }
    let room = most.checked_sub(INDENT + GAP * widths.len().saturating_sub(1))?;
    for (kind, least) in [(CellKind::Text, WORDS), (CellKind::Name, NAME)] {
        while widths.iter().sum::<usize>() > room {
            let over = widths.iter().sum::<usize>() - room;
            // The widest of its kind gives first, down to the next widest, so that no column is cut for another's sake.
            let columns = table.columns.iter().enumerate().filter(|(at, c)| c.kind == kind && widths[*at] > least);
            let mut sizes: Vec<(usize, usize)> = columns.map(|(at, _)| (widths[at], at)).collect();
            sizes.sort_unstable();
            let Some((size, at)) = sizes.pop() else { break };
            let next = sizes.last().map_or(least, |(size, _)| *size).max(least);
            widths[at] = if next == size { size - 1 } else { size.saturating_sub(over).max(next) };
        }
    }
    (widths.iter().sum::<usize>() <= room).then_some(widths)
}

fn heading(table: &Table, widths: &[usize]) -> String {
    let cells: Vec<String> =
        table.columns.iter().zip(widths).map(|(c, w)| padded(c.head, *w, c.kind == CellKind::Number)).collect();
    format!("{:INDENT$}{}", "", cells.join("  ")).trim_end().to_owned()
}

fn padded(text: &str, size: usize, right: bool) -> String {
    let blanks = " ".repeat(size.saturating_sub(width(text)));
    if right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

/// A line of the table, in several lines where words wrap.
fn row(table: &Table, line: &Line, widths: &[usize], paint: Paint) -> Vec<String> {
    let cells: Vec<Vec<String>> =
        line.cells.iter().enumerate().map(|(at, cell)| pieces(table, cell, at, widths)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = Vec::new();
    for deep in 0..height {
        let mut text = " ".repeat(INDENT);
        let last = cells.iter().rposition(|c| c.get(deep).is_some_and(|p| !p.is_empty())).unwrap_or(0);
        for (at, pieces) in cells.iter().enumerate().take(last + 1) {
            let piece = pieces.get(deep).map_or("", String::as_str);
            let blanks = " ".repeat(widths[at].saturating_sub(width(piece)));
            let shown = paint.tone(piece, line.cells[at].tone);
            match (table.columns[at].kind, at == last) {
                (CellKind::Number, _) => text.extend([blanks, shown]),
                (_, true) => text.push_str(&shown),
                (_, false) => text.extend([shown, blanks]),
            }
            if at < last {
                text.push_str(&" ".repeat(GAP));
            }
        }
        out.push(text);
    }
    out
}

fn pieces(table: &Table, cell: &Shown, at: usize, widths: &[usize]) -> Vec<String> {
    let text = printable(&cell.text);
    match table.columns[at].kind {
        CellKind::Text => wrapped(&text, widths[at], widths[at]),
        CellKind::Name => name_lines(&text, widths[at]),
        CellKind::Number | CellKind::Word => vec![text.into_owned()],
    }
}

/// A name in lines of at most `most` columns, broken after a dot or an underscore if one is there.
fn name_lines(name: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in name.split_inclusive(['.', '_', '/', '-', ' ']) {
        match lines.last_mut() {
            Some(line) if width(line) + width(piece) <= most => line.push_str(piece),
            _ => lines.push(piece.to_owned()),
        }
    }
    lines.iter().flat_map(|line| wrapped(line, most, most)).collect()
}

fn note(line: &Line, most: usize, paint: Paint) -> Vec<String> {
    let Some(note) = &line.note else { return Vec::new() };
    let indent = INDENT + 4;
    let room = most.saturating_sub(indent);
    wrapped(&printable(note), room, room).into_iter().map(|l| format!("{:indent$}{}", "", paint.dim(&l))).collect()
}

/// A line of the table without columns: its first cell, then every heading with its value.
fn stacked(table: &Table, line: &Line, most: usize, paint: Paint) -> Vec<String> {
    let room = most.saturating_sub(INDENT);
    let first = line.cells.first().map_or("", |c| &c.text);
    let first = name_lines(&printable(first), room);
    let mut out: Vec<String> = first.iter().map(|l| format!("{:INDENT$}{}", "", paint.bold(l))).collect();
    let pairs: Vec<String> = table
        .columns
        .iter()
        .zip(&line.cells)
        .skip(1)
        .filter(|(_, cell)| !cell.text.is_empty())
        .map(|(column, cell)| format!("{} {}", column.head, printable(&cell.text)))
        .collect();
    let indent = INDENT + 2;
    let room = most.saturating_sub(indent);
    out.extend(wrapped(&pairs.join(", "), room, room).into_iter().map(|l| format!("{:indent$}{l}", "")));
    out.extend(note(line, most, paint));
    out
}
