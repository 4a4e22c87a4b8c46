//! The inputs of `migrate init`: flags, the source, the owner that they name, and a mapping that is compared.

use std::path::{Path, PathBuf};

use crate::cli::{Common, Init, Reporting, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::init::{self, MappingDraft, NaturalKey, OwnerRequest};
use crate::mapping::{self, Mapping, OpenQuestion};
use crate::model::record::Activity;
use crate::text::Screen;

use super::super::connect;
use super::super::failure::{self, Failure};
use super::super::inputs::{MappingFile, from_folder};
use super::super::output::print_with;
use super::super::session::{Migration, Request};
use super::super::world::World;

/// Everything that is known before the databases are read.
pub struct Start<'a> {
    pub args: &'a Init,
    /// The flags of every command, without `--owner`, which means another thing to them.
    common: Common,
    pub world: &'a World,
    pub observer: &'a dyn Observer,
    /// The mapping's name.
    pub name: String,
    /// The path of the source, as the mapping writes it.
    pub path: String,
    /// The owner that the command line names.
    pub owner: Option<OwnerRequest>,
    /// The mapping under which both sides are read.
    pub base: Mapping,
    /// Flags of the report. A proposal has none.
    reporting: Reporting,
}

impl<'a> Start<'a> {
    pub fn new(
        args: &'a Init,
        world: &'a World,
        observer: &'a dyn Observer,
        existing: Option<&ExistingFile>,
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
        let common = Common { owner: Vec::new(), ..args.common.clone() };
        Ok(Start { args, common, world, observer, name, path, owner, base, reporting: Reporting::default() })
    }

    /// The migration that a mapping describes, without a write.
    pub fn migration(&self, mapping: Mapping) -> Result<Migration<'_>, Failure> {
        let common = &self.common;
        connect::settings(common, &mapping, self.world)?;
        let folder = PathBuf::from(".");
        let request = Request {
            common,
            reporting: &self.reporting,
            work: Work::default(),
            activity: Activity::DryRun,
            asks: false,
        };
        Migration::new(request, MappingFile { mapping, folder, sha256: String::new() }, self.world, self.observer)
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
            Ok(Some(OwnerRequest { table, natural: Some(NaturalKey { column, value: value.clone() }) }))
        }
        _ => Err(Failure::usage_of(
            "--owner",
            "init takes one column",
            "Write --owner table.column=value, and the rest in the file.",
        )),
    }
}

/// An existing mapping that is compared with a proposal.
pub struct ExistingFile {
    pub mapping: Mapping,
    pub questions: Vec<OpenQuestion>,
    pub folder: PathBuf,
}

impl ExistingFile {
    pub fn read(path: &Path) -> Result<ExistingFile, Failure> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage_of(&format!("mapping {shown}"), format!("cannot be read; {e}"), ""))?;
        let wrong = |problems: Vec<mapping::FormProblem>| failure::of_mapping(&shown, &problems);
        let (mapping, questions) = mapping::read_draft(&text).map_err(wrong)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(ExistingFile { mapping: mapping.map_err(wrong)?, questions, folder })
    }

    /// Prints the lines that the mapping lacks.
    pub fn compare(&self, draft: &MappingDraft) -> Exit {
        let lines = init::parts(&init::missing(draft, &self.mapping, &self.questions));
        let exit = if lines.is_empty() { Exit::Done } else { Exit::Refused };
        print_with(&Screen::drawn(lines), exit)
    }
}
