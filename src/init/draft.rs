//! A proposed mapping as a value: its lines with the reason for each, before they are text.

use serde::Serialize;

/// The ground on which a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// Both catalogues, or all values of a column, leave no other choice.
    Certain,
    /// The line follows from evidence that its comment states.
    Inferred,
    /// Nothing decides it: a person must.
    Question,
}

/// One line of the mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DraftLine {
    /// The key's parts, unquoted: `["user_settings", "theme"]` in `[leave]`.
    pub key: Vec<String>,
    /// The value as TOML, or the question.
    pub value: String,
    /// The ground.
    pub ground: Ground,
    /// The evidence or the reason. Empty: the line speaks for itself.
    pub why: String,
    /// Refusals and faults of the dry run that this line could settle.
    pub findings: Vec<String>,
}

impl DraftLine {
    /// A line that follows from both catalogues or from all values.
    pub fn certain(key: &str, value: impl Into<String>, why: impl Into<String>) -> DraftLine {
        DraftLine::new(key, value.into(), Ground::Certain, why.into())
    }

    /// A line that follows from the evidence in `why`.
    pub fn inferred(key: &str, value: impl Into<String>, why: impl Into<String>) -> DraftLine {
        DraftLine::new(key, value.into(), Ground::Inferred, why.into())
    }

    /// An open question.
    pub fn question(key: &str, question: impl Into<String>) -> DraftLine {
        DraftLine::new(key, question.into(), Ground::Question, String::new())
    }

    fn new(key: &str, value: String, ground: Ground, why: String) -> DraftLine {
        DraftLine { key: vec![key.to_owned()], value, ground, why, findings: Vec::new() }
    }

    /// The same line with a key of two parts.
    pub fn below(mut self, first: &str) -> DraftLine {
        self.key.insert(0, first.to_owned());
        self
    }
}

/// One load of the mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DraftLoad {
    /// Its name, which is that of the target's table.
    pub name: String,
    /// The source table that it reads.
    pub source: String,
    /// Comments for the load as a whole.
    pub notes: Vec<String>,
    /// Its keys other than its columns.
    pub lines: Vec<DraftLine>,
    /// Its columns.
    pub columns: Vec<DraftLine>,
    /// Refusals and faults of the dry run that belong to no line.
    pub findings: Vec<String>,
}

/// A proposed mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MappingDraft {
    /// The mapping's name.
    pub name: String,
    /// True if `migrate schema` proposes it with its tables.
    #[serde(skip)]
    pub is_of_schema: bool,
    /// Comments at the top of the file.
    pub notes: Vec<String>,
    /// Refusals of the dry run that belong to no line and no load, such as missing rights.
    pub findings: Vec<String>,
    /// `[source]`
    pub source: Vec<DraftLine>,
    /// `[target]`
    pub target: Vec<DraftLine>,
    /// `[owner]`
    pub owner: Vec<DraftLine>,
    /// `[sequences]`
    pub sequences: Vec<DraftLine>,
    /// `[load.*]`, in load order.
    pub loads: Vec<DraftLoad>,
    /// `[leave]`
    pub leave: Vec<DraftLine>,
}

impl MappingDraft {
    /// Returns every line with the path of its section.
    pub fn lines(&self) -> Vec<(Vec<String>, &DraftLine)> {
        let mut found: Vec<(Vec<String>, &DraftLine)> = Vec::new();
        let sections = [
            ("source", &self.source),
            ("target", &self.target),
            ("owner", &self.owner),
            ("sequences", &self.sequences),
            ("leave", &self.leave),
        ];
        for (name, lines) in sections {
            found.extend(lines.iter().map(|line| (vec![name.to_owned()], line)));
        }
        for load in &self.loads {
            let path = vec!["load".to_owned(), load.name.clone()];
            found.extend(load.lines.iter().map(|line| (path.clone(), line)));
            let path = [path, vec!["columns".to_owned()]].concat();
            found.extend(load.columns.iter().map(|line| (path.clone(), line)));
        }
        found
    }

    /// Returns the number of lines with this ground.
    pub fn count(&self, ground: Ground) -> usize {
        self.lines().iter().filter(|(_, line)| line.ground == ground).count()
    }

    /// Returns the number of refusals and faults that the dry run found.
    pub fn count_findings(&self) -> usize {
        let of_lines: usize = self.lines().iter().map(|(_, line)| line.findings.len()).sum();
        self.findings.len() + of_lines + self.loads.iter().map(|load| load.findings.len()).sum::<usize>()
    }
}
