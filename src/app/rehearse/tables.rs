//! The tables of a rehearsal, made from the files of `target.ddl` in place of the application's own migrations.

use std::path::Path;

use crate::app::failure::Failure;
use crate::app::inputs::MappingFile;
use crate::app::schema::auto::{self, AutomaticTables};
use crate::app::world::World;
use crate::cli::Rehearse;
use crate::event::Observer;
use crate::mapping::TargetDdl;
use crate::model::record::Warning;
use crate::pg::Session;
use crate::pg::script::{OmittedStatements, Script, ScriptServer};

/// The first bytes of an archive of `pg_dump --format=custom`.
const ARCHIVE: &[u8] = b"PGDMP";

/// A file: its name in messages, and its text.
pub struct ScriptFile {
    place: String,
    text: String,
}

/// The files, and what is to be said about them.
pub struct ScriptFiles {
    pub files: Vec<ScriptFile>,
    pub warnings: Vec<Warning>,
}

/// Reads the files, or makes the tables from the source.
///
/// # Errors
/// If there is none, one cannot be read, or no tables can be made.
pub fn files(
    args: &Rehearse,
    file: &MappingFile,
    world: &World,
    observer: &dyn Observer,
) -> Result<ScriptFiles, Failure> {
    match &file.mapping.target.ddl {
        TargetDdl::Auto => {
            let AutomaticTables { sql, warnings } = auto::tables(args, file, world, observer)?;
            let script = ScriptFile { place: "target.ddl".to_owned(), text: sql };
            Ok(ScriptFiles { files: vec![script], warnings })
        }
        TargetDdl::Files(paths) if paths.is_empty() => Err(Failure::usage_of(
            "target.ddl",
            "a rehearsal needs the target's tables",
            "Write `ddl = [\"target.sql\"]` in [target]. `pg_dump --schema-only` of the target writes such a file. With \
             `ddl = \"auto\"`, they are made from the source.",
        )),
        TargetDdl::Files(paths) => {
            let files = paths.iter().map(|path| read(file, path)).collect::<Result<_, _>>()?;
            Ok(ScriptFiles { files, warnings: Vec::new() })
        }
    }
}

/// Cuts the files into statements.
///
/// # Errors
/// Every statement that a rehearsal on this server cannot run.
pub fn scripts(files: &[ScriptFile], server: ScriptServer) -> Result<Vec<Script<'_>>, Failure> {
    let (mut scripts, mut refusals) = (Vec::new(), Vec::new());
    for ScriptFile { place, text } in files {
        match Script::read(place, text, server) {
            Ok(script) => scripts.push(script),
            Err(problems) => refusals.extend(problems),
        }
    }
    if refusals.is_empty() { Ok(scripts) } else { Err(Failure::refused(refusals)) }
}

/// Runs the scripts. Returns warnings about the statements that were left out.
///
/// # Errors
/// If the server lacks something that they need, or refuses a statement.
pub fn make(session: &mut Session, scripts: &[Script<'_>], server: ScriptServer) -> Result<Vec<Warning>, Failure> {
    let left_out = session.run_scripts(scripts, server).map_err(Failure::refused)?;
    Ok(warnings(&left_out))
}

fn read(file: &MappingFile, path: &str) -> Result<ScriptFile, Failure> {
    let path = file.folder.join(Path::new(path));
    let place = format!("target.ddl {}", path.display());
    let bytes = std::fs::read(&path).map_err(|e| Failure::usage_of(&place, format!("cannot be read; {e}"), ""))?;
    if bytes.starts_with(ARCHIVE) {
        let reason = "it is an archive, which only pg_restore reads";
        return Err(Failure::usage_of(&place, reason, "Write a script: pg_dump --format=plain --schema-only."));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(ScriptFile { place, text }),
        Err(e) => {
            let reason = format!("byte {} is not UTF-8", e.utf8_error().valid_up_to() + 1);
            Err(Failure::usage_of(&place, reason, "Write it in UTF-8: pg_dump --encoding=UTF8."))
        }
    }
}

fn warnings(left_out: &OmittedStatements) -> Vec<Warning> {
    let OmittedStatements { rights, settings, has_ledger } = left_out;
    let mut warnings = Vec::new();
    let mut warn = |message: String| warnings.push(Warning::new("target.ddl", message));
    if *rights > 0 {
        let statements = if *rights == 1 { "1 statement".to_owned() } else { format!("{rights} statements") };
        warn(format!(
            "{statements} about owners, rights and objects of the whole server left out: the user of the rehearsal owns every \
             table. A dry run against the target checks rights"
        ));
    }
    if !settings.is_empty() {
        let names: Vec<&str> = settings.iter().map(String::as_str).collect();
        warn(format!("the server does not know these settings, which are left out: {}", names.join(", ")));
    }
    if *has_ledger {
        warn("the ledger of a previous run is left out, so that the rehearsal begins a run of its own".to_owned());
    }
    warnings
}
