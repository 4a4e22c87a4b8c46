//! The dry run says what the run costs: bytes, duration and locks.

use std::collections::BTreeMap;

use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT UNIQUE); CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER); \
    WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < 199) INSERT INTO t SELECT n, n FROM n; \
    INSERT INTO u VALUES (1, 100);";

const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, n text UNIQUE); CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t); CREATE INDEX u_t ON u (t);";

#[test]
fn a_dry_run_says_what_is_written_how_long_it_takes_and_what_is_locked() {
    let case = Case::new(SOURCE, TARGET, "[load.t]\n[load.u]\n");
    let plan = case.exits(0, &["--dry-run", "--detach", "always"]);
    // A row has 2 bytes, a field 4 and its own: 2 + 4 + 4 + 4 + 3 of each row of t, 2 + 4 + 4 + 4 + 4 of that of u.
    assert_eq!(plan["forecast"]["bytes"], 100 * 17 + 18);
    assert!(plan["forecast"]["seconds"].as_u64() >= Some(1), "{}", plan["forecast"]);
    let locked: BTreeMap<String, u64> = plan["forecast"]["locked"]
        .as_array()
        .expect("tables")
        .iter()
        .map(|table| {
            (table["table"].as_str().expect("a name").to_owned(), table["detached"].as_u64().expect("a number"))
        })
        .collect();
    let text = case.command(&["--dry-run", "--detach", "always"]).exits(0);
    text.says(&[
        "What the run costs",
        "About 1,718 bytes are written. By the figures of `migrate guide speed`",
        "public.t",
        "public.u",
        "locked exclusively",
    ]);
    let none = case.command(&["--dry-run", "--detach", "never"]).exits(0);
    none.says(&["No table is locked exclusively"]);
    // The run detaches these objects and no others.
    let ran = case.exits(0, &["--yes", "--detach", "always"]);
    let mut detached: BTreeMap<String, u64> = BTreeMap::new();
    for object in ran["detached"].as_array().expect("objects") {
        *detached.entry(object["table"].as_str().expect("a name").to_owned()).or_default() += 1;
    }
    assert_eq!(locked, detached);
    assert!(ran.get("forecast").is_none() && locked.values().sum::<u64>() >= 4, "{locked:?}");
}

#[test]
fn a_refused_dry_run_estimates_nothing() {
    let case = Case::new(&format!("{SOURCE} INSERT INTO u VALUES (2, 7)"), TARGET, "[load.t]\n[load.u]\n");
    let ran = case.command(&["--dry-run"]).exits(3);
    assert!(!ran.said().contains("What the run costs"), "{}", ran.said());
}
