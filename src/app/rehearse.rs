//! `migrate rehearse`: the whole cutover, for real, on a PostgreSQL that is thrown away afterwards.

use std::path::Path;

use crate::cli::Rehearse;
use crate::event::{Event, Observer};
use crate::model::record::{CommandKind, Refusal, Report};
use crate::pg::connect::{Environment, ReadOnly, Settings, resolve};
use crate::pg::throwaway::Throwaway;

use super::inputs::{self, Found};
use super::reach::{self, Door};
use super::way::{Manner, Way};
use super::{Failure, World};

/// Rehearses each mapping in turn, each on a server of its own.
pub fn run(args: &Rehearse, world: &World, observer: &dyn Observer) -> Result<Vec<Report>, Failure> {
    if args.common.target.is_some() {
        return Err(Failure::usage_of(
            "-t",
            "a rehearsal has a target of its own",
            "Leave -t out, or run the cutover itself.",
        ));
    }
    let found: Vec<Found> = if args.common.mapping.is_empty() {
        vec![inputs::mapping(None, world)?]
    } else {
        args.common.mapping.iter().map(|path| inputs::mapping(Some(path), world)).collect::<Result<_, _>>()?
    };
    if found.len() > 1 && args.common.source.is_some() {
        return Err(Failure::usage_of("-s", "one source for several mappings", "Name one mapping, or leave -s out."));
    }
    let several = found.len() > 1;
    let rehearsed = found.into_iter().map(|found| {
        let name = found.mapping.name.clone();
        // One of several that fails is a report among the others'.
        one(args, found, world, observer)
            .or_else(|e| if several { Ok(e.report(CommandKind::Rehearse, &name)) } else { Err(e) })
    });
    rehearsed.collect()
}

fn one(args: &Rehearse, found: Found, world: &World, observer: &dyn Observer) -> Result<Report, Failure> {
    let server = Throwaway::start()
        .map_err(|e| Failure::refused(Refusal::new("rehearse", format!("no PostgreSQL; {e}"), "")))?;
    observer.on_event(Event::Said(&format!("rehearsing {} on {}", found.mapping.name, server.shown())));
    let nobody = Environment::new(std::iter::empty(), None, None);
    let settings = resolve(Some(&server.url()), &nobody).map(Settings::known_to_be_direct).map_err(Failure::refused)?;
    let (common, schema, read_only) = (&args.common, &found.mapping.target.schema, ReadOnly(false));
    let door = Door { settings: &settings, common, schema, read_only, observer, asked: &world.asked };
    prepare(&door, &found)?;
    let way = Way {
        common: &args.common,
        reporting: &args.reporting,
        work: args.work.clone(),
        manner: Manner::Rehearse,
        asks: false,
        settings: Some(settings),
        found,
        world,
        observer,
        connections: server.connections(),
    };
    way.go()
}

/// Makes what the application's own migrations, and rows beforehand, would have made.
fn prepare(door: &Door<'_>, found: &Found) -> Result<(), Failure> {
    if found.mapping.target.ddl.is_empty() {
        return Err(Failure::usage_of(
            "target.ddl",
            "a rehearsal needs the target's tables",
            "Write `ddl = [\"target.sql\"]` in [target].",
        ));
    }
    let mut session = reach::first(door)?;
    for path in &found.mapping.target.ddl {
        let path = found.folder.join(Path::new(path));
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
