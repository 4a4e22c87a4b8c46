//! `migrate rehearse`: the complete cutover on a throw-away PostgreSQL.

use std::path::Path;

use crate::cli::Rehearse;
use crate::event::{Event, Observer};
use crate::model::record::{Activity, CommandKind, Refusal, Report};
use crate::pg::connect::{Environment, ReadOnly, Settings, resolve};
use crate::pg::throwaway::{StartFailure, Throwaway};

use super::connect::Connector;
use super::dispatch;
use super::ending::Leaves;
use super::failure::Failure;
use super::inputs::{self, MappingFile};
use super::session::{Migration, Request, Server};
use super::world::World;

/// Rehearses each mapping in turn, each on its own server.
pub fn command(args: &Rehearse, world: &World, observer: &dyn Observer) -> Result<Vec<Report>, Failure> {
    if args.common.target.is_some() {
        return Err(Failure::usage_of(
            "-t",
            "a rehearsal has a target of its own",
            "Leave -t out, or run the cutover itself.",
        ));
    }
    let files: Vec<MappingFile> = if args.common.mapping.is_empty() {
        vec![inputs::mapping(None, world)?]
    } else {
        args.common.mapping.iter().map(|path| inputs::mapping(Some(path), world)).collect::<Result<_, _>>()?
    };
    if files.len() > 1 && args.common.source.is_some() {
        return Err(Failure::usage_of("-s", "one source for several mappings", "Name one mapping, or leave -s out."));
    }
    let several = files.len() > 1;
    let rehearsed = files.into_iter().map(|file| {
        let name = file.mapping.name.clone();
        // With several mappings, a failure is one report among the others.
        let fail = |e: Failure| if several { Ok(e.report(CommandKind::Rehearse, &name)) } else { Err(e) };
        one(args, file, world, observer).or_else(fail)
    });
    rehearsed.collect()
}

fn one(args: &Rehearse, file: MappingFile, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    world.ending.note(Leaves::Rehearsal);
    let server = Throwaway::start(&world.asked).map_err(|e| match e {
        StartFailure::Interrupted => Failure::interrupted(Leaves::Rehearsal.words()),
        StartFailure::Failed(why) => Failure::refused(Refusal::new("rehearse", format!("no PostgreSQL; {why}"), "")),
    })?;
    observer.on_event(Event::Said(&format!("rehearsing {} on {}", file.mapping.name, server.shown())));
    let no_environment = Environment::new(std::iter::empty(), None, None);
    let settings =
        resolve(Some(&server.url()), &no_environment).map(Settings::of_rehearsal).map_err(Failure::refused)?;
    let (common, schema, read_only) = (&args.common, &file.mapping.target.schema, ReadOnly(false));
    make_tables(&Connector { settings: &settings, common, schema, read_only, observer, asked: &world.asked }, &file)?;
    let (work, activity) = (args.work.clone(), Activity::Rehearsal);
    let request = Request { common, reporting: &args.reporting, work, activity, asks: false };
    let server = Server { settings, most_connections: server.connections() };
    dispatch::report(Migration::to_server(request, file, server, world, observer))
}

/// Runs the scripts of `target.ddl`, in place of the application's own migrations.
fn make_tables(connector: &Connector<'_>, file: &MappingFile) -> Result<(), Failure> {
    if file.mapping.target.ddl.is_empty() {
        return Err(Failure::usage_of(
            "target.ddl",
            "a rehearsal needs the target's tables",
            "Write `ddl = [\"target.sql\"]` in [target].",
        ));
    }
    let mut session = connector.first()?;
    for path in &file.mapping.target.ddl {
        let path = file.folder.join(Path::new(path));
        let place = format!("target.ddl {}", path.display());
        let sql = std::fs::read_to_string(&path)
            .map_err(|e| Failure::usage_of(&place, format!("cannot be read; {e}"), ""))?;
        session.execute_script(&place, &sql).map_err(|e| {
            let advice = "Fix the file, or remove it from `ddl`.";
            Failure::refused(Refusal::new(e.operation.to_string(), e.answer(), advice))
        })?;
    }
    Ok(())
}
