//! `migrate schema`: reads the source, and writes tables of PostgreSQL for it.

pub mod auto;
mod mapping;
mod options;
mod printed;
mod prove;

use std::path::{Path, PathBuf};

use crate::cli::{KeysFlag, Reporting, Schema, Work};
use crate::event::Observer;
use crate::exit::Exit;
use crate::model::record::{Activity, CommandKind, Refusal, Report};
use crate::schema::{self, Ddl, Fate, ObjectKind};

use super::failure::Failure;
use super::inputs::MappingFile;
use super::new_file::NewFile;
use super::proposed_tables::{base, proposed};
use super::session::{Migration, Request};
use super::world::World;
use mapping::{DdlPlace, MappingPlaces};
use options::NamedOwner;
use printed::WrittenSchema;
use prove::ProofRequest;

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
    let base = MappingFile { mapping: base(source)?, folder: PathBuf::from("."), sha256: String::new() };
    let m = Migration::without_target(request, base, world, observer);
    let opened = m.open_source(&mut Report::new(CommandKind::Schema, &m.mapping().name))?;
    let mut ddl = proposed(&m, &opened, owner.options.as_ref())?;
    if args.strict {
        strict(&ddl)?;
    }
    let proof = if args.prove {
        let (common, server, owner) = (&args.common, args.server.as_ref(), owner.request.as_ref());
        let request = ProofRequest { source, opened: &opened, common, server, owner };
        Some(prove::prove(&m, &request, &mut ddl, world, observer)?)
    } else {
        None
    };
    let shown = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy().into_owned();
    let text = schema::text(&ddl, &shown);
    if let Some(file) = &mapping_file {
        let ddl_place = match args.keys {
            _ if !on_stdout => DdlPlace::File(&args.output),
            KeysFlag::Shared => DdlPlace::Auto,
            // A mapping does not say that keys are owned.
            KeysFlag::Owned => DdlPlace::Unnamed,
        };
        let places = MappingPlaces { mapping: file.path, source, ddl: ddl_place };
        file.write(&mapping::mapping(&m, &opened, &ddl, owner.request.as_ref(), &places)?)?;
    }
    if !on_stdout && let Err(failure) = file.write(&text) {
        // The mapping names the file that could not be written.
        let _ = mapping_file.map(|mapping| std::fs::remove_file(mapping.path));
        return Err(failure);
    }
    Ok(WrittenSchema { ddl, text, proof, name: m.mapping().name.clone() }.print(args))
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
