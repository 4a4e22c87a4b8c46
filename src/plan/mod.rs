//! The plan: what will be done, decided completely before anything is written.
//!
//! [`build()`] is a pure function of the mapping and both schemas; it gives a [`Plan`] or every refusal at once.
//! Nothing is read, sent or printed here; `migrate` only carries out what stands in the plan.

mod build;
mod classes;
mod columns;
mod compared_key;
mod detach;
pub mod image;
mod links;
mod lookup;
mod modifiers;
mod needs;
mod order;
mod owner;
mod path;
mod relation;
mod rights;
mod shift;
mod show;
mod sql;
mod unmapped;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::pgtype::ColumnType;
use crate::model::record::{Refusal, Warning};
use crate::model::rules::{Rules, Value};
use crate::model::schema::{Detachable, OtherKind, Sequence, SourceSchema, TargetSchema};
use crate::model::select::Select;

pub use build::build;
pub use compared_key::{ComparedKey, compared_key};
pub use detach::{Detach, Detaching, proves_unique};
pub use links::{Compared, Link, links};
pub use lookup::{LookupPlan, LookupStep, expressions};
pub use path::{Hop, OwnerPath};
pub use relation::{SqlFacts, selects};
pub use rights::{Purpose, ledger_rights, to_make_the_owner};
pub use shift::Shifted;
pub use show::text;
pub use sql::sql;

/// What the plan is made of, beside the mapping.
pub struct Inputs<'a> {
    /// The source's schema.
    pub source: &'a SourceSchema,
    /// What SQLite says of the mapping's SQL, by load.
    pub sql: &'a BTreeMap<String, SqlFacts>,
    /// The target's catalogue; without it, only the source's side is judged.
    pub target: Option<&'a TargetSchema>,
    /// What PostgreSQL says of the lookups' expressions, by table and expression: their type, or why not.
    pub expressions: &'a BTreeMap<(String, String), Result<ColumnType, String>>,
    /// Values of the variables that the mapping names and that are set.
    pub env: &'a BTreeMap<String, String>,
    /// Values of `--owner`, in place of `[owner].match`.
    pub owner: &'a BTreeMap<String, String>,
    /// The run's start as text in the source's zone, for `{ now = true }` in rows.
    pub now: &'a str,
    /// What the catalogue offers to take off.
    pub detachable: &'a [Detachable],
    /// What of it shall go.
    pub detaching: Detaching,
    /// What the command will do on the target, which rights it needs.
    pub purpose: Purpose,
}

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The mapping's name.
    pub name: String,
    /// The target's schema.
    pub schema: String,
    /// Whose the stamped rows are.
    pub owner: Option<OwnerPlan>,
    /// The loads, in the order of the file.
    pub loads: Vec<LoadPlan>,
    /// The order in which they run.
    pub order: Vec<Node>,
    /// For each place in `order`, the places that must be done before; one that names itself is a load whose rows refer
    /// to rows of the same load.
    pub after: Vec<Vec<usize>>,
    /// The class of every table of the target.
    pub classes: BTreeMap<String, TableClass>,
    /// The way from a row to its owner, by table; tables whose rows are nobody's are not in it.
    pub paths: BTreeMap<String, OwnerPath>,
    /// Tables whose ids are shifted.
    pub shifts: Vec<Shifted>,
    /// What stays in the source.
    pub left: Vec<LeftInSource>,
    /// What is in the source and is never a load.
    pub not_tables: Vec<(String, OtherKind)>,
    /// What is taken off the target for the load and put back.
    pub detach: Detach,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
    inherited: Inherited,
}

/// One step of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The owner is settled: found, or made.
    Owner,
    /// The n-th load.
    Load(usize),
}

/// One table or column that stays behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftInSource {
    /// The source's table.
    pub table: String,
    /// Its column; none for the whole table.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
}

/// Whose the rows of a target table are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TableClass {
    /// The owner's own table.
    Owner,
    /// These columns are written with the owner's key.
    Stamped(Vec<String>),
    /// What arrives in this column is the owner.
    Carried(String),
    /// The owner is the parent's, which this column refers to.
    Through(String),
    /// Nobody's.
    Shared,
    /// No load goes there.
    Untouched,
}

impl TableClass {
    /// The word that reports use.
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

/// How the owner is settled.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerPlan {
    /// Its table.
    pub table: String,
    /// The column whose value is stamped.
    pub key: String,
    /// That column's type.
    pub key_type: ColumnType,
    /// That column's sequence, from which a made owner's key is drawn.
    pub sequence: Option<Sequence>,
    /// Natural key; empty: nobody is settled, rows bring their owners along.
    pub natural: Vec<OwnerColumn>,
    /// The other columns of the row when it has to be made; none: it must be there.
    pub create: Option<Vec<OwnerColumn>>,
    /// The column by which reports name owners.
    pub show: String,
}

/// A column of the owner's row and the value that it has or gets.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// The value.
    pub value: Value,
    /// What the value means.
    pub rules: Rules,
}

/// Rows from somewhere into one target table.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    /// Its name.
    pub name: String,
    /// The target's table.
    pub table: String,
    /// The source's table, `sql` or `rows`.
    pub source: String,
    /// What is read.
    pub select: Select,
    /// What is sent, in the order of the COPY list.
    pub columns: Vec<ColumnPlan>,
    /// The unique key whose collisions are skipped.
    pub conflict: Option<Vec<String>>,
    /// Only into an empty table.
    pub when_empty: bool,
    /// The table may hold rows.
    pub append: bool,
    /// User triggers stay on.
    pub triggers_fire: bool,
    /// Rows go as text: a column's type has no binary encoder.
    pub as_text: bool,
    /// Columns of the table that are not sent: the target's defaults and expressions fill them.
    pub unfed: Vec<String>,
}

/// One column of a load.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnPlan {
    /// The target's column.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// NULL is a fault.
    pub not_null: bool,
    /// Where its value comes from.
    pub feed: Feed,
    /// What the value means and which loss is allowed.
    pub rules: Rules,
    /// The source column's declared type, for faults.
    pub declared: Option<String>,
    /// The table whose shift is added to its values.
    pub shift: Option<String>,
}

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// The n-th expression of the load's [`Select`].
    Cell(usize),
    /// The same for every row.
    Constant(Value),
    /// The owner's key.
    Owner,
    /// Drawn from the sequence, inside the batch.
    Issued(Sequence),
    /// Found in the target.
    Lookup(Box<LookupPlan>),
}

impl Plan {
    /// The owner whose row is settled: rows without a natural key bring their owners along.
    pub fn settled_owner(&self) -> Option<&OwnerPlan> {
        self.owner.as_ref().filter(|owner| !owner.natural.is_empty())
    }
}

impl Plan {
    /// Puts a refusal of a column's modifier, whose reason begins with the modifier's name, where that stands.
    pub fn blame(&self, mut refusal: Refusal) -> Refusal {
        let modifier = refusal.reason.split(':').next().unwrap_or_default();
        let inherited = self.inherited.iter().find(|((place, name), _)| *place == refusal.place && *name == modifier);
        if let Some((_, stands)) = inherited {
            refusal.place.clone_from(stands);
        }
        refusal
    }

    /// `schema.table` that a load goes to; empty for a load that is not there.
    pub fn table_of(&self, load: &str) -> String {
        let found = self.loads.iter().find(|l| l.name == load);
        found.map_or_else(String::new, |l| format!("{}.{}", self.schema, l.table))
    }
}

impl LoadPlan {
    /// `load.NAME`, as messages name it.
    pub fn place(&self) -> String {
        format!("load.{}", self.name)
    }

    /// The columns whose ids the target issues, as positions in `columns`.
    pub fn issued(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|n| matches!(self.columns[*n].feed, Feed::Issued(_))).collect()
    }

    /// The lookups, each with the column that it feeds.
    pub fn lookups(&self) -> impl Iterator<Item = (&ColumnPlan, &LookupPlan)> {
        self.columns.iter().filter_map(|column| match &column.feed {
            Feed::Lookup(lookup) => Some((column, lookup.as_ref())),
            _ => None,
        })
    }

    /// Whether anything in its rows is the owner's key.
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

    /// Whether the load is read in one piece and written in one transaction: its rows have no key of their own.
    pub fn is_one_transaction(&self) -> bool {
        self.select.address == crate::model::schema::Address::Ordinal
    }
}

/// The refusals and warnings that planning gathers.
#[derive(Default)]
struct PlanFindings {
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
    /// By column and modifier, where an inherited modifier stands.
    inherited: Inherited,
}

/// By column (`load.NAME.columns.NAME`) and modifier: the place of the level that it is inherited from.
type Inherited = BTreeMap<(String, &'static str), String>;

impl PlanFindings {
    fn refuse(&mut self, place: impl Into<String>, reason: impl Into<String>, advice: impl Into<String>) {
        let refusal = Refusal::new(place, reason, advice);
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    fn warn(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning::new(place, message));
    }
}

/// Columns of the source that a feed or any SQL of the mapping reads.
type Taken = BTreeSet<(String, String)>;
