//! One section of a report, without its look: title, table, sentences.

use super::tone::Tone;
use crate::model::record::Verdict;

/// The length of lists in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Owners; the rest is summed.
    pub owners: usize,
    /// Rows of any other list that can grow with the data.
    pub rows: usize,
    /// Row ids in one cell.
    pub keys: usize,
    /// True if words are explained, for people who do not run the tool.
    pub explain: bool,
    /// True if lines without a finding are summed up.
    pub fold: bool,
}

/// For a terminal: one screen, unless something was found.
pub const BRIEF: Depth = Depth { owners: 10, rows: 20, keys: 4, explain: false, fold: true };

/// For a terminal under `-v`: every table.
pub const WHOLE: Depth = Depth { fold: false, ..BRIEF };

/// For a document.
pub const FULL: Depth = Depth { owners: 100, rows: 200, keys: 20, explain: true, fold: false };

/// One piece of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name for links.
    pub id: &'static str,
    /// Its title.
    pub title: String,
    /// A sentence before the body.
    pub lead: Option<String>,
    /// Its content.
    pub body: Body,
    /// A sentence after the body, such as the number of entries that are not listed.
    pub tail: Option<String>,
}

/// The content of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The lead alone.
    Nothing,
    /// A table.
    Table(Table),
    /// Messages: `place: what; why. Do this.`
    Items(Vec<Item>),
}

/// A table. Every line has as many cells as there are columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub head: &'static str,
    /// The kind of its cells.
    pub kind: CellKind,
}

/// The kind of the cells of a column. It decides where they are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// A name: may take several lines, never cut.
    Name,
    /// A number: aligned right, never cut.
    Number,
    /// A few fixed words: never cut.
    Word,
    /// Words: may take several lines.
    Text,
}

/// One line of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its cells.
    pub cells: Vec<Shown>,
    /// A note below it.
    pub note: Option<String>,
    /// True for the sum of the lines above.
    pub sum: bool,
    /// Its share of the largest line, 0 to 1. `None` if no bar is drawn.
    pub share: Option<f64>,
}

/// A cell's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The words.
    pub text: String,
    /// Their tone.
    pub tone: Tone,
}

/// A message: `place: text. advice.`
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The place.
    pub place: String,
    /// The reason.
    pub text: String,
    /// The way out.
    pub advice: Option<String>,
}

impl Section {
    pub fn table(id: &'static str, title: &str, columns: &[(&'static str, CellKind)], lines: Vec<Line>) -> Section {
        let columns = columns.iter().map(|(head, kind)| Column { head, kind: *kind }).collect();
        Section { id, title: title.to_owned(), lead: None, body: Body::Table(Table { columns, lines }), tail: None }
    }

    pub fn items(id: &'static str, title: &str, items: Vec<Item>) -> Section {
        Section { id, title: title.to_owned(), lead: None, body: Body::Items(items), tail: None }
    }

    pub fn words(id: &'static str, title: &str, words: String) -> Section {
        Section { id, title: title.to_owned(), lead: Some(words), body: Body::Nothing, tail: None }
    }

    pub fn with_lead(mut self, lead: impl Into<String>) -> Section {
        self.lead = Some(lead.into());
        self
    }

    pub fn with_tail(mut self, tail: Option<String>) -> Section {
        self.tail = tail;
        self
    }
}

impl Line {
    pub fn of<const N: usize>(cells: [Shown; N]) -> Line {
        Line { cells: cells.into(), ..Line::default() }
    }

    pub fn with_note(mut self, note: Option<String>) -> Line {
        self.note = note;
        self
    }
}

impl Shown {
    pub fn toned(mut self, tone: Tone) -> Shown {
        self.tone = tone;
        self
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Shown {
        Shown { text: text.to_owned(), tone: Tone::Plain }
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Shown {
        Shown { text, tone: Tone::Plain }
    }
}

impl From<u64> for Shown {
    fn from(n: u64) -> Shown {
        crate::text::grouped(n).into()
    }
}

impl From<Verdict> for Shown {
    fn from(verdict: Verdict) -> Shown {
        match verdict {
            Verdict::Same => Shown::from("Same").toned(Tone::Good),
            Verdict::Differs => Shown::from("Differs").toned(Tone::Bad),
            Verdict::NotChecked => Shown::from("NotChecked").toned(Tone::Warn),
        }
    }
}

impl Item {
    /// The message without its place, as one paragraph.
    pub fn says(&self) -> String {
        let text = crate::text::sentence(&self.text);
        match &self.advice {
            Some(advice) if !advice.trim().is_empty() => format!("{text} {}", crate::text::sentence(advice)),
            _ => text,
        }
    }
}

/// The place of a column in a report: `load.column`.
pub fn place(load: &str, column: &str) -> String {
    format!("{load}.{column}")
}
