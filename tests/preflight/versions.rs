//! Version tables of migration frameworks: both sides are compared before anything else.

use crate::support::case::Case;

const ALEMBIC: &str = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);";

fn alembic(source: &str, target: &str, mapping: &str) -> Case {
    let rows = "CREATE TABLE t (id INTEGER PRIMARY KEY); ";
    Case::new(
        &format!("{rows} INSERT INTO t VALUES (1); {ALEMBIC} INSERT INTO alembic_version VALUES ('{source}');"),
        &format!("{rows} {ALEMBIC} INSERT INTO alembic_version VALUES ('{target}');"),
        &format!("{mapping}\n[load.t]\n[leave]\nalembic_version = \"its own\"\n"),
    )
}

#[test]
fn equal_versions_are_not_mentioned() {
    let case = alembic("4f2a", "4f2a", "[target]\nversions = \"refuse\"");
    let report = case.exits(0, &["--dry-run"]);
    assert!(!report.to_string().contains("4f2a"), "{report}");
}

#[test]
fn a_difference_is_the_first_warning_of_plan_and_dry_run() {
    let case = alembic("4f2a", "77c0", "");
    let report = case.exits(0, &["--dry-run"]);
    let first = &report["warnings"][0];
    assert_eq!(first["place"], "alembic_version", "{report}");
    assert!(
        first["message"].to_string().contains("1 (4f2a) only in the source, 1 (77c0) only on the target"),
        "{first}"
    );
    case.command(&["plan"]).exits(0).says(&["1 (4f2a) only in the source, 1 (77c0) only on the target"]);
}

#[test]
fn a_difference_is_a_refusal_if_the_mapping_asks_for_equal_versions() {
    let case = alembic("4f2a", "77c0", "[target]\nversions = \"refuse\"");
    case.refused(&["alembic_version", "the migrations differ", "versions"]);
}

#[test]
fn names_of_several_columns_and_unapplied_migrations_are_read_alike_on_both_sides() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);
        CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT, applied DATETIME);
        INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial', '2024-01-01'), (2, 'blog', '0001_initial', '2024-01-01');
        CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER);
        INSERT INTO goose_db_version VALUES (1, 0, 1), (2, 20240101, 1), (3, 20240202, 0);
        CREATE TABLE migrations (id INTEGER PRIMARY KEY, timestamp INTEGER, name TEXT);
        INSERT INTO migrations VALUES (1, 1, 'a')";
    let target = "CREATE TABLE t (id int PRIMARY KEY);
        CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz);
        INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial');
        CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint, is_applied boolean);
        INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (20240101, true), (20240303, false);
        CREATE TABLE migrations (id serial PRIMARY KEY, migration text, batch int);
        INSERT INTO migrations (migration, batch) VALUES ('b', 1)";
    let leave = "[load.t]\n[leave]\ndjango_migrations = \"-\"\ngoose_db_version = \"-\"\nmigrations = \"-\"\n";
    let report = Case::new(source, target, leave).exits(0, &["--dry-run"]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("the source has migrations that the target lacks: 1 (blog.0001_initial)"), "{warnings}");
    assert!(!warnings.contains("goose_db_version"), "both have the same applied versions: {warnings}");
    assert!(!warnings.contains("\"migrations\""), "tables of two frameworks are not compared: {warnings}");
}

/// The version table of a framework as it makes it on each side, with two applied migrations, and a third one.
struct Layout {
    table: &'static str,
    source: &'static str,
    target: &'static str,
    rows: [&'static str; 2],
    /// A third migration in the source, and its name in the report.
    third: (&'static str, &'static str),
}

const LAYOUTS: [Layout; 13] = [
    Layout {
        table: "alembic_version",
        source: "(version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        target: "(version_num varchar(32) NOT NULL PRIMARY KEY)",
        rows: ["('a1'), ('b2')"; 2],
        third: ("('c3')", "c3"),
    },
    Layout {
        table: "django_migrations",
        source: "(id integer PRIMARY KEY AUTOINCREMENT, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)",
        target: "(id bigint PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL)",
        rows: [
            "(1, 'a', '1', '2020-01-01'), (2, 'b', '1', '2020-01-01')",
            "(7, 'b', '1', '2024-05-05'), (8, 'a', '1', '2024-05-05')",
        ],
        third: ("(3, 'b', '2', '2020-01-01')", "b.2"),
    },
    Layout {
        table: "schema_migrations",
        source: "(version varchar NOT NULL PRIMARY KEY)",
        target: "(version varchar NOT NULL PRIMARY KEY)",
        rows: ["('20200101'), ('20200102')"; 2],
        third: ("('20200103')", "20200103"),
    },
    Layout {
        table: "__EFMigrationsHistory",
        source: "(\"MigrationId\" TEXT NOT NULL PRIMARY KEY, \"ProductVersion\" TEXT NOT NULL)",
        target: "(\"MigrationId\" varchar(150) NOT NULL PRIMARY KEY, \"ProductVersion\" varchar(32) NOT NULL)",
        rows: ["('1_Init', '7.0.0'), ('2_More', '7.0.0')", "('1_Init', '8.0.1'), ('2_More', '8.0.1')"],
        third: ("('3_Last', '7.0.0')", "3_Last"),
    },
    Layout {
        table: "_prisma_migrations",
        source: "(id TEXT PRIMARY KEY, checksum TEXT NOT NULL, finished_at DATETIME, migration_name TEXT NOT NULL, logs TEXT, \
                 rolled_back_at DATETIME, started_at DATETIME NOT NULL DEFAULT current_timestamp, applied_steps_count INTEGER)",
        target: "(id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, \
                 logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count int)",
        rows: [
            "('x', 'c', 1600000000000, '1_init', NULL, NULL, 1600000000000, 1), ('y', 'd', 1600000000000, '2_more', NULL, NULL, 1600000000000, 1)",
            "('p', 'c', '2024-05-05', '1_init', NULL, NULL, '2024-05-05', 1), ('q', 'd', '2024-05-05', '2_more', NULL, NULL, '2024-05-05', 1), \
             ('r', 'd', NULL, '9_failed', NULL, '2024-05-05', '2024-05-05', 0)",
        ],
        third: ("('z', 'e', 1600000000000, '3_last', NULL, NULL, 1600000000000, 1)", "3_last"),
    },
    Layout {
        table: "knex_migrations",
        source: "(id integer PRIMARY KEY AUTOINCREMENT, name varchar(255), batch integer, migration_time datetime)",
        target: "(id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz)",
        rows: [
            "(1, 'a.js', 1, 1600000000000), (2, 'b.js', 2, 1600000000000)",
            "(1, 'a.js', 1, now()), (2, 'b.js', 1, now())",
        ],
        third: ("(3, 'c.js', 3, 1600000000000)", "c.js"),
    },
    Layout {
        table: "flyway_schema_history",
        source: "(installed_rank INT PRIMARY KEY, version VARCHAR(50), script VARCHAR(1000) NOT NULL, success BOOLEAN NOT NULL)",
        target: "(installed_rank int PRIMARY KEY, version varchar(50), script varchar(1000) NOT NULL, success boolean NOT NULL)",
        rows: [
            "(1, '1', 'V1__a.sql', 1), (2, NULL, 'R__b.sql', 1)",
            "(1, '1', 'V1__a.sql', true), (2, NULL, 'R__b.sql', true), (3, '9', 'V9.sql', false)",
        ],
        third: ("(3, '2', 'V2__c.sql', 1)", "V2__c.sql"),
    },
    Layout {
        table: "goose_db_version",
        source: "(id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP)",
        target: "(id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp)",
        rows: ["(1, 0, 1, NULL), (2, 1, 1, NULL)", "(1, 0, true, now()), (2, 1, true, now())"],
        third: ("(3, 2, 1, NULL)", "2"),
    },
    Layout {
        table: "_sqlx_migrations",
        source: "(version BIGINT PRIMARY KEY, description TEXT NOT NULL, success BOOLEAN NOT NULL, checksum BLOB NOT NULL)",
        target: "(version bigint PRIMARY KEY, description text NOT NULL, success boolean NOT NULL, checksum bytea NOT NULL)",
        rows: ["(1, 'a', 1, x'00'), (2, 'b', 1, x'00')", "(1, 'a', true, ''), (2, 'b', true, ''), (3, 'c', false, '')"],
        third: ("(3, 'c', 1, x'00')", "3"),
    },
    Layout {
        table: "__diesel_schema_migrations",
        source: "(version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        target: "(version varchar(50) PRIMARY KEY NOT NULL, run_on timestamp NOT NULL DEFAULT now())",
        rows: ["('1', '2020-01-01'), ('2', '2020-01-01')", "('1', now()), ('2', now())"],
        third: ("('3', '2020-01-01')", "3"),
    },
    Layout {
        table: "migrations",
        source: "(id integer PRIMARY KEY AUTOINCREMENT, timestamp bigint NOT NULL, name varchar NOT NULL)",
        target: "(id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL)",
        rows: ["(1, 16, 'A16'), (2, 17, 'B17')", "(4, 16, 'A16'), (5, 17, 'B17')"],
        third: ("(3, 18, 'C18')", "18.C18"),
    },
    // The whole history runs as one batch on a new target.
    Layout {
        table: "migrations",
        source: "(id integer PRIMARY KEY AUTOINCREMENT, migration varchar NOT NULL, batch integer NOT NULL)",
        target: "(id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL)",
        rows: ["(1, 'create_a', 1), (2, 'create_b', 2)", "(1, 'create_a', 1), (2, 'create_b', 1)"],
        third: ("(3, 'create_c', 3)", "create_c"),
    },
    Layout {
        table: "doctrine_migration_versions",
        source: "(version VARCHAR(191) NOT NULL PRIMARY KEY, executed_at DATETIME, execution_time INTEGER)",
        target: "(version varchar(191) NOT NULL PRIMARY KEY, executed_at timestamp, execution_time int)",
        rows: ["('M\\V1', '2020-01-01', 5), ('M\\V2', NULL, NULL)", "('M\\V1', now(), 9), ('M\\V2', now(), 9)"],
        third: ("('M\\V3', NULL, NULL)", "M\\V3"),
    },
];

#[test]
fn each_framework_is_compared_by_the_names_of_its_migrations_alone() {
    for Layout { table, source, target, rows, third } in &LAYOUTS {
        let side = |layout: &str, rows: &str| {
            format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE \"{table}\" {layout}; INSERT INTO \"{table}\" VALUES {rows};"
            )
        };
        let mapping = format!("[target]\nversions = \"refuse\"\n[load.t]\n[leave]\n\"{table}\" = \"its own\"\n");
        let case = Case::new(&side(source, rows[0]), &side(target, rows[1]), &mapping);
        case.exits(0, &["--dry-run"]);
        let later = format!("{}, {}", rows[0], third.0);
        let case = Case::new(&side(source, &later), &side(target, rows[1]), &mapping);
        let wanted = format!("the source has migrations that the target lacks: 1 ({})", third.1);
        let report = case.exits(3, &["--dry-run"]);
        assert_eq!(report["refusals"][0]["reason"], wanted, "{table}: {report}");
    }
}

#[test]
fn a_version_table_that_the_role_may_not_read_is_named_and_stops_nothing() {
    let case = alembic("4f2a", "77c0", "");
    let role = format!("reads_no_versions_of_{}", case.target.name());
    let database = case.target.name();
    case.target.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {database} TO {role}; ALTER TABLE t OWNER TO {role}; \
         GRANT USAGE ON SCHEMA public TO {role}"
    ));
    let url = case.target.url_of(&role);
    case.place
        .migrate(["-t", &url, "--dry-run", "--json"])
        .exits(0)
        .says(&["the versions of both sides were not compared"]);
}
