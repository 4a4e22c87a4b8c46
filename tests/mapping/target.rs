//! The head of a mapping: the database, the schema, and the policy for rows that cannot be loaded.

use super::{mapped, remap};

const SOURCE: &str =
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'a'), (2, 'too long');";

const TARGET: &str = "CREATE SCHEMA app; CREATE TABLE app.notes (id int PRIMARY KEY, text varchar(3));";

#[test]
fn the_mapping_selects_the_target_variable_and_schema() {
    let mapping = "[target]\nurl_env = \"APP_DATABASE\"\nschema = \"app\"\n[defaults]\non_fault = \"quarantine\"\n[load.notes]\nowner = false\n";
    let case = mapped(SOURCE, TARGET, mapping);
    let run = case.place.migrate(["--yes", "--json", "-m", "m.toml"]).env("APP_DATABASE", case.target.url());
    let report = run.exits(6).json();
    assert_eq!(case.rows("SELECT * FROM app.notes"), ["1 a"]);
    assert_eq!((&report["loads"][0]["target"], &report["fault_total"]), (&"app.notes".into(), &1.into()));
    case.place.migrate(["--yes", "-m", "m.toml"]).exits(2).says(&["APP_DATABASE"]);
    // The flag goes before the mapping, and abort is what happens where nothing is said.
    let case = mapped(SOURCE, TARGET, mapping);
    case.command(&["--json", "--dry-run", "--on-fault", "abort"]).exits(3);
    case.command(&["--json", "--dry-run"]).exits(6);
    remap(&case, &mapping.replace("on_fault = \"quarantine\"\n", ""));
    case.command(&["--json", "--dry-run"]).exits(3);
}
