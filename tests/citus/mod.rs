//! Citus: statements that it accepts, asserted on plain PostgreSQL; a stand-in for its catalogue; and a suite that runs on a
//! cluster which `MIGRATE_TEST_CITUS` names.

mod cluster;
mod stand_in;
mod statements;

use crate::support::case::Case;
use crate::support::sqlite;

/// Tables of an owner with keys that begin with the owner, a reference table and the owner's table.
pub const TABLES: &str = "CREATE TABLE users (id bigserial PRIMARY KEY, username text NOT NULL UNIQUE);
    CREATE TABLE currency (code text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE acc (user_id bigint NOT NULL, id bigint NOT NULL, parent bigint, name text NOT NULL, currency text NOT NULL,
        PRIMARY KEY (user_id, id), UNIQUE (user_id, name));
    CREATE TABLE tx (user_id bigint NOT NULL, id bigint NOT NULL, acc_id bigint NOT NULL, amount numeric(12,2) NOT NULL,
        PRIMARY KEY (user_id, id));";

/// The foreign keys of these tables and an index, which Citus takes once they are distributed.
pub const KEYS: &str = "ALTER TABLE acc ADD FOREIGN KEY (user_id) REFERENCES users (id);
    ALTER TABLE acc ADD FOREIGN KEY (currency) REFERENCES currency (code);
    ALTER TABLE acc ADD FOREIGN KEY (user_id, parent) REFERENCES acc (user_id, id);
    ALTER TABLE tx ADD FOREIGN KEY (user_id, acc_id) REFERENCES acc (user_id, id);
    CREATE INDEX tx_by_amount ON tx (amount);";

/// A source with rows for these tables.
pub const SOURCE: &str = "CREATE TABLE currency (code TEXT PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO currency VALUES ('EUR', 'Euro'), ('CHF', 'Franc');
    CREATE TABLE acc (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES acc, name TEXT NOT NULL UNIQUE, currency TEXT NOT NULL);
    INSERT INTO acc VALUES (1, NULL, 'a', 'EUR'), (2, 1, 'b', 'CHF'), (3, 2, 'c', 'EUR');
    CREATE TABLE tx (id INTEGER PRIMARY KEY, acc_id INTEGER NOT NULL REFERENCES acc, amount REAL NOT NULL);
    INSERT INTO tx VALUES (1, 1, 1.5), (2, 2, 2.5), (3, 3, 3.5), (4, 3, 4.25);";

/// The loads. The owner `ann` is made by the run.
pub const LOADS: &str = "[owner]\ntable = \"users\"\nmatch = { username = \"ann\" }\ncreate = {}\n\
    [load.currency]\nowner = false\nexisting = \"append\"\nconflict = { skip = [\"code\"] }\n\
    [load.acc]\nowner = \"user_id\"\n[load.tx]\nowner = \"user_id\"\n";

/// Writes source and mapping into the folder of a case.
pub fn write(case: &Case) {
    sqlite::file(&case.place, "source.db", SOURCE);
    let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n";
    case.place.write("migrate.toml", format!("{head}{LOADS}"));
}
