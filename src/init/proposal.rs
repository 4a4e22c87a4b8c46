//! Puts the proposed mapping together.

use std::collections::BTreeMap;

use super::draft::{DraftLine, DraftLoad, MappingDraft};
use super::existing::RowCounts;
use super::frameworks::utc_framework;
use super::names::NameMatch;
use super::owner::OwnerRequest;
use super::pairs::{TablePair, TablePairs};
use super::profile::TableProfile;
use super::render::string;
use super::row_owner::{OwnerFacts, OwnerLines};
use super::values::ValueContext;
use super::{existing, leave, values};
use crate::convert::proved_order;
use crate::model::pgtype::Kind;
use crate::model::schema::{OtherKind, SourceSchema, TargetSchema, TargetTable};
use crate::text::{count, some_of};

/// Everything that a proposal is made from.
pub struct ProposalFacts<'a> {
    /// The mapping's name.
    pub name: &'a str,
    /// The path of the source, as the mapping writes it.
    pub path: &'a str,
    /// The schema of the source.
    pub source: &'a SourceSchema,
    /// The catalogue of the target.
    pub target: &'a TargetSchema,
    /// The paired tables.
    pub pairs: &'a TablePairs,
    /// Their profiles, by the target's table.
    pub profiles: &'a BTreeMap<String, TableProfile>,
    /// The rows of the source's tables that are not paired.
    pub unpaired: &'a BTreeMap<String, u64>,
    /// The rows of each table of the target that holds rows.
    pub held: &'a BTreeMap<String, u64>,
    /// The owner as the command line names it.
    pub owner: Option<&'a OwnerRequest>,
    /// Differences of the version tables of both sides, as sentences.
    pub versions: &'a [String],
    /// True if a question may show values of rows.
    pub shows_values: bool,
}

/// Returns the proposed mapping, before it is planned.
pub fn propose(facts: &ProposalFacts<'_>) -> MappingDraft {
    let owner_facts = OwnerFacts { target: facts.target, pairs: facts.pairs, profiles: facts.profiles };
    let mut owners = owner_facts.lines(facts.owner);
    let loads: Vec<DraftLoad> = facts.pairs.pairs.iter().map(|pair| load(facts, pair, &mut owners)).collect();
    let mut notes: Vec<String> = facts.versions.to_vec();
    notes.extend(sampled(facts));
    notes.extend(not_tables(facts.source));
    notes.append(&mut owners.notes);
    let schema = &facts.target.schema;
    let target = (schema != "public").then(|| DraftLine::certain("schema", string(schema), "")).into_iter().collect();
    MappingDraft {
        name: facts.name.to_owned(),
        is_of_schema: false,
        notes,
        findings: Vec::new(),
        source: source(facts),
        target,
        owner: owners.section,
        sequences: Vec::new(),
        loads,
        leave: left(facts, &owners.replaced),
    }
}

/// The sentence about tables of which only the first rows were read.
fn sampled(facts: &ProposalFacts<'_>) -> Option<String> {
    let tables: Vec<&String> = facts.profiles.iter().filter(|(_, p)| p.is_sample).map(|(name, _)| name).collect();
    (!tables.is_empty()).then(|| {
        format!(
            "Only the first rows of {} were read ({}): a later value may contradict a line.",
            count(tables.len() as u64, "table", "tables"),
            some_of(&tables, 5)
        )
    })
}

/// The sentence about virtual tables, their shadow tables and views, which no mapping needs to name.
fn not_tables(source: &SourceSchema) -> Option<String> {
    let is_shadow = |kind: &OtherKind| matches!(kind, OtherKind::Shadow);
    let named: Vec<&String> = source.others.iter().filter(|(_, kind)| !is_shadow(kind)).map(|(name, _)| name).collect();
    let shadows = source.others.len() - named.len();
    (!named.is_empty()).then(|| {
        format!(
            "Not tables, and not loaded: {} ({} for the search or the index of the virtual ones). A load with from = {{ sql = \"...\" }} \
             reads the rows of one.",
            some_of(&named, 5),
            count(shadows as u64, "shadow table", "shadow tables")
        )
    })
}

/// `[source]`: the path, and the zone if a time needs one.
fn source(facts: &ProposalFacts<'_>) -> Vec<DraftLine> {
    let mut lines = vec![DraftLine::certain("path", string(facts.path), "")];
    let columns: Vec<u64> = facts.profiles.values().flat_map(|p| p.columns.values()).map(|c| c.without_zone).collect();
    let times: u64 = columns.iter().sum();
    let columns = columns.iter().filter(|times| **times > 0).count() as u64;
    if times == 0 {
        let why = "every time has an offset or is a number, so that the zone changes none";
        lines.extend(holds_instants(facts).then(|| DraftLine::inferred("zone", string("UTC"), why)));
        return lines;
    }
    let evidence =
        format!("{} without an offset in {}", count(times, "time", "times"), count(columns, "column", "columns"));
    lines.push(match utc_framework(facts.source) {
        Some(framework) => DraftLine::inferred("zone", string("UTC"), format!("{evidence}; {framework} writes UTC")),
        None => DraftLine::question(
            "zone",
            format!(
                "{evidence}: write the zone in which the application wrote them, such as \"UTC\" or \"Europe/Berlin\""
            ),
        ),
    });
    lines
}

/// Returns true if a column feeds one whose type needs an offset.
fn holds_instants(facts: &ProposalFacts<'_>) -> bool {
    facts.pairs.pairs.iter().any(|pair| {
        let table = facts.target.tables.get(&pair.names.target);
        let is_instant = |name: &str| {
            let column = table.and_then(|table| table.column(name));
            column.is_some_and(|column| matches!(column.kind.kind, Kind::Timestamptz { .. }) && !column.generated)
        };
        pair.columns.iter().any(|columns| is_instant(&columns.target))
    })
}

fn load(facts: &ProposalFacts<'_>, pair: &TablePair, owners: &mut OwnerLines) -> DraftLoad {
    let name = &pair.names.target;
    let mut load = DraftLoad { name: name.clone(), source: pair.names.source.clone(), ..DraftLoad::default() };
    let (Some(table), Some(profile)) = (facts.target.tables.get(name), facts.profiles.get(name)) else { return load };
    match pair.names.by {
        NameMatch::Equal => {}
        by @ (NameMatch::Case | NameMatch::Words) => {
            load.lines.push(DraftLine::certain("from", string(&load.source), format!("the names {}", by.reason())));
        }
        by => {
            let why = format!("the names {}, and {} columns have partners", by.reason(), pair.columns.len());
            load.lines.push(DraftLine::inferred("from", string(&load.source), why));
        }
    }
    let by_owner = owners.loads.remove(name).unwrap_or_default();
    load.notes.extend(owners.table.as_ref().filter(|_| by_owner.is_empty()).map(|owner| {
        if owner == name {
            "Owners: the rows of other tables belong to them.".to_owned()
        } else {
            format!("Shared: no foreign key refers to {owner}, or to a row that has an owner.")
        }
    }));
    load.lines.extend(by_owner);
    let held = facts.held.get(name).copied().unwrap_or(0);
    load.lines.extend(existing::line(pair, table, RowCounts { held, source: profile.rows }));
    let is_django = facts.source.tables.contains_key("django_migrations");
    let columns = facts.profiles.values().flat_map(|profile| profile.columns.values());
    let order = proved_order(columns.map(|column| &column.order));
    let context = ValueContext { shows_values: facts.shows_values, is_django, order };
    load.columns = PairedColumns { pair, table, profile, context }.lines(owners);
    load
}

/// The columns of one pair of tables.
struct PairedColumns<'a> {
    pair: &'a TablePair,
    table: &'a TargetTable,
    profile: &'a TableProfile,
    context: ValueContext,
}

impl PairedColumns<'_> {
    /// Returns the lines of the columns, in the order of the target's table.
    fn lines(&self, owners: &mut OwnerLines) -> Vec<DraftLine> {
        let PairedColumns { pair, table, profile, context } = *self;
        let name = &pair.names.target;
        let by_owner = owners.columns.remove(name).unwrap_or_default();
        let mut lines: BTreeMap<String, DraftLine> =
            by_owner.into_iter().map(|line| (line.key.concat(), line)).collect();
        let is_decided = |column: &String| owners.decided.contains(&(name.clone(), column.clone()));
        for names in pair.columns.iter().filter(|names| !is_decided(&names.target)) {
            let facts = table.column(&names.target).zip(profile.columns.get(&names.target));
            if let Some(line) = facts.and_then(|(column, profile)| values::line(names, column, profile, context)) {
                lines.entry(names.target.clone()).or_insert(line);
            }
        }
        for column in table.columns.iter().filter(|column| pair.target_only.contains(&column.name)) {
            let is_filled = !column.not_null || column.has_default || column.generated || column.sequence.is_some();
            if !is_filled && !is_decided(&column.name) && profile.rows > 0 {
                lines.entry(column.name.clone()).or_insert_with(|| leave::unfed(&column.name, pair));
            }
        }
        table.columns.iter().filter_map(|column| lines.remove(&column.name)).collect()
    }
}

/// `[leave]`: columns of loaded tables first, then tables.
fn left(facts: &ProposalFacts<'_>, replaced: &[DraftLine]) -> Vec<DraftLine> {
    let mut lines = replaced.to_vec();
    for pair in &facts.pairs.pairs {
        let values = facts.profiles.get(&pair.names.target).map(|profile| &profile.unpaired);
        let of = |name: &String| values.and_then(|values| values.get(name)).copied().unwrap_or(0);
        lines.extend(pair.source_only.iter().map(|name| leave::column(name, of(name), pair)));
    }
    let tables = facts.pairs.source_only.iter();
    let rows = |name: &String| facts.unpaired.get(name).copied().unwrap_or(0);
    lines.extend(tables.map(|name| leave::table(name, rows(name), facts.source, facts.target)));
    lines
}
