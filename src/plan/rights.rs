//! The rights that a command needs on the target, and a refusal with its GRANT for each missing right.
//!
//! `pg` asks the server for the role's rights. An object that the role may not detach, because it does not own the table, is
//! not refused: the object stays attached and the load is slower.

use std::collections::BTreeMap;

use crate::mapping::Mapping;
use crate::model::record::Refusal;
use crate::model::rules::{Differ, Existing};
use crate::model::schema::{Lack, Rights, TargetSchema};

use super::needs::{Lacks, NeededColumns, refusal};
use super::{
    AssignedSequence, CountedColumn, Feed, HeldTable, LoadPlan, OwnerPath, OwnerPlan, Plan, PlanFindings, Treatment,
    image,
};

/// The work of a command on the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// It writes rows, or a dry run checks whether it could.
    #[default]
    Write,
    /// It reads rows.
    Verify,
    /// It removes rows, including the owner's row if the run made it.
    Rollback {
        /// True if the run made the owner's row.
        owner: bool,
    },
}

/// Everything that determines the needed rights.
pub(super) struct Asker<'a> {
    pub mapping: &'a Mapping,
    pub loads: &'a [LoadPlan],
    pub owner: Option<&'a OwnerPlan>,
    pub paths: &'a BTreeMap<String, OwnerPath>,
    pub target: &'a TargetSchema,
    pub held: &'a [HeldTable],
    pub sequences: &'a [AssignedSequence],
}

/// Refuses the rights that the command needs and the role lacks.
pub(super) fn refuse(asker: &Asker<'_>, purpose: Purpose, findings: &mut PlanFindings) {
    let rights = &asker.target.rights;
    let mut lacks = Lacks::new(rights);
    asker.ask(purpose, &mut lacks);
    for refusal in lacks.refusals().into_iter().chain(ledger_rights(rights, purpose)) {
        if !findings.refusals.contains(&refusal) {
            findings.refusals.push(refusal);
        }
    }
    asker.guarded(purpose, findings);
    if purpose == Purpose::Write {
        asker.triggers(findings);
    }
}

/// Returns the refusals for rights that the role lacks on the ledger.
pub fn ledger_rights(rights: &Rights, purpose: Purpose) -> Vec<Refusal> {
    let reads = |lack: &&Lack| lack.right == "SELECT" || (lack.right == "USAGE" && lack.key == "SCHEMA");
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for lack in rights.ledger.iter().filter(|lack| purpose != Purpose::Verify || reads(lack)) {
        match found.iter_mut().find(|(on, _)| *on == lack.on) {
            Some((_, names)) => names.push(&lack.right),
            None => found.push((&lack.on, vec![&lack.right])),
        }
    }
    found.iter().map(|(on, names)| refusal(rights, "ledger", names, on)).collect()
}

/// Returns the refusals for rights that the role lacks to make the owner's row.
pub fn to_make_the_owner(plan: &Plan, target: &TargetSchema) -> Vec<Refusal> {
    let Some(owner) = &plan.owner else { return Vec::new() };
    let mut lacks = Lacks::new(&target.rights);
    let place = "owner.create";
    let given = owner.natural.iter().chain(owner.create.iter().flatten()).map(|column| &column.name);
    lacks.need_on(place, "INSERT", &table_key(target, &owner.table), &NeededColumns::of(given));
    if let Some(sequence) = &owner.sequence {
        lacks.need_to_draw(place, &sequence.name);
    }
    lacks.refusals()
}

/// Returns true if a load writes the source's values over existing rows.
fn writes_over(load: &LoadPlan) -> bool {
    matches!(&load.existing, Some(Existing::Match { differ: Some(Differ::Source), .. })) && load.conflict.is_some()
}

fn table_key(target: &TargetSchema, table: &str) -> String {
    format!("TABLE {}.{table}", target.schema)
}

/// A table that is read in addition to the loaded tables.
struct NeededTable {
    place: String,
    schema: String,
    table: String,
    columns: NeededColumns,
}

impl Asker<'_> {
    fn ask(&self, purpose: Purpose, lacks: &mut Lacks<'_>) {
        let target = self.target;
        lacks.need("target.schema", "USAGE", &format!("SCHEMA {}", target.schema));
        for (place, table) in self.written() {
            let key = table_key(target, table);
            match purpose {
                // Rollback also reads the row's system columns, for which no right on columns can be granted.
                Purpose::Rollback { .. } => lacks.need(&place, "SELECT", &key),
                _ => lacks.need_on(&place, "SELECT", &key, &self.read_back(table)),
            }
            match purpose {
                // Every column of a removed row is kept, and restored.
                Purpose::Write if self.is_replaced(table) => {
                    ["SELECT", "INSERT", "DELETE"].iter().for_each(|right| lacks.need(&place, right, &key));
                }
                Purpose::Write => lacks.need_on(&place, "INSERT", &key, &NeededColumns::of(self.sent(table))),
                Purpose::Rollback { .. } => lacks.need(&place, "DELETE", &key),
                Purpose::Verify => {}
            }
        }
        if purpose != Purpose::Verify {
            for load in self.loads.iter().filter(|load| writes_over(load)) {
                lacks.need(&load.place(), "UPDATE", &table_key(target, &load.table));
            }
        }
        for NeededTable { place, schema, table, columns } in self.read(purpose) {
            lacks.need(&place, "USAGE", &format!("SCHEMA {schema}"));
            lacks.need_on(&place, "SELECT", &format!("TABLE {schema}.{table}"), &columns);
        }
        if let (Purpose::Rollback { owner: true }, Some(owner)) = (purpose, self.owner) {
            lacks.need("owner.create", "SELECT", &table_key(target, &owner.table));
            lacks.need("owner.create", "DELETE", &table_key(target, &owner.table));
        }
        let stages = self.mapping.loads.iter().find(|load| load.conflict.is_some());
        match (purpose, stages, self.mapping.loads.first()) {
            (Purpose::Write, Some(load), _) => {
                lacks.need(&format!("load.{}.conflict", load.name), "TEMPORARY", "DATABASE");
            }
            (Purpose::Rollback { .. }, _, Some(load)) => {
                lacks.need(&format!("load.{}", load.name), "TEMPORARY", "DATABASE");
            }
            _ => {}
        }
        self.sequences(purpose, lacks);
        self.assigned(purpose, lacks);
    }

    /// Returns true if the rows that a table holds are removed first.
    fn is_replaced(&self, table: &str) -> bool {
        self.held.iter().any(|held| held.table == table && held.treatment == Treatment::Replace)
    }

    /// Returns the columns that loads send to a table.
    fn sent(&self, table: &str) -> impl Iterator<Item = &String> {
        self.loads.iter().filter(move |load| load.table == table).flat_map(|load| load.columns.iter().map(|c| &c.name))
    }

    /// Returns the columns of a table that are read: to verify its content, to skip existing rows, to set its sequences and
    /// to find parents and owners of its rows.
    fn read_back(&self, table: &str) -> NeededColumns {
        let Some(facts) = self.target.tables.get(table) else { return NeededColumns::All };
        let loads: Vec<&LoadPlan> = self.loads.iter().filter(|load| load.table == table).collect();
        let image = image::columns(&loads, facts);
        let numbered = facts.columns.iter().filter(|column| column.sequence.is_some()).map(|column| &column.name);
        let skipped = loads.iter().filter_map(|load| load.conflict.as_ref()).flatten();
        let refers = facts.foreign.iter().flat_map(|key| &key.columns);
        let path = self.paths.get(table);
        let owner = path.map(|path| path.hops.first().map_or(&path.column, |hop| &hop.column));
        NeededColumns::of(
            image.iter().chain(self.sent(table)).chain(numbered).chain(skipped).chain(refers).chain(owner),
        )
    }

    /// Returns the columns that identify a parent row: the key, and the natural key that matches it on both sides.
    fn known_by(&self, table: &str, key: &[String]) -> NeededColumns {
        let owner = self.owner.filter(|owner| owner.table == table && !owner.natural.is_empty());
        let by_match = owner.map(|owner| owner.natural.iter().map(|column| column.name.clone()).collect());
        let skipped = || self.loads.iter().filter(|load| load.table == table).find_map(|load| load.conflict.clone());
        let unique = || {
            let mut unique = self.target.tables.get(table)?.unique.iter().map(|unique| &unique.columns);
            unique.find(|columns| !key.iter().any(|k| columns.contains(k))).cloned()
        };
        let natural: Vec<String> = by_match.or_else(skipped).or_else(unique).unwrap_or_default();
        NeededColumns::of(key.iter().chain(&natural))
    }

    /// Returns the loaded tables, each with the place of its load.
    fn written(&self) -> Vec<(String, &str)> {
        let loads = self.mapping.loads.iter().filter(|load| self.target.tables.contains_key(&load.to));
        loads.map(|load| (format!("load.{}", load.name), load.to.as_str())).collect()
    }

    /// Returns the tables that are read in addition: those of the owner and of lookups, parents on the path to an owner, parents
    /// of foreign keys and, for a rollback, tables whose rows may refer to loaded rows.
    fn read(&self, purpose: Purpose) -> Vec<NeededTable> {
        let ours = |place: String, table: &str, columns: NeededColumns| {
            let (schema, table) = (self.target.schema.clone(), table.to_owned());
            NeededTable { place, schema, table, columns }
        };
        let mut found: Vec<NeededTable> = Vec::new();
        if let Some(owner) = self.owner {
            let named = owner.natural.iter().chain(owner.create.iter().flatten()).map(|column| &column.name);
            let columns =
                self.read_back(&owner.table).and(NeededColumns::of([&owner.key, &owner.show].into_iter().chain(named)));
            found.push(ours("owner.table".to_owned(), &owner.table, columns));
        }
        for load in &self.mapping.loads {
            for (column, written) in &load.columns {
                if let Some(crate::mapping::FeedRule::Lookup(lookup)) = &written.feed {
                    let place = format!("load.{}.columns.{column}.lookup.table", load.name);
                    found.push(ours(place, &lookup.table, NeededColumns::All));
                }
            }
            if let Some(path) = self.paths.get(&load.to) {
                let next = path.hops.iter().skip(1).map(|hop| &hop.column).chain([&path.column]);
                let hops = path.hops.iter().zip(next).map(|(hop, next)| {
                    let columns = NeededColumns::of([&hop.parent_column, next]);
                    ours(format!("load.{}.owner", load.name), &hop.parent, columns)
                });
                found.extend(hops);
            }
        }
        let owners = self.owner.iter().map(|owner| ("owner.table".to_owned(), owner.table.as_str()));
        for (place, table) in self.written().into_iter().chain(owners) {
            for key in self.target.tables.get(table).into_iter().flat_map(|t| &t.foreign) {
                let (schema, table) = (key.parent_schema.clone(), key.parent.clone());
                let columns = match schema == self.target.schema {
                    true => self.known_by(&table, &key.parent_columns),
                    false => NeededColumns::of(&key.parent_columns),
                };
                found.push(NeededTable { place: place.clone(), schema, table, columns });
            }
            if matches!(purpose, Purpose::Rollback { .. }) {
                for (child, facts) in &self.target.tables {
                    let refers = facts.foreign.iter().filter(|key| key.parent == table).flat_map(|key| &key.columns);
                    let refers: Vec<&String> = refers.collect();
                    if !refers.is_empty() {
                        found.push(ours(place.clone(), child, NeededColumns::of(refers)));
                    }
                }
            }
        }
        found
    }

    /// Adds the rights on sequences of the loaded tables and the owner's. Each is read, drawn from if ids are issued, and set
    /// if the source's ids are loaded.
    fn sequences(&self, purpose: Purpose, lacks: &mut Lacks<'_>) {
        let owner = self.owner.map(|owner| ("owner.table".to_owned(), owner.table.as_str()));
        for (place, table) in self.written().into_iter().chain(owner) {
            for column in self.target.tables.get(table).into_iter().flat_map(|t| &t.columns) {
                let (issued, fed) = self.fed(table, &column.name);
                // The column's default draws from the sequence.
                if let (Purpose::Write, Some(draws), false) = (purpose, &column.draws, fed) {
                    lacks.need_to_draw(&place, draws);
                }
                let Some(sequence) = &column.sequence else { continue };
                let key = format!("SEQUENCE {}", sequence.name);
                lacks.need(&place, "SELECT", &key);
                match purpose {
                    Purpose::Write => {
                        if fed {
                            lacks.need(&place, "UPDATE", &key);
                        }
                        if issued {
                            lacks.need_to_draw(&place, &sequence.name);
                        }
                    }
                    Purpose::Rollback { .. } if fed => lacks.need(&place, "UPDATE", &key),
                    Purpose::Rollback { .. } | Purpose::Verify => {}
                }
            }
        }
    }

    /// Adds the rights on sequences that no column names and on the columns that they number.
    fn assigned(&self, purpose: Purpose, lacks: &mut Lacks<'_>) {
        for AssignedSequence { sequence, columns, .. } in self.sequences.iter().filter(|s| s.is_without_column()) {
            let key = format!("SEQUENCE {}", sequence.name);
            lacks.need("sequences", "SELECT", &key);
            if purpose != Purpose::Verify {
                lacks.need("sequences", "UPDATE", &key);
            }
            for CountedColumn { table, column, .. } in columns {
                lacks.need_on("sequences", "SELECT", &table_key(self.target, table), &NeededColumns::of([column]));
            }
        }
    }

    /// Returns true twice: if the column's ids are issued, and if the column has another feed.
    fn fed(&self, table: &str, column: &str) -> (bool, bool) {
        let columns = self.loads.iter().filter(|l| l.table == table).flat_map(|l| &l.columns);
        let feeds: Vec<&Feed> = columns.filter(|c| c.name == column).map(|c| &c.feed).collect();
        let issued = |feed: &&Feed| matches!(feed, Feed::Issued(_));
        (feeds.iter().any(issued), feeds.iter().any(|feed| !issued(feed)))
    }

    /// Refuses tables in which row-level security would hide or refuse rows.
    fn guarded(&self, purpose: Purpose, findings: &mut PlanFindings) {
        let written =
            self.written().into_iter().map(|(place, table)| (place, format!("{}.{table}", self.target.schema)));
        let read = self.read(purpose).into_iter().map(|r| (r.place, format!("{}.{}", r.schema, r.table)));
        for (place, name) in written.chain(read) {
            if self.target.rights.guarded.contains(&name) {
                let role = &self.target.rights.role;
                findings.refuse(
                    place,
                    format!("row-level security of {name} applies to this role, {role}: it would hide or refuse rows"),
                    format!("Use a role with BYPASSRLS, or the table's owner where it is not forced on the owner: ALTER ROLE {role} BYPASSRLS;"),
                );
            }
        }
    }

    /// Refuses triggers that the role may not disable, on tables of another owner, for loads that want them disabled.
    fn triggers(&self, findings: &mut PlanFindings) {
        let rights = &self.target.rights;
        for load in self.mapping.loads.iter().filter(|load| !load.triggers_fire) {
            let name = format!("{}.{}", self.target.schema, load.to);
            let Some(found) = rights.strangers.iter().find(|s| s.table == name) else { continue };
            let (owner, triggers, role) = (&found.owner, &found.triggers, &rights.role);
            findings.refuse(
                format!("load.{}", load.name),
                format!(
                    "triggers of {name} would run for its rows ({triggers}), and only the table's owner may disable them"
                ),
                format!("Write `triggers = \"fire\"` to let them run, or: GRANT {owner} TO {role};"),
            );
        }
    }
}
