//! The tables of PostgreSQL for a source, of which every value is read, and for the owner of a mapping.

use std::collections::BTreeMap;
use std::path::Path;

use crate::exit::Exit;
use crate::init::{NaturalKey, OwnerRequest, ProfileContext};
use crate::job::Stop;
use crate::mapping::{Mapping, OwnerRule, OwnerValue};
use crate::model::cell::{Raw, RawBuf};
use crate::model::key::KeyRange;
use crate::model::record::{Refusal, Warning};
use crate::model::rules::Value;
use crate::model::schema::Address;
use crate::model::select::{CONTINUE, Expr, Relation, Select};
use crate::pg::Session;
use crate::schema::{self, Ddl, Fate, OwnedKeys, OwnerOptions, SchemaFacts, TypeTrials};
use crate::sqlite::{Reader, Source};
use crate::text::count;

use super::failure::{self, Failure};
use super::session::Migration;

/// The schema of the tables.
const SCHEMA: &str = "public";

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
    let mut stored = trials.read(&context).map_err(Failure::refused)?;
    schema::keep_keys(&mut stored, &definitions, &context).map_err(Failure::refused)?;
    let facts = SchemaFacts { source: source.schema(), definitions: &definitions, stored: &stored, owner };
    let mut ddl = schema::build(&facts).map_err(|problems| Failure { exit: Exit::Refused, problems })?;
    let reader = source.reader().map_err(Failure::refused)?;
    // The last one first: a reference that is left out changes the places of those after it.
    for reference in ddl.counted_references(owner).iter().rev() {
        let rows = |query: &str| number(&reader, query).map_err(Failure::refused);
        let orphans = rows(&reference.orphans)?;
        let crossing = reference.crossing.as_deref().map(rows).transpose()?.unwrap_or(0);
        if orphans > 0 {
            ddl.note_orphans(reference, orphans);
        }
        if crossing > 0 {
            ddl.leave_out(reference, crossing);
        }
    }
    Ok(ddl)
}

/// Returns the only value of a query, which is a number.
fn number(reader: &Reader, query: &str) -> Result<u64, Stop> {
    let (relation, exprs) = (Relation::Sql(query.to_owned()), vec![Expr::Column("n".to_owned())]);
    let select = Select { relation, address: Address::Ordinal, exprs, params: BTreeMap::new() };
    let mut found = 0;
    reader.each(&select, KeyRange::ALL, |row| {
        if let Raw::Integer(number) = row.cell(0) {
            found = u64::try_from(number).unwrap_or(0);
        }
        CONTINUE
    })?;
    Ok(found)
}

/// Returns the tables of a migration for its source and the owner of its mapping.
///
/// # Errors
/// If the source cannot be read, or the mapping names another schema.
pub fn ddl(m: &Migration<'_>, source: &Source) -> Result<Ddl, Failure> {
    require_schema(m.mapping())?;
    let owner = owner(m.mapping(), &m.owner_flag(), source);
    proposed(m, source, owner.as_ref().map(|owner| &owner.options))
}

/// Returns the warning about the objects of the source that are left out.
pub fn left_out(ddl: &Ddl) -> Option<Warning> {
    let left = ddl.count(Fate::LeftOut) as u64;
    let objects = count(left, "object of the source is", "objects of the source are");
    let message = format!("{objects} left out of the tables: `migrate schema` lists them");
    (left > 0).then(|| Warning::new("target.ddl", message))
}

/// Refuses a server that is older than the tables need.
///
/// # Errors
/// If it is, or does not answer.
pub fn require_version(ddl: &Ddl, session: &mut Session, place: &str) -> Result<(), Failure> {
    let (oldest, own) = (ddl.oldest(), session.major_version().map_err(Failure::refused)?);
    if own >= oldest {
        return Ok(());
    }
    let reason = format!("the tables need PostgreSQL {oldest}, and the server is PostgreSQL {own}");
    let advice = "The file of `migrate schema` can be changed: replace what the server does not have.";
    Err(Failure::refused(Refusal::new(place, reason, advice)))
}

/// Refuses another schema than the one of the tables.
pub fn require_schema(mapping: &Mapping) -> Result<(), Failure> {
    if mapping.target.schema == SCHEMA {
        return Ok(());
    }
    let reason = format!("\"auto\" makes the tables in the schema {SCHEMA}, and the mapping names another one");
    Err(Failure::usage_of("target.ddl", reason, "Leave out `schema`, or name files in `ddl`."))
}

/// The owner of a mapping, as the tables and the proof need it.
pub struct MappedOwner {
    pub options: OwnerOptions,
    /// The same for the mapping.
    pub request: OwnerRequest,
}

/// Returns the owner of the mapping. Tables whose loads name no owner are shared.
pub fn owner(mapping: &Mapping, flags: &BTreeMap<String, String>, source: &Source) -> Option<MappedOwner> {
    let section = mapping.owner.as_ref()?;
    let column = section.natural.as_ref().and_then(|natural| natural.keys().next());
    let natural = column.map(|column| {
        let written = section.natural.as_ref().and_then(|natural| natural.get(column)).and_then(literal_text);
        let value = flags.get(column).cloned().or(written);
        NaturalKey { column: column.clone(), value: value.unwrap_or_else(|| "owner".to_owned()) }
    });
    let is_shared = |rule: &OwnerRule| matches!(rule, OwnerRule::Unsaid | OwnerRule::Shared);
    // A load into another table is refused by the plan.
    let is_made = |table: &String| *table != section.table && source.schema().tables.contains_key(table);
    let shared = mapping.loads.iter().filter(|load| is_shared(&load.owner) && is_made(&load.to));
    let options = OwnerOptions {
        table: section.table.clone(),
        natural: natural.clone(),
        shared: shared.map(|load| load.to.clone()).collect(),
        keys: OwnedKeys::Shared,
        distribute: false,
    };
    Some(MappedOwner { options, request: OwnerRequest { table: Some(section.table.clone()), natural } })
}

/// Returns a constant as the text of `--owner`. `None`: it is a number, or no constant.
fn literal_text(value: &OwnerValue) -> Option<String> {
    match &value.0 {
        Value::Literal(RawBuf::Text(bytes)) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}
