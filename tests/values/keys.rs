//! Values that meet: the encoding of a whole file, keys that become equal by conversion, texts that are deep or long.

use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

/// One migration of the table `t` that quarantines bad rows.
fn moved(source: &str, target: &Database, dry: bool) -> Ran {
    let place = Place::new();
    sqlite::file(&place, "source.db", source);
    place.write(
        "migrate.toml",
        "format = 1\nname = \"keys\"\n[source]\npath = \"source.db\"\nzone = \"UTC\"\n[load.t]\n",
    );
    let args = ["--json", if dry { "--dry-run" } else { "--yes" }, "--on-fault", "quarantine", "-t", &target.url()];
    place.migrate(args).ran()
}

/// (rowid, reason) of each fault.
fn faults(ran: &Ran) -> Vec<(u64, String)> {
    let report = ran.json();
    let one = |f: &serde_json::Value| {
        (f["rowid"].as_u64().expect("a rowid"), f["reason"].as_str().expect("a reason").to_owned())
    };
    report["faults"].as_array().expect("faults").iter().map(one).collect()
}

#[test]
fn text_of_a_utf_16_file_arrives_and_a_lone_surrogate_is_reported() {
    for (encoding, half, odd) in [("UTF-16le", "00d8", "410042"), ("UTF-16be", "d800", "004100")] {
        // What SQLite makes of an odd byte at the end of its own text is the value: nothing.
        let source = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, b BLOB);
             INSERT INTO t VALUES (1, 'é✓👩', 'é'), (2, '', x'00e9'), (3, 'a' || char(0) || 'b', NULL),
                 (4, CAST(x'{half}' AS TEXT), NULL), (5, CAST(x'{odd}' AS TEXT), ''), (6, NULL, CAST(x'{half}' AS TEXT));"
        );
        let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v text, b bytea)");
        let ran = moved(&source, &target, false);
        assert_eq!(ran.code, 6, "{}", ran.said());
        let held = target.value("SELECT string_agg(concat_ws('=', id, v, b), ' ' ORDER BY id) FROM t");
        assert_eq!(held, "1=é✓👩=\\xc3a9 2==\\x00e9 5=A=\\x 6=\\xeda080", "{encoding}");
        assert_eq!(faults(&ran), [(3, "nul-in-text".to_owned()), (4, "not-utf8".to_owned())]);
    }
}

#[test]
fn duplicates_that_conversion_makes_are_the_later_rows() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME UNIQUE);
                  INSERT INTO t VALUES (1, '2025-01-01T08:00:00'), (2, '2025-01-01 08:00:00'), (3, '2025-01-01 08:00:01');";
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, at timestamp UNIQUE)");
    for dry in [true, false] {
        let ran = moved(source, &target, dry);
        assert_eq!((ran.code, faults(&ran)), (6, vec![(2, "duplicate".to_owned())]), "{}", ran.said());
    }
}

#[test]
fn letters_equal_only_on_the_target_are_one_key() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE UNIQUE);
                  INSERT INTO t VALUES (1, 'A'), (2, 'É'), (3, 'é'), (4, 'b');";
    let target = Database::with(
        "CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, v citext UNIQUE);
         CREATE TABLE folds AS SELECT 'É'::citext = 'é'::citext AS is_same",
    );
    let ran = moved(source, &target, false);
    // Whether É is é is the database's own locale's to say; what it says is named, never lost.
    let both = target.value("SELECT is_same FROM folds") == "true";
    let expected = if both { vec![(3, "duplicate".to_owned())] } else { Vec::new() };
    assert_eq!((ran.code, faults(&ran)), (if both { 6 } else { 0 }, expected), "{}", ran.said());
    assert_eq!(target.count("t"), if both { 3 } else { 4 });
    let binary = source.replace(" COLLATE NOCASE", "").replace("'b'", "'a'");
    let target = Database::with("CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, v citext UNIQUE)");
    let ran = moved(&binary, &target, false);
    let mut expected = if both { vec![(3, "duplicate".to_owned())] } else { Vec::new() };
    expected.push((4, "duplicate".to_owned()));
    assert_eq!((ran.code, faults(&ran)), (6, expected), "{}", ran.said());
}

#[test]
fn trailing_blanks_of_a_key_count_in_text_and_not_in_char() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE);
                  INSERT INTO t VALUES (1, 'x'), (2, 'x '), (3, 'x  '), (4, ' x');";
    for (kind, lost) in [("text", vec![]), ("varchar(3)", vec![]), ("char(3)", vec![2, 3])] {
        let lost: Vec<(u64, String)> = lost.into_iter().map(|id| (id, "duplicate".to_owned())).collect();
        for dry in [true, false] {
            let target = Database::with(&format!("CREATE TABLE t (id int PRIMARY KEY, v {kind} UNIQUE)"));
            let ran = moved(source, &target, dry);
            let code = if lost.is_empty() { 0 } else { 6 };
            assert_eq!((ran.code, faults(&ran)), (code, lost.clone()), "{kind}: {}", ran.said());
            assert_eq!(target.count("t"), if dry { 0 } else { 4 - lost.len() as u64 });
        }
    }
}

#[test]
fn json_of_200_levels_arrives_and_of_20000_is_reported_by_a_dry_run_too() {
    let deep = |n: u32| format!("replace(hex(zeroblob({n})), '00', '[') || replace(hex(zeroblob({n})), '00', ']')");
    let source = |levels: u32| {
        let (some, most) = (deep(200), deep(levels));
        format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, {some}), (2, {most}), (3, {}), (4, '[]');",
            deep(101)
        )
    };
    let named = vec![(2, "too-deep".to_owned())];
    for kind in ["jsonb", "json"] {
        let target = Database::with(&format!("CREATE TABLE t (id int PRIMARY KEY, v {kind})"));
        // How much of its stack a level takes is the server's build's to say.
        let takes = |levels: &u32| {
            let sql = format!("SELECT (repeat('[', {levels}) || repeat(']', {levels}))::{kind}");
            target.client().batch_execute(&sql).is_ok()
        };
        let too_deep =
            source([20_000, 60_000, 200_000].into_iter().find(|n| !takes(n)).expect("a depth that is too deep"));
        let dry = moved(&too_deep, &target, true);
        assert_eq!((dry.code, faults(&dry)), (6, named.clone()), "{}", dry.said());
        assert_eq!((&dry.json()["faults"][0]["column"], target.count("t")), (&"v".into(), 0));
        let ran = moved(&too_deep, &target, false);
        assert_eq!((ran.code, faults(&ran)), (6, named.clone()), "{}", ran.said());
        assert_eq!(target.value("SELECT string_agg(length(v::text)::text, ' ' ORDER BY id) FROM t"), "400 202 2");
    }
    // How deep is too deep is the server's to say: where it has the stack, all of it arrives.
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v jsonb)");
    target.run(&format!("ALTER DATABASE {} SET max_stack_depth = '7MB'", target.name()));
    for dry in [true, false] {
        let ran = moved(&source(20_000), &target, dry);
        assert_eq!((ran.code, faults(&ran)), (0, Vec::new()), "{}", ran.said());
    }
    assert_eq!(target.count("t"), 4);
}

#[test]
fn deep_json_in_arrays_and_text_loads_is_reported_before_and_during_the_run() {
    let deep = "replace(hex(zeroblob(20000)), '00', '[') || replace(hex(zeroblob(20000)), '00', ']')";
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, b TEXT); INSERT INTO t VALUES (1, '[' || {deep} || ']', '1'), (2, '[1]', '0');"
    );
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v jsonb[], b text)");
    for dry in [true, false] {
        let ran = moved(&source, &target, dry);
        assert_eq!((ran.code, faults(&ran)), (6, vec![(1, "too-deep".to_owned())]), "{}", ran.said());
    }
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v jsonb[], b bit)");
    for dry in [true, false] {
        let ran = moved(&source, &target, dry);
        assert_eq!((ran.code, faults(&ran)), (6, vec![(1, "too-deep".to_owned())]), "{}", ran.said());
    }
}

#[test]
fn keys_of_every_storage_class_are_read_in_the_order_of_the_source() {
    let source = "CREATE TABLE t (k PRIMARY KEY, n INTEGER) WITHOUT ROWID;
                  INSERT INTO t VALUES ('a', 1), (1, 2), ('B', 3), (2.5, 4), ('é', 5), (-9223372036854775807, 6), ('', 7),
                  (x'00', 8), (x'616263', 9);";
    let target = Database::with("CREATE TABLE t (k text PRIMARY KEY, n int)");
    let place = Place::new();
    sqlite::file(&place, "source.db", source);
    place.write("migrate.toml", "format = 1\nname = \"keys\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    // One row per batch: every key is a point to continue from.
    let ran = place
        .migrate(["--yes", "--json", "--on-fault", "quarantine", "--batch-rows", "1", "-t", &target.url()])
        .exits(6);
    assert_eq!(target.value("SELECT string_agg(n::text, '' ORDER BY n) FROM t"), "1234567");
    assert_eq!(ran.json()["fault_total"], 2);
    let lines = place.read("migrate-faults.ndjson");
    assert!([r#"{"blob":"00"}"#, r#"{"blob":"616263"}"#].iter().all(|key| lines.contains(key)), "{lines}");
}

#[test]
fn a_key_too_large_for_its_index_is_found_before_and_during_the_run() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
                  INSERT INTO t VALUES (1, hex(randomblob(4000))), (2, hex(zeroblob(4000))), (3, 'short');";
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)");
    let dry = moved(source, &target, true);
    assert_eq!((dry.code, faults(&dry)), (6, vec![(1, "index-row-too-large".to_owned())]), "{}", dry.said());
    // Its index is unique and stays attached, or it is detached for the load.
    let plain = Database::with("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE INDEX t_v_key ON t (v)");
    for target in [target, plain] {
        let ran = moved(source, &target, false);
        assert_eq!((ran.code, faults(&ran)), (6, vec![(1, "index-row-too-large".to_owned())]), "{}", ran.said());
        assert!(ran.json()["faults"].to_string().contains("constraint t_v_key"), "{}", ran.said());
        assert_eq!(target.count("t"), 2);
        assert_eq!(target.value("SELECT count(*) FROM pg_indexes WHERE tablename = 't'"), "2");
    }
}
