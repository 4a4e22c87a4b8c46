//! Roles without superuser: each missing right is reported with its GRANT before anything is written. With exactly those
//! GRANTs the cutover succeeds.

use std::collections::BTreeSet;

use regex::Regex;

use crate::support::case::Case;
use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{repo, sqlite};

/// A role of its own for each test, in the shared server; dropped with the value.
struct Role {
    name: String,
}

impl Role {
    fn new(name: &str) -> Role {
        Database::empty().run(&format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN"));
        Role { name: name.to_owned() }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Database::empty().run(&format!("DROP ROLE {}", self.name));
        }
    }
}

/// A cutover of an application by a role without superuser.
struct Unprivileged<'r> {
    case: Case,
    role: &'r Role,
}

impl Unprivileged<'_> {
    /// The application's tables as its fixture creates them. The superuser owns all of them, and PUBLIC has no rights.
    fn of<'r>(application: &str, role: &'r Role) -> Unprivileged<'r> {
        let target = Database::of(&[&format!("fixtures/{application}/target.sql")]);
        target.run(&format!(
            "REVOKE ALL ON DATABASE {0} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC",
            target.name()
        ));
        let mapping = repo(&format!("mappings/{application}.toml"));
        let mapping = mapping.to_str().expect("a path in UTF-8");
        let case = Case::with(target, &["-s", "source.db", "-m", mapping]);
        sqlite::of(&case.place, "source.db", &format!("fixtures/{application}/source.sql"));
        Unprivileged { case, role }
    }

    fn target(&self) -> &Database {
        &self.case.target
    }

    fn migrate(&self, args: &[&str]) -> Ran {
        let url = self.target().url_of(&self.role.name);
        let run = self.case.place.migrate(args).args(&self.case.arguments).args(["-t", &url]);
        // For the mappings that ask for one.
        run.env("ADMIN_PASSWORD_HASH", "x").ran()
    }

    /// Asks, does what the refusals say, and asks again, until nothing is refused. Gives the statements.
    fn granted(&self, args: &[&str]) -> BTreeSet<String> {
        let grant = Regex::new("(GRANT|ALTER ROLE) [^;]*;").expect("a pattern");
        let mut done = BTreeSet::new();
        for _ in 0..10 {
            let before = self.target().inventory();
            let ran = self.migrate(args);
            let wanted: Vec<String> =
                grant.find_iter(&ran.said().replace("\\\"", "\"")).map(|m| m.as_str().to_owned()).collect();
            if wanted.is_empty() {
                assert_eq!(ran.code, 0, "{}", ran.said());
                return done;
            }
            assert_eq!(ran.code, 3, "{}", ran.said());
            assert_eq!(self.target().inventory(), before, "something was written");
            for statement in wanted {
                self.target().run(&statement);
                done.insert(statement);
            }
        }
        panic!("there is no end of it: {done:?}");
    }
}

#[test]
fn a_role_without_rights_succeeds_with_the_grants_that_the_refusals_name() {
    for (application, n) in
        ["personal_finance", "aunoo", "grant_finder", "personal_ai_agent", "data_uploader"].iter().zip(0..)
    {
        let role = Role::new(&format!("walker_{n}"));
        let case = Unprivileged::of(application, &role);
        let grants = case.granted(&["--dry-run", "--detach", "never", "--json"]);
        assert!(grants.iter().any(|g| g.starts_with("GRANT USAGE ON SCHEMA public")), "{grants:?}");
        assert!(grants.iter().any(|g| g.starts_with("GRANT CREATE ON DATABASE")), "{grants:?}");
        assert!(grants.iter().any(|g| g.contains("ON SEQUENCE") || *application == "data_uploader"), "{grants:?}");
        let ran = case.migrate(&["--yes", "--detach", "never", "--json"]);
        assert_eq!(ran.code, 0, "{application}: {}", ran.said());
        // Proved again by a role that may read, and no more. It does not trust a ledger of the role that wrote it.
        case.target().run(&format!("REASSIGN OWNED BY {} TO postgres", role.name));
        let reader = Role::new(&format!("reader_{n}"));
        let reading = Unprivileged { role: &reader, ..case };
        let grants = reading.granted(&["verify", "--json"]);
        let writes = ["INSERT", "UPDATE", "DELETE", "CREATE", "TEMPORARY"];
        assert!(!grants.iter().any(|g| writes.iter().any(|right| g.contains(right))), "{grants:?}");
        assert_eq!(reading.migrate(&["verify", "--json"]).code, 0);
        assert_eq!(reading.migrate(&["status"]).code, 0);
        reading.target().run(&format!("DROP OWNED BY {0}; DROP OWNED BY {1}", reader.name, role.name));
    }
}

#[test]
fn rights_for_a_rollback_are_requested_before_it_and_the_grants_suffice() {
    let role = Role::new("taker");
    let case = Unprivileged::of("personal_finance", &role);
    case.granted(&["--dry-run", "--detach", "never", "--json"]);
    assert_eq!(case.migrate(&["--yes", "--detach", "never", "--json"]).code, 0);
    let grants = case.granted(&["rollback", "--yes", "--json"]);
    assert!(grants.iter().any(|g| g.contains("DELETE ON TABLE public.transactions")), "{grants:?}");
    assert_eq!(case.target().count("transactions"), 0);
    case.target().run(&format!("DROP OWNED BY {}", role.name));
}

#[test]
fn an_owner_of_the_tables_detaches_and_reattaches_keys_without_superuser() {
    let role = Role::new("landlord");
    let case = Unprivileged::of("personal_finance", &role);
    let name = &role.name;
    case.target().run(&format!(
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT format('%I', relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind = 'r' LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO {name}'; END LOOP; END $$"
    ));
    case.granted(&["--dry-run", "--detach", "always", "--json"]);
    // Since PostgreSQL 15 only the owner may create in public. Without that right indexes are kept: they could not be re-created.
    let ran = case.migrate(&["plan", "--detach", "always"]);
    ran.says(&["this role may not create in the schema, so it could not be re-created"]);
    case.target().run(&format!("GRANT CREATE ON SCHEMA public TO {name}"));
    let before = objects(case.target());
    let ran = case.migrate(&["--yes", "--detach", "always", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    let report = ran.json();
    let off = report["detached"].as_array().expect("detached");
    assert!(off.len() > 10 && off.iter().all(|d| d["back"] == true), "{off:?}");
    assert_eq!(objects(case.target()), before);
    case.target().run(&format!("DROP OWNED BY {name} CASCADE"));
}

/// Constraints and indexes, as the catalogue says them.
fn objects(target: &Database) -> Vec<Vec<Option<String>>> {
    target.rows(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
         UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    )
}

#[test]
fn objects_of_other_roles_stay_attached_with_detach_auto() {
    let role = Role::new("tenant");
    let case = Unprivileged::of("personal_finance", &role);
    case.granted(&["--dry-run", "--json"]);
    let ran = case.migrate(&["--yes", "--json", "--detach", "always"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    assert_eq!(ran.json()["detached"].as_array().map(Vec::len), Some(0));
    case.target().run(&format!("DROP OWNED BY {}", role.name));
}

#[test]
fn row_level_security_that_would_hide_or_refuse_rows_is_a_refusal() {
    let role = Role::new("filtered");
    let case = Unprivileged::of("personal_finance", &role);
    case.granted(&["--dry-run", "--detach", "never", "--json"]);
    for table in ["transactions", "users"] {
        case.target().run(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
        let ran = case.migrate(&["--yes", "--detach", "never", "--json"]);
        assert_eq!(ran.code, 3, "{}", ran.said());
        ran.says(&[&format!("row-level security of public.{table} applies to this role, filtered")]);
    }
    assert_eq!(case.target().count("transactions"), 0);
    // The owner is not held by it, until it is forced.
    case.target().run("ALTER TABLE transactions OWNER TO filtered; ALTER TABLE users OWNER TO filtered");
    assert_eq!(case.migrate(&["--dry-run", "--detach", "never"]).code, 0);
    case.target().run("ALTER TABLE transactions FORCE ROW LEVEL SECURITY");
    let grants = case.granted(&["--dry-run", "--detach", "never", "--json"]);
    assert_eq!(grants.into_iter().collect::<Vec<_>>(), ["ALTER ROLE filtered BYPASSRLS;"]);
    assert_eq!(case.migrate(&["--yes", "--detach", "never"]).code, 0);
    case.target().run("DROP OWNED BY filtered CASCADE");
}

#[test]
fn triggers_that_only_another_role_may_disable_are_refused() {
    let role = Role::new("visitor");
    let case = Unprivileged::of("personal_finance", &role);
    case.target().run(
        "CREATE FUNCTION public.bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.amount := 0; RETURN NEW; END $$;
         CREATE TRIGGER bend BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION public.bend();
         CREATE TRIGGER touch BEFORE UPDATE ON debt_accounts FOR EACH ROW EXECUTE FUNCTION public.bend();
         CREATE ROLE household; ALTER TABLE transactions OWNER TO household; GRANT ALL ON SCHEMA public TO household",
    );
    let grants = case.granted(&["--dry-run", "--detach", "never", "--json"]);
    assert!(grants.contains("GRANT household TO visitor;"), "{grants:?}");
    // One that runs for UPDATE alone does not matter.
    assert_eq!(grants.iter().filter(|g| !g.contains(" ON ")).count(), 1, "{grants:?}");
    let ran = case.migrate(&["--yes", "--detach", "never", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    case.target().run("DROP OWNED BY visitor CASCADE; DROP OWNED BY household CASCADE; DROP ROLE household");
}

#[test]
fn a_ledger_of_another_role_is_reported_with_its_grants_by_every_command() {
    let role = Role::new("second");
    let case = Unprivileged::of("personal_finance", &role);
    case.case.command(&["--yes"]).exits(0);
    case.target().run(&format!("GRANT CONNECT ON DATABASE {} TO second", case.target().name()));
    let status = case.migrate(&["status"]);
    assert_eq!(status.code, 3, "{}", status.said());
    status.says(&["GRANT USAGE ON SCHEMA migrate TO second;", "GRANT SELECT ON TABLE migrate.run TO second;"]);
    case.granted(&["status"]);
    case.granted(&["--dry-run", "--json"]);
    let ran = case.migrate(&["--yes", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.said());
    case.target().run("DROP OWNED BY second");
}

#[test]
fn rights_on_columns_suffice_and_missing_ones_are_reported() {
    let role = Role::new("clerk");
    let case = Unprivileged::of("personal_finance", &role);
    case.target().run(
        "GRANT SELECT (id, username) ON users TO clerk;
         GRANT INSERT (id) ON transactions TO clerk; GRANT SELECT (id) ON transactions TO clerk;
         ALTER TABLE transactions ADD \"Odd Column\" text",
    );
    let grants = case.granted(&["--dry-run", "--detach", "never", "--json"]);
    let on =
        |table: &str| -> Vec<&String> { grants.iter().filter(|g| g.contains(&format!("TABLE {table} "))).collect() };
    let only = |table: &str| on(table).first().map(|grant| grant.as_str()).unwrap_or_default().to_owned();
    // Columns that are sent are written and read back; what no load feeds is neither.
    let transactions = only("public.transactions");
    assert_eq!(on("public.transactions").len(), 1, "{grants:?}");
    assert!(transactions.contains("SELECT (") && transactions.contains("INSERT ("), "{transactions}");
    assert!(transactions.contains("amount") && transactions.contains("user_id"), "{transactions}");
    assert!(!transactions.contains("Odd Column") && !transactions.contains("(id"), "{transactions}");
    // A role that has a right on no column of a table gets the right on the table reported.
    assert!(only("public.debt_payments").starts_with("GRANT SELECT, INSERT ON TABLE"), "{grants:?}");
    for args in [&["--yes", "--detach", "never", "--json"][..], &["verify", "--json"], &["--yes", "--json"]] {
        let ran = case.migrate(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.said());
    }
    let table = "SELECT has_table_privilege('clerk', 'transactions', 'SELECT') OR has_table_privilege('clerk', 'transactions', 'INSERT')";
    assert_eq!(case.target().value(table), "f");
    assert_eq!(case.target().count("transactions"), 7152);
    let grants = case.granted(&["rollback", "--yes", "--json"]);
    assert!(grants.contains("GRANT SELECT, DELETE ON TABLE public.transactions TO clerk;"), "{grants:?}");
    assert_eq!(case.target().count("transactions"), 0);
    case.target().run("DROP OWNED BY clerk");
}

#[test]
fn a_computed_column_that_the_role_may_not_read_is_not_compared() {
    let role = Role::new("reckoner");
    let place = Place::new();
    sqlite::file(
        &place,
        "source.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, twice AS (id * 2)); INSERT INTO t VALUES (1)",
    );
    place.write("migrate.toml", "format = 1\nname = \"rights\"\n[source]\npath = \"source.db\"\n[load.t]\n");
    let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)");
    target.run(&format!(
        "GRANT CREATE ON DATABASE {} TO reckoner; GRANT SELECT (id), INSERT (id) ON t TO reckoner",
        target.name()
    ));
    let report =
        place.migrate(["--yes", "--json", "--detach", "never", "-t", &target.url_of(&role.name)]).exits(0).json();
    let checks = report["checks"].as_array().expect("checks");
    let computed = checks.iter().find(|c| c["check"] == "computed").unwrap_or_else(|| panic!("{report}"));
    assert_eq!(
        computed["why"],
        "column twice: the server computes it; this role may not read it, so it is not compared"
    );
    target.run("DROP OWNED BY reckoner CASCADE; DROP SCHEMA IF EXISTS migrate CASCADE");
}

#[test]
fn every_application_loads_with_rights_on_columns_only() {
    let whole = Regex::new("(SELECT|INSERT)(,| ON TABLE)").expect("a pattern");
    for (application, n) in
        ["personal_finance", "aunoo", "grant_finder", "personal_ai_agent", "data_uploader"].iter().zip(0..)
    {
        let role = Role::new(&format!("columnist_{n}"));
        let case = Unprivileged::of(application, &role);
        // One column of each table is all that is there to begin with: the refusals name the others.
        let first = format!(
            "DO $$ DECLARE t record; BEGIN FOR t IN SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a \
             ON a.attrelid = c.oid AND a.attnum = 1 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
             LOOP EXECUTE format('GRANT SELECT (%1$I), INSERT (%1$I) ON %2$I TO {}', t.attname, t.relname); END LOOP; END $$",
            role.name
        );
        case.target().run(&first);
        let grants = case.granted(&["--dry-run", "--detach", "never", "--json"]);
        assert!(!grants.iter().any(|g| g.contains("TABLE public.") && whole.is_match(g)), "{grants:?}");
        for args in [&["--yes", "--detach", "never", "--json"][..], &["verify", "--json"]] {
            let ran = case.migrate(args);
            assert_eq!(ran.code, 0, "{application} {args:?}: {}", ran.said());
        }
        case.granted(&["rollback", "--yes", "--json"]);
        case.target().run(&format!("DROP OWNED BY {}", role.name));
    }
}
