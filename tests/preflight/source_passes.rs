//! The number of times that a command reads its source, by the bytes that the kernel counts for it.

use crate::support::case::Case;

const ROWS: usize = 60_000;

/// Runs a command and prints the bytes that it read from files. The shell gets the counts of a child with its exit status.
const COUNTED: &str = "\"$@\" >/dev/null 2>&1; code=$?
    while read -r what bytes; do [ \"$what\" = rchar: ] && echo \"$bytes\"; done </proc/$$/io; exit $code";

/// A source as frameworks write it, of more than SQLite's cache holds.
fn case() -> Case {
    // The ids of a much smaller table are counted first, to know how much there is to read.
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, made DATETIME, paid INTEGER, amount DECIMAL(12,2), note VARCHAR(255), old TEXT,
                         body TEXT);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
        INSERT INTO t SELECT i, '2026-01-02 03:04:05.678901', 1700000000 + i, i / 4.0, i, nullif(i % 3, 0),
                             printf('%.*c', 400, 'x') FROM n"
    );
    let target = "CREATE TABLE t (id serial PRIMARY KEY, made timestamp, paid timestamp, amount numeric(12,2),
        note varchar(255), body text)";
    Case::new(
        &source,
        target,
        "[load.t]\n[load.t.columns]\npaid = { epoch = \"s\" }\n[leave]\nt = { old = \"of no use\" }\n",
    )
}

/// The number of times that the bytes of the source were read.
fn passes(case: &Case, args: &[&str]) -> f64 {
    let size = std::fs::metadata(case.place.path("source.db")).expect("the source").len();
    let shell = case.place.run("sh", ["-c", COUNTED, "sh", env!("CARGO_BIN_EXE_migrate")]);
    let ran = shell.args(args).args(["-t", &case.target.url(), "--progress=none"]).exits(0);
    let bytes: u64 = ran.stdout.trim().parse().expect("a number of bytes");
    bytes as f64 / size as f64
}

#[test]
fn a_cutover_reads_its_source_once_before_the_first_write_and_once_while_it_loads() {
    let case = case();
    for (args, times) in
        [(&["--dry-run"][..], 1.0), (&["--yes"], 2.0), (&["status"], 0.0), (&["rollback", "--yes"], 1.0)]
    {
        let read = passes(&case, args);
        println!("{}: the source is read {read:.2} times", args.join(" "));
        assert!((times - 0.1..times + 0.2).contains(&read), "{} reads the source {read} times", args.join(" "));
    }
}

#[test]
fn values_of_a_column_that_stays_are_counted_with_the_rows_that_are_read() {
    let case = case();
    let counted = |report: serde_json::Value| {
        let left = report["left"].as_array().expect("columns that stay").clone();
        left.iter().map(|left| (left["column"].to_string(), left["rows"].as_u64())).collect::<Vec<_>>()
    };
    let expected = vec![("\"old\"".to_owned(), Some(40_000))];
    assert_eq!(counted(case.exits(0, &["--dry-run"])), expected);
    assert_eq!(counted(case.exits(0, &["--yes"])), expected);
    // Without a reading of its own rows, a verification counts them itself.
    assert_eq!(counted(case.exits(0, &["verify"])), expected);
}
