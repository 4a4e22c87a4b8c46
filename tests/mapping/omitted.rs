//! Unmapped tables and columns, omitted ones, and triggers of the target.

use super::{entry, mapped, remap};

const SOURCE: &str = "CREATE TABLE kept (id INTEGER PRIMARY KEY, a TEXT, colour TEXT); INSERT INTO kept VALUES (1, 'x', 'red'), (2, 'y', NULL); \
    CREATE TABLE other (id INTEGER PRIMARY KEY, b TEXT); INSERT INTO other VALUES (1, 'p'), (2, 'q'), (3, 'r'); CREATE VIEW seen AS SELECT a FROM kept;";

const TARGET: &str = "CREATE TABLE kept (id int PRIMARY KEY, a text); CREATE TABLE other (id int PRIMARY KEY, b text)";

#[test]
fn unmapped_tables_and_columns_are_refused_all_at_once() {
    let case = mapped(SOURCE, TARGET, "[load.kept]\nowner = false\n");
    case.refused(&[
        "source.kept.colour",
        "no load reads this column",
        "source.other",
        "no load reads this table",
        "[leave]",
    ]);
}

#[test]
fn unmapped_tables_and_columns_are_omitted_and_counted_on_request() {
    let case = mapped(
        SOURCE,
        TARGET,
        "[defaults]\nunlisted_tables = \"leave\"\nunlisted_columns = \"leave\"\n[load.kept]\nowner = false\n",
    );
    let report = case.done();
    assert_eq!(entry(&report, "left", "table", "other")["rows"], 3);
    let colour = entry(&report, "left", "column", "colour");
    assert_eq!(
        (&colour["table"], &colour["rows"]),
        (&"kept".into(), &1.into()),
        "of a column, the rows in which it is not NULL"
    );
    assert_eq!((case.target.count("kept"), case.target.count("other")), (2, 0));
    assert_eq!(entry(&report, "not_tables", "name", "seen")["kind"], "view");
}

#[test]
fn unmapped_tables_and_columns_are_copied_on_request_if_the_target_has_them() {
    let mapping = "[defaults]\nunlisted_tables = \"copy\"\n[leave]\nkept.colour = \"a theme\"\n";
    let case = mapped(SOURCE, TARGET, mapping);
    case.done();
    assert_eq!((case.target.count("kept"), case.target.count("other")), (2, 3));
    let case = mapped(SOURCE, "CREATE TABLE kept (id int PRIMARY KEY, a text)", mapping);
    case.refused(&[
        "defaults.unlisted_tables",
        "the source's `other` cannot be copied: the target has no table of this name",
    ]);
    remap(&case, "[defaults]\nunlisted_columns = \"copy\"\n[load.kept]\n");
    case.command(&["--json", "--dry-run"]).exits(2).says(&["defaults.unlisted_columns", "\"refuse\" or \"leave\""]);
}

#[test]
fn omissions_are_reported_with_reason_and_rows_and_unknown_names_warned_of() {
    let leave = "[leave]\nother = \"never read\"\nothr = \"missing\"\nkept = { colour = \"a theme\", size = \"missing\" }\n[load.kept]\nowner = false\n";
    let case = mapped(SOURCE, TARGET, leave);
    let report = case.done();
    let other = entry(&report, "left", "table", "other");
    assert_eq!((&other["rows"], &other["reason"]), (&3.into(), &"never read".into()));
    assert_eq!(entry(&report, "left", "column", "colour")["rows"], 1);
    let words = |place: &str| entry(&report, "warnings", "place", place)["message"].to_string();
    assert!(words("leave.othr (line 8)").contains("Did you mean `other`?"));
    assert!(words("leave.kept.size (line 9)").contains("`kept` has no column `size`"));
    remap(&case, &leave.replace("never read", " "));
    case.command(&["--json", "--dry-run"]).exits(2).says(&["leave.other", "needs a reason in words"]);
}

#[test]
fn an_object_both_omitted_and_loaded_is_refused() {
    let case = mapped(
        SOURCE,
        TARGET,
        "[leave]\nother = \"no\"\nkept.a = \"no\"\nkept.colour = \"no\"\n[load.kept]\n[load.other]\n",
    );
    case.refused(&["leave.other", "leave.kept.a", "is named in [leave] and read by a load as well"]);
}

const STAMPING: &str = "CREATE TABLE kept (id int PRIMARY KEY, a text); \
    CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := upper(NEW.a); RETURN NEW; END $$; \
    CREATE TRIGGER shout BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION shout(); \
    CREATE TRIGGER quiet BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION shout(); ALTER TABLE kept DISABLE TRIGGER quiet;";

#[test]
fn triggers_are_disabled_during_the_load_and_restored_afterwards() {
    let mapping = "[leave]\nother = \"no\"\nkept.colour = \"no\"\n[load.kept]\nowner = false\ntriggers = \"off\"\n";
    let state = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";
    let case = mapped(SOURCE, STAMPING, mapping);
    let before = case.rows(state);
    case.done();
    assert_eq!(
        (case.rows("SELECT a FROM kept ORDER BY id"), case.rows(state)),
        (vec!["x".into(), "y".into()], before.clone())
    );
    let case = mapped(SOURCE, STAMPING, &mapping.replace("\"off\"", "\"fire\""));
    let report = case.done();
    assert_eq!((case.rows("SELECT a FROM kept ORDER BY id"), case.rows(state)), (vec!["X".into(), "Y".into()], before));
    let content =
        report["checks"].as_array().into_iter().flatten().find(|c| c["check"] == "content" && c["load"] == "kept");
    assert_eq!(content.map(|c| c["verdict"].clone()), Some("NotChecked".into()), "{}", report["checks"]);
}

#[test]
fn copying_unlisted_tables_omits_the_table_that_a_load_fills_already() {
    let source = "CREATE TABLE kept (id INTEGER, a TEXT); INSERT INTO kept VALUES (1, 'x'), (2, 'y');";
    let mapping = "[defaults]\nunlisted_tables = \"copy\"\n[load.some]\nto = \"kept\"\nfrom = { sql = \"SELECT id, a FROM kept WHERE id > 1\" }\n";
    let case = mapped(source, "CREATE TABLE kept (id int, a text)", mapping);
    case.done();
    assert_eq!(case.rows("SELECT id, a FROM kept"), ["2 y"]);
}

#[test]
fn copying_unlisted_tables_omits_a_table_that_sql_reads_and_lists_it() {
    let source = "CREATE TABLE kept (id INTEGER, kind INTEGER); CREATE TABLE kinds (id INTEGER, name TEXT);
        INSERT INTO kept VALUES (1, 7), (2, 8); INSERT INTO kinds VALUES (7, 'x'), (8, 'y'), (9, 'z');";
    let target = "CREATE TABLE kept (id int, kind text); CREATE TABLE kinds (id int, name text)";
    let mapping = "[defaults]\nunlisted_tables = \"copy\"\n[load.kept.columns]
        kind = { sql = \"(SELECT name FROM kinds WHERE kinds.id = kind)\" }\n";
    let case = mapped(source, target, mapping);
    let report = case.done();
    assert_eq!((case.rows("SELECT * FROM kept"), case.target.count("kinds")), (vec!["1 x".into(), "2 y".into()], 0));
    let left = entry(&report, "left", "table", "kinds");
    assert_eq!(
        (&left["rows"], &left["reason"]),
        (&3.into(), &"load.kept reads it in SQL, so that it is not copied".into())
    );
    let case = mapped(source, target, &format!("{mapping}[load.kinds]\n"));
    assert!(case.exits(0, &["--dry-run"])["left"].to_string().len() < 3);
}

#[test]
fn rows_that_a_query_leaves_out_of_a_table_that_it_alone_reads_are_counted() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE u (id INTEGER PRIMARY KEY);
        INSERT INTO t VALUES (1), (2), (3); INSERT INTO u VALUES (1), (2);";
    let target = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (id int)";
    let query = "[load.t]\nfrom = { sql = \"SELECT id FROM t WHERE id > 2\" }\n[load.u]\n";
    for dry in [true, false] {
        let case = mapped(source, target, query);
        let report = case.exits(0, &[if dry { "--dry-run" } else { "--yes" }]);
        let left = entry(&report, "left", "table", "t");
        assert_eq!((&left["rows"], &left["column"]), (&2.into(), &serde_json::Value::Null), "{report}");
        assert_eq!(left["reason"], "the SQL of load.t returns 1 for its 3 rows");
    }
    // Another load reads the rest, or the query returns every row.
    for rest in ["[load.v]\nfrom = \"t\"\n", "[load.v]\nfrom = { sql = \"SELECT id FROM t WHERE id <= 2\" }\n"] {
        let report = mapped(source, target, &format!("{query}{rest}")).done();
        assert_eq!(report["left"].as_array().map(Vec::len), Some(0), "{report}");
    }
    let report = mapped(source, target, &query.replace("> 2", "> 0")).done();
    assert_eq!(report["left"].as_array().map(Vec::len), Some(0), "{report}");
}

#[test]
fn many_refusals_of_one_kind_are_one_with_a_list() {
    let tables = |names: &[&str]| {
        names.iter().map(|n| format!("CREATE TABLE {n} (id INTEGER PRIMARY KEY, a TEXT);")).collect::<String>()
    };
    let source = tables(&["a", "b", "c", "d", "e", "f", "g"]);
    let loads = |names: &[&str]| names.iter().map(|n| format!("[load.{n}]\n")).collect::<String>();
    let refusals = |target: &str, mapping: &str| {
        let report = mapped(&source, target, mapping).exits(3, &["--dry-run"]);
        report["refusals"]
            .as_array()
            .expect("refusals")
            .iter()
            .map(|r| r["reason"].as_str().expect("a reason").to_owned())
            .collect::<Vec<_>>()
    };
    let all = ["a", "b", "c", "d", "e", "f", "g"];
    // Most tables are missing: everything else follows from it.
    let found = refusals(&tables(&["a", "b", "c"]), &loads(&all));
    assert_eq!(found, ["4 of 7 tables are missing in `public`; did its migrations finish? Missing: d, e, f, g"]);
    let copied = refusals(&tables(&["a", "b", "c"]), "[defaults]\nunlisted_tables = \"copy\"\n");
    assert_eq!(copied, found);
    assert_eq!(refusals(&tables(&["a", "b", "c", "d"]), &loads(&all)), ["3 tables are missing: e, f, g"]);
    let found = refusals(&tables(&all), &loads(&["a", "b", "c", "d"]));
    assert_eq!(found, ["no load reads 3 tables: e, f, g"]);
    let narrow = tables(&all).replace("a TEXT", "b TEXT NOT NULL");
    let found = refusals(&narrow, &loads(&all));
    assert_eq!(found[0], "no load reads 7 columns: a.a, b.a, c.a, d.a, e.a, f.a, g.a");
    assert!(
        found[1].starts_with("7 columns are NOT NULL without a default, and nothing feeds them: a.b, b.b,"),
        "{found:?}"
    );
    // Two of a kind are listed one by one, each with its own way out.
    assert_eq!(refusals(&tables(&all), &loads(&["a", "b", "c", "d", "e"])).len(), 2);
}

#[test]
fn a_parent_is_loaded_before_rows_that_refer_to_it_by_a_default() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY, w TEXT); CREATE TABLE kinds (id INTEGER PRIMARY KEY, w TEXT);
        INSERT INTO a VALUES (1, 'x'); INSERT INTO kinds VALUES (1, 'k');";
    let target = "CREATE TABLE kinds (id int PRIMARY KEY, w text);
        CREATE TABLE a (id int PRIMARY KEY, w text, kind_id int NOT NULL DEFAULT 1 REFERENCES kinds)";
    let case = mapped(source, target, "[load.a.columns]\nkind_id = { omit = true }\n[load.kinds]\n");
    case.done();
    assert_eq!(case.rows("SELECT a.w, k.w FROM a JOIN kinds k ON k.id = kind_id"), ["x k"]);
}

#[test]
fn a_default_closes_a_circle_and_a_null_opens_it() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER);
        INSERT INTO a VALUES (1); INSERT INTO b VALUES (2, 1);";
    let target = "CREATE TABLE a (id int PRIMARY KEY, b_id int DEFAULT 2);
        CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b";
    let case = mapped(source, target, "[load.a.columns]\nb_id = { omit = true }\n[load.b]\n");
    // The default refers to a row of b, so the key of b is detached.
    let report = case.done();
    assert_eq!(report["detached"].as_array().map(Vec::len), Some(1), "{}", report["detached"]);
    assert_eq!(case.rows("SELECT a.id, b_id, a_id FROM a JOIN b ON b.id = b_id"), ["1 2 1"]);
    let case = mapped(source, target, "[load.a.columns]\nb_id = { value = { null = true } }\n[load.b]\n");
    assert_eq!(case.done()["detached"], serde_json::json!([]));
}
