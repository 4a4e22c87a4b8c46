//! The tables for a source: every value of it is read.

use std::path::Path;

use crate::exit::Exit;
use crate::init::ProfileContext;
use crate::mapping::Mapping;
use crate::schema::{self, Ddl, OwnerOptions, SchemaFacts, TypeTrials};
use crate::sqlite::Source;

use super::super::failure::{self, Failure};
use super::super::session::Migration;

/// The mapping under which the source is read. It has no load.
pub fn base(source: &Path) -> Result<Mapping, Failure> {
    let mut base = crate::mapping::read("format = 1\nname = \"schema\"\n")
        .map_err(|problems| failure::of_mapping("schema", &problems))?;
    base.source.path = Some(source.display().to_string());
    if let Some(stem) = source.file_stem() {
        base.name = stem.to_string_lossy().into_owned();
    }
    Ok(base)
}

/// Reads every value of the source, and returns the tables.
pub fn proposed(m: &Migration<'_>, source: &Source, owner: Option<&OwnerOptions>) -> Result<Ddl, Failure> {
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
