//! Sequences that no column names: assigned by the mapping or by their name, or refused with the line to write.

use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (5, 50)";
const TARGET: &str = "CREATE TABLE t (id int PRIMARY KEY, n int);";

fn case(target: &str, sequences: &str) -> Case {
    Case::new(SOURCE, &format!("{TARGET} {target}"), &format!("[sequences]\n{sequences}\n[load.t]\n"))
}

/// Runs a command that is not the cutover, and returns its report.
#[track_caller]
fn ends(case: &Case, code: i32, command: &[&str]) -> serde_json::Value {
    case.place.migrate(command).args(["--json", "-t", &case.target.url()]).exits(code).json()
}

#[test]
fn an_unassigned_sequence_is_refused_with_the_line_to_write() {
    let made = "CREATE SEQUENCE t_numbers; CREATE SEQUENCE \"Odd \"\"one\"";
    Case::new(SOURCE, &format!("CREATE TABLE t_num (id int PRIMARY KEY, n int); {made}"), "[load.t]\nto = \"t_num\"\n")
        .refused(&[
            "sequence public.t_numbers",
            "Under [sequences] write `t_numbers = \\\"t_num.id\\\"`",
            "`t_numbers = false`",
            "`\\\"Odd \\\\\\\"one\\\" = false`",
        ]);
    let case = case(made, "t_numbers = \"t.id\"\n\"Odd \\\"one\" = false");
    let report = case.exits(0, &["--yes"]);
    assert_eq!(case.target.value("SELECT nextval('t_numbers')"), "6", "{report}");
    assert_eq!(case.target.value("SELECT nextval('\"Odd \"\"one\"')"), "1");
}

#[test]
fn entries_that_cannot_hold_are_refused_at_their_line() {
    let made = "CREATE SEQUENCE s; CREATE TABLE u (id serial, at date, n numeric)";
    for (entry, says) in [
        ("sx = \"t.id\"", "Did you mean `s`?"),
        ("s = \"t.idd\"", "Did you mean `t.id`?"),
        ("s = \"u.at\"", "has the type date"),
        ("s = \"id\"", "has no column `id`"),
        ("s = false\nu_id_seq = false", "it cannot be left as it is"),
    ] {
        case(made, entry).refused(&["sequences.", "(line ", says]);
    }
    for wrong in ["s = true", "s = []", "s = 7", "s = [1]"] {
        case(made, wrong)
            .command(&["--dry-run"])
            .exits(2)
            .says(&["sequences.s", "\"table.column\", a list of them, or false"]);
    }
}

#[test]
fn a_sequence_of_the_serial_name_follows_its_key_and_is_left_with_its_table() {
    let made =
        "CREATE SEQUENCE t_id_seq; CREATE TABLE left_out (id int PRIMARY KEY); CREATE SEQUENCE left_out_id_seq START 9;
        CREATE SEQUENCE down INCREMENT -1";
    let case = case(made, "down = \"-t.n\"");
    let plan = case.place.migrate(["plan", "-t", &case.target.url()]).ran().said();
    for line in [
        "public.t_id_seq: numbers t.id, by its name",
        "public.left_out_id_seq: numbers no loaded column; unchanged",
        "public.down: numbers -t.n, by the mapping",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    case.exits(0, &["--yes"]);
    let next = "SELECT nextval('t_id_seq') || ' ' || nextval('left_out_id_seq') || ' ' || nextval('down')";
    let copy = case.target.copy();
    assert_eq!(copy.value(next), "6 9 -51");
    // A sequence that another session set back is found, and so is one that drew ids since.
    case.target.run("SELECT setval('t_id_seq', 3)");
    assert_eq!(
        ends(&case, 5, &["verify"])["sequences"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|s| s["verdict"] == "Differs")
            .count(),
        1
    );
    case.target.run("SELECT setval('t_id_seq', 5)");
    // The application may create sequences after the run.
    case.target.run("CREATE SEQUENCE later");
    ends(&case, 0, &["verify"]);
    case.target.run("SELECT nextval('down')");
    let report = ends(&case, 0, &["rollback", "--yes"]);
    assert!(report["warnings"].to_string().contains("public.down"), "{report}");
    assert_eq!(case.target.value(next), "1 9 -52", "the one that drew an id since stays");
}

#[test]
fn a_rollback_keeps_an_assigned_sequence_that_remaining_rows_need() {
    let case = case("INSERT INTO t VALUES (100, 1); CREATE SEQUENCE s START 40", "s = \"t.id\"");
    case.place
        .write("migrate.toml", case.place.read("migrate.toml").replace("[load.t]", "[load.t]\nexisting = \"append\""));
    case.exits(0, &["--yes"]);
    let report = ends(&case, 0, &["rollback", "--yes"]);
    assert!(report["warnings"].to_string().contains("existing rows may have their ids from it"), "{report}");
    assert_eq!(case.target.value("SELECT nextval('s')"), "101");
}

#[test]
fn rights_on_an_assigned_sequence_are_asked_for_before_the_run() {
    let case = case("CREATE SEQUENCE s; CREATE TABLE u (id int)", "s = [\"t.id\", \"u.id\"]");
    case.target.run("DROP ROLE IF EXISTS draws; CREATE ROLE draws LOGIN; GRANT ALL ON t TO draws; GRANT CREATE ON DATABASE current TO draws".replace(
        "current",
        case.target.name(),
    ).as_str());
    let ran = case.place.migrate(["--json", "--yes", "--detach", "never", "-t", &case.target.url_of("draws")]).exits(3);
    ran.says(&["GRANT SELECT, UPDATE ON SEQUENCE public.s TO draws;", "GRANT SELECT ON TABLE public.u TO draws;"]);
    case.target.run("GRANT SELECT, UPDATE ON SEQUENCE s TO draws; GRANT SELECT ON u TO draws");
    case.place.migrate(["--json", "--yes", "--detach", "never", "-t", &case.target.url_of("draws")]).exits(0);
    case.target.run("DROP OWNED BY draws CASCADE; DROP ROLE draws");
}

#[test]
fn an_assigned_sequence_that_the_ids_use_up_is_refused() {
    case("CREATE SEQUENCE s MAXVALUE 5", "s = \"t.id\"")
        .refused(&["its ids reach 5, and its sequence public.s ends with 5"]);
    case("CREATE SEQUENCE s MAXVALUE 6", "s = \"-t.id\"").exits(0, &["--yes"]);
}
