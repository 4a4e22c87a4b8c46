//! Tables for Citus. Its functions are stand-ins here, which note their calls and refuse what Citus refuses.

use super::Case;

const SOURCE: &str = "
CREATE TABLE currencies (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, currency TEXT REFERENCES currencies, at TEXT);
CREATE TABLE \"Order\" (id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE, amount REAL);
CREATE UNIQUE INDEX open_order ON \"Order\" (account) WHERE amount IS NULL;
CREATE TRIGGER touched AFTER UPDATE ON accounts BEGIN UPDATE accounts SET at = datetime('now') WHERE id = NEW.id; END;
INSERT INTO currencies VALUES ('EUR', 'Euro');
INSERT INTO accounts VALUES (1, 'cash', 'EUR', '2024-01-01 00:00:00');
INSERT INTO \"Order\" VALUES (1, 1, 2.5), (2, 1, NULL);";

/// Citus 13 distributes only a table without foreign keys whose unique keys all contain the column, and has no triggers.
const STAND_INS: &str = "
CREATE TABLE calls (n serial, what text);
CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = t) THEN RAISE 'foreign key'; END IF;
  INSERT INTO calls (what) VALUES (format('reference %s', t)); END $$;
CREATE FUNCTION create_distributed_table(t regclass, by text, colocate_with text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('citus.multi_shard_modify_mode') <> 'sequential' THEN RAISE 'parallel'; END IF;
  IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = t) THEN RAISE 'foreign key'; END IF;
  IF EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = t) THEN RAISE 'trigger'; END IF;
  IF EXISTS (SELECT FROM pg_index WHERE indisunique AND indrelid = t AND NOT EXISTS (SELECT FROM pg_attribute
             WHERE attrelid = t AND attname = by AND attnum = ANY (indkey))) THEN RAISE 'unique without %', by; END IF;
  INSERT INTO calls (what) VALUES (format('%s by %s with %s', t, by, colocate_with)); END $$;";

#[test]
fn the_file_distributes_the_tables_by_their_owner_before_the_foreign_keys() {
    let case = Case::new(SOURCE);
    let owner = ["--owner", "users", "--shared", "currencies", "--keys", "owned", "--distribute"];
    case.command(&owner).args(["-o", "schema.sql"]).exits(6);
    let text = case.place.read("schema.sql");
    assert!(text.contains("Citus has no triggers on distributed tables"), "{text}");
    case.target.run(STAND_INS);
    case.target.run(&format!("BEGIN; {text} COMMIT;"));
    let calls = case.target.value("SELECT string_agg(what, ', ' ORDER BY n) FROM calls");
    assert_eq!(
        calls,
        "reference users, reference currencies, \"Order\" by user_id with \"Order\", accounts by user_id with \"Order\""
            .replacen(" with \"Order\"", " with default", 1)
    );
    let foreign = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(case.target.value(foreign), "4", "they follow the distribution");
}

#[test]
fn a_distribution_needs_the_owner_in_every_key() {
    let case = Case::new(SOURCE);
    case.command(&["--distribute", "--owner", "users"]).exits(2).says(&["--distribute", "Add --keys owned"]);
    case.command(&["--distribute", "--keys", "owned"]).exits(2).says(&["--owner"]);
}
