//! `migrate rehearse`: the complete cutover on a throw-away PostgreSQL, or in a throw-away database of a given one.

mod tables;

use crate::cli::Rehearse;
use crate::event::Observer;
use crate::model::record::{Activity, CommandKind, Report};
use crate::pg::connect::ReadOnly;

use super::connect::Connector;
use super::dispatch;
use super::failure::Failure;
use super::inputs::{self, MappingFile};
use super::rehearsal_server::RehearsalServer;
use super::session::{Migration, Request};
use super::world::World;

/// Rehearses each mapping in turn, each on its own server.
pub fn command(args: &Rehearse, world: &World, observer: &dyn Observer) -> Result<Vec<Report>, Failure> {
    if args.common.target.is_some() {
        return Err(Failure::usage_of(
            "-t",
            "a rehearsal has a target of its own",
            "Leave -t out. --server URL names a server on which a database is made for the rehearsal and dropped.",
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
    let files = tables::files(args, &file, world, observer)?;
    let scripts = tables::scripts(&files.files, RehearsalServer::for_scripts(args.server.as_ref()))?;
    let server = RehearsalServer::start(args.server.as_ref(), &file.mapping.name, world, observer)?;
    let connections = server.connections()?;
    let warnings = {
        let (settings, schema, read_only) = (&connections.settings, &file.mapping.target.schema, ReadOnly(false));
        let (common, asked) = (&args.common, &world.asked);
        let mut session = Connector { settings, common, schema, read_only, observer, asked }.first()?;
        tables::make(&mut session, &scripts, RehearsalServer::for_scripts(args.server.as_ref()))?
    };
    let (common, work, activity) = (&args.common, args.work.clone(), Activity::Rehearsal);
    let request = Request { common, reporting: &args.reporting, work, activity, asks: false };
    let mut report = dispatch::report(Migration::to_server(request, file, connections, world, observer))?;
    report.warnings.splice(0..0, files.warnings.into_iter().chain(warnings));
    report.warnings.extend(server.end());
    Ok(report)
}
