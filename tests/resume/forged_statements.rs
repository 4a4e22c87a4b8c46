//! The statements that reattach an object come from the ledger. One that is not of the object's kind, on its table and name,
//! is never run, whichever version of the tool wrote the ledger.

use crate::support::case::Case;

const SOURCE: &str =
    "CREATE TABLE items (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO items VALUES (1, 'a'), (2, 'b');";
const TARGET: &str = "CREATE TABLE items (id int PRIMARY KEY, code text); CREATE INDEX by_code ON items (lower(code));
    CREATE TABLE accounts (code text);";

/// A run of which everything but the index `by_code` is done.
fn case() -> Case {
    let case = Case::new(SOURCE, TARGET, "[load.items]\n");
    case.exits(0, &["--yes", "--detach", "always"]);
    case.target.run(
        "DROP INDEX by_code; UPDATE migrate.run SET state = 'Running', ended_at = NULL;
         UPDATE migrate.detached SET back = false, steps = 0 WHERE object = 'by_code'",
    );
    assert_eq!(case.target.value("SELECT count(*) FROM migrate.detached WHERE NOT back"), "1");
    case
}

#[test]
fn a_forged_statement_of_any_ledger_version_is_never_run() {
    let case = case();
    case.target.run("DROP ROLE IF EXISTS forged_eve; CREATE ROLE forged_eve");
    let original = case.target.value("SELECT back_sql::text FROM migrate.detached WHERE NOT back");
    for version in [6, 5, 4, 3, 2, 1] {
        case.target.has_ledger_of(version);
        for forged in [
            "ALTER ROLE forged_eve SUPERUSER",
            "CREATE INDEX by_code ON public.items USING btree (lower(code)); ALTER ROLE forged_eve SUPERUSER",
            "CREATE INDEX by_code ON public.accounts USING btree (lower(code))",
            "CREATE INDEX other ON public.items USING btree (lower(code))",
            "ALTER TABLE public.items CLUSTER ON by_code, OWNER TO forged_eve",
            "DO $$ BEGIN EXECUTE 'ALTER ROLE forged_eve SUPERUSER'; END $$",
            "CREATE FUNCTION public.made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE INDEX by_code ON public.items USING btree (lower(code)) -- ; \nALTER ROLE forged_eve SUPERUSER",
        ] {
            let mut client = case.target.client();
            let forge = "UPDATE migrate.detached SET back_sql = ARRAY[$1] WHERE NOT back";
            client.execute(forge, &[&forged]).expect("a forged row");
            for command in [&["--yes"][..], &["rollback", "--yes"], &["status"]] {
                let run = case.place.migrate(command).args(["-t", &case.target.url(), "--json"]);
                run.exits(3).says(&[
                    "detached",
                    "by_code on public.items",
                    "None of them was run",
                    "SET back = true WHERE",
                ]);
            }
            assert_eq!(
                case.target.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'forged_eve'"),
                "f",
                "{forged}"
            );
            assert_eq!(
                case.target.value("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"),
                "1",
                "{forged}"
            );
        }
    }
    // The refusal's way out works: the index is created by hand, and its row is done.
    case.target
        .run("CREATE INDEX by_code ON items (lower(code)); UPDATE migrate.detached SET back = true WHERE NOT back");
    case.exits(0, &["--yes"]);
    assert!(original.contains("CREATE INDEX by_code ON public.items"), "{original}");
    case.target.run("DROP ROLE forged_eve");
}

#[test]
fn the_statement_that_a_run_wrote_is_run_in_each_ledger_version() {
    for version in [1, 2, 3, 4, 5, 6] {
        let case = case();
        case.target.has_ledger_of(version);
        case.exits(0, &["--yes"]);
        let definition = case.target.value("SELECT indexdef FROM pg_indexes WHERE indexname = 'by_code'");
        assert_eq!(definition, "CREATE INDEX by_code ON public.items USING btree (lower(code))");
        assert_eq!(case.target.value("SELECT version FROM migrate.ledger"), "6");
    }
}

#[test]
fn a_trigger_is_enabled_only_in_partitions_of_its_table() {
    let target = "CREATE TABLE items (id int, code text) PARTITION BY LIST (id);
        CREATE TABLE items_1 PARTITION OF items FOR VALUES IN (1); CREATE TABLE items_2 PARTITION OF items FOR VALUES IN (2);
        CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER usual BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION quiet();
        CREATE TABLE accounts (code text); CREATE TRIGGER usual BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION quiet();
        ALTER TABLE accounts DISABLE TRIGGER usual;";
    let case = Case::new(SOURCE, target, "[load.items]\n");
    case.exits(0, &["--yes"]);
    let again = "UPDATE migrate.run SET state = 'Running'; UPDATE migrate.detached SET back = false, steps = 0";
    case.target.run(again);
    case.exits(0, &["--yes"]);
    case.target.run(again);
    case.target.run("UPDATE migrate.detached SET back_sql = ARRAY[back_sql[1] || '; ALTER TABLE public.accounts ENABLE TRIGGER usual']");
    case.command(&["--json", "--yes"]).exits(3).says(&["usual on public.items", "None of them was run"]);
    assert_eq!(case.target.value("SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'accounts'::regclass"), "D");
}
