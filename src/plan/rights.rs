//! Which rights a command needs on the target, and a refusal with its GRANT for each that is missing.
//!
//! What the role may do was asked of the server; here it is only what of it matters. What a role may not take off, because
//! the table is not its own, is no refusal: it stays on and is paid for.

use std::collections::BTreeMap;

use crate::mapping::Mapping;
use crate::model::record::Refusal;
use crate::model::schema::{Lack, Rights, TargetSchema};

use super::{Feed, Findings, LoadPlan, OwnerPath, OwnerPlan, Plan};

/// What a command does on the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Rows go in, or a dry run looks whether they could.
    #[default]
    Write,
    /// Rows are read.
    Verify,
    /// Rows are taken out; the owner's too, where the run made it.
    TakeBack {
        /// The run made it.
        owner: bool,
    },
}

/// Everything that needs follow from.
pub(super) struct Asker<'a> {
    pub mapping: &'a Mapping,
    pub loads: &'a [LoadPlan],
    pub owner: Option<&'a OwnerPlan>,
    pub paths: &'a BTreeMap<String, OwnerPath>,
    pub target: &'a TargetSchema,
}

/// Refuses what the role may not do and the command must.
pub(super) fn refuse(asker: &Asker<'_>, purpose: Purpose, findings: &mut Findings) {
    let rights = &asker.target.rights;
    let mut lacks = Lacks { rights, found: Vec::new() };
    asker.ask(purpose, &mut lacks);
    for (place, on, names) in lacks.found {
        let (reason, advice) = words(rights, &names, &on);
        findings.refuse(place, reason, advice);
    }
    for refusal in ledger_rights(rights, purpose) {
        findings.refuse(refusal.place, refusal.reason, refusal.advice);
    }
    asker.guarded(purpose, findings);
    if purpose == Purpose::Write {
        asker.triggers(findings);
    }
}

/// The refusals for what the role may not do on the ledger.
pub fn ledger_rights(rights: &Rights, purpose: Purpose) -> Vec<Refusal> {
    let reads = |lack: &&Lack| lack.right == "SELECT" || (lack.right == "USAGE" && lack.key == "SCHEMA");
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for lack in rights.ledger.iter().filter(|lack| purpose != Purpose::Verify || reads(lack)) {
        match found.iter_mut().find(|(on, _)| *on == lack.on) {
            Some((_, names)) => names.push(&lack.right),
            None => found.push((&lack.on, vec![&lack.right])),
        }
    }
    let refusal = |(on, names): &(&str, Vec<&str>)| {
        let (reason, advice) = words(rights, names, on);
        Refusal::new("ledger", reason, advice)
    };
    found.iter().map(refusal).collect()
}

/// The refusals of an owner that has to be made by a role that may not.
pub fn to_make_the_owner(plan: &Plan, target: &TargetSchema) -> Vec<Refusal> {
    let Some(owner) = &plan.owner else { return Vec::new() };
    let mut lacks = Lacks { rights: &target.rights, found: Vec::new() };
    let place = "owner.create";
    lacks.need(place, "INSERT", &table_key(target, &owner.table));
    if let Some(sequence) = &owner.sequence {
        lacks.need_to_draw(place, &sequence.name);
    }
    let refusal = |(place, on, names): &(String, String, Vec<&str>)| {
        let (reason, advice) = words(&target.rights, names, on);
        Refusal::new(place.clone(), reason, advice)
    };
    lacks.found.iter().map(refusal).collect()
}

fn words(rights: &Rights, names: &[&str], on: &str) -> (String, String) {
    let (names, role) = (names.join(", "), &rights.role);
    (format!("this role, {role}, lacks {names} on {on}"), format!("GRANT {names} ON {on} TO {role};"))
}

fn table_key(target: &TargetSchema, table: &str) -> String {
    format!("TABLE {}.{table}", target.schema)
}

/// What is missing: the place that needs it, what it is on, the rights.
struct Lacks<'r> {
    rights: &'r Rights,
    found: Vec<(String, String, Vec<&'r str>)>,
}

impl Lacks<'_> {
    fn need(&mut self, place: &str, right: &str, key: &str) {
        let Some(lack) = self.rights.lack(right, key) else { return };
        match self.found.iter_mut().find(|(_, on, _)| *on == lack.on) {
            Some((_, _, names)) if names.contains(&lack.right.as_str()) => {}
            Some((_, _, names)) => names.push(&lack.right),
            None => self.found.push((place.to_owned(), lack.on.clone(), vec![&lack.right])),
        }
    }

    /// `nextval` takes either of two rights.
    fn need_to_draw(&mut self, place: &str, sequence: &str) {
        let key = format!("SEQUENCE {sequence}");
        if self.rights.lack("UPDATE", &key).is_some() {
            self.need(place, "USAGE", &key);
        }
    }
}

impl Asker<'_> {
    fn ask(&self, purpose: Purpose, lacks: &mut Lacks<'_>) {
        let target = self.target;
        lacks.need("target.schema", "USAGE", &format!("SCHEMA {}", target.schema));
        for (place, table) in self.written() {
            let key = table_key(target, table);
            lacks.need(&place, "SELECT", &key);
            match purpose {
                Purpose::Write => lacks.need(&place, "INSERT", &key),
                Purpose::TakeBack { .. } => lacks.need(&place, "DELETE", &key),
                Purpose::Verify => {}
            }
        }
        for (place, schema, table) in self.read(purpose) {
            lacks.need(&place, "USAGE", &format!("SCHEMA {schema}"));
            lacks.need(&place, "SELECT", &format!("TABLE {schema}.{table}"));
        }
        if let (Purpose::TakeBack { owner: true }, Some(owner)) = (purpose, self.owner) {
            lacks.need("owner.create", "DELETE", &table_key(target, &owner.table));
        }
        let stages = self.mapping.loads.iter().find(|load| load.conflict.is_some());
        match (purpose, stages, self.mapping.loads.first()) {
            (Purpose::Write, Some(load), _) => {
                lacks.need(&format!("load.{}.conflict", load.name), "TEMPORARY", "DATABASE");
            }
            (Purpose::TakeBack { .. }, _, Some(load)) => {
                lacks.need(&format!("load.{}", load.name), "TEMPORARY", "DATABASE");
            }
            _ => {}
        }
        self.sequences(purpose, lacks);
    }

    /// Tables that rows go to, each with the place of its first load.
    fn written(&self) -> Vec<(String, &str)> {
        let loads = self.mapping.loads.iter().filter(|load| self.target.tables.contains_key(&load.to));
        loads.map(|load| (format!("load.{}", load.name), load.to.as_str())).collect()
    }

    /// Tables that are read beside those: the owner's, lookups', parents on the way to an owner, parents that orphans are
    /// looked for in, and, for taking back, tables whose rows may refer to ours. Place, schema, table.
    fn read(&self, purpose: Purpose) -> Vec<(String, String, String)> {
        let ours = |place: String, table: &str| (place, self.target.schema.clone(), table.to_owned());
        let mut found: Vec<(String, String, String)> = Vec::new();
        found.extend(self.owner.iter().map(|owner| ours("owner.table".to_owned(), &owner.table)));
        for load in &self.mapping.loads {
            for (column, written) in &load.columns {
                if let Some(crate::mapping::Feed::Lookup(lookup)) = &written.feed {
                    found.push(ours(format!("load.{}.columns.{column}.lookup.table", load.name), &lookup.table));
                }
            }
            let hops = self.paths.get(&load.to).into_iter().flat_map(|path| &path.hops);
            found.extend(hops.map(|hop| ours(format!("load.{}.owner", load.name), &hop.parent)));
        }
        let owners = self.owner.iter().map(|owner| ("owner.table".to_owned(), owner.table.as_str()));
        for (place, table) in self.written().into_iter().chain(owners) {
            let foreign = self.target.tables.get(table).into_iter().flat_map(|t| &t.foreign);
            found.extend(foreign.map(|f| (place.clone(), f.parent_schema.clone(), f.parent.clone())));
            if matches!(purpose, Purpose::TakeBack { .. }) {
                let refers = |name: &&String| self.target.tables[*name].foreign.iter().any(|f| f.parent == table);
                found.extend(self.target.tables.keys().filter(refers).map(|child| ours(place.clone(), child)));
            }
        }
        found
    }

    /// Sequences of the loaded tables and the owner's: read always, drawn from where ids are issued, set where the source's
    /// own ids are loaded.
    fn sequences(&self, purpose: Purpose, lacks: &mut Lacks<'_>) {
        let owner = self.owner.map(|owner| ("owner.table".to_owned(), owner.table.as_str()));
        for (place, table) in self.written().into_iter().chain(owner) {
            for column in self.target.tables.get(table).into_iter().flat_map(|t| &t.columns) {
                let (issued, fed) = self.fed(table, &column.name);
                // A default that draws by itself.
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
                    Purpose::TakeBack { .. } if fed => lacks.need(&place, "UPDATE", &key),
                    Purpose::TakeBack { .. } | Purpose::Verify => {}
                }
            }
        }
    }

    /// Whether a column's ids are issued, and whether others come along.
    fn fed(&self, table: &str, column: &str) -> (bool, bool) {
        let columns = self.loads.iter().filter(|l| l.table == table).flat_map(|l| &l.columns);
        let feeds: Vec<&Feed> = columns.filter(|c| c.name == column).map(|c| &c.feed).collect();
        let issued = |feed: &&Feed| matches!(feed, Feed::Issued(_));
        (feeds.iter().any(issued), feeds.iter().any(|feed| !issued(feed)))
    }

    /// Tables in which row-level security would hide or refuse rows.
    fn guarded(&self, purpose: Purpose, findings: &mut Findings) {
        let written =
            self.written().into_iter().map(|(place, table)| (place, self.target.schema.clone(), table.to_owned()));
        for (place, schema, table) in written.chain(self.read(purpose)) {
            let name = format!("{schema}.{table}");
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

    /// Triggers that would run for the rows of loads that want them off, on tables of somebody else.
    fn triggers(&self, findings: &mut Findings) {
        let rights = &self.target.rights;
        for load in self.mapping.loads.iter().filter(|load| !load.triggers_fire) {
            let name = format!("{}.{}", self.target.schema, load.to);
            let Some(found) = rights.strangers.iter().find(|s| s.table == name) else { continue };
            let (owner, triggers, role) = (&found.owner, &found.triggers, &rights.role);
            findings.refuse(
                format!("load.{}", load.name),
                format!(
                    "triggers of {name} would run for its rows ({triggers}), and only its owner may switch them off"
                ),
                format!("Write `triggers = \"fire\"` if they shall run, or: GRANT {owner} TO {role};"),
            );
        }
    }
}
