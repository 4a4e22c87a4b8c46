//! A connection that breaks once, anywhere in a run: before the first write the run is refused, afterwards it retries and ends
//! like an unbroken one.

use crate::chaos::proxy::{Fault, How, Proxy};
use crate::support::case::Case;
use crate::support::postgres;

const SOURCE: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'a'), (2, 'b');
    CREATE TABLE c (p_id INTEGER, said TEXT);
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40)
    INSERT INTO c SELECT 1 + n % 2, 'said ' || n FROM n";

const TARGET: &str = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE);
    CREATE TABLE p (id serial PRIMARY KEY, name text, user_id int NOT NULL REFERENCES users);
    CREATE TABLE c (id serial PRIMARY KEY, p_id int NOT NULL REFERENCES p, said text);
    CREATE INDEX c_said ON c (said)";

const MAPPING: &str = "[owner]\ntable = \"users\"\nmatch = { name = \"ada\" }\ncreate = {}\n[load.p]\nowner = \"user_id\"\n\
     [load.c]\nfrom = { sql = \"SELECT p_id, said FROM c ORDER BY said\" }\n[leave]\nc = \"goes by its query\"\n";

/// A run through a proxy at which these happen, one connection each. Gives the exit status and what was said.
fn broken(proxy: &Proxy, case: &Case, faults: &[Fault]) -> crate::support::tool::Ran {
    let url = proxy.url(case.target.name());
    proxy.expect(faults.iter().copied());
    case.place.migrate(["--yes", "--json", "--detach=always", "--jobs=1", "--batch-rows=1", "-t", &url]).ran()
}

#[track_caller]
fn is_whole(case: &Case, what: &str) {
    let counts = ["users", "p", "c"].map(|table| case.target.count(table));
    assert_eq!(counts, [1, 2, 40], "{what}");
    assert_eq!(case.target.value("SELECT count(DISTINCT said) FROM c"), "40", "{what}");
}

#[test]
fn a_connection_that_breaks_during_registration_is_retried() {
    let proxy = Proxy::before(postgres::socket());
    let noting = |nth| Fault::CutAt { text: "backend (run, epoch, pid, started)", nth };
    let batch = Fault::CutAt { text: "batch (run, load, part, batch) SELECT", nth: 1 };
    // A connection that only finds that the lost one's lock is held still takes a fault with it, too.
    for (what, faults, least) in [
        ("with the run", vec![noting(1)], 1),
        ("with the run, and again", vec![noting(1), noting(1), noting(1), noting(1)], 2),
        ("after a batch that broke, and again", vec![batch, noting(1), noting(1), noting(1)], 2),
    ] {
        let case = Case::new(SOURCE, TARGET, MAPPING);
        let ran = broken(&proxy, &case, &faults);
        assert_eq!(ran.code, 0, "{what}: {}", ran.said());
        let (happened, retries) = (proxy.happened(), ran.json()["retries"].as_array().map_or(0, Vec::len));
        assert!(happened >= least && retries as u64 >= happened, "{what}: {happened} breaks, {retries} retries");
        is_whole(&case, what);
    }
}

/// Every `BROKEN_STEP`-th message of a client's first connection is not sent; `BROKEN_STEP=1` takes each.
#[test]
fn a_broken_connection_refuses_before_the_first_write_and_retries_after_it() {
    let step = std::env::var("BROKEN_STEP").ok().map_or(29, |step| step.parse().expect("BROKEN_STEP: a number"));
    let proxy = Proxy::before(postgres::socket());
    let mut ends = (0, 0);
    for message in (2..).step_by(step) {
        let case = Case::new(SOURCE, TARGET, MAPPING);
        let before = case.target.inventory();
        let ran = broken(&proxy, &case, &[Fault::Cut { from_client: true, message, bytes: 0, how: How::Rst }]);
        let what = format!("message {message}");
        if proxy.happened() == 0 {
            assert_eq!(ran.code, 0, "{what}: {}", ran.said());
            break;
        }
        match ran.code {
            3 => {
                assert_eq!(case.target.inventory(), before, "{what}: refused after the first write");
                ends.0 += 1;
            }
            0 => {
                is_whole(&case, &what);
                ends.1 += 1;
            }
            code => panic!("{what}: exit {code}: {}", ran.said()),
        }
    }
    println!("{} refused, {} resumed", ends.0, ends.1);
    assert!(ends.0 > 0 && ends.1 > 0, "{ends:?}");
}
