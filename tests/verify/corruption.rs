//! The verifier's own score: every single corruption planted in a verified target is found and located, with exit 5.
//! Clean pairs raise no alarm.
//!
//! A slice runs with the other tests; the whole score by `tests/score.sh`.

use std::collections::BTreeMap;

use super::pair::{Checks, Pair, Random};
use super::planting::{Corruption, KINDS};

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

fn seed() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("MIGRATE_SEED", clock.as_nanos() as u64 % 1_000_000_007);
    eprintln!("MIGRATE_SEED={seed}");
    seed
}

/// Plants each corruption with triggers and foreign keys disabled, so that nothing else notices.
pub fn plant(pair: &Pair, sql: &str) {
    pair.target.run(&format!("SET session_replication_role = replica; {sql}"));
}

/// The results for one kind of corruption.
#[derive(Clone, Copy, Default)]
struct Score {
    planted: u64,
    found: u64,
    pinned: u64,
}

/// Tables whose rows corruptions change.
const TABLES: [&str; 6] = ["things", "parts", "in_use", "words", "links", "tagged"];

/// Corruptions into one pair after the other, each alone; a few of each kind in turn.
fn plant_each(corruptions: u64, seed: u64, missed: &mut Vec<String>) -> BTreeMap<&'static str, Score> {
    let mut random = Random::new(seed);
    let mut scores: BTreeMap<&'static str, Score> = BTreeMap::new();
    let mut done = 0;
    while done < corruptions {
        let pair = Pair::migrated(&mut random);
        let copies: Vec<String> = TABLES.iter().map(|t| format!("CREATE TABLE kept.{t} AS TABLE {t};")).collect();
        pair.target.run(&format!("CREATE SCHEMA kept; {}", copies.concat()));
        pair.migrate(&["verify"]).expect_exit(0);
        let last = pair.target.value("SELECT last_value FROM things_id_seq");
        let (first, most) = (done as usize, (corruptions - done) as usize);
        for kind in (0..KINDS).map(|n| (n + first) % KINDS).take(most) {
            let Some(corruption) = Corruption::of(kind, &pair, &mut random) else { continue };
            plant(&pair, &corruption.sql);
            let outcome = pair.migrate(&["verify"]);
            let (found, pinned) = corruption.judge(&outcome.0.json());
            let score = scores.entry(corruption.kind).or_default();
            score.planted += 1;
            score.found += u64::from(found && outcome.0.code == 5);
            score.pinned += u64::from(pinned);
            if !(found && pinned && outcome.0.code == 5) {
                missed.push(format!("seed {seed}: {}: {}\n{}", corruption.kind, corruption.sql, outcome.0.stdout));
            }
            plant(&pair, &corruption.undo);
            if let Some(table) = corruption.table {
                let back = format!("INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.{table}");
                plant(&pair, &format!("DELETE FROM {table}; {back}"));
            }
            plant(&pair, &format!("SELECT setval('things_id_seq', {last})"));
            done += 1;
        }
        // Everything was reverted, so that each corruption was the only one.
        pair.migrate(&["verify"]).expect_exit(0);
    }
    scores
}

#[test]
fn every_corruption_is_found_and_located() {
    let mut missed = Vec::new();
    let scores = plant_each(number("MIGRATE_CORRUPTIONS", KINDS as u64), seed(), &mut missed);
    eprintln!("{:<24}{:>7}{:>7}{:>7}", "corruption", "planted", "found", "pinned");
    let mut sum = Score::default();
    for (kind, score) in &scores {
        eprintln!("{kind:<24}{:>7}{:>7}{:>7}", score.planted, score.found, score.pinned);
        sum.planted += score.planted;
        sum.found += score.found;
        sum.pinned += score.pinned;
    }
    eprintln!("{:<24}{:>7}{:>7}{:>7}", format!("{} kinds", scores.len()), sum.planted, sum.found, sum.pinned);
    assert!(missed.is_empty(), "{} of {} were missed, the first:\n{}", missed.len(), sum.planted, missed[0]);
    assert!(scores.len() + 4 >= KINDS, "only {} of {KINDS} kinds were planted", scores.len());
}

#[test]
fn clean_pairs_raise_no_alarm() {
    let (pairs, seed) = (number("MIGRATE_CLEAN", 3), seed());
    let mut random = Random::new(seed ^ 0xc1ea);
    let mut alarms = Vec::new();
    for n in 0..pairs {
        let pair = Pair::made(&mut random);
        for args in [["--yes"], ["verify"]] {
            let outcome = pair.migrate(&args);
            if outcome.0.code != 0 {
                alarms.push(format!("seed {seed}, pair {n}, {args:?}: {}{}", outcome.0.stdout, outcome.0.stderr));
            }
        }
    }
    eprintln!("{pairs} clean pairs, each verified twice: {} false alarms", alarms.len());
    assert!(alarms.is_empty(), "{} false alarms, the first:\n{}", alarms.len(), alarms[0]);
}

#[test]
fn values_are_in_a_report_only_on_request() {
    let pair = Pair::migrated(&mut Random::new(4));
    plant(&pair, "UPDATE things SET note = 'a secret' WHERE id = 2");
    let without = pair.migrate(&["verify"]);
    without.expect_exit(5);
    assert!(!without.0.said().contains("a secret"), "{}", without.0.said());
    let with = pair.migrate(&["verify", "--show-values"]).expect_exit(5);
    assert!(with.to_string().contains("a secret"), "{with:#}");
}

#[test]
fn a_reduced_verification_lists_what_it_did_not_check() {
    let pair = Pair::migrated(&mut Random::new(5));
    plant(&pair, "UPDATE things SET note = 'corruption' WHERE id = 2");
    let all = ["rows", "content", "sequences", "constraints", "owners", "others", "source"];
    for (depth, code, unmade) in [("full", 5, &[][..]), ("counts", 0, &["content", "others"]), ("none", 0, &all)] {
        let checks = Checks::of(&pair.migrate(&["--yes", "--verify", depth]).expect_exit(code));
        let why = format!("--verify {depth}");
        for name in unmade {
            assert!(checks.unmade(&why).iter().any(|c| c == name), "{depth}: {name}");
        }
        assert!(depth != "none" || checks.saying("Same").is_empty());
    }
    plant(&pair, "DELETE FROM things WHERE id = 2");
    pair.migrate(&["--yes", "--verify", "counts"]).expect_exit(5);
}

#[test]
fn each_check_that_differs_is_exit_5() {
    let pair = Pair::migrated(&mut Random::new(6));
    for (check, corruption, undo) in [
        ("rows public.tagged", "DELETE FROM tagged WHERE id = 100", "INSERT INTO tagged VALUES (100, 1, 'last')"),
        ("sequences", "ALTER SEQUENCE things_id_seq RESTART", "SELECT setval('things_id_seq', 10000)"),
        (
            "constraints public.things.things_touched",
            "ALTER TABLE things DISABLE TRIGGER things_touched",
            "ALTER TABLE things ENABLE TRIGGER things_touched",
        ),
        (
            "owners public.people",
            "UPDATE people SET role = 'guest' WHERE name = 'me'",
            "UPDATE people SET role = 'admin' WHERE name = 'me'",
        ),
        (
            "owners public.things",
            "UPDATE things SET user_id = 1 WHERE id = 2",
            "UPDATE things SET user_id = 2 WHERE id = 2",
        ),
        ("content things", "UPDATE things SET small = 7 WHERE id = 2", "SELECT 1"),
    ] {
        plant(&pair, corruption);
        let checks = Checks::of(&pair.migrate(&["verify"]).expect_exit(5));
        assert!(checks.saying("Differs").iter().any(|c| c == check), "{check}: {:?}", checks.saying("Differs"));
        plant(&pair, undo);
    }
}
