//! Two runs with `ids = "shift"` at once, and a shift that is added after a stop.

use crate::support::case::Case;
use crate::support::tool::{Ran, Run};

const SOURCE: &str =
    "CREATE TABLE one (id INTEGER PRIMARY KEY, one_id INTEGER); INSERT INTO one VALUES (1, NULL), (2, 1), (5, 2);
    CREATE TABLE two (id INTEGER PRIMARY KEY, two_id INTEGER); INSERT INTO two VALUES (1, NULL), (3, 1);";

const TARGET: &str = "CREATE TABLE t (id serial PRIMARY KEY, up int REFERENCES t, who text NOT NULL)";

/// Two mappings of one source: `one` and `two`, each with new ids into the table `t`.
fn case(rows: &str) -> Case {
    let case = Case::new(SOURCE, &format!("{TARGET}; {rows}"), "");
    for name in ["one", "two"] {
        let load = format!(
            "[defaults]\nunlisted_tables = \"leave\"\n[load.{name}]\nto = \"t\"\nexisting = \"append\"\nids = \"shift\"\n\
             [load.{name}.columns]\nup = \"{name}_id\"\nwho = {{ value = \"{name}\" }}\n"
        );
        case.place.write(
            &format!("{name}.toml"),
            format!("format = 1\nname = \"{name}\"\n[source]\npath = \"source.db\"\n{load}"),
        );
    }
    case
}

fn run(case: &Case, mapping: &str) -> Run {
    case.place.migrate(["--yes", "--json", "-m", &format!("{mapping}.toml"), "-t", &case.target.url()])
}

/// The rows of both runs, each id without the shift of its run.
fn rows(case: &Case) -> Vec<String> {
    case.rows(
        "SELECT who, id - first + 1, up - first + 1 FROM (SELECT *, min(id) FILTER (WHERE who <> 'there') OVER (PARTITION BY who) AS first FROM t) t \
         WHERE who <> 'there' ORDER BY who, id",
    )
}

/// The trigger of a test refuses no row any more.
const ACCEPTS: &str =
    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$";

const BOTH: [&str; 5] = ["one 1 -", "one 2 1", "one 5 2", "two 1 -", "two 3 1"];

#[track_caller]
fn is_done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}", ran.said());
}

#[test]
fn two_runs_that_shift_ids_of_one_table_at_once_both_succeed() {
    for there in ["", "INSERT INTO t (who) VALUES ('there')"] {
        let case = case(there);
        // The ledger has to exist, so that both wait for it.
        case.target.run("CREATE TABLE z (id int PRIMARY KEY)");
        case.place.write("zero.toml", "format = 1\nname = \"zero\"\n[source]\npath = \"source.db\"\n[defaults]\nunlisted_tables = \"leave\"\n[leave]\none.one_id = \"not needed\"\n[load.z]\nfrom = \"one\"\n");
        is_done(&run(&case, "zero").ran());
        let mut gate = case.target.client();
        gate.batch_execute("BEGIN; LOCK TABLE migrate.run IN SHARE ROW EXCLUSIVE MODE").expect("the gate");
        let children: Vec<_> = ["one", "two"].iter().map(|name| run(&case, name).spawn()).collect();
        let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'migrate.run'::regclass AND NOT granted";
        while case.target.value(waits) != "2" {
            std::thread::yield_now();
        }
        gate.batch_execute("ROLLBACK").expect("the gate");
        children.into_iter().map(Ran::of_child).for_each(|ran| is_done(&ran));
        assert_eq!(rows(&case), BOTH);
        for command in [&["verify"][..], &["rollback", "--yes"]] {
            for name in ["one", "two"] {
                let mapping = format!("{name}.toml");
                is_done(&case.place.migrate(command).args(["-m", &mapping, "-t", &case.target.url()]).ran());
            }
        }
        assert_eq!(rows(&case), Vec::<String>::new());
    }
}

#[test]
fn ids_that_a_stopped_run_has_reserved_are_left_to_it() {
    let case = case("INSERT INTO t (who) VALUES ('there')");
    // Only the server knows that it refuses the last row.
    case.target.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.who = 'one') EXECUTE FUNCTION refuse()",
    );
    for name in ["one.toml", "two.toml"] {
        let fire = case.place.read(name).replace("ids = \"shift\"", "ids = \"shift\"\ntriggers = \"fire\"");
        case.place.write(name, fire);
    }
    let stopped = run(&case, "one").ran();
    assert_eq!(stopped.code, 4, "{}", stopped.said());
    is_done(&run(&case, "two").ran());
    assert_eq!(case.target.value("SELECT min(id) FROM t WHERE who = 'two'"), "7", "1 to 6 are taken");
    case.target.run(ACCEPTS);
    is_done(&run(&case, "one").ran());
    assert_eq!(rows(&case), BOTH);
}

#[test]
fn a_shift_that_is_added_after_a_stop_is_refused_by_name() {
    let source = "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a); \
                  INSERT INTO a VALUES (1, 'x'), (2, 'bad'); INSERT INTO b VALUES (1, 1), (2, 2);";
    let target = "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a); INSERT INTO b VALUES (50, NULL); \
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
                  CREATE TRIGGER refuse BEFORE INSERT ON a FOR EACH ROW WHEN (NEW.v = 'bad') EXECUTE FUNCTION refuse()";
    let mapping = |b: &str| format!("[load.a]\ntriggers = \"fire\"\n[load.b]\nexisting = \"append\"\n{b}");
    let case = Case::new(source, target, &mapping(""));
    case.exits(4, &["--yes"]);
    let before = case.target.inventory();
    let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n";
    case.place.write("migrate.toml", format!("{head}{}", mapping("ids = \"shift\"\n")));
    for way in ["--yes", "--dry-run"] {
        case.command(&[way]).exits(3).says(&["load.b.ids", "the run began without a shift of the ids of `b`"]);
    }
    assert_eq!(case.target.inventory(), before);
    case.place.write("migrate.toml", format!("{head}{}", mapping("")));
    case.target.run(ACCEPTS);
    case.done();
    assert_eq!(case.ids("b"), [1, 2, 50]);
}
