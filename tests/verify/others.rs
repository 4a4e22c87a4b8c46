//! Rows that were on the target before: untouched, or named; not judged where others wrote meanwhile.

use super::pair::{Checks, Pair, Random};

/// A trigger that does this to the rows of `in_use` whenever the run writes to it.
fn with_trigger(sql: &str) -> Pair {
    let pair = Pair::made(&mut Random::new(9));
    pair.change_mapping("existing = \"append\"", "existing = \"append\"\ntriggers = \"fire\"");
    pair.target.run(&format!(
        "CREATE FUNCTION meddles() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {sql}; RETURN NULL; END'; \
         CREATE TRIGGER meddles AFTER INSERT ON in_use FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddles()"
    ));
    pair
}

#[test]
fn rows_that_were_there_before_are_digested_before_and_after() {
    let pair = Pair::made(&mut Random::new(9));
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(0));
    for (table, rows) in [("in_use", 20), ("words", 2), ("links", 1), ("people", 1)] {
        let check = checks.all("others", &format!("public.{table}"))[0];
        assert_eq!(
            (&check["verdict"], &check["found"]),
            (&"Same".into(), &format!("{rows} rows, untouched").into()),
            "{table}"
        );
    }
    let columns = checks.all("others", "public.in_use")[1];
    assert_eq!(columns["why"], "columns that this run does not send are not compared: n");
    let owners = checks.one("owners", "public.in_use");
    assert_eq!(
        (&owners["verdict"], owners["why"].as_str().is_some_and(|w| w.contains("in_use held rows before"))),
        (&"NotChecked".into(), true)
    );
}

#[test]
fn a_row_of_others_that_changed_during_the_run_is_exit_5() {
    let pair = with_trigger("UPDATE public.in_use SET word = ''changed'' WHERE user_id = 1 AND id = 3");
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(5));
    assert_eq!(checks.saying("Differs"), ["others public.in_use"]);
}

#[test]
fn where_others_wrote_during_the_run_their_rows_are_not_judged() {
    let pair = with_trigger("INSERT INTO public.in_use (user_id, word) VALUES (1, ''meanwhile'')");
    let checks = Checks::of(&pair.migrate(&["--yes"]).expect_exit(0));
    let others = checks.all("others", "public.in_use")[0];
    assert_eq!(others["verdict"], "NotChecked");
    assert!(others["why"].as_str().is_some_and(|w| w.contains("1 rows more than there were")), "{others:#}");
}
