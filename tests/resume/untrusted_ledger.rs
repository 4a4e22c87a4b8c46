//! A ledger is used only if no other role can change it or run code with it. Else it is refused by name, by every command.

use crate::support::case::Case;

const SOURCE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)";
const TARGET: &str = "CREATE TABLE t (id serial PRIMARY KEY, n int)";

/// Every command that opens a ledger.
const COMMANDS: [&[&str]; 6] =
    [&["--dry-run"], &["--yes"], &["verify"], &["rollback", "--yes"], &["forget", "--yes"], &["status"]];

/// Roles that belong to no test but these; the server keeps them for all databases.
const ROLES: &str = "
    DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_eve') THEN
        CREATE ROLE ledger_eve LOGIN; CREATE ROLE ledger_app LOGIN; CREATE ROLE ledger_team; GRANT ledger_team TO ledger_app;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT ALL ON SCHEMA public TO ledger_eve; GRANT ALL ON ALL TABLES IN SCHEMA public TO ledger_app;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ledger_app; GRANT ALL ON SCHEMA public TO ledger_app;
    CREATE FUNCTION public.evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran'; END $$;
    CREATE FUNCTION public.evil_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran'; END $$;
    CREATE FUNCTION public.sly(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
    ALTER FUNCTION public.sly(text) OWNER TO ledger_eve;
    ALTER FUNCTION public.evil() OWNER TO ledger_eve; ALTER FUNCTION public.evil_trigger() OWNER TO ledger_eve;";

fn case() -> Case {
    let case = Case::new(SOURCE, TARGET, "[load.t]\n");
    case.target.run(ROLES);
    case
}

/// Every command refuses the ledger with these words, changes nothing and runs no function of another role.
#[track_caller]
fn is_refused(case: &Case, says: &[&str]) {
    let before = case.target.inventory();
    let url = case.target.url();
    for command in COMMANDS {
        let ran = case.place.migrate(command).args(["-t", &url, "--json"]).exits(3);
        ran.says(says).says(&["--ledger-schema"]);
        assert!(!ran.said().contains("evil ran"), "{command:?}: {}", ran.said());
    }
    let report = case.exits(3, &["--yes"]);
    assert_eq!(report["refusals"][0]["place"], "ledger", "{report}");
    assert_eq!(case.target.inventory(), before);
}

#[test]
fn a_ledger_schema_of_another_role_is_refused_before_there_is_a_ledger() {
    let case = case();
    case.target.run("CREATE SCHEMA migrate AUTHORIZATION ledger_eve; GRANT ALL ON SCHEMA migrate TO public");
    is_refused(&case, &["schema migrate belongs to ledger_eve", "let ledger_eve or a superuser drop"]);
    case.exits(0, &["--yes", "--ledger-schema", "other"]);
}

#[test]
fn a_ledger_with_a_part_of_another_role_is_refused_by_name() {
    for (forge, says) in [
        ("ALTER TABLE migrate.made OWNER TO ledger_eve", "table migrate.made belongs to ledger_eve"),
        (
            "CREATE TRIGGER sly BEFORE UPDATE ON migrate.run FOR EACH ROW EXECUTE FUNCTION public.evil_trigger()",
            "trigger sly of migrate.run runs with it (owner: ledger_eve)",
        ),
        (
            "GRANT TRIGGER ON migrate.run TO ledger_eve;
             CREATE TRIGGER quiet BEFORE UPDATE ON migrate.run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger quiet of migrate.run",
        ),
        ("GRANT INSERT ON migrate.detached TO ledger_eve", "ledger_eve may write to migrate.detached"),
        ("GRANT UPDATE (shape) ON migrate.detached TO PUBLIC", "PUBLIC may write to migrate.detached"),
        ("GRANT INSERT ON migrate.created TO ledger_eve", "ledger_eve may write to migrate.created"),
        ("CREATE RULE quiet AS ON UPDATE TO migrate.run DO INSTEAD NOTHING", "rule quiet of migrate.run"),
        ("ALTER TABLE migrate.run ENABLE ROW LEVEL SECURITY", "row-level security of migrate.run"),
        ("CREATE POLICY hidden ON migrate.run USING (false)", "policy hidden of migrate.run"),
        ("ALTER TABLE migrate.run ALTER tool SET DEFAULT public.evil()", "evil()"),
        ("ALTER TABLE migrate.run ADD CONSTRAINT sly CHECK (public.evil() <> tool) NOT VALID", "evil()"),
        // The function of an expression must be harmless while the index is built.
        (
            "CREATE INDEX sly ON migrate.run (public.sly(tool));
             CREATE OR REPLACE FUNCTION public.sly(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran'; END $$",
            "sly(text)",
        ),
        (
            "CREATE INDEX sly ON migrate.batch (run) WHERE public.sly(load) = 't';
             CREATE OR REPLACE FUNCTION public.sly(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran'; END $$",
            "sly(text)",
        ),
        (
            "ALTER TABLE migrate.ledger RENAME TO hidden; CREATE VIEW migrate.ledger AS SELECT public.evil()::int AS version;
             ALTER VIEW migrate.ledger OWNER TO ledger_eve",
            "view migrate.ledger belongs to ledger_eve",
        ),
    ] {
        let case = case();
        case.exits(0, &["--yes"]);
        case.target.run(forge);
        is_refused(&case, &[says]);
    }
}

#[test]
fn a_ledger_that_lost_or_gained_a_part_is_refused_by_name() {
    for (change, says) in [
        ("ALTER TABLE migrate.fault SET UNLOGGED", "`migrate.fault` is no plain table"),
        ("ALTER TABLE migrate.run ADD extra text", "no version has a column `run.extra`"),
        ("ALTER TABLE migrate.run ALTER epoch TYPE text", "`run.epoch` is missing or has another type"),
        (
            "ALTER TABLE migrate.batch DROP CONSTRAINT batch_pkey",
            "the unique key batch (run, load, part, batch) is missing",
        ),
        ("DROP INDEX migrate.run_identity", "the unique key run (mapping, owner) is missing"),
        ("CREATE TABLE child () INHERITS (migrate.fault)", "`migrate.fault` is no plain table"),
    ] {
        let case = case();
        case.exits(0, &["--yes"]);
        case.target.run(change);
        is_refused(&case, &[says]);
    }
}

#[test]
fn a_ledger_of_a_role_that_this_role_is_a_member_of_is_used() {
    let case = case();
    let app = case.target.url_of("ledger_app");
    case.target.run("CREATE SCHEMA migrate AUTHORIZATION ledger_team");
    case.place.migrate(["--yes", "--detach", "never", "-t", &app]).exits(0);
    case.place.migrate(["verify", "-t", &app]).exits(0);
    // A superuser is a member of no role, although it may do everything.
    let url = case.target.url();
    case.place.migrate(["verify", "--json", "-t", &url]).exits(3).says(&["schema migrate belongs to ledger_team"]);
    case.place.migrate(["rollback", "--yes", "-t", &app]).exits(0);
}

#[test]
fn a_value_that_the_ledger_cannot_contain_is_a_refusal_with_the_way_out() {
    for (change, says) in [
        ("ALTER TABLE migrate.run ALTER stamp DROP NOT NULL; UPDATE migrate.run SET stamp = NULL", "`stamp` is NULL"),
        ("ALTER TABLE migrate.load ALTER plan DROP NOT NULL; UPDATE migrate.load SET plan = NULL", "`plan` is NULL"),
        ("ALTER TABLE migrate.part ALTER done DROP NOT NULL; UPDATE migrate.part SET done = NULL", "`done` is NULL"),
        ("UPDATE migrate.batch SET last_key = 'no key'", "a key that this version cannot read"),
        ("UPDATE migrate.batch SET digest = '\\x00'", "a digest that this version cannot read"),
        ("UPDATE migrate.batch SET losses = '7'", "batch.losses"),
        ("UPDATE migrate.run SET judged = '[]'", "run.judged"),
        ("UPDATE migrate.run SET catalog = 'form 9'", "run.catalog"),
        (
            "ALTER TABLE migrate.run DROP CONSTRAINT run_state_check; UPDATE migrate.run SET state = 'Odd'",
            "no state `Odd`",
        ),
    ] {
        let case = case();
        case.exits(0, &["--yes"]);
        case.target.run(change);
        for command in [&["--yes"][..], &["verify"], &["rollback", "--yes"], &["forget", "--yes"]] {
            let ran = case.place.migrate(command).args(["-t", &case.target.url(), "--json"]).exits(3);
            ran.says(&[says, "reading the ledger", "Restore its tables from a backup"]);
            assert_eq!(ran.json()["exit"]["name"], "Refused");
        }
    }
}
