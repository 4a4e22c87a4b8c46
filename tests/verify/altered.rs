//! A target that the application has migrated since the run: what was sent is compared by value, what came later or cannot
//! be compared is named, and the run can be rolled back.

use serde_json::Value;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::tool::Ran;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT, n NUMERIC, r REAL, c TEXT, e TEXT, at TEXT);
    INSERT INTO t VALUES (1, 'one', 1.5, 0.1, 'ab', 'sad', '2024-02-29 10:00:00.5'),
        (2, 'two', -20, 0, '', 'ok', NULL), (3, 'three', 0, 1e-3, 'abcd', NULL, '1999-12-31')";
const TARGET: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE t (id int PRIMARY KEY, w varchar(10), n numeric(10,2), r real, c char(4), e mood, at timestamp(3))";

/// A table that is sent as text, because only the server knows the bytes of `money`.
const PRICES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT, n NUMERIC, r REAL, m TEXT);
    INSERT INTO t VALUES (1, 'one', 1.5, 0.1, '1.20'), (2, 'two', -20, 0, '7.30'), (3, 'three', 0, 1e-3, NULL)";
const PRICES_TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, w varchar(10), n numeric(10,2), r real, m money)";

/// A later migration of the application, and the change of one value of a row after it.
const WIDER: [(&str, &str, &str); 13] = [
    ("ALTER TABLE t ADD COLUMN z text", "w = 'Two'", "w"),
    ("ALTER TABLE t ADD COLUMN z text DEFAULT 'x' NOT NULL", "n = -20.1", "n"),
    ("ALTER TABLE t ALTER w TYPE varchar(20)", "w = 'two '", "w"),
    ("ALTER TABLE t ALTER w TYPE text", "w = 'Two'", "w"),
    ("ALTER TABLE t ALTER n TYPE numeric(12,2)", "n = -20.01", "n"),
    ("ALTER TABLE t ALTER n TYPE numeric(14,4)", "n = -20.0001", "n"),
    ("ALTER TABLE t ALTER n TYPE numeric", "n = -20.0", "n"),
    ("ALTER TABLE t ALTER w SET NOT NULL", "w = 'Two'", "w"),
    ("ALTER TABLE t ALTER id TYPE bigint", "w = 'Two'", "w"),
    ("ALTER TABLE t ALTER r TYPE double precision", "r = '-0'", "r"),
    ("ALTER TABLE t ALTER c TYPE text", "c = ' '", "c"),
    ("ALTER TYPE mood ADD VALUE 'new' BEFORE 'sad'", "e = 'sad'", "e"),
    ("ALTER TABLE t ALTER at TYPE timestamp", "at = '2024-02-29 10:00:00.500001'", "at"),
];

struct Migrated {
    case: Case,
}

impl Migrated {
    fn new(source: &str, target: &str) -> Migrated {
        let case = Case::new(source, target, "[load.t]\n");
        case.done();
        Migrated { case }
    }

    /// A copy of the target after this statement.
    fn after(&self, sql: &str) -> Database {
        let copy = self.case.target.copy();
        copy.run(sql);
        copy
    }

    #[track_caller]
    fn exits(&self, target: &Database, code: i32, args: &[&str]) -> Ran {
        self.case.place.migrate(args).args(["--json", "-t", &target.url()]).exits(code)
    }
}

fn content(report: &Value, verdict: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks").iter();
    let found = checks.filter(|c| c["check"] == "content" && c["verdict"] == verdict);
    found.map(|c| c["why"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_column_that_was_widened_is_compared_by_value_and_the_run_can_be_rolled_back() {
    let migrated = Migrated::new(SOURCE, TARGET);
    for (sql, change, column) in WIDER {
        let target = migrated.after(sql);
        let report = migrated.exits(&target, 0, &["verify"]).json();
        let added = if sql.contains("ADD COLUMN") {
            vec!["column z: it was added after the run began".to_owned()]
        } else {
            vec![]
        };
        assert_eq!((content(&report, "NotChecked"), content(&report, "Same").len()), (added, 1), "{sql}: {report:#}");
        migrated.exits(&target, 0, &["--yes"]);
        target.run(&format!("UPDATE t SET {change} WHERE id = 2"));
        let report = migrated.exits(&target, 5, &["verify"]).json();
        let differs =
            report["checks"].as_array().expect("checks").iter().find(|c| c["verdict"] == "Differs").expect("one");
        let listed = &differs["differences"][0];
        let expected = if column.is_empty() { (Value::Null, Value::Null) } else { ("id=2".into(), column.into()) };
        assert_eq!((listed["key"].clone(), listed["column"].clone()), expected, "{sql}: {differs:#}");
        migrated.exits(&target, 3, &["rollback", "--yes"]);
        let target = migrated.after(sql);
        migrated.exits(&target, 0, &["rollback", "--yes"]);
        assert_eq!(target.count("t"), 0, "{sql}");
    }
}

#[test]
fn a_table_that_is_sent_as_text_is_verified_and_rolled_back_after_a_migration() {
    let migrated = Migrated::new(PRICES, PRICES_TARGET);
    for sql in ["ADD COLUMN z text", "ALTER id TYPE bigint", "ALTER n TYPE numeric(14,4)", "ALTER w TYPE text"] {
        let sql = format!("ALTER TABLE t {sql}");
        let target = migrated.after(&sql);
        let report = migrated.exits(&target, 0, &["verify"]).json();
        let unchecked = content(&report, "NotChecked");
        assert!(unchecked.iter().all(|why| why.contains("column z")), "{sql}: {unchecked:?}");
        for change in ["m = '7.31'", "r = 1"] {
            let target = migrated.after(&format!("{sql}; UPDATE t SET {change} WHERE id = 2"));
            let report = migrated.exits(&target, 5, &["verify"]).json();
            assert_eq!(content(&report, "Differs").len(), 1, "{sql}: {change}");
        }
        migrated.exits(&target, 0, &["rollback", "--yes"]);
        assert_eq!(target.count("t"), 0, "{sql}");
    }
    // Text becomes another double than the `real` that it became first.
    let target = migrated.after("ALTER TABLE t ALTER r TYPE double precision");
    migrated.exits(&target, 0, &["verify"]);
    migrated.exits(&target, 3, &["rollback", "--yes"]).says(&["column r has the type double precision now"]);
}

#[test]
fn a_sent_column_that_no_longer_exists_differs_by_name() {
    let of = |source, target, column| (Migrated::new(source, target), column);
    for (migrated, column) in [of(SOURCE, TARGET, "w"), of(PRICES, PRICES_TARGET, "m")] {
        let target = migrated.after(&format!("ALTER TABLE t DROP COLUMN {column}"));
        let report = migrated.exits(&target, 5, &["verify"]).json();
        let missing = format!("column {column}: it was sent, and the table no longer has it");
        assert_eq!(content(&report, "Differs"), std::slice::from_ref(&missing), "{report:#}");
        // The others are compared.
        assert_eq!(content(&report, "Same").len(), 1, "{report:#}");
        target.run("UPDATE t SET n = 7 WHERE id = 2");
        let report = migrated.exits(&target, 5, &["verify"]).json();
        assert_eq!(content(&report, "Differs").len(), 2, "{report:#}");
        migrated.exits(&target, 3, &["rollback", "--yes"]).says(&[&format!("column {column} was sent")]);
        assert_eq!(target.count("t"), 3);
    }
}

#[test]
fn a_column_whose_new_type_may_change_values_is_named_and_the_others_are_compared() {
    let (plain, prices) = (Migrated::new(SOURCE, TARGET), Migrated::new(PRICES, PRICES_TARGET));
    for (migrated, sql, why) in [
        (
            &plain,
            "ALTER TABLE t ALTER w TYPE int USING length(w)",
            "column w: its type is integer now and was character varying(10)",
        ),
        (
            &plain,
            "ALTER TABLE t ALTER n TYPE numeric(10,1)",
            "column n: its type is numeric(10,1) now and was numeric(10,2)",
        ),
        (&plain, "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "column e: its type public.mood has other values now"),
        (&prices, "ALTER TABLE t ALTER m TYPE numeric", "column m: its type is numeric now and was money"),
    ] {
        let target = migrated.after(sql);
        let report = migrated.exits(&target, 0, &["verify"]).json();
        assert_eq!(content(&report, "NotChecked"), [why], "{report:#}");
        target.run("UPDATE t SET r = 7 WHERE id = 2");
        migrated.exits(&target, 5, &["verify"]);
        migrated.exits(&target, 3, &["rollback", "--yes"]);
    }
}

#[test]
fn rows_that_were_there_before_do_not_hide_a_change_in_an_altered_table() {
    let held = "INSERT INTO t (id, w) SELECT n, 'other' FROM generate_series(101, 120) AS n";
    let case = Case::new(SOURCE, &format!("{TARGET}; {held}"), "[load.t]\nexisting = \"append\"\n");
    case.done();
    case.target.run("ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE t ALTER w TYPE text");
    let migrated = Migrated { case };
    let target = migrated.after("UPDATE t SET w = 'mine' WHERE id = 101; INSERT INTO t (id) VALUES (500)");
    let report = migrated.exits(&target, 0, &["verify"]).json();
    assert_eq!(content(&report, "Same").len(), 1, "{report:#}");
    target.run("UPDATE t SET w = 'mine' WHERE id = 2");
    let report = migrated.exits(&target, 5, &["verify"]).json();
    let differs = report["checks"].as_array().expect("checks").iter().find(|c| c["verdict"] == "Differs").expect("one");
    assert_eq!(differs["differences"][0]["key"], "id=2");
    let target = migrated.after("SELECT 1");
    migrated.exits(&target, 0, &["rollback", "--yes"]);
    assert_eq!(target.count("t"), 20);
}

#[test]
fn a_changed_source_of_an_altered_table_is_reported_as_such() {
    let migrated = Migrated::new(SOURCE, TARGET);
    let target = migrated.after("ALTER TABLE t ALTER id TYPE bigint");
    let source = rusqlite::Connection::open(migrated.case.place.path("source.db")).expect("the source");
    source.execute_batch("UPDATE t SET w = 'new' WHERE id = 3").expect("changed");
    let report = migrated.exits(&target, 5, &["verify"]).json();
    assert_eq!(content(&report, "Differs"), Vec::<String>::new(), "{report:#}");
    let why = "columns of the table were changed since, and the source no longer produces the rows that were sent";
    assert_eq!(content(&report, "NotChecked"), [why]);
    assert!(report.to_string().contains("it cannot be computed whether the target holds what was sent"), "{report:#}");
}

#[test]
fn a_changed_mapping_is_refused_whatever_the_target_is() {
    let migrated = Migrated::new(SOURCE, TARGET);
    let target = migrated.after("ALTER TABLE t ALTER w TYPE text");
    let mapping = migrated.case.place.read("migrate.toml");
    migrated.case.place.write("migrate.toml", format!("{mapping}[load.t.columns]\nw = {{ trim = true }}\n"));
    for args in [&["verify"][..], &["rollback", "--yes"], &["--yes"]] {
        let said = ["the mapping is not what it was when rows of this load were written: column w changed"];
        migrated.exits(&target, 3, args).says(&said);
    }
}

#[test]
fn a_value_written_to_a_later_column_protects_its_row_from_rollback() {
    let migrated = Migrated::new(SOURCE, TARGET);
    let target = migrated.after("ALTER TABLE t ADD COLUMN z text; UPDATE t SET z = 'mine' WHERE id = 2");
    let report = migrated.exits(&target, 0, &["verify"]).json();
    assert_eq!(content(&report, "NotChecked").len(), 1);
    migrated.exits(&target, 3, &["rollback", "--yes"]).says(&["1 of its 3 rows", "the run did not send z"]);
    assert_eq!(target.count("t"), 3);
}
