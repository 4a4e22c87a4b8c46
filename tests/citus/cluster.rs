//! A cluster of Citus. `MIGRATE_TEST_CITUS` names the URL of its coordinator, for a role that may create schemas and distribute
//! tables, such as `postgresql://postgres@localhost:5432/postgres`. Nothing else runs there.

use std::io::Write;

use postgres::{Client, NoTls};

use super::{KEYS, LOADS, SOURCE, TABLES};
use crate::fleet::{MAPPING as FLEET, SCHEMA as FLEET_SCHEMA};
use crate::support::sqlite;
use crate::support::tool::{Place, Run};

/// A schema for the tables and one for the ledger, on the cluster; dropped with the value.
struct Cluster {
    url: String,
    schema: &'static str,
    place: Place,
}

/// Distributes the tables of a fleet.
const FLEET_TABLES: &str = "CREATE TABLE users (id bigserial PRIMARY KEY, username text NOT NULL UNIQUE);
    CREATE TABLE acc (id bigserial, user_id bigint NOT NULL, name text NOT NULL, PRIMARY KEY (user_id, id), UNIQUE (user_id, name));
    CREATE TABLE tx (id bigserial, user_id bigint NOT NULL, acc_id bigint NOT NULL, amount numeric(12,2) NOT NULL,
        PRIMARY KEY (user_id, id));
    SELECT create_reference_table('users'); SELECT create_distributed_table('acc', 'user_id');
    SELECT create_distributed_table('tx', 'user_id');
    ALTER TABLE acc ADD FOREIGN KEY (user_id) REFERENCES users (id);
    ALTER TABLE tx ADD FOREIGN KEY (user_id, acc_id) REFERENCES acc (user_id, id)";

impl Cluster {
    /// The cluster with these tables. `None`, with a line on stderr, where no cluster is named.
    fn with(schema: &'static str, tables: &str) -> Option<Cluster> {
        let Some(url) = std::env::var("MIGRATE_TEST_CITUS").ok().filter(|url| !url.is_empty()) else {
            // Not `eprintln!`, whose output is hidden when a test passes.
            let line = format!("\n{schema}: not run: MIGRATE_TEST_CITUS is not set\n");
            std::io::stderr().write_all(line.as_bytes()).expect("stderr");
            return None;
        };
        let cluster = Cluster { url, schema, place: Place::new() };
        cluster.drop_schemas();
        let mut client = cluster.client();
        client.batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}, public")).expect("a schema");
        // Each statement in a message of its own, as Citus needs it.
        for statement in tables.split(';').filter(|statement| !statement.trim().is_empty()) {
            client.batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        }
        Some(cluster)
    }

    fn client(&self) -> Client {
        Client::connect(&self.url, NoTls).unwrap_or_else(|e| panic!("MIGRATE_TEST_CITUS: {e}"))
    }

    fn drop_schemas(&self) {
        let mut client = self.client();
        for schema in [self.schema.to_owned(), self.ledger()] {
            client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).expect("a dropped schema");
        }
    }

    fn ledger(&self) -> String {
        format!("{}_ledger", self.schema)
    }

    /// Writes a mapping into the schema.
    fn mapping(&self, text: &str) {
        self.place.write("migrate.toml", format!("{text}[target]\nschema = \"{}\"\n", self.schema));
    }

    fn run(&self, args: &[&str]) -> Run {
        self.place.migrate(args).args(["-t", &self.url, "--ledger-schema", &self.ledger()])
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {}.{table}", self.schema);
        self.client().query_one(&sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e:?}")).get(0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.drop_schemas();
        }
    }
}

#[test]
fn a_cluster_of_citus_takes_a_cutover_its_verification_and_its_rollback() {
    let distribute = "SELECT create_reference_table('users'); SELECT create_reference_table('currency');
        SELECT create_distributed_table('acc', 'user_id'); SELECT create_distributed_table('tx', 'user_id');";
    let Some(cluster) = Cluster::with("migrate_test_cutover", &format!("{TABLES}{distribute}{KEYS}")) else { return };
    sqlite::file(&cluster.place, "source.db", SOURCE);
    cluster.mapping(&format!("format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n{LOADS}"));
    let placed = cluster.run(&["plan", "--json"]).exits(0).json();
    assert_eq!(placed["distributed"]["tx"]["column"], "user_id", "{placed}");
    cluster.run(&["--dry-run"]).exits(0);
    cluster.run(&["--yes", "--detach", "always"]).exits(0);
    assert_eq!(["users", "currency", "acc", "tx"].map(|table| cluster.count(table)), [1, 2, 3, 4]);
    cluster.run(&["verify"]).exits(0);
    let change = |amount: &str| {
        let sql = format!("UPDATE {}.tx SET amount = {amount} WHERE id = 2", cluster.schema);
        cluster.client().batch_execute(&sql).expect("a changed row");
    };
    change("7");
    cluster.run(&["verify"]).exits(5).says(&["id=2"]);
    change("2.5");
    cluster.run(&["verify"]).exits(0);
    cluster.run(&["rollback", "--yes"]).exits(0);
    assert_eq!(["currency", "acc", "tx"].map(|table| cluster.count(table)), [0, 0, 0]);
}

#[test]
fn a_cluster_of_citus_takes_a_fleet_of_three_files() {
    let Some(cluster) = Cluster::with("migrate_test_fleet", FLEET_TABLES) else { return };
    for name in ["u1", "u2", "u3"] {
        let rows = format!(
            "INSERT INTO acc VALUES (1, 'of {name}'), (2, 'too'); INSERT INTO tx VALUES (1, 1, 1.5), (2, 2, 2.5), (3, 1, 3.5);"
        );
        sqlite::file(&cluster.place, &format!("{name}.db"), &format!("{FLEET_SCHEMA}{rows}"));
    }
    cluster.mapping(FLEET);
    cluster.run(&["fleet", "--sources", "%{username}.db", "--yes"]).exits(0);
    assert_eq!(["users", "acc", "tx"].map(|table| cluster.count(table)), [3, 6, 9]);
    cluster.run(&["fleet", "verify"]).exits(0);
    cluster.run(&["fleet", "rollback", "--only", "u2", "--yes"]).exits(0);
    assert_eq!(["acc", "tx"].map(|table| cluster.count(table)), [4, 6]);
}
