//! What remains to be done: a pure function of what is wanted now and what the ledger says.
//!
//! Every way in which the two can disagree is a sentence here. Nothing is read or written.

mod expression;
pub mod fingerprint;
mod values;
pub mod version1;

#[cfg(test)]
mod frozen;

use std::collections::BTreeMap;

use crate::model::ledger::{LoadDone, Run};
use crate::model::record::{Refusal, RunState};
use crate::model::schema::TargetSchema;
use crate::pg::ledger::VERSION;
use crate::plan::Plan;

use fingerprint::{ORDER, sha256};

/// What is wanted now, in the words of the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// What the source is recognised by.
    pub stamp: String,
    /// Hash of the target's tables that loads go to.
    pub catalog: String,
    /// Each load's name and hash.
    pub loads: Vec<(String, String)>,
    /// Digests of the variables that the mapping reads.
    pub env: BTreeMap<String, String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing was written yet: begin.
    Begin,
    /// Go on behind what is there.
    GoOn,
    /// All is there: verify.
    Verify,
    /// What is there and what is wanted do not belong together.
    Refuse(Vec<Refusal>),
}

impl Wanted {
    /// Puts together what is wanted.
    pub fn of(plan: &Plan, target: &TargetSchema, stamp: &str, env: &BTreeMap<String, String>) -> Wanted {
        let form1 = version1::fingerprints(&plan.loads, target);
        Wanted {
            stamp: stamp.to_owned(),
            catalog: form1.catalog,
            loads: form1.loads,
            env: env.iter().map(|(name, value)| (name.clone(), sha256(value))).collect(),
        }
    }
}

/// Decides, given the ledger's version and its run.
pub fn decide(version: Option<i32>, run: Option<&Run>, done: &BTreeMap<String, LoadDone>, wanted: &Wanted) -> Decision {
    if let Some(newer) = newer(version) {
        return Decision::Refuse(vec![newer]);
    }
    let Some(run) = run else { return Decision::Begin };
    let refusals = differences(run, done, wanted);
    match (refusals.is_empty(), run.state) {
        (false, _) => Decision::Refuse(refusals),
        (true, RunState::Done) => Decision::Verify,
        (true, _) => Decision::GoOn,
    }
}

/// What is said of a ledger of a newer version. Nothing else in it can be relied on.
pub fn newer(version: Option<i32>) -> Option<Refusal> {
    let found = version.filter(|v| *v > VERSION)?;
    let reason = format!("it has version {found}, and this migrate reads and writes version {VERSION}");
    Some(Refusal::new("ledger", reason, "Use the newer migrate that began it."))
}

fn differences(run: &Run, done: &BTreeMap<String, LoadDone>, wanted: &Wanted) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let place = format!("run {}", run.id);
    if run.stamp != wanted.stamp {
        refusals.push(Refusal::new(
            &place,
            format!("the source is not what it was when the run began (then {}, now {})", run.stamp, wanted.stamp),
            "Use the file as it was: to go on, or to take the run back with `migrate rollback`.",
        ));
    }
    if run.catalog != wanted.catalog {
        let tables = differing(&run.catalog, &wanted.catalog);
        refusals.push(Refusal::new(
            &place,
            format!("columns, keys, constraints or triggers of {tables} are not what they were when the run began"),
            "Put them back as they were; then the same command goes on.",
        ));
    }
    for (name, value) in &wanted.env {
        if run.judged.env.get(name).is_some_and(|before| before != value) {
            let reason = format!("the variable `{name}` has another value than when the run began");
            refusals.push(Refusal::new(&place, reason, "Set it to what it was."));
        }
    }
    for (name, hash) in &wanted.loads {
        let changed = done.get(name).is_some_and(|d| d.plan != *hash && d.has_batch());
        if changed || (run.state == RunState::Done && done.get(name).is_none_or(|d| d.plan != *hash)) {
            let what = done.get(name).map_or_else(|| "this load".to_owned(), |d| differing(&d.plan, hash));
            refusals.push(Refusal::new(
                format!("load.{name}"),
                format!("the mapping is not what it was when rows of this load were written: {what} changed"),
                AS_IT_WAS,
            ));
        }
    }
    for (name, _) in done.iter().filter(|(name, d)| d.has_batch() && !wanted.loads.iter().any(|(n, _)| n == *name)) {
        refusals.push(Refusal::new(
            format!("load.{name}"),
            "rows of this load are written and the mapping has it no more",
            AS_IT_WAS,
        ));
    }
    refusals
}

const AS_IT_WAS: &str = "Use the mapping as it was: to go on, or to take the run back with `migrate rollback` and begin again with the new one.";

/// The names of the lines in which two such texts differ.
fn differing(before: &str, now: &str) -> String {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let only = |a: &[&'_ str], b: &[&str]| -> Vec<String> {
        let name = |line: &&str| line.split_once(' ').map_or(*line, |(_, name)| name).to_owned();
        a.iter().filter(|line| !b.contains(line)).map(name).collect()
    };
    let mut names = only(&before, &now);
    names.extend(only(&now, &before));
    names.sort();
    names.dedup();
    // What follows from a column is no news beside it.
    if names.iter().any(|name| name.starts_with("column ")) {
        names.retain(|name| name != ORDER);
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ledger::{Judged, PartDone, Sums};

    fn run(state: RunState) -> Run {
        Run {
            id: 1,
            state,
            tool: "0".to_owned(),
            epoch: 1,
            seed: 7,
            stamp: "S".to_owned(),
            catalog: "C".to_owned(),
            read_ahead: true,
            judged: Judged { env: [("V".to_owned(), "e".to_owned())].into(), ..Judged::default() },
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            stamp: "S".to_owned(),
            catalog: "C".to_owned(),
            loads: vec![("a".to_owned(), "1".to_owned())],
            env: [("V".to_owned(), "e".to_owned())].into(),
        }
    }

    fn done(plan: &str, batches: i32) -> BTreeMap<String, LoadDone> {
        let part = PartDone {
            part: 0,
            after: None,
            until: None,
            done: false,
            next_batch: batches + 1,
            last: None,
            sums: Sums::default(),
        };
        [("a".to_owned(), LoadDone { plan: plan.to_owned(), parts: vec![part] })].into()
    }

    fn places(decision: Decision) -> Vec<String> {
        match decision {
            Decision::Refuse(refusals) => refusals.into_iter().map(|r| r.place).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_run_it_begins_and_with_one_it_goes_on_or_verifies() {
        let nothing = BTreeMap::new();
        assert_eq!(decide(None, None, &nothing, &wanted()), Decision::Begin);
        assert_eq!(decide(Some(1), Some(&run(RunState::Running)), &done("1", 3), &wanted()), Decision::GoOn);
        assert_eq!(decide(Some(1), Some(&run(RunState::Done)), &done("1", 3), &wanted()), Decision::Verify);
    }

    #[test]
    fn a_load_may_change_until_its_first_batch() {
        assert_eq!(decide(Some(1), Some(&run(RunState::Running)), &done("2", 0), &wanted()), Decision::GoOn);
        assert_eq!(places(decide(Some(1), Some(&run(RunState::Running)), &done("2", 1), &wanted())), ["load.a"]);
        assert_eq!(places(decide(Some(1), Some(&run(RunState::Done)), &done("2", 1), &wanted())), ["load.a"]);
    }

    #[test]
    fn every_difference_is_named_at_once() {
        let mut changed = wanted();
        changed.stamp = "other".to_owned();
        changed.catalog = "other".to_owned();
        changed.env.insert("V".to_owned(), "other".to_owned());
        changed.loads = Vec::new();
        let found = places(decide(Some(1), Some(&run(RunState::Running)), &done("1", 1), &changed));
        assert_eq!(found, ["run 1", "run 1", "run 1", "load.a"]);
    }

    #[test]
    fn what_differs_is_named() {
        assert_eq!(differing("1 items\n2 users", "3 items\n2 users\n4 tags"), "items, tags");
        assert_eq!(
            differing("1 column a\n2 the order of its columns", "1 column a\n5 column b\n3 the order of its columns"),
            "column b"
        );
    }

    #[test]
    fn a_target_restored_from_before_goes_on_from_its_ledger() {
        let mut older = done("1", 1);
        older.get_mut("a").into_iter().flat_map(|load| &mut load.parts).for_each(|part| part.last = None);
        assert_eq!(decide(Some(VERSION), Some(&run(RunState::Running)), &older, &wanted()), Decision::GoOn);
        assert_eq!(decide(Some(VERSION), Some(&run(RunState::Running)), &BTreeMap::new(), &wanted()), Decision::GoOn);
    }

    #[test]
    fn a_run_that_was_done_takes_no_new_load() {
        let mut more = wanted();
        more.loads.push(("b".to_owned(), "1".to_owned()));
        assert_eq!(places(decide(Some(VERSION), Some(&run(RunState::Done)), &done("1", 1), &more)), ["load.b"]);
        assert_eq!(decide(Some(VERSION), Some(&run(RunState::Running)), &done("1", 1), &more), Decision::GoOn);
    }

    #[test]
    fn a_ledger_of_a_newer_version_is_refused() {
        assert_eq!(places(decide(Some(VERSION + 1), None, &BTreeMap::new(), &wanted())), ["ledger"]);
    }
}
