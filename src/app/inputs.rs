//! The inputs of a command: mapping, source, target and variables. Flags precede the environment, which precedes the mapping.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{Duration, NaiveDate};

use crate::cli::{Cli, Command, Common, LEDGER_SCHEMA};
use crate::mapping::{self, FeedRule, Mapping, Modifiers, OrphanRule, Switch, WrittenValue};
use crate::model::rules::{Value, Zone};
use crate::report;
use crate::resume;

use super::failure::{self, Failure};
use super::world::World;

/// A mapping file that was read.
pub struct MappingFile {
    /// The mapping.
    pub mapping: Mapping,
    /// The folder of the file. Its paths are relative to this folder.
    pub folder: PathBuf,
    /// The SHA-256 of its text, in hexadecimal; empty for a mapping that is no file.
    pub sha256: String,
}

/// Reads the only mapping of a command.
///
/// # Errors
/// If several were named, or the mapping cannot be read.
pub fn one_mapping(common: &Common, world: &World) -> Result<MappingFile, Failure> {
    if common.mapping.len() > 1 {
        return Err(Failure::usage_of("-m", "only `migrate rehearse` takes several mappings", "Name one."));
    }
    mapping(common.mapping.first(), world)
}

/// Reads the mapping at a path, or the default mapping.
pub fn mapping(path: Option<&PathBuf>, world: &World) -> Result<MappingFile, Failure> {
    let path = match path {
        Some(path) => path.clone(),
        None => default_mapping(world)?,
    };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Failure::usage_of(&format!("mapping {shown}"), format!("cannot be read; {e}"), "Name a mapping with -m.")
    })?;
    let mapping = mapping::read(&text).map_err(|problems| failure::of_mapping(&shown, &problems))?;
    world.mapping.get_or_init(|| mapping.name.clone());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    Ok(MappingFile { mapping, folder, sha256: resume::sha256(&text) })
}

fn default_mapping(world: &World) -> Result<PathBuf, Failure> {
    if let Some(path) = world.variable("MIGRATE_MAPPING").filter(|p| !p.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let here = PathBuf::from("migrate.toml");
    if here.is_file() {
        return Ok(here);
    }
    let listed = std::fs::read_dir("mappings").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = listed.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::usage_of("mapping", "none was named and none is here", "Name one with -m FILE.")),
        several => {
            let names: Vec<String> = several.iter().map(|p| p.display().to_string()).collect();
            Err(Failure::usage_of(
                "mapping",
                format!("several are here ({})", names.join(", ")),
                "Name one with -m FILE.",
            ))
        }
    }
}

/// The path of the source: that of the flag, or that of the mapping, relative to the mapping file.
pub fn source(common: &Common, found: &MappingFile) -> Result<PathBuf, Failure> {
    match (&common.source, &found.mapping.source.path) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(path)) => Ok(found.folder.join(path)),
        (None, None) => {
            Err(Failure::usage_of("source", "none was named", "Name it with -s FILE, or write `path` in [source]."))
        }
    }
}

/// The connection string of the target: that of the flag, or of the variable that the mapping names. `None` if only PG*
/// variables can name it.
pub fn target(common: &Common, mapping: &Mapping, world: &World) -> Option<String> {
    let from_variable = || world.variable(&mapping.target.url_env).filter(|url| !url.is_empty()).map(str::to_owned);
    common.target.clone().or_else(from_variable)
}

/// The arguments that a command of this call repeats for one of its mappings. A connection string may hold a password, so it
/// is a variable in its place.
pub fn repeated_by(cli: &Cli, mapping: Option<&PathBuf>) -> Vec<String> {
    let mut named = repeated(cli.common(), mapping);
    if matches!(&cli.command, Some(Command::Rehearse(args)) if args.server.is_some()) {
        named.extend(report::GIVEN_SERVER.map(str::to_owned));
    }
    if let Some(Command::Fleet(args)) = &cli.command {
        let (from, sql) = (&args.owner_from, &args.owner_sql);
        let given = [("--sources", &args.sources), ("--owner-from", from), ("--owner-sql", sql)];
        named.extend(given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value.clone()?])).flatten());
    }
    if cli.command.is_none() && cli.run.create {
        named.extend(report::CREATES.map(str::to_owned));
    }
    named
}

/// The arguments that every command repeats.
pub fn repeated(common: &Common, mapping: Option<&PathBuf>) -> Vec<String> {
    let path = |path: &PathBuf| path.display().to_string();
    let mut named = vec![
        ("-m", mapping.map(path)),
        ("-s", common.source.as_ref().map(path)),
        ("-t", common.target.as_ref().map(|_| "$DATABASE_URL".to_owned())),
        ("--env-file", common.env_file.as_ref().map(path)),
    ];
    named.extend(common.owner.iter().map(|(column, value)| ("--owner", Some(format!("{column}={value}")))));
    let schema = Some(common.ledger_schema.clone()).filter(|schema| schema != LEDGER_SCHEMA);
    named.push(("--ledger-schema", schema));
    named.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
}

/// Returns true if a target was named, by the PG* variables or otherwise.
pub fn names_a_target(common: &Common, mapping: &Mapping, world: &World) -> bool {
    let pg = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"];
    target(common, mapping, world).is_some()
        || pg.iter().any(|name| world.variable(name).is_some_and(|v| !v.is_empty()))
}

/// The variables that the mapping names, if they are set.
pub fn env(mapping: &Mapping, world: &World) -> BTreeMap<String, String> {
    let named = names(mapping).into_iter();
    named.filter_map(|name| world.variable(&name).map(|value| (name.clone(), value.to_owned()))).collect()
}

/// The names of the variables of the mapping.
pub fn names(mapping: &Mapping) -> Vec<String> {
    let mut names = Vec::new();
    let mut value = |written: &WrittenValue| {
        if let Value::Env(name) = &written.0 {
            names.push(name.clone());
        }
    };
    let switches = |m: &Modifiers| {
        let all = [&m.if_bad, &m.if_null, &m.map_else];
        let set = all.into_iter().flatten().filter_map(|s| match s {
            Switch::Set(written) => Some(written.clone()),
            Switch::Off => None,
        });
        let mapped = m.map.iter().filter_map(|s| match s {
            Switch::Set(map) => Some(map.values().cloned().collect::<Vec<_>>()),
            Switch::Off => None,
        });
        let orphan = match &m.if_orphan {
            Some(Switch::Set(OrphanRule::Replace(written))) => Some(written.clone()),
            _ => None,
        };
        set.chain(orphan).chain(mapped.flatten()).collect::<Vec<_>>()
    };
    if let Some(owner) = &mapping.owner {
        let written = owner.natural.iter().chain(&owner.create).flat_map(|m| m.values());
        written.for_each(|written| value(&WrittenValue(written.0.clone())));
    }
    for modifiers in mapping.defaults.columns.values().chain(mapping.defaults.types.values()) {
        switches(modifiers).iter().for_each(&mut value);
    }
    for load in &mapping.loads {
        if let mapping::RowsFrom::Rows(rows) = &load.from {
            rows.iter().flat_map(|row| row.values()).for_each(&mut value);
        }
        for (_, column) in &load.columns {
            switches(&column.modifiers).iter().for_each(&mut value);
            match &column.feed {
                Some(FeedRule::Value(written)) => value(written),
                Some(FeedRule::Env { name, .. }) => value(&WrittenValue(Value::Env(name.clone()))),
                _ => {}
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The start of the run in the local time of the source's zone, for `{ now = true }` in rows.
pub fn now_text(mapping: &Mapping, micros: i64) -> String {
    let zero = NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|d| d.and_hms_opt(0, 0, 0)).unwrap_or_default();
    let utc = zero + Duration::microseconds(micros);
    let local = match mapping.source.zone.as_deref().and_then(Zone::parse) {
        None => utc,
        Some(Zone::Fixed(seconds)) => utc + Duration::seconds(i64::from(seconds)),
        Some(Zone::Named(zone)) => utc + Duration::seconds(zone.offset_at(utc.and_utc().timestamp())),
    };
    local.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The natural key of the owner as text, a part of the identity of the run.
pub fn owner_identity(mapping: &Mapping, common: &Common) -> String {
    if !common.owner.is_empty() {
        let sorted: BTreeMap<&String, &String> = common.owner.iter().map(|(c, v)| (c, v)).collect();
        return sorted.iter().map(|(c, v)| format!("{c}={v}")).collect::<Vec<_>>().join("\n");
    }
    let natural = mapping.owner.as_ref().and_then(|o| o.natural.as_ref());
    let parts = natural.into_iter().flatten().map(|(column, written)| match &written.0 {
        Value::Literal(raw) => format!("{column}={}", crate::model::key::Key(vec![raw.clone()])),
        other => format!("{column}={other:?}"),
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// Returns a path as seen from the folder of a file. Paths of other folders become absolute.
pub fn from_folder(path: &Path, file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return path.to_owned() };
    let (Some(path_there), Ok(folder)) = (canonical(path), folder.canonicalize()) else { return path.to_owned() };
    path_there.strip_prefix(&folder).map(Path::to_owned).unwrap_or(path_there)
}

/// Returns the absolute path of a file, which need not be there. `None`: its folder is not.
fn canonical(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
}
