//! Accidents between statements that are sent together: after any answer of the server the line is cut, heard or unheard, or
//! the process is killed. The same command then ends like an unbroken one, in a cutover and in a rollback.

use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::lockstep::{Accident, Lockstep};
use crate::support::tool::Ran;

const SOURCE: &str =
    "CREATE TABLE kinds (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO kinds VALUES (1, 'a'), (2, 'b');
    CREATE TABLE p (id INTEGER PRIMARY KEY, kind TEXT, said TEXT);
    INSERT INTO p VALUES (1, 'b', 'one'), (2, 'a', 'two'), (4, 'b', 'four');
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER); INSERT INTO c VALUES (7, 1), (8, 4);
    CREATE TABLE n (said TEXT); INSERT INTO n VALUES ('x'), ('x'), ('y');
    CREATE TABLE large (id INTEGER PRIMARY KEY, said TEXT);
    INSERT INTO large SELECT value, printf('%.300000c', 'x') FROM json_each('[1, 2, 3, 4, 5]');
    CREATE TABLE s1 (id INTEGER PRIMARY KEY, said TEXT); INSERT INTO s1 VALUES (1, 'one'), (2, 'two');
    CREATE TABLE s2 (id INTEGER PRIMARY KEY, said TEXT); INSERT INTO s2 VALUES (3, 'three'), (4, 'four');
    CREATE TABLE s3 (id INTEGER PRIMARY KEY, said TEXT); INSERT INTO s3 VALUES (5, 'five'), (6, 'six')";

const TARGET: &str = "CREATE TABLE kinds (id int PRIMARY KEY, code text UNIQUE);
    CREATE TABLE p (id serial PRIMARY KEY, kind_id int NOT NULL REFERENCES kinds, said text);
    CREATE INDEX p_said ON p (said);
    CREATE TABLE c (id serial PRIMARY KEY, p int NOT NULL REFERENCES p);
    CREATE TABLE n (said text NOT NULL);
    CREATE TABLE large (id int PRIMARY KEY, said text NOT NULL);
    CREATE TABLE s1 (id int PRIMARY KEY, said text);
    CREATE TABLE s2 (id int PRIMARY KEY, said text);
    CREATE TABLE s3 (id int PRIMARY KEY, said text);
    CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER p_same BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION same();
    CREATE TRIGGER c_same BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION same()";

const MAPPING: &str = "[load.kinds]\n[load.p]\n[load.p.columns.kind_id.lookup]\ntable = \"kinds\"\ntake = \"id\"\n\
    steps = [ { target = [\"code\"], source = [\"kind\"] } ]\nmissing = \"fault\"\n[load.c]\n[load.n]\n[load.large]\n\
    [load.s1]\n[load.s2]\n[load.s3]\n";

const CUTOVER: &[&str] = &["--yes", "--progress=none", "--detach=always", "--jobs=1", "--batch-rows=2"];
/// The same in batches so large that small loads share a transaction.
const CUTOVER_OF_SMALL_LOADS: &[&str] = &["--yes", "--progress=none", "--detach=always", "--jobs=1"];
const ROLLBACK: &[&str] = &["rollback", "--yes", "--progress=none"];

const ACCIDENTS: [Accident; 3] = [Accident::Heard, Accident::Unheard, Accident::Killed];

/// Rows, sequences, constraints, indexes and triggers.
const STATE: &str = "SELECT 'kinds ' || t::text FROM kinds t UNION ALL SELECT 'p ' || t::text FROM p t
    UNION ALL SELECT 'c ' || t::text FROM c t UNION ALL SELECT 'n ' || t::text FROM n t
    UNION ALL SELECT 's1 ' || t::text FROM s1 t UNION ALL SELECT 's2 ' || t::text FROM s2 t
    UNION ALL SELECT 's3 ' || t::text FROM s3 t UNION ALL SELECT 'large ' || concat(id, ' ', length(said)) FROM large
    UNION ALL SELECT 'next ' || (last_value + is_called::int)::text FROM p_id_seq
    UNION ALL SELECT 'next ' || (last_value + is_called::int)::text FROM c_id_seq
    UNION ALL SELECT conname || pg_get_constraintdef(oid) || convalidated::text FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_indexdef(indexrelid) || indisvalid::text FROM pg_index JOIN pg_class t ON t.oid = indrelid
      WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";

/// The command on a network with an accident. Returns the network, too.
fn on(case: &Case, args: &[&str], at: Option<(u64, Accident)>) -> (Ran, Lockstep) {
    let network = Lockstep::with(at);
    let child = case.place.migrate(args).args(["-t", &network.url(case.target.name())]).spawn();
    network.knows(child.id());
    (Ran::of_child(child), network)
}

/// The same command on an unbroken network. The server may not have noticed yet that the previous process has ended.
fn again(case: &Case, args: &[&str], what: &str) {
    let began = Instant::now();
    loop {
        let ran = case.command(args).ran();
        let said = ran.said();
        let is_held = said.contains("another migrate is at work") && began.elapsed() < Duration::from_secs(20);
        // The lost answer was that of the rollback's commit.
        let is_done = args == ROLLBACK && said.contains("contains no run");
        match ran.code {
            0 => return,
            3 if is_done => return,
            3 if is_held => {}
            code => panic!("{what}: the same command ended with {code}: {said}"),
        }
    }
}

/// The answers to a cutover and to a rollback, and the target's state after each.
struct Unbroken {
    cutover: &'static [&'static str],
    answers: [u64; 2],
    loaded: Vec<String>,
    empty: Vec<String>,
}

fn unbroken(case: &Case, args: &'static [&'static str]) -> Unbroken {
    let empty = case.rows(STATE);
    let one = |args: &[&str]| {
        let (ran, network) = on(case, args, None);
        assert_eq!(ran.code, 0, "{}", ran.said());
        (network.answers(), case.rows(STATE))
    };
    let after = || [one(args), one(ROLLBACK)];
    // The first run makes the ledger, too.
    after();
    let [(cutover, loaded), (rollback, rolled_back)] = after();
    assert_eq!(rolled_back, empty);
    Unbroken { cutover: args, answers: [cutover, rollback], loaded, empty }
}

/// Breaks a cutover and then a rollback, each at this answer. Returns false if both have fewer answers.
fn broken_at(case: &Case, unbroken: &Unbroken, nth: u64, accident: Accident) -> bool {
    let mut happened = false;
    for (args, before, after) in
        [(unbroken.cutover, &unbroken.empty, &unbroken.loaded), (ROLLBACK, &unbroken.loaded, &unbroken.empty)]
    {
        let what = format!("{accident:?} at answer {nth} of {}", args[0]);
        let (ran, network) = on(case, args, Some((nth, accident)));
        happened |= network.has_happened();
        match ran.code {
            0 => assert_eq!(case.rows(STATE), *after, "{what}: exit 0"),
            3 => assert_eq!(case.rows(STATE), *before, "{what}: refused after the first write"),
            4 => {}
            -9 if accident == Accident::Killed => {}
            code => panic!("{what}: exit {code}: {}", ran.said()),
        }
        again(case, args, &what);
        assert_eq!(case.rows(STATE), *after, "{what}: after the same command");
    }
    happened
}

/// Every `step`-th answer has one of the three accidents in turn. With `CUT_STEP` in the environment it is this step; `CUT_STEP=1`
/// takes each answer, and all accidents at it.
fn completes_what_was_cut(cutover: &'static [&'static str], step: usize) {
    let step = std::env::var("CUT_STEP").ok().map_or(step, |step| step.parse().expect("CUT_STEP: a number"));
    let case = Case::new(SOURCE, TARGET, MAPPING);
    let unbroken = unbroken(&case, cutover);
    println!("{:?} answers of an unbroken cutover and rollback", unbroken.answers);
    let last = unbroken.answers.into_iter().max().unwrap_or(0);
    let mut trials = 0;
    for (n, nth) in (1..=last).step_by(step).enumerate() {
        let drawn = ACCIDENTS[n % ACCIDENTS.len()];
        for accident in if step == 1 { ACCIDENTS.to_vec() } else { vec![drawn] } {
            assert!(broken_at(&case, &unbroken, nth, accident), "nothing happened at answer {nth} of {last}");
            trials += 1;
        }
    }
    println!("{trials} trials at {last} answers");
}

#[test]
fn the_same_command_completes_what_was_cut_between_two_statements() {
    completes_what_was_cut(CUTOVER, 13);
}

#[test]
fn the_same_command_completes_small_loads_that_were_cut_between_two_statements() {
    completes_what_was_cut(CUTOVER_OF_SMALL_LOADS, 11);
}
