//! The stored values of the source, tried for each type that their column could have.
//!
//! The profile of `init` reads them: each possible type is a column of a target that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{affinity_of, column_type, possible_types};
use crate::init::{
    self, ColumnProfile, ColumnProof, NameMatch, NamePair, ProfileContext, StoredClasses, TablePair, TableProfile,
    TimeForm, TimeForms,
};
use crate::job::Stop;
use crate::model::definitions::SourceDefinitions;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::rules::Epoch;
use crate::model::schema::{Affinity, SourceColumn, SourceSchema, TargetColumn, TargetSchema, TargetTable};

/// Expressions that one statement reads. SQLite's limit is 2,000.
const EXPRESSIONS: usize = 1_000;

/// A column of a table without default, sequence or expression.
pub fn plain_column(name: &str, kind: ColumnType, not_null: bool) -> TargetColumn {
    let (has_default, generated, sequence, draws, drawn_in_partitions) = (false, false, None, None, Vec::new());
    TargetColumn { name: name.to_owned(), kind, not_null, has_default, generated, sequence, draws, drawn_in_partitions }
}

/// A type and the values of a column as it would hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeTrial {
    /// The type.
    pub kind: ColumnType,
    /// The values.
    pub profile: ColumnProfile,
}

/// The trials of one column, in the order of preference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriedColumn {
    trials: Vec<TypeTrial>,
    is_class_exact: bool,
    not_null: bool,
    /// The types that a unique key of the column cannot have.
    unfit_for_key: Vec<ColumnType>,
}

impl TriedColumn {
    /// The values by storage class.
    pub fn classes(&self) -> StoredClasses {
        self.trials.first().map(|trial| trial.profile.stored).unwrap_or_default()
    }

    /// NULLs.
    pub fn nulls(&self) -> u64 {
        self.trials.first().map_or(0, |trial| trial.profile.nulls)
    }

    /// Returns the first type that holds every value. `None`: no type does, and the column is text.
    pub fn choice(&self) -> Option<&TypeTrial> {
        let first = self.trials.iter().find(|trial| self.holds(trial))?;
        let without_zone = first.profile.without_zone;
        let is_zoned = matches!(first.kind.kind, Kind::Timestamptz { .. });
        if is_zoned && without_zone > 0 && without_zone + first.profile.empty == first.profile.values {
            return self.trial(&Kind::Timestamp { precision: 6 }).filter(|trial| self.holds(trial)).or(Some(first));
        }
        Some(first)
    }

    /// Returns true if a column of the type has NULL in place of an empty text.
    pub fn has_changed_values(&self, kind: &Kind) -> bool {
        self.trial(kind).is_some_and(|trial| trial.profile.empty > 0)
    }

    /// Returns the trial of a type, if the type was tried and holds every value.
    pub fn fitting(&self, kind: &Kind) -> Option<&TypeTrial> {
        self.trial(kind).filter(|trial| self.holds(trial))
    }

    /// True if a key of the column would have equal values, because no type tells all of them apart.
    pub fn is_unfit_for_keys(&self) -> bool {
        self.choice().is_none() && self.unfit_for_key.contains(&column_type(Kind::Text))
    }

    /// The types that are not chosen, because a unique key of the column would have equal values, or a primary key a NULL.
    pub fn unfit_for_key(&self) -> &[ColumnType] {
        &self.unfit_for_key
    }

    /// Returns the units by which numbers are read as times of the type.
    pub fn epochs(&self, kind: &Kind) -> Vec<Epoch> {
        let tried = self.trial(kind).map(|trial| trial.profile.tried.as_slice()).unwrap_or_default();
        tried.iter().filter(|one| one.accepted != [0; 3]).filter_map(|one| one.written.epoch()).collect()
    }

    /// Returns the form that all times have in a column of the type. `None`: they have none, or several.
    pub fn form(&self, kind: &Kind) -> Option<TimeForm> {
        match self.trial(kind)?.profile.forms {
            TimeForms::One(form) => Some(form),
            TimeForms::Unseen | TimeForms::Several => None,
        }
    }

    fn trial(&self, kind: &Kind) -> Option<&TypeTrial> {
        self.trials.iter().find(|trial| trial.kind.kind == *kind)
    }

    fn holds(&self, trial: &TypeTrial) -> bool {
        let StoredClasses { integers, reals, infinite, texts, blobs } = trial.profile.stored;
        let is_exact = match trial.kind.kind {
            // A column without an affinity keeps the text '007' next to the number 7, and doubles that are whole next to others.
            Kind::Int8 => reals + texts + blobs == 0,
            Kind::Float8 => texts + blobs == 0,
            Kind::Text => integers + reals + blobs == 0,
            Kind::Bytea => integers + reals + texts == 0,
            _ => true,
        };
        let is_class_free = !self.is_class_exact && !matches!(trial.kind.kind, Kind::Text | Kind::Bytea);
        let keeps_doubles = trial.profile.rounded == 0;
        // SQLite stores a text as a number if it is one to it; 'nan' is none. PostgreSQL has infinite decimals from version 14 on.
        let keeps_class = match trial.kind.kind {
            Kind::Numeric { .. } => trial.profile.plain_texts() + infinite == 0,
            Kind::Int8 | Kind::Float8 => trial.profile.plain_texts() == 0,
            _ => true,
        };
        let fits_key = !self.unfit_for_key.contains(&trial.kind);
        fits_key
            && keeps_doubles
            && keeps_class
            && (is_exact || is_class_free)
            && self.proof(trial) != ColumnProof::Open
    }

    /// Returns the proof that a column of the type holds every value.
    pub fn proof(&self, trial: &TypeTrial) -> ColumnProof {
        init::proof(&plain_column("", trial.kind.clone(), self.not_null), &trial.profile)
    }
}

/// The stored values of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredTable {
    /// Its rows.
    pub rows: u64,
    /// Its columns, by name.
    pub columns: BTreeMap<String, TriedColumn>,
}

/// The tables whose possible types are tried, as pairs with tables of a target that does not exist.
pub struct TypeTrials {
    target: TargetSchema,
    pairs: Vec<TablePair>,
}

impl TypeTrials {
    /// The trials of all tables.
    pub fn new(source: &SourceSchema) -> TypeTrials {
        let mut trials = TypeTrials { target: TargetSchema::default(), pairs: Vec::new() };
        for (name, table) in &source.tables {
            let columns: Vec<(&SourceColumn, ColumnType)> = table
                .columns
                .iter()
                .flat_map(|column| possible_types(column).into_iter().map(move |kind| (column, kind)))
                .collect();
            for (n, columns) in columns.chunks(EXPRESSIONS).enumerate() {
                trials.add(name, n, columns);
            }
        }
        trials
    }

    fn add(&mut self, table: &str, n: usize, columns: &[(&SourceColumn, ColumnType)]) {
        // No name of the source contains a NUL.
        let target = if n == 0 { table.to_owned() } else { format!("{table}\0{n}") };
        let trial = |column: &SourceColumn, kind: &ColumnType| format!("{}\0{}", column.name, kind.name);
        let pairs = columns.iter().map(|(column, kind)| NamePair {
            source: column.name.clone(),
            target: trial(column, kind),
            by: NameMatch::Equal,
        });
        self.pairs.push(TablePair {
            names: NamePair { source: table.to_owned(), target: target.clone(), by: NameMatch::Equal },
            columns: pairs.collect(),
            source_only: Vec::new(),
            target_only: Vec::new(),
        });
        let columns = columns.iter().map(|(column, kind)| plain_column(&trial(column, kind), kind.clone(), false));
        self.target.tables.insert(target, TargetTable { columns: columns.collect(), ..TargetTable::default() });
    }

    /// The target whose columns are the trials.
    pub fn target(&self) -> &TargetSchema {
        &self.target
    }

    /// Reads every value of the source. `context`: one with [`TypeTrials::target`].
    ///
    /// # Errors
    /// If the source cannot be read, or the process was asked to stop.
    pub fn read(&self, context: &ProfileContext<'_>) -> Result<BTreeMap<String, StoredTable>, Stop> {
        let profiles = context.read(&self.pairs)?;
        let mut found: BTreeMap<String, StoredTable> = BTreeMap::new();
        for pair in &self.pairs {
            let Some(profile) = profiles.get(&pair.names.target) else { continue };
            let facts = context.source.schema().tables.get(&pair.names.source);
            let table = found.entry(pair.names.source.clone()).or_default();
            table.rows = profile.rows;
            for names in &pair.columns {
                let column = facts.and_then(|facts| facts.column(&names.source));
                let target = self.target.tables.get(&pair.names.target).and_then(|table| table.column(&names.target));
                if let (Some(column), Some(target)) = (column, target) {
                    table.note(column, &target.kind, profile, &names.target);
                }
            }
        }
        Ok(found)
    }
}

/// Gives up types by which a unique key of the source would have equal values, or its primary key a NULL.
///
/// # Errors
/// If the source cannot be read, or the process was asked to stop.
pub fn keep_keys(
    stored: &mut BTreeMap<String, StoredTable>,
    definitions: &SourceDefinitions,
    context: &ProfileContext<'_>,
) -> Result<(), Stop> {
    for (table, definition) in &definitions.tables {
        let uniques = definition.indexes.iter().filter(|index| index.is_unique);
        let keys: BTreeSet<&String> =
            uniques.flat_map(|index| &index.parts).filter_map(|part| part.column.as_ref()).collect();
        for column in &definition.columns {
            let is_primary = column.in_key > 0;
            let found = stored.get_mut(table).and_then(|table| table.columns.get_mut(&column.name));
            let Some(found) = found.filter(|_| is_primary || keys.contains(&column.name)) else { continue };
            loop {
                let choice = found.choice().map(|choice| choice.kind.clone());
                let is_mixed = choice.is_none();
                let kind = choice.unwrap_or_else(|| column_type(Kind::Text));
                if kind.kind == Kind::Text && !is_mixed || found.unfit_for_key.contains(&kind) {
                    break;
                }
                let is_null = is_primary && found.has_changed_values(&kind.kind);
                let is_one_form = found.form(&kind.kind).is_some();
                if !is_null && (is_one_form || !context.has_equal_values(table, &column.name, &kind)?) {
                    break;
                }
                found.unfit_for_key.push(kind);
            }
        }
    }
    Ok(())
}

impl StoredTable {
    fn note(&mut self, column: &SourceColumn, kind: &ColumnType, profile: &TableProfile, trial: &str) {
        let stored = self.columns.entry(column.name.clone()).or_default();
        stored.is_class_exact = affinity_of(column) == Affinity::Blob;
        stored.not_null = column.not_null;
        let profile = profile.columns.get(trial).cloned();
        stored.trials.extend(profile.map(|profile| TypeTrial { kind: kind.clone(), profile }));
    }
}
