//! The proof of translated expressions: equal values are counted, and each difference is listed by its row.

use migrate::pg::connect::{Environment, Patience, ReadOnly, resolve};
use migrate::pg::proof::{ProvedExpression, ProvedTable};
use migrate::pg::{Session, SessionRequest};

use super::Case;

const SOURCE: &str =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE CONSTRAINT named CHECK (length(trim(name)) > 0),
                     qty INT DEFAULT 0x1F CHECK (qty BETWEEN 0 AND 10), flag BOOLEAN DEFAULT 1, ratio REAL,
                     label TEXT GENERATED ALWAYS AS (upper(name) || '-' || qty) STORED, half AS (ratio / 2.0),
                     word TEXT DEFAULT \"plain\", at DATETIME DEFAULT CURRENT_TIMESTAMP, CHECK (name <> \"Zoé\" OR flag));
     INSERT INTO t (name, qty, flag, ratio) VALUES ('ann', 3, 1, 0.1), ('Élan', NULL, 0, NULL), (NULL, 0, 1, -1.5);
     CREATE INDEX by_name ON t (lower(name), qty DESC) WHERE flag AND qty > 0;
     CREATE TABLE pairs (a TEXT, n INT, PRIMARY KEY (a, n), CHECK (n % 2 = 0)) WITHOUT ROWID;
     INSERT INTO pairs VALUES ('x', 2), ('y', 4);";

#[test]
fn equal_expressions_are_counted_in_the_file_and_on_stdout() {
    let case = Case::new(SOURCE);
    let ran = case.command(&["--prove", "-o", "schema.sql"]).exits(0);
    let words: String = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("Proved: 5 rows arrived, and 12 expressions and defaults are equal; 1 not compared"),
        "{words}"
    );
    let text = case.place.read("schema.sql");
    case.target.run(&text);
    let comments: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("--")).collect();
    let comments = comments.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "kept: CHECK named; equal on 3 rows",
        "kept: generated column label; equal on 3 rows",
        "kept: index by_name; equal on 3 rows",
        "for its collation; equal on 3 rows",
        "CHECK of the table; equal on 3 rows",
        "equal on 2 rows",
        "DEFAULT 31; equal",
        "not compared",
    ] {
        assert!(comments.contains(part), "`{part}` is missing in:\n{text}");
    }
    // With an owner, the rows get one that the proof makes.
    case.command(&["--prove", "--owner", "users", "--keys", "owned"]).exits(0).says(&["Proved: 5 rows arrived"]);
    let ran = case.command(&["--prove", "--json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(json["proof"]["rows"], 5);
    let proofs = json["objects"].as_array().expect("objects").iter().filter(|object| !object["proof"].is_null());
    let named: Vec<_> = proofs.filter(|object| object["name"] == "named").map(|object| &object["proof"]).collect();
    assert_eq!(named, [&serde_json::json!({ "equal-rows": 3 })]);
}

#[test]
fn a_row_on_which_postgresql_differs_is_named_and_ends_in_exit_5() {
    // SQLite computes a double where the sum leaves the range of an integer, and PostgreSQL an error.
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, qty INT CHECK (qty * 2 > 0), CHECK (qty <> 7));
         INSERT INTO t VALUES (1, 4), (12, 5000000000000000000), (13, NULL);
         CREATE TABLE loose (note TEXT, n INT);
         INSERT INTO loose VALUES ('x', 1), ('y', 9223372036854775807);
         CREATE INDEX by_sum ON loose (n + 1);",
    );
    let ran = case.command(&["--prove", "-o", "schema.sql", "--mapping", "migrate.toml"]).exits(5);
    ran.says(&[
        "CHECK qty of `t`: PostgreSQL has another value than SQLite, or an error (SQLSTATE 22003",
        "on 1 of 3 rows: rowid 12",
        "index by_sum of `loose`",
        "on 1 of 2 rows: rowid 2",
        "Write the file without --prove",
    ]);
    assert!(!ran.stderr.contains("of the table"), "{}", ran.stderr);
    assert!(!case.place.path("schema.sql").exists() && !case.place.path("migrate.toml").exists());
}

#[test]
fn a_wrong_translation_is_found_on_each_row_where_it_is_wrong() {
    let case = Case::new("CREATE TABLE t (a)");
    case.target.run(
        "CREATE TABLE t (name text, proof_1 text, proof_2 boolean, label text);
         INSERT INTO t VALUES ('Élan', 'Élan', true, 'rowid 1'), ('ANN', 'ann', false, 'rowid 2'), (NULL, NULL, NULL, 'rowid 3'),
                              ('x', 'x', NULL, 'rowid 4')",
    );
    let settings = resolve(Some(&case.target.url()), &Environment::new(std::iter::empty(), None, None)).expect("a URL");
    let request = SessionRequest { schema: "public", ledger_schema: "migrate", read_only: ReadOnly(true) };
    let mut session = Session::open(&settings, &request, Patience::NONE, &mut |_, _| false).expect("a session");
    let expression = |column: &str, sql: &str| ProvedExpression { column: column.to_owned(), sql: sql.to_owned() };
    let table = ProvedTable { schema: "public", table: "t", label: Some("label") };
    let exact = "lower(name COLLATE \"C\")";
    let wrong = "upper(name)";
    let all =
        [expression("proof_1", exact), expression("proof_1", wrong), expression("proof_2", "name > 'B' COLLATE \"C\"")];
    let found = session.prove(&table, &all).expect("an answer");
    let labels: Vec<String> = found.expressions.iter().map(|found| found.labels.join(", ")).collect();
    let counts: Vec<u64> = found.expressions.iter().map(|found| found.count).collect();
    assert_eq!((found.rows, counts), (4, vec![0, 3, 1]));
    assert_eq!(labels, ["", "rowid 1, rowid 2, rowid 4", "rowid 4"]);
}

#[test]
fn both_files_are_written_or_neither() {
    let case = Case::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    case.command(&["-o", "missing/schema.sql", "--mapping", "migrate.toml"]).exits(3);
    assert!(!case.place.path("migrate.toml").exists());
}

#[test]
fn a_rehearsal_makes_and_proves_its_own_tables() {
    let case = Case::new(SOURCE);
    case.command(&["--owner", "users.username=ann", "--mapping", "migrate.toml"]).exits(0);
    let mapping = case.place.read("migrate.toml");
    let with = |name: &str, lines: &str| {
        case.place.write(name, mapping.replace("ddl = \"auto\"", lines));
        case.place.migrate(["rehearse", "-m", name])
    };
    with("auto.toml", "ddl = \"auto\"").exits(0).says(&[
        "the tables were made from the source. Proved: 5 rows arrived, and 12 expressions and",
        "Rehearsed and verified",
    ]);
    with("wrong.toml", "ddl = \"schema.sql\"").exits(2).says(&["a list of files or \"auto\" is expected"]);
    with("other.toml", "schema = \"app\"\nddl = \"auto\"").exits(2).says(&["makes the tables in the schema public"]);
}

#[test]
fn a_rehearsal_ends_in_exit_5_if_an_expression_differs() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT CHECK (n + 1 > 0)); INSERT INTO t VALUES (4, 9223372036854775807);",
    );
    let mapping = "format = 1\nname = \"m\"\n[source]\npath = \"app.db\"\n[target]\nddl = \"auto\"\n[load.t]\n";
    case.place.write("migrate.toml", mapping);
    case.place.migrate(["rehearse", "-m", "migrate.toml"]).exits(5).says(&["CHECK n of `t`", "rowid 4"]);
}
