//! A stand-in for the catalogue of Citus on plain PostgreSQL: it lists tables as distributed, and distributes none.

use super::{KEYS, TABLES, write};
use crate::fleet::{self, Fleet};
use crate::support::case::Case;
use crate::support::postgres::{Database, version};

/// The catalogue that Citus has, as far as the tool reads it.
pub const CATALOGUE: &str = "SET allow_system_table_mods = on;
    CREATE TABLE pg_catalog.pg_dist_partition
        (logicalrelid regclass, partmethod \"char\", partkey text, colocationid int, repmodel \"char\");
    CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        SELECT 99999, 'citus', 10, oid, false, '13.2-1' FROM pg_namespace WHERE nspname = 'pg_catalog';
    RESET allow_system_table_mods;";

/// The placement of the tables: `acc` and `tx` by the owner, `users` and `currency` on every node.
pub const PLACED: &str =
    "INSERT INTO pg_dist_partition VALUES ('acc', 'h', 'user_id', 1, 's'), ('tx', 'h', 'user_id', 1, 's'),
    ('users', 'n', NULL, 2, 't'), ('currency', 'n', NULL, 2, 't');";

/// A case on a target with that catalogue. `None` on a server that takes no such tables.
fn case(more: &str) -> Option<Case> {
    // A session sets allow_system_table_mods since version 13.
    let case =
        (version() >= 130_000).then(|| Case::with(Database::with(&format!("{CATALOGUE}{TABLES}{KEYS}{more}")), &[]))?;
    write(&case);
    Some(case)
}

#[test]
fn the_plan_names_the_placement_of_the_loaded_tables() {
    let Some(case) = case(PLACED) else { return };
    let plan = case.command(&["plan", "--json"]).exits(0).json();
    let placed = serde_json::json!({
        "acc": { "placement": "distributed", "column": "user_id" },
        "currency": { "placement": "reference" },
        "tx": { "placement": "distributed", "column": "user_id" },
    });
    assert_eq!(plan["distributed"], placed, "{plan}");
    case.command(&["plan"]).exits(0).says(&[
        "Distributed by Citus",
        "  acc: distributed by user_id\n",
        "  currency: reference",
    ]);
}

#[test]
fn a_plan_for_local_tables_names_no_placement() {
    let Some(case) = case("INSERT INTO pg_dist_partition VALUES ('acc', 'n', NULL, 0, 's')") else { return };
    let plan = case.command(&["plan", "--json"]).exits(0).json();
    assert_eq!(plan.get("distributed"), None);
    let report = case.done();
    let of_nodes = |check: &&serde_json::Value| check["why"].as_str().is_some_and(|why| why.contains("several nodes"));
    assert_eq!(report["checks"].as_array().expect("checks").iter().find(of_nodes), None);
}

#[test]
fn a_table_that_is_not_distributed_by_its_owner_is_refused() {
    let by = |column: &str| format!("INSERT INTO pg_dist_partition VALUES ('tx', 'h', '{column}', 1, 's')");
    let Some(case) = case(&by("acc_id")) else { return };
    let way = "Distribute the table by the owner: SELECT alter_distributed_table('public.tx', distribution_column => 'user_id');";
    case.refused(&[
        "load.tx.owner",
        "`public.tx` is distributed by acc_id, and the owner of its rows is in `user_id`",
        way,
    ]);
    // Another method is refused, too, and so is a table without an owner.
    case.target.run("UPDATE pg_dist_partition SET partmethod = 'r'");
    case.refused(&["`public.tx` is placed in another way than by the hash of a column"]);
    case.target.run("UPDATE pg_dist_partition SET logicalrelid = 'currency', partmethod = 'h', partkey = 'code'");
    case.refused(&[
        "load.currency.owner",
        "is distributed by code",
        "SELECT create_reference_table('public.currency');",
    ]);
}

#[test]
fn what_no_node_can_show_is_not_checked_with_its_reason() {
    let Some(case) = case(&format!("{PLACED} ALTER TABLE tx ADD COLUMN at timestamptz DEFAULT now()")) else { return };
    let why = |report: &serde_json::Value, table: &str| {
        let checks = report["checks"].as_array().expect("checks").clone();
        let of = checks.into_iter().filter(|c| c["verdict"] == "NotChecked" && c["load"] == table);
        of.filter_map(|c| c["why"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
    };
    let report = case.done();
    for table in ["public.acc", "public.tx", "public.currency"] {
        assert!(why(&report, table).contains("each of which is read in a snapshot of its own"), "{table}: {report}");
    }
    let report = case.exits(0, &["verify"]);
    let said: String = report["checks"].to_string();
    assert!(said.contains("not compared: at; each shard numbers transactions by itself"), "{said}");
    // The rows of `tx` have a column that was not sent: no transaction shows that it is as it was.
    case.command(&["rollback", "--yes"])
        .exits(3)
        .says(&["each shard numbers transactions by itself", "the run did not send at"]);
    assert_eq!(case.target.count("tx"), 4);
}

#[test]
fn the_end_of_a_fleet_and_its_verification_name_tables_on_several_nodes() {
    if version() < 130_000 {
        return;
    }
    let placed = "INSERT INTO pg_dist_partition VALUES ('acc', 'h', 'user_id', 1, 's'), ('users', 'n', NULL, 2, 't')";
    let fleet = Fleet::with(Database::with(&format!("{CATALOGUE}{}{placed}", fleet::TARGET)), 2);
    for report in [fleet.exits(0, &["--yes"]), fleet.about(0, &["verify"])] {
        let checks = report["checks"].as_array().expect("checks").iter();
        let unseen = checks.filter(|c| c["why"].as_str().is_some_and(|why| why.contains("a snapshot of its own")));
        let tables: Vec<&str> = unseen.filter_map(|check| check["load"].as_str()).collect();
        assert_eq!(tables, ["public.acc", "public.users"], "{report}");
    }
}

#[test]
fn rows_with_a_key_are_rolled_back_and_the_owner_stays() {
    let Some(case) = case(PLACED) else { return };
    case.done();
    let ran = case.command(&["rollback", "--yes"]).exits(0);
    ran.says(&["each shard numbers transactions by itself"]);
    let counts = ["users", "currency", "acc", "tx"].map(|table| case.target.count(table));
    assert_eq!(counts, [1, 0, 0, 0], "{}", ran.said());
}

#[test]
fn an_internal_trigger_of_an_extension_stays_as_it_is() {
    let internal = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER truncate_trigger_1 AFTER TRUNCATE ON tx FOR EACH STATEMENT EXECUTE FUNCTION nothing();
        CREATE TRIGGER of_rows AFTER INSERT ON tx FOR EACH ROW EXECUTE FUNCTION nothing();
        UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 'truncate_trigger_1';";
    let Some(case) = case(&format!("{PLACED}{internal}")) else { return };
    let plan = case.command(&["plan", "--json"]).exits(0).json();
    let detach = plan["detach"].to_string();
    assert!(!detach.contains("truncate_trigger_1"), "{detach}");
    // A user trigger is listed, and stays attached.
    let stays = plan["detach"]["stays"].as_array().expect("a list").iter();
    let of_rows: Vec<&serde_json::Value> = stays.filter(|stays| stays["object"]["object"] == "of_rows").collect();
    assert_eq!(of_rows.len(), 1, "{detach}");
    assert_eq!(of_rows[0]["why"], "Citus disables no trigger of a distributed or a reference table");
}
