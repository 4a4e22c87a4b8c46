//! The sections of a report, without their look: titles, tables, sentences.
//!
//! Terminal, Markdown and HTML draw them, so that all forms use the same words. A section without content is `None`.

mod omitted;
mod owners;
mod sequences;
mod transferred;
mod verification;

pub use omitted::{faults, left, losses, not_tables};
pub use owners::{owner, owners};
pub use sequences::{lookups, sequences};
pub use transferred::{detached, loads, retries, steps};
pub use verification::{checks, refusals, warnings};

use super::summary::ended;
use crate::exit::Exit;
use crate::model::record::{Report, Verdict};

/// The length of lists in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Owners; the rest is summed.
    pub owners: usize,
    /// Rows of any other list that can grow with the data.
    pub rows: usize,
    /// Row ids in one cell.
    pub keys: usize,
    /// Explain each word for people who do not run the tool.
    pub explain: bool,
}

/// For a terminal: a few screens.
pub const BRIEF: Depth = Depth { owners: 10, rows: 20, keys: 4, explain: false };

/// For a document.
pub const FULL: Depth = Depth { owners: 100, rows: 200, keys: 20, explain: true };

/// The tone of a text. The words say the same: colour only helps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be checked.
    Warn,
    /// Not as it should be.
    Bad,
}

/// Returns true if the report shows only refusals: no row was read, and the plan is of no use now.
pub fn only_refusals(report: &Report) -> bool {
    matches!(ended(report), Exit::Refused | Exit::Usage) && !report.refusals.is_empty() && report.fault_total == 0
}

/// The sections of a document. Refusals, differences and faults come first, then the rows.
pub fn document(report: &Report) -> Vec<Section> {
    if only_refusals(report) {
        return [refusals(report), warnings(report)].into_iter().flatten().collect();
    }
    let proof = checks(report, FULL);
    let (first, later) = if ended(report) == Exit::Differs { (proof, None) } else { (None, proof) };
    let pieces = [
        refusals(report),
        first,
        faults(report, FULL),
        loads(report, FULL),
        left(report),
        not_tables(report, FULL),
        losses(report, true, FULL),
        losses(report, false, FULL),
        owners(report, FULL),
        sequences(report, FULL),
        lookups(report, FULL),
        later,
        warnings(report),
        detached(report, FULL),
        retries(report, FULL),
        steps(report),
    ];
    pieces.into_iter().flatten().collect()
}

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
    /// Things to read one by one: `place: what; why. Do this.`
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
    pub kind: Kind,
}

/// The kind of the cells of a column. It decides how they are shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name: may lose its middle.
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
    /// A remark beneath it.
    pub note: Option<String>,
    /// It is the sum of the lines above.
    pub sum: bool,
    /// Its size against the largest line, 0 to 1, where a bar helps.
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

/// Something to read: `place: text. advice.`
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
    fn table(id: &'static str, title: &str, columns: &[(&'static str, Kind)], lines: Vec<Line>) -> Section {
        let columns = columns.iter().map(|(head, kind)| Column { head, kind: *kind }).collect();
        Section { id, title: title.to_owned(), lead: None, body: Body::Table(Table { columns, lines }), tail: None }
    }

    fn items(id: &'static str, title: &str, items: Vec<Item>) -> Section {
        Section { id, title: title.to_owned(), lead: None, body: Body::Items(items), tail: None }
    }

    fn words(id: &'static str, title: &str, words: String) -> Section {
        Section { id, title: title.to_owned(), lead: Some(words), body: Body::Nothing, tail: None }
    }

    fn with_lead(mut self, lead: impl Into<String>) -> Section {
        self.lead = Some(lead.into());
        self
    }

    fn with_tail(mut self, tail: Option<String>) -> Section {
        self.tail = tail;
        self
    }
}

impl Line {
    fn of<const N: usize>(cells: [Shown; N]) -> Line {
        Line { cells: cells.into(), ..Line::default() }
    }

    fn with_note(mut self, note: Option<String>) -> Line {
        self.note = note;
        self
    }
}

impl Shown {
    fn toned(mut self, tone: Tone) -> Shown {
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
    /// The whole as one paragraph after its place.
    pub fn says(&self) -> String {
        let text = crate::text::sentence(&self.text);
        match &self.advice {
            Some(advice) if !advice.trim().is_empty() => format!("{text} {}", crate::text::sentence(advice)),
            _ => text,
        }
    }
}

/// `column`'s place in a report: `load.column`.
fn place(load: &str, column: &str) -> String {
    format!("{load}.{column}")
}
