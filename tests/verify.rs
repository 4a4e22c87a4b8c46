//! The verifier's own score: single lies planted in verified targets are all found, each pinned to its row or object and
//! with exit 5; in clean pairs none is found.
//!
//! A slice runs with the other tests. The whole score, some minutes:
//! `MIGRATE_LIES=2000 MIGRATE_CLEAN=1000 cargo test --no-default-features --test main verify -- --nocapture`;
//! `MIGRATE_SEED=N` repeats a run.

mod lies;
mod pair;

use std::collections::BTreeMap;

use lies::{KINDS, Lie};
use pair::{Pair, Random};

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

fn seed() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("MIGRATE_SEED", clock.as_nanos() as u64 % 1_000_000_007);
    eprintln!("MIGRATE_SEED={seed}");
    seed
}

/// Plants each lie with triggers and foreign keys asleep, as nobody honest would.
fn plant(pair: &Pair, sql: &str) {
    pair.target.run(&format!("SET session_replication_role = replica; {sql}"));
}

/// Lies into one pair after the other, a few of each kind in turn; how many of each kind were told.
fn tell(lies: u64, seed: u64) -> BTreeMap<&'static str, u64> {
    let mut random = Random::new(seed);
    let mut told: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut done = 0;
    while done < lies {
        let pair = Pair::migrated(&mut random);
        pair.target.run("CREATE SCHEMA kept; CREATE TABLE kept.things AS TABLE things; CREATE TABLE kept.parts AS TABLE parts; CREATE TABLE kept.in_use AS TABLE in_use");
        pair.migrate(&["verify"]).expect_exit(0);
        let last = pair.target.value("SELECT last_value FROM things_id_seq");
        let (first, most) = (done as usize, (lies - done) as usize);
        for kind in (0..KINDS).map(|n| (n + first) % KINDS).take(most) {
            let Some(lie) = Lie::of(kind, &pair, &mut random) else { continue };
            plant(&pair, &lie.sql);
            let report = pair.migrate(&["verify"]);
            let found = report.expect_exit(5);
            assert!(lie.is_found(&found), "seed {seed}: {}: {}\n{:#}", lie.kind, lie.sql, found["checks"]);
            plant(&pair, &lie.undo);
            if let Some(table) = lie.table {
                plant(
                    &pair,
                    &format!("DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.{table}"),
                );
            }
            plant(&pair, &format!("SELECT setval('things_id_seq', {last})"));
            *told.entry(lie.kind).or_default() += 1;
            done += 1;
        }
        // Everything was taken back, so that each lie stood alone.
        pair.migrate(&["verify"]).expect_exit(0);
    }
    told
}

#[test]
fn every_single_lie_is_found_and_pinned() {
    let lies = number("MIGRATE_LIES", KINDS as u64);
    let told = tell(lies, seed());
    eprintln!("{} lies of {} kinds, all found: {told:?}", told.values().sum::<u64>(), told.len());
    assert!(told.len() + 4 >= KINDS, "of {KINDS} kinds only {told:?}");
}

#[test]
fn in_clean_pairs_nothing_is_found() {
    let (pairs, seed) = (number("MIGRATE_CLEAN", 3), seed());
    let mut random = Random::new(seed ^ 0xc1ea);
    for n in 0..pairs {
        let pair = Pair::migrated(&mut random);
        let report = pair.migrate(&["verify"]);
        assert_eq!(report.0.code, 0, "seed {seed}, pair {n}: {}", report.0.stdout);
    }
    eprintln!("{pairs} clean pairs, nothing found");
}

#[test]
fn what_was_not_compared_is_said() {
    let pair = Pair::migrated(&mut Random::new(1));
    let report = pair.migrate(&["verify"]).expect_exit(0);
    let not_checked: Vec<String> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|c| c["verdict"] == "NotChecked")
        .map(|c| format!("{} {}: {}", c["check"], c["load"], c["why"]))
        .collect();
    assert!(not_checked.iter().any(|c| c.contains("span") && c.contains("int4range")), "{not_checked:?}");
}

#[test]
fn rows_that_others_add_later_are_told_apart_from_lies() {
    let pair = Pair::migrated(&mut Random::new(2));
    pair.target.run(
        "INSERT INTO things (user_id, title) VALUES (1, 'added'), (2, 'added'); INSERT INTO in_use (user_id, word) VALUES (1, 'added'); \
         INSERT INTO mixed (code, a) VALUES ('added', 1); INSERT INTO parts VALUES (2, 'added', 9)",
    );
    let report = pair.migrate(&["verify"]).expect_exit(0);
    let checks = report["checks"].as_array().expect("checks");
    let of = |check: &str, load: &str| {
        let found = checks.iter().find(|c| c["check"] == check && c["load"] == load);
        found.unwrap_or_else(|| panic!("{check} {load}: {checks:#?}")).clone()
    };
    assert_eq!(of("content", "things")["verdict"], "Same");
    assert_eq!(of("others", "public.things")["why"], "2 rows were added since the run");
    assert_eq!(of("others", "public.in_use")["verdict"], "NotChecked");
    pair.target.run("UPDATE things SET note = 'lie' WHERE id = 2");
    let lie = pair.migrate(&["verify"]).expect_exit(5);
    let content = lie["checks"].as_array().expect("checks").iter().find(|c| c["verdict"] == "Differs").expect("found");
    assert_eq!(content["differences"][0]["key"], "id=2");
}

#[test]
fn a_source_that_moved_is_told_from_a_target_that_did() {
    let pair = Pair::migrated(&mut Random::new(3));
    pair.change_source("UPDATE things SET note = 'moved' WHERE id = 4");
    let report = pair.migrate(&["verify"]).expect_exit(5);
    let differing: Vec<&serde_json::Value> =
        report["checks"].as_array().expect("checks").iter().filter(|c| c["verdict"] == "Differs").collect();
    assert_eq!(differing.len(), 1, "{differing:#?}");
    assert_eq!((&differing[0]["check"], &differing[0]["load"]), (&"source".into(), &"things".into()));
    assert!(differing[0]["why"].as_str().is_some_and(|w| w.contains("the target holds what was sent")));
    assert_eq!(differing[0]["differences"][0]["key"], "id=4");
}

#[test]
fn values_stand_in_a_report_only_on_request() {
    let pair = Pair::migrated(&mut Random::new(4));
    plant(&pair, "UPDATE things SET note = 'a secret' WHERE id = 2");
    let without = pair.migrate(&["verify"]);
    without.expect_exit(5);
    assert!(!without.0.said().contains("a secret"), "{}", without.0.said());
    let with = pair.migrate(&["verify", "--show-values"]).expect_exit(5);
    assert!(with.to_string().contains("a secret"), "{with:#}");
}

#[test]
fn a_verification_asked_for_less_says_so_and_exits_so() {
    let pair = Pair::migrated(&mut Random::new(5));
    plant(&pair, "UPDATE things SET note = 'lie' WHERE id = 2");
    for (depth, code) in [("full", 5), ("counts", 0), ("none", 0)] {
        let report = pair.migrate(&["--yes", "--verify", depth]).expect_exit(code);
        let content = report["checks"].as_array().expect("checks").iter().find(|c| c["check"] == "content");
        let why = content.expect("a check of content")["why"].clone();
        assert!(code == 5 || why == format!("--verify {depth}"), "{why}");
    }
    plant(&pair, "DELETE FROM things WHERE id = 2");
    pair.migrate(&["--yes", "--verify", "counts"]).expect_exit(5);
}
