//! `migrate schema`: reads the source, and writes tables of PostgreSQL for it.

mod mapping;
mod options;
mod printed;

use std::path::{Path, PathBuf};

use crate::cli::{Reporting, Schema, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::init::ProfileContext;
use crate::mapping::Mapping;
use crate::model::record::{Activity, CommandKind, Refusal, Report};
use crate::schema::{self, Ddl, Fate, ObjectKind, OwnerOptions, SchemaFacts, TypeTrials};
use crate::sqlite::Source;

use super::failure::{self, Failure};
use super::inputs::MappingFile;
use super::new_file::NewFile;
use super::session::{Migration, Request};
use super::world::World;
use mapping::MappingPlaces;
use options::NamedOwner;
use printed::WrittenSchema;

/// The first part of the name of an incomplete file.
const DRAFT: &str = ".migrate-schema-";

/// `migrate schema`: writes the tables, and lists what PostgreSQL does not have.
pub fn command(args: &Schema, world: &World, observer: &dyn Observer) -> Result<Exit, Failure> {
    if args.common.target.is_some() {
        return Err(Failure::usage_of("-t", "the tables are made from the source alone", "Leave -t out."));
    }
    let source = args.common.source.as_ref();
    let source =
        source.ok_or_else(|| Failure::usage_of("source", "none was named", "Name the SQLite file with -s FILE."))?;
    let on_stdout = args.output == Path::new("-");
    let advice = "-o names another file.".to_owned();
    let file = NewFile { path: &args.output, flag: "-o", force: false, draft: DRAFT, advice };
    if !on_stdout {
        file.check()?;
    }
    let mapping_file = mapping_file(args)?;
    let owner = NamedOwner::new(args)?;
    let reporting = Reporting::default();
    let (work, activity) = (Work::default(), Activity::DryRun);
    let request = Request { common: &args.common, reporting: &reporting, work, activity, asks: false };
    let base = MappingFile { mapping: base(source)?, folder: PathBuf::from(".") };
    let m = Migration::without_target(request, base, world, observer);
    let opened = m.open_source(&mut Report::new(CommandKind::Schema, &m.mapping().name))?;
    let ddl = proposed(&m, &opened, owner.options.as_ref())?;
    if args.strict {
        strict(&ddl)?;
    }
    let shown = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy().into_owned();
    let text = schema::text(&ddl, &shown);
    if let Some(file) = &mapping_file {
        let places = MappingPlaces { mapping: file.path, source, ddl: (!on_stdout).then_some(&args.output) };
        file.write(&mapping::mapping(&m, &opened, &ddl, owner.request.as_ref(), &places)?)?;
    }
    if !on_stdout {
        file.write(&text)?;
    }
    Ok(WrittenSchema { ddl, text, name: m.mapping().name.clone() }.print(args))
}

/// The file of `--mapping`, which must not exist.
fn mapping_file(args: &Schema) -> Result<Option<NewFile<'_>>, Failure> {
    let path = match args.common.mapping.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(Failure::usage_of("--mapping", "one file is written", "Write --mapping once.")),
    };
    let advice = "--mapping names another file.".to_owned();
    let file = NewFile { path, flag: "--mapping", force: false, draft: DRAFT, advice };
    file.check().map(|()| Some(file))
}

/// The mapping under which the source is read. It has no load.
fn base(source: &Path) -> Result<Mapping, Failure> {
    let mut base = crate::mapping::read("format = 1\nname = \"schema\"\n")
        .map_err(|problems| failure::of_mapping("schema", &problems))?;
    base.source.path = Some(source.display().to_string());
    if let Some(stem) = source.file_stem() {
        base.name = stem.to_string_lossy().into_owned();
    }
    Ok(base)
}

/// Reads every value of the source, and returns the tables.
fn proposed(m: &Migration<'_>, source: &Source, owner: Option<&OwnerOptions>) -> Result<Ddl, Failure> {
    let reader = source.reader().map_err(Failure::refused)?;
    let definitions = reader.definitions(source.schema()).map_err(Failure::refused)?;
    drop(reader);
    let trials = TypeTrials::new(source.schema());
    let context = ProfileContext {
        source,
        target: trials.target(),
        sample: None,
        jobs: m.jobs(),
        observer: m.observer(),
        asked: &m.world().asked,
    };
    let stored = trials.read(&context).map_err(Failure::refused)?;
    let facts = SchemaFacts { source: source.schema(), definitions: &definitions, stored: &stored, owner };
    schema::build(&facts).map_err(|problems| Failure { exit: Exit::Refused, problems })
}

/// Refuses tables without an object of the source, or with a column of text that has values of several classes.
fn strict(ddl: &Ddl) -> Result<(), Failure> {
    let is_loss = |object: &&schema::ObjectFate| object.fate == Fate::LeftOut || object.kind == ObjectKind::Column;
    let refusal = |object: &schema::ObjectFate| {
        let table = object.table.as_ref().map(|table| format!(" of `{table}`")).unwrap_or_default();
        let place = format!("{} `{}`{table}", object.kind.words(), object.name);
        Refusal::new(place, object.why.clone(), "Run without --strict, and write it by hand.")
    };
    let problems: Vec<Refusal> = ddl.objects.iter().filter(is_loss).map(refusal).collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Refused, problems }) }
}
