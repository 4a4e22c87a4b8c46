//! Tables in which frameworks and tools keep their own records, and the frameworks whose times are always UTC.

use crate::model::schema::SourceSchema;

/// A table that belongs to a framework's or a tool's own work.
struct BookkeepingTable {
    name: &'static str,
    /// A column that tells it from a table of the same name of another origin. Empty: the name suffices.
    column: &'static str,
    /// The owner of the table, as the rest of a sentence that begins with "bookkeeping of".
    of: &'static str,
}

const fn table(name: &'static str, column: &'static str, of: &'static str) -> BookkeepingTable {
    BookkeepingTable { name, column, of }
}

/// The tables, from the sources of the frameworks.
const BOOKKEEPING: [BookkeepingTable; 44] = [
    table("alembic_version", "version_num", "Alembic's migrations"),
    table("migrate_version", "version", "sqlalchemy-migrate"),
    table("django_migrations", "app", "Django's migrations"),
    table("schema_migrations", "version", "the migrations of Rails, Ecto, dbmate or golang-migrate"),
    table("ar_internal_metadata", "key", "Rails"),
    table("__EFMigrationsHistory", "MigrationId", "EF Core's migrations"),
    table("__EFMigrationsLock", "", "EF Core's migrations"),
    table("_prisma_migrations", "migration_name", "Prisma's migrations"),
    table("migrations", "timestamp", "TypeORM's migrations"),
    table("migrations", "batch", "Laravel's migrations"),
    table("typeorm_metadata", "", "TypeORM"),
    table("query-result-cache", "", "TypeORM"),
    table("SequelizeMeta", "name", "Sequelize's migrations"),
    table("knex_migrations", "migration_time", "Knex's migrations"),
    table("knex_migrations_lock", "is_locked", "Knex's migrations"),
    table("__drizzle_migrations", "hash", "Drizzle's migrations"),
    table("mikro_orm_migrations", "", "MikroORM's migrations"),
    table("kysely_migration", "", "Kysely's migrations"),
    table("kysely_migration_lock", "", "Kysely's migrations"),
    table("pgmigrations", "", "node-pg-migrate"),
    table("goose_db_version", "version_id", "goose's migrations"),
    table("_sqlx_migrations", "version", "sqlx's migrations"),
    table("__diesel_schema_migrations", "version", "Diesel's migrations"),
    table("seaql_migrations", "version", "SeaORM's migrations"),
    table("refinery_schema_history", "version", "refinery's migrations"),
    table("flyway_schema_history", "installed_rank", "Flyway's migrations"),
    table("DATABASECHANGELOG", "", "Liquibase's migrations"),
    table("DATABASECHANGELOGLOCK", "", "Liquibase's migrations"),
    table("doctrine_migration_versions", "version", "Doctrine's migrations"),
    table("migratehistory", "", "Peewee's migrations"),
    table("_migrations", "applied", "PocketBase's migrations"),
    table("grdb_migrations", "identifier", "GRDB's migrations"),
    table("room_master_table", "identity_hash", "Android's Room"),
    table("android_metadata", "locale", "Android"),
    table("Z_PRIMARYKEY", "Z_ENT", "Core Data"),
    table("Z_METADATA", "Z_VERSION", "Core Data"),
    table("Z_MODELCACHE", "", "Core Data"),
    table("d1_migrations", "", "Cloudflare D1's migrations"),
    table("_cf_KV", "", "Cloudflare D1"),
    table("_cf_METADATA", "", "Cloudflare D1"),
    table("_litestream_seq", "", "Litestream"),
    table("_litestream_lock", "", "Litestream"),
    table("libsql_wasm_func_table", "", "libSQL"),
    table("sqlite_stat1", "", "SQLite's ANALYZE"),
];

/// Returns the owner of a table's records, such as `Django's migrations`. `None` if the table belongs to the application.
pub fn bookkeeping_of(source: &SourceSchema, name: &str) -> Option<&'static str> {
    let facts = source.tables.get(name)?;
    let is_it = |table: &&BookkeepingTable| {
        table.name == name && (table.column.is_empty() || facts.column(table.column).is_some())
    };
    BOOKKEEPING.iter().find(is_it).map(|table| table.of)
}

/// Frameworks that write every time in UTC, by a table that only they make.
const WRITES_UTC: [(&str, &str, &str); 6] = [
    ("django_migrations", "app", "Django"),
    ("ar_internal_metadata", "key", "Rails"),
    ("_prisma_migrations", "migration_name", "Prisma"),
    ("SequelizeMeta", "name", "Sequelize"),
    ("migrations", "timestamp", "TypeORM"),
    ("_collections", "name", "PocketBase"),
];

/// Returns the framework that made the source, if it writes every time in UTC.
pub fn utc_framework(source: &SourceSchema) -> Option<&'static str> {
    let has = |table: &str, column: &str| source.tables.get(table).is_some_and(|facts| facts.column(column).is_some());
    WRITES_UTC.iter().find(|(table, column, _)| has(table, column)).map(|(_, _, name)| *name)
}
