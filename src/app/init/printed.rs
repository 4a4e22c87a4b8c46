//! The output of `migrate init`: the file, and what is printed about it.

use serde::Serialize;

use crate::cli::{Common, Init};
use crate::exit::Exit;
use crate::init::MappingDraft;
use crate::mapping::OpenQuestion;
use crate::model::record::CommandKind;
use crate::report;
use crate::text::{Screen, count};

use super::super::failure::Failure;
use super::super::inputs;
use super::super::new_file::NewFile;
use super::super::output::{json, print_with, say};

/// The first part of the name of an incomplete mapping.
const DRAFT: &str = ".migrate-init-";

/// The place of the mapping.
pub fn new_file(args: &Init) -> NewFile<'_> {
    let shown = args.output.display();
    let advice = format!(
        "`migrate init --check {shown}` prints what the databases have and the file lacks. --force overwrites it; -o names \
         another file."
    );
    NewFile { path: &args.output, flag: "-o", force: args.force, draft: DRAFT, advice }
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
