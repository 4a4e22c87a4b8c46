//! The output of `migrate init`: the file, and what is printed about it.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::{Common, Init};
use crate::exit::Exit;
use crate::init::MappingDraft;
use crate::mapping::OpenQuestion;
use crate::model::record::{CommandKind, Refusal};
use crate::private::{self, Draft, FinalMode};
use crate::report;
use crate::text::{Screen, count};

use super::super::failure::Failure;
use super::super::inputs;
use super::super::output::{json, print_with, say};

/// The first part of the name of an incomplete mapping.
const DRAFT: &str = ".migrate-init-";

/// The refusal to overwrite a file.
pub fn already_there(path: &Path) -> Refusal {
    let shown = path.display();
    let advice = format!(
        "`migrate init --check {shown}` prints what the databases have and the file lacks. --force overwrites it; -o names \
         another file."
    );
    Refusal::new(format!("-o {shown}"), "the file exists, and nothing was written", advice)
}

/// Writes the file as a whole, next to its place, and renames it: a full disk or a kill leaves the previous text. A pipe or a
/// device is written to as it is.
pub fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let is_special = force && std::fs::metadata(path).is_ok_and(|found| !found.is_file());
    let written = if is_special {
        private::open_own_for_writing(path).and_then(|mut file| file.write_all(text.as_bytes()))
    } else {
        replace(path, text, force)
    };
    written.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::refused(already_there(path)),
        _ => {
            let reason = format!("cannot be written; {e}");
            Failure::refused(Refusal::new(format!("-o {}", path.display()), reason, "Name another file with -o."))
        }
    })
}

fn replace(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    // The file that a link of this user names is replaced, and not the link.
    let is_link = !private::is_link_of_another_user(path) && path.is_symlink();
    let place = if force && is_link { path.canonicalize()? } else { path.to_owned() };
    private::replaceable(&place)?;
    private::remove_drafts(&place, DRAFT);
    let mut draft = Draft::next_to(&place, DRAFT)?;
    draft.file()?.write_all(text.as_bytes())?;
    if force { draft.persist(&place, FinalMode::Usual) } else { draft.persist_new(&place) }
}

/// A proposal as it was written.
pub struct Proposal {
    pub draft: MappingDraft,
    pub text: String,
    pub questions: Vec<OpenQuestion>,
}

/// The JSON form of a proposal.
#[derive(Serialize)]
struct ProposalRecord<'a> {
    format: u32,
    command: CommandKind,
    complete: bool,
    questions: Vec<QuestionRecord<'a>>,
    findings: usize,
    draft: &'a MappingDraft,
    mapping: &'a str,
}

/// An open question in the JSON form.
#[derive(Serialize)]
struct QuestionRecord<'a> {
    place: &'a str,
    line: usize,
    text: &'a str,
}

impl Proposal {
    pub fn print(&self, args: &Init, on_stdout: bool) -> Exit {
        let verdict = self.verdict();
        if args.common.json {
            return match self.json() {
                Ok(screen) => print_with(&screen, Exit::Done),
                Err(failure) => failure.print(&failure.report(CommandKind::Init, &self.draft.name), true),
            };
        }
        if on_stdout {
            let exit = print_with(&Screen::drawn(self.text.clone()), Exit::Done);
            say(&verdict);
            return exit;
        }
        let shown = args.output.display();
        // The file has the source and the owner.
        let common = Common { source: None, owner: Vec::new(), ..args.common.clone() };
        let arguments = inputs::repeated(&common, Some(&args.output));
        let next = report::after_init(&arguments, !self.questions.is_empty());
        print_with(&Screen::of(&format!("{shown}: {}\n{next}{verdict}\n", self.counts())), Exit::Done)
    }

    fn counts(&self) -> String {
        let loads = self.draft.loads.len() as u64;
        format!(
            "{}, {} left",
            count(loads, "load", "loads"),
            count(self.draft.leave.len() as u64, "table or column", "tables and columns")
        )
    }

    /// The last line: complete, or the lines of the questions.
    fn verdict(&self) -> String {
        let lines: Vec<String> = self.questions.iter().map(|question| question.line.to_string()).collect();
        let findings = self.draft.count_findings() as u64;
        match (lines.as_slice(), findings) {
            ([], 0) => "Complete: the dry run refuses nothing".to_owned(),
            ([], _) => format!(
                "Draft: no open question, {}",
                count(findings, "finding of the dry run", "findings of the dry run")
            ),
            ([one], _) => format!("Draft: 1 open question, at line {one}"),
            (several, _) => format!("Draft: {} open questions, at lines {}", several.len(), several.join(", ")),
        }
    }

    fn json(&self) -> Result<Screen, Failure> {
        let questions = self.questions.iter().map(|q| QuestionRecord { place: &q.place, line: q.line, text: &q.text });
        let findings = self.draft.count_findings();
        let record = ProposalRecord {
            format: 1,
            command: CommandKind::Init,
            complete: self.questions.is_empty() && findings == 0,
            questions: questions.collect(),
            findings,
            draft: &self.draft,
            mapping: &self.text,
        };
        json(&record).map_err(Failure::bug)
    }
}
