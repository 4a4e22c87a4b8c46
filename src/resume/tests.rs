//! Tests of the decision.

use super::*;
use crate::model::ledger::{Judged, PartDone, Sums};

const V: LedgerState = LedgerState::Version(LEDGER_VERSION);

fn run(state: RunState) -> Run {
    Run {
        id: 1,
        state,
        tool: "0".to_owned(),
        epoch: 1,
        seed: 7,
        stamp: "S".to_owned(),
        form: Form::Two,
        catalog: "C".to_owned(),
        read_ahead: true,
        judged: Judged { env: [("V".to_owned(), "e".to_owned())].into(), ..Judged::default() },
    }
}

fn identity() -> RunIdentity {
    let loads = |hash: &str| vec![("a".to_owned(), hash.to_owned())];
    RunIdentity {
        stamp: "S".to_owned(),
        fingerprints: Fingerprints { catalog: "C".to_owned(), loads: loads("1") },
        form1: Fingerprints { catalog: "C1".to_owned(), loads: loads("0 column c\n1 column d") },
        own_types: [("a".to_owned(), "column c".to_owned())].into(),
        tables: [("a".to_owned(), "t".to_owned())].into(),
        altered: BTreeSet::new(),
        env: [("V".to_owned(), "e".to_owned())].into(),
        ..RunIdentity::default()
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
fn a_run_begins_resumes_or_is_verified() {
    let nothing = BTreeMap::new();
    assert_eq!(decide(&LedgerState::Absent, None, &nothing, &identity()), Decision::Begin);
    assert_eq!(decide(&V, Some(&run(RunState::Running)), &done("1", 3), &identity()), Decision::Resume);
    assert_eq!(decide(&V, Some(&run(RunState::Done)), &done("1", 3), &identity()), Decision::Verify);
}

#[test]
fn a_load_may_change_until_its_first_batch() {
    assert_eq!(decide(&V, Some(&run(RunState::Running)), &done("2", 0), &identity()), Decision::Resume);
    assert_eq!(places(decide(&V, Some(&run(RunState::Running)), &done("2", 1), &identity())), ["load.a"]);
    assert_eq!(places(decide(&V, Some(&run(RunState::Done)), &done("2", 1), &identity())), ["load.a"]);
}

#[test]
fn all_differences_are_reported_at_once() {
    let mut changed = identity();
    changed.stamp = "other".to_owned();
    changed.fingerprints.catalog = "other".to_owned();
    changed.env.insert("V".to_owned(), "other".to_owned());
    changed.fingerprints.loads = Vec::new();
    let found = places(decide(&V, Some(&run(RunState::Running)), &done("1", 1), &changed));
    assert_eq!(found, ["run 1", "run 1", "run 1", "load.a"]);
}

#[test]
fn differing_lines_are_named() {
    assert_eq!(differing("1 items\n2 users", "3 items\n2 users\n4 tags"), ["items", "tags"]);
    assert_eq!(
        differing("1 column a\n2 the order of its columns", "1 column a\n5 column b\n3 the order of its columns"),
        ["column b"]
    );
}

#[test]
fn a_target_restored_from_a_backup_resumes_from_its_ledger() {
    let mut older = done("1", 1);
    older.get_mut("a").into_iter().flat_map(|load| &mut load.parts).for_each(|part| part.last = None);
    assert_eq!(decide(&V, Some(&run(RunState::Running)), &older, &identity()), Decision::Resume);
    assert_eq!(decide(&V, Some(&run(RunState::Running)), &BTreeMap::new(), &identity()), Decision::Resume);
}

#[test]
fn a_done_run_accepts_no_new_load() {
    let mut more = identity();
    more.fingerprints.loads.push(("b".to_owned(), "1".to_owned()));
    assert_eq!(places(decide(&V, Some(&run(RunState::Done)), &done("1", 1), &more)), ["load.b"]);
    assert_eq!(decide(&V, Some(&run(RunState::Running)), &done("1", 1), &more), Decision::Resume);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused() {
    assert_eq!(
        places(decide(&LedgerState::Version(LEDGER_VERSION + 1), None, &BTreeMap::new(), &identity())),
        ["ledger"]
    );
}

#[test]
fn a_ledger_of_another_application_is_refused_with_the_way_out() {
    let refusal = unusable(&LedgerState::Foreign("why".to_owned())).expect("a refusal");
    assert!(refusal.advice.contains("--ledger-schema"), "{refusal}");
}

#[test]
fn a_run_of_form_1_is_compared_in_form_1() {
    let run = Run { form: Form::One, catalog: "C1".to_owned(), ..run(RunState::Running) };
    let same = done("0 column c\n1 column d", 1);
    assert_eq!(decide(&LedgerState::Version(1), Some(&run), &same, &identity()), Decision::Resume);
    assert_eq!(places(decide(&LedgerState::Version(1), Some(&run), &done("1", 1), &identity())), ["load.a"]);
}

#[test]
fn a_difference_that_oids_may_explain_is_not_called_a_change_of_the_mapping() {
    let run = Run { form: Form::One, catalog: "C1".to_owned(), ..run(RunState::Running) };
    let said = |plan: &str| match decide(&V, Some(&run), &done(plan, 1), &identity()) {
        Decision::Refuse(refusals) => refusals.iter().map(ToString::to_string).collect::<String>(),
        other => panic!("{other:?}"),
    };
    assert!(said("7 column c\n1 column d").contains("OIDs"));
    assert!(said("7 column c\n8 column d").contains("the mapping is not what it was"));
}

#[test]
fn a_changed_target_is_distinguished_from_a_changed_mapping() {
    let run = Run { catalog: "1 t".to_owned(), ..run(RunState::Done) };
    let mut verified = identity();
    verified.fingerprints.loads = vec![("a".to_owned(), "2 column w".to_owned())];
    let said = |identity: &RunIdentity| match decide(&V, Some(&run), &done("1 column w", 1), identity) {
        Decision::Refuse(refusals) => refusals.iter().map(ToString::to_string).collect::<String>(),
        other => panic!("{other:?}"),
    };
    for (catalog, changed) in
        [("2 t", "the target's table `t` is not what it was"), ("1 t", "the mapping is not what it was")]
    {
        verified.fingerprints.catalog = catalog.to_owned();
        let mut adopted = verified.clone();
        adopted.adopt(&run);
        for identity in [&verified, &adopted] {
            assert!(said(identity).contains(changed), "{}", said(identity));
        }
    }
}

#[test]
fn a_mapping_that_asks_for_something_that_was_not_judged_is_refused_by_name() {
    let tables = |tables: &[&str]| tables.iter().map(|table| (*table).to_owned()).collect::<BTreeSet<String>>();
    let begun = |shifts: &[&str], replaced: &[&str]| {
        let mut run = run(RunState::Running);
        run.judged.images = [("t".to_owned(), Vec::new())].into();
        run.judged.shifts = tables(shifts).into_iter().map(|table| (table, 9)).collect();
        run.judged.replaced = tables(replaced).into_iter().map(|table| (table, 9)).collect();
        run
    };
    let asked = |shifted: &[&str], replaced: &[&str]| RunIdentity {
        shifted: tables(shifted),
        replaced: tables(replaced),
        ..identity()
    };
    let untouched = done("1", 0);
    let decided = |run: &Run, asked: &RunIdentity| decide(&V, Some(run), &untouched, asked);
    assert_eq!(decided(&begun(&["t"], &["t"]), &asked(&["t"], &["t"])), Decision::Resume);
    assert_eq!(places(decided(&begun(&[], &[]), &asked(&["t"], &[]))), ["load.a.ids"]);
    assert_eq!(places(decided(&begun(&["t"], &[]), &asked(&[], &[]))), ["load.a.ids"]);
    let mut holding = begun(&[], &[]);
    holding.judged.holding = [("t".to_owned(), 3)].into();
    assert_eq!(places(decided(&holding, &asked(&[], &["t"]))), ["load.a.existing"]);
    assert_eq!(decided(&begun(&[], &[]), &asked(&[], &["t"])), Decision::Resume);
    assert_eq!(places(decided(&begun(&[], &["t"]), &asked(&[], &[]))), ["load.a.existing"]);
    let other = RunIdentity { tables: [("a".to_owned(), "u".to_owned())].into(), ..identity() };
    assert_eq!(places(decided(&begun(&[], &[]), &other)), ["load.a"]);
}
