//! The plan: everything that a run will do, decided before anything is written.
//!
//! [`build()`] is a pure function of the mapping and both schemas. It returns a [`Plan`] or every refusal at once. Nothing is
//! read, sent or printed here; `migrate` only executes the plan.

mod assumed;
mod build;
mod circles;
mod classes;
mod columns;
mod compared_key;
mod detach;
mod existing;
mod free_sequences;
mod id_column;
pub mod image;
mod lookup;
mod matching;
mod modifiers;
mod names;
mod needs;
mod order;
mod owner;
mod owner_path;
mod placement;
mod references;
mod relation;
mod repeated;
mod rights;
pub mod sequences;
mod shared_tables;
mod shift;
mod show;
mod skipped;
mod sql;
mod tables;
mod unmapped;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::mapping::Mapping;
use crate::model::pgtype::ColumnType;
use crate::model::placement::Placement;
use crate::model::record::{Refusal, Warning};
use crate::model::rules::{Existing, Rules, Value};
use crate::model::schema::{Detachable, OtherKind, Sequence, SourceSchema, TargetSchema};
use crate::model::select::Select;

pub use build::build;
pub use circles::{Circle, CircleKey};
pub use compared_key::{ComparedKey, compared_key};
pub use detach::{Detach, Detaching, proves_unique};
pub use existing::{HeldTable, Treatment, empty_replaced};
pub use free_sequences::{AssignedSequence, CountedColumn};
use repeated::{RepeatedKind, RepeatedRefusal};

pub use id_column::IdColumn;
pub use lookup::{LookupPlan, PlannedStep, expressions};
pub use matching::{WithMatches, natural_keys, with_matches};
pub use owner_path::{Hop, OwnerPath};
pub use references::{Comparison, Reference, references};
pub use relation::{SqlFacts, selects};
pub use rights::{Purpose, ledger_rights, to_make_the_owner};
pub use shared_tables::{loaded_tables, shared_tables};
pub use shift::Shifted;
pub use show::text;
pub use skipped::SkippedRows;
pub use sql::sql;
pub use unmapped::LeftInSource;

/// The facts from which a plan is made, in addition to the mapping.
pub struct Inputs<'a> {
    /// The source's schema.
    pub source: &'a SourceSchema,
    /// SQLite's findings about the mapping's SQL, by load.
    pub sql: &'a BTreeMap<String, SqlFacts>,
    /// The target's catalogue; `None`: only the source's side is checked.
    pub target: Option<&'a TargetSchema>,
    /// The types of the lookups' expressions, by table and expression, or PostgreSQL's message.
    pub expressions: &'a BTreeMap<(String, String), Result<ColumnType, String>>,
    /// Values of the environment variables that the mapping names, as far as they are set.
    pub env: &'a BTreeMap<String, String>,
    /// Values of `--owner`, in place of `[owner].match`.
    pub owner: &'a BTreeMap<String, String>,
    /// The run's start as text in the source's zone, for `{ now = true }` in rows.
    pub now: &'a str,
    /// The objects that can be detached.
    pub detachable: &'a [Detachable],
    /// The setting of `--detach`.
    pub detaching: Detaching,
    /// The source's tables without rows.
    pub empty: &'a BTreeSet<String>,
    /// The number of rows of each loaded table that holds rows.
    pub held: &'a BTreeMap<String, u64>,
    /// The command's work on the target, which determines the needed rights.
    pub purpose: Purpose,
    /// True if a run is verified whose source has had another schema since it began.
    pub has_later_schema: bool,
    /// True if the source is one file of a fleet, with which values of the owner come.
    pub is_member: bool,
}

/// The mapping, the facts and the target of a plan that is being built.
#[derive(Clone, Copy)]
struct Context<'a> {
    mapping: &'a Mapping,
    inputs: &'a Inputs<'a>,
    /// The target's catalogue, or the assumed one.
    target: &'a TargetSchema,
}

/// Everything that a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The mapping's name.
    pub name: String,
    /// The target's schema.
    pub schema: String,
    /// The owner of the stamped rows.
    pub owner: Option<OwnerPlan>,
    /// The loads, in the order of the file.
    pub loads: Vec<LoadPlan>,
    /// The steps, in the order in which they run.
    pub order: Vec<Node>,
    /// For each place in `order`, the places that must be finished first. A place that contains itself is a load whose rows
    /// refer to rows of the same load.
    pub after: Vec<Vec<usize>>,
    /// The loads that refer to each other.
    pub circles: Vec<Circle>,
    /// The class of every table of the target.
    pub classes: BTreeMap<String, TableClass>,
    /// The path from a row to its owner, by table, for tables whose rows have an owner.
    pub paths: BTreeMap<String, OwnerPath>,
    /// Tables whose ids are shifted.
    pub shifts: Vec<Shifted>,
    /// Tables whose ids get one number, because the key of one refers to the key of another.
    pub shift_groups: Vec<BTreeSet<String>>,
    /// The sequences of the schema.
    pub sequences: Vec<AssignedSequence>,
    /// The loaded tables that hold rows before the run.
    pub held: Vec<HeldTable>,
    /// Tables of the source that a single load reads, by SQL.
    pub queried: Vec<QueriedTable>,
    /// The tables and columns that stay in the source.
    pub left: Vec<LeftInSource>,
    /// Objects of the source that are never a load.
    pub not_tables: Vec<(String, OtherKind)>,
    /// The objects that are detached from the target for the load and reattached.
    pub detach: Detach,
    /// The loaded tables that Citus distributes, with their placement.
    pub distributed: BTreeMap<String, Placement>,
    /// Facts that the operator should know.
    pub warnings: Vec<Warning>,
    inherited: Inherited,
}

/// One step of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The owner's row is found or made.
    Owner,
    /// The n-th load.
    Load(usize),
}

/// A table of the source that only the query of one load reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueriedTable {
    /// The load.
    pub load: String,
    /// The table.
    pub table: String,
}

/// The owners of the rows of a target table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TableClass {
    /// The owner's own table.
    Owner,
    /// These columns are stamped with the owner's key.
    Stamped(Vec<String>),
    /// This column carries the owner's key from the source.
    Carried(String),
    /// This column refers to a parent row with the same owner.
    Through(String),
    /// The rows have no owner.
    Shared,
    /// No load writes to the table.
    Untouched,
}

impl TableClass {
    /// Returns the word that reports use.
    pub fn word(&self) -> &'static str {
        match self {
            TableClass::Owner => "owner",
            TableClass::Stamped(_) => "stamped",
            TableClass::Carried(_) => "carried",
            TableClass::Through(_) => "through",
            TableClass::Shared => "shared",
            TableClass::Untouched => "untouched",
        }
    }
}

/// The way to find or make the owner's row.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerPlan {
    /// The owner's table.
    pub table: String,
    /// The column whose value is stamped.
    pub key: String,
    /// The key's type.
    pub key_type: ColumnType,
    /// The key's sequence, from which the key of a new owner is drawn.
    pub sequence: Option<Sequence>,
    /// The natural key. Empty if no owner is settled because rows carry their owners.
    pub natural: Vec<OwnerColumn>,
    /// The other columns of a new owner row; `None`: the row must exist.
    pub create: Option<Vec<OwnerColumn>>,
    /// The column by which reports show owners.
    pub show: String,
}

/// A column of the owner's row and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// The value.
    pub value: Value,
    /// The rules for reading the value.
    pub rules: Rules,
}

/// A load: rows of one relation into one target table.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    /// The load's name.
    pub name: String,
    /// The target's table.
    pub table: String,
    /// The source's table, or `sql` or `rows`.
    pub source: String,
    /// The rows and expressions that are read.
    pub select: Select,
    /// The columns that are sent, in the order of the COPY list.
    pub columns: Vec<ColumnPlan>,
    /// The unique key whose collisions are skipped; `None`: a collision is a fault.
    pub conflict: Option<Vec<String>>,
    /// True if the load runs only into an empty table.
    pub when_empty: bool,
    /// The treatment of rows that the table holds before the run.
    pub existing: Option<Existing>,
    /// The column that identifies a row only within its own database.
    pub surrogate: Option<String>,
    /// True if user triggers run.
    pub triggers_fire: bool,
    /// True if rows are sent as text because a column's type has no binary encoder.
    pub as_text: bool,
    /// Columns of the table that are not sent. The target's defaults and expressions fill them.
    pub unfed: Vec<String>,
}

/// One column of a load.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnPlan {
    /// The target's column.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// True if NULL is a fault.
    pub not_null: bool,
    /// The origin of its value.
    pub feed: Feed,
    /// The meaning of its values and the allowed losses.
    pub rules: Rules,
    /// The source column's declared type, for faults.
    pub declared: Option<String>,
    /// The table whose shift is added to its values; `None`: the values are not shifted.
    pub shift: Option<String>,
    /// The statement of the mapping about the rows to which the column refers. `None`: it has none.
    pub refers: Option<StatedReference>,
}

/// A statement of the mapping about the rows to which a column without a foreign key refers.
#[derive(Clone, Debug, PartialEq)]
pub enum StatedReference {
    /// All values are ids of one table, or none is.
    OneTable,
    /// Another cell of the row says to which table.
    ByType {
        /// The position of the type among the load's expressions.
        by: usize,
        /// The table of each type. `None`: ids of this type are loaded as they are.
        tables: Vec<(String, Option<String>)>,
    },
}

/// The origin of a column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// The n-th expression of the load's [`Select`].
    Cell(usize),
    /// The same for every row.
    Constant(Value),
    /// The owner's key.
    Owner,
    /// An id drawn from the sequence, within the batch.
    Issued(Sequence),
    /// A value found in the target.
    Lookup(Box<LookupPlan>),
}

impl Plan {
    /// Returns the tables whose rows are removed before the first row is loaded.
    pub fn replaced(&self) -> impl Iterator<Item = &HeldTable> {
        self.held.iter().filter(|held| held.treatment == Treatment::Replace)
    }

    /// Returns the owner whose row is found or made. `None` if rows carry their owners.
    pub fn settled_owner(&self) -> Option<&OwnerPlan> {
        self.owner.as_ref().filter(|owner| !owner.natural.is_empty())
    }

    /// Returns the other loads whose rows refer to those of this load, and it to theirs.
    pub fn others_in_circle(&self, load: &LoadPlan) -> Vec<&LoadPlan> {
        let is_it = |n: &usize| self.loads[*n].name == load.name;
        let circle = self.circles.iter().find(|circle| circle.members.iter().any(is_it));
        circle.into_iter().flat_map(|c| &c.members).filter(|n| !is_it(n)).map(|n| &self.loads[*n]).collect()
    }

    /// Returns the plan with every load in binary form, in which each row has fields.
    pub fn in_binary(&self) -> Plan {
        let loads = self.loads.iter().map(|load| LoadPlan { as_text: false, ..load.clone() }).collect();
        Plan { loads, ..self.clone() }
    }

    /// Moves a refusal of an inherited modifier to the place that the column inherits the modifier from.
    pub fn blame(&self, mut refusal: Refusal) -> Refusal {
        let inherited = refusal.modifier.and_then(|modifier| self.inherited.get(&(refusal.place.clone(), modifier)));
        if let Some(level) = inherited {
            refusal.place.clone_from(level);
        }
        refusal
    }

    /// Returns the `schema.table` of a load; an empty text for an unknown load.
    pub fn table_of(&self, load: &str) -> String {
        let found = self.loads.iter().find(|l| l.name == load);
        found.map_or_else(String::new, |l| format!("{}.{}", self.schema, l.table))
    }
}

impl LoadPlan {
    /// Returns `load.NAME`, as messages print it.
    pub fn place(&self) -> String {
        format!("load.{}", self.name)
    }

    /// Returns true if the load only adds to the rows of its table, whatever they are: it accepts existing rows, or gives its
    /// own new ids.
    pub fn only_adds(&self) -> bool {
        let is_shifted = || self.columns.iter().any(|column| column.shift.as_deref() == Some(&self.table));
        !self.when_empty && (self.existing == Some(Existing::Append) || is_shifted())
    }

    /// Returns the names of the columns that are sent, in their order.
    pub fn sent_columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Returns the columns whose ids the target issues, as positions in `columns`.
    pub fn issued(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|n| matches!(self.columns[*n].feed, Feed::Issued(_))).collect()
    }

    /// Returns the lookups, each with the column that it feeds.
    pub fn lookups(&self) -> impl Iterator<Item = (&ColumnPlan, &LookupPlan)> {
        self.columns.iter().filter_map(|column| match &column.feed {
            Feed::Lookup(lookup) => Some((column, lookup.as_ref())),
            _ => None,
        })
    }

    /// Returns true if its rows may contain the owner's key.
    pub fn needs_owner(&self) -> bool {
        let is_owner = |value: &Option<Value>| *value == Some(Value::Owner);
        self.columns.iter().any(|column| {
            let rules = &column.rules;
            let fed = match &column.feed {
                Feed::Owner | Feed::Constant(Value::Owner) => true,
                Feed::Lookup(lookup) => lookup.missing == Value::Owner,
                _ => false,
            };
            fed || [&rules.if_bad, &rules.if_null, &rules.if_orphan, &rules.map_else].into_iter().any(is_owner)
                || rules.map.iter().any(|(_, value)| *value == Value::Owner)
        })
    }

    /// Returns true if the mapping leaves out rows whose reference has no row.
    pub fn drops_orphans(&self) -> bool {
        self.columns.iter().any(|column| column.rules.drop_orphan)
    }

    /// Returns true if the load is one part, written in one transaction, because its rows have no key.
    pub fn is_one_transaction(&self) -> bool {
        self.select.address == crate::model::schema::Address::Ordinal
    }
}

/// The refusals and warnings of planning.
#[derive(Default)]
struct PlanFindings {
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
    /// Refusals that many objects may cause.
    repeated: Vec<RepeatedRefusal>,
    /// The places of inherited modifiers.
    inherited: Inherited,
}

/// The place that each modifier is inherited from, by column (`load.NAME.columns.NAME`) and modifier.
type Inherited = BTreeMap<(String, &'static str), String>;

impl PlanFindings {
    fn refuse(&mut self, place: impl Into<String>, reason: impl Into<String>, advice: impl Into<String>) {
        let refusal = Refusal::new(place, reason, advice);
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// Refuses something that many objects may cause.
    fn refuse_object(&mut self, kind: RepeatedKind, object: String, refusal: Refusal) {
        self.repeated.push(RepeatedRefusal { kind, object, refusal });
    }

    fn warn(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning::new(place, message));
    }
}

/// Columns of the source, as table and column, that a feed or the mapping's SQL reads.
type Taken = BTreeSet<(String, String)>;
