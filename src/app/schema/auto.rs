//! The tables of a rehearsal with `ddl = "auto"`: those of `migrate schema` for the mapping's source and owner, proved before the
//! rehearsal begins.

use std::collections::BTreeMap;

use crate::cli::{Common, Rehearse, Reporting, Work};
use crate::event::Observer;
use crate::init::{NaturalKey, OwnerRequest};
use crate::mapping::{Mapping, OwnerRule, WrittenValue};
use crate::model::cell::RawBuf;
use crate::model::record::{Activity, CommandKind, Report, Warning};
use crate::model::rules::Value;
use crate::schema::{Fate, OwnedKeys, OwnerOptions, text};

use super::super::failure::Failure;
use super::super::inputs::{self, MappingFile};
use super::super::session::{Migration, Request};
use super::super::world::World;
use super::proposed::{base, proposed};
use super::prove::{ProofRequest, prove};

/// The schema of the tables.
const SCHEMA: &str = "public";

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
    if file.mapping.target.schema != SCHEMA {
        let reason = format!("\"auto\" makes the tables in the schema {SCHEMA}, and the mapping names another one");
        return Err(Failure::usage_of("target.ddl", reason, "Leave out `schema`, or name files in `ddl`."));
    }
    let path = inputs::source(&args.common, file)?;
    let common = Common { mapping: Vec::new(), source: Some(path.clone()), owner: Vec::new(), ..args.common.clone() };
    let (reporting, work, activity) = (Reporting::default(), Work::default(), Activity::DryRun);
    let request = Request { common: &common, reporting: &reporting, work, activity, asks: false };
    let base = MappingFile { mapping: base(&path)?, folder: file.folder.clone() };
    let m = Migration::without_target(request, base, world, observer);
    let opened = m.open_source(&mut Report::new(CommandKind::Rehearse, &file.mapping.name))?;
    let owner = owner(&file.mapping, &args.common);
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
    let left = ddl.count(Fate::LeftOut) as u64;
    let mut warnings =
        vec![Warning::new("target.ddl", format!("the tables were made from the source. {}", proof.words()))];
    if left > 0 {
        let objects = crate::text::count(left, "object of the source is", "objects of the source are");
        let message = format!("{objects} left out of the tables: `migrate schema` lists them");
        warnings.push(Warning::new("target.ddl", message));
    }
    Ok(AutomaticTables { sql: text(&ddl, &file.mapping.name), warnings })
}

/// The owner of a mapping, as the tables and the proof need it.
struct MappedOwner {
    options: OwnerOptions,
    request: OwnerRequest,
}

/// Returns the owner of the mapping. Tables whose loads name no owner are shared.
fn owner(mapping: &Mapping, common: &Common) -> Option<MappedOwner> {
    let section = mapping.owner.as_ref()?;
    let flags: BTreeMap<&String, &String> = common.owner.iter().map(|(column, value)| (column, value)).collect();
    let column = section.natural.as_ref().and_then(|natural| natural.keys().next());
    let natural = column.map(|column| {
        let written = section.natural.as_ref().and_then(|natural| natural.get(column)).and_then(literal_text);
        let value = flags.get(column).map(|value| (*value).clone()).or(written);
        NaturalKey { column: column.clone(), value: value.unwrap_or_else(|| "owner".to_owned()) }
    });
    let is_shared = |rule: &OwnerRule| matches!(rule, OwnerRule::Unsaid | OwnerRule::Shared);
    let shared = mapping.loads.iter().filter(|load| is_shared(&load.owner) && load.to != section.table);
    let options = OwnerOptions {
        table: section.table.clone(),
        natural: column.cloned(),
        shared: shared.map(|load| load.to.clone()).collect(),
        keys: OwnedKeys::Shared,
    };
    Some(MappedOwner { options, request: OwnerRequest { table: Some(section.table.clone()), natural } })
}

/// Returns a constant as the text of `--owner`. `None`: it is a number, or no constant.
fn literal_text(value: &WrittenValue) -> Option<String> {
    match &value.0 {
        Value::Literal(RawBuf::Text(bytes)) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}
