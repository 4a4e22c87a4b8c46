//! Sequences while an application draws from them, and counts of quarantined rows over a broken connection.

use crate::chaos::proxy::{Fault, How, Proxy};
use crate::support::case::Case;
use crate::support::postgres::{self, Database};
use crate::support::read_repo;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
    INSERT INTO t VALUES (1, 1), (2, -1), (3, 3), (4, -1), (5, 5)";

#[test]
fn a_sequence_never_moves_back_while_an_application_draws_from_it() {
    let target = "CREATE TABLE t (id serial PRIMARY KEY, n int); CREATE TABLE before (id serial PRIMARY KEY, n int)";
    let case = Case::new(SOURCE, target, "[load.t]\n");
    let name = "name = \"first\"\n[source]\npath = \"source.db\"\n[load.before]\nfrom = \"t\"\n";
    case.place.write("first.toml", format!("format = 1\n{name}"));
    case.exits(0, &["-m", "first.toml", "--yes"]);
    // Between the look at the sequence and its setting, another session draws a thousand ids.
    case.target.run(
        "CREATE FUNCTION draw() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM nextval('public.t_id_seq') FROM generate_series(1, 1000); RETURN NEW; END $$;
         CREATE TRIGGER draw BEFORE INSERT ON migrate.made FOR EACH ROW WHEN (NEW.kind = 'sequence') EXECUTE FUNCTION draw()",
    );
    case.exits(0, &["-m", "migrate.toml", "--yes"]);
    assert_eq!(case.target.value("SELECT nextval('t_id_seq')"), "1001");
}

#[test]
fn a_sequence_is_set_up_and_down_and_past_the_rows() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, down INTEGER, by5 INTEGER); INSERT INTO t VALUES (7, -3, 12)";
    let target = "CREATE SEQUENCE d INCREMENT -1; CREATE SEQUENCE f INCREMENT 5;
        CREATE TABLE t (id serial PRIMARY KEY, down int DEFAULT nextval('d'), by5 int DEFAULT nextval('f'));
        ALTER SEQUENCE d OWNED BY t.down; ALTER SEQUENCE f OWNED BY t.by5";
    let case = Case::new(source, target, "[load.t]\n");
    case.exits(0, &["--yes"]);
    let next = |name: &str| case.target.value(&format!("SELECT nextval('{name}')"));
    assert_eq!((next("t_id_seq"), next("d"), next("f")), ("8".to_owned(), "-4".to_owned(), "17".to_owned()));
}

#[test]
fn quarantined_rows_are_counted_once_however_the_connection_breaks() {
    let target = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0))";
    let mapping = "[load.t]\nfrom = { sql = \"SELECT id, n FROM t ORDER BY id\" }\n";
    let proxy = Proxy::before(postgres::socket());
    let lost = (1..8).map(|commit| Fault::AnswerLost { commit });
    let cut = (20..200).step_by(6).map(|message| Fault::Cut { from_client: true, message, bytes: 0, how: How::Rst });
    let mut happened = 0;
    for fault in lost.chain(cut) {
        let case = Case::new(SOURCE, target, mapping);
        proxy.expect([fault]);
        let url = proxy.url(case.target.name());
        let args = ["--yes", "--on-fault", "quarantine", "--max-faults", "2", "--jobs", "1", "--json", "-t", &url];
        let ran = case.place.migrate(args).ran();
        // If the connection is not retried, the same command resumes; but never because of a row that was counted twice.
        assert!(!ran.said().contains("max_faults"), "{fault:?}: {}", ran.said());
        let ran = if [3, 4].contains(&ran.code) { case.place.migrate(args).ran() } else { ran };
        assert_eq!(ran.code, 6, "{fault:?}: {}", ran.said());
        assert_eq!(case.target.count("t"), 3);
        assert_eq!(case.target.count("migrate.fault"), 2);
        happened += proxy.happened();
    }
    assert!(happened > 20, "only {happened} lines broke");
}

#[test]
fn an_omitted_column_gets_the_value_of_its_default_expression() {
    let source = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)";
    let target = "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s') * 10 + 3, n int);
        ALTER SEQUENCE s OWNED BY t.id";
    let case = Case::new(source, target, "[load.t.columns]\nid = { omit = true }\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.ids("t"), [13, 23]);
    assert_eq!(case.target.value("INSERT INTO t (n) VALUES (3) RETURNING id"), "33");
    // Cast to the column's type it is the bare number all the same.
    let target = "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s')::int, n int)";
    let case = Case::new(source, target, "[load.t.columns]\nid = { omit = true }\n");
    let report = case.exits(0, &["--yes"]);
    assert_eq!(report["sequences"][0]["next"], 3, "{report}");
}

#[test]
fn numbers_within_text_belong_to_the_application_and_cause_a_warning() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, no TEXT); INSERT INTO t VALUES (1, 'INV-7'), (2, 'INV-8')";
    let target = "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY, no text DEFAULT 'INV-' || nextval('s'), by text DEFAULT nextval('s'))";
    let case = Case::new(source, target, "[load.t]\n");
    let report = case.exits(0, &["--yes"]);
    assert_eq!(report["sequences"][0]["by"], "nothing", "{report}");
    let said = report["warnings"].to_string();
    assert!(said.contains("load.t.columns.no") && said.contains("public.s"), "{said}");
    assert_eq!(case.target.value("SELECT string_agg(no || ' ' || by, ', ' ORDER BY id) FROM t"), "INV-7 1, INV-8 2");
}

#[test]
fn a_sequence_is_found_for_every_form_of_the_default() {
    for (made, default) in [
        ("CREATE SEQUENCE s", "nextval('s')"),
        ("CREATE SEQUENCE s CACHE 50", "nextval('s'::text)"),
        ("CREATE SEQUENCE \"Odd 'one\"", "nextval('\"Odd ''one\"'::varchar)::int"),
        ("CREATE SCHEMA other; CREATE SEQUENCE other.s", "nextval('Other.S'::text)"),
        ("CREATE SCHEMA other; CREATE SEQUENCE other.s", "nextval('other.s')"),
    ] {
        let target = format!("{made}; CREATE TABLE t (id int PRIMARY KEY DEFAULT {default}, n int)");
        let case = Case::new(SOURCE, &target, "[load.t]\n");
        let report = case.exits(0, &["--yes"]);
        assert_eq!(report["sequences"][0]["next"], 6, "{default}: {report}");
        assert_eq!(case.target.value("INSERT INTO t (n) VALUES (1) RETURNING id"), "6", "{default}");
    }
}

#[test]
fn one_sequence_of_two_tables_is_set_past_both() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE u (id INTEGER PRIMARY KEY);
        INSERT INTO t VALUES (1), (50); INSERT INTO u VALUES (3), (20)";
    let target = "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'));
        CREATE TABLE u (id int PRIMARY KEY DEFAULT nextval('s'))";
    for loads in ["[load.t]\n[load.u]\n", "[load.u]\n[load.t]\n"] {
        let case = Case::new(source, target, loads);
        case.exits(0, &["--yes"]);
        assert_eq!(case.target.value("SELECT nextval('s')"), "51");
    }
}

#[test]
fn an_empty_table_starts_at_its_start_or_after_the_source_counter() {
    let target = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (START 100 MINVALUE 5) PRIMARY KEY, n int)";
    for (source, next) in [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", "100"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)", "100"),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER); INSERT INTO t VALUES (600, 1); DELETE FROM t",
            "601",
        ),
    ] {
        let case = Case::new(source, target, "[load.t]\n");
        case.exits(0, &["--yes"]);
        assert_eq!(case.target.value("INSERT INTO t (n) VALUES (1) RETURNING id"), next, "{source}");
    }
}

#[test]
fn a_sequence_that_cannot_be_set_past_its_rows_is_unchanged_and_reported() {
    // The last one would begin again and hand out ids that are taken.
    for limits in ["MAXVALUE 4", "MAXVALUE 5", "MAXVALUE 5 CYCLE"] {
        let target = format!(
            "CREATE SEQUENCE s {limits}; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'), n int); ALTER SEQUENCE s OWNED BY t.id"
        );
        let case = Case::new(SOURCE, &target, "[load.t]\n");
        let report = case.exits(5, &["--yes", "--skip-preflight"]);
        assert_eq!(report["sequences"][0]["verdict"], "Differs", "{limits}: {report}");
        assert_eq!(case.target.count("t"), 5);
        // Below its least value it is past them unchanged.
        let target = target.replace(limits, "MINVALUE 100");
        let case = Case::new(SOURCE, &target, "[load.t]\n");
        case.exits(0, &["--yes"]);
        assert_eq!(case.target.value("SELECT nextval('s')"), "100");
    }
}

#[test]
fn generated_always_ids_keep_their_numbers_on_every_write_path() {
    let target = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int UNIQUE)";
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (3, 1), (7, 2), (8, 2)";
    let case = Case::new(source, target, "[load.t]\nconflict = { skip = [\"n\"] }\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.ids("t"), [3, 7]);
    let case = Case::new(&source.replace("(8, 2)", "(8, 3)"), target, "[load.t]\n");
    case.exits(0, &["--yes"]);
    assert_eq!(case.ids("t"), [3, 7, 8]);
    assert_eq!(case.target.value("INSERT INTO t (n) VALUES (99) RETURNING id"), "9");
}

#[test]
fn settings_of_the_database_hide_no_sequence() {
    let case = Case::new(SOURCE, "CREATE TABLE t (id serial PRIMARY KEY, n int)", "[load.t]\n");
    case.target.elsewhere(&format!("ALTER DATABASE {} SET quote_all_identifiers = on", case.target.name()));
    case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT nextval('t_id_seq')"), "6");
}

#[test]
fn a_key_with_a_number_inside_a_text_or_next_to_another_column_is_not_checked() {
    let source = "CREATE TABLE t (code TEXT PRIMARY KEY, shop INTEGER); INSERT INTO t VALUES ('T1', 1), ('T2', 1)";
    for key in [
        "code text PRIMARY KEY DEFAULT 'T' || nextval('s'), shop int",
        "code text DEFAULT 'T' || nextval('s'), shop int, UNIQUE (shop, code)",
    ] {
        let target = format!("CREATE SEQUENCE s; CREATE TABLE t ({key})");
        let case = Case::new(source, &target, "[load.t]\n");
        let report = case.exits(0, &["--yes"]);
        let checks = report["checks"].as_array().expect("checks");
        let open = checks.iter().find(|check| check["check"] == "sequences" && check["load"] == "public.t.code");
        assert_eq!(open.expect("a check")["verdict"], "NotChecked", "{key}");
    }
}

#[test]
fn a_key_numbered_by_a_function_or_a_trigger_is_not_checked() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
    let sequence =
        "CREATE SEQUENCE s; CREATE FUNCTION draw() RETURNS int LANGUAGE sql AS 'SELECT nextval(''s'')::int';";
    let by_default = "CREATE TABLE t (id int PRIMARY KEY DEFAULT draw())".to_owned();
    let by_expression = "CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval(('s' || '')::regclass))".to_owned();
    let by_trigger = "CREATE TABLE t (id int PRIMARY KEY);
        CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := coalesce(NEW.id, draw()); RETURN NEW; END';
        CREATE TRIGGER number BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION number()"
        .to_owned();
    for target in [by_default, by_expression, by_trigger] {
        let mapping = "[sequences]\ns = false\n[load.t]\ntriggers = \"fire\"\n";
        let case = Case::new(source, &format!("{sequence} {target}"), mapping);
        let report = case.exits(0, &["--yes"]);
        let checks = report["checks"].as_array().expect("checks");
        let open = checks.iter().find(|check| check["check"] == "sequences" && check["load"] == "public.t.id");
        assert_eq!(open.expect("a check")["verdict"], "NotChecked", "{target}");
    }
    let numbered = Case::new(source, "CREATE TABLE t (id int PRIMARY KEY)", "[load.t]\n");
    assert!(!numbered.exits(0, &["--yes"])["checks"].to_string().contains("public.t.id"));
}

#[test]
fn a_key_that_a_partition_numbers_is_not_checked_unless_its_sequence_is_named() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
    let target = "CREATE TABLE t (id serial PRIMARY KEY) PARTITION BY RANGE (id); CREATE SEQUENCE own;
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1) TO (1000); CREATE TABLE t_2 PARTITION OF t DEFAULT;
        ALTER TABLE t_1 ALTER id SET DEFAULT nextval('own')";
    let open = |mapping: &str| {
        let case = Case::new(source, target, mapping);
        let report = case.exits(0, &["--yes"]);
        let checks = report["checks"].as_array().expect("checks");
        let of_key = |check: &&serde_json::Value| check["check"] == "sequences" && check["load"] == "public.t.id";
        let next = case.target.value("SELECT nextval('own')");
        (checks.iter().find(of_key).map(|check| check["why"].to_string()), next)
    };
    let (why, next) = open("[load.t]\n");
    let why = why.expect("a check");
    assert!(why.contains("the default of a partition may number new rows"), "{why}");
    assert_eq!(next, "1");
    assert_eq!(open("[sequences]\nown = \"t.id\"\n[load.t]\n"), (None, "3".to_owned()));
}

/// The rows that a plan visited, from `EXPLAIN (ANALYZE, FORMAT JSON)`.
fn visited(plan: &serde_json::Value) -> f64 {
    let count = |key: &str| plan[key].as_f64().unwrap_or_default();
    let here = count("Actual Rows") + count("Rows Removed by Join Filter") + count("Rows Removed by Filter");
    let below: f64 = plan["Plans"].as_array().into_iter().flatten().map(visited).sum();
    here * count("Actual Loops") + below
}

#[test]
fn reading_sequences_visits_rows_in_proportion_to_those_of_other_schemas() {
    let question = read_repo("src/pg/sql/sequences.sql").replace("$1", "'public'");
    let visits = |tables: u32| {
        let other = (0..tables).map(|n| format!("CREATE TABLE other.t{n} (id serial, n int); ")).collect::<String>();
        let target = Database::with(&format!("CREATE TABLE t (id serial); CREATE SCHEMA other; {other}"));
        let explained = target.value(&format!("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {question}"));
        let explained: serde_json::Value = serde_json::from_str(&explained).expect("a plan");
        visited(&explained[0]["Plan"])
    };
    let (none, some, twice) = (visits(0), visits(60), visits(120));
    assert!(twice - none < 3.0 * (some - none), "{none}, {some}, {twice}");
}
