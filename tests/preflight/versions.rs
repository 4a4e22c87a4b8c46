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
