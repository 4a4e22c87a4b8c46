//! `migrate init`: reads both sides, proposes a mapping, plans and checks it, and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{Init, Reporting, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::init::{self, DryRunFinding, MappingDraft, OwnerRequest, ProfileContext, ProposalFacts, TablePairs};
use crate::job::Stop;
use crate::mapping::{self, Mapping, OpenQuestion};
use crate::migrate::preflight::read_ahead::LoadPreflight;
use crate::migrate::preflight::versions;
use crate::model::fault::Reason;
use crate::model::record::{Activity, CommandKind, Refusal, Report};
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::resume;
use crate::sqlite::Source;
use crate::text::{Screen, count, grouped, sentence};

use super::failure::{self, Failure};
use super::inputs::MappingFile;
use super::output::{print_with, say};
use super::session::{Migration, Planned, Request};
use super::world::World;
use super::{connect, inputs, plan, preflight};

/// Questions about sequences make one more round of planning, and their answers show no further sequence.
const ROUNDS: usize = 3;

/// `migrate init`: writes the mapping, or prints what an existing one lacks.
pub fn command(args: &Init, world: &World, observer: &dyn Observer) -> Result<Exit, Failure> {
    let on_stdout = args.output == Path::new("-");
    if args.check.is_none() && !on_stdout && !args.force && args.output.symlink_metadata().is_ok() {
        return Err(Failure::refused(already_there(&args.output)));
    }
    let existing = args.check.as_ref().map(|path| Existing::read(path)).transpose()?;
    let start = Start::new(args, world, observer, existing.as_ref())?;
    let mut report = Report::new(CommandKind::Init, &start.name);
    let m = start.migration(start.base.clone())?;
    let source = m.open_source(&mut report)?;
    let mut session =
        m.open_target(&mut report)?.ok_or_else(|| Failure::usage_of("target", "none was named", "Name it with -t."))?;
    let facts = Facts::read(&start, &m, &source, &mut session)?;
    let mut draft = facts.propose(&start, &source);
    if let Some(existing) = existing {
        return Ok(existing.compare(&draft));
    }
    let known = Sides { source: &source, target: &facts.target };
    check(&start, &mut draft, known, &mut session)?;
    let text = init::text(&draft);
    let questions = questions(&text)?;
    if !on_stdout {
        write(&args.output, &text, args.force)?;
    }
    let proposal = Proposal { draft, text, questions };
    Ok(proposal.print(args, on_stdout))
}

/// The refusal to overwrite a file.
fn already_there(path: &Path) -> Refusal {
    let shown = path.display();
    let advice = format!(
        "`migrate init --check {shown}` prints what the databases have and the file lacks. --force overwrites it; -o names \
         another file."
    );
    Refusal::new(format!("-o {shown}"), "the file exists, and nothing was written", advice)
}

/// Both sides of a proposal.
#[derive(Clone, Copy)]
struct Sides<'a> {
    source: &'a Source,
    target: &'a TargetSchema,
}

/// Everything that is known before the databases are read.
struct Start<'a> {
    args: &'a Init,
    world: &'a World,
    observer: &'a dyn Observer,
    /// The mapping's name.
    name: String,
    /// The path of the source, as the mapping writes it.
    path: String,
    /// The owner that the command line names.
    owner: Option<OwnerRequest>,
    /// The mapping under which both sides are read.
    base: Mapping,
    /// Flags of the report. A proposal has none.
    reporting: Reporting,
}

impl<'a> Start<'a> {
    fn new(
        args: &'a Init,
        world: &'a World,
        observer: &'a dyn Observer,
        existing: Option<&Existing>,
    ) -> Result<Start<'a>, Failure> {
        if !args.common.mapping.is_empty() {
            return Err(Failure::usage_of(
                "-m",
                "init writes a mapping and reads none",
                "Use -o FILE, or --check FILE.",
            ));
        }
        let of_existing =
            || existing.and_then(|existing| Some(existing.folder.join(existing.mapping.source.path.as_ref()?)));
        let source = args
            .common
            .source
            .clone()
            .or_else(of_existing)
            .ok_or_else(|| Failure::usage_of("source", "none was named", "Name the SQLite file with -s FILE."))?;
        let stem = source.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text =
            format!("format = 1\nname = \"init\"\n[target]\nschema = {}\n", toml::Value::String(args.schema.clone()));
        let mut base = mapping::read(&text).map_err(|problems| failure::of_mapping("init", &problems))?;
        base.name = if stem.is_empty() { "migration".to_owned() } else { stem };
        base.source.path = Some(source.display().to_string());
        if let Some(existing) = existing {
            base.target = existing.mapping.target.clone();
        }
        let path = from_folder(&source, &args.output).display().to_string();
        let owner = owner(args)?;
        let name = base.name.clone();
        Ok(Start { args, world, observer, name, path, owner, base, reporting: Reporting::default() })
    }

    /// The migration that a mapping describes, without a write.
    fn migration(&self, mapping: Mapping) -> Result<Migration<'_>, Failure> {
        let common = &self.args.common;
        connect::settings(common, &mapping, self.world)?;
        let folder = PathBuf::from(".");
        let request = Request {
            common,
            reporting: &self.reporting,
            work: Work::default(),
            activity: Activity::DryRun,
            asks: false,
        };
        Migration::new(request, MappingFile { mapping, folder }, self.world, self.observer)
    }
}

/// The owner of `--owner table.column=value`.
fn owner(args: &Init) -> Result<Option<OwnerRequest>, Failure> {
    match args.common.owner.as_slice() {
        [] => Ok(None),
        [(name, value)] => {
            let (table, column) = match name.split_once('.') {
                Some((table, column)) => (Some(table.to_owned()), column.to_owned()),
                None => (None, name.clone()),
            };
            Ok(Some(OwnerRequest { table, column, value: value.clone() }))
        }
        _ => Err(Failure::usage_of(
            "--owner",
            "init takes one column",
            "Write --owner table.column=value, and the rest in the file.",
        )),
    }
}

/// Returns a path as seen from the folder of a file. Paths of other folders become absolute.
fn from_folder(path: &Path, file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return path.to_owned() };
    let (Ok(path_there), Ok(folder)) = (path.canonicalize(), folder.canonicalize()) else { return path.to_owned() };
    path_there.strip_prefix(&folder).map(Path::to_owned).unwrap_or(path_there)
}

/// An existing mapping that is compared with a proposal.
struct Existing {
    mapping: Mapping,
    questions: Vec<OpenQuestion>,
    folder: PathBuf,
}

impl Existing {
    fn read(path: &Path) -> Result<Existing, Failure> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage_of(&format!("mapping {shown}"), format!("cannot be read; {e}"), ""))?;
        let wrong = |problems: Vec<mapping::FormProblem>| failure::of_mapping(&shown, &problems);
        let (mapping, questions) = mapping::read_draft(&text).map_err(wrong)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(Existing { mapping: mapping.map_err(wrong)?, questions, folder })
    }

    /// Prints the lines that the mapping lacks.
    fn compare(&self, draft: &MappingDraft) -> Exit {
        let lines = init::parts(&init::missing(draft, &self.mapping, &self.questions));
        let exit = if lines.is_empty() { Exit::Done } else { Exit::Refused };
        print_with(&Screen::drawn(lines), exit)
    }
}

/// What both sides contain.
struct Facts {
    target: TargetSchema,
    pairs: TablePairs,
    profiles: BTreeMap<String, init::TableProfile>,
    unpaired: BTreeMap<String, u64>,
    held: BTreeMap<String, u64>,
    versions: Vec<String>,
}

impl Facts {
    fn read(start: &Start<'_>, m: &Migration<'_>, source: &Source, session: &mut Session) -> Result<Facts, Failure> {
        let mut catalogued = session.catalog(&m.mapping().target.schema, None).map_err(Failure::refused)?;
        session.contents(&mut catalogued, None).map_err(Failure::refused)?;
        let target = catalogued.target;
        if target.tables.is_empty() {
            let reason = format!("the target has no table in the schema `{}`", target.schema);
            let advice = "Run the application's own migrations first, or name the schema with --schema.";
            return Err(Failure::refused(Refusal::new("target.schema", reason, advice)));
        }
        let pairs = TablePairs::new(source.schema(), &target);
        let holding: Vec<String> =
            target.tables.iter().filter(|(_, table)| table.has_rows).map(|(name, _)| name.clone()).collect();
        let held = session.count_each(&target.schema, &holding).map_err(Failure::refused)?;
        let versions = versions::differences(session, source, &target);
        let versions =
            versions.iter().map(|found| found.warning()).map(|w| format!("Warning: {}: {}", w.place, w.message));
        let context = ProfileContext {
            source,
            target: &target,
            sample: start.args.sample,
            jobs: m.jobs(),
            observer: start.observer,
            asked: &start.world.asked,
        };
        let profiles = context.read(&pairs.pairs).map_err(Failure::refused)?;
        let reader = source.reader().map_err(Failure::refused)?;
        let counted = pairs.source_only.iter().map(|name| Ok((name.clone(), reader.count(name)?)));
        let unpaired =
            counted.collect::<Result<_, _>>().map_err(|e: crate::sqlite::SourceError| Failure::refused(e))?;
        Ok(Facts { versions: versions.collect(), target, pairs, profiles, unpaired, held })
    }

    fn propose(&self, start: &Start<'_>, source: &Source) -> MappingDraft {
        init::propose(&ProposalFacts {
            name: &start.name,
            path: &start.path,
            source: source.schema(),
            target: &self.target,
            pairs: &self.pairs,
            profiles: &self.profiles,
            unpaired: &self.unpaired,
            held: &self.held,
            owner: start.owner.as_ref(),
            versions: &self.versions,
            shows_values: start.args.show_values,
        })
    }
}

/// Plans the proposal and checks its rows, as a dry run does. Writes each finding at its place.
fn check(start: &Start<'_>, draft: &mut MappingDraft, known: Sides<'_>, session: &mut Session) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let text = init::text(draft);
        let (mapping, questions) = read_draft(&text)?;
        let mut mapping = init::plannable(mapping, &questions, known.target);
        mapping.mapping.source.path.clone_from(&start.base.source.path);
        let m = start.migration(mapping.mapping)?;
        let mut found = dry_run(&m, known, session)?;
        // The rows of an owner who is not known yet cannot be looked for.
        let knows_owner = questions.iter().all(|question| !question.place.starts_with("owner."));
        found.retain(|finding| knows_owner || finding.place != "owner");
        let unassigned = |place: &str| {
            let mut all = known.target.sequences.iter();
            all.find(|(_, facts)| place == format!("sequence {}", facts.sequence.name)).map(|(name, _)| name.as_str())
        };
        let names: BTreeSet<&str> = found.iter().filter_map(|finding| unassigned(&finding.place)).collect();
        if names.is_empty() {
            found.into_iter().for_each(|finding| init::annotate(draft, finding));
            if !mapping.unplanned.is_empty() {
                let names: Vec<&str> = mapping.unplanned.iter().map(String::as_str).collect();
                draft.notes.push(format!("Not checked before its questions are answered: {}.", names.join(", ")));
            }
            return Ok(());
        }
        names.into_iter().for_each(|name| init::ask_for_sequence(draft, name, known.target));
    }
    Ok(())
}

/// The findings of the plan, and of the preflight if the plan has none.
fn dry_run(m: &Migration<'_>, known: Sides<'_>, session: &mut Session) -> Result<Vec<DryRunFinding>, Failure> {
    let mut report = Report::new(CommandKind::Init, &m.mapping().name);
    if m.mapping().loads.is_empty() {
        return Ok(Vec::new());
    }
    let found = plan::look(m, known.source, session)?;
    report.refusals.extend(resume::unusable(&found.ledger.state));
    if report.refusals.is_empty()
        && let Some((plan, target)) = plan::make(m, known.source, Some(&found), &mut report)?
    {
        let planned = Planned { source: known.source, plan: &plan, target: &target };
        let refused = |stop| match stop {
            Stop::Refused(refusals) => Ok(refusals),
            stop => Err(Failure::refused(stop)),
        };
        match plan::settle(m, session, planned, None) {
            Err(stop) => report.refusals.extend(refused(stop)?),
            Ok(settled) => {
                let no_owner = plan.settled_owner().filter(|owner| settled.owner.is_none() && owner.create.is_none());
                if no_owner.is_some() {
                    let reason = "no row of the owner's table has this key";
                    report.refusals.push(Refusal::new(
                        "owner",
                        reason,
                        "Make the user first, or write create = { ... }",
                    ));
                }
                match preflight::read(m, session, planned, &settled, &mut report) {
                    Err(stop) => report.refusals.extend(refused(stop)?),
                    Ok(result) => {
                        report.refusals.extend(result.refusals);
                        let faults = result.found.iter().flat_map(faults).collect::<Vec<_>>();
                        return Ok(refusals(&report).chain(faults).collect());
                    }
                }
            }
        }
    }
    Ok(refusals(&report).collect())
}

fn refusals(report: &Report) -> impl Iterator<Item = DryRunFinding> {
    report.refusals.iter().map(|refusal| DryRunFinding {
        place: refusal.place.clone(),
        text: format!("{} {}", sentence(&refusal.reason), sentence(&refusal.advice)).trim_end().to_owned(),
    })
}

/// The faults of one load, by column and reason.
fn faults(load: &LoadPreflight) -> Vec<DryRunFinding> {
    let mut counts: BTreeMap<(Option<&str>, Reason), u64> = BTreeMap::new();
    load.faults.iter().for_each(|fault| *counts.entry((fault.column.as_deref(), fault.reason)).or_default() += 1);
    let kept = load.faults.len() as u64;
    let way_out = |reason: Reason| match reason {
        Reason::Differs => "existing = { differ = \"source\" } or { differ = \"target\" }",
        reason => reason.advice(),
    };
    let finding = |((column, reason), rows): ((Option<&str>, Reason), u64)| {
        let at_least = if kept < load.fault_total { "at least " } else { "" };
        let place = column.map_or_else(|| format!("load.{}", load.load), |c| format!("load.{}.columns.{c}", load.load));
        let rows = format!("{at_least}{} of {}", grouped(rows), count(load.sums.read, "row", "rows"));
        DryRunFinding {
            place,
            text: format!("{rows} cannot be loaded ({}: {}); write {}", reason.word(), reason.says(), way_out(reason)),
        }
    };
    counts.into_iter().map(finding).collect()
}

fn read_draft(text: &str) -> Result<(Mapping, Vec<OpenQuestion>), Failure> {
    let wrong = |problems: Vec<mapping::FormProblem>| failure::of_mapping("proposal", &problems);
    let (mapping, questions) = mapping::read_draft(text).map_err(wrong)?;
    Ok((mapping.map_err(wrong)?, questions))
}

fn questions(text: &str) -> Result<Vec<OpenQuestion>, Failure> {
    read_draft(text).map(|(_, questions)| questions)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    if force {
        options.write(true).create(true).truncate(true);
    } else {
        options.write(true).create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::refused(already_there(path)),
        _ => {
            let reason = format!("cannot be written; {e}");
            Failure::refused(Refusal::new(format!("-o {}", path.display()), reason, "Name another file with -o."))
        }
    })
}

/// A proposal as it was written.
struct Proposal {
    draft: MappingDraft,
    text: String,
    questions: Vec<OpenQuestion>,
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
    fn print(&self, args: &Init, on_stdout: bool) -> Exit {
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
        let mut arguments = vec!["migrate".to_owned(), format!("-m {shown}")];
        arguments.extend(inputs::repeated(&args.common, None));
        let next =
            format!("Next: read {shown}, and check it. Nothing is written.\n  {} --dry-run\n", arguments.join(" "));
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
        let findings = self.draft.findings() as u64;
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
        let findings = self.draft.findings();
        let record = ProposalRecord {
            format: 1,
            command: CommandKind::Init,
            complete: self.questions.is_empty() && findings == 0,
            questions: questions.collect(),
            findings,
            draft: &self.draft,
            mapping: &self.text,
        };
        super::json(&record)
    }
}
