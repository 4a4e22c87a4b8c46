//! Checks that only the server can make: a dry run lists them as unchecked. A row that an index refuses is located, or the
//! report names a way to locate it, whatever is detached for speed.

use serde_json::Value;

use crate::support::case::{Case, faults};

/// Ten rows, and a change to some of them.
fn ten_rows(change: &str) -> String {
    format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER);
         WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 10)
         INSERT INTO t SELECT x, 'a' || x, x FROM i;
         {change}"
    )
}

/// The unchecked items of a report, as `check why`.
fn unchecked(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks").iter().filter(|c| c["verdict"] == "NotChecked");
    checks.map(|c| format!("{} {}", c["check"].as_str().unwrap(), c["why"].as_str().unwrap())).collect()
}

const PLAIN: &str = "CREATE TABLE t (id int PRIMARY KEY, a text, n int)";

const GUARD: &str = "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.n = 8 THEN RETURN NULL; END IF; RETURN NEW; END $$;
    CREATE TRIGGER guard BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION guard()";

#[test]
fn a_dry_run_lists_checks_left_to_the_server_and_the_run_performs_them() {
    for (change, target, load, said, reason) in [
        ("", format!("{PLAIN}; {GUARD}"), "triggers = \"fire\"\n", "trigger guard: it fires", "trigger-swallowed"),
        (
            "UPDATE t SET n = 1000 WHERE id = 8",
            "CREATE TABLE p (n real PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 10);
             CREATE TABLE t (id int PRIMARY KEY, a text, n real CONSTRAINT known REFERENCES p)"
                .to_owned(),
            "",
            "reference known: ",
            "orphan",
        ),
    ] {
        let case = Case::new(&ten_rows(change), &target, &format!("[load.t]\n{load}"));
        let found = unchecked(&case.exits(0, &["--dry-run"]));
        assert!(found.iter().any(|one| one.starts_with(said)), "{said}: {found:?}");
        let kind = said.split(' ').next().unwrap();
        case.command(&["--dry-run"]).exits(0).says(&["Dry run: ready, except for", &format!("{kind} (t)")]);
        let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
        assert_eq!(faults(&report), [("t".to_owned(), 8, None, reason.to_owned())]);
    }
    // Triggers that are off for the load judge nothing, nor do keys that every row was compared with.
    let target = format!(
        "CREATE TABLE p (id int PRIMARY KEY); {PLAIN}; ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES p; {GUARD}"
    );
    let source = ten_rows("CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p SELECT id FROM t");
    let case = Case::new(&source, &target, "[load.p]\n[load.t]\n");
    assert_eq!(unchecked(&case.exits(0, &["--dry-run"])), ["content a dry run writes nothing"]);
}

#[test]
fn the_server_judges_rows_before_any_is_written() {
    let plain_with = |more: &str| format!("{PLAIN}; {more}");
    let partitions = "CREATE TABLE t (id int, a text, n int) PARTITION BY RANGE (n);
        CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)";
    let generated =
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int, inverse int GENERATED ALWAYS AS (100 / n) STORED)";
    let domain = format!("CREATE DOMAIN positive AS int CHECK (VALUE > 0); {}", PLAIN.replace("n int", "n positive"));
    let zero = "UPDATE t SET n = 0 WHERE id = 8";
    let apart = |with: &str| PLAIN.replace("n int", &format!("n int, CONSTRAINT apart EXCLUDE USING {with}"));
    let large = "UPDATE t SET a = hex(randomblob(20000)) WHERE id = 8";
    for (change, target, reason) in [
        ("UPDATE t SET a = 'A1' WHERE id = 8", plain_with("CREATE UNIQUE INDEX folded ON t (lower(a))"), "duplicate"),
        (
            "UPDATE t SET a = 'a1' WHERE id = 8",
            plain_with("CREATE UNIQUE INDEX partly ON t (a) WHERE n > 0"),
            "duplicate",
        ),
        ("UPDATE t SET n = 1000 WHERE id = 8", partitions.to_owned(), "no-partition"),
        (zero, plain_with("CREATE INDEX inverse ON t ((100 / n))"), "server-refused"),
        (zero, generated.to_owned(), "server-refused"),
        (zero, PLAIN.replace("n int", "n int CHECK (n > 0)"), "check-failed"),
        (zero, domain, "check-failed"),
        ("UPDATE t SET n = 3 WHERE id = 8", apart("btree (n WITH =)"), "exclusion-failed"),
        (
            "UPDATE t SET n = 3 WHERE id = 8",
            apart("btree (n WITH =) DEFERRABLE INITIALLY DEFERRED"),
            "exclusion-failed",
        ),
        (
            "UPDATE t SET n = 4 WHERE id = 8",
            apart("gist (int4range(n, n + 1) WITH &&) WHERE (a <> 'a2')"),
            "exclusion-failed",
        ),
        (large, plain_with("CREATE INDEX wide ON t (a)"), "index-row-too-large"),
        (large, plain_with("CREATE INDEX wide ON t (n) INCLUDE (a)"), "index-row-too-large"),
        (large, plain_with("CREATE INDEX wide ON t (n, lower(a)) WHERE n > 2"), "index-row-too-large"),
        (large, plain_with("CREATE UNIQUE INDEX wide ON t (a, n)"), "index-row-too-large"),
        (large, PLAIN.replace("id int PRIMARY KEY, a text", "id int, a text PRIMARY KEY"), "index-row-too-large"),
    ] {
        let case = Case::new(&ten_rows(change), &target, "[load.t]\n");
        let before = case.target.inventory();
        for way in ["--dry-run", "--yes"] {
            let report = case.exits(3, &[way]);
            let expected = [("t".to_owned(), 8, None, reason.to_owned())];
            assert_eq!(faults(&report), expected, "{target}");
            assert_eq!(case.target.inventory(), before, "{target}");
        }
        // Without the row, nothing is left unsaid and the same target takes all others.
        let case = Case::new(&ten_rows("DELETE FROM t WHERE id = 8"), &target, "[load.t]\n");
        assert_eq!(unchecked(&case.exits(0, &["--dry-run"])), ["content a dry run writes nothing"], "{target}");
        case.done();
    }
}

#[test]
fn rows_of_several_batches_and_of_the_target_exclude_each_other_before_the_run() {
    // 30,000 rows are several batches; the last one excludes the first.
    let source = "CREATE TABLE stay (id INTEGER PRIMARY KEY, room INTEGER, during TEXT);
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 30000)
        INSERT INTO stay SELECT x, x, '[2026-01-01,2026-01-05)' FROM i;
        UPDATE stay SET room = 1, during = '[2026-01-04,2026-01-09)' WHERE id = 30000;
        UPDATE stay SET room = 0 WHERE id = 500";
    let target = "CREATE TABLE stay (id int PRIMARY KEY, room int4range, during daterange,
            EXCLUDE USING gist (room WITH &&, during WITH &&));
        INSERT INTO stay VALUES (-1, '[0,1)', '[2026-01-02,2026-01-03)')";
    let load = "[load.stay]\nexisting = \"append\"\n[load.stay.columns]\nroom = { sql = \"'[' || room || ',' || (room + 1) || ')'\" }\n";
    let case = Case::new(source, target, load);
    let before = case.target.inventory();
    for way in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[way]);
        let expected = [500, 30_000].map(|row| ("stay".to_owned(), row, None, "exclusion-failed".to_owned()));
        assert_eq!(faults(&report), expected, "{report}");
        assert_eq!(case.target.inventory(), before);
    }
    case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert_eq!(case.target.count("stay"), 29_999);
}

#[test]
fn a_row_that_the_server_compresses_fits_into_its_index() {
    let large = "UPDATE t SET a = hex(zeroblob(5000)) WHERE id = 6";
    let case = Case::new(&ten_rows(large), &format!("{PLAIN}; CREATE INDEX wide ON t (a)"), "[load.t]\n");
    assert_eq!(unchecked(&case.exits(0, &["--dry-run"])), ["content a dry run writes nothing"]);
    case.done();
    // A column that is not compressed has the same value in the index.
    let plain = format!("{PLAIN}; ALTER TABLE t ALTER a SET STORAGE EXTERNAL; CREATE INDEX wide ON t (a)");
    let case = Case::new(&ten_rows(large), &plain, "[load.t]\n");
    let report = case.exits(3, &["--dry-run"]);
    assert_eq!(faults(&report), [("t".to_owned(), 6, None, "index-row-too-large".to_owned())]);
}

#[test]
fn rows_that_cannot_be_tried_are_listed() {
    let apart = PLAIN.replace("n int", "n int, CONSTRAINT apart EXCLUDE USING btree (n WITH =)");
    let target = format!("{apart}; CREATE INDEX wide ON t (a)");
    let source = ten_rows("UPDATE t SET a = hex(zeroblob(5000)) WHERE id = 6");
    let is_listed = |case: &Case, why: &str| {
        let found = unchecked(&case.exits(0, &["--dry-run"]));
        for name in ["exclusion apart: ", "index wide: "] {
            assert!(found.iter().any(|one| one.starts_with(name) && one.contains(why)), "{name}{why}: {found:?}");
        }
        case.done();
    };
    let event = "CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
        CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION seen()";
    is_listed(&Case::new(&source, &format!("{target}; {event}"), "[load.t]\n"), "event triggers would run");
    let skips = "[load.t]\nexisting = \"append\"\nconflict = { skip = [\"id\"] }\n";
    let case = Case::new(&source, &target, skips);
    let found = unchecked(&case.exits(0, &["--dry-run"]));
    assert!(found.iter().any(|one| one.starts_with("exclusion apart: ")), "{found:?}");
}

#[test]
fn a_key_that_a_row_of_the_target_has_is_a_fault_before_the_run() {
    let there = "INSERT INTO t VALUES (100, 'A3', 100)";
    let load = "[load.t]\nexisting = \"append\"\n";
    for unique in [
        "CREATE UNIQUE INDEX there ON t (a)",
        "CREATE UNIQUE INDEX there ON t (lower(a))",
        "CREATE UNIQUE INDEX there ON t (a) WHERE n > 0",
        "CREATE UNIQUE INDEX there ON t ((n % 100), lower(a))",
    ] {
        let collides = "UPDATE t SET a = 'A3', n = 200 WHERE id = 3";
        let case = Case::new(&ten_rows(collides), &format!("{PLAIN}; {unique}; {there}"), load);
        for way in ["--dry-run", "--yes"] {
            let report = case.exits(3, &[way]);
            assert_eq!(faults(&report), [("t".to_owned(), 3, None, "duplicate".to_owned())], "{unique}: {report}");
            assert_eq!(case.target.count("t"), 1);
        }
        let case =
            Case::new(&ten_rows("UPDATE t SET a = 'other' WHERE id = 3"), &format!("{PLAIN}; {unique}; {there}"), load);
        case.exits(0, &["--dry-run"]);
        case.done();
    }
}

#[test]
fn a_row_that_conflict_skips_is_not_judged() {
    // Row 5 has the name of row 4 and row 6 that of a row of the target. Both would fail the CHECK.
    let change = "UPDATE t SET a = 'same' WHERE id IN (4, 5); UPDATE t SET a = 'there' WHERE id = 6;
        UPDATE t SET n = -n WHERE id IN (5, 6)";
    let target = format!(
        "{}; CREATE UNIQUE INDEX named ON t (a); INSERT INTO t VALUES (100, 'there', 3)",
        PLAIN.replace("n int", "n int CHECK (n > 0)")
    );
    let case = Case::new(&ten_rows(change), &target, "[load.t]\nconflict = { skip = [\"a\"] }\n");
    case.exits(0, &["--dry-run"]);
    let report = case.done();
    assert_eq!((&report["loads"][0]["skipped"], case.target.count("t")), (&2.into(), 9), "{report}");
    // A row that is not skipped is judged.
    let case = Case::new(
        &ten_rows(&format!("{change}; UPDATE t SET n = 0 WHERE id = 7")),
        &target,
        "[load.t]\nconflict = { skip = [\"a\"] }\n",
    );
    for way in ["--dry-run", "--yes"] {
        assert_eq!(faults(&case.exits(3, &[way])), [("t".to_owned(), 7, None, "check-failed".to_owned())]);
    }
}

/// A value that no index holds in a row, however it is compressed.
const LARGE: &str = "UPDATE t SET a = hex(randomblob(20000)) WHERE id = 6";

#[test]
fn an_index_too_small_for_some_row_stays_attached_and_locates_the_row() {
    let plain = "CREATE TABLE t (id int PRIMARY KEY, a text, n int)";
    for index in [
        "CREATE INDEX wide ON t (a)",
        "CREATE INDEX wide ON t (n, lower(a))",
        "CREATE INDEX wide ON t (n) INCLUDE (a)",
        "CREATE UNIQUE INDEX wide ON t (a, n)",
        "CREATE INDEX wide ON t USING brin (a)",
    ] {
        let target = format!("{plain}; {index}; CREATE INDEX narrow ON t (n)");
        for from in ["", "from = { sql = \"SELECT id, a, n FROM t ORDER BY id\" }\n"] {
            let case = Case::new(&ten_rows(LARGE), &target, &format!("[load.t]\n{from}"));
            let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", "always"]);
            assert_eq!(faults(&report), [("t".to_owned(), 6, None, "index-row-too-large".to_owned())], "{index}");
            assert_eq!(case.target.count("t"), 9);
            let off: Vec<&str> =
                report["detached"].as_array().expect("detached").iter().filter_map(|d| d["object"].as_str()).collect();
            assert!(!off.contains(&"wide") && off.contains(&"narrow"), "{index}: {off:?}");
        }
        // Under abort it is named as well, and nothing stays: before the run, unless only the run finds it.
        let case = Case::new(&ten_rows(LARGE), &target, "[load.t]\n");
        let exit = if index.contains("brin") { 4 } else { 3 };
        let report = case.exits(exit, &["--yes", "--detach", "always"]);
        assert_eq!(faults(&report), [("t".to_owned(), 6, None, "index-row-too-large".to_owned())], "{index}");
        assert_eq!(case.target.count("t"), 0);
    }
    // Columns that are small each may be too large together; the largest of each count, be they of one row or of several.
    let target = "CREATE TABLE t (id int PRIMARY KEY, a varchar(500), n varchar(500)); CREATE INDEX wide ON t (a, n)";
    let one = "UPDATE t SET a = replace(hex(zeroblob(250)), '0', '✓') WHERE id = 4";
    let two = format!("{one}; UPDATE t SET n = (SELECT a FROM t WHERE id = 4) WHERE id = 5");
    for (change, stays) in [(two.as_str(), true), (one, false)] {
        let case = Case::new(&ten_rows(change), target, "[load.t]\n");
        let report = case.exits(0, &["--yes", "--detach", "always"]);
        assert_eq!(report["detached"].to_string().contains("wide"), !stays, "{report}");
    }
    // Where no row is that large, it goes and comes back.
    let target = format!("{plain}; CREATE INDEX wide ON t (a)");
    let case = Case::new(&ten_rows("UPDATE t SET a = hex(zeroblob(1200)) WHERE id = 6"), &target, "[load.t]\n");
    let report = case.exits(0, &["--yes", "--detach", "always"]);
    let objects: Vec<&str> =
        report["detached"].as_array().expect("detached").iter().filter_map(|d| d["object"].as_str()).collect();
    assert!(objects.contains(&"wide"), "{objects:?}");
}

#[test]
fn an_index_that_cannot_be_reattached_names_the_way_to_locate_the_row() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, a text, n int); CREATE INDEX inverse ON t ((100 / n))";
    let case = Case::new(&ten_rows("UPDATE t SET n = 0 WHERE id = 4"), target, "[load.t]\n");
    let report = case.exits(4, &["--yes", "--on-fault", "quarantine", "--detach", "always"]);
    let said = report["refusals"][0].to_string();
    for part in ["reattaching inverse on t", "22012", "`migrate rollback --yes`", "`--detach never`"] {
        assert!(said.contains(part), "{said}");
    }
    case.place.migrate(["rollback", "--yes", "-t", &case.target.url()]).exits(0);
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine", "--detach", "never"]);
    assert_eq!(faults(&report), [("t".to_owned(), 4, None, "server-refused".to_owned())]);
    assert_eq!(case.target.count("t"), 9);
    assert_eq!(case.target.value("SELECT count(*) FROM pg_indexes WHERE tablename = 't'"), "2");
}

#[test]
fn a_check_that_raises_an_error_is_reported_without_row_content() {
    let target =
        "CREATE TABLE t (id int PRIMARY KEY, a text CONSTRAINT counted CHECK (length(a) < 3 OR a::int > 0), n int)";
    let case = Case::new(&ten_rows("UPDATE t SET a = 'secret' WHERE id = 2"), target, "[load.t]\n");
    let ran = case.run(&["--dry-run"]);
    assert!(faults(&ran.json()).contains(&("t".to_owned(), 2, None, "server-refused".to_owned())), "{}", ran.said());
    assert!(!ran.said().contains("secret"), "{}", ran.said());
    let ran = case.run(&["--yes", "--on-fault", "quarantine"]);
    assert!(faults(&ran.json()).contains(&("t".to_owned(), 2, None, "server-refused".to_owned())), "{}", ran.said());
    assert!(!ran.said().contains("secret"), "{}", ran.said());
}
