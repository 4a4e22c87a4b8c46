//! Source files that are damaged, locked or changing, end to end: the exit status, the message, and the rows written.

use std::fs;

use rusqlite::Connection;

use crate::support::case::Case;
use crate::support::tool::Ran;

/// A table of some thousand pages, in which a page is bad.
const LARGE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
    WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 20000) INSERT INTO t SELECT x, hex(randomblob(40)) FROM i;";

const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, a text)";

/// The cutover and the dry run are refused, say this, and leave the target and the folder as they were.
#[track_caller]
fn refused(case: &Case, says: &[&str]) {
    let (files, rows) = (bytes(case), case.target.inventory());
    for args in [&["--dry-run"][..], &["--yes"], &["--yes", "--on-fault", "quarantine"]] {
        let ran = case.run(args);
        assert_eq!(ran.code, 3, "{args:?}: {}", ran.said());
        ran.says(says);
        assert_eq!((bytes(case), case.target.inventory()), (files.clone(), rows.clone()), "{args:?}");
    }
}

/// The files in the case's folder.
fn bytes(case: &Case) -> Vec<(String, Vec<u8>)> {
    case.place
        .files()
        .into_iter()
        .map(|name| (name.clone(), fs::read(case.place.path(&name)).unwrap_or_default()))
        .collect()
}

#[test]
fn a_hot_journal_is_explained_and_the_proposed_remedy_works() {
    let case = Case::new(LARGE, TARGET, "[load.t]\n");
    let path = case.place.path("source.db");
    let writer = Connection::open(&path).expect("the source");
    writer.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET a = 'half'").expect("half a change");
    let half =
        (fs::read(&path).expect("the file"), fs::read(case.place.path("source.db-journal")).expect("its journal"));
    writer.execute_batch("ROLLBACK").expect("its end");
    drop(writer);
    case.place.write("source.db", &half.0);
    case.place.write("source.db-journal", &half.1);
    refused(&case, &["source.db-journal", "do not delete the journal"]);
    Connection::open(&path)
        .and_then(|db| db.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())))
        .expect("the remedy");
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT count(*) || ' ' || count(*) FILTER (WHERE a = 'half') FROM t"), "20000 0");
}

#[test]
fn a_locked_source_is_explained_and_read_after_its_release() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')",
        TARGET,
        "[load.t]\n",
    );
    let writer = Connection::open(case.place.path("source.db")).expect("the source");
    writer.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let ran = case.run(&["--yes"]);
    assert_eq!(ran.code, 3, "{}", ran.said());
    ran.says(&["another process holds a lock on it", "within 5.0s", "Stop the application"]);
    assert_eq!(case.target.inventory(), ["public", "public.t: 0"]);
    writer.execute_batch("ROLLBACK").expect("its end");
    case.exits(0, &["--yes"]);
}

/// Spoils a page of the table, far from its beginning.
fn spoil(case: &Case) {
    let path = case.place.path("source.db");
    let mut bytes = fs::read(&path).expect("the source");
    let leaves: Vec<usize> = (1..bytes.len() / 4096).filter(|n| bytes[n * 4096] == 13).collect();
    let page = leaves[leaves.len() * 3 / 4] * 4096;
    bytes[page + 8..page + 200].fill(0xff);
    fs::write(path, bytes).expect("the source");
}

#[test]
fn damage_in_the_middle_of_a_table_is_never_taken_for_its_end() {
    let case = Case::new(LARGE, TARGET, "[load.t]\n");
    spoil(&case);
    let says = ["source.db: is damaged", "database disk image is malformed"];
    let no_ledger = case.target.inventory();
    for args in [&["--dry-run"][..], &["--yes"], &["--yes", "--on-fault=quarantine"]] {
        let ran = case.run(args);
        assert_eq!(ran.code, 3, "{}", ran.said());
        ran.says(&says);
        assert_eq!(case.target.inventory(), no_ledger);
    }
    // A query is read as it is written: what came before the damage is undone with its transaction.
    let by_sql = "[load.t]\nfrom = { sql = \"SELECT id, a FROM t\" }\n";
    for mapping in ["[load.t]\n", by_sql] {
        let case = Case::new(LARGE, TARGET, mapping);
        spoil(&case);
        for _ in 0..2 {
            let ran: Ran = case.run(&["--yes", "--skip-preflight", "--batch-rows", "1000", "--detach", "never"]);
            assert_eq!(ran.code, 4, "{}", ran.said());
            ran.says(&says);
            let written = ran.json()["loads"][0]["written"].as_u64();
            assert_eq!(written, Some(case.target.count("t")), "what it says is written is there");
            assert!(case.target.count("t") < 20_000);
        }
    }
}

#[test]
fn a_source_replaced_during_the_read_is_reported_at_the_end() {
    let case = Case::new(LARGE, TARGET, "[load.t]\n");
    case.place.write("other.db", fs::read(case.place.path("source.db")).expect("the source"));
    // The target itself holds the run up until the file is another one.
    let mut holder = case.target.client();
    holder.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(77)").expect("a lock");
    case.target.run(
        "CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END';
         CREATE TRIGGER waits BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION waits()",
    );
    case.place.write("migrate.toml", case.place.read("migrate.toml") + "triggers = \"fire\"\n");
    let child = case.place.migrate(["-t", &case.target.url(), "--json", "--yes"]).spawn();
    let mut watcher = case.target.client();
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted)";
    let began = std::time::Instant::now();
    while !watcher.query_one(waits, &[]).expect("locks").get::<_, bool>(0) {
        assert!(began.elapsed().as_secs() < 60, "no session waits for the table");
        std::thread::yield_now();
    }
    fs::rename(case.place.path("other.db"), case.place.path("source.db")).expect("another file");
    holder.batch_execute("COMMIT").expect("its end");
    let ran = Ran::of_child(child);
    assert_eq!(ran.code, 5, "{}", ran.said());
    let report = ran.json();
    let source = report["checks"].as_array().expect("checks").iter().find(|c| c["check"] == "source").expect("a check");
    assert_eq!(source["verdict"], "Differs", "{source}");
    assert_eq!(case.target.count("t"), 20_000, "the snapshot stayed what it was");
}

#[test]
fn a_table_without_rows_is_done_in_the_ledger() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u (id INTEGER PRIMARY KEY)";
    let target = format!("{TARGET}; CREATE TABLE u (id int PRIMARY KEY)");
    let case = Case::new(source, &target, "[load.t]\n[load.u]\nfrom = { sql = \"SELECT id FROM u\" }\n");
    let report = case.exits(0, &["--yes"]);
    for load in [&report["loads"][0], &report["loads"][1]] {
        assert_eq!((&load["state"], &load["read"], &load["written"]), (&"loaded".into(), &0.into(), &0.into()));
    }
    let batches = "SELECT string_agg(load || ' ' || read || ' ' || written || ' ' || (digest IS NOT NULL), ', ' ORDER BY load) FROM migrate.batch";
    assert_eq!(case.target.value(batches), "t 0 0 true, u 0 0 true");
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.part WHERE done"), "2");
    // A row that came since is another source: nothing was sent of it.
    Connection::open(case.place.path("source.db"))
        .and_then(|db| db.execute("INSERT INTO t VALUES (1, 'late')", []))
        .expect("a row");
    let report = case.exits(5, &["--yes"]);
    let differs: Vec<&str> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|c| c["verdict"] == "Differs")
        .filter_map(|c| c["check"].as_str())
        .collect();
    assert!(differs.contains(&"source"), "{report}");
}

#[test]
fn a_load_from_a_view_proposes_sql_and_the_proposal_works() {
    let source = "CREATE VIRTUAL TABLE F USING fts5(body); INSERT INTO F VALUES ('one'), ('two');
        CREATE VIRTUAL TABLE R USING rtree(id, x0, x1); INSERT INTO R VALUES (7, 1.5, 2.5);
        CREATE VIEW VV AS SELECT 9 AS id, 'seen' AS a";
    let target =
        format!("{TARGET}; CREATE TABLE r (id int PRIMARY KEY, x0 real, x1 real); CREATE TABLE v (id int, a text)");
    for (name, is) in [("F", "virtual table"), ("F_data", "shadow table"), ("VV", "view"), ("R", "virtual table")] {
        let case = Case::new(source, &target, &format!("[load.t]\nfrom = \"{name}\"\n"));
        let refusals = case.exits(3, &["--dry-run"])["refusals"].to_string();
        assert!(
            refusals.contains(&format!("`{name}` is a {is} of the source")) && refusals.contains("{ sql = "),
            "{refusals}"
        );
    }
    let mapping = "[load.t]\nfrom = { sql = \"SELECT rowid AS id, body AS a FROM F ORDER BY rowid\" }\n\
        [load.r]\nfrom = { sql = \"SELECT id, x0, x1 FROM R\" }\n[load.v]\nfrom = { sql = \"SELECT id, a FROM VV\" }\n";
    let case = Case::new(source, &target, mapping);
    case.exits(0, &["--dry-run"]);
    case.exits(0, &["--yes"]);
    let all = "SELECT (SELECT string_agg(t::text, '' ORDER BY id) FROM t) || (SELECT r FROM r)::text || (SELECT v FROM v)::text";
    assert_eq!(case.target.value(all), "(1,one)(2,two)(7,1.5,2.5)(9,seen)");
}

/// Four rows of which an index has two.
fn with_damaged_index(case: &Case) -> Connection {
    let db = Connection::open(case.place.path("source.db")).expect("the source");
    db.execute_batch(
        "CREATE INDEX by_a ON t (a); PRAGMA writable_schema = ON;
         CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'by_a';
         DELETE FROM sqlite_schema WHERE name = 'by_a'; PRAGMA writable_schema = RESET;
         INSERT INTO t VALUES (3, 'z'), (4, NULL);
         PRAGMA writable_schema = ON; INSERT INTO main.sqlite_schema SELECT * FROM kept; PRAGMA writable_schema = RESET",
    )
    .expect("a damaged index");
    db
}

#[test]
fn an_index_that_lacks_rows_is_refused_where_sql_of_the_mapping_may_read_it() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y');
        CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (1), (4)";
    let query = "[leave]\nu = \"old\"\n[load.t]\nfrom = { sql = \"SELECT id, a FROM t ORDER BY a\" }\n";
    let column =
        "[leave]\nt = \"old\"\n[load.u.columns]\na = { sql = \"(SELECT a FROM t WHERE t.a >= '' AND t.id = u.id)\" }\n";
    let targets = format!("{TARGET}; CREATE TABLE u (id int PRIMARY KEY, a text)");
    for mapping in [query, column] {
        let case = Case::new(source, &targets, mapping);
        let db = with_damaged_index(&case);
        refused(&case, &["source table `t`: does not agree with its indexes", "index by_a", "run REINDEX"]);
        db.execute_batch("REINDEX").expect("the remedy");
        case.exits(0, &["--yes"]);
    }
    // A load of the table itself, and an expression over its own row, read no index.
    let own = "[leave]\nu = \"old\"\n[load.t.columns]\na = { sql = \"a || '!'\" }\n";
    let case = Case::new(source, &targets, own);
    with_damaged_index(&case);
    case.exits(0, &["--yes"]);
    assert_eq!(case.ids("t"), [1, 2, 3, 4]);
}

#[test]
fn damage_in_a_table_that_stays_in_the_source_is_a_warning() {
    let counted = LARGE.replace("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT");
    let source =
        format!("CREATE TABLE kept (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO kept VALUES (1, 5); {counted}");
    let case =
        Case::new(&source, "CREATE TABLE kept (id int PRIMARY KEY, a text)", "[leave]\nt = \"old\"\n[load.kept]\n");
    spoil(&case);
    for args in [&["--dry-run"][..], &["--yes"]] {
        let report = case.exits(0, args);
        let left = &report["left"][0];
        assert_eq!((&left["table"], &left["rows"]), (&"t".into(), &serde_json::Value::Null));
        let warned = report["warnings"].to_string();
        assert!(
            warned.contains("the number of its rows cannot be determined") && warned.contains("is damaged"),
            "{warned}"
        );
    }
    assert_eq!(case.ids("kept"), [1]);
}

#[test]
fn a_column_that_only_its_application_can_compute_stops_no_run() {
    let plain = "CREATE TABLE t (id int PRIMARY KEY, a text)";
    let computed = "CREATE TABLE t (id int PRIMARY KEY, a text, g text GENERATED ALWAYS AS (a || '!') STORED)";
    for (target, mapping) in [(plain, "[leave]\nt.g = \"computed\"\n[load.t]\n"), (computed, "[load.t]\n")] {
        let case = Case::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')",
            target,
            mapping,
        );
        let db = Connection::open(case.place.path("source.db")).expect("the source");
        let flags = rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
        db.create_scalar_function("own", 1, flags, |context| context.get::<String>(0)).expect("a function");
        db.execute_batch("ALTER TABLE t ADD COLUMN g STRING AS (own(a))").expect("a column");
        drop(db);
        for args in [&["--dry-run"][..], &["--yes"]] {
            let report = case.exits(0, args);
            let said = [report["warnings"].to_string(), report["checks"].to_string()].concat();
            assert!(said.contains("function: own"), "{args:?}: {report}");
        }
        assert_eq!(case.ids("t"), [1]);
    }
}
