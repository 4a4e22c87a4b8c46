//! The decision on what remains to be done: a pure function of the identity of this run and the ledger.
//!
//! Every way in which the two can differ has a sentence here. Nothing is read or written.

mod expression;
pub mod fingerprint;
pub mod recorded;
mod values;
pub mod version1;

#[cfg(test)]
mod frozen;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ledger::{
    Fingerprints, Form, LEDGER_VERSION, LedgerState, LoadDone, Run, UntrustedObject, UntrustedPower,
};
use crate::model::record::{Refusal, RunState};
use crate::model::rules::Existing;
use crate::model::schema::TargetSchema;
use crate::plan::Plan;

use fingerprint::ORDER;
pub use fingerprint::sha256;

/// The identity of the run that the command asks for, in the ledger's terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunIdentity {
    /// The stamp that identifies the source.
    pub stamp: String,
    /// The fingerprints of the plan and its tables, in form 2.
    pub fingerprints: Fingerprints,
    /// The same in form 1, for a run in a ledger of version 1.
    pub form1: Fingerprints,
    /// The columns whose fingerprint of form 1 contains the OID of a type of this database: load, and name of the line.
    pub own_types: BTreeSet<(String, String)>,
    /// The table of each load.
    pub tables: BTreeMap<String, String>,
    /// Tables that are not what they were when the run began, as far as [`RunIdentity::adopt`] compared them.
    pub altered: BTreeSet<String>,
    /// Digests of the variables that the mapping reads.
    pub env: BTreeMap<String, String>,
    /// The tables whose ids are shifted.
    pub shifted: BTreeSet<String>,
    /// The tables whose rows the mapping wants removed first, if they hold any.
    pub replaced: BTreeSet<String>,
}

/// The next step of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Begin a run: the ledger contains none.
    Begin,
    /// Resume the run after its last committed batches.
    Resume,
    /// Verify the run: it is done.
    Verify,
    /// Refuse: the run in the ledger is another one.
    Refuse(Vec<Refusal>),
}

impl RunIdentity {
    /// Returns the identity of a run of this plan from this source.
    pub fn of(plan: &Plan, target: &TargetSchema, stamp: &str, env: &BTreeMap<String, String>) -> RunIdentity {
        RunIdentity {
            stamp: stamp.to_owned(),
            fingerprints: fingerprint::fingerprints(&plan.loads, target),
            form1: version1::fingerprints(&plan.loads, target),
            own_types: plan.loads.iter().flat_map(version1::columns_of_own_types).collect(),
            tables: plan.loads.iter().map(|load| (load.name.clone(), load.table.clone())).collect(),
            altered: BTreeSet::new(),
            env: env.iter().map(|(name, value)| (name.clone(), sha256(value))).collect(),
            shifted: plan.shifts.iter().map(|shifted| shifted.table.clone()).collect(),
            replaced: plan
                .loads
                .iter()
                .filter(|l| l.existing == Some(Existing::Replace))
                .map(|l| l.table.clone())
                .collect(),
        }
    }

    /// Returns the fingerprints in the form of a run.
    pub fn in_form(&self, form: Form) -> &Fingerprints {
        match form {
            Form::One => &self.form1,
            Form::Two => &self.fingerprints,
        }
    }

    /// Takes the stamp and the catalogue of a run, whatever the source and the target's tables are now.
    pub fn adopt(&mut self, run: &Run) {
        self.altered.extend(differing(&run.catalog, &self.in_form(run.form).catalog));
        self.stamp.clone_from(&run.stamp);
        self.form1.catalog.clone_from(&run.catalog);
        self.fingerprints.catalog.clone_from(&run.catalog);
    }
}

/// Decides the next step, given the ledger and its run.
pub fn decide(
    ledger: &LedgerState,
    run: Option<&Run>,
    done: &BTreeMap<String, LoadDone>,
    identity: &RunIdentity,
) -> Decision {
    if let Some(refusal) = unusable(ledger) {
        return Decision::Refuse(vec![refusal]);
    }
    let Some(run) = run else { return Decision::Begin };
    let refusals = differences(run, done, identity);
    match (refusals.is_empty(), run.state) {
        (false, _) => Decision::Refuse(refusals),
        (true, RunState::Done) => Decision::Verify,
        (true, _) => Decision::Resume,
    }
}

/// Returns the refusal of a ledger that is not one of this tool, or that a newer version wrote; `None` if it can be read.
pub fn unusable(ledger: &LedgerState) -> Option<Refusal> {
    match ledger {
        LedgerState::Version(newer) if *newer > LEDGER_VERSION => {
            let reason = format!("it has version {newer}, and this migrate reads versions 1 to {LEDGER_VERSION}");
            Some(Refusal::new("ledger", reason, "Use the newer migrate that began it."))
        }
        LedgerState::Foreign(reason) => Some(Refusal::new("ledger", reason, ANOTHER_SCHEMA)),
        LedgerState::Untrusted(objects) => Some(untrusted(objects)),
        LedgerState::Absent | LedgerState::Version(_) => None,
    }
}

/// Number of untrusted objects that a refusal names.
const OBJECTS_NAMED: usize = 5;

fn untrusted(objects: &[UntrustedObject]) -> Refusal {
    let described = |object: &UntrustedObject| {
        let UntrustedObject { object, role, power } = object;
        match power {
            UntrustedPower::Owns => format!("{object} belongs to {role}"),
            UntrustedPower::Runs => format!("{object} runs with it (owner: {role})"),
            UntrustedPower::Writes => format!("{role} may write to {object}"),
        }
    };
    let mut named: Vec<String> = objects.iter().take(OBJECTS_NAMED).map(described).collect();
    if objects.len() > named.len() {
        named.push(format!("{} more", objects.len() - named.len()));
    }
    let owns = |object: &&UntrustedObject| object.power != UntrustedPower::Writes;
    let mut owners: Vec<&str> = objects.iter().filter(owns).map(|object| object.role.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let reason = format!("another role could change the ledger or run code with it: {}", named.join(", "));
    let mut advice = "Name another schema with `--ledger-schema`, in every command on this run.".to_owned();
    for object in objects.iter().filter(|object| !owns(object)) {
        let (object, role) = (&object.object, &object.role);
        advice += &format!(" Or, if you trust its rows: REVOKE INSERT, UPDATE ON {object} FROM {role}.");
    }
    if !owners.is_empty() {
        advice += &format!(
            " Or let {} or a superuser drop what is named or give it to this role: a ledger belongs to the role that runs \
             migrate, to a role of which it is a member, or to a superuser.",
            owners.join(", ")
        );
    }
    Refusal::new("ledger", reason, advice)
}

const ANOTHER_SCHEMA: &str = "Name another schema for the ledger with `--ledger-schema`, in every command on this run.";

fn differences(run: &Run, done: &BTreeMap<String, LoadDone>, identity: &RunIdentity) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let place = format!("run {}", run.id);
    let now = identity.in_form(run.form);
    if run.stamp != identity.stamp {
        refusals.push(Refusal::new(
            &place,
            format!("the source is not what it was when the run began (then {}, now {})", run.stamp, identity.stamp),
            "Use the file as it was, to resume the run or to roll it back with `migrate rollback`.",
        ));
    }
    if run.catalog != now.catalog {
        let tables = differing(&run.catalog, &now.catalog).join(", ");
        refusals.push(Refusal::new(
            &place,
            format!("columns, keys, constraints or triggers of {tables} are not what they were when the run began"),
            "Restore them as they were; then the same command resumes the run.",
        ));
    }
    for (name, value) in &identity.env {
        if run.judged.env.get(name).is_some_and(|before| before != value) {
            let reason = format!("the variable `{name}` has another value than when the run began");
            refusals.push(Refusal::new(&place, reason, "Set it to its previous value."));
        }
    }
    for (name, hash) in &now.loads {
        let changed = done.get(name).is_some_and(|d| d.plan != *hash && d.has_batch());
        if changed || (run.state == RunState::Done && done.get(name).is_none_or(|d| d.plan != *hash)) {
            let lines = done.get(name).map_or_else(Vec::new, |d| differing(&d.plan, hash));
            refusals.push(changed_load(run, name, &lines, identity));
        }
    }
    refusals.extend(judged_otherwise(run, done, identity));
    for (name, _) in done.iter().filter(|(name, d)| d.has_batch() && !now.loads.iter().any(|(n, _)| n == *name)) {
        refusals.push(Refusal::new(
            format!("load.{name}"),
            "rows of this load are written, and the mapping does not contain it",
            AS_IT_WAS,
        ));
    }
    refusals
}

/// Returns the refusals of loads without committed rows that ask for something else than what the run decided when it began.
fn judged_otherwise(run: &Run, done: &BTreeMap<String, LoadDone>, identity: &RunIdentity) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let open = |(load, _): &(&String, &String)| !done.get(*load).is_some_and(LoadDone::has_batch);
    for (load, table) in identity.tables.iter().filter(open).filter(|_| run.state == RunState::Running) {
        let mut refuse = |key: &str, reason: String| {
            refusals.push(Refusal::new(format!("load.{load}{key}"), reason, AS_IT_BEGAN));
        };
        if !run.judged.images.is_empty() && !run.judged.images.contains_key(table) {
            refuse("", format!("the run began without a load into `{table}`"));
            continue;
        }
        match (run.judged.shifts.contains_key(table), identity.shifted.contains(table)) {
            (false, true) => refuse(".ids", format!("the run began without a shift of the ids of `{table}`")),
            (true, false) => refuse(".ids", format!("the run began with a shift of the ids of `{table}`")),
            _ => {}
        }
        match (run.judged.replaced.contains_key(table), identity.replaced.contains(table)) {
            // A table without rows has none to remove.
            (false, true) if run.judged.holding.contains_key(table) => {
                refuse(".existing", format!("the run began without removing the rows of `{table}`"));
            }
            (true, false) => refuse(".existing", format!("the run began with the removal of the rows of `{table}`")),
            _ => {}
        }
    }
    refusals
}

const AS_IT_BEGAN: &str = "Use the mapping as it was when the run began, to resume the run or to roll it back with `migrate \
    rollback`; after the rollback the new mapping can begin.";

/// Returns the refusal of a load of which these lines differ; no lines if the ledger does not know the load.
fn changed_load(run: &Run, load: &str, lines: &[String], identity: &RunIdentity) -> Refusal {
    let place = format!("load.{load}");
    let is_own = |line: &String| identity.own_types.contains(&(load.to_owned(), line.clone()));
    if run.form == Form::One && !lines.is_empty() && lines.iter().all(is_own) {
        let reason = format!(
            "no comparison is possible for {}: migrate {}, which began the run, recorded the OIDs of types, and a database \
             that was dumped and restored has other OIDs",
            lines.join(", "),
            run.tool
        );
        return Refusal::new(place, reason, ORIGINAL_DATABASE);
    }
    let what = if lines.is_empty() { "this load".to_owned() } else { lines.join(", ") };
    let table = identity.tables.get(load).filter(|table| {
        let catalog = &identity.in_form(run.form).catalog;
        identity.altered.contains(*table) || differing(&run.catalog, catalog).contains(*table)
    });
    if let Some(table) = table.filter(|_| !lines.is_empty()) {
        let reason = format!(
            "the target's table `{table}` is not what it was when rows of this load were written: {what} changed"
        );
        return Refusal::new(place, reason, TABLE_AS_IT_WAS);
    }
    let reason = format!("the mapping is not what it was when rows of this load were written: {what} changed");
    Refusal::new(place, reason, AS_IT_WAS)
}

const TABLE_AS_IT_WAS: &str =
    "Restore the columns of the table as they were when the run began; then the same command works.";

const ORIGINAL_DATABASE: &str = "Use the database in which the run began and the mapping as it was. If that database no longer \
    exists, restore a backup from before the run and begin again.";

const AS_IT_WAS: &str = "Use the mapping as it was, to resume the run or to roll it back with `migrate rollback`; after the \
    rollback the new mapping can begin.";

/// Returns the names of the lines in which two fingerprints differ.
fn differing(before: &str, now: &str) -> Vec<String> {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let only = |a: &[&'_ str], b: &[&str]| -> Vec<String> {
        let name = |line: &&str| line.split_once(' ').map_or(*line, |(_, name)| name).to_owned();
        a.iter().filter(|line| !b.contains(line)).map(name).collect()
    };
    let mut names = only(&before, &now);
    names.extend(only(&now, &before));
    names.sort();
    names.dedup();
    // A column that differs also changes the order, which says nothing more.
    if names.iter().any(|name| name.starts_with("column ")) {
        names.retain(|name| name != ORDER);
    }
    names
}
