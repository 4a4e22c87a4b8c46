//! `migrate init`: reads both sides, proposes a mapping, plans and checks it, and writes it.

mod check;
mod facts;
mod printed;
mod start;

use std::path::Path;

use crate::cli::Init;
use crate::event::Observer;
use crate::exit::Exit;
use crate::init;
use crate::model::record::{CommandKind, Refusal, Report};

use super::failure::Failure;
use super::world::World;
use check::{Sides, check, read_draft};
use facts::SideFacts;
use printed::{Proposal, new_file};
use start::{ExistingFile, Start};

/// `migrate init`: writes the mapping, or prints what an existing one lacks.
pub fn command(args: &Init, world: &World, observer: &dyn Observer) -> Result<Exit, Failure> {
    let on_stdout = args.output == Path::new("-");
    if args.check.is_none() && !on_stdout {
        new_file(args).check()?;
    }
    let existing = args.check.as_ref().map(|path| ExistingFile::read(path)).transpose()?;
    let start = Start::new(args, world, observer, existing.as_ref())?;
    let mut report = Report::new(CommandKind::Init, &start.name);
    let m = start.migration(start.base.clone())?;
    let source = m.open_source(&mut report)?;
    let mut session =
        m.open_target(&mut report)?.ok_or_else(|| Failure::usage_of("target", "none was named", "Name it with -t."))?;
    let facts = SideFacts::read(&start, &m, &source, &mut session)?;
    if let Some(reason) = start.owner.as_ref().and_then(|owner| owner.unknown(&facts.target)) {
        return Err(Failure::refused(Refusal::new("--owner", reason, "Write --owner table.column=value.")));
    }
    let mut draft = facts.propose(&start, &source);
    if let Some(existing) = existing {
        return Ok(existing.compare(&draft));
    }
    let known = Sides { source: &source, target: &facts.target };
    check(&start, &mut draft, known, &mut session)?;
    let text = init::text(&draft);
    let (_, questions) = read_draft(&text)?;
    if !on_stdout {
        new_file(args).write(&text)?;
    }
    let proposal = Proposal { draft, text, questions };
    Ok(proposal.print(args, on_stdout))
}
