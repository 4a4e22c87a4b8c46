//! Shifted ids: the rows of one tenant are loaded next to another's, with one number added to all ids of a table.

use crate::support::postgres::Database;
use crate::support::tool::{Place, Ran};
use crate::support::{read_repo, repo};

const TABLES: [&str; 8] = [
    "transactions",
    "budget_templates",
    "budget_subcategory_templates",
    "monthly_budgets",
    "unexpected_expenses",
    "debt_accounts",
    "debt_payments",
    "budget_commitments",
];

/// personal_finance's mapping for a target that is in use.
fn mapping(place: &Place) -> std::path::PathBuf {
    let mut text = read_repo("mappings/personal_finance.toml");
    let fixtures = format!("{}/", repo("fixtures").display());
    text = text.replace("../fixtures/", &fixtures);
    for table in TABLES {
        let load = format!("[load.{table}]\n");
        assert!(text.contains(&load));
        text = text.replace(&load, &format!("{load}existing = \"append\"\nids = \"shift\"\n"));
    }
    text = text.replace("[load.custom_types] ", "[load.custom_types]\nexisting = \"append\" ");
    let first = "[load.transactions.columns]\n";
    text = text.replace(first, &format!("{first}debt_payment_id = {{ refers = \"debt_payments\" }}\n"));
    let second = "[load.debt_payments.columns]\n";
    text = text.replace(second, &format!("{second}debt_account_id = {{ refers = \"debt_accounts\" }}\n"));
    place.write("append.toml", text)
}

fn run(place: &Place, target: &Database, more: &[&str], exit: i32) -> Ran {
    let mapping = mapping(place);
    place.migrate(["--json", "-m"]).arg(mapping).args(["-t", &target.url()]).args(more).exits(exit)
}

/// The rows of one person as text, hashed table by table.
fn rows_of(target: &Database, user: i64) -> Vec<String> {
    let one = |table: &&str| {
        let sql = format!(
            "SELECT count(*) || md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} AS t WHERE user_id = {user}"
        );
        format!("{table} {}", target.value(&sql))
    };
    TABLES.iter().map(one).collect()
}

fn linked(target: &Database, user: i64) -> String {
    target.value(&format!(
        "SELECT count(*) FROM transactions t JOIN debt_payments p ON p.id = t.debt_payment_id \
         JOIN debt_accounts a ON a.id = p.debt_account_id \
         WHERE t.user_id = {user} AND p.user_id = {user} AND a.user_id = {user} AND t.amount = p.payment_amount"
    ))
}

#[test]
fn a_second_tenant_is_loaded_after_the_first_and_references_follow() {
    let target = Database::of(&["fixtures/personal_finance/target.sql"]);
    let place = Place::new();
    run(&place, &target, &["--yes"], 0);
    let (first, links) = (rows_of(&target, 1), linked(&target, 1));
    assert_ne!(links, "0");
    let dry = run(&place, &target, &["--owner", "username=mara", "--dry-run"], 0).json();
    assert_eq!(dry["loads"].as_array().map(Vec::len), Some(11));
    assert_eq!(target.count("users"), 1);
    let report = run(&place, &target, &["--owner", "username=mara", "--yes"], 0).json();
    assert_eq!(report["exit"]["name"], "Done");
    assert_eq!(rows_of(&target, 1), first);
    assert_eq!(linked(&target, 2), links);
    assert_eq!(target.value("SELECT count(*) FROM transactions WHERE user_id = 2"), "7152");
    let crossed = "SELECT count(*) FROM transactions t JOIN debt_payments p ON p.id = t.debt_payment_id WHERE p.user_id <> t.user_id";
    assert_eq!(target.value(crossed), "0");
    // The source's counter stood at 7232, the first person's sequence there too.
    assert_eq!(target.value("SELECT min(id) FROM transactions WHERE user_id = 2"), "7233");
    assert_eq!(target.value("SELECT nextval('transactions_id_seq')"), (7232 + 7232 + 1).to_string());
    let again = run(&place, &target, &["--owner", "username=mara", "--yes"], 0);
    assert_eq!(target.count("users"), 2, "{}", again.said());
    assert_eq!(rows_of(&target, 1), first);
}

#[test]
fn a_target_in_use_accepts_another_tenant_next_to_existing_rows() {
    let target = Database::of(&["fixtures/personal_finance/target.sql", "fixtures/personal_finance/before_in_use.sql"]);
    let place = Place::new();
    let mara = rows_of(&target, 2);
    let report = run(&place, &target, &["--yes"], 0).json();
    assert_eq!(rows_of(&target, 2), mara);
    assert_eq!(report["owner"]["key"], "5");
    assert_eq!(report["owner"]["made"], false);
    assert_eq!(target.value("SELECT role FROM users WHERE id = 5"), "member");
    assert_eq!(linked(&target, 5), "84");
    let labels = report["loads"].as_array().and_then(|l| l.iter().find(|l| l["load"] == "user_owners")).cloned();
    assert_eq!(labels.map(|l| (l["written"].clone(), l["skipped"].clone())), Some((2.into(), 1.into())));
    assert_eq!(target.count("category_seeds"), 1);
}

#[test]
fn without_append_a_target_in_use_is_refused_and_unchanged() {
    let target = Database::of(&["fixtures/personal_finance/target.sql", "fixtures/personal_finance/before_in_use.sql"]);
    let before = target.inventory();
    let place = Place::new();
    let mapping = repo("mappings/personal_finance.toml");
    let ran = place.migrate(["--yes", "--json", "-m"]).arg(mapping).args(["-t", &target.url()]).exits(3);
    ran.says(&[
        "3 tables of schema public have rows",
        "transactions (",
        "debt_accounts (",
        "debt_payments (",
        "existing = \\\"append\\\"",
    ]);
    assert_eq!(target.inventory(), before);
}

#[test]
fn an_impossible_shift_is_refused_with_its_place() {
    let target = Database::with(
        "CREATE TABLE words (word text PRIMARY KEY); CREATE TABLE notes (id serial PRIMARY KEY, word text, other int)",
    );
    let place = Place::new();
    place.write(
        "source.sql",
        "CREATE TABLE words (word TEXT); CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT, other INT);",
    );
    place.write(
        "m.toml",
        "format = 1\nname = \"x\"\n[source]\npath = \"source.sql\"\n[load.words]\nids = \"shift\"\n[load.notes]\n\
         [load.notes.columns]\nid = { omit = true }\nother = { refers = \"wrods\" }\n[leave]\nnotes.id = \"new ones\"\n",
    );
    let ran = place.migrate(["-m", "m.toml", "--dry-run", "-t", &target.url()]).exits(3);
    ran.says(&[
        "load.words.ids",
        "`word` is text, not an integer",
        "load.notes.columns.other.refers",
        "Did you mean `words`?",
    ]);
}
