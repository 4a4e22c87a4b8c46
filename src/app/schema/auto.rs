//! The tables of a rehearsal with `ddl = "auto"`: those of `migrate schema` for the mapping's source and owner, proved before the
//! rehearsal begins.

use crate::cli::{Common, Rehearse, Reporting, Work};
use crate::event::Observer;
use crate::model::record::{Activity, CommandKind, Report, Warning};
use crate::schema::text;

use super::super::failure::Failure;
use super::super::inputs::{self, MappingFile};
use super::super::proposed_tables::{base, left_out, owner, proposed, require_schema};
use super::super::session::{Migration, Request};
use super::super::world::World;
use super::prove::{ProofRequest, prove};

/// The tables, and the statements about them.
pub struct AutomaticTables {
    /// The statements.
    pub sql: String,
    /// The result of the proof, and the objects that are left out.
    pub warnings: Vec<Warning>,
}

/// Makes the tables for the rehearsal of a mapping.
///
/// # Errors
/// If the source cannot be read, or a translated expression has another value in PostgreSQL.
pub fn tables(
    args: &Rehearse,
    file: &MappingFile,
    world: &World,
    observer: &dyn Observer,
) -> Result<AutomaticTables, Failure> {
    require_schema(&file.mapping)?;
    let path = inputs::source(&args.common, file)?;
    let common = Common { mapping: Vec::new(), source: Some(path.clone()), owner: Vec::new(), ..args.common.clone() };
    let (reporting, work, activity) = (Reporting::default(), Work::default(), Activity::DryRun);
    let request = Request { common: &common, reporting: &reporting, work, activity, asks: false };
    let base = MappingFile { mapping: base(&path)?, folder: file.folder.clone(), sha256: String::new() };
    let m = Migration::without_target(request, base, world, observer);
    let opened = m.open_source(&mut Report::new(CommandKind::Rehearse, &file.mapping.name))?;
    let owner = owner(&file.mapping, &args.common.owner.iter().cloned().collect(), &opened);
    let mut ddl = proposed(&m, &opened, owner.as_ref().map(|owner| &owner.options))?;
    let named = owner.map(|owner| owner.request);
    let request = ProofRequest {
        source: &path,
        opened: &opened,
        common: &common,
        server: args.server.as_ref(),
        owner: named.as_ref(),
    };
    let proof = prove(&m, &request, &mut ddl, world, observer)?;
    let made = Warning::new("target.ddl", format!("the tables were made from the source. {}", proof.words()));
    let warnings = std::iter::once(made).chain(left_out(&ddl)).collect();
    Ok(AutomaticTables { sql: text(&ddl, &file.mapping.name), warnings })
}
